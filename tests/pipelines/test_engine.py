from __future__ import annotations

import queue
import textwrap
import threading
import time
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from flyball.errors import Cancelled, InvalidInput, TimedOut, WorkFailed
from flyball.pipelines.context import current_run, find_run
from flyball.pipelines.engine import run_pipeline
from flyball.pipelines.pipeline import pipeline
from flyball.pipelines.result import StepEvent
from flyball.pipelines.step import step

if TYPE_CHECKING:
    from tests.pipelines.conftest import ProjectFolder, Services


@step
def add(left: int, right: int = 1) -> int:
    return left + right


@step
def pair(number: int) -> tuple[int, int]:
    return number, -number


@step
def fail(message: str = "no") -> int:
    raise ValueError(message)


@pipeline
def sums(start: int = 1) -> Any:
    return add(add(start), add(start, 2))


def states(result: Any) -> dict[str, str]:
    return {record.name: record.state for record in result.steps}


def test_a_step_outside_of_a_run_is_its_function() -> None:
    assert add(1) == 2
    assert sums(1) == 5
    assert find_run() is None


def test_a_pipeline_gives_what_its_function_returns(services: Services) -> None:
    result = run_pipeline(sums, {"start": "2"}, services=services)
    assert result.value() == 7
    assert [output.value() for output in result.outputs] == [7]
    assert (result.run.state, result.run.params, result.run.kind) == ("finished", {"start": 2}, "pipeline")


def test_the_second_run_takes_every_step_from_the_cache(services_on_each: Services) -> None:
    first = run_pipeline(sums, services=services_on_each)
    second = run_pipeline(sums, services=services_on_each)
    assert set(states(first).values()) == {"finished"}
    assert set(states(second).values()) == {"cached"}
    assert second.value() == first.value()


def test_without_the_cache_every_step_runs(services: Services) -> None:
    run_pipeline(sums, services=services)
    result = run_pipeline(sums, services=services, use_cache=False)
    assert set(states(result).values()) == {"finished"}
    assert result.steps[0].reason == "the cache is not used in this run"


def test_an_equal_output_stops_the_running_downstream(project: ProjectFolder) -> None:
    text = """
import flyball as fb

@fb.step
def first() -> int:
    return 1 + 1

@fb.step
def second(number: int) -> int:
    return number * 2

@fb.pipeline
def main():
    return second(first())
"""
    project.write("project.py", text)
    project.run()
    project.edit("project.py", "1 + 1", "3 - 1")
    project.run()
    assert project.states == {"first": "finished", "second": "cached"}


def test_each_step_has_a_run_of_its_own(services_on_each: Services) -> None:
    result = run_pipeline(sums, services=services_on_each)
    steps = services_on_each.tracking.list_runs(parent=result.run.id)
    assert {(run.name, run.kind, run.state) for run in steps} == {
        ("add", "step", "finished"), ("add#2", "step", "finished"), ("add#3", "step", "finished"),
    }  # fmt: skip
    assert {run.tags["why"] for run in steps} == {"it has not run before"}
    again = run_pipeline(sums, services=services_on_each)
    tags = [run.tags for run in services_on_each.tracking.list_runs(parent=again.run.id)]
    assert {(tag["cache"], tag["why"]) for tag in tags} == {("hit", "nothing it depends on has changed")}


def test_a_changed_param_is_the_reason(services: Services) -> None:
    run_pipeline(sums, services=services)
    result = run_pipeline(sums, {"start": 5}, services=services)
    assert result.steps[0].reason == "parameter 'left' went from 1 to 5"
    assert result.steps[2].reason == "input 'left' changed; input 'right' changed"


def test_the_reason_is_told_against_the_run_before_also_where_that_one_was_cached(services: Services) -> None:
    for start in (1, 2, 1):
        run_pipeline(sums, {"start": start}, services=services)
    assert run_pipeline(sums, {"start": 3}, services=services).steps[0].reason == "parameter 'left' went from 1 to 3"


def test_an_int_and_a_float_are_not_the_same_input(services: Services) -> None:
    @pipeline
    def main(number: Any) -> Any:
        return add(number)

    run_pipeline(main, {"number": 1}, services=services)
    assert states(run_pipeline(main, {"number": 1.0}, services=services)) == {"add": "finished"}


