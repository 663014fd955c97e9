"""Webhooks: addresses that are told of what happens in the registry, in the form that MLflow's receivers know.

What is to be told is written in the transaction of what happened, then sent until the receiver takes it, with growing
pauses, for a day or so. The body is `{"entity", "action", "timestamp", "data"}`. Headers: `X-MLflow-Delivery-Id` (the same at
each try, so that a receiver can know what it has seen), `X-MLflow-Timestamp` and, with a secret, `X-MLflow-Signature`: `v1,`
and the base64 of HMAC-SHA256 over `<delivery id>.<timestamp>.<body>`.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import logging
import re
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from urllib.parse import urlsplit
from uuid import uuid4

import sqlalchemy as sa

from flyball.alerts._webhook_store import deliveries, webhooks
from flyball.alerts.http_post import check_url, host_of, request
from flyball.alerts.public_addresses import is_public
from flyball.clock import Clock
from flyball.errors import FlyballError, InvalidInput, NotFound, WorkFailed, did_you_mean
from flyball.serialization import JsonValue, to_json
from flyball.storage.database import Database
from flyball.storage.event_log import EventLog
from flyball.verbs import change, read

logger = logging.getLogger(__name__)

EVENTS = (
    "registered_model.created", "model_version.created", "model_version_tag.set", "model_version_tag.deleted",
    "model_version_alias.created", "model_version_alias.deleted", "prompt.created", "prompt_version.created", "prompt_tag.set",
    "prompt_tag.deleted", "prompt_version_tag.set", "prompt_version_tag.deleted", "prompt_alias.created",
    "prompt_alias.deleted", "budget_policy.exceeded",
)  # fmt: skip
"""What may be told. Nothing here exceeds a budget; MLflow's clients may ask for it all the same."""

Networks = Literal["public", "any"]
MOST_ATTEMPTS = 20
_NAME = re.compile(r"[a-zA-Z0-9](?:[a-zA-Z0-9._-]{0,61}[a-zA-Z0-9])?")
_FIRST_PAUSE_SECONDS = 30
_LONGEST_PAUSE_SECONDS = 3_600
_KEPT_SECONDS = 30 * 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """An address that is told of events. Its secret is never given out again.

    Attributes:
        is_signed: Whether it has a secret.
        active: Whether it is told.
    """

    id: str
    name: str
    url: str
    events: tuple[str, ...]
    description: str = ""
    is_signed: bool = False
    active: bool = True
    created: datetime
    updated: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookDelivery:
    """What became of telling a webhook about something.

    Attributes:
        attempt: How often it was tried.
        state: `failed` when it will not be tried again.
        error: Why the last try did not succeed.
        at: When it was last tried, or written if it never was.
    """

    id: str
    webhook: str
    event: str
    state: Literal["pending", "sent", "failed"]
    attempt: int
    error: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookTest:
    """What came of telling a webhook an example.

    Attributes:
        status: Of the answer; None if there was none.
        body: The answer's first kilobytes.
    """

    success: bool
    status: int | None = None
    body: str = ""
    error: str = ""


