"""What every test of the desk goes through, on SQLite and on PostgreSQL (``tests.databases``)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import databases
from tests.privacy_kit import Office, Rasa, rasa


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leaves out, on PostgreSQL, what is about SQLite's files."""
    if databases.KIND not in ("sqlite", "postgresql"):
        raise pytest.UsageError(f"{databases.VARIABLE}={databases.KIND!r}: sqlite or postgresql")
    for item in items:
        marker = item.get_closest_marker("sqlite_only")
        if marker and databases.KIND != "sqlite":
            item.add_marker(pytest.mark.skip(reason=f"about SQLite: {marker.args[0]}"))


@pytest.fixture(autouse=True)
def _databases_are_dropped() -> Iterator[None]:
    yield
    databases.drop_used()


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    """A desk whose Rasa is nowhere, looked at by the privacy officer."""
    running = Office(tmp_path)
    yield running
    running.stop()


@pytest.fixture
def assistant(office: Office) -> Iterator[Rasa]:
    """The desk's Rasa answers."""
    assert office.settings.rasa_port
    with rasa(office.settings.rasa_port) as running:
        yield running
