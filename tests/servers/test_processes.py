"""Servers that tests start say why they fail and never outlive the tests."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.servers.processes import NotStarted, free_port, listens, running


def test_a_server_that_ends_at_once_says_why(tmp_path: Path) -> None:
    with (
        pytest.raises(NotStarted, match="no such disk"),
        running([sys.executable, "-c", "raise SystemExit('no such disk')"], log=tmp_path / "log", ready=lambda: False),
    ):
        pass


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a child with its parent")
def test_a_server_ends_with_tests_that_were_killed(tmp_path: Path) -> None:
    port = free_port()
    script = f"""
import os, signal, sys
from pathlib import Path
from tests.servers.processes import listens, running
server = [sys.executable, "-m", "http.server", "--bind", "127.0.0.1", "{port}"]
with running(server, log=Path({str(tmp_path / "log")!r}), ready=lambda: listens({port})):
    os.kill(os.getpid(), signal.SIGKILL)
"""
    done = subprocess.run([sys.executable, "-c", script], cwd=Path(__file__).parents[2], check=False)
    assert done.returncode == -9

    deadline = time.monotonic() + 5
    while listens(port):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_what_a_server_started_ends_with_it(tmp_path: Path) -> None:
    port = free_port()
    child = [sys.executable, "-m", "http.server", "--bind", "127.0.0.1", str(port)]
    parent = [sys.executable, "-c", f"import subprocess; subprocess.run({child!r})"]
    with running(parent, log=tmp_path / "log", ready=lambda: listens(port)):
        pass
    deadline = time.monotonic() + 5
    while listens(port):
        assert time.monotonic() < deadline
        time.sleep(0.01)
