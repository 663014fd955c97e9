"""A pipeline of small steps from the start of its process to the end: ours, Prefect's, Dagster's, ZenML's, Metaflow's.

Each runs in its own environment, in a folder of its own in which it has run once before, so that nobody makes tables in the time
that counts. Nothing comes from a cache.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks.pairs import Pair, compare
from benchmarks.peers import peer_or_none

_CLIENTS = Path(__file__).parent / "clients"
_STEPS = 20
_PROJECT = """
import flyball as fb


@fb.step
def add(value: int) -> int:
    return value + 1


@fb.pipeline
def whole(count: int = 20):
    value = 0
    for _ in range(count):
        value = add(value)
    return value
"""
_PEERS = {"prefect": "Prefect", "dagster": "Dagster", "zenml": "ZenML"}


def run() -> Iterator[Pair]:
    """CPU seconds of whole processes, in turn."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        (folder / "project.py").write_text(_PROJECT)
        for name, shown in _PEERS.items():
            python = peer_or_none(name)
            if python is None:
                continue
            home = folder / name
            home.mkdir()
            theirs = _program([str(python), str(_CLIENTS / "pipeline_peer.py"), name, str(_STEPS), str(home)], home)
            yield from _pair(f"{_STEPS} steps, a whole process", _ours(folder, _STEPS), theirs, shown)
        python = peer_or_none("metaflow")
        if python is not None:
            theirs = _program([str(python), str(_CLIENTS / "pipeline_flow.py"), "--quiet", "run"], folder)
            yield from _pair("4 steps, a whole process", _ours(folder, 4), theirs, "Metaflow")


def _pair(name: str, ours: Callable[[], None], theirs: Callable[[], None], against: str) -> Iterator[Pair]:
    """The pair, or a loud word where a peer does not run as it is installed."""
    try:
        yield compare(name, ours, theirs, against=against, rounds=3)
    except RuntimeError as problem:
        sys.stderr.write(f"\n*** {against}: DOES NOT RUN, ITS PAIR IS SKIPPED ***\n    {problem}\n\n")


def _ours(folder: Path, count: int) -> Callable[[], None]:
    command = [sys.executable, "-m", "flyball.cli", "run", "whole", "--no-cache", "-p", f"count={count}", "--json"]
    return _program(command, folder)


def _program(command: list[str], folder: Path) -> Callable[[], None]:
    environment = {**os.environ, "METAFLOW_USER": "bench", "METAFLOW_DATASTORE_SYSROOT_LOCAL": str(folder / "metaflow")}

    def go() -> None:
        done = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=600
        )
        if done.returncode:
            raise RuntimeError(f"{' '.join(command[:4])}: {done.stderr[-1500:]}")

    return go
