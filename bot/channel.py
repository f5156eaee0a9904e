"""The only channel: the desk posts one message of a visitor, and gets back what the assistant says to it.

It listens on loopback behind a shared secret. A visitor's text is always text: a leading slash, which Rasa would obey, is
defused here; only a button's payload, which the desk has checked against its own last message, is passed as a command.
"""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable
from typing import Any

from rasa.core.channels.channel import CollectingOutputChannel, InputChannel, UserMessage
from rasa.shared.core.constants import ACTION_LISTEN_NAME, ACTION_SESSION_START_NAME
from rasa.shared.core.events import ActionExecuted, SessionStarted, SlotSet
from sanic import Blueprint, response
from sanic.request import Request
from sanic.response import HTTPResponse

from bot.action_replies import compile_schema_once
from bot.channel_text import as_plain_text
from bot.nlu.intent_classifier import ASKED_BEFORE
from bot.tracker_store import ErasableTrackerStore

FORM_QUESTION = "utter_ask_booking_"
KEPT_SLOTS = ("scope", "condition", "booking_reference", "booking_round")  # what a conversation still needs once its personal data are erased


class VisitorOutput(CollectingOutputChannel):
    """Collects messages as the desk wants them: one entry a response, with kind and sources."""

    @classmethod
    def name(cls) -> str:
        """Name of the channel in trackers and response conditions."""
        return "visitor"

    async def send_response(self, recipient_id: str, message: dict[str, Any]) -> None:
        """Keeps one response whole instead of splitting it by paragraph."""
        metadata = message.get("metadata") or {}
        self.messages.append(
            {
                "text": message.get("text") or "",
                "kind": metadata.get("kind"),
                "sources": metadata.get("sources", []),
                "buttons": message.get("buttons") or [],
                "response": metadata.get("response"),
                "variant": metadata.get("variant"),
                "also": metadata.get("also", []),
            }
        )


class VisitorChannel(InputChannel):
    """POST messages, DELETE conversations, POST a scrub; all JSON, all behind the bearer secret."""

    @classmethod
    def name(cls) -> str:
        """Part of the address: ``/webhooks/visitor/…``."""
        return "visitor"

    @classmethod
    def from_credentials(cls, credentials: dict[str, Any] | None) -> VisitorChannel:
        """Reads ``secret`` from ``credentials.yml``, and ``compile_schema_once`` (true; `tools/bench_speed` compares with Rasa as it comes).

        Raises:
            ValueError: when no secret is set; an open channel must not start.
        """
        secret = (credentials or {}).get("secret") or ""
        if not secret or secret.startswith("${"):
            raise ValueError("bot.channel.VisitorChannel needs `secret:` in credentials.yml (PASSERELLE_SECRET)")
        if (credentials or {}).get("compile_schema_once", True):
            compile_schema_once()
        return cls(secret)

    def __init__(self, secret: str) -> None:
        """Takes the secret that the desk sends as a bearer token."""
        self._secret = secret

    def blueprint(self, on_new_message: Callable[[UserMessage], Awaitable[Any]]) -> Blueprint:
        """The routes, as Rasa mounts them."""
        routes = Blueprint("visitor_channel", __name__)

        @routes.get("/")
        async def health(request: Request) -> HTTPResponse:
            agent = request.app.ctx.agent
            ready = bool(agent and agent.is_ready())
            return response.json({"ready": ready}, status=200 if ready else 503)

        @routes.post("/conversations/<conversation_id>/messages")
        async def receive(request: Request, conversation_id: str) -> HTTPResponse:
            if not self._allowed(request):
                return response.json({"error": "unauthorized"}, status=401)
            body = request.json
            text = body["payload"] if body.get("payload") else as_plain_text(body["text"])
            output = VisitorOutput()
            context = {ASKED_BEFORE: str(body.get("asked_before") or "")}
            await on_new_message(UserMessage(text, output, conversation_id, input_channel=self.name(), metadata=context))
            for intent in further_questions(output.messages):
                await on_new_message(UserMessage(f"/{intent}", output, conversation_id, input_channel=self.name()))
            return response.json({"messages": said_once(output.messages)})

        @routes.delete("/conversations/<conversation_id>")
        async def erase(request: Request, conversation_id: str) -> HTTPResponse:
            if not self._allowed(request):
                return response.json({"error": "unauthorized"}, status=401)
            await forget(request.app.ctx.agent, conversation_id, keep=())
            return response.empty()

        @routes.post("/conversations/<conversation_id>/scrub")
        async def scrub(request: Request, conversation_id: str) -> HTTPResponse:
            if not self._allowed(request):
                return response.json({"error": "unauthorized"}, status=401)
            await forget(request.app.ctx.agent, conversation_id, keep=KEPT_SLOTS)
            return response.empty()

        return routes

    def _allowed(self, request: Request) -> bool:
        return hmac.compare_digest((request.token or "").encode(), self._secret.encode())


def said_once(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The messages without all but the last of the form's repeated questions (after two answers it asks again once), and without an answer that two
    questions share."""
    last = {m["response"]: i for i, m in enumerate(messages) if str(m["response"]).startswith(FORM_QUESTION)}
    once = [m for i, m in enumerate(messages) if last.get(m["response"], i) == i]
    return [m for i, m in enumerate(once) if m["kind"] != "answer" or not any(m["text"].endswith(said["text"]) for said in once[:i])]


def further_questions(messages: list[dict[str, Any]]) -> list[str]:
    """Intents of the second and third question of a message, told by the answer to the first (``bot.nlg``)."""
    return list(dict.fromkeys(intent for message in messages for intent in message["also"]))


async def forget(agent: Any, conversation_id: str, keep: tuple[str, ...]) -> None:
    """Erases a conversation's events under Rasa's own lock, so that no turn in flight writes them back.

    Args:
        agent: Rasa's agent.
        conversation_id: the tracker to erase.
        keep: slots whose values start the conversation anew.
    """
    store = getattr(agent.tracker_store, "_tracker_store", agent.tracker_store)
    assert isinstance(store, ErasableTrackerStore)
    async with agent.lock_store.lock(conversation_id):
        tracker = await agent.tracker_store.retrieve(conversation_id)
        kept = [SlotSet(name, tracker.get_slot(name)) for name in keep if tracker and tracker.get_slot(name) is not None]
        store.forget(conversation_id)
        if kept:
            fresh = await agent.processor.get_tracker(conversation_id)
            # Rules only match after a session has begun and the assistant is listening.
            begun = [ActionExecuted(ACTION_SESSION_START_NAME), SessionStarted(), *kept, ActionExecuted(ACTION_LISTEN_NAME)]
            fresh.update_with_events(begun, agent.domain)
            await agent.tracker_store.save(fresh)
