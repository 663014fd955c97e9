"""Whoever is killed, whatever is cut or full: what a log call has returned from is kept, once."""

from __future__ import annotations

import os
import resource
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from flyball.client import RemoteWorkspace
from flyball.settings import load_settings
from flyball.tracking.spool import processes, take
from flyball.tracking.sync import sync
from flyball.workspace import Workspace
from tests.servers.processes import free_port, listens, running

WORK = """
import sys
import flyball as fb

with fb.run("killed", id=sys.argv[1], flush=float(sys.argv[3])):
    for number in range(int(sys.argv[2])):
        fb.log(loss=float(number))
        print(number, flush=True)
"""


@pytest.fixture
def here(tmp_path: Path, sqlite_url: str) -> Path:
    """The folder of a workspace with its tables."""
    return tmp_path


def client(
    folder: Path, *, url: str = "", run: str = "one", count: int = 10**9, flush: float = 30
) -> subprocess.Popen[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("FLYBALL_")}
    if url:
        environment["FLYBALL_URL"] = url
    return subprocess.Popen(
        [sys.executable, "-c", WORK, run, str(count), str(flush)],
        cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def until(process: subprocess.Popen[str], line: int) -> None:
    assert process.stdout is not None
    for said in process.stdout:
        if int(said) >= line:
            return
    raise AssertionError(process.communicate()[1])


def kill(process: subprocess.Popen[str], line: int) -> int:
    """Kills it once it has said so much; gives the last number that it had logged."""
    until(process, line)
    process.kill()
    assert process.stdout is not None
    rest = process.stdout.read().split("\n")[:-1]
    process.communicate()
    return int(rest[-1]) if rest else line


def finish(process: subprocess.Popen[str]) -> str:
    """Waits until it has ended well; gives what it said of its troubles."""
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    return errors


def open_local(folder: Path) -> Workspace:
    return Workspace(load_settings({"workspace": str(folder / ".flyball")}, environment={}, start=folder))


def steps(workspace: Workspace | RemoteWorkspace, run: str = "one") -> list[int]:
    found = workspace.tracking.metric_history(run, "loss", limit=100_000)
    assert [point.value for point in found] == [float(point.step) for point in found]
    return [point.step for point in found]


@contextmanager
def server(folder: Path, port: int, *, clean: bool = False) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-m", "flyball.server.main"]
    environment = {"FLYBALL_WORKSPACE": str(folder / ".flyball"), "FLYBALL_PORT": str(port), "PATH": os.environ["PATH"]}
    for name in ("PYTHONPATH", "PYTHONDONTWRITEBYTECODE"):
        if name in os.environ:
            environment[name] = os.environ[name]
    settings = [f"{name}={value}" for name, value in environment.items()]
    with running(
        ["env", "-i", *settings, *command], log=folder / "server.log", ready=lambda: listens(port),
        stop=signal.SIGTERM if clean else signal.SIGKILL,
    ) as process:  # fmt: skip
        yield process


def test_a_killed_client_loses_nothing_that_it_was_told_is_logged(here: Path) -> None:
    last = kill(client(here), 3000)
    with open_local(here) as workspace:
        found = sync(workspace, here / ".flyball" / "spool")
        assert (found.sent, found.refused) == (1, 0)
        kept = steps(workspace)
        assert kept[: last + 1] == list(range(last + 1))
        assert len(kept) <= last + 2
        assert workspace.tracking.get_run("one").state == "lost"
        assert processes(here / ".flyball" / "spool") == []


def test_the_next_process_of_the_workspace_sends_what_a_killed_one_left(here: Path) -> None:
    last = kill(client(here), 500)
    finish(client(here, run="two", count=10))
    with open_local(here) as workspace:
        assert steps(workspace)[: last + 1] == list(range(last + 1))
        assert workspace.tracking.get_run("two").state == "finished"


def test_a_killed_run_is_lost_until_the_rest_of_it_comes(here: Path, tmp_path: Path) -> None:
    there = tmp_path / "client"
    there.mkdir()
    port = free_port()
    with server(here, port), open_local(here) as workspace:
        last = kill(client(there, url=f"http://127.0.0.1:{port}"), 20_000)
        workspace.tracking.mark_lost(older_than_seconds=0)
        assert workspace.tracking.get_run("one").state == "lost"
        finish(client(there, url=f"http://127.0.0.1:{port}", run="two", count=5))
        assert steps(workspace)[: last + 1] == list(range(last + 1))
        assert workspace.tracking.get_run("one").state == "lost"


def test_a_run_that_was_killed_is_taken_up_again(here: Path) -> None:
    last = kill(client(here), 100)
    with open_local(here) as workspace:
        sync(workspace, here / ".flyball" / "spool")
        before = steps(workspace)
    finish(client(here, count=0))
    with open_local(here) as workspace:
        found = workspace.tracking.get_run("one")
        assert (found.state, found.attempt, steps(workspace)) == ("finished", 2, before)
        assert before[: last + 1] == list(range(last + 1))


def test_a_killed_server_loses_nothing_and_doubles_nothing(here: Path, tmp_path: Path) -> None:
    there = tmp_path / "client"
    there.mkdir()
    port = free_port()
    with server(here, port):
        process = client(there, url=f"http://127.0.0.1:{port}", count=60_000)
        until(process, 20_000)
    until(process, 40_000)
    with server(here, port) as second:
        until(process, 50_000)
        second.kill()
        second.wait()
    with server(here, port):
        finish(process)
        with RemoteWorkspace(load_settings({"url": f"http://127.0.0.1:{port}"}, environment={})) as remote:
            assert steps(remote) == list(range(60_000))
            assert remote.tracking.get_run("one").state == "finished"
    assert processes(there / ".flyball" / "spool") == []


def test_without_a_server_the_work_is_done_and_sync_brings_it_later(here: Path, tmp_path: Path) -> None:
    there = tmp_path / "client"
    there.mkdir()
    port = free_port()
    process = client(there, url=f"http://127.0.0.1:{port}", count=2000, flush=1)
    errors = finish(process)
    assert "cannot be sent now" in errors
    assert "flyball sync" in errors
    with server(here, port):
        environment = {**os.environ, "FLYBALL_URL": f"http://127.0.0.1:{port}"}
        done = subprocess.run(
            [sys.executable, "-c", "import flyball.cli.sync as s; s.sync(standalone_mode=True)"],
            cwd=there, env=environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
    with open_local(here) as workspace:
        assert steps(workspace) == list(range(2000))
        assert workspace.tracking.get_run("one").state == "finished"


def test_a_full_disk_of_the_server_loses_nothing_and_doubles_nothing(here: Path, tmp_path: Path) -> None:
    there = tmp_path / "client"
    there.mkdir()
    port = free_port()
    with server(here, port) as process:
        logging = client(there, url=f"http://127.0.0.1:{port}", count=30_000)
        until(logging, 5_000)
        # No file of the server may grow beyond its first page: to SQLite it is a disk that is full.
        old = resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (4096, resource.RLIM_INFINITY))
        until(logging, 20_000)
        time.sleep(1)
        assert processes(there / ".flyball" / "spool")
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, old)
        assert "cannot be sent now" in finish(logging)
    with open_local(here) as workspace:
        assert steps(workspace) == list(range(30_000))
        assert workspace.tracking.get_run("one").state == "finished"


