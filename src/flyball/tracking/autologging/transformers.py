"""Logs the `Trainer` of transformers: its arguments, and all that it reports."""

from __future__ import annotations

import functools
from collections.abc import Callable
from importlib import import_module
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
        imports,
        ("transformers.trainer",),
        lambda found: [replace(found.Trainer, "train", lambda train: _wrapped(train, trainings))],
    )


def _wrapped(train: Callable[..., Any], trainings: Trainings) -> Callable[..., Any]:
    @functools.wraps(train)
    def train_and_log(self: Any, *given: Any, **named: Any) -> Any:
        # In a distributed training every process comes here; the first one speaks for all.
        if not self.is_world_process_zero():
            return train(self, *given, **named)
        with trainings.training("transformers") as run:
            if run is None:
                return train(self, *given, **named)
            _before(run, self)
            callback = callback_for(run)
            self.add_callback(callback)
            try:
                return train(self, *given, **named)
            finally:
                self.remove_callback(callback)

    return train_and_log


@quietly
def _before(run: Target, trainer: Any) -> None:
    params = {key: value for key, value in trainer.args.to_dict().items() if value not in (None, "", [], {})}
    run.log(params=plain_params({**params, "model": type(trainer.model).__name__}))


def callback_for(run: Target) -> Any:
    """A callback of transformers that logs all that its trainer reports to a run."""

    @quietly
    def log_report(step: int, logs: Any) -> None:
        metrics = plain_metrics(logs or {})
        if metrics:
            run.log_metrics(metrics, step=step)

    class LogReports(import_module("transformers").TrainerCallback):  # type: ignore[misc]  # known at run time only
        def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
            log_report(state.global_step, logs)

    return LogReports()
