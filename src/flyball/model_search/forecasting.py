"""Forecasts of one or many series: any regressor on what a series was before, and the least that it must beat.

A forecast is made step by step: what is not known yet of the past is what was forecast for it. Times need not be complete; the
step is the usual distance of two, or the calendar month.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Self

from sklearn.base import BaseEstimator, RegressorMixin, clone

from flyball.errors import InvalidInput

if TYPE_CHECKING:
    import numpy.typing as npt
    import pandas as pd

    Matrix = npt.NDArray[Any]

MONTHS = "month"
_MOST_STEPS = 200_000
_SEASONS = ((3600.0, 24), (86_400.0, 7), (604_800.0, 52))


class _Series:
    """What is known of each series, step by step.

    Attributes:
        unit: Seconds of a step, or `month`.
        known: Shape (series, steps), NaN where nothing is known.
    """

    def __init__(self, frame: pd.DataFrame, truth: Matrix, time: str, groups: Sequence[str]) -> None:
        import numpy as np

        self.time, self.groups = time, list(groups)
        self.unit = unit_of(frame[time])
        steps = self.steps(frame)
        self.first = int(steps.min())
        width = int(steps.max()) - self.first + 1
        if width > _MOST_STEPS:
            raise InvalidInput(
                f"The times of '{time}' make {width:,} steps.", hint="Round the times to hours, days or months."
            )
        keys = self._keys(frame)
        self.places = {key: place for place, key in enumerate(sorted(set(keys)))}
        self.known = np.full((len(self.places), width), np.nan)
        # Of two rows of one step the later one counts.
        self.known[[self.places[key] for key in keys], steps - self.first] = np.asarray(truth, dtype=np.float64)
        self.mean = float(np.nanmean(self.known))

    def steps(self, frame: pd.DataFrame) -> Matrix:
        """The number of each row's step."""
        import numpy as np

        column = frame[self.time]
        if column.isna().any():
            raise InvalidInput(f"The time '{self.time}' is missing in some rows.")
        if self.unit == MONTHS:
            months: Matrix = (column.dt.year * 12 + column.dt.month - 1).to_numpy(dtype=np.int64)
            return months
        if column.dtype.kind in "iu":
            numbers: Matrix = (column.to_numpy() // int(self.unit)).astype(np.int64)
            return numbers
        seconds = _seconds(column)
        return np.round(seconds / float(self.unit)).astype(np.int64)

    def rows(self, frame: pd.DataFrame) -> Matrix:
        """The place of each row's series; -1 for one that is not known."""
        import numpy as np

        return np.array([self.places.get(key, -1) for key in self._keys(frame)], dtype=np.int64)

    def between(self, frame: pd.DataFrame) -> pd.DataFrame:
        """The moments between the last that is known of a series and the last that is asked for, that nobody asks for."""
        import numpy as np
        import pandas as pd

        steps, rows = self.steps(frame), self.rows(frame)
        names = {place: key for key, place in self.places.items()}
        found = []
        for row in np.unique(rows[rows >= 0]):
            asked = steps[rows == row]
            known = np.flatnonzero(np.isfinite(self.known[row]))
            first = self.first + (int(known[-1]) if len(known) else -1) + 1
            missing = np.setdiff1d(np.arange(first, int(asked.max()) + 1), asked)
            told = dict(zip(self.groups, names[int(row)], strict=True))
            found.append(pd.DataFrame({self.time: self._times(missing, frame[self.time]), **told}))
        made = pd.concat(found, ignore_index=True) if found else frame.iloc[:0]
        return made.reindex(columns=list(frame.columns))

    def _times(self, steps: Matrix, like: pd.Series[Any]) -> Any:
        import pandas as pd

        if self.unit == MONTHS:
            found = pd.to_datetime({"year": steps // 12, "month": steps % 12 + 1, "day": 1})
        elif like.dtype.kind in "iu":
            return steps * int(self.unit)
        else:
            found = pd.Series(pd.to_datetime(steps * float(self.unit), unit="s"))
        return found.dt.tz_localize(like.dt.tz) if like.dt.tz is not None else found

    def room_until(self, last: int) -> Matrix:
        """What is known, with room for steps up to one, and an empty series at the end for those not known."""
        import numpy as np

        width = max(self.known.shape[1], last - self.first + 1)
        if width > _MOST_STEPS:
            raise InvalidInput(f"A forecast {width - self.known.shape[1]:,} steps ahead is too far.")
        found = np.full((len(self.places) + 1, width), np.nan)
        found[:-1, : self.known.shape[1]] = self.known
        return found

    def _keys(self, frame: pd.DataFrame) -> list[tuple[str, ...]]:
        if not self.groups:
            return [()] * len(frame)
        return list(zip(*(frame[name].astype(object).map(str) for name in self.groups), strict=True))


class Forecaster(RegressorMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """A regressor on the last values of a series, on the calendar and on columns that are known ahead.

    Args:
        regressor: What learns; it is given a matrix, with NaN where a value is not known.
        time: Column of the time: a timestamp, a date, or a whole number.
        groups: Columns that name a series; none where there is one only.
        lags: Which of the last values it looks at, in steps.
        change: Learns the difference to the value so many steps before; 0 learns the value itself. Trees, which cannot reach
            beyond what they have seen, can follow a trend so.
        prepare: Makes numbers of the other columns.
    """

    def __init__(
        self,
        regressor: Any,
        time: str = "time",
        groups: Sequence[str] = (),
        lags: Sequence[int] = (1, 2, 3),
        change: int = 0,
        prepare: Any = None,
    ) -> None:
        self.regressor = regressor
        self.time = time
        self.groups = groups
        self.lags = lags
        self.change = change
        self.prepare = prepare

    def fit(self, frame: pd.DataFrame, truth: Any) -> Self:
        """Learns from rows and their values."""
        import numpy as np

        values = np.asarray(truth, dtype=np.float64)
        self.feature_names_in_ = np.array(frame.columns, dtype=object)
        self.series_ = _Series(frame, values, self.time, self.groups)
        self.prepare_ = None if self.prepare is None else clone(self.prepare).fit(frame, values)
        steps, rows = self.series_.steps(frame), self.series_.rows(frame)
        known = self.series_.room_until(int(steps.max()))
        places = steps - self.series_.first
        base = self._base(known, rows, places)
        told = np.isfinite(base)
        matrix = self._matrix(frame, known, rows, places)
        self.regressor_ = clone(self.regressor).fit(matrix[told], values[told] - base[told])
        return self

    def predict(self, frame: pd.DataFrame) -> Matrix:
        """The forecast of each row, shape (rows,); what lies between the last known moment and the first asked is forecast too."""
        import numpy as np
        import pandas as pd

        asked, between = len(frame), self.series_.between(frame)
        if len(between):
            frame = pd.concat([frame, between], ignore_index=True)
        steps, rows = self.series_.steps(frame), self.series_.rows(frame)
        known = self.series_.room_until(int(steps.max()))
        places = steps - self.series_.first
        found = np.empty(len(frame))
        for place in np.unique(places):
            now = np.flatnonzero(places == place)
            base = self._base(known, rows[now], places[now])
            base = np.where(np.isfinite(base), base, self.series_.mean)
            said = self.regressor_.predict(self._matrix(frame.iloc[now], known, rows[now], places[now])) + base
            found[now] = said
            if place >= 0:
                unknown = now[np.isnan(known[rows[now], place])]
                known[rows[unknown], place] = found[unknown]
        return found[:asked]

    def _base(self, known: Matrix, rows: Matrix, places: Matrix) -> Matrix:
        import numpy as np

        return np.zeros(len(rows)) if not self.change else _before(known, rows, places, self.change)

    def _matrix(self, frame: pd.DataFrame, known: Matrix, rows: Matrix, places: Matrix) -> Matrix:
        import numpy as np

        before = [_before(known, rows, places, lag) for lag in self.lags]
        if self.change:  # all of them from where the difference begins
            base = _before(known, rows, places, self.change)
            before = [each - base for each in before]
        column = frame[self.time]
        calendar = [places.astype(np.float64), rows.astype(np.float64)]
        if column.dtype.kind == "M":
            clock = column.dt
            calendar += [
                part.to_numpy(dtype=np.float64) for part in (clock.month, clock.day, clock.day_of_week, clock.hour)
            ]
        found = np.column_stack([*before, *calendar])
        if self.prepare_ is None:
            return found
        more = self.prepare_.transform(frame)
        return np.column_stack([found, more.toarray() if hasattr(more, "toarray") else more])


class SeasonalNaive(RegressorMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """The last known value of the same phase of the season: what was a year, a week or a step ago.

    Args:
        time: Column of the time. `groups`: columns that name a series.
        season: After how many steps the same comes again.
    """

    def __init__(self, time: str = "time", groups: Sequence[str] = (), season: int = 1) -> None:
        self.time = time
        self.groups = groups
        self.season = season

    def fit(self, frame: pd.DataFrame, truth: Any) -> Self:
        """Notes the values."""
        import numpy as np

        self.feature_names_in_ = np.array([self.time, *self.groups], dtype=object)
        self.series_ = _Series(frame, truth, self.time, self.groups)
        return self

    def predict(self, frame: pd.DataFrame) -> Matrix:
        """The value of each row a season ago, shape (rows,)."""
        import numpy as np

        steps, rows = self.series_.steps(frame), self.series_.rows(frame)
        known = self.series_.room_until(int(steps.max()))
        places = steps - self.series_.first
        found = np.full(len(frame), np.nan)
        for back in range(1, known.shape[1] // self.season + 2):
            left = np.isnan(found)
            if not left.any():
                break
            found[left] = _before(known, rows[left], places[left], back * self.season)
        return np.where(np.isnan(found), self.series_.mean, found)


def unit_of(column: pd.Series[Any]) -> float | str:
    """The usual distance of two times of a column, in seconds (or, of whole numbers, in those); `month` for calendar months.

    Raises:
        InvalidInput: there are fewer than two times, or they are neither times nor whole numbers.
    """
    import numpy as np

    if column.dtype.kind in "iu":
        distinct = np.unique(column.to_numpy())
    elif column.dtype.kind == "M":
        distinct = np.unique(_seconds(column.dropna()))
    else:
        raise InvalidInput(f"'{column.name}' holds no times.", hint="Cast it to a timestamp, a date or a whole number.")
    if len(distinct) < 2:
        raise InvalidInput(f"The time '{column.name}' is the same in all rows.")
    usual = float(np.median(np.diff(distinct)))
    if column.dtype.kind == "M" and 27.5 * 86_400 <= usual <= 31.5 * 86_400:
        return MONTHS
    return usual


def season_of(unit: float | str, is_number: bool) -> int:
    """After how many steps the same usually comes again: 12 months, 7 days, 24 hours, 52 weeks; 1 for none."""
    if unit == MONTHS:
        return 12
    if is_number:
        return 1
    for seconds, season in _SEASONS:
        if abs(float(unit) - seconds) < 0.01 * seconds:
            return season
    return 4 if 89 * 86_400 <= float(unit) <= 93 * 86_400 else 1


def _seconds(column: pd.Series[Any]) -> Matrix:
    import pandas as pd

    start = pd.Timestamp(0, tz=column.dt.tz)
    return ((column - start) / pd.Timedelta(seconds=1)).to_numpy()  # type: ignore[no-any-return]  # pandas has no types


def _before(known: Matrix, rows: Matrix, places: Matrix, steps: int) -> Matrix:
    """The value so many steps before each row; NaN where it is not known."""
    import numpy as np

    wanted = places - steps
    there = (wanted >= 0) & (wanted < known.shape[1])
    found: Matrix = np.where(there, known[rows, np.where(there, wanted, 0)], np.nan)
    return found
