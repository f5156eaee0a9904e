"""The assistant as the desk sees it: one private address that may fail in every way."""

from __future__ import annotations

from typing import Any

import httpx2

from bot.answers import Message
from bot.guard.disclaimer import KINDS


class AssistantError(Exception):
    """No usable answer came back: not reached, too late, refused, or empty."""


class Assistant:
    """Client of ``bot.channel``. A turn is sent once; what comes back late is dropped."""

    def __init__(self, url: str, secret: str, timeout_seconds: float, transport: httpx2.AsyncBaseTransport | None = None) -> None:
        """Takes Rasa's address, the shared secret, and how long a turn may take."""
        self._was_silent = False
        self._seconds = timeout_seconds
        self._url = f"{url}/webhooks/visitor"
        self._headers = {"Authorization": f"Bearer {secret}"}
        # Connections that are kept, and nothing of a client for the web: no cookies, no redirects, no proxies.
        self._transport = transport or httpx2.AsyncHTTPTransport()

    async def say(
        self, conversation_id: str, text: str | None = None, payload: str | None = None, seconds: float | None = None, asked_before: str | None = None
    ) -> list[Message]:
        """Passes one message on.

        Args:
            conversation_id: Rasa's sender id.
            text: a visitor's own words, or
            payload: that of a button which the desk has offered.
            seconds: how long this one may take, if less than usual.
            asked_before: the question that the last answer was given to, which a short message may refer to.

        Raises:
            AssistantError: whatever went wrong; an empty answer is wrong too, because Rasa fails in silence.
        """
        body = {"payload": payload} if payload is not None else {"text": text, "asked_before": asked_before}
        answer = await self._request("POST", f"/conversations/{conversation_id}/messages", seconds, body)
        try:
            replies = [
                Message(m["text"], m["kind"] or "", [dict(b) for b in m["buttons"]], [dict(s) for s in m["sources"]], m.get("response"), m.get("variant"))
                for m in answer.json()["messages"]
            ]
        except (ValueError, KeyError, TypeError) as error:
            raise AssistantError("unreadable") from error
        if not replies or not all(r.text.strip() and r.kind in KINDS for r in replies):
            raise AssistantError("empty")
        return replies

    async def erase(self, conversation_id: str) -> None:
        """Erases the tracker.

        Raises:
            AssistantError: when it is not sure that this happened.
        """
        await self._request("DELETE", f"/conversations/{conversation_id}")

    async def scrub(self, conversation_id: str, seconds: float | None = None) -> None:
        """Erases what the form was told from the tracker; scope and reference stay.

        Args:
            conversation_id: Rasa's sender id.
            seconds: how long it may take, if less than usual.

        Raises:
            AssistantError: when it is not sure that this happened.
        """
        await self._request("POST", f"/conversations/{conversation_id}/scrub", seconds)

    async def ready(self) -> bool:
        """Whether Rasa has its model loaded."""
        try:
            return (await self._exchange("GET", "/", httpx2.Timeout(2.0))).status_code == 200
        except httpx2.HTTPError:
            return False

    async def close(self) -> None:
        """Closes its connections."""
        await self._transport.aclose()

    async def _request(self, method: str, path: str, seconds: float | None = None, body: Any = None) -> httpx2.Response:
        # Once it kept somebody waiting in vain, it is asked first whether it is there: the next visitor waits two seconds, not twenty.
        if self._was_silent and not await self.ready():
            raise AssistantError("still silent")
        timeout = httpx2.Timeout(min(self._seconds, seconds or self._seconds), connect=2.0)
        try:
            answer = await self._exchange(method, path, timeout, body)
        except httpx2.HTTPError as error:
            self._was_silent = True
            raise AssistantError(type(error).__name__) from error
        self._was_silent = False
        if answer.status_code >= 300:
            raise AssistantError(f"status {answer.status_code}")
        return answer

    async def _exchange(self, method: str, path: str, timeout: httpx2.Timeout, body: Any = None) -> httpx2.Response:
        request = httpx2.Request(method, self._url + path, headers=self._headers, json=body, extensions={"timeout": timeout.as_dict()})
        answer = await self._transport.handle_async_request(request)
        try:
            await answer.aread()
        finally:
            await answer.aclose()  # gives the connection back
        return answer