def test_parts_of_a_tuple_are_handles_of_their_own(services: Services) -> None:
    @pipeline
    def main() -> Any:
        plus, minus = pair(3)
        return add(plus, plus), add(minus, minus)

    assert run_pipeline(main, services=services).value() == (6, -6)


def test_a_tuple_of_another_length_than_annotated_fails(services: Services) -> None:
    @step
    def wrong() -> tuple[int, int]:
        return (1, 2, 3)  # type: ignore[return-value]  # what is refused

    @pipeline
    def main() -> Any:
        return wrong()

    with pytest.raises(WorkFailed, match="annotated to return 2 values and returned 3 values"):
        run_pipeline(main, services=services)


def test_branches_loops_and_maps_over_what_is_known_only_at_run_time(services: Services) -> None:
    @step
    def numbers(count: int) -> list[int]:
        return list(range(count))

    @step
    def total(parts: list[int]) -> int:
        return sum(parts)

    @pipeline
    def main(count: int) -> Any:
        parts = [add(number) for number in numbers(count)]
        if len(parts) > 2:
            parts.append(add(100))
        whole = total(parts)
        while whole < 1000:
            whole = add(whole, whole)
        return whole

    assert run_pipeline(main, {"count": 3}, services=services).value() == (1 + 2 + 3 + 101) * 16


def test_handles_in_lists_and_dicts_are_resolved(services: Services) -> None:
    @step
    def collect(parts: Any) -> Any:
        return parts

    @pipeline
    def main() -> Any:
        return collect({"a": [add(1), (add(2), 5)]})

    assert run_pipeline(main, services=services).value() == {"a": [2, (3, 5)]}


def test_a_pipeline_in_a_pipeline_is_part_of_its_run(services: Services) -> None:
    @pipeline
    def main() -> Any:
        return add(sums(1))

    assert run_pipeline(main, services=services).value() == 6


def test_a_step_in_a_step_is_its_function(services: Services) -> None:
    @step
    def outer() -> int:
        return add(1) + 1

    @pipeline
    def main() -> Any:
        return outer()

    result = run_pipeline(main, services=services)
    assert (result.value(), list(states(result))) == (3, ["outer"])


def test_independent_steps_run_at_the_same_time(services: Services) -> None:
    barrier = threading.Barrier(2, timeout=20)

    @step(cache=False)
    def meet(number: int) -> int:
        barrier.wait()
        return number

    @pipeline
    def main() -> Any:
        return meet(1), meet(2)

    assert run_pipeline(main, services=services, max_workers=2).value() == (1, 2)


def test_two_equal_calls_in_a_run_run_once(services: Services) -> None:
    ran: list[int] = []

    @step
    def slow(number: int) -> int:
        ran.append(number)
        time.sleep(0.05)
        return number

    @pipeline
    def main() -> Any:
        return slow(1), slow(1)

    result = run_pipeline(main, services=services)
    assert (result.value(), ran) == ((1, 1), [1])
    assert result.steps[1].state == "cached" or result.steps[0].state == "cached"


def test_an_uncached_step_runs_in_every_run(services: Services) -> None:
    ran: list[int] = []

    @step(cache=False)
    def note() -> int:
        ran.append(1)
        return 1

    @pipeline
    def main() -> Any:
        return note(), note()

    run_pipeline(main, services=services)
    run_pipeline(main, services=services)
    assert len(ran) == 4


def test_what_cannot_be_kept_is_handed_over_all_the_same(services: Services) -> None:
    @step
    def lock() -> Any:
        return threading.Lock()

    @step
    def use(held: Any) -> bool:
        return bool(held.locked())

    @pipeline
    def main() -> Any:
        return use(lock())

    run_pipeline(main, services=services)
    result = run_pipeline(main, services=services)
    assert (result.value(), states(result)) == (False, {"lock": "finished", "use": "finished"})


def test_a_failure_names_the_step_and_shows_only_user_code(services: Services) -> None:
    @pipeline
    def main() -> Any:
        return add(fail("broken"))

    with pytest.raises(WorkFailed, match="Step 'fail' failed: ValueError: broken") as caught:
        run_pipeline(main, services=services)
    trace = str(caught.value.facts["traceback"])
    assert "raise ValueError(message)" in trace
    assert "/_engine.py" not in trace
    run = services.tracking.get_run(str(caught.value.facts["run"]))
    assert run.state == "failed"
    assert "raise ValueError(message)" in run.error


