"""AutoML as a person asks for it: a table, a label, some minutes; back come a leaderboard, a model and a file."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flyball.clock import parse_duration
from flyball.data.dataset import Dataset
from flyball.data.snapshot import take_snapshot
from flyball.data.table import Table
from flyball.errors import Conflict, InvalidInput, NotFound
from flyball.model_search.search import Candidate, Search, Task, Wanted
from flyball.model_search.searching import search_models
from flyball.models.package import LoadedModel, load_model
from flyball.refs import check_name
from flyball.storage.objects import Blobs

if TYPE_CHECKING:
    import pyarrow as pa

_FILES = (".parquet", ".csv", ".tsv", ".json", ".jsonl", ".ndjson", ".feather", ".arrow")


@dataclass(frozen=True, slots=True, kw_only=True)
class AutoMlResult:
    """What a search came to.

    Attributes:
        search: The search as it stands now; its `result` has the winner.
        leaderboard: The candidates, the best first.
    """

    search: Search
    leaderboard: tuple[Candidate, ...]
    blobs: Blobs

    def __repr__(self) -> str:
        """The winner and its score."""
        found = self.search.result
        if found is None:
            return f"<AutoML '{self.search.name}': {self.search.state}>"
        held = "" if found.holdout is None else f", {found.holdout:.4f} on rows held out"
        return f"<AutoML '{self.search.name}': {found.family}, {self.search.metric} {found.score:.4f}{held}>"

    @property
    def best(self) -> Candidate:
        """The winner.

        Raises:
            NotFound: the search has not finished.
        """
        if self.search.result is None:
            raise NotFound(f"The search '{self.search.name}' has no winner: it is {self.search.state}.")
        return next(one for one in self.leaderboard if one.number == self.search.result.winner)

    @property
    def model(self) -> LoadedModel:
        """The winner, learned from all rows but those held out."""
        number = self.best.number
        package = self.search.result.package if self.search.result is not None else None
        if package is None:
            raise NotFound(f"The winner {number} of '{self.search.name}' is not kept.")
        return load_model(package, self.blobs)

    @property
    def file(self) -> str:
        """The text of the project file that makes the winner."""
        if self.search.result is None:
            raise NotFound(f"The search '{self.search.name}' has no file: it is {self.search.state}.")
        return self.search.result.file

    def predict(self, rows: Any) -> pa.Table:
        """The winner's predictions of a table (pandas, Polars, Arrow)."""
        from flyball.data.arrow import to_arrow

        return self.model.predict(to_arrow(rows))

    def write(self, path: Path | str, *, force: bool = False) -> Path:
        """Writes the project file.

        Raises:
            Conflict: there is another file of that name, and it shall not be replaced.
        """
        target = Path(path)
        check_free(target, self.file, force=force)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(self.file, encoding="utf-8")
        return target


def automl(
    table: Any,
    label: str,
    *,
    services: Any,
    time_budget: float | str = 120.0,
    metric: str = "",
    task: Task | None = None,
    time: str = "",
    groups: Sequence[str] | str = (),
    horizon: int = 0,
    jobs: int = 1,
    families: Sequence[str] = (),
    name: str = "",
    seed: int = 0,
    on_change: Callable[[Candidate], None] | None = None,
    cancel: threading.Event | None = None,
) -> AutoMlResult:
    """Searches the model that predicts a column of a table best, in a given time.

    Asked again under the same name it goes on where it was; one that was killed repeats no candidate that was judged.

    Args:
        table: A table (pandas, Polars, Arrow), a dataset, its name, or a file.
        label: Column that shall be predicted.
        services: A `RunServices`.
        time_budget: Seconds, or a length such as `10m`.
        metric: Name of the metric that counts; by default `roc_auc` of two classes, `log_loss` of more, `rmse` of values.
        task: Told from the label by default; `forecasting` must be asked for.
        time: Column of the time: candidates are judged on what came later.
        groups: Columns of which equal values belong together; in forecasting they name a series.
        horizon: How many steps ahead to forecast.
        jobs: How many candidates are tried at once.
        families: Kinds of models: see `portfolio.FAMILIES`.
        name: Name of the search.
        seed: Of all that is drawn.
        on_change: Told of each candidate as it begins, rises and ends.
        cancel: Set from elsewhere to stop.

    Raises:
        InvalidInput: the table or the label cannot be learned; the message says why.
        WorkFailed: no candidate could be learned.
    """
    name, wanted = _wanted(
        table, label, services, time_budget=time_budget, metric=metric, task=task, time=time, groups=groups,
        horizon=horizon, jobs=jobs, families=families, name=name, seed=seed,
    )  # fmt: skip
    known = services.automl.start(name, wanted, "here")
    if known.state in ("queued", "running"):
        search_models(name, services=services, on_change=on_change, cancel=cancel)
    return result_of(name, services)


