"""Functions that are models, for the tests of the flavor."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc


def doubled(table: pa.Table) -> pa.ChunkedArray:
    return pc.multiply(table["x"], 2.0)


def chances(table: pa.Table) -> dict[str, list[object]]:
    values = table["x"].to_pylist()
    return {"prediction": ["high" if x > 0.5 else "low" for x in values], "probability": list(values)}


def too_few(table: pa.Table) -> list[float]:
    return [1.0]


def wrong_column(table: pa.Table) -> pa.Table:
    return table


def words(table: pa.Table) -> list[str]:
    return ["high" if x > 0.5 else "low" for x in table["x"].to_pylist()]


class Rules:
    @staticmethod
    def by_rule(table: pa.Table) -> list[bool]:
        return [x > 0.5 for x in table["x"].to_pylist()]
