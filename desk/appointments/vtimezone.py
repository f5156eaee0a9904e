"""A time zone as calendar files carry it (RFC 5545, 3.6.5).

Not ``icalendar.Timezone.from_tzinfo``: its 7.3 puts the beginning of summer time an hour late (on the clock after the change, where the
standard wants the one before), and lists dates where Outlook looks for a rule.
"""

from __future__ import annotations

import calendar
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from icalendar import Timezone, TimezoneDaylight, TimezoneStandard

_LONG_AGO = datetime(1970, 1, 1)
_WEEKDAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")


@dataclass(frozen=True)
class _Change:
    """The clock is changed. ``wall`` is what it shows just before."""

    wall: datetime
    before: timedelta
    after: timedelta
    is_summer: bool
    name: str


def vtimezone(zone: ZoneInfo, year: int) -> Timezone:
    """The rules of a zone as they hold in a year, and in those after it as far as they are known.

    Args:
        zone: with an IANA name, which becomes the ``TZID``.
        year: of the event that names the zone.
    """
    component = Timezone()
    component.add("tzid", zone.key)
    years = range(year - 1, year + 3)
    changes = list(_changes(zone, years))
    if not changes or changes[0].wall >= datetime(year, 1, 1):  # nothing says yet what holds when the year begins
        first = datetime(year, 1, 1, tzinfo=zone)
        offset = first.utcoffset() or timedelta()
        component.add_component(_observance([_Change(_LONG_AGO, offset, offset, bool(first.dst()), first.tzname() or zone.key)], ()))
    kinds: dict[tuple[timedelta, timedelta, bool], list[_Change]] = {}
    for change in changes:
        kinds.setdefault((change.before, change.after, change.is_summer), []).append(change)
    for same in kinds.values():
        component.add_component(_observance(same, years))
    return component


def _observance(changes: Sequence[_Change], years: Sequence[int]) -> TimezoneStandard | TimezoneDaylight:
    first = changes[0]
    observance = TimezoneDaylight() if first.is_summer else TimezoneStandard()
    observance.add("dtstart", first.wall)
    observance.add("tzoffsetfrom", first.before)
    observance.add("tzoffsetto", first.after)
    observance.add("tzname", first.name)
    rule = _rule([change.wall for change in changes], years)
    if rule:
        observance.add("rrule", rule)
    elif len(changes) > 1:
        observance.add("rdate", [change.wall for change in changes[1:]])
    return observance


def _rule(walls: Sequence[datetime], years: Sequence[int]) -> dict[str, object] | None:
    """« the last Sunday of March », where that is when the clock is changed every year."""
    if [wall.year for wall in walls] != list(years) or len({(wall.month, wall.weekday(), wall.time()) for wall in walls}) > 1:
        return None
    first = walls[0]
    if all(wall.day + 7 > calendar.monthrange(wall.year, wall.month)[1] for wall in walls):
        place = -1
    elif len(places := {(wall.day - 1) // 7 + 1 for wall in walls}) == 1:
        place = places.pop()
    else:
        return None
    return {"freq": "yearly", "bymonth": first.month, "byday": f"{place}{_WEEKDAYS[first.weekday()]}"}


def _changes(zone: ZoneInfo, years: Sequence[int]) -> Iterator[_Change]:
    at, end = datetime(years[0], 1, 1, tzinfo=UTC), datetime(years[-1] + 1, 1, 1, tzinfo=UTC)
    while at < end:
        following = at + timedelta(days=1)
        if _offset(at, zone) != _offset(following, zone):
            yield _change_between(at, following, zone)
        at = following


def _change_between(early: datetime, late: datetime, zone: ZoneInfo) -> _Change:
    before = _offset(early, zone)
    while late - early > timedelta(seconds=1):
        middle = (early + (late - early) // 2).replace(microsecond=0)
        if _offset(middle, zone) == before:
            early = middle
        else:
            late = middle
    there = late.astimezone(zone)
    return _Change((late + before).replace(tzinfo=None), before, _offset(late, zone), bool(there.dst()), there.tzname() or zone.key)


def _offset(at: datetime, zone: ZoneInfo) -> timedelta:
    return at.astimezone(zone).utcoffset() or timedelta()
