"""Evaluation data sets: examples with what should come out, by which applications are judged again and again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from flyball.clock import Clock
from flyball.errors import NotFound
from flyball.refs import new_id
from flyball.serialization import JsonValue, canonical_json, digest
from flyball.storage.database import Database
from flyball.storage.event_log import EventLog
from flyball.storage.objects import Blobs
from flyball.tracking import _evaluation_store, _store, filters, limits
from flyball.tracking.filter_sql import compare, compare_time, keyed
from flyball.tracking.filters import LIST, NUMBER, TEXT, Comparison, Field, Fields, Group
from flyball.tracking.page_tokens import check_offset, read_token, write_token
from flyball.tracking.spans import kept, kept_text
from flyball.verbs import change, read

USER = "mlflow.user"
MOST_RECORDS = 10_000
_TEXT = Field(kind="text", operators=TEXT, native=LIST)
_TIME = Field(kind="time", operators=NUMBER)

FIELDS = Fields(
    what="evaluation data set",
    groups=(
        Group(
            name="attribute",
            aliases=("attributes",),
            keys={
                "name": Field(kind="text", operators=(*TEXT, "IN"), native=LIST),
                "created_by": _TEXT,
                "last_updated_by": _TEXT,
                "created_time": _TIME,
                "last_update_time": _TIME,
            },
        ),
        Group(name="tag", aliases=("tags",), any_key=Field(kind="text", operators=TEXT, sortable=False)),
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationSet:
    """A named set of examples.

    Attributes:
        id: `d-` and what makes it unique; several sets may have the same name.
        digest: Changes with every change of the records.
        schema: The fields of inputs, outputs and expectations, and their types; None while there is no record.
        records: How many it holds.
        experiments: Ids of the experiments that it belongs to.
    """

    id: str
    name: str
    digest: str
    created: datetime
    updated: datetime
    created_by: str = ""
    updated_by: str = ""
    tags: dict[str, str] = field(default_factory=dict)
    schema: dict[str, JsonValue] | None = None
    records: int = 0
    experiments: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationRecord:
    """One example: what goes in, what should come out.

    Attributes:
        outputs: What came out when it was recorded.
        expectations: What should come out, by name.
        source: Where it came from: `source_type` such as `HUMAN` or `TRACE`, and `source_data`.
    """

    id: str
    inputs: dict[str, JsonValue]
    outputs: JsonValue = None
    expectations: dict[str, JsonValue] | None = None
    tags: dict[str, str] | None = None
    source: dict[str, JsonValue] | None = None
    created: datetime
    updated: datetime
    created_by: str = ""
    updated_by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewRecord:
    """An example to be kept; what it does not name stays as it was where the same inputs are known.

    Attributes:
        keep_outputs: Whether those of the known record stay.
    """

    inputs: dict[str, JsonValue]
    outputs: JsonValue = None
    expectations: dict[str, JsonValue] | None = None
    tags: dict[str, str] | None = None
    source: dict[str, JsonValue] | None = None
    keep_outputs: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Merged:
    """How many records were new, and how many were known and changed."""

    inserted: int
    updated: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SetPage:
    """Some of the sets that were asked for, and the token of the next page; empty at the end."""

    sets: list[EvaluationSet]
    next_page_token: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordPage:
    """Some records of a set in the order of their making, and the token of the next page; empty at the end."""

    records: list[EvaluationRecord]
    next_page_token: str = ""


class EvaluationSets:
    """Keeps evaluation data sets."""

    def __init__(self, database: Database, blobs: Blobs, events: EventLog, clock: Clock) -> None:
        self._database = database
        self._blobs = blobs
        self._events = events
        self._clock = clock

    @change
    def create(
        self,
        name: str,
        experiments: list[str] | None = None,
        tags: dict[str, str] | None = None,
        id: str = "",
    ) -> EvaluationSet:
        """Makes an empty set.

        Args:
            experiments: Ids of the experiments that it belongs to.
            id: Makes the call safe to repeat.

        Raises:
            NotFound: there is no such experiment.
            InvalidInput: the name or a tag cannot be used.
        """
        given = _checked_tags(tags or {})
        now, user = self._clock.now(), given.get(USER, "")[:250]
        table = _evaluation_store.sets
        name_of = limits.check_key(id, "set") if id else f"d-{new_id()}"
        row: dict[str, Any] = {
            "id": name_of,
            "name": limits.check_key(name, "evaluation data set"),
            "digest": _digest(name, now),
            "created": now,
            "updated": now,
            "created_by": user,
            "updated_by": user,
        }
        with self._database.transaction() as connection:
            numbers = self._experiments(connection, experiments or [])
            insert = self._database.insert(table).values(row).on_conflict_do_nothing()
            made = connection.execute(insert.returning(table.c.number)).first() is not None
            number = self._one(connection, name_of).number
            if made:
                self._write_tags(connection, number, given)
                self._write_homes(connection, number, numbers)
                self._tell(connection, "created", name_of, name=name)
            return self._read(connection, table.c.number == number)[0]

    @change
    def delete(self, set: str) -> None:
        """Removes a set with its records; removing it again changes nothing."""
        table = _evaluation_store.sets
        with self._database.transaction() as connection:
            number = connection.execute(sa.select(table.c.number).where(table.c.id == set)).scalar()
            if number is None:
                return
            for other in (_evaluation_store.records, _evaluation_store.tags, _evaluation_store.homes):
                connection.execute(sa.delete(other).where(other.c.set == number))
            connection.execute(sa.delete(table).where(table.c.number == number))
            self._tell(connection, "deleted", set)

    @change
    def merge_records(self, set: str, records: list[NewRecord]) -> Merged:
        """Keeps records; one whose inputs are known is merged with the known one.

        Expectations and tags are added to those there are, outputs are replaced.

        Raises:
            NotFound: there is no such set.
            InvalidInput: there are too many at once.
        """
        limits.check_count(len(records), "records", MOST_RECORDS)
        now = self._clock.now()
        with self._database.transaction() as connection:
            at = self._one(connection, set)
            given = [(_key(record.inputs), record) for record in records]
            known = self._known(connection, at.number, [key for key, _ in given])
            inserted, updated = 0, 0
            rows = dict(known)
            user = ""
            for key, record in given:
                former = rows.get(key)
                inserted, updated = inserted + (former is None), updated + (former is not None)
                rows[key] = _new_row(at.number, key, record, now) if former is None else _merged(former, record, now)
                user = (record.tags or {}).get(USER, "") or user
            self._write_records(connection, list(rows.values()))
            values = {"updated": now, "updated_by": user[:250], "digest": _digest(at.name, now)}
            schema = _widened(at.schema, [record for _, record in given])
            self._update(connection, at.number, values | ({"schema": schema} if schema else {}))
            self._tell(connection, "changed", set, inserted=inserted, updated=updated)
        return Merged(inserted=inserted, updated=updated)

    @change
    def delete_records(self, set: str, records: list[str]) -> int:
        """Removes records by their ids; gives how many there were.

        Raises:
            NotFound: there is no such set.
        """
        limits.check_count(len(records), "records", MOST_RECORDS)
        table = _evaluation_store.records
        gone = 0
        with self._database.transaction() as connection:
            number = self._one(connection, set).number
            for piece in _pieces(records):
                mine = sa.and_(table.c.set == number, table.c.id.in_(piece))
                gone += connection.execute(sa.delete(table).where(mine)).rowcount
        return gone

    @change
    def set_tags(self, set: str, tags: dict[str, str]) -> None:
        """Puts tags on a set; the last value of a key stays.

        Raises:
            NotFound: there is no such set.
        """
        given = _checked_tags(tags)
        with self._database.transaction() as connection:
            self._write_tags(connection, self._one(connection, set).number, given)

    @change
    def delete_tag(self, set: str, key: str) -> None:
        """Takes a tag off a set; nothing happens where there is none."""
        table, sets = _evaluation_store.tags, _evaluation_store.sets
        mine = sa.select(sets.c.number).where(sets.c.id == set).scalar_subquery()
        self._database.execute(sa.delete(table).where(table.c.set == mine, table.c.key == key))

    @change
    def add_to_experiments(self, set: str, experiments: list[str]) -> EvaluationSet:
        """Lets a set belong to further experiments, by their ids.

        Raises:
            NotFound: there is no such set or experiment.
        """
        with self._database.transaction() as connection:
            number = self._one(connection, set).number
            self._write_homes(connection, number, self._experiments(connection, experiments))
            self._update(connection, number, {"updated": self._clock.now()})
            return self._read(connection, _evaluation_store.sets.c.number == number)[0]

    @change
    def remove_from_experiments(self, set: str, experiments: list[str]) -> EvaluationSet:
        """Takes a set out of experiments; nothing happens for those that it does not belong to.

        Raises:
            NotFound: there is no such set.
        """
        table = _evaluation_store.homes
        numbers = [int(text) for text in experiments if text.isdecimal() and len(text) < 19]
        with self._database.transaction() as connection:
            number = self._one(connection, set).number
            mine = sa.and_(table.c.set == number, table.c.experiment.in_(numbers))
            if connection.execute(sa.delete(table).where(mine)).rowcount:
                self._update(connection, number, {"updated": self._clock.now()})
            return self._read(connection, _evaluation_store.sets.c.number == number)[0]

    @read
    def get(self, set: str) -> EvaluationSet:
        """One set, without its records.

        Raises:
            NotFound: there is no such set.
        """
        with self._database.reading() as connection:
            found = self._read(connection, _evaluation_store.sets.c.id == set)
        if not found:
            raise _no_set(set)
        return found[0]

    @read
    def search(
        self,
        filter: str = "",
        experiments: list[str] | None = None,
        order_by: list[str] | None = None,
        limit: int = 100,
        page_token: str = "",
        native: bool = True,
    ) -> SetPage:
        """Sets as asked for in the language of filters, newest first.

        Args:
            filter: Such as `name LIKE 'support%' AND tags.team = 'chat'`.
            experiments: Only those that belong to one of these, by id; all by default.
            order_by: Such as `name`, `last_update_time DESC`.
            limit: At most this many, up to 1,000.
            page_token: That of the page before; for the same question only.
            native: Without it, only MLflow's own language is taken.

        Raises:
            InvalidInput: the filter, an order or the token cannot be understood.
        """
        table, homes = _evaluation_store.sets, _evaluation_store.homes
        limit = max(1, min(limit, 1000))
        offset = check_offset(read_token(page_token, int)) if page_token else 0
        wanted = [filters.to_sql(filters.parse_filter(filter, FIELDS, native=native), _condition)]
        if experiments:
            numbers = [int(text) for text in experiments if text.isdecimal() and len(text) < 19]
            wanted.append(table.c.number.in_(sa.select(homes.c.set).where(homes.c.experiment.in_(numbers))))
        order = [_ordered(one) for one in filters.parse_order(order_by or ["created_time DESC"], FIELDS)]
        with self._database.reading() as connection:
            query = sa.select(table.c.number).where(*wanted).order_by(*order, table.c.number.desc())
            found = connection.execute(query.offset(offset).limit(limit + 1)).scalars().all()
            by_number = dict(self._read_numbered(connection, table.c.number.in_(found[:limit])))
        token = write_token(offset + limit) if len(found) > limit else ""
        return SetPage(sets=[by_number[number] for number in found[:limit]], next_page_token=token)

    @read
    def records(self, set: str, limit: int = 1000, page_token: str = "") -> RecordPage:
        """The records of a set, in the order of their making.

        Args:
            limit: At most this many, up to 10,000.
            page_token: That of the page before.

        Raises:
            NotFound: there is no such set.
            InvalidInput: the token cannot be understood.
        """
        table = _evaluation_store.records
        limit = max(1, min(limit, MOST_RECORDS))
        after = read_token(page_token, tuple[datetime, str] | None) if page_token else None
        with self._database.reading() as connection:
            number = self._one(connection, set, lock=False).number
            query = sa.select(table).where(table.c.set == number)
            if after:
                same = sa.and_(table.c.created == after[0], table.c.id > after[1])
                query = query.where(sa.or_(table.c.created > after[0], same))
            rows = connection.execute(query.order_by(table.c.created, table.c.id).limit(limit + 1)).all()
        names = EvaluationRecord.__dataclass_fields__
        found = [EvaluationRecord(**{name: row._mapping[name] for name in names}) for row in rows[:limit]]
        token = ""
        if len(rows) > limit:
            token = write_token((found[-1].created, found[-1].id))
        return RecordPage(records=found, next_page_token=token)

    def _one(self, connection: sa.Connection, set: str, *, lock: bool = True) -> sa.Row[Any]:
        table = _evaluation_store.sets
        query = sa.select(table).where(table.c.id == set)
        row = connection.execute(query.with_for_update() if lock else query).first()
        if row is None:
            raise _no_set(set)
        return row

    def _update(self, connection: sa.Connection, number: int, values: dict[str, Any]) -> None:
        table = _evaluation_store.sets
        connection.execute(sa.update(table).where(table.c.number == number).values(**values))

    def _known(self, connection: sa.Connection, number: int, keys: Sequence[str]) -> dict[str, dict[str, Any]]:
        table = _evaluation_store.records
        found: dict[str, dict[str, Any]] = {}
        for piece in _pieces(keys):
            for row in connection.execute(sa.select(table).where(table.c.set == number, table.c.key.in_(piece))):
                found[row.key] = dict(row._mapping)
        return found

    def _write_records(self, connection: sa.Connection, rows: list[dict[str, Any]]) -> None:
        if rows:
            insert = self._database.insert(_evaluation_store.records)
            changed = ("outputs", "expectations", "tags", "updated", "updated_by")
            insert = insert.on_conflict_do_update(
                index_elements=["set", "key"], set_={name: insert.excluded[name] for name in changed}
            )
            connection.execute(insert, rows)

    def _write_tags(self, connection: sa.Connection, number: int, given: dict[str, str]) -> None:
        if given:
            insert = self._database.insert(_evaluation_store.tags)
            insert = insert.on_conflict_do_update(index_elements=["set", "key"], set_={"value": insert.excluded.value})
            connection.execute(insert, [{"set": number, "key": key, "value": text} for key, text in given.items()])

    def _write_homes(self, connection: sa.Connection, number: int, experiments: Sequence[int]) -> None:
        rows = [{"set": number, "experiment": experiment} for experiment in sorted(experiments)]
        if rows:
            connection.execute(self._database.insert(_evaluation_store.homes).on_conflict_do_nothing(), rows)

    def _experiments(self, connection: sa.Connection, experiments: Sequence[str]) -> list[int]:
        table, found = _store.experiments, []
        for text in dict.fromkeys(experiments):
            number = int(text) if text.isdecimal() and len(text) < 19 else -1
            if connection.execute(sa.select(table.c.number).where(table.c.number == number)).first() is None:
                raise NotFound(f"No Experiment with id={text[:250]}", experiment=text[:250])
            found.append(number)
        return found

    def _read(self, connection: sa.Connection, *wanted: sa.ColumnElement[bool]) -> list[EvaluationSet]:
        return [found for _, found in self._read_numbered(connection, *wanted)]

    def _read_numbered(
        self, connection: sa.Connection, *wanted: sa.ColumnElement[bool]
    ) -> list[tuple[int, EvaluationSet]]:
        rows = connection.execute(sa.select(_evaluation_store.sets).where(*wanted)).all()
        numbers = [row.number for row in rows]
        tags: dict[int, dict[str, str]] = {number: {} for number in numbers}
        homes: dict[int, list[str]] = {number: [] for number in numbers}
        table, where = _evaluation_store.tags, _evaluation_store.homes
        for piece in _pieces(numbers):
            for one in connection.execute(sa.select(table).where(table.c.set.in_(piece)).order_by(table.c.key)):
                tags[one.set][one.key] = one.value
            for one in connection.execute(sa.select(where).where(where.c.set.in_(piece)).order_by(where.c.experiment)):
                homes[one.set].append(str(one.experiment))
        held = _evaluation_store.records
        count = sa.select(held.c.set, sa.func.count()).where(held.c.set.in_(numbers)).group_by(held.c.set)
        counts: dict[int, int] = dict(connection.execute(count).all())
        return [
            (
                row.number,
                EvaluationSet(
                    id=row.id,
                    name=row.name,
                    digest=row.digest,
                    created=row.created,
                    updated=row.updated,
                    created_by=row.created_by,
                    updated_by=row.updated_by,
                    tags=tags[row.number],
                    schema=row.schema,
                    records=counts.get(row.number, 0),
                    experiments=homes[row.number],
                ),
            )
            for row in rows
        ]

    def _tell(self, connection: sa.Connection, what: str, subject: str, /, **facts: Any) -> None:
        self._events.append(connection, f"tracking.evaluation_set_{what}", f"evaluation-sets:/{subject}", **facts)


def _condition(asked: Comparison) -> sa.ColumnElement[bool]:
    sets, tags = _evaluation_store.sets, _evaluation_store.tags
    if asked.group == "tag":
        return keyed(asked, tags, tags.c.set == sets.c.number)
    column = sets.c[_COLUMNS[asked.key]]
    return compare_time(column, asked) if asked.key in ("created_time", "last_update_time") else compare(column, asked)


_COLUMNS = {
    "name": "name",
    "created_by": "created_by",
    "last_updated_by": "updated_by",
    "created_time": "created",
    "last_update_time": "updated",
}


def _ordered(order: filters.Order) -> sa.ColumnElement[Any]:
    column = _evaluation_store.sets.c[_COLUMNS[order.key]]
    return column.desc() if order.descending else column.asc()


def _key(inputs: dict[str, JsonValue]) -> str:
    return digest(canonical_json(kept(inputs)))


def _new_row(number: int, key: str, record: NewRecord, now: datetime) -> dict[str, Any]:
    user = kept_text((record.tags or {}).get(USER, ""))[:250]
    return {
        "set": number,
        "key": key,
        "id": f"dr-{new_id()}",
        "inputs": kept(record.inputs),
        "outputs": kept(record.outputs),
        "expectations": kept(record.expectations),
        "tags": kept(record.tags),
        "source": kept(record.source),
        "created": now,
        "updated": now,
        "created_by": user,
        "updated_by": user,
    }


def _merged(former: dict[str, Any], record: NewRecord, now: datetime) -> dict[str, Any]:
    user = kept_text((record.tags or {}).get(USER, ""))[:250]
    return former | {
        "outputs": former["outputs"] if record.keep_outputs else kept(record.outputs),
        "expectations": _joined(former["expectations"], kept(record.expectations)),
        "tags": _joined(former["tags"], kept(record.tags)),
        "updated": now,
        "updated_by": user or former["updated_by"],
    }


def _joined(former: dict[str, Any] | None, given: dict[str, Any] | None) -> dict[str, Any] | None:
    return {**(former or {}), **given} if given else former


def _widened(schema: dict[str, Any] | None, records: Sequence[NewRecord]) -> dict[str, Any] | None:
    """The fields of all records, with the type of the first value of each."""
    if not records and schema is None:
        return None
    found = schema or {"inputs": {}, "outputs": {}, "expectations": {}, "version": "1.0"}
    found = {part: dict(fields) if isinstance(fields, dict) else fields for part, fields in found.items()}
    for record in records:
        for part in ("inputs", "outputs", "expectations"):
            value = getattr(record, part)
            if isinstance(value, dict) and isinstance(found[part], dict):
                for key, item in value.items():
                    found[part].setdefault(kept_text(key), _type_name(item))
            elif value is not None and not found[part]:
                found[part] = _type_name(value)
    return found


def _type_name(value: JsonValue) -> str:
    kinds = {
        bool: "boolean",
        int: "integer",
        float: "float",
        str: "string",
        list: "array",
        dict: "object",
        type(None): "null",
    }
    return kinds.get(type(value), "unknown")


def _checked_tags(tags: dict[str, str]) -> dict[str, str]:
    limits.check_count(len(tags), "tags", limits.MOST_PARAMS)
    return {
        limits.check_key(key, "tag"): limits.check_text(text, "tag", limits.TAG_LENGTH) for key, text in tags.items()
    }


def _digest(name: str, now: datetime) -> str:
    return digest(f"{name}:{now.isoformat()}".encode())[:8]


def _pieces(values: Sequence[Any]) -> list[Sequence[Any]]:
    return [values[start : start + 500] for start in range(0, len(values), 500)]


def _no_set(name: str) -> NotFound:
    return NotFound(f"Evaluation dataset with id '{name[:128]}' not found", set=name[:128])
