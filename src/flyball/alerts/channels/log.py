"""The log of the process that delivers alerts: a line with the alert as structured facts.

Takes no settings. The level follows the severity: info, warning, error for critical. A resolved alert is information.
"""

from __future__ import annotations

import logging
from typing import Any

from flyball.alerts.alert import Alert
from flyball.alerts.channels.base import Channel
from flyball.serialization import to_plain

logger = logging.getLogger("flyball.alerts")
_LEVELS = {"info": logging.INFO, "warning": logging.WARNING, "critical": logging.ERROR}


class Log:
    """Writes alerts to the log."""

    def send(self, alert: Alert, settings: dict[str, Any]) -> None:
        """Writes a line."""
        level = logging.INFO if alert.state == "resolved" else _LEVELS[alert.severity]
        text = f"{alert.subject}: {alert.title} ({alert.state}, {alert.severity})"
        # One line, whatever the title holds: a log must not be forged by what it reports.
        logger.log(level, "%s", " ".join(text.split()), extra={"alert": to_plain(alert)})


plugin: Channel = Log()
