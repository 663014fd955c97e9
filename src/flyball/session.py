"""What a notebook or script does in the workspace it stands in: runs, logging, snapshots, models, predictions."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar, Token
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, cast

from flyball.access.credentials import token_for
from flyball.client import Connection, RemoteObjects, RemoteWorkspace, address_of, open_workspace
from flyball.clock import parse_time
from flyball.data.datasets import Dataset
from flyball.data.snapshot import Service, Snapshot, load_snapshot, take_snapshot
from flyball.data.table import Table
from flyball.errors import InvalidInput
from flyball.pipelines.context import RunContext, find_run
from flyball.principals import machine_user
from flyball.refs import Ref, check_name
from flyball.serialization import digest
from flyball.settings import Settings, load_settings
from flyball.storage.objects import Blobs
from flyball.tracking import provenance
from flyball.tracking.delivery import Services
from flyball.tracking.media import Media
from flyball.tracking.recorder import LiveRun, Recorder, numbers_of
from flyball.tracking.runs import EndState

if TYPE_CHECKING:
    import pyarrow as pa

    from flyball.access.projects import Project
    from flyball.data.checkout import Checkout
    from flyball.data.diff import DataDiff
    from flyball.evaluation.explanation import Explanation
    from flyball.governance.reproduction import Reproduction
    from flyball.model_search.run import AutoMlResult
    from flyball.models.package import LoadedModel
    from flyball.pipelines.pipeline import Pipeline
    from flyball.pipelines.step import Step
    from flyball.tracking.autologging.autolog import Autologging
    from flyball.tracking.frame import RunTable
    from flyball.tuning.tune import StudyResult
    from flyball.workspace import Workspace

_active: ContextVar[ActiveRun | None] = ContextVar("flyball_active_run", default=None)
_opened: dict[tuple[str, str], Workspace | RemoteWorkspace] = {}
_recorders: dict[tuple[str, str, bool], Recorder] = {}
_entered: list[ActiveRun] = []
_inherited: list[object] = []
_opening = threading.Lock()


def connect(url: str | None = None, *, project: str | None = None) -> Workspace | RemoteWorkspace:
    """The workspace of the present folder: the server at `FLYBALL_URL`, or the local one in `./.flyball`.

    Args:
        url: Address of a server; by default what the settings say.
        project: The project of it; by default what the settings say.

    Raises:
        NotFound: the local workspace has no such project.
    """
    return _open(load_settings({"url": url, "project": project}))


def projects() -> list[Project]:
    """The projects that one may enter: `fb.projects()`. `fb.connect(project=name)` opens one."""
    found: list[Project] = connect().projects.list()
    return found


class ActiveRun(LiveRun):
    """A run around a piece of work: `with fb.run() as run:`. It begins when it is made and ends with the block."""

    _token: Token[ActiveRun | None] | None = None

    def __enter__(self) -> Self:
        self.around = find_run()
        outer = _active.get()
        self.root = outer.root if outer is not None else self.id
        self._token = _active.set(self)
        _entered.append(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._token is not None:
            _active.reset(self._token)
            self._token = None
        if self in _entered:
            _entered.remove(self)
        if error is None or (isinstance(error, SystemExit) and not error.code):
            self.finish("finished")
        else:
            state: EndState = "cancelled" if isinstance(error, KeyboardInterrupt) else "failed"
            self.finish(state, f"{type(error).__name__}: {error}")


def run(
    experiment: str = "Default",
    *,
    name: str = "",
    tags: Mapping[str, str] | None = None,
    id: str = "",
    parent: str | LiveRun = "",
    offline: bool | None = None,
    durable: bool = False,
    system_metrics: bool | float = False,
    flush: float = 30.0,
    **params: Any,
) -> ActiveRun:
    """A tracked run around a piece of work; `fb.log` inside it logs to it.

    What is logged goes to a file first and is sent from there in the background, so a call takes microseconds, and what
    was logged survives the death of this process or of the server; `flyball sync` sends what was left.

    Args:
        experiment: Name of the experiment.
        name: A name for people.
        tags: Short named texts.
        id: Takes this run up again, or joins it while it is running; one that is not there is begun under this id.
        parent: The run that it is part of; by default the run around it.
        offline: Sends nothing; `flyball sync` does that later.
        durable: Each call waits for the disk, so that even a power cut loses nothing.
        system_metrics: Logs the machine's load every so many seconds; True for every 10.
        flush: Seconds to wait at the end until all is kept; what is left then is sent later.
        **params: What the work was given.

    Raises:
        InvalidInput: a name or value cannot be used.
        Conflict: the run of that id cannot be taken up.
    """
    settings, inside, outer = load_settings(), find_run(), _active.get()
    shared = os.environ.get("FLYBALL_RUN", "") if outer is None and inside is None else ""
    join = bool(shared) and id in ("", shared)
    if not parent and not join:
        parent = outer or (inside.run.id if inside is not None else "")
    started = ActiveRun(
        _recorder(settings, offline=bool(offline)),
        experiment,
        name=name,
        tags=tags,
        params=_loggable(params),
        id=shared if join else id,
        parent=parent.id if isinstance(parent, LiveRun) else parent,
        environment={} if join else provenance.environment(),
        code="" if join else provenance.commit(settings.root),
        user=machine_user(),
        join=join,
        durable=durable,
        flush=flush,
    )
    if id and not join:
        started.wait_until_begun(10.0)
    if system_metrics:
        started.sample_system(10.0 if system_metrics is True else system_metrics)
    return started


def log(
    *,
    step: int | None = None,
    params: Mapping[str, Any] | None = None,
    tags: Mapping[str, str] | None = None,
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
    active = _active.get()
    if active is not None and not params and not tags and active.around is find_run():
        active.log_metrics(metrics, step)
        return
    _target().log(step=step, params=None if params is None else _loggable(params), tags=tags, **metrics)


def log_metrics(metrics: Mapping[str, float], step: int | None = None) -> None:
    """Logs metrics whose names are no Python names, such as `loss/train`, to the run around it."""
    _target().log_metrics(metrics, step)


def log_artifact(path: str | os.PathLike[str], name: str = "", kind: str = "file") -> None:
    """Keeps a file (or all files of a folder) as it is now; see `Media.log_artifact`."""
    _target().log_artifact(path, name, kind)


def log_artifacts(folder: str | os.PathLike[str], name: str = "", kind: str = "file") -> None:
    """Keeps all files of a folder; `name` is put before their names."""
    _target().log_artifacts(folder, name, kind)


def download_artifacts(run: str, to: str | os.PathLike[str] | None = None, name: str = "") -> list[Path]:
    """Fetches what a run left behind, as files in a folder; gives their paths.

    Args:
        run: Id of the run.
        to: The folder; by default one that is called as the run.
        name: Only the artifact of this name, and what lies below it as a folder.

    Raises:
        NotFound: there is no such run, or it left nothing of that name behind.
    """
    from flyball.tracking.downloads import download_artifacts as download

    return download(connect(), run, Path(run if to is None else to), prefix=name)


def log_text(text: str, name: str) -> None:
    """Keeps a text as a file."""
    _target().log_text(text, name)


def log_table(table: Any, name: str = "table") -> None:
    """Keeps a table (pandas, Polars, Arrow, or columns by name) as a Parquet file."""
    _target().log_table(table, name)


def log_figure(figure: Any, name: str = "figure", *, step: int | None = None) -> None:
    """Keeps a figure of matplotlib or Plotly."""
    _target().log_figure(figure, name, step=step)


def log_image(image: Any, name: str = "image", *, step: int | None = None) -> None:
    """Keeps an image, of Pillow or an array, as PNG."""
    _target().log_image(image, name, step=step)


def log_audio(samples: Any, name: str = "audio", *, rate: int = 44_100, step: int | None = None) -> None:
    """Keeps sound, an array of samples, as WAV."""
    _target().log_audio(samples, name, rate=rate, step=step)


def log_notes(text: str) -> None:
    """Sets the notes of the run, in Markdown."""
    _target().log_notes(text)


def log_model(model: object, example: Any, name: str = "model", *, register_as: str = "") -> None:
    """Keeps a fitted model with its signature, as files of the run around it.

    Args:
        model: A model that a flavor knows: an estimator of scikit-learn, or a function that takes an Arrow table.
        example: A few input rows: a table (pandas, Polars, Arrow) or an array.
        name: Folder of its files in the run.
        register_as: Registers it as the next version of this model as well.

    Raises:
        InvalidInput: no flavor keeps the model, or the example does not fit it.
    """
    from flyball.models.package import save_model
    from flyball.serialization import to_json, to_plain

    run, copies = _target(), _Copies()
    package = save_model(model, cast("Blobs", copies), example=_example_table(example))
    files = {f"{name}/{path}": found for path, found in package.files.items()}
    if package.input_example:
        files[f"{name}/input_example.arrow"] = package.input_example
    for path, name_of_bytes in files.items():
        run.keep_artifact(copies.data[name_of_bytes], path, "model")
    run.keep_artifact(to_json(package), f"{name}/package.json", "model")
    if register_as and isinstance(run, StepRun):
        raise InvalidInput("A step does not register by itself.", hint="Use fb.register in the pipeline.")
    if register_as and isinstance(run, LiveRun):
        check_name(register_as, "model")
        given = {"model": register_as, "package": to_plain(package), "run": run.id}
        run.call("registry", "register", given)


def autolog(*libraries: str, models: bool = True, register_as: str = "") -> Autologging:
    """Logs what training libraries do from now on, to the run around it or else to one for each training.

    Args:
        *libraries: Which: sklearn, xgboost, lightgbm, lightning, keras, transformers; all of them by default. None is
            imported before you do it.
        models: Whether fitted models are kept as well.
        register_as: Registers each model of scikit-learn that is kept as the next version of this model.

    Returns:
        What switches it off: by `undo()`, or at the end of a `with` block.

    Raises:
        InvalidInput: there is no such library.
    """
    from flyball.tracking.autologging.autolog import Autologging
    from flyball.tracking.autologging.trainings import Trainings

    def keep(_: Any, model: object, example: object) -> None:
        log_model(model, example, register_as=register_as)

    trainings = Trainings(
        find=_find_target,
        begin=lambda name: run(name=name),
        keep_model=keep,
        log_models=models,
    )
    return Autologging(libraries, trainings)


def active_run() -> LiveRun | StepRun | None:
    """The run that `fb.log` would log to here; None if there is none."""
    return _find_target()


def runs(
    filter: str = "",
    *,
    experiments: Sequence[str] = (),
    order_by: Sequence[str] = (),
    columns: Sequence[str] | None = None,
    limit: int = 10_000,
) -> RunTable:
    """The runs that fit a filter, as a table: `fb.runs("metrics.loss < 0.5").to_pandas()`; also `.arrow`, `.to_polars()`.

    Args:
        filter: Such as `params.depth = '5' AND metrics.accuracy > 0.9`; empty for all.
        experiments: Names or ids; empty for all.
        order_by: Such as `metrics.accuracy DESC`; by default the newest come first.
        columns: Such as `name`, `params.depth`, `metrics.accuracy`; by default all that there are.
        limit: At most this many runs.

    Raises:
        InvalidInput: the filter or an order is not understood.
    """
    from flyball.tracking.frame import runs_table

    return runs_table(
        connect().run_search, filter, experiments=experiments, order_by=order_by, columns=columns, limit=limit
    )


def snapshot(name: str, data: object = None, *, dataset: Dataset | None = None, branch: str = "latest") -> Snapshot:
    """Takes a snapshot: of a table, a file, a folder or a query's result. One that is there already is not taken again.

    Args:
        name: Name of the dataset.
        data: A table (pandas, Polars, Arrow, DuckDB), a Delta table, a path, a pattern, or `s3://bucket/prefix`; by default the
            dataset's declared source.
        dataset: The dataset's declaration, if it is more than a name.
        branch: The branch that it is put on.
    """
    here = connect()
    source = str(data) if isinstance(data, Path) else data
    return take_snapshot(
        here.data, here.blobs, dataset or name, source, root=here.root, cache=here.cache, branch=branch,
        service=Service(endpoint=here.settings.s3_endpoint, region=here.settings.s3_region),
    )  # fmt: skip


def load(ref: str, *, columns: Sequence[str] | None = None, as_of: str | datetime | None = None) -> Table:
    """The rows of a version of a dataset, with the dataset's roles: `fb.load("flights@v1")`.

    Args:
        ref: `flights`, `flights@branch`, `flights@tag`, `flights/3f2a`.
        columns: Only these, in this order.
        as_of: The version of that moment.

    Raises:
        NotFound: there is no such version.
    """
    here = connect()
    found = _version(here, ref, as_of)
    rows = load_snapshot(here.blobs, found, columns=columns)
    roles = here.data.get(found.dataset).roles
    return Table(rows, **{role: column for role, column in roles.items() if column in rows.column_names})


def diff(before: str, after: str = "", *, key: str | Sequence[str] | None = None, examples: int = 5) -> DataDiff:
    """What differs between two versions of a dataset: files, columns, rows, spread of values.

    Args:
        before: Such as `flights@v1`; alone, what it changed against the one before it.
        after: The other one.
        key: The columns that name a row; by default the dataset's key.
        examples: How many rows of each kind to show.

    Raises:
        NotFound: there is no such version.
        InvalidInput: the key does not fit.
    """
    from flyball.data.diff import diff_snapshots

    here = connect()
    new = here.data.find_snapshot(after or before)
    old = here.data.find_snapshot(before) if after else here.data.get_snapshot(new.dataset, new.parent or "none")
    wanted = (here.data.get(new.dataset).key or ()) if key is None else key
    return diff_snapshots(here.blobs, old, new, key=wanted, examples=examples)


def checkout(
    ref: str,
    folder: str | os.PathLike[str],
    *,
    as_of: str | datetime | None = None,
    force: bool = False,
    link: bool = False,
) -> Checkout:
    """Writes the files of a version of a dataset into a folder.

    Args:
        as_of: The version of that moment.
        force: Whether to write over files that hold something else.
        link: Whether files may be read-only links into the store, which cost no bytes.

    Raises:
        Conflict: a file holds something else.
    """
    from flyball.data.checkout import check_out

    here = connect()
    return check_out(here.blobs, _version(here, ref, as_of), Path(folder), force=force, link=link)


def _version(here: Workspace | RemoteWorkspace, ref: str, as_of: str | datetime | None) -> Snapshot:
    if as_of is None:
        found: Snapshot = here.data.find_snapshot(ref)
        return found
    named = Ref.parse(ref, kind="snapshots")
    then: Snapshot = here.data.get_snapshot(named.name, named.version or named.alias or "latest", parse_time(as_of))
    return then


def tune(
    target: Pipeline[..., Any] | Step[..., Any] | Callable[..., Any],
    metric: str | Sequence[str] | Mapping[str, Any],
    **settings: Any,
) -> StudyResult:
    """Searches the params with which a pipeline, a step or a function does best: `fb.tune(late_flights, "roc_auc")`.

    Args:
        target: What is tried; its type hints say what is searched, as in `rate: Annotated[float, fb.space.number(0.01, 0.3)]`.
        metric: Name of the metric that counts, several names, or directions by name.
        **settings: `trials`, `budget`, `jobs`, `space`, `params`, `direction`, `sampler`, `pruner`, `seed`, `patience`, `name`,
            `learn_from`: see `flyball.tuning.tune.tune`.
    """
    from flyball.run_services import RunServices
    from flyball.tuning.tune import tune as search

    here = connect()
    services = RunServices(workspace=here, project_root=here.root, source_root=here.root)
    return search(target, metric, services=services, **settings)


def automl(table: Any, label: str, **settings: Any) -> AutoMlResult:
    """Searches the model that predicts a column of a table best: `fb.automl(rows, "late", time_budget=120)`.

    Args:
        table: A table (pandas, Polars, Arrow), a dataset, its name, or a file.
        label: Column that shall be predicted.
        **settings: `time_budget`, `metric`, `task`, `time`, `groups`, `horizon`, `jobs`, `families`, `name`, `seed`:
            see `flyball.model_search.run.automl`.
    """
    from flyball.model_search.run import automl as search
    from flyball.run_services import RunServices

    here = connect()
    services = RunServices(workspace=here, project_root=here.root, source_root=here.root)
    return search(table, label, services=services, **settings)


def reproduce(ref: str, *, tolerance: float = 1e-9) -> Reproduction:
    """Trains a version again, from its own code on its own data, and says whether the same model comes of it.

    Args:
        ref: Such as `models:/late-flights@champion`.
        tolerance: Up to this absolute difference, predictions on the held-out rows are equal.
    """
    from flyball.reproducer import reproduce as train_again

    return train_again(connect(), ref, tolerance=tolerance)


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


def explain(ref: str, rows: Any, **options: Any) -> Explanation:
    """How much each input column did to each prediction of a registered model, exactly where the model allows it.

    Args:
        ref: `models:/name@champion` or `models:/name/3`.
        rows: A table with the columns of the model's signature (pandas, Polars, Arrow).
        **options: What `registry.explaining.explain_version` takes: `target`, `method`, `samples`, `background`, `seed`.

    Raises:
        InvalidInput: a column is missing, or an option cannot be used.
    """
    from flyball.registry.explaining import explain_version

    here = connect()
    return explain_version(here.registry.get_version(ref), rows, blobs=here.blobs, **options)


class StepRun(Media):
    """The run of a pipeline's step, seen from inside it."""

    def __init__(self, inside: RunContext) -> None:
        self._inside = inside

    def log(
        self,
        /,
        *,
        step: int | None = None,
        params: Mapping[str, Any] | None = None,
        tags: Mapping[str, str] | None = None,
        **metrics: float,
    ) -> None:
        """Logs metrics, params and tags."""
        self._inside.log(params=params or {}, metrics=numbers_of(metrics), tags=tags or {}, step=step)

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Logs named numbers."""
        self._inside.log(metrics=numbers_of(metrics), step=step)

    def log_notes(self, text: str) -> None:
        """Keeps notes, in Markdown, beside what else the step leaves behind."""
        self.log_text(text, "notes.md")

    def keep_artifact(self, source: Path | bytes, name: str, kind: str) -> None:
        """Keeps a file as it is now, or bytes, under a name."""
        self._inside.keep_artifact(source, name, kind)


class _Copies:
    """Takes the files of a model as a store of blobs would, so that they can be kept in the spool."""

    def __init__(self) -> None:
        self.data: dict[str, bytes] = {}

    def put(self, data: bytes) -> str:
        name = digest(data)
        self.data[name] = data
        return name

    def put_file(self, path: Path) -> str:
        return self.put(path.read_bytes())


def _example_table(example: Any) -> pa.Table:
    import pyarrow as pa

    if isinstance(example, pa.Table):
        return example.slice(0, 100)
    rows = example[:100]
    if hasattr(rows, "toarray"):  # a sparse matrix
        rows = rows.toarray()
    if hasattr(rows, "columns") or hasattr(rows, "__arrow_c_stream__"):
        return pa.Table.from_pandas(rows, preserve_index=False) if hasattr(rows, "iloc") else pa.table(rows)
    import numpy as np

    array = np.asarray(rows)
    if array.ndim != 2:
        raise InvalidInput(f"An example of {array.ndim} dimensions has no columns.", hint="Give a table of input rows.")
    return pa.table({f"x{place}": array[:, place] for place in range(array.shape[1])})


def _target() -> LiveRun | StepRun:
    found = _find_target()
    if found is None:
        raise InvalidInput("There is no run to log to.", hint="Put it inside `with fb.run():` or a pipeline's step.")
    return found


def _find_target() -> LiveRun | StepRun | None:
    active, inside = _active.get(), find_run()
    if active is not None and (inside is None or active.around is inside):
        return active
    if inside is not None:
        return StepRun(inside)
    # A thread that was started in the block does not know of it by itself. Runs in each other leave no doubt which is meant.
    if len({entered.root for entered in _entered}) == 1:
        return _entered[-1]
    shared = os.environ.get("FLYBALL_RUN", "")
    return _shared_run(shared) if shared and not _entered else None


@lru_cache(maxsize=8)
def _shared_run(run_id: str) -> LiveRun:
    """The run that the environment names, joined without a block."""
    return LiveRun(_recorder(load_settings(), offline=False), "Default", id=run_id, join=True)


def _recorder(settings: Settings, *, offline: bool) -> Recorder:
    place = (address_of(settings), str(settings.folder), offline)
    if place not in _recorders:
        now = _virtual_now(settings) if settings.clock == "virtual" else None
        _recorders[place] = Recorder(
            settings.folder / "spool",
            lambda: _services(settings),
            url=address_of(settings) if settings.url else "",
            offline=offline,
            now=now,
        )
    return _recorders[place]


def _virtual_now(settings: Settings) -> Callable[[], int]:
    """What tells the workspace's own time, in microseconds."""
    here = _open(settings)
    return lambda: int(here.time.now().timestamp() * 1_000_000)


