"""Copies what one store holds to another, looks whether it arrived, and goes on where it was broken off."""

from __future__ import annotations

import hashlib
import json
import math
import struct
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, Self

from flyball.errors import FlyballError, InvalidInput
from flyball.interchange.mlflow.content import (
    Destination,
    ExperimentContent,
    FileOwner,
    ModelContent,
    RegisteredContent,
    RunContent,
    RunLinks,
    Source,
    VersionContent,
)
from flyball.interchange.mlflow.traces import SOURCE_RUN, mark_of, seen_in
from flyball.storage.objects import digest_file
from flyball.tracking.nouns import Series
from flyball.tracking.trace_nouns import Trace

Progress = Callable[[str, int, int], None]
"""Is told what is being copied, how many of it are done, and how many there are in all (0 where that is not known)."""


@dataclass(slots=True)
class Report:
    """What became of it.

    Attributes:
        copied: How many of each kind were copied; `present`: were there already, unchanged.
        points: Metric points copied. `files`, `size`: files copied, and their bytes.
        verified: Runs, logged models and traces that were read back and are the same.
        problems: What could not be copied, or is not the same, and why.
    """

    copied: dict[str, int] = field(default_factory=dict)
    present: dict[str, int] = field(default_factory=dict)
    points: int = 0
    files: int = 0
    size: int = 0
    verified: int = 0
    problems: list[str] = field(default_factory=list)


@dataclass(slots=True)
class _Seen:
    """What a run or logged model holds, short enough to be kept and compared."""

    points: dict[str, tuple[int, str]] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)


