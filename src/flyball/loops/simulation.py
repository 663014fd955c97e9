"""What would have happened under another policy: the recorded past of a loop, decided anew.

The recorded windows are gone through in order of time, each first when it closed and again when its truth was complete, and the
triggers are asked at each of these moments as the controller asks them. What is recorded stays what it was: a window's drift
is that against the champion of then, also where the other policy would have had another champion.

Quality is what models of that age had: performance is fitted by a line over the age of the model that answered (ordinary
least squares, one point per window), and each window's recorded performance is moved along that line to the age that its
model would have had. The slope comes with its standard error; where it is not beyond chance, no gain is claimed.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from flyball.clock import parse_duration
from flyball.errors import InvalidInput, did_you_mean
from flyball.evaluation.scores import METRICS
from flyball.loops import on
from flyball.loops.keeper import TRIGGERS
from flyball.loops.loop import Loop, TriggerSpec
from flyball.loops.loops import Training
from flyball.loops.policies.base import Situation, choose, classify
from flyball.loops.restraints import Past, restraint
from flyball.loops.services import Services
from flyball.loops.triggers.base import LoopFacts
from flyball.monitoring.windows import Window
from flyball.registry.versions import ModelVersion

_PAGE = 400
_LEAST_WINDOWS = 5
_SURE = 1.96
_WORDS = ("schedule", "new_data", "drift", "decay", "bias")


@dataclass(frozen=True, slots=True, kw_only=True)
class WouldHave:
    """A training that the other policy would have started, or would have let wait."""

    at: datetime
    trigger: str
    reason: str
    waited_for: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Simulation:
    """What another policy would have done, beside what was done.

    Attributes:
        start: Start of the first recorded window; `end`: end of the last.
        windows: How many windows there are.
        trainings: Trainings that were started by a trigger, and those that would have been.
        seconds_each: Mean time that a training took; None if none has ended.
        metric: By which quality is measured; empty where no window knows any.
        quality: Its mean over the windows with truth as recorded, and as it probably would have been; None if not known.
        slope: Change of the metric for each day of the model's age, and `slope_error` its standard error.
        notes: What the figures rest on, or why there are none.
    """

    loop: str
    start: datetime
    end: datetime
    windows: int
    trainings: int
    would_have: tuple[WouldHave, ...]
    waits: tuple[WouldHave, ...]
    seconds_each: float | None
    metric: str
    quality: float | None
    quality_would_have: float | None
    slope: float | None
    slope_error: float | None
    notes: tuple[str, ...]


def simulate(
    workspace: Services,
    name: str,
    *,
    retrain: Sequence[TriggerSpec] | None = None,
    cooldown: str | None = None,
    max_trainings_per_week: int | None = None,
    metric: str = "",
) -> Simulation:
    """Decides the recorded past of a loop anew under another policy; what is not given stays as it is applied.

    Args:
        name: Name of the loop.
        retrain: Triggers from `fb.on`.
        cooldown: How long after a training no other is started, such as `3d`.
        max_trainings_per_week: Budget of trainings.
        metric: The metric that stands for quality; by default that of a decay trigger, or the first recorded one.

    Raises:
        NotFound: there is no such loop.
        InvalidInput: nothing is recorded yet, or the policy cannot be one.
    """
    record = read_record(workspace, name)
    return simulate_on(
        record, retrain=retrain, cooldown=cooldown, max_trainings_per_week=max_trainings_per_week, metric=metric
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """The recorded past of a loop, read once for many policies."""

    loop: Loop
    applied: datetime
    windows: list[Window]
    versions: list[ModelVersion]
    trainings: list[Training]


def read_record(workspace: Services, name: str) -> Record:
    """The recorded past of a loop.

    Raises:
        NotFound: there is no such loop.
        InvalidInput: nothing is recorded yet.
    """
    state = workspace.loops.get(name)
    windows = _all_windows(workspace, name)
    if not windows:
        raise InvalidInput(
            f"Loop '{name}' has no window yet.", hint="Let it serve for a while, or run `flyball replay`."
        )
    versions = sorted(workspace.registry.list_versions(name, limit=1000), key=lambda version: version.created)
    ended = [each for each in workspace.loops.list_trainings(name, limit=10_000) if each.kind == "train"]
    return Record(loop=state.loop, applied=state.applied, windows=windows, versions=versions, trainings=ended)


def simulate_on(
    record: Record,
    *,
    retrain: Sequence[TriggerSpec] | None = None,
    cooldown: str | None = None,
    max_trainings_per_week: int | None = None,
    metric: str = "",
) -> Simulation:
    """As `simulate`, on a past that was read before."""
    policy = _changed(record.loop, retrain, cooldown, max_trainings_per_week)
    windows, versions, ended = record.windows, record.versions, record.trainings
    started, waits = _decided(policy, windows, versions, record.applied)
    lengths = [(each.ended - each.created).total_seconds() for each in ended if each.ended is not None]
    quality = _quality(windows, versions, [each.at for each in started], metric or _metric_of(policy, windows))
    return Simulation(
        loop=record.loop.name, start=windows[0].start, end=windows[-1].end, windows=len(windows),
        trainings=sum(each.trigger not in ("first", "manual") for each in ended), would_have=tuple(started),
        waits=tuple(waits), seconds_each=sum(lengths) / len(lengths) if lengths else None,
        metric=quality.metric, quality=quality.recorded, quality_would_have=quality.expected,
        slope=quality.slope, slope_error=quality.error, notes=quality.notes,
    )  # fmt: skip


def read_trigger(text: str) -> TriggerSpec:
    """The trigger that a text names as one would write it in a project: `decay("roc_auc", by=0.1)`.

    Raises:
        InvalidInput: it is none.
    """
    hint = 'Write it as in a project: decay("roc_auc", by=0.1), drift(windows=2), schedule("0 3 * * 1").'
    try:
        call = ast.parse(text.removeprefix("fb.on."), mode="eval").body
        if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name):
            raise InvalidInput(f"'{text[:100]}' is no trigger.", hint=hint)
        if call.func.id not in _WORDS:
            raise InvalidInput(f"There is no trigger '{call.func.id}'.", hint=did_you_mean(call.func.id, _WORDS))
        given = [ast.literal_eval(each) for each in call.args]
        named = {each.arg: ast.literal_eval(each.value) for each in call.keywords if each.arg}
        made: TriggerSpec = getattr(on, call.func.id)(*given, **named)
    except (SyntaxError, ValueError, TypeError, RecursionError, MemoryError) as error:
        raise InvalidInput(f"'{text[:100]}' is no trigger: {error}.", hint=hint) from error
    return made


def _changed(loop: Loop, retrain: Sequence[TriggerSpec] | None, cooldown: str | None, most: int | None) -> Loop:
    if most is not None and most < 1:
        raise InvalidInput(f"max_trainings_per_week is {most}.", hint="Give at least 1.")
    return replace(
        loop,
        paused="",
        retrain=loop.retrain if retrain is None else tuple(retrain),
        cooldown_seconds=loop.cooldown_seconds if cooldown is None else parse_duration(cooldown).total_seconds(),
        max_trainings_per_week=loop.max_trainings_per_week if most is None else most,
    )


def _all_windows(workspace: Services, name: str) -> list[Window]:
    found: list[Window] = []
    before = ""
    while page := workspace.monitoring.list_windows(name, limit=_PAGE, before=before):
        found += page
        before = page[-1].start.isoformat()
    return found[::-1]


def _decided(
    policy: Loop, windows: list[Window], versions: list[ModelVersion], applied: datetime
) -> tuple[list[WouldHave], list[WouldHave]]:
    past: list[Past] = []
    started: list[WouldHave] = []
    waits: list[WouldHave] = []
    causes: set[str] = set()
    since = windows[0].start
    for now, known in _moments(windows, timedelta(seconds=policy.label_delay_seconds)):
        champion = next((each for each in reversed(versions) if each.created <= now), None)
        seen = tuple(each for each in reversed(known) if each.start >= since)
        facts = LoopFacts(
            now=now,
            champion=champion,
            windows=seen,
            last_training=past[0].created if past else None,
            applied=applied,
            labels_come=any(each.labelled for each in known),
        )
        for spec in policy.retrain:
            fire = TRIGGERS.get(spec.trigger).fires(facts, spec.params)
            if fire is None or fire.cause in causes:
                continue
            kind, because = classify(spec.trigger, facts, past)
            situation = Situation(kind=kind, because=because, trigger=spec.trigger, fire=fire, facts=facts, past=past)
            action = choose(policy.policies, situation)
            starts = action.what in ("retrain", "retune")
            against = restraint(policy, past, now) if starts else action.reason or action.what
            if against:
                if not any(each.reason == fire.reason for each in waits):
                    waits.append(WouldHave(at=now, trigger=spec.trigger, reason=fire.reason, waited_for=against))
                continue
            causes.add(fire.cause)
            past.insert(0, Past(created=now, trigger=spec.trigger))
            started.append(WouldHave(at=now, trigger=spec.trigger, reason=fire.reason))
            since = now
            break
    return started, waits


def _moments(windows: list[Window], delay: timedelta) -> Iterator[tuple[datetime, list[Window]]]:
    """Each moment at which something became known, with the windows as they were known then, oldest first."""
    for now in sorted({each.end for each in windows} | {each.end + delay for each in windows if each.complete}):
        known = [each for each in windows if each.end <= now]
        yield (
            now,
            [each if each.end + delay <= now else replace(each, complete=False, performance=()) for each in known],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Quality:
    metric: str = ""
    recorded: float | None = None
    expected: float | None = None
    slope: float | None = None
    error: float | None = None
    notes: tuple[str, ...] = ()


def _metric_of(policy: Loop, windows: list[Window]) -> str:
    asked = next((str(spec.params["metric"]) for spec in policy.retrain if "metric" in spec.params), "")
    known = [metric.name for window in windows for metric in window.performance]
    return asked if asked in known else next(iter(known), "")


def _quality(windows: list[Window], versions: list[ModelVersion], trained: list[datetime], metric: str) -> _Quality:
    if metric and metric not in METRICS.names():
        raise InvalidInput(f"There is no metric '{metric}'.", hint=did_you_mean(metric, METRICS.names()))
    created = {each.version: each.created for each in versions}
    points: list[tuple[float, float, datetime]] = []
    for window in windows:
        value = next((each.value for each in window.performance if each.name == metric), None)
        main = max(window.versions, key=lambda version: window.versions[version], default="")
        if value is not None and main.isdecimal() and int(main) in created:
            points.append((_days(window.start - created[int(main)]), value, window.start))
    if len(points) < _LEAST_WINDOWS:
        return _Quality(metric=metric, notes=(f"quality is not compared: {len(points)} windows know their truth",))
    slope, error = _line([(age, value) for age, value, _ in points])
    recorded = sum(value for _, value, _ in points) / len(points)
    if slope is None or error is None or abs(slope) < _SURE * error:
        note = "quality is not compared: that models lose with age is not beyond chance in what is recorded"
        return _Quality(metric=metric, recorded=recorded, slope=slope, error=error, notes=(note,))
    first = min(created.values())
    moved = [
        value + slope * (_days(start - max((each for each in trained if each <= start), default=first)) - age)
        for age, value, start in points
    ]
    note = f"quality rests on {len(points)} windows: {slope:+.5f} of {metric} (+-{error:.5f}) for each day of a model's age"
    expected = sum(moved) / len(moved)
    return _Quality(metric=metric, recorded=recorded, expected=expected, slope=slope, error=error, notes=(note,))


def _line(points: list[tuple[float, float]]) -> tuple[float | None, float | None]:
    """Slope and its standard error; None where the points say nothing of one."""
    n = len(points)
    mean_x, mean_y = sum(x for x, _ in points) / n, sum(y for _, y in points) / n
    spread = sum((x - mean_x) ** 2 for x, _ in points)
    if spread <= 0 or n < 3:
        return None, None
    slope = sum((x - mean_x) * (y - mean_y) for x, y in points) / spread
    left = sum((y - mean_y - slope * (x - mean_x)) ** 2 for x, y in points)
    return slope, math.sqrt(left / (n - 2) / spread)


def _days(span: timedelta) -> float:
    return span / timedelta(days=1)
