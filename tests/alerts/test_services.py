"""Channels to the services people read: chat, paging, mail, issues, commands."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from email import message_from_bytes, policy
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from aiosmtpd.controller import Controller

from flyball.alerts import alert_to
from flyball.alerts.alert import Alert
from flyball.alerts.channels.base import CHANNELS, ChannelSpec
from flyball.errors import InvalidInput, WorkFailed
from flyball.serialization import from_json, to_json
from tests.servers.processes import free_port

ALERT = Alert(
    id="0a1",
    severity="critical",
    kind="drift",
    subject="loops:/churn",
    cause="drift:age",
    title="Column 'age'\nhas drifted <!channel>",
    detail="People are older.\nIt cannot be chance.",
    facts={"distance": 0.4},
    opened=datetime(2026, 1, 1, tzinfo=UTC),
    last_seen=datetime(2026, 1, 2, tzinfo=UTC),
)
TAKEN = replace(ALERT, state="acknowledged", acknowledged_by="ada")
OVER = replace(ALERT, state="resolved", resolution="trained anew")


def send(spec: ChannelSpec, alert: Alert = ALERT, **settings: Any) -> None:
    CHANNELS.get(spec.channel).send(alert, {**spec.settings, **settings})


class Service(ThreadingHTTPServer):
    """Keeps what was asked; as an issue tracker it also keeps issues, in the shapes of GitHub's and GitLab's APIs."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.asked: list[tuple[str, str, dict[str, str], Any]] = []
        self.issues: list[dict[str, Any]] = []
        self.status = 200

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def answer(self, method: str, path: str, body: Any) -> Any:
        parts = urlsplit(path)
        if method == "GET":
            wanted = set(parse_qs(parts.query)["labels"][0].split(","))
            return [issue for issue in self.issues if issue["open"] and wanted <= set(issue["labels"])]
        if method == "POST" and parts.path.endswith("/issues"):
            labels = body["labels"] if isinstance(body["labels"], list) else body["labels"].split(",")
            number = len(self.issues) + 1
            self.issues.append({**body, "labels": labels, "number": number, "iid": number, "open": True, "said": []})
            return self.issues[-1]
        if method in ("POST", "PATCH", "PUT") and "/issues/" in parts.path:
            issue = self.issues[int(parts.path.split("/issues/")[1].split("/")[0]) - 1]
            issue["open"] &= body.get("state") != "closed" and body.get("state_event") != "close"
            issue["said"] += [body["body"]] if "body" in body else []
            return issue
        return {}


class _Handler(BaseHTTPRequestHandler):
    server: Service

    def _serve(self) -> None:
        data = self.rfile.read(int(self.headers.get("content-length", 0)))
        body = json.loads(data) if data else None
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.server.asked.append((self.command, self.path, headers, body))
        answer = json.dumps(self.server.answer(self.command, self.path, body)).encode()
        self.send_response(self.server.status)
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    do_GET = do_POST = do_PATCH = do_PUT = _serve  # noqa: N815  # names that the library calls

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def service() -> Iterator[Service]:
    with Service() as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_slack_gets_a_message_that_calls_nobody(service: Service) -> None:
    send(alert_to.slack(f"{service.url}/services/T/B/x"))
    [(_, path, _, body)] = service.asked
    assert path == "/services/T/B/x"
    assert body["text"] == "[critical] churn: Column 'age' has drifted &lt;!channel&gt;"
    assert "<!channel>" not in json.dumps(body)
    assert "It cannot be chance." in json.dumps(body)


def test_teams_gets_a_card_with_the_facts(service: Service) -> None:
    send(alert_to.teams(f"{service.url}/workflows/1"), OVER)
    card = service.asked[0][3]["attachments"][0]["content"]
    assert (card["type"], card["body"][0]["color"]) == ("AdaptiveCard", "good")
    assert {"title": "Resolved", "value": "trained anew"} in card["body"][-1]["facts"]


def test_pagerduty_has_one_incident_for_an_alert_until_it_is_resolved(service: Service) -> None:
    spec = alert_to.pagerduty("key", url=f"{service.url}/v2/enqueue")
    for alert in (ALERT, TAKEN, OVER):
        send(spec, alert)
    bodies = [body for *_, body in service.asked]
    assert [body["event_action"] for body in bodies] == ["trigger", "acknowledge", "resolve"]
    assert {body["dedup_key"] for body in bodies} == {ALERT.id}
    assert (bodies[0]["routing_key"], bodies[0]["payload"]["severity"]) == ("key", "critical")


