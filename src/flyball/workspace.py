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
        return self._once("database", self._open_database)

    @property
    def once(self) -> Once:
        """Does changes once that are asked for again."""
        from flyball.storage.idempotency import Once

        return self._once("once", lambda: Once(self.database))

    @property
    def _reserve(self) -> Reserve:
        from flyball.storage.trouble import Reserve

        return Reserve(self.settings.workspace, self.settings.disk_reserve_mib << 20)

    @property
    def store(self) -> ObjectStore:
        """Where named bytes rest."""
        return self._once("store", self._open_store)

    @property
    def blobs(self) -> Blobs:
        """Content-addressed bytes."""
        from flyball.storage.objects import Blobs

        return self._once("blobs", lambda: Blobs(self.store, self.cache / "blobs"))

    @property
    def time(self) -> Clock:
        """The clock that the settings choose."""
        return SystemClock() if self.settings.clock == "system" else self.clock

    @property
    def clock(self) -> VirtualClock:
        """The workspace's virtual clock; it rules only where the settings say so."""
        from flyball.storage.virtual_clock import VirtualClock

        return self._once("clock", lambda: VirtualClock(self.database, SystemClock()))

    @property
    def events(self) -> EventLog:
        """The event log."""
        from flyball.storage.event_log import EventLog

        return self._once("events", lambda: EventLog(self.database, self.time))

    @property
    def accounts(self) -> Accounts:
        """People, and programs with an account of their own."""
        from flyball.access.accounts import Accounts

        return self._access("accounts", Accounts)

    @property
    def authority(self) -> Authority:
        """Says whom tokens stand for."""
        from flyball.access.authority import Authority

        return self.home._once("authority", lambda: Authority(self.home.database, SystemClock()))

    @property
    def groups(self) -> Groups:
        """Groups of accounts."""
        from flyball.access.groups import Groups

        return self._access("groups", Groups)

    @property
    def logins(self) -> Logins:
        """Lets people in."""
        from flyball.access.logins import Logins

        session = timedelta(hours=self.settings.session_hours)
        return self._access("logins", partial(Logins, session=session))

    @property
    def members(self) -> Members:
        """Which account or group has which role."""
        from flyball.access.members import Members

        return self._access("members", Members)

    @property
    def tokens(self) -> Tokens:
        """What programs show in place of a password."""
        from flyball.access.tokens import Tokens

        return self._access("tokens", Tokens)

    @property
    def alerts(self) -> Alerts:
        """Findings that someone should know of."""
        from flyball.alerts.alert import Alerts

        return self._once("alerts", lambda: Alerts(self.database, self.events, self.time))

    @property
    def approvals(self) -> Approvals:
        """What people say of versions before they go live."""
        from flyball.registry.approvals import Approvals

        return self._room("approvals", Approvals)

    @property
    def automl(self) -> AutoMl:
        """Searches for the best model of a column."""
        from flyball.model_search.searches import AutoMl

        return self._room("automl", AutoMl)

    @property
    def audit(self) -> Audit:
        """Who did what to which thing."""
        from flyball.governance.audit import Audit

        return self._once("audit", lambda: Audit(self.database, self._audit_key))

    @property
    def _audit_key(self) -> AuditKey:
        from flyball.governance.audit_keys import AuditKey

        return self._once("audit_key", lambda: AuditKey(self.settings.workspace / "keys"))

    @property
    def catalog(self) -> Catalog:
        """Finding and describing data, and what is made of it."""
        return self._once("catalog", self._open_catalog)

    @property
    def comments(self) -> Comments:
        """What people say about things."""
        from flyball.registry.comments import Comments

        return self._room("comments", Comments)

    @property
    def cost(self) -> Cost:
        """What work takes, and what that costs."""
        from flyball.governance.cost import Cost

        return self._once("cost", lambda: Cost(self))

    @property
    def data(self) -> Data:
        """Datasets and their snapshots."""
        from flyball.data.datasets import Data

        return self._room("data", Data)

    @property
    def data_versions(self) -> DataVersions:
        """History, branches and tags of datasets."""
        from flyball.data.versions import DataVersions

        return self._room("data_versions", DataVersions)

    @property
    def deployments(self) -> Deployments:
        """What is served, and how it gets there."""
        from flyball.deployment.deployments import Deployments

        return self._room("deployments", Deployments)

    @property
    def errands(self) -> Errands:
        """Work that was asked for, and that the workers do."""
        from flyball.pipelines.errands import Errands

        return self._room("errands", Errands)

    @property
    def evidence(self) -> Evidence:
        """Documents that auditors ask for, filled from facts."""
        from flyball.governance.evidence.evidence import Evidence

        return self._once("evidence", lambda: Evidence(self, self._audit_key))

    @property
    def experiments(self) -> Experiments:
        """Named groups of runs."""
        from flyball.tracking.experiments import Experiments

        return self._room("experiments", Experiments)

    @property
    def external(self) -> External:
        """Data and jobs of other tools."""
        from flyball.data.external import External

        return self._room("external", External)

    @property
    def features(self) -> Features:
        """Feature views."""
        from flyball.features.views import Features

        return self._room("features", Features)

    @property
    def features_online(self) -> OnlineFeatures:
        """The latest values of features, by key."""
        from flyball.features.online_features import OnlineFeatures

        def make() -> OnlineFeatures:
            return OnlineFeatures(self.database, self.blobs, self.events, self.time, url=self.settings.online)

        return self._once("features_online", make)

    @property
    def files(self) -> Files:
        """Files that belong to no run."""
        from flyball.tracking.files import Files

        return self._room("files", Files)

    @property
    def images(self) -> Images:
        """Container images that were built."""
        from flyball.packaging.images import Images

        return self._room("images", Images)

    @property
    def manifest_key(self) -> ManifestKey:
        """Signs the manifests that model servers follow."""
        from flyball.deployment.manifest_keys import ManifestKey

        return self._once("manifest_key", lambda: ManifestKey(self.settings.workspace / "keys"))

    @property
    def ingest(self) -> Ingest:
        """Writes what many log at the same time, in few transactions."""
        from flyball.tracking.ingest import Ingest

        return self._once("ingest", lambda: Ingest(self.database, self.events, self.time))

    @property
    def labels(self) -> Labels:
        """What people label, and what they said."""
        from flyball.labels.labels import Labels

        return self._room("labels", Labels)

    @property
    def lifecycle(self) -> Lifecycle:
        """Deprecation, retirement and rollback of versions."""
        from flyball.registry.lifecycle import Lifecycle

        return self._room("lifecycle", Lifecycle)

    @property
    def lineage(self) -> Lineage:
        """What was made from what."""
        from flyball.lineage import Lineage

        return self._once("lineage", lambda: Lineage(self.database, self.events, self.time))

    @property
    def logged_models(self) -> LoggedModels:
        """Models as runs log them."""
        from flyball.tracking.logged_models import LoggedModels

        return self._room("logged_models", LoggedModels)

    @property
    def loops(self) -> Loops:
        """Declared loops and what became of them."""
        from flyball.loops.loops import Loops

        return self._room("loops", Loops)

    @property
    def maturity(self) -> Maturity:
        """How ready loops are."""
        from flyball.governance.maturity import Maturity

        return self._once("maturity", lambda: Maturity(self))

    @property
    def model_cards(self) -> ModelCards:
        """All that is known of a version on one page."""
        from flyball.registry.card import ModelCards

        return self._room("model_cards", ModelCards)

    @property
    def model_versions(self) -> ModelVersions:
        """Versions of models from any source, with MLflow's stages."""
        from flyball.registry.model_versions import ModelVersions

        return self._room("model_versions", ModelVersions)

    @property
    def monitoring(self) -> Monitoring:
        """Windows of predictions, ground truth, findings."""
        from flyball.monitoring.monitoring import Monitoring

        return self._room("monitoring", Monitoring)

    @property
    def openlineage(self) -> Emitter:
        """Tells runs and data to where the settings say.

        Raises:
            InvalidInput: they say nothing, or what cannot be used.
        """
        return self._once("openlineage", self._open_openlineage)

    @property
    def opened(self) -> OpenProjects[Workspace]:
        """Projects of this workspace that are open in this process."""
        from flyball.access.open_projects import OpenProjects

        return self.home._once("opened", lambda: OpenProjects(self.home._open_project))

    @property
    def projects(self) -> Projects:
        """The projects of the workspace."""
        return self.home._once("projects", self.home._open_projects)

    @property
    def policies(self) -> Policies:
        """What the project rules of its models, data and deployments."""
        from flyball.governance.policies import Policies

        return self._once("policies", lambda: Policies(self))

    @property
    def privacy(self) -> Privacy:
        """Which things came of personal data, and how long things are kept."""
        from flyball.governance.privacy import Privacy

        return self._once("privacy", lambda: Privacy(self))

    @property
    def quality(self) -> Quality:
        """Profiles of data, what checks found in it, and which columns are personal."""
        from flyball.data.quality import Quality

        return self._room("quality", Quality)

    @property
    def reasons(self) -> Reasons:
        """Why steps of pipelines ran, and what they printed."""
        from flyball.pipelines.told import Reasons

        return self._room("reasons", Reasons)

    @property
    def registered_models(self) -> RegisteredModels:
        """Names of models, with or without versions."""
        from flyball.registry.registered_models import RegisteredModels

        return self._room("registered_models", RegisteredModels)

    @property
    def registry(self) -> Registry:
        """Models and their versions."""
        from flyball.registry.versions import Registry

        return self._room("registry", Registry)

    @property
    def rows(self) -> Rows:
        """Rows of tables, a page at a time."""
        from flyball.data.rows import Rows

        return self._room("rows", Rows)

    @property
    def run_inputs(self) -> RunInputs:
        """What went into runs and came out of them."""
        from flyball.tracking.inputs import RunInputs

        return self._room("run_inputs", RunInputs)

    @property
    def sboms(self) -> Sboms:
        """What versions are made of and stand on."""
        from flyball.registry.sbom import Sboms

        return self._room("sboms", Sboms)

    @property
    def secrets(self) -> Secrets:
        """What steps, webhooks and channels need, and nobody may read."""
        return self._once("secrets", self._open_secrets)

    @property
    def trusted_keys(self) -> TrustedKeys:
        """Whose word counts for files that would else be refused."""
        from flyball.registry.vouching import TrustedKeys

        return self._room("trusted_keys", TrustedKeys)

    @property
    def signatures(self) -> Signatures:
        """Who vouches for which version."""
        from flyball.registry.signing import Signatures

        return self._room("signatures", Signatures)

    @property
    def simulations(self) -> Simulations:
        """What loops would have done, what they did, and when their schedules come."""
        from flyball.loops.simulations import Simulations

        return self._once("simulations", lambda: Simulations(self))

    @property
    def run_search(self) -> RunSearch:
        """Finding, grouping and comparing runs."""
        from flyball.tracking.search import RunSearch

        return self._room("run_search", RunSearch)

    @property
    def saved_views(self) -> SavedViews:
        """Searches that are kept under a name."""
        from flyball.tracking.saved_views import SavedViews

        return self._room("saved_views", SavedViews)

    @property
    def step_cache(self) -> StepCache:
        """What steps have given before."""
        from flyball.pipelines.cache import StepCache

        return self._room("step_cache", StepCache)

    @property
    def studies(self) -> Studies:
        """Searches for the best params, and their trials."""
        from flyball.tuning.studies import Studies

        return self._room("studies", Studies)

    @property
    def tracking(self) -> Tracking:
        """Runs, params, metrics, artifacts."""
        from flyball.tracking.runs import Tracking

        return self._room("tracking", Tracking)

    @property
    def trash(self) -> Trash:
        """Many runs at once, and the end of what lies in the trash for long."""
        from flyball.tracking.trash import Trash

        return self._room("trash", Trash)

    @property
    def traces(self) -> Traces:
        """Traces of applications and their spans."""
        from flyball.tracking.traces import Traces

        return self._room("traces", Traces)

    @property
    def assessments(self) -> Assessments:
        """Judgements of traces."""
        from flyball.tracking.assessments import Assessments

        return self._room("assessments", Assessments)

    @property
    def scorers(self) -> Scorers:
        """What judges the answers of applications."""
        from flyball.tracking.scorers import Scorers

        return self._room("scorers", Scorers)

    @property
    def evaluation_sets(self) -> EvaluationSets:
        """Evaluation data sets."""
        from flyball.tracking.evaluation_sets import EvaluationSets

        return self._room("evaluation_sets", EvaluationSets)

    @property
    def webhooks(self) -> Webhooks:
        """Addresses that are told of what happens in the registry."""
        from flyball.alerts.webhooks import Webhooks

        networks = self.settings.webhook_networks
        return self._once(
            "webhooks",
            lambda: Webhooks(self.database, self.events, self.time, networks=networks, reveal=self.secrets.resolve),
        )

    @property
    def telemetry(self) -> Telemetry:
        """Sends traces, where the settings say so."""
        from flyball.telemetry import Telemetry

        return self._once("telemetry", lambda: Telemetry(self.settings.otlp, "workspace"))

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

    def _room(self, name: str, kind: Callable[..., T]) -> T:
        return self._once(name, lambda: kind(self.database, self.blobs, self.events, self.time))

    def _access(self, name: str, kind: Callable[..., T]) -> T:
        # By the real clock: a password may be guessed and a token run out whatever time the workspace lives in.
        real, home = SystemClock(), self.home
        return home._once(name, lambda: kind(home.database, home.events, real, forget=home.authority.forget))

    def is_made(self, name: str) -> bool:
        """Whether a service was asked for already, so that to ask again opens nothing."""
        return name in self._made

    def _once(self, name: str, make: Callable[[], T]) -> T:
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
