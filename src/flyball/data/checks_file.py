"""Checks in a file: read from YAML, written as YAML or as Python.

    checks:
      - not_null: origin
      - unique: [flight_id]
      - in_range: {column: distance, low: 1, high: 6000, severity: warn}
      - row_count: {low: 1}

A name is that of a function of `flyball.expect` (or of a check of one's own), what stands behind it are its arguments.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from flyball.data import expect
from flyball.data.checks.base import CHECKS, CheckSpec, check_of
from flyball.errors import FlyballError, InvalidInput, MissingExtra, NotFound, did_you_mean
from flyball.serialization import to_json

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Suggestion:
    """A check that is proposed, and why."""

    check: CheckSpec
    reason: str


def read_checks(path: Path) -> list[CheckSpec]:
    """The checks in a YAML file.

    Raises:
        InvalidInput: it cannot be read; the message names the line.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise InvalidInput(f"'{path.name}' cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise InvalidInput(f"'{path.name}' is not UTF-8.", hint="Save it as UTF-8.") from error
    return parse_checks(text, path.name)


def parse_checks(text: str, name: str = "checks.yaml") -> list[CheckSpec]:
    """The checks that a YAML text describes.

    Raises:
        InvalidInput: it cannot be read; the message names the line.
    """
    try:
        import yaml
    except ImportError as error:
        raise MissingExtra("Checks in YAML need pyyaml.", hint="pip install 'flyball[data]'") from error
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        plain: Any = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or str(error)
        raise InvalidInput(f"{name}{f', line {mark.line + 1}' if mark else ''}: {problem}.") from error
    if isinstance(plain, dict) and set(plain) == {"checks"}:
        root, plain = root.value[0][1], plain["checks"]
    if not isinstance(plain, list):
        raise InvalidInput(f"{name} holds no list of checks.", hint="Begin with 'checks:' and '- not_null: column'.")
    found = []
    for node, item in zip(root.value, plain, strict=True):
        try:
            found.append(_check(item))
        except FlyballError as error:
            message = f"{name}, line {node.start_mark.line + 1}: {error.message}"
            raise InvalidInput(message, hint=error.hint, file=name, line=node.start_mark.line + 1) from error
    return found


def to_yaml(suggestions: Iterable[Suggestion]) -> str:
    """Checks as YAML, each with its reason beside it."""
    lines = ["checks:"]
    for each in suggestions:
        name, arguments = _arguments(each.check)
        if set(arguments) == {"column"}:
            value = _flow(arguments["column"])
        else:
            value = "{" + ", ".join(f"{key}: {_flow(given)}" for key, given in arguments.items()) + "}"
        lines.append(f"  - {name}: {value}{f'  # {each.reason}' if each.reason else ''}")
    return "\n".join(lines) + "\n"


def to_code(suggestions: Iterable[Suggestion], *, title: str = "Checks.") -> str:
    """Checks as a module of Python whose `checks` can be given to `fb.validate`."""
    lines = [f'"""{title}"""', "", "import flyball as fb", "", "checks = ["]
    for each in suggestions:
        name, arguments = _arguments(each.check)
        positional = arguments.pop("columns", None) or ([arguments.pop("column")] if "column" in arguments else [])
        if name == "sql":
            positional = [arguments.pop("where")]
        given = [repr(value) for value in positional] + [f"{key}={value!r}" for key, value in arguments.items()]
        reason = f"  # {each.reason}" if each.reason else ""
        lines.append(f"    fb.expect.{name}({', '.join(given)}),{reason}")
    return "\n".join([*lines, "]", ""])


def _check(item: object) -> CheckSpec:
    if isinstance(item, str):
        item = {item: {}}
    if not isinstance(item, dict) or len(item) != 1:
        raise InvalidInput("A check is one name with its arguments.", hint="Write it as '- not_null: origin'.")
    ((name, given),) = item.items()
    if not isinstance(name, str) or name not in CHECKS.names():
        raise NotFound(f"There is no check '{name}'.", hint=did_you_mean(str(name), CHECKS.names()))
    function = getattr(expect, name, None)
    arguments = _named(name, given, function)
    if function is None:
        own = {key: arguments.pop(key) for key in ("column", "severity") if key in arguments}
        made = CheckSpec(check=name, params=arguments, **own)
    else:
        try:
            columns = arguments.pop("columns", [])
            made = function(*columns, **arguments)
        except TypeError as error:
            raise InvalidInput(f"The check '{name}' {str(error).partition('() ')[2] or error}.") from error
    check_of(made)
    return made


def _named(name: str, given: object, function: Any) -> dict[str, Any]:
    """The arguments by name; one that stands alone is the first."""
    if isinstance(given, dict):
        arguments = {str(key): value for key, value in given.items()}
    elif given is None:
        arguments = {}
    else:
        arguments = {"columns" if name == "unique" else "where" if name == "sql" else "column": given}
    if name == "unique":
        columns = arguments.pop("columns", None) or arguments.pop("column", [])
        arguments["columns"] = [columns] if isinstance(columns, str) else list(columns)
    if function is not None:
        known = [key for key in inspect.signature(function).parameters if key != "columns"]
        for key in arguments:
            if key not in (*known, "columns"):
                raise InvalidInput(f"The check '{name}' takes no '{key}'.", hint=did_you_mean(key, known))
    return arguments


def _arguments(spec: CheckSpec) -> tuple[str, dict[str, Any]]:
    arguments: dict[str, Any] = {}
    params = {key: value for key, value in spec.params.items() if key not in ("now", "before", "code")}
    if spec.check == "unique":
        arguments["columns"] = [spec.column, *params.pop("also", [])]
    elif spec.column:
        arguments["column"] = spec.column
    arguments |= params
    if spec.severity != "fail":
        arguments["severity"] = spec.severity
    return spec.check, arguments


def _flow(value: object) -> str:
    # JSON is YAML, but for keys and words that need no quotes.
    if isinstance(value, str) and value.isascii() and value.replace("_", "a").isalnum() and not _is_a_word(value):
        return value
    return to_json(value).decode()


def _is_a_word(text: str) -> bool:
    return text[0].isdigit() or text.lower() in ("y", "n", "yes", "no", "on", "off", "true", "false", "null")
