"""What the letters say, and what they never say."""

from __future__ import annotations

import html
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from bot.guard.claims import refused
from desk.db import Database
from desk.models import Channel
from desk.outbox import queue
from desk.outbox.letters import Letter, when, write_letter
from desk.settings import Settings, load_settings
from tests.outbox_kit import a_request, an_appointment

SPACE = "\u00a0"
LINK = "https://bureau.exemple/desk/requests/RDV-7K4M-2Q"
VISIT = "https://bureau.exemple/rendez-vous/abc.def-ghi_jkl"
ICS = "BEGIN:VCALENDAR\r\nMETHOD:REQUEST\r\nEND:VCALENDAR\r\n"
STARTS = datetime(2026, 11, 24, 14, 0, tzinfo=UTC)
EVERY_TEMPLATE = sorted(queue.TO_TEAM | queue.TO_VISITOR.keys())
APPOINTMENTS = sorted(queue.TO_VISITOR.keys() - {"answer"})


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings(
        data=tmp_path,
        clinic_name="Clinique Vita",
        clinic_phone="+381 11 123 456",
        clinic_address="12 rue du Lac, Belgrade",
        public_url="https://bureau.exemple",
    )


@pytest.fixture
def written(database: Database, settings: Settings) -> Any:
    """Writes a letter as the worker would: from what ``enqueue`` stored for a request full of health data."""

    def write(template: str, zone: str = "Europe/Paris", starts_at: datetime = STARTS, **values: Any) -> Letter:
        with database.transaction() as session:
            ticket = a_request(session, reference="RDV-7K4M-2Q", windows="mardi, avant ma dialyse", subject="liver")
            appointment = an_appointment(session, ticket, starts_at, zone) if template in APPOINTMENTS else None
            if template in queue.TO_TEAM:
                sent = queue.tell_team(session, template, ticket, settings.model_copy(update={"team_emails": "equipe@exemple.fr"}))[0]
            else:
                sent = queue.enqueue(session, Channel.EMAIL, template, ticket=ticket, appointment=appointment, recipient="c@exemple.fr", values=values)
            assert sent.values is not None
            letter = write_letter(template, sent.values, settings)
            session.rollback()
            return letter

    return write


def _plain(text: str) -> str:
    return text.replace(SPACE, " ")


def _values(template: str) -> dict[str, str]:
    every = {"text": "Bonjour, nous vous appellerons mardi.", "cancel_link": VISIT, "ics": ICS, "ics_method": "REQUEST"}
    return {name: value for name, value in every.items() if name in queue.TO_VISITOR.get(template, ())}


@pytest.mark.parametrize("template", EVERY_TEMPLATE)
def test_no_letter_says_who_asked_or_what_about(written: Any, template: str) -> None:
    letter = written(template, **_values(template))
    everything = f"{letter.subject}\n{letter.text}\n{letter.html}".casefold()
    for secret in ("camille", "martin", "exemple.fr", "mardi, avant", "foie", "liver", "dialyse", "hépat", "cellule", "thérapie", "maladie"):
        assert secret not in everything


@pytest.mark.parametrize("template", EVERY_TEMPLATE)
def test_every_letter_names_its_request_in_subject_and_text(written: Any, template: str) -> None:
    letter = written(template, **_values(template))
    assert letter.subject.endswith("RDV-7K4M-2Q")
    assert "\n" not in letter.subject
    assert "RDV-7K4M-2Q" in letter.text


@pytest.mark.parametrize("template", EVERY_TEMPLATE)
def test_no_letter_promises_anything(written: Any, template: str) -> None:
    assert refused(written(template, **_values(template)).text) == []


@pytest.mark.parametrize("template", EVERY_TEMPLATE)
def test_high_punctuation_never_begins_a_line(written: Any, template: str) -> None:
    letter = written(template, **_values(template))
    for sign in ":;!?":
        assert f" {sign}" not in letter.subject + letter.text


@pytest.mark.parametrize("template", sorted(queue.TO_VISITOR))
def test_letters_to_visitors_are_signed_and_say_why_they_come_and_what_to_do_in_an_emergency(written: Any, template: str) -> None:
    text = _plain(written(template, **_values(template)).text)
    assert "Clinique Vita\n12 rue du Lac, Belgrade\nTéléphone : +381 11 123 456\nRéférence de votre demande : RDV-7K4M-2Q" in text
    assert "En cas d'urgence : 15 ou 112." in text
    assert "Cet e-mail vous est envoyé parce que" in text


@pytest.mark.parametrize("template", sorted(queue.TO_TEAM))
def test_letters_to_the_team_hold_a_link_and_say_why_they_come(written: Any, template: str) -> None:
    text = written(template).text
    assert LINK in text
    assert "Il vous est envoyé parce que" in text


