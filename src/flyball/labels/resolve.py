"""From who said what to what counts: the ratings of a set as numbers, and one label for each thing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from flyball.labels.agreement import Ratings
from flyball.labels.consensus import dawid_skene, majority
from flyball.labels.task import Rule
from flyball.serialization import from_json

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

Rating = Any
"""Number of the thing, annotator, value as JSON: a row of the database."""


@dataclass(frozen=True, slots=True)
class Coded:
    """Ratings as numbers, and what the numbers stand for.

    Attributes:
        things: The number of each thing in the database, in rising order.
        values: Each value as JSON.
    """

    ratings: Ratings
    things: npt.NDArray[np.int64]
    annotators: list[str]
    values: list[str]


@dataclass(frozen=True, slots=True)
class Resolved:
    """What counts, for each thing of `Coded.things`: the number of the value, its confidence, and how many labelled it."""

    values: npt.NDArray[np.int64]
    confidence: npt.NDArray[np.float64]
    counts: npt.NDArray[np.int64]


def coded(rows: Sequence[Rating]) -> Coded:
    """The ratings as numbers; what is said of one thing stays in its order."""
    import numpy as np

    numbers = np.fromiter((row[0] for row in rows), np.int64, len(rows))
    names, texts = [row[1] for row in rows], [row[2] for row in rows]
    annotators = {name: place for place, name in enumerate(dict.fromkeys(names))}
    values = {text: place for place, text in enumerate(dict.fromkeys(texts))}
    things, items = np.unique(numbers, return_inverse=True)
    order = np.argsort(items, kind="stable")
    ratings = Ratings(
        items=items[order],
        annotators=np.fromiter(map(annotators.__getitem__, names), np.int64, len(names))[order],
        values=np.fromiter(map(values.__getitem__, texts), np.int64, len(texts))[order],
        n_items=len(things),
        n_annotators=len(annotators),
        n_values=len(values),
    )
    return Coded(ratings, things, [*annotators], [*values])


def resolved(ratings: Ratings, rule: Rule) -> Resolved:
    """What counts as the label of each thing."""
    import numpy as np

    counts = np.bincount(ratings.items, minlength=ratings.n_items)
    if rule == "consensus":
        probabilities = dawid_skene(ratings).probabilities
        return Resolved(probabilities.argmax(axis=1), probabilities.max(axis=1), counts)
    values, confidence = majority(ratings)
    if rule == "last":
        values = ratings.values[np.cumsum(counts) - 1]
        same = (ratings.values == values[ratings.items]).astype(np.float64)
        confidence = np.bincount(ratings.items, weights=same, minlength=ratings.n_items) / counts
    return Resolved(values, confidence, counts)


def as_text(value: str) -> str:
    """A value, kept as JSON, as people read it."""
    plain = from_json(value, object)
    return plain if isinstance(plain, str) else value