class Webhooks:
    """Keeps webhooks and tells them.

    Args:
        networks: Where webhooks may stand: at `public` addresses, or at `any`.
    """

    def __init__(
        self,
        database: Database,
        events: EventLog,
        clock: Clock,
        *,
        networks: Networks = "public",
        reveal: Callable[[str, str], str] = lambda text, _: text,
    ) -> None:
        self._database = database
        self._reveal = reveal
        self._events = events
        self._clock = clock
        self._networks = networks
        self._sender: threading.Thread | None = None

    @change(role="maintainer")
    def create(
        self,
        name: str,
        url: str,
        events: Sequence[str],
        description: str = "",
        secret: str = "",
        active: bool = True,
    ) -> Webhook:
        """Adds a webhook.

        Args:
            events: What it is told of, such as `model_version.created`.
            secret: Signs what is sent; `secret:NAME` stands for the one that the workspace keeps under that name.

        Raises:
            InvalidInput: the name, address or an event cannot be used.
        """
        now = self._clock.now()
        row = {
            "id": str(uuid4()), "name": _name(name), "url": self._url(url), "events": _events(events), "secret": secret,
            "description": description, "active": active, "created": now, "updated": now,
        }  # fmt: skip
        with self._database.transaction() as connection:
            connection.execute(sa.insert(webhooks).values(row))
        return self.get(str(row["id"]))

    @read(role="maintainer")
    def get(self, id: str) -> Webhook:
        """The webhook of that id.

        Raises:
            NotFound: there is none.
        """
        with self._database.reading() as connection:
            return _webhook(_row(connection, id))

    @read(role="maintainer")
    def list(self, limit: int = 100, after: str = "") -> list[Webhook]:
        """Webhooks, newest first.

        Args:
            after: Only those that stand after the webhook of this id.
        """
        query = sa.select(webhooks).where(webhooks.c.deleted.is_(None))
        if after:
            with self._database.reading() as connection:
                last = _row(connection, after, deleted=True)
            order = sa.tuple_(webhooks.c.created, webhooks.c.id)
            query = query.where(
                order < sa.tuple_(sa.literal(last.created, webhooks.c.created.type), sa.literal(last.id))
            )
        query = query.order_by(webhooks.c.created.desc(), webhooks.c.id.desc())
        return [_webhook(row) for row in self._database.rows(query.limit(max(1, min(limit, 1001))))]

    @change(role="maintainer")
    def update(
        self,
        id: str,
        name: str | None = None,
        url: str | None = None,
        events: Sequence[str] | None = None,
        description: str | None = None,
        secret: str | None = None,
        active: bool | None = None,
    ) -> Webhook:
        """Changes a webhook; what is not given stays.

        Raises:
            NotFound: there is none of that id.
            InvalidInput: the name, address or an event cannot be used.
        """
        given: dict[str, Any] = {
            "name": None if name is None else _name(name),
            "url": None if url is None else self._url(url),
            "events": None if events is None else _events(events),
            "description": description,
            "secret": secret,
            "active": active,
        }
        values = {key: value for key, value in given.items() if value is not None}
        with self._database.transaction() as connection:
            _row(connection, id)
            values["updated"] = self._clock.now()
            connection.execute(sa.update(webhooks).where(webhooks.c.id == id).values(**values))
        return self.get(id)

    @change(role="maintainer")
    def delete(self, id: str) -> None:
        """Removes a webhook; what it was still to be told is dropped.

        Raises:
            NotFound: there is none of that id.
        """
        now = self._clock.now()
        with self._database.transaction() as connection:
            _row(connection, id)
            gone = {"deleted": now, "updated": now, "secret": ""}
            connection.execute(sa.update(webhooks).where(webhooks.c.id == id).values(**gone))
            waiting = sa.and_(deliveries.c.webhook == id, deliveries.c.state == "pending")
            dropped = {"state": "failed", "error": "The webhook was deleted."}
            connection.execute(sa.update(deliveries).where(waiting).values(**dropped))

    @change(role="maintainer")
    def test(self, id: str, event: str = "") -> WebhookTest:
        """Tells a webhook an example, once and at once.

        Args:
            event: What it is told; the first of its own events if none is given.

        Raises:
            NotFound: there is none of that id.
        """
        with self._database.reading() as connection:
            row = _row(connection, id)
        event = _events([event])[0] if event else row.events[0]
        body = self._body(event, example_of(event))
        try:
            answer = self._send(row.url, row.secret, str(uuid4()), body)
        except FlyballError as error:
            return WebhookTest(success=False, error=f"Failed to test webhook: {error}")
        said = bytes(answer.data)[:4_096].decode("utf-8", "replace")
        return WebhookTest(success=answer.status < 400, status=answer.status, body=said)

    @read(role="maintainer")
    def deliveries(self, id: str, limit: int = 100) -> Sequence[WebhookDelivery]:
        """What a webhook was told, newest first."""
        query = sa.select(deliveries).where(deliveries.c.webhook == id).order_by(deliveries.c.number.desc())
        names = WebhookDelivery.__dataclass_fields__
        rows = self._database.rows(query.limit(max(1, min(limit, 1000))))
        return [WebhookDelivery(**{name: row._mapping[name] for name in names}) for row in rows]

    def note(self, connection: sa.Connection, event: str, data: dict[str, JsonValue]) -> None:
        """Writes what webhooks are to be told, in the transaction in which it happens."""
        listening = [row.id for row in _listening(connection) if event in row.events]
        if not listening:
            return
        body = self._body(event, data)
        row = {
            "event": event, "body": body, "state": "pending", "attempt": 0, "next_try": 0.0, "error": "",
            "at": self._clock.now(),
        }  # fmt: skip
        connection.execute(sa.insert(deliveries), [{"id": str(uuid4()), "webhook": id_, **row} for id_ in listening])

    def is_listened_to(self, connection: sa.Connection) -> bool:
        """Whether there is any webhook to tell."""
        return bool(_listening(connection))

    def deliver(self, limit: int = 20) -> int:
        """Sends what is to be told now; gives how many were sent. Several processes may do so at once."""
        table, now = deliveries, self._database.dialect.now
        due = sa.select(table.c.number).where(table.c.state == "pending", table.c.next_try <= now)
        sent, silent = 0, set[str]()
        for row in self._database.rows(due.order_by(table.c.number).limit(limit)):
            claimed = self._claim(row.number)
            # One that does not answer is not waited for again and again within one call.
            if claimed is not None and claimed.webhook not in silent:
                error = self._try(claimed)
                sent += not error
                silent |= {claimed.webhook} if error else set()
        return sent

    def deliver_soon(self) -> None:
        """Sends what is to be told now on a thread of its own: who calls this must not wait for slow receivers."""
        if self._sender is not None and self._sender.is_alive():
            return
        due = sa.and_(deliveries.c.state == "pending", deliveries.c.next_try <= self._database.dialect.now)
        if self._database.row(sa.select(deliveries.c.number).where(due).limit(1)) is not None:
            self._sender = threading.Thread(target=self._deliver_all, name="webhooks", daemon=True)
            self._sender.start()

    def _deliver_all(self) -> None:
        try:
            while self.deliver():
                pass
        except Exception:  # a thread that ends is started anew by the next call
            logger.exception("webhooks could not be told")

    def _claim(self, number: int) -> sa.Row[Any] | None:
        """Takes a delivery on: nobody else gets it until its pause is over, so one whose sender dies is sent by another."""
        table, now = deliveries, self._database.dialect.now
        tries = table.c.attempt + 1
        pause = sa.case(
            (tries > 10, _LONGEST_PAUSE_SECONDS), else_=sa.cast(tries * tries * _FIRST_PAUSE_SECONDS, sa.Float)
        )
        mine = sa.and_(table.c.number == number, table.c.state == "pending", table.c.next_try <= now)
        values = {"attempt": tries, "next_try": now + pause, "at": self._clock.now()}
        with self._database.transaction() as connection:
            return connection.execute(sa.update(table).where(mine).values(**values).returning(table)).first()

    def _try(self, delivery: sa.Row[Any]) -> str:
        """Sends once; gives the error, empty if there was none."""
        error = ""
        try:
            with self._database.reading() as connection:
                row = _row(connection, delivery.webhook)
            answer = self._send(row.url, row.secret, delivery.id, delivery.body)
            if answer.status >= 400:
                raise WorkFailed(f"The webhook at {host_of(row.url)} answered {answer.status}.")
        except FlyballError as failed:
            error = str(failed)[:1_000]
            logger.warning("a webhook was not told", extra={"webhook": delivery.webhook, "error": error})
        gives_up = delivery.attempt >= MOST_ATTEMPTS
        state = "sent" if not error else "failed" if gives_up else "pending"
        mine = deliveries.c.number == delivery.number
        self._database.execute(sa.update(deliveries).where(mine).values(state=state, error=error))
        return error

    def _send(self, url: str, secret: str, id_: str, body: str) -> Any:
        at = str(int(time.time()))
        headers = {"content-type": "application/json", "X-MLflow-Delivery-Id": id_, "X-MLflow-Timestamp": at}
        if secret:
            known = self._reveal(secret, f"webhook at {host_of(url)}")
            headers["X-MLflow-Signature"] = sign(known, id_, at, body)
        return request("POST", url, body.encode(), headers, only_public=self._networks == "public")

    def _body(self, event: str, data: dict[str, JsonValue]) -> str:
        entity, _, action = event.partition(".")
        told = {"entity": entity, "action": action, "timestamp": self._clock.now().isoformat(), "data": data}
        return to_json(told).decode()

    def _url(self, url: str) -> str:
        check_url(url)
        if self._networks == "public" and not url.lower().startswith("https://"):
            raise InvalidInput(
                "Invalid webhook URL scheme: Allowed schemes are: https.",
                hint="Set `webhook_networks` to `any` if webhooks may reach your own network.",
            )
        host = urlsplit(url).hostname or ""
        if self._networks == "public" and (host == "localhost" or _is_address(host)) and not is_public(host):
            raise InvalidInput(f"Webhook URL must not resolve to a non-public IP address: '{host}'.")
        return url