def start(table: Any, label: str, *, services: Any, **settings: Any) -> Search:
    """Asks for a search, which a worker of the controller then does; takes what `automl` takes, and returns at once."""
    name, wanted = _wanted(table, label, services, **settings)
    found: Search = services.automl.start(name, wanted, "worker")
    return found


def _wanted(
    table: Any,
    label: str,
    services: Any,
    *,
    time_budget: float | str = 120.0,
    task: Task | None = None,
    groups: Sequence[str] | str = (),
    families: Sequence[str] = (),
    name: str = "",
    **plain: Any,
) -> tuple[str, Wanted]:
    """The name of a search, and what is asked of it."""
    wanted = Wanted(
        dataset=_dataset(table, label, name, services),
        label=label,
        budget=seconds(time_budget),
        task=task or "",
        groups=(groups,) if isinstance(groups, str) else tuple(groups),
        families=tuple(families),
        **plain,
    )
    return name or default_name(wanted), wanted


def result_of(name: str, services: Any) -> AutoMlResult:
    """What the search of that name has come to so far."""
    automl = services.automl
    return AutoMlResult(
        search=automl.get(name), leaderboard=tuple(automl.leaderboard(name, limit=100_000)), blobs=services.blobs
    )


def default_name(wanted: Wanted) -> str:
    """The name of a search that nobody has named."""
    import re

    return re.sub(r"[^A-Za-z0-9._-]+", "-", f"{wanted.dataset}-{wanted.label}").strip("-.")[:100] or "search"


def seconds(given: float | str) -> float:
    """A budget in seconds: a number, or a length such as `10m`.

    Raises:
        InvalidInput: it is neither.
    """
    if isinstance(given, int | float):
        return float(given)
    try:
        return float(given)
    except ValueError:
        return parse_duration(given).total_seconds()


def check_free(target: Path, text: str, *, force: bool = False) -> None:
    """Sees to it that a file can be written without loss.

    Raises:
        Conflict: there is another file of that name.
    """
    if target.exists() and not force and target.read_text(encoding="utf-8") != text:
        raise Conflict(f"There is a file {target} already.", hint="Name another one, or say that it may be replaced.")


def _dataset(table: Any, label: str, name: str, services: Any) -> str:
    """The name of the dataset that a table is, or is kept as."""
    if isinstance(table, Dataset):
        services.data.declare(replace(table, label=table.label or label))
        return table.name
    if isinstance(table, str | Path):
        text = str(table)
        if not text.endswith(_FILES):
            return text
        stem = check_name(Path(text).stem.replace(" ", "-").replace("*", "").strip("-.") or "data", "dataset")
        services.data.declare(Dataset(name=stem, source=text, label=label))
        return stem
    rows = table if isinstance(table, Table) else Table(table)
    if label not in rows.column_names:
        rows.column(label)
    if not len(rows):
        raise InvalidInput("The table has no rows.")
    kept = Dataset(name=name or f"{label}-rows".replace(" ", "-"), **{**rows.roles, "label": label})
    take_snapshot(services.data, services.blobs, kept, rows.arrow, root=services.source_root, cache=services.cache)
    return kept.name
