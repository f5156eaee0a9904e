"""Conversations and their messages, in business words. Each function works inside the caller's transaction."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple, cast

from sqlalchemy import CursorResult, Table, bindparam, delete, exists, func, insert, select, update
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
# What is no answer to words of the visitor: it neither uses up nor needs the turn that follows an alarm.
NOT_A_TURN = ("utter_empty", "utter_stale_button")

# What every turn asks is built once: putting a statement together takes longer than the database needs for it. Of plain columns, not of
# ``ChatMessage``: nothing that is read this way is changed.
_CONVERSATIONS, _MESSAGES = cast(Table, Conversation.__table__), cast(Table, ChatMessage.__table__)
_LIVE = _MESSAGES.alias("live")
_M, _SPOKEN = _MESSAGES.c, _LIVE.c
_HERE = _M.conversation_id == bindparam("conversation_id")
_KNOWN = _M.client_id == bindparam("client_id")
_IS_TURN = (_M.sender == "bot") & _M.response.not_in(NOT_A_TURN)
_LAST_SEQ = select(func.coalesce(func.max(_M.seq), 0)).where(_HERE).scalar_subquery()
_ANSWERED = select(_M.reply_to).where(_HERE, _M.sender == "bot", _M.kind == "answer").order_by(_M.seq.desc()).limit(1).scalar_subquery()
_ASKED_BEFORE = select(_M.text).where(_HERE, _M.seq == _ANSWERED).scalar_subquery()
# From what the assistant's last turn answered; it answered nothing where it is the greeting.
_LAST_TURN = (
    select(func.coalesce(_M.reply_to + 1, _M.seq))
    .where(_HERE, _M.sender == "bot", _M.response.not_in(DESK_NOTICES))
    .order_by(_M.seq.desc())
    .limit(1)
    .scalar_subquery()
)
_HAS_REQUESTS = exists().where(Ticket.conversation_id == bindparam("conversation_id"), Ticket.state.in_(tickets.OPEN_STATES))
# A row for each message whose buttons are live, at least one; the rest is the same in each.
_BEFORE_MESSAGE = (
    select(
        _LAST_SEQ,
        select(_M.seq).where(_HERE, _KNOWN).scalar_subquery(),
        select(_M.content_hash).where(_HERE, _KNOWN).scalar_subquery(),
        _ASKED_BEFORE,
        _SPOKEN.buttons,
    )
    .select_from(_CONVERSATIONS.outerjoin(_LIVE, (_SPOKEN.conversation_id == _CONVERSATIONS.c.id) & (_SPOKEN.sender == "bot") & (_SPOKEN.seq >= _LAST_TURN)))
    .where(_CONVERSATIONS.c.id == bindparam("conversation_id"))
    .order_by(_SPOKEN.seq)
)
_BEFORE_REPLIES = select(
    func.coalesce(func.max(_M.seq), 0),
    func.coalesce(func.max(_M.seq).filter(_IS_TURN), 0),
    func.coalesce(func.max(_M.seq).filter(_M.response == ALARM), 0),
    func.coalesce(func.max(_M.seq).filter(_M.response.startswith(QUESTION, autoescape=True)), 0),
    func.coalesce(func.max(_M.seq).filter(_M.response.in_(FORM_ENDS)), 0),
    _HAS_REQUESTS,
).where(_HERE)
_USE = select(Conversation).from_statement(
    update(_CONVERSATIONS).where(_CONVERSATIONS.c.id == bindparam("conversation_id")).values(last_message_at=bindparam("at")).returning(*_CONVERSATIONS.c)
)
_ADD = insert(_MESSAGES)


class Offered(NamedTuple):
    """A button that a visitor may press now."""

    id: str
    label: str
    payload: str


class BeforeMessage(NamedTuple):
    """What stands in a conversation when a message of its visitor arrives.

    Attributes:
        last_seq: number of the last message; 0 for none.
        known_seq: number of the visitor's message that carries the same ``client_id``; None for a new one.
        known_hash: of what that one said.
        asked_before: the question that the assistant's last answer was given to; None where it answered none yet, or where it was blanked.
        offered: the buttons of the assistant's last turn and of notices after it, oldest first; those of an older one are stale.
    """

    last_seq: int
    known_seq: int | None
    known_hash: str | None
    asked_before: str | None
    offered: list[Offered]


class BeforeReplies(NamedTuple):
    """What stands in a conversation when the replies to a message are ready: numbers of messages, 0 where there is none.

    Attributes:
        last_seq: of the last message.
        last_turn: of the last thing that the bot said, what is no answer to words passed over.
        alarm: of the last alarm.
        form_question: of the last question in a form.
        form_end: of the last reply with which one has ended.
        has_requests: whether a request of the conversation is open.
    """

    last_seq: int
    last_turn: int
    alarm: int
    form_question: int
    form_end: int
    has_requests: bool

    @property
    def is_after_alarm(self) -> bool:
        """Whether the turn before this one was answered by an alarm."""
        return 0 < self.last_turn == self.alarm

    @property
    def form_waits(self) -> bool:
        """Whether an emergency came in the middle of a form, and it was not taken up since."""
        return self.form_end < self.form_question < self.alarm


def open_conversation(session: Session, greeting: Message) -> tuple[Conversation, str, list[ChatMessage]]:
    """Starts a conversation with its greeting; returns it, its bearer token (kept only as a hash), and the greeting."""
    token = secrets.token_urlsafe(32)
    conversation = Conversation(id=secrets.token_hex(16), token_hash=hash_of(token))
    session.add(conversation)
    session.flush()
    return conversation, token, add_replies(session, conversation.id, [greeting], reply_to=None, seq=1)


def authenticated(session: Session, conversation_id: str, token: str) -> Conversation | None:
    """The conversation, if the token is its own."""
    conversation = None if "\0" in conversation_id else session.get(Conversation, conversation_id)  # PostgreSQL looks for no NUL
    return conversation if conversation and is_opened_by(conversation, token) else None


def is_opened_by(conversation: Conversation, token: str) -> bool:
    """Whether the token is the conversation's own."""
    return hmac.compare_digest(conversation.token_hash, hash_of(token))


