"""Weak slices: the subgroups, of one column or of two together, on which a model does worse than on the rest.

Nobody has to name them. Groups are looked for on one half of the rows and confirmed on the other, so the figures that are
given are those of rows that did not choose the group: with hundreds of groups looked at, the worst of the first half is
worse than it really is.

Source: Chung et al., Slice Finder, ICDE 2019; the halves are sample splitting as in Cox, Biometrika 62, 1975.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING

from flyball.errors import InvalidInput
from flyball.evaluation.slices import group_rows

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]
    Codes = npt.NDArray[np.int64]

_MOST_GROUPS = 20
_MOST_TRIED = 50
_SURE = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class WeakSlice:
    """A subgroup that does worse than the rest.

    Attributes:
        where: The group's value, or range, by column; one column or two.
        n: How many rows are in it, of all that were given.
        loss: Mean loss of its rows in the half that confirmed it, and `rest` of all other rows there.
        p_value: The chance that such a difference is none, corrected for the groups that were confirmed.
        share_of_loss: How much of the whole loss would be gone if the group did as well as the rest.
    """

    where: dict[str, str]
    n: int
    loss: float
    rest: float
    p_value: float
    share_of_loss: float


@dataclass(frozen=True, slots=True)
class _Candidate:
    where: tuple[tuple[str, str], ...]
    places: tuple[tuple[str, int], ...]
    z: float


@dataclass(frozen=True, slots=True)
class _Sums:
    """Rows, losses and squared losses of groups."""

    n: Floats
    total: Floats
    squares: Floats

    @classmethod
    def by(cls, codes: Codes, losses: Floats, size: int) -> _Sums:
        import numpy as np

        kept = codes >= 0
        known, values = codes[kept], losses[kept]
        weights = (np.ones(len(values)), values, values**2)
        return cls(*(np.bincount(known, weights=each, minlength=size).astype(np.float64) for each in weights))

    @classmethod
    def of(cls, losses: Floats) -> _Sums:
        import numpy as np

        return cls(np.array(float(len(losses))), np.array(losses.sum()), np.array((losses**2).sum()))

    def without(self, part: _Sums) -> _Sums:
        return _Sums(self.n - part.n, self.total - part.total, self.squares - part.squares)

    def reshaped(self, shape: tuple[int, int]) -> _Sums:
        return _Sums(self.n.reshape(shape), self.total.reshape(shape), self.squares.reshape(shape))

    def against(self, rest: _Sums) -> Floats:
        """Welch's statistic for the difference of the means; 0 where a group has fewer than two rows."""
        import numpy as np

        with np.errstate(divide="ignore", invalid="ignore"):
            means = [each.total / each.n for each in (self, rest)]
            spread = sum(
                np.maximum(each.squares / each.n - mean**2, 0) / (each.n - 1)
                for each, mean in zip((self, rest), means, strict=True)
            )
            z = (means[0] - means[1]) / np.sqrt(spread)
        found: Floats = np.where((self.n > 1) & (rest.n > 1), np.nan_to_num(z, nan=0.0), 0.0)
        return found


def find_weak_slices(
    losses: npt.ArrayLike,
    columns: Mapping[str, Sequence[object]],
    *,
    min_rows: int = 50,
    worse_by: float = 0.1,
    alpha: float = 0.01,
    most: int = 10,
    seed: int = 0,
) -> tuple[WeakSlice, ...]:
    """The subgroups that do worse than the rest, those that cost most first.

    Args:
        losses: How wrong each row is, such as its squared error; more is worse. Rows where it is NaN are passed over.
        columns: Values by column, in the order of the losses. Numbers are cut into ranges.
        min_rows: A group of fewer rows in either half is not looked at.
        worse_by: Least share by which a group's loss must be above that of the rest.
        alpha: Chance that any of the groups given is none.
        most: How many are given.
        seed: Of the halves.

    Raises:
        InvalidInput: a column has another number of rows, or a number is out of range.
    """
    import numpy as np

    values = np.asarray(losses, dtype=np.float64)
    for name, column in columns.items():
        if len(column) != len(values):
            raise InvalidInput(f"The column '{name}' has {len(column):,} rows, the losses {len(values):,}.")
    if not 0 < alpha < 1 or worse_by < 0 or min_rows < 2 or most < 1:
        raise InvalidInput("Weak slices need 0 < alpha < 1, worse_by >= 0, min_rows >= 2 and most >= 1.")
    known = np.isfinite(values)
    if known.sum() < 4 * min_rows:
        return ()
    first = known & (np.random.default_rng(seed).random(len(values)) < 0.5)
    second = known & ~first
    grouped = {name: _codes(column, min_rows) for name, column in columns.items()}
    in_first = {name: (codes[first], labels) for name, (codes, labels) in grouped.items()}
    found = list(_candidates(values[first], in_first, min_rows))
    chosen = _distinct(values, found, grouped, first, min_rows, worse_by)
    confirmed = [(each, inside) for each, inside in chosen if (second & inside).sum() >= min_rows]
    made = [_confirmed(values, known, second, each, inside, len(confirmed)) for each, inside in confirmed]
    kept = [each for each in made if each.p_value <= alpha and each.loss >= each.rest * (1 + worse_by)]
    return tuple(sorted(kept, key=lambda each: -each.share_of_loss)[:most])


