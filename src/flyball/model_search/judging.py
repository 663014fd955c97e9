"""How good a candidate is: what it says of rows that it has not learned from, in the house's own metrics."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from flyball.errors import InvalidInput
from flyball.evaluation.sample import Sample
from flyball.evaluation.scores import METRICS, ensure_fits, find_metric
from flyball.model_search.search import Direction, Task

if TYPE_CHECKING:
    import numpy.typing as npt

    Values = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class Judge:
    """Measures by one metric.

    Attributes:
        metric: Its name.
        classes: The classes in the order of the probabilities; empty for values.
    """

    metric: str
    classes: tuple[Any, ...] = ()

    @property
    def direction(self) -> Direction:
        """Whether more is better."""
        return "maximize" if METRICS.get(self.metric).greater_is_better else "minimize"

    def truth(self, label: Values) -> Values:
        """The truth as metrics take it: places of classes, or values."""
        import numpy as np

        if not self.classes:
            return np.asarray(label, dtype=np.float64)
        return np.searchsorted(np.asarray(self.classes), label).astype(np.float64)

    def said(self, model: Any, frame: Any) -> Values:
        """What a fitted model says of rows, shape (rows, classes) or (rows,); a class that it never met is impossible to it."""
        import numpy as np

        if not self.classes:
            return np.asarray(model.predict(frame), dtype=np.float64).reshape(-1)
        chances = np.asarray(model.predict_proba(frame), dtype=np.float64)
        if chances.shape[1] == len(self.classes):
            return chances
        found = np.zeros((len(chances), len(self.classes)))
        found[:, np.searchsorted(np.asarray(self.classes), model.classes_)] = chances
        return found

    def score(self, truth: Values, said: Values) -> float:
        """The metric of what was said.

        Raises:
            InvalidInput: it is not defined for these rows.
        """
        import math

        metric = METRICS.get(self.metric)
        value = said[:, 1] if said.ndim == 2 and said.shape[1] == 2 else said
        sample = Sample(task="classification" if self.classes else "regression", truth=truth, prediction=value)
        found = metric.compute(truth, sample.predicted_for(metric, threshold=0.5))
        if not math.isfinite(found):
            raise InvalidInput(
                f"'{self.metric}' is not defined on {len(truth):,} of the rows.",
                hint="Some fold holds one class only, or values that the metric does not take. Choose another metric.",
            )
        return float(found)


def judge_for(metric: str, task: Task, classes: tuple[Any, ...]) -> Judge:
    """What measures candidates: by the metric of that name, or by the usual one.

    Raises:
        InvalidInput: the metric is of another task.
        NotFound: there is none of that name.
    """
    import numpy as np

    if not metric:
        metric = "rmse" if not classes else "roc_auc" if len(classes) == 2 else "log_loss"
    find_metric(metric)
    some = np.arange(float(max(2, len(classes))))
    said: Values = np.eye(len(classes)) if len(classes) > 2 else some
    sample = Sample(task="classification" if task == "classification" else "regression", truth=some, prediction=said)
    ensure_fits(metric, sample)
    return Judge(metric, classes)
