"""PostgreSQL: a team's database."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from flyball.errors import MissingExtra


class Postgres:
    """PostgreSQL through psycopg 3."""

    name = "postgresql"
    now: sa.ColumnElement[float] = sa.func.extract("epoch", sa.func.clock_timestamp()).cast(sa.Float(53))
    begin = ""

    def engine(self, url: sa.URL) -> sa.Engine:
        """An engine whose connections notice a cut network.

        Raises:
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
        return sa.create_engine(
            url.set(drivername="postgresql+psycopg"),
            pool_size=8,
            max_overflow=24,
            pool_pre_ping=True,
            connect_args=connect,
        )

    def insert(self, table: sa.Table) -> Any:
        """PostgreSQL's INSERT with ON CONFLICT."""
        return insert(table)
