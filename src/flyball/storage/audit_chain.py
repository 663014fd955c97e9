"""The audit log's rows: who did what to which thing, each row holding the hash of the one before it.

What a transaction tells as events, and what a verb changed without telling one, becomes rows at the end of the same
transaction. The row that names the head of the chain is locked last, so the rows stand in the order in which they became
visible, and no id is ever missing. Every thousand rows, and every five minutes in which something is written, the head is
signed; where it stood is also kept outside of the database, so that who cuts rows off its end is found out.

A row's hash is SHA-256 (FIPS 180-4) of a JSON array of all its other fields, so that anybody can compute it again.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

import sqlalchemy as sa

from flyball.clock import SystemClock
from flyball.errors import FlyballError
from flyball.principals import Principal, acting
from flyball.serialization import JsonValue, to_json
from flyball.storage.tables import RowNumber, metadata
from flyball.verbs import Call, under_way

logger = logging.getLogger(__name__)

audit = sa.Table(
    "audit",
    metadata,
    sa.Column("id", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("at", sa.BigInteger, nullable=False),
    sa.Column("who", sa.String(200), nullable=False),
    sa.Column("kind", sa.String(20), nullable=False),
    sa.Column("token", sa.String(64), nullable=False),
    sa.Column("project", sa.String(200), nullable=False),
    sa.Column("verb", sa.String(100), nullable=False),
    sa.Column("action", sa.String(100), nullable=False),
    sa.Column("subject", sa.String(300), nullable=False),
    sa.Column("event", RowNumber, nullable=True),
    sa.Column("facts", sa.Text, nullable=False),
    sa.Column("previous", sa.String(64), nullable=False),
    sa.Column("hash", sa.String(64), nullable=False),
    sa.Index("ix_audit_who", "who", "id"),
    sa.Index("ix_audit_action", "action", "id"),
    sa.Index("ix_audit_subject", "subject", "id"),
)

# One row: where the chain ends, how far the event log is in it, and which row was signed last.
heads = sa.Table(
    "audit_head",
    metadata,
    sa.Column("name", sa.String(20), primary_key=True),
    sa.Column("id", sa.BigInteger, nullable=False),
    sa.Column("hash", sa.String(64), nullable=False),
    sa.Column("event", sa.BigInteger, nullable=False),
    sa.Column("signed_id", sa.BigInteger, nullable=False),
    sa.Column("signed_at", sa.BigInteger, nullable=False),
)

seals = sa.Table(
    "audit_seals",
    metadata,
    sa.Column("id", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("hash", sa.String(64), nullable=False),
    sa.Column("at", sa.BigInteger, nullable=False),
    sa.Column("key", sa.String(64), nullable=False),
    sa.Column("signature", sa.String(128), nullable=False),
)

COLUMNS = tuple(column.name for column in audit.columns)
HASHED = COLUMNS[:-1]
"""What a row's hash is made of, in this order."""

START = "0" * 64
"""What the first row holds for the hash of the one before it."""

SIGN_AFTER_ROWS = 1_000
SIGN_AFTER = timedelta(minutes=5)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_HEAD = "head"
_TRAIL = "flyball_audit"

