"""Rollouts: the steps by which a new version takes over, as a plan and as a state."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from flyball.clock import parse_duration
from flyball.errors import InvalidInput

Strategy = Literal["immediate", "canary", "shadow", "blue_green", "ab"]
RolloutState = Literal["running", "paused", "promoted", "rolled_back"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RolloutSpec:
    """How a version takes over.

    Attributes:
        strategy: All at once; by growing shares of the traffic; first beside the champion, unanswered; first loaded and warm
            on all servers, unasked; or by a fixed share until it is sure who is better.
        steps: Percent of the traffic at each step of a canary; the last is 100.
        hold_seconds: How long each step lasts at least.
        min_predictions: How many predictions the new version must have made in a step before the next.
        alpha: Chance, over the whole rollout, that a version as good as the champion is rolled back.
        early: Whether it takes over before its time where it is surely better.
        only_if_better: Whether it takes over only then: a challenge, which ends without a new champion where that is not sure,
            or when the next challenger has passed its gates.
    """

    strategy: Strategy = "immediate"
    steps: tuple[int, ...] = (100,)
    hold_seconds: float = 0.0
    min_predictions: int = 0
    alpha: float = 0.02
    early: bool = False
    only_if_better: bool = False

    @property
    def hold(self) -> timedelta:
        """How long each step lasts at least."""
        return timedelta(seconds=self.hold_seconds)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollout:
    """One rollout.

    Attributes:
        from_version: The champion when it started.
        to_version: The version that is to take over.
        step: Index of the present step.
        percent: Share of the traffic that the new version answers now.
        reason: Why it ended, or why it is paused.
        evidence: Figures of the last analysis.
    """

    id: str
    deployment: str
    model: str
    from_version: int
    to_version: int
    spec: RolloutSpec
    step: int
    percent: int
    state: RolloutState
    started: datetime
    step_started: datetime
    ended: datetime | None = None
    reason: str = ""
    evidence: dict[str, float | int | str | None]


def canary(
    steps: Sequence[int] = (5, 25, 100), *, hold: str = "10m", min_predictions: int = 100, alpha: float = 0.02,
    early: bool = False,
) -> RolloutSpec:  # fmt: skip
    """A rollout by growing shares of the traffic, rolled back when the new version does worse.

    >>> canary([10, 100], hold="1h").steps
    (10, 100)

    Args:
        steps: Percent of the traffic at each step, growing; 100 is added at the end if it is missing.
        hold: How long each step lasts at least.
        min_predictions: How many predictions of the new version each step waits for.
        alpha: Chance that a version as good as the champion is rolled back.
        early: Whether it takes over before its time where the truth that is known says that it is surely better.

    Raises:
        InvalidInput: the steps do not grow, or lie outside 1 to 100.
    """
    wanted = tuple(steps) if tuple(steps)[-1:] == (100,) else (*steps, 100)
    if any(not 1 <= step <= 100 for step in wanted) or list(wanted) != sorted(set(wanted)):
        raise InvalidInput(f"{list(steps)} are no canary steps.", hint="Give growing percents, such as [5, 25, 100].")
    if not 0 < alpha < 1:
        raise InvalidInput(f"alpha is {alpha}.", hint="Give a chance between 0 and 1, such as 0.02.")
    seconds = parse_duration(hold).total_seconds()
    return RolloutSpec(
        strategy="canary", steps=wanted, hold_seconds=seconds, min_predictions=min_predictions, alpha=alpha, early=early
    )


def shadow(*, hold: str = "1d", min_predictions: int = 1000, alpha: float = 0.02, early: bool = False) -> RolloutSpec:
    """A rollout that first lets the new version score all traffic beside the champion, unanswered, then takes over.

    Args:
        hold: How long it scores beside the champion at least.
        min_predictions: How many predictions of it are waited for.
        alpha: Chance that a version as good as the champion is rolled back.
        early: Whether it takes over before its time where it is surely better.
    """
    seconds = parse_duration(hold).total_seconds()
    return RolloutSpec(
        strategy="shadow",
        steps=(0, 100),
        hold_seconds=seconds,
        min_predictions=min_predictions,
        alpha=alpha,
        early=early,
    )


def challenge(*, at_most: str = "30d", min_predictions: int = 1000, alpha: float = 0.02) -> RolloutSpec:
    """A new version shadows the champion until it is surely better, surely worse, or the next challenger comes.

    The test may be asked at any moment (an always-valid sequential test over the answers whose truth is known), so the
    challenger takes over as soon as it is sure, and never only because time has passed.

    Args:
        at_most: After so long without certainty the challenge ends, and the champion stays.
        min_predictions: How many predictions of the challenger are waited for.
        alpha: Chance that a version that is no better takes over.

    Raises:
        InvalidInput: it has no length, or alpha is no chance.
    """
    if not 0 < alpha < 1:
        raise InvalidInput(f"alpha is {alpha}.", hint="Give a chance between 0 and 1, such as 0.02.")
    seconds = parse_duration(at_most).total_seconds()
    return RolloutSpec(
        strategy="shadow", steps=(0, 100), hold_seconds=seconds, min_predictions=min_predictions, alpha=alpha, early=True,
        only_if_better=True,
    )  # fmt: skip


def blue_green(*, hold: str = "10m") -> RolloutSpec:
    """The new version is loaded and warm on every server before all turn to it at once; until then only its own address asks it.

    Args:
        hold: How long it stands ready at least, to be tried at `/v2/models/<deployment>/versions/<version>/infer`.
    """
    seconds = parse_duration(hold).total_seconds()
    return RolloutSpec(strategy="blue_green", steps=(0, 100), hold_seconds=seconds)


def ab_test(
    *, percent: int = 50, at_most: str = "14d", min_predictions: int = 1000, alpha: float = 0.02
) -> RolloutSpec:
    """Two versions share the keys by a fixed share until it is sure which is better; who is asked once is always asked the same.

    Args:
        percent: Share of the new version.
        at_most: After so long without certainty the test ends, and the champion stays.
        min_predictions: How many predictions of the new version are waited for.
        alpha: Chance that a version that is no better takes over.

    Raises:
        InvalidInput: the share is none, or alpha is no chance.
    """
    if not 1 <= percent <= 99:
        raise InvalidInput(f"{percent} % is no share for a test.", hint="Give 1 to 99, such as 50.")
    if not 0 < alpha < 1:
        raise InvalidInput(f"alpha is {alpha}.", hint="Give a chance between 0 and 1, such as 0.02.")
    return RolloutSpec(
        strategy="ab", steps=(percent, 100), hold_seconds=parse_duration(at_most).total_seconds(),
        min_predictions=min_predictions, alpha=alpha, early=True, only_if_better=True,
    )  # fmt: skip


def immediate() -> RolloutSpec:
    """A rollout in one step."""
    return RolloutSpec()
