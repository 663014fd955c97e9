"""Webhooks of the registry, as MLflow asks for them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from flyball.alerts.webhooks import EVENTS
from flyball.server.protocols.mlflow.conversions import milliseconds
from flyball.server.protocols.mlflow.wire import MlflowError, endpoint
from flyball.workspace import Workspace

if TYPE_CHECKING:
    from flyball.alerts.webhooks import Webhook

# The numbers that MLflow's clients may write instead of the words.
_STATUSES = ("", "ACTIVE", "DISABLED")


class Event(msgspec.Struct):
    """What a webhook is told of."""

    entity: str = ""
    action: str = ""


class CreateWebhook(msgspec.Struct):
    """What a webhook is made from."""

    name: str
    url: str
    events: list[Event]
    description: str = ""
    secret: str = ""
    status: str | int = ""


class ListWebhooks(msgspec.Struct):
    """Which page is asked for."""

    max_results: int = 100
    page_token: str = ""


class UpdateWebhook(msgspec.Struct):
    """What is to change."""

    name: str = ""
    url: str = ""
    events: list[Event] = []
    description: str | None = None
    secret: str | None = None
    status: str | int = ""


class TestWebhook(msgspec.Struct):
    """What a webhook is told as an example."""

    event: Event | None = None


@endpoint("POST", "mlflow/webhooks")
def create_webhook(workspace: Workspace, given: CreateWebhook) -> dict[str, Any]:
    """Adds a webhook."""
    made = workspace.webhooks.create(
        given.name,
        given.url,
        [_event(event) for event in given.events],
        description=given.description,
        secret=given.secret,
        active=_active(given.status) is not False,
    )
    return {"webhook": _json(made)}


@endpoint("GET", "mlflow/webhooks")
def list_webhooks(workspace: Workspace, given: ListWebhooks) -> dict[str, Any]:
    """Webhooks, newest first."""
    size = given.max_results or 100
    if not 1 <= size <= 1_000:
        raise MlflowError("max_results must be between 1 and 1000.")
    found = workspace.webhooks.list(size + 1, given.page_token)
    told: dict[str, Any] = {"webhooks": [_json(webhook) for webhook in found[:size]]} if found else {}
    return told | ({"next_page_token": found[size - 1].id} if len(found) > size else {})


@endpoint("GET", "mlflow/webhooks/{webhook_id}")
def get_webhook(workspace: Workspace, webhook_id: str) -> dict[str, Any]:
    """One webhook."""
    return {"webhook": _json(workspace.webhooks.get(webhook_id))}


@endpoint("PATCH", "mlflow/webhooks/{webhook_id}")
def update_webhook(workspace: Workspace, given: UpdateWebhook, webhook_id: str) -> dict[str, Any]:
    """Changes a webhook."""
    changed = workspace.webhooks.update(
        webhook_id,
        name=given.name or None,
        url=given.url or None,
        events=[_event(event) for event in given.events] or None,
        description=given.description,
        secret=given.secret,
        active=_active(given.status),
    )
    return {"webhook": _json(changed)}


@endpoint("DELETE", "mlflow/webhooks/{webhook_id}")
def delete_webhook(workspace: Workspace, webhook_id: str) -> None:
    """Removes a webhook."""
    workspace.webhooks.delete(webhook_id)


@endpoint("POST", "mlflow/webhooks/{webhook_id}/test")
def test_webhook(workspace: Workspace, given: TestWebhook, webhook_id: str) -> dict[str, Any]:
    """Tells a webhook an example."""
    tried = workspace.webhooks.test(webhook_id, _event(given.event) if given.event else "")
    told: dict[str, Any] = {"success": tried.success}
    if tried.status is not None:
        told |= {"response_status": tried.status, "response_body": tried.body}
    return {"result": told | ({"error_message": tried.error} if tried.error else {})}


def _event(given: Event) -> str:
    entity, action = given.entity.lower(), given.action.lower()
    known = {event.partition(".")[0] for event in EVENTS}
    if entity not in known:
        raise MlflowError(
            f"Invalid value {given.entity[:60]!r} for parameter 'events' supplied: there is no such entity."
        )
    valid = sorted(event.partition(".")[2] for event in EVENTS if event.partition(".")[0] == entity)
    if action not in valid:
        raise MlflowError(f"Invalid action '{action[:60]}' for entity '{entity}'. Valid actions are: {valid}")
    return f"{entity}.{action}"


def _active(status: str | int) -> bool | None:
    word = _STATUSES[status] if isinstance(status, int) and 0 <= status < len(_STATUSES) else str(status)
    if word not in _STATUSES:
        raise MlflowError(f"Invalid value {word[:60]!r} for parameter 'status' supplied: use ACTIVE or DISABLED.")
    return word == "ACTIVE" if word else None


def _json(webhook: Webhook) -> dict[str, Any]:
    told: dict[str, Any] = {
        "webhook_id": webhook.id,
        "name": webhook.name,
        "description": webhook.description,
        "url": webhook.url,
        "events": [_event_json(event) for event in webhook.events],
        "status": "ACTIVE" if webhook.active else "DISABLED",
        "creation_timestamp": milliseconds(webhook.created),
        "last_updated_timestamp": milliseconds(webhook.updated),
    }
    return {name: value for name, value in told.items() if value != ""}


def _event_json(event: str) -> dict[str, str]:
    entity, _, action = event.partition(".")
    return {"entity": entity.upper(), "action": action.upper()}
