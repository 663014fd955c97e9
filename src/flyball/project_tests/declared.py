"""What a project file says must hold: `fb.test.quality(late_flights, "roc_auc", at_least=0.7)`.

A declaration does nothing by itself; `flyball test` runs it. Where a model is asked for, it is the newest version of that name, or
that which a pipeline registers: it is run once, in a workspace of its own that is thrown away.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from flyball.data.checks.base import CheckSpec
from flyball.data.dataset import Dataset
from flyball.declarations import declare
from flyball.errors import InvalidInput
from flyball.features.definition import FeatureView
from flyball.pipelines.pipeline import Pipeline

Kind = Literal[
    "data",
    "schema",
    "features",
    "pipeline",
    "quality",
    "invariance",
    "directional",
    "minimum",
    "latency",
    "size",
    "bias",
]
Subject = Pipeline[..., Any] | str
"""A pipeline that registers a model, or the name of a model."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectTest:
    """One thing that must hold.

    Attributes:
        subject: What it is about: a dataset, a feature view, a pipeline or the name of a model.
        settings: What exactly is asked.
    """

    kind: Kind
    subject: Any
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """How it is called in reports, such as `quality of late_flights: roc_auc`."""
        subject = self.subject if isinstance(self.subject, str) else self.subject.name
        about = next((str(self.settings[key]) for key in ("metric", "column", "about") if self.settings.get(key)), "")
        return f"{self.kind} of {subject}" + (f": {about}" if about else "")


def data(dataset: Dataset, checks: Sequence[CheckSpec]) -> ProjectTest:
    """The rows of a dataset, as they are now, pass checks (`fb.expect`)."""
    if not checks:
        raise InvalidInput(f"A test of the data of '{dataset.name}' checks nothing.", hint="Give checks of fb.expect.")
    return _declared("data", dataset, checks=tuple(checks))


def schema(dataset: Dataset, columns: Mapping[str, str], *, only: bool = False) -> ProjectTest:
    """A dataset has these columns of these types: `int`, `float`, `string`, `bool`, `timestamp`, `date`.

    Args:
        only: Whether there may be no other column.
    """
    return _declared("schema", dataset, columns=dict(columns), only=only)


def features(view: FeatureView) -> ProjectTest:
    """The rows of a feature view have entity and time, each pair once, and pass the view's own checks."""
    return _declared("features", view)


def pipeline(
    pipeline: Pipeline[..., Any], *, sample: int = 1000, params: Mapping[str, Any] | None = None
) -> ProjectTest:
    """A pipeline comes to its end on a sample of its data, in a workspace of its own that is thrown away.

    Args:
        sample: How many rows of each dataset, evenly from the first to the last.
        params: Of the pipeline.
    """
    return _declared("pipeline", pipeline, sample=sample, params=dict(params or {}))


def quality(
    model: Subject,
    metric: str,
    *,
    at_least: float | None = None,
    at_most: float | None = None,
    slices: Sequence[str] = (),
) -> ProjectTest:
    """A metric of the model on the rows that were held out is good enough, and so in each slice of these columns.

    Args:
        slices: Columns that the pipeline's `fb.evaluate` was given; slices too small to be scored are passed over.
    """
    if at_least is None and at_most is None:
        raise InvalidInput(f"A test of '{metric}' has no limit.", hint="Give at_least= or at_most=.")
    return _declared("quality", model, metric=metric, at_least=at_least, at_most=at_most, slices=tuple(slices))


def invariance(
    model: Subject, column: str, values: Sequence[Any] = (), *, by: float = 0.0, share: float = 1.0
) -> ProjectTest:
    """Predictions stay the same whatever a column holds, such as a name or the sex of a person.

    Args:
        values: What is put in; by default the values of other rows.
        by: A prediction may change by so much: a probability, or the unit of the predicted value.
        share: Of so many rows it must hold.
    """
    return _declared("invariance", model, column=column, values=tuple(values), by=by, share=share)


def directional(
    model: Subject, column: str, change: float, effect: Literal["up", "down"], *, share: float = 1.0
) -> ProjectTest:
    """Predictions move in a known direction, or stay, when a number grows by so much: a larger flat costs no less.

    Args:
        change: What is added to the column.
        effect: Where predictions may move to.
        share: Of so many rows it must hold.
    """
    if effect not in ("up", "down"):
        raise InvalidInput(f"A prediction cannot move '{effect}'.", hint="Say 'up' or 'down'.")
    return _declared("directional", model, column=column, change=change, effect=effect, share=share)


def minimum(
    model: Subject, rows: Sequence[Mapping[str, Any]], expected: Sequence[Any], *, by: float = 0.0, about: str = ""
) -> ProjectTest:
    """What is easy is right: the model predicts these rows as expected.

    Args:
        rows: Rows with the model's inputs; one that is left out is missing.
        expected: What is predicted of each: a class, or a value.
        by: So far off a value may be.
        about: What they have in common, for reports.
    """
    if not rows or len(rows) != len(expected):
        raise InvalidInput(
            f"{len(rows)} rows do not go with {len(expected)} expectations.", hint="Give one for each row."
        )
    return _declared("minimum", model, rows=tuple(rows), expected=tuple(expected), by=by, about=about)


def latency(model: Subject, **limits: str) -> ProjectTest:
    """Single predictions are fast enough: `fb.test.latency(late_flights, p99="20ms")`; `p50`, `p95` and `p99` are known."""
    from flyball.registry.gates.latency import read_limits

    unknown = sorted(set(limits) - {"p50", "p95", "p99"})
    if unknown:
        raise InvalidInput(f"There is no '{unknown[0]}' of a latency here.", hint="Give p50, p95 or p99.")
    read_limits(**limits)
    return _declared("latency", model, **limits)


def size(model: Subject, at_most: str) -> ProjectTest:
    """The model's files are small enough, such as `5MB`."""
    from flyball.machine.resources import parse_size

    return _declared("size", model, at_most=at_most, bytes=parse_size(at_most))


def bias(model: Subject, column: str, measure: str = "demographic_parity") -> ProjectTest:
    """Groups of a column are treated alike, beyond chance and beyond the measure's threshold, on the rows that were held out.

    Args:
        measure: Name of a measure of fairness.
    """
    from flyball.evaluation.fair import check_measures

    check_measures([measure])
    return _declared("bias", model, column=column, measure=measure)


def _declared(kind: Kind, subject: Any, **settings: Any) -> ProjectTest:
    if not isinstance(subject, str | Pipeline | Dataset | FeatureView):
        raise InvalidInput(f"A test of {kind} is about a {type(subject).__name__}, which it knows nothing of.")
    made = ProjectTest(kind=kind, subject=subject, settings=settings)
    declare(made)
    return made
