"""Erases what has been kept long enough: idle conversations, closed requests."""

from __future__ import annotations

import asyncio
import logging
from datetime import timedelta

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from desk import audit
from desk.chat import conversations as chat
from desk.chat.rasa import Assistant, AssistantError
from desk.db import Database, now
from desk.settings import Settings
from desk.staff import accounts
from desk.tickets import service as tickets

logger = logging.getLogger(__name__)
EVERY_SECONDS = 600


async def keep_erasing(database: Database, assistant: Assistant, settings: Settings) -> None:
    """Runs ``erase_expired`` for as long as the desk lives."""
    while True:
        try:
            await erase_expired(database, assistant, settings)
            await database.run(accounts.purge_expired)
        except SQLAlchemyError as error:
            logger.error("retention failed: %s", type(error).__name__)
        await asyncio.sleep(EVERY_SECONDS)


async def erase_expired(database: Database, assistant: Assistant, settings: Settings) -> tuple[int, int]:
    """Erases what is over; returns how many conversations and requests that were.

    A conversation whose tracker cannot be erased now is left for the next run, so that nothing stays behind unseen.
    """
    idle = await database.run(chat.idle_since, now() - timedelta(hours=settings.conversation_hours))
    conversations = 0
    for conversation_id in idle:
        try:
            await assistant.erase(conversation_id)
        except AssistantError:
            break
        await database.run(chat.erase_conversation, conversation_id, audit.SYSTEM)
        conversations += 1

    def erase_requests(session: Session) -> int:
        ended = tickets.closed_before(session, now() - timedelta(days=settings.request_days))
        for ticket in ended:
            tickets.erase(session, ticket, audit.SYSTEM)
        return len(ended)

    return conversations, await database.run(erase_requests)
