"""A few rows of a dataset for people to look at, without the personal data in them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flyball.data.snapshot import load_snapshot
from flyball.errors import NotFound
from flyball.refs import Ref
from flyball.serialization import JsonValue

if TYPE_CHECKING:
    from flyball.data.catalog_entry import CatalogEntry

_LONGEST_TEXT = 80
_LOOKED_AT = 10_000


def sample_rows(workspace: Any, entry: CatalogEntry, rows: int = 3) -> list[dict[str, JsonValue]]:
    """The first rows of a dataset's latest snapshot; nothing for other things, folders, and what has no snapshot.

    Values of columns that the catalog holds for personal data are masked, and those that look like it.

    Args:
        workspace: Here or on a server: its `data` and `blobs` are used.
        rows: How many, up to 100.
    """
    if entry.kind != "datasets":
        return []
    try:
        snapshot = workspace.data.get_snapshot(Ref.parse(entry.ref).name)
    except NotFound:
        return []
    if snapshot.schema is None:
        return []
    from flyball.data.pii import declared_flags, find_pii, masked

    table = load_snapshot(workspace.blobs, snapshot)
    said = {column.name: column.pii for column in entry.columns if column.pii}
    declared = declared_flags({name: kind for name, kind in said.items() if kind != "none"})
    cleared = [name for name, kind in said.items() if kind == "none"]
    flags = find_pii(table.slice(0, _LOOKED_AT), declared=declared, cleared=cleared)
    shown: list[dict[str, JsonValue]] = masked(table.slice(0, max(1, min(rows, 100))), flags).to_pylist()
    return [{name: _short(value) for name, value in row.items()} for row in shown]


def _short(value: object) -> JsonValue:
    text = value if isinstance(value, str) else None
    return text[: _LONGEST_TEXT - 3] + "..." if text is not None and len(text) > _LONGEST_TEXT else value
