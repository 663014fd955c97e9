"""The rows that a database answers, taken batch by batch."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from flyball.data.arrow import fit, plain, require_arrow, unify_fields
from flyball.errors import InvalidInput, MissingExtra

if TYPE_CHECKING:
    import pyarrow as pa

_ROWS_AT_ONCE = 65_536


@contextmanager
def query_database(url: str, query: str, root: Path) -> Iterator[pa.Table]:
    """The rows that a query gives, in plain types.

    They are written to a file as they come and mapped from there, so that memory holds one batch of them at a time.

    Raises:
        InvalidInput: the address, the query or its answer cannot be used.
        MissingExtra: the database's driver is not installed.
    """
    require_arrow()
    engine, shown = _engine(url, root)
    with tempfile.TemporaryDirectory(prefix="flyball-query-") as folder:
        try:
            with engine.connect() as connection:
                answer = connection.execution_options(stream_results=True).execute(sa.text(query))
                if not answer.returns_rows:
                    raise InvalidInput("The query gives no rows.", hint="Write a SELECT.")
                parts = _spool(answer, Path(folder))
        except sa.exc.SQLAlchemyError as error:
            cause = getattr(error, "orig", None) or error
            raise InvalidInput(f"The query failed on {shown}: {cause}") from error
        finally:
            engine.dispose()
        yield _mapped(parts, Path(folder))


def _engine(url: str, root: Path) -> tuple[sa.Engine, str]:
    try:
        address = sa.make_url(url)
    except sa.exc.ArgumentError as error:
        raise InvalidInput(
            "The source is no database address.", hint="Write it as postgresql://user@host/name."
        ) from error
    shown = address.render_as_string(hide_password=True)
    try:
        return sa.create_engine(_from_root(address, root)), shown
    except sa.exc.ArgumentError as error:
        raise InvalidInput(f"No database can be reached by {shown}: {error}.") from error
    except ImportError as error:
        raise MissingExtra(f"The driver for {shown} is not installed.", hint=f"pip install {error.name}") from error


def _spool(answer: sa.CursorResult[Any], folder: Path) -> list[Path]:
    """Writes each batch into a file of its own, since a later one may bring a type that an earlier one did not have."""
    import pyarrow as pa

    names = list(answer.keys())
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InvalidInput(f"The query gives two columns '{twice[0]}'.", hint="Rename one with AS.")
    parts: list[Path] = []
    for rows in answer.partitions(_ROWS_AT_ONCE):
        columns = []
        for name, values in zip(names, zip(*rows, strict=True), strict=True):
            try:
                columns.append(pa.array(values))
            except (pa.ArrowException, ValueError, TypeError, OverflowError) as error:
                raise InvalidInput(f"Column '{name}' of the query mixes types: {error}.", column=name) from error
        parts.append(folder / f"{len(parts)}.arrow")
        _write(plain(pa.table(columns, names=names)), parts[-1])
    if not parts:
        raise InvalidInput("The query holds no rows.", hint="It was answered, with none.")
    return parts


def _mapped(parts: list[Path], folder: Path) -> pa.Table:
    import pyarrow as pa

    tables = [_map(part) for part in parts]
    names = [f"rows from {place * _ROWS_AT_ONCE:,}" for place in range(len(tables))]
    wanted = pa.schema(unify_fields([table.schema for table in tables], names))
    fitted = []
    for place, (table, name) in enumerate(zip(tables, names, strict=True)):
        if table.schema.equals(wanted):
            fitted.append(table)
            continue
        _write(fit(table, wanted, name), folder / f"{place}.fitted.arrow")
        fitted.append(_map(folder / f"{place}.fitted.arrow"))
    return pa.concat_tables(fitted)


def _write(table: pa.Table, target: Path) -> None:
    import pyarrow as pa

    with pa.ipc.new_file(target, table.schema) as file:
        file.write_table(table)


def _map(part: Path) -> pa.Table:
    import pyarrow as pa

    return pa.ipc.open_file(pa.memory_map(str(part))).read_all()


def _from_root(url: sa.URL, root: Path) -> sa.URL:
    if url.get_backend_name() != "sqlite" or not url.database or url.database == ":memory:":
        return url
    file = root / url.database
    if not file.is_file():  # opening it would make an empty one
        raise InvalidInput(f"There is no database file '{url.database}'.")
    return url.set(database=str(file))