Signer = Callable[[bytes], tuple[str, str] | None]
"""Gives the id of a key and its signature of some bytes, in hexadecimal; None where nothing can sign."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seal:
    """A signed head of the chain.

    Attributes:
        id: The row that was the last one.
        at: When it was signed, in microseconds since 1970 UTC.
        key: SHA-256 of the public key.
        signature: Ed25519 (RFC 8032) of `signed_bytes`, in hexadecimal.
    """

    id: int
    hash: str
    at: int
    key: str
    signature: str


@dataclass(slots=True)
class Trail:
    """What a transaction has to tell the audit log."""

    writes: int = 0
    call: Call | None = None
    events: list[tuple[str, str, int, str]] = field(default_factory=list)
    notes: list[tuple[str, str, str, Principal]] = field(default_factory=list)
    seal: Seal | None = None


class AuditChain:
    """Writes the rows of one database.

    Args:
        sign: What signs heads; without one they are not signed.
        keep: Takes each signed head once it is durable, to keep it outside of the database.
        project: Name of the project that the rows belong to.
    """

    def __init__(
        self, dialect: Any, *, project: str = "", sign: Signer | None = None, keep: Callable[[Seal], None] | None = None
    ) -> None:
        self._dialect = dialect
        self._project = project
        self._sign = sign
        self._keep = keep
        self._texts = _texts(dialect.name)

    def begin(self, connection: sa.Connection) -> Trail:
        """Begins to listen to a transaction."""
        call = under_way()
        trail = Trail(call=call, writes=self._dialect.writes(connection, at_begin=True) if call else 0)
        connection.info[_TRAIL] = trail
        return trail

    def end(self, connection: sa.Connection, trail: Trail) -> None:
        """Writes the rows of a transaction; nothing may be written in it afterwards."""
        connection.info.pop(_TRAIL, None)
        call = trail.call
        if not trail.events and not trail.notes:
            if call is None or self._dialect.writes(connection) == trail.writes:
                return
            trail.notes.append((call.name, call.subject(), "{}", acting()))
        driver: Any = connection.connection.driver_connection
        head = self._head(driver, len(trail.events))
        rows, last_event = self._rows(driver, head, trail, acting())
        if len(rows) == 1:
            driver.execute(self._texts.insert, rows[0])
        else:
            driver.cursor().executemany(self._texts.insert, rows)
        moved = [rows[-1][0], rows[-1][-1], last_event, head[3], head[4]]
        if self._sign is not None and _is_due(moved[0] - head[3], rows[-1][1] - head[4]):
            trail.seal = self._seal_if_able(driver, moved[0], moved[1])
            moved[3:] = (trail.seal.id, trail.seal.at) if trail.seal else moved[3:]
        driver.execute(self._texts.move_head, moved)
        if call is not None:
            call.is_told = True

    def after(self, trail: Trail) -> None:
        """Keeps what was signed, once it is durable."""
        if trail.seal is not None and self._keep is not None:
            try:
                self._keep(trail.seal)
            except OSError:  # the change is durable: whoever made it must not be told otherwise
                logger.exception("a signed head of the audit log could not be kept outside of the database")

    def sign_head(self, connection: sa.Connection) -> Seal | None:
        """Signs the present head; None if there is no row yet, or nothing to sign with."""
        driver: Any = connection.connection.driver_connection
        head = driver.execute(self._texts.read_head, (_HEAD,)).fetchone()
        if head is None or self._sign is None:
            return None
        if head[3] == head[0]:
            row = connection.execute(sa.select(seals).where(seals.c.id == head[0])).first()
            if row is not None:
                return Seal(id=row.id, hash=row.hash, at=row.at, key=row.key, signature=row.signature)
        seal = self._seal(driver, head[0], head[1])
        if seal is None:
            return None
        driver.execute(self._texts.move_head, [head[0], head[1], head[2], seal.id, seal.at])
        connection.info[_TRAIL].seal = seal
        return seal

    def _seal_if_able(self, driver: Any, last: int, last_hash: str) -> Seal | None:
        try:
            return self._seal(driver, last, last_hash)
        except (FlyballError, OSError):  # a key that cannot be used is told by `audit verify`; it stops nobody's work
            logger.exception("the head of the audit log could not be signed")
            return None

    def _seal(self, driver: Any, last: int, last_hash: str) -> Seal | None:
        now = _micros()
        signed = self._sign(signed_bytes(last, last_hash, now)) if self._sign else None
        if signed is None:
            self._sign = None
            return None
        key, signature = signed
        seal = Seal(id=last, hash=last_hash, at=now, key=key, signature=signature)
        driver.execute(self._texts.insert_seal, (seal.id, seal.hash, seal.at, seal.key, seal.signature))
        return seal

    def _head(self, driver: Any, events: int) -> Any:
        """The row of the head, which is locked from here to the end of the transaction."""
        head = driver.execute(self._texts.read_head, (_HEAD,)).fetchone()
        if head is None:
            # Events from before there was an audit log belong to nobody; those of this transaction are the last ones.
            ids = driver.execute(self._texts.last_events, (events + 1,)).fetchall()
            before = ids[-1][0] if len(ids) > events else 0
            driver.execute(self._texts.make_head, (_HEAD, 0, START, before, 0, _micros()))
            head = driver.execute(self._texts.read_head, (_HEAD,)).fetchone()
        return head

    def _rows(self, driver: Any, head: Any, trail: Trail, who: Principal) -> tuple[list[tuple[Any, ...]], int]:
        now, verb = _micros(), trail.call.name if trail.call else ""
        last, previous, last_event = head[0], head[1], head[2]
        told: list[tuple[str, str, int | None, str, Principal]] = []
        if trail.events:
            ids = [row[0] for row in driver.execute(self._texts.events_after, (last_event,)).fetchall()]
            # Nobody else writes events before this transaction ends, so the last ones are its own.
            for number, (kind, subject, at, facts) in zip(ids[-len(trail.events) :], trail.events, strict=True):
                told.append((kind, subject, number, event_digest(number, kind, subject, at, facts), who))
            last_event = ids[-1]
        told += [(action, subject, None, facts, whose) for action, subject, facts, whose in trail.notes]
        rows = []
        for action, subject, event, facts, whose in told:
            last += 1
            project = self._project
            row = (
                last, now, whose.name, whose.kind, whose.token, project, verb, action, subject[:300], event, facts,
                previous,
            )  # fmt: skip
            previous = row_hash(row)
            rows.append((*row, previous))
        return rows, last_event


def tell_event(connection: sa.Connection, kind: str, subject: str, at: int, facts: str) -> None:
    """Says which event a transaction has appended; nothing happens where there is no audit log."""
    trail = connection.info.get(_TRAIL)
    if trail is not None:
        trail.events.append((kind, subject, at, facts))


def note(
    connection: sa.Connection, action: str, subject: object, /, who: Principal | None = None, **facts: JsonValue
) -> None:
    """Notes in the audit log what is no event: what was read, or counted.

    Args:
        connection: The transaction that the row belongs to.
        action: `<room>.<what is done>`.
        subject: The thing it is about.
        who: In whose name; who acts now by default.
        facts: Small plain values; never secret or personal ones, as the row can never be taken out again.
    """
    trail = connection.info.get(_TRAIL)
    if trail is not None:
        trail.notes.append((action, str(subject), to_json(facts).decode(), who or acting()))


def row_hash(row: Sequence[object]) -> str:
    """The hash of a row's fields in the order of `HASHED`."""
    return hashlib.sha256(to_json(list(row))).hexdigest()


