"""A database of every earlier release, with a row in each of its tables, goes on with this one and back, and loses nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic import command

from flyball.errors import Conflict
from flyball.settings import load_settings
from flyball.storage.database import Database
from flyball.storage.upgrades import HEAD, config, downgrade, prepare, revision, upgrade
from flyball.workspace import Workspace

EARLIER = [f"{number:04}" for number in range(1, int(HEAD))]


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def empty(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    url = f"sqlite:///{tmp_path}/earlier.db" if request.param == "sqlite" else request.getfixturevalue("postgres_url")
    made = Database(url)
    yield made
    made.close()


def fill(database: Database, to: str) -> dict[str, int]:
    """Makes the tables of a revision with a row in each; gives how many rows each has."""
    with database.transaction() as connection:
        settings = config()
        settings.attributes["connection"] = connection
        command.upgrade(settings, to)
    tables = sa.MetaData()
    tables.reflect(database.engine)
    with database.transaction() as connection:
        for table in tables.sorted_tables:
            if table.name != "alembic_version":
                connection.execute(sa.insert(table).values({column.name: value_of(column) for column in table.columns}))
    return counts(database, [table.name for table in tables.sorted_tables])


def value_of(column: sa.Column[Any]) -> Any:
    """A value that the column takes, the same wherever one refers to another."""
    kind = column.type
    if isinstance(kind, sa.Boolean):
        return False
    if isinstance(kind, sa.Integer | sa.BigInteger):
        return 1
    if isinstance(kind, sa.Float | sa.Numeric):
        return 1.0
    if isinstance(kind, sa.LargeBinary):
        return b"x" * 16
    return "{}" if isinstance(kind, sa.Text) else "x"


def counts(database: Database, tables: list[str]) -> dict[str, int]:
    with database.reading() as connection:
        known = set(sa.inspect(connection).get_table_names())
        return {
            name: connection.execute(sa.select(sa.func.count()).select_from(sa.table(name))).scalar_one()
            for name in tables
            if name in known and name != "alembic_version"
        }


@pytest.mark.parametrize("since", EARLIER)
def test_every_row_of_an_earlier_release_is_kept(empty: Database, since: str) -> None:
    before = fill(empty, since)
    assert upgrade(empty) == since
    prepare(empty)
    after = counts(empty, list(before))
    assert {name: rows for name, rows in before.items() if after.get(name, 0) < rows and name in after} == {}
    assert set(after) == set(before), "no table went"
    assert downgrade(empty, since) == HEAD
    assert counts(empty, list(before)) == before
    assert upgrade(empty) == since


@pytest.mark.parametrize("since", EARLIER)
def test_a_workspace_of_an_earlier_release_opens_by_itself(tmp_path: Path, since: str) -> None:
    folder = tmp_path / ".flyball"
    folder.mkdir()
    database = Database(f"sqlite:///{folder / 'flyball.db'}")
    with database.transaction() as connection:
        settings = config()
        settings.attributes["connection"] = connection
        command.upgrade(settings, since)
    database.close()
    with Workspace(load_settings(environment={}, start=tmp_path)) as workspace:
        run = workspace.tracking.create_run("churn", params={"depth": 5})
        assert workspace.tracking.get_run(run.id).params == {"depth": 5}
        assert revision(workspace.database) == HEAD


def test_a_workspace_of_a_later_release_is_left_alone_and_told(tmp_path: Path) -> None:
    settings = load_settings(environment={}, start=tmp_path)
    with Workspace(settings) as workspace:
        workspace.database.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    with (
        Workspace(settings) as workspace,
        pytest.raises(Conflict, match="revision 9999, this release of Flyball knows") as told,
    ):
        workspace.tracking.create_run("churn")
    assert told.value.hint == "Install a newer Flyball."
