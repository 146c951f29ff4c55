"""Alembic's entry: runs the migrations on the connection that `migrate.py` opened."""

from __future__ import annotations

from alembic import context

from relayline.journal.postgres.sql import SCHEMA

context.configure(connection=context.config.attributes["connection"], version_table_schema=SCHEMA)
with context.begin_transaction():
    context.run_migrations()
