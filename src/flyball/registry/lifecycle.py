"""The end of a version's life, and the way back: deprecation, retirement, rollback."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from flyball.clock import Clock, parse_time
from flyball.errors import Conflict, InvalidInput, NotFound
from flyball.principals import who
from flyball.refs import Ref
from flyball.registry import _people_store as _people
from flyball.registry import _store
from flyball.registry.holds import holders_of
from flyball.registry.versions import CHAMPION, ModelVersion, Registry, Stage
from flyball.serialization import JsonValue
from flyball.storage.database import Database
from flyball.storage.event_log import EventLog
from flyball.storage.objects import Blobs, check_digest
from flyball.storage.references import referred_to
from flyball.verbs import change, read

_ROLLED_BACK = "rolled back"


@dataclass(frozen=True, slots=True, kw_only=True)
class Deprecation:
    """Word that a version should no longer be used, though it still can be.

    Attributes:
        until: When it is to be retired; None if nobody has said.
        instead: Reference of what to use instead; empty for nothing in particular.
    """

    model: str
    version: int
    reason: str
    by: str
    at: datetime
    until: datetime | None = None
    instead: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Retirement:
    """Word that a version is no longer used.

    Attributes:
        former_stage: Where it stood before.
        keeps_files: Whether its files stay for as long as nobody says otherwise.
        freed_files: How many of its files were removed: those that nothing else refers to. Freed bytes: their size.
    """

    model: str
    version: int
    reason: str
    by: str
    at: datetime
    former_stage: Stage
    keeps_files: bool
    freed_files: int
    freed_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How a version stands in its life.

    Attributes:
        held_by: References of what needs it now, such as `deployments:/churn`.
        missing: Its files whose bytes are not kept any more, by name.
    """

    model: str
    version: int
    stage: Stage
    aliases: tuple[str, ...]
    deprecation: Deprecation | None
    retirement: Retirement | None
    held_by: tuple[str, ...]
    missing: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollback:
    """A champion that gave its place back to the one before it."""

    model: str
    from_version: int | None
    to_version: int
    reason: str
    at: datetime


