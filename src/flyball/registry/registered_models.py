"""Registered models: names for versions, with a description and tags, whether or not they have a version."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from flyball.clock import Clock
from flyball.errors import AlreadyExists, Conflict
from flyball.lineage import Lineage
from flyball.refs import Ref, check_model_name
from flyball.registry import _people_store as _people
from flyball.registry import _store
from flyball.registry._notices import Notices
from flyball.registry._tags import ATTRIBUTE_NAMES, TAGS, asks_for_prompts, is_prompt, tag_fits
from flyball.registry.pages import Place, check_model_tags, sorted_by
from flyball.registry.versions import ModelVersion, RegisteredModel, models_of, versions_of
from flyball.serialization import JsonValue
from flyball.storage.database import Database
from flyball.storage.event_log import EventLog
from flyball.storage.objects import Blobs
from flyball.tracking import limits
from flyball.tracking.filter_sql import compare
from flyball.tracking.filters import (
    TEXT_OR_LIST,
    Comparison,
    Field,
    Fields,
    Group,
    comparisons,
    parse_filter,
    parse_order,
    to_sql,
)
from flyball.verbs import change, read

FIELDS = Fields(
    what="registered model",
    groups=(
        Group(
            name="attribute",
            aliases=ATTRIBUTE_NAMES,
            keys={"name": Field(kind="text", operators=TEXT_OR_LIST)},
        ),
        TAGS,
    ),
)
ORDERS = Fields(
    what="registered model",
    groups=(
        Group(
            name="attribute",
            keys={
                "name": Field(kind="text", operators=()),
                "last_updated_timestamp": Field(kind="time", operators=()),
            },
            key_aliases={"timestamp": "last_updated_timestamp"},
        ),
    ),
)
_MOST = 1_000
OF_MODELS = (
    _store.versions, _store.aliases, _store.alias_changes, _people.approvals, _people.sections, _people.deprecations,
    _people.retirements, _people.holds, _people.signatures,
)  # fmt: skip
"""The tables whose rows are of the model that their column `model` names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelPage:
    """A page of registered models, and how to ask for the next one; empty on the last."""

    models: tuple[RegisteredModel, ...]
    next_page_token: str = ""


