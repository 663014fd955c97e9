"""Off-line policy search: many policies decide the recorded past anew, and those that none beats in gain and cost stand out.

A policy is a set of triggers with a cool-down. Its cost is the number of its trainings, its gain the quality that it would
probably have had (`simulation.simulate`). One policy beats another if it has no more trainings and no less quality, and one of
the two is better: those that none beats are the Pareto front.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from flyball.errors import InvalidInput
from flyball.loops.loop import TriggerSpec
from flyball.loops.services import Services
from flyball.loops.simulation import Simulation, read_record, simulate_on

_FACTORS = (0.25, 0.5, 1.0, 2.0, 4.0)
_COOLDOWNS = ("0s", "1d", "3d", "7d", "14d", "28d")
_MOST = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One policy and what it would have brought.

    Attributes:
        quality: Mean of the metric as it probably would have been; None where that is not known.
        gain: By how much that is better than what was recorded, whatever the metric's direction.
        trainings: How many it would have started.
        seconds: How long they would have taken, in all; None if no training has ended yet.
        is_present: Whether it is the policy that is applied.
        is_best: Whether no other has as few trainings and as much quality.
    """

    retrain: tuple[str, ...]
    cooldown: str
    trainings: int
    waits: int
    quality: float | None
    gain: float | None
    seconds: float | None
    is_present: bool = False
    is_best: bool = False


def search(
    workspace: Services,
    name: str,
    *,
    cooldowns: Sequence[str] = (),
    metric: str = "",
    progress: Callable[[int, int], None] | None = None,
) -> list[Candidate]:
    """What policies around the present one would have brought, those with the fewest trainings first.

    Each number in the triggers of the loop (a loss that counts, a share, a number of windows) is tried from a quarter to four
    times what it is, each trigger is also left out, and every cool-down is tried with each.

    Args:
        cooldowns: The cool-downs to try; by default none to four weeks, and the present one.
        metric: What quality is measured by.
        progress: Told how many of how many have been tried.

    Raises:
        NotFound: there is no such loop.
        InvalidInput: nothing is recorded yet.
    """
    from flyball.evaluation.scores import METRICS

    record = read_record(workspace, name)
    loop = record.loop
    present = (loop.retrain, f"{loop.cooldown_seconds:.15g}s")
    waits = dict.fromkeys((*(cooldowns or _COOLDOWNS), present[1]))
    plans = list(dict.fromkeys((_key(specs), wait) for specs in _variants(loop.retrain) for wait in waits))
    if len(plans) > _MOST:
        raise InvalidInput(f"That would be {len(plans)} policies to try.", hint="Name fewer cool-downs.")
    by_key = {_key(specs): specs for specs in _variants(loop.retrain)}
    found = []
    for place, (key, wait) in enumerate(plans):
        made = simulate_on(record, retrain=by_key[key], cooldown=wait, metric=metric)
        sign = 1.0 if not made.metric or METRICS.get(made.metric).greater_is_better else -1.0
        is_present = (key, wait) == (_key(loop.retrain), present[1])
        found.append(_candidate(key, wait, made, sign, is_present=is_present))
        if progress is not None:
            progress(place + 1, len(plans))
    marked = [replace(each, is_best=not any(_beats(other, each) for other in found)) for each in found]
    return sorted(marked, key=lambda each: (each.trainings, -(each.gain or 0.0), each.cooldown))


def _variants(retrain: Sequence[TriggerSpec]) -> Iterator[tuple[TriggerSpec, ...]]:
    choices = [[None, *_scaled(spec)] for spec in retrain]
    for chosen in itertools.product(*choices):
        specs = tuple(spec for spec in chosen if spec is not None)
        # One thing is changed at a time, or trying them all would have no end.
        changed = sum(spec != own for spec, own in zip(chosen, retrain, strict=True))
        if specs and changed <= 1:
            yield specs


def _scaled(spec: TriggerSpec) -> list[TriggerSpec]:
    made = [spec]
    for name, value in spec.params.items():
        if isinstance(value, bool) or not isinstance(value, int | float) or not value:
            continue
        for factor in _FACTORS:
            scaled = max(1, round(value * factor)) if isinstance(value, int) else min(value * factor, 1.0)
            other = replace(spec, params={**spec.params, name: scaled})
            if other not in made:
                made.append(other)
    return made


def _key(specs: Sequence[TriggerSpec]) -> tuple[str, ...]:
    return tuple(_words(spec) for spec in specs)


def _words(spec: TriggerSpec) -> str:
    return f"{spec.trigger}({', '.join(f'{name}={value!r}' for name, value in spec.params.items())})"


def _candidate(
    retrain: tuple[str, ...], cooldown: str, made: Simulation, sign: float, *, is_present: bool
) -> Candidate:
    gain = None
    if made.quality_would_have is not None and made.quality is not None:
        gain = sign * (made.quality_would_have - made.quality)
    count = len(made.would_have)
    return Candidate(
        retrain=retrain, cooldown=cooldown, trainings=count, waits=len(made.waits), quality=made.quality_would_have, gain=gain,
        seconds=None if made.seconds_each is None else made.seconds_each * count, is_present=is_present,
    )  # fmt: skip


def _beats(one: Candidate, other: Candidate) -> bool:
    gains = (one.gain or 0.0, other.gain or 0.0)
    return (
        one.trainings <= other.trainings
        and gains[0] >= gains[1]
        and (one.trainings < other.trainings or gains[0] > gains[1])
    )
