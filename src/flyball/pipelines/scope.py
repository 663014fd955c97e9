"""Which steps of a pipeline a run is about: all of them, one alone, or some that run again whatever is kept."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from flyball.errors import InvalidInput, WorkFailed, did_you_mean


class NotAsked(WorkFailed):
    """A step was not asked to run, and what it gave is not kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """Which steps may run, and which have to.

    Attributes:
        only: Steps that may run; the others are taken from what is kept. Empty for all.
        again: Steps that run whatever is kept, and all that stand behind them.
        use_cache: Whether what other runs' steps gave is taken.
        is_shared: Whether other processes run other steps of the same run at the same time.
    """

    only: frozenset[str] = frozenset()
    again: frozenset[str] = frozenset()
    use_cache: bool = True
    is_shared: bool = False

    def may_run(self, step: str, name: str) -> bool:
        """Whether a step may run, by its own name or by that of one of its calls."""
        return not self.is_partial or step in self.only or name in self.only

    @property
    def is_partial(self) -> bool:
        """Whether steps are left out."""
        return bool(self.only) or self.is_shared

    def has_to_run(self, step: str, name: str) -> bool:
        """Whether a step runs whatever is kept."""
        return step in self.again or name in self.again

    def check(self, pipeline: str, steps: Collection[str]) -> None:
        """Raises InvalidInput where a step is named that the pipeline does not have."""
        for name in sorted(self.only | self.again):
            if name not in steps:
                raise InvalidInput(f"Pipeline '{pipeline}' has no step '{name}'.", hint=did_you_mean(name, steps))


def missing_before(step: str, before: Iterable[str]) -> WorkFailed:
    """What is said of a step that cannot run alone."""
    names = [f"'{name}'" for name in before]
    give = "gives" if len(names) == 1 else "give"
    return WorkFailed(
        f"Step '{step}' needs what {' and '.join(names)} {give}, which is not kept.",
        hint="Run the whole pipeline once, or that step first.",
    )
