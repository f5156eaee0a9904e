"""What every test of the desk goes through, on SQLite and on PostgreSQL (``tests.databases``)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests import databases


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
