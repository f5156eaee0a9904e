"""The clinic's opening hours: when somebody is there, and how deadlines count on the time during which somebody is.

A stretch of opening time goes from the first moment at which the clinic's clock shows its beginning to the first moment at which it shows
its end. Where the clock is put forward over one of the two, that is the moment of the change; where it is put back, nothing is counted twice.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from types import MappingProxyType
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from desk import public_holidays
from desk.models import OpeningHours, SpecialDay
from desk.settings import Settings

logger = logging.getLogger(__name__)
LEAST_A_WEEK = timedelta(hours=1)  # less, and deadlines of some hours of opening time would be months away
FARTHEST = timedelta(days=5 * 366)  # no deadline and no next opening is looked for beyond


class BadCalendar(ValueError):
    """No calendar can be made of these hours; the text is a French sentence for the person who gave them."""


class NeverOpens(BadCalendar):
    """The weekly hours leave no time, or nearly none."""


@dataclass(frozen=True, order=True)
class Stretch:
    """Opening time of one day, on the clinic's clock."""

    opens: time
    closes: time

    def __post_init__(self) -> None:
        """Refuses one that does not end after it begins."""
        if self.opens >= self.closes:
            raise BadCalendar("L'heure de fermeture doit suivre l'heure d'ouverture.")

    @property
    def length(self) -> timedelta:
        """How long it is on a day without a change of clock."""
        return datetime.combine(date.min, self.closes) - datetime.combine(date.min, self.opens)


@dataclass(frozen=True)
class Special:
    """A day that differs: ``hours`` in the place of the usual ones (None: closed), and why."""

    hours: Stretch | None
    label: str = ""


@dataclass(frozen=True)
class Calendar:
    """Opening hours. Pure: built from values, asked about instants.

    Attributes:
        zone: the clinic's; every time of day is on its clock.
        weekly: weekday (0 Monday … 6 Sunday) → its stretches, in order; a weekday that is missing is closed.
        special: days that differ; they win over public holidays, which win over the week.
        country: whose public holidays are kept, ISO 3166-1.
    """

    zone: ZoneInfo
    weekly: Mapping[int, Sequence[Stretch]]
    special: Mapping[date, Special]
    country: str

    def __post_init__(self) -> None:
        """Takes immutable copies.

        Raises:
            BadCalendar: stretches of a day overlap.
            NeverOpens: less than an hour a week.
        """
        weekly = {day: tuple(sorted(stretches)) for day, stretches in sorted(self.weekly.items()) if stretches}
        for stretches in weekly.values():
            if any(later.opens < earlier.closes for earlier, later in pairwise(stretches)):
                raise BadCalendar("Deux plages du même jour se chevauchent.")
        if sum((s.length for stretches in weekly.values() for s in stretches), timedelta()) < LEAST_A_WEEK:
            raise NeverOpens("Il faut au moins une heure d'ouverture par semaine.")
        object.__setattr__(self, "weekly", MappingProxyType(weekly))
        object.__setattr__(self, "special", MappingProxyType(dict(self.special)))

    def hours_of(self, day: date) -> Sequence[Stretch]:
        """The stretches of one day, in order; none when it is closed."""
        if day in self.special:
            hours = self.special[day].hours
            return (hours,) if hours else ()
        return () if self.holiday(day) else self.weekly.get(day.weekday(), ())

    def holiday(self, day: date) -> str | None:
        """Name of the public holiday that a day is."""
        return public_holidays.in_year(self.country, day.year).get(day)

    def is_open(self, at: datetime) -> bool:
        """Whether an instant is opening time; the one of closing is not."""
        return any(opens <= at < closes for opens, closes in self._of_day(at.astimezone(self.zone).date()))

    def next_opening(self, at: datetime) -> datetime:
        """The next instant at which the clinic opens after one at which it is closed; the same instant while it is open. UTC.

        Raises:
            NeverOpens: not in the next five years.
        """
        opens, _ = next(self.stretches_from(at))
        return max(opens, at.astimezone(UTC))

    def add_open_time(self, start: datetime, duration: timedelta) -> datetime:
        """The instant at which so much opening time has passed; ``start`` for none at all. UTC.

        Args:
            start: any instant, also one at which the clinic is closed.
            duration: opening time to let pass.

        Raises:
            ValueError: a negative duration.
            NeverOpens: not in the next five years.
        """
        if duration < timedelta():
            raise ValueError("a negative duration")
        left = duration
        if not left:
            return start.astimezone(UTC)
        for opens, closes in self.stretches_from(start):
            begins = max(opens, start)
            if closes - begins >= left:
                return begins.astimezone(UTC) + left
            left -= closes - begins
        raise AssertionError("unreachable: stretches_from raises")  # pragma: no cover

    def open_time_between(self, a: datetime, b: datetime) -> timedelta:
        """The opening time from one instant to a later one; zero when ``b`` is not later."""
        a, b = a.astimezone(UTC), b.astimezone(UTC)
        total, day, last = timedelta(), a.astimezone(self.zone).date(), b.astimezone(self.zone).date()
        while day <= last:
            for opens, closes in self._of_day(day):
                total += max(min(closes, b) - max(opens, a), timedelta())
            day += timedelta(days=1)
        return total

    def _of_day(self, day: date) -> Iterator[tuple[datetime, datetime]]:
        """The stretches of a day as instants, in UTC: those of one zone would be compared by their clocks."""
        for stretch in self.hours_of(day):
            opens, closes = first_moment(day, stretch.opens, self.zone), first_moment(day, stretch.closes, self.zone)
            if opens < closes:  # the clock may be put forward over the whole of it
                yield opens, closes

    def stretches_from(self, at: datetime) -> Iterator[tuple[datetime, datetime]]:
        """Every stretch that ends after an instant, in UTC and in order, the first of them perhaps begun.

        Raises:
            NeverOpens: after those of five years, instead of ending.
        """
        day = at.astimezone(self.zone).date()
        end = day + FARTHEST
        while day <= end:
            yield from ((opens, closes) for opens, closes in self._of_day(day) if closes > at)
            day += timedelta(days=1)
        raise NeverOpens("Ces horaires ne prévoient aucune ouverture dans les cinq ans à venir.")


