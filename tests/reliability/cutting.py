"""The power of a disk is cut at random while a server and its clients work on it, again and again.

`python -m tests.reliability.cutting FOLDER ROUNDS SEED` prints what became of what was acknowledged, as JSON; needs root.
"""

from __future__ import annotations

import json
import os
import random
import sys
import time
from pathlib import Path
from typing import Any

from flyball.settings import load_settings
from flyball.workspace import Workspace
from tests.reliability.killing import Processes, check, free_port, read
from tests.servers.disk import Disk

PER_WORKSPACE = 10
WORKERS = ("server", "client-0", "client-1")


def go_round(folder: Path, rounds: int, seed: int) -> dict[str, Any]:
    """Cuts so many times; gives what was found after each."""
    chance = random.Random(seed)
    disk = Disk(folder / "image", folder / "disk", 512 << 20)
    disk.mount()
    began, totals, wrong = time.monotonic(), dict[str, int](), list[str]()
    try:
        for first in range(0, rounds, PER_WORKSPACE):
            place = disk.place / f"{first}"
            settings = load_settings(
                {"workspace": place, "port": free_port(), "disk_reserve_mib": "1"}, environment={}, start=folder
            )
            with Workspace(settings) as workspace:
                workspace.registered_models.create("killed")
            acknowledged: list[dict[str, Any]] = []
            for number in range(first, min(rounds, first + PER_WORKSPACE)):
                _cut(disk, Processes(settings, free_port(), folder / "log"), chance, acknowledged)
                found = check(settings, acknowledged, are_all_dead=False)
                wrong += [f"after cut {number}: {what}" for what in found["wrong"]]
            for kind, count in found["acknowledged"].items():
                totals[kind] = totals.get(kind, 0) + count
    finally:
        disk.remove()
    return {
        "rounds": rounds,
        "seed": seed,
        "seconds": round(time.monotonic() - began),
        "acknowledged": totals,
        "wrong": wrong[:50],
    }


def _cut(disk: Disk, processes: Processes, chance: random.Random, acknowledged: list[dict[str, Any]]) -> None:
    os.set_blocking(processes.told, False)
    for name in WORKERS:
        processes.start(name)
    known, deadline, rest = len(acknowledged), time.monotonic() + 30, b""
    while len(acknowledged) == known and time.monotonic() < deadline:
        time.sleep(0.01)
        rest = read(processes.told, rest, acknowledged)
    time.sleep(chance.uniform(0.0, 0.5))
    # No process outlives its machine: none may tell of a call during which the power went.
    processes.stop_clock()
    disk.cut_power()
    processes.kill_all()
    read(processes.told, rest, acknowledged)
    processes.close()
    disk.unmount()
    disk.mount()


if __name__ == "__main__":
    given = Path(sys.argv[1]).resolve()
    given.mkdir(parents=True, exist_ok=True)
    print(json.dumps(go_round(given, int(sys.argv[2]), int(sys.argv[3])), indent=1))
