"""Reminders: two days and one day before an appointment, at the visitor's hour of it, and never in the visitor's night.

They are written into the outbox when the appointment is agreed, and made anew when it is moved: nothing has to run in between.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from desk.appointments import links
from desk.hours import first_moment
from desk.models import Appointment, AppointmentState, Channel, Notification
from desk.outbox import queue
from desk.settings import Settings

TEMPLATE = "appointment_reminder"
DAYS_BEFORE = (2, 1)
# The confirmation has just said it: a reminder that would follow within these hours is left out.
TOO_SOON = timedelta(hours=2)


def moments(starts_at: datetime, zone: ZoneInfo, quiet_from: int, quiet_until: int, at: datetime) -> list[datetime]:
    """When reminders leave, in order.

    A reminder stays on its day: one that would fall into the night leaves in the morning after it, or in the last hour of the evening
    before it.

    Args:
        starts_at: of the appointment.
        zone: the visitor's.
        quiet_from: hour of the day from which nothing is sent.
        quiet_until: hour from which it may be again; the same hour: there is no quiet time.
        at: the present instant; what would be past or hardly later is left out.
    """
    there = starts_at.astimezone(zone)
    clock = _awake(there.time(), quiet_from, quiet_until)
    found = [first_moment(there.date() - timedelta(days=days), clock, zone) for days in DAYS_BEFORE]
    return [moment for moment in found if moment - at >= TOO_SOON]


def _awake(clock: time, quiet_from: int, quiet_until: int) -> time:
    """The nearest time of the same day that is not quiet."""
    if quiet_from < quiet_until:  # within one day
        return time(quiet_until) if quiet_from <= clock.hour < quiet_until else clock
    if quiet_from == quiet_until:
        return clock
    if clock.hour >= quiet_from:
        return time(max(quiet_from - 1, quiet_until))
    return time(quiet_until) if clock.hour < quiet_until else clock


def renew(session: Session, appointment: Appointment, settings: Settings, at: datetime) -> Sequence[Notification]:
    """Has the reminders of an appointment leave as it now is, and none of those written before. Doing it twice changes nothing.

    Args:
        session: the transaction of the change.
        appointment: booked, moved, or cancelled (then there are none).
        settings: quiet hours, and where the visitor's page is.
        at: the present instant.

    Returns:
        What will leave; nothing where the visitor left no e-mail address.
    """
    queue.cancel_pending(session, at, appointment=appointment, templates=(TEMPLATE,))
    email = appointment.ticket.email
    if appointment.state is not AppointmentState.BOOKED or not email:
        return []
    when = moments(appointment.starts_at, ZoneInfo(appointment.visitor_zone), settings.quiet_from, settings.quiet_until, at)
    values = {"cancel_link": links.make(appointment, settings)}
    return [queue.enqueue(session, Channel.EMAIL, TEMPLATE, appointment=appointment, recipient=email, values=values, not_before=moment) for moment in when]
