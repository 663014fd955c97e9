"""What a model says of rows and what was true of them, as the numbers that metrics take."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flyball.errors import InvalidInput, did_you_mean
from flyball.models.package import LoadedModel

if TYPE_CHECKING:
    import numpy.typing as npt
    import pyarrow as pa

    Values = npt.NDArray[Any]


def scores_of(model: LoadedModel, rows: pa.Table) -> Values:
    """Probabilities of the last of two classes, of each of more (shape (rows, classes)), or values."""
    import numpy as np

    said = model.predict(rows)
    if "probabilities" in said.column_names:
        column = said["probabilities"].combine_chunks()
        width = len(model.signature.classes) or (len(column[0]) if len(column) else 0)
        found: Values = column.flatten().to_numpy(zero_copy_only=False).reshape(-1, max(1, width))
        return found
    if "probability" in said.column_names:
        return _array(said["probability"])
    if _are_named(model):  # it names classes without saying how sure it is
        places = _places(model, said["prediction"])
        count = len(model.signature.classes)
        return (places == count - 1).astype(np.float64) if count == 2 else np.eye(count)[places]
    return _array(said["prediction"])


def truth_for(model: LoadedModel, truth: pa.ChunkedArray) -> Values:
    """The truth of rows as their scores have it: the place of the class where classes have names, else as it is.

    Raises:
        InvalidInput: a row is of a class that the model does not know, or of none.
    """
    return _places(model, truth) if _are_named(model) else _array(truth)


def _are_named(model: LoadedModel) -> bool:
    # True and false, 0 and 1 are their places already, and numbers of classes where there are more.
    classes = model.signature.classes
    return bool(classes) and any(label != place for place, label in enumerate(classes))


def _places(model: LoadedModel, labels: pa.ChunkedArray) -> Values:
    import numpy as np

    numbers = {label: place for place, label in enumerate(model.signature.classes)}
    values = labels.to_pylist()
    for value in values:
        if value not in numbers:
            known = [str(label) for label in numbers]
            raise InvalidInput(
                f"A row is of class {value!r}, which the model has never seen.",
                hint=f"{did_you_mean(str(value), known)} Train it on rows of every class, or leave such rows out.".strip(),
            )
    return np.array([numbers[value] for value in values], dtype=np.int64)


def _array(column: pa.ChunkedArray) -> Values:
    found: Values = column.to_numpy(zero_copy_only=False)
    return found
