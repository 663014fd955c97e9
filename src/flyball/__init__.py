"""Flyball takes a model round the whole loop, and keeps taking it round.

    import flyball as fb

Each name is loaded when it is first used, so the import costs next to nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flyball.version import __version__

if TYPE_CHECKING:
    from flyball import fixes as clean
    from flyball.alerts import alert_to as alert_to
    from flyball.data import expect as expect
    from flyball.data.clean import clean_report as clean_report
    from flyball.data.datasets import Dataset as Dataset
    from flyball.data.datasets import dataset as dataset
    from flyball.data.profile_table import profile_table as profile
    from flyball.data.table import Table as Table
    from flyball.deployment.rollout import ab_test as ab_test
    from flyball.deployment.rollout import blue_green as blue_green
    from flyball.deployment.rollout import canary as canary
    from flyball.deployment.rollout import challenge as challenge
    from flyball.deployment.rollout import immediate as immediate
    from flyball.deployment.rollout import shadow as shadow
    from flyball.errors import FlyballError as FlyballError
    from flyball.evaluation.own_metrics import metric as metric
    from flyball.features.functions import on_demand as on_demand
    from flyball.features.plan import feature_set as feature_set
    from flyball.features.views import FeatureView as FeatureView
    from flyball.features.views import feature_view as feature_view
    from flyball.features.windows import window as window
    from flyball.governance import rule as rule
    from flyball.loops import on as on
    from flyball.loops import policy as policy
    from flyball.loops.deadlines import due as due
    from flyball.loops.freeze import freeze as freeze
    from flyball.loops.freeze import freeze_between as freeze_between
    from flyball.loops.loop import Loop as Loop
    from flyball.loops.loop import loop as loop
    from flyball.models.rules import rules as rules
    from flyball.monitoring import monitor as monitor
    from flyball.pipelines.command import command as command
    from flyball.pipelines.notebook import notebook as notebook
    from flyball.pipelines.pipeline import pipeline as pipeline
    from flyball.pipelines.secrets import secret as secret
    from flyball.pipelines.step import step as step
    from flyball.pipelines.values import Model as Model
    from flyball.project_tests import declared as test
    from flyball.registry import gate as gate
    from flyball.session import active_run as active_run
    from flyball.session import autolog as autolog
    from flyball.session import automl as automl
    from flyball.session import checkout as checkout
    from flyball.session import connect as connect
    from flyball.session import diff as diff
    from flyball.session import download_artifacts as download_artifacts
    from flyball.session import explain as explain
    from flyball.session import load as load
    from flyball.session import load_model as load_model
    from flyball.session import log as log
    from flyball.session import log_artifact as log_artifact
    from flyball.session import log_artifacts as log_artifacts
    from flyball.session import log_audio as log_audio
    from flyball.session import log_figure as log_figure
    from flyball.session import log_image as log_image
    from flyball.session import log_metrics as log_metrics
    from flyball.session import log_model as log_model
    from flyball.session import log_notes as log_notes
    from flyball.session import log_table as log_table
    from flyball.session import log_text as log_text
    from flyball.session import predict as predict
    from flyball.session import projects as projects
    from flyball.session import reproduce as reproduce
    from flyball.session import run as run
    from flyball.session import runs as runs
    from flyball.session import snapshot as snapshot
    from flyball.session import tune as tune
    from flyball.steps import evaluate as evaluate
    from flyball.steps import fair_thresholds as fair_thresholds
    from flyball.steps import register as register
    from flyball.steps import reweigh as reweigh
    from flyball.steps import split as split
    from flyball.steps import training_set as training_set
    from flyball.steps import validate as validate
    from flyball.tuning import space as space


_NAMES = {
    # data and features
    "Dataset": "flyball.data.datasets:Dataset",
    "dataset": "flyball.data.datasets:dataset",
    "Table": "flyball.data.table:Table",
    "expect": "flyball.data.expect",
    "clean": "flyball.fixes",
    "clean_report": "flyball.data.clean:clean_report",
    "profile": "flyball.data.profile_table:profile_table",
    "FeatureView": "flyball.features.views:FeatureView",
    "feature_view": "flyball.features.views:feature_view",
    "feature_set": "flyball.features.plan:feature_set",
    "on_demand": "flyball.features.functions:on_demand",
    "window": "flyball.features.windows:window",
    "snapshot": "flyball.session:snapshot",
    "load": "flyball.session:load",
    "diff": "flyball.session:diff",
    "checkout": "flyball.session:checkout",
    # pipelines
    "command": "flyball.pipelines.command:command",
    "notebook": "flyball.pipelines.notebook:notebook",
    "step": "flyball.pipelines.step:step",
    "secret": "flyball.pipelines.secrets:secret",
    "pipeline": "flyball.pipelines.pipeline:pipeline",
    "Model": "flyball.pipelines.values:Model",
    "rules": "flyball.models.rules:rules",
    "test": "flyball.project_tests.declared",
    "space": "flyball.tuning.space",
    "tune": "flyball.session:tune",
    "automl": "flyball.session:automl",
    "reproduce": "flyball.session:reproduce",
    "training_set": "flyball.steps:training_set",
    "validate": "flyball.steps:validate",
    "split": "flyball.steps:split",
    "evaluate": "flyball.steps:evaluate",
    "register": "flyball.steps:register",
    "reweigh": "flyball.steps:reweigh",
    "fair_thresholds": "flyball.steps:fair_thresholds",
    "metric": "flyball.evaluation.own_metrics:metric",
    # tracking and models
    "run": "flyball.session:run",
    "log": "flyball.session:log",
    "log_metrics": "flyball.session:log_metrics",
    "download_artifacts": "flyball.session:download_artifacts",
    "log_artifact": "flyball.session:log_artifact",
    "log_artifacts": "flyball.session:log_artifacts",
    "log_text": "flyball.session:log_text",
    "log_table": "flyball.session:log_table",
    "log_figure": "flyball.session:log_figure",
    "log_image": "flyball.session:log_image",
    "log_audio": "flyball.session:log_audio",
    "log_notes": "flyball.session:log_notes",
    "log_model": "flyball.session:log_model",
    "active_run": "flyball.session:active_run",
    "runs": "flyball.session:runs",
    "autolog": "flyball.session:autolog",
    "load_model": "flyball.session:load_model",
    "predict": "flyball.session:predict",
    "explain": "flyball.session:explain",
    "connect": "flyball.session:connect",
    "projects": "flyball.session:projects",
    # loops
    "Loop": "flyball.loops.loop:Loop",
    "loop": "flyball.loops.loop:loop",
    "on": "flyball.loops.on",
    "policy": "flyball.loops.policy",
    "due": "flyball.loops.deadlines:due",
    "rule": "flyball.governance.rule",
    "freeze": "flyball.loops.freeze:freeze",
    "freeze_between": "flyball.loops.freeze:freeze_between",
    "gate": "flyball.registry.gate",
    "monitor": "flyball.monitoring.monitor",
    "ab_test": "flyball.deployment.rollout:ab_test",
    "blue_green": "flyball.deployment.rollout:blue_green",
    "canary": "flyball.deployment.rollout:canary",
    "challenge": "flyball.deployment.rollout:challenge",
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
