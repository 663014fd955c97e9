"""What to ask for next: things a model is unsure of, things on which voices differ, things unlike those that are labelled.

Every function gives one number for each thing; a higher one means: sooner. All are deterministic, by their seed where they
need chance. The work is done at the caller; the service only keeps the priorities.

Sources: margin and entropy sampling as in Settles, "Active Learning Literature Survey" (2009); disagreement as vote entropy
(Dagan and Engelson, 1995); diversity as the greedy k-centre of Sener and Savarese, "Active Learning for Convolutional Neural
Networks: A Core-Set Approach" (2018).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, get_args

from flyball.errors import InvalidInput, did_you_mean

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from flyball.labels.labels import Labels
    from flyball.labels.task import Item

    Floats = npt.NDArray[np.float64]

Measure = Literal["margin", "entropy", "confidence"]
Order = Literal["uncertainty", "disagreement", "diversity", "random"]
_PAGE = 10_000
_MOST_CENTRES = 2_000


def uncertainty(probabilities: object, measure: Measure = "margin") -> Floats:
    """How unsure a model is of each thing, from 0 (sure) to 1.

    Args:
        probabilities: Of each class (column) for each thing (row), or of one class alone.
        measure: `margin`: how near the second best class comes to the best. `entropy`: over all classes, in shares of the
            most there can be. `confidence`: how far the best class is from certain.

    Raises:
        InvalidInput: they are no probabilities.
    """
    import numpy as np

    table = np.asarray(probabilities, dtype=np.float64)
    if table.ndim == 1:
        table = np.column_stack([1.0 - table, table])
    if table.ndim != 2 or table.shape[1] < 2 or not np.isfinite(table).all() or (table < -1e-9).any():
        raise InvalidInput("These are no probabilities.", hint="Give a row for each thing, a column for each class.")
    table = table / np.maximum(table.sum(axis=1, keepdims=True), 1e-300)
    if measure == "entropy":
        return np.divide(_entropy(table), float(np.log(table.shape[1])))
    best = np.partition(table, -2, axis=1)[:, -2:]
    if measure == "margin":
        margin: Floats = best[:, 1] - best[:, 0]
        return np.subtract(1.0, margin)
    if measure == "confidence":
        doubt: Floats = (1.0 - best[:, 1]) * table.shape[1] / (table.shape[1] - 1)
        return doubt
    raise InvalidInput(f"There is no measure '{measure}'.", hint=did_you_mean(measure, get_args(Measure)))


def disagreement(votes: Sequence[Sequence[object]]) -> Floats:
    """How far voices on each thing differ, from 0 (all the same) to 1 (all different).

    Args:
        votes: What each annotator or model says of each thing; not all need to say something.
    """
    import numpy as np

    found = np.zeros(len(votes))
    for place, said in enumerate(votes):
        if len(said) > 1:
            counts = np.unique([repr(vote) for vote in said], return_counts=True)[1] / len(said)
            found[place] = float(-(counts * np.log(counts)).sum()) / float(np.log(len(said)))
    return found


def diversity(features: object, labelled: object | None = None, *, count: int = _MOST_CENTRES, seed: int = 0) -> Floats:
    """How much each thing adds to what is known: greedy k-centre, the farthest from all that were chosen comes first.

    Args:
        features: Numbers of each thing (row), such as an embedding; missing ones count as the mean.
        labelled: Those of things that are labelled already.
        count: How many to put in order; what is left comes after them, the farthest first.
        seed: Which thing is first, where nothing is labelled.

    Raises:
        InvalidInput: things have no features, or other ones than those that are labelled.
    """
    import numpy as np

    table = _table(features)
    known = None if labelled is None else _table(labelled)
    if known is not None and len(known) and known.shape[1] != table.shape[1]:
        raise InvalidInput(f"Things have {table.shape[1]} features, those labelled {known.shape[1]}.")
    middle, spread = np.nanmean(table, axis=0), np.nanstd(table, axis=0)
    spread[~(spread > 0)] = 1.0
    scaled = np.nan_to_num((table - middle) / spread)
    nearest = np.full(len(scaled), np.inf)
    for row in [] if known is None else np.nan_to_num((known - middle) / spread):
        nearest = np.minimum(nearest, ((scaled - row) ** 2).sum(axis=1))
    scores = np.zeros(len(scaled))
    if not len(scaled):
        return scores
    start = int(np.random.default_rng(seed).integers(len(scaled)))
    chosen = min(count, len(scaled))
    for place in range(chosen):
        pick = start if not np.isfinite(nearest).any() else int(np.argmax(nearest))
        scores[pick] = 2.0 - place / chosen
        nearest = np.minimum(nearest, ((scaled - scaled[pick]) ** 2).sum(axis=1))
        nearest[pick] = -1.0
    left = scores == 0
    if left.any() and float(nearest[left].max()) > 0:
        scores[left] = nearest[left] / float(nearest[left].max())
    return scores


def shuffled(count: int, seed: int = 0) -> Floats:
    """A random order, the same for the same seed."""
    import numpy as np

    found: Floats = np.random.default_rng(seed).permutation(count) / max(count, 1)
    return found


def mixed(scores: Mapping[str, Floats], weights: Mapping[str, float]) -> Floats:
    """Several orders as one: the ranks in each, weighed.

    Raises:
        InvalidInput: a weight is of no order that is given.
    """
    import numpy as np

    found: Floats | None = None
    for name, weight in weights.items():
        if name not in scores:
            raise InvalidInput(f"There is no order '{name}' to mix.", hint=did_you_mean(name, scores))
        given = np.asarray(scores[name], dtype=np.float64)
        # By rank: a margin of 0.9 and a distance of 200 cannot be added.
        _, ranks = np.unique(given, return_inverse=True)
        share: Floats = weight * ranks.astype(np.float64) / max(float(ranks.max(initial=0)), 1.0)
        found = share if found is None else found + share
    if found is None:
        raise InvalidInput("Nothing is mixed.", hint="Give a weight to an order, such as uncertainty=1.")
    return found


def order_queue(
    labels: Labels,
    name: str,
    *,
    by: Order | Mapping[Order, float] = "uncertainty",
    probabilities: Mapping[str, Any] | None = None,
    features: Mapping[str, Any] | None = None,
    measure: Measure = "margin",
    seed: int = 0,
) -> int:
    """Puts the things of a set that are still to be labelled in order; gives how many were.

    Args:
        labels: The service, here or on a server.
        name: Name of the set.
        by: One order, or several with their weights.
        probabilities: Of each class, by key of the thing; by default those that came with it (`prediction`).
        features: Numbers of each thing, by key; by default the numbers among what is shown of it.
        measure: How uncertainty is measured.
        seed: For orders that need chance.

    Raises:
        InvalidInput: what an order needs is not known of any thing.
    """
    weights: dict[str, float] = {by: 1.0} if isinstance(by, str) else {str(k): v for k, v in by.items()}
    for each in weights:
        if each not in get_args(Order):
            raise InvalidInput(f"There is no order '{each}'.", hint=did_you_mean(each, get_args(Order)))
    everything = items_of(labels, name)
    waiting = [item for item in everything if item.labels < item.needed]
    if not waiting:
        return 0
    scores: dict[str, Floats] = {}
    if "uncertainty" in weights:
        scores["uncertainty"] = _of_models(waiting, probabilities, measure)
    if "disagreement" in weights:
        scores["disagreement"] = _of_voices(labels, name, waiting)
    if "diversity" in weights:
        labelled = [item for item in everything if item.labels]
        scores["diversity"] = _of_features(waiting, labelled, features, seed)
    if "random" in weights:
        scores["random"] = shuffled(len(waiting), seed)
    order = mixed(scores, weights)
    for start in range(0, len(waiting), _PAGE):
        part = slice(start, start + _PAGE)
        labels.set_priorities(name, [item.key for item in waiting[part]], [float(each) for each in order[part]])
    return len(waiting)


def items_of(labels: Labels, name: str) -> list[Item]:
    """All things of a set, page by page."""
    found: list[Item] = []
    while page := labels.list_items(name, limit=_PAGE, after=found[-1].order if found else 0):
        found += page
    return found


def probabilities_of(item: Item) -> list[float]:
    """What came with a thing as the probabilities of its classes; empty where there are none."""
    numbers = {
        k: float(v) for k, v in item.prediction.items() if isinstance(v, int | float) and not isinstance(v, bool)
    }
    sure = numbers.pop("confidence", None)
    if "value" in item.prediction or not numbers:
        # Only how sure the model is of what it says.
        return [] if sure is None or not 0 <= sure <= 1 else [sure, 1.0 - sure]
    return list(numbers.values())


def _of_models(items: Sequence[Item], given: Mapping[str, Any] | None, measure: Measure) -> Floats:
    import numpy as np

    if given is not None:
        rows = [
            np.atleast_1d(np.asarray(given[item.key], dtype=np.float64)) if item.key in given else None
            for item in items
        ]
    else:
        rows = [np.array(found) if (found := probabilities_of(item)) else None for item in items]
    if all(row is None for row in rows):
        raise InvalidInput(
            "No model has said anything of these things.", hint="Give probabilities, or order by random."
        )
    scores = np.full(len(items), 1.0)  # nothing known is as unsure as can be
    for width in {len(row) for row in rows if row is not None}:
        own = [place for place, row in enumerate(rows) if row is not None and len(row) == width]
        table = np.stack([row for row in rows if row is not None and len(row) == width])
        scores[own] = uncertainty(table[:, 0] if width == 1 else table, measure)
    return scores


def _of_voices(labels: Labels, name: str, items: Sequence[Item]) -> Floats:
    said: dict[str, list[object]] = {}
    after = 0
    while page := labels.list_labels(name, limit=_PAGE, after=after, only_last=True):
        after = page[-1].number
        for label in page:
            said.setdefault(label.item, []).append(label.value)
    # A model's word counts as a voice too.
    return disagreement([[*said.get(item.key, ()), *_word_of_model(item)] for item in items])


def _word_of_model(item: Item) -> list[object]:
    if "value" in item.prediction:
        return [item.prediction["value"]]
    numbers = {key: value for key, value in item.prediction.items() if isinstance(value, float)}
    return [max(numbers, key=lambda key: numbers[key])] if numbers else []


def _of_features(
    items: Sequence[Item], labelled: Sequence[Item], given: Mapping[str, Any] | None, seed: int
) -> Floats:  # fmt: skip
    if given is not None:
        known = [given[item.key] for item in labelled if item.key in given]
        missing = [item.key for item in items if item.key not in given]
        if missing:
            raise InvalidInput(f"'{missing[0]}' has no features.", hint="Give those of every thing.")
        return diversity([given[item.key] for item in items], known or None, seed=seed)
    names = sorted({key for item in items[:1000] for key, value in item.data.items() if _is_number(value)})
    if not names:
        raise InvalidInput("Nothing that is shown is a number.", hint="Give features, such as an embedding of each.")
    tables = [
        [[float(item.data[n]) if _is_number(item.data.get(n)) else float("nan") for n in names] for item in part]
        for part in (items, labelled)
    ]
    return diversity(tables[0], tables[1] or None, seed=seed)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _table(features: object) -> Floats:
    import numpy as np

    table = np.asarray(features, dtype=np.float64)
    if table.ndim != 2 or not table.shape[1]:
        raise InvalidInput("Features are a row of numbers for each thing.")
    return table


def _entropy(table: Floats) -> Floats:
    import numpy as np

    found: Floats = -(table * np.log(np.maximum(table, 1e-300))).sum(axis=1)
    return found
