"""Models that a program answers for: R, or anything that reads a file of rows and writes a file of predictions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from flyball.errors import InvalidInput

ROWS, ANSWER = "{rows}", "{answer}"


@dataclass(frozen=True, slots=True)
class CommandModel:
    """A model by command: `CommandModel("Rscript predict.R {rows} {answer}", ["predict.R", "model.rds"])`.

    For each table the command is run in a folder with its files. It reads `{rows}`, a CSV file with a header, and writes
    `{answer}`, a CSV file with a column `prediction` and, if it classifies, `probability` of the last class.

    Attributes:
        command: The program and its arguments; no shell reads it.
        files: What it needs: scripts, fitted models.
        classes: Labels of a classifier.
    """

    command: str
    files: Sequence[str | Path] = field(default_factory=tuple)
    classes: Sequence[str | int | bool] = ()

    def __post_init__(self) -> None:
        """Sees to it that rows go in and predictions come out."""
        for place in (ROWS, ANSWER):
            if place not in self.command:
                raise InvalidInput(
                    f"The command says nowhere {place}.", hint="Such as: Rscript predict.R {rows} {answer}"
                )
        names = [Path(file).name for file in self.files]
        if len(set(names)) < len(names):
            raise InvalidInput("Two files of the command have the same name.")
        missing = [str(file) for file in self.files if not Path(file).is_file()]
        if missing:
            raise InvalidInput(f"There is no file {missing[0]}.")
