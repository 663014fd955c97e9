"""Trees of scikit-learn, alone, in forests and boosted: exact Shapley values of the path-dependent game.

    contribution of column c = sum over trees of its Shapley value in that tree     (a forest: their mean)
    base = what the trees say of a row of which nothing is known

A row of which only some columns are known goes both ways at splits on the others, by the shares of the rows that the trees
were grown on; no background is needed. A decision tree and a forest are explained on the probability or the value, boosted
trees on the margin that they add up (log-odds for two classes). How the sum is made exact stands in `_paths.py`.

Source: Lundberg et al., From local explanations to global understanding with explainable AI for trees, Nat. Mach. Intell. 2,
2020; Owen, Multilinear extensions of games, Manage. Sci. 18, 1972.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from flyball.evaluation.explain._columns import Derived, as_matrix, derive
from flyball.evaluation.explain._paths import Tree, shapley, work_of
from flyball.evaluation.explain.base import Answer, Explainer, Question, Scale

if TYPE_CHECKING:
    from flyball.evaluation.metrics.base import Values

# Slots times rows times points that still are a matter of seconds.
_MOST_WORK = 400_000_000
_TOLERANCE = 1e-6

_SINGLE = frozenset({"DecisionTreeClassifier", "DecisionTreeRegressor", "ExtraTreeClassifier", "ExtraTreeRegressor"})
_FORESTS = frozenset({"ExtraTreesClassifier", "ExtraTreesRegressor", "RandomForestClassifier", "RandomForestRegressor"})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sum:
    """A model as a sum of trees: `offset + scale * (the trees' sum)` is what it says.

    Attributes:
        values: What the trees see. `sources`: the input column of each of its columns.
        said: What the model itself says of the rows.
    """

    trees: list[Tree]
    values: Values
    sources: Any
    said: Values
    kind: Scale
    offset: float = 0.0
    scale: float = 1.0


class TreeModel:
    """Decision trees, forests, gradient boosting."""

    order = 20

    def explain(self, question: Question) -> Answer | None:
        """Exact contributions; None if the model is none of these trees, or so large that it would take minutes."""
        import numpy as np

        if question.model is None or question.frame is None:
            return None
        rows = derive(question.model, question.frame(question.rows))
        if rows is None or not type(rows.model).__module__.startswith("sklearn."):
            return None
        try:
            total = _read(rows, question)
        except AttributeError:  # what is read from inside the library is not there in each of its releases
            return None
        if total is None or work_of(total.trees) * len(total.values) > _MOST_WORK:
            return None
        found, base = shapley(total.trees, total.values, total.sources, question.rows.num_columns)
        contributions, base = found * total.scale, base * total.scale + total.offset
        # It may change its meaning, too; the sum would tell.
        if not np.allclose(contributions.sum(axis=1) + base, total.said, rtol=_TOLERANCE, atol=_TOLERANCE):
            return None
        return Answer(
            contributions=contributions,
            base=base,
            predictions=total.said,
            scale=total.kind,
            exact=True,
            how="Exact Shapley values of the trees, over the rows that they were grown on.",
            background=0,
        )


def _read(rows: Derived, question: Question) -> _Sum | None:
    name = type(rows.model).__name__
    if name.startswith("HistGradientBoosting"):
        return _histogram(rows, question)
    values = as_matrix(rows.values)
    if values is None:
        return None
    if name in _SINGLE:
        return _forest(rows, [rows.model], values, question)
    if name in _FORESTS:
        return _forest(rows, rows.model.estimators_, values, question)
    if name.startswith("GradientBoosting"):
        return _boosted(rows, values, question)
    return None


def _forest(rows: Derived, members: Iterable[Any], values: Values, question: Question) -> _Sum | None:
    import numpy as np

    trees = [_tree(member.tree_, question.target) for member in members]
    if question.target is None:
        said = np.asarray(rows.model.predict(rows.values), dtype=np.float64)
    else:
        said = np.asarray(rows.model.predict_proba(rows.values), dtype=np.float64)[:, question.target]
    if said.ndim != 1:
        return None
    kind: Scale = "value" if question.target is None else "probability"
    return _Sum(trees=trees, values=values, sources=rows.sources, said=said, kind=kind, scale=1 / len(trees))


def _boosted(rows: Derived, values: Values, question: Question) -> _Sum | None:
    import numpy as np

    model, target = rows.model, question.target
    place = 0 if target is None or question.classes == 2 else target
    trees = [_tree(stage[place].tree_, None) for stage in model.estimators_]
    if target is None:
        said = np.asarray(model.predict(rows.values), dtype=np.float64)
    else:
        said = _column(model.decision_function(rows.values), question)
    start = getattr(model, "_raw_predict_init", None)
    if start is None:
        return None
    offsets = np.asarray(start(values.astype(np.float32)), dtype=np.float64).reshape(len(values), -1)[:, place]
    if np.ptp(offsets) > 0:  # it starts from a model of its own, which is no tree
        return None
    sign = -1.0 if target == 0 and question.classes == 2 else 1.0
    kind: Scale = "margin" if model.loss == "exponential" else _kind(question)
    return _Sum(
        trees=trees, values=values, sources=rows.sources, said=said, kind=kind,
        offset=sign * float(offsets[0]), scale=sign * float(model.learning_rate),
    )  # fmt: skip


def _histogram(rows: Derived, question: Question) -> _Sum | None:
    import numpy as np

    model, target = rows.model, question.target
    grown, start = getattr(model, "_predictors", None), getattr(model, "_baseline_prediction", None)
    if grown is None or start is None:
        return None
    encoder = getattr(model, "_preprocessor", None)
    sources, values = rows.sources, rows.values
    if encoder is not None:
        sources, values = sources[_encoded_places(encoder)], encoder.transform(rows.values)
    numbers = as_matrix(values)
    if numbers is None:
        return None
    place = 0 if target is None or question.classes == 2 else target
    known, known_place = model._bin_mapper.make_known_categories_bitsets()
    trees = [_histogram_tree(stage[place], known, known_place) for stage in grown]
    said = np.asarray(model.predict(rows.values) if target is None else model.decision_function(rows.values))
    kind = _kind(question)
    if target is None and model.loss in ("poisson", "gamma"):
        said, kind = np.log(said), "log"
    sign = -1.0 if target == 0 and question.classes == 2 else 1.0
    offset = sign * float(np.asarray(start, dtype=np.float64).reshape(-1)[place])
    said = said.astype(np.float64) if target is None else _column(said, question)
    return _Sum(trees=trees, values=numbers, sources=sources, said=said, kind=kind, offset=offset, scale=sign)


def _kind(question: Question) -> Scale:
    if question.target is None:
        return "value"
    return "log-odds" if question.classes == 2 else "margin"


def _column(margins: Any, question: Question) -> Values:
    """The margin of the explained class."""
    import numpy as np

    found: Values = np.asarray(margins, dtype=np.float64)
    if found.ndim == 2:
        return found[:, question.target]
    return found if question.target else -found


def _encoded_places(encoder: Any) -> Any:
    """The input place of each column that histogram boosting makes of its input: categories first."""
    import numpy as np

    places = np.empty(encoder.n_features_in_, dtype=np.intp)
    for name, out in encoder.output_indices_.items():
        places[out] = encoder._transformer_to_input_indices[name]
    return places


def _tree(grown: Any, target: int | None) -> Tree:
    """A tree of `sklearn.tree`; for a class, with its share in each leaf as the value."""
    import numpy as np

    outputs = np.asarray(grown.value, dtype=np.float64)[:, 0, :]
    value = outputs[:, 0] if target is None else outputs[:, target] / outputs.sum(axis=1)
    feature, threshold = np.asarray(grown.feature, dtype=np.intp), np.asarray(grown.threshold)
    missing_left = np.asarray(grown.missing_go_to_left, dtype=bool)

    def passes(values: Values, nodes: Any) -> Any:
        asked = values[:, feature[nodes]].astype(np.float32)  # as the tree itself sees them
        return np.where(np.isnan(asked), missing_left[nodes], asked <= threshold[nodes])

    return Tree(
        feature=feature,
        left=np.asarray(grown.children_left, dtype=np.intp),
        right=np.asarray(grown.children_right, dtype=np.intp),
        value=value,
        cover=np.asarray(grown.weighted_n_node_samples, dtype=np.float64),
        passes=passes,
    )


def _histogram_tree(grown: Any, known: Any, known_place: Any) -> Tree:
    """A tree of histogram boosting."""
    import numpy as np

    nodes = grown.nodes
    is_leaf = nodes["is_leaf"].astype(bool)
    feature = np.where(is_leaf, 0, nodes["feature_idx"]).astype(np.intp)

    def passes(values: Values, at: Any) -> Any:
        asked, missing_left = values[:, feature[at]], nodes["missing_go_to_left"][at].astype(bool)
        left = np.where(np.isnan(asked), missing_left, asked <= nodes["num_threshold"][at])
        for place in np.flatnonzero(nodes["is_categorical"][at]).tolist():
            codes, node = asked[:, place], nodes[at[place]]
            goes = _holds(grown.raw_left_cat_bitsets[node["bitset_idx"]], codes)
            known_here = _holds(known[known_place[node["feature_idx"]]], codes)
            left[:, place] = np.where(goes | known_here, goes, missing_left[place])
        return left

    return Tree(
        feature=feature,
        left=np.where(is_leaf, -1, nodes["left"].astype(np.int64)).astype(np.intp),
        right=np.where(is_leaf, -1, nodes["right"].astype(np.int64)).astype(np.intp),
        value=nodes["value"].astype(np.float64),
        cover=nodes["count"].astype(np.float64),
        passes=passes,
    )


def _holds(bits: Any, codes: Values) -> Any:
    """Whether each code is in a set of up to 256; what is missing or out of range is in none."""
    import numpy as np

    valid = (codes >= 0) & (codes < 256)
    whole = np.where(valid, codes, 0).astype(np.int64)
    return valid & ((bits[whole // 32].astype(np.int64) >> (whole % 32)) & 1).astype(bool)


plugin: Explainer = TreeModel()
