"""Logs `fit` of scikit-learn's estimators, and of all that stand on its `BaseEstimator`."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from types import FunctionType, ModuleType
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
)

_EXAMPLE_ROWS = 100


def install(trainings: Trainings, imports: OnImport) -> Undo:
    """Logs from now on; gives the way back."""
    return patch_on_import(imports, ("sklearn.base",), lambda module: [_patch(module, trainings)])


def _patch(base: ModuleType, trainings: Trainings) -> Undo:
    """Wraps the `fit` of every estimator class that there is, and of each that is made from now on."""
    root = base.BaseEstimator
    wrapped: list[tuple[type, Any, Any]] = []

    def wrap(kind: type) -> None:
        fit = vars(kind).get("fit")
        if isinstance(fit, FunctionType) and not hasattr(fit, "__flyball__"):
            new = _wrapped(fit, trainings)
            kind.fit = new  # type: ignore[attr-defined]  # it was there a line before
            wrapped.append((kind, fit, new))

    def init_subclass(cls: Any, /, **named: Any) -> None:
        super(root, cls).__init_subclass__(**named)
        wrap(cls)

    own = vars(root).get("__init_subclass__")
    if own is None:
        root.__init_subclass__ = classmethod(init_subclass)
    for kind in _below(root):
        wrap(kind)

    def undo() -> None:
        if own is None:
            del root.__init_subclass__
        for kind, fit, new in wrapped:
            if vars(kind).get("fit") is new:
                kind.fit = fit  # type: ignore[attr-defined]  # as above

    return undo


def _below(root: type) -> list[type]:
    found: dict[type, None] = {}
    waiting = [root]
    while waiting:
        below: list[type] = waiting.pop().__subclasses__()
        for kind in below:
            if kind not in found:
                found[kind] = None
                waiting.append(kind)
    return list(found)


def _wrapped(fit: Callable[..., Any], trainings: Trainings) -> Callable[..., Any]:
    signature = inspect.signature(fit)

    @functools.wraps(fit)
    def fit_and_log(self: Any, *given: Any, **named: Any) -> Any:
        # A scaler or encoder is a part of a training, not one.
        if not hasattr(self, "predict"):
            return fit(self, *given, **named)
        with trainings.training(type(self).__name__) as run:
            if run is None:
                return fit(self, *given, **named)
            _before(run, self)
            fitted = fit(self, *given, **named)
            _after(run, self, signature, given, named, trainings)
            return fitted

    fit_and_log.__flyball__ = True  # type: ignore[attr-defined]  # so that none is wrapped twice
    return fit_and_log


@quietly
def _before(run: Target, model: Any) -> None:
    params = model.get_params(deep=True)
    run.log(
        params=plain_params(params), tags={"estimator": f"{type(model).__module__}.{type(model).__qualname__}"[:8000]}
    )


@quietly
def _after(
    run: Target,
    model: Any,
    signature: inspect.Signature,
    given: tuple[Any, ...],
    named: dict[str, Any],
    trainings: Trainings,
) -> None:
    arguments = signature.bind(model, *given, **named).arguments
    inputs, truth = arguments.get("X"), arguments.get("y")
    metrics: dict[str, Any] = {}
    if truth is not None and callable(getattr(model, "score", None)):
        metrics["training_score"] = model.score(inputs, truth)
    if hasattr(model, "best_score_") and hasattr(model, "best_params_"):  # a search over params
        metrics["best_cross_validation_score"] = model.best_score_
        run.log(params=plain_params({f"best_{key}": value for key, value in model.best_params_.items()}))
        columns = {
            key: [str(value) for value in values] if key.startswith("param") else [float(value) for value in values]
            for key, values in model.cv_results_.items()
        }
        run.log_table(columns, "cross_validation")
    if hasattr(model, "inertia_"):
        metrics["inertia"] = model.inertia_
    if metrics:
        run.log_metrics(plain_metrics(metrics), step=0)
    if inputs is not None:
        trainings.keep_model(run, model, inputs[:_EXAMPLE_ROWS])
