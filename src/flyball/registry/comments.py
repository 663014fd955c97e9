"""Comments: what people say to each other about a thing, whatever it is."""

from __future__ import annotations

import builtins
import re
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from flyball.clock import Clock
from flyball.errors import InvalidInput, NotFound, PermissionDenied
from flyball.principals import who
from flyball.refs import Ref, new_id
from flyball.registry import _people_store as _people
from flyball.serialization import JsonValue
from flyball.storage.database import Database
from flyball.storage.event_log import EventLog
from flyball.storage.objects import Blobs
from flyball.tracking import limits
from flyball.verbs import change, read

_LONGEST = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Comment:
    """What someone said.

    Attributes:
        ref: What it is about.
        reply_to: Id of the comment that it answers; empty for none.
        text: Markdown; empty once it is deleted.
        edited: When it was last changed; None if never.
        deleted: When it was taken back. Its place stays, so that the answers to it keep theirs.
    """

    id: str
    ref: str
    by: str
    text: str
    at: datetime
    reply_to: str = ""
    edited: datetime | None = None
    deleted: datetime | None = None


_Comments = builtins.list[Comment]  # in the class, `list` is a verb


class Comments:
    """Keeps comments."""

    def __init__(self, database: Database, blobs: Blobs, events: EventLog, clock: Clock) -> None:
        self._database = database
        self._blobs = blobs
        self._events = events
        self._clock = clock

    @change
    def add(self, ref: str, text: str, by: str, reply_to: str = "") -> Comment:
        """Says something about a thing, such as `models:/churn/3`, `runs:/01h...` or `models:/churn`.

        Args:
            text: Markdown.
            by: Who says it.
            reply_to: Id of the comment that it answers.

        Raises:
            InvalidInput: it says nothing or too much, or the comment it answers is about something else.
            NotFound: a version that it is about, or the comment that it answers, is not there.
        """
        by, text = _people.person(who(by)), _text(text)
        with self._database.transaction() as connection:
            about = _about(connection, ref)
            if reply_to and _get(connection, reply_to).ref != about:
                raise InvalidInput(f"The comment {reply_to} is not about {about}.")
            made = Comment(id=new_id(), ref=about, by=by, text=text, at=self._clock.now(), reply_to=reply_to)
            connection.execute(
                sa.insert(_people.comments).values({name: getattr(made, name) for name in Comment.__slots__})
            )
            self._tell(connection, "commented", made, reply_to=reply_to)
            return made

    @change
    def edit(self, comment: str, text: str, by: str) -> Comment:
        """Changes what one has said.

        Raises:
            NotFound: there is no such comment, or it was deleted.
            PermissionDenied: someone else has said it.
        """
        by, text = _people.person(who(by)), _text(text)
        with self._database.transaction() as connection:
            found = self._own(connection, comment, by)
            if found.text != text:
                self._change(connection, comment, text=text, edited=self._clock.now())
                self._tell(connection, "comment_edited", found)
            return _get(connection, comment)

    @change
    def delete(self, comment: str, by: str) -> None:
        """Takes back what one has said.

        Raises:
            NotFound: there is no such comment, or it was deleted.
            PermissionDenied: someone else has said it.
        """
        by = _people.person(who(by))
        with self._database.transaction() as connection:
            found = self._own(connection, comment, by)
            self._change(connection, comment, text="", deleted=self._clock.now())
            self._tell(connection, "comment_deleted", found)

    @read
    def list(self, ref: str, limit: int = 200, after: str = "", deleted: bool = False) -> list[Comment]:
        """What was said about a thing, oldest first.

        Args:
            after: Only what was said after the comment of this id.
            deleted: Also the places of those that were taken back.
        """
        table = _people.comments
        with self._database.reading() as connection:
            query = sa.select(table).where(table.c.ref == _about(connection, ref), table.c.id > after)
            query = query if deleted else query.where(table.c.deleted.is_(None))
            rows = connection.execute(query.order_by(table.c.id).limit(max(1, min(limit, 1000)))).all()
        return [Comment(**row._mapping) for row in rows]

    @read
    def mentions(self, name: str, limit: int = 50, before: str = "") -> _Comments:
        """What was said to somebody by `@name`, about anything, newest first.

        Args:
            before: Only what was said before the comment of this id.

        Raises:
            InvalidInput: that is no name.
        """
        name = _people.person(name)
        # An underscore or percent sign in a name stands for itself; what only begins like the name is left out below.
        like = "%@" + re.sub(r"([%_\\\\])", r"\\\1", name.lower()) + "%"
        named = re.compile(rf"(?<![\w@])@{re.escape(name)}(?![\w-]|\.\w)", re.IGNORECASE)
        table = _people.comments
        query = sa.select(table).where(table.c.deleted.is_(None), sa.func.lower(table.c.text).like(like, escape="\\"))
        query = query.where(table.c.id < before) if before else query
        rows = self._database.rows(query.order_by(table.c.id.desc()).limit(1000))
        found = [Comment(**row._mapping) for row in rows if named.search(row.text)]
        return found[: max(1, min(limit, 1000))]

    def _own(self, connection: sa.Connection, comment: str, by: str) -> Comment:
        found = _get(connection, comment)
        if found.by != by:
            raise PermissionDenied(f"{found.by} has said this, not {by}.", hint="Answer it instead.")
        return found

    def _change(self, connection: sa.Connection, comment: str, **values: object) -> None:
        connection.execute(sa.update(_people.comments).where(_people.comments.c.id == comment).values(**values))

    def _tell(self, connection: sa.Connection, what: str, comment: Comment, **facts: JsonValue) -> None:
        self._events.append(connection, f"registry.{what}", comment.ref, comment=comment.id, by=comment.by, **facts)


def _get(connection: sa.Connection, comment: str) -> Comment:
    table = _people.comments
    row = connection.execute(sa.select(table).where(table.c.id == comment, table.c.deleted.is_(None))).first()
    if row is None:
        raise NotFound(f"There is no comment '{comment[:40]}'.")
    return Comment(**row._mapping)


def _about(connection: sa.Connection, ref: str) -> str:
    """The reference as it is kept: an alias moves on, what was said of a version stays with it."""
    if len(ref) > 500 or not ref.isprintable():
        raise InvalidInput(f"{ref[:60]!r} is not a reference.", hint="Write it as models:/name/3 or runs:/id.")
    parsed = Ref.parse(ref)
    if parsed.kind == "models" and (parsed.version or parsed.alias):
        return _people.version_ref(_people.exact_row(connection, ref))
    return str(parsed)


def _text(text: str) -> str:
    kept = limits.check_text(text, "comment", _LONGEST)
    if not kept.strip():
        raise InvalidInput("The comment says nothing.")
    return kept
