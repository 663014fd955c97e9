"""The seam of the gates: a case in, Pass or Hold out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from flyball.errors import InvalidInput
from flyball.evaluation.scores import Evaluation
from flyball.models.signature import Signature
from flyball.plugins import PluginGroup
from flyball.serialization import JsonValue

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from flyball.registry.approvals import Approval


@dataclass(frozen=True, slots=True, kw_only=True)
class GateSpec:
    """A declared gate: the name of the plug-in, and its parameters."""

    gate: str
    params: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        first = next((value for value in self.params.values() if isinstance(value, str) and value), "")
        return f"{self.gate}({first})" if first else self.gate


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A version, and what it said of rows that it has not learned from.

    Attributes:
        truth: What turned out to be so, row by row.
        score: What the version said: probability of class 1, a matrix of probabilities, or a value.
        slices: Columns by whose values the rows are grouped, each with a value for every row.
        latency_ms: Milliseconds of single predictions, or what measures them; None if nobody can.
    """

    version: int
    truth: npt.NDArray[np.generic]
    score: npt.NDArray[np.generic]
    slices: dict[str, list[Any]]
    signature: Signature
    latency_ms: Callable[[], Sequence[float]] | Sequence[float] | None = None

    @property
    def rows(self) -> int:
        """How many rows it was asked."""
        return len(self.truth)

    def measure_latency(self) -> Sequence[float]:
        """Milliseconds of single predictions; none if nobody can measure them."""
        found = self.latency_ms() if callable(self.latency_ms) else self.latency_ms
        return () if found is None else found


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What gates judge: a candidate beside the champion, on the same rows.

    Attributes:
        champion: None if there is none yet.
        evaluation: How good the candidate was when it was registered.
        metric: Name of the metric that counts where a gate names none; that of the evaluation by default.
        approvals: The requests that the candidate be approved, newest first; None if whoever made the case does not know.
    """

    candidate: Judged
    champion: Judged | None = None
    evaluation: Evaluation | None = None
    metric: str = ""
    approvals: Sequence[Approval] | None = None

    def metric_or(self, named: str) -> str:
        """The metric that counts: the named one, or the case's own.

        Raises:
            InvalidInput: neither names one.
        """
        found = named or self.metric or (self.evaluation.primary if self.evaluation else "")
        if not found:
            raise InvalidInput("No metric is named.", hint="Name one in the gate, such as 'roc_auc'.")
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Pass:
    """The gate lets the version pass."""

    detail: str
    facts: dict[str, JsonValue] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """The gate holds the version back."""

    reason: str
    facts: dict[str, JsonValue] = field(default_factory=dict)


Decision: TypeAlias = Pass | Hold


class Gate(Protocol):
    """A rule that a new version must pass. Its parameters are keyword arguments of `decide` and plain values."""

    def decide(self, case: Case, *args: Any, **params: Any) -> Decision:
        """Whether the version may pass, and why.

        Raises:
            InvalidInput: it cannot be told from this case; that holds the version back.
        """
        ...


GATES: PluginGroup[Gate] = PluginGroup("gate", "flyball.registry.gates")
