"""A guess at a secret, as every page that takes one handles it: counted, refused after too many, logged."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from starlette.requests import Request

from desk.staff import accounts, wording
from desk.staff.attempts import Secret, SignInAttempts, TooManyAttempts
from desk.staff.shell import database_of, settings_of

T = TypeVar("T")


def address_of(request: Request) -> str:
    """The client's address; empty where the server knows none."""
    return request.client.host if request.client else ""


async def guess(
    request: Request, attempts: SignInAttempts, name: str, secret: Secret, function: Callable[..., T | None], *args: Any, **kwargs: Any
) -> T | None:
    """Runs ``function(session, …)`` in a transaction unless this account or address failed too often.

    Args:
        request: tells the address.
        attempts: the count.
        name: of the account, as typed.
        secret: what is guessed.
        function: the attempt; None means wrong, and commits all the same.
        *args: its arguments.
        **kwargs: its arguments by name.

    Raises:
        TooManyAttempts: before trying; the refusal is in the sign-in log.
    """
    database, address = database_of(request), address_of(request)
    try:
        return await attempts.attempt(
            name, address, lambda: database.run(function, *args, **kwargs), is_limited=settings_of(request).rate_limits == "on", secret=secret
        )
    except TooManyAttempts:
        await database.run(accounts.note_locked, name, address)
        raise


def too_many(error: TooManyAttempts) -> str:
    """How long to wait, in French."""
    return f"Trop d'essais. Réessayez dans {wording.wait(error.seconds)}."
