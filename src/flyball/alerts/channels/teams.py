"""Microsoft Teams: an adaptive card to a channel's or chat's workflow webhook.

Settings: `url`, the address of the workflow "when a webhook request is received"; `timeout` in seconds (optional).
"""

from __future__ import annotations

from typing import Any

from flyball.alerts.alert import Alert
from flyball.alerts.channels.base import Channel
from flyball.alerts.http_post import check_url, post_json
from flyball.alerts.message import headline, told

_COLOURS = {"info": "accent", "warning": "warning", "critical": "attention"}
_LONGEST = 10_000  # the whole card may have 28 kB


class Teams:
    """Posts alerts to Microsoft Teams."""

    def send(self, alert: Alert, settings: dict[str, Any]) -> None:
        """Posts a card."""
        url = check_url(settings.get("url", ""), "Teams webhook")
        colour = "good" if alert.state == "resolved" else _COLOURS[alert.severity]
        title = {"type": "TextBlock", "weight": "bolder", "size": "medium", "wrap": True, "color": colour}
        parts: list[dict[str, Any]] = [{**title, "text": headline(alert)}]
        if alert.detail:
            parts.append({"type": "TextBlock", "wrap": True, "text": alert.detail[:_LONGEST]})
        facts = [{"title": name, "value": value} for name, value in told(alert)]
        card: dict[str, Any] = {
            "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
            "type": "AdaptiveCard",
            "version": "1.4",
            "body": [*parts, {"type": "FactSet", "facts": facts}],
        }
        if link := alert.facts.get("link"):
            card["actions"] = [{"type": "Action.OpenUrl", "title": "Open in Flyball", "url": link}]
        kind = "application/vnd.microsoft.card.adaptive"
        body = {"type": "message", "attachments": [{"contentType": kind, "content": card}]}
        post_json(url, body, settings, what="Teams webhook")


plugin: Channel = Teams()