def sign(secret: str, delivery: str, timestamp: str, body: str) -> str:
    """The signature of what is sent, as a receiver makes it again to compare."""
    signed = hmac.new(secret.encode(), f"{delivery}.{timestamp}.{body}".encode(), hashlib.sha256).digest()
    return f"v1,{base64.b64encode(signed).decode()}"


def example_of(event: str) -> dict[str, JsonValue]:
    """What a webhook is told of an event when it is tested."""
    entity, _, action = event.partition(".")
    told: dict[str, JsonValue] = {"name": f"example_{'prompt' if entity.startswith('prompt') else 'model'}"}
    made = {"tags": {"example_key": "example_value"}, "description": "An example"}
    if entity.endswith("_tag"):
        told |= {"key": "example_key"} | ({"value": "example_value"} if action == "set" else {})
        return told | ({} if entity == "prompt_tag" else {"version": "1"})
    if entity.endswith("_alias"):
        return told | {"alias": "example_alias"} | ({"version": "1"} if action == "created" else {})
    if entity == "model_version":
        return told | {"version": "1", "source": "models:/123", "run_id": "abcd1234abcd5678"} | made
    if entity == "prompt_version":
        return told | {"version": "1", "template": "Hello {{name}}!"} | made
    return told | made


def _listening(connection: sa.Connection) -> list[sa.Row[Any]]:
    wanted = sa.and_(webhooks.c.deleted.is_(None), webhooks.c.active.is_(True))
    return list(connection.execute(sa.select(webhooks.c.id, webhooks.c.events).where(wanted)))


