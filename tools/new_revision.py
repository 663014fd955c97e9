"""Writes an Alembic revision for what the rooms' tables have that the last revision has not.

    python -m tools.new_revision 0002 "Remember who asked"

Read what it wrote before you commit it, then set HEAD in storage/upgrades.py.
"""

import importlib
import pkgutil
import sys
import tempfile
from pathlib import Path

import flyball
from flyball.storage.database import Database
from flyball.storage.tables import metadata
from flyball.storage.upgrades import config


def load_tables() -> None:
    """Imports every module that declares tables."""
    for module in pkgutil.walk_packages(flyball.__path__, "flyball."):
        if module.name.endswith(("_store", ".database", ".event_log", ".virtual_clock")):
            importlib.import_module(module.name)
    assert metadata.tables


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
    main(*sys.argv[1:3])
