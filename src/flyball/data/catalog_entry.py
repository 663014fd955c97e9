"""What the catalog says of a thing: what its room told, and what people added."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, Protocol

AccessState = Literal["requested", "granted", "refused", "withdrawn"]


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryColumn:
    """One column of a thing.

    Attributes:
        type: Its meaning, such as `timestamp`; empty where it is not known.
        pii: What kind of personal data it holds, such as `mail`; empty for none that is known.
    """

    name: str
    type: str = ""
    description: str = ""
    pii: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnSource:
    """A column that another one was made from.

    Attributes:
        column: The column that was made.
        source: Text of the `Ref` of the thing that it was made from.
        source_column: The column there; `*` where it is not known which.
        direct: Whether its values went in; otherwise they only chose rows or groups.
        how: `identity` for a value handed on as it was, `transformation`, `aggregation`, or `filter`, `join`, `group_by`
            and `sort` where it is not direct.
    """

    column: str
    source: str
    source_column: str
    direct: bool = True
    how: str = "identity"


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryText:
    """What a room tells of one of its things.

    Attributes:
        kind: What it is: the kind of its `Ref`.
        text: Further words to be found by.
        changed: When its content last changed.
        uses: What it is made from or stands on: `Ref` and relation of each.
        column_sources: The columns that its columns were made from.
    """

    ref: str
    kind: str
    title: str
    description: str = ""
    owner: str = ""
    columns: tuple[EntryColumn, ...] = ()
    tags: dict[str, str] = field(default_factory=dict)
    text: str = ""
    changed: datetime | None = None
    uses: tuple[tuple[str, str], ...] = ()
    column_sources: tuple[ColumnSource, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryNotes:
    """What people say of a thing; what is empty counts as not said.

    Attributes:
        pii: Class of personal data of the whole, such as `none`, `personal` or `sensitive`.
        links: Addresses by their title.
        columns: Descriptions of columns.
        column_pii: Kinds of personal data by column.
        fresh_within_seconds: How old its content may be; 0 where nothing is expected.
    """

    owner: str = ""
    description: str = ""
    licence: str = ""
    pii: str = ""
    tags: dict[str, str] = field(default_factory=dict)
    links: dict[str, str] = field(default_factory=dict)
    columns: dict[str, str] = field(default_factory=dict)
    column_pii: dict[str, str] = field(default_factory=dict)
    fresh_within_seconds: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Freshness:
    """How old the content of a thing is.

    Attributes:
        expected_seconds: How old it may be; 0 where nothing is expected.
        is_fresh: None where nothing is expected.
    """

    changed: datetime
    age_seconds: float
    expected_seconds: float = 0.0
    is_fresh: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Badge:
    """What the last look at the quality of a thing said.

    Attributes:
        state: `passed`, `warned` or `failed`.
        subject: Text of the `Ref` of what was looked at.
    """

    state: Literal["passed", "warned", "failed"]
    at: datetime
    summary: str = ""
    subject: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogEntry:
    """All that the catalog knows of a thing.

    Attributes:
        quality: None where nobody has looked.
        freshness: None where it is not known when its content changed.
    """

    ref: str
    kind: str
    title: str
    description: str = ""
    owner: str = ""
    licence: str = ""
    pii: str = ""
    tags: dict[str, str] = field(default_factory=dict)
    links: dict[str, str] = field(default_factory=dict)
    columns: tuple[EntryColumn, ...] = ()
    freshness: Freshness | None = None
    quality: Badge | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """A thing that a search found.

    Attributes:
        score: How well it fits; only good for comparing the hits of one search.
        columns: Those of its columns that fit.
    """

    ref: str
    kind: str
    title: str
    description: str
    owner: str
    tags: dict[str, str]
    score: float
    columns: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """Something that is made with a thing.

    Attributes:
        relation: What it did with it.
        steps: 1 for what uses it directly.
        through: What stands right before it on the way.
    """

    ref: str
    kind: str
    relation: str
    steps: int
    through: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """Somebody's wish to use a thing, and what was answered.

    Attributes:
        until: When a grant ends; None for never.
        by: Who answered.
        note: Why it was granted or refused.
    """

    id: str
    ref: str
    who: str
    role: str
    reason: str
    state: AccessState
    asked: datetime
    answered: datetime | None = None
    by: str = ""
    note: str = ""
    until: datetime | None = None


class Shelf(Protocol):
    """Where the catalog learns of the things of one kind."""

    @property
    def kind(self) -> str:
        """The kind of the things' `Ref`."""
        ...

    @property
    def rooms(self) -> tuple[str, ...]:
        """Kinds of events after which a thing is to be looked at again; one that ends with a dot stands for a whole room."""
        ...

    def describe(self, name: str) -> EntryText | None:
        """What is to be known of a thing; None if there is none of that name."""
        ...

    def names(self) -> Iterator[str]:
        """The names of all things."""
        ...


def merged_texts(before: dict[str, str], given: dict[str, str] | None) -> dict[str, str]:
    """Texts by name with those that are given in their place; an empty one takes its name away."""
    return {key: text for key, text in (before | (given or {})).items() if text}
