"""What every room's `_store.py` builds its tables from: one metadata, and column types that hold our values."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Generic, TypeVar

import sqlalchemy as sa

from flyball.serialization import from_json, to_json

T = TypeVar("T")

metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(column_0_label)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Instant(sa.types.TypeDecorator[datetime]):
    """A moment as microseconds since 1970 UTC: exact, sorted, and the same on every database."""

    impl = sa.BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> int | None:
        """To the database."""
        return None if value is None else (value - _EPOCH) // timedelta(microseconds=1)

    def process_result_value(self, value: int | None, dialect: sa.Dialect) -> datetime | None:
        """From the database."""
        return None if value is None else _EPOCH + timedelta(microseconds=value)


class Document(sa.types.TypeDecorator[T], Generic[T]):
    """A noun, or plain values, as JSON text; read back as `kind` and checked on the way."""

    impl = sa.Text
    cache_ok = True

    def __init__(self, kind: Any) -> None:
        super().__init__()
        self.kind = kind  # under the argument's own name it tells statements apart that SQLAlchemy keeps compiled

    def process_bind_param(self, value: T | None, dialect: sa.Dialect) -> str | None:
        """To the database."""
        return None if value is None else to_json(value).decode()

    def process_result_value(self, value: str | None, dialect: sa.Dialect) -> T | None:
        """From the database."""
        if value is None:
            return None
        found: T = from_json(value, self.kind)
        return found


def only_one(name: str, *columns: str, where: str) -> sa.Index:
    """Among the rows of which the condition holds, each combination of the columns stands once."""
    condition = sa.text(where)
    return sa.Index(name, *columns, unique=True, sqlite_where=condition, postgresql_where=condition)


# A row number that grows: 64 bits on PostgreSQL; SQLite numbers rows by itself only where the type says INTEGER.
RowNumber = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
