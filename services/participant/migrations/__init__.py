"""This library's own tables in every service's schema, and alembic's environment for all migrations."""
