"""Conversations and their messages, in business words. Each function works inside the caller's transaction."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Sequence
from datetime import datetime
from typing import Any, cast

from sqlalchemy import CursorResult, delete, select, update
from sqlalchemy.orm import Session

from bot.answers import Message
from desk.db import now
from desk.models import ChatMessage, Conversation, Ticket, TicketState
from desk.privacy.erased import Erased
from desk.tickets import service as tickets

QUESTION = "utter_ask_booking_"  # how the responses that ask something in the form begin, Rasa's and the desk's alike
FORM_OPENS = f"{QUESTION}consent"
FORM_GIVEN_UP = ("utter_booking_cancelled", "utter_booking_cancelled_later", "utter_booking_refused")
# Replies with which the form has ended: what it was told is then in the ticket alone, or nowhere.
FORM_ENDS = ("utter_booking_received", *FORM_GIVEN_UP)
ALARM = "utter_red_flag"
REDACTED = "(effacé)"
# What the desk says itself takes no button away: those of the assistant's last turn stay good.
DESK_NOTICES = (
    "utter_stale_button",
    "utter_empty",
    "utter_too_long",
    "utter_unavailable",
    "utter_unavailable_request",
    "utter_unavailable_in_form",
)


def open_conversation(session: Session, greeting: Message) -> tuple[Conversation, str, list[ChatMessage]]:
    """Starts a conversation with its greeting; returns it, its bearer token (kept only as a hash), and the greeting."""
    token = secrets.token_urlsafe(32)
    conversation = Conversation(id=secrets.token_hex(16), token_hash=_hash(token))
    session.add(conversation)
    session.flush()
    return conversation, token, add_replies(session, conversation.id, [greeting], reply_to=None)


def authenticated(session: Session, conversation_id: str, token: str) -> Conversation | None:
    """The conversation, if the token is its own."""
    conversation = None if "\0" in conversation_id else session.get(Conversation, conversation_id)  # PostgreSQL looks for no NUL
    if conversation and hmac.compare_digest(conversation.token_hash, _hash(token)):
        return conversation
    return None


def messages_after(session: Session, conversation_id: str, seq: int) -> Sequence[ChatMessage]:
    """All messages with a higher sequence number, in order."""
    return session.scalars(select(ChatMessage).where(ChatMessage.conversation_id == conversation_id, ChatMessage.seq > seq).order_by(ChatMessage.seq)).all()


def news(session: Session, conversation_id: str, seq: int) -> Sequence[ChatMessage] | None:
    """All messages with a higher sequence number, in order; None once the conversation is gone."""
    return messages_after(session, conversation_id, seq) if find(session, conversation_id) else None


def said_as(session: Session, conversation_id: str, client_id: str) -> ChatMessage | None:
    """The visitor's message that carries this ``client_id``."""
    return session.scalars(select(ChatMessage).where(ChatMessage.conversation_id == conversation_id, ChatMessage.client_id == client_id)).first()


def replies_to(session: Session, conversation_id: str, seq: int) -> list[ChatMessage]:
    """What was answered to the visitor's message ``seq``."""
    return list(
        session.scalars(select(ChatMessage).where(ChatMessage.conversation_id == conversation_id, ChatMessage.reply_to == seq).order_by(ChatMessage.seq))
    )


def add_visitor_message(session: Session, conversation_id: str, text: str, client_id: str, content: str) -> ChatMessage:
    """Stores what a visitor wrote (or the label of the button they chose); ``content`` is what a replay must repeat."""
    message = ChatMessage(
        conversation_id=conversation_id,
        seq=_next_seq(session, conversation_id),
        sender="visitor",
        kind="visitor",
        text=text,
        buttons=[],
        sources=[],
        client_id=client_id,
        content_hash=_hash(content),
        at=now(),
    )
    session.add(message)
    _touch(session, conversation_id)
    session.flush()
    return message


