"""When a finding becomes an alert, and when that ends: not at each flicker, and not again the next hour.

A finding that comes and goes at the border of what matters would open an alert every other window. So an alert waits until the
finding has stood for so many windows, ends only after so many quiet ones (hysteresis), and is not opened again for a while
after it has ended (cool-down).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from flyball.alerts.alert import Alert, Alerts
from flyball.monitoring.monitors.base import Finding
from flyball.monitoring.windows import Window
from flyball.refs import Ref


@dataclass(frozen=True, slots=True, kw_only=True)
class AlarmRule:
    """When findings are told.

    Attributes:
        after: In how many windows in a row something must be found before it is told.
        quiet: How many quiet windows in a row end an alert.
        cooldown_seconds: How long after its end an alert of the same cause is not opened again.
    """

    after: int = 1
    quiet: int = 2
    cooldown_seconds: float = 0.0

    def decide(
        self, finding: Finding, before: Sequence[Window], *, is_open: bool, ended: datetime | None, end: datetime
    ) -> Literal["open", "resolve", "wait"]:
        """What is to be done about a finding.

        Args:
            before: Windows before this one that say something of its cause, newest first.
            is_open: Whether there is an alert of it.
            ended: When the last one ended; None if there was none.
            end: When the window ends.
        """
        if finding.sentences:
            if is_open:
                return "open"
            if ended is not None and end < ended + timedelta(seconds=self.cooldown_seconds):
                return "wait"
            return "open" if self._stands(before, self.after - 1, lambda each: finding.cause in each.causes) else "wait"
        if is_open and self._stands(before, self.quiet - 1, lambda each: finding.cause not in each.causes):
            return "resolve"
        return "wait"

    @staticmethod
    def _stands(before: Sequence[Window], count: int, holds: Callable[[Window], bool]) -> bool:
        return len(before) >= count and all(holds(window) for window in before[:count])


USUAL = AlarmRule()
"""Told at once, ended by two quiet windows."""


def tell(
    alerts: Alerts,
    findings: Sequence[Finding],
    window: Window,
    *,
    rule: AlarmRule,
    recorded: Window | None,
    earlier: Callable[[], Sequence[Window]],
) -> None:
    """Opens and resolves the alerts of a window's findings, each once.

    Args:
        recorded: The same window as it was recorded before, if it was.
        earlier: Gives the windows before it, newest first.
    """
    news = [finding for finding in findings if _is_news(finding, window, recorded)]
    if not news:
        return
    subject = str(Ref(kind="deployments", name=window.deployment))
    active = {alert.cause: alert for alert in alerts.list(state="active", subject=subject, limit=1000)}
    span = {"window": window.start.isoformat(), "until": window.end.isoformat()}
    for finding in news:
        alert = active.get(finding.cause)
        before = [each for each in earlier() if each.predictions and (each.complete or not finding.needs_truth)]
        ended = _ended(alerts, subject, finding.cause) if rule.cooldown_seconds and alert is None else None
        what = rule.decide(finding, before, is_open=alert is not None, ended=ended, end=window.end)
        if what == "open" and (alert is None or alert.facts.get("window") != span["window"]):
            alerts.open(
                severity="warning", kind=finding.kind, subject=subject, cause=finding.cause, title=finding.title,
                detail="\n".join(finding.sentences), facts={**finding.facts, **span},
            )  # fmt: skip
        elif what == "resolve" and alert is not None:
            alerts.resolve(alert.id, _quiet_words(rule.quiet, span["window"]))


def _quiet_words(quiet: int, window: str) -> str:
    return f"The window from {window} is quiet" + (f", the {quiet}. in a row." if quiet > 1 else ".")


def _ended(alerts: Alerts, subject: str, cause: str) -> datetime | None:
    past: list[Alert] = alerts.list(state="resolved", subject=subject, limit=200)
    return max((alert.resolved for alert in past if alert.cause == cause and alert.resolved is not None), default=None)


def _is_news(finding: Finding, window: Window, recorded: Window | None) -> bool:
    """Whether it is known for good now and was not before: later windows may have spoken of it since."""
    if finding.needs_truth:
        return window.complete and (recorded is None or not recorded.complete)
    return recorded is None
