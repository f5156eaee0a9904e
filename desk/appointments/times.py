"""A day and a time of day as staff type them, and the instant they mean on the clinic's clock."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from desk.french_time import FIXED, clock, day_in_full

_CLOCK = re.compile(r"(\d{1,2})\s*(?:[h:.]\s*(\d{2})?)?")


class BadMoment(ValueError):
    """No appointment can begin then; the text is a French sentence for the person who asked."""


class ClockJumps(BadMoment):
    """This time of day does not exist on that day, or exists twice: the clock is changed."""


def read_day(typed: str) -> date:
    """An ISO date, as a date field sends it.

    Raises:
        BadMoment: with a French sentence.
    """
    try:
        return date.fromisoformat(typed.strip())
    except ValueError:
        raise BadMoment("Choisissez une date.") from None


def read_clock(typed: str) -> time:
    """« 14:30 », as a time field sends it, or « 14h30 » as somebody types it.

    Raises:
        BadMoment: with a French sentence.
    """
    found = _CLOCK.fullmatch(typed.strip())
    try:
        return time(int(found[1]), int(found[2] or 0)) if found else _refuse_clock()
    except ValueError:
        return _refuse_clock()


def _refuse_clock() -> time:
    raise BadMoment("Indiquez l'heure, par exemple 14:30.")


def instant_of(day: date, at: time, zone: ZoneInfo) -> datetime:
    """The one instant at which a zone's clock shows a day and a time, in UTC.

    Raises:
        ClockJumps: there is none, or there are two; the sentence says which, and what to do.
    """
    first = datetime.combine(day, at, zone)
    second = first.replace(fold=1)
    if first.utcoffset() == second.utcoffset():
        return first.astimezone(UTC)
    when = f"{clock(at)} n'existe pas" if first.utcoffset() < second.utcoffset() else f"{clock(at)} existe deux fois"  # type: ignore[operator]
    raise ClockJumps(f"Le {day_in_full(day)}, {when} à la clinique{FIXED}: les horloges changent d'heure cette nuit-là. Choisissez une autre heure.")


def slots(starts_at: datetime, minutes: int, step: int) -> list[datetime]:
    """The beginnings of the stretches of ``step`` minutes that an appointment takes."""
    return [starts_at + timedelta(minutes=n) for n in range(0, minutes, step)]
