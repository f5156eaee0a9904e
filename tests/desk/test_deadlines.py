"""What a change of the opening hours does to requests that wait: their deadlines follow at once, and nobody is told twice."""

from __future__ import annotations

import time as clock
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import insert, select, update

from desk import hours_editing
from desk.db import Database, now
from desk.hours import Calendar, Stretch, load_calendar
from desk.models import AuditEntry, Notification, Ticket, TicketState
from desk.settings import Settings, load_settings
from desk.tickets import clocks, recounting, rounds, work
from tests.desk_pages import Browser, desk_app, give_account, leave_request, ticket_of

BELGRADE = ZoneInfo("Europe/Belgrade")
NINE_TO_FIVE = dict.fromkeys(range(5), "9h-17h")
MONDAY = datetime(2031, 3, 3, 12, tzinfo=BELGRADE)  # a week without a holiday, years ahead of whoever runs this
EIGHT_HOURS_LATER = MONDAY + timedelta(days=1)
Change = Callable[..., None]


def on(day: int, hour: int = 0) -> datetime:
    """An instant of that week's clock in Belgrade."""
    return datetime(2031, 3, day, hour, tzinfo=BELGRADE)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings(data=tmp_path, team_emails="accueil@clinique.exemple")


def set_week(database: Database, settings: Settings, week: dict[int, str]) -> None:
    with database.transaction() as session:
        hours_editing.set_week(session, "Léa", week, settings)


def set_day(database: Database, settings: Settings, day: int, hours: str = "") -> None:
    with database.transaction() as session:
        hours_editing.set_special_day(session, "Léa", f"2031-03-{day:02}", hours, "", settings)


@pytest.fixture
def open_on_weekdays(database: Database, settings: Settings) -> None:
    set_week(database, settings, NINE_TO_FIVE)


def left(database: Database, settings: Settings, at: datetime = MONDAY, **values: object) -> str:
    """A request that came at an instant."""
    reference = leave_request(database)
    with database.transaction() as session:
        ticket = session.scalars(select(Ticket).where(Ticket.reference == reference)).one()
        clocks.start(ticket, load_calendar(session, settings), settings, at)
        ticket.created_at = at
        session.flush()
        session.execute(update(Ticket).where(Ticket.id == ticket.id).values(values or {"created_at": at}))
    return reference


def due(database: Database, reference: str) -> tuple[datetime | None, datetime | None]:
    ticket = ticket_of(database, reference)
    return ticket.answer_due, ticket.booking_due


@pytest.mark.usefixtures("open_on_weekdays")
@pytest.mark.parametrize("state", [TicketState.WAITING, TicketState.CLAIMED, TicketState.EXPIRED, TicketState.BOOKED])
def test_a_day_that_turns_out_closed_gives_a_day_more_and_takes_it_back(database: Database, settings: Settings, state: TicketState) -> None:
    reference = left(database, settings, state=state)
    before = due(database, reference)
    assert before == (EIGHT_HOURS_LATER, on(10, 12))
    set_day(database, settings, 4)
    assert due(database, reference) == (on(5, 12), on(11, 12))
    set_day(database, settings, 4, "9h-13h")
    assert due(database, reference)[0] == EIGHT_HOURS_LATER, "half a day is enough"
    with database.transaction() as session:
        assert hours_editing.remove_special_day(session, "Léa", date(2031, 3, 4), settings)
    assert due(database, reference) == before
    assert ticket_of(database, reference).version == 1, "staff may go on with the page they have before them"


@pytest.mark.usefixtures("open_on_weekdays")
def test_shorter_weeks_mean_later_deadlines(database: Database, settings: Settings) -> None:
    reference = left(database, settings)
    set_week(database, settings, dict.fromkeys(range(5), "9h-13h"))
    assert due(database, reference)[0] == on(5, 12), "an hour on Monday, four on Tuesday, three on Wednesday"


@pytest.mark.usefixtures("open_on_weekdays")
@pytest.mark.parametrize("state", [TicketState.CLOSED, TicketState.CANCELLED, TicketState.SPAM])
def test_what_is_over_is_left_alone(database: Database, settings: Settings, state: TicketState) -> None:
    reference = left(database, settings, state=state)
    set_day(database, settings, 4)
    assert due(database, reference)[0] == EIGHT_HOURS_LATER


