"""How much memory a job takes."""

from __future__ import annotations

from pathlib import Path


def memory_of(pid: int) -> int:
    """Bytes that the processes of a session hold, what they share counted once; 0 where the system does not tell.

    Args:
        pid: The process that leads the session.
    """
    total = 0
    try:
        found = [place for place in Path("/proc").iterdir() if place.name.isdecimal()]
    except OSError:
        return 0
    for place in found:
        try:
            if int((place / "stat").read_bytes().rpartition(b")")[2].split()[3]) != pid:
                continue
            total += _own(place)
        except (OSError, IndexError, ValueError):  # it has ended meanwhile
            continue
    return total


def _own(place: Path) -> int:
    # "Pss" divides what is shared by those who share it, so forks of one process are not counted twice.
    for line in (place / "smaps_rollup").read_text(encoding="ascii", errors="replace").splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    return 0
