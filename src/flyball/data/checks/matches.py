"""Matches: the regular expression `pattern` (RE2) fits every text from beginning to end, or all but the share `at_most`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from flyball.data import _sql
from flyball.data.checks.base import Finding, Plan, Rows, SqlCheck, counted, counted_mask, share, wrong
from flyball.errors import InvalidInput
from flyball.serialization import JsonValue, convert

if TYPE_CHECKING:
    import pyarrow as pa


class Matches:
    """Texts must look so; missing ones need not."""

    params: Mapping[str, bool] = {"pattern": True, "at_most": False}

    def plan(self, column: str, params: Mapping[str, JsonValue], rows: Rows) -> Plan | Finding:
        """Counts the texts that the pattern does not fit."""
        import pyarrow as pa

        whole, kind, ref = _whole(params), rows.arrow_type(column), rows.ref(column)
        if not _is_text(kind):
            return wrong(-1, f"'{column}' is of type {kind}, not text")
        _fits(pa.array([""]), whole, params)  # refuses what is no regular expression
        bad = f"(NOT coalesce(regexp_matches({ref}, {_sql.text(whole)}), TRUE))"
        return Plan(
            aggregates={"others": f"count_if({bad})", "known": f"count({ref})"},
            read=lambda seen: counted(column, seen["others"], seen["known"], _what(params), at_most=share(params)),
            bad=bad,
            tells_values=True,
            is_by_value=True,
        )

    def run(self, table: pa.Table, column: str, params: Mapping[str, JsonValue]) -> Finding:
        """Counts the texts that the pattern does not fit, and shows some."""
        import pyarrow as pa
        import pyarrow.compute as pc

        values = table.column(column)
        if not _is_text(values.type):
            return wrong(table.num_rows, f"'{column}' is of type {values.type}, not text")
        bad = pc.invert(_fits(values.cast(pa.string()), _whole(params), params))
        total = len(values) - values.null_count
        return counted_mask(table, column, bad, total, _what(params), at_most=share(params), tells_values=True)


def _is_text(kind: pa.DataType) -> bool:
    import pyarrow.types as t

    return bool(t.is_string(kind) or t.is_null(kind))


def _fits(values: pa.ChunkedArray, whole: str, params: Mapping[str, JsonValue]) -> pa.ChunkedArray:
    import pyarrow as pa
    import pyarrow.compute as pc

    try:
        return pc.match_substring_regex(values, whole)
    except pa.ArrowInvalid as error:
        raise InvalidInput(f"'{params['pattern']}' is no regular expression: {error}.") from error


def _whole(params: Mapping[str, JsonValue]) -> str:
    return rf"\A(?:{convert(params['pattern'], str)})\z"


def _what(params: Mapping[str, JsonValue]) -> str:
    return f"do not match {params['pattern']!r}"


plugin: SqlCheck = Matches()
