"""Brings the desk's database to the present schema."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Engine

HERE = Path(__file__).resolve().parent


def migrate(engine: Engine) -> None:
    """Applies every migration that is missing, all or none."""
    with engine.begin() as connection:
        command.upgrade(config_for(connection), "head")


def config_for(connection: object) -> Config:
    """Alembic's configuration for an open connection (``alembic`` has no ini file here)."""
    config = Config()
    config.set_main_option("script_location", str(HERE / "migrations"))
    config.attributes["connection"] = connection
    return config
