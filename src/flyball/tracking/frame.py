"""Runs as a table: a row for each, a column for each param, metric and tag."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from flyball.errors import InvalidInput, MissingExtra
from flyball.tracking.filters import parse_order, quoted
from flyball.tracking.limits import ParamValue
from flyball.tracking.run_fields import RUN_FIELDS

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl
    import pyarrow as pa

    from flyball.tracking.runs import Run
    from flyball.tracking.search import RunSearch

_PAGE = 1_000
_INT64 = 1 << 63
_GROUPS = {"metric": "metrics", "parameter": "params", "tag": "tags"}
ATTRIBUTES = ("id", "name", "experiment", "kind", "state", "started", "ended", "seconds", "user", "parent")


class RunTable:
    """Runs, a row each. It is Arrow inside; pandas, Polars and DuckDB read it without a copy where they can.

    Attributes:
        arrow: The Arrow table.
    """

    def __init__(self, arrow: pa.Table) -> None:
        self.arrow = arrow

    @property
    def columns(self) -> list[str]:
        """Names of the columns."""
        return list(self.arrow.column_names)

    def to_pandas(self) -> pd.DataFrame:
        """The table as a pandas data frame."""
        return self.arrow.to_pandas()

    def to_polars(self) -> pl.DataFrame:
        """The table as a Polars data frame.

        Raises:
            MissingExtra: Polars is not installed.
        """
        try:
            import polars as pl
        except ImportError as error:
            raise MissingExtra("A Polars data frame needs Polars.", hint="pip install polars") from error
        frame = pl.from_arrow(self.arrow)
        assert isinstance(frame, pl.DataFrame)
        return frame

    def to_pylist(self) -> list[dict[str, Any]]:
        """The rows as dictionaries."""
        rows: list[dict[str, Any]] = self.arrow.to_pylist()
        return rows

    def __len__(self) -> int:
        return int(self.arrow.num_rows)

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return self.arrow.__arrow_c_stream__(requested_schema)

    def __repr__(self) -> str:
        return f"RunTable({self.arrow.num_rows:,} runs, {self.arrow.num_columns} columns)"

    def _repr_html_(self) -> str:
        html: str = self.to_pandas().to_html(escape=True, max_rows=50)
        return html


def runs_table(
    search: RunSearch,
    filter: str = "",
    *,
    experiments: Sequence[str] = (),
    order_by: Sequence[str] = (),
    columns: Sequence[str] | None = None,
    limit: int = 10_000,
) -> RunTable:
    """The runs that fit a filter, as a table.

    Args:
        search: The workspace's `run_search`, local or remote.
        filter: Such as `params.depth = '5' AND metrics.accuracy > 0.9`; empty for all.
        experiments: Names or ids; empty for all.
        order_by: Such as `metrics.accuracy DESC`; by default the newest come first.
        columns: Such as `name`, `params.depth`, `metrics.accuracy`; by default all that there are.
        limit: At most this many runs.

    Raises:
        InvalidInput: the filter or an order is not understood.
        MissingExtra: Arrow is not installed.
    """
    try:
        import pyarrow as pa
    except ImportError as error:
        raise MissingExtra("A table of runs needs Arrow.", hint="pip install 'flyball[data]'") from error
    if limit < 0:
        raise InvalidInput(f"{limit} runs were asked for.", hint="Give no negative number.")
    runs = list(_all(search, filter, list(experiments), list(order_by), limit))
    names = list(columns) if columns is not None else all_columns(runs)
    return RunTable(pa.table({name: _column(name, runs) for name in names}))


def _all(search: RunSearch, filter: str, experiments: list[str], order_by: list[str], limit: int) -> Iterable[Run]:
    token, left = "", limit
    while left > 0:
        page = search.search(filter, experiments, order_by, min(left, _PAGE), token)
        yield from page.runs
        left, token = left - len(page.runs), page.next_page_token
        if not token:
            return


def all_columns(runs: Sequence[Run]) -> list[str]:
    """The columns that some runs have."""
    found = list(ATTRIBUTES)
    for group in ("params", "metrics", "tags"):
        found += [f"{group}.{quoted(key)}" for key in sorted({key for run in runs for key in getattr(run, group)})]
    return found


def reader(column: str) -> Callable[[Run], Any]:
    """Gives what a run has in a column, such as `state` or `metrics.accuracy`; None where it has nothing.

    Raises:
        InvalidInput: there is no such column.
    """
    (order,) = parse_order([column], RUN_FIELDS)
    key = order.key
    if order.group != "attribute":
        group = _GROUPS[order.group]
        return lambda run: getattr(run, group).get(key)
    if key == "seconds":
        return lambda run: None if run.ended is None else (run.ended - run.started).total_seconds()
    name = "state" if key == "status" else key
    return lambda run: getattr(run, name, None)


def _column(name: str, runs: Sequence[Run]) -> pa.Array:
    import pyarrow as pa

    (order,) = parse_order([name], RUN_FIELDS)
    read = reader(name)
    values = [read(run) for run in runs]
    if order.group == "parameter":
        return _params(values)
    if order.key in ("started", "ended") and order.group == "attribute":
        return pa.array(values, pa.timestamp("us", tz="UTC"))
    is_number = order.group == "metric" or (order.group == "attribute" and order.key in ("seconds", "attempt"))
    return pa.array(values, pa.float64() if is_number else pa.string())


def _params(values: Sequence[ParamValue]) -> pa.Array:
    """Params of one key: of the type that they all have, or else as texts."""
    import pyarrow as pa

    kinds = {type(value) for value in values if value is not None}
    if kinds == {bool}:
        return pa.array(values, pa.bool_())
    if kinds == {int} and all(value is None or -_INT64 <= int(value) < _INT64 for value in values):
        return pa.array(values, pa.int64())
    if kinds and kinds <= {int, float}:
        return pa.array([None if value is None else float(value) for value in values], pa.float64())
    return pa.array([None if value is None else str(value) for value in values], pa.string())
