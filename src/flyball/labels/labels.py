"""Label sets: what is to be labelled, who gets what next, and the book of labels, in which nothing is ever overwritten."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import sqlalchemy as sa

from flyball.clock import Clock
from flyball.errors import Conflict, InvalidInput, NotFound, PermissionDenied, did_you_mean
from flyball.labels import _store
from flyball.labels.agreement import Agreement, agreement
from flyball.labels.consensus import dawid_skene
from flyball.labels.resolve import as_text, coded, resolved
from flyball.labels.task import (
    CurrentLabel,
    Item,
    Label,
    LabelSet,
    NewItem,
    NewLabel,
    Progress,
    Rule,
    check_set,
    check_value,
)
from flyball.principals import acting, who
from flyball.refs import Ref
from flyball.serialization import JsonValue, canonical_json, from_json, to_json
from flyball.storage.database import Database
from flyball.storage.event_log import EventLog
from flyball.storage.objects import Blobs, check_digest
from flyball.verbs import change, read

_MOST = 10_000
_LARGEST_DATA = 1 << 20


class Labels:
    """Label sets, their queues and their labels."""

    def __init__(self, database: Database, blobs: Blobs, events: EventLog, clock: Clock) -> None:
        self._database = database
        self._events = events
        self._clock = clock

    @change
    def declare(self, label_set: LabelSet) -> LabelSet:
        """Makes a set, or changes what is said of it; its task stays, and classes are only ever added.

        Raises:
            InvalidInput: it cannot be used.
            Conflict: there is one of that name with another task, or with classes that this one lacks.
        """
        check_set(label_set)
        with self._database.transaction() as connection:
            known = _store.label_set(connection, label_set.name)
            if known == label_set:
                return label_set
            if known is not None:
                gone = set(known.classes) - set(label_set.classes)
                is_other = (known.task, known.items) != (label_set.task, label_set.items)
                if is_other or gone:
                    what = "has another task" if is_other else f"lacks the class '{min(gone)}'"
                    raise Conflict(f"The set '{label_set.name}' is there; this one {what}.", hint="Use another name.")
                changed = {"label_set": label_set}
                connection.execute(sa.update(_store.sets).where(_store.sets.c.name == known.name).values(**changed))
            else:
                row = {"name": label_set.name, "made": self._clock.now(), "label_set": label_set, "secret": ""}
                connection.execute(sa.insert(_store.sets).values(**row))
            self._tell(connection, "set_declared", label_set.name, task=label_set.task)
        return label_set

    @read
    def get(self, name: str) -> LabelSet:
        """The set of that name.

        Raises:
            NotFound: there is none; the hint names near ones.
        """
        with self._database.reading() as connection:
            return self._get(connection, name)

    @change(role="maintainer")
    def remove(self, name: str) -> None:
        """Removes a set with all its labels; snapshots that were taken of them stay.

        Raises:
            NotFound: there is none.
        """
        with self._database.transaction() as connection:
            self._get(connection, name)
            _store.remove(connection, name)
            self._tell(connection, "set_removed", name)

    @change
    def add_items(self, name: str, items: list[NewItem]) -> int:
        """Adds things to be labelled; gives how many are new. One whose key is there stays as it is.

        Args:
            items: Up to 10,000.

        Raises:
            NotFound: there is no such set.
            InvalidInput: a key or what is shown cannot be kept.
        """
        _check_count(items, "things")
        with self._database.transaction() as connection:
            declared = self._get(connection, name)
            rows = {item.key: _item_row(declared, item) for item in items}
            if not rows:
                return 0
            _store.lock(connection, name)
            added = _store.insert_items(self._database, connection, [*rows.values()])
            if added:
                self._tell(connection, "items_added", name, added=added)
        return added

    @change
    def remove_items(self, name: str, keys: list[str], reason: str) -> int:
        """Removes things with all that was said of them; gives how many there were. Snapshots taken of the labels stay.

        Args:
            keys: Up to 10,000; one that is not there is passed over.
            reason: Why, for the audit.

        Raises:
            NotFound: there is no such set.
        """
        _check_count(keys, "things")
        with self._database.transaction() as connection:
            self._get(connection, name)
            found = _store.numbers(connection, name, keys)
            _store.remove_items(connection, name, [*found.values()])
            if found:
                self._tell(connection, "items_removed", name, removed=len(found), reason=reason)
        return len(found)

    @read
    def list_items(self, name: str, limit: int = 100, after: int = 0) -> list[Item]:
        """Things of a set, in the order in which they were added.

        Args:
            limit: At most this many, up to 10,000.
            after: `order` of the last thing of the page before.
        """
        with self._database.reading() as connection:
            self._get(connection, name)
            rows = _store.item_page(connection, name, after, max(1, min(limit, _MOST)))
        return [_item(row) for row in rows]

    @read
    def get_item(self, name: str, key: str) -> Item:
        """One thing of a set.

        Raises:
            NotFound: there is none of that key.
        """
        with self._database.reading() as connection:
            self._get(connection, name)
            row = _store.item(connection, name, key)
        if row is None:
            raise NotFound(f"There is no '{key[:100]}' in the set '{name}'.", key=key)
        return _item(row)

    @change(audited=False)
    def next(self, name: str, annotator: str, count: int = 1) -> list[Item]:
        """Hands out what an annotator shall label next; nobody else gets it while the lease holds.

        What they have already and did not label comes first. Where several shall label each thing, each gets it once.

        Args:
            count: How many, up to 100.
        """
        annotator = who(annotator)
        _check_annotator(annotator)
        with self._database.transaction() as connection:
            declared = self._get(connection, name)
            _store.lock(connection, name)
            rows = _store.candidates(self._database, connection, name, annotator, max(1, min(count, 100)))
            until = self._database.dialect.now + declared.lease_seconds
            _store.set_turns(self._database, connection, name, annotator, [row.number for row in rows], "leased", until)
        return [_item(row) for row in rows]

    @change
    def skip(self, name: str, item: str, annotator: str) -> None:
        """Gives a thing back; the annotator does not get it again."""
        annotator = who(annotator)
        _check_annotator(annotator)
        with self._database.transaction() as connection:
            self._get(connection, name)
            number = self._numbers(connection, name, [item])[item]
            _store.set_turns(self._database, connection, name, annotator, [number], "skipped")

    @change
    def label(
        self,
        name: str,
        item: str,
        value: JsonValue,
        annotator: str,
        confidence: float | None = None,
        source: str = "person",
    ) -> Label:
        """Writes a label into the book; a second one by the same annotator stands for the first from then on.

        Args:
            item: Key of the thing.
            confidence: How sure the annotator is, from 0 to 1.

        Raises:
            NotFound: there is no such set or thing.
            InvalidInput: it is no answer to the set's task.
        """
        annotator = who(annotator)
        given = NewLabel(item=item, value=value, annotator=annotator, confidence=confidence, source=source)
        self.add_labels(name, [given])
        return self.list_labels(name, item=item, annotator=annotator, limit=_MOST)[-1]

    @change
    def add_labels(self, name: str, labels: list[NewLabel]) -> int:
        """Writes labels into the book, in their order; gives how many say something new.

        One that says what the same annotator said last of the thing changes nothing, so the same may be sent twice.

        Args:
            labels: Up to 10,000.

        Raises:
            NotFound: there is no such set or thing; nothing is written.
            InvalidInput: one is no answer to the set's task; nothing is written.
        """
        _check_count(labels, "labels")
        if not acting().may("maintainer"):
            labels = [replace(label, annotator=who(label.annotator)) for label in labels]
        now = self._clock.now()
        with self._database.transaction() as connection:
            declared = self._get(connection, name)
            _store.lock(connection, name)
            numbers = self._numbers(connection, name, [label.item for label in labels])
            last = _store.last_words(connection, sorted(set(numbers.values())))
            said = {pair: (row.value, row.origin) for pair, row in last.items()}
            written = 0
            for batch in _batches(labels):
                rows = []
                for label in batch:
                    row = _label_row(declared, label, numbers[label.item], label.at or now)
                    pair = (row["item"], row["annotator"])
                    before = said.get(pair, (None, ""))
                    if row["value"] != before[0] or (row["value"] and label.origin and label.origin != before[1]):
                        rows.append(row)
                        said[pair] = (row["value"], row["origin"])
                if rows:
                    _store.append(self._database, connection, rows)
                    written += len(rows)
            if written:
                self._tell(connection, "labels_added", name, added=written)
        return written

    @change
    def undo(self, name: str, annotator: str) -> Item | None:
        """Takes an annotator's last label back and gives them the thing again; None if there is none left."""
        annotator = who(annotator)
        _check_annotator(annotator)
        with self._database.transaction() as connection:
            declared = self._get(connection, name)
            _store.lock(connection, name)
            last = _store.last_label(connection, name, annotator)
            if last is None:
                return None
            row = {
                "label_set": name, "item": last.item, "annotator": annotator, "value": None, "at": self._clock.now(),
                "source": "undo", "confidence": None, "origin": "",
            }  # fmt: skip
            _store.append(self._database, connection, [row])
            until = self._database.dialect.now + declared.lease_seconds
            _store.set_turns(self._database, connection, name, annotator, [last.item], "leased", until)
            self._tell(connection, "labels_added", name, added=1)
            found = connection.execute(sa.select(_store.items).where(_store.items.c.number == last.item)).one()
        return _item(found)

    @change
    def set_priorities(self, name: str, keys: list[str], priorities: list[float]) -> int:
        """Says what is to be handed out first: things with a higher priority. Gives how many there are of these keys.

        Raises:
            InvalidInput: there are not as many of both, or one is no number.
        """
        if len(keys) != len(priorities) or any(not -1e300 < float(each) < 1e300 for each in priorities):
            raise InvalidInput(
                f"There are {len(keys)} keys and {len(priorities)} priorities.", hint="Give a number each."
            )
        _check_count(keys, "keys")
        with self._database.transaction() as connection:
            self._get(connection, name)
            known = _store.numbers(connection, name, keys)
            table = _store.items
            update = sa.update(table).where(table.c.number == sa.bindparam("of")).values(priority=sa.bindparam("to"))
            rows = [{"of": known[k], "to": float(p)} for k, p in zip(keys, priorities, strict=True) if k in known]
            if rows:
                connection.execute(update, rows)
        return len(rows)

    @change
    def ask_more(self, name: str, keys: list[str], needed: int) -> int:
        """Lets more people label certain things, such as those on which two did not agree; gives how many are open now.

        Args:
            needed: How many shall have labelled each in the end, up to 100.
        """
        _check_count(keys, "keys")
        if not 1 <= needed <= 100:
            raise InvalidInput(f"{needed} labels on each cannot be.", hint="Give 1 to 100.")
        with self._database.transaction() as connection:
            self._get(connection, name)
            numbers = sorted(self._numbers(connection, name, keys).values())
            table = _store.items
            for number in numbers:
                connection.execute(sa.update(table).where(table.c.number == number).values(needed=needed))
            _store.count_again(connection, numbers)
            open_ = sa.select(sa.func.count()).where(table.c.number.in_(numbers), table.c.is_open.is_(True))
            return int(connection.execute(open_).scalar_one())

    @read
    def list_labels(
        self, name: str, item: str = "", annotator: str = "", limit: int = 100, after: int = 0, only_last: bool = False
    ) -> list[Label]:
        """The book of labels, in its order.

        Args:
            item: Only of the thing of this key.
            annotator: Only by this annotator.
            limit: At most this many, up to 10,000.
            after: Number of the last label of the page before.
            only_last: Only each annotator's last word on a thing, without what was taken back.
        """
        with self._database.reading() as connection:
            self._get(connection, name)
            most = max(1, min(limit, _MOST))
            rows = _store.label_page(connection, name, after, most, annotator, item, only_last=only_last)
        return [
            Label(
                number=row.number, item=row.key, value=None if row.value is None else from_json(row.value, object),
                annotator=row.annotator, at=row.at, source=row.source, confidence=row.confidence, origin=row.origin,
            )
            for row in rows
        ]  # fmt: skip

    @read
    def current(self, name: str, rule: Rule | None = None, limit: int = 1000, after: str = "") -> list[CurrentLabel]:
        """What counts as the label of each thing now, by its rule or another one, in the order of things.

        Args:
            rule: `last`, `majority` or `consensus`; the set's own by default.
            limit: At most this many, up to 1,000,000.
            after: Key of the last thing of the page before.
        """
        most = max(1, min(limit, 1_000_000))
        with self._database.reading() as connection:
            declared = self._get(connection, name)
            start = self._numbers(connection, name, [after])[after] if after else 0
            found = coded(_store.ratings(connection, name))
            if not found.annotators:
                return []
            counted = resolved(found.ratings, rule or declared.rule)
            first = int((found.things <= start).sum())
            places = range(first, min(first + most, len(found.things)))
            said = _store.last_moments(connection, found.things[first : first + most].tolist())
        return [
            CurrentLabel(
                item=said[number][0],
                value=from_json(found.values[int(counted.values[place])], object),
                confidence=float(counted.confidence[place]),
                labels=int(counted.counts[place]),
                at=said[number][1],
            )
            for place in places
            for number in (int(found.things[place]),)
        ]

    @read
    def agreement(self, name: str) -> Agreement:
        """How far the annotators agree: Cohen's and Fleiss' kappa, Krippendorff's alpha, percent, and who differs from whom.

        Values count as the same or not: two spans or boxes that differ by a sign or a pixel differ.
        """
        with self._database.reading() as connection:
            self._get(connection, name)
            found = coded(_store.ratings(connection, name))
        if not found.annotators:
            return Agreement(items=0, annotators=0, labels=0, agree=None, fleiss=None, alpha=None)
        return agreement(found.ratings, found.annotators, [as_text(value) for value in found.values])

    @read
    def annotator_quality(self, name: str) -> dict[str, float]:
        """The chance that each annotator is right, as the consensus of all estimates it (Dawid and Skene)."""
        with self._database.reading() as connection:
            self._get(connection, name)
            found = coded(_store.ratings(connection, name))
        if not found.annotators:
            return {}
        quality = dawid_skene(found.ratings).quality
        return {who: float(share) for who, share in zip(found.annotators, quality, strict=True)}

    @read
    def progress(self, name: str) -> Progress:
        """How far the work on a set is."""
        with self._database.reading() as connection:
            self._get(connection, name)
            return Progress(**_store.progress(self._database, connection, name))

    @change(role="maintainer")
    def set_secret(self, name: str, secret: str) -> None:
        """Says what others must know to send labels of their own to a set; empty: nobody may."""
        kept = hashlib.sha256(secret.encode()).hexdigest() if secret else ""
        with self._database.transaction() as connection:
            self._get(connection, name)
            connection.execute(sa.update(_store.sets).where(_store.sets.c.name == name).values(secret=kept))

    def check_secret(self, name: str, secret: str) -> None:
        """Lets only those pass who know the secret of a set; whether there is such a set is not told to others.

        Raises:
            PermissionDenied: they do not, or there is none.
        """
        query = sa.select(_store.sets.c.secret).where(_store.sets.c.name == name)
        with self._database.reading() as connection:
            kept = connection.execute(query).scalar() or ""
        given = hashlib.sha256(secret.encode("utf-8", "replace")).hexdigest()
        if not kept or not hmac.compare_digest(kept, given):
            raise PermissionDenied("The secret is not that of the set.", hint="See `flyball labels secret`.")

    def _get(self, connection: sa.Connection, name: str) -> LabelSet:
        found = _store.label_set(connection, name)
        if found is None:
            hint = did_you_mean(name, _store.names(connection))
            raise NotFound(f"There is no label set '{name[:100]}'.", hint=hint, label_set=name)
        return found

    def _numbers(self, connection: sa.Connection, name: str, keys: Sequence[str]) -> dict[str, int]:
        found = _store.numbers(connection, name, [*dict.fromkeys(keys)])
        for key in keys:
            if key not in found:
                raise NotFound(f"There is no '{key[:100]}' in the set '{name}'.", key=key)
        return found

    def _tell(self, connection: sa.Connection, what: str, name: str, **facts: JsonValue) -> None:
        self._events.append(connection, f"labels.{what}", Ref(kind="labels", name=name), **facts)

    @read
    def list(self, limit: int = 100, after: str = "") -> list[LabelSet]:
        """Sets, by name.

        Args:
            after: Only those whose name comes after it.
        """
        with self._database.reading() as connection:
            return _store.page(connection, max(1, min(limit, 1000)), after)


