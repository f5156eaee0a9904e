"""Erases what has been kept long enough: idle conversations, closed requests."""

from __future__ import annotations

import asyncio
import logging
from datetime import timedelta

from sqlalchemy.orm import Session

from desk import audit
from desk.chat import conversations as chat
from desk.chat.rasa import AssistantError
from desk.chat.turns import Turns
from desk.db import Database, now
from desk.settings import Settings
from desk.staff import accounts
from desk.tickets import service as tickets

logger = logging.getLogger(__name__)
EVERY_SECONDS = 600


async def keep_erasing(database: Database, turns: Turns, settings: Settings) -> None:
    """Runs ``erase_expired`` for as long as the desk lives."""
    while True:
        try:
            await erase_expired(database, turns, settings)
            await scrub_due(database, turns)
            await database.run(accounts.purge_expired)
        except Exception as error:  # whatever it was, the next run must come
            logger.error("retention failed: %s", type(error).__name__)
        await asyncio.sleep(EVERY_SECONDS)


async def scrub_due(database: Database, turns: Turns) -> int:
    """Has Rasa forget the forms that it could not be told to forget when they ended; returns how many that were."""
    scrubbed = 0
    for conversation_id in await database.run(chat.with_scrub_due):
        try:
            scrubbed += await turns.scrub_if_due(conversation_id)
        except AssistantError:
            break  # Rasa is silent: the next run tries again
    return scrubbed


async def erase_expired(database: Database, turns: Turns, settings: Settings) -> tuple[int, int]:
    """Erases what is over; returns how many conversations and requests that were.

    A conversation whose tracker cannot be erased now is left for the next run, so that nothing stays behind unseen.
    """
    since = now() - timedelta(hours=settings.conversation_hours)
    conversations, failed = 0, 0
    for conversation_id in await database.run(chat.idle_since, since):
        try:
            conversations += await turns.forget_if_idle(conversation_id, since)
        except AssistantError:
            failed += 1
    if failed:
        logger.warning("%d trackers could not be erased; the next run tries again", failed)

    def erase_requests(session: Session) -> int:
        ended = tickets.closed_before(session, now() - timedelta(days=settings.request_days))
        for ticket in ended:
            tickets.erase(session, ticket, audit.SYSTEM)
        return len(ended)

    return conversations, await database.run(erase_requests)
