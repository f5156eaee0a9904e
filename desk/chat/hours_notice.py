"""Where a person of the team is promised, when somebody is there: said only if the hours are configured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from bot.answers import Message
from bot.guard.disclaimer import is_disclaimed
from desk.hours import Calendar
from desk.hours_wording import sentence

# The replies that offer a human, or tell that a request was received.
OFFERS = frozenset({"utter_human", "utter_short_form", "utter_booking_received", "utter_booking_known"})


def is_due(replies: Sequence[Message]) -> bool:
    """Whether the hours belong to these replies: one of them promises a person, and none is about an emergency."""
    return any(r.response in OFFERS for r in replies) and not any(r.kind == "emergency" for r in replies)


def with_hours(replies: Sequence[Message], calendar: Calendar | None, at: datetime) -> list[Message]:
    """The replies, the first that promises a person with one more paragraph: the opening hours.

    Args:
        replies: as they leave the last door, and due (``is_due``). The door need not read the paragraph, which holds nothing but times
            of day and fixed words; the figures it knows are those of medical facts.
        calendar: None while no hours are configured; then nothing is said of them.
        at: the present instant.
    """
    if calendar is None:
        return list(replies)
    place = next(n for n, reply in enumerate(replies) if reply.response in OFFERS)
    told = replace(replies[place], text=_with_paragraph(replies[place].text, sentence(calendar, at)))
    return [*replies[:place], told, *replies[place + 1 :]]


def _with_paragraph(text: str, paragraph: str) -> str:
    """The disclaimer stays last."""
    head, separator, last = text.rpartition("\n\n")
    return f"{head}\n\n{paragraph}\n\n{last}" if separator and is_disclaimed(last) else f"{text}\n\n{paragraph}"
