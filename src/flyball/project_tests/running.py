"""Runs what a project declares with `fb.test`: each kind is a function that says what was found, or raises what does not hold."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING, Any

from flyball.data.validate import validate
from flyball.errors import ChecksFailed, InvalidInput
from flyball.evaluation.scores import evaluate
from flyball.features.definition import FeatureView
from flyball.models.scored import scores_of, truth_for
from flyball.project_tests.declared import ProjectTest
from flyball.project_tests.scratch import Scratch, Tested
from flyball.schema import Schema

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

    Values = npt.NDArray[np.float64]

_MOST_ROWS = 2_000
_LATENCY_ROWS = 100


def run_test(test: ProjectTest, scratch: Scratch) -> str:
    """Runs a test; gives a sentence of what was found.

    Raises:
        ChecksFailed: it does not hold.
        FlyballError: it cannot be run: a column is not there, a pipeline fails.
    """
    return _KINDS[test.kind](test, scratch)


def _data(test: ProjectTest, scratch: Scratch) -> str:
    report = validate(scratch.rows(test.subject).arrow, test.settings["checks"], now=scratch.workspace.time.now())
    _hold(report.passed, str(report))
    return f"{len(report.results)} checks hold on {report.rows:,} rows"


def _schema(test: ProjectTest, scratch: Scratch) -> str:
    found = {column.name: column.type for column in Schema.of(scratch.rows(test.subject).arrow).columns}
    wanted: Mapping[str, str] = test.settings["columns"]
    wrong = [
        f"'{name}' is {found.get(name, 'missing')}, not {kind}"
        for name, kind in wanted.items()
        if found.get(name) != kind
    ]
    more = [f"'{name}' is new" for name in found if name not in wanted] if test.settings["only"] else []
    _hold(not wrong and not more, "; ".join([*wrong, *more]))
    return f"{len(wanted)} columns are as they should be"


def _features(test: ProjectTest, scratch: Scratch) -> str:
    from flyball.data import expect
    from flyball.data.dataset import Dataset

    view: FeatureView = test.subject
    if not view.source or "://" in view.source or view.source.startswith(("datasets:/", "snapshots:/")):
        raise InvalidInput(
            f"The rows of the feature view '{view.name}' cannot be read here.", hint="Its source is no file."
        )
    rows = scratch.rows(Dataset(name=view.name, source=view.source))
    keys = [*view.entity, view.time]
    checks = [*(expect.not_null(name) for name in keys), expect.unique(*keys), *view.tests]
    report = validate(rows.arrow, checks, now=scratch.workspace.time.now())
    _hold(report.passed, str(report))
    return f"{len(checks)} checks hold on {report.rows:,} rows"


def _pipeline(test: ProjectTest, scratch: Scratch) -> str:
    started = perf_counter()
    result = scratch.run(test.subject, dict(test.settings["params"]), sample=test.settings["sample"])
    return f"{len(result.steps)} steps on at most {test.settings['sample']:,} rows in {perf_counter() - started:.1f} s"


def _quality(test: ProjectTest, scratch: Scratch) -> str:
    tested = scratch.model(test.subject)
    metric, slices = test.settings["metric"], test.settings["slices"]
    rows = tested.inputs
    assert tested.held is not None
    truth = truth_for(tested.model, tested.held.column(tested.version.label))
    named = {name: tested.held.column(name).to_pylist() for name in slices}
    found = evaluate(truth, scores_of(tested.model, rows), metrics=[metric], slices=named, rows=rows)
    value = found.metrics[0].value
    wrong = [] if _is_within(value, test) else [f"{metric} is {_shown(value)} on {found.n:,} rows, {_limits(test)}"]
    for one in found.slices:
        measured = one.metrics[0].value if one.metrics else None
        if measured is not None and not _is_within(measured, test):
            wrong.append(f"{_shown(measured)} where {one.column} is {one.value} ({one.n:,} rows)")
    _hold(not wrong, "; ".join(wrong))
    return f"{metric} is {_shown(value)} on {found.n:,} rows"


def _invariance(test: ProjectTest, scratch: Scratch) -> str:
    import numpy as np
    import pyarrow as pa

    tested, column, by = scratch.model(test.subject), test.settings["column"], test.settings["by"]
    if column not in tested.model.signature.inputs.names:
        return f"the model does not look at '{column}'"
    rows = _some(tested)
    before = _scores(tested, rows)
    place = rows.column_names.index(column)
    kind = rows.schema.field(column)
    given = test.settings["values"]
    if given:
        changed = [pa.array([value] * len(rows), kind.type) for value in given]
    else:
        order = np.random.default_rng(0).permutation(len(rows))
        changed = [rows.column(column).take(pa.array(order))]
    moved = np.zeros(len(rows))
    for values in changed:
        after = _scores(tested, rows.set_column(place, kind, values))
        moved = np.maximum(moved, np.abs(after - before).reshape(len(rows), -1).max(axis=1))
    held = float((moved <= by + 1e-12).mean())
    said = f"{held:.1%} of {len(rows):,} predictions move by at most {by:g} with '{column}'; the largest move is {moved.max():.3g}"
    _hold(held >= test.settings["share"], said)
    return said


def _directional(test: ProjectTest, scratch: Scratch) -> str:
    import pyarrow.compute as pc

    tested, column = scratch.model(test.subject), test.settings["column"]
    rows = _some(tested)
    if column not in rows.column_names:
        raise InvalidInput(f"The model has no input '{column}'.", hint=f"It has: {', '.join(rows.column_names)}.")
    kind = rows.schema.field(column)
    grown = pc.add(rows.column(column), test.settings["change"]).cast(kind.type, safe=False)
    before = _scores(tested, rows)
    after = _scores(tested, rows.set_column(rows.column_names.index(column), kind, grown))
    if before.ndim > 1:
        raise InvalidInput(
            "With more than two classes there is no up and no down.", hint="Test two classes, or values."
        )
    step = after - before if test.settings["effect"] == "up" else before - after
    held = float((step >= -1e-12).mean())
    grows = f"when '{column}' grows by {test.settings['change']:g}"
    said = f"{held:.1%} of {len(rows):,} predictions move {test.settings['effect']} or stay {grows}"
    _hold(held >= test.settings["share"], said)
    return said


def _minimum(test: ProjectTest, scratch: Scratch) -> str:
    import pyarrow as pa

    from flyball.models.signature import arrow_type

    tested = scratch.model(test.subject)
    inputs = tested.model.signature.inputs
    columns = {
        column.name: pa.array([row.get(column.name) for row in test.settings["rows"]], arrow_type(column))
        for column in inputs.columns
    }
    unknown = sorted({name for row in test.settings["rows"] for name in row} - set(inputs.names))
    if unknown:
        raise InvalidInput(f"The model has no input '{unknown[0]}'.", hint=f"It has: {', '.join(inputs.names)}.")
    said = tested.model.predict(pa.table(columns))["prediction"].to_pylist()
    wrong = [
        f"row {place} is predicted {found!r}, not {wanted!r}"
        for place, (found, wanted) in enumerate(zip(said, test.settings["expected"], strict=True), 1)
        if not _is_near(found, wanted, test.settings["by"])
    ]
    _hold(not wrong, "; ".join(wrong))
    return f"{len(said)} of {len(said)} easy rows are right"


def _latency(test: ProjectTest, scratch: Scratch) -> str:
    import numpy as np

    from flyball.registry.gates.latency import read_limits

    tested = scratch.model(test.subject)
    limits = read_limits(**test.settings)
    rows = _some(tested)
    taken = []
    for place in range(_LATENCY_ROWS):
        one = rows.slice(place % len(rows), 1)
        started = perf_counter()
        tested.model.predict(one)
        taken.append(1000 * (perf_counter() - started))
    found = {name: float(np.percentile(taken, int(name[1:]))) for name in limits}
    said = ", ".join(f"{name} is {found[name]:.3g} ms of {limits[name]:g} ms" for name in limits)
    _hold(all(found[name] <= limits[name] for name in limits), said)
    return f"{said}; the median is {median(taken):.3g} ms"


def _size(test: ProjectTest, scratch: Scratch) -> str:
    found = scratch.model(test.subject).version.package.size
    said = f"its files have {found:,} bytes, {test.settings['at_most']} are allowed"
    _hold(found <= test.settings["bytes"], said)
    return said


def _bias(test: ProjectTest, scratch: Scratch) -> str:
    from flyball.evaluation.fair import assess

    tested, column = scratch.model(test.subject), test.settings["column"]
    rows = tested.inputs
    assert tested.held is not None
    truth = truth_for(tested.model, tested.held.column(tested.version.label))
    groups = {column: tested.held.column(column).to_pylist()}
    (found,) = assess(truth, scores_of(tested.model, rows), groups, measures=[test.settings["measure"]])
    if found.value is None:
        raise InvalidInput(f"{found.sentence}.", hint="Hold more rows out, or choose a column of larger groups.")
    _hold(not found.is_unfair, found.sentence)
    return found.sentence


def _hold(holds: bool, said: str) -> None:
    if not holds:
        raise ChecksFailed(said)


def _some(tested: Tested) -> pa.Table:
    from flyball.models.explaining import spread

    return spread(tested.inputs, _MOST_ROWS)


def _scores(tested: Tested, rows: pa.Table) -> Values:
    import numpy as np

    return np.asarray(scores_of(tested.model, rows), dtype=np.float64)


def _is_within(value: float | None, test: ProjectTest) -> bool:
    low, high = test.settings["at_least"], test.settings["at_most"]
    return value is not None and (low is None or value >= low) and (high is None or value <= high)


def _limits(test: ProjectTest) -> str:
    low, high = test.settings["at_least"], test.settings["at_most"]
    said = [f"at least {low:g}" if low is not None else "", f"at most {high:g}" if high is not None else ""]
    return " and ".join(filter(None, said)) + " is asked for"


def _shown(value: float | None) -> str:
    return "undefined" if value is None else f"{value:.4g}"


def _is_near(found: Any, wanted: Any, by: float) -> bool:
    if isinstance(found, int | float) and isinstance(wanted, int | float):
        return abs(found - wanted) <= by
    return bool(found == wanted)


_KINDS: dict[str, Callable[[ProjectTest, Scratch], str]] = {
    "data": _data, "schema": _schema, "features": _features, "pipeline": _pipeline, "quality": _quality,
    "invariance": _invariance, "directional": _directional, "minimum": _minimum, "latency": _latency, "size": _size,
    "bias": _bias,
}  # fmt: skip
