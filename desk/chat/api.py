"""The visitor API (design §5): parses, calls, answers."""

from __future__ import annotations

import json
import logging
from typing import Any

from sqlalchemy.exc import SQLAlchemyError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from desk.chat import conversations as chat
from desk.chat import limits
from desk.chat.arrival import ConversationGone, ReplayConflict, Said, readable
from desk.chat.contract import as_json
from desk.chat.live import EventStream, OpenStreams, messages_after
from desk.chat.rasa import AssistantError
from desk.chat.turns import Turns
from desk.db import Database
from desk.models import Conversation
from desk.problems import Problem
from desk.tickets.events import EventBus

logger = logging.getLogger(__name__)

LARGEST_BODY = 64 * 1024  # bytes


async def create(request: Request) -> Response:
    """POST /api/conversations: a new conversation with its greeting."""
    await _limits(request).hit(limits.NEW_CONVERSATIONS, "conversations", _address(request))
    turns: Turns = request.app.state.turns
    greeting = turns.exit_check(request.app.state.content.message("utter_greeting"))
    conversation, token, messages = await _database(request).run(chat.open_conversation, greeting)
    return JSONResponse({"id": conversation.id, "token": token, "messages": [as_json(m) for m in messages]}, status_code=201)


async def say(request: Request) -> Response:
    """POST /api/conversations/{id}/messages: one turn. An emergency gets its numbers even when nothing can be stored."""
    said = _said(await _body(request))
    try:
        return await _turn(request, said)
    except SQLAlchemyError as error:
        alarm = request.app.state.turns.alarm(readable(said.text or ""))
        if alarm is None:
            raise
        logger.error("database: %s", type(error).__name__)
        raise Problem(503, alarm.text) from None


async def _turn(request: Request, said: Said) -> Response:
    token = _token(request)
    # The address first: an endless row of made-up tokens would else be remembered, each for a while.
    await _limits(request).hit(limits.MESSAGES_OF_ADDRESS, "messages", _address(request))
    # Counted by the token, which only the turn itself looks at: nobody else can use up what a conversation may say.
    await _limits(request).hit(limits.MESSAGES, "messages", chat.hash_of(token))
    turns: Turns = request.app.state.turns
    try:
        replies = await turns.take(request.path_params["id"], token, said)
    except ReplayConflict:
        raise Problem(409) from None
    except ConversationGone:
        raise Problem(401, headers={"WWW-Authenticate": "Bearer"}) from None
    return JSONResponse({"messages": [as_json(m) for m in replies]})


async def read(request: Request) -> Response:
    """GET /api/conversations/{id}/messages?after=N: the thread from a sequence number on."""
    conversation = await _authenticated(request)
    after = request.query_params.get("after", "0")
    if not _is_number(after):
        raise Problem(400, "« after » doit être un nombre entier positif.")
    messages = await _database(request).run(chat.messages_after, conversation.id, int(after))
    return JSONResponse({"owner": conversation.owner.value, "messages": [as_json(m) for m in messages]})


async def events(request: Request) -> Response:
    """GET /api/conversations/{id}/events: the thread from where the page left off, and then what is said, as it is said."""
    conversation = await _authenticated(request)
    bus: EventBus = request.app.state.visitor_events
    streams: OpenStreams = request.app.state.streams
    left_off = request.headers.get("last-event-id") or request.query_params.get("after", "")
    seq = int(left_off) if _is_number(left_off) else 0  # rather a message twice than one not at all
    return EventStream(messages_after(bus, _database(request), conversation.id, seq), streams.one_more(conversation.id, _address(request)))


async def erase(request: Request) -> Response:
    """DELETE /api/conversations/{id}: everything of it, Rasa's tracker too."""
    conversation = await _authenticated(request)
    turns: Turns = request.app.state.turns
    try:
        await turns.erase(conversation.id)
    except AssistantError:
        raise Problem(503, "L'effacement n'a pas pu se faire entièrement ; rien n'a été effacé. Réessayez dans un instant.") from None
    return Response(status_code=204)


async def health(request: Request) -> Response:
    """GET /healthz: 200 once the assistant answers, else 503 with what is missing."""
    missing = await request.app.state.health.missing()
    if missing:
        return JSONResponse({"status": "unavailable", "missing": missing}, status_code=503)
    return JSONResponse({"status": "ok"})


routes = [
    Route("/api/conversations", create, methods=["POST"]),
    Route("/api/conversations/{id}/messages", say, methods=["POST"]),
    Route("/api/conversations/{id}/messages", read, methods=["GET"]),
    Route("/api/conversations/{id}/events", events, methods=["GET"]),
    Route("/api/conversations/{id}", erase, methods=["DELETE"]),
    Route("/healthz", health, methods=["GET"]),
]


async def read_body(request: Request, largest: int = LARGEST_BODY) -> bytes:
    """The body, refused as soon as it is too large.

    Raises:
        Problem: 413.
    """
    declared = request.headers.get("content-length", "0")
    if declared.isdigit() and int(declared) > largest:
        raise Problem(413)
    received = bytearray()
    async for chunk in request.stream():
        received += chunk
        if len(received) > largest:
            raise Problem(413)
    return bytes(received)


async def _body(request: Request) -> Any:
    raw = await read_body(request)
    try:
        return json.loads(raw)
    except (ValueError, RecursionError):
        raise Problem(400, "Le message n'a pas pu être lu : JSON attendu.") from None


def _said(body: Any) -> Said:
    if not isinstance(body, dict):
        raise Problem(400)
    client_id, text, button = body.get("client_id"), body.get("text"), body.get("button")
    if not isinstance(client_id, str) or not 1 <= len(client_id) <= 64 or "\x00" in client_id:
        raise Problem(400, "« client_id » manque ou n'est pas un texte court.")
    if (text is None) == (button is None) or not isinstance(text if button is None else button, str):
        raise Problem(400, "Il faut soit « text », soit « button ».")
    return Said(_sound(client_id), None if text is None else _sound(text), None if button is None else _sound(button))


def _sound(text: str) -> str:
    """The text with lone surrogates replaced: JSON may carry them, UTF-8 cannot."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _is_number(text: str) -> bool:
    """Whether this is a sequence number."""
    return text.isascii() and text.isdigit() and len(text) <= 9


def _token(request: Request) -> str:
    """The visitor's token, which may be a wrong one."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise Problem(401, headers={"WWW-Authenticate": "Bearer"})
    return token


async def _authenticated(request: Request) -> Conversation:
    conversation: Conversation | None = await _database(request).run(chat.authenticated, request.path_params["id"], _token(request))
    if conversation is None:
        raise Problem(401, headers={"WWW-Authenticate": "Bearer"})
    return conversation


def _address(request: Request) -> str:
    return request.client.host if request.client else "?"


def _database(request: Request) -> Database:
    database: Database = request.app.state.database
    return database


def _limits(request: Request) -> limits.RateLimits:
    found: limits.RateLimits = request.app.state.limits
    return found
