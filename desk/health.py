"""Whether the whole line answers: database, Rasa with its model, actions."""

from __future__ import annotations

import httpx2
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from desk.chat.rasa import Assistant
from desk.db import Database


class Health:
    """Asks each part."""

    def __init__(self, database: Database, assistant: Assistant, actions_url: str) -> None:
        """Takes the parts."""
        self._database = database
        self._assistant = assistant
        self._actions = httpx2.AsyncClient(base_url=actions_url, timeout=2.0)

    async def missing(self) -> list[str]:
        """Names of the parts that do not answer; empty when all is well."""
        checks = {"database": await self._database_answers(), "assistant": await self._assistant.ready(), "actions": await self._actions_answer()}
        return [name for name, answers in checks.items() if not answers]

    async def close(self) -> None:
        """Closes its connections."""
        await self._actions.aclose()

    async def _database_answers(self) -> bool:
        def ask(session: Session) -> None:
            session.execute(text("SELECT 1"))

        try:
            await self._database.run(ask)
        except SQLAlchemyError:
            return False
        return True

    async def _actions_answer(self) -> bool:
        try:
            return (await self._actions.get("/health")).status_code == 200
        except httpx2.HTTPError:
            return False
