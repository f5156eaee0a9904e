"""The visitor's page of an appointment: what it shows, what it lets them do, and what it refuses."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from itsdangerous import URLSafeSerializer
from sqlalchemy import update

from desk.appointments import links
from desk.db import Database, now
from desk.models import Appointment, AppointmentState, TicketState
from desk.tickets import service as tickets
from tests.appointment_kit import Clinic, coming
from tests.desk_pages import SECRET, Browser, Page, desk_app, settings_for


@pytest.fixture
def clinic(database: Database, tmp_path: Path) -> Clinic:
    """A clinic whose team reads its mail."""
    return Clinic.open(database, tmp_path, team_emails="equipe@clinique.exemple")


@pytest.fixture
def visitor(clinic: Clinic, tmp_path: Path) -> Iterator[Browser]:
    """A visitor's browser, without cookies."""
    with Browser(desk_app(clinic.database, tmp_path, team_emails="equipe@clinique.exemple", clinic_phone="+381 11 123 456")) as opened:
        yield opened


def _link(clinic: Clinic, nth: int = -1) -> str:
    """The address in the last letter."""
    values = clinic.letters("appointment_confirmed")[nth].values
    assert values is not None
    return str(values["cancel_link"]).removeprefix("http://testserver")


def _act(visitor: Browser, link: str, action: str) -> Page:
    return Page(visitor.post(link, data={"action": action}))


def _start_moved_to(clinic: Clinic, appointment: Appointment, minutes: int) -> None:
    """Time goes by: the appointment begins in so many minutes."""
    with clinic.database.transaction() as session:
        session.execute(update(Appointment).where(Appointment.id == appointment.id).values(starts_at=now() + timedelta(minutes=minutes)))


# ---------------------------------------------------------------- what it shows


def test_the_page_shows_when_and_names_nobody(clinic: Clinic, visitor: Browser) -> None:
    reference = clinic.request(windows="après ma biopsie")
    clinic.book(reference, clinic.wish(coming(1), "18:00", 45))
    page = visitor.page(_link(clinic))
    assert page.status == 200
    assert "(heure de Belgrade)" in page.words
    assert "à 18 h" in page.words
    assert "heure de Montréal" in page.words
    assert "45 minutes" in page.words
    assert reference in page.words
    for secret in ("Camille", "Martin", "exemple.fr", "514", "foie", "biopsie", "Ana", "Jovanović"):
        assert secret not in page.source


def test_one_clock_is_shown_where_both_are_the_same(clinic: Clinic, visitor: Browser) -> None:
    clinic.book(clinic.request(), clinic.wish(visitor_zone="Europe/Paris"))
    page = visitor.page(_link(clinic))
    assert "heure de Paris" in page.words
    assert "Belgrade" not in page.words


def test_looking_changes_nothing_however_often_a_mail_scanner_does(clinic: Clinic, visitor: Browser) -> None:
    reference = clinic.request()
    appointment = clinic.book(reference)
    for query in ("", "?action=cancel", "?x=1"):
        assert visitor.get(_link(clinic) + query).status_code == 200
    assert visitor.head(_link(clinic)).status_code == 200
    assert clinic.appointment(appointment.id).state is AppointmentState.BOOKED
    assert clinic.ticket(reference).state is TicketState.BOOKED


def test_the_address_is_kept_from_other_sites_caches_and_search_engines(clinic: Clinic, visitor: Browser) -> None:
    clinic.book(clinic.request())
    for page in (visitor.page(_link(clinic)), visitor.page("/rendez-vous/faux"), _act(visitor, _link(clinic), "other_time")):
        assert page.headers["Referrer-Policy"] == "same-origin"
        assert page.headers["Cache-Control"] == "no-store"
        assert "noindex" in page.headers["X-Robots-Tag"]
        assert "script" not in page.headers["Content-Security-Policy"]
        assert "default-src 'none'" in page.headers["Content-Security-Policy"]
        assert "frame-ancestors 'none'" in page.headers["Content-Security-Policy"]
        assert "<script" not in page.source
        assert " style=" not in page.source
        assert not re.search(r'(?:src|href)="https?://', page.source)


# ---------------------------------------------------------------- cancelling