class RegisteredModels:
    """Keeps the names."""

    def __init__(self, database: Database, blobs: Blobs, events: EventLog, clock: Clock) -> None:
        self._database = database
        self._events = events
        self._clock = clock
        self._lineage = Lineage(database, events, clock)
        self._notices = Notices(database, events, clock)

    @change
    def create(self, name: str, description: str = "", tags: dict[str, str] | None = None) -> RegisteredModel:
        """Makes a name for versions to come.

        Raises:
            AlreadyExists: there is one of that name.
            InvalidInput: the name, description or a tag cannot be kept.
        """
        check_model_name(name)
        row: dict[str, Any] = {
            "description": limits.check_text(description, "description", 100_000),
            "tags": check_model_tags(tags or {}),
            "deleted": None,
        }
        with self._database.transaction() as connection:
            now = self._clock.now()
            before = connection.execute(
                sa.select(_store.models).where(_store.models.c.name == name).with_for_update()
            ).first()
            if before is not None and before.deleted is None:
                raise _exists(name)
            _store.lock_new_model(self._database, connection, name, now)
            mine = _store.models.c.name == name
            connection.execute(sa.update(_store.models).where(mine).values(created=now, updated=now, **row))
            self._tell(connection, "model_created", name)
            self._notices.model_created(connection, name, description, row["tags"])
            return self._get(connection, name)

    @read
    def get(self, name: str) -> RegisteredModel:
        """The model of that name.

        Raises:
            NotFound: there is none.
        """
        with self._database.reading() as connection:
            return self._get(connection, name)

    @change
    def update(self, name: str, description: str) -> RegisteredModel:
        """Describes a model anew.

        Raises:
            NotFound: there is none of that name.
        """
        description = limits.check_text(description, "description", 100_000)
        with self._database.transaction() as connection:
            self._change(connection, name, description=description, updated=self._clock.now())
            return self._get(connection, name)

    @change
    def set_tag(self, name: str, key: str, value: str) -> None:
        """Sets a tag of a model.

        Raises:
            NotFound: there is none of that name.
        """
        tag = check_model_tags({key: value})
        with self._database.transaction() as connection:
            row = _store.lock_model(connection, name)
            self._change(connection, name, tags={**(row.tags or {}), **tag})
            self._notices.model_tag(connection, name, key, value)

    @change
    def delete_tag(self, name: str, key: str) -> None:
        """Removes a tag of a model; nothing happens if it has none of that key.

        Raises:
            NotFound: there is no model of that name.
        """
        with self._database.transaction() as connection:
            row = _store.lock_model(connection, name)
            self._notices.model_tag(connection, name, key, None)
            self._change(connection, name, tags={kept: text for kept, text in (row.tags or {}).items() if kept != key})

    @change(role="maintainer")
    def rename(self, name: str, new_name: str) -> RegisteredModel:
        """Gives a model another name; what was said and done under the old one goes along.

        Raises:
            NotFound: there is none of that name.
            AlreadyExists: the other name is taken.
            Conflict: something that runs needs a version under its name.
        """
        check_model_name(new_name)
        with self._database.transaction() as connection:
            row = _store.lock_model(connection, name)
            table = _store.models
            taken = connection.execute(sa.select(table).where(table.c.name == new_name).with_for_update()).first()
            if taken is not None:
                raise _exists(new_name)
            self._refuse_held(connection, name)
            now = self._clock.now()
            connection.execute(sa.insert(table).values({**row._mapping, "name": new_name, "updated": now}))
            for other in OF_MODELS:
                values = {"model": new_name} | ({"updated": now} if other is _store.versions else {})
                connection.execute(sa.update(other).where(other.c.model == name).values(**values))
            connection.execute(sa.delete(table).where(table.c.name == name))
            _rename_comments(connection, _ref(name), _ref(new_name))
            self._lineage.rename(connection, _ref(name), _ref(new_name))
            self._tell(connection, "model_renamed", new_name, former=name)
            return self._get(connection, new_name)

    @change(role="maintainer")
    def delete(self, name: str) -> None:
        """Deletes a model with all its versions. Its numbers are not given again under this name.

        Raises:
            NotFound: there is none of that name.
            Conflict: something that runs needs one of its versions.
        """
        with self._database.transaction() as connection:
            _store.lock_model(connection, name)
            self._refuse_held(connection, name)
            now, versions = self._clock.now(), _store.versions
            for alias in _store.aliases_of(connection, name):
                _store.move_alias(
                    self._database, connection, model=name, alias=alias, version=None, reason="the model was deleted",
                    now=now,
                )  # fmt: skip
            live = sa.and_(versions.c.model == name, versions.c.deleted.is_(None))
            stage = sa.case((versions.c.stage.in_(("champion", "challenger")), "archived"), else_=versions.c.stage)
            connection.execute(sa.update(versions).where(live).values(deleted=now, stage=stage))
            self._change(connection, name, deleted=now, updated=now)
            self._tell(connection, "model_deleted", name)

    @read
    def search(
        self,
        filter: str = "",
        order_by: list[str] | None = None,
        limit: int = 100,
        page_token: str = "",
        native: bool = True,
    ) -> ModelPage:
        """Models that fit, by name unless another order is asked for. Prompts are given only where they are asked for.

        Args:
            filter: Such as `name LIKE 'churn%' AND tags.team = 'growth'`.
            order_by: `name` or `last_updated_timestamp`, with ASC or DESC.
            native: Without it, only MLflow's own language is taken.

        Raises:
            InvalidInput: the filter, order or page token is not understood.
        """
        node = parse_filter(filter, FIELDS, native=native)
        place = Place(page_token, filter, order_by, size=max(1, min(limit, _MOST)))
        table = _store.models
        wanted = to_sql(node, _condition)
        if not asks_for_prompts(comparisons(node)):
            wanted = sa.and_(wanted, ~is_prompt(table.c.tags))
        columns = {"name": table.c.name, "last_updated_timestamp": table.c.updated}
        order = sorted_by(parse_order(order_by or [], ORDERS), columns, ("name",))
        query = place.of(_store.select_models().where(wanted).order_by(*order))
        with self._database.reading() as connection:
            rows = connection.execute(query).all()
            found = models_of(connection, place.shown(rows))
        return ModelPage(models=tuple(found), next_page_token=place.token_after(rows))

    @read
    def latest_versions(self, names: list[str]) -> dict[str, tuple[ModelVersion, ...]]:
        """The latest version of each of MLflow's stages of several models."""
        limits.check_count(len(names), "models", _MOST)
        table = _store.versions
        place = sa.func.row_number().over(
            partition_by=(table.c.model, table.c.mlflow_stage), order_by=table.c.version.desc()
        )
        live = sa.and_(table.c.model.in_(sorted(set(names))), table.c.deleted.is_(None))
        ranked = sa.select(table.c.model, table.c.version, place.label("place")).where(live).subquery()
        same = sa.and_(table.c.model == ranked.c.model, table.c.version == ranked.c.version)
        query = sa.select(table).join(ranked, same).where(ranked.c.place == 1).order_by(table.c.model, table.c.version)
        found: dict[str, tuple[ModelVersion, ...]] = dict.fromkeys(names, ())
        with self._database.reading() as connection:
            for version in versions_of(connection, connection.execute(query).all()):
                found[version.model] = (*found[version.model], version)
        return found

    def _get(self, connection: sa.Connection, name: str) -> RegisteredModel:
        row = connection.execute(_store.select_models().where(_store.models.c.name == name)).first()
        if row is None:
            raise _store.no_model(connection, name)
        return models_of(connection, [row])[0]

    def _change(self, connection: sa.Connection, name: str, **values: Any) -> None:
        _store.lock_model(connection, name)
        mine = _store.models.c.name == name
        connection.execute(sa.update(_store.models).where(mine).values(**values))

    def _refuse_held(self, connection: sa.Connection, name: str) -> None:
        table = _people.holds
        holder = connection.execute(sa.select(table.c.holder).where(table.c.model == name).limit(1)).scalar()
        if holder is not None:
            raise Conflict(
                f"A version of '{name}' is used by {holder}.", hint="Let another model answer there first.", model=name
            )

    def _tell(self, connection: sa.Connection, what: str, name: str, **facts: JsonValue) -> None:
        self._events.append(connection, f"registry.{what}", _ref(name), model=name, **facts)


def _condition(asked: Comparison) -> sa.ColumnElement[bool]:
    table = _store.models
    if asked.group == "tag":
        return tag_fits(table.c.tags, asked)
    return compare(table.c.name, asked)


def _rename_comments(connection: sa.Connection, former: str, new: str) -> None:
    table = _people.comments
    for mark in ("/", "@"):
        begins = sa.func.substr(table.c.ref, 1, len(former) + 1) == former + mark
        renamed = sa.literal(new, sa.String) + sa.func.substr(table.c.ref, len(former) + 1)
        connection.execute(sa.update(table).where(begins).values(ref=renamed))
    connection.execute(sa.update(table).where(table.c.ref == former).values(ref=new))


def _ref(name: str) -> str:
    return str(Ref(kind="models", name=name))


def _exists(name: str) -> AlreadyExists:
    return AlreadyExists(f"There is a model '{name}' already.", hint="Choose another name.", model=name)
