"""What open pages are told: everything, in order, from any thread, and never at the cost of whoever publishes."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator

from desk.tickets.events import MISSED, QUEUE, Event, EventBus


async def take(events: AsyncIterator[Event | None], count: int) -> list[Event | None]:
    return [await asyncio.wait_for(anext(events), 5) for _ in range(count)]


def test_every_page_hears_of_a_change_made_in_another_thread() -> None:
    async def story() -> None:
        bus = EventBus()
        with bus.subscribe() as one, bus.subscribe() as two:
            await asyncio.to_thread(bus.publish, "ticket.claim", "RDV-7K4M-29")
            await asyncio.to_thread(bus.publish, "presence", "RDV-7K4M-29")
            for subscription in (one, two):
                assert await take(subscription.events(), 2) == [Event("ticket.claim", "RDV-7K4M-29"), Event("presence", "RDV-7K4M-29")]

    asyncio.run(story())


def test_a_thread_wakes_a_page_that_waits() -> None:
    async def story() -> float:
        bus = EventBus()
        with bus.subscribe() as subscription:
            threading.Timer(0.05, bus.publish, ("ticket.open", "RDV-1")).start()
            begun = time.monotonic()
            assert await take(subscription.events(heartbeat=5), 1) == [Event("ticket.open", "RDV-1")]
            return time.monotonic() - begun

    assert asyncio.run(story()) < 2, "woken, not found at the next heartbeat"


def test_what_many_threads_publish_arrives_once_each() -> None:
    async def story() -> list[Event | None]:
        bus = EventBus()
        with bus.subscribe() as subscription:
            await asyncio.gather(*(asyncio.to_thread(bus.publish, "ticket.open", str(n)) for n in range(QUEUE)))
            return await take(subscription.events(), QUEUE)

    assert {event.reference for event in asyncio.run(story()) if event} == {str(n) for n in range(QUEUE)}


def test_silence_is_broken_by_heartbeats() -> None:
    async def story() -> None:
        bus = EventBus()
        with bus.subscribe() as subscription:
            events = subscription.events(heartbeat=0.02)
            assert await take(events, 2) == [None, None]
            bus.publish("ticket.claim", "RDV-1")
            assert await take(events, 1) == [Event("ticket.claim", "RDV-1")]

    asyncio.run(story())


def test_a_page_that_is_too_slow_is_told_to_read_everything_again() -> None:
    async def story() -> None:
        bus = EventBus()
        with bus.subscribe() as slow:
            for n in range(QUEUE * 3 + 5):
                bus.publish("ticket.open", str(n))
            await asyncio.sleep(0)
            heard = []
            async for event in slow.events(heartbeat=0.02):
                if event is None:
                    break
                heard.append(event)
            assert len(heard) <= QUEUE, "what waits for a page that does not read has a bound"
            assert heard[0] == MISSED
            assert heard[-1] == Event("ticket.open", str(QUEUE * 3 + 4)), "and what comes after is told again"

    asyncio.run(story())


def test_who_has_gone_is_told_nothing() -> None:
    async def story() -> EventBus:
        bus = EventBus()
        with bus.subscribe():
            assert bus.listeners == 1
        assert bus.listeners == 0
        return bus

    bus = asyncio.run(story())
    bus.publish("ticket.open", "RDV-1")


def test_a_page_whose_loop_is_gone_stops_nobody() -> None:
    bus = EventBus()

    async def leave_open() -> None:
        bus.subscribe().__enter__()  # a server that was stopped in the middle

    asyncio.run(leave_open())
    bus.publish("ticket.open", "RDV-1")


def test_who_listens_for_one_thing_hears_of_nothing_else() -> None:
    async def story() -> None:
        bus = EventBus()
        with bus.subscribe("this one") as subscription:
            for reference in ("another", "", "this one"):
                bus.publish("message", reference)
            assert await take(subscription.events(heartbeat=0.02), 2) == [Event("message", "this one"), None]
            bus.close()
            assert [event async for event in subscription.events(heartbeat=5)] == []

    asyncio.run(story())


def test_closing_ends_every_stream_and_those_that_begin_later() -> None:
    async def story() -> None:
        bus = EventBus()
        with bus.subscribe() as full, bus.subscribe() as idle:
            for n in range(QUEUE):
                full.offer(Event("ticket.open", str(n)))
            await asyncio.to_thread(bus.close)
            await asyncio.sleep(0.01)
            for subscription in (full, idle):
                assert [event async for event in subscription.events(heartbeat=5)] == []
        with bus.subscribe() as late:
            assert [event async for event in late.events(heartbeat=5)] == []

    asyncio.run(asyncio.wait_for(story(), 4))