def test_a_visitor_cancels_and_the_team_is_told(clinic: Clinic, visitor: Browser) -> None:
    reference = clinic.request()
    appointment = clinic.book(reference)
    link = _link(clinic)
    clinic.sent()
    page = _act(visitor, link, "cancel")
    assert page.status == 200
    assert "est annulé. L'équipe en est avertie." in page.words
    assert clinic.appointment(appointment.id).state is AppointmentState.CANCELLED
    ticket = clinic.ticket(reference)
    assert (ticket.state, ticket.assignee_id) == (TicketState.CLAIMED, clinic.ana.id)
    assert {row.recipient for row in clinic.letters("appointment_cancelled_by_visitor")} == {"equipe@clinique.exemple", "ana@clinique.exemple"}
    assert [row.recipient for row in clinic.letters("appointment_cancelled")] == ["camille@exemple.fr"]
    assert not clinic.letters("appointment_reminder")
    assert clinic.trail(reference)[-1] == ("visitor", "ticket.unbook")
    assert clinic.book(clinic.request(), clinic.wish(), clinic.bruno)  # the moment is free again


def test_a_request_that_nobody_owns_goes_back_to_the_queue(clinic: Clinic, visitor: Browser) -> None:
    reference = clinic.request()
    clinic.book(reference)
    link = _link(clinic)
    with clinic.database.transaction() as session:
        ticket = tickets.by_reference(session, reference)
        assert ticket is not None
        ticket.assignee_id = None
    _act(visitor, link, "cancel")
    assert clinic.ticket(reference).state is TicketState.WAITING


def test_a_link_that_was_used_says_that_it_is_over(clinic: Clinic, visitor: Browser) -> None:
    clinic.book(clinic.request())
    link = _link(clinic)
    clinic.sent()
    _act(visitor, link, "cancel")
    for page in (visitor.page(link), _act(visitor, link, "cancel"), _act(visitor, link, "other_time")):
        assert page.status == 410
        assert "Ce rendez-vous a été annulé" in page.words
    assert len(clinic.letters("appointment_cancelled")) == 1
    assert len(clinic.letters("appointment_cancelled_by_visitor")) == 2  # two addresses, one mail each


# ---------------------------------------------------------------- another time


def test_asking_for_another_time_tells_the_team_once_and_keeps_the_appointment(clinic: Clinic, visitor: Browser) -> None:
    reference = clinic.request()
    appointment = clinic.book(reference)
    link = _link(clinic)
    page = _act(visitor, link, "other_time")
    assert page.status == 200
    assert "Votre souhait d'un autre moment est transmis à l'équipe" in page.words
    assert "ce rendez-vous reste fixé" in page.words
    assert 'value="other_time"' not in page.source
    _act(visitor, link, "other_time")
    assert clinic.appointment(appointment.id).state is AppointmentState.BOOKED
    assert clinic.ticket(reference).state is TicketState.BOOKED
    assert len(clinic.letters("other_time_asked")) == 2  # two addresses, one mail each
    assert [action for _, action in clinic.trail(reference)].count("ticket.other_time") == 1


def test_staff_see_that_another_time_is_wished_until_they_move_it(clinic: Clinic, visitor: Browser, tmp_path: Path) -> None:
    reference = clinic.request()
    appointment = clinic.book(reference)
    _act(visitor, _link(clinic), "other_time")
    with Browser(desk_app(clinic.database, tmp_path)) as ana:
        ana.sign_in("Ana Agent")
        path = f"/desk/requests/{reference}/appointments"
        assert "Le visiteur demande un autre moment depuis le" in ana.page(path).words
        clinic.move(reference, appointment, clinic.wish(clock="15:00"))
        assert "demande un autre moment" not in ana.page(path).words


# ---------------------------------------------------------------- links that lead nowhere


def test_a_link_that_was_tampered_with_is_refused_and_says_what_to_do(clinic: Clinic, visitor: Browser) -> None:
    appointment = clinic.book(clinic.request())
    link = _link(clinic)
    payload, dot, signature = link.rpartition(".")
    for bad in (
        link[:-1],
        link + "A",
        payload,
        f"{payload}{dot}{signature[::-1]}",
        "/rendez-vous/1",
        f"/rendez-vous/{appointment.id}",
        "/rendez-vous/%00",
        "/rendez-vous/" + "A" * 5000,
    ):
        page = visitor.page(bad)
        assert page.status == 404, bad
        assert "Ce lien n'est pas valable" in page.words
        assert _act(visitor, bad, "cancel").status == 404
    assert clinic.appointment(appointment.id).state is AppointmentState.BOOKED


