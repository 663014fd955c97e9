"""Triggers: what calls for a training, and what does not."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from flyball.data.snapshot import Snapshot
from flyball.errors import InvalidInput
from flyball.evaluation.scores import Evaluation, MetricValue
from flyball.events import Event
from flyball.loops import on
from flyball.loops.keeper import TRIGGERS
from flyball.loops.loop import TriggerSpec
from flyball.loops.triggers.base import Fire, LoopFacts
from flyball.models.environment import Environment
from flyball.models.package import ModelPackage
from flyball.models.signature import Signature
from flyball.monitoring.evidence import ColumnDrift, DriftReport
from flyball.monitoring.windows import Window
from flyball.registry.versions import ModelVersion
from flyball.schema import Schema
from flyball.tracking.nouns import Run

NOW = datetime(2013, 6, 3, 12, tzinfo=UTC)


def _auc(value: float, low: float, high: float, n: int = 5000) -> MetricValue:
    return MetricValue(name="roc_auc", value=value, low=low, high=high, n=n)


def _champion(auc: float = 0.75, snapshots: tuple[str, ...] = ()) -> ModelVersion:
    nothing = Schema(columns=())
    package = ModelPackage(
        id="0" * 64, flavor="scikit_learn", files={}, size=0, environment=Environment(python="3.11", platform="linux", packages={}),
        signature=Signature(task="classification", inputs=nothing, outputs=nothing),
    )  # fmt: skip
    evaluation = Evaluation(
        task="classification",
        n=5000,
        positive_rate=0.2,
        metrics=(_auc(auc, auc - 0.01, auc + 0.01),),
        slices=(),
        primary="roc_auc",
    )
    return ModelVersion(
        model="flights", version=3, stage="champion", package=package, run="", snapshots=snapshots, evaluation=evaluation,
        holdout="", label="late", slices=(), reference="", code="", params={}, created=NOW - timedelta(days=30), description="",
        tags={}, aliases=("champion",), verdict=None,
    )  # fmt: skip


def _window(week: int, *, auc: MetricValue | None = None, drifted: bool | None = None, complete: bool = True) -> Window:
    end = NOW - timedelta(days=7 * week)
    column = ColumnDrift(
        column="temp", metric="jensen_shannon", distance=0.3, excess=0.25, threshold=0.1, p_value=0.0, q_value=0.0,
        drifted=bool(drifted), cause="mean 41 -> 70",
    )  # fmt: skip
    report = None
    if drifted is not None:
        report = DriftReport(n_reference=50_000, n=6000, columns=(column,), drifted=drifted, share=float(drifted))
    return Window(
        deployment="flights", start=end - timedelta(days=7), end=end, predictions=6000, versions={"3": 6000}, labelled=5000,
        complete=complete, drift=report, quality=(), performance=() if auc is None else (auc,), performance_by_version={}, bias=(),
        findings=(), profile=None, examined=None,
    )  # fmt: skip


def _ask(spec: TriggerSpec, *windows: Window, **facts: Any) -> Fire | None:
    known: dict[str, Any] = {
        "now": NOW,
        "champion": _champion(),
        "last_training": None,
        "applied": NOW - timedelta(days=60),
    }
    return TRIGGERS.get(spec.trigger).fires(LoopFacts(windows=windows, **{**known, **facts}), spec.params)


def test_every_trigger_can_be_declared() -> None:
    each = (
        on.schedule("0 3 * * 1"),
        on.new_data("x"),
        on.drift(),
        on.decay(),
        on.bias(),
        on.code(),
        on.pipeline("x"),
        on.signal(),
    )
    declared = {spec.trigger for spec in each}
    assert declared == set(TRIGGERS.names())


def test_decay_fires_when_live_is_worse_beyond_chance() -> None:
    fire = _ask(on.decay("roc_auc", by=0.02), _window(0, auc=_auc(0.68, 0.66, 0.70)))
    assert fire is not None
    assert fire.reason == "roc_auc fell from 0.750 held-out to 0.680 live (5,000 labelled)"


def test_decay_is_silent_when_the_loss_could_be_chance() -> None:
    assert _ask(on.decay("roc_auc", by=0.02), _window(0, auc=_auc(0.70, 0.60, 0.80, n=80))) is None


def test_decay_is_silent_when_the_loss_is_small() -> None:
    assert _ask(on.decay("roc_auc", by=0.05), _window(0, auc=_auc(0.72, 0.715, 0.725))) is None


def test_decay_waits_for_the_ground_truth_to_be_complete() -> None:
    assert _ask(on.decay("roc_auc", by=0.02), _window(0, auc=_auc(0.60, 0.58, 0.62), complete=False)) is None


def test_decay_can_ask_for_several_windows_in_a_row() -> None:
    bad, good = _auc(0.68, 0.66, 0.70), _auc(0.75, 0.74, 0.76)
    assert _ask(on.decay("roc_auc", windows=2), _window(0, auc=bad), _window(1, auc=good)) is None
    assert _ask(on.decay("roc_auc", windows=2), _window(0, auc=bad), _window(1, auc=bad)) is not None


def test_drift_fires_with_the_columns_and_their_causes() -> None:
    fire = _ask(on.drift(), _window(0, drifted=True))
    assert fire is not None
    assert fire.reason == "1 of 1 columns drifted (temp: mean 41 -> 70)"
    assert fire.evidence["columns"] == ["temp"]


def test_drift_is_silent_without_drift_without_a_report_and_without_windows() -> None:
    assert _ask(on.drift(), _window(0, drifted=False)) is None
    assert _ask(on.drift(), _window(0)) is None
    assert _ask(on.drift()) is None


def test_the_same_window_gives_the_same_cause_however_often_it_is_seen() -> None:
    first, second = (_ask(on.drift(), _window(0, drifted=True)) for _ in range(2))
    assert first is not None
    assert second is not None
    assert first.cause == second.cause


def test_a_schedule_fires_once_for_the_latest_time() -> None:
    fire = _ask(on.schedule("0 3 * * 1"), last_training=NOW - timedelta(days=20))
    assert fire is not None
    assert fire.cause == "schedule:2013-06-03T03:00:00+00:00"
    assert _ask(on.schedule("0 3 * * 1"), last_training=NOW - timedelta(hours=1)) is None


def test_a_schedule_fires_at_its_very_minute() -> None:
    fire = _ask(on.schedule("0 12 * * *"), last_training=NOW - timedelta(hours=1))
    assert fire is not None
    assert fire.cause == "schedule:2013-06-03T12:00:00+00:00"


def test_new_data_fires_for_a_snapshot_the_champion_has_not_seen() -> None:
    snapshot = Snapshot(
        id="a" * 64, dataset="flights", format="parquet", files=(), schema=None, rows=10, size=1, created=NOW, parent="",
        summary="10 rows more",
    )  # fmt: skip
    facts = {"snapshots": {"flights": snapshot}}
    fire = _ask(on.new_data("flights"), **facts)
    assert fire is not None
    assert "10 rows more" in fire.reason
    assert (
        _ask(on.new_data("flights"), champion=_champion(snapshots=(f"snapshots:/flights/{'a' * 64}",)), **facts) is None
    )


@pytest.mark.parametrize("cron", ["", "every day", "99 3 * * 1"])
def test_a_schedule_that_is_none_is_refused(cron: str) -> None:
    with pytest.raises(InvalidInput, match="no cron expression"):
        on.schedule(cron)


def test_odd_parameters_are_refused() -> None:
    with pytest.raises(InvalidInput):
        on.drift(share=2.0)
    with pytest.raises(InvalidInput):
        on.decay(by=-1.0)
    with pytest.raises(InvalidInput):
        on.drift(windows=0)


def test_a_schedule_keeps_to_its_time_zone_through_summer_and_winter() -> None:
    spec = on.schedule("0 6 * * *", zone="Europe/Vienna")
    summer = _ask(spec, now=datetime(2026, 7, 1, 4, 30, tzinfo=UTC), applied=datetime(2026, 6, 30, 12, tzinfo=UTC))
    assert summer is not None
    assert summer.cause == "schedule:2026-07-01T04:00:00+00:00"
    assert "2026-07-01 06:00 Europe/Vienna" in summer.reason
    winter = _ask(spec, now=datetime(2026, 12, 1, 4, 30, tzinfo=UTC), applied=datetime(2026, 11, 30, 12, tzinfo=UTC))
    assert winter is None


def test_missed_times_are_caught_up_once_or_not_at_all() -> None:
    facts = {"now": NOW, "applied": NOW - timedelta(days=5)}
    caught = _ask(on.schedule("0 3 * * *"), **facts)
    assert caught is not None
    assert caught.cause == "schedule:2013-06-03T03:00:00+00:00"
    assert _ask(on.schedule("0 3 * * *", catch_up="none"), **facts) is None
    assert _ask(on.schedule("55 11 * * *", catch_up="none"), **facts) is not None


@pytest.mark.parametrize(
    "wrong",
    [lambda: on.schedule("0 3 * * *", zone="Mars/Olympus"), lambda: on.schedule("0 3 * * *", catch_up="all")],  # type: ignore[arg-type]  # what is tried
)
def test_a_schedule_that_cannot_be_is_refused(wrong: Any) -> None:
    with pytest.raises(InvalidInput):
        wrong()


def test_other_code_calls_for_a_training_once() -> None:
    old = replace(_champion(), code="a" * 64)
    assert _ask(on.code(), champion=old, code="a" * 64) is None
    fire = _ask(on.code(), champion=old, code="b" * 64)
    assert fire is not None
    assert fire.cause == "code:bbbbbbbbbbbbbbbb"
    assert _ask(on.code(), champion=_champion(), code="b" * 64) is None  # nobody knows what it was trained with


def _run(ended: datetime) -> Run:
    return Run(
        id="r1", experiment="etl", name="etl", kind="pipeline", parent="", state="finished", started=ended, ended=ended,
        heartbeat=ended, attempt=1,
    )  # fmt: skip


def test_the_end_of_another_pipeline_calls_for_a_training() -> None:
    spec = on.pipeline("etl")
    assert _ask(spec) is None
    fire = _ask(spec, finished={"etl": _run(NOW - timedelta(hours=1))}, last_training=NOW - timedelta(hours=2))
    assert fire is not None
    assert fire.cause == "pipeline:r1"
    assert _ask(spec, finished={"etl": _run(NOW - timedelta(hours=3))}, last_training=NOW - timedelta(hours=2)) is None


def test_a_signal_from_outside_calls_for_a_training() -> None:
    said = Event(
        id=1, kind="loops.signalled", subject="loops:/flights", at=NOW, facts={"id": "c0ffee", "source": "git"}
    )
    for spec, fires in ((on.signal(), True), (on.signal("git"), True), (on.signal("shop"), False)):
        fire = _ask(spec, signals=(said,), last_training=NOW - timedelta(hours=2))
        assert (fire is not None) == fires
    assert _ask(on.signal(), signals=(said,), last_training=NOW + timedelta(seconds=1)) is None