@pytest.mark.usefixtures("open_on_weekdays")
def test_time_used_before_a_pause_is_not_counted_again(database: Database, settings: Settings) -> None:
    reference = left(database, settings)
    with database.transaction() as session:
        ticket = session.scalars(select(Ticket)).one()
        clocks.pause(ticket, on(3, 15))  # three of the eight hours are used
        clocks.go_on(ticket, load_calendar(session, settings), on(6, 10))
    assert due(database, reference)[0] == on(6, 15)
    set_day(database, settings, 6, "9h-12h")
    assert due(database, reference)[0] == on(7, 12), "two hours on Thursday, the other three on Friday"


@pytest.mark.usefixtures("open_on_weekdays")
def test_the_clock_of_an_appointment_that_was_called_off_counts_from_then(database: Database, settings: Settings) -> None:
    reference = left(database, settings, first_answer_at=MONDAY)
    with database.transaction() as session:
        clocks.start_booking(session.scalars(select(Ticket)).one(), load_calendar(session, settings), settings, on(10, 9))
    assert due(database, reference)[1] == on(14, 17)
    set_day(database, settings, 4)
    assert due(database, reference)[1] == on(14, 17), "the day before it was called off does not matter any more"
    set_day(database, settings, 11)
    assert due(database, reference)[1] == on(17, 17)


@pytest.mark.usefixtures("open_on_weekdays")
def test_who_was_told_is_not_told_again_and_who_is_late_now_is_told_once(database: Database, settings: Settings) -> None:
    def escalate(at: datetime) -> list[str]:
        with database.transaction() as session:
            return rounds.escalate_overdue(session, settings, at)

    told, calm = left(database, settings), left(database, settings, on(4, 9))
    assert escalate(on(4, 13)) == [told]
    set_day(database, settings, 4)
    assert not clocks.is_overdue(ticket_of(database, told), on(4, 13)), "nobody was there that day"
    assert escalate(on(5, 13)) == []
    assert due(database, calm)[0] == on(5, 17)
    set_week(database, settings, dict.fromkeys(range(5), "8h-20h"))
    assert due(database, calm)[0] == on(5, 16)
    assert escalate(on(5, 17)) == [calm]
    assert escalate(on(6, 17)) == []
    with database.transaction() as session:
        assert len(session.scalars(select(Notification).where(Notification.template == "request_overdue")).all()) == 2


def test_the_first_hours_set_every_clock_and_the_last_ones_take_it_away(database: Database, settings: Settings) -> None:
    settings = settings.model_copy(update={"clinic_country": "ZZ"})  # tomorrow is no holiday, whatever today is
    reference = left(database, settings, datetime(2026, 11, 2, 9, tzinfo=UTC))
    assert due(database, reference) == (None, None)
    set_week(database, settings, dict.fromkeys(range(7), "0h-23h59"))
    answer, booking = due(database, reference)
    assert answer and booking and timedelta(hours=7, minutes=59) < answer - now() <= timedelta(hours=8, minutes=2), "counted from now, not from weeks ago"
    set_week(database, settings, {})
    assert due(database, reference) == (None, None)


@pytest.mark.usefixtures("open_on_weekdays")
def test_a_change_that_is_refused_changes_no_deadline(database: Database, settings: Settings) -> None:
    reference = left(database, settings)

    def breaks_off() -> None:
        with database.transaction() as session:
            hours_editing.set_special_day(session, "Léa", "2031-03-04", "", "", settings)
            raise RuntimeError("the disk is full")

    with pytest.raises(RuntimeError):
        breaks_off()
    assert due(database, reference)[0] == EIGHT_HOURS_LATER


@pytest.mark.usefixtures("open_on_weekdays")
def test_other_settings_count_once_when_the_desk_starts(database: Database, settings: Settings) -> None:
    reference = left(database, settings)
    quicker = settings.model_copy(update={"answer_hours": 4.0, "booking_hours": 48.0})

    def start(chosen: Settings) -> int:
        with database.transaction() as session:
            return recounting.follow_settings(session, chosen, MONDAY)

    assert start(settings) == 0
    assert [start(quicker), start(quicker)] == [1, 0]
    assert due(database, reference) == (on(3, 16), on(11, 12))
    elsewhere = quicker.model_copy(update={"clinic_zone": "America/Toronto"})
    assert start(elsewhere) == 1
    assert due(database, reference)[0] == datetime(2031, 3, 3, 13, tzinfo=ZoneInfo("America/Toronto")), "noon in Belgrade is before nine there"
    assert start(settings) == 1
    with database.transaction() as session:
        kept = session.scalars(select(AuditEntry).where(AuditEntry.action == "hours.settings").order_by(AuditEntry.id)).all()
        assert [entry.subject for entry in kept][:2] == ["Europe/Belgrade RS 8 40", "Europe/Belgrade RS 4 48"]