def test_a_link_for_another_appointment_cannot_be_made_without_the_secret(clinic: Clinic, visitor: Browser) -> None:
    appointment = clinic.book(clinic.request())
    for forged in (URLSafeSerializer("another secret of twenty characters", salt=links.SALT), URLSafeSerializer(SECRET, salt="another-purpose")):
        assert visitor.page(f"/rendez-vous/{forged.dumps([appointment.id, 0])}").status == 404


@pytest.mark.parametrize("payload", [None, 1, "x", [1], [1, 2, 3], {"a": 1}, ["x", 0], [[1], 0]])
def test_a_signed_token_of_another_shape_is_no_link(clinic: Clinic, visitor: Browser, tmp_path: Path, payload: object) -> None:
    token = links._serializer(settings_for(tmp_path)).dumps(payload)
    assert visitor.page(f"/rendez-vous/{token if isinstance(token, str) else token.decode()}").status in (404, 410)


def test_a_move_makes_the_old_link_worthless(clinic: Clinic, visitor: Browser) -> None:
    reference = clinic.request()
    appointment = clinic.book(reference)
    old = _link(clinic)
    clinic.move(reference, appointment, clinic.wish(clock="15:00"))
    page = visitor.page(old)
    assert page.status == 410
    assert "le nouveau lien est dans le dernier e-mail reçu" in page.words
    assert _act(visitor, old, "cancel").status == 410
    assert clinic.appointment(appointment.id).state is AppointmentState.BOOKED
    assert visitor.page(_link(clinic)).status == 200


def test_a_link_ends_with_its_appointment(clinic: Clinic, visitor: Browser) -> None:
    appointment = clinic.book(clinic.request(), clinic.wish(minutes=30))
    link = _link(clinic)
    _start_moved_to(clinic, appointment, -31)
    assert visitor.page(link).status == 410
    assert _act(visitor, link, "cancel").status == 410


def test_what_has_begun_is_shown_and_cannot_be_changed(clinic: Clinic, visitor: Browser) -> None:
    appointment = clinic.book(clinic.request(), clinic.wish(minutes=30))
    link = _link(clinic)
    _start_moved_to(clinic, appointment, -10)
    page = visitor.page(link)
    assert page.status == 200
    assert "ne peut plus être changé ici" in page.words
    assert "<form" not in page.source
    assert _act(visitor, link, "cancel").status == 409
    assert clinic.appointment(appointment.id).state is AppointmentState.BOOKED


def test_an_erased_request_leaves_no_page(clinic: Clinic, visitor: Browser) -> None:
    reference = clinic.request()
    clinic.book(reference)
    link = _link(clinic)
    with clinic.database.transaction() as session:
        ticket = tickets.by_reference(session, reference)
        assert ticket is not None
        tickets.erase(session, ticket, "visitor")
    page = visitor.page(link)
    assert page.status == 410
    assert reference not in page.source


# ---------------------------------------------------------------- posts


def test_another_site_cannot_cancel(clinic: Clinic, visitor: Browser) -> None:
    appointment = clinic.book(clinic.request())
    for headers in ({"origin": "https://ailleurs.exemple"}, {"sec-fetch-site": "cross-site"}, {"origin": "null"}):
        answer = visitor.post(_link(clinic), data={"action": "cancel"}, headers=headers)
        assert answer.status_code == 403
    assert clinic.appointment(appointment.id).state is AppointmentState.BOOKED


def test_a_form_that_asks_for_nothing_changes_nothing(clinic: Clinic, visitor: Browser) -> None:
    appointment = clinic.book(clinic.request())
    assert _act(visitor, _link(clinic), "explode").status == 400
    assert Page(visitor.post(_link(clinic), content=b"{}", headers={"content-type": "application/json"})).status == 400
    assert clinic.appointment(appointment.id).state is AppointmentState.BOOKED


def test_trying_addresses_by_the_dozen_ends_with_a_wait(clinic: Clinic, tmp_path: Path) -> None:
    with Browser(desk_app(clinic.database, tmp_path, rate_limits="on")) as visitor:
        pages = [visitor.page(f"/rendez-vous/{n}") for n in range(61)]
    assert {page.status for page in pages[:-1]} == {404}
    assert pages[-1].status == 429
    assert int(pages[-1].headers["Retry-After"]) > 0
    assert "Attendez quelques minutes" in pages[-1].words