def _codes(column: Sequence[object], min_rows: int) -> tuple[Codes, list[str]]:
    import numpy as np

    groups = group_rows(column, min_size=min_rows)[:_MOST_GROUPS]
    codes = np.full(len(column), -1, dtype=np.int64)
    for place, group in enumerate(groups):
        codes[group.rows] = place
    return codes, [group.value for group in groups]


def _candidates(losses: Floats, grouped: Mapping[str, tuple[Codes, list[str]]], min_rows: int) -> Iterator[_Candidate]:
    """Groups of one column or two, with how surely each is worse than the rest."""
    import numpy as np

    whole = _Sums.of(losses)
    alone = {name: _Sums.by(codes, losses, len(labels)) for name, (codes, labels) in grouped.items()}
    for name, (_, labels) in grouped.items():
        z = alone[name].against(whole.without(alone[name]))
        for place in np.flatnonzero((alone[name].n >= min_rows) & (z > _SURE)).tolist():
            yield _Candidate(((name, labels[place]),), ((name, place),), float(z[place]))
    for (one, (codes, labels)), (other, (codes_too, labels_too)) in itertools.combinations(grouped.items(), 2):
        shape = (len(labels), len(labels_too))
        both = np.where((codes < 0) | (codes_too < 0), -1, codes * shape[1] + codes_too)
        pairs = _Sums.by(both, losses, shape[0] * shape[1]).reshaped(shape)
        z = pairs.against(whole.without(pairs))
        # Two columns must say more than each of them alone, else the one is enough.
        beside = pairs.against(alone[one].reshaped((shape[0], 1)).without(pairs))
        below = pairs.against(alone[other].reshaped((1, shape[1])).without(pairs))
        is_one = (pairs.n >= min_rows) & (z > _SURE) & (beside > _SURE) & (below > _SURE)
        for row, column in np.argwhere(is_one).tolist():
            where = ((one, labels[row]), (other, labels_too[column]))
            yield _Candidate(where, ((one, row), (other, column)), float(z[row, column]))


def _rows_of(candidate: _Candidate, grouped: Mapping[str, tuple[Codes, list[str]]]) -> npt.NDArray[np.bool_]:
    import numpy as np

    found: npt.NDArray[np.bool_] = np.all([grouped[name][0] == place for name, place in candidate.places], axis=0)
    return found


def _is_worse(losses: Floats, inside: npt.NDArray[np.bool_], rows: npt.NDArray[np.bool_], worse_by: float) -> bool:
    outside = rows & ~inside
    if outside.sum() < 2:
        return False
    rest = float(losses[outside].mean())
    return float(losses[inside].mean()) > rest * (1 + worse_by) and _z(losses[inside], losses[outside]) > _SURE


def _distinct(
    losses: Floats,
    found: list[_Candidate],
    grouped: Mapping[str, tuple[Codes, list[str]]],
    rows: npt.NDArray[np.bool_],
    min_rows: int,
    worse_by: float,
) -> list[tuple[_Candidate, npt.NDArray[np.bool_]]]:
    """The surest first; another one must still be weak without the rows of those before it."""
    chosen = []
    left = rows.copy()
    for each in sorted(found, key=lambda one: (-one.z, one.where))[:_MOST_TRIED]:
        inside = _rows_of(each, grouped)
        mine = inside & left
        if mine.sum() >= min_rows and _is_worse(losses, mine, left, worse_by):
            chosen.append((each, inside))
            left &= ~inside
    return chosen


def _confirmed(
    losses: Floats,
    known: npt.NDArray[np.bool_],
    rows: npt.NDArray[np.bool_],
    found: _Candidate,
    group: npt.NDArray[np.bool_],
    tests: int,
) -> WeakSlice:
    inside, outside = rows & group, rows & ~group
    loss, rest = float(losses[inside].mean()), float(losses[outside].mean())
    chance = 1 - NormalDist().cdf(_z(losses[inside], losses[outside]))
    whole = float(losses[rows].sum())
    return WeakSlice(
        where=dict(found.where),
        n=int((known & group).sum()),
        loss=loss,
        rest=rest,
        p_value=min(1.0, chance * tests),
        share_of_loss=(loss - rest) * int(inside.sum()) / whole if whole > 0 else 0.0,
    )


def _z(inside: Floats, outside: Floats) -> float:
    """Welch's statistic for the difference of two means."""
    spread = inside.var(ddof=1) / len(inside) + outside.var(ddof=1) / len(outside)
    difference = float(inside.mean() - outside.mean())
    if spread <= 0:
        return math.copysign(math.inf, difference) if difference else 0.0
    return difference / math.sqrt(spread)
