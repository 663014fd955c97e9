"""The audit log as people read it: who did what to which thing and when, proof that nothing of it was touched, and exports."""

from __future__ import annotations

import builtins
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import sqlalchemy as sa

from flyball.clock import format_time
from flyball.errors import InvalidInput, NotFound, PermissionDenied
from flyball.governance.audit_check import AuditCheck, BrokenRow, Checker
from flyball.governance.audit_keys import AuditKey, key_id, public_bytes, public_of
from flyball.principals import acting
from flyball.serialization import JsonValue, from_json, to_json, to_plain
from flyball.storage.audit_chain import COLUMNS, HASHED, Seal, audit, heads, micros_of, note, seals
from flyball.storage.database import Database
from flyball.storage.event_log import events
from flyball.verbs import read

_PAGE = 5_000
_MOST = 10_000
ExportFormat = Literal["jsonl", "syslog"]


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditRow:
    """One thing that was done.

    Attributes:
        id: Place in the log; grows by one.
        at: When, by the clock of the machine that wrote it.
        who: Name of the account.
        kind: `user`, `service`, `worker` or `system`.
        token: Id of the token they came with; empty where there was none.
        verb: What was asked for, as `<room>.<verb>`; empty where the platform acted by itself.
        action: What happened: the kind of the event, or the verb where there is none.
        subject: The thing it was done to.
        event: Its place in the event log; None for what is no event.
        facts: What else is known of it.
        previous: Hash of the row before.
        hash: SHA-256 of all of the above as it is kept.
    """

    id: int
    at: datetime
    who: str
    kind: str
    token: str
    project: str
    verb: str
    action: str
    subject: str
    event: int | None
    facts: dict[str, JsonValue]
    previous: str
    hash: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditExport:
    """A part of the log as lines of text.

    Attributes:
        lines: One for each row.
        last: Id of the last row in it; ask for what comes after it next.
        is_all: Whether it is the last part.
        head: The signed head of the log; None where nothing signs it.
        public_key: What the head can be checked with, as PEM.
    """

    lines: tuple[str, ...]
    last: int
    is_all: bool
    head: Seal | None = None
    public_key: str = ""


