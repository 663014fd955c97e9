"""Through the preprocessing of a Pipeline: the numbers its last step sees, and the input column each of them comes from.

Only transformers whose outputs are each made from one known input are followed; behind any other (a principal component,
a function) the columns are mixed, and there is nothing to add up.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

_ONE_FOR_ONE = frozenset({
    "Binarizer", "MaxAbsScaler", "MinMaxScaler", "OrdinalEncoder", "PowerTransformer",
    "QuantileTransformer", "RobustScaler", "StandardScaler", "TargetEncoder",
})  # fmt: skip
Sources = list[int]
"""The input column of each derived one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Derived:
    """What the last step sees.

    Attributes:
        model: The last step.
        values: Its input: the frame itself where nothing stands before it, else a matrix.
        sources: Place of the input column that each column of `values` is made from.
    """

    model: Any
    values: Any
    sources: npt.NDArray[np.intp]

    @property
    def one_for_one(self) -> bool:
        """Whether no input column became several."""
        return len(set(self.sources.tolist())) == len(self.sources)


def derive(model: Any, frame: Any) -> Derived | None:
    """What the last step of a model sees of a frame; None if a step mixes columns or is not known."""
    import numpy as np

    values, sources = frame, list(range(frame.shape[1]))
    while True:
        if hasattr(model, "best_estimator_"):
            model = model.best_estimator_
        elif hasattr(model, "steps"):
            for _, step in model.steps[:-1]:
                if _is_nothing(step):
                    continue
                places = _sources(step, values.shape[1])
                values = step.transform(values)
                if places is None or len(places) != values.shape[1]:
                    return None
                sources = [sources[place] for place in places]
            model = model.steps[-1][1]
        else:
            break
    if hasattr(values, "toarray"):
        values = values.toarray()
    return Derived(model=model, values=values, sources=np.array(sources, dtype=np.intp))


def as_matrix(values: Any) -> npt.NDArray[np.float64] | None:
    """A frame or matrix as numbers; None if it holds others."""
    import numpy as np

    try:
        return np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError):
        return None


def of_column_transformer(step: Any) -> Sources | None:
    """The input place of each output of a ColumnTransformer."""
    inputs = getattr(step, "_transformer_to_input_indices", None)
    if inputs is None or not hasattr(step, "output_indices_"):
        return None
    slices = step.output_indices_
    found: dict[int, int] = {}
    for name, fitted, _ in step.transformers_:
        out, given = slices[name], [int(place) for place in inputs.get(name, ())]
        if out.stop <= out.start:
            continue
        places = list(range(len(given))) if _is_nothing(fitted) else _sources(fitted, len(given))
        if places is None or len(places) != out.stop - out.start:
            return None
        found.update({out.start + at: given[place] for at, place in enumerate(places)})
    if sorted(found) != list(range(len(found))):
        return None
    return [found[at] for at in range(len(found))]


def _sources(step: Any, width: int) -> Sources | None:
    """The input place of each output of a fitted transformer; None if that is not known."""
    name = type(step).__name__
    if not type(step).__module__.startswith("sklearn."):
        return None
    if name == "FunctionTransformer" and step.func is None:
        return list(range(width))
    if name in _ONE_FOR_ONE:
        # A target encoder of more than two classes gives a column for each; the width tells.
        return list(range(width))
    if name == "ColumnTransformer":
        return of_column_transformer(step)
    if name == "Pipeline":
        return _through(step, width)
    if name == "SimpleImputer":
        return _of_imputer(step, width)
    if hasattr(step, "get_support"):
        return [int(place) for place in step.get_support(indices=True)]
    return _spread(_widths(step, name))


def _through(pipeline: Any, width: int) -> Sources | None:
    sources: Sources = list(range(width))
    for _, step in pipeline.steps:
        if _is_nothing(step):
            continue
        places = _sources(step, len(sources))
        if places is None:
            return None
        sources = [sources[place] for place in places]
    return sources


def _of_imputer(step: Any, width: int) -> Sources:
    # A column without any value at all is dropped, unless it is to be kept; one more column may tell what was missing.
    kept = list(range(width))
    if not step.keep_empty_features:
        kept = [place for place in kept if step.statistics_[place] == step.statistics_[place]]
    if step.indicator_ is not None:
        kept += [int(place) for place in step.indicator_.features_]
    return kept


def _widths(step: Any, name: str) -> Sequence[int] | None:
    """How many outputs each input has, one input after the other."""
    if name == "OneHotEncoder":
        found = getattr(step, "_n_features_outs", None)
        return None if found is None else [int(count) for count in found]
    if name == "KBinsDiscretizer":
        return [1 if step.encode == "ordinal" else int(count) for count in step.n_bins_]
    if name == "SplineTransformer":
        count, rest = divmod(int(step.n_features_out_), int(step.n_features_in_))
        return None if rest else [count] * int(step.n_features_in_)
    return None


def _spread(widths: Sequence[int] | None) -> Sources | None:
    return None if widths is None else [place for place, count in enumerate(widths) for _ in range(count)]


def _is_nothing(step: Any) -> bool:
    return step is None or step == "passthrough" or step == "drop"
