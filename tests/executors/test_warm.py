"""Jobs that are forked from a process which has loaded their libraries."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from flyball.executors.base import Job, JobState
from flyball.executors.local import LocalExecutor

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="jobs are forked on Linux alone")
WAIT = 30.0
LIBRARIES = ("numpy", "pyarrow")


@pytest.fixture
def executor(tmp_path: Path) -> Iterator[LocalExecutor]:
    made = LocalExecutor(tmp_path / "jobs", slots=4, grace_seconds=0.5)
    yield made
    made.close()


def module(folder: Path, code: str, *, job_id: str = "a", timeout: float | None = None, **environment: str) -> Job:
    """A job that runs the code as a module of the folder."""
    (folder / f"task_{job_id}.py").write_text(code, encoding="utf-8")
    command = (sys.executable, "-m", f"task_{job_id}", "one", "two")
    environment = {"OMP_NUM_THREADS": "1", **environment}
    return Job(
        id=job_id, command=command, cwd=str(folder), timeout_seconds=timeout, environment=environment, preload=LIBRARIES
    )


def run(executor: LocalExecutor, job: Job) -> JobState:
    executor.submit(job)
    return executor.wait(job.id, timeout_seconds=WAIT)


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT
    while not holds():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


def zygotes() -> list[int]:
    """The waiting processes that this process has started."""
    shown = subprocess.run(
        ["ps", "--ppid", str(os.getpid()), "-o", "pid=,args="], capture_output=True, text=True, check=False
    )
    return [int(line.split()[0]) for line in shown.stdout.splitlines() if "_zygote" in line]


TELL = """
import json, os, random, sys
import numpy as np
print(json.dumps({
    "loaded": "pyarrow" in sys.modules, "argv": sys.argv[1:], "cwd": os.getcwd(), "who": os.environ.get("WHO"),
    "conf": os.environ.get("JE_ARROW_MALLOC_CONF"), "path": sys.path[0], "name": __name__,
    "chances": [random.random(), float(np.random.random())], "group": os.getpgrp() == os.getpid(),
}))
"""


def test_a_job_begins_with_its_libraries_loaded_and_everything_else_its_own(
    executor: LocalExecutor, tmp_path: Path
) -> None:
    assert run(executor, module(tmp_path, TELL, WHO="you")).state == "finished"
    told = json.loads(executor.logs("a"))
    assert told.pop("chances")
    assert told == {
        "loaded": True, "argv": ["one", "two"], "cwd": str(tmp_path), "who": "you", "conf": None, "path": str(tmp_path),
        "name": "__main__", "group": True,
    }  # fmt: skip


def test_jobs_have_chances_of_their_own(executor: LocalExecutor, tmp_path: Path) -> None:
    found = []
    for name in ("a", "b"):
        run(executor, module(tmp_path, TELL, job_id=name))
        found += json.loads(executor.logs(name))["chances"]
    assert len(set(found)) == 4


def test_what_one_job_loads_and_changes_is_not_there_in_the_next(executor: LocalExecutor, tmp_path: Path) -> None:
    run(executor, module(tmp_path, "import numpy, wave, os; numpy.marked = 1; os.environ['MARK'] = '1'"))
    code = "import numpy, os, sys; print(hasattr(numpy, 'marked'), 'wave' in sys.modules, 'MARK' in os.environ)"
    run(executor, module(tmp_path, code, job_id="b"))
    assert executor.logs("b") == "False False False\n"


def test_the_second_job_is_forked_from_the_same_process_as_the_first(executor: LocalExecutor, tmp_path: Path) -> None:
    run(executor, module(tmp_path, "pass"))
    (first,) = zygotes()
    run(executor, module(tmp_path, "pass", job_id="b"))
    assert zygotes() == [first]


@pytest.mark.parametrize(
    ("code", "exit_code", "words"),
    [
        ("raise SystemExit(3)", 3, ""),
        ("raise SystemExit('no more')", 1, "no more\n"),
        ("raise ValueError('odd')", 1, "ValueError: odd\n"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", -9, ""),
    ],
    ids=["exit", "words", "exception", "killed"],
)
def test_a_forked_job_fails_as_any_other(
    executor: LocalExecutor, tmp_path: Path, code: str, exit_code: int, words: str
) -> None:
    state = run(executor, module(tmp_path, code))
    assert (state.state, state.exit_code) == ("failed", exit_code)
    assert executor.logs("a").endswith(words)


def test_what_a_job_does_at_its_end_is_done(executor: LocalExecutor, tmp_path: Path) -> None:
    code = """