def event_digest(number: int, kind: str, subject: str, at: int, facts: str) -> str:
    """SHA-256 of an event as it stands in the event log: what its audit row holds for facts."""
    return hashlib.sha256(to_json([number, kind, subject, at, facts])).hexdigest()


def signed_bytes(number: int, head: str, at: int) -> bytes:
    """What is signed of a head."""
    return f"flyball audit head v1\n{number}\n{head}\n{at}\n".encode()


def micros_of(moment: datetime) -> int:
    """Microseconds since 1970 UTC."""
    return (moment - _EPOCH) // timedelta(microseconds=1)


def _micros() -> int:
    # Never the workspace's own clock: who moves virtual time must not move what was done when.
    return micros_of(SystemClock().now())


def _is_due(rows: int, micros: int) -> bool:
    return rows >= SIGN_AFTER_ROWS or micros >= SIGN_AFTER / timedelta(microseconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Texts:
    """The statements, in the words of a driver: what SQLAlchemy does around one costs more than the statement."""

    read_head: str
    insert: str = (
        "INSERT INTO audit (id, at, who, kind, token, project, verb, action, subject, event, facts, previous, hash) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
    )
    insert_seal: str = "INSERT INTO audit_seals (id, hash, at, key, signature) VALUES (?, ?, ?, ?, ?)"
    make_head: str = (
        "INSERT INTO audit_head (name, id, hash, event, signed_id, signed_at) VALUES (?, ?, ?, ?, ?, ?) "
        "ON CONFLICT DO NOTHING"
    )
    move_head: str = "UPDATE audit_head SET id = ?, hash = ?, event = ?, signed_id = ?, signed_at = ?"
    events_after: str = "SELECT id FROM events WHERE id > ? ORDER BY id"
    last_events: str = "SELECT id FROM events ORDER BY id DESC LIMIT ?"


_READ_HEAD = "SELECT id, hash, event, signed_id, signed_at FROM audit_head WHERE name = ?"


@lru_cache(maxsize=2)
def _texts(dialect: str) -> _Texts:
    if dialect != "postgresql":
        return _Texts(read_head=_READ_HEAD)
    plain = _Texts(read_head=f"{_READ_HEAD} FOR UPDATE")
    return _Texts(**{each.name: getattr(plain, each.name).replace("?", "%s") for each in fields(plain)})
