"""The seam of the alert channels: one alert out, or an error."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol

from flyball.alerts.alert import Alert, Severity
from flyball.plugins import PluginGroup


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelSpec:
    """A declared channel.

    Attributes:
        channel: Name of the plug-in.
        settings: What it is told: an address, a secret.
        at_least: The lowest severity that is sent.
        after: Seconds that an alert must have been open without anyone taking care of it; the channel of whom it
            escalates to. What is acknowledged or resolved by then is not sent at all.
    """

    channel: str
    settings: dict[str, Any] = field(default_factory=dict)
    at_least: Severity = "info"
    after: float = 0.0


class Channel(Protocol):
    """A way to reach people."""

    def send(self, alert: Alert, settings: dict[str, Any]) -> None:
        """Sends an alert as it stands; the same one may be sent again.

        Raises:
            WorkFailed: it could not be sent now.
            InvalidInput: the settings cannot be used.
        """
        ...


CHANNELS: PluginGroup[Channel] = PluginGroup("channel", "flyball.alerts.channels")
