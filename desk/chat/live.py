"""What keeps a visitor's open page up to date: a stream of the messages of its conversation, from where the page left off.

A stream waits without a thread and without a connection to the database. It looks there when the bus says that something was said, and now
and then without that: another desk over the same database may have said it.
"""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import AbstractContextManager, aclosing, contextmanager

from sqlalchemy.exc import SQLAlchemyError
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from desk.chat import conversations as chat
from desk.chat.contract import as_json
from desk.db import Database
from desk.problems import HEADERS, Problem
from desk.tickets.events import EventBus, Subscription

logger = logging.getLogger(__name__)

OF_CONVERSATION = 4  # streams open at once: one a tab
OF_ADDRESS = 40  # a household, an office, or many phones behind one address
RETRY = 3000  # milliseconds after which a page connects again
TRY_AGAIN = 30  # seconds after which a refused page may find a place


class OpenStreams:
    """Counts the open streams of this process; ``enabled=False`` lets any number be open (load runs)."""

    def __init__(self, enabled: bool) -> None:
        """Starts with none."""
        self._enabled = enabled
        self._open: Counter[tuple[str, str]] = Counter()

    @contextmanager
    def one_more(self, conversation_id: str, address: str) -> Iterator[None]:
        """Takes a place within this block.

        Raises:
            Problem: 429 with ``Retry-After`` in seconds.
        """
        places = {("conversation", conversation_id): OF_CONVERSATION, ("address", address): OF_ADDRESS}
        if self._enabled and any(self._open[place] >= most for place, most in places.items()):
            raise Problem(
                429,
                "Ce tchat est ouvert dans trop de fenêtres à la fois. Fermez-en une, ou attendez un instant. En cas d'urgence : 15, 112, 144, 911 ou 194.",
                headers={"Retry-After": str(TRY_AGAIN)},
            )
        self._open.update(places.keys())
        try:
            yield
        finally:
            for place in places:
                self._open[place] -= 1
                if not self._open[place]:
                    del self._open[place]  # who has gone leaves no trace


class EventStream(StreamingResponse):
    """A stream that takes its place when it begins, and gives it back however it ends."""

    def __init__(self, messages: AsyncGenerator[str], place: AbstractContextManager[None]) -> None:
        """Takes what it sends and its place."""
        super().__init__(messages, media_type="text/event-stream", headers=HEADERS | {"X-Accel-Buffering": "no"})
        self._messages = messages
        self._place = place

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Sends until the visitor goes, the conversation is erased or the desk stops."""
        with self._place:
            async with aclosing(self._messages):
                await super().__call__(scope, receive, send)


async def messages_after(bus: EventBus, database: Database, conversation_id: str, seq: int) -> AsyncGenerator[str]:
    """Every message with a higher sequence number, and then new ones, as server-sent events; ends once the conversation is gone.

    Args:
        bus: tells that something was said in a conversation.
        database: of the desk.
        conversation_id: an authenticated conversation.
        seq: the last message that the page has; 0 for none.
    """
    with bus.subscribe(conversation_id) as subscription:  # before the first look, so that nothing falls between the two
        yield f"retry: {RETRY}\n\n"
        async for is_woken in _looks(subscription):
            try:
                news = await database.run(chat.news, conversation_id, seq)
            except SQLAlchemyError as error:  # the page connects again, and has then missed nothing
                logger.error("a visitor's stream ended: %s", type(error).__name__)
                return
            if news is None:
                return
            if news:
                seq = news[-1].seq
                # In one piece: what was said in one turn is read and scrolled to as one.
                yield "".join(f"id: {m.seq}\ndata: {json.dumps(as_json(m), ensure_ascii=False)}\n\n" for m in news)
            elif not is_woken:
                yield ": still here\n\n"


async def _looks(subscription: Subscription) -> AsyncIterator[bool]:
    """When to look: at once and whenever something was said (True), and after each silence (False)."""
    yield True
    async for event in subscription.events():
        yield event is not None
