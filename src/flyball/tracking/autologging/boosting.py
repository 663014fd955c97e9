"""Logs the rounds of XGBoost's and LightGBM's `train`, which their scikit-learn classes call as well."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from types import ModuleType
from typing import Any

from flyball.tracking.autologging.on_import import OnImport
from flyball.tracking.autologging.trainings import (
    Target,
    Trainings,
    Undo,
    importance_text,
    patch_on_import,
    plain_metrics,
    plain_params,
    quietly,
    replace,
)  # fmt: skip


def install_xgboost(trainings: Trainings, imports: OnImport) -> Undo:
    """Logs XGBoost from now on; gives the way back."""
    return _install(
        "xgboost", ("xgboost", "xgboost.training", "xgboost.sklearn"), _xgboost_callback, trainings, imports
    )


def install_lightgbm(trainings: Trainings, imports: OnImport) -> Undo:
    """Logs LightGBM from now on; gives the way back."""
    return _install(
        "lightgbm", ("lightgbm", "lightgbm.engine", "lightgbm.sklearn"), _lightgbm_callback, trainings, imports
    )


def _install(
    name: str,
    places: tuple[str, ...],
    callback: Callable[[Target], Any],
    trainings: Trainings,
    imports: OnImport,
) -> Undo:
    def patch(_: ModuleType) -> list[Undo]:
        import sys

        modules = [sys.modules[place] for place in places if hasattr(sys.modules.get(place), "train")]
        return [
            replace(module, "train", lambda train: _wrapped(train, name, callback, trainings)) for module in modules
        ]

    return patch_on_import(imports, (name,), patch)


def _wrapped(
    train: Callable[..., Any], name: str, callback: Callable[[Target], Any], trainings: Trainings
) -> Callable[..., Any]:
    signature = inspect.signature(train)

    @functools.wraps(train)
    def train_and_log(*given: Any, **named: Any) -> Any:
        with trainings.training(name) as outer:
            run = trainings.current() if outer is None else outer
            if run is None:
                return train(*given, **named)
            named["callbacks"] = [*(named.get("callbacks") or []), callback(run)]
            if outer is None:  # fit of a scikit-learn class has logged its own params
                return train(*given, **named)
            _before(run, signature, given, named)
            booster = train(*given, **named)
            _after(run, booster, trainings)
            return booster

    return train_and_log


@quietly
def _before(run: Target, signature: inspect.Signature, given: tuple[Any, ...], named: dict[str, Any]) -> None:
    bound = signature.bind(*given, **named)
    bound.apply_defaults()
    params = bound.arguments.get("params") or {}
    shown = dict(params) if isinstance(params, dict) else {}
    for key in ("num_boost_round", "early_stopping_rounds"):
        if bound.arguments.get(key) is not None:
            shown.setdefault(key, bound.arguments[key])
    run.log(params=plain_params(shown))


@quietly
def _after(run: Target, booster: Any, trainings: Trainings) -> None:
    best = _attribute(booster, "best_iteration")
    if isinstance(best, int) and best > 0:
        run.log_metrics({"best_iteration": float(best)}, step=0)
    if hasattr(booster, "get_score"):  # XGBoost
        run.log_text(importance_text(booster.get_score(importance_type="gain")), "feature_importance.json")
        if trainings.log_models:
            run.keep_artifact(bytes(booster.save_raw("ubj")), "model/model.ubj", "model")
    elif hasattr(booster, "feature_importance"):  # LightGBM
        scores = dict(zip(booster.feature_name(), booster.feature_importance("gain"), strict=True))
        run.log_text(importance_text(scores), "feature_importance.json")
        if trainings.log_models:
            run.keep_artifact(booster.model_to_string().encode(), "model/model.txt", "model")


def _attribute(booster: Any, name: str) -> Any:
    try:
        return getattr(booster, name)
    except Exception:  # noqa: BLE001  # XGBoost raises what it likes where nothing stopped early
        return None


def _xgboost_callback(run: Target) -> Any:
    from importlib import import_module

    @quietly
    def log_round(round_: int, scores: Any) -> None:
        metrics = {
            f"{data}-{metric}": values[-1][0] if isinstance(values[-1], tuple) else values[-1]
            for data, found in scores.items()
            for metric, values in found.items()
        }
        if metrics:
            run.log_metrics(plain_metrics(metrics), step=round_)

    class LogRounds(import_module("xgboost.callback").TrainingCallback):  # type: ignore[misc]  # known at run time only
        def after_iteration(self, model: Any, epoch: int, evals_log: Any) -> bool:
            log_round(epoch, evals_log)
            return False

    return LogRounds()


def _lightgbm_callback(run: Target) -> Any:
    @quietly
    def log_round(environment: Any) -> None:
        metrics = {f"{item[0]}-{item[1]}": item[2] for item in environment.evaluation_result_list or []}
        if metrics:
            run.log_metrics(plain_metrics(metrics), step=environment.iteration)

    log_round.order = 15  # type: ignore[attr-defined]  # after evaluation, before early stopping (30)
    return log_round
