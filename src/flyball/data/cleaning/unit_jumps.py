"""Unit jumps: a number that is larger by the factor of two units, such as miles and kilometres, in a part of the table."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from flyball.data.cleaning.base import Cleaner, CleanFinding, Suspect, numbers

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

_FACTORS = {
    10.0: "ten", 100.0: "a hundred, as cents to dollars", 1000.0: "a thousand, as grams to kilograms",
    1e6: "a million", 1.609344: "kilometres to miles", 3.280840: "feet to metres", 2.204623: "pounds to kilograms",
    25.4: "millimetres to inches", 60.0: "minutes to hours", 3600.0: "seconds to hours", 1.852: "kilometres to sea miles",
    24.0: "hours to days", 1024.0: "bytes to kilobytes", 3.785412: "litres to gallons",
}  # fmt: skip
_LEAST_ROWS = 30
_PARTS = 10
_MOST_GROUPS = 30


class UnitJumps:
    """Compares the medians of positive numbers between the values of other columns, and between tenths of the time."""

    def find(self, suspect: Suspect) -> Iterator[CleanFinding]:
        """Parts of the table in another unit."""
        import numpy as np

        segments = _segments(suspect)
        for column in suspect.of_type("int", "float", "decimal"):
            values = numbers(suspect.table.column(column.column))
            is_usable = values > 0
            if is_usable.sum() < 3 * _LEAST_ROWS or is_usable.sum() < 0.9 * (~np.isnan(values)).sum():
                continue
            logs = np.where(is_usable, np.log(np.where(is_usable, values, 1.0)), np.nan)
            for by, codes, names in segments:
                found = _jump(logs, codes) if by != column.column else None
                if found is None:
                    continue
                place, factor, sureness = found
                rows = int(((codes == place) & is_usable).sum())
                where = f"where '{by}' is {names[place]}"
                yield CleanFinding(
                    kind="unit_jumps",
                    column=column.column,
                    found=f"'{column.column}' is {factor:.3g} times as large {where} ({_meaning(factor)})",
                    rows=rows,
                    confidence=sureness,
                    examples=suspect.show(column.column, values[(codes == place) & is_usable][:5].tolist()),
                    fix=f"rows = fb.clean.rescale(rows, {column.column!r}, {1 / _exact(factor):.6g}, {by!r}, {names[place]!r})"
                    if not by.startswith("#") else "",
                )  # fmt: skip
                break


def _segments(suspect: Suspect) -> list[tuple[str, npt.NDArray[np.int64], list[str]]]:
    import numpy as np
    import pyarrow as pa

    found = []
    for column in suspect.profile.columns:
        is_label = column.column == suspect.table.label
        if not is_label and column.type in ("string", "bool") and 1 < (column.distinct or 0) <= _MOST_GROUPS:
            encoded = suspect.table.column(column.column).cast(pa.string()).combine_chunks().dictionary_encode()
            if isinstance(encoded, pa.ChunkedArray):
                encoded = encoded.unify_dictionaries().combine_chunks()
            codes = encoded.indices.cast(pa.int64()).fill_null(-1).to_numpy(zero_copy_only=False)
            found.append((column.column, codes, encoded.dictionary.to_pylist()))
    time = suspect.table.time
    if time:
        moments = (
            suspect.table.column(time).cast(pa.timestamp("us"), safe=False).cast(pa.int64()).fill_null(0).to_numpy()
        )
        cuts = np.quantile(moments, np.linspace(0, 1, _PARTS + 1)[1:-1])
        names = [f"in part {part + 1} of {_PARTS}" for part in range(_PARTS)]
        found.append((f"#{time}", np.searchsorted(cuts, moments, side="right").astype(np.int64), names))
    return found


def _jump(logs: npt.NDArray[np.float64], codes: npt.NDArray[np.int64]) -> tuple[int, float, float] | None:
    """The segment that jumps, by which factor, and how sure that is."""
    import numpy as np

    known = ~np.isnan(logs)
    medians, spreads = {}, {}
    for code in np.unique(codes[codes >= 0]).tolist():
        part = logs[(codes == code) & known]
        if len(part) >= _LEAST_ROWS:
            low, middle, high = np.quantile(part, [0.25, 0.5, 0.75])
            medians[code], spreads[code] = float(middle), float(high - low)
    if len(medians) < 2:
        return None
    for code, median in medians.items():
        others = [value for other, value in medians.items() if other != code]
        usual, apart = float(np.median(others)), max(others) - min(others)
        gap = abs(median - usual)
        # The jump must stand out from how the other parts differ and from the spread within them.
        width = float(np.median([spreads[other] for other in spreads]))
        if gap < max(0.4, 3 * apart, 0.8 * width) or not 0.5 < (spreads[code] + 0.05) / (width + 0.05) < 2:
            continue
        for factor in _FACTORS:
            if abs(gap - float(np.log(factor))) < max(0.04, 0.1 * width):
                return code, float(np.exp(median - usual)), round(min(0.9, 0.5 + 0.1 * gap / max(width, 0.1)), 2)
    return None


def _exact(factor: float) -> float:
    near = _near(factor)
    return near if factor > 1 else 1 / near


def _near(factor: float) -> float:
    import math

    return min(_FACTORS, key=lambda each: abs(math.log(each) - abs(math.log(factor))))


def _meaning(factor: float) -> str:
    return f"near {_exact(factor):.4g}: {_FACTORS[_near(factor)]}"


plugin: Cleaner = UnitJumps()
