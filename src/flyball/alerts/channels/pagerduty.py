"""PagerDuty: an event of the Events API v2. An alert that is acknowledged or resolved does the same to its incident.

Settings: `secret`, the integration's routing key; `url` (optional), where PagerDuty's events go in another region;
`timeout` in seconds (optional).
"""

from __future__ import annotations

from typing import Any

from flyball.alerts.alert import Alert
from flyball.alerts.channels.base import Channel
from flyball.alerts.http_post import check_url, post_json
from flyball.alerts.message import headline, told
from flyball.errors import InvalidInput

EVENTS = "https://events.pagerduty.com/v2/enqueue"
_ACTIONS = {"open": "trigger", "acknowledged": "acknowledge", "resolved": "resolve"}


class PagerDuty:
    """Triggers and resolves incidents of PagerDuty."""

    def send(self, alert: Alert, settings: dict[str, Any]) -> None:
        """Sends an event; the same alert is the same incident."""
        key = str(settings.get("secret", ""))
        if not key:
            raise InvalidInput("PagerDuty needs the integration's routing key.", hint="Give it as `secret`.")
        payload = {
            "summary": headline(alert)[:1024],
            "source": alert.subject,
            "severity": alert.severity,
            "timestamp": alert.last_seen.isoformat(),
            "class": alert.kind,
            "custom_details": {**dict(told(alert)), "detail": alert.detail, "facts": alert.facts},
        }
        body: dict[str, Any] = {
            "routing_key": key,
            "event_action": _ACTIONS[alert.state],
            "dedup_key": alert.id,
            "payload": payload,
            "client": "Flyball",
        }
        if link := alert.facts.get("link"):
            body |= {"client_url": link, "links": [{"href": link, "text": "Open in Flyball"}]}
        url = check_url(settings.get("url") or EVENTS, "PagerDuty service")
        post_json(url, body, settings, what="PagerDuty service")


plugin: Channel = PagerDuty()
