"""The kinds of models that are tried, each with where it begins and with what can be set.

A setting is drawn at random, or near that of a good candidate of the same family. Numbers are rounded before they are used,
so that what is written down is what was tried.
"""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from flyball.errors import InvalidInput, did_you_mean
from flyball.model_search.columns import Columns
from flyball.model_search.parts import Part
from flyball.model_search.preparing import filled_and_scaled, for_lines, for_trees, prepared
from flyball.model_search.search import Task
from flyball.serialization import JsonValue

if TYPE_CHECKING:
    import numpy as np

_STEP = 0.2
_OF_A_FORECAST = ("memory", "change")


@dataclass(frozen=True, slots=True)
class Span:
    """Numbers between two bounds.

    Attributes:
        log: Whether each factor counts the same, and not each difference.
        whole: Whether only whole numbers count.
    """

    low: float
    high: float
    log: bool = False
    whole: bool = False

    def at(self, share: float) -> float | int:
        """The number so far along the way from low to high."""
        share = min(1.0, max(0.0, share))
        if self.log:
            found = math.exp(math.log(self.low) + share * (math.log(self.high) - math.log(self.low)))
        else:
            found = self.low + share * (self.high - self.low)
        return round(found) if self.whole else float(f"{found:.3g}")

    def share(self, value: float) -> float:
        """How far along the way a number lies."""
        if self.log:
            return math.log(value / self.low) / math.log(self.high / self.low)
        return (value - self.low) / (self.high - self.low)


