"""How often a password or a second factor may be tried, per account and per address."""

from __future__ import annotations

import hashlib
import ipaddress
import math
import time
import unicodedata
from collections.abc import Awaitable, Callable
from enum import StrEnum
from typing import TypeVar

from anyio import Lock
from limits import RateLimitItem, parse_many
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import MovingWindowRateLimiter

T = TypeVar("T")


class Secret(StrEnum):
    """What is being guessed."""

    PASSWORD = "name"  # noqa: S105
    CODE = "code"


# Failures allowed; each step makes the wait longer. None for a password is longer than an hour: whoever knows a colleague's name could lock them out.
# Whoever tries codes knows the password already, and three of a million codes are right at any moment: thirty a day, not twenty an hour.
STEPS = {
    Secret.PASSWORD: tuple(parse_many("5/minute; 10/10 minutes; 20/hour")),
    Secret.CODE: tuple(parse_many("5/minute; 10/10 minutes; 30/day")),
}


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

    async def attempt(
        self, name: str, address: str, try_it: Callable[[], Awaitable[T | None]], is_limited: bool = True, secret: Secret = Secret.PASSWORD
    ) -> T | None:
        """Runs ``try_it`` unless its name or address failed too often.

        Args:
            name: as typed; capitals do not matter.
            address: the client's; an IPv6 one counts with its /64, which one customer has whole.
            try_it: the attempt; None means failed.
            is_limited: False counts nothing.
            secret: what is tried; each is counted on its own, or a known password would buy ever more codes.

        Raises:
            TooManyAttempts: before trying.
        """
        steps = STEPS[secret]
        who_name, who_address = (secret.value, _bucket(name)), ("address", _network(address))
        async with self._one_at_a_time:
            if not is_limited:
                return await try_it()
            wait = max(await self._wait(steps, who_name), await self._wait(STEPS[Secret.PASSWORD], who_address))
            if wait:
                raise TooManyAttempts(wait)
            result = await try_it()
            for step in steps:
                if result is None:
                    await self._limiter.hit(step, *who_name)
                else:
                    await self._limiter.clear(step, *who_name)
            for step in STEPS[Secret.PASSWORD] if result is None else ():
                await self._limiter.hit(step, *who_address)
            return result

    async def _wait(self, steps: tuple[RateLimitItem, ...], who: tuple[str, str]) -> int:
        seconds = 0.0
        for step in steps:
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
