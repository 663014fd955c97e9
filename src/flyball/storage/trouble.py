"""What can befall a disk, told as what it is and how it is mended.

A write that fails for such a reason is not kept, and is not told to be. Reads go on as far as they can, and the next write is tried
as if nothing had been: so all recovers by itself once the cause is gone.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

from flyball.errors import FlyballError, NoSpace, StorageFailed

FREE_UP = "Free some: `flyball runs gc`, `flyball backup prune`; or move the workspace to a larger disk."
_freeing: ContextVar[bool] = ContextVar("flyball_freeing", default=False)


class Reserve:
    """A part of the disk that nothing is written into, so that the disk is never full: a full one may break what was whole.

    Args:
        folder: A folder on the disk.
        least: Bytes that stay free.
    """

    def __init__(self, folder: Path, least: int) -> None:
        self._folder = folder
        self._least = least

    def check(self) -> None:
        """Refuses to write while less is free.

        Raises:
            NoSpace: less is free.
        """
        if self._least <= 0 or _freeing.get():
            return
        try:
            found = os.statvfs(self._folder)
        except OSError:  # not there yet
            return
        free = found.f_bavail * found.f_frsize
        if free < self._least:
            raise NoSpace(
                f"The disk of {self._folder} has {free >> 20} MiB left, and {self._least >> 20} MiB of it stay free: nothing is"
                " written.", hint=FREE_UP, free=free,
            )  # fmt: skip


@contextmanager
def freeing() -> Iterator[None]:
    """Lets what frees space, or holds what is held already, write into the reserve."""
    token = _freeing.set(True)
    try:
        yield
    finally:
        _freeing.reset(token)


@contextmanager
def disk_told(what: str) -> Iterator[None]:
    """Tells a failure of the disk as one.

    Args:
        what: What it is done to, for the message.

    Raises:
        NoSpace: the disk is full.
        StorageFailed: it is read-only, or fails.
    """
    try:
        yield
    except OSError as error:
        told = of_disk(error, what)
        if told is None:
            raise
        raise told from error


def of_disk(error: OSError, what: str) -> FlyballError | None:
    """The failure of a disk as our own error; None if it is none."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return NoSpace(f"The disk is full: {what} was not written.", hint=FREE_UP)
    if error.errno == errno.EROFS:
        return StorageFailed(f"The disk is read-only: {what} was not written.", hint="Mount it for writing again.")
    if error.errno == errno.EIO:
        return StorageFailed(
            f"The disk failed at {what}.", hint="Look into the system's log, then run `flyball doctor`."
        )
    return None
