"""From data to things to be labelled, and from labels to a versioned table. The work is done at the caller."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flyball.data.layout import KeptBytes
from flyball.data.manifest import Snapshot, snapshot_files
from flyball.data.snapshot import load_snapshot, take_snapshot
from flyball.errors import InvalidInput, did_you_mean
from flyball.labels.task import CurrentLabel, NewItem
from flyball.refs import Ref
from flyball.serialization import to_json, to_plain

if TYPE_CHECKING:
    import pyarrow as pa

    from flyball.data.datasets import Data
    from flyball.labels.labels import Labels
    from flyball.storage.objects import Blobs

_PAGE = 5_000
_LONGEST_TEXT = 1 << 19
_TEXTS = (".txt", ".md", ".rst", ".csv", ".json", ".html", ".xml", ".log")
_BOOK = ("number", "item", "label", "annotator", "time", "source", "confidence", "taken_back")


def items_of_snapshot(
    data: Data, blobs: Blobs, snapshot: Snapshot, *, key: str = "", columns: Iterable[str] = (), kind: str = "row"
) -> Iterator[NewItem]:
    """The things of a snapshot: a row each of a table, or a file each of a folder.

    Args:
        key: Column that names a row; by default the dataset's own key, else the row's number.
        columns: What is shown of a row; all by default.
        kind: What a file is: `text` files are read, so that they can be shown anywhere.

    Raises:
        InvalidInput: there is no such column, or two rows have the same key.
    """
    ref = str(Ref(kind="snapshots", name=snapshot.dataset, version=snapshot.id))
    if snapshot.schema is None:
        kept = KeptBytes(blobs, snapshot.layout)
        for file in snapshot_files(blobs, snapshot):
            shown: dict[str, Any] = {"path": file.path}
            if kind == "text" or (kind == "row" and file.path.lower().endswith(_TEXTS)):
                shown["text"] = kept.read(file.digest)[:_LONGEST_TEXT].decode("utf-8", "replace")
            yield NewItem(key=file.path, data=shown, ref=ref, digest=file.digest, source=snapshot.dataset)
        return
    table = load_snapshot(blobs, snapshot)
    name = key or data.get(snapshot.dataset).key
    if name and name not in table.column_names:
        raise InvalidInput(f"There is no column '{name}'.", hint=did_you_mean(name, table.column_names))
    keys = [str(value) for value in table[name].to_pylist()] if name else [str(n) for n in range(table.num_rows)]
    if len(set(keys)) < len(keys):
        raise InvalidInput(f"The column '{name}' does not name rows: values appear twice.", hint="Choose another key.")
    chosen = list(columns) or table.column_names
    for column in chosen:
        if column not in table.column_names:
            raise InvalidInput(f"There is no column '{column}'.", hint=did_you_mean(column, table.column_names))
    rows = table.select(chosen)
    for start in range(0, rows.num_rows, _PAGE):
        for place, row in enumerate(rows.slice(start, _PAGE).to_pylist(), start):
            yield NewItem(key=keys[place], data=to_plain(row), ref=ref, source=snapshot.dataset)


def item_bytes(data: Data, blobs: Blobs, item: NewItem) -> bytes:
    """The bytes of the file that a thing is.

    Raises:
        InvalidInput: it is no file.
        NotFound: its snapshot, or the bytes, are no longer kept.
    """
    if not item.digest:
        raise InvalidInput(f"'{item.key}' is no file.")
    if not item.ref:
        return blobs.get(item.digest)
    ref = Ref.parse(item.ref)
    return KeptBytes(blobs, data.get_snapshot(ref.name, ref.version).layout).read(item.digest)


def add_all(labels: Labels, name: str, items: Iterable[NewItem]) -> int:
    """Adds any number of things to a set; gives how many are new."""
    added, page = 0, []
    for item in items:
        page.append(item)
        if len(page) >= _PAGE:
            added, page = added + labels.add_items(name, page), []
    return added + (labels.add_items(name, page) if page else 0)


def book(labels: Labels, name: str) -> pa.Table:
    """The whole book of labels of a set as a table: item, label, annotator, time, source, confidence."""
    import pyarrow as pa

    rows: list[tuple[Any, ...]] = []
    after = 0
    while page := labels.list_labels(name, limit=10_000, after=after):
        after = page[-1].number
        rows += [
            (each.number, each.item, _text(each.value), each.annotator, each.at, each.source, each.confidence,
             each.value is None)
            for each in page
        ]  # fmt: skip
    columns = list(zip(*rows, strict=True)) if rows else [()] * len(_BOOK)
    kinds = (
        pa.int64(), pa.string(), pa.string(), pa.string(), pa.timestamp("us", "UTC"), pa.string(), pa.float64(), pa.bool_(),
    )  # fmt: skip
    return pa.table({n: pa.array(list(c), k) for n, c, k in zip(_BOOK, columns, kinds, strict=True)})


def snapshot_labels(labels: Labels, data: Data, blobs: Blobs, name: str, *, root: Path) -> Snapshot:
    """A snapshot of the book of labels, as the dataset `labels-<set>`; the one that is there if nothing was added.

    Raises:
        InvalidInput: nothing is labelled yet.
    """
    table = book(labels, name)
    if not table.num_rows:
        raise InvalidInput(f"Nothing of '{name}' is labelled yet.")
    return take_snapshot(data, blobs, f"labels-{name}", table, root=root)


def current_labels(labels: Labels, name: str, rule: Any = None) -> list[CurrentLabel]:
    """What counts as the label of every thing, in one list."""
    return labels.current(name, rule, limit=1_000_000)


def _text(value: Any) -> str | None:
    return value if value is None or isinstance(value, str) else to_json(value).decode()