def add_replies(session: Session, conversation_id: str, replies: Sequence[Message], reply_to: int | None, sender: str = "bot") -> list[ChatMessage]:
    """Stores the answers to a message; buttons get ids of their own, so that a payload is never in a visitor's hands."""
    seq = _next_seq(session, conversation_id)
    stored = [
        ChatMessage(
            conversation_id=conversation_id,
            seq=seq + i,
            sender=sender,
            kind=reply.kind,
            text=reply.text,
            buttons=[{"id": f"{seq + i}-{n}", "label": b["title"], "payload": b["payload"]} for n, b in enumerate(reply.buttons)],
            sources=reply.sources,
            response=reply.response,
            reply_to=reply_to,
            at=now(),
        )
        for i, reply in enumerate(replies)
    ]
    session.add_all(stored)
    _touch(session, conversation_id)
    session.flush()
    return stored


def offered_button(session: Session, conversation_id: str, button_id: str) -> tuple[str, str] | None:
    """Label and payload of a button, if the assistant's last turn or a notice after it offered it; an older one is stale."""
    last = session.scalars(
        select(ChatMessage)
        .where(ChatMessage.conversation_id == conversation_id, ChatMessage.sender == "bot", ChatMessage.response.not_in(DESK_NOTICES))
        .order_by(ChatMessage.seq.desc())
        .limit(1)
    ).first()
    if last is None:
        return None
    turn = replies_to(session, conversation_id, last.reply_to) if last.reply_to is not None else [last]
    live = messages_after(session, conversation_id, turn[0].seq - 1)
    found = next((b for m in live for b in m.buttons if b["id"] == button_id), None)
    return (found["label"], found["payload"]) if found else None


def same_content(message: ChatMessage, content: str) -> bool:
    """Whether a replayed ``client_id`` brings what it brought before; of a blanked message nobody can tell, so it does."""
    return message.content_hash in (None, _hash(content))


def redact_form(session: Session, conversation_id: str) -> None:
    """Blanks what was said since the booking form opened, the message that opened it included: it may hold a name already.

    A form that Rasa began and the desk took over opens twice before it ends: the first time counts.
    """
    responses = (FORM_OPENS, *FORM_ENDS)
    marks = session.scalars(
        select(ChatMessage).where(ChatMessage.conversation_id == conversation_id, ChatMessage.response.in_(responses)).order_by(ChatMessage.seq)
    ).all()
    opened: ChatMessage | None = None
    for mark, following in zip(marks, [*marks[1:], None]):
        if mark.response == FORM_OPENS:
            opened = opened or mark
        elif following is not None:
            opened = None  # an earlier form, already blanked
    if opened is None:
        return
    for message in messages_after(session, conversation_id, (opened.reply_to or opened.seq) - 1):
        if message.sender == "visitor" or message.response == "utter_ask_booking_confirm":
            message.text = REDACTED
            message.content_hash = None  # a short text can be found again from its hash


def is_question(response: str | None) -> bool:
    """Whether a response is a question of the booking form."""
    return (response or "").startswith(QUESTION)


def has_ended(replies: Sequence[Message]) -> bool:
    """Whether the form ends with these replies."""
    return any(r.response in FORM_ENDS for r in replies)


def form_question(session: Session, conversation_id: str) -> str | None:
    """The response that last asked something in a form which no reply has ended since; None when no form is under way."""
    found = _last_of_form(session, conversation_id)
    return found.response if found and is_question(found.response) else None


def form_waits(session: Session, conversation_id: str) -> bool:
    """Whether an emergency came in the middle of a form, and it was not taken up since."""
    found = _last_of_form(session, conversation_id)
    if not found or not is_question(found.response):
        return False
    return any(m.response == ALARM for m in messages_after(session, conversation_id, found.seq))


def _last_of_form(session: Session, conversation_id: str) -> ChatMessage | None:
    of_form = ChatMessage.response.startswith(QUESTION, autoescape=True) | ChatMessage.response.in_(FORM_ENDS)
    return session.scalars(select(ChatMessage).where(ChatMessage.conversation_id == conversation_id, of_form).order_by(ChatMessage.seq.desc()).limit(1)).first()


def last_response(session: Session, conversation_id: str, unless: Sequence[str] = ()) -> str | None:
    """Response behind the last thing that the bot said, some passed over."""
    return session.scalars(
        select(ChatMessage.response)
        .where(ChatMessage.conversation_id == conversation_id, ChatMessage.sender == "bot", ChatMessage.response.not_in(unless))
        .order_by(ChatMessage.seq.desc())
        .limit(1)
    ).first()


