"""Opening hours in French: how they are typed, how they are read, and the sentence in which visitors are told them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime, time
from itertools import pairwise

from desk import public_holidays
from desk.french_time import DAYS, FIXED, clock, day_in_full, zone_in_words
from desk.hours import BadCalendar, Calendar, Stretch

MOST_STRETCHES = 4  # a day
_CLOCK = r"(\d{1,2})\s*(?:[h:.]\s*(\d{2})?\s*(?:min)?)?"
_STRETCH = re.compile(rf"(?:de\s+)?{_CLOCK}\s*(?:[-–—à]|jusqu'à)\s*{_CLOCK}", re.IGNORECASE)


def read_stretches(typed: str) -> list[Stretch]:
    """Reads the hours of a day as somebody types them.

    >>> [f"{s.opens:%H:%M}-{s.closes:%H:%M}" for s in read_stretches("9h-12h30, 13:30–17:00")]
    ['09:00-12:30', '13:30-17:00']

    Args:
        typed: stretches with a comma, a semicolon or « et » between them; nothing, or « fermé », for a closed day.

    Raises:
        BadCalendar: with a French sentence.
    """
    plain = " ".join(typed.replace(FIXED, " ").replace("\u202f", " ").replace("’", "'").split())
    if plain.lower() in ("", "fermé", "ferme", "-", "–"):
        return []
    stretches = sorted(map(_stretch, re.split(r"\s*[,;]\s*|\s+et\s+", plain.strip(" ,;"))))
    if len(stretches) > MOST_STRETCHES:
        raise BadCalendar(f"Il peut y avoir {MOST_STRETCHES} plages par jour au plus.")
    if any(later.opens < earlier.closes for earlier, later in pairwise(stretches)):
        raise BadCalendar("Deux plages du même jour se chevauchent.")
    return stretches


def _stretch(typed: str) -> Stretch:
    found = _STRETCH.fullmatch(typed)
    if not found:
        raise BadCalendar(f"«{FIXED}{typed[:30]}{FIXED}» n'est pas une plage d'heures{FIXED}; écrivez par exemple 9h-12h30.")
    try:
        opens, closes = (time(int(found[n]), int(found[n + 1] or 0)) for n in (1, 3))
    except ValueError:
        raise BadCalendar(f"«{FIXED}{typed[:30]}{FIXED}»{FIXED}: cette heure n'existe pas (de 0h00 à 23h59).") from None
    return Stretch(opens, closes)


def as_typed(stretches: Sequence[Stretch]) -> str:
    """Hours of a day as ``read_stretches`` reads them: « 9h-12h30, 13h30-17h »."""
    return ", ".join(f"{_short(s.opens)}-{_short(s.closes)}" for s in stretches)


def _short(at: time) -> str:
    return f"{at.hour}h" + (f"{at.minute:02}" if at.minute else "")


def stretches_in_words(stretches: Sequence[Stretch]) -> str:
    """« de 9 h à 12 h et de 13 h à 17 h »."""
    return _listed([f"de {clock(s.opens)} à {clock(s.closes)}" for s in stretches])


def week_in_words(calendar: Calendar) -> str:
    """« du lundi au jeudi de 9 h à 17 h, et le vendredi de 9 h à 12 h »."""
    same: dict[tuple[Stretch, ...], list[int]] = {}
    for day, stretches in calendar.weekly.items():
        same.setdefault(tuple(stretches), []).append(day)
    groups = [f"{_days(days)} {stretches_in_words(stretches)}" for stretches, days in same.items()]
    return ", et ".join(filter(None, [", ".join(groups[:-1]), groups[-1]]))


def sentence(calendar: Calendar, at: datetime) -> str:
    """What visitors are told: the week, whose clock it is, and whether somebody is there or from when on.

    Made of numbers and fixed words only: nothing that staff typed is repeated.
    """
    holidays = ", sauf jours fériés" if public_holidays.is_known(calendar.country) else ""
    week = f"Le secrétariat répond {week_in_words(calendar)} ({zone_in_words(calendar.zone)}){holidays}"
    return f"{week}{FIXED}; {presence(calendar, at)}."


def presence(calendar: Calendar, at: datetime) -> str:
    """« il est ouvert en ce moment », or « il rouvre lundi à 9 h ». Days are the clinic's, never « demain »: a visitor's may be another."""
    if calendar.is_open(at):
        return "il est ouvert en ce moment"
    there = calendar.next_opening(at).astimezone(calendar.zone)
    days = (there.date() - at.astimezone(calendar.zone).date()).days
    name = DAYS[there.weekday()]
    day = f"ce {name}" if days == 0 else name if days < 7 else f"le {day_in_full(there.date())}"
    return f"il rouvre {day} à {clock(there.time())}"


def _days(days: Sequence[int]) -> str:
    if len(days) == 7:
        return "tous les jours"
    runs: list[list[int]] = []
    for day in days:
        if runs and runs[-1][-1] == day - 1:
            runs[-1].append(day)
        else:
            runs.append([day])
    names = [[f"du {DAYS[run[0]]} au {DAYS[run[-1]]}"] if len(run) > 2 else [f"le {DAYS[day]}" for day in run] for run in runs]
    return _listed([name for run in names for name in run])


def _listed(parts: Sequence[str]) -> str:
    return " et ".join(filter(None, [", ".join(parts[:-1]), parts[-1]]))
