"""Approvals: what named people say of a version before it may go live."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import sqlalchemy as sa

from flyball.clock import Clock
from flyball.errors import Conflict, InvalidInput, NotFound, PermissionDenied
from flyball.principals import acting, who
from flyball.refs import Ref, new_id
from flyball.registry import _people_store as _people
from flyball.registry import _store
from flyball.registry.verdicts import Verdict
from flyball.serialization import JsonValue
from flyball.storage.database import Database
from flyball.storage.event_log import EventLog
from flyball.storage.objects import Blobs
from flyball.tracking import limits
from flyball.verbs import change, read

ApprovalState = Literal["requested", "approved", "rejected", "withdrawn"]
_MOST_APPROVERS = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """What one person said of a request."""

    by: str
    word: Literal["approve", "reject"]
    reason: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """A request that a version be approved, and what came of it.

    Attributes:
        approvers: Who may decide; empty for everybody.
        needed: How many different people must approve. One who rejects ends it.
        four_eyes: Whether the one who asked may not decide.
        decided: When it was approved, rejected or withdrawn; None while it is open.
    """

    id: str
    model: str
    version: int
    state: ApprovalState
    requested_by: str
    approvers: tuple[str, ...] = ()
    needed: int = 1
    four_eyes: bool = False
    note: str = ""
    requested: datetime
    decided: datetime | None = None
    words: tuple[Word, ...] = ()

    @property
    def approved_by(self) -> tuple[str, ...]:
        """Who has approved it."""
        return tuple(word.by for word in self.words if word.word == "approve")


class Approvals:
    """Keeps requests for approval and what people say of them."""

    def __init__(self, database: Database, blobs: Blobs, events: EventLog, clock: Clock) -> None:
        self._database = database
        self._blobs = blobs
        self._events = events
        self._clock = clock

    @change
    def request(
        self,
        ref: str,
        by: str,
        approvers: tuple[str, ...] = (),
        needed: int = 1,
        four_eyes: bool = False,
        note: str = "",
    ) -> Approval:
        """Asks that a version be approved. Asking again while a request is open changes nothing if it asks for the same.

        Args:
            ref: The version, `churn/3` or `churn@alias`.
            by: Who asks.
            approvers: Who may decide; everybody by default.
            needed: How many different people must approve.
            four_eyes: The one who asks may not decide.
            note: What they should know.

        Raises:
            Conflict: another request is open, or the version is retired.
            InvalidInput: so many people cannot approve it.
        """
        by, able = _people.person(who(by)), _approvers(approvers)
        _check_can_succeed(by, able, needed, four_eyes)
        asked = {
            "requested_by": by, "approvers": able, "needed": needed, "four_eyes": four_eyes,
            "note": limits.check_text(note, "note", 10_000),
        }  # fmt: skip
        with self._database.transaction() as connection:
            row = _people.locked_row(connection, ref)
            _refuse_retired(row)
            found = _open(connection, row.model, row.version)
            if found is not None:
                if all(getattr(found, name) == value for name, value in asked.items()):
                    return found
                raise Conflict(
                    f"A request of {found.requested_by} is open on version {row.version} of '{row.model}'.",
                    hint="Decide or withdraw it first.",
                    approval=found.id,
                )
            fresh = {"id": new_id(), "model": row.model, "version": row.version, "state": "requested", **asked}
            connection.execute(sa.insert(_people.approvals).values(**fresh, requested=self._clock.now(), decided=None))
            self._tell(connection, "approval_requested", row, by=by, needed=needed)
            return _get(connection, fresh["id"])

    @change(role="maintainer")
    def approve(self, ref: str, by: str, reason: str = "") -> Approval:
        """Says yes. With the last one that is needed, a version that only waited for this is judged anew.

        Raises:
            NotFound: there is no open request.
            PermissionDenied: they are not among those who may decide, or asked for it themselves.
            Conflict: they have spoken already.
        """
        return self._say(ref, by, "approve", reason)

    @change(role="maintainer")
    def reject(self, ref: str, by: str, reason: str) -> Approval:
        """Says no, which ends the request.

        Raises:
            NotFound: there is no open request.
            PermissionDenied: they are not among those who may decide, or asked for it themselves.
            InvalidInput: no reason is given.
        """
        if not reason.strip():
            raise InvalidInput("A version is not rejected without a reason.", hint="Say what is to be mended.")
        return self._say(ref, by, "reject", reason)

    @change
    def withdraw(self, ref: str, by: str) -> Approval:
        """Takes a request back.

        Raises:
            NotFound: there is no open request.
            PermissionDenied: someone else has asked for it.
        """
        by = _people.person(who(by))
        with self._database.transaction() as connection:
            row = _people.locked_row(connection, ref)
            found = _wanted(connection, row)
            if found.requested_by != by:
                raise PermissionDenied(f"{found.requested_by} asked for this, not {by}.")
            self._end(connection, found.id, "withdrawn")
            self._tell(connection, "approval_withdrawn", row, by=by)
            return _get(connection, found.id)

    @read
    def list(
        self, ref: str = "", state: ApprovalState | None = None, limit: int = 100, before: str = ""
    ) -> list[Approval]:
        """Requests, newest first.

        Args:
            ref: Only those of this version, or of all versions of this model.
            state: Only those that stand so.
            before: Only those older than the request of this id.
        """
        table = _people.approvals
        query = sa.select(table)
        query = query.where(table.c.state == state) if state else query
        query = query.where(table.c.id < before) if before else query
        with self._database.reading() as connection:
            if ref:
                parsed = Ref.parse(ref, kind="models")
                query = query.where(table.c.model == parsed.name)
                if parsed.version or parsed.alias:
                    query = query.where(table.c.version == _store.resolve(connection, parsed))
            rows = connection.execute(query.order_by(table.c.id.desc()).limit(max(1, min(limit, 1000)))).all()
            return _with_words(connection, rows)

    def _say(self, ref: str, by: str, word: Literal["approve", "reject"], reason: str) -> Approval:
        by, reason = _people.person(who(by)), _people.reason_of(reason)
        with self._database.transaction() as connection:
            row = _people.locked_row(connection, ref)
            found = _wanted(connection, row)
            _check_may_decide(found, by)
            if word == "approve":
                _refuse_retired(row)
            said = {"approval": found.id, "by": by, "word": word, "reason": reason, "at": self._clock.now()}
            connection.execute(sa.insert(_people.words).values(said))
            if word == "reject":
                self._end(connection, found.id, "rejected")
                self._tell(connection, "version_rejected", row, by=by, reason=reason)
            elif len(found.approved_by) + 1 >= found.needed:
                self._end(connection, found.id, "approved")
                self._tell(connection, "version_approved", row, by=[*found.approved_by, by], reason=reason)
                self._take_up_again(connection, row)
            return _get(connection, found.id)

    def _end(self, connection: sa.Connection, approval: str, state: ApprovalState) -> None:
        table = _people.approvals
        ended = sa.update(table).where(table.c.id == approval)
        connection.execute(ended.values(state=state, decided=self._clock.now()))

    def _take_up_again(self, connection: sa.Connection, row: sa.Row[Any]) -> None:
        """Makes a version a candidate again that was held back by nothing but the missing approval."""
        if row.stage not in ("candidate", "archived") or not _waited(row.verdict):
            return
        table = _store.versions
        mine = sa.and_(table.c.model == row.model, table.c.version == row.version)
        anew = sa.update(table).where(mine)
        connection.execute(anew.values(stage="candidate", verdict=None, updated=self._clock.now()))
        if row.stage != "candidate":
            self._tell(
                connection, "stage_changed", row, stage="candidate", previous=row.stage, reason="it has been approved"
            )

    def _tell(self, connection: sa.Connection, what: str, row: sa.Row[Any], **facts: JsonValue) -> None:
        subject = _people.version_ref(row)
        self._events.append(connection, f"registry.{what}", subject, model=row.model, version=row.version, **facts)


def approvals_of(connection: sa.Connection, model: str, version: int) -> list[Approval]:
    """The requests of a version, newest first."""
    table = _people.approvals
    query = sa.select(table).where(table.c.model == model, table.c.version == version).order_by(table.c.id.desc())
    return _with_words(connection, connection.execute(query.limit(1000)).all())


def _approvers(names: tuple[str, ...]) -> tuple[str, ...]:
    limits.check_count(len(names), "approvers", _MOST_APPROVERS)
    return tuple(dict.fromkeys(_people.person(name) for name in names))


def _check_can_succeed(by: str, approvers: tuple[str, ...], needed: int, four_eyes: bool) -> None:
    if not 1 <= needed <= _MOST_APPROVERS:
        raise InvalidInput(f"{needed} approvals are asked for.", hint=f"Ask for 1 to {_MOST_APPROVERS}.")
    able = [name for name in approvers if not (four_eyes and name == by)]
    if approvers and len(able) < needed:
        more = f", {by} not counted" if len(able) < len(approvers) else ""
        raise InvalidInput(
            f"{needed} must approve and {len(able)} may{more}.", hint="Name more approvers, or ask for fewer."
        )


def _check_may_decide(found: Approval, by: str) -> None:
    if found.approvers and by not in found.approvers:
        raise PermissionDenied(
            f"{by} may not decide on version {found.version} of '{found.model}'.",
            hint=f"Ask {', '.join(found.approvers)}.",
        )
    if (found.four_eyes or acting().proven) and by == found.requested_by:
        raise PermissionDenied(f"{by} asked for this approval and may not give it.", hint="Someone else has to look.")
    if any(word.by == by for word in found.words):
        raise Conflict(f"{by} has spoken already.")


def _refuse_retired(row: sa.Row[Any]) -> None:
    if row.stage == "retired":
        raise Conflict(f"Version {row.version} of '{row.model}' is retired.", hint="Restore it first.")


def _waited(verdict: Verdict | None) -> bool:
    held = [] if verdict is None else [decision.gate for decision in verdict.decisions if not decision.passed]
    return bool(held) and all(gate == "approved" or gate.startswith("approved(") for gate in held)


def _wanted(connection: sa.Connection, row: sa.Row[Any]) -> Approval:
    found = _open(connection, row.model, row.version)
    if found is None:
        raise NotFound(
            f"Nobody has asked for an approval of version {row.version} of '{row.model}', or it is decided.",
            hint=f"Ask with `flyball models request {row.model}/{row.version}`.",
        )
    return found


def _open(connection: sa.Connection, model: str, version: int) -> Approval | None:
    table = _people.approvals
    wanted = sa.and_(table.c.model == model, table.c.version == version, table.c.state == "requested")
    found = _with_words(connection, connection.execute(sa.select(table).where(wanted)).all())
    return found[0] if found else None


def _get(connection: sa.Connection, approval: str) -> Approval:
    query = sa.select(_people.approvals).where(_people.approvals.c.id == approval)
    return _with_words(connection, [connection.execute(query).one()])[0]


def _with_words(connection: sa.Connection, rows: Any) -> list[Approval]:
    table = _people.words
    query = sa.select(table).where(table.c.approval.in_([row.id for row in rows])).order_by(table.c.number)
    said: dict[str, list[Word]] = {}
    for word in connection.execute(query) if rows else ():
        said.setdefault(word.approval, []).append(Word(by=word.by, word=word.word, reason=word.reason, at=word.at))
    return [Approval(**row._mapping, words=tuple(said.get(row.id, ()))) for row in rows]
