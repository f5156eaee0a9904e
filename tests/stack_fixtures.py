"""One running stack for all tests that need it (a plugin of tests/conftest.py)."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.stack_client import Stack, Visitor, start_stack


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The line, as ``make run`` starts it; or, for the conversations alone, one that runs already (``PASSERELLE_TEST_URL``)."""
    url = os.environ.get("PASSERELLE_TEST_URL")
    if url:
        yield Stack(tmp_path_factory.mktemp("stack"), int(url.rsplit(":", 1)[1]), process=None)
        return
    running = start_stack(tmp_path_factory.mktemp("stack"))
    yield running
    if running.process and running.process.poll() is None:
        running.stop()


@pytest.fixture
def visitor(stack: Stack) -> Visitor:
    """A new conversation on a stack that answers."""
    stack.wait_until_ready()
    return stack.visitor()
