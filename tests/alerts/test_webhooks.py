"""Webhooks: kept, told of what happens, signed, tried again, and kept away from inner addresses."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
import sqlalchemy as sa

from flyball.alerts import _webhook_store
from flyball.alerts.public_addresses import is_public
from flyball.alerts.webhooks import EVENTS, Webhooks, example_of
from flyball.clock import FixedClock
from flyball.errors import InvalidInput, NotFound
from flyball.storage.database import Database
from flyball.storage.event_log import EventLog

CREATED = "model_version.created"


@dataclass
class Receiver:
    url: str = ""
    status: int = 200
    got: list[tuple[dict[str, str], str]] = field(default_factory=list)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    seen = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"])).decode()
            seen.got.append(({name.lower(): value for name, value in self.headers.items()}, body))
            self.send_response(seen.status)
            if seen.status == 302:
                self.send_header("location", "http://169.254.169.254/")
            self.end_headers()
            self.wfile.write(b"thanks")

        def log_message(self, *_: Any) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    seen.url = f"http://127.0.0.1:{server.server_port}/hook"
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    yield seen
    server.shutdown()
    server.server_close()


@pytest.fixture
def webhooks(database: Database, events: EventLog, clock: FixedClock) -> Webhooks:
    return Webhooks(database, events, clock, networks="any")


def tell(webhooks: Webhooks, database: Database, event: str = CREATED, **data: Any) -> None:
    with database.transaction() as connection:
        webhooks.note(connection, event, data)


def test_a_webhook_is_kept_without_giving_its_secret_away(webhooks: Webhooks) -> None:
    made = webhooks.create("ci", "http://hooks.example/a", [CREATED, CREATED], description="CI", secret="s3cret")
    assert webhooks.get(made.id) == made
    assert (made.events, made.is_signed, made.active) == ((CREATED,), True, True)
    assert "s3cret" not in repr(made)


def test_webhooks_are_listed_newest_first_page_by_page(webhooks: Webhooks, clock: FixedClock) -> None:
    made = []
    for number in range(3):
        made.append(webhooks.create(f"w{number}", "http://hooks.example/a", [CREATED]).id)
        clock.advance(timedelta(seconds=1))
    assert [webhook.id for webhook in webhooks.list()] == made[::-1]
    assert [webhook.id for webhook in webhooks.list(limit=1, after=made[2])] == [made[1]]


def test_what_is_not_given_stays(webhooks: Webhooks) -> None:
    made = webhooks.create("ci", "http://hooks.example/a", [CREATED], secret="a")
    changed = webhooks.update(made.id, name="cd", active=False)
    assert (changed.name, changed.url, changed.events, changed.is_signed, changed.active) == (
        "cd", made.url, made.events, True, False,
    )  # fmt: skip
    assert not webhooks.update(made.id, secret="").is_signed


def test_a_deleted_webhook_is_gone_and_told_nothing(webhooks: Webhooks, database: Database, receiver: Receiver) -> None:
    made = webhooks.create("ci", receiver.url, [CREATED])
    tell(webhooks, database)
    webhooks.delete(made.id)
    assert (webhooks.deliver(), receiver.got, webhooks.list()) == (0, [], [])
    with pytest.raises(NotFound, match=f"Webhook with ID {made.id} not found"):
        webhooks.get(made.id)


@pytest.mark.parametrize(
    "bad",
    [
        {"name": ""},
        {"name": "-a"},
        {"name": "a" * 64},
        {"url": "ftp://hooks.example"},
        {"url": "http://user:word@hooks.example"},
        {"url": ""},
        {"events": []},
        {"events": ["model_version.made"]},
    ],
)
def test_what_cannot_be_used_is_refused(webhooks: Webhooks, bad: dict[str, Any]) -> None:
    good: dict[str, Any] = {"name": "ci", "url": "http://hooks.example/a", "events": [CREATED]}
    with pytest.raises(InvalidInput):
        webhooks.create(**{**good, **bad})


def test_what_is_told_is_signed_as_mlflow_signs_it(webhooks: Webhooks, database: Database, receiver: Receiver) -> None:
    webhooks.create("ci", receiver.url, [CREATED], secret="s3cret")
    webhooks.create("other", receiver.url, ["prompt.created"])
    tell(webhooks, database, name="churn", version="1")
    assert (webhooks.deliver(), webhooks.deliver()) == (1, 0)
    ((headers, body),) = receiver.got
    told = json.loads(body)
    assert (told["entity"], told["action"], told["data"]) == (
        "model_version",
        "created",
        {"name": "churn", "version": "1"},
    )
    text = f"{headers['x-mlflow-delivery-id']}.{headers['x-mlflow-timestamp']}.{body}"
    mine = base64.b64encode(hmac.new(b"s3cret", text.encode(), hashlib.sha256).digest()).decode()
    assert headers["x-mlflow-signature"] == f"v1,{mine}"


def test_a_change_that_fails_is_not_told(webhooks: Webhooks, database: Database, receiver: Receiver) -> None:
    webhooks.create("ci", receiver.url, [CREATED])

    def fail() -> None:
        with database.transaction() as connection:
            webhooks.note(connection, CREATED, {})
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert webhooks.deliver() == 0


def test_what_was_not_taken_is_sent_again_later_under_the_same_id(
    webhooks: Webhooks, database: Database, receiver: Receiver
) -> None:
    made = webhooks.create("ci", receiver.url, [CREATED])
    receiver.status = 500
    tell(webhooks, database)
    assert (webhooks.deliver(), webhooks.deliver(), len(receiver.got)) == (0, 0, 1)
    (delivery,) = webhooks.deliveries(made.id)
    assert (delivery.state, delivery.attempt) == ("pending", 1)
    assert "answered 500" in delivery.error
    receiver.status = 204
    database.execute(sa.update(_webhook_store.deliveries).values(next_try=0.0))
    assert webhooks.deliver() == 1
    assert [headers["x-mlflow-delivery-id"] for headers, _ in receiver.got] == [delivery.id] * 2
    assert [(each.state, each.attempt) for each in webhooks.deliveries(made.id)] == [("sent", 2)]


def test_a_webhook_that_does_not_answer_is_given_up_one_day(
    webhooks: Webhooks, database: Database, receiver: Receiver
) -> None:
    made = webhooks.create("ci", receiver.url, [CREATED])
    receiver.status = 400
    tell(webhooks, database)
    database.execute(sa.update(_webhook_store.deliveries).values(attempt=19))
    webhooks.deliver()
    assert [each.state for each in webhooks.deliveries(made.id)] == ["failed"]


def test_what_is_switched_off_is_told_nothing(webhooks: Webhooks, database: Database, receiver: Receiver) -> None:
    webhooks.create("ci", receiver.url, [CREATED], active=False)
    tell(webhooks, database)
    assert (webhooks.deliver(), receiver.got) == (0, [])


def test_sending_can_be_left_to_a_thread(webhooks: Webhooks, database: Database, receiver: Receiver) -> None:
    webhooks.create("ci", receiver.url, [CREATED])
    tell(webhooks, database)
    webhooks.deliver_soon()
    assert webhooks._sender is not None
    webhooks._sender.join(10)
    assert len(receiver.got) == 1


@pytest.mark.parametrize("event", EVENTS)
def test_every_event_has_an_example(event: str) -> None:
    assert example_of(event)["name"]


def test_a_test_tells_what_the_receiver_said(webhooks: Webhooks, receiver: Receiver) -> None:
    made = webhooks.create("ci", receiver.url, [CREATED])
    tried = webhooks.test(made.id)
    assert (tried.success, tried.status, tried.body) == (True, 200, "thanks")
    receiver.status = 410
    assert not webhooks.test(made.id, "model_version_tag.set").success
    assert json.loads(receiver.got[-1][1])["entity"] == "model_version_tag"


def test_a_redirect_is_not_followed(webhooks: Webhooks, receiver: Receiver) -> None:
    receiver.status = 302
    tried = webhooks.test(webhooks.create("ci", receiver.url, [CREATED]).id)
    assert (tried.status, len(receiver.got)) == (302, 1)


def test_inner_addresses_are_not_spoken_to(
    database: Database, events: EventLog, clock: FixedClock, receiver: Receiver, webhooks: Webhooks
) -> None:
    made = webhooks.create("ci", receiver.url, [CREATED])
    strict = Webhooks(database, events, clock)
    tried = strict.test(made.id)
    assert (tried.success, receiver.got) == (False, [])
    assert "public address" in tried.error
    with pytest.raises(InvalidInput, match="https"):
        strict.create("ci", receiver.url, [CREATED])
    for host in ("127.0.0.1", "localhost", "[::1]", "169.254.169.254", "2130706433"):
        with pytest.raises(InvalidInput, match="non-public"):
            strict.create("ci", f"https://{host}/hook", [CREATED])


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "10.1.2.3", "192.168.0.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "::1", "fe80::1%eth0", "fd00::1",
     "::ffff:127.0.0.1", "2002:7f00:1::", "64:ff9b::a00:1", "224.0.0.1", "", "localhost"],
)  # fmt: skip
def test_what_is_not_public_is_known(address: str) -> None:
    assert not is_public(address)
    assert is_public("93.184.216.34")
