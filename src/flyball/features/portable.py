"""The point-in-time join as SQL, for where the rows are: a warehouse, Spark, DuckDB.

`join_sql` needs no more than window functions, so it runs on whatever has them; `asof_sql` says the same with DuckDB's ASOF JOIN.
Both keep the rules of `join.py`: rows out are rows in, the last known row counts, ties go to the one created last, missing keys
meet nothing. Rows that are equal in time and creation need a column that orders them (`order_by`), since a table has no order.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from flyball.errors import InvalidInput
from flyball.features.definition import FeatureView

_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*")
QUOTES = {"ansi": '"', "spark": "`", "bigquery": "`", "mysql": "`"}
"""How names are quoted: as the standard says, or as these do."""

# One order for requests and rows: a request sees the last row before it. A row enters when it became known, and the running
# maximum of its rank among all rows of its thing is the rank of the row that counts from then on.
_JOIN = """
WITH rows_of AS (
    SELECT {keys_of}, {time} AS fb_time, {created} AS fb_created, {values_of}, {order} AS fb_order
    FROM {view} WHERE {time} IS NOT NULL AND {created} IS NOT NULL AND {keys_there}
),
ranked AS (
    SELECT rows_of.*, CASE WHEN fb_created > fb_time THEN fb_created ELSE fb_time END AS fb_known,
        row_number() OVER (PARTITION BY {keys} ORDER BY fb_time, fb_created, fb_order) AS fb_rank
    FROM rows_of
),
asked AS (
    SELECT {requests}.*, row_number() OVER (ORDER BY {request_order}) AS fb_place FROM {requests}
),
both_of AS (
    SELECT {keys}, fb_known AS fb_at, 0 AS fb_is_request, fb_rank, CAST(NULL AS BIGINT) AS fb_place FROM ranked
    UNION ALL
    SELECT {asked_keys}, {at} AS fb_at, 1 AS fb_is_request, NULL AS fb_rank, fb_place FROM asked
    WHERE {at} IS NOT NULL AND {asked_there}
),
met AS (
    SELECT both_of.*, max(fb_rank) OVER (
        PARTITION BY {keys} ORDER BY fb_at, fb_is_request ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
    ) AS fb_best
    FROM both_of
)
SELECT {asked_columns}, {picked}
FROM asked
LEFT JOIN met ON met.fb_is_request = 1 AND met.fb_place = asked.fb_place
LEFT JOIN ranked ON {same_keys} AND ranked.fb_rank = met.fb_best{ttl}
ORDER BY asked.fb_place
"""
_ASOF = """
WITH rows_of AS (
    SELECT {keys_of}, {time} AS fb_time, {created} AS fb_created, {values_of}, {order} AS fb_order
    FROM {view} WHERE {time} IS NOT NULL AND {created} IS NOT NULL
),
ranked AS (
    SELECT rows_of.*, greatest(fb_time, fb_created) AS fb_known,
        row_number() OVER (PARTITION BY {keys} ORDER BY fb_time, fb_created, fb_order) AS fb_rank
    FROM rows_of
),
steps AS (
    SELECT DISTINCT {keys}, fb_known AS fb_since, max(fb_rank) OVER (PARTITION BY {keys} ORDER BY fb_known) AS fb_best FROM ranked
),
known AS (
    SELECT ranked.*, steps.fb_since FROM steps JOIN ranked ON {same_steps} AND ranked.fb_rank = steps.fb_best
),
asked AS (
    SELECT {requests}.*, row_number() OVER (ORDER BY {request_order}) AS fb_place FROM {requests}
)
SELECT {asked_columns}, {picked_if}
FROM asked ASOF LEFT JOIN known AS ranked ON {same_asked} AND asked.{at} >= ranked.fb_since
ORDER BY asked.fb_place
"""


def join_sql(
    view: FeatureView,
    *,
    table: str,
    requests: str,
    columns: Sequence[str],
    features: Sequence[str],
    time: str,
    order_by: str = "",
    request_order: str = "",
    quotes: str = "ansi",
    interval: str = "INTERVAL '{seconds}' SECOND",
) -> str:
    """The join of one view as a SELECT of plain window functions.

    Args:
        table: Name of the table that holds the view's rows.
        requests: Name of the table that features are wanted for.
        columns: The columns of the requests that are given back, the view's entity among them.
        features: The columns of the view that are wanted.
        time: Column of the requests: the moment at which features must have been known.
        order_by: Column of the view that orders rows of one time and creation.
        request_order: Column of the requests by which the answer is ordered.
        quotes: `ansi`, `spark`, `bigquery` or `mysql`.
        interval: How a length of time is written, for the ttl.

    Raises:
        InvalidInput: a name holds what cannot be quoted.
    """
    given = _parts(view, table, requests, columns, features, time, order_by, request_order, quotes, interval)
    return _JOIN.format(**given).strip()


def asof_sql(
    view: FeatureView,
    *,
    table: str,
    requests: str,
    columns: Sequence[str],
    features: Sequence[str],
    time: str,
    order_by: str = "",
    request_order: str = "",
) -> str:
    """The same for DuckDB, by ASOF JOIN. The arguments are those of `join_sql`."""
    interval = "INTERVAL '{seconds}' SECOND"
    given = _parts(view, table, requests, columns, features, time, order_by, request_order, "ansi", interval)
    return _ASOF.format(**given).strip()


def _parts(
    view: FeatureView,
    table: str,
    requests: str,
    columns: Sequence[str],
    features: Sequence[str],
    time: str,
    order_by: str,
    request_order: str,
    quotes: str,
    interval: str,
) -> dict[str, str]:
    if view.windows:
        raise InvalidInput(
            f"The windows of feature view '{view.name}' have no such SQL.", hint="Join them with join_features."
        )
    mark = QUOTES.get(quotes)
    if mark is None:
        raise InvalidInput(f"Names cannot be quoted as '{quotes}'.", hint=f"Use one of {', '.join(QUOTES)}.")

    def name(column: str) -> str:
        return f"{mark}{_checked(column)}{mark}"

    keys = [f"fb_key_{n}" for n in range(len(view.entity))]
    at = name(time)
    limit = (
        "" if view.ttl_seconds is None else interval.format(seconds=f"{view.ttl_seconds:.6f}".rstrip("0").rstrip("."))
    )
    too_old = f"asked.{at} - {limit}" if limit else ""
    picked = [f"ranked.fb_value_{n} AS {name(feature)}" for n, feature in enumerate(features)]
    picked_if = [
        f"CASE WHEN ranked.fb_time >= {too_old} THEN ranked.fb_value_{n} END AS {name(feature)}" if limit else picked[n]
        for n, feature in enumerate(features)
    ]
    return {
        "keys": ", ".join(keys),
        "keys_of": ", ".join(f"{name(e)} AS {key}" for e, key in zip(view.entity, keys, strict=True)),
        "keys_there": " AND ".join(f"{name(e)} IS NOT NULL" for e in view.entity),
        "asked_keys": ", ".join(f"{name(e)} AS {key}" for e, key in zip(view.entity, keys, strict=True)),
        "asked_there": " AND ".join(f"{name(e)} IS NOT NULL" for e in view.entity),
        "asked_columns": ", ".join(f"asked.{name(column)}" for column in columns),
        "time": name(view.time),
        "created": name(view.created or view.time),
        "values_of": ", ".join(f"{name(feature)} AS fb_value_{n}" for n, feature in enumerate(features)),
        "order": name(order_by) if order_by else "0",
        "view": _table(table),
        "requests": _table(requests),
        "request_order": name(request_order) if request_order else at,
        "at": at,
        "picked": ", ".join(picked),
        "picked_if": ", ".join(picked_if),
        "same_keys": " AND ".join(f"ranked.{key} = asked.{name(e)}" for e, key in zip(view.entity, keys, strict=True)),
        "same_asked": " AND ".join(f"asked.{name(e)} = ranked.{key}" for e, key in zip(view.entity, keys, strict=True)),
        "same_steps": " AND ".join(f"steps.{key} = ranked.{key}" for key in keys),
        "ttl": f" AND ranked.fb_time >= {too_old}" if limit else "",
    }


def _checked(column: str) -> str:
    if not column.isprintable() or any(mark in column for mark in "\"`'\\;"):
        raise InvalidInput(f"A column named {column[:60]!r} cannot be written in SQL.", hint="Rename it.")
    return column


def _table(name: str) -> str:
    if not _PLAIN.fullmatch(name):
        raise InvalidInput(f"'{name[:60]}' is no name of a table.", hint="Write it as table, or schema.table.")
    return name
