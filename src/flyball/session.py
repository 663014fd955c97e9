"""What a notebook or script does in the workspace it stands in: runs, logging, snapshots, models, predictions."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flyball.client import RemoteWorkspace, open_workspace
from flyball.data.catalog import Dataset
from flyball.data.snapshot import Snapshot, take_snapshot
from flyball.errors import InvalidInput
from flyball.settings import load_settings
from flyball.tracking.runs import MetricPoint, Run

if TYPE_CHECKING:
    import pyarrow as pa

    from flyball.models.package import LoadedModel
    from flyball.workspace import Workspace

_active: ContextVar[_Active | None] = ContextVar("flyball_active_run", default=None)
_opened: dict[tuple[str, str], Workspace | RemoteWorkspace] = {}


def connect() -> Workspace | RemoteWorkspace:
    """The workspace of the present folder: the server at `FLYBALL_URL`, or the local one in `./.flyball`."""
    settings = load_settings()
    place = (settings.url, str(settings.workspace))
    if place not in _opened:
        _opened[place] = open_workspace(settings)
    return _opened[place]


@contextmanager
def run(
    experiment: str = "default", *, name: str = "", tags: dict[str, str] | None = None, **params: Any
) -> Iterator[Run]:
    """A tracked run around a piece of work; `fb.log` inside it logs to it.

    Args:
        experiment: Name of the experiment.
        name: A name for people.
        tags: Short named texts.
        **params: What the work was given.
    """
    here = connect()
    parent = _active.get()
    started: Run = here.tracking.create_run(
        experiment, name=name, kind="run", parent=parent.run.id if parent else "", params=params, tags=tags
    )
    token = _active.set(_Active(started))
    try:
        yield started
    except BaseException as error:
        here.tracking.finish_run(started.id, state="failed", error=f"{type(error).__name__}: {error}")
        raise
    else:
        here.tracking.finish_run(started.id, state="finished")
    finally:
        _active.reset(token)


def log(
    *,
    step: int | None = None,
    params: dict[str, Any] | None = None,
    tags: dict[str, str] | None = None,
    **metrics: float,
) -> None:
    """Logs metrics, params and tags to the run around it: that of `fb.run`, or the step of a pipeline.

    Args:
        step: Place of the metrics on the run's axis; counted up by itself where it is not given.
        params: What the work was given.
        tags: Short named texts.
        **metrics: Named numbers.

    Raises:
        InvalidInput: there is no run around it, or a metric is no number.
    """
    for key, value in metrics.items():
        try:
            float(value)
        except (TypeError, ValueError):
            raise InvalidInput(f"Metric '{key}' is {value!r}, which is no number.") from None
    from flyball.pipelines.context import find_run

    inside = find_run()
    if inside is not None:
        inside.log(
            params=params or {},
            metrics={key: float(value) for key, value in metrics.items()},
            tags=tags or {},
            step=step,
        )
        return
    active = _active.get()
    if active is None:
        raise InvalidInput("There is no run to log to.", hint="Put it inside `with fb.run():` or a pipeline's step.")
    here = connect()
    at = here.time.now()
    points = [
        MetricPoint(key=key, value=float(value), step=active.next_step(key, step), at=at)
        for key, value in metrics.items()
    ]
    here.tracking.log(active.run.id, params=params, metrics=points, tags=tags)


def snapshot(name: str, data: object = None, *, dataset: Dataset | None = None) -> Snapshot:
    """Takes a snapshot: of a table, a file, a folder or a query's result.

    Args:
        name: Name of the dataset.
        data: A table (pandas, Polars, Arrow, DuckDB), or a path or glob; by default the dataset's declared source.
        dataset: The dataset's declaration, if it is more than a name.
    """
    here = connect()
    source = str(data) if isinstance(data, Path) else data
    return take_snapshot(here.data, here.blobs, dataset or name, source, root=here.project, cache=here.cache)


def load_model(ref: str) -> LoadedModel:
    """A registered model, ready to predict: `fb.load_model("models:/churn@champion").predict(table)`."""
    from flyball.models.package import load_model as load_package

    here = connect()
    return load_package(here.registry.get_version(ref).package, here.blobs)


def predict(ref: str, rows: Any) -> pa.Table:
    """Predictions of a registered model for a table (pandas, Polars, Arrow).

    Args:
        ref: `models:/name@champion` or `models:/name/3`.
        rows: A table with the columns of the model's signature; others are ignored.
    """
    import pyarrow as pa

    return load_model(ref).predict(rows if isinstance(rows, pa.Table) else pa.table(rows))


class _Active:
    def __init__(self, run: Run) -> None:
        self.run = run
        self._steps: dict[str, int] = {}

    def next_step(self, key: str, given: int | None) -> int:
        step = self._steps.get(key, -1) + 1 if given is None else given
        self._steps[key] = step
        return step