def _open(settings: Settings) -> Workspace | RemoteWorkspace:
    place = (address_of(settings), str(settings.folder))
    with _opening:  # a sender may ask at the same time as its program
        if place not in _opened:
            _opened[place] = open_workspace(settings)
        return _opened[place]


def _services(settings: Settings) -> Services:
    """Where a sender sends to: the workspace, on a connection of its own that does not wait for ever."""
    here = _SendersWorkspace(settings) if settings.url else _open(settings)
    return cast("Services", here)


class _Impatient(Connection):
    """A connection that gives up soon: whoever sends tries again anyway."""

    def request(self, method: str, path: str, **given: Any) -> bytes:
        """Sends a request; a body of many bytes gets its time."""
        given.setdefault("timeout", 600.0 if method == "PUT" else 30.0)
        return super().request(method, path, **given)


class _SendersWorkspace(RemoteWorkspace):
    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self.http = _Impatient(address_of(settings), token_for(settings.url, settings.token, settings.workspace))
        self.store = RemoteObjects(self.http)
        self.blobs = Blobs(self.store, self.cache / "blobs")


def _loggable(params: Mapping[str, Any]) -> dict[str, Any]:
    """Params as a run keeps them: what is neither number, text nor truth becomes a short text."""
    plain = (str, int, float, bool, type(None))
    return {
        key: value if isinstance(value, plain) or getattr(value, "shape", None) == () else repr(value)[:500]
        for key, value in params.items()
    }


def _after_fork() -> None:
    global _opening  # another thread of the parent may hold it for ever
    _opening = threading.Lock()
    # A connection that two processes use answers the wrong one. The parent's are kept, unused: closing them here would reach
    # into its database.
    _inherited.append(dict(_opened))
    _opened.clear()
    _shared_run.cache_clear()


os.register_at_fork(after_in_child=_after_fork)
