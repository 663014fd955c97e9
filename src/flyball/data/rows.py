"""Rows of tables, a page at a time: of snapshots, and of files that runs left behind. Personal data is masked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flyball.clock import Clock
from flyball.data import _sql
from flyball.data._files import read_file
from flyball.data.arrow import require_arrow
from flyball.data.datasets import Data
from flyball.data.pii import PiiFlag, find_pii, masked
from flyball.data.quality import Quality, said_of, snapshot_source
from flyball.data.scan import Scan
from flyball.errors import InvalidInput, NotFound, did_you_mean
from flyball.serialization import JsonValue
from flyball.storage.database import Database
from flyball.storage.event_log import EventLog
from flyball.storage.objects import Blobs
from flyball.verbs import read

if TYPE_CHECKING:
    import pyarrow as pa

    from flyball.data.manifest import Snapshot

_MOST = 1000
_MOST_BYTES = 64 << 20
_LONGEST = 500
_LOOKED_AT = 5_000
_FORMATS = {".csv": "csv", ".tsv": "csv", ".json": "json", ".jsonl": "json", ".ndjson": "json"}


@dataclass(frozen=True, slots=True, kw_only=True)
class RowColumn:
    """A column of a page of rows.

    Attributes:
        kind: Its type, as Arrow names it.
        masked: What kind of personal data it holds; empty where it is shown as it is.
    """

    name: str
    kind: str
    masked: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RowPage:
    """Some rows of a table.

    Attributes:
        rows: Their values in the order of the columns; moments as ISO 8601, bytes by their number, long texts cut off.
        total: How many rows there are that fit.
        offset: Place of the first of these among them.
    """

    columns: tuple[RowColumn, ...]
    rows: list[list[JsonValue]]
    total: int
    offset: int


class Rows:
    """Reads pages of rows."""

    def __init__(self, database: Database, blobs: Blobs, events: EventLog, clock: Clock) -> None:
        self._blobs = blobs
        self._data = Data(database, blobs, events, clock)
        self._quality = Quality(database, blobs, events, clock)

    @read
    def of_snapshot(
        self, dataset: str, snapshot: str = "", offset: int = 0, limit: int = 100, order_by: str = "", column: str = "",
        contains: str = "",
    ) -> RowPage:  # fmt: skip
        """Rows of a snapshot; of the latest by default.

        Args:
            offset: How many rows are passed over.
            limit: At most this many, up to 1000.
            order_by: A column, or `-column` for the greatest first; as they lie by default.
            column: Only rows that have `contains` in this column.
            contains: A text, whatever its case.

        Raises:
            NotFound: there is no such dataset or snapshot.
            InvalidInput: it is no table, or has no such column.
        """
        found = self._data.get_snapshot(dataset, snapshot) if snapshot else self._data.get_snapshot(dataset)
        if found.schema is None:
            raise InvalidInput(f"{dataset}/{found.id[:12]} is a folder of files, no table.")
        with Scan(snapshot_source(self._blobs, found)) as scan:
            flags = self._flags(scan, found)
            return page_of(scan, flags, offset, limit, order_by, column, contains)

    def _flags(self, scan: Scan, snapshot: Snapshot) -> Sequence[PiiFlag]:
        """Which columns hold personal data: as its profile knows, or as its first rows show."""
        try:
            return self._quality.get_profile(snapshot.dataset, snapshot.id).flags
        except NotFound:
            declared, cleared = said_of(self._quality.pii_classes(snapshot.dataset))
            return find_pii(_head(scan), declared=declared, cleared=cleared)

    @read
    def of_file(
        self, digest: str, name: str, offset: int = 0, limit: int = 100, order_by: str = "", column: str = "",
        contains: str = "",
    ) -> RowPage:  # fmt: skip
        """Rows of a file that is kept: Parquet, Arrow, CSV or JSON.

        Args:
            digest: Digest of its bytes.
            name: What it is called; the ending says what it is.
            offset: How many rows are passed over.
            limit: At most this many, up to 1000.
            order_by: A column, or `-column` for the greatest first; as they lie by default.
            column: Only rows that have `contains` in this column.
            contains: A text, whatever its case.

        Raises:
            NotFound: there are no such bytes.
            InvalidInput: it is no table, or has no such column.
        """
        with Scan(_source(self._blobs.path(digest), name)) as scan:
            return page_of(scan, find_pii(_head(scan)), offset, limit, order_by, column, contains)


def _head(scan: Scan) -> pa.Table:
    return scan.arrow(_sql.select("*", f"LIMIT {_LOOKED_AT}"))


def _source(path: Path, name: str) -> Any:
    require_arrow()
    with path.open("rb") as file:
        mark = file.read(6)
    if mark[:4] == b"PAR1":
        return [path]
    if path.stat().st_size > _MOST_BYTES:
        raise InvalidInput(
            f"'{name}' has {path.stat().st_size:,} bytes, too many to read as a whole.", hint="Keep it as Parquet."
        )
    if mark == b"ARROW1":
        import pyarrow.feather as feather

        return feather.read_table(path)
    form = _FORMATS.get(Path(name).suffix.lower())
    if form is None:
        raise InvalidInput(f"'{name}' is no table.", hint="Parquet, Arrow, CSV and JSON are.")
    return read_file(path, form, f"'{name}'", None)  # type: ignore[arg-type]  # the table above holds formats


def page_of(
    scan: Scan,
    flags: Iterable[PiiFlag] = (),
    offset: int = 0,
    limit: int = 100,
    order_by: str = "",
    column: str = "",
    contains: str = "",
) -> RowPage:
    """A page of what is scanned; see `Rows.of_snapshot`.

    Raises:
        InvalidInput: there is no such page or column.
    """
    if not 1 <= limit <= _MOST or offset < 0:
        raise InvalidInput(f"{limit} rows from {offset} on cannot be given.", hint=f"Ask for 1 to {_MOST}.")
    hidden = {flag.column: flag.kind for flag in flags}
    where = f"WHERE {_condition(scan, hidden, column, contains)}" if column and contains else ""
    order = ""
    if order_by:
        name = order_by.removeprefix("-")
        way = "DESC" if order_by.startswith("-") else "ASC"
        order = f"ORDER BY {scan.ref(_known(scan, hidden, name))} {way} NULLS LAST"
    total = scan.query(_sql.select("count(*)", where))[0][0] if where else scan.num_rows
    table = scan.arrow(_sql.select("*", f"{where} {order} LIMIT {limit} OFFSET {offset}"))
    columns = tuple(
        RowColumn(name=field.name, kind=str(field.type), masked=hidden.get(field.name, ""))
        for field in scan.arrow_schema
    )
    return RowPage(columns=columns, rows=_plain(masked(table, flags)), total=int(total), offset=offset)


def _known(scan: Scan, hidden: Mapping[str, str], column: str) -> str:
    if column not in scan.schema.names:
        raise InvalidInput(f"There is no column '{column[:100]}'.", hint=did_you_mean(column, scan.schema.names))
    if column in hidden:
        # Who may sort or search it can find out what it holds.
        raise InvalidInput(f"The column '{column}' holds personal data and is masked.")
    return column


def _condition(scan: Scan, hidden: Mapping[str, str], column: str, contains: str) -> str:
    return f"contains(lower(CAST({scan.ref(_known(scan, hidden, column))} AS VARCHAR)), {_sql.text(contains.lower())})"


def _plain(table: pa.Table) -> list[list[JsonValue]]:
    columns = [[_value(value) for value in column.to_pylist()] for column in table.columns]
    return [list(row) for row in zip(*columns, strict=True)] if columns else []


def _value(value: Any) -> JsonValue:
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return value if value - value == 0 else None  # neither NaN nor infinite
    if isinstance(value, bytes):
        return f"{len(value):,} bytes"
    if hasattr(value, "isoformat"):
        return value.isoformat()
    text = str(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
