"""Sends what dead processes left in a workspace's spool, and what `offline` runs kept back."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from flyball.tracking import records, spool
from flyball.tracking.delivery import Delivery, Missing, Services, deliver_leftover
from flyball.tracking.spool import Leftover


@dataclass(frozen=True, slots=True, kw_only=True)
class Synced:
    """What `sync` found.

    Attributes:
        sent: Processes whose records were all taken.
        alive: Processes that send by themselves.
        elsewhere: For each address that records are meant for and that is not this one, how many processes.
        refused: Records that were refused; they are kept.
    """

    sent: int = 0
    alive: int = 0
    elsewhere: dict[str, int] = field(default_factory=dict)
    refused: int = 0


def sync(services: Services, folder: Path, url: str = "", *, refused_too: bool = False) -> Synced:
    """Sends all that is left.

    Args:
        services: Where it goes.
        folder: Folder of the spool.
        url: Address of the server; records that are meant for another place are left alone.
        refused_too: Whether what was refused before is tried again.

    Raises:
        FlyballError: the server does not answer; what is left stays where it is.
    """
    alive, elsewhere = 0, dict[str, int]()
    waiting: list[str] = []
    sent = refused = 0
    for process in spool.processes(folder):
        leftover = spool.take(folder, process)
        if leftover is None:
            alive += 1
        elif leftover.header.url != url and not leftover.header.offline:
            leftover.close()
            elsewhere[leftover.header.url] = elsewhere.get(leftover.header.url, 0) + 1
        else:
            try:
                refused += deliver_leftover(leftover, services, folder, patience=1e9)
                sent += 1
            except Missing:  # the process that begins the run may come later in the row
                waiting.append(process)
    for process in waiting:
        leftover = spool.take(folder, process)
        if leftover is not None:
            refused += deliver_leftover(leftover, services, folder)
            sent += 1
    if refused_too:
        refused += _again(services, folder)
    return Synced(sent=sent, alive=alive, elsewhere=elsewhere, refused=refused)


def count_refused(folder: Path) -> int:
    """How many records lie there refused."""
    count = 0
    for process in spool.processes(folder / "refused"):
        leftover = spool.take(folder / "refused", process)
        if leftover is not None:
            count += sum(1 for _ in leftover.records())
            leftover.close()
    return count


def _again(services: Services, folder: Path) -> int:
    """Tries again what was refused; what is refused once more is kept anew."""
    refused = 0
    for process in spool.processes(folder / "refused"):
        leftover = spool.take(folder / "refused", process)
        if leftover is None:
            continue
        delivery = Delivery(services, folder, process, patience=0)
        try:
            for place in delivery.deliver(_unwrapped(leftover)):
                leftover.acknowledge(place)
        finally:
            delivery.close()
            leftover.close(remove=leftover.is_empty)
        refused += delivery.refusals
    return refused


def _unwrapped(leftover: Leftover) -> list[spool.Record]:
    return [
        spool.Record(records.decode(record.payload)[3], record.end)
        for record in leftover.records()
        if records.decode(record.payload)[0] == records.REFUSED
    ]