@pytest.mark.parametrize("name", ["github", "gitlab"])
def test_an_alert_is_one_issue_from_its_opening_to_its_end(service: Service, name: str) -> None:
    make = {"github": alert_to.github, "gitlab": alert_to.gitlab}[name]
    spec = make("team/models", "token", labels=["ml"], url=service.url)
    for alert in (ALERT, ALERT, TAKEN, OVER, OVER):
        send(spec, alert)
    [issue] = service.issues
    assert issue["title"] == "[critical] churn: Column 'age' has drifted <!channel>"
    assert {"ml", "flyball"} <= set(issue["labels"])
    assert not issue["open"]
    assert len(issue["said"]) == 3  # found again, taken care of, resolved
    sent = [headers.get("authorization") or headers.get("private-token") for _, _, headers, _ in service.asked]
    assert set(sent) <= {"Bearer token", "token"}
    assert all(unquote(path).find("team/models") > 0 for _, path, _, _ in service.asked)


@pytest.mark.parametrize("name", ["github", "gitlab"])
def test_another_alert_is_another_issue(service: Service, name: str) -> None:
    spec = {"github": alert_to.github, "gitlab": alert_to.gitlab}[name]("team/models", "token", url=service.url)
    send(spec)
    send(spec, replace(ALERT, id="0b2"))
    send(spec, replace(OVER, id="0c3"))
    assert len(service.issues) == 2


@pytest.mark.parametrize("name", ["slack", "teams", "pagerduty", "github", "gitlab"])
def test_a_service_that_says_no_is_a_failure_that_tells_no_secret(service: Service, name: str) -> None:
    service.status = 403
    settings = {"url": f"{service.url}/very-secret-path", "secret": "s3cret", "repository": "a/b", "project": "a/b"}
    with pytest.raises(WorkFailed, match="answered 403") as failed:
        CHANNELS.get(name).send(ALERT, settings)
    assert "secret" not in str(failed.value)


@pytest.fixture
def mailbox() -> Iterator[tuple[Controller, list[Any]]]:
    got: list[Any] = []

    class Handler:
        async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802  # names that the library calls
            got.append((envelope.rcpt_tos, message_from_bytes(envelope.content, policy=policy.default)))
            return "250 OK"

    controller = Controller(Handler(), hostname="127.0.0.1", port=free_port())
    controller.start()
    yield controller, got
    controller.stop()


def mail(controller: Controller, **more: Any) -> ChannelSpec:
    to = ("a@example.org", "b@example.org")
    return alert_to.email(*to, sender="f@example.org", host="127.0.0.1", port=controller.port, **more)


def test_a_mail_is_readable_and_its_subject_is_one_line(mailbox: tuple[Controller, list[Any]]) -> None:
    send(mail(mailbox[0], security="none"))
    [(to, message)] = mailbox[1]
    assert to == ["a@example.org", "b@example.org"]
    assert message["Subject"] == "[critical] churn: Column 'age' has drifted <!channel>"
    assert "It cannot be chance." in message.get_content()
    assert "Cause: drift:age" in message.get_content()


def test_mails_of_one_alert_are_one_thread(mailbox: tuple[Controller, list[Any]]) -> None:
    for alert in (ALERT, OVER):
        send(mail(mailbox[0], security="none"), alert)
    first, second = (message for _, message in mailbox[1])
    assert first["References"] == second["References"]


def test_a_server_without_tls_gets_no_mail_where_tls_is_wanted(mailbox: tuple[Controller, list[Any]]) -> None:
    with pytest.raises(WorkFailed, match="did not take the message"):
        send(mail(mailbox[0]))
    assert mailbox[1] == []


def test_a_mail_server_that_is_not_there_is_a_failure() -> None:
    spec = alert_to.email("a@b.c", sender="f@b.c", host="127.0.0.1", port=1, security="none")
    with pytest.raises(WorkFailed, match="ConnectionRefusedError"):
        send(spec)


def test_a_command_gets_the_alert(tmp_path: Path) -> None:
    file = tmp_path / "got.json"
    program = "import sys; open(sys.argv[1], 'wb').write(sys.stdin.buffer.read())"
    send(alert_to.command(sys.executable, "-c", program, str(file)))
    assert from_json(file.read_bytes(), dict[str, Any])["alert"] == json.loads(to_json(ALERT))


