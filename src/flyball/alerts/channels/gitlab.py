"""GitLab: an issue for each alert. While the alert stays, what changes becomes a note; when it ends, it is closed.

Settings: `project` as group/name or its number; `secret`, a token with the scope `api`; `labels`, a list (optional);
`url` (optional), the address of a GitLab of one's own; `timeout` in seconds (optional).
"""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from flyball.alerts.alert import Alert
from flyball.alerts.channels.base import Channel
from flyball.alerts.http_post import SECONDS, check_url, host_of, request
from flyball.alerts.message import headline, markdown
from flyball.errors import InvalidInput, WorkFailed
from flyball.serialization import JsonValue, from_json, to_json

SITE = "https://gitlab.com"


class GitLab:
    """Opens, comments and closes issues on GitLab."""

    def send(self, alert: Alert, settings: dict[str, Any]) -> None:
        """Opens an issue, or says in it what has changed."""
        project = check_project(str(settings.get("project", "")))
        site = check_url(settings.get("url") or SITE, "GitLab API").rstrip("/")
        url = f"{site}/api/v4/projects/{quote(project, safe='')}/issues"
        # Each alert has a label of its own, by which its issue is found again.
        label = f"flyball::{alert.id}"
        found = _ask("GET", f"{url}?state=opened&labels={quote(label)}", settings)
        if not found:
            if alert.state != "resolved":
                labels = ",".join([*settings.get("labels", ()), "flyball", label])
                body = {"title": headline(alert)[:250], "description": markdown(alert), "labels": labels}
                _ask("POST", url, settings, body)
            return
        issue = f"{url}/{int(found[0]['iid'])}"
        _ask("POST", f"{issue}/notes", settings, {"body": f"**{headline(alert)}**\n\n{markdown(alert)}"})
        if alert.state == "resolved":
            _ask("PUT", issue, settings, {"state_event": "close"})


def check_project(project: str) -> str:
    """Gives the project back if it may be one.

    Raises:
        InvalidInput: it is empty or holds other than a path of names.
    """
    parts = project.split("/")
    if not all(part.strip(".") and all(c.isalnum() or c in "._-" for c in part) for part in parts):
        raise InvalidInput(f"{project[:100]!r} is no project.", hint="Write it as group/name, or its number.")
    return project


def _ask(method: str, url: str, settings: dict[str, Any], body: JsonValue = None) -> Any:
    token = str(settings.get("secret", ""))
    if not token:
        raise InvalidInput("GitLab needs a token with the scope `api`.", hint="Give it as `secret`.")
    headers = {"private-token": token, "content-type": "application/json"}
    data = None if body is None else to_json(body)
    timeout, only_public = float(settings.get("timeout", SECONDS)), bool(settings.get("only_public"))
    answer = request(method, url, data, headers, timeout=timeout, what="GitLab API", only_public=only_public)
    if not 200 <= answer.status < 300:
        raise WorkFailed(f"The GitLab API at {host_of(url)} answered {answer.status}.", status=answer.status)
    return from_json(answer.data, object) if answer.data else None


plugin: Channel = GitLab()
