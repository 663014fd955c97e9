"""Steps that are commands: a program in any language, with files in and files out."""

from __future__ import annotations

import functools
import inspect
import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Literal, Unpack

from flyball.errors import InvalidInput, WorkFailed
from flyball.pipelines.context import find_run
from flyball.pipelines.exchange import write_value
from flyball.pipelines.programs import folder_until_exit, run_program
from flyball.pipelines.step import Step, StepOptions

_PLACE = re.compile(r"\{(inputs|outputs|params)\.([A-Za-z_]\w*)((?:\.[A-Za-z0-9]+)*)\}")
_LEFT_BRACE = re.compile(r"\{(inputs|outputs|params)\b[^}]*\}?")
_SCRIPT = re.compile(r"(?!-)(?!.*\.\.)[\w./+-]*[\w+-]\.[A-Za-z]\w*")
_TOLD = "command"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A placeholder in a command: `{inputs.rows.csv}` is kind `inputs`, name `rows`, suffix `.csv`."""

    kind: Literal["inputs", "outputs", "params"]
    name: str
    suffix: str = ""


class CommandStep(Step[Any, Any]):
    """A step that runs a program; called outside of a pipeline run it runs it at once.

    Args:
        line: The program and its arguments, with placeholders; a text is split as a shell would, but no shell is run.
        **options: Those of a step.

    Attributes:
        words: Program and arguments.
        places: The placeholders, each once, in the order in which they appear.
    """

    def __init__(self, line: str | Sequence[str], **options: Unpack[StepOptions]) -> None:
        self.words = _words(line)
        self.places = _places(self.words)
        scripts = tuple(dict.fromkeys(word for word in self.words if _SCRIPT.fullmatch(word)))
        self.line = shlex.join(self.words)
        options["name"] = options.get("name") or _name_of(self.words)
        super().__init__(self._run, scripts=scripts, **options)
        self.__doc__ = self.line
        given = [place.name for place in self.places if place.kind != "outputs"]
        kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
        # The command is a parameter too: a changed one runs again, and the reason names it.
        told = inspect.Parameter(_TOLD, inspect.Parameter.KEYWORD_ONLY, default=self.line)
        self.signature = inspect.Signature([*(inspect.Parameter(each, kind) for each in given), told])

    @property
    def outputs(self) -> tuple[Place, ...]:
        """The files that the command writes."""
        return tuple(place for place in self.places if place.kind == "outputs")

    @functools.cached_property
    def parts(self) -> int | None:
        """How many outputs it has, if more than one."""
        return len(self.outputs) if len(self.outputs) > 1 else None

    def __call__(self, *given: Any, **named: Any) -> Any:
        """Runs the command; inside a pipeline run, gives a handle on what it will write."""
        if _TOLD in named:
            raise InvalidInput(f"Step '{self.name}' cannot be given another command.")
        if find_run() is None:
            self._bind(given, named)
        return super().__call__(*given, **named)

    def _bind(self, given: tuple[Any, ...], named: dict[str, Any]) -> dict[str, Any]:
        try:
            return dict(self.signature.bind(*given, **named).arguments)
        except TypeError as error:
            raise InvalidInput(
                f"Step '{self.name}' cannot be called like this: {error}.", hint=f"It runs: {self.line}"
            ) from None

    def _run(self, *given: Any, **named: Any) -> Any:
        values = self._bind(given, named)
        run = find_run()
        code = Path(run.services.project_root) if run else Path.cwd()
        folder = run.scratch() if run else folder_until_exit()
        texts = {place: self._text(place, values, folder) for place in self.places}
        words = [_filled(word, texts) for word in self.words]
        words = [str(code / word) if word in self.scripts and (code / word).is_file() else word for word in words]
        printed = run_program(words, self.name, code, is_result=not self.outputs)
        if not self.outputs:
            return printed
        written = tuple(Path(texts[place]) for place in self.outputs)
        missing = [place for place, path in zip(self.outputs, written, strict=True) if not path.is_file()]
        if missing:
            raise WorkFailed(
                f"The command ended well and did not write {{outputs.{missing[0].name}{missing[0].suffix}}}.",
                hint=f"It was to write it to the path put in its place: {self.line}",
            )
        return written if len(written) > 1 else written[0]

    def _text(self, place: Place, values: dict[str, Any], folder: Path) -> str:
        if place.kind == "outputs":
            (folder / "outputs").mkdir(exist_ok=True)
            return str(folder / "outputs" / f"{place.name}{place.suffix}")
        value = values[place.name]
        if place.kind == "params":
            if isinstance(value, bool | int | float | str):
                return str(value)
            raise InvalidInput(
                f"{{params.{place.name}}} of step '{self.name}' is a {type(value).__name__}.",
                hint=f"A param is a text or a number; write {{inputs.{place.name}.json}} to hand over a file.",
            )
        (folder / "inputs").mkdir(exist_ok=True)
        return str(write_value(value, folder / "inputs", place.name, place.suffix))


def command(line: str | Sequence[str], **options: Unpack[StepOptions]) -> CommandStep:
    """Makes a step of a program in any language: `fb.command("Rscript train.R {inputs.rows} {outputs.model.rds}")`.

    Placeholders are filled with paths and values. The step takes one argument for each of `{inputs.NAME}` and
    `{params.NAME}`, in the order in which they appear, and gives the files `{outputs.NAME}`: a `Path`, a tuple of several,
    or, where there is none, what the program printed.

    - `{inputs.rows}` is a file with the value: a table as Parquet, a file as it is, any other value as JSON. A suffix says
      otherwise: `{inputs.rows.csv}`, `.parquet`, `.arrow`, `.json`, `.jsonl`.
    - `{params.rate}` is a text or a number.
    - `{outputs.model.rds}` is the path of a file `model.rds` that the program shall write.

    A file of the project that the line names, such as `train.R`, belongs to the step's code: it is taken from the code that
    runs, and the step runs again when it changes. The program is started without a shell, in the project's folder.

    Args:
        line: Program and arguments, as a line or a list.
        **options: As for `step`; the name is that of the first script, or of the program, by default.

    Raises:
        InvalidInput: the line is empty, or a placeholder cannot be read.
    """
    return CommandStep(line, **options)


def _words(line: str | Sequence[str]) -> tuple[str, ...]:
    try:
        words = tuple(shlex.split(line) if isinstance(line, str) else map(str, line))
    except ValueError as error:
        raise InvalidInput(f"The command {line!r} cannot be split into words: {error}.") from None
    if not words:
        raise InvalidInput("A command is empty.", hint='Write fb.command("Rscript train.R {inputs.rows}").')
    return words


def _places(words: Sequence[str]) -> tuple[Place, ...]:
    found: dict[tuple[str, str], Place] = {}
    for word in words:
        for match in _LEFT_BRACE.finditer(word):
            read = _PLACE.fullmatch(match[0])
            if read is None:
                raise InvalidInput(
                    f"The placeholder {match[0]} cannot be read.",
                    hint="Write {inputs.rows}, {params.rate}, {outputs.model}.",
                )
            kind, name, suffix = read.groups()
            _check_place(kind, name, suffix, found)
            found.setdefault((kind, name), Place(kind=kind, name=name, suffix=suffix))  # type: ignore[arg-type]  # one of three, by the pattern
    return tuple(found.values())


def _check_place(kind: str, name: str, suffix: str, found: dict[tuple[str, str], Place]) -> None:
    if name == _TOLD:
        raise InvalidInput(f"No placeholder can be called '{_TOLD}'.")
    known = found.get((kind, name))
    if known is not None and known.suffix != suffix:
        raise InvalidInput(f"{{{kind}.{name}}} stands there with two suffixes, '{known.suffix}' and '{suffix}'.")
    other = {"inputs": "params", "params": "inputs"}.get(kind)
    if other and (other, name) in found:
        raise InvalidInput(f"'{name}' is an input and a param of one command.", hint="Give one of them another name.")
    if kind == "params" and suffix:
        raise InvalidInput(f"The param '{name}' has the suffix '{suffix}'.", hint="Only inputs and outputs are files.")


def _name_of(words: Sequence[str]) -> str:
    script = next((word for word in words if _SCRIPT.fullmatch(word)), words[0])
    return re.sub(r"[^A-Za-z0-9_]+", "_", PurePosixPath(script).stem).strip("_") or "command"


def _filled(word: str, texts: dict[Place, str]) -> str:
    by_name = {(place.kind, place.name): text for place, text in texts.items()}
    return _PLACE.sub(lambda match: by_name[match[1], match[2]], word)  # type: ignore[index]  # one of three, by the pattern