def test_a_command_that_fails_is_told_with_its_words() -> None:
    with pytest.raises(WorkFailed, match="exit code 3: no luck"):
        send(alert_to.command(sys.executable, "-c", "import sys; sys.stderr.write('no luck'); sys.exit(3)"))


def test_a_command_that_hangs_is_ended() -> None:
    with pytest.raises(WorkFailed, match="did not end"):
        send(alert_to.command(sys.executable, "-c", "import time; time.sleep(60)", timeout=0.2))


def test_a_program_that_is_not_there_is_told() -> None:
    with pytest.raises(WorkFailed, match="cannot be run"):
        send(alert_to.command("/nowhere/program"))


@pytest.mark.parametrize(
    "declare",
    [
        lambda: alert_to.slack("file:///x"),
        lambda: alert_to.teams(""),
        lambda: alert_to.pagerduty(""),
        lambda: alert_to.github("../..", "t"),
        lambda: alert_to.github("a/b/c", "t"),
        lambda: alert_to.gitlab("a/../b", "t"),
        lambda: alert_to.gitlab("", "t"),
        lambda: alert_to.command(),
        lambda: alert_to.command(""),
        lambda: alert_to.email(sender="a@b.c", host="h"),
        lambda: alert_to.email("a@b.c\nBcc: x@y.z", sender="a@b.c", host="h"),
        lambda: alert_to.email("a@b.c", sender="a@b.c", host=""),
        lambda: alert_to.email("a@b.c", sender="a@b.c", host="h", security="maybe"),  # type: ignore[arg-type]  # what is refused
    ],
)
def test_what_cannot_be_declared_is_refused_at_once(declare: Any) -> None:
    with pytest.raises(InvalidInput):
        declare()


WHOLE = replace(
    ALERT,
    facts={
        "confidence": "the chance of this without a change is 0.002", "consequence": "a person is asked to decide",
        "done": "started nothing by itself", "decide": "Mend the source.", "link": "http://127.0.0.1:8080/#/alerts",
    },
)  # fmt: skip
TOLD = ("is 0.002", "started nothing by itself", "Mend the source.", "2026-01-01 00:00", "drift:age", "/#/alerts")


def declared(name: str, url: str) -> ChannelSpec:
    return {
        "slack": lambda: alert_to.slack(url), "teams": lambda: alert_to.teams(url),
        "pagerduty": lambda: alert_to.pagerduty("key", url=url), "github": lambda: alert_to.github("a/b", "token", url=url),
        "gitlab": lambda: alert_to.gitlab("a/b", "token", url=url),
    }[name]()  # fmt: skip


@pytest.mark.parametrize("name", ["slack", "teams", "pagerduty", "github", "gitlab"])
def test_everywhere_is_told_what_how_sure_since_when_what_was_done_and_what_is_to_be_decided(
    service: Service, name: str
) -> None:
    send(declared(name, service.url), WHOLE)
    said = json.dumps([body for _, _, _, body in service.asked], ensure_ascii=False)
    assert [part for part in TOLD if part not in said] == []


def test_a_mail_tells_the_same(mailbox: tuple[Controller, list[Any]]) -> None:
    send(mail(mailbox[0], security="none"), WHOLE)
    [(_, message)] = mailbox[1]
    said = message.get_content()
    assert [part for part in TOLD if part not in said] == []


@pytest.mark.parametrize("name", ["slack", "teams", "pagerduty", "github", "gitlab"])
def test_a_server_speaks_to_public_addresses_only_where_it_is_told_to(service: Service, name: str) -> None:
    with pytest.raises(InvalidInput, match="does not stand at a public address"):
        send(declared(name, service.url), WHOLE, only_public=True)
    assert service.asked == []


def test_pagerduty_and_teams_have_a_way_back(service: Service) -> None:
    send(declared("pagerduty", service.url), WHOLE)
    send(declared("teams", service.url), WHOLE)
    event, message = (body for _, _, _, body in service.asked)
    assert event["links"] == [{"href": "http://127.0.0.1:8080/#/alerts", "text": "Open in Flyball"}]
    (action,) = message["attachments"][0]["content"]["actions"]
    assert (action["type"], action["url"]) == ("Action.OpenUrl", "http://127.0.0.1:8080/#/alerts")
