"""Appointments: agreed, moved and cancelled by staff, on their pages and beneath."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy.exc import IntegrityError

from desk import hours_editing
from desk.appointments import clinicians, service, withdrawing
from desk.appointments.service import AppointmentOver, BadLength, BadZone, InThePast, NoClinician, OutsideHours, SlotTaken
from desk.appointments.times import BadMoment, ClockJumps, instant_of, read_clock
from desk.db import Database, now
from desk.french_time import zone_of_phone
from desk.models import AppointmentState, BookedSlot, Channel, Delivery, Staff, TicketState
from desk.tickets import work
from tests.appointment_kit import BELGRADE, MONTREAL, Clinic, at_clinic, coming, last_sunday
from tests.desk_pages import Browser, Page, desk_app, give_account, leave_request


@pytest.fixture
def clinic(database: Database, tmp_path: Path) -> Clinic:
    """A clinic."""
    return Clinic.open(database, tmp_path)


@pytest.fixture
def browser(clinic: Clinic, tmp_path: Path) -> Iterator[Browser]:
    """A browser in which Ana is signed in."""
    with Browser(desk_app(clinic.database, tmp_path)) as opened:
        opened.sign_in("Ana Agent")
        yield opened


# ---------------------------------------------------------------- booking


def test_booking_agrees_a_moment_on_the_clinics_clock(clinic: Clinic) -> None:
    reference = clinic.request()
    appointment = clinic.book(reference, clinic.wish(coming(1), "10:00", 30))
    assert appointment.starts_at == at_clinic(coming(1), "10:00")
    assert appointment.state is AppointmentState.BOOKED
    assert len(appointment.slots) == 6
    ticket = clinic.ticket(reference)
    assert ticket.state is TicketState.BOOKED
    assert ticket.assignee_id == clinic.ana.id  # nobody owned it
    assert ticket.first_answer_at is not None
    assert ("Ana Agent", "ticket.book") in clinic.trail(reference)


def test_the_visitor_is_written_to_with_a_calendar_file_and_a_link(clinic: Clinic) -> None:
    clinic.book(clinic.request())
    (letter,) = clinic.letters("appointment_confirmed")
    assert letter.channel is Channel.EMAIL
    assert letter.recipient == "camille@exemple.fr"
    assert letter.values is not None
    assert letter.values["ics_method"] == "REQUEST"
    assert letter.values["ics"].startswith("BEGIN:VCALENDAR")
    assert letter.values["cancel_link"].startswith("http://testserver/rendez-vous/")
    assert len(clinic.letters("appointment_reminder")) == 2


def test_no_letter_says_why_somebody_comes(clinic: Clinic) -> None:
    clinic.book(clinic.request(subject="liver", windows="après ma biopsie du foie"))
    said = str([letter.values for letter in clinic.letters()])
    assert "foie" not in said
    assert "liver" not in said
    assert "Camille" not in said


def test_a_webhook_tells_that_a_request_was_booked_and_no_more(database: Database, tmp_path: Path) -> None:
    clinic = Clinic.open(database, tmp_path, webhook_url="https://exemple.fr/hook", webhook_secrets="whsec_" + "QUJD" * 8)
    reference = clinic.request()
    appointment = clinic.book(reference)
    (event,) = clinic.letters("request.booked")
    assert event.values == {"reference": reference, "state": "booked", "link": f"http://testserver/desk/requests/{reference}"}
    clinic.cancel(reference, appointment)
    (event,) = clinic.letters("request.cancelled")
    assert event.values is not None
    assert event.values["state"] == "claimed"


def test_without_an_address_nothing_is_sent_and_staff_are_told_to_phone(clinic: Clinic, browser: Browser) -> None:
    reference = clinic.request(email=None)
    clinic.book(reference)
    assert not clinic.letters()
    page = browser.page(f"/desk/requests/{reference}/appointments")
    assert "Dites-lui par téléphone la date, l'heure et tout changement." in page.words


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"clinician_id": 999}, NoClinician),
        ({"minutes": 0}, BadLength),
        ({"minutes": 485}, BadLength),
        ({"minutes": 32}, BadLength),
        ({"clock": "10:02"}, BadMoment),
        ({"visitor_zone": "Mars/Olympus"}, BadZone),
        ({"visitor_zone": "../../etc/passwd"}, BadZone),
        ({"day": date(2020, 1, 6)}, InThePast),
        ({"day": now().date() + timedelta(days=900)}, InThePast),
    ],
    ids=lambda value: str(value) if isinstance(value, dict) else "",
)
def test_what_cannot_be_meant_is_refused_and_changes_nothing(clinic: Clinic, change: dict[str, object], error: type[Exception]) -> None:
    reference = clinic.request()
    with pytest.raises(error):
        clinic.book(reference, clinic.wish(**change))
    assert clinic.ticket(reference).state is TicketState.WAITING
    assert not clinic.letters()


def test_a_moment_of_today_that_has_passed_is_refused(clinic: Clinic) -> None:
    at = at_clinic(coming(1), "10:00")
    with pytest.raises(InThePast):
        clinic.book(clinic.request(), clinic.wish(coming(1), "10:00"), at=at)
    assert clinic.book(clinic.request(), clinic.wish(coming(1), "10:05"), at=at)


def test_a_clinician_who_takes_no_appointments_any_more_gets_none(clinic: Clinic) -> None:
    with clinic.database.transaction() as session:
        clinicians.set_active(session, "Léa Martin", clinic.doctor, False)
    with pytest.raises(NoClinician):
        clinic.book(clinic.request())


# ---------------------------------------------------------------- the clock


def test_a_time_that_is_left_out_is_refused_with_the_reason() -> None:
    with pytest.raises(ClockJumps, match=r"2.h.30 n'existe pas à la clinique.: les horloges changent d'heure"):
        instant_of(date(2026, 3, 29), time(2, 30), BELGRADE)


def test_a_time_that_comes_twice_is_refused_with_the_reason() -> None:
    with pytest.raises(ClockJumps, match=r"2.h.30 existe deux fois"):
        instant_of(date(2026, 10, 25), time(2, 30), BELGRADE)


def test_the_hours_around_a_change_of_clock_are_what_the_clock_shows() -> None:
    assert instant_of(date(2026, 3, 29), time(1, 55), BELGRADE) == datetime(2026, 3, 29, 0, 55, tzinfo=UTC)
    assert instant_of(date(2026, 3, 29), time(3, 0), BELGRADE) == datetime(2026, 3, 29, 1, 0, tzinfo=UTC)
    assert instant_of(date(2026, 10, 25), time(3, 0), BELGRADE) == datetime(2026, 10, 25, 2, 0, tzinfo=UTC)


def test_an_appointment_after_a_change_of_clock_keeps_its_hour(clinic: Clinic) -> None:
    for month, offset in ((3, 2), (10, 1)):
        monday = last_sunday(month) + timedelta(days=1)
        appointment = clinic.book(clinic.request(), clinic.wish(monday, "09:00"))
        assert appointment.starts_at == datetime(monday.year, monday.month, monday.day, 9 - offset, tzinfo=UTC)


def test_both_clocks_are_shown_on_the_week_when_only_one_has_changed(clinic: Clinic, browser: Browser) -> None:
    """Canada changes its clocks two weeks before Europe: Montréal is five hours behind, not six."""
    monday = last_sunday(3) - timedelta(days=6)
    reference = clinic.request()
    clinic.book(reference, clinic.wish(monday, "15:00"))
    page = browser.page(f"/desk/requests/{reference}/appointments")
    assert "à 15 h (heure de Belgrade)" in page.words
    assert "à 10 h (heure de Montréal)" in page.words


@pytest.mark.parametrize(("typed", "read"), [("14:30", time(14, 30)), ("14h30", time(14, 30)), ("9h", time(9)), (" 9 ", time(9))])
def test_times_are_read_as_people_type_them(typed: str, read: time) -> None:
    assert read_clock(typed) == read


@pytest.mark.parametrize("typed", ["", "midi", "25:00", "9:75", "9h3000"])
def test_what_is_no_time_is_refused(typed: str) -> None:
    with pytest.raises(BadMoment):
        read_clock(typed)


@pytest.mark.parametrize(
    ("phone", "zone"),
    [
        ("+33612345678", "Europe/Paris"),
        ("+32470123456", "Europe/Brussels"),
        ("+15145550123", MONTREAL),
        ("+16045550123", "America/Vancouver"),
        ("+212612345678", "Africa/Casablanca"),
        ("+262692123456", "Indian/Reunion"),
        (None, "Europe/Belgrade"),
        ("+999", "Europe/Belgrade"),
    ],
)
def test_the_visitors_zone_is_guessed_from_their_number(phone: str | None, zone: str) -> None:
    assert zone_of_phone(phone, ZoneInfo("Europe/Belgrade")).key == zone


# ---------------------------------------------------------------- two at once


def test_a_clinician_is_never_booked_twice_at_the_same_moment(clinic: Clinic) -> None:
    clinic.book(clinic.request(), clinic.wish(clock="10:00", minutes=30))
    for clock, minutes in (("10:00", 30), ("09:45", 20), ("10:25", 5), ("09:00", 120)):
        reference = clinic.request()
        with pytest.raises(SlotTaken, match="déjà un rendez-vous"):
            clinic.book(reference, clinic.wish(clock=clock, minutes=minutes))
        assert clinic.ticket(reference).state is TicketState.WAITING


def test_appointments_may_follow_each_other_and_clinicians_work_side_by_side(clinic: Clinic) -> None:
    clinic.book(clinic.request(), clinic.wish(clock="10:00", minutes=30))
    clinic.book(clinic.request(), clinic.wish(clock="10:30", minutes=30))
    clinic.book(clinic.request(), clinic.wish(clock="09:30", minutes=30))
    clinic.book(clinic.request(), clinic.wish(clock="10:00", minutes=30, clinician_id=clinic.other_doctor))


def test_of_two_who_book_at_once_exactly_one_wins(clinic: Clinic) -> None:
    for n in range(6):
        tries = {clinic.request(): (clinic.ana, "10:00"), clinic.request(): (clinic.bruno, "10:15")}  # half of one overlaps with half of the other
        start = threading.Barrier(len(tries))
        lost: list[str] = []
        threads = [threading.Thread(target=_book_at, args=(clinic, reference, *tries[reference], coming(2, weeks=4 + n), start, lost)) for reference in tries]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        assert len(lost) == 1
        states = {reference: clinic.ticket(reference).state for reference in tries}
        assert states.pop(lost[0]) is TicketState.WAITING
        assert list(states.values()) == [TicketState.BOOKED]


def _book_at(clinic: Clinic, reference: str, actor: Staff, clock: str, day: date, start: threading.Barrier, lost: list[str]) -> None:
    start.wait()
    try:
        clinic.book(reference, clinic.wish(day, clock, 30), actor)
    except SlotTaken:
        lost.append(reference)


def test_the_database_itself_refuses_a_moment_that_is_taken(clinic: Clinic) -> None:
    appointment = clinic.book(clinic.request())
    with pytest.raises(IntegrityError), clinic.database.transaction() as session:
        session.add(BookedSlot(clinician_id=clinic.doctor, starts_at=appointment.starts_at, appointment_id=appointment.id))


def test_the_same_form_sent_twice_books_once(clinic: Clinic) -> None:
    reference = clinic.request()
    version = clinic.ticket(reference).version
    clinic.book(reference)
    with pytest.raises(work.StateChanged), clinic.database.transaction() as session:
        service.book(session, reference, clinic.ana, version, clinic.wish(clock="15:00"), clinic.settings, now())


def test_only_the_owner_books(clinic: Clinic) -> None:
    reference = clinic.request()
    clinic.book(reference)
    with pytest.raises(work.NotYours):
        clinic.book(reference, clinic.wish(clock="15:00"), clinic.bruno)


# ---------------------------------------------------------------- opening hours


def _open_on_weekdays(clinic: Clinic) -> None:
    with clinic.database.transaction() as session:
        hours_editing.set_week(session, "Léa Martin", dict.fromkeys(range(5), "9h-12h, 13h-17h"), clinic.settings)
        hours_editing.set_special_day(session, "Léa Martin", coming(3).isoformat(), "", "Formation", clinic.settings)
        hours_editing.set_special_day(session, "Léa Martin", coming(1).isoformat(), "9h-17h", "", clinic.settings)  # so that no holiday disturbs the tests


@pytest.mark.parametrize(("weekday", "clock", "minutes"), [(5, "10:00", 30), (3, "10:00", 30), (1, "08:45", 30), (1, "16:45", 30), (1, "20:00", 30)])
def test_outside_the_opening_hours_staff_must_say_that_they_mean_it(clinic: Clinic, weekday: int, clock: str, minutes: int) -> None:
    _open_on_weekdays(clinic)
    reference = clinic.request()
    with pytest.raises(OutsideHours):
        clinic.book(reference, clinic.wish(coming(weekday), clock, minutes))
    assert clinic.book(reference, clinic.wish(coming(weekday), clock, minutes, is_outside_meant=True))


def test_within_the_opening_hours_nothing_is_asked(clinic: Clinic) -> None:
    _open_on_weekdays(clinic)
    assert clinic.book(clinic.request(), clinic.wish(coming(1), "16:30", 30))


# ---------------------------------------------------------------- moving


def test_moving_keeps_the_entry_and_frees_the_old_moment(clinic: Clinic) -> None:
    reference = clinic.request()
    before = clinic.book(reference)
    clinic.sent()
    after = clinic.move(reference, before, clinic.wish(clock="14:00", minutes=45))
    assert (after.id, after.uid) == (before.id, before.uid)
    assert (after.sequence, after.token_epoch) == (1, 1)
    assert after.starts_at == at_clinic(coming(1), "14:00")
    assert clinic.book(clinic.request(), clinic.wish(clock="10:00"), clinic.bruno)
    (letter,) = clinic.letters("appointment_moved")
    assert letter.values is not None
    assert "SEQUENCE:1" in letter.values["ics"]
    assert clinic.trail(reference)[-1] == ("Ana Agent", "ticket.rebook")


def test_an_appointment_may_be_moved_by_half_its_length(clinic: Clinic) -> None:
    reference = clinic.request()
    appointment = clinic.book(reference, clinic.wish(clock="10:00", minutes=30))
    assert clinic.move(reference, appointment, clinic.wish(clock="10:15", minutes=30)).starts_at == at_clinic(coming(1), "10:15")


def test_a_move_onto_another_appointment_is_refused_and_the_old_moment_stays_taken(clinic: Clinic) -> None:
    reference = clinic.request()
    appointment = clinic.book(reference, clinic.wish(clock="10:00"))
    clinic.book(clinic.request(), clinic.wish(clock="11:00"))
    with pytest.raises(SlotTaken):
        clinic.move(reference, appointment, clinic.wish(clock="11:00"))
    assert clinic.appointment(appointment.id).starts_at == at_clinic(coming(1), "10:00")
    with pytest.raises(SlotTaken):
        clinic.book(clinic.request(), clinic.wish(clock="10:00"))


def test_who_never_heard_of_the_first_moment_is_told_of_the_second_alone(clinic: Clinic) -> None:
    reference = clinic.request()
    appointment = clinic.book(reference)
    clinic.move(reference, appointment, clinic.wish(clock="14:00"))
    (letter,) = clinic.letters("appointment_confirmed")
    assert letter.values is not None
    assert letter.values["appointment"]["sequence"] == 1
    assert not clinic.letters("appointment_moved")


def test_an_appointment_belongs_to_its_own_request(clinic: Clinic) -> None:
    mine, other = clinic.request(), clinic.request()
    appointment = clinic.book(mine)
    clinic.book(other, clinic.wish(clock="15:00"))
    with pytest.raises(AppointmentOver):
        clinic.cancel(other, appointment)
    with pytest.raises(AppointmentOver):
        clinic.move(other, appointment, clinic.wish(clock="16:00"))


# ---------------------------------------------------------------- cancelling


def test_cancelling_gives_the_request_back_to_its_owner_and_frees_the_moment(clinic: Clinic) -> None:
    reference = clinic.request()
    appointment = clinic.book(reference)
    clinic.sent()
    clinic.cancel(reference, appointment)
    ticket = clinic.ticket(reference)
    assert ticket.state is TicketState.CLAIMED
    assert ticket.assignee_id == clinic.ana.id
    assert clinic.book(clinic.request(), clinic.wish(), clinic.bruno)
    (letter,) = clinic.letters("appointment_cancelled")
    assert letter.values is not None
    assert letter.values["ics_method"] == "CANCEL"
    assert not [row for row in clinic.letters("appointment_reminder") if row.appointment_id == appointment.id]
    assert clinic.trail(reference)[-1] == ("Ana Agent", "ticket.unbook")


def test_who_never_heard_of_an_appointment_hears_nothing_of_its_end(clinic: Clinic) -> None:
    reference = clinic.request()
    clinic.cancel(reference, clinic.book(reference))
    assert not clinic.letters()


def test_a_second_appointment_keeps_the_request_booked(clinic: Clinic) -> None:
    reference = clinic.request()
    first = clinic.book(reference, clinic.wish(clock="10:00"))
    clinic.book(reference, clinic.wish(clock="15:00"))
    clinic.cancel(reference, first)
    assert clinic.ticket(reference).state is TicketState.BOOKED


def test_what_was_cancelled_cannot_be_moved_or_cancelled_again(clinic: Clinic) -> None:
    reference = clinic.request()
    appointment = clinic.book(reference)
    clinic.cancel(reference, appointment)
    with pytest.raises(AppointmentOver):
        clinic.cancel(reference, appointment)
    with pytest.raises(AppointmentOver):
        clinic.move(reference, appointment, clinic.wish(clock="14:00"))


def test_the_appointment_of_a_closed_request_can_be_cancelled_by_its_owner_alone(clinic: Clinic) -> None:
    reference = clinic.request()
    appointment = clinic.book(reference)
    with clinic.database.transaction() as session:
        work.close(session, reference, clinic.ana, clinic.ticket(reference).version, clinic.settings)
    with pytest.raises(work.NotYours):
        clinic.cancel(reference, appointment, clinic.bruno)
    clinic.cancel(reference, appointment)
    assert clinic.ticket(reference).state is TicketState.CLOSED
    assert clinic.appointment(appointment.id).state is AppointmentState.CANCELLED


def test_ending_a_request_otherwise_withdraws_its_appointments(clinic: Clinic) -> None:
    reference = clinic.request()
    clinic.book(reference)
    clinic.sent()
    with clinic.database.transaction() as session:
        ticket = work.service.by_reference(session, reference)
        assert ticket is not None
        assert withdrawing.withdraw_all(session, ticket, clinic.settings, now()) == 1
    assert [letter.template for letter in clinic.letters()] == ["appointment_cancelled"]
    assert clinic.book(clinic.request(), clinic.wish(), clinic.bruno)


# ---------------------------------------------------------------- the pages


def _typed(clinic: Clinic, **changes: str) -> dict[str, str]:
    return {"clinician": str(clinic.doctor), "day": coming(1).isoformat(), "clock": "10:00", "minutes": "30", "zone": MONTREAL} | changes


def _book(clinic: Clinic, browser: Browser, reference: str, **changes: str) -> Page:
    page = browser.page(f"/desk/requests/{reference}/appointments")
    return browser.fill(f"/desk/requests/{reference}/appointments/book", page, **_typed(clinic, **changes))


def test_the_form_proposes_the_visitors_zone(clinic: Clinic, browser: Browser) -> None:
    page = browser.page(f"/desk/requests/{clinic.request()}/appointments")
    assert page.chosen("zone") == MONTREAL
    assert page.field("minutes") == "30"


def test_staff_book_on_the_requests_own_page(clinic: Clinic, browser: Browser) -> None:
    reference = clinic.request()
    page = browser.page(f"/desk/requests/{reference}")
    page = browser.fill(f"/desk/requests/{reference}/appointments/book", page, **_typed(clinic))
    assert page.status == 200
    assert "le rendez-vous est fixé" in page.words
    assert "à 10 h (heure de Belgrade)" in page.words
    assert "(heure de Montréal)" in page.words
    assert "Dr Jovanović" in page.words


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"clinician": ""}, "Choisissez un praticien"),
        ({"clinician": "1 OR 1=1"}, "Choisissez un praticien"),
        ({"day": ""}, "Choisissez une date"),
        ({"clock": "midi"}, "Indiquez l'heure"),
        ({"minutes": "longtemps"}, "Indiquez la durée"),
        ({"minutes": "7"}, "par pas de 5"),
        ({"day": "2020-01-06"}, "déjà passée"),
        ({"zone": "<script>"}, "fuseau horaire"),
    ],
)
def test_a_mistake_is_explained_and_keeps_what_was_typed(clinic: Clinic, browser: Browser, change: dict[str, str], why: str) -> None:
    page = _book(clinic, browser, clinic.request(), **({"minutes": "45"} | change))
    assert page.status == 400
    assert why in page.words
    assert "<script>" not in page.source
    for name, value in ({"minutes": "45"} | change).items():
        if name in ("day", "clock", "minutes"):
            assert page.field(name) == value


def test_the_hour_that_is_left_out_is_explained_on_the_page(clinic: Clinic, browser: Browser) -> None:
    page = _book(clinic, browser, clinic.request(), day=last_sunday(3).isoformat(), clock="02:30")
    assert page.status == 400
    assert "2 h 30 n'existe pas à la clinique : les horloges changent d'heure cette nuit-là" in page.words


def test_a_closed_day_asks_for_a_tick_and_then_books(clinic: Clinic, browser: Browser) -> None:
    _open_on_weekdays(clinic)
    reference = clinic.request()
    assert 'name="outside"' not in browser.page(f"/desk/requests/{reference}/appointments").source
    page = _book(clinic, browser, reference, day=coming(5).isoformat())
    assert page.status == 400
    assert "Le secrétariat est fermé à ce moment-là" in page.words
    assert 'name="outside"' in page.source
    page = _book(clinic, browser, reference, day=coming(5).isoformat(), outside="yes")
    assert "le rendez-vous est fixé" in page.words
    assert "en dehors des heures d'ouverture" in page.words


def test_a_taken_moment_is_said_and_nothing_is_lost(clinic: Clinic, browser: Browser) -> None:
    clinic.book(clinic.request())
    page = _book(clinic, browser, clinic.request(), minutes="45")
    assert page.status == 400
    assert "Ce praticien a déjà un rendez-vous" in page.words
    assert page.field("minutes") == "45"


def test_staff_move_and_cancel_on_the_page(clinic: Clinic, browser: Browser) -> None:
    reference = clinic.request()
    page = _book(clinic, browser, reference)
    appointment = clinic.letters("appointment_confirmed")[0].appointment_id
    page = browser.fill(f"/desk/requests/{reference}/appointments/{appointment}/move", page, **_typed(clinic, clock="16:00"))
    assert "le rendez-vous est déplacé" in page.words
    assert "à 16 h (heure de Belgrade)" in page.words
    page = browser.fill(f"/desk/requests/{reference}/appointments/{appointment}/cancel", page)
    assert "le rendez-vous est annulé" in page.words
    assert "Annulé" in page.words
    assert clinic.ticket(reference).state is TicketState.CLAIMED


def test_a_form_that_was_open_too_long_says_who_was_faster(clinic: Clinic, browser: Browser) -> None:
    reference = clinic.request()
    page = browser.page(f"/desk/requests/{reference}/appointments")
    clinic.book(reference, actor=clinic.bruno)
    answer = browser.fill(f"/desk/requests/{reference}/appointments/book", page, **_typed(clinic, clock="15:00"))
    assert answer.status == 409
    assert "Bruno Agent" in answer.words
    assert "Rien n'a été enregistré" in answer.words


def test_somebody_elses_request_cannot_be_booked(clinic: Clinic, browser: Browser) -> None:
    reference = clinic.request()
    clinic.book(reference, actor=clinic.bruno)
    page = browser.page(f"/desk/requests/{reference}/appointments")
    assert "Fixer un" not in page.words
    version = str(clinic.ticket(reference).version)
    answer = browser.fill(f"/desk/requests/{reference}/appointments/book", version=version, **_typed(clinic, clock="15:00"))
    assert answer.status == 409
    assert "Bruno Agent suit cette demande" in answer.words


def test_booking_needs_the_forms_secret_and_its_version(clinic: Clinic, browser: Browser) -> None:
    reference = clinic.request()
    path = f"/desk/requests/{reference}/appointments/book"
    assert browser.post(path, data=_typed(clinic) | {"version": "1"}).status_code == 403
    assert browser.post(path, data=_typed(clinic) | {"csrf": browser.csrf()}).status_code == 400
    assert clinic.ticket(reference).state is TicketState.WAITING


def test_the_agenda_lists_what_is_agreed_by_clinician(clinic: Clinic, browser: Browser) -> None:
    reference = clinic.request()
    clinic.book(reference)
    other = clinic.request(name="Jean <b>Dupont</b>")
    cancelled = clinic.book(other, clinic.wish(clock="15:00", clinician_id=clinic.other_doctor))
    page = browser.page(f"/desk/appointments?from={coming(1).isoformat()}")
    assert page.words.index("Dr Jovanović") < page.words.index(reference) < page.words.index("Dr Petit") < page.words.index(other)
    assert "10 h – 10 h 30" in page.words
    assert "Jean &lt;b&gt;Dupont" in page.source
    clinic.cancel(other, cancelled)
    assert other not in browser.page(f"/desk/appointments?from={coming(1).isoformat()}").words
    assert reference not in browser.page("/desk/appointments").words
    assert browser.get("/desk/appointments?from=99999-01-01").status_code == 200


def test_leads_keep_the_list_of_clinicians(clinic: Clinic, tmp_path: Path) -> None:
    with Browser(desk_app(clinic.database, tmp_path)) as lea:
        lea.sign_in("Léa Martin")
        page = lea.fill("/desk/clinicians/add", name="  Dr   Nadia Ben Salah ")
        assert "Dr Nadia Ben Salah" in page.words
        page = lea.fill("/desk/clinicians/add", name="dr nadia ben salah")
        assert page.status == 400
        assert "est déjà dans la liste" in page.words
        assert page.field("name") == "dr nadia ben salah"
        page = lea.fill(f"/desk/clinicians/{clinic.doctor}/rename", name="Dr Marko Jovanović")
        assert "Dr Marko Jovanović" in page.words
        page = lea.fill(f"/desk/clinicians/{clinic.doctor}/active", active="no")
        assert "ne prend plus de rendez-vous" in page.words
        assert lea.fill("/desk/clinicians/999/rename", name="Personne").status == 404


def test_agents_may_not_change_the_list_of_clinicians(clinic: Clinic, browser: Browser) -> None:
    assert browser.get("/desk/clinicians").status_code == 403
    assert browser.fill("/desk/clinicians/add", name="Dr Moi").status == 403


def test_without_a_clinician_the_page_says_what_is_missing(database: Database, tmp_path: Path) -> None:
    give_account(database, "Ana Agent")
    reference = leave_request(database)
    with Browser(desk_app(database, tmp_path)) as ana:
        ana.sign_in("Ana Agent")
        assert "il faut au moins un praticien" in ana.page(f"/desk/requests/{reference}/appointments").words


def test_what_was_cancelled_leaves_nothing_to_send(clinic: Clinic) -> None:
    reference = clinic.request()
    clinic.cancel(reference, clinic.book(reference))
    assert all(row.values is None and row.recipient is None for row in clinic.letters(state=Delivery.CANCELLED))
