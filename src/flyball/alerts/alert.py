"""Alerts: what was found, since when, how often, and what became of it."""

from __future__ import annotations

import builtins
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from typing import Any, Literal

import sqlalchemy as sa

from flyball.alerts import _store
from flyball.alerts.outbox import Delivery, Outbox, What
from flyball.clock import Clock, parse_time
from flyball.errors import Conflict, InvalidInput, NotFound, did_you_mean
from flyball.principals import who
from flyball.refs import Ref, check_name, new_id
from flyball.serialization import JsonValue
from flyball.storage.database import Database
from flyball.storage.event_log import EventLog
from flyball.verbs import change, read

Severity = Literal["info", "warning", "critical"]
AlertState = Literal["open", "acknowledged", "resolved"]
SEVERITIES: tuple[Severity, ...] = ("info", "warning", "critical")


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """A finding that someone should know of.

    Attributes:
        kind: What was found, such as `drift`, `decay`, `training`, `rollback`.
        subject: Text of the `Ref` that it is about.
        cause: What brought it about. While an alert of a subject and cause is not resolved, it is found again and
            not opened anew.
        severity: The highest it was found with.
        facts: The evidence, as plain values.
        count: How often it was found.
        acknowledged_by: Who said that they take care of it.
        assigned_to: Who was asked to take care of it.
        resolution: Why it is resolved.
    """

    id: str
    severity: Severity
    kind: str
    subject: str
    cause: str
    title: str
    detail: str = ""
    facts: dict[str, JsonValue] = field(default_factory=dict)
    state: AlertState = "open"
    opened: datetime
    last_seen: datetime
    count: int = 1
    resolved: datetime | None = None
    acknowledged_by: str = ""
    resolution: str = ""
    assigned_to: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence:
    """A time in which channels do not tell certain alerts.

    Attributes:
        subject: Which alerts by what they are about; `*` stands for anything.
        cause: Which alerts by what brought them about; `*` stands for anything.
        until: When it ends, by the workspace's clock.
    """

    id: str
    subject: str
    cause: str
    until: datetime
    reason: str = ""
    by: str = ""
    created: datetime

    def covers(self, alert: Alert) -> bool:
        """Whether it is about that alert."""
        return fnmatchcase(alert.subject, self.subject) and fnmatchcase(alert.cause, self.cause)


