"""What the governor works with: the rooms' services and the places where bytes rest, however they were wired."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from flyball.access.tokens import Tokens
from flyball.alerts.alert import Alerts
from flyball.alerts.webhooks import Webhooks
from flyball.clock import Clock
from flyball.data.datasets import Data
from flyball.deployment.deployments import Deployments
from flyball.deployment.manifest_keys import ManifestKey
from flyball.features.views import Features
from flyball.labels.labels import Labels
from flyball.loops.loops import Loops
from flyball.model_search.searches import AutoMl
from flyball.monitoring.monitoring import Monitoring
from flyball.pipelines.errands import Errands
from flyball.registry.approvals import Approvals
from flyball.registry.versions import Registry
from flyball.settings import Settings
from flyball.storage.database import Database
from flyball.storage.event_log import EventLog
from flyball.storage.object_store import ObjectStore
from flyball.storage.objects import Blobs
from flyball.storage.virtual_clock import VirtualClock
from flyball.telemetry import Telemetry
from flyball.tracking.runs import Tracking


class Resolves(Protocol):
    """Knows the secrets that settings name."""

    def resolve(self, text: str, purpose: str, /) -> str:
        """A text as it is, or the value of the secret that it refers to."""
        ...


class Services(Protocol):
    """A workspace, as far as the governor needs it."""

    @property
    def settings(self) -> Settings: ...
    @property
    def secrets(self) -> Resolves: ...
    @property
    def database(self) -> Database: ...
    @property
    def store(self) -> ObjectStore: ...
    @property
    def blobs(self) -> Blobs: ...
    @property
    def cache(self) -> Path: ...
    @property
    def telemetry(self) -> Telemetry: ...
    @property
    def time(self) -> Clock: ...
    @property
    def clock(self) -> VirtualClock: ...
    @property
    def alerts(self) -> Alerts: ...
    @property
    def approvals(self) -> Approvals: ...
    @property
    def automl(self) -> AutoMl: ...
    @property
    def data(self) -> Data: ...
    @property
    def deployments(self) -> Deployments: ...
    @property
    def manifest_key(self) -> ManifestKey: ...
    @property
    def features(self) -> Features: ...
    @property
    def errands(self) -> Errands: ...
    @property
    def events(self) -> EventLog: ...
    @property
    def labels(self) -> Labels: ...
    @property
    def loops(self) -> Loops: ...
    @property
    def monitoring(self) -> Monitoring: ...
    @property
    def registry(self) -> Registry: ...
    @property
    def tokens(self) -> Tokens: ...
    @property
    def tracking(self) -> Tracking: ...
    @property
    def webhooks(self) -> Webhooks: ...
