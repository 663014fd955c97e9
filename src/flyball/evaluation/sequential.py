"""Whether a canary is worse than the champion, asked after every batch without ever raising the false alarms.

Each batch is a table of two rows (champion, canary) and two columns (bad, good). If both have the same odds, then given
the sums of the table the canary's bad outcomes are hypergeometric, whatever the common rate. A bet that the odds ratio
is psi multiplies the wealth by `psi^k / E[psi^k]`; if the canary is no worse, the wealth grows in expectation by no
batch, so the chance that it ever reaches 1/alpha is at most alpha (Ville). The e-value is the mean wealth over a few
psi. The rate of both may wander from batch to batch, and the split of the traffic may change.

Source: Ville 1939; Turner, Ly and Grunwald, J. Stat. Plan. Inference 230, 2024 (e-values for two-by-two tables).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from flyball.errors import InvalidInput

ODDS_RATIOS = (1.25, 1.5, 2.0, 3.0, 5.0, 10.0, 30.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcomes:
    """Outcomes of one side: how many there were, and how many of them were bad (an error, a wrong prediction)."""

    n: int = 0
    bad: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.bad <= self.n:
            raise InvalidInput(f"There cannot be {self.bad} bad outcomes of {self.n}.")

    def __add__(self, other: Outcomes) -> Outcomes:
        return Outcomes(n=self.n + other.n, bad=self.bad + other.bad)

    @property
    def rate(self) -> float:
        """Share of bad outcomes; zero without any."""
        return self.bad / self.n if self.n else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class SequentialTest:
    """The evidence so far that the canary's bad outcomes have higher odds than the champion's.

    To ask whether a challenger is better, give it the champion's place.

    >>> test = SequentialTest()
    >>> for _ in range(50):
    ...     test = test.after(champion=Outcomes(n=10), canary=Outcomes(n=10, bad=1))
    >>> test.is_worse(alpha=0.05)
    True

    Attributes:
        champion: All outcomes of the champion; `canary`: of the canary.
        log_wealth: Logarithm of the wealth of the bet on each odds ratio.
        log_peak: Logarithm of the largest e-value there ever was.
        waiting: Outcomes of champion and canary that no batch has compared yet: one of the sides has none.
    """

    champion: Outcomes = Outcomes()
    canary: Outcomes = Outcomes()
    log_wealth: tuple[float, ...] = (0.0,) * len(ODDS_RATIOS)
    log_peak: float = 0.0
    waiting: tuple[Outcomes, Outcomes] = (Outcomes(), Outcomes())

    def after(self, *, champion: Outcomes, canary: Outcomes) -> SequentialTest:
        """The test after one more batch of outcomes of both sides.

        How batches are cut must not depend on their outcomes: by time or by number of requests.
        """
        old, new = self.waiting[0] + champion, self.waiting[1] + canary
        seen = replace(self, champion=self.champion + champion, canary=self.canary + canary)
        if not old.n or not new.n:
            return replace(seen, waiting=(old, new))
        growth = _log_growth(old, new)
        wealth = tuple(log + more for log, more in zip(self.log_wealth, growth, strict=True))
        return replace(
            seen,
            log_wealth=wealth,
            log_peak=max(self.log_peak, _log_mean(wealth)),
            waiting=(Outcomes(), Outcomes()),
        )

    @property
    def e_value(self) -> float:
        """The evidence now: at most 1 is expected, at any time, if the canary is no worse."""
        return math.exp(min(700.0, _log_mean(self.log_wealth)))

    @property
    def p_value(self) -> float:
        """A p-value that is valid however often it was looked at."""
        return math.exp(-self.log_peak)

    def is_worse(self, alpha: float = 0.05) -> bool:
        """Whether the evidence has ever sufficed; wrong for at most a share `alpha` of canaries that are no worse."""
        return self.log_peak >= -math.log(alpha)


def _log_growth(champion: Outcomes, canary: Outcomes) -> list[float]:
    bad = champion.bad + canary.bad
    least, most = max(0, bad - champion.n), min(bad, canary.n)
    whole = _log_choose(champion.n + canary.n, bad)
    chances = [_log_choose(canary.n, k) + _log_choose(champion.n, bad - k) - whole for k in range(least, most + 1)]
    bets = [math.log(psi) for psi in ODDS_RATIOS]
    return [
        canary.bad * bet - _log_sum([chance + k * bet for k, chance in enumerate(chances, start=least)]) for bet in bets
    ]


def _log_choose(n: int, k: int) -> float:
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)


def _log_sum(logs: list[float]) -> float:
    largest = max(logs)
    return largest + math.log(math.fsum(math.exp(log - largest) for log in logs))


def _log_mean(logs: tuple[float, ...]) -> float:
    return _log_sum(list(logs)) - math.log(len(logs))
