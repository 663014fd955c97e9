"""A database is brought to the tables that this release works on, and never silently past them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from flyball.errors import Conflict
from flyball.settings import load_settings
from flyball.storage.database import Database
from flyball.storage.tables import metadata
from flyball.storage.upgrades import HEAD, config, prepare, revision, upgrade
from flyball.workspace import Workspace
from tests.servers.databases import import_all_tables
from tools.new_revision import TABLES, tables


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def empty(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """A database without tables."""
    url = f"sqlite:///{tmp_path}/flyball.db" if request.param == "sqlite" else request.getfixturevalue("postgres_url")
    made = Database(url)
    yield made
    made.close()


def stand_at(database: Database, number: str) -> None:
    database.execute(sa.text("UPDATE alembic_version SET version_num = :number").bindparams(number=number))


def test_there_is_one_head_and_the_code_knows_it() -> None:
    assert ScriptDirectory.from_config(config()).get_heads() == [HEAD]


def test_an_empty_database_stands_at_no_revision(empty: Database) -> None:
    assert revision(empty) == ""


# Indexes of expressions are told in other words by each database, so only their names are compared.
BY_EXPRESSION = {"ix_label_items_queue"}


@pytest.mark.filterwarnings("ignore:autogenerate skipping metadata-specified expression-based index")
def test_an_upgrade_brings_every_table_as_the_rooms_declare_it(empty: Database) -> None:
    import_all_tables()
    assert upgrade(empty) == ""
    assert revision(empty) == HEAD
    with empty.reading() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        found = [
            change
            for change in compare_metadata(context, metadata)
            if not (isinstance(change, tuple) and change[0].endswith("_index") and change[1].name in BY_EXPRESSION)
        ]
        assert found == [], "Run: python -m tools.new_revision"
        held = {index["name"] for index in sa.inspect(connection).get_indexes("label_items")}
        assert held >= BY_EXPRESSION


def _parts(script: str) -> list[list[str]]:
    # Tables that a revision made anew have their constraints in no certain order.
    return sorted(sorted(line.strip(" ,\t") for line in part.splitlines()) for part in script.split(";\n\n"))


def test_the_tables_of_a_new_file_are_those_of_the_last_revision() -> None:
    assert _parts(TABLES.read_text(encoding="utf-8")) == _parts(tables()), "Run: python -m tools.new_revision --tables"


def test_a_new_file_is_ready_without_alembic(tmp_path: Path) -> None:
    program = (
        "import sys; from flyball.storage.database import Database; from flyball.storage.upgrades import prepare, revision;"
        "d = Database(sys.argv[1]); prepare(d); print(revision(d), 'alembic' in sys.modules)"
    )
    for _ in range(2):
        done = subprocess.run(
            [sys.executable, "-c", program, f"sqlite:///{tmp_path}/new.db"], capture_output=True, text=True, check=True
        )
        assert done.stdout.split() == [HEAD, "False"]


def test_processes_that_meet_at_a_new_file_all_find_its_tables(tmp_path: Path) -> None:
    def meet(_: int) -> str:
        database = Database(f"sqlite:///{tmp_path}/new.db")
        prepare(database)
        found = revision(database)
        database.close()
        return found

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(meet, range(8))) == {HEAD}


def test_an_upgrade_may_be_asked_for_again(empty: Database) -> None:
    upgrade(empty)
    assert upgrade(empty) == HEAD


def test_a_database_of_this_release_is_ready_without_an_upgrade(database: Database) -> None:
    prepare(database)
    assert revision(database) == HEAD


def test_sqlite_is_upgraded_by_itself(tmp_path: Path) -> None:
    with Workspace(load_settings(environment={}, start=tmp_path)) as workspace:
        assert workspace.events.list() == []
        assert revision(workspace.database) == HEAD


def test_postgres_is_upgraded_when_asked(postgres_url: str) -> None:
    database = Database(postgres_url)
    with pytest.raises(Conflict, match="must be brought to") as caught:
        prepare(database)
    assert "flyball db upgrade" in caught.value.hint
    upgrade(database)
    prepare(database)
    database.close()


def test_a_database_of_a_later_release_is_left_alone(database: Database) -> None:
    stand_at(database, "9999")
    with pytest.raises(Conflict, match="9999"):
        prepare(database)
    assert revision(database) == "9999"


def test_two_that_start_at_once_upgrade_once(empty: Database) -> None:
    def start(_: int) -> str:
        database = Database(empty.url.render_as_string(hide_password=False))
        try:
            return upgrade(database)
        finally:
            database.close()

    with ThreadPoolExecutor(3) as pool:
        before = list(pool.map(start, range(3)))
    assert revision(empty) == HEAD
    assert before.count("") >= 1


def test_an_upgrade_that_fails_leaves_the_database_as_it_was(empty: Database) -> None:
    empty.execute(sa.text("CREATE TABLE events (mine INTEGER)"))
    with pytest.raises(sa.exc.DatabaseError):
        upgrade(empty)
    assert revision(empty) == ""
    assert sa.inspect(empty.engine).get_table_names() == ["events"]
