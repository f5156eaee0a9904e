"""Alembic's environment: migrates the database that ``desk.migrate`` hands over."""

from alembic import context
from sqlalchemy.engine import Connection

from desk import models  # noqa: F401  (registers the tables)
from desk.db import Base

connection: Connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=Base.metadata, render_as_batch=True, compare_type=True)
with context.begin_transaction():
    context.run_migrations()
