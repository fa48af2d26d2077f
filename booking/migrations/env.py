"""Runs inside Alembic: hands it the connection that `booking.schema` opened."""

from alembic import context

from booking.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,  # SQLite alters a table by copying it
)
with context.begin_transaction():
    context.run_migrations()
