"""Models that a program answers for: R, or anything that reads a file of rows and writes a file of predictions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from flyball.errors import InvalidInput

ROWS, ANSWER = "{rows}", "{answer}"


class CommandModel:
    """A model by command: `CommandModel("Rscript predict.R {rows} {answer}", ["predict.R", "model.rds"])`.

    For each table the command is run in a folder with its files. It reads `{rows}`, a CSV file with a header, and writes
    `{answer}`, a CSV file with a column `prediction` and, if it classifies, `probability` of the last class.

    Args:
        command: The program and its arguments; no shell reads it.
        files: What it needs: paths of scripts and fitted models, or by the names that they shall have, paths or bytes.
        classes: Labels of a classifier.

    Attributes:
        contents: The files, by their names, read when the model is made.

    Raises:
        InvalidInput: the command does not say where rows and answer are, or a file is not there.
    """

    def __init__(
        self,
        command: str,
        files: Sequence[str | Path] | Mapping[str, str | Path | bytes] = (),
        classes: Sequence[str | int | bool] = (),
    ) -> None:
        for place in (ROWS, ANSWER):
            if place not in command:
                raise InvalidInput(
                    f"The command says nowhere {place}.", hint="Such as: Rscript predict.R {rows} {answer}"
                )
        named = files if isinstance(files, Mapping) else {Path(file).name: file for file in files}
        if len(named) < len(files):
            raise InvalidInput("Two files of the command have the same name.")
        self.command = command
        self.classes = tuple(classes)
        self.contents = {name: _read(name, file) for name, file in named.items()}


def _read(name: str, file: str | Path | bytes) -> bytes:
    if Path(name).name != name or not name:
        raise InvalidInput(f"'{name}' is no name of a file.")
    if isinstance(file, bytes):
        return file
    if not Path(file).is_file():
        raise InvalidInput(f"There is no file {file}.")
    return Path(file).read_bytes()
