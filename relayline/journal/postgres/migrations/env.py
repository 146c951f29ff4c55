"""Alembic's entry point: runs the migrations on the connection of `migrate.py`."""

from __future__ import annotations

from alembic import context

from relayline.journal.postgres.sql import SCHEMA

context.configure(connection=context.config.attributes["connection"], version_table_schema=SCHEMA)
with context.begin_transaction():
    context.run_migrations()
