"""One turn: a visitor says something, and something true comes back, whatever is broken behind."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime

from anyio import to_thread
from pydantic import ValidationError
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from bot.answers import Content, Message
from desk.chat import arrival
from desk.chat import conversations as chat
from desk.chat.aftercare import Aftercare
from desk.chat.answering import Answering, Outcome
from desk.chat.arrival import ERASE, LONGEST_TEXT, Arrived, Said
from desk.chat.exit_check import ExitCheck
from desk.chat.rasa import Assistant, AssistantError
from desk.chat.short_form import ShortForm
from desk.db import Database, now
from desk.hours import Calendar
from desk.insight import not_understood
from desk.insight.metrics import Metrics
from desk.models import ChatMessage
from desk.outbox.mail import forget_files, sink_of
from desk.privacy import erasure, ledger
from desk.privacy.erased import Erased
from desk.settings import Settings
from desk.tickets.events import EventBus
from desk.tickets.service import TicketError

logger = logging.getLogger(__name__)


class Turns:
    """Takes turns, one at a time for each conversation."""

    def __init__(
        self,
        database: Database,
        assistant: Assistant,
        content: Content,
        calendar: Callable[[Session], Calendar | None] = lambda session: None,
        *,
        settings: Settings | None = None,
        events: EventBus | None = None,
        visitor_events: EventBus | None = None,
        metrics: Metrics | None = None,
    ) -> None:
        """Takes the desk's database, the assistant, the content for what the desk says itself, and how its opening hours are read.

        ``settings`` and ``events`` are for requests that come by the desk's own form: their deadlines, and who is told. ``settings`` also say
        whether questions without an answer are kept; ``visitor_events`` tell open pages of a conversation that something was said in it, or that it
        is gone; ``metrics`` counts and times the turns.
        """
        self._database = database
        self._assistant = assistant
        self._content = content
        self.exit_check = ExitCheck(content)
        self._answering = Answering(database, assistant, content)
        self._metrics = metrics or Metrics()
        self._settings = settings
        self._keeps_questions = settings is not None and settings.keep_not_understood == "on"
        self._aftercare = Aftercare(content, self.exit_check, calendar, settings, self._metrics)
        self._events = events or EventBus()
        self._visitor_events = visitor_events or EventBus()
        self._locks: dict[str, asyncio.Lock] = {}

    async def take(self, conversation_id: str, token: str, said: Said) -> list[ChatMessage]:
        """The replies to one message.

        Args:
            conversation_id: as the visitor names it.
            token: that opens it.
            said: the message; its ``client_id`` sent again gives the same replies, and is never passed on twice.

        Raises:
            ReplayConflict: the ``client_id`` came before with other content.
            ConversationGone: it does not open to this token, or was erased while this message waited its turn.
        """
        async with self._alone(conversation_id):
            began = time.perf_counter()
            arrived = await self._database.run(arrival.received, conversation_id, token, said, lambda: self._unanswered(said))
            if not isinstance(arrived, Arrived):
                return arrived
            replies = await self._new_turn(arrived)
            self._visitor_events.publish("message", conversation_id)
            self._metrics.took(time.perf_counter() - began)
            return replies

    async def erase(self, conversation_id: str) -> None:
        """Erases a conversation everywhere: Rasa's tracker, messages, its requests with all that belongs to them.

        Raises:
            AssistantError: Rasa could not be told; nothing was erased, and trying again works.
        """
        async with self._alone(conversation_id):
            await self._erase(conversation_id)

    async def erase_together(self, conversation_ids: Collection[str], erase: Callable[[Session], Erased]) -> Erased:
        """Erases the trackers of several conversations, then whatever else is to go, while nobody speaks in any of them.

        Args:
            conversation_ids: those that ``erase`` takes away; there may be none.
            erase: works inside one transaction, which begins once Rasa has forgotten everything.

        Raises:
            AssistantError: Rasa could not be told; the desk erased nothing, and trying again works.
        """
        async with AsyncExitStack() as alone:
            for conversation_id in sorted(set(conversation_ids)):  # in one order, so that two erasures never wait for each other
                await alone.enter_async_context(self._alone(conversation_id))
            if len(conversation_ids) > 1 and not await self._assistant.ready():
                raise AssistantError("not ready")  # rather none than some
            return await self._erased(conversation_ids, erase)

    def alarm(self, text: str) -> Message | None:
        """The answer to an emergency, for when a turn cannot even be stored; None where the guard finds none."""
        return self._answering.alarm(text)

    def _unanswered(self, said: Said) -> Message:
        """What a message gets that comes again after its answer was lost: the alarm, where it holds one."""
        return self.alarm(arrival.readable(said.text or "")) or self.exit_check.safe()

    async def _new_turn(self, arrived: Arrived) -> list[ChatMessage]:
        conversation_id, meaning = arrived.conversation.id, arrived.meaning
        if meaning.payload == ERASE:
            try:
                await self._erase(conversation_id)
            except AssistantError:
                return [_unstored(self.exit_check.safe())]
            return [_unstored(self._own("utter_erased"))]
        stored = await self._stored(conversation_id, arrived.seq, await self._outcome(arrived))
        if any(r.response in chat.FORM_ENDS for r in stored):
            await self._forget_form(conversation_id)
        elif self._keeps_questions and meaning.payload is None and not_understood.response_without_answer(stored):
            await self._keep_question(conversation_id, stored, meaning.text)
        return stored

    async def _outcome(self, arrived: Arrived) -> Outcome:
        meaning, form = arrived.meaning, ShortForm.stored(arrived.conversation.short_form)
        if meaning.is_stale:
            return Outcome([self._own("utter_stale_button")], form)
        if not meaning.text.strip():
            return Outcome([self._own("utter_empty")], form)
        if len(meaning.text) > LONGEST_TEXT:
            return self._answering.too_long(form, meaning.text)
        return await self._answering.answer(arrived)

    async def _stored(self, conversation_id: str, seq: int, outcome: Outcome) -> list[ChatMessage]:
        try:
            stored = await self._database.run(self._aftercare.store, conversation_id, seq, outcome)
            if outcome.sends:
                self._events.publish("ticket.open")
            return stored
        except (SQLAlchemyError, TicketError, ValidationError) as error:
            if not outcome.sends:
                raise
            logger.error("a request could not be stored: %s", type(error).__name__)
            return await self._database.run(self._aftercare.store, conversation_id, seq, self._aftercare.failed(outcome))

    async def _keep_question(self, conversation_id: str, stored: list[ChatMessage], text: str) -> None:
        """Keeps what got no answer, cleaned; the visitor has theirs whether this works or not."""
        try:
            await self._database.run(not_understood.keep, conversation_id, stored, text)
        except Exception as error:  # never the visitor's trouble
            logger.warning("a question could not be kept: %s", type(error).__name__)

    async def _forget_form(self, conversation_id: str) -> None:
        """Once the form has ended, what it was told leaves the database's log and Rasa's tracker too."""
        await to_thread.run_sync(self._database.overwrite_deleted)
        try:
            await self._answering.scrub(conversation_id)
        except AssistantError as error:
            logger.warning("the tracker could not be scrubbed; it will be before Rasa is spoken to again: %s", error)

    async def scrub_if_due(self, conversation_id: str) -> bool:
        """Has Rasa forget a form that it could not be told to forget before; False when there was none.

        Raises:
            AssistantError: Rasa could not be told; it stays due.
        """
        async with self._alone(conversation_id):
            conversation = await self._database.run(chat.find, conversation_id)
            if conversation is None or not conversation.scrub_due:
                return False
            await self._answering.scrub(conversation_id)
            return True

    def _own(self, response: str) -> Message:
        return self._content.message(response)

    async def _erase(self, conversation_id: str) -> None:
        await self._erased([conversation_id], lambda session: erasure.erase_by_visitor(session, conversation_id, self._settings))

    async def _erased(self, conversation_ids: Collection[str], erase: Callable[[Session], Erased]) -> Erased:
        for conversation_id in conversation_ids:
            await self._assistant.erase(conversation_id)
        erased = await self._database.run(erase)
        self._tell_gone(conversation_ids)
        await to_thread.run_sync(self._database.overwrite_deleted)
        if self._settings:
            await to_thread.run_sync(forget_files, sink_of(self._settings), erased.message_ids)
            await self._database.run(ledger.keep, self._settings)
        return erased

    async def forget_if_idle(self, conversation_id: str, since: datetime) -> bool:
        """Erases a conversation that nobody has used since an instant; its requests stay. False when it was used meanwhile.

        Raises:
            AssistantError: Rasa could not be told; nothing was erased.
        """
        async with self._alone(conversation_id):
            if conversation_id not in await self._database.run(chat.idle_since, since):
                return False
            await self._assistant.erase(conversation_id)
            await self._database.run(chat.forget_conversation, conversation_id)
            self._tell_gone([conversation_id])
            await to_thread.run_sync(self._database.overwrite_deleted)
            return True

    def _tell_gone(self, conversation_ids: Collection[str]) -> None:
        for conversation_id in conversation_ids:
            self._visitor_events.publish("erased", conversation_id)

    @asynccontextmanager
    async def _alone(self, conversation_id: str) -> AsyncIterator[None]:
        lock = self._locks.setdefault(conversation_id, asyncio.Lock())
        try:
            async with lock:
                yield
        finally:
            if not lock.locked() and not getattr(lock, "_waiters", None):
                self._locks.pop(conversation_id, None)


def _unstored(reply: Message) -> ChatMessage:
    """A message of a conversation that is gone."""
    return ChatMessage(seq=0, sender="bot", kind=reply.kind, text=reply.text, buttons=[], sources=[], at=now())
