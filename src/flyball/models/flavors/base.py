"""What a flavor is: the way one kind of model is written to a folder and read back."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from flyball.models.signature import Label, Task
from flyball.plugins import PluginGroup

if TYPE_CHECKING:
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
