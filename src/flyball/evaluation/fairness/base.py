"""The seam of the measures of fairness: counts of each group in, the rates that ought to be equal out.

Everything is made of counts, so that windows, hours and replicas add up; Fairlearn's MetricFrame needs the rows. The tests
hold our numbers against Fairlearn's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from flyball.plugins import PluginGroup

Relation = Literal["difference", "ratio"]


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupCounts:
    """What a model said of one group, and what was so; counts of several windows add up.

    Attributes:
        group: The value, range or combination of values.
        n: Rows; `called`: those predicted to be of class 1.
        labelled: Rows whose truth is known; `labelled_called`: those of them predicted to be of class 1.
        actual: Labelled rows truly of class 1; `hits`: those of them predicted so.
        score_sum: Sum of the probabilities of the labelled rows; `score_variance`: sum of p (1 - p).
    """

    group: str
    n: int = 0
    called: int = 0
    labelled: int = 0
    labelled_called: int = 0
    actual: int = 0
    hits: int = 0
    score_sum: float = 0.0
    score_variance: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """A share of a group: `hits` of `n`, with the variance of one row.

    Attributes:
        value: The share, or the gap, of the group.
        variance: Of the value.
        n: Rows it is made of.
    """

    value: float
    variance: float
    n: int


class FairnessMeasure(Protocol):
    """Rates that ought to be the same in every group.

    Attributes:
        needs_truth: Whether truth must be known.
        relation: Whether groups are compared by the difference of their rates or by the ratio.
        threshold: The largest difference, or the least ratio, that is taken for fair.
    """

    @property
    def needs_truth(self) -> bool: ...

    @property
    def relation(self) -> Relation: ...

    @property
    def threshold(self) -> float: ...

    def rates(self, counts: GroupCounts) -> Mapping[str, Rate]:
        """The group's rates by name; one that no row tells of is left out."""
        ...


FAIRNESS: PluginGroup[FairnessMeasure] = PluginGroup("fairness", "flyball.evaluation.fairness")


def share(hits: int, n: int) -> Rate | None:
    """The rate of a share; None of no rows. Its variance is that of the share with one hit and one miss added."""
    if not n:
        return None
    middle = (hits + 1) / (n + 2)
    return Rate(value=hits / n, variance=middle * (1 - middle) / n, n=n)


def known(rates: Mapping[str, Rate | None]) -> dict[str, Rate]:
    """Those of the rates that are known."""
    return {name: rate for name, rate in rates.items() if rate is not None}


def merge_counts(parts: Sequence[Sequence[GroupCounts]]) -> tuple[GroupCounts, ...]:
    """The counts of all their rows, group by group, in order of appearance."""
    found: dict[str, GroupCounts] = {}
    for part in parts:
        for each in part:
            before = found.get(each.group)
            found[each.group] = each if before is None else _sum(before, each)
    return tuple(found.values())


def _sum(one: GroupCounts, other: GroupCounts) -> GroupCounts:
    return GroupCounts(
        group=one.group,
        n=one.n + other.n,
        called=one.called + other.called,
        labelled=one.labelled + other.labelled,
        labelled_called=one.labelled_called + other.labelled_called,
        actual=one.actual + other.actual,
        hits=one.hits + other.hits,
        score_sum=one.score_sum + other.score_sum,
        score_variance=one.score_variance + other.score_variance,
    )