class Lifecycle:
    """Keeps what is said of versions that are no longer to be used, and goes back to former ones."""

    def __init__(self, database: Database, blobs: Blobs, events: EventLog, clock: Clock) -> None:
        self._database = database
        self._blobs = blobs
        self._events = events
        self._clock = clock
        self._registry = Registry(database, blobs, events, clock)

    @read
    def get(self, ref: str) -> Standing:
        """How a version stands: whether it is deprecated or retired, and who needs it.

        Raises:
            NotFound: there is no such version.
        """
        with self._database.reading() as connection:
            row = _people.exact_row(connection, ref)
            aliases = _store.aliases_of(connection, row.model)
            standing = Standing(
                model=row.model,
                version=row.version,
                stage=row.stage,
                aliases=tuple(alias for alias, version in aliases.items() if version == row.version),
                deprecation=_deprecation(connection, row),
                retirement=_retirement(connection, row),
                held_by=holders_of(connection, row.model, row.version),
                missing=(),
            )
        missing = [name for name, digest in _files(row).items() if not self._blobs.has(digest)]
        return replace(standing, missing=tuple(missing))

    @read
    def list_deprecated(self, model: str = "", limit: int = 100) -> list[Deprecation]:
        """Versions that should no longer be used and are not retired, those that are to be retired first."""
        table, versions = _people.deprecations, _store.versions
        same = sa.and_(versions.c.model == table.c.model, versions.c.version == table.c.version)
        query = sa.select(table).join(versions, same)
        query = query.where(versions.c.deleted.is_(None), versions.c.stage != "retired")
        query = query.where(table.c.model == model) if model else query
        order = (table.c.until.is_(None), table.c.until, table.c.model, table.c.version)
        rows = self._database.rows(query.order_by(*order).limit(max(1, min(limit, 1000))))
        return [Deprecation(**row._mapping) for row in rows]

    @change(role="maintainer")
    def deprecate(
        self, ref: str, reason: str, by: str = "", until: datetime | None = None, instead: str = ""
    ) -> Deprecation:
        """Says that a version should no longer be used. It goes on to work; said again, the later word counts.

        Args:
            ref: The version, `churn/3` or `churn@alias`.
            until: When it is to be retired.
            instead: The model or version to use instead.

        Raises:
            InvalidInput: no reason is given, or what to use instead is no model.
            Conflict: it is retired.
        """
        reason = _needed(reason)
        if until is not None and until.tzinfo is None:
            raise InvalidInput("The time has no time zone.", hint="Write it as 2026-05-01T00:00:00Z.")
        given = {
            "reason": reason, "by": _by(by), "at": self._clock.now(), "until": None if until is None else parse_time(until),
            "instead": str(Ref.parse(instead, kind="models")) if instead else "",
        }  # fmt: skip
        with self._database.transaction() as connection:
            row = _people.locked_row(connection, ref)
            if row.stage == "retired":
                raise _is_retired(row)
            insert = self._database.insert(_people.deprecations).values(model=row.model, version=row.version, **given)
            connection.execute(insert.on_conflict_do_update(index_elements=["model", "version"], set_=given))
            self._tell(connection, "version_deprecated", row, reason=reason, by=by, instead=given["instead"])
            found = _deprecation(connection, row)
        assert found is not None
        return found

    @change(role="maintainer")
    def undeprecate(self, ref: str, by: str = "", reason: str = "") -> None:
        """Takes that word back; nothing happens if nobody has said it.

        Raises:
            NotFound: there is no such version.
        """
        by, reason = _by(by), _people.reason_of(reason)
        with self._database.transaction() as connection:
            row = _people.locked_row(connection, ref)
            if connection.execute(sa.delete(_people.deprecations).where(_of(_people.deprecations, row))).rowcount:
                self._tell(connection, "version_undeprecated", row, reason=reason, by=by)

    @change(role="maintainer")
    def retire(self, ref: str, reason: str = "", by: str = "", keep_files: bool = False) -> Retirement:
        """Ends a version's life. Its facts stay; files that nothing else refers to are removed.

        Args:
            keep_files: Its files stay as well, so that it can be restored for sure. Retired again without it, they go.

        Raises:
            Conflict: it is the champion or challenger, a deployment names it, or an alias points at it.
        """
        by, reason = _by(by), _people.reason_of(reason)
        with self._database.transaction() as connection:
            row = _people.locked_row(connection, ref)
            found = _retirement(connection, row)
            if row.stage != "retired":
                self._refuse_needed(connection, row)
                self._set_stage(connection, row, "retired", reason)
            if row.stage != "retired" or found is None:
                former = "archived" if row.stage == "retired" else row.stage
                said = {
                    "reason": reason, "by": by, "at": self._clock.now(), "former_stage": former, "keeps_files": keep_files,
                    "freed_files": 0, "freed_bytes": 0,
                }  # fmt: skip
                self._keep_retirement(connection, row, **said)
                self._tell(connection, "version_retired", row, reason=reason, by=by)
            elif found.keeps_files and not keep_files:
                self._keep_retirement(connection, row, **{**_plain(found), "keeps_files": False})
        if not keep_files:
            self._free(row.model, row.version)
        with self._database.reading() as connection:
            found = _retirement(connection, row)
        if found is None:
            raise Conflict(f"Version {row.version} of '{row.model}' was restored at the same time.", hint="Look again.")
        return found

    @change(role="maintainer")
    def restore(self, ref: str, by: str = "", reason: str = "") -> ModelVersion:
        """Takes a retirement back: the version is archived, and can be promoted again.

        Raises:
            Conflict: it is not retired, or files of it are gone.
        """
        by, reason = _by(by), _people.reason_of(reason)
        with self._database.transaction() as connection:
            row = _people.locked_row(connection, ref)
            if row.stage != "retired":
                raise Conflict(f"Version {row.version} of '{row.model}' is not retired.")
            gone = [name for name, digest in _files(row).items() if not self._blobs.has(digest)]
            if gone:
                raise Conflict(
                    f"Version {row.version} of '{row.model}' cannot come back: {_some(gone)} "
                    f"{'was' if len(gone) == 1 else 'were'} removed.",
                    hint="Run its pipeline again; its run, code and data are still known.",
                    gone=gone[:100],
                )
            connection.execute(sa.delete(_people.retirements).where(_of(_people.retirements, row)))
            self._set_stage(connection, row, "archived", reason or "it was restored")
            self._tell(connection, "version_restored", row, reason=reason, by=by)
        return self._registry.get_version(_people.version_ref(row))

    @read
    def former_champion(self, model: str) -> int | None:
        """The version that a rollback would go to; None if there is none.

        It is the champion before the present one. A champion that was rolled back from does not count, so each further
        rollback goes one further back.
        """
        with self._database.reading() as connection:
            return _former(connection, model)[1]

    @change(role="maintainer")
    def replace_holdout(self, ref: str, holdout: str, reason: str, by: str = "") -> None:
        """Puts other held-out rows in the place of a version's; what was measured on the former ones stays as it is.

        Args:
            holdout: Digest of the rows; empty to keep none.
            reason: Why, for the audit.

        Raises:
            NotFound: there is no such version, or the rows are not kept.
        """
        by, reason = _by(by), _people.reason_of(reason)
        if holdout and not self._blobs.has(check_digest(holdout)):
            raise NotFound("The held-out rows are not kept.", digest=holdout)
        with self._database.transaction() as connection:
            row = _people.locked_row(connection, ref)
            changed = sa.update(_store.versions).where(_of(_store.versions, row))
            connection.execute(changed.values(holdout=holdout, updated=self._clock.now()))
            self._tell(connection, "holdout_replaced", row, reason=reason, by=by)

    @change(role="maintainer")
    def rollback(self, model: str, reason: str = "", by: str = "") -> Rollback:
        """Makes the former champion the champion again, in one step.

        Args:
            reason: Why; it stands in the history of the alias.

        Raises:
            Conflict: there is no former champion to go back to, or another became champion meanwhile.
            NotFound: there is no such model.
        """
        by, reason = _by(by), _people.reason_of(reason)
        with self._database.reading() as connection:
            if not _store.version_numbers(connection, model):
                _store.resolve(connection, Ref(kind="models", name=model))
            present, former = _former(connection, model)
        if former is None:
            raise Conflict(
                f"'{model}' has no former champion to go back to.", hint="Choose a version and promote it.", model=model
            )
        whose = f" by {by}" if by else ""
        why = (f"{_ROLLED_BACK} from version {present}" if present else _ROLLED_BACK) + whose
        why = f"{why}: {reason}" if reason else why
        self._registry.set_alias(model, CHAMPION, former, expected=present or 0, reason=why)
        now = self._clock.now()
        with self._database.transaction() as connection:
            row = _store.version_row(connection, model, former)
            self._tell(connection, "rolled_back", row, from_version=present, reason=reason, by=by)
        return Rollback(model=model, from_version=present, to_version=former, reason=reason, at=now)

    def _refuse_needed(self, connection: sa.Connection, row: sa.Row[Any]) -> None:
        name = f"Version {row.version} of '{row.model}'"
        if row.stage in (CHAMPION, "challenger"):
            raise Conflict(f"{name} is the {row.stage}.", hint="Put another in its place first.")
        holders = holders_of(connection, row.model, row.version)
        if holders:
            raise Conflict(
                f"{name} is used by {_some(list(holders))}.",
                hint="Let another version answer there first.",
                held_by=holders,
            )
        pointing = [a for a, version in _store.aliases_of(connection, row.model).items() if version == row.version]
        if pointing:
            raise Conflict(
                f"The alias {_some(pointing)} points at version {row.version} of '{row.model}'.",
                hint="Let it point elsewhere, or remove it first.",
                aliases=pointing,
            )

    def _free(self, model: str, version: int) -> None:
        """Removes the bytes of a retired version that nothing else refers to."""
        with self._database.transaction() as connection:
            _store.lock_model(connection, model)
            row = _store.version_row(connection, model, version)
            if row.stage != "retired":
                return
            digests = {digest for digest in _files(row).values() if self._blobs.has(digest)}
            own = sa.and_(sa.column("model") == model, sa.column("version") == version)
            gone = sa.or_(own, sa.column("deleted").is_not(None), _retired_for_good())
            removable = digests - referred_to(connection, self._blobs, digests, leave_out={_store.versions.name: gone})
            size = sum(self._blobs.size(digest) for digest in removable)
            found = _retirement(connection, row)
            if found is not None and removable:
                said = {"freed_files": found.freed_files + len(removable), "freed_bytes": found.freed_bytes + size}
                connection.execute(sa.update(_people.retirements).where(_of(_people.retirements, row)).values(**said))
                self._tell(connection, "version_freed", row, files=len(removable), bytes=size)
            # Inside the transaction, so that no one restores the version in between.
            for digest in removable:
                self._blobs.delete(digest)

    def _keep_retirement(self, connection: sa.Connection, row: sa.Row[Any], **said: Any) -> None:
        insert = self._database.insert(_people.retirements).values(model=row.model, version=row.version, **said)
        connection.execute(insert.on_conflict_do_update(index_elements=["model", "version"], set_=said))

    def _set_stage(self, connection: sa.Connection, row: sa.Row[Any], stage: Stage, reason: str) -> None:
        changed = sa.update(_store.versions).where(_of(_store.versions, row))
        connection.execute(changed.values(stage=stage, updated=self._clock.now()))
        self._tell(connection, "stage_changed", row, stage=stage, previous=row.stage, reason=reason)

    def _tell(self, connection: sa.Connection, what: str, row: sa.Row[Any], **facts: JsonValue) -> None:
        subject = _people.version_ref(row)
        self._events.append(connection, f"registry.{what}", subject, model=row.model, version=row.version, **facts)