import atexit, threading, time
atexit.register(print, "exit")
threading.Thread(target=lambda: (time.sleep(0.2), print("thread"))).start()
print("main")
"""
    run(executor, module(tmp_path, code))
    assert executor.logs("a") == "main\nthread\nexit\n"


def test_a_forked_job_that_takes_too_long_is_stopped(executor: LocalExecutor, tmp_path: Path) -> None:
    job = module(tmp_path, "import time; time.sleep(60)", timeout=0.3)
    assert run(executor, job).state == "timed_out"


def test_a_forked_job_can_be_cancelled(executor: LocalExecutor, tmp_path: Path) -> None:
    executor.submit(module(tmp_path, "import time; print('on', flush=True); time.sleep(60)"))
    until(lambda: "on" in executor.logs("a"))
    executor.cancel("a")
    assert executor.wait("a", timeout_seconds=WAIT).state == "cancelled"


def test_a_killed_forked_job_is_noticed_at_once(executor: LocalExecutor, tmp_path: Path) -> None:
    ended = threading.Event()
    executor.tell_ends(ended.set)
    executor.submit(module(tmp_path, "import time; print('on', flush=True); time.sleep(60)"))
    until(lambda: "on" in executor.logs("a"))
    pid = executor.poll("a").pid
    assert pid is not None
    killed = time.monotonic()
    os.kill(pid, signal.SIGKILL)
    assert ended.wait(WAIT)
    assert time.monotonic() - killed < 1.0
    assert executor.poll("a").state == "failed"


def test_a_job_outlives_the_process_it_was_forked_from_and_the_next_starts_all_the_same(
    executor: LocalExecutor, tmp_path: Path
) -> None:
    executor.submit(module(tmp_path, "import time; print('on', flush=True); time.sleep(1); print('off')"))
    until(lambda: "on" in executor.logs("a"))
    for pid in zygotes():
        os.kill(pid, signal.SIGKILL)
    assert run(executor, module(tmp_path, "print('b')", job_id="b")).state == "finished"
    assert executor.wait("a", timeout_seconds=WAIT).state == "finished"
    assert (executor.logs("a"), executor.logs("b")) == ("on\noff\n", "b\n")


def test_libraries_that_start_threads_are_loaded_by_each_job_itself(executor: LocalExecutor, tmp_path: Path) -> None:
    folder = tmp_path / "library"
    folder.mkdir()
    (folder / "busy_library.py").write_text(
        "import threading, time\nthreading.Thread(target=time.sleep, args=(60,), daemon=True).start()\n"
    )
    job = module(tmp_path, "import busy_library; print('done')", PYTHONPATH=str(folder))
    from dataclasses import replace

    for name in ("a", "b"):
        assert run(executor, replace(job, id=name, preload=("busy_library",))).state == "finished"
        assert executor.logs(name) == "done\n"
    assert zygotes() == []


def test_another_environment_of_the_libraries_gets_another_process(executor: LocalExecutor, tmp_path: Path) -> None:
    code = "import os; print(os.environ['OMP_NUM_THREADS'])"
    run(executor, module(tmp_path, code))
    run(executor, module(tmp_path, code, job_id="b", OMP_NUM_THREADS="2"))
    assert (executor.logs("a"), executor.logs("b")) == ("1\n", "2\n")
    assert len(zygotes()) == 2


def test_the_waiting_process_dies_with_its_parent(tmp_path: Path) -> None:
    code = f"""
import sys, time
sys.path.insert(0, {str(Path(__file__).parents[2])!r})
from pathlib import Path
from flyball.executors.local import LocalExecutor
from tests.executors.test_warm import module, run, zygotes
executor = LocalExecutor(Path({str(tmp_path)!r}) / "jobs")
run(executor, module(Path({str(tmp_path)!r}), "pass"))
print(zygotes()[0], flush=True)
time.sleep(60)
"""
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        waiting = int(parent.stdout.readline())
        parent.kill()
    until(lambda: not Path(f"/proc/{waiting}").exists())


def test_one_that_nobody_asks_ends_by_itself_and_another_follows(tmp_path: Path) -> None:
    from flyball.executors._warm import WarmStarts

    executor = LocalExecutor(tmp_path / "jobs")
    executor._warm = WarmStarts(idle_seconds=0.2)
    run(executor, module(tmp_path, "pass"))
    (first,) = zygotes()
    until(lambda: not Path(f"/proc/{first}").exists() or Path(f"/proc/{first}/stat").read_text().split()[2] == "Z")
    assert run(executor, module(tmp_path, "print('b')", job_id="b")).state == "finished"
    assert executor.logs("b") == "b\n"
    executor.close()
