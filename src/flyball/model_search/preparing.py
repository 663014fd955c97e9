"""How columns become what a kind of model takes: as parts, so that the same is tried and written down.

Everything that is learned here (medians, scales, what a category is worth) is learned in the fold that the model learns from.
"""

from __future__ import annotations

from typing import Any

from flyball.model_search.columns import Columns
from flyball.model_search.parts import Name, Part

_PIPELINE = "sklearn.pipeline:make_pipeline"
_COLUMNS = "sklearn.compose:make_column_transformer"
_COMPONENTS = 24
_RARE = 10
_FOLDS = 5


def named(columns: Columns, kind: str) -> Name:
    """The columns of a kind, by the name that they have in a file."""
    return Name(kind.upper(), list(getattr(columns, kind)))


def for_trees(columns: Columns, target: str, *, seed: int) -> Part:
    """Numbers as they are, categories as codes; missing stays missing, for trees take it as it is.

    Args:
        target: What the label is to an encoder: `binary`, `multiclass` or `continuous`.
    """
    codes = Part(
        "sklearn.preprocessing:OrdinalEncoder",
        named={
            "handle_unknown": "use_encoded_value",
            "unknown_value": float("nan"),
            "encoded_missing_value": float("nan"),
        },
    )
    chosen = [
        (codes, named(columns, "categories")),
        (_worth(target, seed), named(columns, "many")),
        (Part("flyball.model_search.transformers:Moments"), named(columns, "moments")),
        (Part("flyball.model_search.transformers:Words", named={"components": _COMPONENTS}), named(columns, "texts")),
        ("passthrough", named(columns, "numbers")),
    ]
    return _together(chosen)


def for_lines(columns: Columns, target: str, *, seed: int) -> Part:
    """Everything as numbers of one scale, none missing: the median stands in, and says that it does."""
    filled: dict[str, Any] = {"strategy": "median"}
    numbers = Part(
        _PIPELINE,
        (
            Part("sklearn.impute:SimpleImputer", named=filled | ({"add_indicator": True} if columns.gaps else {})),
            Part("sklearn.preprocessing:StandardScaler"),
        ),
    )
    moments = Part(
        _PIPELINE,
        (
            Part("flyball.model_search.transformers:Moments"),
            Part("sklearn.impute:SimpleImputer", named=filled),
            Part("sklearn.preprocessing:StandardScaler"),
        ),
    )
    one_hot = Part(
        "sklearn.preprocessing:OneHotEncoder",
        named={"handle_unknown": "infrequent_if_exist", "min_frequency": _RARE},
    )
    many = Part(_PIPELINE, (_worth(target, seed), Part("sklearn.preprocessing:StandardScaler")))
    chosen = [
        (one_hot, named(columns, "categories")),
        (many, named(columns, "many")),
        (moments, named(columns, "moments")),
        (Part("flyball.model_search.transformers:Words"), named(columns, "texts")),
        (numbers, named(columns, "numbers")),
    ]
    return _together(chosen)


def filled_and_scaled() -> tuple[Part, Part]:
    """What makes numbers of one scale of a matrix, none missing."""
    filled = Part("sklearn.impute:SimpleImputer", named={"strategy": "median", "keep_empty_features": True})
    return filled, Part("sklearn.preprocessing:StandardScaler")


def prepared(prepare: Part, model: Part) -> Part:
    """A model on prepared columns."""
    return Part(_PIPELINE, (prepare, model))


def _together(chosen: list[tuple[Any, Name]]) -> Part:
    return Part(_COLUMNS, tuple(pair for pair in chosen if pair[1].value))


def _worth(target: str, seed: int) -> Part:
    """Each category as the mean of the label there, drawn to the mean of all the more the rarer it is.

    The encoder itself takes care that no row's own label is part of its code (Micci-Barreca, SIGKDD Explor. 3, 2001).
    """
    from importlib.metadata import version

    named: dict[str, Any] = {"target_type": target}
    if tuple(map(int, version("scikit-learn").split(".")[:2])) < (1, 9):
        named["random_state"] = seed
    else:  # since then it wants to be told how to divide the rows
        way = "KFold" if target == "continuous" else "StratifiedKFold"
        named["cv"] = Part(f"sklearn.model_selection:{way}", (_FOLDS,), {"shuffle": True, "random_state": seed})
    return Part("sklearn.preprocessing:TargetEncoder", named=named)