class Journal(AbstractContextManager["Journal"]):
    """Which runs and logged models were copied and verified, and under which ids, in a file of its own."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._done: dict[str, tuple[str, str]] = {}
        if path.exists():
            for line in path.read_text(encoding="utf-8").splitlines():
                try:
                    key, mark, here = json.loads(line)
                except ValueError:
                    continue  # the last line of a process that was killed
                self._done[key] = (mark, here)
        self._file: IO[str] = path.open("a", encoding="utf-8")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def id_of(self, key: str) -> str:
        """The id that it got; empty if it was not copied yet."""
        return self._done.get(key, ("", ""))[1]

    def is_done(self, key: str, mark: str) -> bool:
        """Whether it was copied and has not changed since."""
        return bool(mark) and self._done.get(key, ("", ""))[0] == mark

    def note(self, key: str, mark: str, here: str) -> None:
        """Notes that it was copied."""
        self._done[key] = (mark, here)
        self._file.write(json.dumps([key, mark, here]) + "\n")
        self._file.flush()


class Copy:
    """Copies a store.

    Args:
        experiments: Names of the only experiments to copy; all if there are none. Registered models are copied where all
            are.
    """

    def __init__(
        self,
        source: Source,
        destination: Destination,
        journal: Journal,
        *,
        experiments: Iterable[str] = (),
        progress: Progress | None = None,
    ) -> None:
        self._source = source
        self._destination = destination
        self._journal = journal
        self._only = frozenset(experiments)
        self._tell = progress or (lambda *_: None)
        self._report = Report()

    def run(self) -> Report:
        """Copies all of it."""
        found = [one for one in self._source.experiments() if not self._only or one.name in self._only]
        missing = self._only - {one.name for one in found}
        if missing:
            raise InvalidInput(f"There is no experiment '{min(missing)}' to copy.")
        for place, experiment in enumerate(found):
            self._tell("experiments", place, len(found))
            with _Noted(self._report, f"experiment '{experiment.name}'"):
                self._experiment(experiment)
        self._tell("experiments", len(found), len(found))
        if not self._only:
            for place, model in enumerate(self._source.registered()):
                self._tell("registered models", place + 1, 0)
                with _Noted(self._report, f"registered model '{model.name}'"):
                    self._registered(model)
        self._report.problems += self._source.problems
        return self._report

    def _experiment(self, experiment: ExperimentContent) -> None:
        here = self._destination.open_experiment(experiment)
        _count(self._report.copied, "experiments")
        runs = list(_parents_first(self._source.runs(experiment.id)))
        # Logged models first, so that runs can name those that they made.
        models = list(self._source.models(experiment.id))
        for run in runs:
            if self._is_news(f"run:{run.id}", run.mark, "runs"):
                with _Noted(self._report, f"run '{run.id}'"):
                    opened = self._destination.open_run(run, here, self._run_here(run.parent))
                    self._journal.note(f"run:{run.id}", "", opened)
        for model in models:
            mark = model.status if model.status in ("ready", "failed") else ""
            if self._is_news(f"model:{model.id}", mark, "logged models"):
                with _Noted(self._report, f"logged model '{model.id}'"):
                    self._model(model, here, mark)
        for place, run in enumerate(runs):
            self._tell(f"runs of {experiment.name}", place, len(runs))
            if not self._journal.is_done(f"run:{run.id}", run.mark):
                with _Noted(self._report, f"run '{run.id}'"):
                    self._run(run, here)
        self._tell(f"runs of {experiment.name}", len(runs), len(runs))
        self._traces(experiment, here, runs)
        self._destination.close_experiment(experiment, here)

    def _traces(self, experiment: ExperimentContent, here: str, runs: list[RunContent]) -> None:
        count = 0
        for trace in self._source.traces(experiment.id):
            count += 1
            self._tell(f"traces of {experiment.name}", count, 0)
            if self._is_news(f"trace:{trace.id}", mark_of(trace), "traces"):
                with _Noted(self._report, f"trace '{trace.id}'"):
                    self._trace(trace, here)
        for run in runs if count else ():
            tied = self._source.traces_of_run(run)
            if tied and self._run_here(run.id):
                with _Noted(self._report, f"traces of run '{run.id}'"):
                    self._destination.tie_traces(self._run_here(run.id), tied)

    def _trace(self, trace: Trace, experiment: str) -> None:
        metadata = dict(trace.metadata)
        if SOURCE_RUN in metadata:
            metadata[SOURCE_RUN] = self._run_here(metadata[SOURCE_RUN]) or metadata[SOURCE_RUN]
        judged = [replace(one, run=self._run_here(one.run) or one.run) for one in trace.assessments]
        whole = replace(trace, metadata=metadata, assessments=judged, spans=self._source.spans(trace))
        back = self._destination.put_trace(whole, experiment)
        _count(self._report.copied, "traces")
        for kind, found in (("spans", whole.spans), ("assessments", whole.assessments)):
            if found:
                self._report.copied[kind] = self._report.copied.get(kind, 0) + len(found)
        for kind, wanted, kept in zip(("spans", "assessments"), seen_in(whole), seen_in(back), strict=True):
            if wanted != kept:
                self._report.problems.append(
                    f"trace '{trace.id}': not the same after copying: {len(kept)} of {len(wanted)} {kind}."
                )
                return
        self._report.verified += 1
        self._journal.note(f"trace:{trace.id}", mark_of(trace), trace.id)

    def _is_news(self, key: str, mark: str, kind: str) -> bool:
        if self._journal.is_done(key, mark):
            _count(self._report.present, kind)
            return False
        return True

    def _run_here(self, run: str) -> str:
        return self._journal.id_of(f"run:{run}") if run else ""

    def _run(self, run: RunContent, experiment: str) -> None:
        here = self._run_here(run.id)
        if not here:
            return  # it could not be made, which was said
        points = _Points()
        for series in self._source.series(run):
            self._destination.append(here, [series])
            points.add(series)
        links = self._source.links(run)
        self._destination.link(here, self._links_here(links))
        files = self._files("run", run, here)
        self._destination.close_run(run, here)
        self._report.points += points.count
        # Read back as what it is here, under the id that it has here.
        back = replace(run, id=here, experiment=experiment, artifacts=self._artifacts_here("run", here))
        reread = _Points()
        for series in self._destination.reader.series(back):
            reread.add(series)
        wanted, found = _Seen(points.seen(), files), _Seen(reread.seen(), self._files_here("run", back, files))
        self._compare(f"run '{run.id}'", wanted, found)
        _count(self._report.copied, "runs")
        self._journal.note(f"run:{run.id}", run.mark, here)

    def _model(self, model: ModelContent, experiment: str, mark: str) -> None:
        run = self._run_here(model.run)
        here = self._destination.put_model(model, experiment, run or model.run)
        files = self._files("model", model, here)
        metrics = [replace(metric, run=self._run_here(metric.run) or metric.run) for metric in model.metrics]
        self._destination.close_model(replace(model, metrics=metrics), here)
        back = replace(model, id=here, experiment=experiment, artifacts=self._artifacts_here("model", here))
        self._compare(
            f"logged model '{model.id}'", _Seen(files=files), _Seen(files=self._files_here("model", back, files))
        )
        _count(self._report.copied, "logged models")
        self._journal.note(f"model:{model.id}", mark, here)

    def _registered(self, model: RegisteredContent) -> None:
        self._destination.put_registered(model)
        _count(self._report.copied, "registered models")
        for version in self._source.versions(model.name):
            with _Noted(self._report, f"version {version.number} of '{model.name}'"):
                is_new = self._destination.put_version(self._version_here(version))
                _count(self._report.copied if is_new else self._report.present, "versions")
        self._destination.put_aliases(model)

    def _version_here(self, version: VersionContent) -> VersionContent:
        run = self._run_here(version.run) or version.run
        model = self._journal.id_of(f"model:{version.logged_model}") or version.logged_model
        source = version.source
        if source.startswith("models:/m-"):
            source = f"models:/{self._journal.id_of(f'model:{source[8:]}') or source[8:]}"
        elif source.startswith("runs:/"):
            of, _, path = source[6:].partition("/")
            source = f"runs:/{self._run_here(of) or of}/{path}".rstrip("/")
        return replace(version, run=run, logged_model=model, source=source)

    def _links_here(self, links: RunLinks) -> RunLinks:
        def model(one: str) -> str:
            return self._journal.id_of(f"model:{one}") or one

        outputs = [(model(one), step) for one, step in links.outputs]
        return RunLinks(datasets=links.datasets, models=[model(one) for one in links.models], outputs=outputs)

    def _files(self, owner: FileOwner, of: RunContent | ModelContent, here: str) -> dict[str, str]:
        """Copies the files; gives their digests by name."""
        copied: dict[str, str] = {}
        with tempfile.TemporaryDirectory(prefix="flyball-copy-") as folder:
            target = Path(folder) / "file"
            for found in self._source.files(owner, of):
                self._source.fetch(owner, of, found.name, target)
                copied[found.name] = digest_file(target)
                if found.digest and found.digest != copied[found.name]:
                    self._report.problems.append(f"{of.id}: '{found.name}' is not what was kept.")
                self._destination.put_file(owner, here, found.name, target)
                self._report.files += 1
                self._report.size += target.stat().st_size
        return copied

    def _files_here(self, owner: FileOwner, of: RunContent | ModelContent, wanted: dict[str, str]) -> dict[str, str]:
        """The digests of the files that were copied, as they lie there now."""
        reader, found = self._destination.reader, {}
        with tempfile.TemporaryDirectory(prefix="flyball-verify-") as folder:
            target = Path(folder) / "file"
            for file in reader.files(owner, of):
                if file.name not in wanted:
                    continue
                if not file.digest:
                    reader.fetch(owner, of, file.name, target)
                found[file.name] = file.digest or digest_file(target)
        return found

    def _artifacts_here(self, owner: FileOwner, here: str) -> str:
        place = getattr(self._destination, "artifacts_of", None)
        return place(owner, here) if place is not None else ""

    def _compare(self, what: str, wanted: _Seen, found: _Seen) -> None:
        wrong = [f"metric '{key}'" for key, seen in wanted.points.items() if found.points.get(key) != seen]
        wrong += [f"file '{name}'" for name, digest in wanted.files.items() if found.files.get(name) != digest]
        if wrong:
            more = f" and {len(wrong) - 3} more" if len(wrong) > 3 else ""
            self._report.problems.append(f"{what}: not the same after copying: {', '.join(wrong[:3])}{more}.")
        else:
            self._report.verified += 1


class _Points:
    """Points of metrics, each counted once, whatever order they come in."""

    def __init__(self) -> None:
        self._points: dict[str, set[tuple[int, int, float]]] = {}

    def add(self, series: Series) -> None:
        mine = self._points.setdefault(series.key, set())
        for step, micros, value in zip(series.steps, series.times, series.values, strict=True):
            # As MLflow tells them apart: to the millisecond.
            mine.add((step, micros // 1000, math.inf if value is None else value + 0.0))

    @property
    def count(self) -> int:
        return sum(map(len, self._points.values()))

    def seen(self) -> dict[str, tuple[int, str]]:
        return {key: (len(points), _digest(points)) for key, points in self._points.items() if points}


def _digest(points: set[tuple[int, int, float]]) -> str:
    hashed = hashlib.sha256()
    for point in sorted(points):
        hashed.update(struct.pack("<qqd", *point))
    return hashed.hexdigest()


class _Noted(AbstractContextManager[None]):
    """What goes wrong with one thing is noted, and the next one follows."""

    def __init__(self, report: Report, what: str) -> None:
        self._report = report
        self._what = what

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> bool:
        if not isinstance(error, FlyballError) or error.code == "server_unreachable":
            return False
        hint = f" {error.hint}" if error.hint else ""
        self._report.problems.append(f"{self._what}: {error.message}{hint}")
        return True


def _count(counts: dict[str, int], kind: str) -> None:
    counts[kind] = counts.get(kind, 0) + 1


def _parents_first(runs: Iterable[RunContent]) -> Iterator[RunContent]:
    waiting = {run.id: run for run in sorted(runs, key=lambda run: (run.started, run.id))}
    while waiting:
        chain = [next(iter(waiting.values()))]
        while chain[-1].parent in waiting and chain[-1].parent not in {run.id for run in chain}:
            chain.append(waiting[chain[-1].parent])
        for run in reversed(chain):
            if run.id in waiting:
                yield waiting.pop(run.id)
