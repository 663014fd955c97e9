"""The tables of what people say and do about versions, and how they are read."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from flyball.errors import InvalidInput
from flyball.refs import Ref
from flyball.registry import _store
from flyball.storage.tables import Document, Instant, RowNumber, metadata, only_one
from flyball.tracking import limits

REASON_LENGTH = 2_000


def _of_version() -> tuple[sa.Column[str], sa.Column[int]]:
    """Columns of a table with a row for a version."""
    return (
        sa.Column("model", sa.String(256), primary_key=True),
        sa.Column("version", sa.Integer, primary_key=True, autoincrement=False),
    )


approvals = sa.Table(
    "model_approvals",
    metadata,
    sa.Column("id", sa.String(40), primary_key=True),
    sa.Column("model", sa.String(256), nullable=False),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("state", sa.String(20), nullable=False),
    sa.Column("requested_by", sa.String(200), nullable=False),
    sa.Column("approvers", Document(tuple[str, ...]), nullable=False),
    sa.Column("needed", sa.Integer, nullable=False),
    sa.Column("four_eyes", sa.Boolean, nullable=False),
    sa.Column("note", sa.Text, nullable=False),
    sa.Column("requested", Instant, nullable=False),
    sa.Column("decided", Instant),
    sa.Index("ix_model_approvals_model", "model", "version", "id"),
    # One open request a version, whoever asks.
    only_one("uq_model_approvals_open", "model", "version", where="state = 'requested'"),
)

words = sa.Table(
    "model_approval_words",
    metadata,
    sa.Column("number", RowNumber, primary_key=True, autoincrement=True),
    sa.Column("approval", sa.String(40), sa.ForeignKey("model_approvals.id"), nullable=False),
    sa.Column("by", sa.String(200), nullable=False),
    sa.Column("word", sa.String(20), nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("at", Instant, nullable=False),
    sa.UniqueConstraint("approval", "by"),
)

comments = sa.Table(
    "comments",
    metadata,
    sa.Column("id", sa.String(40), primary_key=True),
    sa.Column("ref", sa.String(600), nullable=False),
    sa.Column("reply_to", sa.String(40), nullable=False),
    sa.Column("by", sa.String(200), nullable=False),
    sa.Column("text", sa.Text, nullable=False),
    sa.Column("at", Instant, nullable=False),
    sa.Column("edited", Instant),
    sa.Column("deleted", Instant),
    sa.Index("ix_comments_ref", "ref", "id"),
)

sections = sa.Table(
    "model_card_sections",
    metadata,
    sa.Column("model", sa.String(256), primary_key=True),
    # 0 stands for all versions of the model.
    sa.Column("version", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("heading", sa.String(200), primary_key=True),
    sa.Column("text", sa.Text, nullable=False),
    sa.Column("by", sa.String(200), nullable=False),
    sa.Column("created", Instant, nullable=False),
    sa.Column("updated", Instant, nullable=False),
)

deprecations = sa.Table(
    "model_deprecations",
    metadata,
    *_of_version(),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("by", sa.String(200), nullable=False),
    sa.Column("at", Instant, nullable=False),
    sa.Column("until", Instant),
    sa.Column("instead", sa.String(600), nullable=False),
)

retirements = sa.Table(
    "model_retirements",
    metadata,
    *_of_version(),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("by", sa.String(200), nullable=False),
    sa.Column("at", Instant, nullable=False),
    sa.Column("former_stage", sa.String(20), nullable=False),
    sa.Column("keeps_files", sa.Boolean, nullable=False),
    # Counts, not digests: what was freed must not look like something that is referred to.
    sa.Column("freed_files", sa.Integer, nullable=False),
    sa.Column("freed_bytes", sa.BigInteger, nullable=False),
)

holds = sa.Table(
    "model_holds",
    metadata,
    sa.Column("holder", sa.String(300), primary_key=True),
    *_of_version(),
    sa.Column("since", Instant, nullable=False),
    sa.Index("ix_model_holds_model", "model", "version"),
)

signatures = sa.Table(
    "model_signatures",
    metadata,
    *_of_version(),
    sa.Column("key", sa.String(64), primary_key=True),
    sa.Column("signature", sa.String(64), nullable=False),
    sa.Column("described", sa.Text, nullable=False),
    sa.Column("public_key", sa.Text, nullable=False),
    sa.Column("by", sa.String(200), nullable=False),
    sa.Column("at", Instant, nullable=False),
)


def exact_row(connection: sa.Connection, ref: str) -> sa.Row[Any]:
    """The row of the one version that a reference names by number or alias.

    Raises:
        InvalidInput: it names a model only: what is done to a version must not fall on whichever is the newest.
        NotFound: there is no such version.
    """
    parsed = Ref.parse(ref, kind="models")
    if not parsed.version and not parsed.alias:
        raise InvalidInput(
            f"'{ref[:200]}' names no version.", hint=f"Write it as {parsed.name}/3 or {parsed.name}@alias."
        )
    return _store.version_row(connection, parsed.name, _store.resolve(connection, parsed))


def locked_row(connection: sa.Connection, ref: str) -> sa.Row[Any]:
    """The same, with the model locked until the transaction ends."""
    parsed = Ref.parse(ref, kind="models")
    _store.lock_model(connection, parsed.name)
    return exact_row(connection, ref)


def version_ref(row: Any) -> str:
    """The text of the reference to a row's version."""
    return str(Ref(kind="models", name=row.model, version=str(row.version)))


def person(by: str) -> str:
    """Gives the name of a person back.

    Raises:
        InvalidInput: it is empty, too long or not printable.
    """
    if not isinstance(by, str) or not 0 < len(by.strip()) <= 200 or not by.isprintable():
        raise InvalidInput(f"{str(by)[:60]!r} is nobody's name.", hint="Say who it is, in 1 to 200 characters.")
    return by.strip()


def reason_of(text: str) -> str:
    """Gives a reason back.

    Raises:
        InvalidInput: it is too long, or cannot be kept.
    """
    return limits.check_text(text, "reason", REASON_LENGTH).strip()
