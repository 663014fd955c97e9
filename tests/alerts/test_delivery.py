from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa

from flyball.alerts import _store, alert_to
from flyball.alerts.alert import Alert, Alerts
from flyball.alerts.channels.base import CHANNELS, ChannelSpec
from flyball.alerts.delivery import channel_key, deliver
from flyball.alerts.outbox import MOST_ATTEMPTS
from flyball.storage.database import Database
from flyball.storage.event_log import EventLog


class Memory:
    """A channel that keeps what it was given, and fails when told to."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, str, str]] = []
        self.broken: dict[str, Exception] = {}
        self.tries = 0

    def send(self, alert: Alert, settings: dict[str, Any]) -> None:
        to = settings["to"]
        self.tries += 1
        if to in self.broken:
            raise self.broken[to]
        self.sent.append((to, alert.cause, alert.state))


@pytest.fixture
def memory() -> Iterator[Memory]:
    channel = Memory()
    CHANNELS._loaded["memory"] = channel
    yield channel
    del CHANNELS._loaded["memory"]


def to(name: str, **more: Any) -> ChannelSpec:
    return ChannelSpec(channel="memory", settings={"to": name}, **more)


def found(alerts: Alerts, cause: str = "c", severity: Any = "warning", subject: str = "loops:/churn") -> Alert:
    return alerts.open(severity, "drift", subject, cause, "Something")


def let_pauses_pass(database: Database) -> None:
    database.execute(sa.update(_store.deliveries).values(next_try=0.0))


def test_each_change_is_sent_once_through_each_channel(alerts: Alerts, memory: Memory) -> None:
    alert = found(alerts)
    channels = {"churn": (to("a"), to("b"))}
    assert [deliver(alerts, channels), deliver(alerts, channels)] == [2, 0]
    alerts.resolve(alert.id)
    assert [deliver(alerts, channels), deliver(alerts, channels)] == [2, 0]
    assert memory.sent == [("a", "c", "open"), ("b", "c", "open"), ("a", "c", "resolved"), ("b", "c", "resolved")]


def test_what_is_found_again_is_not_sent_again(alerts: Alerts, memory: Memory) -> None:
    for _ in range(3):
        found(alerts)
        deliver(alerts, {"churn": (to("a"),)})
    assert len(memory.sent) == 1


def test_a_higher_severity_is_sent_anew(alerts: Alerts, memory: Memory) -> None:
    for severity in ("info", "warning", "critical"):
        found(alerts, severity=severity)
        deliver(alerts, {"churn": (to("a"), to("b", at_least="critical"))})
    assert [name for name, _, _ in memory.sent] == ["a", "a", "a", "b"]


def test_only_the_owners_channels_are_used(alerts: Alerts, memory: Memory) -> None:
    found(alerts)
    found(alerts, subject="deployments:/churn")
    found(alerts, subject="loops:/fraud")
    deliver(alerts, {"churn": (to("a"),), "other": (to("b"),), "fraud": ()})
    assert [name for name, _, _ in memory.sent] == ["a", "a"]


def test_a_failure_is_tried_again_after_a_pause(alerts: Alerts, database: Database, memory: Memory) -> None:
    alert = found(alerts)
    memory.broken["a"] = OSError("cable cut")
    channels = {"churn": (to("a"),)}
    assert [deliver(alerts, channels) for _ in range(3)] == [0, 0, 0]
    assert memory.tries == 1
    [delivery] = alerts.list_deliveries(alert.id)
    assert (delivery.state, delivery.attempt, delivery.error) == ("pending", 1, "cable cut")
    memory.broken.clear()
    let_pauses_pass(database)
    assert deliver(alerts, channels) == 1
    assert [(d.state, d.attempt, d.error) for d in alerts.list_deliveries(alert.id)] == [("sent", 2, "")]


def test_a_broken_channel_does_not_stop_the_others(alerts: Alerts, memory: Memory) -> None:
    memory.broken["a"] = RuntimeError("bug")
    found(alerts)
    deliver(alerts, {"churn": (to("a"), ChannelSpec(channel="no-such-channel"), to("b"))})
    assert [name for name, _, _ in memory.sent] == ["b"]


def test_a_silent_channel_is_asked_once_in_a_call(alerts: Alerts, memory: Memory) -> None:
    memory.broken["a"] = OSError("silent")
    for cause in "xyz":
        found(alerts, cause)
    deliver(alerts, {"churn": (to("a"),)})
    assert memory.tries == 1


def test_what_cannot_be_sent_is_given_up_and_told(
    alerts: Alerts, database: Database, events: EventLog, memory: Memory
) -> None:
    alert = found(alerts)
    memory.broken["a"] = OSError("gone")
    for _ in range(MOST_ATTEMPTS + 3):
        deliver(alerts, {"churn": (to("a"),)})
        let_pauses_pass(database)
    assert memory.tries == MOST_ATTEMPTS
    assert [delivery.state for delivery in alerts.list_deliveries(alert.id)] == ["failed"]
    assert [event.kind for event in events.list()][-1] == "alerts.delivery_failed"


def test_a_sender_that_died_is_followed_by_another(alerts: Alerts, database: Database, memory: Memory) -> None:
    found(alerts)
    channels = {"churn": (to("a"),)}
    [notice] = alerts.outbox.pending(channels)
    assert alerts.outbox.claim(notice, channel_key(to("a"))) == 1  # and never heard of again
    assert deliver(alerts, channels) == 0
    let_pauses_pass(database)
    assert deliver(alerts, channels) == 1


def test_old_news_is_not_sent(alerts: Alerts, database: Database, memory: Memory) -> None:
    found(alerts)
    database.execute(sa.update(_store.notices).values(made=_store.notices.c.made - 90_000))
    assert deliver(alerts, {"churn": (to("a"),)}) == 0


def test_a_new_channel_is_not_sent_what_was_told_before(alerts: Alerts, memory: Memory) -> None:
    found(alerts)
    deliver(alerts, {"churn": (to("a"),)})
    assert deliver(alerts, {"churn": (to("a"), to("b"))}) == 0


def test_a_secret_does_not_show_in_the_name_of_a_channel() -> None:
    one, two = (alert_to.webhook("https://example.org/", secret=secret) for secret in ("x", "y"))
    assert channel_key(one) == channel_key(two)
