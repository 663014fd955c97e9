"""Freshness: whether rows, or the values that were joined to them, are older than they may be."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flyball.clock import parse_duration
from flyball.evaluation.intervals import wilson
from flyball.monitoring.monitors.base import Contribution, Finding, Material, Monitor
from flyball.monitoring.quality import QualityFinding

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

    Floats = npt.NDArray[np.float64]

_LEVEL = 0.998


class Freshness:
    """Compares the time in a column with the time of the prediction, or with the end of the window."""

    def examine(self, material: Material, params: dict[str, Any]) -> Contribution:
        """Late rows and a stale whole; nothing without rows or the column."""
        import numpy as np

        column, longest = params["column"], parse_duration(params["max_age"])
        if column not in material.inputs.column_names:
            return Contribution(notes=(f"freshness: there is no column '{column}'",) if material.rows.num_rows else ())
        ages = _ages(material, material.inputs[column])
        if ages is None:
            return Contribution(notes=(f"freshness: column '{column}' holds no times",))
        known = ages[np.isfinite(ages)]
        if not len(known):
            return Contribution()
        late = int((known > longest.total_seconds()).sum())
        allowed = params.get("share", 0.01)
        low, _ = wilson(late, len(known), _LEVEL)
        faults = []
        if low > allowed:
            faults.append(_fault(column, "late", allowed, late / len(known), _words(known, longest.total_seconds())))
        return Contribution(quality=tuple(faults), findings=(_finding(column, faults),))


def _ages(material: Material, values: pa.ChunkedArray) -> Floats | None:
    """Seconds from each value to its row's time, or to the end of the window where rows have none."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    seen = _seconds(values)
    if seen is None:
        return None
    moments = material.rows["at"]
    if moments.null_count < len(moments):
        at = pc.cast(moments.cast(pa.timestamp("us", tz="UTC")), pa.int64()).to_numpy().astype(np.float64) / 1e6
    elif material.end is not None:
        at = np.full(len(seen), material.end.timestamp())
    else:
        return None
    found: Floats = at - seen
    return found


def _seconds(values: pa.ChunkedArray) -> Floats | None:
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    kind = values.type
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):  # as JSON brings them
        try:
            values = pc.cast(values, pa.timestamp("us", tz="UTC"))
        except pa.ArrowInvalid:
            return None
    elif not (pa.types.is_timestamp(kind) or pa.types.is_date(kind)):
        return None
    whole = values.cast(pa.timestamp("us", tz=getattr(values.type, "tz", None))).cast(pa.int64())
    floats = whole.cast(pa.float64()).to_numpy() / 1e6
    found: Floats = floats.astype(np.float64)
    return found


def _words(ages: Floats, longest: float) -> str:
    import numpy as np

    late = ages[ages > longest]
    return (
        f"{100 * len(late) / len(ages):.1f} % of the rows are older than {_span(longest)}, "
        f"in the middle {_span(float(np.median(late)))}, at most {_span(float(late.max()))}"
    )


def _span(seconds: float) -> str:
    for unit, length in (("d", 86_400.0), ("h", 3_600.0), ("min", 60.0)):
        if seconds >= 2 * length or (unit == "min" and seconds >= length):
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} s"


def _fault(column: str, kind: Any, before: float, now: float, detail: str) -> QualityFinding:
    return QualityFinding(column=column, kind=kind, reference=before, current=now, detail=detail, p_value=1 - _LEVEL)


def _finding(column: str, faults: list[QualityFinding]) -> Finding:
    return Finding(
        kind="quality",
        cause=f"freshness:{column}",
        title=f"Values of '{column}' come late",
        sentences=tuple(f"{fault.column}: {fault.detail}" for fault in faults),
        facts={"column": column, "shares": [fault.current for fault in faults]},
    )


plugin: Monitor = Freshness()
