"""An alert in words: what people read in a mail, a chat or an issue."""

from __future__ import annotations

from flyball.alerts.alert import Alert

_FACTS = (("How sure", "confidence"), ("What follows", "consequence"), ("What Flyball did", "done"))
_STATES = {"open": "", "acknowledged": " - taken care of", "resolved": " - resolved"}


def headline(alert: Alert) -> str:
    """One line: how severe, what it is about, what was found, and whether it is over."""
    title = " ".join(alert.title.split())
    return f"[{alert.severity}] {alert.subject.partition(':/')[2]}: {title}{_STATES[alert.state]}"


def told(alert: Alert) -> list[tuple[str, str]]:
    """The facts of an alert that a person wants to see, by name."""
    rows = [
        ("About", alert.subject),
        ("Cause", alert.cause),
        ("Since", f"{alert.opened:%Y-%m-%d %H:%M} UTC"),
        ("Last seen", f"{alert.last_seen:%Y-%m-%d %H:%M} UTC, {alert.count} in all"),
    ]
    rows += [(name, str(alert.facts[fact])) for name, fact in _FACTS if alert.facts.get(fact)]
    if alert.assigned_to:
        rows.append(("Assigned to", alert.assigned_to))
    if alert.acknowledged_by:
        rows.append(("Taken care of by", alert.acknowledged_by))
    if alert.state == "resolved":
        rows.append(("Resolved", alert.resolution or "yes"))
    elif alert.facts.get("decide"):
        rows.append(("To decide", str(alert.facts["decide"])))
    if alert.facts.get("link"):
        rows.append(("See", str(alert.facts["link"])))
    return rows


def text(alert: Alert) -> str:
    """The whole of it as plain text."""
    rows = "\n".join(f"{name}: {value}" for name, value in told(alert))
    return "\n\n".join(part for part in (headline(alert), alert.detail, rows) if part)


def markdown(alert: Alert) -> str:
    """The whole of it as Markdown, without the headline."""
    rows = "\n".join(f"- **{name}**: {value}" for name, value in told(alert))
    return "\n\n".join(part for part in (alert.detail, rows) if part)
