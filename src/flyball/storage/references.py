"""Which blobs something in the database still refers to.

Rooms keep digests in columns of their own and inside documents, and a command line may not have imported every room. So
the database itself is asked which tables and text columns it has: what no one has told this file of counts as well. Better
a blob too many is kept than one too few.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

import sqlalchemy as sa

from flyball.errors import FlyballError
from flyball.serialization import from_json
from flyball.storage.objects import Blobs, check_digest

# They tell what was, and hold on to nothing.
_TELL_ONLY = {
    "alembic_version", "audit", "audit_head", "audit_seals", "events", "idempotency_keys", "leases", "lineage_edges",
}  # fmt: skip
_DIGEST_LENGTH = 64
_PER_QUERY = 50
_CODE = "code"


def referred_to(
    connection: sa.Connection,
    blobs: Blobs,
    digests: Iterable[str],
    *,
    leave_out: Mapping[str, sa.ColumnElement[bool]] | None = None,
) -> set[str]:
    """Those of some digests that the database names, in whatever table, or that a list of a project's code names.

    Args:
        leave_out: Rows that do not count: a condition on bare columns (`sa.column(...)`), by the table's name.
    """
    missing = {check_digest(digest) for digest in digests}
    found: set[str] = set()
    for table, column, length in text_columns(connection):
        if not missing:
            break
        counts = ~leave_out[table] if leave_out and table in leave_out else sa.true()
        held = _in_column(connection, table, column, length, missing, counts)
        if column == _CODE:
            # A model that is kept as a source file may be a file of the project.
            held |= _in_code(connection, blobs, table, missing, counts)
        found |= held
        missing -= held
    return found


def rows_naming(connection: sa.Connection, texts: Iterable[str], among: Callable[[str], bool]) -> dict[str, int]:
    """How many rows of each table hold one of some texts of at least 64 characters, such as references.

    Args:
        among: Whether a table of that name counts.
    """
    wanted, found = sorted(texts), dict[str, int]()
    for table, name, _ in text_columns(connection):
        if not among(table):
            continue
        value = sa.column(name, sa.String)
        for start in range(0, len(wanted), _PER_QUERY):
            holds = sa.or_(*(value.contains(text, autoescape=True) for text in wanted[start : start + _PER_QUERY]))
            long = sa.func.length(value) >= _DIGEST_LENGTH
            count = connection.execute(
                sa.select(sa.func.count()).select_from(sa.table(table)).where(long, holds)
            ).scalar_one()
            if count:
                found[table] = found.get(table, 0) + count
    return found


def text_columns(connection: sa.Connection) -> Iterator[tuple[str, str, int]]:
    """Table, name and length of each column that can hold a digest; a column without a limit is 0 long."""
    inspector = sa.inspect(connection)
    for table in inspector.get_table_names():
        if table in _TELL_ONLY:
            continue
        for column in inspector.get_columns(table):
            kind = column["type"]
            if isinstance(kind, sa.String) and (kind.length is None or kind.length >= _DIGEST_LENGTH):
                yield table, column["name"], kind.length or 0


def _in_column(
    connection: sa.Connection, table: str, column: str, length: int, digests: set[str], counts: sa.ColumnElement[bool]
) -> set[str]:
    value, ordered = sa.column(column, sa.String), sorted(digests)
    found: set[str] = set()
    for start in range(0, len(ordered), _PER_QUERY):
        part = ordered[start : start + _PER_QUERY]
        holds = value.in_(part) if length == _DIGEST_LENGTH else sa.or_(*(value.contains(digest) for digest in part))
        # Most texts are too short to hold one, which is seen far sooner than that they do not.
        long = sa.func.length(value) >= _DIGEST_LENGTH
        query = sa.select(value).distinct().select_from(sa.table(table)).where(long, holds, counts)
        for text in connection.execute(query).scalars():
            found.update(digest for digest in part if digest in text)
    return found


def _in_code(
    connection: sa.Connection, blobs: Blobs, table: str, digests: set[str], counts: sa.ColumnElement[bool]
) -> set[str]:
    found: set[str] = set()
    query = sa.select(sa.column(_CODE, sa.String)).distinct().select_from(sa.table(table)).where(counts)
    for code in connection.execute(query).scalars():
        try:
            files = from_json(blobs.get(check_digest(code)), dict[str, str])
        except FlyballError:  # the name of a commit, or code that is no longer kept
            continue
        found |= digests & set(files.values())
    return found
