"""Forgets a person: purges the rows that name them from every version of a dataset, and the bytes that held them.

Each version is written anew without the rows and takes the old one's place; then the old bytes are removed at once, not by
a later gc. What is left to do is noted before it is begun, so a purge that is killed at any point goes on when it is asked
for again. The audit holds counts and no personal data.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flyball.data import _sql
from flyball.data.manifest import BY_REFERENCE, Snapshot
from flyball.data.quality import Forgetting, Quality, snapshot_source
from flyball.data.rewrite import bytes_of, purge_bytes, rewrite_snapshot
from flyball.data.scan import Scan
from flyball.errors import InvalidInput, NotFound
from flyball.refs import Ref

if TYPE_CHECKING:
    import pyarrow as pa

    from flyball.data.datasets import Data
    from flyball.lineage import Lineage
    from flyball.storage.database import Database
    from flyball.storage.objects import Blobs

_PAGE = 200
_REASON = "a person's rows were purged"


@dataclass(frozen=True, slots=True, kw_only=True)
class ForgottenCopy:
    """Rows of the person that were copied out of a dataset.

    Attributes:
        where: Reference of what holds them, such as `features:/weather@2` or `models:/churn/3`.
        what: `step output`, `held-out rows`, `pushed rows`, `served values`, `label item`, `dataset` or `input example`.
        rows: How many; None where they cannot be counted without running what is kept.
        is_purged: Whether they are gone, or would be; if not, they are for people to look at.
    """

    where: str
    what: str
    rows: int | None
    is_purged: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Forgotten:
    """What a purge did, or would do.

    Attributes:
        rows: Rows by the id of the version that held them.
        models: Models that came of those versions; their training is not undone.
        removed: Blobs that were removed.
        copies: Rows that were copied elsewhere, where they were looked for.
        is_dry_run: Whether nothing was done.
    """

    dataset: str
    rows: dict[str, int]
    models: tuple[str, ...] = ()
    removed: int = 0
    copies: tuple[ForgottenCopy, ...] = ()
    is_dry_run: bool = False


def forget(
    workspace: Any, dataset: str, value: str, *, column: str = "", dry_run: bool = False, cache: Path | None = None
) -> Forgotten:
    """Purges the rows of a dataset whose column has a value, from all its versions.

    Rows that were copied elsewhere are not looked for here; `governance.forgetting` does so for all rooms.

    Args:
        workspace: A local workspace: its services `data`, `data_versions`, `quality`, `lineage`, and its stores.
        value: As text; numbers as they are written.
        column: Where to look; the dataset's key by default.
        dry_run: Only say what would be purged.
        cache: Folder for what is made on the way.

    Raises:
        InvalidInput: there is no column to look in, or the workspace is on a server.
        NotFound: there is no such dataset.
    """
    database: Database | None = getattr(workspace, "database", None)
    if database is None:
        raise InvalidInput("Bytes can be purged only where they are.", hint="Run it on the machine of the server.")
    data: Data = workspace.data
    quality: Quality = workspace.quality
    name = column or data.get(dataset).key
    if not name:
        raise InvalidInput(f"Dataset '{dataset}' has no key.", hint="Say which column names the person: --column.")
    snapshots = list(_versions(data, dataset))
    if not any(each.schema and name in each.schema.names for each in snapshots):
        raise InvalidInput(f"No version of '{dataset}' has a column '{name}'.")
    counts = _counts(workspace.blobs, snapshots, name, value)
    if dry_run:
        models = _models(workspace.lineage, dataset, list(counts))
        return Forgotten(dataset=dataset, rows=counts, models=models, is_dry_run=True)
    models = _models(
        workspace.lineage, dataset, [*counts, *(each.snapshot.id for each in quality.pending_forgettings(dataset))]
    )
    for snapshot in snapshots:
        if snapshot.id in counts:
            _purge_rows(workspace, snapshot, name, value, counts[snapshot.id], cache)
    return _purge_bytes(workspace, database, dataset, models)


def _purge_rows(workspace: Any, snapshot: Snapshot, column: str, value: str, rows: int, cache: Path | None) -> None:
    workspace.quality.begin_forgetting(Forgetting(snapshot=snapshot, rows=rows))
    if rows == snapshot.rows:
        # Nothing would be left of it.
        workspace.data_versions.delete_snapshot(snapshot.dataset, snapshot.id, force=True)
        return

    def others(_: str, table: pa.Table) -> pa.Table:
        import pyarrow.compute as pc

        count, theirs = rows_of(table, column, value)
        return table.filter(pc.invert(theirs)) if count else table

    rewrite_snapshot(workspace.data_versions, workspace.blobs, snapshot, others, reason=_REASON, cache=cache)


def _purge_bytes(workspace: Any, database: Database, dataset: str, models: tuple[str, ...]) -> Forgotten:
    data: Data = workspace.data
    recorded = [each for name in _datasets(data) for each in _versions(data, name)]
    still = {each.id for each in recorded if each.dataset == dataset}
    former: set[str] = set()
    counts: dict[str, int] = {}
    for each in workspace.quality.pending_forgettings(dataset):
        if each.snapshot.id in still:
            continue  # killed before it was written anew, and asked for again with another value
        former |= _bytes_of(workspace.blobs, each.snapshot) | ({each.profile} if each.profile else set())
        counts[each.snapshot.id] = each.rows
    if not counts:
        return Forgotten(dataset=dataset, rows={}, models=models)
    removed = purge_bytes(database, workspace.data_versions, workspace.blobs, recorded, sorted(former))
    workspace.quality.end_forgetting(dataset, counts, list(models))
    return Forgotten(dataset=dataset, rows=counts, models=models, removed=removed)


def _bytes_of(blobs: Blobs, snapshot: Snapshot) -> set[str]:
    try:
        return bytes_of(blobs, snapshot)
    except NotFound:
        # The purge was killed after its list of files was gone: what it stood on directly is all that can be named.
        return {snapshot.id, *([snapshot.layout] if snapshot.layout else [])}


def _counts(blobs: Blobs, snapshots: list[Snapshot], column: str, value: str) -> dict[str, int]:
    found = {}
    for snapshot in snapshots:
        if snapshot.schema is None or column not in snapshot.schema.names or snapshot.format in BY_REFERENCE:
            continue
        with Scan(snapshot_source(blobs, snapshot)) as scan:
            text = f"CAST({scan.ref(column)} AS VARCHAR)"
            count = scan.query(_sql.select("count(*)", f"WHERE {text} = ?"), [value])[0][0]
        if count:
            found[snapshot.id] = int(count)
    return found


def rows_of(table: pa.Table, column: str, value: str) -> tuple[int, pa.ChunkedArray | None]:
    """How many rows of a table have a value, given as text, in a column, and which they are; None where none can."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if column not in table.column_names:
        return 0, None
    try:
        texts = table.column(column).cast(pa.string())
    except pa.ArrowNotImplementedError:
        return 0, None  # lists and the like name nobody
    theirs = pc.fill_null(pc.equal(texts, value), False)
    return pc.sum(theirs).as_py() or 0, theirs


def _models(lineage: Lineage, dataset: str, snapshots: list[str]) -> tuple[str, ...]:
    found: dict[str, None] = {}
    for snapshot in dict.fromkeys(snapshots):
        for edge in lineage.downstream(str(Ref(kind="snapshots", name=dataset, version=snapshot))):
            if edge.target.startswith("models:/"):
                found[edge.target] = None
    return tuple(sorted(found))


def _versions(data: Data, dataset: str) -> Iterator[Snapshot]:
    before = ""
    while page := data.list_snapshots(dataset, limit=_PAGE, before=before):
        yield from page
        before = page[-1].id


def _datasets(data: Data) -> Iterator[str]:
    after = ""
    while page := data.list(limit=_PAGE, after=after):
        yield from (each.name for each in page)
        after = page[-1].name
