"""What every format is read into, and written from."""

from __future__ import annotations

from dataclasses import dataclass, field

from flyball.labels.task import NewItem, NewLabel


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """Things and labels on their way from or to another tool.

    Attributes:
        classes: The classes that appear, in the order of the file where it has one.
        warnings: What could not be taken over, in words.
    """

    items: tuple[NewItem, ...] = ()
    labels: tuple[NewLabel, ...] = ()
    classes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = field(default=())
