"""The page of opening hours: the week, days that differ, public holidays."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from bot.fields import REGIONS
from desk import hours_editing, public_holidays
from desk.db import now
from desk.french_time import DAYS, clock, day_in_full, zone_in_words
from desk.hours import BadCalendar, Special, Stretch, load_calendar, special_days
from desk.hours_editing import BadHours
from desk.hours_wording import as_typed, sentence
from desk.models import OpeningHours, StaffSession
from desk.settings import Settings
from desk.staff import protection
from desk.staff.live import events_of
from desk.staff.permissions import Permission
from desk.staff.shell import database_of, message, render, settings_of, staff_page

PAGE = "/desk/hours"
_DONE = {
    "week": "C'est fait\u00a0: les horaires de la semaine sont enregistrés.",
    "special": "C'est fait\u00a0: le jour particulier est enregistré.",
    "removed": "C'est fait\u00a0: ce jour suit de nouveau les horaires habituels.",
}


@dataclass(frozen=True)
class SpecialRow:
    """One day that differs, as listed."""

    iso: str
    day: str
    hours: str
    label: str
    is_past: bool


@dataclass(frozen=True)
class HolidayRow:
    """One public holiday; ``note`` where a special day decides otherwise."""

    day: str
    name: str
    note: str = ""


@dataclass(frozen=True)
class HoursPage:
    """What the page shows."""

    week: Mapping[int, str]
    special: Sequence[SpecialRow]
    sentence: str | None  # None while no hours are configured
    country: str
    holidays: Sequence[HolidayRow]
    elsewhere: Sequence[tuple[str, Sequence[HolidayRow]]]


@dataclass(frozen=True)
class Typed:
    """What was sent and could not be kept: the page shows it again with what is wrong."""

    week: Mapping[int, str] = field(default_factory=dict)
    of_days: Mapping[int, str] = field(default_factory=dict)
    whole: str = ""
    special: Mapping[str, str] = field(default_factory=dict)
    special_fault: str = ""

    @property
    def has_fault(self) -> bool:
        """Whether anything is wrong."""
        return bool(self.of_days or self.whole or self.special_fault)


def read_hours(session: Session, settings: Settings, year: int, at: datetime) -> HoursPage:
    """Everything the page shows.

    Args:
        session: the transaction.
        settings: for zone and country.
        year: of the public holidays.
        at: the present instant.
    """
    calendar = load_calendar(session, settings)
    special = special_days(session)
    today = at.astimezone(settings.zone).date()
    week: dict[int, list[Stretch]] = {}
    for row in session.scalars(select(OpeningHours).order_by(OpeningHours.opens)):
        week.setdefault(row.weekday, []).append(Stretch(row.opens, row.closes))
    rows = [SpecialRow(day.isoformat(), day_in_full(day), _hours(differing), differing.label, day < today) for day, differing in special.items()]
    country = settings.clinic_country
    return HoursPage(
        week={day: as_typed(week.get(day, [])) for day in range(len(DAYS))},
        special=[*(row for row in rows if not row.is_past), *(row for row in reversed(rows) if row.is_past)],
        sentence=sentence(calendar, at) if calendar else None,
        country=REGIONS.get(country, country),
        holidays=_holidays(country, year, special),
        elsewhere=[(name, _holidays(code, year, {})) for code, name in REGIONS.items() if code != country],
    )


def _holidays(country: str, year: int, special: Mapping[date, Special]) -> list[HolidayRow]:
    return [HolidayRow(day_in_full(day), name, _hours(special[day]) if day in special else "") for day, name in public_holidays.in_year(country, year).items()]


def _hours(special: Special) -> str:
    return f"de {clock(special.hours.opens)} à {clock(special.hours.closes)}" if special.hours else "fermé"


async def _page(request: Request, staff: StaffSession) -> Response:
    return await _shown(request, Typed())


async def _save_week(request: Request, staff: StaffSession) -> Response:
    form = request.state.form
    typed = {day: form.get(f"day{day}", "")[:200] for day in range(len(DAYS))}
    try:
        await database_of(request).run(hours_editing.set_week, staff.staff.name, typed, settings_of(request))
    except BadHours as error:
        return await _shown(request, Typed(week=typed, of_days=error.of_days, whole=error.whole))
    events_of(request).publish("ticket.deadline")
    return RedirectResponse(f"{PAGE}?done=week", status_code=303)


async def _save_special_day(request: Request, staff: StaffSession) -> Response:
    form = request.state.form
    typed = {name: form.get(name, "")[:200] for name in ("day", "hours", "label")}
    try:
        await database_of(request).run(hours_editing.set_special_day, staff.staff.name, **typed, settings=settings_of(request))
    except BadCalendar as error:
        return await _shown(request, Typed(special=typed, special_fault=str(error)))
    events_of(request).publish("ticket.deadline")
    return RedirectResponse(f"{PAGE}?done=special", status_code=303)


async def _remove_special_day(request: Request, staff: StaffSession) -> Response:
    try:
        day = date.fromisoformat(request.state.form.get("day", ""))
    except ValueError:
        raise protection.BadForm from None
    if not await database_of(request).run(hours_editing.remove_special_day, staff.staff.name, day, settings_of(request)):
        return message(request, 404, "Jour introuvable", "Ce jour suit déjà les horaires habituels. Quelqu'un l'a peut-être changé entre-temps.")
    events_of(request).publish("ticket.deadline")
    return RedirectResponse(f"{PAGE}?done=removed", status_code=303)


async def _shown(request: Request, typed: Typed) -> Response:
    settings = settings_of(request)
    present = now()
    this_year = present.astimezone(settings.zone).year
    wanted = request.query_params.get("year", "")
    year = int(wanted) if re.fullmatch(r"20[2-4]\d", wanted) else this_year
    page: HoursPage = await database_of(request).run(read_hours, settings, year, present)
    context: dict[str, Any] = {
        "page": page,
        "typed": typed,
        "week": {**page.week, **typed.week},
        "days": DAYS,
        "year": year,
        "years": (this_year, this_year + 1),
        "zone": zone_in_words(settings.zone),
        "longest_label": hours_editing.LONGEST_LABEL,
        "done": _DONE.get(request.query_params.get("done", "")) if not typed.has_fault else None,
    }
    return render(request, "hours.html", context, 400 if typed.has_fault else 200)


routes = [
    staff_page("/hours", _page, permission=Permission.HOURS),
    staff_page("/hours/week", _save_week, ("POST",), Permission.HOURS),
    staff_page("/hours/special", _save_special_day, ("POST",), Permission.HOURS),
    staff_page("/hours/special/remove", _remove_special_day, ("POST",), Permission.HOURS),
]
