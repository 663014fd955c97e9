"""CSV: a row for each label, with the columns item, label, annotator, time, source and confidence; only the first two must be.

Other columns are what is shown of the thing. A label that is no plain text is written as JSON.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from typing import Any

from flyball.clock import parse_time
from flyball.errors import InvalidInput
from flyball.labels.formats.exchange import Exchange
from flyball.labels.task import Item, Label, LabelSet, NewItem, NewLabel
from flyball.serialization import from_json, to_json

SOURCE = "import:csv"
_COLUMNS = ("item", "label", "annotator", "time", "source", "confidence")
_PLAIN = ("classify", "text")


def read_csv(text: bytes | str, label_set: LabelSet, *, annotator: str = "csv") -> Exchange:
    """The things and labels of a file; a row whose label is empty is a thing without one.

    Raises:
        InvalidInput: it is not UTF-8, lacks a column, or a row cannot be read; the message names the line.
    """
    try:
        plain = text.decode("utf-8-sig") if isinstance(text, bytes) else text
    except UnicodeDecodeError as error:
        raise InvalidInput("The file is not written in UTF-8.", hint="Save it as UTF-8.") from error
    try:
        rows = csv.DictReader(io.StringIO(plain, newline=""), strict=True)
        names = rows.fieldnames or ()
        if "item" not in names:
            raise InvalidInput("The file has no column 'item'.", hint=f"It has: {', '.join(names)[:300]}.")
        items: dict[str, NewItem] = {}
        labels = []
        for row in rows:
            if None in row or None in row.values():
                raise InvalidInput(f"Line {rows.line_num} has not as many fields as the head.")
            shown = {name: value for name, value in row.items() if name not in _COLUMNS}
            items.setdefault(row["item"], NewItem(key=row["item"], data=shown, source=SOURCE))
            if row.get("label"):
                labels.append(_label(row, label_set, annotator, rows.line_num))
    except csv.Error as error:
        raise InvalidInput(f"The file cannot be read as CSV: {error}.") from error
    found = (str(label.value) for label in labels) if label_set.task == "classify" else ()
    return Exchange(items=tuple(items.values()), labels=tuple(labels), classes=tuple(dict.fromkeys(found)))


def write_csv(label_set: LabelSet, items: Iterable[Item], labels: Iterable[Label]) -> str:
    """The labels with what is shown of their things."""
    known = {item.key: item for item in items}
    shown = [name for item in known.values() for name in item.data]
    others = [name for name in dict.fromkeys(shown) if name not in _COLUMNS]
    sink = io.StringIO(newline="")
    writer = csv.writer(sink, lineterminator="\n")
    writer.writerow([*_COLUMNS, *others])
    for label in labels:
        value = label.value if label_set.task in _PLAIN else to_json(label.value).decode()
        data = known[label.item].data if label.item in known else {}
        sure = "" if label.confidence is None else label.confidence
        told = [label.item, value, label.annotator, label.at.isoformat(), label.source, sure]
        writer.writerow([*told, *(_cell(data.get(name)) for name in others)])
    return sink.getvalue()


def _label(row: dict[str, str], label_set: LabelSet, annotator: str, line: int) -> NewLabel:
    try:
        value: Any = row["label"] if label_set.task in _PLAIN else from_json(row["label"], object)
        sure = float(row["confidence"]) if row.get("confidence") else None
        at = parse_time(row["time"]) if row.get("time") else None
    except (InvalidInput, ValueError) as error:
        raise InvalidInput(f"Line {line} cannot be read: {error}") from error
    who = row.get("annotator") or annotator
    return NewLabel(item=row["item"], value=value, annotator=who, source=SOURCE, confidence=sure, at=at)


def _cell(value: object) -> object:
    return "" if value is None else value if isinstance(value, str | int | float) else to_json(value).decode()
