"""What webhooks are told of the registry, in MLflow's words: models and prompts, their versions, tags and aliases."""

from __future__ import annotations

import sqlalchemy as sa

from flyball.alerts.webhooks import Webhooks
from flyball.clock import Clock
from flyball.registry import _store
from flyball.registry._tags import PROMPT_TAG
from flyball.serialization import JsonValue
from flyball.storage.database import Database
from flyball.storage.event_log import EventLog

_PROMPT_TEXT = "mlflow.prompt.text"
_PROMPT_TYPE = "_mlflow_prompt_type"


class Notices:
    """Writes them in the transaction of the change. Without a webhook each costs one small query."""

    def __init__(self, database: Database, events: EventLog, clock: Clock) -> None:
        self._webhooks = Webhooks(database, events, clock)

    def model_created(self, connection: sa.Connection, name: str, description: str, tags: dict[str, str]) -> None:
        """A name was made."""
        prompt = is_prompt(tags)
        shown = {key: text for key, text in tags.items() if not (prompt and key in (PROMPT_TAG, _PROMPT_TYPE))}
        told: dict[str, JsonValue] = {"name": name, "tags": dict(shown), "description": description}
        self._webhooks.note(connection, "prompt.created" if prompt else "registered_model.created", told)

    def model_tag(self, connection: sa.Connection, name: str, key: str, value: str | None) -> None:
        """A tag of a name was set, or removed. Only prompts are told of it."""
        if self._webhooks.is_listened_to(connection) and _of_prompt(connection, name):
            told: dict[str, JsonValue] = {"name": name, "key": key}
            self._note_tag(connection, "prompt_tag", told, value)

    def version_created(self, connection: sa.Connection, name: str, version: int) -> None:
        """A version was registered."""
        if not self._webhooks.is_listened_to(connection):
            return
        row = _store.version_row(connection, name, version)
        told: dict[str, JsonValue] = {"name": name, "version": str(version)}
        last: dict[str, JsonValue] = {"description": row.description or None}
        if is_prompt(row.tags):
            hidden = (PROMPT_TAG, _PROMPT_TYPE, _PROMPT_TEXT)
            tags: JsonValue = {key: text for key, text in row.tags.items() if key not in hidden}
            told |= {"template": row.tags.get(_PROMPT_TEXT), "tags": tags, **last}
            self._webhooks.note(connection, "prompt_version.created", told)
        else:
            told |= {"source": row.source, "run_id": row.run or None, "tags": dict(row.tags), **last}
            self._webhooks.note(connection, "model_version.created", told)

    def version_tag(self, connection: sa.Connection, name: str, version: int, key: str, value: str | None) -> None:
        """A tag of a version was set, or removed."""
        if self._webhooks.is_listened_to(connection):
            entity = "prompt_version_tag" if _of_prompt(connection, name) else "model_version_tag"
            self._note_tag(connection, entity, {"name": name, "version": str(version), "key": key}, value)

    def alias(self, connection: sa.Connection, name: str, alias: str, version: int | None) -> None:
        """An alias was set, or removed."""
        if self._webhooks.is_listened_to(connection):
            entity = "prompt_alias" if _of_prompt(connection, name) else "model_version_alias"
            told: dict[str, JsonValue] = {"name": name, "alias": alias}
            if version is None:
                self._webhooks.note(connection, f"{entity}.deleted", told)
            else:
                self._webhooks.note(connection, f"{entity}.created", {**told, "version": str(version)})

    def _note_tag(self, connection: sa.Connection, entity: str, told: dict[str, JsonValue], value: str | None) -> None:
        if value is None:
            self._webhooks.note(connection, f"{entity}.deleted", told)
        else:
            self._webhooks.note(connection, f"{entity}.set", {**told, "value": value})


def is_prompt(tags: dict[str, str] | None) -> bool:
    """Whether the tags are those of a prompt."""
    return (tags or {}).get(PROMPT_TAG, "").lower() == "true"


def _of_prompt(connection: sa.Connection, name: str) -> bool:
    return is_prompt(connection.execute(sa.select(_store.models.c.tags).where(_store.models.c.name == name)).scalar())
