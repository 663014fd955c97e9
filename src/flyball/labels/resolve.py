"""From who said what to what counts: the ratings of a set as numbers, and one label for each thing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flyball.labels.agreement import Ratings
from flyball.labels.consensus import dawid_skene, majority
from flyball.labels.task import CurrentLabel, Rule
from flyball.serialization import from_json

Rating = Any
"""Number of the thing, annotator, value as JSON, moment: a row of the database."""


def coded(rows: Sequence[Rating]) -> tuple[Ratings, list[str], list[str]]:
    """The ratings as numbers, the annotators, and the values as JSON."""
    import numpy as np

    items: dict[int, int] = {}
    annotators: dict[str, int] = {}
    values: dict[str, int] = {}
    codes = np.array(
        [
            (
                items.setdefault(row[0], len(items)),
                annotators.setdefault(row[1], len(annotators)),
                values.setdefault(row[2], len(values)),
            )
            for row in rows
        ],
        dtype=np.int64,
    ).reshape(-1, 3)
    ratings = Ratings(
        items=codes[:, 0], annotators=codes[:, 1], values=codes[:, 2], n_items=len(items),
        n_annotators=len(annotators), n_values=len(values),
    )  # fmt: skip
    return ratings, [*annotators], [*values]


def resolved(rows: Sequence[Rating], rule: Rule, keys: dict[int, str]) -> list[CurrentLabel]:
    """What counts as the label of each thing, in the order of things."""
    if not rows:
        return []
    ratings, _, values = coded(rows)
    plain = [from_json(value, object) for value in values]
    numbers, last, count = _by_item(rows)
    if rule == "consensus":
        probabilities = dawid_skene(ratings).probabilities
        best, sure = probabilities.argmax(axis=1), probabilities.max(axis=1)
    else:
        best, sure = majority(ratings)
        if rule == "last":
            best = ratings.values[last]
            sure = _shares(ratings, best)
    return [
        CurrentLabel(
            item=keys[number], value=plain[int(best[place])], confidence=float(sure[place]), labels=count[place],
            at=rows[last[place]][3],
        )
        for place, number in enumerate(numbers)
    ]  # fmt: skip


def _by_item(rows: Sequence[Rating]) -> tuple[list[int], list[int], list[int]]:
    """The things in their order, the place of the last rating of each, and how many each has."""
    last: dict[int, int] = {}
    count: dict[int, int] = {}
    for place, row in enumerate(rows):
        last[row[0]] = place
        count[row[0]] = count.get(row[0], 0) + 1
    return [*last], [*last.values()], [*count.values()]


def _shares(ratings: Ratings, chosen: Any) -> Any:
    import numpy as np

    same = (ratings.values == chosen[ratings.items]).astype(np.float64)
    return np.bincount(ratings.items, weights=same) / np.bincount(ratings.items)


def as_text(value: str) -> str:
    """A value, kept as JSON, as people read it."""
    plain = from_json(value, object)
    return plain if isinstance(plain, str) else value