Range = Span | tuple[JsonValue, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """What a model is made for.

    Attributes:
        classes: How many there are; 0 of values.
        is_plain: Whether the classes are called 0, 1, 2.
        is_uneven: Whether one class is rare.
        time: Column of the time, in forecasting. `groups`: the columns that name a series there.
        season: After how many steps the same comes again; 1 for never.
    """

    task: Task
    columns: Columns
    classes: int = 0
    is_plain: bool = True
    is_uneven: bool = False
    time: str = ""
    groups: tuple[str, ...] = ()
    season: int = 1
    seed: int = 0

    @property
    def target(self) -> str:
        """What the label is to an encoder."""
        return "continuous" if not self.classes else "binary" if self.classes == 2 else "multiclass"


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """One kind of model.

    Attributes:
        needs: Module that must be installed.
        makers: The estimator for classes, and that for values.
        fixed: Settings that every candidate has.
        first: Settings of the first candidates.
        space: What can be set.
        is_linear: Whether it wants numbers of one scale.
        weighs_classes: Whether it can give rare classes more weight.
        names_classes: Whether it takes classes of any name.
    """

    name: str
    needs: str
    makers: tuple[str, str]
    fixed: Mapping[str, JsonValue] = field(default_factory=dict)
    first: tuple[Mapping[str, JsonValue], ...] = ({},)
    space: Mapping[str, Range] = field(default_factory=dict)
    only_values: tuple[str, ...] = ()
    only_classes: tuple[str, ...] = ()
    seed_name: str = "random_state"
    is_linear: bool = False
    weighs_classes: bool = False
    names_classes: bool = True

    def is_installed(self) -> bool:
        """Whether its library is there."""
        return importlib.util.find_spec(self.needs) is not None

    def ranges(self, problem: Problem) -> dict[str, Range]:
        """What can be set for a problem."""
        left_out = self.only_values if problem.classes else self.only_classes
        found: dict[str, Range] = {name: each for name, each in self.space.items() if name not in left_out}
        if self.weighs_classes and problem.is_uneven:
            found["class_weight"] = (None, "balanced")
        if problem.task == "forecasting":
            found["memory"] = ("short", "season", "long")
            found["change"] = ("none", "last", "season") if problem.season > 1 else ("none", "last")
        return found

    def beginnings(self, problem: Problem) -> list[dict[str, JsonValue]]:
        """The settings of the first candidates."""
        known = self.ranges(problem)
        found = [{name: value for name, value in each.items() if name in known} for each in self.first]
        if problem.task != "forecasting":
            return found
        changes = ("season", "last") if problem.season > 1 else ("last", "none")
        return [{**each, "memory": "season", "change": change} for each in found[:1] for change in changes]

    def draw(self, problem: Problem, random: np.random.Generator) -> dict[str, JsonValue]:
        """Settings at random."""
        return {name: _drawn(each, random) for name, each in self.ranges(problem).items()}

    def near(
        self, problem: Problem, settings: Mapping[str, JsonValue], random: np.random.Generator
    ) -> dict[str, JsonValue]:
        """Settings a step away from some; one that they do not have is drawn."""
        found = {}
        for name, each in self.ranges(problem).items():
            value = settings.get(name)
            if not isinstance(each, Span) or not isinstance(value, int | float):
                keep = name in settings and random.random() > _STEP
                found[name] = value if keep else _drawn(each, random)
            else:
                found[name] = each.at(each.share(value) + random.normal(0.0, _STEP))
        return found

    def model(self, problem: Problem, settings: Mapping[str, JsonValue]) -> Part:
        """The estimator alone, which takes prepared columns."""
        values = {**self.fixed, **{name: value for name, value in settings.items() if name not in _OF_A_FORECAST}}
        if self.seed_name:
            values[self.seed_name] = problem.seed
        made = Part(self.makers[0 if problem.classes else 1], named=values)
        if problem.classes and not self.names_classes and not problem.is_plain:
            return Part("flyball.model_search.transformers:NamedClasses", (made,))
        return made

    def whole(self, problem: Problem, settings: Mapping[str, JsonValue]) -> Part:
        """The estimator behind what prepares the columns."""
        prepare: Callable[..., Part] = for_lines if self.is_linear else for_trees
        model = self.model(problem, settings)
        if problem.task == "forecasting":
            if self.is_linear:
                model = Part("sklearn.pipeline:make_pipeline", (*filled_and_scaled(), model))
            return _forecaster(problem, settings, model, prepare)
        return prepared(prepare(problem.columns, problem.target, seed=problem.seed), model)


_ENSEMBLE = "sklearn.ensemble:"
FAMILIES = {
    family.name: family
    for family in (
        Family(
            name="hist_gradient_boosting",
            needs="sklearn",
            makers=(f"{_ENSEMBLE}HistGradientBoostingClassifier", f"{_ENSEMBLE}HistGradientBoostingRegressor"),
            fixed={"early_stopping": False},
            first=(
                {"learning_rate": 0.1, "max_iter": 100},
                {"learning_rate": 0.05, "max_iter": 200, "max_leaf_nodes": 15, "l2_regularization": 1.0},
            ),
            space={
                "learning_rate": Span(0.02, 0.3, log=True),
                "max_iter": Span(40, 500, log=True, whole=True),
                "max_leaf_nodes": Span(4, 128, log=True, whole=True),
                "min_samples_leaf": Span(2, 100, log=True, whole=True),
                "l2_regularization": Span(1e-4, 100.0, log=True),
                "max_features": Span(0.3, 1.0),
            },
            weighs_classes=True,
        ),
        Family(
            name="linear",
            needs="sklearn",
            makers=("sklearn.linear_model:LogisticRegression", "sklearn.linear_model:Ridge"),
            fixed={},
            first=({"C": 1.0, "max_iter": 1000, "alpha": 1.0}, {"C": 0.03, "max_iter": 1000, "alpha": 30.0}),
            space={
                "C": Span(1e-4, 100.0, log=True),
                "max_iter": (1000,),
                "alpha": Span(1e-3, 1e4, log=True),
            },
            only_values=("alpha",),
            only_classes=("C", "max_iter"),
            seed_name="",
            is_linear=True,
            weighs_classes=True,
        ),
        Family(
            name="lightgbm",
            needs="lightgbm",
            makers=("lightgbm:LGBMClassifier", "lightgbm:LGBMRegressor"),
            fixed={"n_jobs": 1, "verbose": -1},
            first=({"n_estimators": 100}, {"n_estimators": 300, "learning_rate": 0.05, "num_leaves": 15}),
            space={
                "n_estimators": Span(40, 600, log=True, whole=True),
                "learning_rate": Span(0.02, 0.3, log=True),
                "num_leaves": Span(4, 128, log=True, whole=True),
                "min_child_samples": Span(2, 100, log=True, whole=True),
                "colsample_bytree": Span(0.3, 1.0),
                "reg_lambda": Span(1e-4, 100.0, log=True),
            },
            weighs_classes=True,
        ),
        Family(
            name="xgboost",
            needs="xgboost",
            makers=("xgboost:XGBClassifier", "xgboost:XGBRegressor"),
            fixed={"n_jobs": 1, "tree_method": "hist"},
            first=(
                {"n_estimators": 100, "learning_rate": 0.1},
                {"n_estimators": 300, "learning_rate": 0.05, "max_depth": 4},
            ),
            space={
                "n_estimators": Span(40, 600, log=True, whole=True),
                "learning_rate": Span(0.02, 0.3, log=True),
                "max_depth": Span(2, 10, whole=True),
                "min_child_weight": Span(0.1, 50.0, log=True),
                "subsample": Span(0.5, 1.0),
                "colsample_bytree": Span(0.3, 1.0),
                "reg_lambda": Span(1e-3, 100.0, log=True),
            },
            names_classes=False,
        ),
        Family(
            name="catboost",
            needs="catboost",
            makers=("catboost:CatBoostClassifier", "catboost:CatBoostRegressor"),
            fixed={"thread_count": 1, "verbose": False, "allow_writing_files": False},
            first=({"iterations": 200, "learning_rate": 0.1},),
            space={
                "iterations": Span(60, 600, log=True, whole=True),
                "learning_rate": Span(0.02, 0.3, log=True),
                "depth": Span(3, 8, whole=True),
                "l2_leaf_reg": Span(0.5, 30.0, log=True),
            },
            seed_name="random_seed",
        ),
        Family(
            name="extra_trees",
            needs="sklearn",
            makers=(f"{_ENSEMBLE}ExtraTreesClassifier", f"{_ENSEMBLE}ExtraTreesRegressor"),
            fixed={"n_jobs": 1},
            first=({"n_estimators": 100, "min_samples_leaf": 2},),
            space={
                "n_estimators": Span(50, 300, log=True, whole=True),
                "min_samples_leaf": Span(1, 20, log=True, whole=True),
                "max_features": Span(0.2, 1.0),
            },
            weighs_classes=True,
        ),
    )
}
"""The kinds of models, in the order in which they are first tried."""


def chosen_families(asked: tuple[str, ...]) -> list[Family]:
    """The families of those names, or all that are installed.

    Raises:
        InvalidInput: there is none of a name, or it is not installed.
    """
    for name in asked:
        if name not in FAMILIES:
            raise InvalidInput(f"There is no kind of model '{name}'.", hint=did_you_mean(name, FAMILIES))
        if not FAMILIES[name].is_installed():
            raise InvalidInput(f"'{name}' is not installed here.", hint=f"pip install {FAMILIES[name].needs}")
    return [family for name, family in FAMILIES.items() if (name in asked if asked else family.is_installed())]


def baseline(problem: Problem) -> Part:
    """The least that a model must beat: what is most usual, whatever a row holds; of a series, what was a season ago."""
    if problem.task == "forecasting":
        named = {"time": problem.time, "groups": list(problem.groups), "season": problem.season}
        return Part("flyball.model_search.forecasting:SeasonalNaive", named=named)
    if problem.classes:
        return Part("sklearn.dummy:DummyClassifier", named={"strategy": "prior"})
    return Part("sklearn.dummy:DummyRegressor", named={"strategy": "median"})


def _forecaster(problem: Problem, settings: Mapping[str, JsonValue], model: Part, prepare: Callable[..., Part]) -> Part:
    season = problem.season
    reach = {"short": 3, "season": max(3, min(season, 14)), "long": max(7, min(2 * season, 28))}
    near = range(1, reach[str(settings.get("memory", "season"))] + 1)
    lags = sorted({*near, *((season, season + 1, 2 * season) if season > 1 else ())})
    change = {"none": 0, "last": 1, "season": season}[str(settings.get("change", "none"))]
    named: dict[str, Any] = {"time": problem.time, "groups": list(problem.groups), "lags": lags, "change": change}
    if problem.columns.names:
        named["prepare"] = prepare(problem.columns, problem.target, seed=problem.seed)
    return Part("flyball.model_search.forecasting:Forecaster", (model,), named)


def _drawn(each: Range, random: np.random.Generator) -> JsonValue:
    if isinstance(each, Span):
        return each.at(random.random())
    return each[int(random.integers(len(each)))]
