"""The first stretch of a turn, in one transaction: whose conversation it is, whether the message was said before, what it means, and storing it."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from sqlalchemy.orm import Session

from bot.answers import Message
from bot.guard.door import inspect
from bot.guard.normalise import fold
from desk.chat import conversations as chat
from desk.chat.conversations import Offered
from desk.models import ChatMessage, Conversation

LONGEST_TEXT = 2000  # characters; longer ones are read by the guard alone
LONGEST_LABEL = 150  # characters up to which typed words may be the label of a button
ERASE = "/erase_conversation"  # payload that the desk obeys itself
# Control characters, and those that turn the reading direction: never part of what a person means to say.
_UNREADABLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
_ROUND_A_LABEL = " \n.,;:!?'\"«»()"


class ReplayConflict(Exception):
    """A ``client_id`` came again with other content."""


class ConversationGone(Exception):
    """There is no such conversation, or no longer, or the token is not its own."""


@dataclass(frozen=True)
class Said:
    """What a visitor sent: words of their own, or the id of a button."""

    client_id: str
    text: str | None = None
    button: str | None = None

    @property
    def content(self) -> str:
        """What a replay must repeat."""
        return f"button:{self.button}" if self.button is not None else f"text:{self.text}"


@dataclass(frozen=True)
class Meaning:
    """What a message means.

    Attributes:
        text: the visitor's words, or the label of the button that was pressed.
        payload: of the button that was pressed, or whose label was typed; None for words.
        is_stale: a button that is not offered any more.
    """

    text: str
    payload: str | None = None
    is_stale: bool = False


@dataclass(frozen=True)
class Arrived:
    """A message that has arrived.

    Attributes:
        conversation: its row.
        meaning: what the message means.
        seq: its number; 0 where it was not stored, because it erases everything.
        asked_before: the question that the last answer was given to, if any.
    """

    conversation: Conversation
    meaning: Meaning
    seq: int
    asked_before: str | None

    @property
    def key(self) -> str:
        """Names the message among all conversations."""
        return f"{self.conversation.id}:desk:{self.seq}"


def received(session: Session, conversation_id: str, token: str, said: Said, safe: Callable[[], Message]) -> Arrived | list[ChatMessage]:
    """Takes a message in; gives what was answered to it where it had come before.

    Args:
        session: the transaction.
        conversation_id: as the visitor names it.
        token: that opens it.
        said: the message.
        safe: what is said to a message that came before and was never answered.

    Raises:
        ConversationGone: the conversation does not open to this token.
        ReplayConflict: the ``client_id`` came before with other content.
    """
    conversation = chat.use(session, conversation_id)
    if conversation is None or not chat.is_opened_by(conversation, token):
        raise ConversationGone(conversation_id)
    before = chat.before_message(session, conversation_id, said.client_id)
    if before.known_seq is not None:
        if not chat.same_content(before.known_hash, said.content):
            raise ReplayConflict(said.client_id)
        replies = chat.replies_to(session, conversation_id, before.known_seq)
        return replies or chat.add_replies(session, conversation_id, [safe()], before.known_seq, seq=before.last_seq + 1)
    meaning = _meaning(said, before.offered)
    if meaning.payload == ERASE:
        return Arrived(conversation, meaning, 0, None)
    seq = before.last_seq + 1
    chat.add_visitor_message(session, conversation_id, meaning.text[:LONGEST_TEXT], said.client_id, said.content, seq)
    return Arrived(conversation, meaning, seq, before.asked_before)


def readable(text: str) -> str:
    """The text without control characters."""
    return _UNREADABLE.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))


def _meaning(said: Said, offered: Sequence[Offered]) -> Meaning:
    if said.button is None:
        text = readable(said.text or "")
        return Meaning(text, _payload_of_label(text, offered))
    pressed = next((button for button in offered if button.id == said.button), None)
    return Meaning(pressed.label, pressed.payload) if pressed else Meaning("", "", is_stale=True)


def _payload_of_label(text: str, offered: Sequence[Offered]) -> str | None:
    """What the button does whose label was typed instead of pressed: the newest, where several carry it. None for any other words.

    The guard reads the words first: in what it finds nobody's label is heard.
    """
    typed = _as_label(text) if offered and len(text) <= LONGEST_LABEL else ""
    named = next((button for button in reversed(offered) if typed and _label(button.label) == typed), None)
    return named.payload if named and inspect(text) is None else None


@lru_cache(maxsize=1024)
def _label(text: str) -> str:
    """A label as it is compared; kept, as it is always one of the same few."""
    return _as_label(text)


def _as_label(text: str) -> str:
    """Words as they are compared with a label: without capitals, accents and the marks around them."""
    return fold(text).strip(_ROUND_A_LABEL)
