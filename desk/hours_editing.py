"""How staff change the opening hours, and with them the deadlines of open requests. Each function works inside the caller's transaction."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import date

from sqlalchemy import delete
from sqlalchemy.orm import Session

from desk import audit
from desk.db import now
from desk.french_time import DAYS
from desk.hours import BadCalendar, Calendar, Special, Stretch
from desk.hours_wording import read_stretches
from desk.models import OpeningHours, SpecialDay
from desk.settings import Settings
from desk.tickets import recounting

SUBJECT = "horaires"  # what the audit trail says was changed
LONGEST_LABEL = 80


class BadHours(Exception):
    """What was typed is no week.

    Attributes:
        of_days: weekday → French sentence.
        whole: what is wrong with the week as a whole; empty when nothing is.
    """

    def __init__(self, of_days: Mapping[int, str], whole: str = "") -> None:
        """Takes the faults."""
        super().__init__(whole)
        self.of_days = of_days
        self.whole = whole


def set_week(session: Session, actor: str, typed: Mapping[int, str], settings: Settings) -> None:
    """Replaces the weekly hours.

    Args:
        session: commits after this returns.
        actor: name of the staff member.
        typed: weekday → hours as ``read_stretches`` reads them; nothing on any day means that no hours are configured.
        settings: for the clinic's zone and country, and how long requests may wait.

    Raises:
        BadHours: nothing was changed.
    """
    week: dict[int, list[Stretch]] = {}
    faults: dict[int, str] = {}
    for day in range(len(DAYS)):
        try:
            week[day] = read_stretches(typed.get(day, ""))
        except BadCalendar as error:
            faults[day] = str(error)
    if faults:
        raise BadHours(faults)
    if any(week.values()):
        try:
            Calendar(settings.zone, week, {}, settings.clinic_country)
        except BadCalendar as error:
            raise BadHours({}, str(error)) from None
    with _deadlines_counted_again(session, settings):
        session.execute(delete(OpeningHours))
        session.add_all(OpeningHours(weekday=day, opens=s.opens, closes=s.closes) for day, stretches in week.items() for s in stretches)
    audit.record(session, actor, "hours.week", SUBJECT)


def set_special_day(session: Session, actor: str, day: str, hours: str, label: str, settings: Settings) -> date:
    """Makes one date differ, or changes how it does.

    Args:
        session: commits after this returns.
        actor: name of the staff member.
        day: ISO date.
        hours: one stretch as typed; empty for a closed day.
        label: why; staff alone read it.
        settings: how long requests may wait.

    Raises:
        BadCalendar: with a French sentence; nothing was changed.
    """
    try:
        when = date.fromisoformat(day)
    except ValueError:
        raise BadCalendar("Choisissez une date.") from None
    if not 2000 <= when.year <= 2100:
        raise BadCalendar("Cette date est trop lointaine.")
    stretches = read_stretches(hours)
    if len(stretches) > 1:
        raise BadCalendar("Un jour particulier n'a qu'une plage d'heures.")
    special = Special(stretches[0] if stretches else None, re.sub(r"\s+", " ", label).strip())
    if len(special.label) > LONGEST_LABEL or not special.label.isprintable():
        raise BadCalendar(f"Le motif ne peut pas dépasser {LONGEST_LABEL} caractères.")
    with _deadlines_counted_again(session, settings):
        row = session.get(SpecialDay, when) or SpecialDay(day=when)
        row.opens, row.closes = (special.hours.opens, special.hours.closes) if special.hours else (None, None)
        row.label = special.label
        session.add(row)
    audit.record(session, actor, "hours.special_day", when.isoformat())
    return when


def remove_special_day(session: Session, actor: str, day: date, settings: Settings) -> bool:
    """Makes a date an ordinary one again; False where it was one already."""
    row = session.get(SpecialDay, day)
    if row is None:
        return False
    with _deadlines_counted_again(session, settings):
        session.delete(row)
    audit.record(session, actor, "hours.ordinary_day", day.isoformat())
    return True


@contextmanager
def _deadlines_counted_again(session: Session, settings: Settings) -> Iterator[None]:
    """What changes within is followed by the deadlines of open requests."""
    before = recounting.counted_with(session, settings)
    yield
    session.flush()
    after = recounting.counted_with(session, settings)
    recounting.recount(session, before, after, now())
    if after.calendar:
        recounting.note_settings(session, settings)
