"""What the libraries' modules share: which training is the outer one, which run it logs to, how a patch is taken back."""

from __future__ import annotations

import functools
import json
import logging
import math
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from types import ModuleType
from typing import Any, Protocol

from flyball.tracking import limits
from flyball.tracking.autologging.on_import import OnImport

logger = logging.getLogger(__name__)

Undo = Callable[[], None]


class Target(Protocol):
    """The run that a training logs to."""

    def log(self, /, *, params: Mapping[str, Any] | None = None, tags: Mapping[str, str] | None = None) -> None:
        """Logs params and tags."""
        ...

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Logs named numbers."""
        ...

    def log_text(self, text: str, name: str) -> None:
        """Keeps a text as a file."""
        ...

    def log_table(self, table: Any, name: str = ...) -> None:
        """Keeps a table."""
        ...

    def keep_artifact(self, source: bytes, name: str, kind: str) -> None:
        """Keeps bytes under a name."""
        ...


class Trainings:
    """The trainings of this process.

    Args:
        find: Gives the run around the code that asks; None if there is none.
        begin: Begins a run for a training of that name, for the time of a block.
        keep_model: Keeps a fitted model with a few of its input rows.
        log_models: Whether models are kept.
    """

    def __init__(
        self,
        *,
        find: Callable[[], Any],
        begin: Callable[[str], AbstractContextManager[Any]],
        keep_model: Callable[[Any, object, object], None],
        log_models: bool,
    ) -> None:
        self._find = find
        self._begin = begin
        self._keep_model = keep_model
        self.log_models = log_models
        self._outer: list[threading.Thread] = []
        self._lock = threading.Lock()

    @contextmanager
    def training(self, name: str) -> Iterator[Target | None]:
        """The run of a training: the one around it, or a new one; None where it is part of another training."""
        thread = threading.current_thread()
        with self._lock:
            is_inner = thread in self._outer or (bool(self._outer) and _is_helper(thread))
            if not is_inner:
                self._outer.append(thread)
        if is_inner:
            yield None
            return
        try:
            around = self._find()
            with self._begin(name) if around is None else nullcontext(around) as run:
                yield run
        finally:
            with self._lock:
                self._outer.remove(thread)

    def current(self) -> Target | None:
        """The run around the code that asks."""
        found: Target | None = self._find()
        return found

    def keep_model(self, run: Target, model: object, example: object) -> None:
        """Keeps a fitted model, if models are kept."""
        if self.log_models:
            self._keep_model(run, model, example)


def quietly(function: Callable[..., None]) -> Callable[..., None]:
    """The function, made so that it never stops the training that it tells of."""

    @functools.wraps(function)
    def guarded(*given: Any, **named: Any) -> None:
        try:
            function(*given, **named)
        except Exception:
            logger.warning("Something of a training could not be logged.", exc_info=True)

    return guarded


def replace(holder: Any, name: str, make: Callable[[Any], Any]) -> Undo:
    """Puts what `make` gives in the place of an attribute; gives the way back."""
    original = getattr(holder, name)
    replaced = make(original)
    setattr(holder, name, replaced)

    def undo() -> None:
        if getattr(holder, name, None) is replaced:
            setattr(holder, name, original)

    return undo


def patch_on_import(imports: OnImport, modules: Sequence[str], patch: Callable[[ModuleType], Sequence[Undo]]) -> Undo:
    """Patches modules as soon as they are imported; gives the way back."""
    undo: list[Undo] = []
    for module in modules:
        imports.when(module, lambda found: undo.extend(patch(found)))

    def take_back() -> None:
        for step in reversed(undo):
            step()

    return take_back


def plain_params(params: Mapping[str, Any]) -> dict[str, Any]:
    """Params as a run keeps them; what is no number, text or truth becomes a text, cut where it is long."""
    found: dict[str, Any] = {}
    for key, value in list(params.items())[: limits.MOST_PARAMS]:
        name = "".join(character if character.isprintable() else " " for character in str(key))[: limits.KEY_LENGTH]
        if name:
            found[name] = _plain(value)
    return found


def plain_metrics(metrics: Mapping[str, Any]) -> dict[str, float]:
    """The metrics that are numbers."""
    found = {}
    for key, value in metrics.items():
        try:
            found[str(key)[: limits.KEY_LENGTH]] = float(value)
        except (TypeError, ValueError, RuntimeError, OverflowError):  # a tensor of many values, a list
            continue
    return found


def importance_text(scores: Mapping[str, Any]) -> str:
    """How much each feature counts, greatest first, as JSON."""
    numbers = plain_metrics(scores)
    return json.dumps(dict(sorted(numbers.items(), key=lambda item: -item[1])), indent=1)


def _plain(value: Any) -> Any:
    item = getattr(value, "item", None)
    if callable(item) and getattr(value, "shape", None) == ():
        value = item()
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int):
        return value if -(1 << 63) <= value < 1 << 63 else str(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    text = value if isinstance(value, str) else repr(value)
    return text.replace("\0", "").encode("utf-8", "replace").decode()[: limits.PARAM_LENGTH if value is text else 500]


def _is_helper(thread: threading.Thread) -> bool:
    # joblib's threads work for the fit that waits for them; they do not know what is around it.
    return type(thread).__name__ == "DummyProcess" or thread.name.startswith("ThreadPoolExecutor")
