"""Secrets of a project: set and named, used by steps, webhooks and channels, never given out again.

Each is encrypted with a key of its own, and that one with a key that does not stand in the database (`key_wrappers/`).
"""

from __future__ import annotations

import base64
import builtins
import logging
import os
import re
import threading
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from flyball.clock import Clock
from flyball.errors import InvalidInput, NotFound, did_you_mean
from flyball.governance._store import secrets as table
from flyball.governance.key_wrappers.base import Wrapper
from flyball.governance.sealing import seal, unseal
from flyball.principals import acting
from flyball.storage.audit_reads import note_now
from flyball.storage.database import Database
from flyball.storage.event_log import EventLog
from flyball.verbs import change, read

MARK = "secret:"
"""What stands before the name of a secret where a value is given by reference."""

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")
_LONGEST = 64 << 10


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretInfo:
    """What is known of a secret; never its value.

    Attributes:
        version: How often it was set.
        key: Name of the key that it is encrypted under.
        by: Who set it last.
    """

    name: str
    version: int
    key: str
    by: str
    created: datetime
    changed: datetime


class Secrets:
    """Keeps secrets. No verb gives a value out; what runs on the server itself uses them by `reveal`.

    Args:
        wrapper: What encrypts the key of each.
    """

    def __init__(self, database: Database, events: EventLog, clock: Clock, wrapper: Wrapper) -> None:
        self._database = database
        self._events = events
        self._clock = clock
        self._wrapper = wrapper

    @change(role="maintainer")
    def set(self, name: str, value: str) -> SecretInfo:
        """Keeps a secret, or a new value of one.

        Args:
            name: Letters, digits and _, as environment variables have them.

        Raises:
            InvalidInput: the name cannot be used, or the value is empty or longer than 64 KiB.
        """
        if _NAME.fullmatch(name) is None:
            raise InvalidInput(f"'{name[:40]}' is no name of a secret.", hint="Use letters, digits and _.")
        data = value.encode("utf-8", "surrogatepass")
        if not 0 < len(data) <= _LONGEST:
            raise InvalidInput(f"The secret '{name}' has {len(data):,} bytes.", hint="Give 1 to 65,536.")
        who, now = acting().name, self._clock.now()
        with self._database.transaction() as connection:
            row = connection.execute(sa.select(table).where(table.c.name == name).with_for_update()).first()
            version = 1 if row is None else row.version + 1
            values = {"version": version, "by": who, "changed": now, **self._sealed(name, version, data)}
            insert = self._database.insert(table).values(name=name, created=now, **values)
            connection.execute(insert.on_conflict_do_update(index_elements=["name"], set_=values))
            self._events.append(connection, "secrets.set", f"secrets:/{name}", version=version)
            return _info(connection.execute(sa.select(table).where(table.c.name == name)).one())

    @read
    def list(self) -> builtins.list[SecretInfo]:
        """The names of all secrets, and when they were set."""
        return [_info(row) for row in self._database.rows(sa.select(table).order_by(table.c.name))]

    @change(role="maintainer")
    def delete(self, name: str) -> None:
        """Forgets a secret for good.

        Raises:
            NotFound: there is none of that name.
        """
        with self._database.transaction() as connection:
            if not connection.execute(sa.delete(table).where(table.c.name == name)).rowcount:
                raise self._unknown(name)
            self._events.append(connection, "secrets.deleted", f"secrets:/{name}")

    @change(role="owner")
    def rotate_key(self) -> int:
        """Makes a new key, and encrypts the keys of all secrets under it; gives how many. Their values stay.

        Raises:
            InvalidInput: the keys are made by a key management system.
        """
        self._wrapper.renew()
        return self._rewrap()

    def _rewrap(self) -> int:
        with self._database.transaction() as connection:
            rows = connection.execute(sa.select(table).with_for_update()).all()
            for row in rows:
                context = _context(row.name, row.version)
                data_key = self._wrapper.unwrap(base64.b64decode(row.wrapped), context, row.key)
                values = {"key": self._wrapper.key, "wrapped": _text(self._wrapper.wrap(data_key, context))}
                connection.execute(sa.update(table).where(table.c.name == row.name).values(**values))
            self._events.append(connection, "secrets.key_rotated", "secrets", key=self._wrapper.key, secrets=len(rows))
        return len(rows)

    def reveal(self, name: str, purpose: str) -> str:
        """The value, for what runs here; its use is noted in the audit log, and it is kept out of logs from here on.

        Args:
            purpose: What it is used for, such as `step train of run r1`.

        Raises:
            NotFound: there is none of that name.
            Corrupt: what is kept was changed.
        """
        row = self._database.row(sa.select(table).where(table.c.name == name))
        if row is None:
            raise self._unknown(name)
        context = _context(row.name, row.version)
        data_key = self._wrapper.unwrap(base64.b64decode(row.wrapped), context, row.key)
        value = unseal(data_key, base64.b64decode(row.sealed), context).decode("utf-8", "surrogatepass")
        note_now(self._database, "secrets.used", f"secrets:/{name}", version=row.version, purpose=purpose[:200])
        hide(value)
        return value

    def resolve(self, text: str, purpose: str) -> str:
        """A text as it is, or the value of the secret that it refers to as `secret:NAME`.

        Raises:
            NotFound: there is none of that name.
        """
        return self.reveal(text.removeprefix(MARK), purpose) if text.startswith(MARK) else text

    def _sealed(self, name: str, version: int, data: bytes) -> dict[str, str]:
        data_key, context = os.urandom(32), _context(name, version)
        return {
            "key": self._wrapper.key,
            "wrapped": _text(self._wrapper.wrap(data_key, context)),
            "sealed": _text(seal(data_key, data, context)),
        }

    def _unknown(self, name: str) -> NotFound:
        known = [each.name for each in self.list()]
        return NotFound(f"There is no secret '{name[:128]}'.", hint=did_you_mean(name, known))


_hidden: builtins.list[str] = []
_hiding = threading.Lock()


def hide(value: str) -> None:
    """Shows `***` instead of a value in everything that this process logs from here on."""
    with _hiding:
        if not _hidden:
            logging.setLogRecordFactory(_filtered(logging.getLogRecordFactory()))
        for part in {value, *value.splitlines()}:
            # What is shorter stands in every other word.
            if len(part) >= 4 and part not in _hidden:
                _hidden.append(part)
        _hidden.sort(key=len, reverse=True)


def without_secrets(text: str) -> str:
    """A text with `***` for each secret that this process has used."""
    for value in tuple(_hidden):
        text = text.replace(value, "***")
    return text


def _filtered(make: Any) -> Any:
    def made(*args: Any, **kwargs: Any) -> logging.LogRecord:
        record: logging.LogRecord = make(*args, **kwargs)
        try:
            said = record.getMessage()
        except (TypeError, ValueError):  # what is wrong with it is told by whoever formats it
            return record
        hidden = without_secrets(said)
        if hidden != said:
            record.msg, record.args = hidden, None
        return record

    return made


def _context(name: str, version: int) -> str:
    # A value that is copied to another name, or brought back from before, does not open.
    return f"flyball secret v1 {name} {version}"


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def _info(row: sa.Row[Any]) -> SecretInfo:
    return SecretInfo(
        name=row.name, version=row.version, key=row.key, by=row.by, created=row.created, changed=row.changed
    )
