"""A desk alone, on a real database, with Rasa nowhere: what tests of the desk's own answers are written with."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import select
from starlette.testclient import TestClient

from desk.app import create_app
from desk.chat.turns import Turns
from desk.db import Base, Database, connect
from desk.models import Conversation, Ticket
from desk.settings import load_settings
from tests.databases import new_database_url
from tests.stack_client import Visitor, free_ports

SECRET = "a secret of twenty characters and more"
T = TypeVar("T")


class Desk:
    """One running desk; ``restart`` gives it a new process's memory over the same database."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        self.folder = folder
        values = {"port": free_ports(3), "database_url": new_database_url(folder)} | settings
        self._settings = load_settings(data=folder, secret=SECRET, rate_limits="off", **values)
        self.database = Database(connect(str(self._settings.database_url), self._settings.cipher))
        self._start()

    def _start(self) -> None:
        self.http = TestClient(create_app(self._settings), raise_server_exceptions=False)
        self.http.__enter__()

    def stop(self) -> None:
        """Stops it."""
        self.http.__exit__(None, None, None)
        self.database.engine.dispose()

    def restart(self) -> None:
        """A new desk on the same database."""
        self.http.__exit__(None, None, None)
        self._start()

    def visitor(self) -> Visitor:
        """A new conversation."""
        return Visitor("http://testserver", self.http)

    @property
    def turns(self) -> Turns:
        """What takes its turns."""
        turns: Turns = self.http.app.state.turns  # type: ignore[attr-defined]
        return turns

    def run(self, function: Callable[..., T], *args: Any, **kwargs: Any) -> T:
        """Runs ``function(session, …)`` in a transaction."""
        with self.database.transaction() as session:
            return function(session, *args, **kwargs)

    def conversation(self, visitor: Visitor) -> Conversation:
        """The row of a visitor's conversation."""
        return self.run(lambda session: session.get_one(Conversation, visitor.id))

    def tickets(self) -> list[Ticket]:
        """Every request, oldest first."""
        return list(self.run(lambda session: session.scalars(select(Ticket).order_by(Ticket.id)).all()))

    def contents(self) -> str:
        """Everything that the database holds, as somebody with the keys reads it."""
        with self.database.transaction() as session:
            rows = [row for table in Base.metadata.sorted_tables for row in session.execute(select(table)).mappings()]
        return "\n".join(str(value) for row in rows for value in row.values())
