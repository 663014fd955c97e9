"""Rows as wholes: what was learned of the reference's rows, and how far the rows of a window lie from them.

Columns are made numbers of (`representations/`): those of a table together, each embedding, text or image by itself. On each
such group every multivariate metric is fitted; the reference's own windows tell how much more than by chance quiet windows
differ, as for single columns.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from flyball.monitoring import significance
from flyball.monitoring.multivariate.base import MULTIVARIATE, Comparison, Encoding, Summary, merge_summaries
from flyball.monitoring.representations.base import REPRESENTATIONS

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

    Floats = npt.NDArray[np.float64]

TABLE = "table"
USUAL = ("correlation", "mmd")
"""The metrics that are fitted where none are named."""

MOST_ROWS = 5_000
_REFERENCE_ROWS = 20_000
_WINDOW_ROWS = 2_000  # of each of the reference's windows: enough to tell how much they differ
_LEAST_ROWS = 30
_ORDER = ("numbers", "categories", "embedding", "image", "text")


@dataclass(frozen=True, slots=True, kw_only=True)
class FittedMetric:
    """A multivariate metric, fitted to a group.

    Attributes:
        metric: Name of the plug-in; `state`: what it learned.
        summary: That of the reference's rows.
        dispersion: How much more than by chance the reference's own windows differ, per row.
    """

    metric: str
    state: dict[str, Any]
    summary: Summary
    dispersion: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class JointGroup:
    """Columns that are compared as one: those of a table, or one embedding, text or image."""

    name: str
    encodings: tuple[Encoding, ...]
    metrics: tuple[FittedMetric, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Joint:
    """What was learned of the reference's rows."""

    groups: tuple[JointGroup, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class JointDrift:
    """What one metric says of one group of columns.

    Attributes:
        group: `table`, or the name of the column.
        distance: How far apart they are, beyond chance; `threshold`: from when it matters.
        p_value: The chance of it if nothing has changed.
        columns: The features that changed most.
    """

    group: str
    metric: str
    distance: float
    threshold: float
    p_value: float
    drifted: bool
    cause: str = ""
    columns: tuple[str, ...] = ()


def fit_joint(
    table: pa.Table, *, windows: Sequence[pa.Table] = (), metrics: Sequence[str] = USUAL, columns: Sequence[str] = ()
) -> Joint:
    """What is normal of whole rows; empty where the table has no columns for it.

    Args:
        windows: Windows of normal operation.
        metrics: Names of multivariate metrics.
        columns: Only these; all by default.
    """
    sample = _sampled(table, _REFERENCE_ROWS)
    groups: dict[str, list[Encoding]] = {}
    for found in encodings_of(sample.select(columns) if columns else sample):
        group = TABLE if REPRESENTATIONS.get(found.representation).is_table else found.column
        groups.setdefault(group, []).append(found)
    own = [_sampled(window, _WINDOW_ROWS) for window in windows]
    made = [_fit_group(name, tuple(encodings), sample, own, metrics) for name, encodings in groups.items()]
    return Joint(groups=tuple(group for group in made if group.metrics))


def summarise(joint: Joint, table: pa.Table) -> dict[str, Summary]:
    """The summaries of the rows of a table, by `group/metric`; `merge_joint` adds those of several tables up.

    Of more than 5,000 rows as many are drawn. A group with a column that the table does not have is left out.
    """
    sample = _sampled(table, MOST_ROWS)
    found = {}
    for group in joint.groups:
        if any(each.column not in sample.column_names for each in group.encodings):
            continue
        matrix = encode(group.encodings, sample)
        for fitted in group.metrics:
            metric = MULTIVARIATE.get(fitted.metric)
            found[f"{group.name}/{fitted.metric}"] = metric.summarise(fitted.state, matrix)
    return found


def merge_joint(parts: Sequence[Mapping[str, Summary]]) -> dict[str, Summary]:
    """The summaries of all their rows; what one part does not have is left out."""
    names = [name for name in parts[0] if all(name in part for part in parts)] if parts else []
    return {name: merge_summaries([part[name] for part in parts]) for name in names}


def judge(joint: Joint, current: Mapping[str, Summary], *, alpha: float = 0.001) -> tuple[JointDrift, ...]:
    """What each metric says of each group, those that drifted first.

    A group has drifted if chance, with the variation of the reference's own windows, would do so with a probability of at
    most `alpha`, corrected for what is looked at, and if the distance reaches the metric's threshold.
    """
    found = []
    asked = sum(len(group.metrics) for group in joint.groups)
    for group in joint.groups:
        for fitted in group.metrics:
            summary = current.get(f"{group.name}/{fitted.metric}")
            if summary is not None and summary.n >= _LEAST_ROWS:
                found.append(_judged(group.name, fitted, summary, alpha / asked))
    return tuple(sorted(found, key=lambda each: (not each.drifted, each.p_value)))


def encode(encodings: Sequence[Encoding], table: pa.Table) -> Floats:
    """The rows as a matrix, shape (rows, features)."""
    import numpy as np

    parts = [
        REPRESENTATIONS.get(each.representation).encode(each.state, table.column(each.column))
        if REPRESENTATIONS.get(each.representation).matches(table.column(each.column))
        or (each.representation == "categories" and REPRESENTATIONS.get("text").matches(table.column(each.column)))
        else np.zeros((table.num_rows, len(each.features)))
        for each in encodings
    ]
    matrix: Floats = np.concatenate(parts, axis=1)
    return matrix


def encodings_of(table: pa.Table) -> tuple[Encoding, ...]:
    """How the columns of a table become numbers; those that cannot, or hold one value only, are left out."""
    made = [_encoding(name, table.column(name)) for name in table.column_names]
    return tuple(each for each in made if each is not None)


def with_columns(table: pa.Table, encodings: Sequence[Encoding]) -> pa.Table:
    """The table with a column of nothing for each that it lacks."""
    import pyarrow as pa

    for each in encodings:
        if each.column not in table.column_names:
            table = table.append_column(each.column, pa.nulls(table.num_rows, pa.float64()))
    return table


def _encoding(name: str, column: pa.ChunkedArray) -> Encoding | None:
    known = REPRESENTATIONS.names()
    order = [*(each for each in _ORDER if each in known), *(each for each in known if each not in _ORDER)]
    for representation in order:
        plugin = REPRESENTATIONS.get(representation)
        if plugin.matches(column):
            state = plugin.fit(column)
            if state is None:
                return None
            features = tuple(f"{name}={part}" if part else name for part in state["features"])
            return Encoding(column=name, representation=representation, features=features, state=state)
    return None


def _fit_group(
    name: str, encodings: tuple[Encoding, ...], sample: pa.Table, own: Sequence[pa.Table], metrics: Sequence[str]
) -> JointGroup:
    features = tuple(feature for each in encodings for feature in each.features)
    matrix = encode(encodings, sample)
    windows = [encode(encodings, window) for window in own if window.num_rows >= _LEAST_ROWS]
    fitted = []
    for metric in metrics:
        plugin = MULTIVARIATE.get(metric)
        state = plugin.fit(matrix, features)
        if state is None:
            continue
        summary = plugin.summarise(state, matrix)
        seen = [plugin.compare(state, summary, plugin.summarise(state, window)) for window in windows]
        rows = [significance.effective_rows(len(matrix), len(window)) for window in windows]
        dispersion = _dispersion(seen, rows)
        fitted.append(FittedMetric(metric=metric, state=state, summary=summary, dispersion=dispersion))
    return JointGroup(name=name, encodings=encodings, metrics=tuple(fitted))


def _dispersion(seen: Sequence[Comparison], rows: Sequence[float]) -> float:
    """How much more than by chance windows differ, per row."""
    pairs = [
        (each.overall[0] / each.overall[1], n, each.overall[1])
        for each, n in zip(seen, rows, strict=True)
        if each.overall[1]
    ]
    return significance.excess_of(pairs)


def _judged(group: str, fitted: FittedMetric, summary: Summary, alpha: float) -> JointDrift:
    plugin = MULTIVARIATE.get(fitted.metric)
    compared = plugin.compare(fitted.state, fitted.summary, summary)
    rows = significance.effective_rows(fitted.summary.n, summary.n)
    statistic = compared.statistic / (1 + rows * fitted.dispersion)
    p_value = min(1.0, compared.tests * significance.chi_square_tail(statistic, compared.degrees))
    return JointDrift(
        group=group,
        metric=fitted.metric,
        distance=compared.distance,
        threshold=plugin.threshold,
        p_value=p_value,
        drifted=p_value <= alpha and compared.distance >= plugin.threshold,
        cause=compared.cause,
        columns=compared.columns,
    )


def _sampled(table: pa.Table, most: int) -> pa.Table:
    import numpy as np
    import pyarrow as pa

    if table.num_rows <= most:
        return table
    return table.take(pa.array(np.sort(np.random.default_rng(0).choice(table.num_rows, most, replace=False))))
