"""What is different between runs: params, metrics, tags, data, environment, and the code line by line."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from flyball.errors import FlyballError
from flyball.lineage import Lineage
from flyball.refs import Ref
from flyball.serialization import from_json
from flyball.storage.objects import Blobs, check_digest
from flyball.tracking.inputs import RunInputs
from flyball.tracking.limits import ParamValue
from flyball.tracking.runs import Run

_LARGEST_FILE = 400_000
_LONGEST_DIFF = 4_000
_MOST_DIFFS = 200
_LESS = {
    *(
        "bler",
        "brier",
        "cer",
        "cost",
        "deviance",
        "ece",
        "error",
        "fid",
        "hinge",
        "latency",
        "logloss",
        "loss",
        "mae",
        "mape",
    ),
    *("medae", "mse", "ms", "nll", "perplexity", "rmse", "rmsle", "runtime", "seconds", "smape", "time", "wer"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ParamDifference:
    """A param, or a part of the environment, that is not the same in all runs; None where a run has none."""

    key: str
    values: list[ParamValue]


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricDifference:
    """A metric of the runs.

    Attributes:
        values: The latest of each run; None where it is undefined or missing.
        direction: Whether more is better (`max`) or less (`min`), as the name tells.
        best: Which runs have the best value, by their place.
    """

    key: str
    values: list[float | None]
    direction: Literal["max", "min"]
    best: list[int]


@dataclass(frozen=True, slots=True, kw_only=True)
class FileDifference:
    """A file of the code that is not the same in the first run and in another.

    Attributes:
        diff: Its lines in the form of `diff -u`; empty where it is no text, or too long.
    """

    path: str
    change: Literal["added", "removed", "changed"]
    diff: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeDifference:
    """How the code of a run differs from that of the first one.

    Attributes:
        code: Digest of the run's code snapshot, or a commit.
        known: Whether both codes are kept, so that their files could be compared.
    """

    run: str
    code: str
    known: bool
    files: list[FileDifference] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class DataDifference:
    """The state of some data in each run: a version, a digest; None where a run does not use it.

    Attributes:
        name: A reference without its version, such as `snapshots:/orders`, or the name of a logged data set.
    """

    name: str
    states: list[str | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunComparison:
    """What is different between runs.

    Attributes:
        runs: The runs, in the order they were asked for; lists of values below are in that order.
        params: Those that differ; `same_params` are those that do not.
        metrics: All of them, since equal ones count as well.
        code: For each run but the first whose code is another.
    """

    runs: list[Run]
    params: list[ParamDifference]
    same_params: dict[str, ParamValue]
    metrics: list[MetricDifference]
    tags: list[ParamDifference]
    environment: list[ParamDifference]
    data: list[DataDifference]
    code: list[CodeDifference]


def compare_runs(runs: Sequence[Run], blobs: Blobs, lineage: Lineage, inputs: RunInputs) -> RunComparison:
    """What is different between runs; the code of each is compared with that of the first."""
    params, same = _differences([run.params for run in runs])
    tags, _ = _differences([run.tags for run in runs])
    environment, _ = _differences([run.environment for run in runs])
    files = _FilesOf(blobs)
    code = [_code(runs[0], run, files) for run in runs[1:] if run.code != runs[0].code]
    return RunComparison(
        runs=list(runs),
        params=params,
        same_params=same,
        metrics=_metrics([run.metrics for run in runs]),
        tags=tags,
        environment=environment,
        data=_data(runs, lineage, inputs),
        code=code,
    )


def is_better_when_less(metric: str) -> bool:
    """Whether a metric's name says that less of it is better.

    >>> is_better_when_less("val/log_loss"), is_better_when_less("accuracy"), is_better_when_less("timeliness")
    (True, False, False)
    """
    return not _LESS.isdisjoint(re.split(r"[^a-z]+", re.sub(r"(?<=[a-z])(?=[A-Z])", "_", metric).lower()))


def _differences(given: Sequence[Mapping[str, ParamValue]]) -> tuple[list[ParamDifference], dict[str, ParamValue]]:
    found, same = [], {}
    for key in _keys(given):
        values = [values.get(key) for values in given]
        missing = any(key not in values for values in given)
        # True == 1 in Python, so the type counts as well.
        if missing or any((type(value), value) != (type(values[0]), values[0]) for value in values):
            found.append(ParamDifference(key=key, values=values))
        else:
            same[key] = values[0]
    return found, same


def _metrics(given: Sequence[Mapping[str, float | None]]) -> list[MetricDifference]:
    found = []
    for key in _keys(given):
        values = [values.get(key) for values in given]
        less = is_better_when_less(key)
        known = [value for value in values if value is not None]
        best = (min(known) if less else max(known)) if known else None
        places = [place for place, value in enumerate(values) if value is not None and value == best]
        found.append(MetricDifference(key=key, values=values, direction="min" if less else "max", best=places))
    return found


def _data(runs: Sequence[Run], lineage: Lineage, inputs: RunInputs) -> list[DataDifference]:
    logged = {found.run: found.datasets for found in inputs.get([run.id for run in runs])}
    states: list[dict[str, str]] = []
    for run in runs:
        mine: dict[str, set[str]] = {}
        for dataset in logged.get(run.id, ()):
            mine.setdefault(dataset.name, set()).add(dataset.digest)
        for source in _sources(run.id, lineage):
            if source.kind in ("snapshots", "datasets", "features"):
                mine.setdefault(f"{source.kind}:/{source.name}", set()).add(source.version or source.alias)
        states.append({name: ", ".join(sorted(found)) for name, found in mine.items()})
    rows = [DataDifference(name=name, states=[state.get(name) for state in states]) for name in _keys(states)]
    return [row for row in rows if len(set(row.states)) > 1]


def _sources(run: str, lineage: Lineage) -> set[Ref]:
    """What a run used, and what was used for the models that it made."""
    ref = f"runs:/{run}"
    made = [edge.target for edge in lineage.downstream(ref, 1) if edge.relation == "produced"]
    edges = [edge for thing in (ref, *made) for edge in lineage.upstream(thing, 1)]
    return {Ref.parse(edge.source) for edge in edges}


class _FilesOf:
    """The files of code snapshots, each list read once."""

    def __init__(self, blobs: Blobs) -> None:
        self._blobs = blobs
        self._known: dict[str, dict[str, str] | None] = {}

    def listed(self, code: str) -> dict[str, str] | None:
        """Digest of each file by its path; None where the code is not kept."""
        if code not in self._known:
            self._known[code] = self._read(code)
        return self._known[code]

    def text(self, name: str | None) -> list[str] | None:
        """The lines of a file; None where it is no text, or too long."""
        if name is None:
            return []
        try:
            if self._blobs.size(name) > _LARGEST_FILE:
                return None
            return self._blobs.get(name).decode("utf-8").splitlines(keepends=True)
        except (FlyballError, UnicodeDecodeError):
            return None

    def _read(self, code: str) -> dict[str, str] | None:
        try:
            return from_json(self._blobs.get(check_digest(code)), dict[str, str])
        except FlyballError:  # no code, the name of a commit, or a snapshot that is gone
            return None


def _code(first: Run, run: Run, files: _FilesOf) -> CodeDifference:
    old, new = files.listed(first.code), files.listed(run.code)
    if old is None or new is None:
        return CodeDifference(run=run.id, code=run.code, known=False)
    changed = [path for path in _keys([old, new]) if old.get(path) != new.get(path)]
    found = []
    for place, path in enumerate(changed):
        change: Literal["added", "removed", "changed"] = (
            "added" if path not in old else "removed" if path not in new else "changed"
        )
        diff = _diff(path, old.get(path), new.get(path), files.text) if place < _MOST_DIFFS else ""
        found.append(FileDifference(path=path, change=change, diff=diff))
    return CodeDifference(run=run.id, code=run.code, known=True, files=found)


def _diff(path: str, old: str | None, new: str | None, text: Callable[[str | None], list[str] | None]) -> str:
    before, after = text(old), text(new)
    if before is None or after is None or len(before) + len(after) > _LONGEST_DIFF:
        return ""
    return "".join(
        line if line.endswith("\n") else f"{line}\n" for line in difflib.unified_diff(before, after, path, path)
    )


def _keys(given: Iterable[Mapping[str, Any]]) -> list[str]:
    return sorted({key for values in given for key in values})
