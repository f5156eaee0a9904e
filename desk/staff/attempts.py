"""How often a password may be tried, per name and per address."""

from __future__ import annotations

import hashlib
import ipaddress
import math
import time
import unicodedata
from collections.abc import Awaitable, Callable
from typing import TypeVar

from anyio import Lock
from limits import parse_many
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import MovingWindowRateLimiter

# Failures allowed; each step makes the wait longer. None is longer than an hour: whoever knows a colleague's name could lock them out.
STEPS = tuple(parse_many("5/minute; 10/10 minutes; 20/hour"))
T = TypeVar("T")


class TooManyAttempts(Exception):
    """This name or address has to wait ``seconds`` before the next attempt."""

    def __init__(self, seconds: int) -> None:
        """Takes the wait in seconds."""
        super().__init__(seconds)
        self.seconds = seconds


class SignInAttempts:
    """Counts failed attempts in memory. Successes cost nothing, so that a whole team behind one address can sign in at nine."""

    def __init__(self) -> None:
        """Starts empty."""
        self._limiter = MovingWindowRateLimiter(MemoryStorage())
        # One attempt at a time: attempts sent together cannot slip past the count, nor fill the memory (argon2id takes 64 MiB each).
        self._one_at_a_time = Lock()

    async def attempt(self, name: str, address: str, try_it: Callable[[], Awaitable[T | None]], is_limited: bool = True) -> T | None:
        """Runs ``try_it`` unless its name or address failed too often.

        Args:
            name: as typed; capitals do not matter.
            address: the client's; an IPv6 one counts with its /64, which one customer has whole.
            try_it: the attempt; None means failed.
            is_limited: False counts nothing.

        Raises:
            TooManyAttempts: before trying.
        """
        who_name, who_address = ("name", _bucket(name)), ("address", _network(address))
        async with self._one_at_a_time:
            if not is_limited:
                return await try_it()
            wait = max(await self._wait(who_name), await self._wait(who_address))
            if wait:
                raise TooManyAttempts(wait)
            result = await try_it()
            for step in STEPS:
                if result is None:
                    await self._limiter.hit(step, *who_name)
                    await self._limiter.hit(step, *who_address)
                else:
                    await self._limiter.clear(step, *who_name)
            return result

    async def _wait(self, who: tuple[str, str]) -> int:
        seconds = 0.0
        for step in STEPS:
            if not await self._limiter.test(step, *who):
                window = await self._limiter.get_window_stats(step, *who)
                seconds = max(seconds, window.reset_time - time.time(), 1)
        return math.ceil(seconds)


def _bucket(name: str) -> str:
    # Hashed into 65,536 buckets: the storage never forgets a key, and names cost nothing to invent.
    key = " ".join(unicodedata.normalize("NFKC", name).casefold().split())
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()[:4]


def _network(address: str) -> str:
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(ip, ipaddress.IPv6Address):
        return str(ip.ipv4_mapped or ipaddress.ip_network((ip, 64), strict=False))
    return str(ip)