def _files(row: sa.Row[Any]) -> dict[str, str]:
    """The digest of everything that a version is made of, by a name for people."""
    package = row.package
    others = {
        "input example": "" if package is None else package.input_example,
        "ONNX twin": "" if package is None or package.twin is None else package.twin.file,
        "held-out rows": row.holdout,
        "reference": row.reference,
    }
    named = {} if package is None else dict(package.files)
    return {**named, **{name: digest for name, digest in others.items() if digest}}


def _retired_for_good() -> sa.ColumnElement[bool]:
    """Rows of versions, by their bare columns, whose files are not kept for their own sake."""
    table = _people.retirements
    those = sa.select(table.c.model, table.c.version).where(table.c.keeps_files.is_(False))
    return sa.tuple_(sa.column("model"), sa.column("version")).in_(those)


def _former(connection: sa.Connection, model: str) -> tuple[int | None, int | None]:
    """The present champion, and the one that a rollback would go to."""
    table, versions = _store.alias_changes, _store.versions
    query = sa.select(table.c.version, table.c.reason).where(table.c.model == model, table.c.alias == CHAMPION)
    order: list[int] = []
    for version, reason in connection.execute(query.order_by(table.c.id)):
        if version is None:
            continue
        if version in order:
            # Who rolls back takes what came after out of the order; who promotes again puts it at the end.
            place = order.index(version)
            order[place:] = [] if reason.startswith(_ROLLED_BACK) else order[place + 1 :]
        order.append(version)
    present = _store.champion(connection, model)
    usable = sa.and_(versions.c.model == model, versions.c.deleted.is_(None), versions.c.stage != "retired")
    there = set(connection.execute(sa.select(versions.c.version).where(usable)).scalars())
    last = present if present is not None else order[-1] if order else None
    return present, next((version for version in reversed(order) if version in there and version != last), None)


