"""The feature views that there are, version by version, the sets they form, and which run was made with which."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from flyball.clock import Clock
from flyball.errors import Conflict, InvalidInput, NotFound, did_you_mean
from flyball.features import _store
from flyball.features.definition import FeatureView, PythonView, check_view, feature_view, is_same
from flyball.features.plan import FeaturePlan, PlannedView, merged
from flyball.lineage import Lineage
from flyball.refs import Ref, check_name
from flyball.schema import Schema
from flyball.storage.database import Database
from flyball.storage.event_log import EventLog
from flyball.storage.objects import Blobs, check_digest
from flyball.verbs import change, read

__all__ = ["FeatureView", "Features", "ViewVersion", "feature_view"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ViewVersion:
    """One version of a feature view.

    Attributes:
        schema: The columns of its rows: entity, time, created, then the features (or the columns that windows are made of);
            None before its rows were first read.
        is_latest: Whether it is the one that the bare name means.
    """

    view: FeatureView
    declared: datetime
    schema: Schema | None
    is_latest: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Materialization:
    """How far the values of a version of a view are kept for serving.

    Attributes:
        at: When that was last done.
        source: What was read, as a reference or digest.
        rows: How many rows the source had; `keys`: how many things they are about.
        newest: Time of the newest row; None if there was none.
        known: The latest moment at which a row became known.
    """

    view: str
    version: int
    at: datetime
    source: str = ""
    rows: int = 0
    keys: int = 0
    newest: datetime | None = None
    known: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Push:
    """Rows that were pushed to a view at once.

    Attributes:
        id: Grows with every push.
        digest: Of the rows, as Parquet.
    """

    id: int
    view: str
    at: datetime
    digest: str
    rows: int


class Features:
    """Feature views by name and version."""

    def __init__(self, database: Database, blobs: Blobs, events: EventLog, clock: Clock) -> None:
        self._database = database
        self._blobs = blobs
        self._events = events
        self._clock = clock
        self._lineage = Lineage(database, events, clock)

    @change
    def declare(self, view: FeatureView) -> FeatureView:
        """Puts a feature view into the catalog; what changes its values gives it a new version.

        What is only said about it (description, owner, tags, tests) is put right in the present version.

        Raises:
            InvalidInput: the declaration cannot be used.
        """
        check_view(view)
        now = self._clock.now()
        with self._database.transaction() as connection:
            row = _store.lock(self._database, connection, view.name)
            former = None if row is None else replace(row.view, version=row.version)
            if row is not None and former is not None:
                _store.keep_former(self._database, connection, row, former)
            known = former is not None and row is not None and row.deleted is None and is_same(former, view)
            made = replace(view, version=former.version if known and former else former.version + 1 if former else 1)
            if made != former or row is None or row.deleted is not None:
                _store.write(self._database, connection, made, now)
                kind = "view_described" if known else "view_declared"
                self._events.append(
                    connection, f"features.{kind}", _ref(view.name), version=made.version, source=view.source
                )
        return made

    @read
    def get(self, name: str, version: int = 0) -> FeatureView:
        """The feature view of that name.

        Args:
            name: Its name, or name and version: `weather@2`.
            version: Which version; the latest by default.

        Raises:
            NotFound: there is none; the hint names near ones.
        """
        return self.describe(name, version).view

    @read
    def describe(self, name: str, version: int = 0) -> ViewVersion:
        """A version of a feature view, with what is known of it. The arguments are those of `get`.

        Raises:
            NotFound: there is none; the hint names near ones.
        """
        name, version = _parsed(name, version)
        with self._database.reading() as connection:
            row = _store.head(connection, name)
            if row is None and not version:
                known = _store.names(connection)
                raise NotFound(f"There is no feature view '{name}'.", hint=did_you_mean(name, known), view=name)
            number = version or (row.version if row is not None else 0)
            found = _store.version(connection, name, number) if abs(number) < 1 << 31 else None
            if found is None and row is not None and number == row.version:
                return ViewVersion(
                    view=replace(row.view, version=number), declared=row.declared, schema=None, is_latest=True
                )
            if found is None:
                hint = f"Its latest is {row.version}." if row is not None else ""
                raise NotFound(f"Feature view '{name}' has no version {number}.", hint=hint, view=name)
        return _version(found, latest=0 if row is None else row.version)

    @read
    def history(self, name: str) -> list[ViewVersion]:
        """All versions of a feature view, the newest first; also of one that was deleted.

        Raises:
            NotFound: there never was one of that name.
        """
        with self._database.reading() as connection:
            row = _store.head(connection, name)
            rows = _store.history(connection, name)
            if not rows and row is None:
                known = _store.names(connection)
                raise NotFound(f"There is no feature view '{name}'.", hint=did_you_mean(name, known), view=name)
        if not rows and row is not None:
            return [self.describe(name)]
        return [_version(found, latest=0 if row is None else row.version) for found in rows]

    @change(role="maintainer")
    def delete(self, name: str) -> None:
        """Takes a feature view out of the catalog. Its versions stay, for the models that were trained on them.

        Declared again it goes on with the next number. What is kept for serving is removed by `features_online.forget`.

        Raises:
            NotFound: there is none.
        """
        with self._database.transaction() as connection:
            row = _store.head(connection, name)
            if row is None:
                known = _store.names(connection)
                raise NotFound(f"There is no feature view '{name}'.", hint=did_you_mean(name, known), view=name)
            _store.keep_former(self._database, connection, row, replace(row.view, version=row.version))
            _store.delete(connection, name, self._clock.now())
            self._events.append(connection, "features.view_deleted", _ref(name), version=row.version)

    @change
    def set_schema(self, name: str, version: int, schema: Schema) -> None:
        """Says what is kept of the rows of a version, once they have been read.

        Raises:
            NotFound: there is no such version.
        """
        known = self.describe(name, version)
        if known.schema == schema:
            return
        with self._database.transaction() as connection:
            row = _store.lock(self._database, connection, name)
            if row is not None and row.version == version:
                _store.keep_former(self._database, connection, row, replace(row.view, version=version))
            _store.write_schema(connection, name, version, schema)

    @change
    def declare_set(self, plan: FeaturePlan) -> FeaturePlan:
        """Puts a named set of features into the catalog; one that differs from the last is its next version.

        Raises:
            InvalidInput: it has no name.
            NotFound: there is no such version of a view.
        """
        check_name(plan.name, "feature set")
        for planned in plan.views:
            self.describe(planned.view.name, planned.view.version)
        with self._database.transaction() as connection:
            former = _store.newest_set(connection, plan.name)
            if former is None or former.plan != plan:
                number = 1 if former is None else former.version + 1
                _store.write_set(connection, plan.name, number, plan, self._clock.now())
                views = [planned.view.label for planned in plan.views]
                self._events.append(connection, "features.set_declared", _ref(plan.name), version=number, views=views)
        return plan

    @read
    def get_set(self, name: str, version: int = 0) -> FeaturePlan:
        """The set of features of that name, its latest version by default.

        Raises:
            NotFound: there is none.
        """
        with self._database.reading() as connection:
            row = _store.newest_set(connection, name, version if abs(version) < 1 << 31 else -1)
            if row is None:
                known = _store.set_names(connection)
                raise NotFound(f"There is no feature set '{name}'.", hint=did_you_mean(name, known), set=name)
        plan: FeaturePlan = row.plan
        return plan

    @read
    def list_sets(self) -> list[str]:
        """The names of the sets of features."""
        with self._database.reading() as connection:
            return _store.set_names(connection)

    @read
    def plan_of(self, names: list[str]) -> FeaturePlan:
        """The plan of views and sets by their names: `weather`, `weather@2`, `late-flights-v1`.

        Raises:
            NotFound: there is neither a view nor a set of a name.
            Conflict: the rows of a view have never been read, so nothing is known of its features.
        """
        plans = []
        for name in names:
            try:
                plans.append(self.get_set(name))
            except NotFound:
                plans.append(FeaturePlan(views=(self._planned(name),)))
        return merged(plans)

    @change
    def record_use(self, run: str, plan: FeaturePlan) -> None:
        """Says which features a run was made with; several times for one run add up."""
        target = str(Ref(kind="runs", name=check_name(run, "run")))
        with self._database.transaction() as connection:
            former = _store.use(connection, run)
            whole = plan if former is None else merged([former, plan])
            _store.write_use(self._database, connection, run, whole, self._clock.now())
            edges = [(str(_ref(p.view.name, p.view.version)), target, "joined") for p in plan.views]
            self._lineage.add_many(connection, edges)

    @read
    def used_by(self, run: str) -> FeaturePlan | None:
        """The features that a run was made with; None if there were none."""
        with self._database.reading() as connection:
            return _store.use(connection, run)

    @change
    def record_materialization(self, done: Materialization) -> None:
        """Says how far the values of a version are kept for serving."""
        row = {name: getattr(done, name) for name in Materialization.__slots__}
        with self._database.transaction() as connection:
            _store.write_materialization(self._database, connection, row)
            facts = {"version": done.version, "rows": done.rows, "keys": done.keys}
            self._events.append(connection, "features.materialized", _ref(done.view), **facts)
            if done.source.startswith("snapshots:/"):
                self._lineage.add(connection, done.source, str(_ref(done.view, done.version)), "made_of")

    @read
    def materialization(self, name: str, version: int = 0) -> Materialization | None:
        """How far the values of a version are kept for serving; None if they never were."""
        view = self.get(name, version)
        with self._database.reading() as connection:
            row = _store.materialization(connection, view.name, view.version)
        return None if row is None else Materialization(**row._mapping)

    @change
    def record_push(self, name: str, digest: str, rows: int) -> Push:
        """Notes rows that were pushed to a view.

        Args:
            digest: Of the rows, as Parquet.
        """
        view = self.get(name)
        with self._database.transaction() as connection:
            made = Push(id=0, view=view.name, at=self._clock.now(), digest=check_digest(digest), rows=rows)
            given = {name: getattr(made, name) for name in ("view", "at", "digest", "rows")}
            number = _store.add_push(connection, given)
            self._events.append(connection, "features.pushed", _ref(view.name), rows=rows)
        return replace(made, id=number)

    @change
    def rewrite_push(self, name: str, push: int, digest: str, rows: int, reason: str) -> None:
        """Puts other rows in the place of those that were pushed to a view, with an event that tells of it.

        Args:
            push: Number of the push.
            digest: Of the rows that take the place, as Parquet.
            reason: Why, for the audit.

        Raises:
            NotFound: nothing was pushed under that number.
        """
        view = self.get(name)
        with self._database.transaction() as connection:
            if push not in {row.id for row in _store.pushed(connection, view.name)}:
                raise NotFound(f"There is no push {push} to feature view '{view.name}'.")
            _store.rewrite_push(connection, push, check_digest(digest), rows)
            self._events.append(connection, "features.push_rewritten", _ref(view.name), rows=rows, reason=reason)

    @read
    def pushes(self, name: str) -> list[Push]:
        """What was pushed to a view, in its order."""
        with self._database.reading() as connection:
            return [Push(**row._mapping) for row in _store.pushed(connection, name)]

    @read
    def list(self, limit: int = 100, after: str = "") -> list[FeatureView]:
        """Feature views, by name, each at its latest version.

        Args:
            limit: At most this many, up to 1,000.
            after: Only those whose name comes after it.
        """
        with self._database.reading() as connection:
            rows = _store.views(connection, max(1, min(limit, 1000)), after)
        return [replace(row.view, version=row.version) for row in rows]

    def _planned(self, name: str) -> PlannedView:
        found = self.describe(name)
        if found.schema is None:
            raise Conflict(
                f"The rows of feature view '{found.view.label}' have never been read.",
                hint=f"Do so with `flyball features materialize {found.view.name}`.",
            )
        return planned(found.view, found.schema)


def views_among(declarations: Sequence[object]) -> list[FeatureView]:
    """The feature views among what a project declares; of several of one name the last."""
    found: dict[str, FeatureView] = {}
    for item in declarations:
        if isinstance(item, FeatureView | PythonView):
            found[item.name] = item.view if isinstance(item, PythonView) else item
    return [*found.values()]


def planned(view: FeatureView, schema: Schema) -> PlannedView:
    """A view as a plan of its own, in which its features keep their names."""
    features = [made.name for made in view.windows] or [name for name in schema.names if name not in view.roles]
    return PlannedView(view=view, schema=schema, names={feature: feature for feature in features})


def _version(row: sa.Row[Any], latest: int) -> ViewVersion:
    return ViewVersion(
        view=replace(row.view, version=row.version),
        declared=row.declared,
        schema=row.schema,
        is_latest=row.version == latest,
    )


def _parsed(name: str, version: int) -> tuple[str, int]:
    """Name and version of `weather`, `weather@2` or `features:/weather/2`."""
    name, _, number = name.removeprefix("features:/").replace("/", "@", 1).partition("@")
    if not number:
        return name, version
    if not number.isdecimal() or len(number) > 9 or version not in (0, int(number)):
        raise InvalidInput(f"'{name}@{number[:40]}' is no version of a feature view.", hint=f"Write it as {name}@2.")
    return name, int(number)


def _ref(name: str, version: int = 0) -> Ref:
    return Ref(kind="features", name=name, version=str(version) if version else "")
