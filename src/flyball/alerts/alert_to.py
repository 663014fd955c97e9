"""Where alerts are sent, as a user writes it: `fb.alert_to.webhook("https://example.org/hook")`."""

from __future__ import annotations

from flyball.alerts.alert import Severity
from flyball.alerts.channels.base import ChannelSpec
from flyball.alerts.channels.webhook import check_url
from flyball.errors import InvalidInput


def log(*, at_least: Severity = "info") -> ChannelSpec:
    """To the log of the process that delivers alerts.

    Args:
        at_least: Only alerts of this severity or a higher one.
    """
    return ChannelSpec(channel="log", at_least=at_least)


def webhook(url: str, *, secret: str = "", timeout: float = 5.0, at_least: Severity = "info") -> ChannelSpec:
    """To an address that takes JSON by HTTP POST.

    Args:
        url: The address, `http://` or `https://`.
        secret: Signs what is sent, so that the receiver knows who sent it. Take it from the environment; it is kept
            with the loop.
        timeout: How many seconds an answer is waited for.
        at_least: Only alerts of this severity or a higher one.

    Raises:
        InvalidInput: the address cannot be used.
    """
    if not 0 < timeout <= 30:
        raise InvalidInput(f"timeout is {timeout:g}.", hint="Give up to 30 seconds.")
    settings: dict[str, str | float] = {"url": check_url(url), "timeout": float(timeout)}
    if secret:
        settings["secret"] = secret
    return ChannelSpec(channel="webhook", settings=settings, at_least=at_least)