def _item_row(declared: LabelSet, item: NewItem) -> dict[str, Any]:
    if not item.key or len(item.key) > 500 or not item.key.isprintable():
        raise InvalidInput(f"{item.key[:60]!r} cannot be the key of a thing.", hint="Use up to 500 printable signs.")
    if len(to_json(item.data)) > _LARGEST_DATA:
        raise InvalidInput(f"What is shown of '{item.key[:60]}' is over 1 MiB.", hint="Keep it as a blob.")
    if item.digest:
        check_digest(item.digest)
    if item.ref:
        Ref.parse(item.ref)
    return {
        "label_set": declared.name, "key": item.key, "data": item.data, "ref": item.ref[:300], "digest": item.digest,
        "prediction": item.prediction, "priority": float(item.priority), "source": item.source[:300], "labels": 0,
        "needed": declared.overlap, "is_open": True,
    }  # fmt: skip


def _label_row(declared: LabelSet, label: NewLabel, number: int, at: Any) -> dict[str, Any]:
    _check_annotator(label.annotator)
    if label.confidence is not None and not 0 <= label.confidence <= 1:
        raise InvalidInput(f"The confidence is {label.confidence:g}.", hint="Give a number from 0 to 1.")
    value = None if label.value is None else canonical_json(check_value(declared, label.value)).decode()
    return {
        "label_set": declared.name, "item": number, "annotator": label.annotator, "value": value, "at": at,
        "source": label.source[:100], "confidence": label.confidence, "origin": label.origin[:200],
    }  # fmt: skip


def _item(row: sa.Row[Any]) -> Item:
    return Item(
        key=row.key, data=row.data, ref=row.ref, digest=row.digest, prediction=row.prediction, priority=row.priority,
        source=row.source, labels=row.labels, needed=row.needed, order=row.number,
    )  # fmt: skip


def _batches(labels: Sequence[NewLabel]) -> list[list[NewLabel]]:
    """The labels in their order, cut so that nobody speaks twice of a thing within one batch."""
    found: list[list[NewLabel]] = [[]]
    seen: set[tuple[str, str]] = set()
    for label in labels:
        pair = (label.item, label.annotator)
        if pair in seen:
            found.append([])
            seen = set()
        seen.add(pair)
        found[-1].append(label)
    return found


def _check_annotator(name: str) -> None:
    if not name.strip() or len(name) > 200 or not name.isprintable():
        raise InvalidInput(f"{name[:60]!r} cannot be the name of an annotator.", hint="Use up to 200 letters.")


def _check_count(given: Sequence[object], what: str) -> None:
    if len(given) > _MOST:
        raise InvalidInput(f"{len(given):,} {what} are given at once.", hint=f"Give up to {_MOST:,}.")
