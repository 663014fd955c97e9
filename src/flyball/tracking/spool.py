"""What runs log, on the local disk first: append-only files, one set for each process.

    <folder>/<process>-<part>.spool     records of one process; a new part begins when one has grown large
    <folder>/files/                     copies of the files that records name
    <folder>/refused/                   what a server would not take, and why

A file begins with a header: how far it was acknowledged, then where its records are meant to go. A record is its length, the
CRC-32 of its bytes, and its bytes. A call is one `write`, so it survives the death of the process; a last record that was cut
off is left out. The process holds a lock on its files, so another one sees by a free lock that it is dead.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import logging
import os
import threading
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from struct import Struct

import msgspec

from flyball.refs import new_id

logger = logging.getLogger(__name__)

ENDING = ".spool"
PART_SIZE = 16 << 20
_MAGIC = b"fbspool1"
_HEAD = Struct("<8sQII")  # magic, acknowledged up to, length of the header, its CRC
_FRAME = Struct("<II")
_ACKNOWLEDGED = Struct("<Q")
_PIECE = 1 << 18
_LARGEST = 64 << 20
_MOST_HELD = 64 << 20

Position = tuple[int, int]
"""A place in a process's records: the number of the part, and the byte in it."""


class Header(msgspec.Struct, frozen=True, kw_only=True):
    """Whose records a file holds.

    Attributes:
        url: Server that they are meant for; empty for the local workspace.
        offline: Whether only `flyball sync` may send them.
    """

    process: str
    url: str = ""
    offline: bool = False
    pid: int = 0
    host: str = ""
    started: int = 0


@dataclass(slots=True)
class Record:
    """One record as it was read.

    Attributes:
        end: Where the next one begins.
    """

    payload: bytes
    end: Position


