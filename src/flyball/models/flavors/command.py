"""Command: a program that reads rows from a CSV file and writes predictions to another, such as an R script.

What it needs is kept as files. Asking it runs the program, so the package is marked `trusted_only`.
"""

from __future__ import annotations

import shlex
import shutil
import subprocess
import tempfile
import weakref
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from flyball.errors import InvalidInput, WorkFailed
from flyball.models.command_model import ANSWER, ROWS, CommandModel
from flyball.models.flavors._boosting import read_labels, write_labels
from flyball.models.flavors.base import Flavor, Predictor
from flyball.models.signature import Task

if TYPE_CHECKING:
    import pyarrow as pa

_SECONDS = 600.0
_SHOWN = 800


class Command:
    """Models of `CommandModel`."""

    distributions = ("pyarrow",)

    def matches(self, model: object) -> bool:
        """Whether it is one."""
        return isinstance(model, CommandModel)

    def save(self, model: object, folder: Path) -> dict[str, str]:
        """Copies the files."""
        assert isinstance(model, CommandModel)
        for name, content in model.contents.items():
            (folder / name).write_bytes(content)
        if not model.contents:
            (folder / "command").write_text(model.command, encoding="utf-8")
        return {"command": model.command, "classes": write_labels(tuple(model.classes)), "trusted_only": "true"}

    def load(self, folder: Path, settings: Mapping[str, str]) -> Predictor:
        """Takes the files to a folder that stays."""
        kept = tempfile.mkdtemp(prefix="flyball-command-")
        shutil.copytree(folder, kept, dirs_exist_ok=True)
        return _Asked(Path(kept), settings)


class _Asked:
    """A program that is asked about tables."""

    columns: tuple[str, ...] = ()

    def __init__(self, folder: Path, settings: Mapping[str, str]) -> None:
        self._folder = folder
        self._command = shlex.split(settings["command"])
        self.classes = read_labels(settings.get("classes", ""))
        self.task: Task = "classification" if self.classes else "other"
        weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)

    def predict(self, table: pa.Table) -> pa.Table:
        """What the program writes."""
        import pyarrow.csv as csv

        with tempfile.TemporaryDirectory(prefix="flyball-ask-") as folder:
            rows, answer = Path(folder) / "rows.csv", Path(folder) / "answer.csv"
            csv.write_csv(table, rows)
            command = [part.replace(ROWS, str(rows)).replace(ANSWER, str(answer)) for part in self._command]
            try:
                done = subprocess.run(
                    command, cwd=self._folder, capture_output=True, text=True, timeout=_SECONDS, check=False
                )
            except FileNotFoundError as error:
                raise InvalidInput(f"The program '{command[0]}' is not installed here.", hint="Install it.") from error
            except subprocess.TimeoutExpired as error:
                raise WorkFailed(f"'{command[0]}' gave no answer in {_SECONDS:g} s.") from error
            if done.returncode or not answer.exists():
                said = (done.stderr.strip() or done.stdout.strip())[-_SHOWN:]
                raise WorkFailed(f"'{command[0]}' ended with {done.returncode} and no predictions. {said}".strip())
            found = csv.read_csv(answer)
        if "prediction" not in found.column_names:
            raise WorkFailed("The answer has no column 'prediction'.", hint=f"It has: {', '.join(found.column_names)}.")
        return found.select([name for name in ("prediction", "probability") if name in found.column_names])


plugin: Flavor = Command()
