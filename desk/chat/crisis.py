"""After an alarm: half an hour without prompts to book (G-34), and the numbers of those who listen one turn longer (R-12)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from bot.answers import Content, Message
from desk.chat.conversations import ALARM
from desk.chat.prompts import without_prompts
from desk.models import Conversation

STICKS = timedelta(minutes=30)
# Families that call for no such half hour: a sign to show to a doctor today, a fraud. Any other, also one to come, does.
MILD = frozenset({"after_injection", "same_day", "fraud"})
UNKNOWN = "emergency"


def is_fresh(conversation: Conversation, at: datetime) -> bool:
    """Whether an alarm went out less than half an hour before an instant."""
    return conversation.crisis_at is not None and at - conversation.crisis_at < STICKS


def followed(conversation: Conversation, replies: Sequence[Message], *, alarmed_before: bool, content: Content, at: datetime) -> list[Message]:
    """The replies as an alarm, past or present, leaves them; notes a present one in the conversation.

    Args:
        conversation: its row, inside a transaction.
        replies: what would be answered.
        alarmed_before: whether the visitor's turn before this one was answered by an alarm.
        content: for what the desk adds.
        at: the present instant.
    """
    alarm = next((r for r in replies if r.response == ALARM), None)
    if alarm:
        _note(conversation, alarm.variant or UNKNOWN, at)
        return [replace(alarm, buttons=[])]  # alone: nothing to read or to press beside the numbers
    said = list(replies)
    if alarmed_before and _listens(conversation.crisis):
        said.insert(0, content.message("utter_still_there"))
    return without_prompts(said) if is_fresh(conversation, at) else said


def _note(conversation: Conversation, variant: str, at: datetime) -> None:
    if variant in MILD:
        return
    if _listens(variant) or not (_listens(conversation.crisis) and is_fresh(conversation, at)):
        conversation.crisis = variant  # a symptom told after a wish to die does not hide it
    conversation.crisis_at = at


def _listens(family: str | None) -> bool:
    return bool(family) and (str(family).startswith("suicide") or family == "assisted_dying")
