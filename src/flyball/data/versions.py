"""Versions of datasets: their history, branches and tags, the way back, and the end of what nobody needs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from flyball.clock import Clock
from flyball.data import _store
from flyball.data._store import LATEST
from flyball.data.datasets import Data
from flyball.data.layout import missing_bytes
from flyball.data.manifest import Snapshot, snapshot_files
from flyball.errors import AlreadyExists, Conflict, InvalidInput, NotFound, did_you_mean
from flyball.lineage import Lineage
from flyball.refs import Ref, check_name
from flyball.storage.database import Database
from flyball.storage.event_log import EventLog
from flyball.storage.objects import Blobs
from flyball.storage.references import rows_naming
from flyball.verbs import change, read

_SHOWN = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class DataRef:
    """A name for a snapshot.

    Attributes:
        kind: A branch moves on with each snapshot that is taken on it; a tag stays.
        snapshot: Id of what it points at.
        moved: When it came to point there.
    """

    dataset: str
    name: str
    kind: str
    snapshot: str
    moved: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class DataMove:
    """One entry of a dataset's history: a branch came to point at a snapshot.

    Attributes:
        number: Its place in the order of all moves.
        branch: Which.
        snapshot: Id of the snapshot; only its beginning where that was deleted.
        previous: Id of the one before.
        cause: `taken`, `rolled_back`, `branched`, `moved`, `rewritten`, or `deleted`.
        summary: What changed, or why.
    """

    number: int
    branch: str
    snapshot: str
    previous: str
    at: datetime
    cause: str
    summary: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DataUse:
    """Something that needs a snapshot.

    Attributes:
        what: Text of its `Ref`, or how many rows of which table name it.
        how: Such as `trained_on`.
    """

    what: str
    how: str


class DataVersions:
    """History, branches and tags of datasets."""

    def __init__(self, database: Database, blobs: Blobs, events: EventLog, clock: Clock) -> None:
        self._database = database
        self._blobs = blobs
        self._events = events
        self._clock = clock
        self._data = Data(database, blobs, events, clock)

    @read
    def history(self, dataset: str, branch: str = "", limit: int = 50, before: int = 0) -> list[DataMove]:
        """What each branch pointed at, the latest first.

        Args:
            branch: Only this one; all by default.
            limit: At most this many, up to 1,000.
            before: Number of the last entry of the page before; only those that stand after it in this list.
        """
        with self._database.reading() as connection:
            found = _store.moves(connection, dataset, branch, max(1, min(limit, 1000)), before)
        return [
            DataMove(
                number=row["number"],
                branch=row["ref"],
                snapshot=row["snapshot"],
                previous=row["previous"],
                at=row["at"],
                cause=row["cause"],
                summary=row["summary"],
            )
            for row in found
        ]

    @read
    def refs(self, dataset: str) -> list[DataRef]:
        """The branches and tags of a dataset."""
        with self._database.reading() as connection:
            return [_ref(row) for row in _store.refs(connection, dataset) if row.kind != "rewritten"]

    @change
    def create_branch(self, dataset: str, name: str, version: str = LATEST) -> DataRef:
        """Makes a branch that begins at a snapshot.

        Raises:
            AlreadyExists: there is a branch or tag of that name.
            NotFound: there is no such snapshot.
        """
        return self._create(dataset, name, version, "branch")

    @change
    def create_tag(self, dataset: str, name: str, version: str = LATEST) -> DataRef:
        """Gives a snapshot a name that stays with it.

        Raises:
            AlreadyExists: there is a branch or tag of that name.
            NotFound: there is no such snapshot.
        """
        return self._create(dataset, name, version, "tag")

    def _create(self, dataset: str, name: str, version: str, kind: str) -> DataRef:
        check_name(name, kind)
        now = self._clock.now()
        snapshot = self._data.get_snapshot(dataset, version)
        with self._database.transaction() as connection:
            _store.lock(connection, dataset)
            there = _store.ref(connection, dataset, name)
            if there is not None or name == LATEST:
                raise AlreadyExists(
                    f"There is a {there.kind if there else 'branch'} '{name}' of '{dataset}' already.",
                    hint="Choose another name, or move it with `flyball data move`.",
                )
            if kind == "branch":
                said = f"from {snapshot.id[:12]}"
                self._data.move(connection, snapshot, name, "", now, cause="branched", summary=said)
            else:
                _store.write_ref(self._database, connection, dataset, name, kind, snapshot.id, now)
            self._tell(connection, "ref_created", snapshot, ref=name, kind=kind)
        return DataRef(dataset=dataset, name=name, kind=kind, snapshot=snapshot.id, moved=now)

    @change
    def move_ref(self, dataset: str, name: str, version: str, expected: str = "") -> DataRef:
        """Lets a branch or tag point at another snapshot.

        Args:
            expected: Id of the snapshot that it points at now; if it points elsewhere, nothing is done.

        Raises:
            Conflict: it points elsewhere than expected.
            NotFound: there is no such ref or snapshot.
        """
        snapshot = self._data.get_snapshot(dataset, version)
        with self._database.transaction() as connection:
            _store.lock(connection, dataset)
            here = self._existing(connection, dataset, name)
            if expected and here.snapshot != expected:
                raise Conflict(
                    f"'{name}' of '{dataset}' points at {here.snapshot[:12]}, not at {expected[:12]}.",
                    hint="Somebody moved it; look again.",
                )
            self._move(connection, snapshot, here, "moved", f"from {here.snapshot[:12]}")
        return replace(here, snapshot=snapshot.id, moved=self._clock.now())

    @change(role="maintainer")
    def roll_back(self, dataset: str, version: str, branch: str = LATEST, reason: str = "") -> Snapshot:
        """Lets a branch point at an older snapshot again; nothing is lost, and history tells of it.

        Args:
            version: Branch, tag, id, or the beginning of one.
            reason: Why, for history.

        Raises:
            NotFound: there is no such snapshot or branch.
            Conflict: the branch points there already.
        """
        snapshot = self._data.get_snapshot(dataset, version)
        with self._database.transaction() as connection:
            _store.lock(connection, dataset)
            here = self._existing(connection, dataset, branch)
            if here.snapshot == snapshot.id:
                raise Conflict(f"'{branch}' of '{dataset}' points at {snapshot.id[:12]} already.")
            self._move(connection, snapshot, here, "rolled_back", reason or f"from {here.snapshot[:12]}")
            if branch == LATEST:
                _store.write_latest(connection, snapshot, is_known=True)
        return snapshot

    def _move(self, connection: sa.Connection, snapshot: Snapshot, here: DataRef, cause: str, summary: str) -> None:
        now = self._clock.now()
        if here.kind == "branch":
            self._data.move(connection, snapshot, here.name, here.snapshot, now, cause=cause, summary=summary)
        else:
            _store.write_ref(self._database, connection, here.dataset, here.name, here.kind, snapshot.id, now)
        self._tell(connection, f"ref_{cause}", snapshot, ref=here.name, previous=here.snapshot, summary=summary)

    @change
    def delete_ref(self, dataset: str, name: str) -> None:
        """Removes a branch or tag; the snapshots stay.

        Raises:
            NotFound: there is none of that name.
            InvalidInput: it is the branch that is meant where none is named.
        """
        if name == LATEST:
            raise InvalidInput(f"The branch '{LATEST}' stays.", hint="Delete the dataset, or roll it back.")
        with self._database.transaction() as connection:
            _store.lock(connection, dataset)
            here = self._existing(connection, dataset, name)
            _store.delete_ref(connection, dataset, name)
            subject = Ref(kind="datasets", name=dataset)
            self._events.append(connection, "data.ref_deleted", subject, ref=name, kind=here.kind, id=here.snapshot)

    @change
    def set_layout(self, dataset: str, version: str, layout: str) -> Snapshot:
        """Says where the bytes of a snapshot's files rest from now on; its content stays the same.

        Args:
            layout: Digest of the new layout; empty where every file is a blob of its own.

        Raises:
            NotFound: bytes are missing there.
        """
        found = self._data.get_snapshot(dataset, version)
        files = snapshot_files(self._blobs, found)
        if lost := missing_bytes(self._blobs, layout, (file.digest for file in files)):
            raise NotFound("The bytes of a file are not kept there.", digest=lost)
        changed = replace(found, layout=layout)
        with self._database.transaction() as connection:
            _store.lock(connection, dataset)
            _store.rewrite(connection, changed)
        return changed

    @read
    def uses(self, dataset: str, version: str = LATEST) -> list[DataUse]:
        """What needs a snapshot: models, runs and whatever else names it."""
        snapshot = self._data.get_snapshot(dataset, version)
        with self._database.reading() as connection:
            return self._uses(connection, [snapshot.id], dataset)

    @change(role="maintainer")
    def delete_snapshot(self, dataset: str, version: str, force: bool = False) -> Snapshot:
        """Removes a snapshot; its bytes go with the next gc, once they are old enough.

        Branches that pointed at it point at the one before it.

        Args:
            force: Also if a model or a run needs it, or a tag names it.

        Raises:
            Conflict: something needs it; the message says what.
        """
        snapshot = self._data.get_snapshot(dataset, version)
        with self._database.transaction() as connection:
            _store.lock(connection, dataset)
            pointing = [_ref(row) for row in _store.refs(connection, dataset) if row.snapshot == snapshot.id]
            tags = [DataUse(what=f"{dataset}@{ref.name}", how="tag") for ref in pointing if ref.kind == "tag"]
            uses = [*tags, *self._uses(connection, [snapshot.id], dataset)]
            self._refuse(f"The snapshot {dataset}/{snapshot.id[:12]}", uses, force=force)
            self._step_back(connection, snapshot, pointing)
            _store.delete_snapshot(connection, snapshot)
            self._tell(connection, "snapshot_deleted", snapshot, forced=force and bool(uses))
        return snapshot

    def _step_back(self, connection: sa.Connection, gone: Snapshot, pointing: list[DataRef]) -> None:
        parent = _store.snapshot(connection, gone.dataset, gone.parent) if gone.parent else None
        for ref in pointing:
            if parent is None or ref.kind == "tag":
                _store.delete_ref(connection, gone.dataset, ref.name)
            else:
                self._move(connection, parent, ref, "deleted", f"{gone.id[:12]} was deleted")

    @change(role="maintainer")
    def delete_dataset(self, name: str, force: bool = False) -> None:
        """Removes a dataset with all its snapshots; their bytes go with the next gc, once they are old enough.

        Args:
            force: Also if models or runs need a snapshot of it.

        Raises:
            Conflict: something needs one; the message says what.
        """
        self._data.get(name)
        with self._database.transaction() as connection:
            _store.lock(connection, name)
            ids = _store.ids(connection, name)
            uses = self._uses(connection, ids, name)
            self._refuse(f"The dataset '{name}'", uses, force=force)
            _store.delete_dataset(connection, name)
            subject = Ref(kind="datasets", name=name)
            self._events.append(connection, "data.dataset_deleted", subject, snapshots=len(ids), forced=force)

    @change(role="maintainer")
    def replace_snapshot(self, dataset: str, version: str, replacement: Snapshot, reason: str) -> Snapshot:
        """Puts a snapshot in the place of another, which is gone then.

        Branches, tags and history that named the old one name the new one; who asks for the old id is given the new one.

        Args:
            replacement: Its bytes are kept already.
            reason: Why, for the audit.

        Raises:
            NotFound: there is no such snapshot, or bytes are missing.
            InvalidInput: it is of another dataset, or holds the same.
        """
        old = self._data.get_snapshot(dataset, version)
        if replacement.dataset != dataset or replacement.id == old.id or not reason.strip():
            raise InvalidInput("A snapshot is replaced by another one of its dataset, for a reason.")
        with self._database.transaction() as connection:
            _store.lock(connection, dataset)
            new = replace(replacement, created=old.created, parent=old.parent, summary=old.summary)
            new = _store.snapshot(connection, dataset, new.id) or new
            _store.replace_snapshot(connection, old, new)
            now = self._clock.now()
            _store.write_ref(self._database, connection, dataset, _store.former(old.id), "rewritten", new.id, now)
            facts = {"previous": old.id, "reason": reason, "rows": new.rows, "rows_before": old.rows}
            self._tell(connection, "snapshot_rewritten", new, **facts)
        return new

    def _existing(self, connection: sa.Connection, dataset: str, name: str) -> DataRef:
        row = _store.ref(connection, dataset, name)
        if row is not None:
            return _ref(row)
        latest = _store.latest_snapshot(connection, dataset) if name == LATEST else None
        if latest is None:
            known = [one.name for one in _store.refs(connection, dataset)]
            hint = did_you_mean(name, known)
            raise NotFound(f"There is no branch or tag '{name}' of '{dataset}'.", hint=hint, dataset=dataset)
        return DataRef(dataset=dataset, name=LATEST, kind="branch", snapshot=latest.id, moved=latest.created)

    def _uses(self, connection: sa.Connection, ids: Sequence[str], dataset: str) -> list[DataUse]:
        lineage = Lineage(self._database, self._events, self._clock)
        found: dict[str, DataUse] = {}
        for id in ids:
            for edge in lineage.downstream(str(Ref(kind="snapshots", name=dataset, version=id)), depth=1):
                found.setdefault(edge.target, DataUse(what=edge.target, how=edge.relation))
        rows = rows_naming(connection, [f"snapshots:/{dataset}/{id}" for id in ids], _needs)
        for table, count in rows.items():
            if not found:
                what = f"{count:,} row{'s' if count > 1 else ''} of {table}"
                found[what] = DataUse(what=what, how="named")
        return list(found.values())

    def _refuse(self, what: str, uses: list[DataUse], *, force: bool) -> None:
        if uses and not force:
            named = ", ".join(f"{use.what} ({use.how})" for use in uses[:_SHOWN])
            more = f" and {len(uses) - _SHOWN:,} more" if len(uses) > _SHOWN else ""
            raise Conflict(f"{what} is needed by {named}{more}.", hint="Delete it all the same with --force.")

    def _tell(self, connection: sa.Connection, what: str, snapshot: Snapshot, **facts: object) -> None:
        subject = Ref(kind="snapshots", name=snapshot.dataset, version=snapshot.id)
        self._events.append(connection, f"data.{what}", subject, dataset=snapshot.dataset, id=snapshot.id, **facts)


def _needs(table: str) -> bool:
    """Whether rows of a table need the snapshot that they name; a cache, a profile or a catalog does not."""
    return table == "model_versions" or table.startswith("run")


def _ref(row: sa.Row[Any]) -> DataRef:
    return DataRef(dataset=row.dataset, name=row.name, kind=row.kind, snapshot=row.snapshot, moved=row.moved)
