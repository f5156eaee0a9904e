"""How often one visitor or address may ask. Generous for people, tight for scripts."""

from __future__ import annotations

import time

from limits import RateLimitItem, parse
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import MovingWindowRateLimiter

from desk.problems import Problem

NEW_CONVERSATIONS = parse("30/10 minutes")  # an address
MESSAGES = parse("40/minute")  # a conversation
MESSAGES_OF_ADDRESS = parse("300/minute")


class RateLimits:
    """Counts hits in memory; ``enabled=False`` lets everything through (load runs)."""

    def __init__(self, enabled: bool) -> None:
        """Starts empty."""
        self._enabled = enabled
        self._limiter = MovingWindowRateLimiter(MemoryStorage())

    async def hit(self, limit: RateLimitItem, name: str, who: str) -> None:
        """Counts one hit.

        Args:
            limit: one of the limits of this module.
            name: what is counted.
            who: address or conversation.

        Raises:
            Problem: 429 with ``Retry-After`` in seconds.
        """
        if not self._enabled or await self._limiter.hit(limit, name, who):
            return
        window = await self._limiter.get_window_stats(limit, name, who)
        seconds = max(1, int(window.reset_time - time.time()) + 1)
        raise Problem(429, headers={"Retry-After": str(seconds)})
