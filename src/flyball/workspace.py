"""One place where all rooms are wired together: which database, which bucket, which clock.

A `Workspace` is made from settings; its attributes are the rooms' services, each made when it is first asked for. A remote
workspace (`client.py`) has the same attributes.
"""

from __future__ import annotations

import importlib
import os
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar

from flyball.clock import Clock, SystemClock
from flyball.errors import InvalidInput
from flyball.settings import HOME, Settings

if TYPE_CHECKING:
    from flyball.access.accounts import Accounts
    from flyball.access.authority import Authority
    from flyball.access.groups import Groups
    from flyball.access.logins import Logins
    from flyball.access.members import Members
    from flyball.access.open_projects import OpenProjects
    from flyball.access.projects import Found, Projects
    from flyball.access.tokens import Tokens
    from flyball.alerts.alert import Alerts
    from flyball.alerts.webhooks import Webhooks
    from flyball.data.catalog import Catalog
    from flyball.data.datasets import Data
    from flyball.data.external import External
    from flyball.data.quality import Quality
    from flyball.data.rows import Rows
    from flyball.data.versions import DataVersions
    from flyball.deployment.deployments import Deployments
    from flyball.deployment.manifest_keys import ManifestKey
    from flyball.features.online_features import OnlineFeatures
    from flyball.features.views import Features
    from flyball.governance.audit import Audit
    from flyball.governance.audit_keys import AuditKey
    from flyball.governance.cost import Cost
    from flyball.governance.evidence.evidence import Evidence
    from flyball.governance.maturity import Maturity
    from flyball.governance.openlineage import Emitter
    from flyball.governance.policies import Policies
    from flyball.governance.privacy import Privacy
    from flyball.governance.secrets import Secrets
    from flyball.labels.labels import Labels
    from flyball.lineage import Lineage
    from flyball.loops.loops import Loops
    from flyball.loops.simulations import Simulations
    from flyball.model_search.searches import AutoMl
    from flyball.monitoring.monitoring import Monitoring
    from flyball.packaging.images import Images
    from flyball.pipelines.cache import StepCache
    from flyball.pipelines.errands import Errands
    from flyball.pipelines.told import Reasons
    from flyball.registry.approvals import Approvals
    from flyball.registry.card import ModelCards
    from flyball.registry.comments import Comments
    from flyball.registry.lifecycle import Lifecycle
    from flyball.registry.model_versions import ModelVersions
    from flyball.registry.registered_models import RegisteredModels
    from flyball.registry.sbom import Sboms
    from flyball.registry.signing import Signatures
    from flyball.registry.versions import Registry
    from flyball.registry.vouching import TrustedKeys
    from flyball.storage.database import Database
    from flyball.storage.event_log import EventLog
    from flyball.storage.idempotency import Once
    from flyball.storage.object_store import ObjectStore
    from flyball.storage.objects import Blobs
    from flyball.storage.trouble import Reserve
    from flyball.storage.virtual_clock import VirtualClock
    from flyball.telemetry import Telemetry
    from flyball.tracking.assessments import Assessments
    from flyball.tracking.evaluation_sets import EvaluationSets
    from flyball.tracking.experiments import Experiments
    from flyball.tracking.files import Files
    from flyball.tracking.ingest import Ingest
    from flyball.tracking.inputs import RunInputs
    from flyball.tracking.logged_models import LoggedModels
    from flyball.tracking.runs import Tracking
    from flyball.tracking.saved_views import SavedViews
    from flyball.tracking.scorers import Scorers
    from flyball.tracking.search import RunSearch
    from flyball.tracking.traces import Traces
    from flyball.tracking.trash import Trash
    from flyball.tuning.studies import Studies

T = TypeVar("T")