def _row(connection: sa.Connection, id_: str, *, deleted: bool = False) -> sa.Row[Any]:
    row = connection.execute(sa.select(webhooks).where(webhooks.c.id == id_)).first()
    if row is None or (row.deleted is not None and not deleted):
        raise NotFound(f"Webhook with ID {id_[:60]} not found.")
    return row


def _webhook(row: sa.Row[Any]) -> Webhook:
    names = (name for name in Webhook.__dataclass_fields__ if name != "is_signed")
    return Webhook(**{name: row._mapping[name] for name in names}, is_signed=bool(row.secret))


def _is_address(host: str) -> bool:
    return ":" in host or host.replace(".", "").isdigit()


def _name(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise InvalidInput(
            f"Webhook name {name[:80]!r} is invalid.",
            hint="Use 1 to 63 letters, digits, '.', '_' and '-', beginning and ending with a letter or digit.",
        )
    return name


def _events(events: Sequence[str]) -> tuple[str, ...]:
    if not events:
        raise InvalidInput("Webhook events cannot be empty.", hint=f"Choose of {', '.join(EVENTS)}.")
    for event in events:
        if event not in EVENTS:
            raise InvalidInput(f"There is no event '{event[:60]}'.", hint=did_you_mean(event, EVENTS))
    return tuple(dict.fromkeys(events))
