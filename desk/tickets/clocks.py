"""The deadlines of a request: they count opening time, and stand still while the visitor is waited for.

While no opening hours were entered there are no deadlines: nobody can be late where nobody said when they are there.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, and_, case, or_

from desk.hours import Calendar, NeverOpens
from desk.models import Ticket, TicketState
from desk.settings import Settings

# States in which somebody must act next. A request that is booked, over, or waits for its visitor is never late.
RUNNING = (TicketState.WAITING, TicketState.EXPIRED, TicketState.CLAIMED)


def start(ticket: Ticket, calendar: Calendar | None, settings: Settings, at: datetime) -> None:
    """Sets both deadlines, counted from an instant."""
    ticket.clocks_from = at
    ticket.answer_due = due(calendar, at, settings.answer_hours)
    ticket.booking_due = due(calendar, at, settings.booking_hours)
    ticket.paused_at = ticket.escalated_at = None


def due(calendar: Calendar | None, at: datetime, hours: float) -> datetime | None:
    """The instant so many opening hours later; None where no hours are known."""
    return _later(calendar, at, timedelta(hours=hours)) if calendar else None


def pause(ticket: Ticket, at: datetime) -> None:
    """Stops the clocks."""
    ticket.paused_at = at


def go_on(ticket: Ticket, calendar: Calendar | None, at: datetime) -> None:
    """Moves the deadlines on by the opening time that passed while the clocks stood, and lets them run; nothing if they do already."""
    if ticket.paused_at is None:
        return
    missed = passed(calendar, ticket.paused_at, at)
    ticket.answer_due = _later(calendar, ticket.answer_due, missed)
    ticket.booking_due = _later(calendar, ticket.booking_due, missed)
    ticket.clocks_from, ticket.paused_at = at, None


def start_booking(ticket: Ticket, calendar: Calendar | None, settings: Settings, at: datetime) -> None:
    """Sets the deadline of the appointment anew: the one that was agreed is off."""
    ticket.clocks_from = at
    ticket.booking_due = due(calendar, at, settings.booking_hours)
    ticket.escalated_at = None


def passed(calendar: Calendar | None, since: datetime, until: datetime) -> timedelta:
    """Opening time between two instants; all of the time where no hours are known."""
    return calendar.open_time_between(since, until) if calendar else max(until - since, timedelta())


def deadline_of(ticket: Ticket) -> datetime | None:
    """The deadline that runs: of the first answer until there was one, then of the appointment; None while none runs."""
    if ticket.state not in RUNNING:
        return None
    return ticket.booking_due if ticket.first_answer_at else ticket.answer_due


def deadline() -> ColumnElement[datetime | None]:
    """``deadline_of``, for a query."""
    running = Ticket.state.in_(RUNNING)
    return case((and_(running, Ticket.first_answer_at.is_(None)), Ticket.answer_due), (running, Ticket.booking_due), else_=None)


def is_overdue(ticket: Ticket, at: datetime) -> bool:
    """Whether the deadline that runs has passed."""
    found = deadline_of(ticket)
    return found is not None and found < at


def overdue(at: datetime) -> ColumnElement[bool]:
    """``is_overdue``, for a query; written so that both databases can use the index on state and ``answer_due``."""
    late = or_(and_(Ticket.first_answer_at.is_(None), Ticket.answer_due < at), and_(Ticket.first_answer_at.is_not(None), Ticket.booking_due < at))
    return and_(Ticket.state.in_(RUNNING), late)


def _later(calendar: Calendar | None, at: datetime | None, duration: timedelta) -> datetime | None:
    if at is None or calendar is None:
        return at + duration if at else None
    try:
        return calendar.add_open_time(at, duration)
    except NeverOpens:
        return None  # closed for years on: no deadline is better than no request
