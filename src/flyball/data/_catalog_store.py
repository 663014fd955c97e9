"""The SQL of the catalog, and its full-text indexes.

The words of an entry stand in an ordinary table. What finds them is made on first use: on SQLite a virtual table of FTS5, on
PostgreSQL an index over the same words. Both can be made again from that table at any time, so they need no revision.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from flyball.data._catalog_words import Phrase, fts5_query, tsquery, words_of
from flyball.data.catalog_entry import EntryNotes, EntryText
from flyball.storage.database import Database
from flyball.storage.tables import Document, Instant, RowNumber, metadata

entries = sa.Table(
    "catalog_entries",
    metadata,
    sa.Column("number", RowNumber, primary_key=True, autoincrement=True),
    sa.Column("ref", sa.String(300), nullable=False, unique=True),
    sa.Column("kind", sa.String(40), nullable=False),
    sa.Column("owner", sa.String(200), nullable=False),
    sa.Column("entry", Document(EntryText), nullable=False),
    # What is searched, in the order of its weight: see `_WEIGHTS`.
    sa.Column("title_words", sa.Text, nullable=False),
    sa.Column("tag_words", sa.Text, nullable=False),
    sa.Column("column_words", sa.Text, nullable=False),
    sa.Column("text_words", sa.Text, nullable=False),
    sa.Index("ix_catalog_entries_kind", "kind", "ref"),
)
notes = sa.Table(
    "catalog_notes",
    metadata,
    sa.Column("ref", sa.String(300), primary_key=True),
    sa.Column("notes", Document(EntryNotes), nullable=False),
)
accesses = sa.Table(
    "catalog_accesses",
    metadata,
    sa.Column("id", sa.String(22), primary_key=True),
    sa.Column("ref", sa.String(300), nullable=False),
    sa.Column("who", sa.String(200), nullable=False),
    sa.Column("role", sa.String(40), nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("state", sa.String(20), nullable=False),
    sa.Column("asked", Instant, nullable=False),
    sa.Column("answered", Instant),
    sa.Column("by", sa.String(200), nullable=False),
    sa.Column("note", sa.Text, nullable=False),
    sa.Column("until", Instant),
    sa.Index("ix_catalog_accesses_ref", "ref", "id"),
)
_WORDS = "catalog_words"
_WEIGHTS = {"title_words": 8.0, "tag_words": 4.0, "column_words": 2.0, "text_words": 1.0}
_words = sa.table(_WORDS, sa.column("rowid", sa.Integer), *(sa.column(name, sa.Text) for name in _WEIGHTS))
_SEARCHED = tuple(entries.c[name] for name in _WEIGHTS)
_LOCK = 0x0F1D


def prepare(connection: sa.Connection) -> None:
    """Makes what finds words, where it is not there yet."""
    columns = ", ".join(_WEIGHTS)
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql(
            f"CREATE VIRTUAL TABLE IF NOT EXISTS {_WORDS} USING fts5({columns}, tokenize='unicode61', prefix='2 3')"
        )
        return
    try:
        with connection.begin_nested():
            compiled = _vector().compile(dialect=connection.dialect, compile_kwargs={"literal_binds": True})
            bare = str(compiled).replace(f"{entries.name}.", "")
            connection.exec_driver_sql(
                f"CREATE INDEX IF NOT EXISTS ix_{_WORDS} ON {entries.name} USING gin (({bare}))".replace("%", "%%")
            )
    except sa.exc.ProgrammingError:
        # Whoever may not make an index may still search, only more slowly.
        return


def lock(connection: sa.Connection) -> None:
    """Lets one follower at a time bring the catalog up to date."""
    if connection.dialect.name == "postgresql":
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK)))


def write(database: Database, connection: sa.Connection, entry: EntryText, added: EntryNotes) -> None:
    """Puts an entry in the place of the one that there is of the same thing."""
    row = {"ref": entry.ref, "kind": entry.kind, "owner": added.owner or entry.owner, "entry": entry}
    row |= _searched(entry, added)
    insert = database.insert(entries).values(**row)
    insert = insert.on_conflict_do_update(index_elements=["ref"], set_={k: v for k, v in row.items() if k != "ref"})
    number = connection.execute(insert.returning(entries.c.number)).scalar_one()
    if connection.dialect.name == "sqlite":
        _forget_words(connection, number)
        connection.execute(sa.insert(_words).values(rowid=number, **{name: row[name] for name in _WEIGHTS}))


def remove(connection: sa.Connection, ref: str) -> bool:
    """Removes an entry and what people said of it; False if there was none."""
    number = connection.execute(sa.select(entries.c.number).where(entries.c.ref == ref)).scalar()
    if number is None:
        return False
    if connection.dialect.name == "sqlite":
        _forget_words(connection, number)
    for table in (entries, notes, accesses):
        connection.execute(sa.delete(table).where(table.c.ref == ref))
    return True


def clear(connection: sa.Connection) -> None:
    """Removes all entries; what people said stays."""
    connection.execute(sa.delete(entries))
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql(f"DROP TABLE IF EXISTS {_WORDS}")
    prepare(connection)


def entry(connection: sa.Connection, ref: str) -> EntryText | None:
    """What was told of a thing."""
    found: EntryText | None = connection.execute(sa.select(entries.c.entry).where(entries.c.ref == ref)).scalar()
    return found


def refs(connection: sa.Connection, kind: str = "") -> list[str]:
    """References of the entries, for hints and for looking for what is gone."""
    query = sa.select(entries.c.ref).order_by(entries.c.ref)
    return list(connection.execute(query.where(entries.c.kind == kind) if kind else query).scalars())


def notes_of(connection: sa.Connection, ref: str) -> EntryNotes:
    """What people said of a thing."""
    return connection.execute(sa.select(notes.c.notes).where(notes.c.ref == ref)).scalar() or EntryNotes()


def write_notes(database: Database, connection: sa.Connection, ref: str, added: EntryNotes) -> None:
    """Keeps what people say of a thing."""
    insert = database.insert(notes).values(ref=ref, notes=added)
    connection.execute(insert.on_conflict_do_update(index_elements=["ref"], set_={"notes": insert.excluded.notes}))


def rename(connection: sa.Connection, former: str, new: str) -> None:
    """Lets what people said of a thing be said of it under another name."""
    for table in (notes, accesses):
        connection.execute(sa.delete(table).where(table.c.ref == new))
        connection.execute(sa.update(table).where(table.c.ref == former).values(ref=new))


def search(
    connection: sa.Connection, phrases: list[Phrase], kinds: Sequence[str], owner: str, limit: int
) -> list[sa.Row[Any]]:
    """Entries and how well they fit, the best first; all of them, by name, where nothing is looked for."""
    query = sa.select(entries.c.ref, entries.c.entry, notes.c.notes)
    joined = entries.outerjoin(notes, notes.c.ref == entries.c.ref)
    score: sa.ColumnElement[float] = sa.literal(0.0)
    if phrases and connection.dialect.name == "sqlite":
        joined = joined.join(_words, _words.c.rowid == entries.c.number)
        weights = ", ".join(str(weight) for weight in _WEIGHTS.values())
        score = sa.literal_column(f"-bm25({_WORDS}, {weights})", sa.Float)
        query = query.where(sa.text(f"{_WORDS} MATCH :words").bindparams(words=fts5_query(phrases)))
    elif phrases:
        asked = sa.func.to_tsquery(sa.literal_column("'simple'"), tsquery(phrases))
        vector = _vector()
        # Weights of D, C, B and A.
        score = sa.func.ts_rank_cd(sa.literal_column("'{0.125, 0.25, 0.5, 1.0}'"), vector, asked)
        query = query.where(vector.op("@@")(asked))
    if kinds:
        query = query.where(entries.c.kind.in_(kinds))
    if owner:
        query = query.where(entries.c.owner == owner)
    query = query.add_columns(score.label("score")).select_from(joined)
    return list(connection.execute(query.order_by(sa.desc("score"), entries.c.ref).limit(limit)))


def access_rows(connection: sa.Connection, ref: str, state: str, limit: int, before: str) -> list[sa.Row[Any]]:
    """Wishes to use things, newest first."""
    query = sa.select(accesses)
    for column, value in ((accesses.c.ref, ref), (accesses.c.state, state)):
        query = query.where(column == value) if value else query
    if before:
        query = query.where(accesses.c.id < before)
    return list(connection.execute(query.order_by(accesses.c.id.desc()).limit(limit)))


def access_row(connection: sa.Connection, id_: str) -> sa.Row[Any] | None:
    """One wish."""
    return connection.execute(sa.select(accesses).where(accesses.c.id == id_)).first()


def write_access(connection: sa.Connection, **values: Any) -> None:
    """Keeps a wish."""
    connection.execute(sa.insert(accesses).values(**values))


def answer_access(connection: sa.Connection, id_: str, *, state: str, at: datetime, **values: Any) -> None:
    """Keeps the answer to a wish."""
    given = {"state": state, "answered": at, **values}
    connection.execute(sa.update(accesses).where(accesses.c.id == id_).values(**given))


def _searched(entry: EntryText, added: EntryNotes) -> dict[str, str]:
    columns = [f"{c.name} {c.description} {added.columns.get(c.name, '')}" for c in entry.columns]
    tags = [f"{key} {value}" for key, value in (entry.tags | added.tags).items()]
    said = (entry.description, added.description, added.licence, added.pii, entry.text, *added.links)
    return {
        "title_words": words_of(entry.title),
        "tag_words": words_of(" ".join([*tags, entry.owner, added.owner])),
        "column_words": words_of(" ".join(columns)),
        "text_words": words_of(" ".join(said)),
    }


def _vector() -> sa.ColumnElement[Any]:
    """The words of an entry as PostgreSQL compares them; the index holds the very same expression."""
    simple: sa.ColumnElement[Any] = sa.literal_column("'simple'::regconfig")
    parts = [
        sa.func.setweight(sa.func.to_tsvector(simple, column), sa.literal_column(f"'{letter}'"))
        for letter, column in zip("ABCD", _SEARCHED, strict=True)
    ]
    vector: sa.ColumnElement[Any] = parts[0]
    for part in parts[1:]:
        vector = vector.op("||")(part)
    return vector


def _forget_words(connection: sa.Connection, number: int) -> None:
    connection.execute(sa.delete(_words).where(_words.c.rowid == number))