class Audit:
    """Reads the audit log. It takes an auditor, or an owner; nothing here writes but what an export leaves behind."""

    def __init__(self, database: Database, key: AuditKey) -> None:
        self._database = database
        self._key = key

    @read(role="none")
    def list(
        self,
        after: int = 0,
        before: int = 0,
        who: str = "",
        action: str = "",
        subject: str = "",
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int = 100,
        newest_first: bool = True,
    ) -> builtins.list[AuditRow]:
        """What was done, newest first.

        Args:
            after: Only rows whose id is greater.
            before: Only rows whose id is smaller; 0 for all.
            who: Only by this account.
            action: Only this action or verb; one that ends with a dot stands for all of that room.
            subject: Only what was done to this; one that ends with a slash stands for all beneath it.
            since: Only from this moment on.
            until: Only before this moment.
            limit: At most this many, up to 10,000.

        Raises:
            PermissionDenied: who asks is neither an auditor nor an owner.
        """
        rows = self._rows(after, before, who, action, subject, since, until, limit, newest_first=newest_first)
        return [_noun(row) for row in rows]

    def _rows(
        self, after: int = 0, before: int = 0, who: str = "", action: str = "", subject: str = "",
        since: datetime | None = None, until: datetime | None = None, limit: int = 100, *, newest_first: bool = False,
    ) -> builtins.list[sa.Row[Any]]:  # fmt: skip
        _check_reader()
        query = sa.select(audit, events.c.facts.label("told")).outerjoin(events, events.c.id == audit.c.event)
        query = query.where(audit.c.id > after)
        if before:
            query = query.where(audit.c.id < before)
        if who:
            query = query.where(audit.c.who == who)
        if action:
            query = query.where(sa.or_(_matches(audit.c.action, action, "."), _matches(audit.c.verb, action, ".")))
        if subject:
            query = query.where(_matches(audit.c.subject, subject, "/"))
        if since is not None:
            query = query.where(audit.c.at >= micros_of(_aware(since)))
        if until is not None:
            query = query.where(audit.c.at < micros_of(_aware(until)))
        order = audit.c.id.desc() if newest_first else audit.c.id
        return self._database.rows(query.order_by(order).limit(max(1, min(limit, _MOST))))

    @read(role="none")
    def show(self, id: int) -> AuditRow:
        """One row with all that is known of it.

        Raises:
            NotFound: there is none of this id.
            PermissionDenied: who asks is neither an auditor nor an owner.
        """
        found = self.list(after=id - 1, before=id + 1, limit=1)
        if not found:
            raise NotFound(f"There is no row {id} in the audit log.")
        return found[0]

    @read(role="none")
    def verify(self, public_keys: Sequence[str] = ()) -> AuditCheck:
        """Looks through the whole log for the first row that is not what was written.

        Heads that this instance's own key has signed are checked, and those of further keys that are named here.

        Args:
            public_keys: Further trusted keys, as PEM.

        Raises:
            PermissionDenied: who asks is neither an auditor nor an owner.
            InvalidInput: a key is none.
        """
        _check_reader()
        own = self._key.public()
        keys = {key_id(public_bytes(key)): key for key in map(public_of, [*([own] if own else []), *public_keys])}
        with self._database.reading() as connection:
            head = connection.execute(sa.select(heads)).first()
            known = [Seal(**row._mapping) for row in connection.execute(sa.select(seals).order_by(seals.c.id))]
            checker = Checker([*known, *self._key.kept()], keys)
            audited = _walk(connection, checker)
            found = checker.result(None if head is None else (head.id, head.hash))
            if found.broken is None and head is not None:
                checker.broken = _event_beside(connection, audited, head.event)
                found = checker.result()
        return found

    @read(role="none")
    def export(self, after: int = 0, limit: int = 1_000, format: ExportFormat = "jsonl") -> AuditExport:
        """A part of the log as lines: JSON, or syslog messages (RFC 5424), oldest first. The head is signed, and the export noted.

        Args:
            after: Only rows whose id is greater.
            limit: At most this many, up to 10,000.

        Raises:
            PermissionDenied: who asks is neither an auditor nor an owner.
        """
        _check_reader()
        if after == 0:
            with self._database.transaction() as connection:
                note(connection, "audit.exported", "audit", format=format)
        found = self._rows(after, limit=limit)
        last = found[-1].id if found else after
        head = None
        if len(found) < limit:
            head = self._sign_head()
        lines = tuple(map(_syslog if format == "syslog" else _json_line, found))
        return AuditExport(
            lines=lines, last=last, is_all=len(found) < limit, head=head, public_key=self._key.public() if head else ""
        )

    def note(self, action: str, subject: object, /, **facts: JsonValue) -> None:
        """Notes a read of protected data that is done here."""
        with self._database.transaction() as connection:
            note(connection, action, subject, **facts)

    def _sign_head(self) -> Seal | None:
        chain: Any = self._database.audit
        if chain is None:
            return None
        with self._database.transaction() as connection:
            seal: Seal | None = chain.sign_head(connection)
        return seal


def _walk(connection: sa.Connection, checker: Checker) -> tuple[int, int]:
    """Hands all rows to the checker; gives the first event that has a row, and how many have."""
    last, first, count = 0, 0, 0
    while True:
        rows = connection.execute(
            sa.select(*(audit.c[name] for name in COLUMNS)).where(audit.c.id > last).order_by(audit.c.id).limit(_PAGE)
        ).all()
        told = [row.event for row in rows if row.event is not None]
        first, count = first or (told[0] if told else 0), count + len(told)
        if not rows or not checker.take(rows, _events_of(connection, told)):
            return first, count
        last = rows[-1].id


