"""Shares one machine out among all that runs on it: what does not fit waits for its turn, whichever process it is in.

The ledger is a file that is changed under a lock. An entry names its process and when that started, so what a killed one
held is free again at the next look. Those who wait stand in a row, by priority and then by arrival; one behind may go ahead
only with what those before it will not need, so nobody waits for ever.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flyball.errors import Corrupt, InvalidInput
from flyball.executors.base import Resources, start_of_process
from flyball.machine.resources import gpu_names, of_this_machine
from flyball.refs import new_id

_LOOK_SECONDS = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """What was granted.

    Attributes:
        gpus: The accelerators, as `CUDA_VISIBLE_DEVICES` names them.
    """

    id: str
    gpus: tuple[str, ...] = ()


class Machine:
    """What a machine has, and who holds how much of it.

    Args:
        ledger: The file; by default one for all processes of this user.
        has: What there is; by default what this process may use.
        gpus: Names of the accelerators.
    """

    def __init__(
        self, ledger: Path | None = None, has: Resources | None = None, gpus: tuple[str, ...] | None = None
    ) -> None:
        self._ledger = ledger or _shared_folder() / "machine.json"
        self.has = has or of_this_machine()
        self._gpus = gpu_names() if gpus is None else gpus

    def check(self, wanted: Resources, who: str) -> None:
        """Raises InvalidInput where the machine could never give as much."""
        for name, asked, there in (
            ("cores", wanted.cores, self.has.cores),
            ("bytes of memory", wanted.memory, self.has.memory),
            ("GPUs", wanted.gpus, self.has.gpus),
        ):
            if asked > there:
                raise InvalidInput(
                    f"{who} needs {asked:g} {name}; this machine has {there:g}.", hint="Ask for less, or use a cluster."
                )

    @contextlib.contextmanager
    def hold(
        self,
        wanted: Resources,
        *,
        who: str,
        priority: int = 0,
        stopped: Callable[[], bool] = lambda: False,
        on_wait: Callable[[], None] = lambda: None,
    ) -> Iterator[Lease]:
        """Waits until there is as much, and holds it inside the block.

        Args:
            who: Shown to those who look who holds what.
            priority: Higher ones are served first.
            stopped: Asked while it waits; it then goes on without, and the caller sees to the rest.
            on_wait: Called once if it has to wait.

        Raises:
            InvalidInput: the machine could never give as much.
        """
        if not wanted:
            yield Lease(id="")
            return
        self.check(wanted, who)
        mine: dict[str, Any] = {
            "id": new_id(), "who": who, "pid": os.getpid(), "start": start_of_process(os.getpid()), "priority": priority,
            "since": time.time(), "cores": wanted.cores, "memory": wanted.memory, "gpus": wanted.gpus,
            "limits": dict(wanted.limits), "held": None,
        }  # fmt: skip
        has_told = False
        try:
            while (lease := self._try(mine)) is None and not stopped():
                if not has_told:
                    has_told = True
                    on_wait()
                time.sleep(_LOOK_SECONDS)
            yield lease or Lease(id=mine["id"])
        finally:
            with self._open() as entries:
                entries[:] = [entry for entry in entries if entry["id"] != mine["id"]]

    def entries(self) -> list[dict[str, Any]]:
        """Who holds what, and who waits: `held` names the accelerators of one that holds, and is None for one that waits."""
        with self._open() as entries:
            return list(entries)

    def _try(self, mine: dict[str, Any]) -> Lease | None:
        with self._open() as entries:
            if all(entry["id"] != mine["id"] for entry in entries):
                entries.append(mine)
            row = sorted(
                (entry for entry in entries if entry["held"] is None),
                key=lambda entry: (-entry["priority"], entry["since"], entry["id"]),
            )
            ahead = row[: next(place for place, entry in enumerate(row) if entry["id"] == mine["id"])]
            holders = [entry for entry in entries if entry["held"] is not None]
            if not self._fits(mine, [*holders, *ahead], holders):
                return None
            taken = {name for entry in holders for name in entry["held"]}
            free = [name for name in self._gpus if name not in taken]
            granted = tuple(free[: mine["gpus"]])
            for entry in entries:
                if entry["id"] == mine["id"]:
                    entry["held"] = list(granted)
            return Lease(id=mine["id"], gpus=granted)

    def _fits(self, mine: dict[str, Any], before: list[dict[str, Any]], holders: list[dict[str, Any]]) -> bool:
        for name, there in (("cores", self.has.cores), ("memory", self.has.memory), ("gpus", self.has.gpus)):
            if mine[name] and sum(entry[name] for entry in before) + mine[name] > there + 1e-9:
                return False
        users = Counter(name for entry in holders for name in entry["limits"])
        return all(users[name] < most for name, most in mine["limits"].items())

    @contextlib.contextmanager
    def _open(self) -> Iterator[list[dict[str, Any]]]:
        """The entries of processes that live, to be read and changed under the lock."""
        with _IN_PROCESS, self._ledger.open("a+", encoding="utf-8") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            file.seek(0)
            text = file.read()
            try:
                found = json.loads(text or "[]")
            except ValueError:  # cut off by a kill while it was written; those who live enter themselves again
                found = []
            entries = [entry for entry in found if start_of_process(entry["pid"]) == entry["start"]]
            yield entries
            now = json.dumps(entries)
            if now != text:
                file.seek(0)
                file.truncate()
                file.write(now)


_IN_PROCESS = threading.Lock()


def _shared_folder() -> Path:
    folder = Path(tempfile.gettempdir()) / f"flyball-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.stat().st_uid != os.getuid():
        raise Corrupt(f"{folder} belongs to another user.", hint="Set TMPDIR to a folder of your own.")
    return folder
