"""Shapley values of trees, exactly, from the paths to their leaves.

What a tree says of a row of which only the columns S are known: at a split on a column in S go the row's way, at any
other go both ways, by the shares of the rows that it was grown on (Lundberg's path-dependent game). A leaf counts in it by

    v prod_{i in S} o_i prod_{i not in S} z_i

over the columns i that its path asks, o_i being 1 if the row passes all splits on i, and z_i the share of rows that pass
them. The Shapley value of such a product is the integral, over the chance t that a column is known (Owen),

    v (o_i - z_i) int_0^1 prod_{j != i} (t o_j + (1 - t) z_j) dt

whose integrand is a polynomial in t of one degree less than there are columns, so a Gauss-Legendre rule gives it exactly.
Several derived columns may stand for one input column: their splits are then passed together, and what comes out is the
Shapley value of the input column itself.

Source: Lundberg et al., Nat. Mach. Intell. 2, 2020 (the game; their algorithm is another); Owen, Manage. Sci. 18, 1972.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from flyball.evaluation.metrics.base import Values

    Places = npt.NDArray[np.intp]
    Flags = npt.NDArray[np.bool_]

# Slots of a block of trees, and numbers of a block of rows: some ten megabytes each.
_BLOCK_SLOTS = 100_000
_BLOCK_NUMBERS = 2_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Tree:
    """A grown tree, node by node.

    Attributes:
        feature: The derived column that each node asks.
        left: The node below, for rows that pass; -1 at a leaf. `right`: for the others.
        value: What each leaf says.
        cover: How many rows, or how much weight, came by when it was grown.
        passes: Which rows go left at which of the nodes given by their places.
    """

    feature: Places
    left: Places
    right: Places
    value: Values
    cover: Values
    passes: Callable[[Values, Places], Flags]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Slots:
    """The leaves of a tree, and for each the columns on its path; a slot is one leaf with one column.

    Attributes:
        value: Of each leaf that has a path.
        starts: First slot of each leaf.
        column: The input column of each slot. `share`: of the rows that pass its splits.
        first: First step of each slot. `node`: the split of each step; `goes_left`: which way the path goes there.
    """

    value: Values
    starts: Places
    column: Places
    share: Values
    first: Places
    node: Places
    goes_left: Flags


def work_of(trees: Sequence[Tree]) -> int:
    """About how many slots they have."""
    import numpy as np

    leaves = [int((tree.left < 0).sum()) for tree in trees]
    return int(sum(count * max(1.0, np.log2(max(count, 2))) for count in leaves))


def shapley(trees: Sequence[Tree], values: Values, sources: Places, columns: int) -> tuple[Values, float]:
    """The contributions of each column to the sum of the trees, and what they say of a row of which nothing is known."""
    import numpy as np

    found = np.zeros((len(values), columns))
    base = 0.0
    for block in _blocks(trees):
        slots = [_slots(tree, sources) for tree in block]
        base += sum(_base(tree, own) for tree, own in zip(block, slots, strict=True))
        pairs = [(tree, own) for tree, own in zip(block, slots, strict=True) if own is not None]
        if pairs:
            _add(found, pairs, values)
    return found, base


def _blocks(trees: Sequence[Tree]) -> Iterator[list[Tree]]:
    block: list[Tree] = []
    for tree in trees:
        block.append(tree)
        if work_of(block) > _BLOCK_SLOTS:
            yield block
            block = []
    if block:
        yield block


def _slots(tree: Tree, sources: Places) -> _Slots | None:
    """The paths of a tree; None if it is a single leaf."""
    import numpy as np

    inner = np.flatnonzero(tree.left >= 0)
    if not len(inner):
        return None
    parent = np.full(len(tree.left), -1, dtype=np.intp)
    parent[tree.left[inner]] = inner
    parent[tree.right[inner]] = inner
    leaves = np.flatnonzero((tree.left < 0) & (parent >= 0))
    leaf, node, goes_left, share = _steps(tree, parent, leaves)
    source = sources[tree.feature[node]]
    order = np.lexsort((source, leaf))
    leaf, node, goes_left, share, source = (each[order] for each in (leaf, node, goes_left, share, source))
    first = np.flatnonzero(np.r_[True, (np.diff(leaf) != 0) | (np.diff(source) != 0)])
    starts = np.flatnonzero(np.r_[True, np.diff(leaf[first]) != 0])
    return _Slots(
        value=tree.value[leaves],
        starts=starts,
        column=source[first],
        share=np.multiply.reduceat(share, first),
        first=first,
        node=node,
        goes_left=goes_left,
    )


def _steps(tree: Tree, parent: Places, leaves: Places) -> tuple[Any, ...]:
    """From each leaf up to the root: the leaf's place, the split, whether its way goes left, and the share going there."""
    import numpy as np

    parts = []
    at, leaf = leaves, np.arange(len(leaves))
    while len(at):
        above = parent[at]
        at, leaf, above = at[above >= 0], leaf[above >= 0], above[above >= 0]
        cover = tree.cover[above]
        share = np.divide(tree.cover[at], cover, out=np.zeros(len(at)), where=cover > 0)
        parts.append((leaf, above, tree.left[above] == at, share))
        at = above
    return tuple(np.concatenate(each) for each in zip(*parts, strict=True))


