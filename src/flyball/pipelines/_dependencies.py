"""What a call of a step depends on, as a key; and in what two states of it differ."""

from __future__ import annotations

import inspect
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from flyball.pipelines._calls import Call
from flyball.pipelines.cache import CachedStep
from flyball.pipelines.code import CodeKey, ProjectCode, explain
from flyball.pipelines.environments import requirements_of
from flyball.pipelines.materials import fingerprint
from flyball.pipelines.output import handles_in
from flyball.serialization import canonical_json, digest
from flyball.storage.objects import Blobs, digest_file

_MOST_SHOWN = 200


def facts_of(call: Call, *, pipeline: str, run: str, code: ProjectCode, blobs: Blobs, source_root: Path) -> CachedStep:
    """All that a call depends on; its inputs have their values.

    A step that is not cached has a key of its own in each run, so that a run which is taken up again still finds what it
    finished.
    """
    step = call.step

    def code_of(target: Any) -> str:
        return code.key(target).digest if code.is_project(target) else ""

    params: dict[str, str] = {}
    inputs: dict[str, str] = {}
    for name, value in _arguments(call):
        found = fingerprint(value, blobs, code_of=code_of)
        if not isinstance(found, dict) or (isinstance(value, list | tuple | dict) and not any(handles_in(value))):
            params[name] = canonical_json(found).decode()
        else:
            inputs[f"input '{name}'"] = digest(canonical_json(found))
    for script in step.scripts:
        if (code.root / script).is_file():
            inputs[f"`{script}`"] = digest_file(code.root / script)
    for pattern in step.inputs:
        inputs |= _declared_files(pattern, source_root)
    for name in step.environment:
        inputs[f"environment variable {name}"] = digest(os.environ.get(name, "").encode())
    for line in requirements_of(step.packages, code.root):
        inputs[f"package {line}"] = digest(line.encode())
    own = code.key(step)
    parts: list[Any] = [step.name, step.version, own.digest, params, inputs]
    if not step.cache:
        parts += [run, call.name]
    return CachedStep(
        key=digest(canonical_json(parts)),
        pipeline=pipeline,
        step=call.name,
        run=run,
        artifacts=(),
        is_tuple=step.parts is not None,
        code=own.parts,
        params=params,
        inputs=inputs,
        version=step.version,
    )


def _arguments(call: Call) -> Iterator[tuple[str, Any]]:
    """Each argument by its name, those that a step takes by any name too."""
    for name, value in call.bound.arguments.items():
        if call.bound.signature.parameters[name].kind is inspect.Parameter.VAR_KEYWORD:
            yield from value.items()
        else:
            yield name, value


def why(before: CachedStep | None, now: CachedStep) -> str:
    """Why a step has to run: what is different from the last time, in a sentence."""
    if before is None:
        return "it has not run before"
    said = explain(CodeKey(digest="", parts=before.code), CodeKey(digest="", parts=now.code))
    if before.version != now.version:
        said.append(f"its version went from '{before.version}' to '{now.version}'")
    for name in sorted(before.params.keys() | now.params.keys()):
        old, new = before.params.get(name), now.params.get(name)
        if old != new:
            said.append(f"parameter '{name}' went from {_shown(old)} to {_shown(new)}")
    for name in sorted(before.inputs.keys() | now.inputs.keys()):
        old, new = before.inputs.get(name), now.inputs.get(name)
        if old != new:
            said.append(f"{name} {'changed' if old and new else 'is new' if new else 'is gone'}")
    if not said:
        return "what it gave is no longer kept"
    return "; ".join(said[:5]) + (f"; and {len(said) - 5} more" if len(said) > 5 else "")


def _declared_files(pattern: str, root: Path) -> dict[str, str]:
    place = Path(pattern)
    if place.is_absolute():
        found = [place] if place.is_file() else []
    else:
        found = sorted(path for path in root.glob(pattern) if path.is_file())
    if not found:
        return {f"file {pattern}": "missing"}
    return {f"file {_relative(path, root)}": digest_file(path) for path in found}


def _relative(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)


def _shown(text: str | None) -> str:
    if text is None:
        return "nothing"
    return text if len(text) <= _MOST_SHOWN else f"{text[:_MOST_SHOWN]}..."
