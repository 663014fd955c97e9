from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from flyball.errors import Conflict, InvalidInput
from flyball.server.supervisor import Child, Supervisor

WAIT = 30.0


def child(name: str, code: str) -> Child:
    return Child(name, (sys.executable, "-S", "-u", "-c", code))


def until(supervisor: Supervisor, holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT
    while not holds():
        assert time.monotonic() < deadline, "it did not happen in time"
        supervisor.check()
        time.sleep(0.02)


def test_children_run_until_they_are_stopped(tmp_path: Path) -> None:
    supervisor = Supervisor([child("a", "print('here'); import sys; sys.stdin.read()")], tmp_path)
    supervisor.start()
    until(supervisor, lambda: "here" in supervisor.log_path("a").read_text())
    assert supervisor.states()[0].state == "running"
    supervisor.stop()
    assert supervisor.states()[0].state == "stopped"


def test_a_killed_child_is_started_again(tmp_path: Path) -> None:
    said: list[str] = []
    supervisor = Supervisor([child("a", "import sys; sys.stdin.read()")], tmp_path, say=said.append, first_pause=0.01)
    supervisor.start()
    first = supervisor.states()[0].pid
    os.kill(first or 0, signal.SIGKILL)
    until(supervisor, lambda: supervisor.states()[0].pid not in (None, first))
    state = supervisor.states()[0]
    supervisor.stop()
    assert (state.restarts, state.reason) == (1, "signal SIGKILL")
    assert "a ended (signal SIGKILL)" in said[0]


def test_a_child_that_keeps_ending_is_reported_once(tmp_path: Path) -> None:
    said: list[str] = []
    supervisor = Supervisor([child("a", "raise SystemExit(7)")], tmp_path, say=said.append, first_pause=0.01)
    supervisor.start()
    until(supervisor, lambda: supervisor.states()[0].state == "crashing")
    supervisor.stop()
    assert [words for words in said if "keeps ending (exit code 7)" in words] == [said[-1]]


def test_the_pause_grows(tmp_path: Path) -> None:
    said: list[str] = []
    supervisor = Supervisor([child("a", "raise SystemExit(7)")], tmp_path, say=said.append, first_pause=0.01)
    supervisor.start()
    until(supervisor, lambda: len(said) == 3)
    supervisor.stop()
    assert [words.partition(" in ")[2].partition(" s.")[0] for words in said] == ["0.01", "0.02", "0.04"]


def test_a_child_that_does_not_listen_is_killed(tmp_path: Path) -> None:
    code = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('ready'); time.sleep(60)"
    supervisor = Supervisor([child("a", code)], tmp_path, grace=0.2)
    supervisor.start()
    until(supervisor, lambda: "ready" in supervisor.log_path("a").read_text())
    started = time.monotonic()
    supervisor.stop()
    assert time.monotonic() - started < 10


def test_a_child_learns_that_the_supervisor_died(tmp_path: Path) -> None:
    parent = subprocess.Popen([sys.executable, "-c", _PARENT, str(tmp_path)])
    log = tmp_path / "a.log"
    deadline = time.monotonic() + WAIT
    while not (log.exists() and "ready" in log.read_text()):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    parent.kill()
    parent.wait()
    while "alone" not in log.read_text():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_program_that_cannot_be_started_is_said_at_once(tmp_path: Path) -> None:
    supervisor = Supervisor([child("a", "import sys; sys.stdin.read()"), Child("b", ("no-such-program",))], tmp_path)
    with pytest.raises(InvalidInput, match="no-such-program"):
        supervisor.start()
    assert {state.state for state in supervisor.states()} == {"stopped"}


def test_starting_twice_is_refused(tmp_path: Path) -> None:
    supervisor = Supervisor([child("a", "import sys; sys.stdin.read()")], tmp_path)
    supervisor.start()
    with pytest.raises(Conflict):
        supervisor.start()
    supervisor.stop()


def test_names_are_given_once(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput):
        Supervisor([child("a", ""), child("a", "")], tmp_path)


_PARENT = """
import sys, time
from pathlib import Path
from flyball.server.supervisor import Child, Supervisor
code = "import sys; print('ready'); sys.stdin.read(); print('alone')"
Supervisor([Child("a", (sys.executable, "-S", "-u", "-c", code))], Path(sys.argv[1])).start()
time.sleep(60)
"""
