"""One run of one pipeline: takes the calls of its steps, runs them as they become ready, and ends each once."""

from __future__ import annotations

import contextlib
import functools
import json
import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextvars import copy_context
from dataclasses import replace
from pathlib import Path
from typing import Any

from flyball.errors import Cancelled, InvalidInput, TimedOut, WorkFailed
from flyball.machine.shares import Lease, Machine
from flyball.pipelines._calls import Call, State
from flyball.pipelines._capture import print_to
from flyball.pipelines._claims import Claims
from flyball.pipelines._dependencies import facts_of, why
from flyball.pipelines._journal import Ended, Journal, loggable
from flyball.pipelines._workers import Stopped, Workers
from flyball.pipelines.cache import CachedStep
from flyball.pipelines.code import ProjectCode
from flyball.pipelines.context import RunContext, enter_step
from flyball.pipelines.failures import described, step_failure
from flyball.pipelines.isolated import IsolatedSteps
from flyball.pipelines.materials import Artifact, save
from flyball.pipelines.output import resolved
from flyball.pipelines.result import StepEvent, StepRecord
from flyball.pipelines.scope import NotAsked, Scope, missing_before
from flyball.pipelines.secrets import find_secret
from flyball.pipelines.step import Step, parts_of
from flyball.pipelines.usage import UsageMeter
from flyball.serialization import error_from_plain
from flyball.tracking.runs import Run

logger = logging.getLogger(__name__)
_LONGEST_PAUSE = 30.0
_MOST_WHY = 8_000


