"""What a user says of a feature view: which thing it describes, when its values came, how long they hold."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING

from flyball.clock import parse_duration
from flyball.data.arrow import to_arrow
from flyball.data.checks.base import CheckSpec
from flyball.data.dataset import Dataset
from flyball.declarations import declare
from flyball.errors import InvalidInput, WorkFailed
from flyball.features.sources import standalone_source
from flyball.features.windows import Window
from flyball.refs import check_name
from flyball.serialization import digest

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureView:
    """Features of one kind of thing, over time.

    Attributes:
        source: Where its rows lie: as the source of a dataset, as `datasets:/name` or `snapshots:/name/id`, or, with a
            query, the address of a database. Empty where they are computed or only pushed.
        entity: Columns that name the thing; the rows it is joined to have them too.
        time: Column that says from when on a row's values hold.
        ttl_seconds: How old values may be, the edge included; None for ever.
        columns: The features; all other columns where it is empty.
        created: Column that says when a row became known; empty where that is the same as `time`.
        query: SQL that gives its rows, from datasets by their names or from the database at `source`.
        inputs: Datasets that the query or the function reads.
        function: The function that gives its rows, as `file.py:name`, and `code`, the digest of its code.
        windows: Aggregates over its rows; they are its features then.
        tests: What is checked each time that its values are computed.
        version: 1, 2, 3, ...; 0 where it has not been recorded.
    """

    name: str
    source: str = ""
    entity: tuple[str, ...]
    time: str
    ttl_seconds: float | None = None
    columns: tuple[str, ...] = ()
    created: str = ""
    description: str = ""
    owner: str = ""
    query: str = ""
    inputs: tuple[Dataset, ...] = ()
    function: str = ""
    code: str = ""
    windows: tuple[Window, ...] = ()
    tags: dict[str, str] = field(default_factory=dict)
    tests: tuple[CheckSpec, ...] = ()
    version: int = 0

    @property
    def label(self) -> str:
        """Name and version: `weather@2`."""
        return f"{self.name}@{self.version}"

    @property
    def roles(self) -> tuple[str, ...]:
        """The columns that are no features: entity, time, created."""
        return (*self.entity, self.time, *([self.created] if self.created else []))

    def __call__(self, function: Callable[..., object]) -> PythonView:
        """The view whose rows a function gives: for `@fb.feature_view(...)` above the function."""
        return python_view(self, function)


class PythonView:
    """A feature view and the function that computes its rows from the tables of its inputs; called, it is the function."""

    def __init__(self, view: FeatureView, function: Callable[..., object]) -> None:
        functools.update_wrapper(self, function)
        self.view = view
        self.function = function

    @property
    def name(self) -> str:
        """Name of the view."""
        return self.view.name

    def __call__(self, *tables: object) -> object:
        """What the function gives."""
        return self.function(*tables)

    def rows(self, *tables: pa.Table) -> pa.Table:
        """What the function gives, as an Arrow table.

        Raises:
            WorkFailed: the function failed, or gave no table.
        """
        try:
            return to_arrow(self.function(*tables))
        except Exception as error:
            raise WorkFailed(
                f"Feature view '{self.name}' could not be computed: {type(error).__name__}: {error}"
            ) from error

    def __repr__(self) -> str:
        return f"<feature view {self.name}>"


def python_view(view: FeatureView, function: Callable[..., object]) -> PythonView:
    """The view whose rows a function gives.

    Raises:
        InvalidInput: it has a source or SQL as well.
    """
    if view.source or view.query or view.windows:
        raise InvalidInput(
            f"Feature view '{view.name}' stands above a function and has a source as well.",
            hint="Give the datasets that the function reads as inputs=[...].",
        )
    source = standalone_source(function, whole=False)
    place = f"{getattr(function, '__module__', '')}:{getattr(function, '__qualname__', view.name)}"
    made = PythonView(replace(view, function=place, code=digest(source.encode())), function)
    declare(made)
    return made


def feature_view(
    name: str,
    source: str | Dataset = "",
    *,
    entity: str | Sequence[str] = (),
    time: str = "",
    ttl: str | timedelta | None = None,
    columns: Sequence[str] = (),
    created: str = "",
    description: str = "",
    owner: str = "",
    sql: str = "",
    inputs: Sequence[Dataset | str] = (),
    windows: Sequence[Window] = (),
    tags: Mapping[str, str] | None = None,
    tests: Sequence[CheckSpec] = (),
) -> FeatureView:
    """Declares a feature view; nothing is read yet. Above a function it declares the view that the function computes.

    Args:
        name: Its name.
        source: Where its rows lie: a dataset, or a file, a pattern or a folder relative to the project's root; with `sql`
            the address of a database. Without any of it, its rows are what is pushed.
        entity: Column or columns that name the thing.
        time: Column that says from when on a row's values hold.
        ttl: How old values may be, such as `3h`; None for ever.
        columns: The features; all other columns by default.
        created: Column that says when a row became known, where that is later than its time.
        description: For the catalog.
        owner: For the catalog.
        sql: A SELECT that gives its rows, from datasets by their names or from the database at `source`.
        inputs: Datasets that the SELECT or the function reads, in the order of the function's arguments.
        windows: Aggregates over time of its rows, made with `fb.window`; they are its features then.
        tags: For the catalog.
        tests: Checks, made with `fb.expect`, that its rows must pass whenever they are materialised.

    >>> feature_view("weather", "data/weather.parquet", entity="origin", time="observed_at", ttl="3h").ttl_seconds
    10800.0

    Raises:
        InvalidInput: the declaration cannot be used.
    """
    read = [Dataset(name=item) if isinstance(item, str) else item for item in inputs]
    if isinstance(source, Dataset):
        read.append(source)
        source = f"datasets:/{source.name}"
    keys = (entity,) if isinstance(entity, str) else tuple(entity)
    declared = FeatureView(
        name=name,
        source=str(source),
        entity=keys or next((made.by for made in windows if made.by), ()),
        time=time,
        ttl_seconds=None if ttl is None else parse_duration(ttl).total_seconds(),
        columns=(columns,) if isinstance(columns, str) else tuple(columns),
        created=created,
        description=description,
        owner=owner,
        query=sql,
        inputs=tuple(read),
        windows=tuple(windows),
        tags=dict(tags or {}),
        tests=tuple(tests),
    )
    check_view(declared)
    declare(declared)
    return declared


def check_view(view: FeatureView) -> None:
    """Makes sure that a declaration can be used.

    Raises:
        InvalidInput: it cannot; the message says why.
    """
    check_name(view.name, "feature view")
    if not view.entity or not all(view.entity):
        raise InvalidInput(
            f"Feature view '{view.name}' has no entity.", hint="Name the column of its key: entity='id'."
        )
    if not view.time:
        raise InvalidInput(f"Feature view '{view.name}' has no time.", hint="Name the column: time='observed_at'.")
    if view.ttl_seconds is not None and view.ttl_seconds < 0:
        raise InvalidInput(f"The ttl of feature view '{view.name}' is negative.")
    if view.query and view.source and "://" not in view.source:
        raise InvalidInput(
            f"Feature view '{view.name}' has SQL and the source '{view.source}', which is no database.",
            hint="Read datasets by their names in the SQL, and give them as inputs=[...].",
        )
    if "://" in view.source and not view.query:
        raise InvalidInput(f"Feature view '{view.name}' is in a database and has no SQL.", hint='Add sql="SELECT ...".')
    _check_windows(view)
    named = (*view.roles, *view.columns, *(made.name for made in view.windows))
    for column in named:
        if named.count(column) > 1:
            raise InvalidInput(f"Feature view '{view.name}' names column '{column}' twice.")


def _check_windows(view: FeatureView) -> None:
    if view.windows and (view.columns or view.ttl_seconds is not None):
        raise InvalidInput(
            f"Feature view '{view.name}' has windows, and columns or a ttl as well.",
            hint="A window says itself how old its rows may be; put plain columns into a view of their own.",
        )
    for made in view.windows:
        if made.by and made.by != view.entity:
            raise InvalidInput(
                f"Window '{made.name}' is by {', '.join(made.by)}; feature view '{view.name}' is by {', '.join(view.entity)}.",
                hint="Put it into a view of its own.",
            )


def is_same(one: FeatureView, other: FeatureView) -> bool:
    """Whether both give the same values: all but what is only said about them is equal."""
    return without_words(one) == without_words(other)


def without_words(view: FeatureView) -> FeatureView:
    """The view without what is only said about it: description, owner, tags, tests, version."""
    return replace(view, description="", owner="", tags={}, tests=(), version=0)
