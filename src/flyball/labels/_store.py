"""The SQL of the labels room."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from flyball.labels.task import LabelSet
from flyball.storage.database import Database
from flyball.storage.tables import Document, Instant, RowNumber, metadata

sets = sa.Table(
    "label_sets",
    metadata,
    sa.Column("name", sa.String(128), primary_key=True),
    sa.Column("made", Instant, nullable=False),
    sa.Column("label_set", Document(LabelSet), nullable=False),
    # SHA-256 of what others must know to send labels; empty where nobody may.
    sa.Column("secret", sa.String(70), nullable=False),
)
items = sa.Table(
    "label_items",
    metadata,
    sa.Column("number", RowNumber, primary_key=True, autoincrement=True),
    sa.Column("label_set", sa.String(128), nullable=False),
    sa.Column("key", sa.String(500), nullable=False),
    sa.Column("data", Document(dict), nullable=False),
    sa.Column("ref", sa.String(300), nullable=False),
    sa.Column("digest", sa.String(64), nullable=False),
    sa.Column("prediction", Document(dict), nullable=False),
    sa.Column("priority", sa.Float(53), nullable=False),
    sa.Column("source", sa.String(300), nullable=False),
    sa.Column("labels", sa.Integer, nullable=False),
    sa.Column("needed", sa.Integer, nullable=False),
    sa.Column("is_open", sa.Boolean, nullable=False),
    sa.UniqueConstraint("label_set", "key"),
    sa.Index("ix_label_items_queue", "label_set", "is_open", sa.text("priority DESC"), "number"),
    sa.Index("ix_label_items_set", "label_set", "number"),
)
labels = sa.Table(
    "labels",
    metadata,
    sa.Column("number", RowNumber, primary_key=True, autoincrement=True),
    sa.Column("label_set", sa.String(128), nullable=False),
    sa.Column("item", sa.BigInteger, nullable=False),
    sa.Column("annotator", sa.String(200), nullable=False),
    # JSON; nothing where the annotator took a label back.
    sa.Column("value", sa.Text),
    sa.Column("at", Instant, nullable=False),
    sa.Column("source", sa.String(100), nullable=False),
    sa.Column("confidence", sa.Float(53)),
    sa.Column("origin", sa.String(200), nullable=False),
    # Whether nothing was said later by the same annotator of the same thing.
    sa.Column("is_last", sa.Boolean, nullable=False),
    sa.Index("ix_labels_item", "item", "annotator", "number"),
    sa.Index("ix_labels_set", "label_set", "is_last", "number"),
    sa.Index("ix_labels_annotator", "label_set", "annotator", "number"),
)
turns = sa.Table(
    "label_turns",
    metadata,
    sa.Column("item", sa.BigInteger, primary_key=True),
    sa.Column("annotator", sa.String(200), primary_key=True),
    sa.Column("label_set", sa.String(128), nullable=False),
    # `leased`, `skipped` or `done`.
    sa.Column("state", sa.String(10), nullable=False),
    # By the database's clock, in seconds since 1970; 0 where it is not leased.
    sa.Column("until", sa.Float(53), nullable=False),
    sa.Index("ix_label_turns_set", "label_set", "annotator", "state"),
)
_PER_QUERY = 500


def lock(connection: sa.Connection, name: str) -> None:
    """Hands things of one set out to one asker after the other."""
    if connection.dialect.name == "postgresql":
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(sa.func.hashtext(f"labels {name}"))))


def label_set(connection: sa.Connection, name: str) -> LabelSet | None:
    """The set of that name."""
    found: LabelSet | None = connection.execute(sa.select(sets.c.label_set).where(sets.c.name == name)).scalar()
    return found


def names(connection: sa.Connection) -> list[str]:
    """Names to suggest from."""
    return list(connection.execute(sa.select(sets.c.name).order_by(sets.c.name).limit(1000)).scalars())


def page(connection: sa.Connection, limit: int, after: str) -> list[LabelSet]:
    """A page of sets, by name."""
    query = sa.select(sets.c.label_set).where(sets.c.name > after).order_by(sets.c.name)
    return list(connection.execute(query.limit(limit)).scalars())


def remove(connection: sa.Connection, name: str) -> None:
    """Removes a set with all that is in it."""
    for table in (turns, labels, items):
        connection.execute(sa.delete(table).where(table.c.label_set == name))
    connection.execute(sa.delete(sets).where(sets.c.name == name))


def remove_items(connection: sa.Connection, name: str, own: Sequence[int]) -> None:
    """Removes things of a set by their numbers, with all that was said of them."""
    for start in range(0, len(own), _PER_QUERY):
        part = own[start : start + _PER_QUERY]
        for table, column in ((turns, turns.c.item), (labels, labels.c.item), (items, items.c.number)):
            connection.execute(sa.delete(table).where(table.c.label_set == name, column.in_(part)))


def numbers(connection: sa.Connection, name: str, keys: Sequence[str]) -> dict[str, int]:
    """The numbers of things by their keys."""
    found: dict[str, int] = {}
    for start in range(0, len(keys), _PER_QUERY):
        part = keys[start : start + _PER_QUERY]
        query = sa.select(items.c.key, items.c.number).where(items.c.label_set == name, items.c.key.in_(part))
        found.update({row.key: row.number for row in connection.execute(query)})
    return found


def insert_items(database: Database, connection: sa.Connection, rows: list[dict[str, Any]]) -> int:
    """Adds things; those whose key is there stay as they are. Gives how many are new."""
    statement = database.insert(items).on_conflict_do_nothing(index_elements=["label_set", "key"])
    before = connection.execute(sa.select(sa.func.coalesce(sa.func.max(items.c.number), 0))).scalar_one()
    connection.execute(statement, rows)
    own = sa.and_(items.c.number > before, items.c.label_set == rows[0]["label_set"])
    return int(connection.execute(sa.select(sa.func.count()).select_from(items).where(own)).scalar_one())


def candidates(
    database: Database, connection: sa.Connection, name: str, annotator: str, limit: int
) -> list[sa.Row[Any]]:
    """Things to hand out to an annotator: first what is with them already, then what is open and with nobody else."""
    now = database.dialect.now
    mine = sa.and_(turns.c.item == items.c.number, turns.c.annotator == annotator)
    held = sa.select(items).join(turns, mine).where(items.c.label_set == name, turns.c.label_set == name)
    held = held.where(turns.c.state == "leased", turns.c.until > now, items.c.is_open.is_(True))
    # Put in order here: asked to do it, SQLite walks the whole queue and looks for each thing whether it is theirs.
    rows = sorted(connection.execute(held).all(), key=lambda row: (-row.priority, row.number))[:limit]
    if len(rows) >= limit:
        return rows
    touched = sa.exists().where(mine, sa.or_(turns.c.state != "leased", turns.c.until > now))
    theirs = turns.alias("theirs")
    others = (
        sa.select(sa.func.count())
        .where(theirs.c.item == items.c.number, theirs.c.annotator != annotator)
        .where(theirs.c.state == "leased", theirs.c.until > now)
        .scalar_subquery()
    )
    query = sa.select(items).where(items.c.label_set == name, items.c.is_open.is_(True), ~touched)
    query = query.where(items.c.labels + others < items.c.needed)
    query = query.order_by(items.c.priority.desc(), items.c.number).limit(limit - len(rows))
    return rows + list(connection.execute(query))


def set_turns(
    database: Database, connection: sa.Connection, name: str, annotator: str, given: Iterable[int], state: str,
    until: sa.ColumnElement[float] | float = 0.0,
) -> None:  # fmt: skip
    """Notes what an annotator does with things."""
    for number in given:
        insert = database.insert(turns).values(
            item=number, annotator=annotator, label_set=name, state=state, until=until
        )
        update = {"state": state, "until": until}
        connection.execute(insert.on_conflict_do_update(index_elements=["item", "annotator"], set_=update))


def append(database: Database, connection: sa.Connection, rows: list[dict[str, Any]]) -> None:
    """Writes labels, and what follows from them for the things that they are of.

    Args:
        rows: In their order; no two by the same annotator of the same thing.
    """
    pairs = [{"of": row["item"], "by": row["annotator"]} for row in rows]
    former = sa.and_(labels.c.item == sa.bindparam("of"), labels.c.annotator == sa.bindparam("by"))
    connection.execute(sa.update(labels).where(former, labels.c.is_last.is_(True)).values(is_last=False), pairs)
    connection.execute(sa.insert(labels), [{**row, "is_last": True} for row in rows])
    kept = [row for row in rows if row["value"] is not None]
    gone = [pair for pair, row in zip(pairs, rows, strict=True) if row["value"] is None]
    if kept:
        turn = database.insert(turns)
        turn = turn.on_conflict_do_update(index_elements=["item", "annotator"], set_={"state": "done", "until": 0.0})
        fields = ("item", "annotator", "label_set")
        connection.execute(turn, [{**{f: row[f] for f in fields}, "state": "done", "until": 0.0} for row in kept])
    if gone:
        own = sa.and_(turns.c.item == sa.bindparam("of"), turns.c.annotator == sa.bindparam("by"))
        connection.execute(sa.delete(turns).where(own), gone)
    count_again(connection, sorted({row["item"] for row in rows}))


def count_again(connection: sa.Connection, numbers_: Sequence[int]) -> None:
    """Counts the labels of things, and closes those that have enough."""
    mine = sa.and_(labels.c.item == items.c.number, labels.c.is_last.is_(True), labels.c.value.is_not(None))
    count = sa.select(sa.func.count()).where(mine).scalar_subquery()
    for start in range(0, len(numbers_), _PER_QUERY):
        own = items.c.number.in_(numbers_[start : start + _PER_QUERY])
        connection.execute(sa.update(items).where(own).values(labels=count))
        connection.execute(sa.update(items).where(own).values(is_open=items.c.labels < items.c.needed))


def item(connection: sa.Connection, name: str, key: str) -> sa.Row[Any] | None:
    """One thing."""
    return connection.execute(sa.select(items).where(items.c.label_set == name, items.c.key == key)).first()


def item_page(connection: sa.Connection, name: str, after: int, limit: int) -> list[sa.Row[Any]]:
    """Things in the order in which they were added."""
    query = sa.select(items).where(items.c.label_set == name, items.c.number > after)
    return list(connection.execute(query.order_by(items.c.number).limit(limit)))


def label_page(
    connection: sa.Connection, name: str, after: int, limit: int, annotator: str, key: str, *, only_last: bool
) -> list[sa.Row[Any]]:
    """Labels in their order, with the keys of what they are of."""
    query = sa.select(labels, items.c.key).join(items, items.c.number == labels.c.item)
    query = query.where(labels.c.number > after)
    if annotator:
        query = query.where(labels.c.annotator == annotator)
    if key:
        # By number alone, or every label of the set is looked at.
        number = sa.select(items.c.number).where(items.c.label_set == name, items.c.key == key).scalar_subquery()
        query = query.where(labels.c.item == number)
    else:
        query = query.where(labels.c.label_set == name)
    if only_last:
        query = query.where(labels.c.is_last.is_(True), labels.c.value.is_not(None))
    return list(connection.execute(query.order_by(labels.c.number).limit(limit)))


def ratings(connection: sa.Connection, name: str) -> list[Any]:
    """The last word of each annotator on each thing: number of the thing, annotator, value as JSON, in the book's order."""
    query = sa.select(labels.c.item, labels.c.annotator, labels.c.value)
    query = query.where(labels.c.label_set == name, labels.c.is_last.is_(True), labels.c.value.is_not(None))
    result = connection.execute(query.order_by(labels.c.number))
    # The driver's own tuples: rows of SQLAlchemy's cost four times as much, and there are hundreds of thousands.
    found: list[Any] = [] if result.cursor is None else list(result.cursor.fetchall())
    result.close()
    return found


