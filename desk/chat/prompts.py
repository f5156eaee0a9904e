"""The buttons that lead to a request: taken away after an alarm, renamed while a request waits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from bot.answers import Message

BOOK = "/book"  # the form, wherever it is open: Rasa's, or the desk's own
LEAVE_REQUEST = "/leave_request"  # the desk's own form; a payload that the desk obeys itself
CANCEL = "/cancel"
RESUME = {"title": "Reprendre ma demande", "payload": BOOK}
# Its « Réessayer » belongs to a request that the visitor was just sending.
_RETRIES = "utter_booking_failed"


def without_prompts(replies: Sequence[Message]) -> list[Message]:
    """The replies without any button that leads to a request; their texts stay."""
    return [r if r.response == _RETRIES else replace(r, buttons=[b for b in r.buttons if b["payload"] not in (BOOK, LEAVE_REQUEST)]) for r in replies]


def with_resume(replies: Sequence[Message]) -> list[Message]:
    """The replies with one quiet way back to the request that waits, in the place of every other way to one."""
    offered = any(b["payload"] == LEAVE_REQUEST for r in replies for b in r.buttons)
    if offered or not replies or any(r.kind in ("booking", "emergency") for r in replies):
        return list(replies)
    *others, last = without_prompts(replies)
    return [*others, replace(last, buttons=[*last.buttons, RESUME])]
