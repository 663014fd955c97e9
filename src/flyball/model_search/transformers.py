"""Transformers and wrappers in scikit-learn's manner, for what scikit-learn has nothing ready for.

They are part of the models that a project file of AutoML makes, and of use in any other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from sklearn.base import BaseEstimator, ClassifierMixin, TransformerMixin, clone

if TYPE_CHECKING:
    import numpy.typing as npt
    import pandas as pd

    Matrix = npt.NDArray[Any]

_DAY_SECONDS = 86_400.0
_WORD = r"(?u)\b\w+\b"


class Moments(TransformerMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """Times and dates as numbers: days since 1970, month, day of the month, weekday (0 is Monday), hour of the day.

    Texts such as `2026-03-01` are read as dates; what is missing or cannot be read is NaN. Of each column come five, in that
    order.
    """

    def fit(self, frame: pd.DataFrame, truth: object = None) -> Self:
        """Notes how many columns there are."""
        self.n_features_in_ = frame.shape[1]
        return self

    def transform(self, frame: pd.DataFrame) -> Matrix:
        """The numbers, shape (rows, 5 x columns)."""
        import numpy as np
        import pandas as pd

        found = []
        for name in frame.columns:
            column = frame[name]
            texts = column.astype(object) if isinstance(column.dtype, pd.CategoricalDtype) else column
            moments = pd.to_datetime(
                texts, errors="coerce", utc=True, format="ISO8601" if texts.dtype == object else None
            )
            days = (moments - pd.Timestamp(0, tz="UTC")) / pd.Timedelta(seconds=_DAY_SECONDS)
            clock = moments.dt
            parts = (days, clock.month, clock.day, clock.day_of_week, clock.hour + clock.minute / 60)
            found += [part.to_numpy(dtype=np.float64, na_value=np.nan) for part in parts]
        return np.column_stack(found) if found else np.empty((len(frame), 0))

    def get_feature_names_out(self, names: Any = None) -> Any:
        """What the numbers are, as `column_month`."""
        import numpy as np

        parts = ("days", "month", "day", "weekday", "hour")
        given = names if names is not None else [f"x{place}" for place in range(self.n_features_in_)]
        return np.array([f"{name}_{part}" for name in given for part in parts], dtype=object)


class Words(TransformerMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """Texts as weights of their words (tf-idf) or, with `components`, as so many numbers made of these.

    Args:
        most: How many words and pairs of words count, the most frequent ones.
        components: Of a truncated singular value decomposition; 0 keeps the words themselves, as a sparse matrix.
        seed: Of the decomposition.
    """

    def __init__(self, most: int = 2000, components: int = 0, seed: int = 0) -> None:
        self.most = most
        self.components = components
        self.seed = seed

    def fit(self, frame: pd.DataFrame, truth: object = None) -> Self:
        """Learns which words there are."""
        self.fit_transform(frame)
        return self

    def fit_transform(self, frame: pd.DataFrame, truth: object = None) -> Any:
        """Learns which words there are, and gives the weights of these texts."""
        from sklearn.decomposition import TruncatedSVD
        from sklearn.feature_extraction.text import TfidfVectorizer
        from threadpoolctl import threadpool_limits

        texts = _joined(frame)
        self.n_features_in_ = frame.shape[1]
        self.words_ = TfidfVectorizer(
            max_features=self.most, ngram_range=(1, 2), sublinear_tf=True, token_pattern=_WORD
        )
        weights = self.words_.fit_transform(texts)
        few = min(self.components, weights.shape[1] - 1, weights.shape[0] - 1)
        # On several threads sums come out otherwise in the last digit, and a tree may then part rows elsewhere.
        with threadpool_limits(1):
            self.space_ = (
                TruncatedSVD(few, random_state=self.seed).fit(weights) if self.components and few > 0 else None
            )
        return weights if self.space_ is None else self.space_.transform(weights)

    def transform(self, frame: pd.DataFrame) -> Any:
        """The weights of texts, shape (rows, words) or (rows, components)."""
        weights = self.words_.transform(_joined(frame))
        return weights if self.space_ is None else self.space_.transform(weights)


class NamedClasses(ClassifierMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """A classifier that knows numbers 0, 1, 2 only, for classes of any name.

    Args:
        classifier: What learns the numbers.
    """

    def __init__(self, classifier: Any) -> None:
        self.classifier = classifier

    def fit(self, rows: Any, truth: Any, sample_weight: Any = None) -> Self:
        """Learns from rows and their classes."""
        import numpy as np

        self.classes_, places = np.unique(truth, return_inverse=True)
        options = {} if sample_weight is None else {"sample_weight": sample_weight}
        self.classifier_ = clone(self.classifier).fit(rows, places, **options)
        return self

    def predict_proba(self, rows: Any) -> Matrix:
        """Probabilities, shape (rows, classes)."""
        found: Matrix = self.classifier_.predict_proba(rows)
        return found

    def predict(self, rows: Any) -> Matrix:
        """The most probable class of each row."""
        found: Matrix = self.classes_[self.predict_proba(rows).argmax(axis=1)]
        return found


def _joined(frame: pd.DataFrame) -> list[str]:
    columns = [frame[name].astype(object) for name in frame.columns]
    columns = [column.where(column.notna(), "").astype(str) for column in columns]
    return [" ".join(row) for row in zip(*columns, strict=True)]