def first_moment(day: date, clock: time, zone: ZoneInfo) -> datetime:
    """The first instant of a day at which a clock shows a time or a later one, in UTC.

    >>> first_moment(date(2026, 3, 29), time(2, 30), ZoneInfo("Europe/Belgrade")).isoformat()  # 2:30 does not exist
    '2026-03-29T01:00:00+00:00'
    """
    wanted = datetime.combine(day, clock, zone)
    late = wanted.astimezone(UTC)  # read with the offset from before a change
    if late.astimezone(zone).replace(tzinfo=None) == wanted.replace(tzinfo=None):
        return late
    early = wanted.replace(fold=1).astimezone(UTC)
    after = late.astimezone(zone).utcoffset()
    while late - early > timedelta(seconds=1):
        middle = early + (late - early) // 2
        if middle.astimezone(zone).utcoffset() == after:
            late = middle
        else:
            early = middle
    return late.replace(microsecond=0)


def load_calendar(session: Session, settings: Settings) -> Calendar | None:
    """The clinic's calendar as staff entered it (page /desk/hours).

    Returns:
        None while no hours were entered: nothing may then be said of them, and deadlines run day and night.
    """
    weekly: dict[int, list[Stretch]] = {}
    try:
        for row in session.scalars(select(OpeningHours)):
            weekly.setdefault(row.weekday, []).append(Stretch(row.opens, row.closes))
        if not weekly:
            return None
        return Calendar(settings.zone, weekly, special_days(session), settings.clinic_country)
    except BadCalendar as error:
        # The page lets none of these in; rows changed by hand must not stop requests from coming in.
        logger.error("the opening hours in the database cannot be used: %s", error)
        return None


def special_days(session: Session) -> dict[date, Special]:
    """The special days, in order of date.

    Raises:
        BadCalendar: hours of a row that do not end after they begin.
    """
    rows = session.scalars(select(SpecialDay).order_by(SpecialDay.day))
    return {row.day: Special(Stretch(row.opens, row.closes) if row.opens and row.closes else None, row.label) for row in rows}
