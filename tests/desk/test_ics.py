"""Calendar files, read back by another reader than the one that wrote them."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import icalendar
import pytest
from dateutil import tz

from desk.appointments import ics
from desk.appointments.vtimezone import vtimezone
from desk.db import Database
from desk.models import Appointment
from tests.appointment_kit import BELGRADE, Clinic, last_sunday

WRITTEN = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


@pytest.fixture
def clinic(database: Database, tmp_path: Path) -> Clinic:
    """A clinic whose name has signs that mean something in a calendar file."""
    return Clinic.open(
        database,
        tmp_path,
        clinic_name="Clinique ; d'essai, « é »",
        clinic_address="12, rue Đorđa ; Belgrade",
        clinic_phone="+381 11 123 456",
        mail_from="rdv@clinique.exemple",
    )


def _read(text: str) -> tuple[icalendar.Calendar, icalendar.Event]:
    calendar = icalendar.Calendar.from_ical(text)
    (event,) = calendar.walk("VEVENT")
    return calendar, event


def _file(clinic: Clinic, appointment: Appointment) -> str:
    with clinic.database.transaction() as session:
        return ics.text(session.merge(appointment, load=False), "camille@exemple.fr", clinic.settings, WRITTEN)


def test_an_invitation_says_when_where_and_who_and_nothing_else(clinic: Clinic) -> None:
    reference = clinic.request(subject="liver", windows="biopsie")
    appointment = clinic.book(reference)
    text = _file(clinic, appointment)
    calendar, event = _read(text)
    assert calendar["PRODID"] == ics.PRODID
    assert calendar["VERSION"] == "2.0"
    assert calendar["METHOD"] == "REQUEST"
    assert event["UID"] == appointment.uid
    assert event["SEQUENCE"] == 0
    assert event["DTSTAMP"].dt == WRITTEN
    assert event["SUMMARY"] == "Rendez-vous – Clinique ; d'essai, « é »"
    assert event["STATUS"] == "CONFIRMED"
    assert event["LOCATION"] == "12, rue Đorđa ; Belgrade"
    assert event["ORGANIZER"] == "mailto:rdv@clinique.exemple"
    assert event["ATTENDEE"] == "mailto:camille@exemple.fr"
    assert event["DESCRIPTION"] == f"Référence : {reference}\nTéléphone : +381 11 123 456"
    for secret in ("foie", "liver", "biopsie", "Camille", "Jovanović", "rendez-vous/"):
        assert secret not in text


def test_every_line_is_one_that_mail_programs_read(clinic: Clinic) -> None:
    text = _file(clinic, clinic.book(clinic.request()))
    assert text.endswith("END:VCALENDAR\r\n")
    lines = text.split("\r\n")
    assert not [line for line in lines if "\n" in line or len(line.encode()) > 75]


@pytest.mark.parametrize("month", [3, 10], ids=["the week of summer time", "the week of winter time"])
def test_the_hour_is_right_on_every_day_around_a_change_of_clock(clinic: Clinic, month: int) -> None:
    sunday = last_sunday(month)
    for days in (-2, -1, 0, 1):
        day = sunday + timedelta(days=days)
        appointment = clinic.book(clinic.request(), clinic.wish(day, "09:30", 45))
        calendar, event = _read(_file(clinic, appointment))
        assert event["DTSTART"].params["TZID"] == "Europe/Belgrade"
        wall = event["DTSTART"].dt.replace(tzinfo=None)
        assert (wall.date(), wall.hour, wall.minute) == (day, 9, 30)
        # What a calendar makes of it that knows no zone by name, only the rules in the file.
        zone = tz.tzical(io.StringIO(calendar.to_ical().decode())).get("Europe/Belgrade")
        assert wall.replace(tzinfo=zone).astimezone(UTC) == appointment.starts_at
        ends = event["DTEND"].dt.replace(tzinfo=None)
        assert ends.replace(tzinfo=zone).astimezone(UTC) == appointment.starts_at + timedelta(minutes=45)


def test_a_move_keeps_the_uid_and_counts_up_and_a_cancellation_removes_the_entry(clinic: Clinic) -> None:
    reference = clinic.request()
    appointment = clinic.book(reference)
    first = _read(_file(clinic, appointment))[1]
    moved = _read(_file(clinic, clinic.move(reference, appointment, clinic.wish(clock="15:00"))))[1]
    clinic.cancel(reference, appointment)
    calendar, cancelled = _read(_file(clinic, clinic.appointment(appointment.id)))
    assert first["UID"] == moved["UID"] == cancelled["UID"]
    assert [event["SEQUENCE"] for event in (first, moved, cancelled)] == [0, 1, 2]
    assert moved["DTSTART"].dt == cancelled["DTSTART"].dt != first["DTSTART"].dt
    assert calendar["METHOD"] == "CANCEL"
    assert cancelled["STATUS"] == "CANCELLED"


def test_no_two_appointments_share_a_uid(clinic: Clinic) -> None:
    uids = {clinic.book(clinic.request(), clinic.wish(clock=f"{hour}:00")).uid for hour in range(10, 16)}
    assert len(uids) == 6


@pytest.mark.parametrize(
    "name",
    [
        "Europe/Belgrade",
        "Europe/Dublin",
        "America/Toronto",
        "America/St_Johns",
        "Africa/Casablanca",
        "Africa/Cairo",
        "Australia/Lord_Howe",
        "Asia/Dubai",
        "Asia/Beirut",
    ],
)
@pytest.mark.parametrize("year", [2026, 2027])
def test_the_rules_in_the_file_are_those_of_the_zone(name: str, year: int) -> None:
    """Every half hour of two years, but for the hours that are left out or come twice, where a wall clock says nothing."""
    real = ZoneInfo(name)
    text = f"BEGIN:VCALENDAR\r\n{vtimezone(real, year).to_ical().decode()}END:VCALENDAR\r\n"
    written = tz.tzical(io.StringIO(text)).get(name)
    wall = datetime(year, 1, 1)
    while wall < datetime(year + 2, 1, 1):
        here = wall.replace(tzinfo=real)
        if here.utcoffset() == here.replace(fold=1).utcoffset():
            assert wall.replace(tzinfo=written).utcoffset() == here.utcoffset(), wall
        wall += timedelta(minutes=30)


def test_outlook_finds_a_rule_where_there_is_one() -> None:
    text = vtimezone(BELGRADE, 2026).to_ical().decode()
    assert "DTSTART:20250330T020000\r\nRRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=3\r\n" in text
    assert "DTSTART:20251026T030000\r\nRRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=10\r\n" in text
