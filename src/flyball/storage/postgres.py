"""PostgreSQL: a team's database."""

from __future__ import annotations

import re
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from flyball.errors import InvalidInput, MissingExtra

_MAKE_LOCK = 0x0F1C


_SCHEMA = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,62}")


def schema_of(url: sa.URL) -> str:
    """The schema that an address names by `?schema=`; empty for the database's own.

    Raises:
        InvalidInput: it is no name that a schema could have.
    """
    named = url.query.get("schema", "")
    if named and (not isinstance(named, str) or not _SCHEMA.fullmatch(named)):
        raise InvalidInput(f"{str(named)[:60]!r} cannot be the name of a schema.")
    return str(named)


def make_schema(connection: sa.Connection, schema: str) -> None:
    """Makes a schema, if there is none."""
    # Two that make it at once would both find none, and one would fail.
    connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_MAKE_LOCK)))
    connection.execute(sa.schema.CreateSchema(schema, if_not_exists=True))


def drop_schema(connection: sa.Connection, schema: str) -> None:
    """Removes a schema with all that is in it."""
    connection.execute(sa.schema.DropSchema(schema, cascade=True, if_exists=True))


# What a session asks of the server. A host that is cut off in the midst of a transaction keeps what it has locked until the
# server notices that it is gone, which by itself takes two hours.
_SESSION = {
    "tcp_keepalives_idle": 2,
    "tcp_keepalives_interval": 1,
    "tcp_keepalives_count": 2,
    "tcp_user_timeout": 5_000,
    "statement_timeout": 600_000,
    "idle_in_transaction_session_timeout": 900_000,
}


def _on_connect(connection: Any, _record: object) -> None:
    with connection.cursor() as cursor:
        cursor.execute("; ".join(f"SET {name} = {value}" for name, value in _SESSION.items()))
    connection.commit()


def let_take_long(connection: sa.Connection) -> None:
    """Lets the statements of this transaction take as long as they need."""
    for name in ("statement_timeout", "idle_in_transaction_session_timeout"):
        connection.exec_driver_sql(f"SET LOCAL {name} = 0")


class Postgres:
    """PostgreSQL through psycopg 3."""

    name = "postgresql"
    now: sa.ColumnElement[float] = sa.func.extract("epoch", sa.func.clock_timestamp()).cast(sa.Float(53))
    begin = ""

    def engine(self, url: sa.URL, connections: int) -> sa.Engine:
        """An engine whose connections notice a cut network.

        Raises:
            InvalidInput: the address names no schema that could be.
            MissingExtra: the driver is not installed.
        """
        try:
            import psycopg  # noqa: F401  # whether it is there
        except ImportError as error:
            raise MissingExtra("PostgreSQL needs its driver.", hint="pip install 'flyball[postgres]'") from error
        # Without tcp_user_timeout a silent partition hangs a connection for minutes.
        connect = {
            "connect_timeout": 10,
            "keepalives_idle": 10,
            "keepalives_interval": 5,
            "tcp_user_timeout": 20_000,
        }
        schema = schema_of(url)
        if schema:
            # Told at the start of each connection: no statement can then reach another schema by a table's name.
            url = url.difference_update_query(["schema"])
            options = str(url.query.get("options", ""))
            url = url.update_query_dict({"options": f'{options} -csearch_path="{schema}"'.strip()})
        engine = sa.create_engine(
            url.set(drivername="postgresql+psycopg"),
            pool_size=connections,
            max_overflow=3 * connections,
            pool_pre_ping=True,
            connect_args=connect,
        )
        sa.event.listen(engine, "connect", _on_connect)
        return engine

    def insert(self, table: sa.Table) -> Any:
        """PostgreSQL's INSERT with ON CONFLICT."""
        return insert(table)

    def writes(self, connection: sa.Connection, *, at_begin: bool = False) -> int:
        """The number of the transaction, which it only gets once it locks or writes a row; 0 before."""
        if at_begin:
            return 0
        number = connection.execute(sa.text("SELECT CAST(CAST(pg_current_xact_id_if_assigned() AS text) AS bigint)"))
        return int(number.scalar() or 0)
