"""A workspace for tests that is thrown away, and the project's data in it, whole or as a sample."""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from flyball.data.dataset import Dataset
from flyball.data.manifest import Snapshot
from flyball.data.pinned import PinnedData
from flyball.data.snapshot import load_snapshot, take_snapshot
from flyball.data.table import Table, read_table
from flyball.errors import NotFound, WorkFailed
from flyball.models.explaining import spread
from flyball.models.package import LoadedModel, load_model
from flyball.pipelines.code_snapshot import Project, snapshot_code
from flyball.pipelines.engine import run_pipeline
from flyball.pipelines.pipeline import Pipeline
from flyball.pipelines.result import PipelineResult
from flyball.registry.versions import ModelVersion
from flyball.run_services import RunServices
from flyball.settings import Settings
from flyball.workspace import Workspace

if TYPE_CHECKING:
    import pyarrow as pa


class _SampledData(PinnedData):
    """The catalog in which the datasets hold a sample; what is not sampled is read whole."""

    def __init__(self, data: Any, snapshots: dict[str, Snapshot], read: Any) -> None:
        super().__init__(data, snapshots)
        self._read = read

    def get_snapshot(self, dataset: str, version: str = "latest", as_of: Any = None) -> Snapshot:
        """The sample, or all there is."""
        try:
            return super().get_snapshot(dataset, version, as_of)
        except NotFound:
            found: Snapshot = self._read(dataset)
            return found

    def declare(self, dataset: Dataset) -> Dataset:
        """Takes the declaration, of this workspace's own catalog."""
        declared: Dataset = self._data.declare(dataset)
        return declared


class _Sampled:
    """A workspace whose datasets are samples."""

    def __init__(self, workspace: Workspace, data: PinnedData) -> None:
        self._workspace = workspace
        self.data = data

    def __getattr__(self, name: str) -> Any:
        return getattr(self._workspace, name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tested:
    """A model under test.

    Attributes:
        version: As it was registered.
        held: The rows that were held out, with their label; None where none are kept.
    """

    version: ModelVersion
    model: LoadedModel
    held: Table | None

    @property
    def inputs(self) -> pa.Table:
        """The held-out rows, as the model takes them.

        Raises:
            WorkFailed: none are kept.
        """
        if self.held is None:
            raise WorkFailed(
                f"Of {self.version.model} {self.version.version} no rows are kept to try it on.",
                hint="Hand what fb.evaluate gave to fb.register.",
            )
        return self.held.arrow.select(list(self.model.signature.inputs.names))


class Scratch:
    """What tests of a project run in; a `with` block throws it away at its end.

    Args:
        settings: Of the project.
        project: The project, loaded.
        outer: The workspace of the project, in which models by name and datasets without a source are found.
        sample: Rows of each dataset where models are trained; 0 for all.
    """

    def __init__(self, settings: Settings, project: Project, outer: Any, *, sample: int = 0) -> None:
        self._settings = settings
        self._project = project
        self._outer = outer
        self._sample = sample
        self._stack = ExitStack()
        self._trained: dict[str, Tested] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @cached_property
    def workspace(self) -> Workspace:
        """An empty workspace, made when it is first asked for."""
        folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="flyball-test-")))
        settings = replace(
            self._settings, workspace=folder, database=f"sqlite:///{folder / 'flyball.db'}", objects=str(folder / "objects"),
            url="",
        )  # fmt: skip
        return self._stack.enter_context(Workspace(settings, durable=False))

    def rows(self, dataset: Dataset, most: int = 0) -> Table:
        """The rows of a dataset as they are now, or at most so many, evenly from the first to the last."""
        table = load_snapshot(self.workspace.blobs, self._snapshot(dataset))
        kept = spread(table, most) if most else table
        return Table(kept, **{role: name for role, name in dataset.roles.items() if name in kept.column_names})

    def run(
        self, pipeline: Pipeline[..., Any], params: dict[str, Any] | None = None, *, sample: int = 0
    ) -> PipelineResult:
        """Runs a pipeline on the project's data, or on a sample of each dataset."""
        here = self.workspace
        root = self._settings.root
        data: Any = here.data
        if sample:
            declared = {item.name: item for item in self._project.declarations if isinstance(item, Dataset)}
            taken = {name: self._sampled(dataset, sample) for name, dataset in declared.items()}
            data = _SampledData(here.data, taken, lambda name: self._snapshot(here.data.get(name)))
        else:
            for item in self._project.declarations:
                if isinstance(item, Dataset) and not item.source:
                    self._snapshot(item)
        services = RunServices(
            workspace=_Sampled(here, data),
            project_root=root,
            source_root=root,
            code=snapshot_code(root, here.blobs).digest,
        )
        return run_pipeline(pipeline, params, services=services)

    def model(self, subject: Pipeline[..., Any] | str) -> Tested:
        """The newest version of a name, or the one that a pipeline registers; each is made once.

        Raises:
            NotFound: there is no version of that name.
            WorkFailed: the pipeline registers none.
        """
        name = subject if isinstance(subject, str) else subject.name
        key = f"{type(subject).__name__}:{name}"
        if key not in self._trained:
            self._trained[key] = self._named(subject) if isinstance(subject, str) else self._made(subject)
        return self._trained[key]

    def _named(self, name: str) -> Tested:
        found = self._outer.registry.list_versions(name, limit=1) if ":/" not in name and "@" not in name else None
        if found == []:
            raise NotFound(
                f"There is no version of '{name}' to test.",
                hint="Run its pipeline first, or give the pipeline to the test instead of the name.",
            )
        version = found[0] if found else self._outer.registry.get_version(name)
        return _tested(version, self._outer.blobs)

    def _made(self, pipeline: Pipeline[..., Any]) -> Tested:
        result = self.run(pipeline, sample=self._sample)
        found = self.workspace.registry.find_by_run(result.run.id)
        if not found:
            raise WorkFailed(f"The pipeline '{pipeline.name}' registers no model.", hint="Let it end with fb.register.")
        return _tested(found[-1], self.workspace.blobs)

    def _sampled(self, dataset: Dataset, most: int) -> Snapshot:
        rows = self.rows(dataset, most)
        here = self.workspace
        named = replace(dataset, source="", query="", watch="")
        return take_snapshot(here.data, here.blobs, named, rows.arrow, root=self._settings.root)

    def _snapshot(self, dataset: Dataset) -> Snapshot:
        here = self.workspace
        if dataset.source:
            here.data.declare(dataset)
            return take_snapshot(here.data, here.blobs, dataset, root=self._settings.root, cache=here.cache)
        rows = load_snapshot(self._outer.blobs, self._outer.data.get_snapshot(dataset.name))
        return take_snapshot(here.data, here.blobs, dataset, rows, root=self._settings.root)


def _tested(version: ModelVersion, blobs: Any) -> Tested:
    held = read_table(blobs.get(version.holdout)) if version.holdout else None
    return Tested(version=version, model=load_model(version.package, blobs), held=held)
