"""Makes the profile of a table, and judges checks on the way: both read the rows once, together.

First a sample of 65,536 rows is drawn: from it come quantiles, the cuts of the bins, correlations, and what is looked at
for personal data. Then one statement counts over all rows what the checks, the moments and the bins need.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal

from flyball.data import _correlations, _sql
from flyball.data._asking import aggregates_of, told_by_ends, told_by_values, without
from flyball.data._shown import shown
from flyball.data._tally import NumberTally
from flyball.data.checks.base import CheckSpec, Ends
from flyball.data.pii import PiiFlag, find_pii
from flyball.data.profile import MOST_TOP, QUANTILES, Bins, ColumnProfile, Lengths, TableProfile, ValueCount
from flyball.data.validate import Subject, ValidationReport, compile_check, read_results, report_of, resolve

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

    from flyball.data.scan import Scan

    Floats = npt.NDArray[np.float64]

SAMPLE = 1 << 16
BINS = 20
_MANY = 128  # different values from which on a repeated one stands out
_MOST_LEVELS = 200_000  # beyond, grouping by a text costs more than it tells
_MOST_WHOLE_LEVELS = 1_000
_MOST_HASHED = 2_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
Kind = Literal["number", "bool", "text", "time", "other"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Examination:
    """What one pass over a table gave."""

    profile: TableProfile
    report: ValidationReport


def profile_table(
    table: object, *, declared: Sequence[PiiFlag] = (), cleared: Sequence[str] = (), snapshot: str = ""
) -> TableProfile:
    """What a table looks like.

    Args:
        table: Anything that holds a table, or paths of Parquet files.
        declared: Columns of which people have said that they hold personal data.
        cleared: Columns of which people have said that they hold none.
        snapshot: Text of the `Ref` of the version it is.
    """
    return examine(table, declared=declared, cleared=cleared, snapshot=snapshot).profile


def examine(
    table: object,
    checks: Sequence[CheckSpec] = (),
    *,
    now: datetime | None = None,
    tables: Mapping[str, object] | None = None,
    profiles: Mapping[str, TableProfile] | None = None,
    former_rows: int | None = None,
    declared: Sequence[PiiFlag] = (),
    cleared: Sequence[str] = (),
    snapshot: str = "",
) -> Examination:
    """Profile and findings of checks, from one pass over the rows.

    Raises:
        NotFound: there is no such check.
        InvalidInput: a check's params cannot be used.
    """
    specs = [resolve(spec, now=now, profiles=profiles, former_rows=former_rows) for spec in checks]
    with ExitStack() as stack:
        subject = Subject(stack, table, tables)
        drawn = _Drawn(subject.scan)
        flags = find_pii(drawn.whole, declared=declared, cleared=cleared)
        columns = [_Column(subject.scan, name, drawn) for name in subject.schema.names]
        compiled = [compile_check(subject, spec) for spec in specs]
        _count_numbers(subject.scan, [column for column in columns if column.kind == "number"])
        wanted = aggregates_of(compiled)
        for place, column in enumerate(columns):
            wanted |= {f"column{place}.{name}": sql for name, sql in column.aggregates().items()}
        # What was counted of the numbers is not asked for again, nor are their columns read for it.
        seen = told_by_ends(
            compiled, {column.name: column.ends() for column in columns if column.field.type in ("int", "float")}
        )
        seen |= told_by_values(subject.scan, compiled)
        seen |= subject.scan.row(without(wanted, seen))
        found = tuple(column.read(seen, f"column{place}.") for place, column in enumerate(columns))
        profile = TableProfile(
            rows=subject.rows,
            columns=tuple(_without_personal(column, flags) for column in found),
            duplicates=_duplicates(columns, subject),
            correlations=_correlations.correlations(drawn.whole, {flag.column for flag in flags}),
            flags=flags,
            sample=drawn.rows,
            snapshot=snapshot,
        )
        results = read_results(subject, compiled, seen, flags)
    return Examination(profile=profile, report=report_of(results, profile.rows))


class _Drawn:
    """The sample: as many draws as a drift reference makes, with the same numbers, so that both cut the same bins."""

    def __init__(self, scan: Scan) -> None:
        import numpy as np

        rows = scan.num_rows
        self.is_whole = rows <= SAMPLE
        places = np.arange(rows) if self.is_whole else np.sort(np.random.default_rng(0).integers(0, rows, SAMPLE))
        self.whole: pa.Table = scan.take(places)
        self.rows = min(rows, SAMPLE)


class _Column:
    """What is asked about one column, and what comes of it."""

    def __init__(self, scan: Scan, name: str, drawn: _Drawn) -> None:
        self._scan = scan
        self.name = name
        self.ref = scan.ref(name)
        self.field = scan.schema.column(name)
        self.kind = kind_of(scan, name)
        self.sample = drawn.whole.column(name)
        self._is_whole = drawn.is_whole
        self._values = _sampled_numbers(self.sample, self.kind)
        self.is_sample_unique = _is_unique(self.sample) if self.kind != "other" else False
        is_number = self.kind == "number"
        self.tally = NumberTally(cut_bins(self._values, BINS) if is_number and len(self._values) else None)
        self._is_floating = self.field.type == "float"

    def aggregates(self) -> dict[str, str]:
        """SQL aggregates by name."""
        wanted = {} if self.is_counted else {"known": f"count({self.ref})"}
        if self.kind == "other":
            return wanted
        if not (self.is_sample_unique and (self._is_floating or self.is_counted_exactly)):
            wanted["distinct"] = f"approx_count_distinct({self.ref})"
        if self.kind == "number":
            return wanted
        return wanted | {"bool": self._of_bool, "text": self._of_text, "time": self._of_time}[self.kind]()

    @property
    def is_counted(self) -> bool:
        """Whether its values are counted one by one, outside of the database."""
        return self.kind == "number"

    @property
    def is_counted_exactly(self) -> bool:
        """Whether its different values are, which is quick for whole numbers alone."""
        return self.field.type == "int"

    def ends(self) -> Ends:
        """Between what the values lie, once they are counted."""
        tally = self.tally
        return Ends(
            rows=self._scan.num_rows,
            missing=self._scan.num_rows - tally.known,
            not_numbers=tally.not_numbers,
            low=-math.inf if tally.below else math.inf if tally.above and tally.low is None else tally.low,
            high=math.inf if tally.above else -math.inf if tally.below and tally.high is None else tally.high,
        )

    def read(self, seen: Mapping[str, Any], prefix: str) -> ColumnProfile:
        """The profile of the column."""
        own = {name: seen[prefix + name] for name in self.aggregates()}
        rows = self._scan.num_rows
        known = own.setdefault("known", self.tally.known)
        blank = ColumnProfile(
            column=self.name,
            type=self.field.type,
            rows=rows,
            missing=rows - known,
            distinct=self._distinct(own),
            examples=self._examples(),
            storage=self.field.storage,
        )
        if self.kind == "other" or not known:
            return replace(blank, distinct=None if self.kind == "other" else 0)
        reader = {
            "number": self._read_number,
            "bool": self._read_bool,
            "text": self._read_text,
            "time": self._read_time,
        }
        return reader[self.kind](blank, own)

    def _of_bool(self) -> dict[str, str]:
        return {"true": f"count_if({self.ref})"}

    def _of_text(self) -> dict[str, str]:
        length = f"length({self.ref})"
        return {
            "shortest": f"min({length})",
            "longest": f"max({length})",
            "length": f"avg({length})",
            "empty": f"count_if({self.ref} = '')",
        }

    def _of_time(self) -> dict[str, str]:
        return {"low": f"min({self._moment()})", "high": f"max({self._moment()})"}

    def _moment(self) -> str:
        value = f"CAST({self.ref} AS TIMESTAMP)" if self.field.type == "date" else self.ref
        return f"epoch_us({value})"

    def _distinct(self, own: Mapping[str, Any]) -> int | None:
        if self.is_sample_unique and self.is_counted_exactly:
            return self._scan.distinct(self.name)[1]
        if "distinct" not in own:
            return int(own["known"]) if self._is_floating else None
        return min(int(own["distinct"]), int(own["known"]))

    def _examples(self) -> tuple[Any, ...]:
        values = map(shown, self.sample.slice(0, 200).drop_null().slice(0, 20).to_pylist())
        return tuple({str(value): value for value in values}.values())[:3]

    def _read_number(self, blank: ColumnProfile, own: Mapping[str, Any]) -> ColumnProfile:
        import numpy as np

        tally = self.tally
        is_whole = self.field.type == "int"
        found = replace(
            blank,
            missing=blank.missing + tally.not_numbers,
            not_numbers=tally.not_numbers,
            infinite=tally.below + tally.above,
            minimum=tally.low if is_whole else _float(tally.low),
            maximum=tally.high if is_whole else _float(tally.high),
            mean=_float(tally.mean) if tally.finite else None,
            std=tally.std,
            zeros=tally.zeros,
            bins=tally.bins(),
            quantiles=tuple(np.quantile(self._values, QUANTILES).tolist()) if len(self._values) else (),
            histogram=_histogram(self._values),
        )
        return self._with_top(found) if is_whole else found

    def _read_bool(self, blank: ColumnProfile, own: Mapping[str, Any]) -> ColumnProfile:
        true, known = own["true"], blank.known
        counts = sorted(((known - true, False), (true, True)), key=lambda pair: (-pair[0], str(pair[1])))
        top = tuple(ValueCount(value=value, rows=rows) for rows, value in counts if rows)
        return replace(
            blank, top=top, is_top_complete=True, zeros=known - true, mean=true / known, distinct=len(top),
            minimum=true == known, maximum=true > 0,
        )  # fmt: skip

    def _read_text(self, blank: ColumnProfile, own: Mapping[str, Any]) -> ColumnProfile:
        lengths = Lengths(least=own["shortest"], mean=own["length"], most=own["longest"])
        return self._with_top(replace(blank, lengths=lengths, zeros=own["empty"]))

    def _read_time(self, blank: ColumnProfile, own: Mapping[str, Any]) -> ColumnProfile:
        return replace(
            blank, minimum=_moment(own["low"], self.field.type), maximum=_moment(own["high"], self.field.type),
            histogram=_histogram(self._values),
        )  # fmt: skip

    def _with_top(self, found: ColumnProfile) -> ColumnProfile:
        """The profile with the most frequent values: counted where they are few, else those of the sample."""
        import pyarrow.compute as pc

        distinct = found.distinct or 0
        most = _MOST_LEVELS if self.kind == "text" else _MOST_WHOLE_LEVELS
        if distinct > most or (distinct > MOST_TOP and distinct > 0.75 * found.known):
            if self.kind != "text":
                return found
            pairs = pc.value_counts(self.sample.drop_null()).to_pylist()
            pairs.sort(key=lambda pair: (-pair["counts"], str(pair["values"])))
            top = [ValueCount(value=shown(p["values"]), rows=p["counts"]) for p in pairs[:10] if p["counts"] > 1]
            return replace(found, top=tuple(top), is_top_exact=False)
        if self._is_whole:
            # Asked column by column, a database that binds all columns each time takes minutes over thousands.
            counts = pc.value_counts(self.sample.drop_null()).to_pylist()
            counted = sorted(
                ((pair["values"], pair["counts"]) for pair in counts), key=lambda pair: (-pair[1], pair[0])
            )
            exact = len(counted)
        else:
            rows = self._scan.query(
                _sql.select(
                    f"{self.ref}, count(*) AS n, count(*) OVER ()",
                    f"WHERE {self.ref} IS NOT NULL GROUP BY 1 ORDER BY n DESC, 1 LIMIT {MOST_TOP}",
                )
            )
            exact, counted = rows[0][2] if rows else 0, [(value, count) for value, count, _ in rows]
        top = [ValueCount(value=value, rows=count) for value, count in counted[:MOST_TOP]]
        return replace(found, top=tuple(top), is_top_complete=exact <= MOST_TOP, distinct=exact)


def _count_numbers(scan: Scan, columns: Sequence[_Column]) -> None:
    import pyarrow as pa
    import pyarrow.types as t

    for batch in scan.batches([column.name for column in columns]) if columns else ():
        for column in columns:
            place = batch.schema.get_field_index(column.name)
            if place < 0:
                continue
            values = batch.column(place)
            values = values.drop_null() if values.null_count else values
            if t.is_decimal(values.type) or t.is_float16(values.type):
                values = values.cast(pa.float64())
            if len(values):
                column.tally.add(values.to_numpy(zero_copy_only=False))


def kind_of(scan: Scan, column: str) -> Kind:
    """How a column is profiled."""
    kinds: dict[str, Kind] = {
        "int": "number", "float": "number", "decimal": "number", "bool": "bool", "string": "text", "timestamp": "time",
        "date": "time",
    }  # fmt: skip
    return kinds.get(scan.schema.column(column).type, "other")


def cut_bins(values: Floats, bins: int) -> Bins:
    """Where to cut the bins of a column, from a sample of its finite values; the outer edges are still to be added.

    Few different values are cut half way between them. Of many, those that fill more than half a bin are counted by
    themselves, and the others are cut at their quantiles.
    """
    import numpy as np

    distinct, rows = np.unique(values, return_counts=True)
    center, step = _grid(values)
    if len(distinct) <= bins:
        inner = ((distinct[:-1] + distinct[1:]) / 2).tolist()
        return Bins(edges=tuple(inner), counts=(), center=center, step=step)
    is_repeated = rows > len(values) / (2 * bins)
    repeated = distinct[is_repeated][np.argsort(-rows[is_repeated], kind="stable")][:8]
    spread = values[~np.isin(values, repeated)]
    cuts = np.quantile(spread, np.linspace(0, 1, bins + 1)[1:-1]) if len(spread) else np.array([])
    return Bins(
        edges=tuple(np.unique(cuts).tolist()),
        counts=(),
        repeated=tuple(np.sort(repeated).tolist()),
        center=center,
        step=step,
        is_many=len(distinct) > _MANY,
    )


def _grid(values: Floats) -> tuple[float, float]:
    import numpy as np

    with np.errstate(over="ignore", invalid="ignore"):
        middle, spread = float(np.mean(values)), float(np.std(values))
    if not math.isfinite(middle) or not math.isfinite(spread):
        middle, spread = 0.0, 2.0**400
    spread = spread or max(1.0, abs(middle))
    step = 2.0 ** (min(400, max(-400, math.frexp(spread)[1] - 1)) - 12)
    return round(middle / step) * step, step


def _sampled_numbers(column: pa.ChunkedArray, kind: Kind) -> Floats:
    """The finite values of the sample as doubles; times as microseconds."""
    import numpy as np
    import pyarrow as pa

    values = column.drop_null()
    if kind == "time":
        values = values.cast(pa.timestamp("us"), safe=False).cast(pa.int64())
    elif kind != "number":
        return np.empty(0)
    numbers: Floats = values.cast(pa.float64(), safe=False).to_numpy().astype(np.float64, copy=False)
    return numbers[np.isfinite(numbers)]


def _histogram(values: Floats) -> tuple[int, ...]:
    import numpy as np

    if not len(values):
        return ()
    with np.errstate(over="ignore", invalid="ignore"):
        span = float(values.max()) - float(values.min())
    if not math.isfinite(span):
        return ()
    if span <= BINS * np.spacing(np.abs(values).max()):
        return (len(values),)
    return tuple(np.histogram(values, bins=BINS)[0].tolist())


def _is_unique(column: pa.ChunkedArray) -> bool:
    known = column.drop_null()
    # The draws may hit a row twice: a few percent of a large sample do.
    return len(known) > 1 and len(known.unique()) > 0.95 * len(known)


def _float(value: Any) -> float | None:
    if value is None:
        return None
    number = float(value)
    return number if math.isfinite(number) else None


def _moment(microseconds: int | None, kind: str) -> str | None:
    if microseconds is None:
        return None
    try:
        moment = _EPOCH + timedelta(microseconds=microseconds)
    except OverflowError:
        return None
    return moment.date().isoformat() if kind == "date" else moment.isoformat()


def _duplicates(columns: Sequence[_Column], subject: Subject) -> int | None:
    """Rows that repeat an earlier one; of a large table only whether a column proves that none does."""
    scan, rows = subject.scan, subject.rows
    if rows <= _MOST_HASHED:
        hashed = ", ".join(column.ref for column in columns)
        return rows - int(scan.row({"different": f"count(DISTINCT hash({hashed}))"})["different"])
    for column in columns:
        if column.is_sample_unique and column.field.type in ("int", "string"):
            return 0 if scan.distinct(column.name)[1] == rows else None
    return None


def _without_personal(column: ColumnProfile, flags: Sequence[PiiFlag]) -> ColumnProfile:
    kinds = {flag.column: flag.kind for flag in flags}
    if column.column not in kinds:
        return column
    return replace(
        column, minimum=None, maximum=None, mean=None, std=None, quantiles=(), bins=None, top=(), histogram=(),
        is_top_complete=False, examples=(f"<{kinds[column.column]}>",) if column.examples else (),
    )  # fmt: skip
