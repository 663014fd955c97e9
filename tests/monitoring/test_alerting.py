from __future__ import annotations

from typing import Any

from flyball.alerts.alert import Alerts
from flyball.monitoring import monitor
from flyball.monitoring.monitoring import Monitoring
from flyball.monitoring.profile import Reference
from tests.monitoring.samples import DAY, START, Examine, Predict, inputs_of


def days(predict: Predict, *warmer: float, spoil: bool = False) -> None:
    for day, degrees in enumerate(warmer):
        answer: dict[str, Any] = {"prediction": [True] * 1000}
        predict(answer, at=START + day * DAY, inputs=inputs_of(1000, seed=day, warmer=degrees))


def test_drift_opens_an_alert_that_says_what_drifted(
    predict: Predict, examine: Examine, reference: Reference, alerts: Alerts
) -> None:
    days(predict, 13)
    window = examine(monitor.drift(), reference=reference, alerts=alerts)

    (alert,) = alerts.list()
    assert (alert.severity, alert.kind, alert.subject, alert.cause) == (
        "warning",
        "drift",
        "deployments:/shop",
        "drift",
    )
    assert alert.title == "1 of 2 inputs drifted"
    assert alert.detail == window.findings[0]
    assert alert.facts == {
        "columns": ["temperature"],
        "share": 0.5,
        "moved": ["temperature"],
        "window": START.isoformat(),
        "until": (START + DAY).isoformat(),
    }


def test_windows_that_drift_one_after_the_other_are_one_alert(
    monitoring: Monitoring, predict: Predict, examine: Examine, reference: Reference, alerts: Alerts
) -> None:
    days(predict, 13, 14, 13)
    for day in range(3):
        found = examine(monitor.drift(), start=START + day * DAY, reference=reference, alerts=alerts)
        monitoring.record_window(found)

    (alert,) = alerts.list()
    assert (alert.state, alert.count) == ("open", 3)


def test_a_quiet_window_resolves_it_and_the_next_drift_opens_another(
    monitoring: Monitoring, predict: Predict, examine: Examine, reference: Reference, alerts: Alerts
) -> None:
    days(predict, 13, 0, 13)
    for day in range(3):
        found = examine(monitor.drift(), start=START + day * DAY, reference=reference, alerts=alerts)
        monitoring.record_window(found)

    assert [alert.state for alert in alerts.list()] == ["open", "resolved"]
    assert alerts.list()[1].resolution == "The window from 2013-03-05T00:00:00+00:00 is quiet."


def test_a_window_examined_again_says_nothing_twice(
    monitoring: Monitoring, predict: Predict, examine: Examine, reference: Reference, alerts: Alerts
) -> None:
    days(predict, 13, 0)
    for _ in range(2):  # as after a crash: it was told, and not recorded
        found = examine(monitor.drift(), reference=reference, complete=False, alerts=alerts)
    assert alerts.list()[0].count == 1
    monitoring.record_window(found)
    monitoring.record_window(examine(monitor.drift(), start=START + DAY, reference=reference, alerts=alerts))
    assert alerts.list(state="active") == []

    examine(monitor.drift(), reference=reference, complete=True, alerts=alerts)
    assert alerts.list(state="active") == []


def test_an_empty_window_leaves_alerts_as_they_are(
    predict: Predict, examine: Examine, reference: Reference, alerts: Alerts
) -> None:
    days(predict, 13)
    examine(monitor.drift(), reference=reference, alerts=alerts)
    examine(monitor.drift(), start=START + DAY, reference=reference, alerts=alerts)

    assert [alert.state for alert in alerts.list()] == ["open"]


def test_what_needs_truth_is_told_when_the_window_is_complete(
    monitoring: Monitoring, predict: Predict, examine: Examine, alerts: Alerts
) -> None:
    for day in range(3):
        right = 380 if day < 2 else 240
        ids = predict({"prediction": [True] * 400}, at=START + day * DAY)
        monitoring.add_ground_truth("shop", ids, [row < right for row in range(400)])
        for complete in (False, True):
            found = examine(monitor.performance("accuracy"), start=START + day * DAY, complete=complete, alerts=alerts)
            monitoring.record_window(found)
            assert len(alerts.list()) == int(day == 2 and complete)

    (alert,) = alerts.list()
    assert (alert.kind, alert.title) == ("decay", "Version 1 does worse than it used to")
    assert alert.facts["metrics"]["accuracy"]["usual"] == 0.95


def test_two_monitors_of_one_kind_speak_with_one_voice(
    predict: Predict, examine: Examine, reference: Reference, alerts: Alerts
) -> None:
    days(predict, 13)
    monitors = [monitor.drift(columns=["carrier"]), monitor.drift(columns=["temperature"])]
    window = examine(*monitors, reference=reference, alerts=alerts)

    assert window.drift is not None
    assert window.drift.drifted
    assert [alert.cause for alert in alerts.list(state="active")] == ["drift"]
