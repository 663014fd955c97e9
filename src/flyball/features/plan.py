"""What a training set was made with: views at their versions and on-demand functions, as a model server needs them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from flyball.declarations import declare
from flyball.errors import InvalidInput
from flyball.features.definition import FeatureView, PythonView
from flyball.features.functions import OnDemand
from flyball.refs import check_name
from flyball.schema import Schema

FeatureSource = FeatureView | PythonView | OnDemand | str
"""What may stand in a list of features; a text is the name of a view, with or without its version: `weather@2`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedView:
    """One view of a plan.

    Attributes:
        schema: The columns of its rows: entity, time, created, then the features, or what windows are made of.
        names: The column that each feature became.
    """

    view: FeatureView
    schema: Schema
    names: dict[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedFunction:
    """One on-demand function of a plan.

    Attributes:
        inputs: Columns that it takes.
        outputs: Columns that it gives.
        function: Its name in `source`, the text of a Python file that stands alone.
    """

    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    function: str
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FeaturePlan:
    """Features that belong together: what training joined, and serving looks up.

    Attributes:
        name: That of the set; empty where the training set named its features one by one.
        functions: In the order in which they are computed, after the views.
    """

    name: str = ""
    views: tuple[PlannedView, ...] = ()
    functions: tuple[PlannedFunction, ...] = ()

    @property
    def outputs(self) -> frozenset[str]:
        """All columns that the plan gives."""
        looked_up = {name for planned in self.views for name in planned.names.values()}
        return frozenset(looked_up | {name for made in self.functions for name in made.outputs})

    @property
    def entities(self) -> tuple[str, ...]:
        """The columns that name things, each once."""
        return tuple(dict.fromkeys(key for planned in self.views for key in planned.view.entity))


@dataclass(frozen=True, slots=True)
class FeatureSet:
    """A named set of features, which training and serving share.

    Attributes:
        members: Views, on-demand features, names of views.
    """

    name: str
    members: tuple[FeatureSource, ...] = field(default=())


def feature_set(name: str, features: Sequence[FeatureSource]) -> FeatureSet:
    """Declares a named set of features: for `fb.training_set(..., features=...)` and for reading online by its name.

    Raises:
        InvalidInput: the name cannot be used, or the set is empty.
    """
    if not features:
        raise InvalidInput(f"Feature set '{name}' is empty.", hint="Give it views, or on-demand features.")
    made = FeatureSet(check_name(name, "feature set"), tuple(features))
    declare(made)
    return made


def members_of(features: FeatureSet | Sequence[FeatureSource | FeatureSet]) -> tuple[str, list[FeatureSource]]:
    """The name of a set, empty where there is none, and all that it or the list holds."""
    if isinstance(features, FeatureSet):
        return features.name, list(features.members)
    found: list[FeatureSource] = []
    names = []
    for item in features:
        if isinstance(item, FeatureSet):
            names.append(item.name)
            found += item.members
        else:
            found.append(item)
    return (names[0] if len(names) == 1 and len(features) == 1 else ""), found


def merged(plans: Sequence[FeaturePlan]) -> FeaturePlan:
    """One plan of several: each view and each function once, as the last plan has it."""
    views = {planned.view.label: planned for plan in plans for planned in plan.views}
    functions = {made.name: made for plan in plans for made in plan.functions}
    names = {plan.name for plan in plans}
    return replace(
        FeaturePlan(views=tuple(views.values()), functions=tuple(functions.values())),
        name=names.pop() if len(names) == 1 else "",
    )
