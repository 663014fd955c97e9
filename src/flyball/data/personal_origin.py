"""Which personal data a thing was made from, along the lineage."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from flyball.data.quality import Quality
from flyball.errors import FlyballError
from flyball.lineage import Lineage
from flyball.refs import Ref

_MOST = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonalColumn:
    """A column with personal data that a thing was made from.

    Attributes:
        kind: Such as `mail` or `name`, as somebody has said of it.
        is_input: Whether the model takes a column of this name.
    """

    dataset: str
    column: str
    kind: str
    is_input: bool = False


def datasets_behind(lineage: Lineage, refs: Iterable[str]) -> list[str]:
    """The datasets that things were made from, near or far, by name."""
    found: dict[str, None] = {}
    for text in refs:
        edges = _upstream(lineage, text)
        for each in (text, *(edge.source for edge in edges), *(edge.target for edge in edges)):
            kind, _, rest = each.partition(":/")
            if kind in ("datasets", "snapshots"):
                found[rest.partition("/")[0].partition("@")[0]] = None
    return list(found)


def personal_columns(quality: Quality, names: Iterable[str], inputs: Iterable[str] = ()) -> tuple[PersonalColumn, ...]:
    """The personal columns of some datasets, as people have said of them."""
    taken = set(inputs)
    return tuple(
        PersonalColumn(dataset=name, column=column, kind=kind, is_input=column in taken)
        for name in names
        for column, kind in sorted(quality.pii_classes(name).declared.items())
    )


def full_ref(text: str) -> str:
    """A snapshot's reference with its kind: versions name them without."""
    return str(Ref.parse(text, kind="snapshots")) if ":/" not in text else text


def _upstream(lineage: Lineage, ref: str) -> Any:
    try:
        return lineage.upstream(ref, depth=20)
    except FlyballError:  # it is not known there
        return []
