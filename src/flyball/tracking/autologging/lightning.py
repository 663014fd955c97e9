"""Logs PyTorch Lightning: by a callback that `fit` is given, or as a logger that a `Trainer` is given."""

from __future__ import annotations

import functools
from collections.abc import Callable
from importlib import import_module
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

_PACKAGES = ("lightning.pytorch", "pytorch_lightning")


def install(trainings: Trainings, imports: OnImport) -> Undo:
    """Logs from now on; gives the way back."""
    return patch_on_import(
        imports,
        _PACKAGES,
        lambda found: [replace(found.Trainer, "fit", lambda fit: _wrapped(fit, found, trainings))],
    )


def _wrapped(fit: Callable[..., Any], package: ModuleType, trainings: Trainings) -> Callable[..., Any]:
    @functools.wraps(fit)
    def fit_and_log(self: Any, *given: Any, **named: Any) -> Any:
        # In a distributed training every process comes here; the first one speaks for all.
        if not getattr(self, "is_global_zero", True):
            return fit(self, *given, **named)
        with trainings.training("lightning") as run:
            if run is None:
                return fit(self, *given, **named)
            callback = callback_for(run, package)
            self.callbacks.append(callback)
            try:
                return fit(self, *given, **named)
            finally:
                if callback in self.callbacks:
                    self.callbacks.remove(callback)

    return fit_and_log


def callback_for(run: Target, package: ModuleType | None = None) -> Any:
    """A Lightning callback that logs params, and the metrics of each epoch, to a run."""
    found: Any = package or _package()

    @quietly
    def log_params(trainer: Any, module: Any) -> None:
        params = dict(getattr(module, "hparams", {}) or {})
        params |= {
            "max_epochs": trainer.max_epochs,
            "model": type(module).__name__,
            "optimizer": ", ".join(type(optimizer).__name__ for optimizer in trainer.optimizers),
        }
        for optimizer in trainer.optimizers[:1]:
            params.setdefault("lr", optimizer.defaults.get("lr"))
        run.log(params=plain_params(params))

    @quietly
    def log_epoch(trainer: Any) -> None:
        if not trainer.sanity_checking:
            metrics = plain_metrics(trainer.callback_metrics)
            if metrics:
                run.log_metrics(metrics, step=trainer.current_epoch)

    class LogEpochs(found.Callback):  # type: ignore[misc]  # known at run time only
        def on_train_start(self, trainer: Any, pl_module: Any) -> None:
            log_params(trainer, pl_module)

        # The end of the training epoch comes after the validation in it, so all metrics are there.
        def on_train_epoch_end(self, trainer: Any, pl_module: Any) -> None:
            log_epoch(trainer)

    return LogEpochs()


def logger_for(run: Any, package: ModuleType | None = None) -> Any:
    """A Lightning logger that logs to a run: `Trainer(logger=logger_for(run))`."""
    found: Any = import_module(f"{(package or _package()).__name__}.loggers.logger")
    only_first = import_module(f"{(package or _package()).__name__}.utilities.rank_zero").rank_zero_only

    class RunLogger(found.Logger):  # type: ignore[misc]  # known at run time only
        @property
        def name(self) -> str:
            return str(getattr(run, "experiment", "flyball"))

        @property
        def version(self) -> str:
            return str(getattr(run, "id", ""))

        @only_first  # type: ignore[untyped-decorator]  # known at run time only
        def log_hyperparams(self, params: Any, *_: Any, **__: Any) -> None:
            run.log(params=plain_params(vars(params) if hasattr(params, "__dict__") else dict(params or {})))

        @only_first  # type: ignore[untyped-decorator]  # known at run time only
        def log_metrics(self, metrics: Any, step: int | None = None) -> None:
            run.log_metrics(plain_metrics(metrics), step)

    return RunLogger()


def _package() -> ModuleType:
    for name in _PACKAGES:
        try:
            return import_module(name)
        except ImportError:
            continue
    raise ImportError("PyTorch Lightning is not installed.")
