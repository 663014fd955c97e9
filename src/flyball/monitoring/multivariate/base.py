"""The seam of the multivariate metrics: what a sample of rows is summed up to, and how far two summaries lie apart.

A summary adds up: that of a window is the sum of those of its parts (to rounding), so that replicas and hours merge.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol

from flyball.errors import InvalidInput
from flyball.plugins import PluginGroup

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Encoding:
    """How a column becomes numbers.

    Attributes:
        representation: Name of the plug-in; `state`: what it learned from the reference, in plain values.
        features: Names of the numbers it gives.
    """

    column: str
    representation: str
    features: tuple[str, ...]
    state: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """What is known of some rows.

    Attributes:
        n: How many there are.
        values: Sums over the rows; or the numbers of a sample of the rows themselves, row by row.
        kind: Which of the two.
    """

    n: int
    values: tuple[float, ...]
    kind: Literal["sums", "rows"] = "sums"


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """How two summaries differ.

    Attributes:
        distance: How far apart they are, freed of what chance gives; in the metric's own unit.
        statistic: About chi-square with so many `degrees` if nothing has changed: the largest one of `tests`.
        overall: Statistic and degrees of all that was looked at together, by which it is learned how much more than by
            chance quiet windows differ.
        cause: What changed most, in a few words.
        columns: The features that changed most.
    """

    distance: float
    statistic: float
    degrees: float
    overall: tuple[float, float]
    tests: int = 1
    cause: str = ""
    columns: tuple[str, ...] = ()


class MultivariateMetric(Protocol):
    """Compares rows as wholes: what no column shows by itself.

    Attributes:
        threshold: The distance from which a change is worth a person's attention.
    """

    @property
    def threshold(self) -> float: ...

    def fit(self, matrix: Floats, features: Sequence[str]) -> dict[str, Any] | None:
        """What is learned from the reference, in plain values; None where such rows are not for this metric.

        Args:
            matrix: Shape (rows, features): each feature has a mean near 0 and a spread near 1.
            features: `column` or `column=part`.
        """
        ...

    def summarise(self, state: dict[str, Any], matrix: Floats) -> Summary:
        """The summary of rows."""
        ...

    def compare(self, state: dict[str, Any], reference: Summary, current: Summary) -> Comparison:
        """How the window differs from the reference; both hold at least five rows."""
        ...


MULTIVARIATE: PluginGroup[MultivariateMetric] = PluginGroup("multivariate", "flyball.monitoring.multivariate")


def merge_summaries(summaries: Sequence[Summary]) -> Summary:
    """The summary of all their rows.

    Raises:
        InvalidInput: there is none, or they are of different metrics.
    """
    import numpy as np

    if not summaries:
        raise InvalidInput("There is no summary to merge.", hint="Sum up an empty window for one without rows.")
    first = summaries[0]
    if first.kind == "rows":
        return Summary(n=sum(s.n for s in summaries), values=tuple(v for s in summaries for v in s.values), kind="rows")
    if any(len(s.values) != len(first.values) or s.kind != first.kind for s in summaries):
        raise InvalidInput("Summaries of different metrics cannot be merged.", hint="Sum up the rows again.")
    values = np.array([s.values for s in summaries]).sum(axis=0)
    return Summary(n=sum(s.n for s in summaries), values=tuple(values.tolist()))