def test_a_clinic_without_phone_or_address_signs_with_its_name_alone(tmp_path: Path) -> None:
    text = _plain(write_letter("answer", {"reference": "RDV-7K4M-2Q", "text": "Bonjour."}, load_settings(data=tmp_path)).text)
    assert text.startswith("Bonjour.\n\nLa clinique\nRéférence de votre demande : RDV-7K4M-2Q\n")
    assert "Téléphone" not in text


def test_a_request_received_is_never_told_as_an_appointment_confirmed(written: Any) -> None:
    received, confirmed = written("request_received"), written("appointment_confirmed")
    assert "confirmé" not in (received.subject + received.text)
    assert "aucun rendez-vous n'est encore fixé" in received.text
    assert "reçue" not in (confirmed.subject + confirmed.text)
    assert "Votre rendez-vous est confirmé." in confirmed.text


@pytest.mark.parametrize("template", APPOINTMENTS)
def test_an_appointment_is_said_in_full_on_both_clocks(written: Any, template: str) -> None:
    text = _plain(written(template, zone="America/New_York").text)
    assert "Date : mardi 24 novembre 2026 à 15 h (heure de Belgrade)\n" in text
    assert "Chez vous : mardi 24 novembre 2026 à 9 h (heure de New York)\n" in text
    assert "Durée prévue : 30 minutes" in text


def test_a_visitor_whose_clock_is_the_same_reads_one_moment(written: Any) -> None:
    text = _plain(written("appointment_confirmed", zone="Europe/Paris").text)
    assert "à 15 h (heure de Belgrade, qui est aussi l'heure de Paris)" in text
    assert "Chez vous" not in text


def test_a_visitor_at_the_clinic_reads_its_zone_once(written: Any) -> None:
    assert "à 15 h (heure de Belgrade)\nDurée" in _plain(written("appointment_confirmed", zone="Europe/Belgrade").text)


def test_an_unknown_zone_shows_the_clinic_s_alone(written: Any) -> None:
    assert "Chez vous" not in written("appointment_confirmed", zone="Mars/Olympus").text


def test_another_day_at_the_visitor_s_is_said_and_summer_time_is_that_of_the_day() -> None:
    clinic, tahiti, london = ZoneInfo("Europe/Belgrade"), ZoneInfo("Pacific/Tahiti"), ZoneInfo("Europe/London")
    assert _plain(when(datetime(2026, 11, 24, 8, 0, tzinfo=UTC), clinic, tahiti)[1]) == "lundi 23 novembre 2026 à 22 h (heure de Tahiti)"
    summer = datetime(2026, 7, 1, 8, 30, tzinfo=UTC)
    assert [_plain(line) for line in when(summer, clinic, london)] == [
        "mercredi 1er juillet 2026 à 10 h 30 (heure de Belgrade)",
        "mercredi 1er juillet 2026 à 9 h 30 (heure de Londres)",
    ]


def test_the_link_to_change_an_appointment_stands_in_text_and_html(written: Any) -> None:
    letter = written("appointment_confirmed", cancel_link=VISIT)
    assert f"\n{VISIT}\n" in letter.text
    assert f'<a href="{VISIT}">{VISIT}</a>' in letter.html


def test_without_a_link_or_a_calendar_file_neither_is_spoken_of(written: Any) -> None:
    letter = written("appointment_confirmed")
    assert "annuler" not in letter.text
    assert "joint" not in letter.text
    assert letter.attachments == ()


def test_a_calendar_file_goes_along_with_its_method(written: Any) -> None:
    letter = written("appointment_cancelled", ics=ICS.replace("REQUEST", "CANCEL"), ics_method="CANCEL")
    (file,) = letter.attachments
    assert (file.name, file.subtype, file.parameters) == ("rendez-vous.ics", "calendar", {"method": "CANCEL"})
    assert "Le fichier joint le retire de votre agenda." in letter.text


def test_what_staff_wrote_arrives_word_for_word_and_harmless_in_html(written: Any) -> None:
    said = 'Bonjour,\n\n<script>alert("x")</script> & {{ clinic }}\nhttps://a.exemple/?x=1&y=2.'
    letter = written("answer", text=said)
    assert letter.text.startswith(said + "\n")
    assert "<script>" not in letter.html
    assert "&lt;script&gt;" in letter.html
    assert '<a href="https://a.exemple/?x=1&amp;y=2">' in letter.html
    assert "{{ clinic }}" in letter.html


def test_text_and_html_say_the_same(written: Any) -> None:
    letter = written("appointment_moved", **_values("appointment_moved"))
    from_html = html.unescape(re.sub(r"<[^>]+>", " ", re.sub(r"(?s)<head>.*</head>", "", letter.html)))
    assert from_html.split() == letter.text.split()


def test_a_move_says_that_the_moment_before_is_replaced(written: Any) -> None:
    letter = written("appointment_moved", starts_at=STARTS + timedelta(days=1))
    assert "remplace le précédent" in letter.text
    assert "mercredi 25" in letter.text
