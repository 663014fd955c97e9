from __future__ import annotations

from collections.abc import Callable

import pytest

from flyball.errors import InvalidInput
from flyball.monitoring import monitor
from flyball.monitoring.monitor import MonitorSpec
from flyball.monitoring.monitors.base import MONITORS
from flyball.serialization import from_json, to_json

DECLARED = [
    monitor.drift(columns=["x"], metric="psi", threshold=0.2),
    monitor.quality(),
    monitor.performance("roc_auc", "log_loss"),
    monitor.performance(),
    monitor.estimate("brier"),
    monitor.bias("carrier", metric="accuracy"),
    monitor.multivariate(),
    monitor.freshness("at", max_age="1d"),
    monitor.prediction_drift(),
    monitor.target_drift(),
]


@pytest.mark.parametrize("spec", DECLARED, ids=lambda spec: str(spec.monitor))
def test_a_declaration_is_plain_and_its_kind_is_there(spec: MonitorSpec) -> None:
    assert from_json(to_json(spec), MonitorSpec) == spec
    assert spec.monitor in MONITORS.names()


def test_every_kind_can_be_declared() -> None:
    assert {spec.monitor for spec in DECLARED} == set(MONITORS.names())


WRONG: list[tuple[Callable[[], object], str]] = [
    (lambda: monitor.drift(metric="jensen"), "no drift metric 'jensen'"),
    (lambda: monitor.drift(columns="temperature"), "columns is the text"),
    (lambda: monitor.drift(threshold=0), "threshold is 0"),
    (lambda: monitor.drift(alpha=1), "alpha is 1"),
    (lambda: monitor.quality(floor=-0.1), "floor is -0.1"),
    (lambda: monitor.performance("rocauc"), "no metric 'rocauc'"),
    (lambda: monitor.performance("roc_auc", "rmse"), "of different tasks"),
    (lambda: monitor.performance(loss=0), "loss is 0"),
    (lambda: monitor.bias(""), "no column"),
    (lambda: monitor.bias("x", metric="fairness"), "compared by 'fairness'"),
    (lambda: monitor.bias("x", threshold=1.2), "threshold is 1.2"),
    (lambda: monitor.bias("x", min_group=0), "min_group is 0"),
]


@pytest.mark.parametrize(("declare", "message"), WRONG, ids=[message for _, message in WRONG])
def test_what_cannot_be_meant_is_refused(declare: Callable[[], object], message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        declare()
