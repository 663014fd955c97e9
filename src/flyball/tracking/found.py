"""The nouns of searches: what is found, grouped, put into tables and ranked."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from flyball.tracking.nouns import Experiment, Run

Cell = str | int | float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunPage:
    """Some of the runs that were asked for.

    Attributes:
        next_page_token: Gives the page after this one; empty where there is none.
        total: How many there are in all; None where it was not asked for.
    """

    runs: list[Run]
    next_page_token: str = ""
    total: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ExperimentPage:
    """Some of the experiments that were asked for.

    Attributes:
        next_page_token: Gives the page after this one; empty where there is none.
    """

    experiments: list[Experiment]
    next_page_token: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunColumns:
    """The names that a table of runs can have beside the attributes, each kind sorted.

    Attributes:
        runs: How many runs were looked at: the newest, at most 20,000.
    """

    params: list[str]
    metrics: list[str]
    tags: list[str]
    runs: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RunGroup:
    """The runs that have the same values.

    Attributes:
        values: What they have in common, in the order it was asked for; None where they have nothing.
        results: What the aggregates gave.
    """

    values: list[Cell]
    count: int
    results: list[float | None] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunGroups:
    """Runs in groups, the largest first.

    Attributes:
        complete: Whether these are all groups.
    """

    by: list[str]
    aggregates: list[str]
    groups: list[RunGroup]
    complete: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Pivot:
    """A value of groups of runs, in a table.

    Attributes:
        rows: The values at the left, a list for each row.
        columns: The values at the top.
        cells: A list for each row; None where there is no such run.
    """

    rows: list[list[Cell]]
    columns: list[Cell]
    cells: list[list[float | None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """A run's place on a leaderboard.

    Attributes:
        rank: 1 for the best; runs of equal value have equal ranks.
        behind: How far it is from the best.
    """

    rank: int
    run: Run
    value: float
    behind: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaderboard:
    """The best runs by one metric."""

    metric: str
    direction: Literal["max", "min"]
    standings: list[Standing]
