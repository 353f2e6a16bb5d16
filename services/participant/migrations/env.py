"""Alembic's environment: run on the connection that `services.participant.schema` holds, inside its transaction."""

from alembic import context

context.configure(connection=context.config.attributes["connection"])
context.run_migrations()
