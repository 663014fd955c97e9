"""What may start a training, as a user writes it: `fb.on.drift()`, `fb.on.schedule("0 3 * * 1")`."""

from __future__ import annotations

from croniter import croniter

from flyball.data.datasets import Dataset
from flyball.errors import InvalidInput
from flyball.loops.loop import TriggerSpec


def schedule(cron: str) -> TriggerSpec:
    """At the times of a cron expression, in UTC.

    Raises:
        InvalidInput: the expression is none.
    """
    if not croniter.is_valid(cron):
        raise InvalidInput(
            f"'{cron}' is no cron expression.", hint="Write it as '0 3 * * 1': minute hour day month weekday."
        )
    return TriggerSpec(trigger="schedule", params={"cron": cron})


def new_data(dataset: Dataset | str) -> TriggerSpec:
    """When the dataset has a snapshot that the champion was not trained on."""
    return TriggerSpec(trigger="new_data", params={"dataset": dataset if isinstance(dataset, str) else dataset.name})


def drift(*, share: float = 0.0, windows: int = 1) -> TriggerSpec:
    """When the inputs of the latest windows are not those that the champion was trained on.

    Args:
        share: Least share of the columns that must have drifted; by default one column is enough.
        windows: How many windows in a row must show it.
    """
    if not 0 <= share <= 1:
        raise InvalidInput(f"share is {share}.", hint="Give a share of the columns from 0 to 1.")
    return TriggerSpec(trigger="drift", params={"share": share, "windows": _windows(windows)})


def decay(metric: str = "roc_auc", *, by: float = 0.02, windows: int = 1) -> TriggerSpec:
    """When the champion does worse on live traffic than on its held-out data, by at least so much and beyond chance.

    Args:
        metric: Name of a metric, such as `roc_auc`.
        by: Least loss that counts, in the metric's own units.
        windows: How many windows in a row must show it.
    """
    if by < 0:
        raise InvalidInput(f"by is {by}.", hint="Give the loss that counts as a positive number.")
    return TriggerSpec(trigger="decay", params={"metric": metric, "by": by, "windows": _windows(windows)})


def bias(*, windows: int = 1) -> TriggerSpec:
    """When the champion treats a group worse than the best one, beyond chance; needs `fb.monitor.bias`.

    By default a person is asked: to train again from the same data would learn the same.

    Args:
        windows: How many windows in a row must show the same group.
    """
    return TriggerSpec(trigger="bias", params={"windows": _windows(windows)})


def _windows(count: int) -> int:
    if count < 1:
        raise InvalidInput(f"windows is {count}.", hint="Give at least 1.")
    return count
