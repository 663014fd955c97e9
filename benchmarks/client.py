"""Logging from a user's process: `python -m benchmarks.client` shows microseconds a call and seconds until all is kept."""

from __future__ import annotations

import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import flyball as fb
from benchmarks.pairs import Pair, compare

_CALLS = 10_000
_RECORD = b"x" * 68  # as long as the record of one metric, with its frame


def run() -> Iterator[Pair]:
    """Ten thousand calls of one metric each, until all of it is kept on a server, against as many bare writes."""
    with _server() as folder, (folder / "bare").open("wb", buffering=0) as bare:

        def ours() -> None:
            with fb.run("benchmark"):
                for _ in range(_CALLS):
                    fb.log(loss=0.5)

        def limit() -> None:
            for _ in range(_CALLS):
                os.write(bare.fileno(), _RECORD)
            os.fsync(bare.fileno())

        yield compare(f"{_CALLS:,} metrics, one by one, to a server", ours, limit, against="bare writes to a file")


def figures(rounds: int = 7) -> dict[str, float]:
    """Microseconds of a call and seconds until all is kept, each the median of some rounds."""
    calls, ends = [], []
    with _server():
        for _ in range(rounds + 1):
            started = time.perf_counter()
            with fb.run("benchmark"):
                begun = time.perf_counter()
                for _ in range(_CALLS):
                    fb.log(loss=0.5)
                called = time.perf_counter()
            calls.append((called - begun) / _CALLS * 1e6)
            ends.append(time.perf_counter() - started)
        offline = []
        for _ in range(rounds):
            with fb.run("benchmark", offline=True):
                begun = time.perf_counter()
                for _ in range(_CALLS):
                    fb.log(loss=0.5)
                offline.append((time.perf_counter() - begun) / _CALLS * 1e6)
    return {
        "microseconds a call, while they are sent": statistics.median(calls[1:]),
        "microseconds a call, offline": statistics.median(offline),
        f"seconds until {_CALLS:,} metrics are kept": statistics.median(ends[1:]),
    }


@contextmanager
def _server() -> Iterator[Path]:
    """A server of its own, and this process in a folder whose runs go there."""
    with tempfile.TemporaryDirectory() as text, socket.socket() as probe:
        folder = Path(text)
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        probe.close()
        there = {**os.environ, "FLYBALL_WORKSPACE": str(folder / "server"), "FLYBALL_PORT": str(port)}
        process = subprocess.Popen([sys.executable, "-m", "flyball.server.main"], env=there, stderr=subprocess.DEVNULL)
        before, old = Path.cwd(), dict(os.environ)
        os.environ |= {"FLYBALL_URL": f"http://127.0.0.1:{port}", "FLYBALL_WORKSPACE": str(folder / "client")}
        try:
            _wait(port, process)
            os.chdir(folder)
            yield folder
        finally:
            os.chdir(before)
            os.environ.clear()
            os.environ |= old
            process.terminate()
            process.wait()


def _wait(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    while process.poll() is None and time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise RuntimeError("The server did not start.")


if __name__ == "__main__":
    for name, value in figures().items():
        sys.stdout.write(f"{name}: {value:.2f}\n")
