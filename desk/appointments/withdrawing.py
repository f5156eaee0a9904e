"""How an appointment comes to stand no longer: its time is free, its links are worthless, its letters are held back, the visitor is told.

What becomes of its request is no matter here, so that the ends of requests (``desk.tickets.work``, ``desk.privacy.erasure``) can use this.
Each function works inside the caller's transaction.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Select, delete, select, update
from sqlalchemy.orm import Session, joinedload

from desk.appointments import ics, links, reminders
from desk.models import Appointment, AppointmentState, BookedSlot, Channel, Delivery, Notification, Ticket
from desk.outbox import queue
from desk.settings import Settings

_INVITATIONS = ("appointment_confirmed", "appointment_moved")
_FAREWELL = "appointment_cancelled"


def withdraw(session: Session, appointment: Appointment, settings: Settings, at: datetime) -> None:
    """Takes one appointment back. Whom a confirmation has reached gets a letter with the calendar file that removes it."""
    appointment.state = AppointmentState.CANCELLED
    count_change(appointment)
    session.execute(delete(BookedSlot).where(BookedSlot.appointment_id == appointment.id))
    session.expire(appointment, ["slots"])
    unheard = queue.cancel_pending(session, at, appointment=appointment, templates=("appointment_confirmed",))
    queue.cancel_pending(session, at, appointment=appointment, templates=("appointment_moved",))
    reminders.renew(session, appointment, settings, at)
    if not unheard:  # whom no confirmation reached needs no cancellation
        write(session, appointment, _FAREWELL, settings, at)


def withdraw_all(session: Session, ticket: Ticket, settings: Settings, at: datetime) -> int:
    """Takes back what is still to come of a request that ends otherwise; the request itself is left alone.

    Returns:
        How many appointments that were.
    """
    found = coming(session, ticket, at)
    for appointment in found:
        withdraw(session, appointment, settings, at)
    return len(found)


def coming(session: Session, ticket: Ticket, at: datetime) -> Sequence[Appointment]:
    """The appointments of a request that stand and are not over; on PostgreSQL they are this transaction's from here on."""
    nobody_else = _of(ticket).with_for_update(of=Appointment).execution_options(populate_existing=True)
    return [a for a in session.scalars(nobody_else) if a.state is AppointmentState.BOOKED and links.ends_at(a) > at]


def take_leave(session: Session, ticket: Ticket, settings: Settings, at: datetime) -> int:
    """``withdraw_all`` before a request is erased: the letter that tells its visitor outlives it. Its address is erased once it has left."""
    withdrawn = withdraw_all(session, ticket, settings, at)
    session.flush()
    farewell = (Notification.ticket_id == ticket.id, Notification.template == _FAREWELL, Notification.state == Delivery.PENDING)
    session.execute(update(Notification).where(*farewell).values(ticket_id=None, appointment_id=None))
    return withdrawn


def of_ticket(session: Session, ticket: Ticket) -> Sequence[Appointment]:
    """The appointments of a request, the latest last, clinicians loaded."""
    return session.scalars(_of(ticket)).all()


def write(session: Session, appointment: Appointment, template: str, settings: Settings, at: datetime) -> None:
    """A letter to the visitor with the calendar file, if they left an address."""
    email = appointment.ticket.email
    if not email:
        return
    values = {"ics": ics.text(appointment, email, settings, at), "ics_method": ics.method_of(appointment)}
    if template in _INVITATIONS:
        values["cancel_link"] = links.make(appointment, settings)
    queue.enqueue(session, Channel.EMAIL, template, appointment=appointment, recipient=email, values=values)


def count_change(appointment: Appointment) -> None:
    """Calendars must learn of it, and no link that was sent before leads anywhere any more."""
    appointment.sequence += 1
    appointment.token_epoch += 1


def _of(ticket: Ticket) -> Select[Appointment]:
    found = select(Appointment).where(Appointment.ticket_id == ticket.id).options(joinedload(Appointment.clinician, innerjoin=True))
    return found.order_by(Appointment.starts_at, Appointment.id)
