"""GitHub: an issue for each alert. While the alert stays, what changes becomes a comment; when it ends, it is closed.

Settings: `repository` as owner/name; `secret`, a token that may write issues; `labels`, a list (optional); `url`
(optional), the API's address for GitHub Enterprise; `timeout` in seconds (optional).
"""

from __future__ import annotations

from typing import Any

from flyball.alerts.alert import Alert
from flyball.alerts.channels.base import Channel
from flyball.alerts.http_post import SECONDS, check_url, host_of, request
from flyball.alerts.message import headline, markdown
from flyball.errors import InvalidInput, WorkFailed
from flyball.serialization import JsonValue, from_json, to_json

API = "https://api.github.com"
_PAGE = 100
_PAGES = 10


class GitHub:
    """Opens, comments and closes issues on GitHub."""

    def send(self, alert: Alert, settings: dict[str, Any]) -> None:
        """Opens an issue, or says in it what has changed."""
        repository = check_repository(settings.get("repository", ""))
        base = check_url(settings.get("url") or API, "GitHub API").rstrip("/")
        issues = _Issues(f"{base}/repos/{repository}/issues", settings)
        number = issues.find(_marker(alert))
        if number is None:
            if alert.state != "resolved":
                labels = [*settings.get("labels", ()), "flyball"]
                body = f"{markdown(alert)}\n\n{_marker(alert)}"
                issues.ask("POST", "", {"title": headline(alert)[:250], "body": body, "labels": labels})
            return
        issues.ask("POST", f"/{number}/comments", {"body": f"**{headline(alert)}**\n\n{markdown(alert)}"})
        if alert.state == "resolved":
            issues.ask("PATCH", f"/{number}", {"state": "closed"})


def check_repository(repository: str) -> str:
    """Gives the repository back if it may be one.

    Raises:
        InvalidInput: it is not owner/name.
    """
    parts = repository.split("/")
    if len(parts) != 2 or not all(
        part and part.strip(".") and part.replace("-", "").replace("_", "").replace(".", "").isalnum() for part in parts
    ):
        raise InvalidInput(f"{repository[:100]!r} is no repository.", hint="Write it as owner/name.")
    return repository


class _Issues:
    def __init__(self, url: str, settings: dict[str, Any]) -> None:
        self._url = url
        self._timeout = float(settings.get("timeout", SECONDS))
        self._only_public = bool(settings.get("only_public"))
        token = str(settings.get("secret", ""))
        if not token:
            raise InvalidInput("GitHub needs a token that may write issues.", hint="Give it as `secret`.")
        self._headers = {
            "authorization": f"Bearer {token}",
            "accept": "application/vnd.github+json",
            "content-type": "application/json",
            "x-github-api-version": "2022-11-28",
        }

    def find(self, marker: str) -> int | None:
        for page in range(1, _PAGES + 1):
            found = self.ask("GET", f"?state=open&labels=flyball&per_page={_PAGE}&page={page}")
            for issue in found:
                if marker in (issue.get("body") or ""):
                    return int(issue["number"])
            if len(found) < _PAGE:
                break
        return None

    def ask(self, method: str, path: str, body: JsonValue = None) -> Any:
        data = None if body is None else to_json(body)
        answer = request(
            method, self._url + path, data, self._headers, timeout=self._timeout, what="GitHub API",
            only_public=self._only_public,
        )  # fmt: skip
        if not 200 <= answer.status < 300:
            raise WorkFailed(f"The GitHub API at {host_of(self._url)} answered {answer.status}.", status=answer.status)
        return from_json(answer.data, object) if answer.data else None


def _marker(alert: Alert) -> str:
    """What tells an alert's issue from all others; no reader sees it."""
    return f"<!-- flyball-alert: {alert.id} -->"


plugin: Channel = GitHub()