class Part:
    """One open file of a spool; it is locked as long as it is open."""

    def __init__(self, path: Path, number: int, descriptor: int, header: Header, start: int) -> None:
        self.path = path
        self.number = number
        self.header = header
        self.start = start
        self.size: int = os.fstat(descriptor).st_size
        self.descriptor = descriptor
        noted: int = _ACKNOWLEDGED.unpack(os.pread(descriptor, 8, 8))[0]
        self.acknowledged = min(max(noted, start), self.size)

    @classmethod
    def create(cls, folder: Path, header: Header, number: int, *, ending: str = ENDING) -> Part:
        """A new part. It gets its name when it is locked, so nobody takes it for a dead process's."""
        folder.parent.mkdir(0o700, parents=True, exist_ok=True)  # the workspace, which this may be the first to make
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{header.process}-{number:06d}{ending}"
        fresh = path.with_suffix(".new")
        descriptor = os.open(fresh, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            about = msgspec.msgpack.encode(header)
            start = _HEAD.size + len(about)
            _write(descriptor, _HEAD.pack(_MAGIC, start, len(about), zlib.crc32(about)) + about)
            fresh.rename(path)
            return cls(path, number, descriptor, header, start)
        except BaseException:
            os.close(descriptor)
            fresh.unlink(missing_ok=True)
            raise

    @classmethod
    def take(cls, path: Path) -> Part | None:
        """The part of a process that is dead; None if it lives, or if the file is none of ours."""
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.stat()  # the one who held the lock may have removed it
            found = cls._opened(path, descriptor)
        except (BlockingIOError, FileNotFoundError):
            found = None
        if found is None:
            os.close(descriptor)
        return found

    @classmethod
    def _opened(cls, path: Path, descriptor: int) -> Part | None:
        head = os.pread(descriptor, _HEAD.size, 0)
        if len(head) == _HEAD.size:
            magic, _, length, checksum = _HEAD.unpack(head)
            about = os.pread(descriptor, length, _HEAD.size) if magic == _MAGIC and length < _PIECE else b""
            if about and zlib.crc32(about) == checksum:
                header = msgspec.msgpack.decode(about, type=Header)
                number = int(path.stem.rpartition("-")[2])
                return cls(path, number, descriptor, header, _HEAD.size + length)
        with contextlib.suppress(OSError):
            path.rename(path.with_suffix(".damaged"))
        logger.warning("%s is no spool file, or its head is damaged; it is now called .damaged", path)
        return None

    def append(self, data: bytes) -> int:
        """Writes bytes at the end, all or none; gives where they end.

        Raises:
            OSError: the disk does not take them.
        """
        try:
            written = os.write(self.descriptor, data)
            if written != len(data):  # only a full disk writes less than it was given
                _write(self.descriptor, data[written:])
        except OSError:
            # Half a record in the middle would make all that follow unreadable.
            os.ftruncate(self.descriptor, self.size)
            os.lseek(self.descriptor, self.size, os.SEEK_SET)
            raise
        self.size += len(data)
        return self.size

    def append_record(self, payload: bytes) -> int:
        """Writes one record at the end."""
        return self.append(_framed(payload))

    def read(self, start: int, end: int) -> Iterator[Record]:
        """The records between two places; ends before one that is cut off or damaged."""
        data, base = b"", start
        place = start
        while place < end:
            have = base + len(data) - place
            wanted = _FRAME.size
            if have >= wanted:
                length, checksum = _FRAME.unpack_from(data, place - base)
                wanted += length
                if length > _LARGEST or place + wanted > end:
                    break
            if have < wanted:
                more = os.pread(self.descriptor, max(_PIECE, wanted), place)
                if len(more) <= have or len(more) < wanted:
                    break
                data, base = more, place
                continue
            payload = data[place - base + _FRAME.size : place - base + wanted]
            if zlib.crc32(payload) != checksum:
                break
            place += wanted
            yield Record(payload, (self.number, place))

    def acknowledge(self, place: int) -> None:
        """Notes that all before the place has been taken."""
        self.acknowledged = max(self.acknowledged, place)
        with contextlib.suppress(OSError):  # what is sent twice is kept once
            os.pwrite(self.descriptor, _ACKNOWLEDGED.pack(self.acknowledged), 8)

    def close(self, *, remove: bool = False) -> None:
        """Gives the lock up; with `remove`, the file goes first."""
        if self.descriptor >= 0:
            if remove:
                self.path.unlink(missing_ok=True)
            os.close(self.descriptor)
            self.descriptor = -1


class Spool:
    """The records that this process writes.

    A disk that is full does not stop the work: records are then held in memory, and written as soon as there is room.

    Args:
        folder: Where the files are.
        header: Whose records they are and where they are meant to go.
        opening: Gives the record that every part begins with, so that the parts before it can go.
        part_size: Bytes after which a new part begins.
    """

    def __init__(
        self, folder: Path, header: Header, *, opening: Callable[[], bytes] | None = None, part_size: int = PART_SIZE
    ) -> None:
        self.folder = folder
        self.header = header
        self.lock = threading.RLock()
        self._opening = opening
        self._part_size = part_size
        self._parts: list[Part] = []
        self._numbers = 0
        self._held: list[bytes] = []
        self._held_bytes = 0
        self._synced: Position = (0, 0)
        self._sync_lock = threading.Lock()

    @property
    def end(self) -> Position:
        """Where the next record will begin."""
        with self.lock:
            return (self._parts[-1].number, self._parts[-1].size) if self._parts else (self._numbers, 0)

    @property
    def start(self) -> Position:
        """The first place that is not acknowledged."""
        with self.lock:
            return (self._parts[0].number, self._parts[0].acknowledged) if self._parts else (self._numbers, 0)

    @property
    def is_empty(self) -> bool:
        """Whether all was acknowledged."""
        with self.lock:
            return not self._held and all(part.acknowledged >= part.size for part in self._parts)

    @property
    def has_held(self) -> bool:
        """Whether the disk did not take all that was appended."""
        return bool(self._held)

    @property
    def unsent(self) -> int:
        """Bytes that are not acknowledged."""
        with self.lock:
            return self._held_bytes + sum((part.size - part.acknowledged for part in self._parts), 0)

    def append(self, payload: bytes) -> None:
        """Keeps a record; it is on its way to the disk when this returns, whatever becomes of the process."""
        frame = _framed(payload)
        with self.lock:
            if self._held:
                self._hold(frame)
                return
            try:
                parts = self._parts
                if not parts or parts[-1].size >= self._part_size:
                    self._begin_part()
                parts[-1].append(frame)
            except OSError as error:
                logger.warning(
                    "%s: what runs log cannot be written to the disk (%s); it is held in memory meanwhile",
                    self.folder, error.strerror,
                )  # fmt: skip
                self._hold(frame)

    def read(self, start: Position, limit: int) -> list[Record]:
        """The next records after a place, at most so many; those held in memory come when the disk's are all taken."""
        found: list[Record] = []
        with self.lock:
            if self._held:
                self._try_held()
            parts = [(part, part.size) for part in self._parts if part.number >= start[0]]
        for part, size in parts:
            place = start[1] if part.number == start[0] else part.start
            for record in part.read(max(place, part.start), size):
                found.append(record)
                if len(found) >= limit:
                    return found
        return found

    def take_held(self) -> list[bytes]:
        """The records that the disk did not take; they are the caller's now. To be asked when all others are taken."""
        with self.lock:
            frames, self._held, self._held_bytes = self._held, [], 0
            return [frame[_FRAME.size :] for frame in frames]

    def acknowledge(self, place: Position) -> None:
        """Notes that all before a place has been taken, and removes the parts that are not needed any more."""
        with self.lock:
            kept: list[Part] = []
            for part in self._parts:
                if part.number == place[0]:
                    part.acknowledge(place[1])
                if part.number < place[0]:
                    part.close(remove=True)
                else:
                    kept.append(part)
            self._parts[:] = kept

    def sync(self) -> None:
        """Waits until the disk has all that was appended; calls that come together share one wait.

        Raises:
            OSError: the disk does not take it.
        """
        with self.lock:
            if self._held:
                raise OSError(errno.ENOSPC, "What a run logs is not on the disk", str(self.folder))
            if not self._parts:
                return
            wanted, descriptor = self.end, self._parts[-1].descriptor
        with self._sync_lock:
            if self._synced >= wanted:
                return
            reached = self.end
            if reached[0] != wanted[0]:  # a new part began meanwhile, and `_begin_part` has synced the one before
                with self.lock:
                    descriptor = self._parts[-1].descriptor
            os.fdatasync(descriptor)
            self._synced = reached

    def clear(self) -> bool:
        """Removes the files if all was acknowledged; the next record begins new ones."""
        with self.lock:
            if not self.is_empty:
                return False
            self.close(remove=True)
            return True

    def close(self, *, remove: bool = False) -> None:
        """Closes the files, so that another process may send what is left."""
        with self.lock:
            if self._held:
                self._try_held()
            for part in self._parts:
                part.close(remove=remove)
            self._parts.clear()

    def forget(self) -> None:
        """Closes the files without a word, in the child of a fork: they are its parent's."""
        for part in self._parts:
            part.close()
        self._parts = []

    def _begin_part(self) -> None:
        if self._parts:
            os.fdatasync(self._parts[-1].descriptor)
        part = Part.create(self.folder, self.header, self._numbers)
        self._numbers += 1
        self._parts.append(part)
        if self._opening is not None:
            part.append_record(self._opening())
        with contextlib.suppress(OSError):
            sync_folder(self.folder)

    def _hold(self, frame: bytes) -> None:
        if self._held_bytes + len(frame) > _MOST_HELD:
            raise OSError(errno.ENOSPC, "What runs log can neither be written to the disk nor sent", str(self.folder))
        self._held.append(frame)
        self._held_bytes += len(frame)

    def _try_held(self) -> None:
        with contextlib.suppress(OSError):
            if not self._parts:
                self._begin_part()
            self._parts[-1].append(b"".join(self._held))
            self._held, self._held_bytes = [], 0
            logger.warning("%s: the disk takes again what runs log", self.folder)


@dataclass(slots=True)
class Leftover:
    """What a dead process left unsent: its parts, locked for the one who took them."""

    header: Header
    parts: list[Part] = field(default_factory=list)

    @property
    def is_empty(self) -> bool:
        """Whether nothing is left to send."""
        return next(self.records(), None) is None

    def records(self, *, acknowledged: bool = False) -> Iterator[Record]:
        """The records that were not acknowledged, or all that are still there, in their order."""
        for part in self.parts:
            yield from part.read(part.start if acknowledged else part.acknowledged, part.size)

    def acknowledge(self, place: Position) -> None:
        """Notes that all before a place has been taken."""
        for part in self.parts:
            if part.number < place[0]:
                part.acknowledge(part.size)
            elif part.number == place[0]:
                part.acknowledge(place[1])

    def close(self, *, remove: bool = False) -> None:
        """Gives the parts back; with `remove`, for good."""
        for part in self.parts:
            part.close(remove=remove)


def processes(folder: Path) -> list[str]:
    """The names of the processes that have files here, oldest first."""
    return sorted({path.stem.rpartition("-")[0] for path in folder.glob(f"*{ENDING}")})


def take(folder: Path, process: str) -> Leftover | None:
    """What a dead process left; None if it lives or someone else has taken it."""
    parts: list[Part] = []
    for path in sorted(folder.glob(f"{process}-*{ENDING}")):
        part = Part.take(path)
        if part is None and path.exists():
            for other in parts:
                other.close()
            return None
        if part is not None:
            parts.append(part)
    return Leftover(parts[0].header, parts) if parts else None


def new_header(url: str = "", *, offline: bool = False) -> Header:
    """The header of this process's files."""
    import platform
    import time

    return Header(
        process=new_id(),
        url=url,
        offline=offline,
        pid=os.getpid(),
        host=platform.node(),
        started=time.time_ns() // 1000,
    )


def sync_folder(folder: Path) -> None:
    """Waits until the disk has the names in a folder."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _framed(payload: bytes) -> bytes:
    return _FRAME.pack(len(payload), zlib.crc32(payload)) + payload


def _write(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]
