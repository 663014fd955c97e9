"""Blobs that nothing refers to are found, and no other."""

from __future__ import annotations

import base64
import os
import pickle
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from flyball.serialization import to_json
from flyball.storage.database import Database
from flyball.storage.event_log import EventLog
from flyball.storage.local_objects import LocalObjects
from flyball.storage.objects import Blobs
from flyball.storage.sweep import look, remove

DAY_AGO = datetime.now(UTC) - timedelta(days=1)


@pytest.fixture
def notes(database: Database) -> Database:
    """A database with a table that no room knows."""
    with database.transaction() as connection:
        connection.execute(sa.text("CREATE TABLE notes (id INTEGER, short VARCHAR(20), digest VARCHAR(64), text TEXT)"))
    return database


def note(database: Database, **values: str) -> None:
    table = sa.table("notes", *(sa.column(name) for name in values))
    database.execute(sa.insert(table).values(**values))


def age(store: LocalObjects) -> None:
    """Lets all objects be old."""
    for path in Path(store.folder).rglob("*"):
        if path.is_file():
            os.utime(path, (0, time.time() - 10 * 86_400))


def unreferred(database: Database, store: LocalObjects, **leave_out: sa.ColumnElement[bool]) -> set[str]:
    age(store)
    with database.reading() as connection:
        return {
            item.key.rpartition("/")[2] for item in look(connection, store, DAY_AGO, leave_out=leave_out).unreferred
        }


def test_a_blob_that_nothing_names_is_found(notes: Database, store: LocalObjects, blobs: Blobs) -> None:
    loose, kept = blobs.put(b"loose"), blobs.put(b"kept")
    note(notes, digest=kept)
    assert unreferred(notes, store) == {loose}


@pytest.mark.parametrize("form", ["{}", '{{"files":["{}"]}}', "sha:{}ff", "0{}", "aaaa{}bbbb"])
def test_a_digest_counts_wherever_it_stands_in_a_text(
    notes: Database, store: LocalObjects, blobs: Blobs, form: str
) -> None:
    note(notes, text=form.format(blobs.put(b"kept")))
    assert unreferred(notes, store) == set()


def test_a_digest_counts_in_a_document_that_stands_in_a_document(
    notes: Database, store: LocalObjects, blobs: Blobs
) -> None:
    inner = base64.b64encode(to_json({"digest": blobs.put(b"kept")})).decode()
    note(notes, text=to_json({"inline": inner}).decode())
    assert unreferred(notes, store) == set()


def test_rows_that_are_left_out_do_not_count(notes: Database, store: LocalObjects, blobs: Blobs) -> None:
    first, second = blobs.put(b"1"), blobs.put(b"2")
    note(notes, digest=first, short="a")
    note(notes, digest=second, short="b")
    assert unreferred(notes, store, notes=sa.column("short") == "a") == {first}


def test_what_a_kept_blob_names_is_kept_and_so_on(notes: Database, store: LocalObjects, blobs: Blobs) -> None:
    file = blobs.put(b"file")
    listed = blobs.put(to_json({"a.py": file}))
    result = blobs.put(pickle.dumps({"code": listed}))
    note(notes, digest=result)
    assert unreferred(notes, store) == set()


def test_what_only_a_loose_blob_names_is_loose(notes: Database, store: LocalObjects, blobs: Blobs) -> None:
    file = blobs.put(b"file")
    listed = blobs.put(to_json({"a.py": file}))
    assert unreferred(notes, store) == {file, listed}


def test_what_a_deployment_manifest_names_is_kept(notes: Database, store: LocalObjects, blobs: Blobs) -> None:
    store.put("deployments/churn/manifest.json", to_json({"package": blobs.put(b"kept")}))
    assert unreferred(notes, store) == set()


def test_what_events_tell_holds_on_to_nothing(
    notes: Database, store: LocalObjects, blobs: Blobs, events: EventLog
) -> None:
    from flyball.refs import Ref

    loose = blobs.put(b"loose")
    with notes.transaction() as connection:
        events.append(connection, "data.taken", Ref(kind="runs", name="a"), digest=loose)
    assert unreferred(notes, store) == {loose}


def test_what_was_put_lately_is_kept_with_what_it_names(notes: Database, store: LocalObjects, blobs: Blobs) -> None:
    file, other = blobs.put(b"file"), blobs.put(b"other")
    age(store)
    blobs.put(to_json({"a.py": file}))
    with notes.reading() as connection:
        found = look(connection, store, DAY_AGO)
    assert [item.key.rpartition("/")[2] for item in found.unreferred] == [other]
    assert found.young == 1


def test_a_blob_that_is_put_again_after_the_look_stays(notes: Database, store: LocalObjects, blobs: Blobs) -> None:
    again, loose = blobs.put(b"again"), blobs.put(b"loose")
    age(store)
    with notes.reading() as connection:
        found = look(connection, store, DAY_AGO)
    blobs.put(b"again")
    removed = list(remove(store, found.unreferred, DAY_AGO))
    assert [item.key.rpartition("/")[2] for item in removed] == [loose]
    assert (blobs.has(again), blobs.has(loose)) == (True, False)


def test_objects_that_are_no_blobs_are_never_found(notes: Database, store: LocalObjects) -> None:
    store.put("predictions/churn/segment.bin", b"1")
    store.put("blobs/ab/README", b"not a digest")
    assert unreferred(notes, store) == set()