def use(session: Session, conversation_id: str) -> Conversation | None:
    """The conversation, marked as used now, or None when it is gone.

    Its row is this transaction's from here on, so that a turn and an answer of staff at once follow each other: only what is read afterwards holds.
    (SQLite has one writer at a time anyway. PostgreSQL lets requests go on naming the conversation.)
    """
    if "\0" in conversation_id:  # PostgreSQL looks for no NUL
        return None
    return session.scalars(_USE, {"conversation_id": conversation_id, "at": now()}).one_or_none()


def messages_after(session: Session, conversation_id: str, seq: int) -> Sequence[ChatMessage]:
    """All messages with a higher sequence number, in order."""
    return session.scalars(select(ChatMessage).where(ChatMessage.conversation_id == conversation_id, ChatMessage.seq > seq).order_by(ChatMessage.seq)).all()


def news(session: Session, conversation_id: str, seq: int) -> Sequence[ChatMessage] | None:
    """All messages with a higher sequence number, in order; None once the conversation is gone."""
    return messages_after(session, conversation_id, seq) if find(session, conversation_id) else None


def replies_to(session: Session, conversation_id: str, seq: int) -> list[ChatMessage]:
    """What was answered to the visitor's message ``seq``."""
    return list(
        session.scalars(select(ChatMessage).where(ChatMessage.conversation_id == conversation_id, ChatMessage.reply_to == seq).order_by(ChatMessage.seq))
    )


def before_message(session: Session, conversation_id: str, client_id: str) -> BeforeMessage:
    """What stands in a conversation, whose row is the transaction's, when a message with this ``client_id`` arrives."""
    rows = session.execute(_BEFORE_MESSAGE, {"conversation_id": conversation_id, "client_id": client_id}).all()
    last_seq, known_seq, known_hash, asked, _ = rows[0]
    offered = [Offered(**button) for row in rows for button in row.buttons or ()]
    return BeforeMessage(last_seq, known_seq, known_hash, _unless_blanked(asked), offered)


