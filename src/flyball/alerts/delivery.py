"""Sends what the outbox holds through the declared channels."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from flyball.alerts.alert import SEVERITIES, Alert, Alerts
from flyball.alerts.channels.base import CHANNELS, ChannelSpec
from flyball.alerts.outbox import Notice
from flyball.serialization import canonical_json, digest

logger = logging.getLogger(__name__)

Reveal = Callable[[str, str], str]
"""Gives a text as it is, or the value of the secret that it names; told what that is used for."""


def _as_it_is(text: str, _purpose: str) -> str:
    return text


def deliver(
    alerts: Alerts,
    channels: Mapping[str, Sequence[ChannelSpec]],
    *,
    limit: int = 100,
    page: str = "",
    only_public: bool = False,
    reveal: Reveal = _as_it_is,
) -> int:
    """Sends each change of an alert through each channel of its owner at least once; gives how many were sent.

    What cannot be sent is tried again at a later call, with growing pauses, and given up after a day or so.

    Args:
        alerts: Where the alerts are kept.
        channels: Channels by the name of what the alerts are about: for `loops:/churn` that is `churn`.
        limit: At most so many changes in one call.
        only_public: Whether addresses that are not public are refused: nobody lets a server speak to what stands beside it.
        reveal: Gives the value of a setting that names a secret, as `secret:NAME`; told what it is used for.
        page: Address of the workspace's page; each alert is sent with a link to it, as `link` among its facts.
    """
    wanted = {name: specs for name, specs in channels.items() if specs}
    if not wanted:
        return 0
    sent, silent = 0, set[str]()
    silences = alerts.list_silences()
    for notice in alerts.outbox.pending(wanted, limit):
        specs = {channel_key(spec): spec for spec in wanted[notice.owner]}
        alert = _linked(alerts.get(notice.alert), page)
        if any(silence.covers(alert) for silence in silences) and not _ends_what_was_told(alerts, notice, alert):
            if alert.state == "resolved":  # it came and went unheard, as was asked for
                alerts.outbox.settle(notice)
            continue
        for key, spec in specs.items():
            # A channel that does not answer is not waited for again and again within one call.
            if key not in silent and _is_wanted(alert, spec) and _is_due(alerts, notice, alert, spec, key):
                outcome = _send(alerts, notice, alert, spec, key, only_public, reveal)
                sent += outcome is True
                silent |= {key} if outcome is False else set()
        if all(_is_over(alerts, notice, alert, spec, key) for key, spec in specs.items()):
            alerts.outbox.settle(notice)
    return sent


def _linked(alert: Alert, page: str) -> Alert:
    return replace(alert, facts={**alert.facts, "link": f"{page.rstrip('/')}/#/alerts"}) if page else alert


def channel_key(spec: ChannelSpec) -> str:
    """The name of a channel with its settings: kind and fingerprint, without any secret.

    >>> channel_key(ChannelSpec(channel="log"))
    'log:6e46dd10defc'
    """
    told = {name: value for name, value in spec.settings.items() if name != "secret"}
    return f"{spec.channel}:{digest(canonical_json(told))[:12]}"


def _is_wanted(alert: Alert, spec: ChannelSpec) -> bool:
    return SEVERITIES.index(alert.severity) >= SEVERITIES.index(spec.at_least)


def _ends_what_was_told(alerts: Alerts, notice: Notice, alert: Alert) -> bool:
    told = notice.what == "resolved" and any(each.state == "sent" for each in alerts.outbox.deliveries(alert.id))
    return bool(told)


def _is_due(alerts: Alerts, notice: Notice, alert: Alert, spec: ChannelSpec, key: str) -> bool:
    if not spec.after:
        return True
    if notice.what in ("acknowledged", "resolved"):
        # Whom it was escalated to learns the end of it; nobody else.
        return any(each.channel == key and each.state == "sent" for each in alerts.outbox.deliveries(alert.id))
    return alert.state == "open" and notice.age >= spec.after


def _is_over(alerts: Alerts, notice: Notice, alert: Alert, spec: ChannelSpec, key: str) -> bool:
    if not _is_wanted(alert, spec) or alerts.outbox.is_done(notice, key):
        return True
    if not spec.after:
        return False
    return (
        alert.state != "open"
        if notice.what in ("opened", "escalated")
        else not _is_due(alerts, notice, alert, spec, key)
    )


def _send(
    alerts: Alerts, notice: Notice, alert: Alert, spec: ChannelSpec, key: str, only_public: bool, reveal: Reveal
) -> bool | None:
    """Whether it was sent; None if there was nothing to do now."""
    attempt = alerts.outbox.claim(notice, key)
    if not attempt:
        return None
    try:
        settings = {name: _revealed(value, key, reveal) for name, value in spec.settings.items()}
        CHANNELS.get(spec.channel).send(alert, {**settings, "only_public": only_public})
    except Exception as error:  # noqa: BLE001 - a plug-in of someone else must not stop the other channels
        logger.warning("an alert was not sent", extra={"channel": key, "alert": alert.id, "error": str(error)})
        alerts.outbox.failed(notice, key, attempt, str(error))
        return False
    alerts.outbox.sent(notice, key)
    return True


def _revealed(value: Any, key: str, reveal: Reveal) -> Any:
    return reveal(value, f"channel {key}") if isinstance(value, str) else value
