"""Rasa's SQL tracker store, plus forgetting: the official one can only add."""

from __future__ import annotations

import os
from typing import Any

from rasa.core.tracker_store import SQLTrackerStore
from rasa.shared.core.domain import Domain
from sqlalchemy import delete, event
from sqlalchemy.engine import Engine
from sqlalchemy.pool import Pool


class ErasableTrackerStore(SQLTrackerStore):
    """A tracker store whose conversations can be erased; on SQLite deleted text is overwritten and the file is the owner's alone."""

    def __init__(self, domain: Domain | None = None, **kwargs: Any) -> None:
        """Takes what ``endpoints.yml`` gives to ``SQLTrackerStore``."""
        if kwargs.get("dialect", "sqlite") == "sqlite" and kwargs.get("db"):
            os.close(os.open(kwargs["db"], os.O_CREAT, 0o600))
            event.listen(Pool, "connect", _overwrite_deleted)
        super().__init__(domain=domain, **kwargs)
        self.engine.hide_parameters = True  # an error must not carry what a visitor wrote into the log

    def forget(self, conversation_id: str) -> None:
        """Erases every stored event of a conversation. Call it under the conversation's lock."""
        engine: Engine = self.engine
        with engine.begin() as connection:
            connection.execute(delete(self.SQLEvent.__table__).where(self.SQLEvent.sender_id == conversation_id))


def _overwrite_deleted(connection: Any, _record: Any) -> None:
    connection.execute("PRAGMA secure_delete = ON")