def before_replies(session: Session, conversation_id: str) -> BeforeReplies:
    """What stands in a conversation, whose row is the transaction's, when the replies to a message are ready."""
    return BeforeReplies(*session.execute(_BEFORE_REPLIES, {"conversation_id": conversation_id}).one())


def add_visitor_message(session: Session, conversation_id: str, text: str, client_id: str, content: str, seq: int | None = None) -> ChatMessage:
    """Stores what a visitor wrote (or the label of the button they chose).

    Args:
        session: the transaction.
        conversation_id: an existing conversation.
        text: what everybody reads.
        client_id: names the message.
        content: what a replay must repeat.
        seq: its number, where the caller has the conversation's row and knows it (``use``, ``before_message``).
    """
    said = {
        "seq": seq or _next_seq(session, conversation_id),
        "sender": "visitor",
        "kind": "visitor",
        "text": text,
        "client_id": client_id,
        "content_hash": hash_of(content),
    }
    return _added(session, conversation_id, [said])[0]


def add_replies(
    session: Session, conversation_id: str, replies: Sequence[Message], reply_to: int | None, sender: str = "bot", seq: int | None = None
) -> list[ChatMessage]:
    """Stores the answers to a message; buttons get ids of their own, so that a payload is never in a visitor's hands.

    Args:
        session: the transaction.
        conversation_id: an existing conversation.
        replies: as they are read.
        reply_to: number of the visitor's message; None for what answers none.
        sender: ``bot`` or ``human``.
        seq: number of the first one, where the caller has the conversation's row and knows it (``use``, ``before_replies``).
    """
    first = seq or _next_seq(session, conversation_id)
    said = [
        {
            "seq": number,
            "sender": sender,
            "kind": reply.kind,
            "text": reply.text,
            "buttons": [{"id": f"{number}-{n}", "label": b["title"], "payload": b["payload"]} for n, b in enumerate(reply.buttons)],
            "sources": reply.sources,
            "response": reply.response,
            "reply_to": reply_to,
        }
        for number, reply in enumerate(replies, first)
    ]
    return _added(session, conversation_id, said)


def same_content(known_hash: str | None, content: str) -> bool:
    """Whether a replayed ``client_id`` brings what it brought before; of a blanked message nobody can tell, so it does."""
    return known_hash in (None, hash_of(content))


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
    return before_replies(session, conversation_id).form_waits


def _last_of_form(session: Session, conversation_id: str) -> ChatMessage | None:
    of_form = ChatMessage.response.startswith(QUESTION, autoescape=True) | ChatMessage.response.in_(FORM_ENDS)
    return session.scalars(select(ChatMessage).where(ChatMessage.conversation_id == conversation_id, of_form).order_by(ChatMessage.seq.desc()).limit(1)).first()


def asked_before(session: Session, conversation_id: str) -> str | None:
    """The question that the assistant's last answer was given to; None where it answered none yet, or where it was blanked."""
    text: str | None = session.execute(select(_ASKED_BEFORE), {"conversation_id": conversation_id}).scalar_one()
    return _unless_blanked(text)


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


def hash_of(text: str) -> str:
    """What is kept of a token or of a message's content in order to know it again."""
    return hashlib.sha256(text.encode()).hexdigest()


def _added(session: Session, conversation_id: str, said: Sequence[dict[str, Any]]) -> list[ChatMessage]:
    """Stores messages whose numbers are known; returns them as they read from now on, outside of the session: nothing is left to be flushed."""
    usual: dict[str, Any] = {
        "conversation_id": conversation_id,
        "buttons": [],
        "sources": [],
        "response": None,
        "client_id": None,
        "content_hash": None,
        "reply_to": None,
    }
    rows = [{**usual, "at": now(), **message} for message in said]
    if rows:
        session.execute(_ADD, rows)
    return [ChatMessage(**row) for row in rows]


def _unless_blanked(text: str | None) -> str | None:
    return None if text == REDACTED else text


def _next_seq(session: Session, conversation_id: str) -> int:
    """The next number of a conversation, whose row is this transaction's from here on."""
    use(session, conversation_id)
    last: int = session.execute(select(_LAST_SEQ), {"conversation_id": conversation_id}).scalar_one()
    return last + 1
