"""Puts a new version before its gates, beside the champion, on rows neither has learned from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from time import perf_counter
from typing import TYPE_CHECKING

from flyball.clock import Clock
from flyball.errors import InvalidInput
from flyball.models.package import LoadedModel, load_model
from flyball.models.scored import scores_of, truth_for
from flyball.registry.approvals import Approvals
from flyball.registry.gates.base import Case, GateSpec, Judged
from flyball.registry.judge import judge
from flyball.registry.versions import ModelVersion, Registry, Verdict
from flyball.storage.objects import Blobs

if TYPE_CHECKING:
    import pyarrow as pa

_TIMED_ROWS = 100


def judge_version(
    version: ModelVersion,
    champion: ModelVersion | None,
    gates: Sequence[GateSpec],
    *,
    registry: Registry,
    blobs: Blobs,
    clock: Clock,
    approvals: Approvals | None = None,
) -> Verdict:
    """Scores both versions on the new version's held-out rows, asks every gate, and records the verdict.

    Args:
        approvals: Who knows what people have said of the new version; without it a gate that asks for that holds it back.

    Raises:
        InvalidInput: the version keeps no held-out rows and a gate needs them.
    """
    if gates and not version.holdout:
        raise InvalidInput(
            f"Version {version.version} of '{version.model}' was registered without held-out rows, so it cannot be judged.",
            hint="Hand `fb.evaluate(...)` to `fb.register(...)`.",
        )
    rows = _holdout(version, blobs) if version.holdout else None
    case = Case(
        candidate=_judged(version, rows, blobs),
        champion=None if champion is None else _judged(champion, rows, blobs, version.label, version.slices),
        evaluation=version.evaluation,
        approvals=None if approvals is None else approvals.list(f"models:/{version.model}/{version.version}"),
    )
    verdict = judge(case, gates, now=clock.now())
    registry.record_verdict(version.model, version.version, verdict)
    return verdict


def _holdout(version: ModelVersion, blobs: Blobs) -> pa.Table:
    from flyball.data.table import read_table

    return read_table(blobs.get(version.holdout)).arrow


def _judged(
    version: ModelVersion,
    rows: pa.Table | None,
    blobs: Blobs,
    label: str = "",
    slices: tuple[str, ...] = (),
) -> Judged:
    import numpy as np

    if rows is None:
        return Judged(
            version=version.version,
            truth=np.empty(0),
            score=np.empty(0),
            slices={},
            signature=version.package.signature,
        )
    model = load_model(version.package, blobs)
    label = label or version.label
    return Judged(
        version=version.version,
        truth=truth_for(model, rows[label]),
        score=scores_of(model, rows),
        slices={name: rows[name].to_pylist() for name in (slices or version.slices)},
        signature=version.package.signature,
        latency_ms=_timer(model, rows),
    )


def _timer(model: LoadedModel, rows: pa.Table) -> Callable[[], list[float]]:
    def measure() -> list[float]:
        """Milliseconds of one-row predictions, after a warm-up."""
        singles = [rows.slice(place % rows.num_rows, 1) for place in range(_TIMED_ROWS)]
        for row in singles[:10]:
            model.predict(row)
        spent = []
        for row in singles:
            start = perf_counter()
            model.predict(row)
            spent.append((perf_counter() - start) * 1000)
        return spent

    return measure
