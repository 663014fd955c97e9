"""Why the steps of a run ran, with what has changed in the code since they ran before; and what they printed."""

from __future__ import annotations

import ast
import difflib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from flyball.errors import FlyballError, InvalidInput, did_you_mean
from flyball.pipelines._names import bound_names
from flyball.serialization import from_json
from flyball.storage.objects import Blobs
from flyball.tracking.runs import Run

_CHANGED = re.compile(r"`([^`:]+): ([^`]+)` changed")
_MOST_BEFORE = 50
_MOST_STEPS = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeChange:
    """A piece of code that has changed.

    Attributes:
        file: Its file in the project.
        name: What it is called there.
        diff: The lines, as a unified diff.
    """

    file: str
    name: str
    diff: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StepReason:
    """Why a step ran, or why it did not.

    Attributes:
        cache: `hit`, `miss`, or `off` for a step that runs in every run.
        compared_with: The pipeline's run in which it ran before; empty if there is none.
    """

    step: str
    run: str
    state: str
    cache: str
    reason: str
    compared_with: str = ""
    changes: tuple[CodeChange, ...] = ()


def why_steps(services: Any, run: str, step: str = "") -> tuple[StepReason, ...]:
    """Why each step of a run ran, in the order in which they began.

    Args:
        services: A workspace's `tracking` and `blobs`.
        run: Id of a pipeline's run.
        step: This step alone.

    Raises:
        NotFound: there is no such run.
        InvalidInput: the run has no such step.
    """
    whole: Run = services.tracking.get_run(run)
    return tuple(_reason(services, whole, found) for found in steps_of(services, run, step))


def steps_of(services: Any, run: str, step: str = "") -> list[Run]:
    """The runs of a run's steps, in the order in which they began.

    Raises:
        NotFound: there is no such run.
        InvalidInput: it has no such step.
    """
    services.tracking.get_run(run)
    found = list(reversed(services.tracking.list_runs(parent=run, limit=_MOST_STEPS)))
    if step and all(each.name != step for each in found):
        names = [each.name for each in found]
        raise InvalidInput(f"Run '{run}' has no step '{step}'.", hint=did_you_mean(step, names) if names else "")
    return [each for each in found if step in ("", each.name)]


def log_of(services: Any, step_run: str) -> str:
    """What a step has printed; empty if nothing."""
    for artifact in services.tracking.list_artifacts(step_run):
        if artifact.name == "log.txt":
            text: bytes = services.blobs.get(artifact.digest)
            return text.decode("utf-8", "replace")
    return ""


def _reason(services: Any, whole: Run, found: Run) -> StepReason:
    reason = found.tags.get("why", "")
    said = _CHANGED.findall(reason)
    before = _before(services, whole, found.name) if said else None
    changes = () if before is None else tuple(_changes(said, before.code, whole.code, services.blobs))
    return StepReason(
        step=found.name,
        run=found.id,
        state=found.state,
        cache=found.tags.get("cache", ""),
        reason=reason,
        compared_with=before.id if before else "",
        changes=changes,
    )


def _before(services: Any, whole: Run, step: str) -> Run | None:
    """The last run before, in which the step ran or was taken from the cache."""
    earlier = services.tracking.list_runs(
        experiment=whole.experiment, kind="pipeline", before=whole.id, limit=_MOST_BEFORE
    )
    for run in earlier:
        if run.code and run.code != whole.code and run.tags.get("pipeline") == whole.tags.get("pipeline"):
            steps = services.tracking.list_runs(parent=run.id, limit=_MOST_STEPS)
            if any(each.name == step and each.state == "finished" for each in steps):
                return run  # type: ignore[no-any-return]  # services are of any kind: local or remote
    return None


def _changes(said: list[tuple[str, str]], before: str, now: str, blobs: Blobs) -> Iterator[CodeChange]:
    try:
        files = [from_json(blobs.get(code), dict[str, str]) for code in (before, now)]
        for file, name in said:
            old, new = (_piece(blobs.get(each[file]).decode(), name) if file in each else "" for each in files)
            lines = difflib.unified_diff(old.splitlines(), new.splitlines(), "before", "now", n=2, lineterm="")
            diff = "\n".join(list(lines)[2:])
            if diff:
                yield CodeChange(file=file, name=name, diff=diff)
    except FlyballError:  # the code of that run is no longer kept
        return


def _piece(text: str, name: str) -> str:
    """The top-level statements of a file that make a name; the whole file where they cannot be told."""
    try:
        body = ast.parse(text).body
    except SyntaxError:
        return text
    pieces = [ast.get_source_segment(text, node) or "" for node in body if name.partition(".")[0] in _made_by(node)]
    return "\n".join(pieces) or text


def _made_by(node: ast.stmt) -> set[str]:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return {node.name}
    if isinstance(node, ast.Assign):
        return {name for target in node.targets for name in bound_names(target)}
    if isinstance(node, ast.AnnAssign | ast.AugAssign):
        return set(bound_names(node.target))
    return set()