class Alerts:
    """Keeps alerts, and the outbox of what is to be told of them."""

    def __init__(self, database: Database, events: EventLog, clock: Clock) -> None:
        self._database = database
        self._events = events
        self._clock = clock
        self.outbox = Outbox(database, events, clock)

    @change
    def open(
        self,
        severity: Severity,
        kind: str,
        subject: str,
        cause: str,
        title: str,
        detail: str = "",
        facts: dict[str, JsonValue] | None = None,
    ) -> Alert:
        """Opens an alert; one of the same subject and cause that is not resolved is counted up instead.

        Args:
            severity: `info`, `warning` or `critical`; a higher one than before is told anew.
            subject: Text of the `Ref` that it is about, such as `loops:/churn`.
            cause: What brought it about, such as `drift:age`.
            title: What was found, in one sentence.
            detail: More of it: how sure, why, what was done, what a person should decide.
            facts: The evidence, as plain values.

        Raises:
            InvalidInput: severity, kind, subject or cause cannot be used.
        """
        now = self._clock.now()
        ref = Ref.parse(_check(subject, "subject"))
        found = {
            "severity": _check_severity(severity),
            "title": _kept(title, 500),
            "detail": _kept(detail, 20_000),
            "facts": facts or {},
            "last_seen": now,
        }
        named = {"kind": check_name(kind, "kind of alert"), "subject": str(ref), "cause": _check(cause, "cause")}
        with self._database.transaction() as connection:
            # Another one may open it between our look and our insert; then it is there at the next look.
            for _ in range(5):
                row = _store.active(connection, str(ref), cause)
                if row is not None:
                    return self._seen_again(connection, row, found)
                new = {
                    "id": new_id(), "owner": ref.name, "state": "open", "opened": now, "count": 1,
                    "acknowledged_by": "", "resolution": "", **named, **found,
                }  # fmt: skip
                insert = self._database.insert(_store.alerts).values(new).on_conflict_do_nothing()
                made = connection.execute(insert.returning(_store.alerts)).first()
                if made is not None:
                    return self._tell(connection, made, "opened")
        raise Conflict(f"The alert '{cause}' about {subject} is opened and resolved at once.", hint="Try again.")

    @change
    def acknowledge(self, id: str, by: str = "") -> Alert:
        """Says that someone takes care of it; it stays until it is resolved.

        Raises:
            NotFound: there is no such alert.
            Conflict: it is resolved.
        """
        with self._database.transaction() as connection:
            row = self._unresolved(connection, id)
            if row.state == "acknowledged":
                return _alert_of(row)
            changed = self._update(connection, id, state="acknowledged", acknowledged_by=_kept(who(by), 250))
            return self._tell(connection, changed, "acknowledged", by=_kept(who(by), 250))

    @change
    def assign(self, id: str, to: str, by: str = "") -> Alert:
        """Asks someone to take care of it; an empty name takes that back.

        Raises:
            NotFound: there is no such alert.
            Conflict: it is resolved.
        """
        with self._database.transaction() as connection:
            row = self._unresolved(connection, id)
            if row.assigned_to == _kept(to, 250):
                return _alert_of(row)
            changed = self._update(connection, id, assigned_to=_kept(to, 250))
            return self._tell(connection, changed, "assigned", to=_kept(to, 250), by=_kept(who(by), 250))

    @change
    def resolve(self, id: str, reason: str = "") -> Alert:
        """Ends an alert; one that is resolved stays as it is.

        Raises:
            NotFound: there is no such alert.
        """
        with self._database.transaction() as connection:
            row = self._locked(connection, id)
            if row.state == "resolved":
                return _alert_of(row)
            ended = {"state": "resolved", "resolved": self._clock.now(), "resolution": _kept(reason, 20_000)}
            return self._tell(connection, self._update(connection, id, **ended), "resolved", reason=_kept(reason, 500))

    @read
    def get(self, id: str) -> Alert:
        """One alert.

        Raises:
            NotFound: there is no such alert.
        """
        row = self._database.row(sa.select(_store.alerts).where(_store.alerts.c.id == id))
        if row is None:
            raise _no_alert(id)
        return _alert_of(row)

    @read
    def list_deliveries(self, id: str) -> list[Delivery]:
        """What of an alert was sent where, and what could not be sent.

        Raises:
            NotFound: there is no such alert.
        """
        self.get(id)
        return self.outbox.deliveries(id)

    @read
    def list(self, state: str = "", subject: str = "", limit: int = 100, before: str = "") -> list[Alert]:
        """Alerts, newest first.

        Args:
            state: `open`, `acknowledged` or `resolved`; `active` for those that are not resolved. All by default.
            subject: Only those about this; one that ends with a slash stands for all beneath it.
            before: Id of the alert that the page before ended with.

        Raises:
            InvalidInput: there is no such state.
        """
        table = _store.alerts
        known = ("open", "acknowledged", "resolved", "active")
        if state and state not in known:
            raise InvalidInput(f"There is no state '{state[:40]}'.", hint=did_you_mean(state, known))
        query = sa.select(table)
        if state:
            query = query.where(table.c.state != "resolved" if state == "active" else table.c.state == state)
        if subject:
            beneath = table.c.subject.startswith(subject, autoescape=True)
            query = query.where(beneath if subject.endswith("/") else table.c.subject == subject)
        query = query.where(table.c.id < before) if before else query
        rows = self._database.rows(query.order_by(table.c.id.desc()).limit(max(1, min(limit, 1000))))
        return [_alert_of(row) for row in rows]

    @change
    def silence(
        self,
        until: datetime,
        subject: str = "*",
        cause: str = "*",
        reason: str = "",
        by: str = "",
    ) -> Silence:
        """Keeps channels from telling certain alerts for a while; they are still found, counted and listed.

        What is still not resolved when the silence ends is told then.

        Args:
            until: When it ends, by the workspace's clock; at most a year from now.
            subject: Which alerts by what they are about; `*` stands for anything, as in `loops:/churn` or `*:/churn`.
            cause: Which alerts by what brought them about, such as `drift:*`.

        Raises:
            InvalidInput: the end is not in the future or too far, or a pattern cannot be one.
        """
        now = self._clock.now()
        end = parse_time(until)
        if not now < end <= now + timedelta(days=366):
            raise InvalidInput(f"A silence until {end:%Y-%m-%d %H:%M} UTC ends in the past, or too late.",
                hint="Give a time within the next year.")  # fmt: skip
        made = Silence(
            id=new_id(), subject=_check(subject, "subject"), cause=_check(cause, "cause"), until=end,
            reason=_kept(reason, 20_000), by=_kept(who(by), 250), created=now,
        )  # fmt: skip
        with self._database.transaction() as connection:
            row = {name: getattr(made, name) for name in Silence.__dataclass_fields__}
            connection.execute(sa.insert(_store.silences).values(row))
            told = {"silence": made.id, "cause": made.cause, "until": made.until.isoformat(), "by": made.by}
            self._events.append(connection, "alerts.silenced", made.subject, **told)
        return made

    @change
    def end_silence(self, id: str) -> None:
        """Ends a silence before its time; one that is over stays as it is.

        Raises:
            NotFound: there is no such silence.
        """
        table = _store.silences
        now = self._clock.now()
        with self._database.transaction() as connection:
            row = connection.execute(sa.select(table).where(table.c.id == id).with_for_update()).first()
            if row is None:
                raise NotFound(f"There is no silence '{id[:40]}'.", id=id[:40])
            if row.until > now:
                connection.execute(sa.update(table).where(table.c.id == id).values(until=now))
                self._events.append(connection, "alerts.silence_ended", row.subject, silence=id, cause=row.cause)

    @read
    def list_silences(self, with_past: bool = False, limit: int = 1000) -> builtins.list[Silence]:
        """Silences, the one that ends last first.

        Args:
            with_past: Whether those that are over are listed too.
        """
        table = _store.silences
        query = sa.select(table) if with_past else sa.select(table).where(table.c.until > self._clock.now())
        rows = self._database.rows(query.order_by(table.c.until.desc(), table.c.id).limit(max(1, min(limit, 1000))))
        return [Silence(**row._mapping) for row in rows]

    def _seen_again(self, connection: sa.Connection, row: sa.Row[Any], found: dict[str, Any]) -> Alert:
        rises = SEVERITIES.index(found["severity"]) > SEVERITIES.index(row.severity)
        severity = found["severity"] if rises else row.severity
        changed = self._update(connection, row.id, **{**found, "severity": severity}, count=row._mapping["count"] + 1)
        return self._tell(connection, changed, "escalated") if rises else _alert_of(changed)

    def _update(self, connection: sa.Connection, id: str, **values: Any) -> sa.Row[Any]:
        update = sa.update(_store.alerts).where(_store.alerts.c.id == id).values(**values)
        return connection.execute(update.returning(_store.alerts)).one()

    def _unresolved(self, connection: sa.Connection, id: str) -> sa.Row[Any]:
        row = self._locked(connection, id)
        if row.state == "resolved":
            raise Conflict(f"Alert '{id}' is resolved.", id=id)
        return row

    def _locked(self, connection: sa.Connection, id: str) -> sa.Row[Any]:
        row = connection.execute(sa.select(_store.alerts).where(_store.alerts.c.id == id).with_for_update()).first()
        if row is None:
            raise _no_alert(id)
        return row

    def _tell(
        self, connection: sa.Connection, row: sa.Row[Any], what: What | Literal["assigned"], **facts: str
    ) -> Alert:
        alert = _alert_of(row)
        if what != "assigned":
            self.outbox.note(connection, alert.id, row.owner, what)
        told = {"alert": alert.id, "severity": alert.severity, "kind": alert.kind, "title": alert.title, **facts}
        self._events.append(connection, f"alerts.{what}", alert.subject, **told)
        return alert


def _alert_of(row: sa.Row[Any]) -> Alert:
    return Alert(**{name: row._mapping[name] for name in Alert.__dataclass_fields__})


def _no_alert(id: str) -> NotFound:
    return NotFound(f"There is no alert '{id[:40]}'.", id=id[:40])


def _check_severity(severity: str) -> str:
    if severity not in SEVERITIES:
        raise InvalidInput(f"There is no severity '{severity[:40]}'.", hint=did_you_mean(severity, SEVERITIES))
    return severity


def _check(text: str, what: str) -> str:
    if not 0 < len(text) <= 300 or not text.isprintable():
        raise InvalidInput(
            f"{text[:60]!r} cannot be the {what} of an alert.", hint="Use 1 to 300 printable characters."
        )
    return text


def _kept(text: str, longest: int) -> str:
    # An alert is kept whatever its text holds: what cannot be said in full is better said in part.
    return text.replace("\0", "").encode("utf-8", "replace").decode()[:longest]