def test_what_depends_on_a_failure_is_skipped_and_what_does_not_is_kept(services: Services) -> None:
    told: list[StepEvent] = []

    @pipeline
    def main() -> Any:
        return add(fail()), add(3)

    with pytest.raises(WorkFailed):
        run_pipeline(main, services=services, on_event=told.append)
    ends = {event.name: event.state for event in told if event.state != "running"}
    assert ends == {"fail": "failed", "add": "skipped", "add#2": "finished"}


def test_a_pipeline_may_go_round_a_failure(services: Services) -> None:
    @pipeline
    def main() -> Any:
        try:
            return fail().value()  # type: ignore[attr-defined]  # a handle in a run
        except WorkFailed:
            return add(1)

    result = run_pipeline(main, services=services)
    assert (result.value(), result.run.state) == (2, "finished")


def test_a_fault_of_the_pipeline_function_fails_the_run(services: Services) -> None:
    @pipeline
    def main() -> Any:
        return [add(1)][5]

    with pytest.raises(WorkFailed, match="Pipeline 'main' failed: IndexError"):
        run_pipeline(main, services=services)


def test_arguments_that_do_not_fit_are_said_before_anything_runs(services: Services) -> None:
    @pipeline
    def main() -> Any:
        return add(1, wrong=2)  # type: ignore[call-arg]  # what is refused

    with pytest.raises(InvalidInput, match="Step 'add' cannot be called like this: got an unexpected keyword"):
        run_pipeline(main, services=services)


def test_an_attribute_of_a_handle_says_what_to_write(services: Services) -> None:
    @pipeline
    def main() -> Any:
        return add(1).real

    with pytest.raises(WorkFailed, match=r"\.value\(\)\.real"):
        run_pipeline(main, services=services)


def test_a_step_is_tried_again(services: Services) -> None:
    tries: list[int] = []

    @step(retries=2)
    def shaky() -> int:
        tries.append(1)
        if len(tries) < 3:
            raise OSError("not yet")
        return 1

    @pipeline
    def main() -> Any:
        return shaky()

    assert run_pipeline(main, services=services).value() == 1
    assert len(tries) == 3


def test_a_step_that_takes_too_long_is_stopped(services: Services) -> None:
    @step(timeout=0.2)
    def slow() -> None:
        while True:
            time.sleep(0.01)

    @pipeline
    def main() -> Any:
        return slow()

    with pytest.raises(TimedOut, match=r"Step 'slow' took longer than 0\.2 s"):
        run_pipeline(main, services=services)


def test_a_step_that_hangs_in_a_library_does_not_hold_the_run(services: Services) -> None:
    over = threading.Event()

    @step(timeout="0.2s")
    def stuck() -> None:
        over.wait(20)

    @pipeline
    def main() -> Any:
        return stuck()

    started = time.monotonic()
    with pytest.raises(TimedOut):
        run_pipeline(main, services=services)
    over.set()
    assert time.monotonic() - started < 10


def test_a_run_can_be_cancelled(services: Services) -> None:
    cancel, begun = threading.Event(), threading.Event()

    @step
    def endless() -> int:
        begun.set()
        while True:
            time.sleep(0.01)

    def ask() -> None:
        begun.wait(20)
        cancel.set()

    @pipeline
    def main() -> Any:
        return add(endless())

    threading.Thread(target=ask).start()
    with pytest.raises(Cancelled) as caught:
        run_pipeline(main, services=services, cancel=cancel)
    run = services.tracking.get_run(str(caught.value.facts["run"]))
    assert run.state == "cancelled"
    assert [step.state for step in services.tracking.list_runs(parent=run.id)] == ["cancelled"]


def test_a_run_that_is_ended_from_elsewhere_stops(services: Services) -> None:
    @step
    def endless() -> None:
        services.tracking.finish_run(current_run().pipeline_run, "cancelled")
        while True:
            time.sleep(0.01)

    @pipeline
    def main() -> Any:
        return endless()

    with pytest.raises(Cancelled):
        run_pipeline(main, services=services)


