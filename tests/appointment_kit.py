"""Appointments for tests: a clinic with a clinician, days that lie ahead, and what the outbox holds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import select

from desk.appointments import clinicians, service
from desk.appointments.service import Wish
from desk.db import Database, now
from desk.models import Appointment, AuditEntry, Delivery, Notification, Role, Staff, Ticket
from desk.settings import Settings
from tests.desk_pages import give_account, leave_request, settings_for, ticket_of

BELGRADE = ZoneInfo("Europe/Belgrade")
MONTREAL = "America/Toronto"


def coming(weekday: int, weeks: int = 4) -> date:
    """A day of the week some weeks ahead."""
    day = now().date() + timedelta(weeks=weeks)
    return day + timedelta(days=(weekday - day.weekday()) % 7)


def last_sunday(month: int) -> date:
    """The next last Sunday of a month: of March and October, the clocks of Europe are changed."""
    today = now().date() + timedelta(days=7)
    for year in (today.year, today.year + 1):
        day = date(year, month + 1, 1) - timedelta(days=1)
        day -= timedelta(days=(day.weekday() - 6) % 7)
        if day > today:
            return day
    raise AssertionError


@dataclass
class Clinic:
    """A desk's database with two agents, a lead and a clinician."""

    database: Database
    settings: Settings
    ana: Staff
    bruno: Staff
    lead: Staff
    doctor: int
    other_doctor: int
    references: list[str] = field(default_factory=list)

    @classmethod
    def open(cls, database: Database, folder: Path, **settings: Any) -> Clinic:
        """Makes it."""
        ana = give_account(database, "Ana Agent", email="ana@clinique.exemple")
        bruno = give_account(database, "Bruno Agent")
        lead = give_account(database, "Léa Martin", Role.LEAD)
        with database.transaction() as session:
            doctor = clinicians.add(session, "Léa Martin", "Dr Jovanović").id
            other = clinicians.add(session, "Léa Martin", "Dr Petit").id
        return cls(database, settings_for(folder, **settings), ana, bruno, lead, doctor, other)

    def request(self, **fields: Any) -> str:
        """A new request."""
        return leave_request(self.database, **fields)

    def ticket(self, reference: str) -> Ticket:
        """The row of a request."""
        return ticket_of(self.database, reference)

    def wish(self, day: date | None = None, clock: str = "10:00", minutes: int = 30, **changes: Any) -> Wish:
        """What staff want: a Tuesday some weeks ahead, unless told otherwise."""
        values = {"clinician_id": self.doctor, "visitor_zone": MONTREAL} | changes
        return Wish(day=day or coming(1), clock=time.fromisoformat(clock), minutes=minutes, **values)

    def book(self, reference: str, wish: Wish | None = None, actor: Staff | None = None, at: datetime | None = None) -> Appointment:
        """Books in a transaction of its own."""
        version = self.ticket(reference).version
        with self.database.transaction() as session:
            found = service.book(session, reference, actor or self.ana, version, wish or self.wish(), self.settings, at or now())
            return self._loaded(found)

    def move(self, reference: str, appointment: Appointment, wish: Wish, actor: Staff | None = None) -> Appointment:
        """Moves in a transaction of its own."""
        version = self.ticket(reference).version
        with self.database.transaction() as session:
            return self._loaded(service.move(session, reference, appointment.id, actor or self.ana, version, wish, self.settings, now()))

    def cancel(self, reference: str, appointment: Appointment, actor: Staff | None = None) -> None:
        """Cancels in a transaction of its own."""
        version = self.ticket(reference).version
        with self.database.transaction() as session:
            service.cancel(session, reference, appointment.id, actor or self.ana, version, self.settings, now())

    def appointment(self, appointment_id: int) -> Appointment:
        """The row as it now is."""
        with self.database.transaction() as session:
            return self._loaded(session.get_one(Appointment, appointment_id))

    def letters(self, template: str = "", state: Delivery = Delivery.PENDING) -> Sequence[Notification]:
        """What stands in the outbox, oldest first."""
        with self.database.transaction() as session:
            found = session.scalars(select(Notification).where(Notification.state == state).order_by(Notification.id)).all()
            return [row for row in found if row.template == template or not template]

    def sent(self) -> None:
        """Everything that waits without a date has left."""
        with self.database.transaction() as session:
            for row in session.scalars(select(Notification).where(Notification.state == Delivery.PENDING, Notification.not_before <= now())):
                row.state = Delivery.SENT

    def trail(self, reference: str) -> list[tuple[str, str]]:
        """Who did what with a request."""
        with self.database.transaction() as session:
            return [(e.actor, e.action) for e in session.scalars(select(AuditEntry).where(AuditEntry.subject == reference).order_by(AuditEntry.id))]

    def _loaded(self, appointment: Appointment) -> Appointment:
        _ = appointment.clinician.name, appointment.ticket.reference, appointment.slots
        return appointment


def at_clinic(day: date, clock: str) -> datetime:
    """An instant by the clinic's clock."""
    return datetime.combine(day, time.fromisoformat(clock), BELGRADE).astimezone(UTC)
