"""Model cards: all that is known of a version on one page, each statement with where it comes from.

Nothing here is guessed or summed up by hand: a statement is made from one fact, and names it. What only people can say, such
as what the model is meant for, they write as sections of their own, which stand beside the facts with their names.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from flyball.clock import Clock
from flyball.data.datasets import Data
from flyball.data.personal_origin import datasets_behind, personal_columns
from flyball.data.quality import Quality
from flyball.errors import InvalidInput, NotFound
from flyball.lineage import Lineage
from flyball.principals import who
from flyball.refs import Ref
from flyball.registry import _card_facts as _facts
from flyball.registry import _people_store as _people
from flyball.registry import _store
from flyball.registry._card_facts import CardSection, Known
from flyball.registry.approvals import Approvals
from flyball.registry.lifecycle import Lifecycle
from flyball.registry.signing import Signatures
from flyball.registry.versions import ModelVersion, Registry
from flyball.storage.database import Database
from flyball.storage.event_log import EventLog
from flyball.storage.objects import Blobs
from flyball.tracking import limits
from flyball.tracking.runs import Tracking
from flyball.verbs import change, read

_MOST_SECTIONS = 50
_LONGEST = 50_000


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnSection:
    """What a person has written for a model's card.

    Attributes:
        version: 0 where it is for all versions of the model.
        text: Markdown.
    """

    model: str
    version: int
    heading: str
    text: str
    by: str
    created: datetime
    updated: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelCard:
    """A version's card.

    Attributes:
        sections: What the facts say.
        own: What people say; what is for this version stands in place of what is for all of them.
        made: When it was put together.
    """

    model: str
    version: int
    sections: tuple[CardSection, ...]
    own: tuple[OwnSection, ...]
    made: datetime


class ModelCards:
    """Puts cards together, and keeps what people write for them."""

    def __init__(self, database: Database, blobs: Blobs, events: EventLog, clock: Clock) -> None:
        self._database = database
        self._events = events
        self._clock = clock
        room = (database, blobs, events, clock)
        self._registry, self._approvals = Registry(*room), Approvals(*room)
        self._lifecycle, self._signatures = Lifecycle(*room), Signatures(*room)
        self._tracking, self._data = Tracking(*room), Data(*room)
        self._lineage = Lineage(database, events, clock)
        self._quality = Quality(*room)

    @read
    def get(self, ref: str) -> ModelCard:
        """A version's card, section by section.

        Raises:
            NotFound: there is no such version.
        """
        version = self._registry.get_version(ref)
        known = self._known(version)
        with self._database.reading() as connection:
            own = _own(connection, version.model, version.version)
        return ModelCard(
            model=version.model,
            version=version.version,
            sections=_facts.sections(known),
            own=own,
            made=self._clock.now(),
        )

    @read
    def card(self, ref: str) -> str:
        """A version's card, as Markdown.

        Raises:
            NotFound: there is no such version.
        """
        return to_markdown(self.get(ref))

    @read
    def list_sections(self, ref: str) -> list[OwnSection]:
        """What people have written: for a version, or with a model's name alone for all of its versions.

        Raises:
            NotFound: there is no such model or version.
        """
        with self._database.reading() as connection:
            model, version = _place(connection, ref)
            return [section for section in _own(connection, model, version) if section.version == version]

    @change
    def write_section(self, ref: str, heading: str, text: str, by: str) -> OwnSection:
        """Writes a section of the card, or writes it anew.

        Args:
            ref: A version, or a model's name alone for all of its versions.
            heading: One line, such as `Intended use`.
            text: Markdown.
            by: Who writes it.

        Raises:
            NotFound: there is no such model or version.
            InvalidInput: the heading or text cannot be kept, or there are too many sections.
        """
        by, heading, text = _people.person(who(by)), _heading(heading), limits.check_text(text, "section", _LONGEST)
        if not text.strip():
            raise InvalidInput("The section says nothing.", hint="Delete it instead.")
        table, now = _people.sections, self._clock.now()
        given = {"text": text, "by": by, "updated": now}
        with self._database.transaction() as connection:
            model, version = _place(connection, ref)
            _store.lock_model(connection, model)
            mine = [section for section in _own(connection, model, version) if section.version == version]
            if len(mine) >= _MOST_SECTIONS and heading not in {section.heading for section in mine}:
                raise InvalidInput(f"The card has {len(mine)} sections of its own already.", hint="Delete one first.")
            key = {"model": model, "version": version, "heading": heading}
            insert = self._database.insert(table).values(**key, **given, created=now)
            connection.execute(insert.on_conflict_do_update(index_elements=list(key), set_=given))
            self._tell(connection, "card_written", model, version, heading, by)
            return _section(connection, model, version, heading)

    @change
    def delete_section(self, ref: str, heading: str, by: str) -> None:
        """Removes a section that people have written.

        Raises:
            NotFound: there is no such section.
        """
        by, table = _people.person(who(by)), _people.sections
        with self._database.transaction() as connection:
            model, version = _place(connection, ref)
            _section(connection, model, version, heading)
            mine = sa.and_(table.c.model == model, table.c.version == version, table.c.heading == heading)
            connection.execute(sa.delete(table).where(mine))
            self._tell(connection, "card_section_deleted", model, version, heading, by)

    def _known(self, version: ModelVersion) -> Known:
        ref = f"models:/{version.model}/{version.version}"
        refs = [Ref.parse(text, kind="snapshots") for text in version.snapshots]
        snapshots = {str(one): _found(self._data.get_snapshot, one.name, one.version or "latest") for one in refs}
        return Known(
            version=version,
            standing=self._lifecycle.get(ref),
            approvals=tuple(self._approvals.list(ref)),
            signatures=tuple(self._signatures.list(ref)),
            run=_found(self._tracking.get_run, version.run) if version.run else None,
            snapshots=snapshots,
            upstream=tuple(self._lineage.upstream(ref)),
            downstream=tuple(self._lineage.downstream(ref)),
            personal=personal_columns(
                self._quality, datasets_behind(self._lineage, [ref, *snapshots]), version.package.signature.inputs.names
            ),
        )

    def _tell(self, connection: sa.Connection, what: str, model: str, version: int, heading: str, by: str) -> None:
        subject = Ref(kind="models", name=model, version=str(version) if version else "")
        facts = {"model": model, "version": version, "heading": heading, "by": by}
        self._events.append(connection, f"registry.{what}", subject, **facts)


def to_markdown(card: ModelCard) -> str:
    """A card as Markdown."""
    lines = [f"# {_facts.plain(card.model)}, version {card.version}", ""]
    facts = [_facts.to_lines(section) for section in card.sections]
    own = [
        [f"## {_facts.plain(section.heading)}", "", section.text.strip(), "", _written(section), ""]
        for section in card.own
    ]
    # What it is comes first, then what people say of it, then all the rest.
    for part in [*facts[:1], *own, *facts[1:]]:
        lines += part
    lines += [f"Made on {card.made:%Y-%m-%d %H:%M} UTC from what the registry knew then.", ""]
    return "\n".join(lines)


def _found(get: Any, *arguments: str) -> Any:
    """What is still kept; None if it is not, which the card says."""
    try:
        return get(*arguments)
    except (NotFound, InvalidInput):
        return None


def _written(section: OwnSection) -> str:
    whom = "all versions" if section.version == 0 else f"version {section.version}"
    return f"Written by {_facts.plain(section.by)} on {section.updated:%Y-%m-%d} for {whom}."


def _heading(heading: str) -> str:
    if not isinstance(heading, str) or not 0 < len(heading.strip()) <= 200 or not heading.isprintable():
        raise InvalidInput(f"{str(heading)[:60]!r} cannot be a heading.", hint="Use 1 to 200 characters on one line.")
    return heading.strip()


def _place(connection: sa.Connection, ref: str) -> tuple[str, int]:
    parsed = Ref.parse(ref, kind="models")
    if parsed.version or parsed.alias:
        row = _people.exact_row(connection, ref)
        return row.model, row.version
    if not _store.version_numbers(connection, parsed.name):
        _store.resolve(connection, parsed)  # says which names are near
    return parsed.name, 0


def _own(connection: sa.Connection, model: str, version: int) -> tuple[OwnSection, ...]:
    table = _people.sections
    query = sa.select(table).where(table.c.model == model, table.c.version.in_([0, version]))
    rows = connection.execute(query.order_by(table.c.version, table.c.created, table.c.heading)).all()
    by_heading = {row.heading: OwnSection(**row._mapping) for row in rows}
    return tuple(by_heading.values())


def _section(connection: sa.Connection, model: str, version: int, heading: str) -> OwnSection:
    table = _people.sections
    mine = sa.and_(table.c.model == model, table.c.version == version, table.c.heading == heading)
    row = connection.execute(sa.select(table).where(mine)).first()
    if row is None:
        raise NotFound(f"The card has no section '{heading[:60]}' of its own.")
    return OwnSection(**row._mapping)
