"""A real file system whose power goes: what a durable call has returned from is on the disk."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from flyball.tracking import records
from flyball.tracking.spool import processes, take
from tests.servers.disk import Disk

WORK = """
import flyball as fb

with fb.run("cut", durable=True, offline=True):
    for number in range(10**9):
        fb.log(loss=float(number))
        print(number, flush=True)
"""


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    try:
        made = Disk(tmp_path / "image", tmp_path / "disk")
        made.mount()
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"a file system of one's own needs root: {error}")
    yield made
    made.remove()


def test_durable_calls_survive_a_power_cut(disk: Disk) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("FLYBALL_")}
    process = subprocess.Popen(
        [sys.executable, "-c", WORK], cwd=disk.place, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True,
    )  # fmt: skip
    assert process.stdout is not None
    for line in process.stdout:
        if line == "200\n":
            break
    # A process does not outlive its machine: it must not tell of a call during which the power went.
    process.send_signal(signal.SIGSTOP)
    os.waitid(os.P_PID, process.pid, os.WSTOPPED)
    disk.cut_power()
    process.kill()
    said = process.stdout.read().split("\n")[:-1]
    process.communicate()
    last = int(said[-1]) if said else 200
    disk.unmount()
    disk.mount()
    folder = disk.place / ".flyball" / "spool"
    (name,) = processes(folder)
    leftover = take(folder, name)
    assert leftover is not None
    entries = [records.decode(record.payload) for record in leftover.records()]
    leftover.close()
    kept = [entry[4]["loss"] for entry in entries if entry[0] == records.POINTS]
    assert kept[: last + 1] == [float(number) for number in range(last + 1)]
    disk.unmount()
