"""Proposes checks from profiles: what never happened in the versions so far, and ranges as wide as the versions differ.

One version tells little, so what is proposed of it only warns. From three on, what held in all of them is expected, with a
margin of three standard deviations of how much the versions differ.
"""

from __future__ import annotations

import itertools
import math
import statistics
from collections.abc import Iterator, Sequence
from datetime import timedelta

from flyball.clock import format_duration
from flyball.data import expect
from flyball.data.checks.base import Severity
from flyball.data.checks.distribution import Shares, jensen_shannon
from flyball.data.checks_file import Suggestion
from flyball.data.profile import ColumnProfile, TableProfile
from flyball.errors import InvalidInput

_SURE_FROM = 3
_MOST_VALUES = 50
_LEAST_SHAPES = 10
_LONGEST_SHAPE = 24


def suggest_checks(
    profiles: Sequence[TableProfile], *, key: str = "", time: str = "", ages: Sequence[timedelta] = ()
) -> list[Suggestion]:
    """Checks that all these versions pass, each with its reason; the important ones first.

    Args:
        profiles: Of the versions of a dataset, the latest first.
        key: Column that names a row.
        time: Column that says when a row's thing happened.
        ages: How old the latest row was when each version was taken.

    Raises:
        InvalidInput: there is no profile.
    """
    if not profiles:
        raise InvalidInput(
            "Without a profile there is nothing to propose.", hint="Make one with `flyball data profile`."
        )
    found = [*_rows(profiles)]
    for column in profiles[0].columns:
        history = [own for profile in profiles for own in profile.columns if own.column == column.column]
        if len({each.type for each in history if each.type != "null"}) != 1:
            continue
        found += _column(column.column, history, profiles, is_key=column.column == key)
    found += _correlations(profiles)
    if time and ages:
        longest = timedelta(seconds=math.ceil(max(ages).total_seconds() * 2 / 60) * 60)
        if longest > timedelta(0):
            reason = f"at most {format_duration(longest / 2)} old when it was taken"
            found.append(Suggestion(check=expect.fresh(time, format_duration(longest)), reason=reason))
    return found


def _severity(versions: int) -> Severity:
    return "fail" if versions >= _SURE_FROM else "warn"


def _in(versions: int) -> str:
    return f"in {versions} versions" if versions > 1 else "in the one version there is"


def _rows(profiles: Sequence[TableProfile]) -> Iterator[Suggestion]:
    counts = [profile.rows for profile in profiles]
    if len(counts) == 1:
        yield Suggestion(check=expect.row_count(low=1), reason=f"there are {counts[0]:,}")
        return
    changes = [abs(new - old) / old for new, old in itertools.pairwise(counts) if old]
    margin = max(0.1, round(2 * max(changes, default=0.0), 2))
    low = max(1, math.floor(min(counts) * max(0.0, 1 - margin)))
    if margin < 1:
        yield Suggestion(
            check=expect.row_count(low, change=margin),
            reason=f"{min(counts):,} to {max(counts):,} {_in(len(counts))}, {max(changes, default=0):.0%} from one to the next",
        )
    else:
        yield Suggestion(check=expect.row_count(low), reason=f"{min(counts):,} to {max(counts):,} {_in(len(counts))}")


def _column(
    name: str, history: Sequence[ColumnProfile], profiles: Sequence[TableProfile], *, is_key: bool
) -> Iterator[Suggestion]:
    latest, n = history[0], len(history)
    if latest.type == "null" or not latest.known:
        return
    yield Suggestion(check=expect.column_type(name, latest.type), reason=f"so {_in(n)}")
    yield from _missing(name, history)
    if is_key:
        yield Suggestion(check=expect.unique(name), reason="it names a row")
    values = _values(history)
    hidden = any(flag.column == name for flag in profiles[0].flags)
    if hidden:
        return
    if values is not None:
        check = expect.in_set(name, values, severity=_severity(n))
        yield Suggestion(check=check, reason=f"no other value {_in(n)}")
    elif latest.type in ("int", "float", "decimal"):
        yield from _range(name, history)
        yield from _mean(name, history)
    elif latest.type == "string":
        yield from _shape(name, history)
    yield from _distribution(name, history, profiles)


def _missing(name: str, history: Sequence[ColumnProfile]) -> Iterator[Suggestion]:
    n = len(history)
    shares = [each.missing / each.rows for each in history if each.rows]
    worst = max(shares, default=0.0)
    if worst == 0:
        yield Suggestion(check=expect.not_null(name), reason=f"never missing {_in(n)}")
    elif worst < 0.9:
        margin = max(3 * _spread(shares), 0.2 * worst, 0.001)
        limit = min(1.0, math.ceil((worst + margin) * 1000) / 1000)
        reason = f"{min(shares):.1%} to {worst:.1%} missing {_in(n)}"
        yield Suggestion(check=expect.not_null(name, at_most=limit, severity=_severity(n)), reason=reason)


def _values(history: Sequence[ColumnProfile]) -> list[object] | None:
    """All values that any version has, if they are few and none is rare enough to be chance."""
    latest = history[0]
    if latest.type not in ("string", "bool", "int") or not all(each.is_top_complete for each in history if each.known):
        return None
    found = {value.value: None for each in history for value in each.top}
    most = _MOST_VALUES if latest.type == "string" else 12
    if not found or len(found) > most or latest.known < 20 * len(found):
        return None
    return sorted(found, key=str if latest.type != "int" else lambda value: value)


