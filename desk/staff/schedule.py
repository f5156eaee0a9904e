"""What staff read about appointments, ready for a template: plain values, nothing left to load."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from desk.appointments import clinicians, links, service
from desk.french_time import ZONES, clock, day_in_full, moment_in, zone_in_words, zone_of_phone
from desk.hours import Calendar, first_moment, load_calendar
from desk.models import Appointment, AppointmentState, Staff, Ticket, TicketState
from desk.settings import Settings
from desk.staff.permissions import Permission, may
from desk.tickets import service as tickets
from desk.tickets.states import Move, open_moves

USUAL_MINUTES = 30


@dataclass(frozen=True)
class BookingForm:
    """The fields of a form, as they are shown: first proposals, or what was typed and could not be taken."""

    clinician: str = ""
    day: str = ""
    clock: str = ""
    minutes: str = str(USUAL_MINUTES)
    zone: str = ""
    fault: str = ""
    asks_outside: bool = False  # the clinic is closed then: a box to tick


@dataclass(frozen=True)
class Moment:
    """When an appointment is, on both clocks; ``theirs`` is None where the visitor's shows the same."""

    iso: str
    ours: str
    theirs: str | None


@dataclass(frozen=True)
class Meeting:
    """One appointment on the page of its request."""

    id: int
    when: Moment
    minutes: int
    clinician: str
    state: str  # booked, past, cancelled
    state_label: str
    other_time_asked: str | None
    is_outside: bool
    form: BookingForm


@dataclass(frozen=True)
class Schedule:
    """What the page of a request shows about appointments."""

    reference: str
    version: int
    meetings: Sequence[Meeting]
    may_book: bool
    may_cancel: bool
    must_be_phoned: bool
    clinicians: Sequence[tuple[str, str]]
    zones: Sequence[tuple[str, str]]
    clinic_zone: str
    today: str
    form: BookingForm


@dataclass(frozen=True)
class Typed:
    """What was sent for the appointment ``meeting`` (None: a new one) and could not be taken."""

    form: BookingForm = field(default_factory=BookingForm)
    meeting: int | None = None


def read_schedule(session: Session, reference: str, reader: Staff, settings: Settings, at: datetime, typed: Typed | None = None) -> Schedule | None:
    """The appointments of a request, and the form to agree one.

    Args:
        session: the transaction.
        reference: of the request, in its canonical form.
        reader: who looks: decides which forms are offered.
        settings: zone.
        at: the present instant.
        typed: a form to show again.

    Returns:
        None where there is no such request, or it was erased.
    """
    ticket = tickets.by_reference(session, reference)
    if ticket is None or ticket.state is TicketState.ERASED:
        return None
    guess = zone_of_phone(ticket.phone, settings.zone)
    people = [(str(person.id), person.name) for person in clinicians.bookable(session)]
    calendar = load_calendar(session, settings)
    found = service.of_ticket(session, ticket)
    is_owner = ticket.assignee_id == reader.id
    moves = open_moves(ticket.state, reader.role, is_owner, ticket.assignee_id is not None)
    new = BookingForm(clinician=people[0][0] if len(people) == 1 else "", zone=guess.key)
    zones = {key: zone_in_words(ZoneInfo(key)) for key in dict.fromkeys([guess.key, settings.zone.key, *(a.visitor_zone for a in found), *ZONES])}
    return Schedule(
        reference=reference,
        version=ticket.version,
        meetings=[_meeting(a, settings, calendar, at, typed) for a in found],
        may_book=Move.BOOK in moves,
        may_cancel=Move.BOOK in moves or Move.UNBOOK in moves or (is_owner and may(reader.role, Permission.WORK_REQUESTS)),
        must_be_phoned=service.must_be_phoned(ticket),
        clinicians=people,
        zones=sorted(zones.items(), key=lambda zone: zone[1]),
        clinic_zone=zone_in_words(settings.zone),
        today=at.astimezone(settings.zone).date().isoformat(),
        form=typed.form if typed and typed.meeting is None else new,
    )


def _meeting(appointment: Appointment, settings: Settings, calendar: Calendar | None, at: datetime, typed: Typed | None) -> Meeting:
    there = appointment.starts_at.astimezone(settings.zone)
    is_over = links.ends_at(appointment) <= at
    state = "cancelled" if appointment.state is AppointmentState.CANCELLED else "past" if is_over else "booked"
    asked = appointment.other_time_asked_at
    form = BookingForm(str(appointment.clinician_id), there.date().isoformat(), f"{there:%H:%M}", str(appointment.minutes), appointment.visitor_zone)
    return Meeting(
        id=appointment.id,
        when=both_clocks(appointment, settings),
        minutes=appointment.minutes,
        clinician=appointment.clinician.name,
        state=state,
        state_label={"cancelled": "Annulé", "past": "Passé", "booked": "Fixé"}[state],
        other_time_asked=moment_in(asked, settings.zone) if asked and state == "booked" else None,
        is_outside=calendar is not None and state == "booked" and not service.is_within_hours(calendar, appointment.starts_at, appointment.minutes),
        form=typed.form if typed and typed.meeting == appointment.id else form,
    )


def both_clocks(appointment: Appointment, settings: Settings) -> Moment:
    """When an appointment is for the clinic and for the visitor."""
    theirs, ours = ZoneInfo(appointment.visitor_zone), settings.zone
    starts = appointment.starts_at
    is_same = starts.astimezone(theirs).utcoffset() == starts.astimezone(ours).utcoffset()
    return Moment(
        starts.isoformat(),
        f"{moment_in(starts, ours)} ({zone_in_words(ours)})",
        None if is_same else f"{moment_in(starts, theirs)} ({zone_in_words(theirs)})",
    )


# ---------------------------------------------------------------- the agenda


@dataclass(frozen=True)
class Line:
    """One appointment in the agenda."""

    iso: str
    day: str
    hours: str
    reference: str
    name: str
    owner: str
    other_time_asked: bool


@dataclass(frozen=True)
class Agenda:
    """The appointments of some days, by clinician."""

    first: str
    last: str
    before: str
    after: str
    clinic_zone: str
    people: Mapping[str, Sequence[Line]]


def read_agenda(session: Session, first: date, days: int, settings: Settings) -> Agenda:
    """The appointments from one day on.

    Args:
        session: the transaction.
        first: on the clinic's calendar.
        days: how many.
        settings: zone.
    """
    end = first + timedelta(days=days)
    start_at, end_at = (first_moment(day, time(), settings.zone) for day in (first, end))
    people: dict[str, list[Line]] = {person.name: [] for person in clinicians.bookable(session)}
    for appointment in service.between(session, start_at, end_at):
        people.setdefault(appointment.clinician.name, []).append(_line(appointment, appointment.ticket, settings))
    return Agenda(
        first=day_in_full(first),
        last=day_in_full(end - timedelta(days=1)),
        before=(first - timedelta(days=days)).isoformat(),
        after=end.isoformat(),
        clinic_zone=zone_in_words(settings.zone),
        people=people,
    )


def _line(appointment: Appointment, ticket: Ticket, settings: Settings) -> Line:
    starts, ends = (at.astimezone(settings.zone) for at in (appointment.starts_at, links.ends_at(appointment)))
    return Line(
        iso=appointment.starts_at.astimezone(UTC).isoformat(),
        day=day_in_full(starts.date()),
        hours=f"{clock(starts.time())} – {clock(ends.time())}",
        reference=ticket.reference,
        name=ticket.name or "",
        owner=ticket.assignee.name if ticket.assignee else "",
        other_time_asked=appointment.other_time_asked_at is not None,
    )
