"""Follows the manifests in the object store: loads what they name, swaps it in, says how it went.

It needs nothing but the store, and not even that for a while: what is loaded goes on answering.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from flyball.clock import Clock, SystemClock
from flyball.errors import Conflict, InvalidInput, NotFound, did_you_mean
from flyball.models.environment import upgrades
from flyball.serialization import to_json
from flyball.serving.endpoint import Endpoint
from flyball.serving.feature_lookup import LastingStore
from flyball.serving.manifest import DEPLOYMENTS, FollowerReport, Manifest, deployment_of, follower_key, manifest_key
from flyball.serving.prediction_log import PredictionLog
from flyball.serving.runtime import Runtime
from flyball.serving.signed_manifest import TrustedKey, read_manifest
from flyball.storage.object_store import ObjectStore
from flyball.storage.objects import Blobs

logger = logging.getLogger(__name__)

_LONGEST_PAUSE = 30.0


@dataclass(slots=True)
class _Attempt:
    """The last manifest that was tried, and when to try it again if it failed."""

    etag: str
    failures: int = 0
    again_at: float = 0.0


class Follower:
    """Keeps a model server's endpoints as the manifests want them.

    Args:
        replica: Name of this model server; its own among those that share the store.
        address: Where it answers.
        deployments: Which to follow; all that there are if empty.
        interval: Seconds between looks at the store.
        heartbeat: Seconds after which a report is written although nothing changed.
        cache: Folder for local copies of model files, where the store is not local.
        online: Address of the online store, for features that requests do not give.
        model_threads: Threads that one prediction of one model may use; as many as its library likes if None.
        spool: Folder on this machine's disk for predictions that do not rest in the store yet; None keeps them in memory.
        trusted: Keys one of which must have signed a manifest; none: manifests are taken from whoever writes to the store.
        ticks: Seconds that pass; only simulations give others than this machine's.
        settled: Called once, after the first look, when what will stay in memory for long is there.
    """

    def __init__(
        self,
        store: ObjectStore,
        *,
        replica: str,
        address: str = "",
        deployments: Sequence[str] = (),
        interval: float = 0.2,
        heartbeat: float = 5.0,
        cache: Path | None = None,
        clock: Clock | None = None,
        online: str = "",
        model_threads: int | None = 1,
        spool: Path | None = None,
        trusted: Sequence[TrustedKey] = (),
        ticks: Callable[[], float] = time.monotonic,
        settled: Callable[[], None] = lambda: None,
    ) -> None:
        self._settled = settled
        self._trusted = tuple(trusted)
        self._ticks = ticks
        self._model_threads = model_threads
        self._spool = spool
        self.replica = replica
        self._online = LastingStore(online)
        self.endpoints: dict[str, Endpoint] = {}
        self.looked = False
        self._store = store
        self._blobs = Blobs(store, cache)
        self._address = address
        self._named = tuple(deployments)
        self._interval = interval
        self._heartbeat = heartbeat
        self._clock = clock or SystemClock()
        self._attempts: dict[str, _Attempt] = {}
        self._upgrades: dict[str, tuple[str, ...]] = {}
        self._reported: dict[str, tuple[float, tuple[int, str, str]]] = {}
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="follower", daemon=True)

    def start(self) -> None:
        """Begins to follow."""
        self._thread.start()

    def stop(self) -> None:
        """Stops following, finishes the logs and takes the reports away."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(30)
        for endpoint in self.endpoints.values():
            endpoint.close()
            self._forget_report(endpoint.name)

    def endpoint(self, name: str) -> Endpoint:
        """The endpoint of a deployment.

        Raises:
            NotFound: none is followed under that name.
        """
        found = self.endpoints.get(name)
        if found is None:
            raise NotFound(f"There is no deployment '{name}'.", hint=did_you_mean(name, self.endpoints))
        return found

    def waiting_for(self) -> list[str]:
        """Why it is not ready to answer; empty if it is."""
        if not self.looked:
            return ["the first look at the manifests"]
        missing = [name for name in self._named if name not in self.endpoints]
        return [f"a manifest of '{name}'" for name in missing] + [
            f"a first model of '{name}'" + (f": {endpoint.error}" if endpoint.error else "")
            for name, endpoint in self.endpoints.items()
            if endpoint.runtime is None
        ]

    def look(self) -> None:
        """Looks at the manifests once and does what they ask for."""
        found = self._manifests()
        for name in [name for name in self.endpoints if name not in found]:
            self._drop(name)
        for name, etag in found.items():
            attempt = self._attempts.get(name)
            if attempt is None or attempt.etag != etag or (attempt.failures and self._ticks() >= attempt.again_at):
                self._take(name, etag, attempt)
        if not self.looked:
            self._settled()
        self.looked = True
        for endpoint in self.endpoints.values():
            self._report(endpoint)

    def _run(self) -> None:
        unreachable = False
        while not self._stopping.is_set():
            try:
                self.look()
                unreachable = False
            except Exception as error:  # each store has its own errors, and what is loaded must go on
                if not unreachable:
                    logger.warning("the store cannot be reached", exc_info=error)
                unreachable = True
            # Thousands of followers that started together must not ask together for ever.
            self._stopping.wait(self._interval * random.uniform(0.8, 1.2))  # noqa: S311  # no secret

    def _manifests(self) -> dict[str, str]:
        """ETag of each manifest that is to be followed."""
        if self._named:
            stats = [(name, self._store.stat(manifest_key(name))) for name in self._named]
            return {name: stat.etag for name, stat in stats if stat is not None}
        found = {}
        for item in self._store.list(DEPLOYMENTS):
            name = deployment_of(item.key)
            if name is not None:
                found[name] = item.etag
        return found

    def _take(self, name: str, etag: str, former: _Attempt | None) -> None:
        endpoint = self.endpoints.get(name)
        if endpoint is None:
            endpoint = Endpoint(name, PredictionLog(self._store, name, self.replica, spool=self._spool))
            self.endpoints = {**self.endpoints, name: endpoint}
        failures = former.failures if former and former.etag == etag else 0
        try:
            manifest = self._read(name, endpoint)
            endpoint.state = "loading"
            self._report(endpoint)
            runtime = Runtime.load(manifest, self._blobs, endpoint.runtime, self._online, threads=self._model_threads)
            # Before the first answer of the new generation: what it hides must not be written by the rules of the old one.
            endpoint.log.rules, endpoint.log.key_column = manifest.logging, manifest.key
            endpoint.runtime = runtime
        except Exception as error:  # a model may raise anything, and the old one must go on
            logger.warning("generation not taken", extra={"deployment": name}, exc_info=error)
            pause = min(2.0**failures, _LONGEST_PAUSE)
            self._attempts[name] = _Attempt(etag=etag, failures=failures + 1, again_at=self._ticks() + pause)
            endpoint.state, endpoint.error = "failed", f"{type(error).__name__}: {error}"
            return
        self._attempts[name] = _Attempt(etag=etag)
        told = [words for arm in manifest.arms for words in upgrades(arm.package.environment)]
        self._upgrades[name] = tuple(dict.fromkeys(told))
        endpoint.state, endpoint.error, endpoint.last_failure = "ready", "", ""
        logger.info("generation taken", extra={"deployment": name, "generation": manifest.generation})

    def _read(self, name: str, endpoint: Endpoint) -> Manifest:
        manifest = read_manifest(self._store.get(manifest_key(name)), self._trusted)
        if manifest.deployment != name:
            raise InvalidInput(f"The manifest of '{name}' is one of '{manifest.deployment}'.")
        held = endpoint.runtime.manifest.generation if endpoint.runtime else 0
        # What was signed once stays signed: an old manifest that somebody puts back must not bring an old model back.
        if self._trusted and manifest.generation < held:
            raise Conflict(f"The manifest is of generation {manifest.generation}, and {held} answers already.")
        return manifest

    def _drop(self, name: str) -> None:
        endpoint = self.endpoints[name]
        self.endpoints = {other: kept for other, kept in self.endpoints.items() if other != name}
        self._attempts.pop(name, None)
        endpoint.close()
        self._forget_report(name)

    def _report(self, endpoint: Endpoint) -> None:
        generation = endpoint.runtime.manifest.generation if endpoint.runtime else 0
        error = endpoint.error or endpoint.last_failure or endpoint.log.error
        fact = (generation, endpoint.state, error)
        written, known = self._reported.get(endpoint.name, (0.0, None))
        if fact == known and self._ticks() - written < self._heartbeat:
            return
        report = FollowerReport(
            replica=self.replica,
            deployment=endpoint.name,
            generation=generation,
            address=self._address,
            at=self._clock.now(),
            state=endpoint.state,
            error=error,
            requests=endpoint.counters.requests,
            errors=endpoint.counters.errors,
            logged=endpoint.log.logged,
            dropped=endpoint.log.dropped,
            upgrades=self._upgrades.get(endpoint.name, ()),
        )
        self._store.put(follower_key(endpoint.name, self.replica), to_json(report))
        self._reported[endpoint.name] = (self._ticks(), fact)

    def _forget_report(self, name: str) -> None:
        self._reported.pop(name, None)
        try:
            self._store.delete(follower_key(name, self.replica))
        except Exception as error:  # the store may be gone; the report then ages by itself
            logger.warning("report not taken away", exc_info=error)