def test_a_server_that_takes_and_never_answers_does_not_keep_a_process_from_ending(here: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        started = time.monotonic()
        process = client(here, url=f"http://127.0.0.1:{silent.getsockname()[1]}", run="", count=100, flush=1)
        finish(process)
        assert time.monotonic() - started < 15
    with open_local(here) as workspace:
        (process_name,) = processes(here / ".flyball" / "spool")
        leftover = take(here / ".flyball" / "spool", process_name)
        assert leftover is not None
        assert sum(1 for _ in leftover.records()) == 102
        leftover.close()
        assert workspace.tracking.list_runs() == []


class Cable:
    """A way to a server that can be cut: open connections break, new ones are refused."""

    def __init__(self, to: int) -> None:
        self._to = to
        self.port = free_port()
        self._pairs: list[socket.socket] = []
        self._listener: socket.socket | None = None
        self.join()

    def join(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def cut(self) -> None:
        assert self._listener is not None
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for end in self._pairs:
            end.close()
        self._pairs.clear()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                near, _ = listener.accept()
                far = socket.create_connection(("127.0.0.1", self._to))
            except OSError:
                return
            self._pairs += [near, far]
            for one, other in ((near, far), (far, near)):
                threading.Thread(target=self._carry, args=(one, other), daemon=True).start()

    def _carry(self, one: socket.socket, other: socket.socket) -> None:
        try:
            while data := one.recv(65_536):
                other.sendall(data)
            other.shutdown(socket.SHUT_WR)
        except OSError:
            return


def test_a_cut_network_loses_nothing_and_doubles_nothing(here: Path, tmp_path: Path) -> None:
    there = tmp_path / "client"
    there.mkdir()
    port = free_port()
    with server(here, port):
        cable = Cable(port)
        process = client(there, url=f"http://127.0.0.1:{cable.port}", count=40_000)
        for line in (5_000, 10_000, 20_000):
            until(process, line)
            cable.cut()
            time.sleep(0.3)
            cable.join()
        finish(process)
        cable.cut()
    with open_local(here) as workspace:
        assert steps(workspace) == list(range(40_000))
        assert workspace.tracking.get_run("one").state == "finished"


def test_durable_calls_are_on_the_disk_when_they_return(tmp_path: Path, sqlite_url: str) -> None:
    script = """
import os
import flyball as fb
waits = 0
real = os.fdatasync
def counted(descriptor):
    global waits
    waits += 1
    real(descriptor)
os.fdatasync = counted
with fb.run("durable", durable=True, offline=True) as run:
    before = waits
    for _ in range(5):
        fb.log(loss=1.0)
    print(waits - before)
"""
    done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.stdout == "5\n", done.stderr
