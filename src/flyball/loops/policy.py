"""What a loop does about a cause, as a user writes it: `fb.policy.roll_back(on="decay", within=2)`.

The declared policies are asked in their order, and the first that has an answer decides; after them come the defaults: ask a
person about a broken source, about trainings that keep failing and about groups that are treated unequally; gather labels where
there are none to learn from; wait where the last training brought nothing; else retrain.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Literal

from flyball.clock import parse_duration
from flyball.errors import InvalidInput, did_you_mean
from flyball.evaluation.scores import METRICS
from flyball.loops.loop import PolicySpec
from flyball.loops.policies.base import KINDS

On = str | Sequence[str]
"""Kinds of causes: `drift`, `decay`, `schedule`, `new_data`, `bias`, `source`, `labels`, `failing`, `fruitless`; all if empty."""


def wait(on: On = (), *, windows: int = 0) -> PolicySpec:
    """Does nothing yet.

    Args:
        on: Kinds of causes.
        windows: How many windows a new champion is given before it is held to account; 0 waits for good.
    """
    return _spec("wait", on, windows=_count(windows, "windows"))


def gather_labels(on: On = ("drift", "labels"), *, most: int = 100, below: float = 0.75, queue: str = "") -> PolicySpec:
    """Lays the predictions of which the model is least sure before people, and waits for their labels.

    Args:
        on: Kinds of causes.
        most: How many predictions at most, for one cause.
        below: Only those with a lower probability of the predicted class.
        queue: Name of the queue; that of the loop by default.
    """
    if not 0 < below <= 1:
        raise InvalidInput(f"below is {below}.", hint="Give a confidence between 0 and 1, such as 0.75.")
    return _spec("gather_labels", on, most=_count(most, "most", least=1), below=below, queue=queue)


def retrain(
    how: Literal["full", "window", "fine_tune"] = "full", on: On = (), *, params: Mapping[str, Any] | None = None
) -> PolicySpec:
    """Trains a new version.

    Args:
        how: How it learns, for the story that is told; what it means is up to the pipeline.
        on: Kinds of causes.
        params: Parameters of the pipeline, beside the loop's own: `{"window": "30d"}`, or `{"start_from": "champion"}`.
    """
    if how not in ("full", "window", "fine_tune"):
        raise InvalidInput(
            f"There is no way '{how}' to retrain.", hint=did_you_mean(how, ("full", "window", "fine_tune"))
        )
    if how != "full" and not params:
        raise InvalidInput(
            f"How the pipeline is to retrain by '{how}' is not said.",
            hint='Hand it a parameter: retrain("window", params={"window": "30d"}).',
        )
    return _spec("retrain", on, how=how, params=dict(params or {}))


def retune(
    on: On = (), *, metric: str = "roc_auc", trials: int = 20, budget: str | timedelta = "2h", after: int = 0
) -> PolicySpec:
    """Searches the pipeline's parameters anew and trains a version with the best.

    Args:
        on: Kinds of causes.
        metric: By which trials are compared.
        trials: How many are tried.
        budget: How long the search may take.
        after: How many trainings must have brought nothing before.
    """
    if metric not in METRICS.names():
        raise InvalidInput(f"There is no metric '{metric}'.", hint=did_you_mean(metric, METRICS.names()))
    seconds = parse_duration(budget).total_seconds()
    return _spec(
        "retune",
        on,
        metric=metric,
        trials=_count(trials, "trials", least=1),
        budget=seconds,
        after=_count(after, "after"),
    )


def roll_back(on: On = ("decay",), *, within: int = 0, version: int = 0) -> PolicySpec:
    """Lets an earlier version answer again.

    Args:
        on: Kinds of causes.
        within: Only a champion that has answered at most so many windows; 0 for any.
        version: The version to go back to; by default the champion before.
    """
    return _spec("roll_back", on, within=_count(within, "within"), version=_count(version, "version"))


def fall_back(version: int, on: On = ("source",)) -> PolicySpec:
    """Lets a baseline answer, and pauses the loop until someone resumes it.

    Args:
        version: The version that is the baseline: a simple model, or a rule that was registered as one.
        on: Kinds of causes.
    """
    return _spec("fall_back", on, version=_count(version, "version", least=1))


def incident(on: On = (), *, decide: str = "") -> PolicySpec:
    """Asks a person.

    Args:
        on: Kinds of causes.
        decide: What is to be decided, in words.
    """
    return _spec("incident", on, decide=decide)


def _spec(name: str, on: On, **params: Any) -> PolicySpec:
    kinds = (on,) if isinstance(on, str) else tuple(on)
    for kind in kinds:
        if kind not in KINDS:
            raise InvalidInput(f"There is no kind of cause '{kind}'.", hint=did_you_mean(kind, KINDS))
    return PolicySpec(policy=name, on=kinds, params=params)


def _count(value: int, name: str, *, least: int = 0) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise InvalidInput(f"{name} is {value}.", hint=f"Give a whole number from {least} on.")
    return value
