"""Models, their versions, and the aliases and stages that say which version is what."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Literal

import sqlalchemy as sa

from flyball.clock import Clock
from flyball.errors import Conflict, InvalidInput, NotFound
from flyball.evaluation.scores import Evaluation
from flyball.lineage import Lineage
from flyball.models.package import ModelPackage
from flyball.principals import acting
from flyball.refs import Ref, check_alias, check_model_name, check_name
from flyball.registry import _store
from flyball.registry._notices import Notices
from flyball.registry._tags import is_prompt
from flyball.registry.holds import holders_of
from flyball.registry.verdicts import GateDecision, Verdict
from flyball.registry.vouching import TrustedKeys, check_harmless
from flyball.serialization import JsonValue
from flyball.storage.database import Database
from flyball.storage.event_log import EventLog
from flyball.storage.objects import Blobs, check_digest
from flyball.tracking import limits
from flyball.verbs import change, read

__all__ = ["AliasChange", "GateDecision", "ModelVersion", "RegisteredModel", "Registry", "Stage", "Verdict"]

Stage = Literal["candidate", "champion", "challenger", "archived", "retired"]
VersionStatus = Literal["ready", "pending", "failed"]
MlflowStage = Literal["None", "Staging", "Production", "Archived"]
CHAMPION: Final = "champion"
_ANSWERING: Final = frozenset({CHAMPION, "challenger", "retired"})


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelVersion:
    """One registered version of a model.

    Attributes:
        version: 1, 2, 3, ... without gaps; a number is never given twice.
        stage: Where it stands: `candidate` is judged, `challenger` is being rolled out, `champion` answers.
        package: The model's files and how to read them.
        run: Id of the run that made it; empty if there was none.
        snapshots: References of the data it was made from.
        evaluation: How good it was when it was registered.
        holdout: Digest of the held-out rows, label included, as Parquet or Arrow; empty if none are kept.
        label: Column of the held-out rows with the truth.
        slices: Columns of the held-out rows whose values are judged one by one.
        reference: Digest of the distribution that live traffic is compared with.
        code: Digest of the code snapshot, or a commit.
        verdict: What the gates last said; None before they were asked.
        source: Where its files came from, or lie; empty where the package was given.
        status: `ready`, unless its files are still to come or will not come.
        user: Who registered it.
        mlflow_stage: `None`, `Staging`, `Production` or `Archived`; it says nothing about who answers.
        logged_model: Id of the logged model that it is.
        run_link: Address of the run that made it, where it is kept elsewhere.
        updated: When its description or MLflow stage was last changed; None if neither was.
    """

    model: str
    version: int
    stage: Stage
    package: ModelPackage
    run: str = ""
    snapshots: tuple[str, ...] = ()
    evaluation: Evaluation | None = None
    holdout: str = ""
    label: str = ""
    slices: tuple[str, ...] = ()
    reference: str = ""
    code: str = ""
    params: dict[str, JsonValue] = field(default_factory=dict)
    created: datetime
    description: str = ""
    tags: dict[str, str] = field(default_factory=dict)
    aliases: tuple[str, ...] = ()
    verdict: Verdict | None = None
    source: str = ""
    status: VersionStatus = "ready"
    user: str = ""
    mlflow_stage: MlflowStage = "None"
    logged_model: str = ""
    run_link: str = ""
    updated: datetime | None = None

    @property
    def is_external(self) -> bool:
        """Whether its files are not kept here."""
        return not self.package.files


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisteredModel:
    """A model: a name for versions.

    Attributes:
        versions: How many it has. `latest`: the newest one; 0 if there is none. `champion`: the one that answers; None if
            there is none.
    """

    name: str
    versions: int
    latest: int
    champion: int | None
    aliases: dict[str, int]
    created: datetime
    updated: datetime
    description: str = ""
    tags: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class AliasChange:
    """An alias that was moved.

    Attributes:
        version: Where it points since; None if it was removed. `previous`: where it pointed before, if anywhere.
    """

    id: int
    model: str
    alias: str
    version: int | None
    previous: int | None
    reason: str
    at: datetime


class Registry:
    """Keeps models and their versions."""

    def __init__(self, database: Database, blobs: Blobs, events: EventLog, clock: Clock) -> None:
        self._database = database
        self._blobs = blobs
        self._events = events
        self._clock = clock
        self._lineage = Lineage(database, events, clock)
        self._notices = Notices(database, events, clock)
        self._trusted = TrustedKeys(database, blobs, events, clock)

    @change
    def register(
        self,
        model: str,
        package: ModelPackage,
        run: str = "",
        evaluation: Evaluation | None = None,
        holdout: str = "",
        label: str = "",
        slices: tuple[str, ...] = (),
        reference: str = "",
        snapshots: tuple[str, ...] = (),
        code: str = "",
        params: dict[str, JsonValue] | None = None,
        description: str = "",
        tags: dict[str, str] | None = None,
        voucher: str = "",
    ) -> ModelVersion:
        """Registers a package as the next version of a model; the first one makes the model.

        The same package of the same run is registered once: the version it has is given back.

        Args:
            voucher: The word of a trusted key for files that would else be refused (`registry.vouching.vouch`).

        Raises:
            InvalidInput: a name, digest or reference cannot be used, or a file would do harm when it is read.
            NotFound: bytes that it names are not kept.
        """
        check_model_name(model)
        check_kept(self._blobs, package, *(check_digest(name) for name in (holdout, reference) if name))
        check_harmless(package, self._blobs, self._trusted.list(), voucher)
        ref_of_run = str(Ref(kind="runs", name=check_name(run, "run"))) if run else ""
        sources = tuple(str(Ref.parse(ref, kind="snapshots")) for ref in snapshots)
        for text, what, longest in ((label, "label", 250), (code, "code", 250), (description, "description", 100_000)):
            limits.check_text(text, what, longest)
        now = self._clock.now()
        row = {
            "model": model, "stage": "candidate", "package": package, "package_id": package.id, "run": run,
            "snapshots": sources, "evaluation": evaluation,
            "holdout": holdout, "label": label, "slices": tuple(slices), "reference": reference, "code": code,
            "params": params or {}, "created": now, "description": description, "tags": limits.check_tags(tags or {}),
        }  # fmt: skip
        self._database.ask(
            "registry.registering", model=model, package=package, snapshots=tuple(sources), tags=tags or {}
        )
        with self._database.transaction() as connection:
            latest = _store.lock_new_model(self._database, connection, model, now)
            same = self._find_same(connection, model, run, package.id) if run else None
            if same is not None:
                return self._version(connection, same)
            version = latest + 1
            connection.execute(sa.insert(_store.versions).values(version=version, **row))
            mine = _store.models.c.name == model
            connection.execute(sa.update(_store.models).where(mine).values(latest=version, updated=now))
            self._link(connection, sources, ref_of_run, _ref(model, version))
            self._tell(connection, "version_registered", model, version, run=run, package=package.id)
            self._notices.version_created(connection, model, version)
            return self._version(connection, _store.version_row(connection, model, version))

    @read
    def get_version(self, ref: str) -> ModelVersion:
        """The version that a reference points at.

        Args:
            ref: `models:/name/3`, `models:/name@champion`, `name/3`, `name@champion`, or `name` for the latest.

        Raises:
            NotFound: there is no such model, version or alias; the hint names near ones.
            InvalidInput: it is no reference to a model.
        """
        parsed = Ref.parse(ref, kind="models")
        with self._database.reading() as connection:
            number = _store.resolve(connection, parsed)
            return self._version(connection, _store.version_row(connection, parsed.name, number))

    @read
    def list_models(self, limit: int = 100, after: str = "") -> list[RegisteredModel]:
        """Models by name. What is kept among them and is no model, such as a prompt, is left out."""
        query = _store.select_models().where(_store.models.c.name > after, ~is_prompt(_store.models.c.tags))
        query = query.order_by(_store.models.c.name).limit(max(1, min(limit, 1000)))
        with self._database.reading() as connection:
            return models_of(connection, connection.execute(query).all())

    @read
    def list_versions(self, model: str, limit: int = 100, before: int = 0) -> list[ModelVersion]:
        """Versions of a model, newest first; none if there is no such model.

        Args:
            before: Only versions with a smaller number; 0 for all.
        """
        wanted = [_store.versions.c.model == model]
        if before:
            wanted.append(_store.versions.c.version < before)
        return self._versions(*wanted, order=_store.versions.c.version.desc(), limit=limit)

    @read
    def find_by_run(self, run: str) -> list[ModelVersion]:
        """The versions that a run made, of whatever model, in the order of their making."""
        return self._versions(_store.versions.c.run == run, order=_store.versions.c.created, limit=1000)

    @read
    def alias_history(self, model: str, alias: str = "", limit: int = 100, before: int = 0) -> list[AliasChange]:
        """Where the aliases of a model have pointed, newest change first.

        Args:
            alias: Only this one; all by default.
            before: Only changes with a smaller id; 0 for all.
        """
        table = _store.alias_changes
        query = sa.select(table).where(table.c.model == model)
        query = query.where(table.c.alias == alias) if alias else query
        query = query.where(table.c.id < before) if before else query
        rows = self._database.rows(query.order_by(table.c.id.desc()).limit(max(1, min(limit, 1000))))
        return [AliasChange(**row._mapping) for row in rows]

    @change
    def set_alias(
        self, model: str, alias: str, version: int, expected: int | None = None, reason: str = ""
    ) -> ModelVersion:
        """Lets an alias point at a version. The alias `champion` makes it the champion.

        Args:
            expected: Where it must point now for the move to be made: a version, or 0 for nowhere. Not asked by default.

        Raises:
            NotFound: there is no such version.
            Conflict: it does not point where it was expected, or the version is retired.
            InvalidInput: the alias cannot be used.
        """
        reason = _kept(reason)
        if check_alias(alias).lower() == "latest":
            raise InvalidInput("'latest' always is the newest version.", hint="Choose another alias.")
        _check_may_move(alias)
        with self._database.transaction() as connection:
            _store.lock_model(connection, model)
            row = _store.version_row(connection, model, version)
            points_at = _store.aliases_of(connection, model).get(alias, 0)
            if expected is not None and points_at != expected:
                found = f"version {points_at}" if points_at else "no version"
                raise Conflict(
                    f"Alias '{alias}' of '{model}' points at {found}, not at {expected or 'none'}.",
                    hint="Look again and decide anew.",
                    points_at=points_at,
                )
            _refuse_retired(row)
            if alias == CHAMPION:
                self._promote(connection, row, reason)
            elif points_at != version:
                self._move_alias(connection, model, alias, version, reason)
            return self._version(connection, _store.version_row(connection, model, version))

    @change
    def delete_alias(self, model: str, alias: str, reason: str = "") -> None:
        """Removes an alias. Without the alias `champion` there is no champion: it is archived.

        Raises:
            NotFound: there is no such alias.
        """
        reason = _kept(reason)
        with self._database.transaction() as connection:
            _store.lock_model(connection, model)
            if alias == "latest":
                raise InvalidInput("'latest' always is the newest version.", hint="It cannot be removed.")
            _check_may_move(alias)
            version = _store.resolve(connection, Ref(kind="models", name=model, alias=alias))
            if alias == CHAMPION:
                self._stage(connection, _store.version_row(connection, model, version), "archived", reason)
            self._move_alias(connection, model, alias, None, reason)

    @change
    def set_stage(self, model: str, version: int, stage: Stage, reason: str = "") -> ModelVersion:
        """Says where a version stands; nothing happens if it stands there already.

        Raises:
            NotFound: there is no such version.
            Conflict: it is retired, and its files may be gone.
        """
        reason = _kept(reason)
        with self._database.transaction() as connection:
            _store.lock_model(connection, model)
            row = _store.version_row(connection, model, version)
            _check_may_move(stage, row.stage)
            if stage != "retired":
                _refuse_retired(row)
            if stage == CHAMPION:
                self._promote(connection, row, reason)
            elif row.stage != stage:
                self._stage(connection, row, stage, reason)
                if row.stage == CHAMPION:
                    self._move_alias(connection, model, CHAMPION, None, reason)
            return self._version(connection, _store.version_row(connection, model, version))

    @change(role="maintainer")
    def promote(self, model: str, version: int, reason: str = "") -> ModelVersion:
        """Makes a version the champion; the former one is archived in the same moment.

        Raises:
            NotFound: there is no such version.
        """
        return self.set_stage(model, version, "champion", reason)

    @change
    def record_verdict(self, model: str, version: int, verdict: Verdict) -> ModelVersion:
        """Keeps what the gates said of a version; a later verdict replaces it.

        Raises:
            NotFound: there is no such version.
        """
        if acting().kind != "worker":  # which judges what it has trained
            acting().need("maintainer", "to say what the gates found")
        held = [decision.gate for decision in verdict.decisions if not decision.passed]
        with self._database.transaction() as connection:
            row = self._change(connection, model, version, verdict=verdict)
            self._tell(connection, "verdict_recorded", model, version, passed=verdict.passed, held_by=held)
            return self._version(connection, row)

    @change
    def update(
        self, model: str, version: int, description: str | None = None, tags: dict[str, str] | None = None
    ) -> ModelVersion:
        """Changes a version's description or tags; what is not given stays.

        Raises:
            NotFound: there is no such version.
        """
        values: dict[str, Any] = {}
        if description is not None:
            values["description"] = limits.check_text(description, "description", 100_000)
        if tags is not None:
            values["tags"] = limits.check_tags(tags)
        with self._database.transaction() as connection:
            row = self._change(connection, model, version, **values)
            self._tell(connection, "version_updated", model, version, changed=sorted(values))
            return self._version(connection, row)

    @change(role="maintainer")
    def delete_version(self, model: str, version: int) -> None:
        """Deletes a version with its aliases; its number is not given again and its lineage stays.

        Raises:
            NotFound: there is no such version.
            Conflict: it is the champion, or being rolled out, or something needs it.
        """
        with self._database.transaction() as connection:
            _store.lock_model(connection, model)
            row = _store.version_row(connection, model, version)
            if row.stage in (CHAMPION, "challenger"):
                raise Conflict(
                    f"Version {version} of '{model}' is the {row.stage}.", hint="Put another in its place first."
                )
            held_by = holders_of(connection, model, version)
            if held_by:
                raise Conflict(f"Version {version} of '{model}' is needed by {', '.join(held_by)}.", held_by=held_by)
            for alias, pointed in _store.aliases_of(connection, model).items():
                if pointed == version:
                    self._move_alias(connection, model, alias, None, "the version was deleted")
            self._change(connection, model, version, deleted=self._clock.now())
            self._tell(connection, "version_deleted", model, version)

    def _find_same(self, connection: sa.Connection, model: str, run: str, package: str) -> sa.Row[Any] | None:
        table = _store.versions
        same = sa.and_(table.c.model == model, table.c.run == run, table.c.package_id == package)
        return connection.execute(sa.select(table).where(same, table.c.deleted.is_(None))).first()

    def _link(self, connection: sa.Connection, snapshots: tuple[str, ...], run: str, version: str) -> None:
        edges = [(snapshot, run or version, "trained_on") for snapshot in snapshots]
        self._lineage.add_many(connection, [*edges, *([(run, version, "produced")] if run else [])])

    def _promote(self, connection: sa.Connection, row: sa.Row[Any], reason: str) -> None:
        former = _store.champion(connection, row.model)
        if former == row.version:
            return
        if former is not None:
            # First, since there may be only one at any moment.
            self._stage(
                connection,
                _store.version_row(connection, row.model, former),
                "archived",
                f"version {row.version} took its place",
            )
        self._stage(connection, row, CHAMPION, reason)
        self._move_alias(connection, row.model, CHAMPION, row.version, reason)

    def _stage(self, connection: sa.Connection, row: sa.Row[Any], stage: Stage, reason: str) -> None:
        self._change(connection, row.model, row.version, stage=stage)
        self._tell(connection, "stage_changed", row.model, row.version, stage=stage, previous=row.stage, reason=reason)

    def _move_alias(self, connection: sa.Connection, model: str, alias: str, version: int | None, reason: str) -> None:
        previous = _store.move_alias(
            self._database, connection, model=model, alias=alias, version=version, reason=reason, now=self._clock.now()
        )
        about = version or previous
        if about is not None:
            self._tell(
                connection, "alias_moved", model, about, alias=alias, to=version, previous=previous, reason=reason
            )
            self._notices.alias(connection, model, alias, version)

    def _change(self, connection: sa.Connection, model: str, version: int, **values: Any) -> sa.Row[Any]:
        """Writes values of a version; gives its row."""
        row = _store.version_row(connection, model, version)
        if not values:
            return row
        table = _store.versions
        mine = sa.and_(table.c.model == model, table.c.version == version)
        if "description" in values:
            values["updated"] = self._clock.now()
        return connection.execute(sa.update(table).where(mine).values(**values).returning(table)).one()

    def _version(self, connection: sa.Connection, row: sa.Row[Any]) -> ModelVersion:
        return versions_of(connection, [row])[0]

    def _versions(
        self, *wanted: sa.ColumnElement[bool], order: sa.ColumnElement[Any], limit: int
    ) -> list[ModelVersion]:
        table = _store.versions
        query = sa.select(table).where(*wanted, table.c.deleted.is_(None))
        query = query.order_by(order, table.c.version).limit(max(1, min(limit, 1000)))
        with self._database.reading() as connection:
            return versions_of(connection, connection.execute(query).all())

    def _tell(self, connection: sa.Connection, what: str, model: str, version: int, **facts: JsonValue) -> None:
        subject = _ref(model, version)
        self._events.append(connection, f"registry.{what}", subject, model=model, version=version, **facts)


def _ref(model: str, version: int) -> str:
    return str(Ref(kind="models", name=model, version=str(version)))


def check_kept(blobs: Blobs, package: ModelPackage, *others: str) -> None:
    """Makes sure that the bytes of a package are kept: else it would only be noticed when it is to answer.

    Raises:
        NotFound: some are not.
    """
    beside = [package.input_example, package.twin.file if package.twin else ""]
    for name in {*package.files.values(), *others, *filter(None, beside)}:
        if not blobs.has(name):
            raise NotFound(
                f"The bytes {name[:12]}... that the version is made of are not kept here.",
                hint="Save the model to this workspace first.",
                digest=name,
            )


def versions_of(connection: sa.Connection, rows: Sequence[sa.Row[Any]]) -> list[ModelVersion]:
    """The versions of these rows, with the aliases that point at them."""
    aliases = _store.aliases_of_many(connection, [row.model for row in rows])
    names = [name for name in ModelVersion.__dataclass_fields__ if name != "aliases"]
    return [
        ModelVersion(**{name: row._mapping[name] for name in names}, aliases=aliases.get((row.model, row.version), ()))
        for row in rows
    ]


def models_of(connection: sa.Connection, rows: Sequence[sa.Row[Any]]) -> list[RegisteredModel]:
    """The models of these rows of `select_models`, with their aliases."""
    aliases: dict[str, dict[str, int]] = {row.name: {} for row in rows}
    for (model, version), names in _store.aliases_of_many(connection, list(aliases)).items():
        aliases[model] |= dict.fromkeys(names, version)
    return [RegisteredModel(**{**row._mapping, "tags": row.tags or {}}, aliases=aliases[row.name]) for row in rows]


def _check_may_move(*places: str) -> None:
    """Makes sure that who acts may say which version answers."""
    for place in places:
        if place in _ANSWERING:
            acting().need("maintainer", f"to decide on the {place} of a model")


def _kept(reason: str) -> str:
    # A reason may be another's error message; a step of the loop must not fail over what it holds.
    return reason.replace("\0", "").encode("utf-8", "replace").decode()[:2_000]


def _refuse_retired(row: sa.Row[Any]) -> None:
    if row.stage == "retired":
        raise Conflict(f"Version {row.version} of '{row.model}' is retired.", hint="Restore it first.")
