"""How often one visitor or address may ask. Generous for people, tight for scripts."""

from __future__ import annotations

import time
from collections import deque

from limits import RateLimitItem, parse

from desk.problems import Problem

NEW_CONVERSATIONS = parse("30/10 minutes")  # an address
MESSAGES = parse("40/minute")  # a conversation
MESSAGES_OF_ADDRESS = parse("300/minute")
SWEEP_SECONDS = 60.0  # how often who has not asked for a while is forgotten


class RateLimits:
    """Counts hits in memory; ``enabled=False`` lets everything through (load runs).

    The window moves with the time, as that of the library ``limits`` does, whose storage in memory looks at every visitor at each hit.
    """

    def __init__(self, enabled: bool) -> None:
        """Starts empty."""
        self._enabled = enabled
        self._hits: dict[tuple[RateLimitItem, str, str], deque[float]] = {}
        self._next_sweep = 0.0

    async def hit(self, limit: RateLimitItem, name: str, who: str) -> None:
        """Counts one hit; one that is refused does not count.

        Args:
            limit: one of the limits of this module.
            name: what is counted.
            who: address or conversation.

        Raises:
            Problem: 429 with ``Retry-After`` in seconds.
        """
        if not self._enabled:
            return
        at = time.monotonic()
        self._sweep(at)
        hits, window = self._hits.setdefault((limit, name, who), deque()), limit.get_expiry()
        while hits and hits[0] <= at - window:
            hits.popleft()
        if len(hits) >= limit.amount:
            raise Problem(429, headers={"Retry-After": str(int(hits[0] + window - at) + 1)})
        hits.append(at)

    def _sweep(self, at: float) -> None:
        if at < self._next_sweep:
            return
        self._next_sweep = at + SWEEP_SECONDS
        self._hits = {key: hits for key, hits in self._hits.items() if hits and hits[-1] > at - key[0].get_expiry()}
