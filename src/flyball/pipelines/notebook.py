"""Steps that are notebooks: run with parameters, and kept as they were executed."""

from __future__ import annotations

import importlib.util
import inspect
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Unpack

from flyball.errors import InvalidInput, MissingExtra, WorkFailed
from flyball.pipelines.context import find_run
from flyball.pipelines.exchange import write_value
from flyball.pipelines.programs import folder_until_exit, run_program
from flyball.pipelines.step import Step, StepOptions
from flyball.serialization import to_json

_FILE_NAME = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z0-9]+)*")


class NotebookStep(Step[Any, Any]):
    """A step that runs a notebook; called outside of a pipeline run it runs it at once.

    Args:
        path: The notebook, relative to the project.
        outputs: Names of the files that it writes, such as `model.pkl`.
        kernel: Name of the Jupyter kernel; the notebook's own by default.
        **options: Those of a step.
    """

    def __init__(
        self, path: str, *, outputs: Sequence[str] = (), kernel: str = "", **options: Unpack[StepOptions]
    ) -> None:
        place = Path(path)
        if place.suffix != ".ipynb" or place.is_absolute() or ".." in place.parts:
            raise InvalidInput(
                f"'{path}' is no notebook of the project.", hint="Give a path such as 'notebooks/report.ipynb'."
            )
        self.path = place.as_posix()
        self.outputs = tuple(outputs)
        self.kernel = kernel
        for output in self.outputs:
            if not _FILE_NAME.fullmatch(output):
                raise InvalidInput(f"'{output}' is no name of an output.", hint="Write outputs=['model.pkl'].")
        options["name"] = options.get("name") or re.sub(r"\W+", "_", place.stem).strip("_") or "notebook"
        options["version"] = f"{options.get('version', '')}{kernel}{self.outputs or ''}"
        super().__init__(self._run, scripts=(self.path,), **options)
        self.__doc__ = f"Runs {self.path}."
        # Only the notebook knows its parameters, and it may be opened and changed at any time.
        self.signature = inspect.Signature([inspect.Parameter("params", inspect.Parameter.VAR_KEYWORD)])
        self.parts = len(self.outputs) if len(self.outputs) > 1 else None

    def _run(self, **params: Any) -> Any:
        if importlib.util.find_spec("papermill") is None:
            raise MissingExtra("Notebooks are run by papermill.", hint="pip install 'flyball[notebook]'")
        run = find_run()
        code = Path(run.services.project_root) if run else Path.cwd()
        if not (code / self.path).is_file():
            raise InvalidInput(f"The project has no notebook '{self.path}'.")
        folder = run.scratch() if run else folder_until_exit()
        (folder / "inputs").mkdir(exist_ok=True)
        (folder / "outputs").mkdir(exist_ok=True)
        written = {output: folder / "outputs" / output for output in self.outputs}
        given = {name: _parameter(name, value, folder / "inputs") for name, value in params.items()}
        given |= {output.partition(".")[0]: str(path) for output, path in written.items()}
        (folder / "params.yaml").write_bytes(to_json(given))  # JSON is YAML
        executed = folder / f"{self.name}.ipynb"
        words = [
            *(sys.executable, "-m", "papermill", str(code / self.path), str(executed)),
            *("-f", str(folder / "params.yaml"), "--no-progress-bar", "--log-output"),
            *(("-k", self.kernel) if self.kernel else ()),
        ]
        try:
            run_program(words, self.name, code)
        finally:
            # Also of a run that failed: it shows in which cell, and what was there by then.
            if run is not None and executed.is_file():
                run.keep_artifact(executed, executed.name, "notebook")
        missing = [output for output, path in written.items() if not path.is_file()]
        if missing:
            name = missing[0].partition(".")[0]
            raise WorkFailed(
                f"The notebook ended well and did not write '{missing[0]}'.",
                hint=f"Let it write to the path in its variable `{name}`.",
            )
        found = tuple(written.values()) or (executed,)
        return found if len(found) > 1 else found[0]


def notebook(
    path: str, *, outputs: Sequence[str] = (), kernel: str = "", **options: Unpack[StepOptions]
) -> NotebookStep:
    """Makes a step of a notebook: `report = fb.notebook("report.ipynb")`, then `report(rows=rows, year=2013)` in a pipeline.

    The arguments replace the values in the cell tagged `parameters`. Numbers, texts, lists and dicts are given as they are; a
    table, or anything else that was kept, as the path of a file (a table as Parquet). For each name in `outputs`, such as
    `model.pkl`, a variable `model` holds the path to write it to. The step gives these files as `Path`s, several as a tuple;
    without any it gives the executed notebook, which is kept with the step's run in either case.

    Args:
        path: The notebook, relative to the project; the step runs again when it changes.
        outputs: Names of the files that it writes.
        kernel: Name of the Jupyter kernel; the notebook's own by default.
        **options: As for `step`; the name is that of the file by default.

    Raises:
        InvalidInput: the path is none of a notebook in the project, or an output has no usable name.
    """
    return NotebookStep(path, outputs=outputs, kernel=kernel, **options)


def _parameter(name: str, value: object, folder: Path) -> object:
    if value is None or isinstance(value, bool | int | float | str | list | dict):
        return value
    return str(write_value(value, folder, name))