def test_a_desk_without_hours_writes_no_settings_down(database: Database, settings: Settings) -> None:
    with database.transaction() as session:
        assert recounting.follow_settings(session, settings, now()) == 0
        assert session.scalars(select(AuditEntry)).all() == []


@pytest.mark.usefixtures("open_on_weekdays")
def test_an_undo_gives_the_clock_back_too(database: Database, settings: Settings) -> None:
    reference = left(database, settings)
    ana = give_account(database, "Ana Agent")
    with database.transaction() as session:
        work.wait_for_visitor(session, reference, ana, 1, settings)
    with database.transaction() as session:
        offer = work.last_undo(session, ana)
        assert offer
        work.undo(session, offer.id, ana)
    assert ticket_of(database, reference).clocks_from == MONDAY
    assert due(database, reference)[0] == EIGHT_HOURS_LATER


@pytest.mark.usefixtures("open_on_weekdays")
def test_ten_thousand_open_requests_take_no_time_to_speak_of(database: Database, settings: Settings) -> None:
    with database.transaction() as session:
        calendar = load_calendar(session, settings)
        first = clocks.due(calendar, MONDAY, 8), clocks.due(calendar, MONDAY, 40)
        common = {"body_hash": "", "subject": "liver", "transcript_allowed": False, "consent_version": "7", "consent_at": MONDAY, "created_at": MONDAY}
        rows = [
            common
            | {"reference": f"R{n}", "idempotency_key": f"k{n}", "state": TicketState.WAITING if n % 2 else TicketState.CLOSED}
            | {"clocks_from": MONDAY - timedelta(minutes=n), "answer_due": first[0], "booking_due": first[1]}
            for n in range(20_000)
        ]
        session.execute(insert(Ticket), rows)
    began = clock.process_time()
    set_day(database, settings, 4)
    took = clock.process_time() - began
    with database.transaction() as session:
        moved = session.scalars(select(Ticket.state).where(Ticket.answer_due != first[0])).all()
    assert len(moved) == 10_000 and set(moved) == {TicketState.WAITING}
    assert took < 5, f"{took:.1f} s of this process, whatever else the machine does"


def test_the_page_moves_the_deadlines(database: Database, tmp_path: Path, settings: Settings) -> None:
    from desk.models import Role

    give_account(database, "Léa Martin", Role.LEAD)
    set_week(database, settings, NINE_TO_FIVE)
    reference = left(database, settings)
    with Browser(desk_app(database, tmp_path)) as lea:
        lea.sign_in("Léa Martin")
        lea.fill("/desk/hours/special", lea.page("/desk/hours"), day="2031-03-04", hours="", label="")
        assert due(database, reference)[0] == on(5, 12)
        lea.fill("/desk/hours/special/remove", lea.page("/desk/hours"), day="2031-03-04")
        assert due(database, reference)[0] == EIGHT_HOURS_LATER
        lea.fill("/desk/hours/week", lea.page("/desk/hours"), **{f"day{day}": "9h-13h" for day in range(5)})
        assert due(database, reference)[0] == on(5, 12)


# ---------------------------------------------------------------- the line


CALENDAR = Calendar(BELGRADE, dict.fromkeys(range(6), (Stretch(time(1), time(2, 30)), Stretch(time(9), time(17)))), {}, "RS")
INSTANTS = st.datetimes(datetime(2026, 3, 20), datetime(2026, 11, 10), timezones=st.just(UTC))


@given(INSTANTS, INSTANTS, st.integers(1, 3000))
def test_a_line_says_what_the_calendar_says(one: datetime, other: datetime, minutes: int) -> None:
    start, at = sorted((one, other))
    line = recounting.Line(CALENDAR, start)
    assert line.passed(at) == CALENDAR.open_time_between(start, at)
    wanted = timedelta(minutes=minutes)
    assert line.instant(line.passed(at) + wanted) == CALENDAR.add_open_time(at, wanted)
    assert line.passed(start) == timedelta()
