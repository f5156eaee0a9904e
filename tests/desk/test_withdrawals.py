"""A request that ends takes its appointments to come along: the time is free again, the visitor's calendar learns of it, nobody is reminded."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from desk import retention
from desk.appointments import links
from desk.appointments.links import AlreadyCancelled
from desk.db import Database, now
from desk.models import Appointment, AppointmentState, BookedSlot, Delivery, Notification, Ticket, TicketState
from desk.tickets import work
from tests.appointment_kit import Clinic
from tests.privacy_kit import TRACES, Office

AGENT_EMAIL = "ana@clinique.exemple"


@pytest.fixture
def clinic(database: Database, tmp_path: Path) -> Clinic:
    return Clinic.open(database, tmp_path)


def does(clinic: Clinic, move: Any, reference: str, *args: Any) -> None:
    with clinic.database.transaction() as session:
        move(session, reference, *args, clinic.settings)


def by_staff(clinic: Clinic, move: Any, reference: str) -> None:
    does(clinic, move, reference, clinic.ana, clinic.ticket(reference).version)


def waiting(clinic: Clinic) -> list[tuple[str, str | None]]:
    return [(letter.template, letter.recipient) for letter in clinic.letters()]


# ---------------------------------------------------------------- the visitor cancels the request


def test_a_cancelled_request_frees_the_clinicians_time_and_tells_the_visitors_calendar(clinic: Clinic) -> None:
    reference = clinic.request()
    appointment = clinic.book(reference)
    clinic.sent()
    does(clinic, work.cancel_by_visitor, reference)
    assert clinic.ticket(reference).state is TicketState.CANCELLED
    assert clinic.appointment(appointment.id).state is AppointmentState.CANCELLED
    assert waiting(clinic) == [("appointment_cancelled", "camille@exemple.fr"), ("appointment_cancelled_by_visitor", AGENT_EMAIL)], "no reminder"
    letter = clinic.letters("appointment_cancelled")[0]
    assert letter.values and letter.values["ics_method"] == "CANCEL" and f"UID:{appointment.uid}" in letter.values["ics"]
    assert clinic.book(clinic.request(), clinic.wish(), clinic.bruno), "somebody else can have that time"
    with clinic.database.transaction() as session, pytest.raises(AlreadyCancelled):
        links.follow(session, links.token(appointment, clinic.settings), clinic.settings, now())


def test_whom_no_confirmation_has_reached_gets_no_cancellation(clinic: Clinic) -> None:
    reference = clinic.request()
    clinic.book(reference)
    does(clinic, work.cancel_by_visitor, reference)
    assert waiting(clinic) == [("appointment_cancelled_by_visitor", AGENT_EMAIL)]


def test_an_appointment_that_has_taken_place_stays_as_it_was(clinic: Clinic) -> None:
    reference = clinic.request()
    appointment = clinic.book(reference)
    clinic.sent()
    with clinic.database.transaction() as session:
        session.execute(update(Appointment).values(starts_at=now() - timedelta(hours=2)))
    does(clinic, work.cancel_by_visitor, reference)
    assert clinic.appointment(appointment.id).state is AppointmentState.BOOKED
    assert "appointment_cancelled" not in [template for template, _ in waiting(clinic)]


# ---------------------------------------------------------------- staff end it


def test_spam_withdraws_and_that_cannot_be_undone(clinic: Clinic) -> None:
    reference = clinic.request()
    appointment = clinic.book(reference)
    clinic.sent()
    by_staff(clinic, work.close, reference)
    by_staff(clinic, work.reopen, reference)  # back in the queue, its appointment still to come
    by_staff(clinic, work.mark_spam, reference)
    assert clinic.appointment(appointment.id).state is AppointmentState.CANCELLED
    assert waiting(clinic) == [("appointment_cancelled", "camille@exemple.fr")]
    with clinic.database.transaction() as session:
        assert session.scalars(select(BookedSlot)).all() == []
        assert work.last_undo(session, clinic.ana) is None


def test_spam_without_an_appointment_can_be_undone_as_ever(clinic: Clinic) -> None:
    reference = clinic.request()
    by_staff(clinic, work.mark_spam, reference)
    with clinic.database.transaction() as session:
        assert work.last_undo(session, clinic.ana)


def test_closing_leaves_an_appointment_to_come_alone(clinic: Clinic) -> None:
    reference = clinic.request()
    appointment = clinic.book(reference)
    clinic.sent()
    by_staff(clinic, work.close, reference)
    assert clinic.appointment(appointment.id).state is AppointmentState.BOOKED
    assert [template for template, _ in waiting(clinic)] == ["appointment_reminder", "appointment_reminder"]


# ---------------------------------------------------------------- erased


def letters(office: Office) -> list[tuple[str, str | None]]:
    pending = select(Notification).where(Notification.state == Delivery.PENDING).order_by(Notification.id)
    return [(row.template, row.recipient) for row in office.run(lambda session: session.scalars(pending).all())]


@pytest.mark.usefixtures("assistant")
def test_a_visitor_who_erases_everything_calls_the_appointment_off(office: Office) -> None:
    conversation = office.talk("bonjour")
    reference = office.leave(conversation)
    office.book(reference)
    office.send_due()
    asyncio.run(office.desk.turns.erase(conversation))
    assert office.ticket(reference).state is TicketState.ERASED
    assert office.run(lambda session: session.scalars(select(BookedSlot)).all()) == []
    assert not [trace for trace in TRACES if trace in office.contents()], "« effacées » is true at once: no letter keeps the address"
    (told,) = office.run(lambda session: session.scalars(select(Notification)).all())
    assert (told.template, told.ticket_id) == ("appointment_cancelled_by_visitor", office.ticket(reference).id), "the team knows that the time is free"
    office.send_due()
    assert any(reference in mail.read_text() for mail in (office.folder / "mail").glob("*.eml"))


@pytest.mark.usefixtures("assistant")
def test_erasing_a_request_without_an_appointment_writes_to_nobody(office: Office) -> None:
    conversation = office.talk("bonjour")
    office.leave(conversation)
    office.send_due()
    asyncio.run(office.desk.turns.erase(conversation))
    assert letters(office) == []


def test_a_closed_request_is_not_erased_by_its_age_before_its_appointment(office: Office) -> None:
    reference = office.leave()
    office.book(reference)
    office.run(lambda session: session.execute(update(Ticket).values(state=TicketState.CLOSED, closed_at=now() - timedelta(days=31))))

    def age(days: int = 0) -> TicketState:
        at = now() + timedelta(days=days)
        assert retention.planned(office.desk.database, office.settings, at).counts.get("tickets", 0) == (1 if days else 0)
        asyncio.run(retention.run(office.desk.database, office.desk.turns, office.settings, at))
        return office.ticket(reference).state

    assert age() is TicketState.CLOSED
    assert office.run(lambda session: session.scalars(select(BookedSlot)).all())
    assert age(days=60) is TicketState.ERASED
