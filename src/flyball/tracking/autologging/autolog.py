"""Switches automatic logging on and off."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Self

from flyball.errors import InvalidInput, did_you_mean
from flyball.tracking.autologging import boosting, keras, lightning, scikit_learn, transformers
from flyball.tracking.autologging.on_import import OnImport
from flyball.tracking.autologging.trainings import Trainings, Undo

LIBRARIES: dict[str, Callable[[Trainings, OnImport], Undo]] = {
    "sklearn": scikit_learn.install,
    "xgboost": boosting.install_xgboost,
    "lightgbm": boosting.install_lightgbm,
    "lightning": lightning.install,
    "keras": keras.install,
    "transformers": transformers.install,
}
_ALSO = {"scikit-learn": "sklearn", "scikit_learn": "sklearn", "pytorch_lightning": "lightning"}


class Autologging:
    """Automatic logging that is on; `undo()` or the end of a `with` block switches it off."""

    def __init__(self, libraries: Sequence[str], trainings: Trainings) -> None:
        names = [_ALSO.get(name, name) for name in libraries] or list(LIBRARIES)
        for name in names:
            if name not in LIBRARIES:
                raise InvalidInput(f"'{name}' is not logged automatically.", hint=did_you_mean(name, LIBRARIES))
        self._imports = OnImport()
        self._undo = [LIBRARIES[name](trainings, self._imports) for name in dict.fromkeys(names)]

    def undo(self) -> None:
        """Takes everything back."""
        self._imports.stop()
        while self._undo:
            self._undo.pop()()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.undo()