def _deprecation(connection: sa.Connection, row: sa.Row[Any]) -> Deprecation | None:
    found = connection.execute(sa.select(_people.deprecations).where(_of(_people.deprecations, row))).first()
    return None if found is None else Deprecation(**found._mapping)


def _retirement(connection: sa.Connection, row: sa.Row[Any]) -> Retirement | None:
    found = connection.execute(sa.select(_people.retirements).where(_of(_people.retirements, row))).first()
    return None if found is None else Retirement(**found._mapping)


def _plain(found: Retirement) -> dict[str, Any]:
    return {name: getattr(found, name) for name in Retirement.__slots__ if name not in ("model", "version")}


def _of(table: sa.Table, row: sa.Row[Any]) -> sa.ColumnElement[bool]:
    return sa.and_(table.c.model == row.model, table.c.version == row.version)


def _by(by: str) -> str:
    by = who(by)
    return _people.person(by) if by else ""


def _needed(reason: str) -> str:
    kept = _people.reason_of(reason)
    if not kept:
        raise InvalidInput("No reason is given.", hint="Say why, so that others can follow it.")
    return kept


def _is_retired(row: sa.Row[Any]) -> Conflict:
    return Conflict(f"Version {row.version} of '{row.model}' is retired.", hint="Restore it first.")


def _some(names: list[str]) -> str:
    shown = ", ".join(f"'{name}'" for name in names[:5])
    return f"{shown} and {len(names) - 5} more" if len(names) > 5 else shown
