"""Work that is asked for, and that a worker of the workspace does."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner

from flyball.data.snapshot import take_snapshot
from flyball.errors import Conflict, InvalidInput, NotFound
from flyball.executors.local import LocalExecutor
from flyball.loops.controller import Controller
from flyball.loops.lease import LEASE
from flyball.pipelines.code_snapshot import load_project, snapshot_code
from flyball.pipelines.engine import run_pipeline
from flyball.pipelines.errand import Errand
from flyball.run_services import RunServices
from flyball.testing import workspace
from flyball.workspace import Workspace

PROJECT = """
import time
from pathlib import Path
import flyball as fb

@fb.step
def first(number: int) -> int:
    return number + 1

@fb.step(cache=False)
def second(number: int) -> int:
    while Path({gate!r}).exists():
        time.sleep(0.02)
    return number * 2

@fb.pipeline
def sums(number: int = 1):
    return second(first(number))

@fb.pipeline
def days(start: str = "", end: str = ""):
    return first(len(start))
"""


class Here:
    """A workspace whose pipelines ran once, with a controller that is told to act."""

    def __init__(self, made: Workspace, root: Path) -> None:
        self.workspace = made
        self.gate = root / "closed"
        self.executor = LocalExecutor(root / "jobs")
        self.controller = Controller(made, self.executor, "here")
        (root / "project.py").write_text(PROJECT.format(gate=str(self.gate)), encoding="utf-8")
        project, code = load_project(root, "project.py"), snapshot_code(root, made.blobs)
        services = RunServices(workspace=made, project_root=root, source_root=root, code=code.digest)
        for pipeline in project.pipelines.values():
            run_pipeline(pipeline, services=services)

    def until(self, errand: str, is_so: Callable[[Errand], bool], seconds: float = 30.0) -> Errand:
        """Acts until the errand is as it is wanted."""
        deadline = time.monotonic() + seconds
        while not is_so(found := self.workspace.errands.get(errand)):
            assert time.monotonic() < deadline, found
            lease = self.workspace.database.lease(LEASE, "here", timedelta(seconds=60))
            assert lease is not None
            self.controller.step(lease)
            time.sleep(0.02)
        return found


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Here]:
    root = tmp_path_factory.mktemp("errands")
    with workspace(root) as made:
        found = Here(made, root)
        yield found
        found.executor.close()


def states(here: Here, run: str) -> dict[str, str]:
    return {step.name: step.tags.get("cache", "") for step in here.workspace.tracking.list_runs(parent=run)}


def test_a_pipeline_is_run_again_from_a_step_with_the_code_it_had(here: Here) -> None:
    asked = here.workspace.errands.run("sums", {"number": 4}, again_from=["first"])
    ended = here.until(asked.id, lambda errand: errand.ended is not None)
    assert (ended.state, ended.attempt) == ("finished", 1), ended.error
    run = here.workspace.tracking.get_run(asked.id)
    assert (run.state, run.params, run.tags["errand"]) == ("finished", {"number": 4}, asked.id)
    assert states(here, run.id) == {"first": "miss", "second": "off"}


def test_a_step_runs_alone(here: Here) -> None:
    asked = here.workspace.errands.run("sums", {"number": 99}, only=["first"])
    here.until(asked.id, lambda errand: errand.state == "finished")
    # The other one is taken from what is kept, though it runs always when it is asked for.
    assert states(here, asked.id) == {"first": "miss", "second": "hit"}


def test_what_is_paused_goes_on_and_what_is_cancelled_does_not(here: Here) -> None:
    here.gate.touch()
    asked = here.workspace.errands.run("sums", {"number": 7})
    here.until(asked.id, lambda _: "second" in states(here, asked.id))
    assert here.workspace.errands.pause(asked.id).wish == "pause"
    here.until(asked.id, lambda errand: errand.state == "paused")
    assert here.workspace.tracking.get_run(asked.id).error == "It was paused."
    here.workspace.errands.resume(asked.id)
    here.until(asked.id, lambda errand: errand.attempt == 2)
    here.gate.unlink()
    here.until(asked.id, lambda errand: errand.state == "finished")
    assert here.workspace.tracking.get_run(asked.id).state == "finished"
    here.gate.touch()
    other = here.workspace.errands.run("sums", {"number": 8})
    here.until(other.id, lambda _: "second" in states(here, other.id))
    here.workspace.errands.cancel(other.id)
    here.until(other.id, lambda errand: errand.state == "cancelled")
    here.gate.unlink()
    assert here.workspace.tracking.get_run(other.id).state == "cancelled"
    with pytest.raises(Conflict, match="is cancelled"):
        here.workspace.errands.resume(other.id)


def test_a_stretch_of_the_past_is_run_window_by_window(here: Here) -> None:
    start, end = datetime(2024, 1, 1, tzinfo=UTC), datetime(2024, 1, 3, tzinfo=UTC)
    asked = here.workspace.errands.back_fill("days", start, end)
    ended = here.until(asked.id, lambda errand: errand.ended is not None)
    assert (ended.state, ended.done, ended.result["finished"]) == ("finished", "2 of 2 windows", 2), ended.error


def test_an_errand_that_fails_says_why(here: Here) -> None:
    asked = here.workspace.errands.run("sums", {"number": "much"})
    assert "number" in here.until(asked.id, lambda errand: errand.state == "failed").error


def test_what_cannot_be_run_is_refused_when_it_is_asked_for(here: Here) -> None:
    errands = here.workspace.errands
    with pytest.raises(NotFound) as none:
        errands.run("sum")
    assert "sums" in none.value.hint
    with pytest.raises(InvalidInput, match="no step 'frist'"):
        errands.run("sums", again_from=["frist"])
    run = next(run for run in here.workspace.tracking.list_runs(kind="pipeline") if run.name == "days")
    with pytest.raises(InvalidInput, match="none of the pipeline"):
        errands.run("sums", like=run.id)
    with pytest.raises(NotFound, match="no errand"):
        errands.cancel("nothing")


def test_a_dataset_is_looked_through_by_a_worker(here: Here, tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("id,a\n1,x\n2,x\n2,x\n", encoding="utf-8")
    snapshot = take_snapshot(here.workspace.data, here.workspace.blobs, "rows", "rows.csv", root=tmp_path)
    asked = here.workspace.errands.clean("rows"), here.workspace.errands.profile("rows")
    clean, profiled = (here.until(one.id, lambda errand: errand.ended is not None) for one in asked)
    assert (clean.state, profiled.state) == ("finished", "finished"), clean.error + profiled.error
    assert clean.result["rows"] == 3
    assert "duplicates" in {finding["kind"] for finding in clean.result["findings"]}
    assert here.workspace.quality.get_profile("rows", snapshot.id).rows == 3


def test_the_command_asks_lists_and_cancels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from flyball.cli.errands import errands

    monkeypatch.chdir(tmp_path)
    with workspace(tmp_path) as made:
        run = made.tracking.create_run("sums", kind="pipeline", tags={"pipeline": "sums"}, code="c" * 64)
        made.tracking.finish_run(run.id)
    ask = CliRunner().invoke(errands, ["run", "sums", "-p", "number=3", "--json"])
    asked = json.loads(ask.stdout)
    assert (asked["state"], asked["params"]) == ("pending", {"number": "3"}), ask.output
    assert json.loads(CliRunner().invoke(errands, ["cancel", asked["id"], "--json"]).stdout)["state"] == "cancelled"
    assert "cancelled" in CliRunner().invoke(errands, ["list", "--about", "sums"]).output
