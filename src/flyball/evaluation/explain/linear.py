"""Linear models: exact Shapley values against the background, as a sum of one term for each derived column.

    m(x) = b + sum_j w_j x_j
    contribution of column c = sum_{j made from c} w_j (x_j - mean_j)           mean_j: over the background
    base = m(mean)

With a sum of one term for each column every order of the columns gives the same differences, so nothing has to be drawn:
these are the interventional Shapley values themselves. For a classifier the margin is explained (log-odds for a logistic
regression), for a model with a logarithmic link the logarithm of the value.

Source: Strumbelj and Kononenko, Knowl. Inf. Syst. 41, 2014, section 3; Lundberg and Lee, NeurIPS 2017, corollary 1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flyball.evaluation.explain._columns import as_matrix, derive
from flyball.evaluation.explain.base import Answer, Explainer, Question, Scale

if TYPE_CHECKING:
    from flyball.evaluation.metrics.base import Values

_TOLERANCE = 1e-8


class Linear:
    """Estimators of scikit-learn with coefficients and an intercept."""

    order = 10

    def explain(self, question: Question) -> Answer | None:
        """Exact contributions on the margin; None if the model is not linear in what its columns become."""
        import numpy as np

        if question.model is None or question.frame is None:
            return None
        rows = derive(question.model, question.frame(question.rows))
        background = derive(question.model, question.frame(question.background))
        if rows is None or background is None or not hasattr(rows.model, "coef_"):
            return None
        values, usual = as_matrix(rows.values), as_matrix(background.values)
        weights = _weights(rows.model, question)
        if weights is None or values is None or usual is None or len(weights[0]) != values.shape[1]:
            return None
        slopes, intercept = weights
        margin = values @ slopes + intercept
        said = _said(rows.model, rows.values, margin, question)
        if said is None:
            return None
        mean = usual.mean(axis=0)
        contributions = np.zeros((len(values), question.rows.num_columns))
        np.add.at(contributions.T, rows.sources, (slopes * (values - mean)).T)
        return Answer(
            contributions=contributions,
            base=float(mean @ slopes + intercept),
            predictions=margin,
            scale=said,
            exact=True,
            how="Exact Shapley values of a linear model against the background rows.",
            background=len(usual),
        )


def _weights(model: Any, question: Question) -> tuple[Values, float] | None:
    """The slopes and the intercept of the explained class, or of the value."""
    import numpy as np

    if not type(model).__module__.startswith("sklearn.") or not hasattr(model, "intercept_"):
        return None
    slopes = np.atleast_2d(np.asarray(model.coef_, dtype=np.float64))
    intercepts = np.broadcast_to(np.asarray(model.intercept_, dtype=np.float64).reshape(-1), (len(slopes),))
    if question.target is None or question.classes == 2:
        if len(slopes) != 1:
            return None
        sign = -1.0 if question.target == 0 else 1.0
        return sign * slopes[0], sign * float(intercepts[0])
    if len(slopes) != question.classes:
        return None
    return slopes[question.target], float(intercepts[question.target])


def _said(model: Any, values: Any, margin: Values, question: Question) -> Scale | None:
    """On which scale the margin is the model's own answer; None if it is none."""
    import numpy as np

    def agrees(said: Values) -> bool:
        return np.allclose(said, margin, rtol=_TOLERANCE, atol=_TOLERANCE)

    if question.target is not None:
        if not hasattr(model, "decision_function"):
            return None
        own = np.asarray(model.decision_function(values), dtype=np.float64)
        own = own[:, question.target] if own.ndim == 2 else own if question.target else -own
        return (_odds(model, question) if agrees(own) else None) if own.shape == margin.shape else None
    own = np.asarray(model.predict(values), dtype=np.float64).reshape(-1)
    if agrees(own):
        return "value"
    return "log" if (own > 0).all() and agrees(np.log(own)) else None


def _odds(model: Any, question: Question) -> Scale:
    return "log-odds" if question.classes == 2 and type(model).__name__.startswith("LogisticRegression") else "margin"


plugin: Explainer = Linear()
