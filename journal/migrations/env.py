"""Alembic's entry: runs the migrations on the connection that `journal.migrate` opened."""

from __future__ import annotations

from alembic import context

from journal.postgres_sql import SCHEMA

context.configure(connection=context.config.attributes["connection"], version_table_schema=SCHEMA)
with context.begin_transaction():
    context.run_migrations()
