"""What a flavor is: the way one kind of model is written to a folder and read back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from flyball.models.signature import Label, Task
from flyball.plugins import PluginGroup

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa


class Predictor(Protocol):
    """A model that was read back.

    Attributes:
        task: What it does, where the model itself knows; `other` otherwise.
        classes: Labels of a classifier in the order of its probabilities, where the model itself knows.
        columns: Names of its inputs, where the model itself knows.
    """

    @property
    def task(self) -> Task: ...

    @property
    def classes(self) -> tuple[Label, ...]: ...

    @property
    def columns(self) -> tuple[str, ...]: ...

    def predict(self, table: pa.Table) -> pa.Table:
        """A table with `prediction` and, for a classifier that knows them, `probability` and `probabilities`."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Scores:
    """What a model says of rows, as arrays.

    Attributes:
        prediction: Shape (rows,): numbers, or labels.
        chances: Shape (rows, classes): probabilities of a classifier that knows them; the last one is the positive one of two.
    """

    prediction: np.ndarray[Any, Any]
    chances: np.ndarray[Any, Any] | None = None

    def columns(self) -> dict[str, np.ndarray[Any, Any]]:
        """The same by the names of answer columns: `prediction` and, where there are chances, what is made of them."""
        found = {"prediction": self.prediction}
        if self.chances is not None:
            found["probability"] = self.chances[:, -1]
            if self.chances.shape[1] > 2:
                found["probabilities"] = self.chances
        return found


@runtime_checkable
class TakesMatrix(Protocol):
    """A predictor that can also be asked on a matrix, which spares a server the way over tables.

    Attributes:
        takes_matrix: Whether this one can; a kind of model may do so only in part. It then gives what it gives on a table.
    """

    @property
    def takes_matrix(self) -> bool: ...

    def predict_matrix(self, rows: np.ndarray[Any, Any]) -> Scores:
        """What it says of rows: shape (rows, inputs), float64, in the order of the signature; NaN where a value is missing."""
        ...


@runtime_checkable
class StreamsText(Protocol):
    """A predictor that can say its answer piece by piece.

    Attributes:
        streams: Whether this one can.
    """

    @property
    def streams(self) -> bool: ...

    def stream(self, row: Mapping[str, Any]) -> Iterator[str]:
        """The pieces of the answer to one row of inputs."""
        ...


@runtime_checkable
class HasEstimator(Protocol):
    """A predictor whose fitted model can be looked into, as exact explanations do.

    Attributes:
        estimator: The fitted model itself.
    """

    @property
    def estimator(self) -> object: ...

    def frame(self, table: pa.Table) -> object:
        """The table as the fitted model takes it."""
        ...


class Flavor(Protocol):
    """One kind of model."""

    @property
    def distributions(self) -> tuple[str, ...]:
        """Distributions that reading it back needs."""
        ...

    def matches(self, model: object) -> bool:
        """Whether the model is of this kind; imports nothing heavy that the model's maker has not imported."""
        ...

    def save(self, model: object, folder: Path) -> dict[str, str]:
        """Writes the model's files to an empty folder; gives the settings that `load` wants back.

        Raises:
            InvalidInput: the model cannot be written so that another process reads it.
        """
        ...

    def load(self, folder: Path, settings: Mapping[str, str]) -> Predictor:
        """Reads a model back; the folder may be gone afterwards."""
        ...


FLAVORS: PluginGroup[Flavor] = PluginGroup("flavor", "flyball.models.flavors")


def answer_table(scores: Scores) -> pa.Table:
    """The answer of a predictor, as a table with `prediction` and, where there are chances, `probability` and `probabilities`."""
    import numpy as np
    import pyarrow as pa

    found = scores.prediction
    answer = {"prediction": pa.array(found.tolist() if found.dtype == object else found)}
    chances = scores.chances
    if chances is not None:
        answer["probability"] = pa.array(chances[:, -1])
        if chances.shape[1] > 2:
            offsets = np.arange(0, chances.size + 1, chances.shape[1], dtype=np.int32)
            answer["probabilities"] = pa.ListArray.from_arrays(offsets, chances.ravel())
    return pa.table(answer)


def label_array(labels: Sequence[Label]) -> np.ndarray[Any, Any]:
    """Labels as an array from which those of rows are taken, shape (classes,)."""
    import numpy as np

    kinds = {type(label) for label in labels}
    if kinds <= {bool} or kinds <= {int}:
        return np.array(labels)
    made = np.empty(len(labels), object)
    made[:] = labels
    return made
