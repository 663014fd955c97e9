"""Runs the revisions on the connection that `upgrades.py` hands over."""

from alembic import context

from flyball.storage.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    transactional_ddl=True,
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
