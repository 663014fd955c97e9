"""A run that was killed goes on where it was."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

RUN = """
import sys
from pathlib import Path

from flyball.clock import SystemClock
from flyball.pipelines.cache import StepCache
from flyball.pipelines.code_snapshot import load_project
from flyball.pipelines.engine import run_pipeline
from flyball.storage.database import Database
from flyball.storage.event_log import EventLog
from flyball.storage.local_objects import LocalObjects
from flyball.storage.objects import Blobs
from flyball.tracking.runs import Tracking


class services:
    project_root = Path(sys.argv[1])
    clock = SystemClock()
    blobs = Blobs(LocalObjects(project_root / ".flyball" / "objects"))
    database = Database(sys.argv[2])
    parts = (database, blobs, EventLog(database, clock), clock)
    tracking, step_cache, code = Tracking(*parts), StepCache(*parts), ""


project = load_project(services.project_root, "project.py")
result = run_pipeline(project.pipelines["main"], services=services, run_id="one")
services.database.close()
print([step.state for step in result.steps], result.value())
print([(run.name, run.state) for run in reversed(services.tracking.list_runs(parent="one"))])
"""
PROJECT = """
import time
from pathlib import Path

import flyball as fb

HERE = Path(__file__).parent


def note(name):
    with (HERE / "ran.log").open("a") as file:
        file.write(name + "\\n")


@fb.step
def first() -> list[int]:
    note("first")
    return [1, 2, 3]


@fb.step(cache=False)
def second(parts) -> int:
    note("second")
    return sum(parts)


@fb.step
def third(number) -> int:
    note("third")
    while not (HERE / "go").exists():
        time.sleep(0.01)
    return number + 1


@fb.pipeline
def main():
    return third(second(first()))
"""


def test_after_a_kill_finished_steps_are_not_repeated(tmp_path: Path, sqlite_url: str) -> None:
    (tmp_path / "project.py").write_text(PROJECT)
    log = tmp_path / "ran.log"
    command = [sys.executable, "-c", RUN, str(tmp_path), sqlite_url]
    killed = subprocess.Popen(command)
    deadline = time.monotonic() + 60
    while not (log.exists() and "third" in log.read_text()):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    time.sleep(0.2)
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    (tmp_path / "go").touch()
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert log.read_text().split() == ["first", "second", "third", "third"]
    states, steps = done.stdout.splitlines()
    assert states == "['cached', 'cached', 'finished'] 7"
    assert "('third', 'failed')" in steps
    assert "('third', 'finished')" in steps
    assert "running" not in steps