def last_moments(connection: sa.Connection, numbers_: Sequence[int]) -> dict[int, tuple[str, datetime]]:
    """The key of each thing, and when it was last labelled, by number."""
    found: dict[int, tuple[str, datetime]] = {}
    for start in range(0, len(numbers_), _PER_QUERY):
        part = numbers_[start : start + _PER_QUERY]
        query = sa.select(items.c.number, items.c.key, sa.func.max(labels.c.at, type_=Instant).label("at"))
        query = query.join(labels, labels.c.item == items.c.number).where(items.c.number.in_(part))
        query = query.where(labels.c.is_last.is_(True), labels.c.value.is_not(None))
        rows = connection.execute(query.group_by(items.c.number, items.c.key))
        found.update({row.number: (row.key, row.at) for row in rows})
    return found


def last_label(connection: sa.Connection, name: str, annotator: str) -> sa.Row[Any] | None:
    """The last label that an annotator gave and did not take back."""
    query = sa.select(labels).where(labels.c.label_set == name, labels.c.annotator == annotator)
    query = query.where(labels.c.is_last.is_(True), labels.c.value.is_not(None))
    return connection.execute(query.order_by(labels.c.number.desc()).limit(1)).first()


def last_words(connection: sa.Connection, numbers_: Sequence[int]) -> dict[tuple[int, str], sa.Row[Any]]:
    """The last labels of things by number and annotator."""
    found = {}
    for start in range(0, len(numbers_), _PER_QUERY):
        query = sa.select(labels).where(labels.c.item.in_(numbers_[start : start + _PER_QUERY]))
        query = query.where(labels.c.is_last.is_(True))
        found.update({(row.item, row.annotator): row for row in connection.execute(query)})
    return found


def progress(database: Database, connection: sa.Connection, name: str) -> dict[str, Any]:
    """How far a set is."""
    own = items.c.label_set == name
    counts = connection.execute(
        sa.select(
            sa.func.count().label("items"),
            sa.func.coalesce(sa.func.sum(sa.case((items.c.is_open.is_(False), 1), else_=0)), 0).label("done"),
            sa.func.coalesce(sa.func.sum(sa.case((items.c.labels > 0, 1), else_=0)), 0).label("started"),
        ).where(own)
    ).one()
    state = sa.select(turns.c.annotator, turns.c.state, sa.func.count().label("count")).where(turns.c.label_set == name)
    live = sa.or_(turns.c.state != "leased", turns.c.until > database.dialect.now)
    rows = connection.execute(state.where(live).group_by(turns.c.annotator, turns.c.state)).all()
    done = {row.annotator: row.count for row in rows if row.state == "done"}
    return {
        "items": counts.items, "done": int(counts.done), "started": int(counts.started),
        "leased": sum(row.count for row in rows if row.state == "leased"),
        "skipped": sum(row.count for row in rows if row.state == "skipped"),
        "labels": sum(done.values()), "annotators": dict(sorted(done.items())),
    }  # fmt: skip
