"""Matches: the regular expression `pattern` (RE2) fits every text from beginning to end; missing ones do not count."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from flyball.data.checks.base import Check, Finding, counted, wrong
from flyball.errors import InvalidInput
from flyball.serialization import JsonValue, convert

if TYPE_CHECKING:
    import pyarrow as pa


class Matches:
    """Texts must look so."""

    params: Mapping[str, bool] = {"pattern": True}

    def run(self, table: pa.Table, column: str, params: Mapping[str, JsonValue]) -> Finding:
        """Counts the texts that the pattern does not fit, and shows one."""
        import pyarrow as pa
        import pyarrow.compute as pc

        pattern = convert(params["pattern"], str)
        values = table.column(column).drop_null()
        if not pa.types.is_string(values.type):
            return wrong(table, f"'{column}' is of type {values.type}, not text")
        try:
            fits = pc.match_substring_regex(values, rf"\A(?:{pattern})\z")
        except pa.ArrowInvalid as error:
            raise InvalidInput(f"'{pattern}' is no regular expression: {error}.") from error
        others = values.filter(pc.invert(fits))
        shown = f", such as {others[0].as_py()[:60]!r}" if len(others) else ""
        return counted(column, len(others), len(values), f"do not match {pattern!r}{shown}")


plugin: Check = Matches()
