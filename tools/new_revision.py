"""Writes an Alembic revision for what the rooms' tables have that the last revision has not.

    python -m tools.new_revision 0002 "Remember who asked"

Read what it wrote before you commit it, set HEAD in storage/upgrades.py, and write the tables of a new SQLite file:

    python -m tools.new_revision --tables
"""

import importlib
import pkgutil
import sys
import tempfile
from pathlib import Path

import sqlalchemy as sa

import flyball
from flyball.storage.database import Database
from flyball.storage.tables import metadata
from flyball.storage.upgrades import config

TABLES = Path(flyball.__file__).parent / "storage" / "migrations" / "tables.sql"


def load_tables() -> None:
    """Imports every module that declares tables."""
    for module in pkgutil.walk_packages(flyball.__path__, "flyball."):
        if module.name.endswith(("_store", ".database", ".event_log", ".virtual_clock")):
            importlib.import_module(module.name)
    assert metadata.tables


def tables() -> str:
    """The statements that make a SQLite file as it is after the last revision."""
    with tempfile.TemporaryDirectory() as folder:
        database = Database(f"sqlite:///{Path(folder) / 'empty.db'}")
        head = _upgrade(database)
        made = sa.text(
            "SELECT sql FROM sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%' ORDER BY rowid"
        )
        found = [str(row.sql) for row in database.rows(made)]
        database.close()
    # The tables before what stands on them, and these by name: a revision makes indexes anew in no certain order.
    made_tables = [statement for statement in found if statement.startswith("CREATE TABLE")]
    found = [*made_tables, *sorted(set(found) - set(made_tables))]
    return ";\n\n".join([*found, f"INSERT INTO alembic_version (version_num) VALUES ('{head}')"]) + ";\n\n"


def _upgrade(database: Database) -> str:
    from alembic import command

    settings = config()
    with database.transaction() as connection:
        settings.attributes["connection"] = connection
        command.upgrade(settings, "head")
    row = database.row(sa.text("SELECT version_num FROM alembic_version"))
    assert row is not None
    return str(row[0])


def main(number: str, words: str) -> None:
    """Compares a database at the last revision with the tables, and writes what is missing."""
    from alembic import command

    load_tables()
    with tempfile.TemporaryDirectory() as folder:
        database = Database(f"sqlite:///{Path(folder) / 'empty.db'}")
        settings = config()
        with database.transaction() as connection:
            settings.attributes["connection"] = connection
            command.upgrade(settings, "head")
            command.revision(settings, message=words, autogenerate=True, rev_id=number)
        database.close()


if __name__ == "__main__":
    if sys.argv[1:] == ["--tables"]:
        TABLES.write_text(tables(), encoding="utf-8")
    else:
        main(*sys.argv[1:3])
