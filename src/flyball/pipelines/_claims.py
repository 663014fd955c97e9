"""Two equal calls of steps in different runs are run once: the second waits for what the first gives.

A run that is alone pays nothing for it but a look. Where others are under way, what they run now is looked through, and the
right to run a call is held as a lease that ends with the process.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from typing import Any

from flyball.errors import FlyballError
from flyball.pipelines.cache import CachedStep
from flyball.tracking.runs import Run

_LOOK_SECONDS = 0.2


class Claims:
    """The calls that one run holds the right to run.

    Args:
        run: The pipeline's run.
        services: Its services.
    """

    def __init__(self, run: Run, services: Any) -> None:
        self._run = run
        self._services = services
        self._held: set[str] = set()
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def hold(
        self, key: str, *, on_wait: Callable[[str], None], stopped: Callable[[], bool]
    ) -> Iterator[CachedStep | None]:
        """Holds the right to run the call of that key; gives what another run has made of it meanwhile, if one did.

        Args:
            on_wait: Told the run that is waited for.
            stopped: Asked while it waits.
        """
        found = None
        is_held = has_waited = False
        pause = threading.Event()
        while not stopped():
            others = self._others()
            busy = next((other for other in others if self._runs_now(other, key)), None)
            is_held = busy is None and (not others or self._services.step_cache.claim(key, self._run.id))
            if is_held:
                found = self._services.step_cache.lookup(key) if has_waited else None
                break
            if not has_waited:
                has_waited = True
                on_wait(busy or others[0])
            pause.wait(_LOOK_SECONDS)
        with self._lock:
            self._held |= {key} if is_held and others else set()
        try:
            yield found
        finally:
            with self._lock:
                is_mine = key in self._held
                self._held.discard(key)
            if is_mine:
                with contextlib.suppress(FlyballError):  # it runs out by itself
                    self._services.step_cache.release(key, self._run.id)

    def renew(self) -> None:
        """Says that the run still lives; called at each heartbeat."""
        with self._lock:
            held = list(self._held)
        for key in held:
            self._services.step_cache.claim(key, self._run.id)

    def _others(self) -> list[str]:
        live: list[str] = self._services.tracking.list_live("pipeline")
        return [run for run in live if run != self._run.id]

    def _runs_now(self, run: str, key: str) -> bool:
        steps: list[Run] = self._services.tracking.list_runs(parent=run, state="running", limit=100)
        return any(step.tags.get("key") == key for step in steps)
