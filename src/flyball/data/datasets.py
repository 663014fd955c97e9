"""Datasets: which there are, and which snapshots were taken of them."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import sqlalchemy as sa

from flyball.clock import Clock
from flyball.data import _quality_store, _store
from flyball.data._store import LATEST
from flyball.data.dataset import Dataset, check_dataset, dataset
from flyball.data.layout import missing_bytes
from flyball.data.manifest import (
    BY_REFERENCE,
    Snapshot,
    describe_change,
    snapshot_files,
    snapshot_id,
    write_manifest,
)
from flyball.errors import InvalidInput, NotFound, did_you_mean
from flyball.refs import Ref, check_name
from flyball.storage.audit_reads import ProtectedReads
from flyball.storage.database import Database
from flyball.storage.event_log import EventLog
from flyball.storage.objects import Blobs
from flyball.verbs import change, read

__all__ = ["Data", "Dataset", "dataset"]


class Data:
    """Datasets and their snapshots."""

    def __init__(self, database: Database, blobs: Blobs, events: EventLog, clock: Clock) -> None:
        self._database = database
        self._blobs = blobs
        self._events = events
        self._clock = clock
        self._reads = ProtectedReads(database)

    @change
    def declare(self, dataset: Dataset) -> Dataset:
        """Puts a dataset into the catalog, or brings its entry up to date.

        Raises:
            InvalidInput: the declaration cannot be used.
        """
        check_dataset(dataset)
        with self._database.transaction() as connection:
            if _store.dataset(connection, dataset.name) != dataset:
                _store.write_dataset(self._database, connection, dataset, self._clock.now())
                subject = Ref(kind="datasets", name=dataset.name)
                self._events.append(connection, "data.dataset_declared", subject, source=dataset.source)
        return dataset

    @read
    def get(self, name: str) -> Dataset:
        """The dataset of that name.

        Raises:
            NotFound: there is none; the hint names near ones.
        """
        with self._database.reading() as connection:
            found = _store.dataset(connection, name)
            if found is None:
                known = _store.dataset_names(connection)
                raise NotFound(f"There is no dataset '{name}'.", hint=did_you_mean(name, known), dataset=name)
        return found

    @change
    def record_snapshot(self, snapshot: Snapshot, branch: str = LATEST) -> Snapshot:
        """Makes a snapshot the newest of a branch of its dataset; its bytes are kept already.

        The moment, the parent and the summary are set here. Recording what is the newest already changes nothing.
        A dataset that is not in the catalog yet is put there.

        Args:
            branch: By default the one that is meant where none is named.

        Raises:
            InvalidInput: what is called its manifest is none.
            NotFound: the manifest or the bytes of a file are not kept, or there is no such branch.
        """
        check_name(snapshot.dataset, "dataset")
        snapshot = self._light(snapshot)
        # Before the lock, since reading them takes a while.
        files = snapshot_files(self._blobs, snapshot)
        if len(files) != snapshot.file_count or not files:
            raise InvalidInput(f"'{snapshot.id[:12]}' is not the id of the files of this snapshot.")
        is_copied = snapshot.format not in BY_REFERENCE
        if is_copied and (lost := missing_bytes(self._blobs, snapshot.layout, (file.digest for file in files))):
            path = next((file.path for file in files if file.digest == lost), "a part of a file")
            raise NotFound(f"The bytes of '{path}' are not kept.", digest=lost)
        with self._database.transaction() as connection:
            _store.lock(connection, snapshot.dataset)
            tip = self._tip(connection, snapshot.dataset, branch)
            if tip is not None and tip.id == snapshot.id:
                return tip
            now = self._clock.now()
            if _store.dataset(connection, snapshot.dataset) is None:
                _store.write_dataset(self._database, connection, Dataset(name=snapshot.dataset), now)
            known = _store.snapshot(connection, snapshot.dataset, snapshot.id)
            old = snapshot_files(self._blobs, tip) if tip else ()
            summary = describe_change(tip, snapshot, old, files)
            parent = tip.id if tip else ""
            recorded = known or replace(snapshot, created=now, parent=parent, summary=summary)
            _store.write_latest(connection, recorded, is_known=known is not None)
            self.move(connection, recorded, branch, parent, now, cause="taken", summary=summary)
            self._events.append(
                connection,
                "data.snapshot_taken",
                Ref(kind="snapshots", name=recorded.dataset, version=recorded.id),
                dataset=recorded.dataset,
                id=recorded.id,
                previous=parent,
                rows=recorded.rows,
                size=recorded.size,
                summary=summary,
                **({} if branch == LATEST else {"branch": branch}),
            )
        return recorded

    @change
    def tell_of_source(self, name: str, id: str) -> None:
        """Says that somebody looked at a dataset's source, found something new, and took the snapshot of that id.

        Raises:
            NotFound: there is no such snapshot.
        """
        found = self.get_snapshot(name, id)
        with self._database.transaction() as connection:
            subject = Ref(kind="datasets", name=name)
            self._events.append(connection, "data.source_changed", subject, id=found.id, summary=found.summary)

    def _light(self, snapshot: Snapshot) -> Snapshot:
        """The snapshot without its files, which clients of the first release send along; they are written as a manifest."""
        if not snapshot.files:
            return snapshot
        if snapshot.id != snapshot_id(snapshot.files, snapshot.format):
            raise InvalidInput(f"'{snapshot.id[:12]}' is not the id of the files of this snapshot.")
        self._blobs.put(write_manifest(snapshot.files, snapshot.format))
        return replace(snapshot, files=(), file_count=len(snapshot.files))

    def move(
        self,
        connection: sa.Connection,
        snapshot: Snapshot,
        branch: str,
        previous: str,
        now: datetime,
        *,
        cause: str,
        summary: str,
    ) -> None:
        """Lets a branch point at a snapshot, in the transaction of whoever has a reason for it."""
        _store.write_move(
            connection, dataset=snapshot.dataset, ref=branch, snapshot=snapshot.id, previous=previous, at=now,
            cause=cause, summary=summary,
        )  # fmt: skip
        _store.write_ref(self._database, connection, snapshot.dataset, branch, "branch", snapshot.id, now)

    def _tip(self, connection: sa.Connection, name: str, branch: str) -> Snapshot | None:
        if branch == LATEST:
            return _store.latest_snapshot(connection, name)
        found = _store.ref(connection, name, branch)
        if found is None or found.kind != "branch":
            is_tag = "It is a tag, which stays where it is. " if found is not None else ""
            raise NotFound(
                f"There is no branch '{branch}' of '{name}'.",
                hint=f"{is_tag}Make one with `flyball data branch {name} NEW`.",
                dataset=name,
            )
        return _store.snapshot(connection, name, found.snapshot)

    @read
    def get_snapshot(self, dataset: str, version: str = LATEST, as_of: datetime | None = None) -> Snapshot:
        """One snapshot: by branch or tag, by its id, by the beginning of its id, or the latest.

        Args:
            version: Name of a branch or a tag, an id, or the beginning of one.
            as_of: Where a branch is named, the snapshot that it pointed at then.

        Raises:
            NotFound: there is none.
            InvalidInput: several ids begin so.
        """
        with self._database.reading() as connection:
            found = self._snapshot(connection, dataset, version, as_of)
            personal = _quality_store.pii_classes(connection, dataset).declared
        if personal:
            self._reads.note("data.opened", Ref(kind="snapshots", name=dataset, version=found.id))
        return found

    def describe_latest(self, dataset: str) -> Snapshot:
        """The latest snapshot for those who look at its columns and never at its rows, so that no read of them is noted.

        Raises:
            NotFound: there is none.
        """
        with self._database.reading() as connection:
            return self._snapshot(connection, dataset, LATEST, None)

    def _snapshot(self, connection: sa.Connection, dataset: str, version: str, as_of: datetime | None) -> Snapshot:
        if as_of is not None:
            return self._as_of(connection, dataset, version, as_of)
        if version == LATEST:
            found = _store.latest_snapshot(connection, dataset)
            if found is None:
                hint = f"Take one with `flyball data snapshot {dataset}`."
                raise NotFound(f"There is no snapshot of '{dataset}' yet.", hint=hint, dataset=dataset)
            return found
        return self._named(connection, dataset, version)

    @read
    def find_snapshot(self, ref: str) -> Snapshot:
        """The snapshot that a reference points at: `flights`, `flights@v1`, `flights/3f2a`, `snapshots:/flights@v1`.

        Raises:
            NotFound: there is none.
            InvalidInput: it is no reference, or several ids begin so.
        """
        found = Ref.parse(ref, kind="snapshots")
        return self.get_snapshot(found.name, found.version or found.alias or LATEST)

    def _as_of(self, connection: sa.Connection, dataset: str, version: str, moment: datetime) -> Snapshot:
        if moment.tzinfo is None:
            raise InvalidInput("The moment has no time zone.", hint="Write it as 2026-01-31T12:00:00Z.")
        id = _store.snapshot_as_of(connection, dataset, version, moment)
        found = _store.snapshot(connection, dataset, id) if id else None
        if found is None:
            said = f"It was {id}, which was deleted." if id else f"See `flyball data history {dataset}`."
            raise NotFound(f"'{dataset}' had no snapshot at {moment:%Y-%m-%d %H:%M:%S %Z}.", hint=said, dataset=dataset)
        return found

    def _named(self, connection: sa.Connection, dataset: str, version: str) -> Snapshot:
        ref = _store.ref(connection, dataset, version) or _store.ref(connection, dataset, _store.former(version))
        ids = [ref.snapshot] if ref is not None else _store.ids_beginning(connection, dataset, version)
        if len(ids) > 1:
            raise InvalidInput(
                f"Several snapshots of '{dataset}' begin with '{version}'.",
                hint="One of " + ", ".join(known[:16] for known in ids) + ".",
            )
        found = _store.snapshot(connection, dataset, ids[0]) if ids else None
        if found is None:
            names = [one.name for one in _store.refs(connection, dataset)]
            raise NotFound(
                f"There is no snapshot '{version}' of '{dataset}'.",
                hint=did_you_mean(version, names) if names else "",
                dataset=dataset,
                version=version,
            )
        return found

    @read
    def list_snapshots(self, dataset: str, limit: int = 50, before: str = "") -> list[Snapshot]:
        """Snapshots of a dataset, the latest first.

        Args:
            dataset: Name of the dataset.
            limit: At most this many, up to 1,000.
            before: Id of the last snapshot of the page before; only those that stand after it in this list.
        """
        with self._database.reading() as connection:
            found = _store.snapshots(connection, dataset, max(1, min(limit, 1000)), before)
            personal = _quality_store.pii_classes(connection, dataset).declared
        if personal and found:
            self._reads.note("data.opened", Ref(kind="datasets", name=dataset))
        return found

    @read
    def list(self, limit: int = 100, after: str = "") -> list[Dataset]:
        """Datasets, by name.

        Args:
            limit: At most this many, up to 1,000.
            after: Only those whose name comes after it.
        """
        with self._database.reading() as connection:
            return _store.datasets(connection, max(1, min(limit, 1000)), after)
