"""Boosters of XGBoost and LightGBM: exact Shapley values of their trees, by the library itself.

Both compute the path-dependent Shapley values of their trees (`pred_contribs`, `pred_contrib`), on the margin that the
trees add up: log-odds for two classes, the value or what the objective makes of it otherwise. Where an input column
becomes several, their values are added up; that is then no longer exactly the Shapley value of the column, and is said.

Source: Lundberg et al., Nat. Mach. Intell. 2, 2020.
"""

from __future__ import annotations

import importlib
import json
from typing import TYPE_CHECKING, Any

from flyball.evaluation.explain._columns import Derived, derive
from flyball.evaluation.explain.base import Answer, Explainer, Question, Scale

if TYPE_CHECKING:
    from flyball.evaluation.metrics.base import Values

# Both add up in single precision.
_TOLERANCE = 1e-3


class Booster:
    """Models of xgboost and lightgbm, plain or in the manner of scikit-learn."""

    order = 30

    def explain(self, question: Question) -> Answer | None:
        """Exact contributions on the margin; None if the model is of neither library."""
        import numpy as np

        if question.model is None or question.frame is None:
            return None
        rows = derive(question.model, question.frame(question.rows))
        if rows is None:
            return None
        library = type(rows.model).__module__.partition(".")[0]
        if library not in ("xgboost", "lightgbm"):
            return None
        found, said = (_by_xgboost if library == "xgboost" else _by_lightgbm)(rows)
        parts = _of_target(found, question)
        margins = said if said.ndim == 1 else said[:, 0 if question.target is None else question.target]
        if parts is None or parts.shape[1] != len(rows.sources) + 1:
            return None
        sign = -1.0 if question.target == 0 and question.classes == 2 else 1.0
        contributions = np.zeros((len(parts), question.rows.num_columns))
        np.add.at(contributions.T, rows.sources, sign * parts[:, :-1].T)
        base, predictions = sign * float(parts[0, -1]), sign * margins
        if not np.allclose(contributions.sum(axis=1) + base, predictions, rtol=_TOLERANCE, atol=_TOLERANCE):
            return None
        added = "" if rows.one_for_one else " Those of the columns that one input became are added up."
        return Answer(
            contributions=contributions,
            base=base,
            predictions=predictions,
            scale=_scale(rows.model, question),
            exact=rows.one_for_one,
            how=f"Exact Shapley values of the trees, by {library}.{added}",
            background=0,
        )


def _by_xgboost(rows: Derived) -> tuple[Values, Values]:
    import numpy as np

    xgboost = importlib.import_module("xgboost")
    model = rows.model.get_booster() if hasattr(rows.model, "get_booster") else rows.model
    values = rows.values
    if hasattr(values, "columns"):
        asked = xgboost.DMatrix(values, enable_categorical=True)
    else:
        asked = xgboost.DMatrix(values, feature_names=model.feature_names)
    trees: dict[str, Any] = {}
    best = getattr(rows.model, "best_iteration", None) if rows.model is not model else None
    if best is not None:
        trees = {"iteration_range": (0, int(best) + 1)}
    found = np.asarray(model.predict(asked, pred_contribs=True, **trees), dtype=np.float64)
    return found, np.asarray(model.predict(asked, output_margin=True, **trees), dtype=np.float64)


def _by_lightgbm(rows: Derived) -> tuple[Values, Values]:
    import numpy as np

    model = getattr(rows.model, "booster_", rows.model)
    found = np.asarray(model.predict(rows.values, pred_contrib=True), dtype=np.float64)
    said = np.asarray(model.predict(rows.values, raw_score=True), dtype=np.float64)
    if said.ndim == 2:
        found = found.reshape(len(found), said.shape[1], -1)
    return found, said


def _of_target(found: Values, question: Question) -> Values | None:
    if found.ndim == 2:
        return found if question.target is None or question.classes == 2 else None
    if question.target is None or found.shape[1] != question.classes:
        return None
    return found[:, question.target]


def _scale(model: Any, question: Question) -> Scale:
    if question.target is not None:
        return "log-odds" if question.classes == 2 else "margin"
    is_plain = _objective(model).startswith(("reg:squared", "reg:absolute", "regression"))
    return "value" if is_plain else "margin"


def _objective(model: Any) -> str:
    """What a booster was trained for, as its library calls it; empty where it does not say."""
    if hasattr(model, "save_config"):  # XGBoost's booster itself
        return str(json.loads(model.save_config())["learner"]["objective"]["name"])
    if hasattr(model, "dump_model"):  # LightGBM's
        return str(model.dump_model(num_iteration=1).get("objective", ""))
    found = getattr(model, "objective", None)
    if found is None and hasattr(model, "booster_"):
        return "regression"  # LightGBM's default for its regressor
    return found if isinstance(found, str) else ""


plugin: Explainer = Booster()