def test_what_a_step_prints_is_there_while_it_runs_and_whole_afterwards(services: Services) -> None:
    def log() -> str:
        steps = services.tracking.list_runs(kind="step", limit=1)
        kept = [one for step in steps for one in services.tracking.list_artifacts(step.id) if one.name == "log.txt"]
        return services.blobs.get(kept[0].digest).decode() if kept else ""

    @step
    def speak() -> str:
        print("x" * 20_000)
        print("half way")
        deadline = time.monotonic() + 20
        while not (seen := log()):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        print("done")
        return seen

    @pipeline
    def main() -> Any:
        return speak()

    seen = run_pipeline(main, services=services).value()
    assert seen.endswith("half way\n")
    assert len(seen) == 16_000
    assert log().endswith("half way\ndone\n")
    assert len(log()) > 20_000


def test_what_a_step_prints_is_kept_with_it_alone(services: Services, capsys: pytest.CaptureFixture[str]) -> None:
    @step
    def speak(word: str) -> str:
        print(word)
        return word

    @pipeline
    def main() -> Any:
        print("outside")
        return speak("one"), speak("two")

    result = run_pipeline(main, services=services)
    logs = [services.tracking.list_artifacts(record.run) for record in result.steps]
    texts = [services.blobs.get(log[0].digest) for log in logs]
    assert texts == [b"one\n", b"two\n"]
    assert capsys.readouterr().out == "outside\n"


def test_what_a_step_logs_stands_in_its_run_and_in_the_pipelines(services: Services) -> None:
    @step
    def learn() -> int:
        for loss in (3.0, 2.0, 1.0):
            current_run().log(metrics={"loss": loss})
        current_run().log(params={"depth": 3}, tags={"kind": "tree"})
        return 1

    @pipeline
    def main() -> Any:
        return learn()

    result = run_pipeline(main, services=services)
    own = services.tracking.get_run(result.steps[0].run)
    assert [point.value for point in services.tracking.metric_history(own.id, "loss")] == [3.0, 2.0, 1.0]
    assert (own.params, own.tags["kind"]) == ({"depth": 3}, "tree")
    assert result.run.metrics == {"loss": 1.0}
    assert run_pipeline(main, services=services).run.metrics == {"loss": 1.0}


def test_snapshots_that_a_cached_step_used_still_count_for_the_run(services: Services) -> None:
    used: list[list[str]] = []

    @step
    def load() -> int:
        current_run().use_snapshot("snapshots:/orders/1")
        return 1

    @step(cache=False)
    def look(number: int) -> int:
        used.append(list(current_run().snapshots))
        return number

    @pipeline
    def main() -> Any:
        return look(load())

    run_pipeline(main, services=services)
    run_pipeline(main, services=services)
    assert used == [["snapshots:/orders/1"]] * 2


def test_a_failed_run_that_is_taken_up_again_does_not_repeat_what_it_finished(services_on_each: Services) -> None:
    ran: queue.SimpleQueue[str] = queue.SimpleQueue()
    well = threading.Event()

    @step(cache=False)
    def write() -> int:
        ran.put("write")
        return 1

    @step
    def last(number: int) -> int:
        if not well.is_set():
            raise RuntimeError("ill")
        return number

    @pipeline
    def main() -> Any:
        return last(write())

    with pytest.raises(WorkFailed):
        run_pipeline(main, services=services_on_each, run_id="training-1")
    well.set()
    result = run_pipeline(main, services=services_on_each, run_id="training-1")
    assert (ran.qsize(), result.run.attempt) == (1, 2)
    assert states(result) == {"write": "cached", "last": "finished"}
    assert result.steps[0].reason == "this run had finished it"


