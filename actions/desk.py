"""The desk as the actions see it: one address, one secret, one thing to ask."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass

import aiohttp

TIMEOUT_SECONDS = 12  # longer than the desk waits for its own database


class DeskError(Exception):
    """The desk did not confirm that the request is stored."""


@dataclass(frozen=True)
class Desk:
    """The desk's internal address and the secret shared with it."""

    url: str
    secret: str

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Desk:
        """Reads ``PASSERELLE_DESK_URL`` and ``PASSERELLE_SECRET``.

        Raises:
            KeyError: when one is missing.
        """
        return cls(environment["PASSERELLE_DESK_URL"], environment["PASSERELLE_SECRET"])

    async def open_ticket(self, request: Mapping[str, object], key: str) -> str:
        """Has a request stored.

        Args:
            request: the fields of ``POST /internal/tickets``.
            key: idempotency key; the same key with the same request is stored once, however often it is sent.

        Returns:
            The reference, after the desk's commit.

        Raises:
            DeskError: when the desk cannot be reached, refuses, or answers without a reference.
        """
        try:
            status, body = await self._post(request, key)
            if status == 409:
                # The first try was stored though its answer was lost, and the visitor has corrected something since:
                # both versions must reach staff.
                digest = hashlib.sha256(json.dumps(request, sort_keys=True).encode()).hexdigest()[:12]
                status, body = await self._post(request, f"{key}:{digest}")
        except (aiohttp.ClientError, asyncio.TimeoutError, ValueError) as error:
            raise DeskError(type(error).__name__) from error
        if status not in (200, 201) or not body.get("reference"):
            raise DeskError(f"status {status}")
        return str(body["reference"])

    async def _post(self, request: Mapping[str, object], key: str) -> tuple[int, dict[str, object]]:
        headers = {"Authorization": f"Bearer {self.secret}", "Idempotency-Key": key}
        timeout = aiohttp.ClientTimeout(total=TIMEOUT_SECONDS)
        async with aiohttp.ClientSession(timeout=timeout) as session, session.post(f"{self.url}/internal/tickets", json=request, headers=headers) as answer:
            return answer.status, await answer.json()