def _range(name: str, history: Sequence[ColumnProfile]) -> Iterator[Suggestion]:
    lows = [each.minimum for each in history if isinstance(each.minimum, int | float)]
    highs = [each.maximum for each in history if isinstance(each.maximum, int | float)]
    if not lows or not highs:
        return
    n, span = len(history), float(max(highs)) - float(min(lows))
    if not math.isfinite(span):
        return
    margin = 0.1 * span if n == 1 else max(3 * _spread(lows), 3 * _spread(highs), 0.02 * span)
    low, high = float(min(lows)) - margin, float(max(highs)) + margin
    # What never was below zero, such as a distance, has no margin there.
    low = 0.0 if min(lows) >= 0 > low else low
    # NaN and infinities lie in no range.
    odd = max((each.not_numbers + each.infinite) / max(1, each.known + each.not_numbers) for each in history)
    limit = math.ceil(odd * 1500) / 1000
    if history[0].type == "int":
        check = expect.in_range(name, math.floor(low), math.ceil(high), severity=_severity(n))
    elif limit < 0.5:
        ends = _rounded(low, down=True), _rounded(high, down=False)
        check = expect.in_range(name, *ends, at_most=limit, severity=_severity(n))
    else:
        return
    yield Suggestion(check=check, reason=f"{_shown(min(lows))} to {_shown(max(highs))} {_in(n)}")


def _mean(name: str, history: Sequence[ColumnProfile]) -> Iterator[Suggestion]:
    means = [each.mean for each in history if each.mean is not None]
    if len(means) < _SURE_FROM or not history[0].std or (history[0].distinct or 0) > 0.95 * history[0].known:
        return
    margin = max(4 * _spread(means), 0.1 * history[0].std)
    low, high = _rounded(min(means) - margin, down=True), _rounded(max(means) + margin, down=False)
    check = expect.mean(name, low, high, severity="warn")
    yield Suggestion(check=check, reason=f"{_shown(min(means))} to {_shown(max(means))} {_in(len(means))}")


def _shape(name: str, history: Sequence[ColumnProfile]) -> Iterator[Suggestion]:
    texts = {value.value for each in history for value in each.top if isinstance(value.value, str)}
    texts |= {value for each in history for value in each.examples if isinstance(value, str)}
    shapes = {_shape_of(text) for text in texts}
    if len(texts) < _LEAST_SHAPES or len(shapes) != 1:
        return
    (shape,) = shapes
    if shape:
        check = expect.matches(name, shape, severity="warn")
        yield Suggestion(check=check, reason=f"all of the {len(texts)} values looked at are so")


def _shape_of(text: str) -> str:
    """A regular expression of runs: `N12345` is `[A-Z][0-9]{5}`; empty where it says nothing."""
    import re

    if not text or len(text) > _LONGEST_SHAPE:
        return ""

    def kind(letter: str) -> str:
        if letter.isascii() and letter.isalpha():
            return "[A-Z]" if letter.isupper() else "[a-z]"
        return "[0-9]" if letter.isascii() and letter.isdigit() else re.escape(letter)

    runs = [(each, len(list(group))) for each, group in itertools.groupby(map(kind, text))]
    return "".join(each if length == 1 else f"{each}{{{length}}}" for each, length in runs)


def _distribution(
    name: str, history: Sequence[ColumnProfile], profiles: Sequence[TableProfile]
) -> Iterator[Suggestion]:
    if len(history) < _SURE_FROM or not profiles[0].snapshot or len(history) != len(profiles):
        return
    try:
        shares = [each.shares() for each in history]
    except InvalidInput:
        return
    # Distances are taken over the latest version's cells; only versions with the same cells can be compared by profile.
    same = [each for each in shares[1:] if (each.edges[1:-1], each.levels) == (shares[0].edges[1:-1], shares[0].levels)]
    if len(same) < 2:
        return
    worst = max(_distance(shares[0], each) for each in same)
    limit = round(max(0.05, 2 * worst), 2)
    if limit < 0.5:
        reference = profiles[0].snapshot.removeprefix("snapshots:/").replace("/", "@", 1)
        check = expect.distribution(name, reference, limit, severity="warn")
        yield Suggestion(check=check, reason=f"at most {worst:.2f} apart {_in(len(same) + 1)}")


def _distance(one: Shares, other: Shares) -> float:
    return jensen_shannon(
        [*one.shares, max(0.0, 1 - math.fsum(one.shares))], [*other.shares, max(0.0, 1 - math.fsum(other.shares))]
    )


def _correlations(profiles: Sequence[TableProfile]) -> Iterator[Suggestion]:
    for strong in profiles[0].correlations:
        if strong.kind != "pearson" or abs(strong.value) < 0.9:
            continue
        values = [
            each.value
            for profile in profiles
            for each in profile.correlations
            if (each.one, each.other, each.kind) == (strong.one, strong.other, strong.kind)
        ]
        margin = max(0.05, 3 * _spread(values))
        low, high = max(-1.0, min(values) - margin), min(1.0, max(values) + margin)
        check = expect.correlation(strong.one, strong.other, round(low, 2), round(high, 2), severity="warn")
        yield Suggestion(check=check, reason=f"{min(values):.2f} to {max(values):.2f} {_in(len(values))}")


def _spread(values: Sequence[float]) -> float:
    return statistics.stdev(map(float, values)) if len(values) > 1 else 0.0


def _rounded(value: float, *, down: bool) -> float:
    """Three digits, away from the values."""
    if not value or not math.isfinite(value):
        return value
    unit = 10.0 ** (math.floor(math.log10(abs(value))) - 2)
    steps = math.floor(value / unit) if down else math.ceil(value / unit)
    return float(f"{steps * unit:.6g}")


def _shown(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:.4g}"