def _base(tree: Tree, slots: _Slots | None) -> float:
    import numpy as np

    if slots is None:
        return float(tree.value[0])
    return float((slots.value * np.multiply.reduceat(slots.share, slots.starts)).sum())


def _add(found: Values, pairs: Sequence[tuple[Tree, _Slots]], values: Values) -> None:
    """Adds the contributions of a block of trees, block by block of rows."""
    import numpy as np

    counts = [len(slots.column) for _, slots in pairs]
    ends = np.cumsum([0, *counts])
    starts = np.concatenate([slots.starts + end for (_, slots), end in zip(pairs, ends[:-1], strict=True)])
    column = np.concatenate([slots.column for _, slots in pairs])
    share = np.concatenate([slots.share for _, slots in pairs])
    value = np.concatenate([slots.value for _, slots in pairs])
    lengths = np.diff(np.r_[starts, ends[-1]])
    points, weights = _rule(int(lengths.max()))
    order = np.argsort(column, kind="stable")
    edges = np.flatnonzero(np.r_[True, np.diff(column[order]) != 0])
    step = max(1, _BLOCK_NUMBERS // int(ends[-1]))
    for start in range(0, len(values), step):
        rows = values[start : start + step]
        passed = np.empty((len(rows), int(ends[-1])))
        for (tree, slots), (begin, end) in zip(pairs, pairwise(ends), strict=True):
            passed[:, begin:end] = _passed(tree, slots, rows)
        inner = np.zeros_like(passed)
        for point, weight in zip(points, weights, strict=True):
            # A share of nothing makes a factor of nothing, by which no other may be divided.
            factors = np.maximum(point * passed + (1 - point) * share, 1e-150)
            product = np.multiply.reduceat(factors, starts, axis=1)
            inner += weight * np.repeat(product, lengths, axis=1) / factors
        inner *= (passed - share) * np.repeat(value, lengths)
        found[start : start + step, column[order][edges]] += np.add.reduceat(inner[:, order], edges, axis=1)


def _passed(tree: Tree, slots: _Slots, rows: Values) -> Flags:
    """Whether each row passes all splits of each slot."""
    import numpy as np

    nodes, places = np.unique(slots.node, return_inverse=True)
    right_way = tree.passes(rows, nodes)[:, places] == slots.goes_left
    found: Flags = np.logical_and.reduceat(right_way, slots.first, axis=1)
    return found


def _rule(columns: int) -> tuple[list[float], list[float]]:
    """Points and weights on 0 to 1 that integrate polynomials of degree `columns - 1` exactly."""
    import numpy as np

    points, weights = np.polynomial.legendre.leggauss(max(1, (columns + 1) // 2))
    return ((points + 1) / 2).tolist(), (weights / 2).tolist()
