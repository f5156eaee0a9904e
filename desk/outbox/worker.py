"""Sends what the outbox holds, for as long as the desk lives."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime

from desk.db import Database, now
from desk.models import Channel
from desk.outbox import SendingFailed, queue
from desk.outbox.letters import write_letter
from desk.outbox.mail import Mailer, compose, mailer_of
from desk.outbox.queue import Leased
from desk.outbox.webhooks import Webhooks, payload
from desk.settings import Settings

logger = logging.getLogger(__name__)
LONGEST_SENDING = 60.0  # seconds; well within a lease, so that nobody else begins meanwhile
SETTLING_PAUSES = (0.5, 1.0, 2.0, 4.0, 8.0)  # seconds between tries to write down how it went; together with the above still within a lease
LOOK_EVERY = 1.0  # seconds


def worker_of(database: Database, settings: Settings) -> Worker:
    """The worker that the settings describe."""
    webhooks = Webhooks(settings.webhook_url, settings.webhook_secrets) if settings.webhook_url else None
    return Worker(database, settings, mailer_of(settings), webhooks)


class Worker:
    """Takes what is due, sends it, and says how that went. Several may work on one database."""

    def __init__(
        self,
        database: Database,
        settings: Settings,
        mailer: Mailer,
        webhooks: Webhooks | None = None,
        *,
        clock: Callable[[], datetime] = now,
        look_every: float = LOOK_EVERY,
    ) -> None:
        """Takes the ways out.

        Args:
            database: of the desk.
            settings: for what letters are signed with.
            mailer: how mails go.
            webhooks: how events go; None where none is set.
            clock: the present instant.
            look_every: seconds between two looks at an empty outbox.
        """
        self._database = database
        self._settings = settings
        self._mailer = mailer
        self._webhooks = webhooks
        self._clock = clock
        self._look_every = look_every

    async def run(self) -> None:
        """Sends until cancelled. What is on its way then keeps its lease, runs out of it, and is sent again after a restart."""
        sending: set[asyncio.Task[None]] = set()
        try:
            while True:
                sending |= {asyncio.create_task(self._send(one)) for one in await self._take(queue.AT_ONCE - len(sending))}
                if sending:
                    await asyncio.wait(sending, timeout=self._look_every, return_when=asyncio.FIRST_COMPLETED)
                    sending = {task for task in sending if not task.done()}
                else:
                    await asyncio.sleep(self._look_every)
        finally:
            while sending:  # more than once: a library may take a cancellation for its own and go on
                for task in sending:
                    task.cancel()
                _, sending = await asyncio.wait(sending, timeout=0.1)

    async def send_due(self) -> int:
        """Sends what is due now, once; returns how many were tried."""
        leased = await self._database.run(queue.lease, self._clock())
        await asyncio.gather(*(self._send(one) for one in leased))
        return len(leased)

    async def _take(self, limit: int) -> list[Leased]:
        if limit == 0:
            return []
        try:
            return await self._database.run(queue.lease, self._clock(), limit)
        except Exception as error:  # the database is away: the next look must come
            logger.error("outbox could not be read: %s", type(error).__name__)
            return []

    async def _send(self, leased: Leased) -> None:
        failure = await self._try(leased)
        if failure is None:
            await self._settle(leased, queue.settle_sent)
        else:
            await self._settle(leased, queue.settle_failed, str(failure), is_permanent=failure.is_permanent)

    async def _settle(self, leased: Leased, how: Callable[..., object], *args: object, **kwargs: object) -> None:
        """Writes down how a try went. Where the database stays away the lease runs out, and it is sent again: better twice than never."""
        for pause in (*SETTLING_PAUSES, None):
            try:
                await self._database.run(how, leased, self._clock(), *args, **kwargs)
            except Exception as error:
                logger.error("notification %d could not be settled: %s", leased.id, type(error).__name__)
                await asyncio.sleep(pause or 0)
            else:
                return

    async def _try(self, leased: Leased) -> SendingFailed | None:
        try:
            async with asyncio.timeout(LONGEST_SENDING):
                await self._deliver(leased)
        except SendingFailed as failure:
            return failure
        except TimeoutError:
            return SendingFailed("L'envoi a pris trop de temps.")
        except Exception as error:  # a fault of ours: it must show on the page and in the log, and stop nothing else
            logger.error("notification %d failed: %s", leased.id, type(error).__name__)
            return SendingFailed(f"L'envoi a échoué ({type(error).__name__}).")
        return None

    async def _deliver(self, leased: Leased) -> None:
        at = self._clock()
        if leased.channel is Channel.WEBHOOK:
            if self._webhooks is None:
                raise SendingFailed("PASSERELLE_WEBHOOK_URL n'est pas réglé.")
            await self._webhooks.send(leased.message_id, payload(leased.template, leased.created_at, leased.values), at)
        else:
            letter = write_letter(leased.template, leased.values, self._settings)
            await self._mailer.send(compose(letter, self._settings, leased.recipient or "", leased.message_id, at))