def test_a_declared_variable_of_the_environment_counts(services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    @step(environment=["SEED_FOR_TEST"])
    def seeded() -> int:
        return 1

    @pipeline
    def main() -> Any:
        return seeded()

    monkeypatch.setenv("SEED_FOR_TEST", "1")
    run_pipeline(main, services=services)
    assert states(run_pipeline(main, services=services)) == {"seeded": "cached"}
    monkeypatch.setenv("SEED_FOR_TEST", "2")
    result = run_pipeline(main, services=services)
    assert result.steps[0].reason == "environment variable SEED_FOR_TEST changed"


def test_a_path_counts_by_the_content_of_its_file(services: Services, tmp_path: Path) -> None:
    @step
    def read(path: Path) -> str:
        return path.read_text()

    @pipeline
    def main() -> Any:
        return read(tmp_path / "a.txt")

    (tmp_path / "a.txt").write_text("1")
    run_pipeline(main, services=services)
    assert states(run_pipeline(main, services=services)) == {"read": "cached"}
    (tmp_path / "a.txt").write_text("2")
    assert run_pipeline(main, services=services).value() == "2"


def test_a_value_whose_class_has_changed_is_not_the_value_it_was(project: ProjectFolder) -> None:
    project.write("shapes.py", "class Box:\n    def area(self):\n        return 1\n")
    project.write(
        "project.py",
        "import flyball as fb\nfrom shapes import Box\n\n"
        "@fb.step\ndef make() -> Box:\n    return Box()\n\n"
        "@fb.step\ndef area(box) -> int:\n    return box.area()\n\n"
        "@fb.pipeline\ndef main():\n    return area(make())\n",
    )
    project.run()
    project.run()
    assert project.states == {"make": "cached", "area": "cached"}
    project.edit("shapes.py", "return 1", "return 2")
    assert project.run().value() == 2


def test_a_forgotten_step_runs_again(services_on_each: Services) -> None:
    run_pipeline(sums, services=services_on_each)
    assert services_on_each.step_cache.forget(step="add") == 3
    assert set(states(run_pipeline(sums, services=services_on_each)).values()) == {"finished"}


def test_a_result_whose_bytes_are_gone_is_made_again(services: Services) -> None:
    @step
    def large() -> str:
        return "x" * 10_000

    @pipeline
    def main() -> Any:
        return large()

    result = run_pipeline(main, services=services)
    services.blobs.delete(result.steps[0].outputs[0].digest)
    again = run_pipeline(main, services=services)
    assert states(again) == {"large": "finished"}
    assert again.steps[0].reason == "what it gave is no longer kept"


@pytest.mark.parametrize(
    ("params", "said"),
    [({"stat": 1}, "Did you mean 'start'"), ({"start": "many"}, "cannot be 'many'")],
)
def test_params_that_do_not_fit_are_refused(services: Services, params: dict[str, object], said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        run_pipeline(sums, params, services=services)


def test_a_run_needs_a_worker(services: Services) -> None:
    with pytest.raises(InvalidInput):
        run_pipeline(sums, services=services, max_workers=0)


def test_what_a_step_gave_is_taken_until_it_is_too_old(services: Services) -> None:
    @step(ttl="1h")
    def fetch() -> int:
        return 1

    @pipeline
    def main() -> Any:
        return fetch()

    found = []
    for _ in range(3):
        [record] = run_pipeline(main, services=services).steps
        found.append((record.state, record.reason))
        services.clock.advance(timedelta(minutes=40))
    assert [state for state, _ in found] == ["finished", "cached", "finished"]
    assert found[2][1] == "what it gave is too old"


def test_hooks_are_told_how_it_ended(services: Services) -> None:
    told: list[tuple[str, str]] = []

    @step(on_failure=lambda event: told.append((event.name, event.state)))
    def fit(good: bool) -> int:
        if not good:
            raise ValueError("no")
        return 1

    @pipeline(
        on_success=lambda run: told.append((run.name, run.state)),
        on_failure=lambda run: told.append((run.name, run.error.splitlines()[0])),
    )
    def main(good: bool) -> Any:
        return fit(good)

    run_pipeline(main, {"good": True}, services=services)
    with pytest.raises(WorkFailed):
        run_pipeline(main, {"good": False}, services=services)
    assert told == [("main", "finished"), ("fit", "failed"), ("main", "Step 'fit' failed: ValueError: no")]


def test_a_hook_that_fails_changes_nothing(services: Services) -> None:
    def nonsense(run: object) -> None:
        raise ValueError("nonsense")

    @pipeline(on_success=nonsense)
    def main() -> Any:
        return []

    assert run_pipeline(main, services=services).run.state == "finished"


def test_of_the_steps_that_wait_the_more_urgent_go_first(services: Services) -> None:
    order: list[str] = []
    gate = threading.Event()

    @step(cache=False)
    def first() -> None:
        gate.wait(10)

    @step(cache=False)
    def later(name: str) -> None:
        order.append(name)

    @step(cache=False, priority=5)
    def urgent() -> None:
        order.append("urgent")

    @pipeline
    def main() -> Any:
        first()
        later("a")
        later("b")
        urgent()
        gate.set()
        return []

    run_pipeline(main, services=services, max_workers=1)
    assert order == ["urgent", "a", "b"]


PARTS = """
    import flyball as fb
    from pathlib import Path


    def note(name):
        with open(Path(__file__).with_name("ran.txt"), "a") as file:
            file.write(name + " ")


    @fb.step
    def rows(count):
        note("rows")
        return list(range(count))


    @fb.step
    def train(rows):
        note("train")
        return sum(rows)


    @fb.step
    def report(model):
        note("report")
        return f"total {model}"


    @fb.pipeline
    def main(count: int = 3):
        model = train(rows(count))
        if model.value() > 100:
            raise ValueError("too much")
        return report(model)
"""


@pytest.fixture
def parts(project: ProjectFolder) -> ProjectFolder:
    project.write("project.py", textwrap.dedent(PARTS))
    return project


def ran(parts: ProjectFolder) -> str:
    """What has run since the last look."""
    path = parts.root / "ran.txt"
    text = path.read_text() if path.exists() else ""
    path.unlink(missing_ok=True)
    return text.strip()


def test_one_step_runs_alone_on_what_is_kept(parts: ProjectFolder) -> None:
    parts.run()
    assert ran(parts) == "rows train report"
    parts.edit("project.py", "return sum(rows)", "return sum(rows) + 1")
    result = parts.run(only=["train"])
    assert (ran(parts), result.run.tags["only"]) == ("train", "train")
    assert parts.states == {"rows": "cached", "train": "finished", "report": "skipped"}


def test_a_step_whose_inputs_are_not_kept_cannot_run_alone(parts: ProjectFolder) -> None:
    with pytest.raises(WorkFailed, match="Step 'train' needs what 'rows' gives, which is not kept"):
        parts.run(only=["train"])
    assert ran(parts) == ""


def test_steps_run_again_from_one_on(parts: ProjectFolder) -> None:
    parts.run()
    ran(parts)
    parts.run(again_from=["train"])
    assert ran(parts) == "train report"
    assert parts.reasons["report"] == "it was asked to run again, or a step before it was"


def test_a_step_that_is_not_there_is_named(parts: ProjectFolder) -> None:
    with pytest.raises(InvalidInput, match=r"Pipeline 'main' has no step 'trian'.*Did you mean 'train'"):
        parts.run(only=["trian"])


def test_processes_share_a_run_step_by_step(parts: ProjectFolder) -> None:
    for name in ("rows", "train", "report"):
        assert parts.run(only=[name], run_id="shared-1", shared=True).run.state == "running"
    assert ran(parts) == "rows train report"
    result = parts.run(run_id="shared-1", shared=True)
    assert (result.run.state, result.value(), ran(parts)) == ("finished", "total 3", "")


def test_a_shared_run_of_which_a_step_is_missing_fails(parts: ProjectFolder) -> None:
    parts.run(only=["rows"], run_id="shared-2", shared=True)
    with pytest.raises(WorkFailed, match="'train' was not asked to run"):
        parts.run(run_id="shared-2", shared=True)
    assert parts.services.tracking.get_run("shared-2").state == "failed"


def test_a_step_runs_alone_on_what_one_that_runs_each_time_gave_last(parts: ProjectFolder) -> None:
    parts.edit("project.py", "@fb.step\ndef rows", "@fb.step(cache=False)\ndef rows")
    parts.run()
    ran(parts)
    parts.edit("project.py", "return sum(rows)", "return sum(rows) + 1")
    parts.run(only=["train"])
    assert ran(parts) == "train"


def test_a_shared_run_of_which_nothing_was_run_fails(parts: ProjectFolder) -> None:
    parts.edit("project.py", '    if model.value() > 100:\n        raise ValueError("too much")\n', "")
    with pytest.raises(WorkFailed, match="was not asked to run"):
        parts.run(run_id="shared-3", shared=True)


def test_what_each_step_gave_last_is_told_at_once(services: Services) -> None:
    for start in (1, 5):
        run_pipeline(sums, {"start": start}, services=services)
    found = services.step_cache.latest_of("sums")
    assert [step.step for step in found] == ["add", "add#2", "add#3"]
    assert found == [services.step_cache.latest("sums", step.step) for step in found]
    assert services.step_cache.latest_of("other") == []
