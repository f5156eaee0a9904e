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
def database(tmp_path: Path) -> Iterator[object]:
    """A migrated desk database in a real SQLite file."""
    from desk.db import Database, connect
    from desk.migrate import migrate
    from tests.databases import CIPHER

    engine = connect(f"sqlite:///{tmp_path / 'desk.db'}", CIPHER)
    migrate(engine)
    yield Database(engine)
    engine.dispose()
