"""Where alerts are sent, as a user writes it: `fb.alert_to.webhook("https://example.org/hook")`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any, Literal

from flyball.alerts.alert import Severity
from flyball.alerts.channels.base import ChannelSpec
from flyball.alerts.channels.command import check_command
from flyball.alerts.channels.email import check as check_mail
from flyball.alerts.channels.github import check_repository
from flyball.alerts.channels.gitlab import check_project
from flyball.alerts.http_post import check_timeout, check_url
from flyball.clock import parse_duration
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
    settings = {"url": check_url(url), "timeout": check_timeout(timeout)}
    return ChannelSpec(channel="webhook", settings=_given(settings, secret=secret), at_least=at_least)


def slack(url: str, *, timeout: float = 5.0, at_least: Severity = "info") -> ChannelSpec:
    """To a Slack channel.

    Args:
        url: The address of an incoming webhook, which Slack gives for a channel. It is kept with the loop.
        timeout: How many seconds an answer is waited for.
        at_least: Only alerts of this severity or a higher one.

    Raises:
        InvalidInput: the address cannot be used.
    """
    settings = {"url": check_url(url, "Slack webhook"), "timeout": check_timeout(timeout)}
    return ChannelSpec(channel="slack", settings=settings, at_least=at_least)


def teams(url: str, *, timeout: float = 5.0, at_least: Severity = "info") -> ChannelSpec:
    """To a channel or chat of Microsoft Teams.

    Args:
        url: The address of a workflow that starts "when a webhook request is received". It is kept with the loop.
        timeout: How many seconds an answer is waited for.
        at_least: Only alerts of this severity or a higher one.

    Raises:
        InvalidInput: the address cannot be used.
    """
    settings = {"url": check_url(url, "Teams webhook"), "timeout": check_timeout(timeout)}
    return ChannelSpec(channel="teams", settings=settings, at_least=at_least)


def pagerduty(routing_key: str, *, url: str = "", timeout: float = 5.0, at_least: Severity = "critical") -> ChannelSpec:
    """To PagerDuty; an alert is one incident there, acknowledged and resolved with it.

    Args:
        routing_key: The integration key of an Events API v2 integration. It is kept with the loop.
        url: Where events go, if not to PagerDuty's first region.
        timeout: How many seconds an answer is waited for.
        at_least: Only alerts of this severity or a higher one.

    Raises:
        InvalidInput: the key is empty, or the address cannot be used.
    """
    if not routing_key:
        raise InvalidInput("PagerDuty needs the integration's routing key.", hint="Take it from the integration.")
    settings = {"secret": routing_key, "timeout": check_timeout(timeout)}
    if url:
        settings["url"] = check_url(url, "PagerDuty service")
    return ChannelSpec(channel="pagerduty", settings=settings, at_least=at_least)


def email(
    *to: str,
    sender: str,
    host: str,
    port: int = 0,
    security: Literal["starttls", "tls", "none"] = "starttls",
    user: str = "",
    password: str = "",
    at_least: Severity = "warning",
) -> ChannelSpec:
    """By mail.

    Args:
        *to: Who gets it.
        sender: The address that it comes from.
        host: The mail server; `port` by default 587, 465 with `tls`, 25 with `none`.
        security: How the way to the server is protected; `none` only for a relay on this machine.
        user: Name to log in with; the password is kept with the loop.
        at_least: Only alerts of this severity or a higher one.

    Raises:
        InvalidInput: an address or the host cannot be used.
    """
    check_mail(list(to), sender, host, security)
    settings: dict[str, Any] = {"to": list(to), "sender": sender, "host": host, "security": security}
    return ChannelSpec(
        channel="email", settings=_given(settings, port=port, user=user, secret=password), at_least=at_least
    )


def github(
    repository: str, token: str, *, labels: Sequence[str] = (), url: str = "", at_least: Severity = "warning"
) -> ChannelSpec:
    """As an issue on GitHub, closed when the alert is resolved.

    Args:
        repository: As `owner/name`.
        token: May write issues there. It is kept with the loop.
        labels: Labels of the issue; `flyball` is always one.
        url: The API of a GitHub Enterprise.
        at_least: Only alerts of this severity or a higher one.

    Raises:
        InvalidInput: the repository or address cannot be used.
    """
    settings: dict[str, Any] = {"repository": check_repository(repository), "secret": token, "labels": list(labels)}
    if url:
        settings["url"] = check_url(url, "GitHub API")
    return ChannelSpec(channel="github", settings=settings, at_least=at_least)


def gitlab(
    project: str, token: str, *, labels: Sequence[str] = (), url: str = "", at_least: Severity = "warning"
) -> ChannelSpec:
    """As an issue on GitLab, closed when the alert is resolved.

    Args:
        project: As `group/name`, or its number.
        token: With the scope `api`. It is kept with the loop.
        labels: Labels of the issue; `flyball` is always one.
        url: The address of a GitLab of one's own.
        at_least: Only alerts of this severity or a higher one.

    Raises:
        InvalidInput: the project or address cannot be used.
    """
    settings: dict[str, Any] = {"project": check_project(project), "secret": token, "labels": list(labels)}
    if url:
        settings["url"] = check_url(url, "GitLab API")
    return ChannelSpec(channel="gitlab", settings=settings, at_least=at_least)


def command(*command: str, timeout: float = 10.0, at_least: Severity = "info") -> ChannelSpec:
    """To a program, which gets the alert as JSON on its standard input.

    Args:
        *command: The program and its arguments; no shell reads them.
        timeout: How many seconds it may take.
        at_least: Only alerts of this severity or a higher one.

    Raises:
        InvalidInput: it names no program.
    """
    settings = {"command": check_command(list(command)), "timeout": check_timeout(timeout)}
    return ChannelSpec(channel="command", settings=settings, at_least=at_least)


def escalate(channel: ChannelSpec, after: str | timedelta) -> ChannelSpec:
    """A channel that is told only what nobody took care of: `escalate(pagerduty(key), after="30m")`.

    Args:
        channel: Whom it goes to.
        after: How long an alert must have been open and not acknowledged; less than a day.

    Raises:
        InvalidInput: it is no time, or too long.
    """
    seconds = parse_duration(after).total_seconds()
    if not 0 < seconds < 86_400:
        raise InvalidInput(f"after is {after}.", hint="Give less than a day, such as 30m.")
    return replace(channel, after=seconds)


def _given(settings: dict[str, Any], **optional: object) -> dict[str, Any]:
    return {**settings, **{name: value for name, value in optional.items() if value}}
