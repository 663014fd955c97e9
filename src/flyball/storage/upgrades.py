"""Brings a database to this release's tables: by itself on SQLite, when asked on PostgreSQL.

Alembic costs half a second to import, so it is only asked when a database is behind. One without tables gets them all
at once, from `migrations/tables.sql`: what a SQLite file looks like after the last revision.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

import sqlalchemy as sa

from flyball.errors import Conflict, Corrupt, FlyballError, InvalidInput, ServerUnreachable
from flyball.storage.database import Database

if TYPE_CHECKING:
    from alembic.config import Config

HEAD = "0004"
"""Revision of the tables that this release works on; a test holds it equal to Alembic's head."""

_UPGRADE_LOCK = 0x0F1B


def revision(database: Database) -> str:
    """The revision that the database stands at; empty for one without tables.

    Raises:
        ServerUnreachable: the database server does not answer, or does not let us in.
        Corrupt: the file is no database.
    """
    try:
        if not sa.inspect(database.engine).has_table("alembic_version"):
            return ""
    except sa.exc.DatabaseError as error:
        raise _unusable(database, error) from error
    row = database.row(sa.text("SELECT version_num FROM alembic_version"))
    return "" if row is None else str(row[0])


def prepare(database: Database) -> None:
    """Makes sure that the tables are those of this release.

    Raises:
        Conflict: the database is of a later release, or of an earlier one and not SQLite.
    """
    found = revision(database)
    if found == HEAD:
        return
    if found > HEAD:
        raise Conflict(
            f"The database is at revision {found}, this release of Flyball knows {HEAD}.",
            hint="Install a newer Flyball.",
        )
    if database.dialect.name != "sqlite":
        raise Conflict(
            f"The database is at revision {found or 'none'} and must be brought to {HEAD}.",
            hint="Back it up, then run `flyball db upgrade`.",
        )
    if not found and _create(database):
        return
    upgrade(database)


def make(database: Database) -> None:
    """Makes the schema that the address names, and all tables in it, where there are none yet."""
    if database.dialect.name != "postgresql" or revision(database):
        return
    from flyball.storage.postgres import make_schema, schema_of

    schema = schema_of(database.url)
    if schema:
        with database.transaction() as connection:
            make_schema(connection, schema)
    upgrade(database)


def make_tables_of(database: Database, to: str) -> None:
    """Makes the tables of a revision, this release's or an earlier one's, in a database that has none.

    Raises:
        Conflict: this release does not know the revision.
    """
    if not "" < to <= HEAD:
        raise Conflict(f"This release of Flyball knows no revision '{to[:40]}'.", hint="Install a newer Flyball.")
    if database.dialect.name == "sqlite" and to == HEAD and _create(database):
        return
    from alembic import command

    with _without_foreign_keys(database) as connection:
        if database.dialect.name == "postgresql":
            from flyball.storage.postgres import make_schema, schema_of

            if schema := schema_of(database.url):
                make_schema(connection, schema)
        settings = config()
        settings.attributes["connection"] = connection
        command.upgrade(settings, to)


def remove(url: str) -> None:
    """Removes all that a database holds: the file, or the schema that its address names.

    Raises:
        InvalidInput: the address names a PostgreSQL database and no schema of it; that one is not ours to remove.
    """
    from flyball.storage.postgres import drop_schema, schema_of

    place = sa.make_url(url)
    if place.get_backend_name() == "sqlite":
        for ending in ("", "-wal", "-shm"):
            Path(f"{place.database}{ending}").unlink(missing_ok=True)
        return
    schema = schema_of(place)
    if not schema:
        raise InvalidInput("A whole PostgreSQL database is not removed from here.", hint="Use DROP DATABASE.")
    database = Database(url, connections=1)
    try:
        with database.transaction() as connection:
            drop_schema(connection, schema)
    finally:
        database.close()


def _create(database: Database) -> bool:
    """Makes all tables in a SQLite file that has none; False if someone else has made some meanwhile."""
    script = (resources.files("flyball.storage") / "migrations" / "tables.sql").read_text(encoding="utf-8")
    with database.transaction() as connection:  # takes the lock for writing, so no two of us make tables
        if connection.exec_driver_sql("SELECT count(*) FROM sqlite_master").scalar_one():
            return False
        for statement in script.split(";\n\n"):
            if statement.strip():
                connection.exec_driver_sql(statement)
    return True


def upgrade(database: Database) -> str:
    """Brings the database to this release's tables; gives the revision it stood at before."""
    from alembic import command

    before = revision(database)
    with _without_foreign_keys(database) as connection:
        if database.dialect.name == "postgresql":
            # Two that start at once must not both upgrade.
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_UPGRADE_LOCK)))
        settings = config()
        settings.attributes["connection"] = connection
        command.upgrade(settings, "head")
    return before


def downgrade(database: Database, to: str) -> str:
    """Takes the database back to the tables of an earlier release; gives the revision it stood at before.

    What only the later tables could hold is lost.

    Raises:
        InvalidInput: there is no such revision, or it is not an earlier one.
    """
    from alembic import command
    from alembic.script import ScriptDirectory

    before = revision(database)
    known = sorted(script.revision for script in ScriptDirectory.from_config(config()).walk_revisions())
    if to not in known or to >= before:
        earlier = ", ".join(each for each in known if each < before)
        raise InvalidInput(
            f"'{to[:40]}' is no revision before {before or 'the first'}.", hint=f"Earlier ones: {earlier}."
        )
    with _without_foreign_keys(database) as connection:
        settings = config()
        settings.attributes["connection"] = connection
        command.downgrade(settings, to)
    return before


@contextmanager
def _without_foreign_keys(database: Database) -> Iterator[sa.Connection]:
    """A transaction in which tables may be made anew under others that refer to them; in the end all must refer right.

    SQLite changes a column by copying its table, and cannot be told inside a transaction to look away meanwhile.
    """
    if database.dialect.name != "sqlite":
        from flyball.storage.postgres import let_take_long

        with database.transaction() as connection:
            let_take_long(connection)
            yield connection
        return
    with database.engine.connect().execution_options(flyball_writes=True) as connection:
        driver = connection.connection.driver_connection
        assert driver is not None
        driver.execute("PRAGMA foreign_keys=OFF")
        try:
            with connection.begin():
                yield connection
                broken = connection.exec_driver_sql("PRAGMA foreign_key_check").all()
                if broken:
                    raise Corrupt(f"The upgrade would leave {len(broken)} rows without what they refer to.")
        finally:
            driver.execute("PRAGMA foreign_keys=ON")


def _unusable(database: Database, error: sa.exc.DatabaseError) -> FlyballError:
    where, said = database.url.render_as_string(hide_password=True), str(error.orig).strip().partition("\n")[0]
    if database.dialect.name == "sqlite":
        return Corrupt(f"{database.url.database} cannot be used: {said}.", hint="Choose another workspace or database.")
    return ServerUnreachable(f"The database {where} cannot be reached: {said}.", hint="See FLYBALL_DATABASE.")


def config() -> Config:
    """Alembic's settings for our own revisions."""
    from alembic.config import Config

    settings = Config()
    settings.set_main_option("script_location", str(resources.files("flyball.storage") / "migrations"))
    return settings
