"""What would have been, what was and what is to come: simulation, story and schedule of loops, as reads for any client."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from flyball.errors import InvalidInput
from flyball.loops.loop import Loop
from flyball.loops.search import Candidate
from flyball.loops.search import search as search_policies
from flyball.loops.simulation import Simulation, read_trigger
from flyball.loops.simulation import simulate as decide_anew
from flyball.loops.story import Sentence, tell
from flyball.verbs import read

_MOST_TIMES = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """A time at which a loop will train by its schedule.

    Attributes:
        at: When, in UTC.
        cron: The schedule that says so.
        waits_because: Why the loop would let it pass as things stand now; empty if it would not.
    """

    loop: str
    pipeline: str
    at: datetime
    cron: str
    waits_because: str = ""


class Simulations:
    """Reads that span what loops, windows and versions tell; they change nothing.

    Args:
        workspace: What the governor works with.
    """

    def __init__(self, workspace: Any) -> None:
        self._workspace = workspace

    @read
    def simulate(
        self,
        name: str,
        on: list[str] | None = None,
        cooldown: str = "",
        max_trainings_per_week: int = 0,
        metric: str = "",
    ) -> Simulation:
        """The recorded past of a loop, decided anew under another policy; what is not given stays as it is applied.

        Args:
            on: Triggers as a project writes them: `decay("roc_auc", by=0.1)`.
            cooldown: How long after a training no other is started, such as `3d`.
            max_trainings_per_week: Budget of trainings; 0 leaves it.
            metric: The metric that stands for quality.

        Raises:
            NotFound: there is no such loop.
            InvalidInput: nothing is recorded yet, or the policy cannot be one.
        """
        retrain = [read_trigger(text) for text in on or () if text.strip()] or None
        most = max_trainings_per_week or None
        return decide_anew(
            self._workspace, name, retrain=retrain, cooldown=cooldown.strip() or None, max_trainings_per_week=most, metric=metric
        )  # fmt: skip

    @read
    def search(self, name: str, cooldowns: list[str] | None = None, metric: str = "") -> list[Candidate]:
        """What policies around the present one would have brought, those with the fewest trainings first.

        Args:
            cooldowns: The cool-downs to try; by default none to four weeks, and the present one.
            metric: What quality is measured by.

        Raises:
            NotFound: there is no such loop.
            InvalidInput: nothing is recorded yet.
        """
        return search_policies(self._workspace, name, cooldowns=cooldowns or (), metric=metric)

    @read
    def story(self, name: str, limit: int = 50) -> list[Sentence]:
        """The latest decisions of a loop, oldest first: what was found, how sure that is, what was done, what came of it.

        Raises:
            NotFound: there is no such loop.
        """
        return tell(self._workspace, name, limit=max(1, min(limit, 1000)))

    @read
    def schedule(self, loop: str = "", count: int = 5) -> list[Planned]:
        """The next times of every schedule, the first one first.

        Args:
            loop: Of this loop alone.
            count: How many times of each, up to 100.

        Raises:
            NotFound: there is no such loop.
            InvalidInput: the count is none.
        """
        from croniter import croniter

        if not 1 <= count <= _MOST_TIMES:
            raise InvalidInput(f"{count} times cannot be told.", hint=f"Ask for 1 to {_MOST_TIMES}.")
        loops = self._workspace.loops
        states = [loops.get(loop)] if loop else loops.list(limit=1000)
        now = self._workspace.time.now()
        found = []
        for state in states:
            plan = state.loop
            for spec in plan.retrain:
                if spec.trigger != "schedule":
                    continue
                times = croniter(spec.params["cron"], now)
                for _ in range(count):
                    at: datetime = times.get_next(datetime)
                    found.append(
                        Planned(
                            loop=plan.name,
                            pipeline=plan.pipeline,
                            at=at.astimezone(UTC),
                            cron=spec.params["cron"],
                            waits_because=_against(plan, at),
                        )
                    )
        return sorted(found, key=lambda planned: (planned.at, planned.loop))


def _against(plan: Loop, at: datetime) -> str:
    if plan.paused:
        return f"paused: {plan.paused}"
    frozen = next((freeze for freeze in plan.freeze if freeze.until(at) is not None), None)
    return "" if frozen is None else f"frozen: {frozen.reason or 'no training is started then'}"
