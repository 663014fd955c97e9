"""What holds for every channel, and what each one does by itself."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest

from flyball.alerts import alert_to
from flyball.alerts.alert import Alert
from flyball.alerts.channels import webhook
from flyball.alerts.channels.base import CHANNELS
from flyball.errors import FlyballError, InvalidInput, WorkFailed

ALERT = Alert(
    id="a1",
    severity="critical",
    kind="drift",
    subject="loops:/churn",
    cause="drift:age",
    title="Column 'age'\nhas drifted",
    opened=datetime(2026, 1, 1, tzinfo=UTC),
    last_seen=datetime(2026, 1, 2, tzinfo=UTC),
)


class Receiver(ThreadingHTTPServer):
    """A webhook's receiver that answers as it is told and keeps what came."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answers: list[int] = []
        self.got: list[tuple[dict[str, str], bytes]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/hook/very-secret-path"


class _Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.got.append(({name.lower(): value for name, value in self.headers.items()}, body))
        status = self.server.answers.pop(0) if self.server.answers else 200
        self.send_response(status)
        if status in (301, 307):
            self.send_header("location", self.server.url)
        if status == 503:
            self.send_header("retry-after", "3600")
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def post(receiver: Receiver, **settings: Any) -> None:
    CHANNELS.get("webhook").send(ALERT, {"url": receiver.url, **settings})


@pytest.mark.parametrize("name", CHANNELS.names())
def test_a_channel_that_is_told_nothing_sends_or_refuses_in_our_words(name: str) -> None:
    with suppress(FlyballError):
        CHANNELS.get(name).send(ALERT, {})


@pytest.mark.parametrize("name", CHANNELS.names())
def test_a_channel_says_in_its_docstring_what_it_does(name: str) -> None:
    assert type(CHANNELS.get(name)).__module__ == f"flyball.alerts.channels.{name}"
    assert type(CHANNELS.get(name)).__doc__


@pytest.mark.parametrize("name", CHANNELS.names())
def test_a_channel_has_its_word_for_users(name: str) -> None:
    assert hasattr(alert_to, name)


def test_the_log_gets_one_line_with_the_alert(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "flyball.alerts"):
        CHANNELS.get("log").send(ALERT, {})
    [record] = caplog.records
    assert record.levelno == logging.ERROR
    assert record.getMessage() == "loops:/churn: Column 'age' has drifted (open, critical)"
    assert record.__dict__["alert"]["cause"] == "drift:age"


def test_a_webhook_gets_the_alert_as_json(receiver: Receiver) -> None:
    post(receiver)
    [(headers, body)] = receiver.got
    assert json.loads(body)["alert"]["title"] == ALERT.title
    assert (headers["content-type"], headers["x-flyball-alert"]) == ("application/json", "a1")
    assert webhook.SIGNATURE not in headers


def test_a_receiver_can_verify_who_sent(receiver: Receiver) -> None:
    post(receiver, secret="s3cret")
    [(headers, body)] = receiver.got
    signature = headers[webhook.SIGNATURE]
    assert webhook.verify(body, signature, "s3cret")
    assert not webhook.verify(body, signature, "other")
    assert not webhook.verify(body + b" ", signature, "s3cret")
    assert "s3cret" not in str(headers) + body.decode()


@pytest.mark.parametrize("signature", ["", "t=,v1=", "t=x,v1=y", "v1=abc", webhook.sign(b"{}", "s", at=1), "t=9" * 99])
def test_a_signature_that_is_old_or_none_is_not_accepted(signature: str) -> None:
    assert not webhook.verify(b"{}", signature, "s")


def test_a_busy_receiver_is_asked_again_at_once_whatever_pause_it_wants(receiver: Receiver) -> None:
    receiver.answers = [503, 429]
    post(receiver)
    assert len(receiver.got) == 3


def test_a_receiver_that_stays_busy_is_given_up_for_now(receiver: Receiver) -> None:
    receiver.answers = [503] * 9
    with pytest.raises(WorkFailed, match="answered 503"):
        post(receiver)
    assert len(receiver.got) == 3


@pytest.mark.parametrize("status", [301, 307, 400, 404, 500])
def test_any_other_answer_is_a_failure_and_redirects_are_not_followed(receiver: Receiver, status: int) -> None:
    receiver.answers = [status]
    with pytest.raises(WorkFailed, match=f"answered {status}"):
        post(receiver)
    assert len(receiver.got) == 1


def test_an_error_does_not_tell_the_path_of_a_webhook(receiver: Receiver) -> None:
    receiver.answers = [500]
    with pytest.raises(WorkFailed) as failed:
        post(receiver)
    assert "very-secret-path" not in str(failed.value)


def test_a_receiver_that_is_not_there_is_a_failure() -> None:
    with Receiver() as gone:
        url = gone.url
    with pytest.raises(WorkFailed, match="did not answer"):
        CHANNELS.get("webhook").send(ALERT, {"url": url, "timeout": 1.0})


@pytest.mark.parametrize(
    "url",
    [
        "",
        "ftp://host/x",
        "file:///etc/passwd",
        "http://",
        "http://u:p@host/",
        "host/x",
        "http://a b/",
        "http://h:99999/",
    ],
)
def test_an_address_that_cannot_be_one_is_refused(url: str) -> None:
    with pytest.raises(InvalidInput):
        alert_to.webhook(url)
    with pytest.raises(InvalidInput):
        CHANNELS.get("webhook").send(ALERT, {"url": url})


def test_a_declared_webhook_keeps_what_it_was_given() -> None:
    spec = alert_to.webhook("https://example.org/hook", secret="s", at_least="warning")
    assert spec.settings == {"url": "https://example.org/hook", "timeout": 5.0, "secret": "s"}
    assert (spec.channel, spec.at_least, alert_to.log().channel) == ("webhook", "warning", "log")


@pytest.mark.parametrize("timeout", [0, -1, 31])
def test_a_timeout_that_is_none_is_refused(timeout: float) -> None:
    with pytest.raises(InvalidInput):
        alert_to.webhook("https://example.org/", timeout=timeout)