class Engine:
    """Runs the steps that a pipeline function calls.

    Args:
        run: The pipeline's run.
        params: The pipeline's parameters.
        scope: Which steps may run, and which have to.
        on_event: Told when a step begins or ends.
        max_workers: How many steps run at once.
        on_metric: Told of each metric point that a step logs.
    """

    def __init__(
        self,
        run: Run,
        pipeline: str,
        params: dict[str, Any],
        services: Any,
        *,
        scope: Scope,
        on_event: Callable[[StepEvent], None] | None,
        max_workers: int,
        on_metric: Callable[[str, float, int], None] | None = None,
    ) -> None:
        self._run = run
        self._pipeline = pipeline
        self._services = services
        self._scope = scope
        self._on_event = on_event
        self._context = RunContext(run, services, params, on_metric=on_metric)
        self._code = ProjectCode(services.project_root)
        self._source_root = Path(getattr(services, "source_root", services.project_root))
        self._journal = Journal(run, services)
        self._claims = Claims(run, services)
        self._isolated = IsolatedSteps(run, params, services, self._code, self._source_root)
        self._workers = Workers(max_workers)
        self.usage = UsageMeter(run.id)
        self._calls: list[Call] = []
        self._names: Counter[str] = Counter()
        self._under_way: dict[str, Call] = {}
        self._lock = threading.Lock()
        self._stopping: WorkFailed | None = None
        self._is_closing = False

    def submit(self, step: Step[Any, Any], given: tuple[Any, ...], named: dict[str, Any]) -> Any:
        """A handle on what the step will give, or a tuple of them.

        Raises:
            InvalidInput: the arguments do not fit the step.
            Cancelled: the run was asked to stop.
        """
        try:
            bound = step.signature.bind(*given, **named)
        except TypeError as error:
            raise InvalidInput(f"Step '{step.name}' cannot be called like this: {error}.") from None
        bound.apply_defaults()
        with self._lock:
            if self._stopping is not None:
                raise self._stopping
            self._names[step.name] += 1
            count = self._names[step.name]
            name = step.name if count == 1 else f"{step.name}#{count}"
            call = Call(step, name, bound, copy_context(), self._services.blobs)
            self._calls.append(call)
        if self._on_event is not None:
            call.page.listen(lambda line: self._say(StepEvent(name=name, state="running", line=line)))
        self._say(StepEvent(name=name, state="waiting", after=tuple(each.name for each in call.before())))
        self._start_when_ready(call, call.before())
        return call.handles()

    def finish(self) -> None:
        """Waits for every step; raises the first failure that the pipeline function has not gone round."""
        for call in self._calls:
            call.done.wait()
        if self._stopping is not None:
            raise self._stopping
        for call in self._calls:
            if call.error is not None and call.state == "failed" and not call.was_raised:
                raise call.error
        self._scope.check(self._pipeline, {name for call in self._calls for name in (call.step.name, call.name)})
        for call in self._calls if self._scope.is_partial else ():
            if isinstance(call.error, NotAsked) and not self._scope.only:
                raise call.error
            if call.state == "skipped" and self._scope.may_run(call.step.name, call.name):
                raise missing_before(call.name, [each.name for each in call.before() if each.error is not None])

    def stop(self, error: WorkFailed) -> None:
        """Starts nothing more, and makes what runs leave its work."""
        with self._lock:
            self._is_closing = True
            self._stopping = self._stopping or error
            calls = list(self._calls)
        for call in calls:
            self._give_up(call, error)

    def close(self) -> None:
        """Starts nothing more, waits for what runs, and until all is written down."""
        self._is_closing = True
        for call in list(self._calls):
            call.done.wait()
        self._workers.close()
        self._isolated.close()
        self._journal.close()

    def records(self) -> tuple[StepRecord, ...]:
        """How each step ended."""
        return tuple(
            StepRecord(
                name=call.name,
                state=call.state,  # type: ignore[arg-type]  # one of the ends, by the condition below
                seconds=call.seconds,
                reason=call.reason,
                outputs=call.artifacts,
                run=call.run,
            )
            for call in self._calls
            if call.state not in ("waiting", "running")
        )

    def running(self) -> Iterator[str]:
        """The runs of the steps that run now, after handing on what they have logged and renewing what they hold."""
        self._claims.renew()
        for call in list(self._calls):
            if call.state == "running" and call.run and call.around is not None:
                points = call.around.take_points()
                if points:
                    self._journal.logged(call.run, points)
                printed = call.page.new_tail()
                if printed:
                    self._journal.printed(call.run, printed)
                yield call.run

    @functools.cached_property
    def _machine(self) -> Machine:
        return Machine()

    def _start_when_ready(self, call: Call, before: list[Call]) -> None:
        left = len(before) + 1

        def one_less() -> None:
            nonlocal left
            with self._lock:
                left -= 1
                is_ready = left == 0
            if is_ready:
                self._workers.submit(lambda: self._process(call, before), call.step.priority)

        for earlier in before:
            earlier.when_done(one_less)
        one_less()

    # From here on, on a worker's thread.

    def _process(self, call: Call, before: list[Call]) -> None:
        failed = next((earlier for earlier in before if earlier.error is not None), None)
        if failed is not None:
            self._end(call, "skipped", error=failed.error, reason=f"'{failed.name}' has no result")
        elif self._is_closing:
            stopped = self._stopping or Cancelled(f"Step '{call.name}' was not begun.", step=call.name)
            self._end(call, "skipped", error=stopped, reason="the run was ending")
        elif call.begin():
            try:
                self._settle(call)
            except (Stopped, Exception) as error:
                # Whatever happens, a step ends: otherwise the run would wait for ever.
                self._fail(call, error)
                if isinstance(error, Stopped):
                    raise

    def _settle(self, call: Call) -> None:
        """Takes what the step gave before, or runs it."""
        facts = call.facts = facts_of(
            call, pipeline=self._pipeline, run=self._run.id, code=self._code, blobs=self._services.blobs,
            source_root=self._source_root,
        )  # fmt: skip
        with self._lock:
            first = self._under_way.get(facts.key)
            if first is None or (first.done.is_set() and first.error is not None):
                first = self._under_way[facts.key] = call
        if first is not call:
            self._share(call, first)
            return
        found = self._services.step_cache.lookup(facts.key)
        if found is None and not call.step.cache and not self._scope.may_run(call.step.name, call.name):
            found = self._last_of(call)
        scope, names = self._scope, (call.step.name, call.name)
        is_old = found is not None and self._is_old(call.step, found)
        call.runs_again = scope.has_to_run(*names) or any(each.runs_again for each in call.before())
        is_fresh = scope.use_cache and not is_old and not call.runs_again
        if found is not None and (found.run == self._run.id or is_fresh):
            self._take(call, found)
        elif not scope.may_run(*names):
            error = NotAsked(f"Step '{call.name}' was not asked to run, and what it gave is not kept.", step=call.name)
            self._end(call, "skipped", error=error, reason="it was not asked to run")
        else:
            call.reason = "what it gave is too old" if is_old else self._why(call, facts)[:_MOST_WHY]
            self._run_once(call, facts, is_wanted=is_fresh)

    def _run_once(self, call: Call, facts: CachedStep, *, is_wanted: bool) -> None:
        """Runs a call, unless another run does so at this moment and its result will do."""
        if not call.step.cache or not is_wanted:
            self._execute(call, facts)
            return

        def wait(run: str) -> None:
            self._say(StepEvent(name=call.name, state="waiting", reason=f"run {run} runs the same"))

        with self._claims.hold(facts.key, on_wait=wait, stopped=lambda: self._is_closing) as made:
            if made is not None:
                self._take(call, made)
            else:
                self._execute(call, facts)

    def _last_of(self, call: Call) -> CachedStep | None:
        """What a step that runs in every run gave the last time, for those behind it that run alone."""
        found: CachedStep | None = self._services.step_cache.latest(self._pipeline, call.name)
        return None if found is None else self._services.step_cache.lookup(found.key)

    def _is_old(self, step: Step[Any, Any], found: CachedStep) -> bool:
        made = found.made or found.created
        if step.ttl is None or made is None:
            return False
        age: float = (self._services.clock.now() - made).total_seconds()
        return age >= step.ttl

    def _why(self, call: Call, facts: CachedStep) -> str:
        if not call.step.cache:
            return "it runs in every run"
        if not self._scope.use_cache:
            return "the cache is not used in this run"
        if call.runs_again:
            return "it was asked to run again, or a step before it was"
        return why(self._services.step_cache.latest(self._pipeline, call.name), facts)

    def _share(self, call: Call, first: Call) -> None:
        first.done.wait()
        reason = f"it is the same as '{first.name}'"
        if first.error is not None:
            self._end(call, "skipped", error=first.error, reason=f"{reason}, which has no result")
            return
        call.share(first)
        call.seconds = first.seconds
        self._hit(call, reason)

    def _take(self, call: Call, found: CachedStep) -> None:
        call.keep(found.artifacts)
        call.seconds = found.seconds
        for ref in found.snapshots:
            self._context.use_snapshot(ref)
        reason = "nothing it depends on has changed" if call.step.cache else "it is what it gave last"
        reason = "this run had finished it" if found.run == self._run.id else reason
        self._hit(call, reason, replace(found, pipeline=self._pipeline, step=call.name))

    def _hit(self, call: Call, reason: str, found: CachedStep | None = None) -> None:
        assert call.facts is not None
        tags = {"cache": "hit", "why": reason, "key": call.facts.key, **call.place_tag()}
        call.run = self._journal.started(call.name, params=_params(call.facts), tags=tags)
        entry = Ended(run=call.run, state="finished", result=found, last={} if found is None else found.metrics)
        self._end(call, "cached", reason=reason, entry=entry)

    def _execute(self, call: Call, facts: CachedStep) -> None:
        tags = {"cache": "miss" if call.step.cache else "off", "why": call.reason, "key": facts.key, **call.place_tag()}
        around = call.around = self._context.for_step(call.name, call.step.secrets)
        call.run = self._journal.started(call.name, params=_params(facts), tags=tags)
        self._say(StepEvent(name=call.name, state="running", reason=call.reason))
        try:
            gpus = call.step.resources.gpus
            with self._room(call) as lease, self._time_limit(call), self.usage.step(call.run, call.name, gpus):
                call.started = time.monotonic()
                artifacts = call.context.run(self._attempts, call, lease)
            call.seconds = time.monotonic() - call.started
        finally:
            around.clean_up()
        result = None
        if all(artifact.kind != "live" for artifact in artifacts):
            logged = around.logged
            result = replace(
                facts,
                artifacts=artifacts,
                seconds=call.seconds,
                made=self._services.clock.now(),
                metrics=dict(logged.last),
                snapshots=tuple(logged.snapshots),
            )
        self._end(call, "finished", entry=Ended(run=call.run, state="finished", result=result, artifacts=artifacts))

    @contextlib.contextmanager
    def _room(self, call: Call) -> Iterator[Lease]:
        """Holds what the step takes of this machine while it runs."""
        wanted = call.step.resources
        if not wanted or self._isolated.is_elsewhere():
            yield Lease(id="")
            return
        with self._machine.hold(
            wanted,
            who=f"step '{call.name}' of run {self._run.id}",
            priority=call.step.priority,
            stopped=lambda: self._is_closing,
            on_wait=lambda: self._say(StepEvent(name=call.name, state="waiting", reason="it waits for its resources")),
        ) as lease:
            if self._is_closing:
                raise self._stopping or Cancelled(f"Step '{call.name}' was not begun.", step=call.name)
            self._say(StepEvent(name=call.name, state="running", reason=call.reason))
            yield lease

    def _attempts(self, call: Call, lease: Lease) -> tuple[Artifact, ...]:
        assert call.around is not None
        enter_step(call.around)
        for name in call.step.secrets:
            call.page.hide(find_secret(name, self._services, f"step {call.name} of run {self._run.id}"))
        print_to(call.page)
        for attempt in range(call.step.retries + 1):
            try:
                return self._attempt(call, attempt, lease)
            except SystemExit as error:
                raise WorkFailed(f"It asked Python to exit with {error.code!r}.") from error
            except Exception as error:
                if attempt == call.step.retries or self._is_closing or isinstance(error, Cancelled):
                    raise
                call.page.write(f"Attempt {attempt + 1} failed: {type(error).__name__}: {error}\n")
                time.sleep(min(_LONGEST_PAUSE, 0.1 * 2**attempt))
        raise AssertionError("the last attempt returns or raises")

    def _attempt(self, call: Call, attempt: int, lease: Lease) -> tuple[Artifact, ...]:
        assert call.around is not None
        if self._isolated.wants(call):
            self.usage.apart(call.run)
            said = self._isolated.run(call, attempt, lease, self._code_of)
            self.usage.add(call.run, said.core_seconds, said.memory * said.seconds)
            if said.error is not None:
                raise error_from_plain(said.error)
            call.keep(said.artifacts)
            return said.artifacts
        given, named = resolved(call.bound.args), resolved(call.bound.kwargs)
        values = parts_of(call.step, call.step.function(*given, **named))
        artifacts = tuple(save(item, self._services.blobs, code_of=self._code_of) for item in values)
        call.keep(artifacts, [call.LATER if call.around.is_scratch(item) else item for item in values])
        return artifacts

    @contextlib.contextmanager
    def _time_limit(self, call: Call) -> Iterator[None]:
        if call.step.timeout is None:
            yield
            return
        error = TimedOut(f"Step '{call.name}' took longer than {call.step.timeout:g} s.", step=call.name)
        timer = threading.Timer(call.step.timeout, self._give_up, (call, error))
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

    # How a call ends: once, and written down before anybody who waits for it goes on.

    def _fail(self, call: Call, error: BaseException) -> None:
        if isinstance(error, Stopped):
            self._give_up(call, self._stopping or Cancelled(f"Step '{call.name}' was stopped.", step=call.name))
        else:
            self._end_failed(call, step_failure(call.name, error))

    def _give_up(self, call: Call, error: WorkFailed) -> None:
        claimed = False

        def claim() -> int:
            nonlocal claimed
            with call.lock:
                claimed = call.claim()
                return call.thread if claimed else 0

        self._workers.give_up(claim)
        if claimed:
            self._end_failed(call, error, is_claimed=True)

    def _end_failed(self, call: Call, error: WorkFailed, *, is_claimed: bool = False) -> None:
        if not is_claimed and not call.claim():
            return
        call.seconds = time.monotonic() - call.started if call.thread else 0.0
        state: Any = "cancelled" if isinstance(error, Cancelled) else "failed"
        entry = Ended(run=call.run, state=state, error=described(error)) if call.run else None
        reason = error.message if call.thread else "the run was stopped"
        self._end(
            call, "failed" if call.thread else "skipped", error=error, reason=reason, entry=entry, is_claimed=True
        )

    def _end(
        self,
        call: Call,
        state: State,
        *,
        error: WorkFailed | None = None,
        reason: str = "",
        entry: Ended | None = None,
        is_claimed: bool = False,
    ) -> None:
        if not is_claimed and not call.claim():
            return
        call.error, call.reason = error, reason or call.reason
        if entry is not None:
            self._journal.ended(_with_logged(entry, call))
        event = StepEvent(name=call.name, state=state, seconds=call.seconds, reason=call.reason)
        self._say(event)
        if state == "failed" and call.step.on_failure is not None:
            tell(call.step.on_failure, event)
        call.end(state)

    def _code_of(self, target: Any) -> str:
        return self._code.key(target).digest if self._code.is_project(target) else ""

    def _say(self, event: StepEvent) -> None:
        if self._on_event is not None:
            tell(self._on_event, event)


def tell(listener: Callable[[Any], object], event: object) -> None:
    """Calls who wants to know; what goes wrong there is no fault of the run."""
    try:
        listener(event)
    except Exception:
        logger.exception("who listens to the run failed")


def _with_logged(entry: Ended, call: Call) -> Ended:
    if call.around is None:
        return entry
    logged = call.around.logged
    return replace(
        entry,
        points=call.around.take_points(),
        last=dict(logged.last),
        params=loggable(logged.params),
        tags={key: str(value) for key, value in logged.tags.items()},
        printed=call.page.text(),
        left=tuple(logged.left),
    )


def _params(facts: CachedStep) -> dict[str, Any]:
    shown = {}
    for name, text in facts.params.items():
        value = json.loads(text)
        shown[name] = text[:500] if isinstance(value, dict) else value
    return loggable(shown)
