from __future__ import annotations

import threading
from datetime import timedelta
from typing import Any

import pytest

from flyball.alerts.alert import Alert, Alerts
from flyball.clock import FixedClock
from flyball.errors import Conflict, InvalidInput, NotFound
from flyball.serialization import from_json, to_json
from flyball.storage.event_log import EventLog
from flyball.verbs import verbs_of

DRIFT: dict[str, Any] = {
    "severity": "warning",
    "kind": "drift",
    "subject": "loops:/churn",
    "cause": "drift:age",
    "title": "Column 'age' has drifted",
}


def test_an_alert_opens_with_what_was_found(alerts: Alerts, clock: FixedClock) -> None:
    alert = alerts.open(**DRIFT, detail="by 0.4", facts={"distance": 0.4})
    assert (alert.state, alert.count, alert.opened, alert.facts) == ("open", 1, clock.now(), {"distance": 0.4})
    assert alerts.get(alert.id) == alert


def test_an_alert_survives_the_wire(alerts: Alerts) -> None:
    alert = alerts.open(**DRIFT, facts={"a": [1, {"b": None}]})
    assert from_json(to_json(alert), Alert) == alert


def test_the_verbs_can_be_told_to_the_outside() -> None:
    told = {"open", "acknowledge", "assign", "resolve", "get", "list", "list_deliveries"}
    assert {*verbs_of(Alerts)} == {*told, "silence", "end_silence", "list_silences"}


def test_the_same_cause_is_counted_and_not_opened_again(alerts: Alerts, clock: FixedClock) -> None:
    first = alerts.open(**DRIFT)
    clock.advance(timedelta(hours=1))
    again = alerts.open(**{**DRIFT, "title": "Still"}, facts={"distance": 0.5})
    assert (again.id, again.count, again.opened, again.last_seen) == (first.id, 2, first.opened, clock.now())
    assert (again.title, again.facts) == ("Still", {"distance": 0.5})
    assert len(alerts.list()) == 1


def test_other_causes_and_subjects_are_other_alerts(alerts: Alerts) -> None:
    made = [alerts.open(**{**DRIFT, **other}) for other in ({}, {"cause": "drift:plan"}, {"subject": "loops:/fraud"})]
    assert len({alert.id for alert in made}) == 3


def test_an_acknowledged_alert_is_counted_too(alerts: Alerts) -> None:
    first = alerts.acknowledge(alerts.open(**DRIFT).id, by="ada")
    again = alerts.open(**DRIFT)
    assert (again.id, again.state, again.acknowledged_by, again.count) == (first.id, "acknowledged", "ada", 2)


def test_a_resolved_alert_opens_anew(alerts: Alerts) -> None:
    first = alerts.resolve(alerts.open(**DRIFT).id, "went away")
    again = alerts.open(**DRIFT)
    assert again.id != first.id
    assert first.resolution == "went away"


def test_severity_rises_and_never_falls(alerts: Alerts, events: EventLog) -> None:
    seen = [alerts.open(**{**DRIFT, "severity": s}).severity for s in ("warning", "info", "critical", "warning")]
    assert seen == ["warning", "warning", "critical", "critical"]
    assert [event.kind for event in events.list()] == ["alerts.opened", "alerts.escalated"]


def test_resolving_twice_changes_nothing(alerts: Alerts, clock: FixedClock) -> None:
    first = alerts.resolve(alerts.open(**DRIFT).id, "fixed")
    clock.advance(timedelta(hours=1))
    assert alerts.resolve(first.id, "again") == first


def test_a_resolved_alert_is_not_acknowledged(alerts: Alerts) -> None:
    alert = alerts.resolve(alerts.open(**DRIFT).id)
    with pytest.raises(Conflict, match="is resolved"):
        alerts.acknowledge(alert.id)


def test_alerts_are_listed_newest_first_page_by_page(alerts: Alerts) -> None:
    made = [alerts.open(**{**DRIFT, "cause": str(n)}).id for n in range(5)]
    first = alerts.list(limit=2)
    assert [a.id for a in first + alerts.list(before=first[-1].id)] == sorted(made, reverse=True)


def test_alerts_are_listed_by_state_and_subject(alerts: Alerts) -> None:
    opened = alerts.open(**DRIFT)
    other = alerts.resolve(alerts.open(**{**DRIFT, "subject": "deployments:/churn"}).id)
    assert [a.id for a in alerts.list(state="active")] == [opened.id]
    assert [a.id for a in alerts.list(state="resolved")] == [other.id]
    assert [a.id for a in alerts.list(subject="loops:/churn")] == [opened.id]
    assert [a.id for a in alerts.list(subject="deployments:/")] == [other.id]
    assert alerts.list(subject="loops:/chu") == []


def test_what_happened_stands_in_the_event_log(alerts: Alerts, events: EventLog) -> None:
    alert = alerts.open(**DRIFT)
    alerts.acknowledge(alert.id, by="ada")
    alerts.resolve(alert.id, "fixed")
    told = events.list(subject="loops:/churn")
    assert [event.kind for event in told] == ["alerts.opened", "alerts.acknowledged", "alerts.resolved"]
    assert told[2].facts["reason"] == "fixed"


@pytest.mark.parametrize(
    "bad",
    [{"severity": "loud"}, {"kind": ""}, {"subject": "churn"}, {"subject": "x:/y"}, {"cause": ""}, {"cause": "a\0"}],
)
def test_what_cannot_be_an_alert_is_refused(alerts: Alerts, bad: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput):
        alerts.open(**{**DRIFT, **bad})


def test_odd_text_does_not_keep_an_alert_from_opening(alerts: Alerts) -> None:
    alert = alerts.open(**{**DRIFT, "title": "a\0b" + "x" * 600}, detail="\ud800")
    assert (alert.title[:3], len(alert.title), alert.detail) == ("abx", 500, "?")


def test_an_alert_that_is_not_there_is_not_found(alerts: Alerts) -> None:
    for call in (alerts.get, alerts.acknowledge, alerts.resolve, alerts.list_deliveries):
        with pytest.raises(NotFound):
            call("nope")
    with pytest.raises(InvalidInput):
        alerts.list(state="closed")


def test_many_that_find_the_same_open_one_alert(alerts: Alerts) -> None:
    finders = [threading.Thread(target=alerts.open, kwargs=DRIFT) for _ in range(8)]
    for finder in finders:
        finder.start()
    for finder in finders:
        finder.join()
    assert [alert.count for alert in alerts.list()] == [8]
