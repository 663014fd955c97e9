from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from flyball.errors import InvalidInput
from flyball.executors.base import EXECUTORS, Job
from flyball.executors.local import LocalExecutor

WAIT = 30.0


@pytest.fixture
def executor(tmp_path: Path) -> Iterator[LocalExecutor]:
    made = LocalExecutor(tmp_path / "jobs", slots=2, grace_seconds=0.5)
    yield made
    made.close()


def python(job_id: str, code: str, *, timeout: float | None = None, **environment: str) -> Job:
    command = (sys.executable, "-S", "-u", "-c", code)
    return Job(id=job_id, command=command, timeout_seconds=timeout, environment=environment)


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT
    while not holds():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in ("Z", "X")
    except FileNotFoundError:
        return False


def test_a_job_that_ends_well_is_finished_and_its_output_kept(executor: LocalExecutor) -> None:
    executor.submit(python("a", "import os; print('hello', os.environ['WHO'])", WHO="you"))
    state = executor.wait("a", timeout_seconds=WAIT)
    assert (state.state, state.exit_code) == ("finished", 0)
    assert state.started is not None
    assert state.ended is not None
    assert executor.logs("a") == "hello you\n"


def test_a_job_that_fails_says_so(executor: LocalExecutor) -> None:
    executor.submit(python("a", "raise SystemExit(3)"))
    state = executor.wait("a", timeout_seconds=WAIT)
    assert (state.state, state.exit_code) == ("failed", 3)


def test_a_program_that_is_not_there_is_a_failed_job(executor: LocalExecutor) -> None:
    executor.submit(Job(id="a", command=("no-such-program",)))
    assert executor.wait("a", timeout_seconds=WAIT).state == "failed"
    assert "no-such-program" in executor.logs("a")


def test_a_job_runs_in_its_folder(executor: LocalExecutor, tmp_path: Path) -> None:
    executor.submit(Job(id="a", command=("pwd",), cwd=str(tmp_path)))
    executor.wait("a", timeout_seconds=WAIT)
    assert executor.logs("a").strip() == str(tmp_path)


def test_a_cancelled_job_is_asked_first(executor: LocalExecutor) -> None:
    executor.submit(python("a", _LISTENS))
    until(lambda: "ready" in executor.logs("a"))
    executor.cancel("a")
    assert executor.wait("a", timeout_seconds=WAIT).state == "cancelled"
    assert "bye" in executor.logs("a")


def test_a_job_that_does_not_listen_is_killed(executor: LocalExecutor) -> None:
    executor.submit(python("a", _DEAF))
    until(lambda: "ready" in executor.logs("a"))
    executor.cancel("a")
    state = executor.wait("a", timeout_seconds=WAIT)
    assert (state.state, state.exit_code) == ("cancelled", -signal.SIGKILL)


def test_a_job_that_takes_too_long_is_stopped(executor: LocalExecutor) -> None:
    executor.submit(python("a", "import time; time.sleep(60)", timeout=0.3))
    assert executor.wait("a", timeout_seconds=WAIT).state == "timed_out"


def test_what_a_job_has_started_ends_with_it(executor: LocalExecutor) -> None:
    executor.submit(python("a", _STARTS_ANOTHER))
    executor.wait("a", timeout_seconds=WAIT)
    other = int(executor.logs("a"))
    until(lambda: not is_alive(other))


def test_no_more_jobs_run_than_there_are_slots(executor: LocalExecutor) -> None:
    for name in ("a", "b", "c"):
        executor.submit(python(name, "import time; time.sleep(60)"))
    until(lambda: executor.poll("b").state == "running")
    assert executor.poll("c").state == "queued"
    executor.cancel("a")
    until(lambda: executor.poll("c").state == "running")


def test_a_waiting_job_can_be_cancelled(executor: LocalExecutor) -> None:
    for name in ("a", "b", "c"):
        executor.submit(python(name, "import time; time.sleep(60)"))
    executor.cancel("c")
    assert executor.poll("c").state == "cancelled"


def test_a_job_that_runs_is_not_started_twice(executor: LocalExecutor) -> None:
    executor.submit(python("a", "print('x'); import time; time.sleep(60)"))
    until(lambda: "x" in executor.logs("a"))
    executor.submit(python("a", "print('y')"))
    assert executor.poll("a").state == "running"


def test_a_job_that_has_ended_may_be_submitted_again(executor: LocalExecutor) -> None:
    executor.submit(python("a", "raise SystemExit(1)"))
    executor.wait("a", timeout_seconds=WAIT)
    executor.submit(python("a", "print('again')"))
    assert executor.wait("a", timeout_seconds=WAIT).state == "finished"


