"""A SQLite file of one's own, without the metadata database around it: for what is read in microseconds."""

from __future__ import annotations

import sqlite3
from pathlib import Path

SqliteError = sqlite3.Error


def open_file(path: Path) -> sqlite3.Connection:
    """A connection that commits by itself, in WAL mode; makes the file and its folder.

    A power cut may take the last commits, never the file: it is for what can be written again.

    Raises:
        SqliteError: the file cannot be opened, or is no SQLite file.
        OSError: its folder cannot be made.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    connection = sqlite3.connect(path, timeout=30, isolation_level=None, check_same_thread=False)
    try:
        for setting in ("busy_timeout=30000", "journal_mode=WAL", "synchronous=NORMAL", f"mmap_size={1 << 30}"):
            connection.execute(f"PRAGMA {setting}")
    except BaseException:
        connection.close()
        raise
    return connection
