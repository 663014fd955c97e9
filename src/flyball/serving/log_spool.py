"""What of the prediction log rests on this machine's disk before it rests in the store: a file for each segment to come.

A power cut or a kill loses what came since the last write, a twentieth of a second; a start after it makes the segments of what is
found. A file's name is the stamp of its segment, so a segment that was put already is put again under its own key.
"""

from __future__ import annotations

import logging
import os
import struct
import zlib
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    import pyarrow as pa

logger = logging.getLogger(__name__)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_HEAD = struct.Struct("<II")  # length and CRC-32 of what follows
_SUFFIX = ".spool"


class LogSpool:
    """The files of one replica's log of one deployment.

    Args:
        folder: Theirs alone.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._file: BinaryIO | None = None
        folder.mkdir(parents=True, exist_ok=True)

    def append(self, tables: Sequence[pa.Table], stamp: datetime) -> Path:
        """Adds rows to the present file, which begins with that stamp if there is none; they are on the disk afterwards.

        Raises:
            OSError: the disk does not take them.
        """
        if self._file is None:
            path = self._folder / f"{(stamp - _EPOCH) // timedelta(microseconds=1)}{_SUFFIX}"
            self._file = path.open("ab", buffering=0)
            _sync_folder(self._folder)
        for table in tables:
            data = _packed(table)
            self._file.write(_HEAD.pack(len(data), zlib.crc32(data)) + data)
        os.fdatasync(self._file.fileno())
        return Path(self._file.name)

    def finish(self) -> None:
        """Ends the present file: what comes next begins another."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def left(self) -> Iterator[tuple[Path, datetime, list[pa.Table]]]:
        """The files that a former process left, oldest first, with stamp and rows; what was torn at an end is not there."""
        found = [path for path in self._folder.glob(f"*{_SUFFIX}") if path.stem.isdecimal()]
        for path in sorted(found, key=lambda path: int(path.stem)):
            try:
                tables = list(_read(path))
            except (OSError, ValueError) as error:  # Arrow's errors are values' errors
                logger.warning("a spooled log cannot be read", extra={"file": path.name}, exc_info=error)
                continue
            yield path, _EPOCH + timedelta(microseconds=int(path.stem)), tables


def _read(path: Path) -> Iterator[pa.Table]:
    import pyarrow as pa

    data, place = path.read_bytes(), 0
    while place + _HEAD.size <= len(data):
        size, check = _HEAD.unpack_from(data, place)
        place += _HEAD.size
        frame = data[place : place + size]
        if len(frame) < size or zlib.crc32(frame) != check:
            logger.warning("the end of a spooled log was torn", extra={"file": path.name})
            return
        with pa.ipc.open_stream(frame) as reader:
            yield reader.read_all()
        place += size


def _packed(table: pa.Table) -> bytes:
    import pyarrow as pa

    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue().to_pybytes())


def _sync_folder(folder: Path) -> None:
    # Else a power cut may leave the file's bytes and forget its name.
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
