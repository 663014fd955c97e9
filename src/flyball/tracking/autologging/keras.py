"""Logs `fit` of Keras models: params, and the metrics of each epoch."""

from __future__ import annotations

import functools
from collections.abc import Callable
from types import ModuleType
from typing import Any

from flyball.tracking.autologging.on_import import OnImport
from flyball.tracking.autologging.trainings import (
    Target,
    Trainings,
    Undo,
    patch_on_import,
    plain_metrics,
    plain_params,
    quietly,
    replace,
)


def install(trainings: Trainings, imports: OnImport) -> Undo:
    """Logs from now on; gives the way back."""
    return patch_on_import(
        imports, ("keras",), lambda keras: [replace(keras.Model, "fit", lambda fit: _wrapped(fit, keras, trainings))]
    )


def _wrapped(fit: Callable[..., Any], keras: ModuleType, trainings: Trainings) -> Callable[..., Any]:
    @functools.wraps(fit)
    def fit_and_log(self: Any, *given: Any, **named: Any) -> Any:
        with trainings.training("keras") as run:
            if run is None:
                return fit(self, *given, **named)
            callbacks = named.get("callbacks")
            mine = callback_for(run, keras)
            if callbacks is not None and not isinstance(callbacks, list | tuple):  # a `CallbackList` of the user's own
                callbacks.append(mine)
            else:
                named["callbacks"] = [*(callbacks or []), mine]
            _before(run, self, named)
            return fit(self, *given, **named)

    return fit_and_log


@quietly
def _before(run: Target, model: Any, named: dict[str, Any]) -> None:
    params: dict[str, Any] = {key: named[key] for key in ("epochs", "batch_size", "validation_split") if key in named}
    optimizer = getattr(model, "optimizer", None)
    if optimizer is not None:
        params |= {f"optimizer_{key}": value for key, value in optimizer.get_config().items()}
    params |= {"model": type(model).__name__, "loss": getattr(model, "loss", None)}
    run.log(params=plain_params(params))


def callback_for(run: Target, keras: Any) -> Any:
    """A Keras callback that logs the metrics of each epoch to a run."""

    @quietly
    def log_epoch(epoch: int, logs: Any) -> None:
        if logs:
            run.log_metrics(plain_metrics(logs), step=epoch)

    class LogEpochs(keras.callbacks.Callback):  # type: ignore[misc]  # known at run time only
        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            log_epoch(epoch, logs)

    return LogEpochs()