def asked_before(session: Session, conversation_id: str) -> str | None:
    """The question that the assistant's last answer was given to; None where it answered none yet, or where it was blanked."""
    answered = (
        select(ChatMessage.reply_to)
        .where(ChatMessage.conversation_id == conversation_id, ChatMessage.sender == "bot", ChatMessage.kind == "answer")
        .order_by(ChatMessage.seq.desc())
        .limit(1)
        .scalar_subquery()
    )
    text = session.scalars(select(ChatMessage.text).where(ChatMessage.conversation_id == conversation_id, ChatMessage.seq == answered)).first()
    return None if text in (None, REDACTED) else text


def untold_requests(session: Session, conversation_id: str, telling: Sequence[str]) -> list[Ticket]:
    """Open requests of the conversation whose reference the visitor was never told: their answer was lost on the way.

    Args:
        session: the transaction.
        conversation_id: whose requests.
        telling: texts that are about to be said.
    """
    left = session.scalars(select(Ticket).where(Ticket.conversation_id == conversation_id, Ticket.state.in_(tickets.OPEN_STATES))).all()
    if not left:
        return []
    said = session.scalars(
        select(ChatMessage.text).where(ChatMessage.conversation_id == conversation_id, ChatMessage.response == "utter_booking_received")
    ).all()
    return [ticket for ticket in left if not any(ticket.reference in text for text in (*said, *telling))]


def scrubbed(session: Session, conversation_id: str) -> None:
    """Notes that Rasa's tracker holds no form any more."""
    session.execute(update(Conversation).where(Conversation.id == conversation_id).values(scrub_due=False))


def with_scrub_due(session: Session) -> Sequence[str]:
    """Ids of conversations whose form Rasa has still to forget."""
    return session.scalars(select(Conversation.id).where(Conversation.scrub_due)).all()


def find(session: Session, conversation_id: str) -> Conversation | None:
    """The conversation, while it is there."""
    return session.get(Conversation, conversation_id)


def forget_conversation(session: Session, conversation_id: str) -> Erased:
    """Erases a conversation with its messages; its requests stay, without it."""
    erased = Erased()
    session.execute(update(Ticket).where(Ticket.conversation_id == conversation_id).values(conversation_id=None))
    for table, of_it in ((ChatMessage, ChatMessage.conversation_id), (Conversation, Conversation.id)):
        gone = session.execute(delete(table).where(of_it == conversation_id))
        erased.add(table.__tablename__, cast(CursorResult[Any], gone).rowcount)
    return erased


def erase_conversation(session: Session, conversation_id: str, actor: str) -> Erased:
    """Erases a conversation with its messages and its requests."""
    erased = tickets.erase_of_conversation(session, conversation_id, actor)
    session.flush()
    erased.join(forget_conversation(session, conversation_id))
    return erased


def idle_since(session: Session, instant: datetime) -> Sequence[str]:
    """Ids of conversations whose last message is older than ``instant``, but for those that a visitor joined to a request."""
    joined = select(Ticket.conversation_id).where(Ticket.conversation_id.is_not(None), Ticket.transcript_allowed, Ticket.state != TicketState.ERASED)
    return session.scalars(select(Conversation.id).where(Conversation.last_message_at < instant, Conversation.id.not_in(joined))).all()


def _touch(session: Session, conversation_id: str) -> None:
    conversation = session.get(Conversation, conversation_id)
    if conversation:
        conversation.last_message_at = now()


def _next_seq(session: Session, conversation_id: str) -> int:
    """The next number of a conversation, whose row is this transaction's from here on: a turn and an answer of staff at once follow each other.

    (SQLite has one writer at a time anyway, and passes the lock over. The weaker of PostgreSQL's lets requests go on naming the conversation.)
    """
    session.execute(select(Conversation.id).where(Conversation.id == conversation_id).with_for_update(key_share=True))
    last = session.scalars(select(ChatMessage.seq).where(ChatMessage.conversation_id == conversation_id).order_by(ChatMessage.seq.desc()).limit(1)).first()
    return (last or 0) + 1


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
