from __future__ import annotations

from typing import Any

import pytest

from flyball.alerts.alert import Alerts
from flyball.clock import FixedClock
from flyball.errors import InvalidInput
from flyball.monitoring import monitor
from flyball.monitoring.alarms import AlarmRule
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


def states(
    monitoring: Monitoring, predict: Predict, examine: Examine, reference: Reference, alerts: Alerts,
    *means: float, alarms: AlarmRule,
) -> list[str]:  # fmt: skip
    """What the state of the newest alert is after each day of that mean."""
    days(predict, *means)
    found = []
    for day in range(len(means)):
        window = examine(monitor.drift(), start=START + day * DAY, reference=reference, alerts=alerts, alarms=alarms)
        monitoring.record_window(window)
        found.append(f"{len(alerts.list())} {alerts.list()[0].state}" if alerts.list() else "none")
    return found


def test_two_quiet_windows_end_it_and_the_next_drift_opens_another(
    monitoring: Monitoring, predict: Predict, examine: Examine, reference: Reference, alerts: Alerts
) -> None:
    seen = states(monitoring, predict, examine, reference, alerts, 13, 0, 13, 0, 0, 13, alarms=monitor.alarms())
    assert seen == ["1 open", "1 open", "1 open", "1 open", "1 resolved", "2 open"]
    assert alerts.list()[1].resolution == "The window from 2013-03-08T00:00:00+00:00 is quiet, the 2. in a row."


def test_one_window_is_told_only_if_the_next_says_the_same_where_that_is_asked_for(
    monitoring: Monitoring, predict: Predict, examine: Examine, reference: Reference, alerts: Alerts
) -> None:
    rule = monitor.alarms(after=2, quiet=1)
    seen = states(monitoring, predict, examine, reference, alerts, 13, 0, 13, 13, 0, alarms=rule)
    assert seen == ["none", "none", "none", "1 open", "1 resolved"]


def test_after_its_end_an_alert_cools_down(
    monitoring: Monitoring, predict: Predict, examine: Examine, reference: Reference, alerts: Alerts,
    clock: FixedClock,
) -> None:  # fmt: skip
    clock.moment = START + 2 * DAY  # when the second day ends
    rule = monitor.alarms(quiet=1, cooldown="3d")
    seen = states(monitoring, predict, examine, reference, alerts, 13, 0, 13, 13, 13, alarms=rule)
    assert seen == ["1 open", "1 resolved", "1 resolved", "1 resolved", "2 open"]


@pytest.mark.parametrize("give", [{"after": 0}, {"quiet": 0}, {"after": 21}, {"cooldown": "soon"}])
def test_a_rule_that_is_none_is_refused(give: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput):
        monitor.alarms(**give)


def test_a_window_examined_again_says_nothing_twice(
    monitoring: Monitoring, predict: Predict, examine: Examine, reference: Reference, alerts: Alerts
) -> None:
    days(predict, 13, 0, 0)
    for _ in range(2):  # as after a crash: it was told, and not recorded
        found = examine(monitor.drift(), reference=reference, complete=False, alerts=alerts)
    assert alerts.list()[0].count == 1
    monitoring.record_window(found)
    for day in (1, 2):
        monitoring.record_window(examine(monitor.drift(), start=START + day * DAY, reference=reference, alerts=alerts))
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
