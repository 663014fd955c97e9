"""Versions as MLflow knows them: from any source, with tags set one by one, with its stages, searched for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from flyball.clock import Clock
from flyball.errors import Conflict, InvalidInput
from flyball.lineage import Lineage
from flyball.models.package import ModelPackage, no_package
from flyball.principals import who
from flyball.refs import Ref, check_name
from flyball.registry import _store
from flyball.registry._notices import Notices
from flyball.registry._tags import ATTRIBUTE_NAMES, TAGS, asks_for_prompts, is_prompt, tag_fits
from flyball.registry.holds import holders_of
from flyball.registry.pages import Place, check_model_tags, sorted_by
from flyball.registry.versions import CHAMPION, MlflowStage, ModelVersion, Registry, check_kept, versions_of
from flyball.serialization import JsonValue
from flyball.storage.database import Database
from flyball.storage.event_log import EventLog
from flyball.storage.objects import Blobs
from flyball.tracking import limits
from flyball.tracking.filter_sql import compare, compare_time
from flyball.tracking.filters import (
    NUMBER,
    TEXT,
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

MLFLOW_STAGES: tuple[MlflowStage, ...] = ("None", "Staging", "Production", "Archived")
_ACTIVE = ("Staging", "Production")
_TIMES = ("creation_timestamp", "last_updated_timestamp")
FIELDS = Fields(
    what="model version",
    groups=(
        Group(
            name="attribute",
            aliases=ATTRIBUTE_NAMES,
            keys={
                "name": Field(kind="text", operators=TEXT_OR_LIST),
                "run_id": Field(kind="text", operators=TEXT_OR_LIST),
                "source_path": Field(kind="text", operators=TEXT),
                "version_number": Field(kind="number", operators=NUMBER),
                **{name: Field(kind="time", operators=(), native=NUMBER) for name in _TIMES},
                **{name: Field(kind="text", operators=(), native=TEXT_OR_LIST) for name in ("stage", "status", "user")},
            },
        ),
        TAGS,
    ),
)
_MOST = 200_000


def _columns() -> dict[str, sa.ColumnElement[Any]]:
    table = _store.versions
    return {
        "name": table.c.model,
        "run_id": table.c.run,
        "source_path": table.c.source,
        "version_number": table.c.version,
        "creation_timestamp": table.c.created,
        "last_updated_timestamp": sa.func.coalesce(table.c.updated, table.c.created, type_=table.c.created.type),
        "stage": table.c.stage,
        "status": table.c.status,
        "user": table.c.user,
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionPage:
    """A page of versions, and how to ask for the next one; empty on the last."""

    versions: tuple[ModelVersion, ...]
    next_page_token: str = ""


class ModelVersions:
    """Keeps versions that may come from elsewhere."""

    def __init__(self, database: Database, blobs: Blobs, events: EventLog, clock: Clock) -> None:
        self._database = database
        self._blobs = blobs
        self._events = events
        self._clock = clock
        self._registry = Registry(database, blobs, events, clock)
        self._lineage = Lineage(database, events, clock)
        self._notices = Notices(database, events, clock)

    @change
    def create(
        self,
        model: str,
        source: str = "",
        package: ModelPackage | None = None,
        run: str = "",
        logged_model: str = "",
        description: str = "",
        tags: dict[str, str] | None = None,
        run_link: str = "",
        user: str = "",
    ) -> ModelVersion:
        """Registers what lies at a source as the next version of a model, every time it is called.

        Args:
            package: Its files, where they are kept here; without it, the version is known and cannot be served.

        Raises:
            NotFound: there is no such model, or bytes of the package are not kept.
            InvalidInput: a name or text cannot be kept.
        """
        package = package or no_package()
        check_kept(self._blobs, package)
        now = self._clock.now()
        row: dict[str, Any] = {
            "stage": "candidate", "package": package, "package_id": package.id, "run": check_name(run, "run") if run else "",
            "snapshots": (), "holdout": "", "label": "", "slices": (), "reference": "", "code": "", "params": {},
            "created": now, "tags": check_model_tags(tags or {}),
        }  # fmt: skip
        texts = {"source": source, "logged_model": logged_model, "description": description, "run_link": run_link}
        longest = {"source": 2_000, "logged_model": 128, "run_link": 2_000}
        row |= {what: limits.check_text(text, what, longest.get(what, 100_000)) for what, text in texts.items()}
        row["user"] = limits.check_text(who(user), "user", 250)
        if source or package.id != no_package().id:
            self._database.ask("registry.registering", model=model, package=package, snapshots=(), tags=tags or {})
        with self._database.transaction() as connection:
            version = _store.lock_model(connection, model).latest + 1
            connection.execute(sa.insert(_store.versions).values(model=model, version=version, **row))
            mine = _store.models.c.name == model
            connection.execute(sa.update(_store.models).where(mine).values(latest=version, updated=now))
            if run:
                self._lineage.add(connection, str(Ref(kind="runs", name=run)), _ref(model, version), "produced")
            self._tell(connection, "version_registered", model, version, run=run, package=package.id)
            self._notices.version_created(connection, model, version)
            return self._version(connection, model, version)

    @read
    def get(self, model: str, version: int) -> ModelVersion:
        """One version.

        Raises:
            NotFound: there is no such version.
        """
        with self._database.reading() as connection:
            return self._version(connection, model, version)

    @change
    def set_tag(self, model: str, version: int, key: str, value: str) -> None:
        """Sets a tag of a version.

        Raises:
            NotFound: there is no such version.
        """
        tag = check_model_tags({key: value})
        with self._database.transaction() as connection:
            _store.lock_model(connection, model)
            row = _store.version_row(connection, model, version)
            self._change(connection, model, version, tags={**row.tags, **tag})
            self._tell(connection, "version_updated", model, version, changed=["tags"])
            self._notices.version_tag(connection, model, version, key, value)

    @change
    def delete_tag(self, model: str, version: int, key: str) -> None:
        """Removes a tag of a version; nothing happens if it has none of that key.

        Raises:
            NotFound: there is no such version.
        """
        with self._database.transaction() as connection:
            _store.lock_model(connection, model)
            row = _store.version_row(connection, model, version)
            self._change(
                connection, model, version, tags={name: text for name, text in row.tags.items() if name != key}
            )
            self._tell(connection, "version_updated", model, version, changed=["tags"])
            self._notices.version_tag(connection, model, version, key, None)

    @change(role="maintainer")
    def set_mlflow_stage(self, model: str, version: int, stage: str, archive_others: bool = False) -> ModelVersion:
        """Puts a version into one of MLflow's stages. Who answers is not touched by it: that is what aliases say.

        Args:
            archive_others: Whether the versions that are in that stage now are archived.

        Raises:
            NotFound: there is no such version.
            InvalidInput: there is no such stage, or others are archived for one that is not active.
        """
        wanted = mlflow_stage(stage)
        if archive_others and wanted not in _ACTIVE:
            raise InvalidInput(
                "Model version transition cannot archive existing model versions because "
                f"'{stage}' is not an Active stage. Valid stages are {list(_ACTIVE)}"
            )
        table = _store.versions
        with self._database.transaction() as connection:
            _store.lock_model(connection, model)
            _store.version_row(connection, model, version)
            now = self._clock.now()
            if archive_others:
                others = sa.and_(
                    table.c.model == model,
                    table.c.version != version,
                    table.c.mlflow_stage == wanted,
                    table.c.deleted.is_(None),
                )
                connection.execute(sa.update(table).where(others).values(mlflow_stage="Archived", updated=now))
            self._change(connection, model, version, mlflow_stage=wanted, updated=now)
            mine = _store.models.c.name == model
            connection.execute(sa.update(_store.models).where(mine).values(updated=now))
            self._tell(connection, "version_updated", model, version, changed=["mlflow_stage"])
            return self._version(connection, model, version)

    @change(role="maintainer")
    def delete(self, model: str, version: int) -> None:
        """Deletes a version with its aliases, also the champion, unless something that runs needs it.

        Raises:
            NotFound: there is no such version.
            Conflict: something needs it.
        """
        with self._database.reading() as connection:
            row = _store.version_row(connection, model, version)
            holders = holders_of(connection, model, version)
        if holders:
            raise Conflict(
                f"Version {version} of '{model}' is used by {holders[0]}.",
                hint="Let another version answer there first.",
            )
        if row.stage == CHAMPION:
            self._registry.set_stage(model, version, "archived", reason="the version is deleted")
        self._registry.delete_version(model, version)

    @read
    def search(
        self,
        filter: str = "",
        order_by: list[str] | None = None,
        limit: int = 100,
        page_token: str = "",
        native: bool = True,
    ) -> VersionPage:
        """Versions that fit, those changed last first unless another order is asked for.

        Versions of prompts are given only where they are asked for.

        Args:
            filter: Such as `name = 'churn' AND tags.team = 'growth'`.
            order_by: `name`, `version_number`, `creation_timestamp`, `last_updated_timestamp`, with ASC or DESC.
            native: Without it, only MLflow's own language is taken.

        Raises:
            InvalidInput: the filter, order or page token is not understood.
        """
        node = parse_filter(filter, FIELDS, native=native)
        place = Place(page_token, filter, order_by, size=max(1, min(limit, _MOST)))
        table = _store.versions
        wanted = [table.c.deleted.is_(None), to_sql(node, _condition)]
        if not asks_for_prompts(comparisons(node)):
            prompts = sa.select(_store.models.c.name).where(is_prompt(_store.models.c.tags))
            wanted += [~is_prompt(table.c.tags), table.c.model.not_in(prompts)]
        orders = parse_order(order_by or [], FIELDS)
        order = sorted_by(
            orders,
            _columns(),
            ("name", "-version_number") if orders else ("-last_updated_timestamp", "name", "-version_number"),
        )
        query = place.of(sa.select(table).where(*wanted).order_by(*order))
        with self._database.reading() as connection:
            rows = connection.execute(query).all()
            found = versions_of(connection, place.shown(rows))
        return VersionPage(versions=tuple(found), next_page_token=place.token_after(rows))

    def _version(self, connection: sa.Connection, model: str, version: int) -> ModelVersion:
        return versions_of(connection, [_store.version_row(connection, model, version)])[0]

    def _change(self, connection: sa.Connection, model: str, version: int, **values: Any) -> None:
        table = _store.versions
        mine = sa.and_(table.c.model == model, table.c.version == version)
        connection.execute(sa.update(table).where(mine).values(**values))

    def _tell(self, connection: sa.Connection, what: str, model: str, version: int, **facts: JsonValue) -> None:
        self._events.append(connection, f"registry.{what}", _ref(model, version), model=model, version=version, **facts)


def mlflow_stage(stage: str) -> MlflowStage:
    """The stage of that name, whatever its case.

    Raises:
        InvalidInput: there is none.
    """
    for known in MLFLOW_STAGES:
        if stage.lower() == known.lower():
            return known
    raise InvalidInput(f"Invalid Model Version stage: {stage[:100]}. Value must be one of {', '.join(MLFLOW_STAGES)}.")


def _condition(asked: Comparison) -> sa.ColumnElement[bool]:
    table = _store.versions
    if asked.group == "tag":
        return tag_fits(table.c.tags, asked)
    column = _columns()[asked.key]
    return compare_time(column, asked) if asked.key in _TIMES else compare(column, asked)


def _ref(model: str, version: int) -> str:
    return str(Ref(kind="models", name=model, version=str(version)))