SERVICES = {
    "accounts": "flyball.access.accounts:Accounts",
    "alerts": "flyball.alerts.alert:Alerts",
    "approvals": "flyball.registry.approvals:Approvals",
    "assessments": "flyball.tracking.assessments:Assessments",
    "automl": "flyball.model_search.searches:AutoMl",
    "audit": "flyball.governance.audit:Audit",
    "catalog": "flyball.data.catalog:Catalog",
    "clock": "flyball.storage.virtual_clock:VirtualClock",
    "comments": "flyball.registry.comments:Comments",
    "cost": "flyball.governance.cost:Cost",
    "data": "flyball.data.datasets:Data",
    "data_versions": "flyball.data.versions:DataVersions",
    "deployments": "flyball.deployment.deployments:Deployments",
    "errands": "flyball.pipelines.errands:Errands",
    "evaluation_sets": "flyball.tracking.evaluation_sets:EvaluationSets",
    "events": "flyball.storage.event_log:EventLog",
    "evidence": "flyball.governance.evidence.evidence:Evidence",
    "experiments": "flyball.tracking.experiments:Experiments",
    "external": "flyball.data.external:External",
    "features": "flyball.features.views:Features",
    "features_online": "flyball.features.online_features:OnlineFeatures",
    "files": "flyball.tracking.files:Files",
    "groups": "flyball.access.groups:Groups",
    "images": "flyball.packaging.images:Images",
    "labels": "flyball.labels.labels:Labels",
    "lifecycle": "flyball.registry.lifecycle:Lifecycle",
    "lineage": "flyball.lineage:Lineage",
    "logged_models": "flyball.tracking.logged_models:LoggedModels",
    "loops": "flyball.loops.loops:Loops",
    "members": "flyball.access.members:Members",
    "maturity": "flyball.governance.maturity:Maturity",
    "model_cards": "flyball.registry.card:ModelCards",
    "model_versions": "flyball.registry.model_versions:ModelVersions",
    "monitoring": "flyball.monitoring.monitoring:Monitoring",
    "projects": "flyball.access.projects:Projects",
    "policies": "flyball.governance.policies:Policies",
    "privacy": "flyball.governance.privacy:Privacy",
    "quality": "flyball.data.quality:Quality",
    "reasons": "flyball.pipelines.told:Reasons",
    "registered_models": "flyball.registry.registered_models:RegisteredModels",
    "registry": "flyball.registry.versions:Registry",
    "rows": "flyball.data.rows:Rows",
    "run_inputs": "flyball.tracking.inputs:RunInputs",
    "sboms": "flyball.registry.sbom:Sboms",
    "scorers": "flyball.tracking.scorers:Scorers",
    "simulations": "flyball.loops.simulations:Simulations",
    "secrets": "flyball.governance.secrets:Secrets",
    "signatures": "flyball.registry.signing:Signatures",
    "run_search": "flyball.tracking.search:RunSearch",
    "saved_views": "flyball.tracking.saved_views:SavedViews",
    "step_cache": "flyball.pipelines.cache:StepCache",
    "studies": "flyball.tuning.studies:Studies",
    "tokens": "flyball.access.tokens:Tokens",
    "traces": "flyball.tracking.traces:Traces",
    "tracking": "flyball.tracking.runs:Tracking",
    "trash": "flyball.tracking.trash:Trash",
    "trusted_keys": "flyball.registry.vouching:TrustedKeys",
    "webhooks": "flyball.alerts.webhooks:Webhooks",
}
"""Every service by the name of its attribute and route, and where its class stands."""


def service_class(name: str) -> type[Any]:
    """The class of a service, imported when it is asked for."""
    module, _, attribute = SERVICES[name].partition(":")
    found: type[Any] = getattr(importlib.import_module(module), attribute)
    return found


class _Service:
    """An attribute of a workspace: a service that is made when it is first asked for.

    Args:
        make: Makes it, of the workspace and its class.
    """

    def __init__(self, make: Callable[[Workspace, type[Any]], Any]) -> None:
        self._make = make

    def __set_name__(self, owner: type[Workspace], name: str) -> None:
        self._name = name

    def __get__(self, workspace: Workspace | None, owner: type[Workspace]) -> Any:
        if workspace is None:
            return self
        return workspace.made(self._name, lambda: self._make(workspace, service_class(self._name)))


def _room() -> Any:
    """A room's service: it keeps facts in the database and the blobs."""
    return _Service(lambda own, kind: kind(own.database, own.blobs, own.events, own.time))


