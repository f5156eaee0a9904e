"""Tells open pages that something changed: in this process, kept nowhere. Who missed something reads the page again."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

QUEUE = 100  # events that one subscriber may be behind
HEARTBEAT = 15.0  # seconds of silence after which a connection is shown to be alive


@dataclass(frozen=True)
class Event:
    """Something that happened.

    Attributes:
        kind: what, e.g. ``ticket.claim``, ``presence``; ``missed`` when this subscriber was too slow and must read everything again.
        reference: of the request; empty where it is about none. On the bus of visitors' pages: the conversation.
    """

    kind: str
    reference: str = ""


MISSED = Event("missed")


class Subscription:
    """One listener. Belongs to the event loop it was made in."""

    def __init__(self, loop: asyncio.AbstractEventLoop, reference: str = "") -> None:
        """Starts with nothing to tell; ``reference`` names the only thing that it listens for, empty is everything."""
        self._loop = loop
        self._reference = reference
        self._waiting: asyncio.Queue[Event | None] = asyncio.Queue(QUEUE)

    def offer(self, event: Event | None) -> None:
        """Hands over an event, from any thread; None ends the subscription. Never waits."""
        if event is not None and self._reference not in ("", event.reference):
            return
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody listens any more
            self._loop.call_soon_threadsafe(self._put, event)

    async def events(self, heartbeat: float = HEARTBEAT) -> AsyncIterator[Event | None]:
        """Events as they happen; None after ``heartbeat`` seconds without one. Ends when the bus closes."""
        while True:
            try:
                event = await asyncio.wait_for(self._waiting.get(), heartbeat)
            except TimeoutError:
                yield None
                continue
            if event is None:
                return
            yield event

    def _put(self, event: Event | None) -> None:
        if self._waiting.full():  # too slow: one event instead of all that it missed
            while not self._waiting.empty():
                self._waiting.get_nowait()
            if event is not None:
                event = MISSED
        self._waiting.put_nowait(event)


class EventBus:
    """Brings events from whoever changes something to whoever listens.

    ``publish`` is called after the change has committed: a page that is told reads the database, and must find it there.
    """

    def __init__(self) -> None:
        """Starts without listeners."""
        self._subscriptions: set[Subscription] = set()
        self._lock = threading.Lock()
        self._is_closed = False

    def publish(self, kind: str, reference: str = "") -> None:
        """Tells everybody; from any thread, and never waits for a slow one."""
        self._offer(Event(kind, reference))

    @contextmanager
    def subscribe(self, reference: str = "") -> Iterator[Subscription]:
        """Listens within this block, to everything or to what is about ``reference``; call it in a running event loop."""
        subscription = Subscription(asyncio.get_running_loop(), reference)
        with self._lock:
            self._subscriptions.add(subscription)
            if self._is_closed:
                subscription.offer(None)
        try:
            yield subscription
        finally:
            with self._lock:
                self._subscriptions.discard(subscription)

    @property
    def listeners(self) -> int:
        """How many listen."""
        with self._lock:
            return len(self._subscriptions)

    def close(self) -> None:
        """Ends every subscription, now and from now on: an open stream would keep the server from stopping."""
        with self._lock:
            self._is_closed = True
        self._offer(None)

    def _offer(self, event: Event | None) -> None:
        with self._lock:
            listening = tuple(self._subscriptions)
        for subscription in listening:
            subscription.offer(event)
