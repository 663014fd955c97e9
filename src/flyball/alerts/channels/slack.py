"""Slack: a message to the channel of an incoming webhook.

Settings: `url`, the address Slack gave for the webhook; `timeout` in seconds (optional).
"""

from __future__ import annotations

from typing import Any

from flyball.alerts.alert import Alert
from flyball.alerts.channels.base import Channel
from flyball.alerts.http_post import check_url, post_json
from flyball.alerts.message import headline, told

_LONGEST = 2_900  # of one block's text
_COLOURS = {"info": "#4a90d9", "warning": "#e8a33d", "critical": "#d64545"}
_RESOLVED = "#3fa45b"


class Slack:
    """Posts alerts to a Slack channel."""

    def send(self, alert: Alert, settings: dict[str, Any]) -> None:
        """Posts a message."""
        url = check_url(settings.get("url", ""), "Slack webhook")
        blocks: list[dict[str, Any]] = [_section(f"*{_escaped(headline(alert))}*")]
        if alert.detail:
            blocks.append(_section(_escaped(alert.detail)))
        rows = [f"*{name}*: {_escaped(value)}" for name, value in told(alert)]
        blocks.append({"type": "context", "elements": [{"type": "mrkdwn", "text": "  |  ".join(rows)[:_LONGEST]}]})
        colour = _RESOLVED if alert.state == "resolved" else _COLOURS[alert.severity]
        body = {"text": _escaped(headline(alert)), "attachments": [{"color": colour, "blocks": blocks}]}
        post_json(url, body, settings, what="Slack webhook")


def _section(text: str) -> dict[str, Any]:
    return {"type": "section", "text": {"type": "mrkdwn", "text": text[:_LONGEST]}}


def _escaped(text: str) -> str:
    # An alert quotes data; without this, data could call a whole channel with <!channel>.
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


plugin: Channel = Slack()
