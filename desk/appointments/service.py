"""Appointments: agreed, moved, cancelled. Each function works inside the caller's transaction, which must not commit after an error.

No clinician is booked twice: each appointment takes rows of five minutes whose key is clinician and instant, so that of two people who
book at once exactly one wins, on both databases.

Who may book, and what becomes of the request, is decided by the table of ``desk.tickets.states`` through ``desk.tickets.work``.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import delete, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, joinedload

from desk import audit
from desk.appointments import links, reminders, withdrawing
from desk.appointments.times import BadMoment, instant_of, slots
from desk.appointments.withdrawing import count_change, withdraw, write
from desk.french_time import FIXED, is_zone, moment_in
from desk.hours import Calendar, load_calendar
from desk.models import Appointment, AppointmentState, BookedSlot, Clinician, Staff, Ticket, TicketState
from desk.outbox import queue
from desk.settings import Settings
from desk.tickets import work
from desk.tickets.states import TRANSITIONS, Move, is_whose

STEP = 5  # minutes of a booked slot; appointments begin and end on it
SHORTEST, LONGEST = 5, 480  # minutes
FARTHEST = timedelta(days=2 * 366)  # a date beyond is a slip of the keyboard


class BookingError(Exception):
    """No appointment can be made so; the text is a French sentence for the person who asked."""


class SlotTaken(BookingError):
    """The clinician has another appointment then."""


class NoClinician(BookingError):
    """There is no such clinician, or they take no appointments any more."""


class BadLength(BookingError):
    """Too short, too long, or not on the five-minute grid."""


class BadZone(BookingError):
    """No time zone of this name."""


class InThePast(BookingError):
    """It would have begun already, or would be years away."""


class OutsideHours(BookingError):
    """The clinic is closed then, at least for a part: somebody must say that this is meant."""


class AppointmentOver(BookingError):
    """It was cancelled, or has taken place: it cannot be changed any more."""


@dataclass(frozen=True)
class Wish:
    """What staff want to agree.

    Attributes:
        clinician_id: with whom.
        day: on the clinic's calendar.
        clock: on the clinic's clock.
        minutes: how long.
        visitor_zone: IANA name of the zone in which the visitor reads the time.
        is_outside_meant: that the clinic is closed then is known and meant.
    """

    clinician_id: int
    day: date
    clock: time
    minutes: int
    visitor_zone: str
    is_outside_meant: bool = False


# ---------------------------------------------------------------- staff


def book(session: Session, reference: str, actor: Staff, seen_version: int, wish: Wish, settings: Settings, at: datetime) -> Appointment:
    """Agrees an appointment with the visitor of a request, which thereby is booked.

    The visitor is written to, now and before the day, if they left an address (``must_be_phoned`` tells otherwise).

    Args:
        session: the transaction.
        reference: of the request.
        actor: who books; must own the request, or becomes its owner.
        seen_version: of the request as the actor's page showed it.
        wish: when and with whom.
        settings: zone, quiet hours, sender.
        at: the present instant.

    Raises:
        BookingError, BadMoment: with a French sentence.
        TicketError: somebody was faster, or this person may not (``desk.tickets.work``).
    """
    starts_at = _checked(session, wish, settings, at)
    ticket = work.mark_booked(session, reference, actor, seen_version, settings)
    appointment = Appointment(
        ticket=ticket,
        clinician_id=wish.clinician_id,
        starts_at=starts_at,
        minutes=wish.minutes,
        visitor_zone=wish.visitor_zone,
        uid=f"{secrets.token_hex(16)}@passerelle",
        created_by=actor.name,
        created_at=at,
    )
    session.add(appointment)
    _take_slots(session, appointment, settings)
    _invite(session, appointment, "appointment_confirmed", settings, at)
    return appointment


def move(session: Session, reference: str, appointment_id: int, actor: Staff, seen_version: int, wish: Wish, settings: Settings, at: datetime) -> Appointment:
    """Moves an appointment, or changes its clinician or length. Every link sent before becomes worthless; a new one is sent.

    Raises:
        AppointmentOver: it no longer stands.
        BookingError, BadMoment, TicketError: as of ``book``.
    """
    appointment = _standing(session, reference, appointment_id, at)
    starts_at = _checked(session, wish, settings, at)
    work.mark_booked(session, reference, actor, seen_version, settings)
    session.execute(delete(BookedSlot).where(BookedSlot.appointment_id == appointment.id))
    appointment.clinician_id, appointment.starts_at, appointment.minutes = wish.clinician_id, starts_at, wish.minutes
    appointment.visitor_zone, appointment.other_time_asked_at = wish.visitor_zone, None
    count_change(appointment)
    _take_slots(session, appointment, settings)
    was_told = not queue.cancel_pending(session, at, appointment=appointment, templates=("appointment_confirmed",))
    queue.cancel_pending(session, at, appointment=appointment, templates=("appointment_moved",))
    _invite(session, appointment, "appointment_moved" if was_told else "appointment_confirmed", settings, at)
    audit.record(session, actor.name, "ticket.rebook", reference)
    return appointment


def cancel(session: Session, reference: str, appointment_id: int, actor: Staff, seen_version: int, settings: Settings, at: datetime) -> Appointment:
    """Cancels an appointment; the request goes back to its owner. The visitor is written to, if they left an address.

    Raises:
        AppointmentOver: it no longer stands.
        TicketError: somebody was faster, or this person may not.
    """
    appointment = _standing(session, reference, appointment_id, at)
    withdraw(session, appointment, settings, at)
    _give_back(session, appointment, actor, seen_version, settings, at)
    return appointment


# ---------------------------------------------------------------- the visitor


def cancel_by_visitor(session: Session, token: str, settings: Settings, at: datetime) -> Appointment:
    """Cancels an appointment by its link; the team is told.

    Raises:
        BadLink, LinkOver: the link leads to nothing (``desk.appointments.links``).
        AppointmentOver: it has begun.
        StateChanged: staff changed the request in this very moment; trying again works.
    """
    appointment = _before_it_begins(links.follow(session, token, settings, at, is_changed=True), at)
    withdraw(session, appointment, settings, at)
    _give_back(session, appointment, None, None, settings, at)
    queue.tell_team(session, "appointment_cancelled_by_visitor", appointment.ticket, settings)
    return appointment


def ask_other_time(session: Session, token: str, settings: Settings, at: datetime) -> Appointment:
    """Notes that the visitor would like another time; the team is told, once. The appointment stands until staff move it.

    Raises:
        BadLink, LinkOver: the link leads to nothing.
        AppointmentOver: it has begun.
    """
    appointment = _before_it_begins(links.follow(session, token, settings, at, is_changed=True), at)
    if appointment.other_time_asked_at is None:
        appointment.other_time_asked_at = at
        audit.record(session, audit.VISITOR, "ticket.other_time", appointment.ticket.reference)
        queue.tell_team(session, "other_time_asked", appointment.ticket, settings)
    return appointment


# ---------------------------------------------------------------- reading


def must_be_phoned(ticket: Ticket) -> bool:
    """Whether no letter about an appointment can reach the visitor."""
    return not ticket.email


def of_ticket(session: Session, ticket: Ticket) -> Sequence[Appointment]:
    """The appointments of a request, the latest last, clinicians loaded."""
    return withdrawing.of_ticket(session, ticket)


def between(session: Session, first: datetime, last: datetime) -> Sequence[Appointment]:
    """Appointments that stand and begin in a stretch of time, in order, requests and clinicians loaded."""
    return session.scalars(
        select(Appointment)
        .where(Appointment.state == AppointmentState.BOOKED, Appointment.starts_at >= first, Appointment.starts_at < last)
        .options(joinedload(Appointment.clinician), joinedload(Appointment.ticket).joinedload(Ticket.assignee))
        .order_by(Appointment.starts_at, Appointment.id)
    ).all()


# ---------------------------------------------------------------- within


def _checked(session: Session, wish: Wish, settings: Settings, at: datetime) -> datetime:
    """The instant that a wish means, if an appointment can begin then."""
    clinician = session.get(Clinician, wish.clinician_id)
    if clinician is None or not clinician.active:
        raise NoClinician("Choisissez un praticien.")
    if not SHORTEST <= wish.minutes <= LONGEST or wish.minutes % STEP:
        raise BadLength(f"La durée va de {SHORTEST} à {LONGEST}{FIXED}minutes, par pas de {STEP}.")
    if not is_zone(wish.visitor_zone):
        raise BadZone("Choisissez le fuseau horaire du visiteur.")
    if wish.clock.minute % STEP:
        raise BadMoment(f"Un rendez-vous commence à une heure ronde ou de {STEP} en {STEP}{FIXED}minutes.")
    starts_at = instant_of(wish.day, wish.clock, settings.zone)
    if starts_at <= at:
        raise InThePast("Cette heure est déjà passée.")
    if starts_at - at > FARTHEST:
        raise InThePast("Cette date est trop lointaine.")
    calendar = load_calendar(session, settings)
    if calendar and not wish.is_outside_meant and not is_within_hours(calendar, starts_at, wish.minutes):
        raise OutsideHours("Le secrétariat est fermé à ce moment-là. Pour fixer ce rendez-vous quand même, cochez la case.")
    return starts_at


def is_within_hours(calendar: Calendar, starts_at: datetime, minutes: int) -> bool:
    """Whether the clinic is open during the whole of an appointment."""
    length = timedelta(minutes=minutes)
    return calendar.open_time_between(starts_at, starts_at + length) == length


def _take_slots(session: Session, appointment: Appointment, settings: Settings) -> None:
    session.flush()
    wanted = slots(appointment.starts_at, appointment.minutes, STEP)
    known = session.scalars(
        select(Appointment).join(BookedSlot).where(BookedSlot.clinician_id == appointment.clinician_id, BookedSlot.starts_at.in_(wanted)).limit(1)
    ).first()
    if known:
        raise SlotTaken(f"Ce praticien a déjà un rendez-vous le {moment_in(known.starts_at, settings.zone)} ({known.minutes}{FIXED}minutes).")
    session.add_all(BookedSlot(clinician_id=appointment.clinician_id, starts_at=start, appointment_id=appointment.id) for start in wanted)
    try:
        session.flush()
    except IntegrityError as error:  # somebody booked between the look and the write
        raise SlotTaken("Quelqu'un vient de prendre ce moment pour ce praticien. Choisissez-en un autre.") from error
    session.refresh(appointment, ["clinician"])


def _standing(session: Session, reference: str, appointment_id: int, at: datetime) -> Appointment:
    appointment = session.get(Appointment, appointment_id, with_for_update=True)
    is_there = appointment is not None and appointment.ticket.reference == reference and appointment.state is AppointmentState.BOOKED
    if appointment is None or not is_there or links.ends_at(appointment) <= at:
        raise AppointmentOver("Ce rendez-vous n'est plus à venir\u00a0: il a eu lieu, ou il a été annulé entre-temps.")
    return appointment


def _before_it_begins(appointment: Appointment, at: datetime) -> Appointment:
    if appointment.starts_at <= at:
        raise AppointmentOver("Ce rendez-vous a déjà commencé.")
    return appointment


def _give_back(session: Session, appointment: Appointment, actor: Staff | None, seen_version: int | None, settings: Settings, at: datetime) -> None:
    """The request is worked on again, unless it is over already, or has another appointment to come."""
    ticket = appointment.ticket
    others = [a for a in of_ticket(session, ticket) if a.state is AppointmentState.BOOKED and links.ends_at(a) > at]
    if ticket.state is TicketState.BOOKED and not others:
        work.mark_unbooked(session, ticket.reference, actor, seen_version, settings)
    else:
        _check_right(ticket, actor, seen_version)
        audit.record(session, actor.name if actor else audit.VISITOR, "ticket.unbook", ticket.reference)
    queue.announce(session, "request.cancelled", ticket, settings)


def _check_right(ticket: Ticket, actor: Staff | None, seen_version: int | None) -> None:
    """What ``mark_unbooked`` checks, where the request stays as it is."""
    if seen_version is not None and ticket.version != seen_version:
        raise work.StateChanged(ticket.reference)
    who = TRANSITIONS[Move.UNBOOK].who
    if actor and not is_whose(who, actor.role, ticket.assignee_id == actor.id, ticket.assignee_id is not None):
        raise work.NotYours(ticket.reference, ticket.assignee.name if ticket.assignee else "")


def _invite(session: Session, appointment: Appointment, template: str, settings: Settings, at: datetime) -> None:
    write(session, appointment, template, settings, at)
    reminders.renew(session, appointment, settings, at)


def zone_of(appointment: Appointment) -> ZoneInfo:
    """The visitor's zone."""
    return ZoneInfo(appointment.visitor_zone)
