"""Reminders: when they leave, and that they follow the appointment."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from desk.appointments import reminders
from desk.appointments.reminders import moments
from desk.db import Database, now
from desk.models import Appointment, Delivery
from tests.appointment_kit import MONTREAL, Clinic, coming

PARIS = ZoneInfo("Europe/Paris")
LONG_BEFORE = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def clinic(database: Database, tmp_path: Path) -> Clinic:
    """A clinic."""
    return Clinic.open(database, tmp_path)


def _walls(starts: str, zone: ZoneInfo = PARIS, quiet: tuple[int, int] = (20, 8), at: datetime = LONG_BEFORE) -> list[str]:
    """When reminders leave, on the visitor's clock."""
    starts_at = datetime.fromisoformat(starts).replace(tzinfo=zone)
    return [f"{moment.astimezone(zone):%Y-%m-%d %H:%M}" for moment in moments(starts_at, zone, *quiet, at)]


def test_two_days_and_one_day_before_at_the_hour_of_the_appointment() -> None:
    assert _walls("2026-12-10 14:30") == ["2026-12-08 14:30", "2026-12-09 14:30"]


@pytest.mark.parametrize(
    ("hour", "sent"),
    [("07:30", "08:00"), ("00:00", "08:00"), ("08:00", "08:00"), ("19:59", "19:59"), ("20:00", "19:00"), ("23:30", "19:00")],
)
def test_nobody_is_written_to_in_the_night(hour: str, sent: str) -> None:
    assert _walls(f"2026-12-10 {hour}") == [f"2026-12-08 {sent}", f"2026-12-09 {sent}"]


def test_the_night_is_the_visitors_not_the_clinics() -> None:
    """10:00 in Belgrade is 4:00 in Montréal: the reminder leaves at 8:00 there, 14:00 in Belgrade."""
    starts_at = datetime(2026, 12, 10, 9, 0, tzinfo=UTC)
    first, _ = moments(starts_at, ZoneInfo(MONTREAL), 20, 8, LONG_BEFORE)
    assert first == datetime(2026, 12, 8, 13, 0, tzinfo=UTC)


def test_quiet_hours_may_lie_within_a_day_or_be_none() -> None:
    assert _walls("2026-12-10 13:00", quiet=(12, 14)) == ["2026-12-08 14:00", "2026-12-09 14:00"]
    assert _walls("2026-12-10 03:00", quiet=(0, 0)) == ["2026-12-08 03:00", "2026-12-09 03:00"]


def test_what_would_be_past_or_follow_the_confirmation_at_once_is_left_out() -> None:
    starts = datetime(2026, 12, 10, 14, 0, tzinfo=PARIS)
    assert len(moments(starts, PARIS, 20, 8, starts - timedelta(days=2, hours=3))) == 2
    assert len(moments(starts, PARIS, 20, 8, starts - timedelta(days=2, hours=1))) == 1
    assert len(moments(starts, PARIS, 20, 8, starts - timedelta(hours=25))) == 0
    assert len(moments(starts, PARIS, 20, 8, starts - timedelta(hours=3))) == 0


@pytest.mark.parametrize("starts", ["2026-03-30 14:00", "2026-10-26 14:00"])
def test_a_change_of_clock_in_between_does_not_shift_the_hour(starts: str) -> None:
    assert [sent.split()[1] for sent in _walls(starts)] == ["14:00", "14:00"]


def test_an_hour_that_is_left_out_is_no_obstacle() -> None:
    assert _walls("2026-03-30 02:30", quiet=(23, 1)) == ["2026-03-28 02:30", "2026-03-29 03:00"]


@given(
    day=st.dates(date(2026, 1, 4), date(2027, 12, 1)),
    minute=st.integers(0, 1439),
    zone=st.sampled_from(["Europe/Paris", MONTREAL, "Pacific/Noumea", "Asia/Beirut"]),
    quiet=st.tuples(st.integers(0, 23), st.integers(0, 23)),
)
def test_a_reminder_is_before_its_appointment_on_its_own_day_and_never_quiet(day: date, minute: int, zone: str, quiet: tuple[int, int]) -> None:
    there = ZoneInfo(zone)
    starts_at = datetime.combine(day, time(minute // 60, minute % 60), there).astimezone(UTC)
    found = moments(starts_at, there, *quiet, datetime(2025, 1, 1, tzinfo=UTC))
    assert len(found) == 2
    first, second = (moment.astimezone(there) for moment in found)
    begins = starts_at.astimezone(there).date()
    assert (first.date(), second.date()) == (begins - timedelta(days=2), begins - timedelta(days=1))
    quiet_hours = {hour % 24 for hour in range(quiet[0], quiet[1] + (24 if quiet[1] < quiet[0] else 0))}
    is_skipped = any(first.utcoffset() != (first - timedelta(hours=3)).astimezone(UTC).astimezone(there).utcoffset() for first in (first, second))
    assert is_skipped or not {first.hour, second.hour} & quiet_hours


# ---------------------------------------------------------------- in the outbox


def _planned(clinic: Clinic) -> list[datetime]:
    return [row.not_before for row in clinic.letters("appointment_reminder")]


def test_booking_plans_both_reminders_with_the_visitors_link(clinic: Clinic) -> None:
    clinic.book(clinic.request(), clinic.wish(clock="18:00"))  # 12:00 in Montréal, or 13:00 for some weeks a year
    planned = clinic.letters("appointment_reminder")
    zone = ZoneInfo(MONTREAL)
    assert [row.not_before.astimezone(zone).date() for row in planned] == [coming(1) - timedelta(days=2), coming(1) - timedelta(days=1)]
    assert all(row.values and row.values["cancel_link"].startswith("http://testserver/rendez-vous/") for row in planned)
    assert all(row.recipient == "camille@exemple.fr" for row in planned)


def test_moving_makes_new_reminders_and_holds_back_the_old(clinic: Clinic) -> None:
    reference = clinic.request()
    appointment = clinic.book(reference)
    before = _planned(clinic)
    clinic.move(reference, appointment, clinic.wish(coming(3), "16:00"))
    after = _planned(clinic)
    assert len(after) == 2
    assert not set(before) & set(after)
    assert len(clinic.letters("appointment_reminder", Delivery.CANCELLED)) == 2


def test_cancelling_holds_every_reminder_back(clinic: Clinic) -> None:
    reference = clinic.request()
    clinic.cancel(reference, clinic.book(reference))
    assert not _planned(clinic)


def test_planning_twice_changes_nothing(clinic: Clinic) -> None:
    appointment = clinic.book(clinic.request())
    before = _planned(clinic)
    for _ in range(3):
        with clinic.database.transaction() as session:
            reminders.renew(session, session.get_one(Appointment, appointment.id), clinic.settings, now())
    assert _planned(clinic) == before


def test_somebody_without_an_address_gets_none(clinic: Clinic) -> None:
    clinic.book(clinic.request(email=None))
    assert not _planned(clinic)
