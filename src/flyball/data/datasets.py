"""Datasets: which there are, and which snapshots were taken of them."""

from __future__ import annotations

from dataclasses import replace

from flyball.clock import Clock
from flyball.data import _store
from flyball.data.dataset import Dataset, check_dataset, dataset
from flyball.data.manifest import Snapshot, describe_change, snapshot_id
from flyball.errors import InvalidInput, NotFound, did_you_mean
from flyball.refs import Ref, check_name
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
    def record_snapshot(self, snapshot: Snapshot) -> Snapshot:
        """Makes a snapshot the latest of its dataset; its bytes are kept already.

        The moment, the parent and the summary are set here. Recording what is the latest already changes nothing.
        A dataset that is not in the catalog yet is put there.

        Raises:
            InvalidInput: the id is not that of the files.
            NotFound: the bytes of a file are not kept.
        """
        check_name(snapshot.dataset, "dataset")
        if not snapshot.files or snapshot.id != snapshot_id(snapshot.files, snapshot.format):
            raise InvalidInput(f"'{snapshot.id[:12]}' is not the id of the files of this snapshot.")
        for file in snapshot.files:
            if not self._blobs.has(file.digest):
                raise NotFound(f"The bytes of '{file.path}' are not kept.", digest=file.digest)
        with self._database.transaction() as connection:
            _store.lock(connection, snapshot.dataset)
            latest = _store.latest_snapshot(connection, snapshot.dataset)
            if latest is not None and latest.id == snapshot.id:
                return latest
            if _store.dataset(connection, snapshot.dataset) is None:
                declared = Dataset(name=snapshot.dataset)
                _store.write_dataset(self._database, connection, declared, self._clock.now())
            known = _store.snapshot(connection, snapshot.dataset, snapshot.id)
            recorded = known or replace(
                snapshot,
                created=self._clock.now(),
                parent=latest.id if latest else "",
                summary=describe_change(latest, snapshot),
            )
            _store.write_latest(connection, recorded, is_known=known is not None)
            self._events.append(
                connection,
                "data.snapshot_taken",
                Ref(kind="snapshots", name=recorded.dataset, version=recorded.id),
                dataset=recorded.dataset,
                id=recorded.id,
                previous=latest.id if latest else "",
                rows=recorded.rows,
                size=recorded.size,
                summary=describe_change(latest, recorded),
            )
        return recorded

    @read
    def get_snapshot(self, dataset: str, version: str = "latest") -> Snapshot:
        """One snapshot, by its id, by the beginning of its id, or the latest.

        Raises:
            NotFound: there is none.
            InvalidInput: several ids begin so.
        """
        with self._database.reading() as connection:
            if version == "latest":
                found = _store.latest_snapshot(connection, dataset)
                if found is None:
                    hint = f"Take one with `flyball data snapshot {dataset}`."
                    raise NotFound(f"There is no snapshot of '{dataset}' yet.", hint=hint, dataset=dataset)
                return found
            ids = _store.ids_beginning(connection, dataset, version)
            if len(ids) > 1:
                raise InvalidInput(
                    f"Several snapshots of '{dataset}' begin with '{version}'.",
                    hint="One of " + ", ".join(known[:16] for known in ids) + ".",
                )
            found = _store.snapshot(connection, dataset, ids[0]) if ids else None
        if found is None:
            raise NotFound(f"There is no snapshot '{version}' of '{dataset}'.", dataset=dataset, version=version)
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
            return _store.snapshots(connection, dataset, max(1, min(limit, 1000)), before)

    @read
    def list(self, limit: int = 100, after: str = "") -> list[Dataset]:
        """Datasets, by name.

        Args:
            limit: At most this many, up to 1,000.
            after: Only those whose name comes after it.
        """
        with self._database.reading() as connection:
            return _store.datasets(connection, max(1, min(limit, 1000)), after)
