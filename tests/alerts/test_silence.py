"""Who is asked, what is kept quiet for a while, and to whom it goes when nobody answers."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from flyball.alerts import _store, alert_to
from flyball.alerts.alert import Alert, Alerts
from flyball.alerts.channels.base import CHANNELS, ChannelSpec
from flyball.alerts.delivery import deliver
from flyball.clock import FixedClock
from flyball.errors import Conflict, InvalidInput, NotFound
from flyball.storage.database import Database


class Memory:
    def __init__(self) -> None:
        self.sent: list[tuple[str, str]] = []

    def send(self, alert: Alert, settings: dict[str, Any]) -> None:
        self.sent.append((settings["to"], alert.state))


@pytest.fixture
def memory(monkeypatch: pytest.MonkeyPatch) -> Memory:
    channel = Memory()
    monkeypatch.setitem(CHANNELS._loaded, "memory", channel)
    return channel


TEAM = ChannelSpec(channel="memory", settings={"to": "team"})
BOSS = alert_to.escalate(ChannelSpec(channel="memory", settings={"to": "boss"}), after="30m")
CHANNELS_OF = {"churn": (TEAM, BOSS)}


def found(alerts: Alerts, cause: str = "drift:age", subject: str = "loops:/churn") -> Alert:
    return alerts.open("warning", "drift", subject, cause, "Something")


def let_pass(database: Database, seconds: float) -> None:
    for table, column in ((_store.notices, "made"), (_store.deliveries, "next_try")):
        database.execute(sa.update(table).values({column: table.c[column] - seconds}))


def test_an_alert_can_be_assigned_and_taken_back(alerts: Alerts) -> None:
    alert = found(alerts)
    assert alerts.assign(alert.id, "ada", by="bob").assigned_to == "ada"
    assert alerts.assign(alert.id, "").assigned_to == ""
    assert alerts.get(alert.id).state == "open"


def test_what_is_resolved_or_not_there_cannot_be_assigned(alerts: Alerts) -> None:
    alert = alerts.resolve(found(alerts).id)
    with pytest.raises(Conflict):
        alerts.assign(alert.id, "ada")
    with pytest.raises(NotFound):
        alerts.assign("nobody", "ada")


def test_a_silenced_alert_is_found_but_not_told(alerts: Alerts, clock: FixedClock, memory: Memory) -> None:
    alerts.silence(clock.now() + timedelta(hours=1), subject="*:/churn", cause="drift:*")
    alert = found(alerts)
    assert deliver(alerts, CHANNELS_OF) == 0
    assert alerts.get(alert.id).state == "open"


def test_a_silence_covers_only_what_it_names(alerts: Alerts, clock: FixedClock, memory: Memory) -> None:
    alerts.silence(clock.now() + timedelta(hours=1), cause="drift:*")
    found(alerts, "decay")
    deliver(alerts, CHANNELS_OF)
    assert memory.sent == [("team", "open")]


def test_what_still_stands_when_a_silence_ends_is_told_then(alerts: Alerts, clock: FixedClock, memory: Memory) -> None:
    silence = alerts.silence(clock.now() + timedelta(hours=1))
    found(alerts)
    over = found(alerts, "drift:income")
    alerts.resolve(over.id)
    deliver(alerts, CHANNELS_OF)
    alerts.end_silence(silence.id)
    assert alerts.list_silences() == []
    assert [each.id for each in alerts.list_silences(with_past=True)] == [silence.id]
    deliver(alerts, CHANNELS_OF)
    assert memory.sent == [("team", "open")]


def test_a_silence_ends_by_itself(alerts: Alerts, clock: FixedClock, memory: Memory) -> None:
    alerts.silence(clock.now() + timedelta(hours=1))
    found(alerts)
    clock.advance(timedelta(hours=1))
    assert deliver(alerts, CHANNELS_OF) == 1


def test_the_end_of_what_was_told_is_told_also_in_a_silence(alerts: Alerts, clock: FixedClock, memory: Memory) -> None:
    alert = found(alerts)
    deliver(alerts, CHANNELS_OF)
    alerts.silence(clock.now() + timedelta(hours=1))
    alerts.resolve(alert.id)
    deliver(alerts, CHANNELS_OF)
    assert memory.sent == [("team", "open"), ("team", "resolved")]


@pytest.mark.parametrize("hours", [0, -1, 24 * 400])
def test_a_silence_that_ends_in_the_past_or_never_is_refused(alerts: Alerts, clock: FixedClock, hours: int) -> None:
    with pytest.raises(InvalidInput):
        alerts.silence(clock.now() + timedelta(hours=hours))


def test_a_silence_that_is_not_there_cannot_be_ended(alerts: Alerts) -> None:
    with pytest.raises(NotFound):
        alerts.end_silence("nothing")


def test_what_nobody_takes_care_of_goes_further_up(alerts: Alerts, database: Database, memory: Memory) -> None:
    alert = found(alerts)
    deliver(alerts, CHANNELS_OF)
    assert memory.sent == [("team", "open")]
    let_pass(database, 1801)
    assert [deliver(alerts, CHANNELS_OF), deliver(alerts, CHANNELS_OF)] == [1, 0]
    assert memory.sent[1:] == [("boss", "open")]
    alerts.resolve(alert.id)
    deliver(alerts, CHANNELS_OF)
    assert memory.sent[2:] == [("team", "resolved"), ("boss", "resolved")]


def test_what_is_taken_care_of_in_time_does_not(alerts: Alerts, database: Database, memory: Memory) -> None:
    alert = found(alerts)
    deliver(alerts, CHANNELS_OF)
    alerts.acknowledge(alert.id, "ada")
    let_pass(database, 1801)
    deliver(alerts, CHANNELS_OF)
    assert memory.sent == [("team", "open"), ("team", "acknowledged")]
    assert alerts.outbox.pending(["churn"]) == []


@pytest.mark.parametrize("after", ["0s", "1d", "soon", "-5m"])
def test_a_time_that_is_none_is_refused(after: Any) -> None:
    with pytest.raises(InvalidInput):
        alert_to.escalate(TEAM, after)