def _events_of(connection: sa.Connection, ids: Sequence[int]) -> Callable[[int], Sequence[Any] | None]:
    table = events.c
    at, facts = sa.type_coerce(table.at, sa.BigInteger), sa.type_coerce(table.facts, sa.Text)
    query = sa.select(table.id, table.kind, table.subject, at, facts)
    found: dict[int, Sequence[Any]] = {}
    if ids:
        rows = connection.execute(query.where(table.id >= min(ids), table.id <= max(ids)))
        found = {row[0]: tuple(row) for row in rows}
    return found.get


def _event_beside(connection: sa.Connection, audited: tuple[int, int], last: int) -> BrokenRow | None:
    """An event that no row tells of, and so was put into the event log by another way."""
    first, count = audited
    if not first:
        return None
    here = sa.and_(events.c.id >= first)
    if connection.execute(sa.select(sa.func.count()).select_from(events).where(here)).scalar_one() == count:
        return None
    beside = sa.select(events.c.id).outerjoin(audit, audit.c.event == events.c.id).where(here, audit.c.id.is_(None))
    number = connection.execute(beside.order_by(events.c.id).limit(1)).scalar()
    if number is None or number > last:
        return None  # it was appended while we looked
    return BrokenRow(id=0, what="event inserted", why=f"No row tells of event {number}.")


def _check_reader() -> None:
    who = acting()
    if not (who.auditor or who.may("owner")):
        raise PermissionDenied(
            f"{who.name} may not read the audit log: it takes an auditor, or an owner of the project.",
            hint="Ask an owner, or whoever looks after the instance.",
        )


def _matches(column: Any, text: str, end: str) -> sa.ColumnElement[bool]:
    found: sa.ColumnElement[bool] = column.startswith(text, autoescape=True) if text.endswith(end) else column == text
    return found


def _aware(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _noun(row: sa.Row[Any]) -> AuditRow:
    fields = {name: getattr(row, name) for name in COLUMNS if name not in ("at", "facts")}
    facts = row.told if row.event is not None else from_json(row.facts, dict[str, Any])
    return AuditRow(**fields, at=_moment(row.at), facts=facts or {})


def _moment(micros: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=micros)


def _json_line(row: sa.Row[Any]) -> str:
    """A row for programs; `hashed` is what its hash is made of, so that it can be checked without us."""
    return to_json({**to_plain(_noun(row)), "hashed": [getattr(row, name) for name in HASHED]}).decode()


def _syslog(kept: sa.Row[Any]) -> str:
    """A row as RFC 5424 has it: facility 13 (log audit), severity 5 (notice)."""
    row = _noun(kept)
    said = {
        "id": str(row.id), "who": row.who, "kind": row.kind, "token": row.token, "project": row.project,
        "verb": row.verb, "subject": row.subject, "previous": row.previous, "hash": row.hash,
    }  # fmt: skip
    data = " ".join(f'{name}="{_escaped(value)}"' for name, value in said.items())
    message = "".join(c for c in row.action if 33 <= ord(c) <= 126)[:32] or "-"
    text = f"{row.who} {row.action} {row.subject}".replace("\n", " ")
    return f"<109>1 {format_time(row.at)} - flyball - {message} [audit@32473 {data}] \ufeff{text}"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("]", "\\]").replace("\n", " ")


def rows_of_lines(lines: Iterable[str]) -> Iterator[tuple[Any, ...]]:
    """The fields of exported rows, as `Checker` takes them.

    Raises:
        InvalidInput: a line is no exported row, or one of syslog, which does not hold all of them.
    """
    for line in lines:
        row = from_json(line, dict[str, Any])
        if not isinstance(row.get("hashed"), list) or len(row["hashed"]) != len(HASHED):
            raise InvalidInput(
                "This is no export of an audit log as JSON lines.", hint="Make one with `flyball audit export`."
            )
        yield (*row["hashed"], row.get("hash"))
