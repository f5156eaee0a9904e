"""Fixtures that several folders share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

pytest_plugins = ["tests.stack_fixtures"]

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def root() -> Path:
    """The repository."""
    return ROOT


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[object]:
    """A running desk whose Rasa is nowhere."""
    from tests.desk_client import Desk

    running = Desk(tmp_path)
    yield running
    running.stop()


@pytest.fixture
def database_url(tmp_path: Path) -> str:
    """The address of this test's own migrated database."""
    from tests.databases import new_database_url

    return new_database_url(tmp_path)


@pytest.fixture
def database(database_url: str) -> Iterator[object]:
    """A migrated desk database: a real SQLite file, or one on a real PostgreSQL."""
    from desk.db import Database, connect
    from tests.databases import CIPHER

    engine = connect(database_url, CIPHER)
    yield Database(engine)
    engine.dispose()
