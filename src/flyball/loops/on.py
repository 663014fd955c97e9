"""What may start a training, as a user writes it: `fb.on.drift()`, `fb.on.schedule("0 3 * * 1")`."""

from __future__ import annotations

from typing import Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from croniter import croniter

from flyball.data.datasets import Dataset
from flyball.errors import InvalidInput
from flyball.loops.loop import TriggerSpec
from flyball.refs import check_name


def schedule(cron: str, *, zone: str = "UTC", catch_up: Literal["latest", "none"] = "latest") -> TriggerSpec:
    """At the times of a cron expression.

    Args:
        zone: Its time zone, such as `Europe/Vienna`.
        catch_up: What is done about times at which nothing ran: `latest` trains once for the latest of them, `none` lets those go
            that are more than ten minutes past.

    Raises:
        InvalidInput: the expression is none, or there is no such zone.
    """
    check_cron(cron, zone)
    if catch_up not in ("latest", "none"):
        raise InvalidInput(
            f"Times that were missed cannot be caught up as '{catch_up}'.", hint="Say 'latest' or 'none'."
        )
    more = {
        key: value for key, value, usual in (("zone", zone, "UTC"), ("catch_up", catch_up, "latest")) if value != usual
    }
    return TriggerSpec(trigger="schedule", params={"cron": cron, **more})


def check_cron(cron: str, zone: str) -> None:
    """Sees to it that there are such times.

    Raises:
        InvalidInput: the expression is none, or there is no such zone.
    """
    if not croniter.is_valid(cron):
        raise InvalidInput(
            f"'{cron}' is no cron expression.", hint="Write it as '0 3 * * 1': minute hour day month weekday."
        )
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise InvalidInput(f"There is no time zone '{zone}'.", hint="Write it as Europe/Vienna, or UTC.") from error


def code() -> TriggerSpec:
    """When other code is applied than the champion was trained with: push, test, `flyball apply`, and it learns anew."""
    return TriggerSpec(trigger="code", params={})


def pipeline(name: str) -> TriggerSpec:
    """When another pipeline has finished a run, by its name."""
    return TriggerSpec(trigger="pipeline", params={"pipeline": check_name(name, "pipeline")})


def signal(source: str = "") -> TriggerSpec:
    """When someone outside says so by the verb `loops.signal`: a webhook, a git push, another system.

    Args:
        source: Only signals of that source; any by default.
    """
    return TriggerSpec(trigger="signal", params={"source": source} if source else {})


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
