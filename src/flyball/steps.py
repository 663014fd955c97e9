"""The ready-made steps of a pipeline: training set, validate, evaluate, register.

They are steps like a user's own. What they work with (data, registry, blobs, clock) they take from the run they are part of.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from time import perf_counter
from typing import TYPE_CHECKING, Any

from flyball.clock import parse_duration, parse_time
from flyball.data.assess import named_by
from flyball.data.checks.base import CheckSpec
from flyball.data.datasets import Dataset
from flyball.data.snapshot import Snapshot, load_snapshot, take_snapshot
from flyball.data.split import split as split_table
from flyball.data.table import Table, as_moments, write_table
from flyball.data.validate import ensure_valid
from flyball.errors import InvalidInput
from flyball.evaluation.fair import TOGETHER
from flyball.evaluation.importance import Importance
from flyball.evaluation.mitigation import Constraint, group_thresholds, reweighing
from flyball.evaluation.scores import Evaluation
from flyball.evaluation.scores import evaluate as score
from flyball.evaluation.weak_slices import find_weak_slices
from flyball.features.material import Reader
from flyball.features.plan import FeatureSet, FeatureSource
from flyball.features.training import join_for_training
from flyball.models.explaining import measure_importance
from flyball.models.onnx_twin import with_twin
from flyball.models.package import LoadedModel, load_model, save_model
from flyball.models.scored import scores_of, truth_for
from flyball.monitoring.attribution import measure
from flyball.monitoring.estimation import LEAST_ROWS, Calibration, fit_calibration, fit_classes
from flyball.monitoring.joint import USUAL
from flyball.monitoring.learned import with_outcomes
from flyball.monitoring.outcome_reference import outcome_table
from flyball.monitoring.outcomes import losses_of
from flyball.monitoring.profile import CellLosses, Reference
from flyball.monitoring.reference import fit_reference, windows_of
from flyball.monitoring.seasons import seasonal
from flyball.pipelines.context import current_run
from flyball.pipelines.step import step
from flyball.pipelines.values import Model
from flyball.refs import Ref
from flyball.registry.signing import check_can_sign, sign_version, signing_key_of
from flyball.registry.versions import ModelVersion
from flyball.serialization import to_json
from flyball.storage.objects import Blobs

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

_EXAMPLE_ROWS = 20
_HOLDOUT_ROWS = 50_000
_MOST_SLICED = 40
_TIME = "__time__"
# Enough to tell what counts from what does not, in a few tenths of a second for most models.
_IMPORTANCE_ROWS = 5_000
_IMPORTANCE_VALUES = 25_000
_LEAST_IMPORTANCE_ROWS = 200
_MOST_SECONDS = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored:
    """An evaluation, with what a gate needs to judge another model on the same rows.

    Attributes:
        holdout: The held-out rows.
        label: Column that holds the truth.
        slices: Columns whose values were scored one by one.
        calibration: What the scores are worth, by which performance is estimated before its truth is known.
        class_calibrations: The same for each of more than two classes.
        losses: How wrong each held-out row was, as little-endian 32-bit floats.
        outcomes: What was predicted and what was true of the held-out rows, as far as that can be counted.
    """

    evaluation: Evaluation
    holdout: Table
    label: str
    slices: tuple[str, ...]
    calibration: Calibration | None = None
    class_calibrations: tuple[Calibration, ...] = ()
    losses: bytes = b""
    outcomes: Table | None = None


@step(cache=False)
def training_set(
    dataset: Dataset,
    features: FeatureSet | Sequence[FeatureSource | FeatureSet] = (),
    window: str = "",
    until: str = "",
) -> Table:
    """The labelled rows of a dataset as they were known, with features joined point in time.

    Takes a snapshot of the dataset and of each feature view's source (nothing happens where nothing changed). Rows whose label
    was not yet known at the moment of the run are left out, as they would have been then.

    Args:
        dataset: Where rows and labels come from.
        features: A set of features, or views (also by name, `weather@2`) and on-demand features. The run remembers which, so
            that a model server looks up what a request does not give.
        window: Only the rows of this long before the run, such as `90d`; all by default.
        until: As if the run were at this moment; by default it is now.

    Raises:
        InvalidInput: no labelled row is left.
    """
    services = current_run().services
    now = services.clock.now() if not until else parse_time(until)
    rows = _load(dataset, dataset.source)
    rows = _known(rows, dataset, now, window)
    if rows.num_rows == 0:
        raise InvalidInput(
            f"Dataset '{dataset.name}' has no row whose label was known by {now:%Y-%m-%d %H:%M}.",
            hint="Check its time and label_time columns, and the window.",
        )
    if features:
        run = current_run()
        reader = Reader(
            data=services.data,
            features=services.features,
            blobs=services.blobs,
            root=services.source_root,
            cache=services.cache,
            note=run.use_snapshot,
        )
        rows, plan = join_for_training(rows, features, time=dataset.time, reader=reader, catalog=services.features)
        services.features.record_use(run.pipeline_run, plan)
    return Table(rows, key=dataset.key, time=dataset.time, label=dataset.label, label_time=dataset.label_time)


@step
def validate(rows: Table, checks: Sequence[CheckSpec] = (), sample: int | None = None) -> Table:
    """The rows, if they pass the checks.

    Tables and profiles that checks name are datasets: their latest versions, or `name@version`, which the run notes as used. Rows
    that passed before pass again without being looked at, as with any step; `flyball run --no-cache` looks again.

    Args:
        sample: Look at so many rows only, drawn at random; counts of rows and freshness are still judged on all.

    Raises:
        ChecksFailed: a check whose severity is `fail` did not pass; the message names each.
        NotFound: a check names a dataset that is not there.
    """
    run = current_run()
    services = run.services
    named = named_by(services.data, services.quality, services.blobs, checks)
    for ref in named.snapshots:
        run.use_snapshot(ref)
    ensure_valid(
        rows.arrow, list(checks) or None, now=services.clock.now(), sample=sample, tables=named.tables,
        profiles=named.profiles,
    )  # fmt: skip
    return rows


@step
def split(rows: Table, holdout: str = "14d") -> tuple[Table, Table]:
    """The earlier rows to learn from, and the latest ones to be judged on.

    Args:
        holdout: How much of the latest time is held out, such as `14d`, or a share such as `20%`.
    """
    return split_table(rows, holdout=holdout)


@step
def evaluate(
    model: Model,
    rows: Table,
    slices: Sequence[str] = (),
    metrics: Sequence[str] = (),
    label: str = "",
    fairness: Sequence[str] = (),
) -> Scored:
    """How good a model is on rows it has not learned from, where it is weak, and what columns are worth.

    Args:
        model: Anything with `predict` (and `predict_proba`).
        rows: The held-out rows, with their label.
        slices: Columns whose values are scored one by one.
        metrics: Names of metrics; those usual for the task by default.
        label: Column of the truth; the table's own by default.
        fairness: Columns whose groups ought to be treated alike; several joined by `*` for their combinations.
    """
    truth_column = label or rows.label
    if not truth_column:
        raise InvalidInput(
            "The rows to evaluate on have no label.", hint="Give `label=`, or declare it on the dataset."
        )
    columns = {name: rows.arrow[name].to_pylist() for name in slices}
    grouped = tuple(dict.fromkeys(part.strip() for name in fairness for part in name.split(TOGETHER)))
    compared = {name: rows.column(name).to_pylist() for name in grouped}
    run = current_run()
    inputs = rows.inputs(truth_column)
    served = _as_served(model, inputs, run.services.blobs)
    start = perf_counter()
    predicted = scores_of(served, inputs)
    spent = perf_counter() - start
    truth = truth_for(served, rows.arrow[truth_column])
    evaluation = score(
        truth, predicted, metrics=list(metrics) or None, slices=columns, fairness=compared, fairness_groups=fairness,
        rows=inputs,
    )  # fmt: skip
    run.log_metrics({metric.name.split()[0]: metric.value for metric in evaluation.metrics if metric.value is not None})
    first = max(0, len(rows) - _HOLDOUT_ROWS)
    kept = rows.with_arrow(rows.arrow.slice(first))
    losses = b""
    if predicted.dtype.kind in "fiub" and truth.dtype.kind in "fiub":
        each = losses_of(predicted, truth, is_classifier=evaluation.task == "classification")
        losses = each[first:].astype("<f4").tobytes()
        latest = inputs.slice(first)
        named = {name: latest[name].to_pylist() for name in latest.column_names[:_MOST_SLICED]}
        importance = _importance(served, inputs, truth, spent)
        evaluation = replace(evaluation, weak_slices=find_weak_slices(each[first:], named), importance=importance)
    calibration: Calibration | None = None
    of_classes: tuple[Calibration, ...] = ()
    if predicted.ndim > 1 and len(rows) >= LEAST_ROWS:
        of_classes = fit_classes(predicted, truth)
    elif evaluation.positive_rate is not None and len(rows) >= LEAST_ROWS:
        calibration = fit_calibration(predicted, truth)
    outcomes = None
    if losses:
        is_classifier = evaluation.task == "classification"
        outcomes = Table(outcome_table(predicted[first:], truth[first:], is_classifier=is_classifier))
    return Scored(
        evaluation=evaluation,
        holdout=kept,
        label=truth_column,
        slices=tuple(dict.fromkeys((*slices, *grouped))),
        calibration=calibration,
        class_calibrations=of_classes,
        losses=losses,
        outcomes=outcomes,
    )


@step
def reweigh(rows: Table, column: str, label: str = "") -> np.ndarray[Any, Any]:
    """A weight for each row, mean 1, that makes the groups of a column and the label independent: for `fit(sample_weight=)`.

    Args:
        rows: The rows to learn from.
        column: Column of the groups.
        label: Column of the truth; the table's own by default.

    Source: Kamiran and Calders, Knowl. Inf. Syst. 33, 2012.
    """
    truth = rows.column(label or rows.label)
    return reweighing(rows.column(column).to_pylist(), truth.to_pylist())


@step
def fair_thresholds(
    model: Model, rows: Table, column: str, constraint: Constraint = "demographic_parity", label: str = ""
) -> Model:
    """The classifier with a threshold for each group of a column, so that groups are treated alike.

    Args:
        model: A fitted classifier of two classes.
        rows: Rows that it has not learned from, and on which it will not be judged.
        column: An input of the rows that holds the group.
        constraint: `demographic_parity` (as many of each group) or `equal_opportunity` (as many of each group's truly
            positive ones).
        label: Column of the truth; the table's own by default.
    """
    from flyball.evaluation.group_thresholds import GroupThresholdClassifier

    truth_column = label or rows.label
    frame = rows.x(truth_column)
    names = list(getattr(model, "feature_names_in_", frame.columns))
    scores = model.predict_proba(frame[names])[:, 1]
    truth = rows.column(truth_column).to_numpy(zero_copy_only=False)
    found = group_thresholds(scores, truth, rows.column(column).to_pylist(), constraint=constraint)
    return GroupThresholdClassifier(model, column, found)


@step(cache=False)
def register(
    name: str,
    model: Model,
    scored: Scored | None = None,
    reference: Table | None = None,
    description: str = "",
    window: str = "1d",
    season: str = "",
) -> ModelVersion:
    """Registers a model as a new version, with what it takes to judge, serve, watch and reproduce it.

    Args:
        name: Name of the model; that of the loop it belongs to.
        model: The trained model.
        scored: What `evaluate` gave: evaluation and held-out rows, which the gates need.
        reference: The rows it learned from, whose distribution live traffic is compared with; the held-out ones by default.
        description: A sentence for people.
        window: Length of the windows that live traffic will be compared in; how far such windows of the reference itself
            lie apart is what counts as normal.
        season: After how long the same is normal again, such as `7d`: windows are then compared with those of the same phase,
            Mondays with Mondays. The rows need a time column, and two whole seasons or more.
    """
    run = current_run()
    services = run.services
    key = signing_key_of(services)
    if key is not None:
        check_can_sign(key)  # before there is a version that could not be signed
    rows = reference if reference is not None else scored.holdout if scored is not None else None
    if rows is None:
        raise InvalidInput(f"Model '{name}' is registered without any rows.", hint="Hand over what `fb.evaluate` gave.")
    inputs = rows.inputs(scored.label if scored is not None else None)
    package = save_model(model, services.blobs, example=inputs.slice(0, _EXAMPLE_ROWS))
    package = with_twin(package, services.blobs, inputs if scored is None else scored.holdout.inputs(scored.label))
    fitted = _fit_reference(rows, inputs, window, season)
    if scored is not None:
        fitted = replace(
            fitted, calibration=scored.calibration, class_calibrations=scored.class_calibrations,
            losses=_losses_by_cell(scored, fitted),
        )  # fmt: skip
        fitted = _with_outcomes(scored, fitted, window)
    drift_reference = services.blobs.put(to_json(fitted))
    version: ModelVersion = services.registry.register(
        model=name,
        package=package,
        run=run.pipeline_run,
        evaluation=None if scored is None else scored.evaluation,
        holdout="" if scored is None else services.blobs.put(write_table(scored.holdout)),
        label="" if scored is None else scored.label,
        slices=() if scored is None else scored.slices,
        reference=drift_reference,
        snapshots=tuple(run.snapshots),
        code=services.code,
        params=run.params,
        description=description,
    )
    if key is not None:
        sign_version(version, key, signatures=services.signatures, blobs=services.blobs)
    return version


def _load(dataset: Dataset, source: str) -> pa.Table:
    run = current_run()
    services = run.services
    if dataset.name == source or not source:
        snapshot: Snapshot = services.data.get_snapshot(dataset.name)
    else:
        snapshot = take_snapshot(
            services.data, services.blobs, dataset, root=services.source_root, cache=services.cache
        )
    run.use_snapshot(str(Ref(kind="snapshots", name=snapshot.dataset, version=snapshot.id)))
    return load_snapshot(services.blobs, snapshot)


def _known(rows: pa.Table, dataset: Dataset, now: datetime, window: str) -> pa.Table:
    import pyarrow.compute as pc

    keep = None
    if dataset.label_time:
        keep = pc.less_equal(as_moments(rows[dataset.label_time]), now)
    if dataset.time:
        past = pc.less_equal(as_moments(rows[dataset.time]), now)
        keep = past if keep is None else pc.and_(keep, past)
        if window:
            recent = pc.greater_equal(as_moments(rows[dataset.time]), now - parse_duration(window))
            keep = pc.and_(keep, recent)
    elif window:
        raise InvalidInput(f"Dataset '{dataset.name}' has no time column for a window of '{window}'.")
    if dataset.label:
        labelled = pc.is_valid(rows[dataset.label])
        keep = labelled if keep is None else pc.and_(keep, labelled)
    return rows if keep is None else rows.filter(keep)


def _as_served(model: Any, inputs: pa.Table, blobs: Blobs) -> LoadedModel:
    """The model as it will be served: from its package, not the object in memory."""
    return load_model(save_model(model, blobs, example=inputs.slice(0, _EXAMPLE_ROWS)), blobs)


def _importance(model: LoadedModel, inputs: pa.Table, truth: np.ndarray[Any, Any], spent: float) -> Importance | None:
    """What each column is worth; None where a model is so slow that one would wait for it.

    Args:
        spent: Seconds that the predictions of all rows took.
    """
    columns = max(1, len(model.signature.inputs.columns))
    rows = min(len(truth), _IMPORTANCE_ROWS, max(_LEAST_IMPORTANCE_ROWS, _IMPORTANCE_VALUES // columns))
    if len(truth) < 2 or spent / len(truth) * rows * columns > _MOST_SECONDS:
        return None
    return measure_importance(model, inputs, truth, most_rows=rows)


def _losses_by_cell(scored: Scored, reference: Reference) -> dict[str, CellLosses]:
    import numpy as np

    if not scored.losses:
        return {}
    losses = np.frombuffer(scored.losses, dtype="<f4").astype(np.float64)
    return measure(scored.holdout.inputs(scored.label), losses, reference)


def _with_outcomes(scored: Scored, reference: Reference, period: str) -> Reference:
    if scored.outcomes is None:
        return reference
    held = scored.holdout
    times = as_moments(held.arrow[held.time]) if held.time else None
    return with_outcomes(
        reference, held.inputs(scored.label), scored.outcomes.arrow,
        is_classifier=scored.evaluation.task == "classification", times=times, period=parse_duration(period),
    )  # fmt: skip


def _fit_reference(rows: Table, inputs: pa.Table, period: str, season: str) -> Reference:
    """What live windows are compared with; the rows' own windows tell how much is normal."""
    windows: Sequence[pa.Table] = ()
    spec = None
    if season and not rows.time:
        raise InvalidInput("A season needs rows with a time.", hint="Declare the dataset's time column: `time=`.")
    if rows.time:
        timed = inputs.append_column(_TIME, as_moments(rows.arrow[rows.time]))
        cut = windows_of(timed, time=_TIME, period=parse_duration(period))
        if season:
            spec = seasonal([window[_TIME][0].as_py() for window in cut], cycle=season, period=period)
        windows = [window.drop_columns([_TIME]) for window in cut]
    if len(windows) <= 2:
        windows, spec = (), None
    return fit_reference(inputs, windows=windows, joint=USUAL, season=spec)
