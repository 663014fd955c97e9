"""Examining a window: its predictions with their truth, what the monitors find, and the alerts that follow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING, Any

from flyball.alerts.alert import Alerts
from flyball.errors import NotFound
from flyball.monitoring.alarms import USUAL, AlarmRule, tell
from flyball.monitoring.grouping import grouped
from flyball.monitoring.monitor import MonitorSpec
from flyball.monitoring.monitoring import Monitoring
from flyball.monitoring.monitors.base import MONITORS, Contribution, Finding, Material
from flyball.monitoring.profile import Profile, Reference, profile
from flyball.monitoring.seasons import at
from flyball.monitoring.windows import Window
from flyball.serving.prediction_log import read_predictions
from flyball.serving.segments import INPUT
from flyball.storage.object_store import ObjectStore

if TYPE_CHECKING:
    import pyarrow as pa

_KEPT = ("prediction_id", "at", "model_version", "role", "answered", "prediction", "probability", "probabilities")
_EARLIER_WINDOWS = 20
_EARLIER_PROFILES = 6
_LONGEST_QUERY = 6_000  # characters of an address that every server and proxy takes


def labelled_predictions(
    store: ObjectStore,
    monitoring: Monitoring,
    deployment: str,
    *,
    start: datetime,
    end: datetime,
    with_shadow: bool = False,
    inputs: Sequence[str] | None = None,
) -> pa.Table:
    """The predictions from `start` to before `end`, each once, with what turned out to be true, in order of time.

    The columns: `prediction_id`, `at`, `model_version`, `role`, `answered`, `prediction`, `probability` (and
    `probabilities`), `truth` in the type of `prediction` (null where it is not known), and the inputs under their plain
    names; an input that is called like one of these keeps the prefix `input.`.

    Args:
        with_shadow: Whether the rows of shadows, which no one was given, are in it too.
        inputs: Only these inputs; all by default.
    """
    found = _predictions(store, monitoring, deployment, start, end, with_shadow=with_shadow, inputs=inputs)
    taken = {*_KEPT, "truth"}
    plain = {name: name.removeprefix(INPUT) for name in found.table.column_names if name.startswith(INPUT)}
    return found.table.rename_columns(
        [name if plain.get(name, name) in taken else plain.get(name, name) for name in found.table.column_names]
    )


def examine_window(
    store: ObjectStore,
    monitoring: Monitoring,
    *,
    deployment: str,
    start: datetime,
    end: datetime,
    reference: Reference | None,
    monitors: Sequence[MonitorSpec],
    complete: bool,
    alerts: Alerts | None = None,
    champion: int | None = None,
    alarms: AlarmRule = USUAL,
) -> Window:
    """What the monitors find in the predictions from `start` to before `end`. It is not recorded yet.

    With `alerts`, what was found opens an alert of its cause, and quiet windows resolve it. A window that is examined
    again says nothing twice: only what waited for its truth is told when it is complete.

    Args:
        reference: What is normal; without it, inputs are not compared.
        complete: Whether the time that truth is waited for is over.
        champion: The version that the reference is of.
        alarms: When a finding becomes an alert, and when that ends.
    """
    found = _predictions(store, monitoring, deployment, start, end)
    inputs = _inputs(found.table)
    before = start.isoformat()
    reference = None if reference is None else at(reference, start)
    material = Material(
        rows=found.table,
        inputs=inputs,
        complete=complete,
        reference=reference,
        profile=profile_of(inputs, reference),
        earlier=cache(lambda: monitoring.list_windows(deployment, limit=_EARLIER_WINDOWS, before=before)),
        champion=champion,
        profiles=cache(lambda: monitoring.list_profiles(deployment, limit=_EARLIER_PROFILES, before=before)),
        start=start,
        end=end,
    )
    window, findings = examine_material(material, monitors, deployment, notes=found.notes)
    if alerts is not None:
        recorded = _recorded(monitoring, window)
        tell(alerts, findings, window, rule=alarms, recorded=recorded, earlier=material.earlier)
    return window


def examine_material(
    material: Material, monitors: Sequence[MonitorSpec], name: str, *, notes: Sequence[str] = ()
) -> tuple[Window, list[Finding]]:
    """The window that the monitors make of the material, and what they found, one finding for each cause.

    Args:
        name: Of the deployment or table that the rows are of.
        notes: What is to be told besides.
    """
    assert material.start is not None
    assert material.end is not None
    parts = [MONITORS.get(spec.monitor).examine(material, spec.params) for spec in monitors]
    findings = grouped(_by_cause([finding for part in parts for finding in part.findings]))
    rows = material.rows
    blank = Window(
        deployment=name, start=material.start, end=material.end, predictions=rows.num_rows, versions=_versions(rows),
        labelled=rows.num_rows - rows["truth"].null_count, complete=material.complete, profile=material.profile,
    )  # fmt: skip
    return _window(parts, findings, notes, blank), findings


@dataclass(frozen=True, slots=True, kw_only=True)
class _Predictions:
    """Rows of the log with their truth; inputs under the names they have in the log."""

    table: pa.Table
    notes: tuple[str, ...]


def _predictions(
    store: ObjectStore,
    monitoring: Monitoring,
    deployment: str,
    start: datetime,
    end: datetime,
    *,
    with_shadow: bool = False,
    inputs: Sequence[str] | None = None,
) -> _Predictions:
    import pyarrow as pa

    columns = None if inputs is None else [*_KEPT, *(INPUT + name for name in inputs)]
    rows, _ = read_predictions(store, deployment, start=start, end=end, columns=columns)
    if not with_shadow:
        rows = rows.filter(rows["answered"])
    if "probability" not in rows.column_names:
        rows = rows.append_column("probability", pa.nulls(rows.num_rows, pa.float64()))
    # By time and id, not by segment: which replica wrote first must change nothing.
    rows = rows.take(_order(rows))
    kept = [name for name in rows.column_names if name in _KEPT or name.startswith(INPUT)]
    ids = rows["prediction_id"].to_pylist()
    known = _truth_of(monitoring, deployment, ids)
    truth, unfit = _as_type([known.get(name) for name in ids], rows["prediction"].type)
    notes = (
        (f"{unfit} labels cannot be read as {rows['prediction'].type}, the type of the predictions",) if unfit else ()
    )
    return _Predictions(table=rows.select(kept).append_column("truth", truth), notes=notes)


def _order(rows: pa.Table) -> Any:
    import pyarrow.compute as pc

    keys = [
        ("at", "ascending"),
        ("prediction_id", "ascending"),
        ("answered", "descending"),
        ("model_version", "ascending"),
    ]
    return pc.sort_indices(rows.select([name for name, _ in keys]), sort_keys=keys)


def _truth_of(monitoring: Monitoring, deployment: str, ids: list[str]) -> dict[str, Any]:
    is_here = isinstance(monitoring, Monitoring)
    if is_here or not ids:
        return monitoring.truth_of(deployment, ids) if ids else {}
    # The double of a service on a server asks by address, and an address must not grow too long.
    found: dict[str, Any] = {}
    part: list[str] = []
    length = 0
    for name in dict.fromkeys(ids):
        if part and length + 3 * len(name) > _LONGEST_QUERY:
            found |= monitoring.truth_of(deployment, part)
            part, length = [], 0
        part.append(name)
        length += len(name) + 5
    return found | monitoring.truth_of(deployment, part) if part else found


def _as_type(values: list[Any], kind: pa.DataType) -> tuple[pa.Array, int]:
    """The values in that type, null where there is none; and how many are of another kind."""
    import pyarrow as pa

    if pa.types.is_null(kind):
        return pa.nulls(len(values)), 0
    try:
        return _cast(values, kind), 0
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError, OverflowError):
        pass
    fitting, unfit = [], 0
    for value in values:
        try:
            fitting.append(None if value is None else _cast([value], kind)[0].as_py())
        except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError, OverflowError):
            fitting.append(None)
            unfit += 1
    return pa.array(fitting, kind), unfit


def _cast(values: list[Any], kind: pa.DataType) -> pa.Array:
    import pyarrow as pa

    found = pa.array(values)
    if pa.types.is_boolean(kind) and not pa.types.is_boolean(found.type):
        # Arrow takes every number but 0 for true; here 2 is no truth value.
        found = found.cast(pa.float64())
        if any(value not in (None, 0.0, 1.0) for value in found.to_pylist()):
            raise pa.ArrowInvalid("neither true nor false")
    if pa.types.is_floating(found.type) and pa.types.is_string(kind):
        raise pa.ArrowInvalid("a number, and no text")
    return found.cast(kind)


def _inputs(rows: pa.Table) -> pa.Table:
    names = [name for name in rows.column_names if name.startswith(INPUT)]
    return rows.select(names).rename_columns([name.removeprefix(INPUT) for name in names])


def profile_of(inputs: pa.Table, reference: Reference | None) -> Profile | None:
    """The profile of inputs; None without a reference, or where none of its columns is among them."""
    if reference is None:
        return None
    is_known = any(cells.column in inputs.column_names for cells in reference.columns)
    # Predictions whose inputs were not logged say nothing of the inputs; no predictions at all say that there are none.
    return profile(inputs, reference) if is_known or not inputs.num_rows else None


def _versions(rows: pa.Table) -> dict[str, int]:
    import pyarrow.compute as pc

    counts = {pair["values"]: pair["counts"] for pair in pc.value_counts(rows["model_version"]).to_pylist()}
    return {str(version): counts[version] for version in sorted(counts)}


def _by_cause(findings: list[Finding]) -> list[Finding]:
    # Two monitors of one kind speak with one voice: the second, being quiet, must not resolve what the first found.
    joined: dict[str, Finding] = {}
    for finding in findings:
        before = joined.get(finding.cause)
        if before is None or (finding.sentences and not before.sentences):
            joined[finding.cause] = finding
        elif finding.sentences:
            sentences = tuple(dict.fromkeys((*before.sentences, *finding.sentences)))
            joined[finding.cause] = replace(before, sentences=sentences, facts={**finding.facts, **before.facts})
    return list(joined.values())


def _window(parts: list[Contribution], findings: list[Finding], told: Sequence[str], blank: Window) -> Window:
    reports = [part.drift for part in parts if part.drift is not None]
    performance: dict[str, Any] = {}
    by_version: dict[str, dict[str, Any]] = {}
    for part in parts:
        performance |= {metric.name: metric for metric in part.performance}
        for version, metrics in part.performance_by_version.items():
            by_version.setdefault(version, {}).update({metric.name: metric for metric in metrics})
    sentences = [sentence for finding in findings for sentence in finding.sentences]
    notes = [*told, *(note for part in parts for note in part.notes)]
    return replace(
        blank,
        drift=next((report for report in reports if report.drifted), reports[0] if reports else None),
        quality=tuple(dict.fromkeys(fault for part in parts for fault in part.quality)),
        performance=tuple(performance.values()),
        performance_by_version={version: tuple(metrics.values()) for version, metrics in by_version.items()},
        estimated=tuple({m.name: m for part in parts for m in part.estimated}.values()),
        attribution=next((part.attribution for part in parts if part.attribution), ()),
        bias=tuple(rates for part in parts for rates in part.bias),
        fairness=tuple(score for part in parts for score in part.fairness),
        groups=tuple(group for part in parts for group in part.groups),
        outcomes=tuple(column for part in parts if part.outcomes for column in part.outcomes.columns),
        multivariate=tuple(dict.fromkeys(found for part in parts for found in part.multivariate)),
        findings=tuple(dict.fromkeys([*sentences, *notes])),
        causes=tuple(finding.cause for finding in findings if finding.sentences),
    )


def _recorded(monitoring: Monitoring, window: Window) -> Window | None:
    try:
        return monitoring.get_window(window.deployment, window.start.isoformat())
    except NotFound:
        return None