def _governing() -> Any:
    """A service that asks several rooms."""
    return _Service(lambda own, kind: kind(own))


def _access() -> Any:
    """A service of the instance, which all projects share."""
    return _Service(lambda own, kind: own.home.made(f"access {kind.__name__}", lambda: own.of_access(kind)))


class Workspace:
    """A workspace on this machine, or on the database and bucket that the settings name; or a project in it.

    Args:
        settings: What `settings.load_settings` read.
        durable: Whether writes wait for the disk; only tests turn it off.
        home: The workspace that holds the project, where it is open already; who opened it closes it.

    Raises:
        NotFound: the settings name a project that is not there.

    Attributes:
        home: The workspace that keeps what is known of all projects and of who may enter them; itself, for the project `default`.
    """

    def __init__(self, settings: Settings, *, durable: bool = True, home: Workspace | None = None) -> None:
        self._durable = durable
        self._made: dict[str, Any] = {}
        self._lock = threading.RLock()
        self._owns_home = home is None and not settings.is_home
        self._frozen = ""
        if self._owns_home:
            home = Workspace(settings.home or replace(settings, project=HOME), durable=durable)
        if home is not None:
            try:
                settings, self._frozen = home.projects.settings_of(settings.project)
            except BaseException:
                if self._owns_home:
                    home.close()
                raise
        self.home: Workspace = home or self
        self.settings = settings

    @property
    def root(self) -> Path:
        """Root folder of one's code."""
        return self.settings.root

    @property
    def cache(self) -> Path:
        """Folder for what can be made again."""
        return self.settings.workspace / "cache"

    @property
    def database(self) -> Database:
        """The metadata database, brought to this release's tables."""
        return self.made("database", self._open_database)

    @property
    def once(self) -> Once:
        """Does changes once that are asked for again."""
        from flyball.storage.idempotency import Once

        return self.made("once", lambda: Once(self.database))

    @property
    def _reserve(self) -> Reserve:
        from flyball.storage.trouble import Reserve

        return Reserve(self.settings.workspace, self.settings.disk_reserve_mib << 20)

    @property
    def store(self) -> ObjectStore:
        """Where named bytes rest."""
        return self.made("store", self._open_store)

    @property
    def blobs(self) -> Blobs:
        """Content-addressed bytes."""
        from flyball.storage.objects import Blobs

        return self.made("blobs", lambda: Blobs(self.store, self.cache / "blobs"))

    @property
    def time(self) -> Clock:
        """The clock that the settings choose."""
        return SystemClock() if self.settings.clock == "system" else self.clock

    @property
    def clock(self) -> VirtualClock:
        """The workspace's virtual clock; it rules only where the settings say so."""
        from flyball.storage.virtual_clock import VirtualClock

        return self.made("clock", lambda: VirtualClock(self.database, SystemClock()))

    @property
    def events(self) -> EventLog:
        """The event log."""
        from flyball.storage.event_log import EventLog

        return self.made("events", lambda: EventLog(self.database, self.time))

    accounts: Accounts = _access()
    """People, and programs with an account of their own."""

    @property
    def authority(self) -> Authority:
        """Says whom tokens stand for."""
        from flyball.access.authority import Authority

        return self.home.made("authority", lambda: Authority(self.home.database, SystemClock()))

    groups: Groups = _access()
    """Groups of accounts."""

    @property
    def logins(self) -> Logins:
        """Lets people in."""
        from flyball.access.logins import Logins

        session = timedelta(hours=self.settings.session_hours)
        return self.home.made("logins", lambda: self.of_access(partial(Logins, session=session)))

    members: Members = _access()
    """Which account or group has which role."""
    tokens: Tokens = _access()
    """What programs show in place of a password."""

    @property
    def alerts(self) -> Alerts:
        """Findings that someone should know of."""
        from flyball.alerts.alert import Alerts

        return self.made("alerts", lambda: Alerts(self.database, self.events, self.time))

    approvals: Approvals = _room()
    """What people say of versions before they go live."""
    automl: AutoMl = _room()
    """Searches for the best model of a column."""

    @property
    def audit(self) -> Audit:
        """Who did what to which thing."""
        from flyball.governance.audit import Audit

        return self.made("audit", lambda: Audit(self.database, self._audit_key))

    @property
    def _audit_key(self) -> AuditKey:
        from flyball.governance.audit_keys import AuditKey

        return self.made("audit_key", lambda: AuditKey(self.settings.workspace / "keys"))

    @property
    def catalog(self) -> Catalog:
        """Finding and describing data, and what is made of it."""
        return self.made("catalog", self._open_catalog)

    comments: Comments = _room()
    """What people say about things."""
    cost: Cost = _governing()
    """What work takes, and what that costs."""
    data: Data = _room()
    """Datasets and their snapshots."""
    data_versions: DataVersions = _room()
    """History, branches and tags of datasets."""
    deployments: Deployments = _room()
    """What is served, and how it gets there."""
    errands: Errands = _room()
    """Work that was asked for, and that the workers do."""

    @property
    def evidence(self) -> Evidence:
        """Documents that auditors ask for, filled from facts."""
        from flyball.governance.evidence.evidence import Evidence

        return self.made("evidence", lambda: Evidence(self, self._audit_key))

    experiments: Experiments = _room()
    """Named groups of runs."""
    external: External = _room()
    """Data and jobs of other tools."""
    features: Features = _room()
    """Feature views."""

    @property
    def features_online(self) -> OnlineFeatures:
        """The latest values of features, by key."""
        from flyball.features.online_features import OnlineFeatures

        def make() -> OnlineFeatures:
            return OnlineFeatures(self.database, self.blobs, self.events, self.time, url=self.settings.online)

        return self.made("features_online", make)

    files: Files = _room()
    """Files that belong to no run."""
    images: Images = _room()
    """Container images that were built."""

    @property
    def manifest_key(self) -> ManifestKey:
        """Signs the manifests that model servers follow."""
        from flyball.deployment.manifest_keys import ManifestKey

        return self.made("manifest_key", lambda: ManifestKey(self.settings.workspace / "keys"))

    @property
    def ingest(self) -> Ingest:
        """Writes what many log at the same time, in few transactions."""
        from flyball.tracking.ingest import Ingest

        return self.made("ingest", lambda: Ingest(self.database, self.events, self.time))

    labels: Labels = _room()
    """What people label, and what they said."""
    lifecycle: Lifecycle = _room()
    """Deprecation, retirement and rollback of versions."""

    @property
    def lineage(self) -> Lineage:
        """What was made from what."""
        from flyball.lineage import Lineage

        return self.made("lineage", lambda: Lineage(self.database, self.events, self.time))

    logged_models: LoggedModels = _room()
    """Models as runs log them."""
    loops: Loops = _room()
    """Declared loops and what became of them."""
    maturity: Maturity = _governing()
    """How ready loops are."""
    model_cards: ModelCards = _room()
    """All that is known of a version on one page."""
    model_versions: ModelVersions = _room()
    """Versions of models from any source, with MLflow's stages."""
    monitoring: Monitoring = _room()
    """Windows of predictions, ground truth, findings."""

    @property
    def openlineage(self) -> Emitter:
        """Tells runs and data to where the settings say.

        Raises:
            InvalidInput: they say nothing, or what cannot be used.
        """
        return self.made("openlineage", self._open_openlineage)

    @property
    def opened(self) -> OpenProjects[Workspace]:
        """Projects of this workspace that are open in this process."""
        from flyball.access.open_projects import OpenProjects

        return self.home.made("opened", lambda: OpenProjects(self.home._open_project))

    @property
    def projects(self) -> Projects:
        """The projects of the workspace."""
        return self.home.made("projects", self.home._open_projects)

    policies: Policies = _governing()
    """What the project rules of its models, data and deployments."""
    privacy: Privacy = _governing()
    """Which things came of personal data, and how long things are kept."""
    quality: Quality = _room()
    """Profiles of data, what checks found in it, and which columns are personal."""
    reasons: Reasons = _room()
    """Why steps of pipelines ran, and what they printed."""
    registered_models: RegisteredModels = _room()
    """Names of models, with or without versions."""
    registry: Registry = _room()
    """Models and their versions."""
    rows: Rows = _room()
    """Rows of tables, a page at a time."""
    run_inputs: RunInputs = _room()
    """What went into runs and came out of them."""
    sboms: Sboms = _room()
    """What versions are made of and stand on."""

    @property
    def secrets(self) -> Secrets:
        """What steps, webhooks and channels need, and nobody may read."""
        return self.made("secrets", self._open_secrets)

    trusted_keys: TrustedKeys = _room()
    """Whose word counts for files that would else be refused."""
    signatures: Signatures = _room()
    """Who vouches for which version."""
    simulations: Simulations = _governing()
    """What loops would have done, what they did, and when their schedules come."""
    run_search: RunSearch = _room()
    """Finding, grouping and comparing runs."""
    saved_views: SavedViews = _room()
    """Searches that are kept under a name."""
    step_cache: StepCache = _room()
    """What steps have given before."""
    studies: Studies = _room()
    """Searches for the best params, and their trials."""
    tracking: Tracking = _room()
    """Runs, params, metrics, artifacts."""
    trash: Trash = _room()
    """Many runs at once, and the end of what lies in the trash for long."""
    traces: Traces = _room()
    """Traces of applications and their spans."""
    assessments: Assessments = _room()
    """Judgements of traces."""
    scorers: Scorers = _room()
    """What judges the answers of applications."""
    evaluation_sets: EvaluationSets = _room()
    """Evaluation data sets."""

    @property
    def webhooks(self) -> Webhooks:
        """Addresses that are told of what happens in the registry."""
        from flyball.alerts.webhooks import Webhooks

        networks = self.settings.webhook_networks
        return self.made(
            "webhooks",
            lambda: Webhooks(self.database, self.events, self.time, networks=networks, reveal=self.secrets.resolve),
        )

    @property
    def telemetry(self) -> Telemetry:
        """Sends traces, where the settings say so."""
        from flyball.telemetry import Telemetry

        return self.made("telemetry", lambda: Telemetry(self.settings.otlp, "workspace"))

    def close(self) -> None:
        """Writes what waits and closes the database's connections, also those of projects that are open."""
        opened = self._made.get("opened")
        if opened is not None:
            opened.close()
        telemetry = self._made.get("telemetry")
        if telemetry is not None:
            telemetry.close()
        ingest = self._made.get("ingest")
        if ingest is not None:
            ingest.close()
        online = self._made.get("features_online")
        if online is not None:
            online.close()
        database = self._made.get("database")
        if database is not None:
            database.close()
        if self._owns_home:
            self.home.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def of_access(self, kind: Callable[..., T]) -> T:
        """A service of the room `access`, on the tables of the home workspace."""
        # By the real clock: a password may be guessed and a token run out whatever time the workspace lives in.
        return kind(self.home.database, self.home.events, SystemClock(), forget=self.home.authority.forget)

    def is_made(self, name: str) -> bool:
        """Whether a service was asked for already, so that to ask again opens nothing."""
        return name in self._made

    def made(self, name: str, make: Callable[[], T]) -> T:
        """What was made under a name; made by the first who asks for it."""
        if name not in self._made:
            with self._lock:
                if name not in self._made:
                    self._made[name] = make()
        made: T = self._made[name]
        return made

    def _open_openlineage(self) -> Emitter:
        from flyball.governance.openlineage import Emitter, Writer

        settings = self.settings
        if not settings.openlineage:
            raise InvalidInput(
                "The settings do not say where OpenLineage events go.",
                hint="Set `openlineage` to an address, such as http://marquez:5000/api/v1/lineage, or to a file.",
            )
        writer = Writer(
            name=settings.name, tracking=self.tracking, lineage=self.lineage, inputs=self.run_inputs, data=self.data,
            blobs=self.blobs,
        )  # fmt: skip
        return Emitter(self.database, self.events, writer, settings.openlineage, key=settings.openlineage_key)

    def _open_secrets(self) -> Secrets:
        from flyball.governance.key_wrappers.base import WRAPPERS
        from flyball.governance.secrets import Secrets

        kind, _, place = self.settings.secrets_key.partition(":")
        wrapper = WRAPPERS.get(kind or "file").open(place, self.settings.workspace / "keys")
        return Secrets(self.database, self.events, self.time, wrapper)

    def _open_catalog(self) -> Catalog:
        from flyball.data.catalog import Catalog
        from flyball.data.external import ExternalJobs
        from flyball.governance import shelves

        found = (
            shelves.Datasets(self.data),
            shelves.FeatureViews(self.features, self.data),
            shelves.Models(self.registered_models, self.registry),
            shelves.ServedModels(self.deployments),
            shelves.DeclaredLoops(self.loops),
            self.external,
            ExternalJobs(self.external),
        )
        return Catalog(self.database, self.blobs, self.events, self.time, shelves=found, quality=self.quality.badge)

    def _open_database(self) -> Database:
        from flyball.storage.audit_chain import AuditChain
        from flyball.storage.database import Database
        from flyball.storage.upgrades import make, prepare

        self._check_folder()
        database = Database(self.settings.database, connections=8 if self.settings.is_home else 2)
        try:
            if not self.settings.is_home:
                make(database)  # whoever made the project has asked for it
            prepare(database)
        except BaseException:
            database.close()
            raise
        database.frozen = self._frozen
        database.reserve = self._reserve if database.dialect.name == "sqlite" else None
        key = self._audit_key
        name = self.settings.name if self.settings.is_home else self.settings.project
        database.audit = AuditChain(database.dialect, project=name, sign=key.sign, keep=key.keep)
        # Only asked once the workspace stands, and then by name: its rooms are made when they are first needed.
        database.guard = lambda change, about: self.policies.guard(change, about)
        return database

    def _open_project(self, name: str) -> Workspace:
        made = Workspace(replace(self.settings, project=name), durable=self._durable, home=self)
        try:
            made.database  # noqa: B018 - opening it makes or upgrades it, and says what is wrong
        except BaseException:
            made.close()
            raise
        return made

    def _open_projects(self) -> Projects:
        from flyball.access.projects import Projects
        from flyball.access.removing import remove_places

        def make(name: str) -> None:
            self.opened.take(name, self.projects.state_of(name)).release()

        def remove(own: Settings) -> None:
            if own.online.startswith("redis"):
                from flyball.features.online.redis import RedisStore

                RedisStore(own.online).erase()
            remove_places(self.settings, own)

        return Projects(
            self.database, SystemClock(), settings=self.settings, make=make, forget=self.opened.forget,
            changed=self.authority.forget, look=self._look,
            remove=remove,
        )  # fmt: skip

    def _look(self, project: str, words: str, limit: int) -> list[Found]:
        from flyball.governance.finding import find_things

        if project == HOME:
            return find_things(project, words, limit, catalog=self.catalog, runs=self.run_search)
        with self.opened.use(project, self.projects.state_of(project)) as there:
            return find_things(project, words, limit, catalog=there.catalog, runs=there.run_search)

    def _open_store(self) -> ObjectStore:
        from flyball.storage.local_objects import LocalObjects
        from flyball.storage.objects import open_objects

        if "://" not in self.settings.objects:
            self._check_folder()
            return LocalObjects(Path(self.settings.objects), durable=self._durable, reserve=self._reserve)
        settings = self.settings
        return open_objects(settings.objects, s3_endpoint=settings.s3_endpoint, s3_region=settings.s3_region)

    def _check_folder(self) -> None:
        folder = self.settings.workspace
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)  # others on this machine have no business there
        except OSError as error:
            raise InvalidInput(
                f"The workspace folder {folder} cannot be made: {error.strerror}.",
                hint="Choose another with --workspace.",
            ) from error
        if not os.access(folder, os.W_OK):
            raise InvalidInput(
                f"The workspace folder {folder} cannot be written to.", hint="Choose another with --workspace."
            )
