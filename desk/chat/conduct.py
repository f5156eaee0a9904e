"""Insults: answered twice with a plea for courtesy, then with a polite end. Questions and emergencies are always answered."""

from __future__ import annotations

from collections.abc import Sequence

from bot.answers import Content, Message
from desk.models import Conversation

INSULT = "utter_insult"
PATIENCE = 3  # the third insult of a conversation closes the subject


def counted(conversation: Conversation, replies: Sequence[Message], content: Content) -> list[Message]:
    """The replies with the closing line where the plea has been made often enough; counts in the conversation's row."""
    if not any(r.response == INSULT for r in replies):
        return list(replies)
    conversation.insults += 1
    if conversation.insults < PATIENCE:
        return list(replies)
    return [content.message("utter_insult_closed") if r.response == INSULT else r for r in replies]
