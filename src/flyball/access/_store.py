"""The tables of accounts, tokens, groups, memberships, and of logins that are under way.

Names and times only; of passwords and tokens there is a hash and nothing else. Times are real, whatever time a workspace lives in.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa

from flyball.storage.database import Database
from flyball.storage.tables import Document, Instant, metadata

_NONE = sa.text("''")

accounts = sa.Table(
    "access_accounts",
    metadata,
    sa.Column("name", sa.String(128), primary_key=True),
    sa.Column("kind", sa.String(20), nullable=False),
    sa.Column("full_name", sa.String(250), nullable=False, server_default=_NONE),
    sa.Column("email", sa.String(250), nullable=False, server_default=_NONE),
    sa.Column("password", sa.String(300), nullable=False, server_default=_NONE),
    sa.Column("admin", sa.Boolean, nullable=False),
    sa.Column("auditor", sa.Boolean, nullable=False),
    sa.Column("disabled", sa.Boolean, nullable=False),
    # Who they are at the provider of single sign-on: its address and their id there.
    sa.Column("subject", sa.String(500)),
    sa.Column("created", Instant, nullable=False),
    sa.Column("created_by", sa.String(128), nullable=False),
    sa.Column("seen", Instant),
    sa.UniqueConstraint("subject"),
)

tokens = sa.Table(
    "access_tokens",
    metadata,
    sa.Column("id", sa.String(40), primary_key=True),
    sa.Column("digest", sa.String(64), nullable=False),
    sa.Column("account", sa.String(128), nullable=False),
    sa.Column("kind", sa.String(20), nullable=False),
    sa.Column("name", sa.String(250), nullable=False),
    sa.Column("scope", sa.String(20), nullable=False),
    sa.Column("role", sa.String(20), nullable=False),
    sa.Column("project", sa.String(128), nullable=False, server_default=_NONE),
    sa.Column("run", sa.String(40), nullable=False, server_default=_NONE),
    # For a session of single sign-on: what its provider calls it, so that it can end it.
    sa.Column("session", sa.String(250), nullable=False, server_default=_NONE),
    sa.Column("created", Instant, nullable=False),
    sa.Column("created_by", sa.String(128), nullable=False),
    sa.Column("expires", Instant),
    sa.Column("revoked", Instant),
    sa.Column("used", Instant),
    sa.Index("ix_access_tokens_account", "account", "id"),
    sa.Index("ix_access_tokens_run", "run"),
    sa.Index("ix_access_tokens_session", "session"),
)

groups = sa.Table(
    "access_groups",
    metadata,
    sa.Column("name", sa.String(128), primary_key=True),
    sa.Column("description", sa.Text, nullable=False),
    sa.Column("created", Instant, nullable=False),
)

group_accounts = sa.Table(
    "access_group_accounts",
    metadata,
    sa.Column("group", sa.String(128), sa.ForeignKey("access_groups.name"), primary_key=True),
    sa.Column("account", sa.String(128), sa.ForeignKey("access_accounts.name"), primary_key=True),
    # Whether the provider of single sign-on says so: it takes back what it has given, and nothing else.
    sa.Column("provided", sa.Boolean, nullable=False, server_default=sa.text("false")),
    sa.Index("ix_access_group_accounts_account", "account"),
)

members = sa.Table(
    "access_members",
    metadata,
    sa.Column("project", sa.String(128), primary_key=True),
    sa.Column("kind", sa.String(20), primary_key=True),
    sa.Column("name", sa.String(128), primary_key=True),
    sa.Column("role", sa.String(20), nullable=False),
    sa.Column("since", Instant, nullable=False),
    sa.Column("by", sa.String(128), nullable=False),
    sa.Index("ix_access_members_name", "kind", "name"),
)

# Wrong passwords and codes, by account and by address.
attempts = sa.Table(
    "access_attempts",
    metadata,
    sa.Column("key", sa.String(300), primary_key=True),
    sa.Column("failures", sa.Integer, nullable=False),
    sa.Column("last", Instant, nullable=False),
    sa.Column("wait_until", Instant, nullable=False),
    sa.Index("ix_access_attempts_last", "last"),
)

# What is begun and not done: one-time links, logins at a provider, codes that a device shows.
pending = sa.Table(
    "access_pending",
    metadata,
    sa.Column("digest", sa.String(64), primary_key=True),
    sa.Column("kind", sa.String(20), nullable=False),
    sa.Column("code", sa.String(40)),
    sa.Column("facts", Document(dict[str, Any]), nullable=False),
    sa.Column("expires", Instant, nullable=False),
    sa.UniqueConstraint("code"),
    sa.Index("ix_access_pending_expires", "expires"),
)

# One number that grows with each change by which somebody may do less: what servers remember is good as long as it stands.
changes = sa.Table(
    "access_changes",
    metadata,
    sa.Column("name", sa.String(20), primary_key=True),
    sa.Column("number", sa.BigInteger, nullable=False),
)


def count_change(database: Database, connection: sa.Connection) -> None:
    """Makes every server forget whom it knows."""
    insert = database.insert(changes).values(name="all", number=1)
    connection.execute(insert.on_conflict_do_update(index_elements=["name"], set_={"number": changes.c.number + 1}))


def change_number(database: Database) -> int:
    """How many such changes there have been."""
    found = database.driver_row("SELECT number FROM access_changes", ())
    return int(found[0]) if found else 0


def account_row(connection: sa.Connection, name: str) -> sa.Row[Any] | None:
    """The row of an account; None if there is none."""
    return connection.execute(sa.select(accounts).where(accounts.c.name == name)).first()


def roles_of(connection: sa.Connection, account: str) -> list[tuple[str, str]]:
    """Project and role of each membership of an account, its own and those of its groups."""
    of_account = sa.select(group_accounts.c.group).where(group_accounts.c.account == account)
    mine = sa.or_(
        sa.and_(members.c.kind == "account", members.c.name == account),
        sa.and_(members.c.kind == "group", members.c.name.in_(of_account)),
    )
    rows = connection.execute(sa.select(members.c.project, members.c.role).where(mine)).all()
    return [(row.project, row.role) for row in rows]


def groups_of(connection: sa.Connection, account: str) -> list[str]:
    """Names of the groups of an account, sorted."""
    query = sa.select(group_accounts.c.group).where(group_accounts.c.account == account)
    return list(connection.execute(query.order_by(group_accounts.c.group)).scalars())


def revoke(connection: sa.Connection, which: sa.ColumnElement[bool], now: datetime) -> int:
    """Ends tokens for good; gives how many were good until now."""
    wanted = sa.and_(which, tokens.c.revoked.is_(None))
    return connection.execute(sa.update(tokens).where(wanted).values(revoked=now)).rowcount