def test_a_killed_worker_is_noticed(executor: LocalExecutor) -> None:
    executor.submit(python("a", "import time; time.sleep(60)"))
    until(lambda: executor.poll("a").pid is not None)
    os.kill(executor.poll("a").pid or 0, signal.SIGKILL)
    state = executor.wait("a", timeout_seconds=WAIT)
    assert (state.state, state.exit_code) == ("failed", -signal.SIGKILL)


def test_a_killed_keeper_takes_its_job_along_and_the_job_is_lost(executor: LocalExecutor, tmp_path: Path) -> None:
    executor.submit(python("a", "import time; time.sleep(60)"))
    until(lambda: executor.poll("a").pid is not None)
    pid = executor.poll("a").pid or 0
    state = (tmp_path / "jobs" / "a" / "state.json").read_text()
    keeper = int(state.partition('"keeper": ')[2].partition(",")[0])
    os.kill(keeper, signal.SIGKILL)
    assert executor.wait("a", timeout_seconds=WAIT).state == "lost"
    until(lambda: not is_alive(pid))


def test_a_job_that_never_was_is_lost(executor: LocalExecutor) -> None:
    executor.cancel("a")
    assert executor.poll("a").state == "lost"
    assert executor.logs("a") == ""


def test_the_state_of_an_ended_job_outlives_the_executor(tmp_path: Path) -> None:
    first = LocalExecutor(tmp_path, slots=1)
    first.submit(python("a", "print('done')"))
    first.wait("a", timeout_seconds=WAIT)
    first.close()
    second = LocalExecutor(tmp_path, slots=1)
    assert second.poll("a").state == "finished"
    assert second.logs("a") == "done\n"


def test_jobs_die_with_a_killed_parent_and_are_lost_to_the_next_one(tmp_path: Path) -> None:
    parent = subprocess.Popen([sys.executable, "-c", _PARENT, str(tmp_path)])
    executor = LocalExecutor(tmp_path, slots=1)
    try:
        until(lambda: executor.poll("running").pid is not None)
        pid = executor.poll("running").pid or 0
        assert executor.poll("waiting").state == "queued"
    finally:
        parent.kill()
        parent.wait()
    until(lambda: not is_alive(pid))
    until(lambda: executor.poll("running").state == "lost")
    assert executor.poll("waiting").state == "lost"


def test_a_number_that_another_process_has_by_now_is_not_mistaken(tmp_path: Path) -> None:
    folder = tmp_path / "a"
    folder.mkdir()
    (folder / "state.json").write_text(
        f'{{"state": "running", "keeper": {os.getpid()}, "keeper_start": "1", "started": 1.0}}'
    )
    assert LocalExecutor(tmp_path, slots=1).poll("a").state == "lost"


def test_a_job_of_another_process_can_be_cancelled(executor: LocalExecutor, tmp_path: Path) -> None:
    executor.submit(python("a", "import time; time.sleep(60)"))
    until(lambda: executor.poll("a").pid is not None)
    LocalExecutor(tmp_path / "jobs", slots=1).cancel("a")
    assert executor.wait("a", timeout_seconds=WAIT).state == "cancelled"


def test_closing_stops_everything(tmp_path: Path) -> None:
    executor = LocalExecutor(tmp_path, slots=1, grace_seconds=0.5)
    for name in ("a", "b"):
        executor.submit(python(name, "import time; time.sleep(60)"))
    executor.close()
    assert [executor.poll(name).state for name in ("a", "b")] == ["cancelled", "cancelled"]


@pytest.mark.parametrize(
    "job",
    [
        Job(id="../up", command=("true",)),
        Job(id="a", command=()),
        Job(id="a", command=("true",), cwd="/no/such/folder"),
    ],
)
def test_a_job_that_cannot_be_run_is_refused(executor: LocalExecutor, job: Job) -> None:
    with pytest.raises(InvalidInput):
        executor.submit(job)


def test_the_local_executor_is_a_plug_in(tmp_path: Path) -> None:
    assert "local" in EXECUTORS.names()
    executor = EXECUTORS.get("local").open(tmp_path, slots=1)
    assert executor.poll("a").state == "lost"


_LISTENS = """
import signal, sys, time
def stop(*_):
    print("bye"); sys.exit()
signal.signal(signal.SIGTERM, stop)
print("ready")
time.sleep(60)
"""
_DEAF = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("ready")
time.sleep(60)
"""
_STARTS_ANOTHER = """
import subprocess, sys
print(subprocess.Popen([sys.executable, "-S", "-c", "import time; time.sleep(60)"]).pid)
"""
_PARENT = """
import sys, time
from pathlib import Path
from flyball.executors.base import Job
from flyball.executors.local import LocalExecutor
executor = LocalExecutor(Path(sys.argv[1]), slots=1)
for name in ("running", "waiting"):
    executor.submit(Job(id=name, command=(sys.executable, "-S", "-c", "import time; time.sleep(60)")))
time.sleep(60)
"""
