"""The catalog of all data and of what is made of it: found by words, described by people, followed both ways.

What a room knows of its things the catalog learns from *shelves*, each for the things of one kind, whenever the event log says
that one changed. It catches up before it answers, so what was declared a moment ago is found. What people add (owner, tags,
descriptions) is kept here alone and goes with the thing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

import sqlalchemy as sa

from flyball import principals
from flyball.clock import Clock, parse_duration, parse_time
from flyball.data import _catalog_store as _store
from flyball.data import _quality_store
from flyball.data._catalog_words import Phrase, fits, phrases_of
from flyball.data.catalog_entry import (
    Access,
    AccessState,
    Badge,
    CatalogEntry,
    EntryColumn,
    EntryNotes,
    EntryText,
    Freshness,
    Hit,
    Shelf,
    Use,
    merged_texts,
)
from flyball.errors import Conflict, InvalidInput, NotFound, PermissionDenied, did_you_mean
from flyball.lineage import ColumnEdge, Edge, Lineage
from flyball.refs import Ref, new_id
from flyball.storage.database import Database
from flyball.storage.event_log import EventLog, position, set_position
from flyball.storage.objects import Blobs
from flyball.verbs import change, read

_DATASETS = "datasets"
_FOLLOWER = "catalog"
_PAGE = 500
_MOST_TEXT = 20_000
ROLES = ("reader", "writer", "owner")

QualityOf = Callable[[str], "Badge | None"]
"""Gives what the last look at the quality of a dataset said."""


class Catalog:
    """Finds and describes datasets, features, models, loops, deployments, and the data and jobs of other tools."""

    def __init__(
        self,
        database: Database,
        blobs: Blobs,
        events: EventLog,
        clock: Clock,
        *,
        shelves: Sequence[Shelf] = (),
        quality: QualityOf | None = None,
    ) -> None:
        self._database = database
        self._events = events
        self._clock = clock
        self._lineage = Lineage(database, events, clock)
        self._shelves: Mapping[str, Shelf] = {shelf.kind: shelf for shelf in shelves}
        self._quality = quality

    @read
    def search(
        self, words: str = "", kinds: Sequence[str] = (), owner: str = "", tag: str = "", limit: int = 20
    ) -> list[Hit]:
        """Things whose name, columns, description, tags or owner hold all the words, the best fit first.

        Args:
            words: Each counts as the beginning of a word; several in quotes must stand so. Case and accents do not count.
            kinds: Only these, such as `datasets` or `features`; all by default.
            owner: Only things of this owner.
            tag: Only things with this tag: `key`, or `key=value`.
            limit: At most this many, up to 1,000.

        Raises:
            InvalidInput: there are words, and nothing in them can be looked for.
        """
        phrases = phrases_of(words)
        if words.strip() and not phrases:
            raise InvalidInput(f"There is no word in {words[:60]!r}.", hint="Use letters or digits.")
        limit = max(1, min(limit, 1000))
        self._catch_up()
        with self._database.reading() as connection:
            if self._database.frozen and position(connection, _FOLLOWER) is None:
                return []  # it was never filled, and cannot be any more
            rows = _store.search(connection, phrases, list(kinds), owner, 10_000 if tag else limit)
        found = [_hit(row.entry, row.notes or EntryNotes(), row.score, phrases) for row in rows]
        return [hit for hit in found if _has_tag(hit.tags, tag)][:limit]

    @read
    def get(self, ref: str) -> CatalogEntry:
        """All that is known of a thing.

        Args:
            ref: Such as `datasets:/flights`; a bare name is one of whatever kind has it.

        Raises:
            NotFound: there is none; the hint names near ones.
        """
        self._catch_up()
        with self._database.reading() as connection:
            entry = self._entry(connection, ref)
            return self._whole(connection, entry, _store.notes_of(connection, entry.ref))

    @change
    def describe(
        self,
        ref: str,
        description: str | None = None,
        licence: str | None = None,
        pii: str | None = None,
        fresh_within: str | None = None,
        links: dict[str, str] | None = None,
        columns: dict[str, str] | None = None,
        column_pii: dict[str, str] | None = None,
    ) -> CatalogEntry:
        """Says something of a thing; what is not given stays, and an empty text takes back what was said.

        Args:
            pii: Class of personal data of the whole, such as `none`, `personal`, `sensitive`.
            fresh_within: How old its content may be, such as `1d`; empty for no expectation.
            links: Addresses by their title.
            columns: Descriptions of columns.
            column_pii: Kinds of personal data by column, such as `mail`; `none` for a column that holds none. Of a dataset it
                is the same word as `Quality.declare_pii`: previews, profiles and reports mask such columns.

        Raises:
            NotFound: there is no such thing.
            InvalidInput: it has no such column, there is no such kind, or a text cannot be kept.
        """
        texts = {"description": description, "licence": licence, "pii": pii}
        _check_texts({**texts, **(links or {}), **(columns or {}), **(column_pii or {})})
        seconds = None if fresh_within is None else parse_duration(fresh_within or "0s").total_seconds()

        def changed(entry: EntryText, before: EntryNotes) -> EntryNotes:
            known = {column.name for column in entry.columns}
            for name in [*(columns or ()), *(column_pii or ())] if known else ():
                if name not in known:
                    raise InvalidInput(f"'{entry.ref}' has no column '{name}'.", hint=did_you_mean(name, known))
            return replace(
                before,
                description=before.description if description is None else description,
                licence=before.licence if licence is None else licence,
                pii=before.pii if pii is None else pii,
                fresh_within_seconds=before.fresh_within_seconds if seconds is None else seconds,
                links=merged_texts(before.links, links),
                columns=merged_texts(before.columns, columns),
                column_pii=before.column_pii
                if entry.kind == _DATASETS
                else merged_texts(before.column_pii, column_pii),
            )

        return self._change(ref, changed, "entry_described", column_pii=column_pii)

    @change(role="maintainer")
    def own(self, ref: str, owner: str) -> CatalogEntry:
        """Says whose a thing is; an empty text takes it back.

        Raises:
            NotFound: there is no such thing.
        """
        _check_texts({"owner": owner}, 200)
        return self._change(ref, lambda _, before: replace(before, owner=owner), "entry_owned", owner=owner)

    @change
    def tag(self, ref: str, tags: dict[str, str]) -> CatalogEntry:
        """Sets tags of a thing.

        Raises:
            NotFound: there is no such thing.
            InvalidInput: a key or a value cannot be kept.
        """
        for key, value in tags.items():
            if not key.strip() or len(key) > 100 or not key.isprintable() or "=" in key:
                raise InvalidInput(f"{key[:60]!r} cannot be the key of a tag.", hint="Use up to 100 letters.")
            _check_texts({key: value}, 1000)
        return self._change(
            ref, lambda _, before: replace(before, tags=before.tags | tags), "entry_tagged", tags=dict(tags)
        )

    @change
    def untag(self, ref: str, keys: list[str]) -> CatalogEntry:
        """Takes tags from a thing; only those that were set here.

        Raises:
            NotFound: there is no such thing, or it has no such tag here.
        """

        def changed(entry: EntryText, before: EntryNotes) -> EntryNotes:
            for key in keys:
                if key not in before.tags:
                    raise NotFound(f"'{entry.ref}' has no tag '{key}' here.", hint=did_you_mean(key, before.tags))
            return replace(before, tags={key: value for key, value in before.tags.items() if key not in keys})

        return self._change(ref, changed, "entry_untagged", keys=list(keys))

    @read
    def usage(self, ref: str, depth: int = 10) -> list[Use]:
        """What is made with a thing, its versions included: runs, features, models, deployments, jobs; nearest first.

        Args:
            depth: How many steps to follow, 1 to 100.
        """
        start = self._ref(ref)
        steps: dict[str, int] = {start: 0}
        found: dict[str, Use] = {}
        for edge in self._lineage.downstream(start, depth, versions=True):
            steps.setdefault(edge.target, steps.get(edge.source, 0) + (edge.relation != "version"))
            if edge.relation != "version" and edge.target not in found:
                found[edge.target] = Use(
                    ref=edge.target, kind=Ref.parse(edge.target).kind, relation=edge.relation,
                    steps=steps[edge.target], through=edge.source,
                )  # fmt: skip
        return list(found.values())

    @read
    def lineage(self, ref: str, upstream: bool = True, depth: int = 10) -> list[Edge]:
        """The edges to what a thing was made from, or with `upstream` false to what came of it; nearest first.

        Args:
            depth: How many steps to follow, 1 to 100.
        """
        start = self._ref(ref)
        walk = self._lineage.upstream if upstream else self._lineage.downstream
        return walk(start, depth, versions=True)

    @read
    def column_lineage(self, ref: str, column: str = "", upstream: bool = True, depth: int = 10) -> list[ColumnEdge]:
        """The columns that the columns of a thing were made from, or with `upstream` false what was made from them.

        Args:
            column: Only this one; all by default.
            depth: How many steps to follow, 1 to 100.
        """
        return self._lineage.columns(self._ref(ref), column, depth, upstream)

    @change
    def request_access(self, ref: str, who: str, role: str = "reader", reason: str = "") -> Access:
        """Asks for somebody to be let use a thing. It is recorded, and not enforced yet.

        Args:
            role: `reader`, `writer` or `owner`.

        Raises:
            NotFound: there is no such thing.
            Conflict: the same was asked for or granted already.
        """
        if role not in ROLES:
            raise InvalidInput(f"There is no role '{role[:40]}'.", hint=did_you_mean(role, ROLES))
        if not who.strip():
            raise InvalidInput("Nobody is named.", hint="Say who wants access.")
        who = principals.who(who)
        _check_texts({"who": who}, 200)
        _check_texts({"reason": reason})
        self._catch_up()
        with self._database.transaction() as connection:
            entry = self._entry(connection, ref)
            for row in _store.access_rows(connection, entry.ref, "", 1000, ""):
                if (row.who, row.role) == (who, role) and self._holds(row):
                    raise Conflict(f"'{who}' has {row.state} {role} of '{entry.ref}' already.", access=row.id)
            made = Access(
                id=new_id(),
                ref=entry.ref,
                who=who,
                role=role,
                reason=reason,
                state="requested",
                asked=self._clock.now(),
            )
            names = ("id", "ref", "who", "role", "reason", "state", "asked")
            _store.write_access(connection, **{name: getattr(made, name) for name in names}, by="", note="")
            self._events.append(connection, "data.access_requested", entry.ref, access=made.id, who=who, role=role)
        return made

    @change(role="maintainer")
    def grant_access(self, access: str, by: str = "", note: str = "", until: str = "") -> Access:
        """Says yes to a wish.

        Args:
            until: When the grant ends; empty for never.
        """
        return self._answer(access, "granted", by, note, parse_time(until) if until else None)

    @change(role="maintainer")
    def refuse_access(self, access: str, by: str = "", note: str = "") -> Access:
        """Says no to a wish, or takes a grant back."""
        return self._answer(access, "refused", by, note, None)

    @read
    def list_access(self, ref: str = "", state: str = "", limit: int = 100, before: str = "") -> list[Access]:
        """Wishes to use things, newest first.

        Args:
            ref: Only of this thing.
            state: `requested`, `granted` or `refused`.
            before: Only those older than the one of this id.
        """
        name = self._ref(ref) if ref else ""
        with self._database.reading() as connection:
            rows = _store.access_rows(connection, name, state, max(1, min(limit, 1000)), before)
        return [Access(**row._mapping) for row in rows]

    @change(role="maintainer")
    def rebuild(self) -> int:
        """Makes every entry anew from what the rooms know; gives how many there are. What people said stays."""
        count = 0
        latest = max((event.id for event in self._events.list(limit=1, newest_first=True)), default=0)
        with self._database.transaction() as connection:
            _store.lock(connection)
            _store.clear(connection)
            for shelf in self._shelves.values():
                for name in shelf.names():
                    count += self._refresh(connection, shelf, name)
            set_position(self._database, connection, _FOLLOWER, latest)
        return count

    def _catch_up(self) -> None:
        """Looks again at what changed since the last time."""
        kinds = sorted({room for shelf in self._shelves.values() for room in shelf.rooms})
        if not kinds or self._database.frozen:
            return
        with self._database.reading() as connection:
            seen = position(connection, _FOLLOWER)
        if seen is None:
            # Things may be older than the catalog, or than what the event log still holds.
            self.rebuild()
            return
        while self._events.list(after=seen, kinds=kinds, limit=1):
            with self._database.transaction() as connection:
                _store.lock(connection)
                seen = position(connection, _FOLLOWER) or 0
                events = self._events.list(after=seen, kinds=kinds, limit=_PAGE)
                for event in events:
                    if event.kind.endswith("_renamed") and "former" in event.facts:
                        former = Ref(kind=Ref.parse(event.subject).kind, name=str(event.facts["former"]))
                        _store.rename(connection, str(former), event.subject)
                        self._look_again(connection, {str(former)})
                self._look_again(connection, {subject for event in events for subject in _subjects(event.subject)})
                seen = events[-1].id if events else seen
                set_position(self._database, connection, _FOLLOWER, seen)

    def _look_again(self, connection: sa.Connection, refs: set[str]) -> None:
        for text in sorted(refs):
            ref = Ref.parse(text)
            shelf = self._shelves.get(ref.kind)
            if shelf is not None:
                self._refresh(connection, shelf, f"{ref.name}/{ref.version}" if ref.version else ref.name)

    def _refresh(self, connection: sa.Connection, shelf: Shelf, name: str) -> bool:
        entry = shelf.describe(name)
        if entry is None:
            _store.remove(connection, f"{shelf.kind}:/{name}")
            return False
        _store.write(self._database, connection, entry, _store.notes_of(connection, entry.ref))
        self._lineage.add_many(connection, [(source, entry.ref, relation) for source, relation in entry.uses])
        if entry.column_sources:
            edges = [
                ColumnEdge(source=s.source, source_column=s.source_column, target=entry.ref, target_column=s.column,
                           direct=s.direct, how=s.how)
                for s in entry.column_sources
            ]  # fmt: skip
            self._lineage.set_columns(connection, entry.ref, edges)
        return True

    def _change(
        self, ref: str, changed: Callable[[EntryText, EntryNotes], EntryNotes], what: str,
        column_pii: Mapping[str, str] | None = None, **facts: object,
    ) -> CatalogEntry:  # fmt: skip
        self._catch_up()
        with self._database.transaction() as connection:
            entry = self._entry(connection, ref)
            before = _store.notes_of(connection, entry.ref)
            after = changed(entry, before)
            if column_pii and entry.kind == _DATASETS:
                name = Ref.parse(entry.ref).name
                _quality_store.say_classes(self._database, connection, name, column_pii)
                self._events.append(connection, "data.pii_declared", entry.ref, columns=dict(column_pii))
            if after != before:
                _store.write_notes(self._database, connection, entry.ref, after)
                _store.write(self._database, connection, entry, after)
                self._events.append(connection, f"data.{what}", entry.ref, **facts)
            return self._whole(connection, entry, after)

    def _entry(self, connection: sa.Connection, ref: str) -> EntryText:
        if ":/" in ref:
            found = _store.entry(connection, str(Ref.parse(ref)))
            if found is not None:
                return found
        else:
            named = [found for kind in self._shelves if (found := _store.entry(connection, f"{kind}:/{ref}"))]
            if len(named) > 1:
                raise InvalidInput(
                    f"Several things are called '{ref}'.", hint="One of " + ", ".join(e.ref for e in named) + "."
                )
            if named:
                return named[0]
        raise NotFound(
            f"The catalog has no '{ref[:100]}'.", hint=did_you_mean(ref, _store.refs(connection)[:5000]), ref=ref
        )

    def _ref(self, ref: str) -> str:
        """The reference that a text stands for; what has one need not be in the catalog, as runs are not."""
        self._catch_up()
        if ":/" in ref:
            return str(Ref.parse(ref))
        with self._database.reading() as connection:
            return self._entry(connection, ref).ref

    def _whole(self, connection: sa.Connection, entry: EntryText, added: EntryNotes) -> CatalogEntry:
        said: Callable[[str], str | None] = added.column_pii.get
        if entry.kind == _DATASETS:
            said = _quality_store.pii_classes(connection, Ref.parse(entry.ref).name).of
        columns = tuple(
            EntryColumn(
                name=column.name, type=column.type, description=added.columns.get(column.name) or column.description,
                pii=column.pii if (kind := said(column.name)) is None else kind,
            )
            for column in entry.columns
        )  # fmt: skip
        return CatalogEntry(
            ref=entry.ref,
            kind=entry.kind,
            title=entry.title,
            description=added.description or entry.description,
            owner=added.owner or entry.owner,
            licence=added.licence,
            pii=added.pii or ("personal" if any(column.pii not in ("", "none") for column in columns) else ""),
            tags=entry.tags | added.tags,
            links=added.links,
            columns=columns,
            freshness=self._freshness(entry.changed, added.fresh_within_seconds),
            quality=self._quality(entry.ref) if self._quality else None,
        )

    def _freshness(self, changed: datetime | None, expected: float) -> Freshness | None:
        if changed is None:
            return None
        age = max((self._clock.now() - changed).total_seconds(), 0.0)
        is_fresh = age <= expected if expected else None
        return Freshness(changed=changed, age_seconds=age, expected_seconds=expected, is_fresh=is_fresh)

    def _answer(self, access: str, state: AccessState, by: str, note: str, until: datetime | None) -> Access:
        by = principals.who(by)
        _check_texts({"by": by}, 200)
        _check_texts({"note": note})
        now = self._clock.now()
        if until is not None and until <= now:
            raise InvalidInput(f"The grant would end at {until:%Y-%m-%d %H:%M}, which is past.")
        with self._database.transaction() as connection:
            row = _store.access_row(connection, access)
            if row is None:
                raise NotFound(f"Nobody asked for access under '{access[:40]}'.", hint="See `flyball catalog access`.")
            if row.state == state or row.state == "refused":
                raise Conflict(f"This wish of '{row.who}' was {row.state} already.", access=access)
            if principals.acting().proven and row.who == by:
                raise PermissionDenied(f"{by} asked for it themselves.", hint="Someone else has to decide.")
            _store.answer_access(connection, access, state=state, at=now, by=by, note=note, until=until)
            facts = {"access": access, "who": row.who, "role": row.role, "by": by}
            self._events.append(connection, f"data.access_{state}", row.ref, **facts)
            return Access(**_store.access_row(connection, access)._mapping)  # type: ignore[union-attr]  # it was there

    def _holds(self, row: sa.Row[tuple[object, ...]]) -> bool:
        is_over = row.until is not None and row.until <= self._clock.now()
        return row.state in ("requested", "granted") and not is_over


def _subjects(subject: str) -> list[str]:
    """What an event about a thing is also about: a new snapshot changes its dataset, a version its model."""
    try:
        ref = Ref.parse(subject)
    except InvalidInput:
        return []
    if ref.kind == "snapshots":
        return [str(Ref(kind="datasets", name=ref.name))]
    is_whole = ref.kind in ("external", "jobs")
    return [subject if is_whole else str(Ref(kind=ref.kind, name=ref.name))]


def _hit(entry: EntryText, added: EntryNotes, score: float, phrases: list[Phrase]) -> Hit:
    texts = ((c.name, f"{c.name} {c.description} {added.columns.get(c.name, '')}") for c in entry.columns)
    return Hit(
        ref=entry.ref,
        kind=entry.kind,
        title=entry.title,
        description=added.description or entry.description,
        owner=added.owner or entry.owner,
        tags=entry.tags | added.tags,
        score=float(score),
        columns=tuple(name for name, text in texts if phrases and fits(text, phrases))[:20],
    )


def _has_tag(tags: Mapping[str, str], tag: str) -> bool:
    key, equals, value = tag.partition("=")
    return not tag or (key in tags and (not equals or tags[key] == value))


def _check_texts(texts: Mapping[str, str | None], most: int = _MOST_TEXT) -> None:
    for name, text in texts.items():
        if text is not None and (len(text) > most or "\0" in text):
            raise InvalidInput(f"The text of '{name[:60]}' is {len(text):,} long.", hint=f"Up to {most:,} are kept.")
