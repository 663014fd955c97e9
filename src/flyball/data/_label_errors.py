"""Label errors: rows whose label a model that has not seen them contradicts with confidence (Northcutt, Jiang and Chuang 2021).

Probabilities come from five-fold cross validation with scikit-learn. A class is believed where its probability reaches the
mean of those that carry its label, so classes may be of any size and a model may be over-confident.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

_LEAST_IN_CLASS = 10
_MOST_CLASSES = 20
# A model that explains less of the labels' entropy than this contradicts them by chance, not by knowledge.
_LEAST_EXPLAINED = 0.2


def find_label_errors(inputs: pa.Table, labels: pa.ChunkedArray) -> list[int]:
    """Places of the rows that are probably mislabelled, the surest first.

    Raises:
        MissingExtra: scikit-learn is not installed.
    """
    import numpy as np
    import pyarrow as pa

    encoded = labels.cast(pa.string()).combine_chunks().dictionary_encode()
    if isinstance(encoded, pa.ChunkedArray):
        encoded = encoded.unify_dictionaries().combine_chunks()
    truth = encoded.indices.cast(pa.int64()).to_numpy(zero_copy_only=False)
    sizes = np.bincount(truth)
    if not 2 <= len(sizes) <= _MOST_CLASSES or sizes.min() < _LEAST_IN_CLASS:
        return []
    probabilities = _cross_validated(inputs, truth)
    if _explained(probabilities, truth) < _LEAST_EXPLAINED:
        return []
    return confident_errors(probabilities, truth)


def _explained(probabilities: npt.NDArray[np.float64], truth: npt.NDArray[np.int64]) -> float:
    """The share of the labels' entropy that the probabilities take away (McFadden's pseudo R squared, 1974)."""
    import numpy as np

    shares = np.bincount(truth) / len(truth)
    entropy = -float(np.log(shares) @ shares)
    given = np.clip(probabilities[np.arange(len(truth)), truth], 1e-6, None)
    return 1.0 + float(np.log(given).mean()) / entropy


def confident_errors(probabilities: npt.NDArray[np.float64], truth: npt.NDArray[np.int64]) -> list[int]:
    """Places whose label is another than the class that they confidently belong to; the surest first.

    Args:
        probabilities: By row and class, of a model that has not seen the row.
        truth: The label of each row, as the number of its class.
    """
    import numpy as np

    classes = probabilities.shape[1]
    thresholds = np.array([probabilities[truth == each, each].mean() for each in range(classes)])
    is_confident = probabilities >= thresholds - 1e-9
    best = np.where(is_confident, probabilities, -1.0).argmax(axis=1)
    is_off = is_confident.any(axis=1) & (best != truth)
    rows = np.flatnonzero(is_off)
    margin = probabilities[rows, best[rows]] - probabilities[rows, truth[rows]]
    ordered: list[int] = rows[np.argsort(-margin, kind="stable")].tolist()
    return ordered


def _cross_validated(inputs: pa.Table, truth: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    import numpy as np

    from flyball.errors import MissingExtra

    try:
        from sklearn.ensemble import HistGradientBoostingClassifier
        from sklearn.model_selection import StratifiedKFold
        from threadpoolctl import threadpool_limits
    except ImportError as error:
        raise MissingExtra("Finding label errors needs scikit-learn.", hint="pip install 'flyball[sklearn]'") from error
    # Shallow, with many rows in a leaf: it must not learn the wrong labels by heart.
    model = HistGradientBoostingClassifier(max_iter=40, max_leaf_nodes=15, min_samples_leaf=30, random_state=0)
    folds = StratifiedKFold(5, shuffle=True, random_state=0)
    # The parts are small: threads would spend more on waiting for each other than on work.
    matrix = _matrix(inputs)
    found = np.tile(np.bincount(truth) / len(truth), (len(truth), 1))
    with threadpool_limits(1):
        for learn, ask in folds.split(matrix, truth):
            # A column of one value in this part says nothing, and the trees refuse it.
            used = [place for place in range(matrix.shape[1]) if _varies(matrix[learn, place])]
            if used:
                fitted = model.fit(matrix[np.ix_(learn, used)], truth[learn])
                found[ask] = fitted.predict_proba(matrix[np.ix_(ask, used)])
    return found


def _varies(values: npt.NDArray[np.float64]) -> bool:
    import numpy as np

    known = values[~np.isnan(values)]
    return bool(known.size and known.min() < known.max())


def _matrix(inputs: pa.Table) -> npt.NDArray[np.float64]:
    """Numbers as they are, texts as the rank of how often they come."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    columns = []
    for column in inputs.columns:
        if not pa.types.is_string(column.type):
            kind = pa.uint8() if pa.types.is_boolean(column.type) else column.type
            columns.append(column.cast(kind).cast(pa.float64(), safe=False).to_numpy())
            continue
        pairs = pc.value_counts(column.drop_null()).to_pylist()
        pairs.sort(key=lambda pair: (-pair["counts"], pair["values"]))
        ranks = pc.index_in(column, value_set=pa.array([pair["values"] for pair in pairs], pa.string()))
        columns.append(ranks.cast(pa.float64()).to_numpy())
    matrix = np.column_stack(columns)
    matrix[np.isinf(matrix)] = np.nan
    return matrix
