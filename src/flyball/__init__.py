"""Flyball takes a model round the whole loop, and keeps taking it round.

    import flyball as fb

Each name is loaded when it is first used, so the import costs next to nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flyball.version import __version__

if TYPE_CHECKING:
    from flyball.alerts import alert_to as alert_to
    from flyball.data import expect as expect
    from flyball.data.catalog import Dataset, dataset
    from flyball.data.table import Table
    from flyball.deployment.rollout import canary, immediate, shadow
    from flyball.errors import FlyballError
    from flyball.features.views import FeatureView, feature_view
    from flyball.loops import on
    from flyball.loops.loop import Loop, loop
    from flyball.monitoring import monitor
    from flyball.pipelines.pipeline import pipeline
    from flyball.pipelines.step import step
    from flyball.pipelines.values import Model
    from flyball.registry import gate
    from flyball.session import connect, load_model, log, predict, run, snapshot
    from flyball.steps import evaluate, register, split, training_set, validate

_NAMES = {
    # data and features
    "Dataset": "flyball.data.catalog:Dataset",
    "dataset": "flyball.data.catalog:dataset",
    "Table": "flyball.data.table:Table",
    "expect": "flyball.data.expect",
    "FeatureView": "flyball.features.views:FeatureView",
    "feature_view": "flyball.features.views:feature_view",
    "snapshot": "flyball.session:snapshot",
    # pipelines
    "step": "flyball.pipelines.step:step",
    "pipeline": "flyball.pipelines.pipeline:pipeline",
    "Model": "flyball.pipelines.values:Model",
    "training_set": "flyball.steps:training_set",
    "validate": "flyball.steps:validate",
    "split": "flyball.steps:split",
    "evaluate": "flyball.steps:evaluate",
    "register": "flyball.steps:register",
    # tracking and models
    "run": "flyball.session:run",
    "log": "flyball.session:log",
    "load_model": "flyball.session:load_model",
    "predict": "flyball.session:predict",
    "connect": "flyball.session:connect",
    # loops
    "Loop": "flyball.loops.loop:Loop",
    "loop": "flyball.loops.loop:loop",
    "on": "flyball.loops.on",
    "gate": "flyball.registry.gate",
    "monitor": "flyball.monitoring.monitor",
    "canary": "flyball.deployment.rollout:canary",
    "shadow": "flyball.deployment.rollout:shadow",
    "immediate": "flyball.deployment.rollout:immediate",
    "alert_to": "flyball.alerts.alert_to",
    # errors
    "FlyballError": "flyball.errors:FlyballError",
}

__all__ = [*_NAMES, "__version__"]


def __getattr__(name: str) -> Any:
    place = _NAMES.get(name)
    if place is None:
        raise AttributeError(f"module 'flyball' has no attribute '{name}'")
    from importlib import import_module

    module, _, attribute = place.partition(":")
    found = import_module(module)
    value = getattr(found, attribute) if attribute else found
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
