"""Shapley values by their definition: over all subsets of the columns."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import combinations
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


def shapley(columns: int, worth: Callable[[frozenset[int]], float]) -> Floats:
    """The value of each of so many players in a game."""
    found = np.zeros(columns)
    for player in range(columns):
        others = [other for other in range(columns) if other != player]
        for size in range(columns):
            weight = math.factorial(size) * math.factorial(columns - size - 1) / math.factorial(columns)
            for chosen in combinations(others, size):
                known = frozenset(chosen)
                found[player] += weight * (worth(known | {player}) - worth(known))
    return found


def path_dependent(
    grown: Any, row: Floats, known: frozenset[int], sources: list[int], value: Callable[[int], float], node: int = 0
) -> float:
    """What a tree of `sklearn.tree` says of a row of which only some columns are known."""
    left, right = int(grown.children_left[node]), int(grown.children_right[node])
    if left < 0:
        return value(node)
    feature = int(grown.feature[node])

    def below(child: int) -> float:
        return path_dependent(grown, row, known, sources, value, child)

    if sources[feature] in known:
        asked = np.float32(row[feature])
        goes_left = bool(grown.missing_go_to_left[node]) if np.isnan(asked) else asked <= grown.threshold[node]
        return below(left if goes_left else right)
    weights = grown.weighted_n_node_samples
    return float((weights[left] * below(left) + weights[right] * below(right)) / weights[node])


def histogram_path_dependent(nodes: Any, row: Floats, known: frozenset[int], node: int = 0) -> float:
    """What a tree of histogram boosting, without categories, says of a row of which only some columns are known."""
    here = nodes[node]
    if here["is_leaf"]:
        return float(here["value"])
    left, right = int(here["left"]), int(here["right"])
    feature = int(here["feature_idx"])
    if feature in known:
        asked = row[feature]
        goes_left = bool(here["missing_go_to_left"]) if np.isnan(asked) else asked <= here["num_threshold"]
        return histogram_path_dependent(nodes, row, known, left if goes_left else right)
    shares = [int(nodes[child]["count"]) for child in (left, right)]
    sides = [histogram_path_dependent(nodes, row, known, child) for child in (left, right)]
    return (shares[0] * sides[0] + shares[1] * sides[1]) / int(here["count"])


def against_background(
    score: Callable[[Floats], Floats], row: Floats, background: Floats, known: frozenset[int]
) -> float:
    """What a model says on average of background rows that take some columns of a row."""
    mixed = background.copy()
    for column in known:
        mixed[:, column] = row[column]
    return float(score(mixed).mean())
