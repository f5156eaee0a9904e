"""What a change of the opening hours, or of the clinic's settings, does to the deadlines of open requests: they are counted again.

A deadline is counted from where its clock last began to run (``Ticket.clocks_from``), as if the new hours had always been: a change that
is taken back gives the deadlines back. What somebody was told once stays told (``escalated_at``). When a request expires and when one is
released is worked out at each round, and follows by itself.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Select, func, select, update
from sqlalchemy.orm import Session

from desk import audit
from desk.hours import Calendar, NeverOpens, load_calendar
from desk.models import AuditEntry, Ticket
from desk.settings import Settings
from desk.tickets import clocks, states

SETTINGS = "hours.settings"  # the entry of the audit trail that says which settings the deadlines were counted with
SETTINGS_LOCK = 7062  # PostgreSQL advisory lock: of several desks that start together, one counts again


class Line:
    """Opening time as one line from an instant on: thousands of questions cost what the days between cost once."""

    def __init__(self, calendar: Calendar, start: datetime) -> None:
        """Begins at ``start``; no question may be about an instant before it."""
        self._more = calendar.stretches_from(start)
        self._opens: list[datetime] = []
        self._closes: list[datetime] = []
        self._until: list[timedelta] = []  # opening time from the start to each closing
        self._start = start.astimezone(UTC)

    def passed(self, at: datetime) -> timedelta:
        """Opening time from the start to an instant."""
        while (not self._closes or self._closes[-1] < at) and self._grow():
            pass
        found = bisect_right(self._opens, at) - 1  # the last stretch that has begun
        if found < 0:
            return timedelta()
        return self._until[found] - max(self._closes[found] - at, timedelta())

    def instant(self, total: timedelta) -> datetime | None:
        """The first instant at which so much opening time has passed; None where there is not so much in five years."""
        while (not self._until or self._until[-1] < total) and self._grow():
            pass
        found = bisect_left(self._until, total)
        return self._closes[found] - (self._until[found] - total) if found < len(self._until) else None

    def _grow(self) -> bool:
        try:
            opens, closes = next(self._more)
        except (NeverOpens, StopIteration):  # a generator that has raised is over
            return False
        opens = max(opens, self._start)
        self._until.append((self._until[-1] if self._until else timedelta()) + (closes - opens))
        self._opens.append(opens)
        self._closes.append(closes)
        return True


@dataclass(frozen=True)
class Counted:
    """What deadlines are counted with."""

    calendar: Calendar | None
    answer_hours: float
    booking_hours: float


def counted_with(session: Session, settings: Settings) -> Counted:
    """What deadlines are counted with now."""
    return Counted(load_calendar(session, settings), settings.answer_hours, settings.booking_hours)


def recount(session: Session, before: Counted, after: Counted, at: datetime) -> int:
    """Counts the deadlines of all open requests again.

    A deadline that had passed before its clock last began to run stays. Requests without any get theirs as soon as there are hours,
    counted from now; without hours there are none.

    Args:
        session: the transaction of the change.
        before: what they were counted with.
        after: what they are counted with from now on.
        at: the present.

    Returns:
        How many requests have other deadlines now.
    """
    rows = session.execute(_open_requests()).all()
    if not rows:
        return 0
    start = min(row.clocks_from or at for row in rows)
    lines = [Line(counted.calendar, start) if counted.calendar else None for counted in (before, after)]
    first = _first_deadlines(after, at)
    longer = [timedelta(hours=after.answer_hours - before.answer_hours), timedelta(hours=after.booking_hours - before.booking_hours)]
    changes: list[dict[str, Any]] = []
    for row in rows:
        due = (row.answer_due, row.booking_due)
        since = row.clocks_from or at
        if lines[1] is None:
            now_due: tuple[datetime | None, ...] = (None, None)
        elif due == (None, None):
            now_due, since = first, at
        else:
            now_due = tuple(_moved(lines[0], lines[1], since, instant, more) for instant, more in zip(due, longer))
        if now_due != due:
            changes.append({"id": row.id, "answer_due": now_due[0], "booking_due": now_due[1], "clocks_from": since})
    if changes:  # no new version: staff may go on with the page they have before them
        session.execute(update(Ticket), changes)
        session.expire_all()
    return len(changes)


def follow_settings(session: Session, settings: Settings, at: datetime) -> int:
    """Counts again where the zone, the country or the hours to answer and to book are others than the last time; for the start of the desk.

    Returns:
        How many requests have other deadlines now.
    """
    if session.get_bind().dialect.name == "postgresql":
        session.execute(select(func.pg_advisory_xact_lock(SETTINGS_LOCK)))
    known = _last_settings(session)
    calendar = load_calendar(session, settings)
    if calendar is None or known == _said(settings):
        return 0
    changed = 0
    if known:
        zone, country, answer, booking = known.split(" ")
        old = settings.model_copy(update={"clinic_zone": zone, "clinic_country": country})
        before = Counted(load_calendar(session, old), float(answer), float(booking))
        changed = recount(session, before, Counted(calendar, settings.answer_hours, settings.booking_hours), at)
    audit.record(session, audit.SYSTEM, SETTINGS, _said(settings))
    return changed


def note_settings(session: Session, settings: Settings) -> None:
    """Writes down which settings deadlines are counted with from now on, unless the trail says so already."""
    if _last_settings(session) != _said(settings):
        audit.record(session, audit.SYSTEM, SETTINGS, _said(settings))


def _open_requests() -> Select[int, datetime | None, datetime | None, datetime | None]:
    wanted = select(Ticket.id, Ticket.clocks_from, Ticket.answer_due, Ticket.booking_due).where(Ticket.state.in_(states.OPEN))
    return wanted.order_by(Ticket.id).with_for_update()  # before the audit trail's lock, as everywhere


def _moved(before: Line | None, after: Line, since: datetime, due: datetime | None, more: timedelta) -> datetime | None:
    if due is None or due <= since or before is None:
        return due
    allowed = before.passed(due) - before.passed(since) + more
    return after.instant(after.passed(since) + allowed) if allowed > timedelta() else since.astimezone(UTC)


def _first_deadlines(counted: Counted, at: datetime) -> tuple[datetime | None, datetime | None]:
    return clocks.due(counted.calendar, at, counted.answer_hours), clocks.due(counted.calendar, at, counted.booking_hours)


def _last_settings(session: Session) -> str | None:
    return session.scalars(select(AuditEntry.subject).where(AuditEntry.action == SETTINGS).order_by(AuditEntry.id.desc()).limit(1)).first()


def _said(settings: Settings) -> str:
    return f"{settings.clinic_zone} {settings.clinic_country} {settings.answer_hours:g} {settings.booking_hours:g}"
