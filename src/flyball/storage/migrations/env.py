"""Runs the revisions on the connection that `upgrades.py` hands over."""

from typing import Any, Literal

import sqlalchemy as sa
from alembic import context

from flyball.storage.tables import metadata


def render(kind: str, item: Any, _: Any) -> str | Literal[False]:
    """Writes our own column types into a revision as what they are in the database: a revision must not change with them."""
    if kind == "type" and isinstance(item, sa.types.TypeDecorator):
        return f"sa.{type(item.impl_instance).__name__}()"
    return False


context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    transactional_ddl=True,
    render_as_batch=True,
    render_item=render,
)
with context.begin_transaction():
    context.run_migrations()
