"""Every change leaves a row that says who did what to which thing, and nobody can touch a row unseen."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import sqlite3
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import sqlalchemy as sa

import flyball.testing
from flyball.data.snapshot import take_snapshot
from flyball.errors import InvalidInput, NotFound, PermissionDenied
from flyball.governance.audit import rows_of_lines
from flyball.governance.audit_check import Checker
from flyball.governance.audit_keys import key_id, public_bytes, public_of
from flyball.principals import Principal, acting_as
from flyball.refs import Ref
from flyball.storage.audit_chain import AuditChain, audit, note
from flyball.storage.database import Database
from flyball.storage.event_log import EventLog
from flyball.tracking._points import Batch
from flyball.verbs import verbs_of
from flyball.workspace import SERVICES, Workspace, service_class
from tests.servers.databases import ON_BOTH

ADA = Principal(name="ada", role="owner", token="t1")
NOT_AUDITED = {
    "automl.beat": "is a sign of life",
    "automl.put_candidate": "is how far a search has come",
    "cost.record": "counts what was used",
    "labels.next": "hands out work for a while",
    "step_cache.claim": "is a lease",
    "step_cache.release": "is a lease",
    "tracking.append": "is counted",
    "tracking.heartbeat": "is a sign of life",
    "tracking.log": "is counted",
    "tracking.log_artifact": "is counted, with its name",
    "tracking.log_artifacts": "is counted, with their names",
}


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Workspace]:
    with flyball.testing.workspace(tmp_path) as made, acting_as(ADA):
        yield made


def _five_rows(here: Workspace) -> Path:
    for number in range(5):
        here.experiments.create(f"e{number}")
    return Path(str(here.database.url.database))


def _tamper(path: Path, statement: str) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute(statement)


def test_every_change_is_audited_but_those_that_happen_all_the_time() -> None:
    plain = {
        f"{room}.{verb.name}"
        for room in SERVICES
        for verb in verbs_of(service_class(room)).values()
        if verb.effect == "change" and not hasattr(getattr(service_class(room), verb.name), "__wrapped__")
    }
    assert plain == set(NOT_AUDITED)


_CALLS: list[tuple[str, str, Callable[[Workspace], object]]] = [
    ("experiments.create", "experiments:/1", lambda w: w.experiments.create("one")),
    ("experiments.set_tags", "one", lambda w: w.experiments.set_tags("one", {"a": "b"})),
    ("experiments.delete_tag", "one", lambda w: w.experiments.delete_tag("one", "a")),
    ("experiments.rename", "", lambda w: w.experiments.rename("one", "two")),
    ("tracking.create_run", "runs:/r1", lambda w: w.tracking.create_run("two", id="r1", tags={"x": "y"})),
    ("tracking.update_run", "r1", lambda w: w.tracking.update_run("r1", name="nice")),
    ("tracking.delete_tag", "r1", lambda w: w.tracking.delete_tag("r1", "x")),
    ("tracking.finish_run", "runs:/r1", lambda w: w.tracking.finish_run("r1")),
    ("tracking.delete_run", "runs:/r1", lambda w: w.tracking.delete_run("r1")),
    ("tracking.restore_run", "runs:/r1", lambda w: w.tracking.restore_run("r1")),
    ("registered_models.create", "models:/churn", lambda w: w.registered_models.create("churn")),
    ("registered_models.set_tag", "", lambda w: w.registered_models.set_tag("churn", "team", "risk")),
    ("registered_models.update", "", lambda w: w.registered_models.update("churn", "of customers")),
    ("lineage.link", "", lambda w: w.lineage.link("runs:/r1", "models:/churn", "made")),
    ("alerts.open", "", lambda w: w.alerts.open("warning", "drift", "loops:/churn", "drift:age", "It drifts.")),
    ("comments.add", "models:/churn", lambda w: w.comments.add("models:/churn", "Looks good.", "ada")),
    ("data.declare", "datasets:/people", lambda w: w.data.declare(_people())),
    ("quality.declare_pii", "datasets:/people", lambda w: w.quality.declare_pii("people", "mail", "mail")),
    ("scorers.register", "", lambda w: w.scorers.register("two", "polite", "{}")),
    ("files.put", "", lambda w: w.files.put("notes", "a.txt", w.blobs.put(b"x"), 1)),
]


def _people() -> Any:
    from flyball.data.dataset import Dataset

    return Dataset(name="people")


def test_changes_leave_rows_that_say_who_did_what_to_which_thing(here: Workspace) -> None:
    for verb, subject, call in _CALLS:
        last = max((row.id for row in here.audit.list(limit=1)), default=0)
        call(here)
        rows = here.audit.list(after=last)
        assert rows, f"{verb} left none"
        assert {(row.verb, row.who, row.token) for row in rows} == {(verb, "ada", "t1")}
        assert all(row.subject for row in rows), verb
        assert not subject or subject in {row.subject for row in rows}, (verb, [row.subject for row in rows])


def test_what_changes_nothing_leaves_no_row(here: Workspace) -> None:
    here.data.declare(_people())
    before = here.audit.list()
    here.data.declare(_people())
    assert here.audit.list() == before


def test_what_fails_leaves_no_row(here: Workspace) -> None:
    with pytest.raises(NotFound):
        here.tracking.delete_run("nobody")
    assert here.audit.list() == []


def test_points_are_counted_and_not_noted_one_by_one(here: Workspace) -> None:
    run = here.tracking.create_run("two", id="r1").id
    for step in range(20):
        here.ingest.submit(Batch(run=run, points=[("loss", 0.5, step, 0)])).result(10)
    here.ingest.close()
    logged = [row for row in here.audit.list() if row.action == "tracking.logged"]
    assert {row.who for row in logged} == {"ada"}
    assert sum(row.facts["points"] for row in logged) == 20
    assert len(logged) == 2


def test_params_and_artifacts_that_are_logged_are_named(here: Workspace) -> None:
    run = here.tracking.create_run("two", id="r1").id
    here.tracking.log(run, params={"rate": 0.1})
    here.tracking.log_artifact(run, "model.bin", here.blobs.put(b"x"), 1)
    facts = [row.facts for row in here.audit.list() if row.action == "tracking.logged"]
    assert [each.get("params") for each in facts] == [None, ["rate"]]
    assert facts[0]["artifacts"] == ["model.bin"]


def test_who_opens_rows_with_personal_data_is_noted_once(here: Workspace) -> None:
    take_snapshot(here.data, here.blobs, "people", pa.table({"mail": ["ada@example.org"]}), root=here.root)
    here.data.get_snapshot("people")
    assert [row for row in here.audit.list() if row.action == "data.opened"] == []
    here.quality.declare_pii("people", "mail", "mail")
    found = here.data.get_snapshot("people")
    here.data.get_snapshot("people")
    opened = [row for row in here.audit.list() if row.action == "data.opened"]
    assert [(row.who, row.subject) for row in opened] == [("ada", f"snapshots:/people/{found.id}")]


def test_a_read_inside_of_a_change_is_noted_in_it(here: Workspace) -> None:
    take_snapshot(here.data, here.blobs, "people", pa.table({"mail": ["ada@example.org"]}), root=here.root)
    here.quality.declare_pii("people", "mail", "mail")
    with here.database.transaction():
        here.data.get_snapshot("people")
    assert "data.opened" in {row.action for row in here.audit.list()}
    assert here.database.writing() is None


def test_only_an_auditor_or_an_owner_reads_it(here: Workspace) -> None:
    _five_rows(here)
    with acting_as(Principal(name="eve", role="maintainer")), pytest.raises(PermissionDenied, match="auditor"):
        here.audit.list()
    with acting_as(Principal(name="aud", role="none", auditor=True)):
        assert len(here.audit.list()) == 5


def test_rows_are_found_by_who_action_subject_and_time(here: Workspace) -> None:
    _five_rows(here)
    with acting_as(Principal(name="bob", role="owner")):
        here.registered_models.create("churn")
    assert [row.who for row in here.audit.list(who="bob")] == ["bob"]
    assert len(here.audit.list(action="tracking.")) == 5
    assert len(here.audit.list(action="experiments.create")) == 5
    assert len(here.audit.list(subject="models:/")) == 1
    moment = here.audit.show(3).at
    assert {row.id for row in here.audit.list(since=moment)} >= {3, 4, 5, 6}
    assert 3 not in {row.id for row in here.audit.list(until=moment)}
    with pytest.raises(NotFound):
        here.audit.show(99)


INSERTED = """INSERT INTO audit
SELECT 6, at, who, kind, token, project, verb, action, subject, event, facts, hash, hash FROM audit WHERE id = 5"""


@pytest.mark.parametrize(
    ("statement", "row", "what"),
    [
        ("UPDATE audit SET who = 'eve' WHERE id = 3", 3, "changed"),
        ("UPDATE audit SET subject = 'x', hash = '0' WHERE id = 1", 1, "changed"),
        ("UPDATE audit SET previous = hash WHERE id = 4", 4, "changed"),
        ("DELETE FROM audit WHERE id = 2", 2, "removed"),
        ("DELETE FROM audit WHERE id = 1", 1, "removed"),
        ("DELETE FROM audit WHERE id = 5", 5, "cut off"),
        ("DELETE FROM audit", 1, "cut off"),
        (INSERTED, 6, "changed"),
        ("UPDATE events SET facts = '{}' WHERE id = 2", 2, "event changed"),
        ("UPDATE events SET at = at + 1 WHERE id = 2", 2, "event changed"),
        ("DELETE FROM events WHERE id = 4", 4, "event removed"),
    ],
)  # fmt: skip
def test_what_is_done_to_a_row_is_named(here: Workspace, statement: str, row: int, what: str) -> None:
    path = _five_rows(here)
    assert here.audit.verify().is_whole
    _tamper(path, statement)
    broken = here.audit.verify().broken
    assert broken is not None
    assert (broken.id, broken.what) == (row, what)


def _rewrite(path: Path, change: Callable[[list[list[Any]]], None]) -> None:
    """Does what an attacker would who knows how rows are hashed: every hash after the change is right again."""
    with sqlite3.connect(path) as connection:
        rows = [list(row) for row in connection.execute("SELECT * FROM audit ORDER BY id")]
        change(rows)
        previous = "0" * 64
        connection.execute("DELETE FROM audit")
        for number, row in enumerate(rows, 1):
            row[0], row[-2] = number, previous
            previous = row[-1] = _hash(row[:-1])
            connection.execute(f"INSERT INTO audit VALUES ({', '.join('?' * len(row))})", row)
        connection.execute("UPDATE audit_head SET id = ?, hash = ?", (len(rows), previous))


def _hash(fields: list[Any]) -> str:
    # A second implementation, as the page describes it.
    return hashlib.sha256(json.dumps(fields, separators=(",", ":"), ensure_ascii=False).encode()).hexdigest()


def test_a_log_that_was_written_anew_does_not_fit_what_was_signed(here: Workspace) -> None:
    path = _five_rows(here)
    here.audit.export()

    def blame_bob(rows: list[list[Any]]) -> None:
        rows[2][2] = "bob"

    _rewrite(path, blame_bob)
    broken = here.audit.verify().broken
    assert broken is not None
    assert broken.what == "rewritten"


def test_a_row_put_in_between_does_not_fit_what_was_signed(here: Workspace) -> None:
    path = _five_rows(here)
    here.audit.export()

    def repeat(rows: list[list[Any]]) -> None:
        rows.insert(2, [*rows[2][:9], None, "{}", *rows[2][11:]])

    _rewrite(path, repeat)
    broken = here.audit.verify().broken
    assert broken is not None
    assert broken.what in ("rewritten", "inserted")


def test_an_end_that_was_cut_off_is_known_from_outside_the_database(here: Workspace) -> None:
    path = _five_rows(here)
    here.audit.export()
    _rewrite(path, lambda rows: rows.__delitem__(slice(3, None)))
    _tamper(path, "DELETE FROM audit_seals")
    broken = here.audit.verify().broken
    assert broken is not None
    assert (broken.id, broken.what) == (4, "cut off")


def test_an_event_that_came_by_another_way_is_named(here: Workspace) -> None:
    path = _five_rows(here)
    _tamper(path, "INSERT INTO events SELECT 99, kind, subject, at, facts FROM events WHERE id = 1")
    here.experiments.create("after")
    broken = here.audit.verify().broken
    assert broken is not None
    assert broken.what == "event inserted"
    assert "99" in broken.why


def test_a_seal_of_an_unknown_key_counts_for_nothing(here: Workspace) -> None:
    _five_rows(here)
    here.audit.export()
    own = here.audit.verify()
    assert own.signed == own.last
    shutil.rmtree(here.settings.workspace / "keys")
    found = here.audit.verify()
    assert found.signed == 0
    assert len(found.unknown_keys) == 1


def test_a_thousand_rows_are_signed_by_themselves(here: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flyball.storage.audit_chain.SIGN_AFTER_ROWS", 3)
    _five_rows(here)
    assert here.audit.verify().signed == 3


def test_the_key_is_for_its_owner_only(here: Workspace) -> None:
    _five_rows(here)
    here.audit.export()
    key = here.settings.workspace / "keys" / "audit.key"
    assert key.stat().st_mode & 0o777 == 0o600
    here.close()
    key.chmod(0o644)
    with flyball.testing.workspace(here.root) as again, pytest.raises(InvalidInput, match="Others can read"):
        again.audit.export()


def test_a_key_that_cannot_be_used_stops_no_change(here: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flyball.storage.audit_chain.SIGN_AFTER_ROWS", 1)
    folder = here.settings.workspace / "keys"
    folder.mkdir()
    (folder / "audit.key").write_text("no key", encoding="ascii")
    (folder / "audit.key").chmod(0o600)
    assert len(here.experiments.create("one").id) > 0
    assert [row.action for row in here.audit.list()] == ["tracking.experiment_created"]
    assert here.audit.verify().signed == 0


def test_an_export_is_checked_without_the_workspace(here: Workspace) -> None:
    _five_rows(here)
    part = here.audit.export()
    assert part.is_all
    for line in part.lines:
        row = json.loads(line)
        assert _hash(row["hashed"]) == row["hash"]
    assert part.head is not None
    key = public_of(part.public_key)
    checker = Checker([part.head], {key_id(public_bytes(key)): key})
    checker.take(rows_of_lines(part.lines))
    assert checker.result().signed == part.last
    with pytest.raises(InvalidInput):
        list(rows_of_lines(here.audit.export(format="syslog").lines))


def test_an_export_comes_in_parts(here: Workspace) -> None:
    _five_rows(here)
    first = here.audit.export(limit=4)
    second = here.audit.export(after=first.last, limit=4)
    assert (len(first.lines), first.is_all, len(second.lines), second.is_all) == (4, False, 2, True)


def test_syslog_lines_are_as_rfc_5424_has_them(here: Workspace) -> None:
    with acting_as(Principal(name='e]v"e\\', role="owner")):
        here.experiments.create("odd")
    line = here.audit.export(format="syslog").lines[0]
    header = r"<109>1 \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z - flyball - [!-~]{1,32} "
    data = r'\[audit@32473( \w+="([^"\\\]]|\\["\\\]])*")+\] \ufeff.*'
    assert re.fullmatch(header + data, line)
    assert r'who="e\]v\"e\\"' in line


@ON_BOTH
def test_rows_of_many_at_once_stand_in_one_chain(database: Database, events: EventLog) -> None:
    database.audit = AuditChain(database.dialect)

    def write(name: str) -> None:
        with acting_as(Principal(name=name)):
            for number in range(10):
                with database.transaction() as connection:
                    if number % 2:
                        events.append(connection, "tests.done", Ref(kind="runs", name=name), number=number)
                    else:
                        note(connection, "tests.read", "x")

    threads = [threading.Thread(target=write, args=(f"w{number}",)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    rows = database.rows(sa.select(audit).order_by(audit.c.id))
    checker = Checker([], {})
    assert checker.take(rows)
    assert checker.result().rows == 40
    assert {row.who for row in rows} == {"w0", "w1", "w2", "w3"}


@ON_BOTH
def test_what_is_rolled_back_leaves_no_row(database: Database, events: EventLog) -> None:
    database.audit = AuditChain(database.dialect)
    with pytest.raises(InvalidInput), database.transaction() as connection:  # noqa: PT012  # it must fail at its end
        events.append(connection, "tests.done", Ref(kind="runs", name="x"))
        raise InvalidInput("It fails at its end.")
    with database.transaction() as connection:
        events.append(connection, "tests.done", Ref(kind="runs", name="y"))
    assert [row.subject for row in database.rows(sa.select(audit))] == ["runs:/y"]
