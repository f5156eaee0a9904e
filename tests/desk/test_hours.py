"""Opening hours: the calendar itself, the page where staff enter them, and what visitors are told."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from bot.answers import Content, Message
from bot.guard.claims import refused
from desk import audit, hours_editing, public_holidays
from desk.chat import hours_notice
from desk.db import Database
from desk.hours import BadCalendar, Calendar, NeverOpens, Special, Stretch, first_moment, load_calendar
from desk.hours_wording import as_typed, presence, read_stretches, sentence, week_in_words
from desk.models import AuditEntry, OpeningHours, Role
from desk.settings import Settings, load_settings
from tests.desk_client import Desk
from tests.desk_pages import Browser, Page, desk_app, give_account

BELGRADE = ZoneInfo("Europe/Belgrade")
NINE_TO_FIVE = {day: (Stretch(time(9), time(17)),) for day in range(5)}


def _calendar(week: dict[int, tuple[Stretch, ...]] | None = None, special: dict[date, Special] | None = None, zone: ZoneInfo = BELGRADE) -> Calendar:
    return Calendar(zone, week or NINE_TO_FIVE, special or {}, "RS")


def _there(text: str, fold: int = 0) -> datetime:
    """An instant by what the clinic's clock shows."""
    return datetime.fromisoformat(text).replace(tzinfo=BELGRADE, fold=fold).astimezone(UTC)


def _words(text: str) -> str:
    return text.replace("\u00a0", " ")


# ---------------------------------------------------------------- the calendar


@pytest.mark.parametrize(
    ("at", "is_open"),
    [
        ("2026-11-23 08:59", False),
        ("2026-11-23 09:00", True),
        ("2026-11-23 16:59", True),
        ("2026-11-23 17:00", False),  # the instant of closing is closed
        ("2026-11-22 10:00", False),  # Sunday
        ("2026-11-11 10:00", False),  # Armistice, a holiday in Serbia
        ("2026-07-14 10:00", True),  # a holiday in France only
    ],
)
def test_the_clinic_is_open_as_its_hours_say(at: str, is_open: bool) -> None:
    assert _calendar().is_open(_there(at)) is is_open


def test_an_instant_is_the_same_on_whatever_clock_it_is_given() -> None:
    calendar = _calendar()
    assert calendar.is_open(datetime(2026, 11, 23, 8, 30, tzinfo=UTC))  # 9:30 in Belgrade
    assert calendar.is_open(datetime(2026, 11, 23, 3, 30, tzinfo=ZoneInfo("America/Toronto")))
    assert not calendar.is_open(datetime(2026, 11, 23, 11, 30, tzinfo=ZoneInfo("America/Toronto")))  # 17:30 in Belgrade


def test_a_special_day_wins_over_the_week_and_over_a_holiday() -> None:
    special = {date(2026, 11, 23): Special(None, "Formation"), date(2026, 11, 11): Special(Stretch(time(10), time(12)))}
    calendar = _calendar(special=special)
    assert not calendar.is_open(_there("2026-11-23 10:00"))
    assert calendar.is_open(_there("2026-11-11 11:00"))
    assert not calendar.is_open(_there("2026-11-11 13:00"))


def test_the_next_opening_skips_the_weekend_and_holidays() -> None:
    calendar = _calendar()
    assert calendar.next_opening(_there("2026-11-20 18:00")) == _there("2026-11-23 09:00")
    assert calendar.next_opening(_there("2026-11-10 18:00")) == _there("2026-11-12 09:00")
    assert calendar.next_opening(_there("2026-12-31 18:00")) == _there("2027-01-04 09:00")
    open_now = _there("2026-11-23 11:11")
    assert calendar.next_opening(open_now) == open_now


def test_a_deadline_counts_opening_time_only() -> None:
    calendar = _calendar()
    assert calendar.add_open_time(_there("2026-11-20 16:30"), timedelta(hours=8)) == _there("2026-11-23 16:30")
    assert calendar.add_open_time(_there("2026-11-21 03:00"), timedelta(hours=1)) == _there("2026-11-23 10:00")
    assert calendar.add_open_time(_there("2026-11-20 16:00"), timedelta(hours=1)) == _there("2026-11-20 17:00")  # ends at closing, not at the next opening
    assert calendar.add_open_time(_there("2026-11-21 03:00"), timedelta()) == _there("2026-11-21 03:00")


def test_a_lunch_break_does_not_count() -> None:
    week = {day: (Stretch(time(13), time(17)), Stretch(time(9), time(12))) for day in range(5)}
    assert _calendar(week).add_open_time(_there("2026-11-23 11:30"), timedelta(hours=1)) == _there("2026-11-23 13:30")


def test_opening_time_between_two_instants() -> None:
    calendar = _calendar()
    assert calendar.open_time_between(_there("2026-11-20 16:00"), _there("2026-11-23 10:00")) == timedelta(hours=2)
    assert calendar.open_time_between(_there("2026-11-23 10:00"), _there("2026-11-20 16:00")) == timedelta()


def test_a_negative_duration_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="negative"):
        _calendar().add_open_time(_there("2026-11-23 10:00"), timedelta(seconds=-1))


# Sunday 29 March 2026: 2:00 becomes 3:00. Sunday 25 October 2026: 3:00 becomes 2:00.
NIGHT = {day: (Stretch(time(1), time(5)),) for day in range(7)}


def test_the_day_on_which_the_clock_is_put_forward_is_an_hour_shorter() -> None:
    calendar = _calendar(NIGHT)
    assert calendar.open_time_between(_there("2026-03-29 00:00"), _there("2026-03-30 00:00")) == timedelta(hours=3)
    assert calendar.add_open_time(_there("2026-03-29 01:30"), timedelta(hours=1)) == _there("2026-03-29 03:30")


def test_the_day_on_which_the_clock_is_put_back_is_an_hour_longer() -> None:
    calendar = _calendar(NIGHT)
    assert calendar.open_time_between(_there("2026-10-25 00:00"), _there("2026-10-26 00:00")) == timedelta(hours=5)
    assert calendar.add_open_time(_there("2026-10-25 01:00"), timedelta(hours=2)) == _there("2026-10-25 02:00", fold=1)


def test_a_week_with_a_change_of_clock_has_as_many_working_hours_as_any_other() -> None:
    for monday in ("2026-03-23", "2026-10-19"):
        start = _there(f"{monday} 09:00")
        assert _calendar().add_open_time(start, timedelta(hours=40)).astimezone(BELGRADE).hour == 17
        assert _calendar().open_time_between(start, start + timedelta(days=10)) >= timedelta(hours=56)


def test_hours_that_begin_in_the_hour_that_is_left_out_begin_when_the_clock_jumps() -> None:
    week = {day: (Stretch(time(2, 30), time(5)),) for day in range(7)}
    assert _calendar(week).next_opening(_there("2026-03-29 00:00")) == datetime(2026, 3, 29, 1, 0, tzinfo=UTC)
    assert _calendar(week).open_time_between(_there("2026-03-29 00:00"), _there("2026-03-29 12:00")) == timedelta(hours=2)


def test_hours_that_lie_wholly_in_the_hour_that_is_left_out_are_left_out_too() -> None:
    week = {day: (Stretch(time(2, 15), time(2, 45)),) for day in range(7)}
    calendar = _calendar(week)
    assert calendar.open_time_between(_there("2026-03-29 00:00"), _there("2026-03-30 00:00")) == timedelta()
    assert calendar.next_opening(_there("2026-03-29 00:00")) == _there("2026-03-30 02:15")


def test_hours_that_end_in_the_hour_that_comes_twice_are_counted_once() -> None:
    week = {day: (Stretch(time(1), time(2, 30)),) for day in range(7)}
    calendar = _calendar(week)
    assert calendar.open_time_between(_there("2026-10-25 00:00"), _there("2026-10-26 00:00")) == timedelta(hours=1, minutes=30)
    assert not calendar.is_open(_there("2026-10-25 02:15", fold=1))


def test_a_day_may_begin_with_a_change_of_clock() -> None:
    beirut = ZoneInfo("Asia/Beirut")  # at midnight
    assert first_moment(date(2025, 3, 30), time(0, 30), beirut) == datetime(2025, 3, 29, 22, 0, tzinfo=UTC)


_times = st.integers(0, 24 * 12 - 2).map(lambda n: time(n // 12, n % 12 * 5))
_stretches = st.tuples(_times, _times).filter(lambda pair: pair[0] < pair[1]).map(lambda pair: Stretch(*pair))
_instants = st.datetimes(datetime(2026, 1, 1), datetime(2026, 12, 1)).map(lambda at: at.replace(tzinfo=UTC, microsecond=0))


@given(week=st.dictionaries(st.integers(0, 6), _stretches.map(lambda s: (s,)), min_size=2), start=_instants, minutes=st.integers(1, 6000))
@settings(max_examples=150, deadline=None)
def test_a_deadline_leaves_exactly_the_opening_time_that_was_asked_for(week: dict[int, tuple[Stretch, ...]], start: datetime, minutes: int) -> None:
    try:
        calendar = _calendar(week)
    except NeverOpens:
        return
    duration = timedelta(minutes=minutes)
    end = calendar.add_open_time(start, duration)
    assert calendar.open_time_between(start, end) == duration
    assert calendar.is_open(end - timedelta(seconds=1))


@given(week=st.dictionaries(st.integers(0, 6), _stretches.map(lambda s: (s,)), min_size=2), at=_instants)
@settings(max_examples=100, deadline=None)
def test_the_next_opening_is_open_and_nothing_before_it_is(week: dict[int, tuple[Stretch, ...]], at: datetime) -> None:
    try:
        calendar = _calendar(week)
    except NeverOpens:
        return
    opening = calendar.next_opening(at)
    assert calendar.is_open(opening)
    assert calendar.open_time_between(at, opening) == timedelta()


@pytest.mark.parametrize(
    "week",
    [{}, {0: ()}, {0: (Stretch(time(9), time(9, 30)),)}],
    ids=["no hours", "an empty day", "half an hour a week"],
)
def test_a_calendar_that_hardly_ever_opens_is_refused(week: dict[int, tuple[Stretch, ...]]) -> None:
    with pytest.raises(NeverOpens):
        Calendar(BELGRADE, week, {}, "RS")


def test_a_stretch_ends_after_it_begins_and_two_do_not_overlap() -> None:
    with pytest.raises(BadCalendar, match="fermeture"):
        Stretch(time(9), time(9))
    with pytest.raises(BadCalendar, match="chevauchent"):
        _calendar({0: (Stretch(time(9), time(12)), Stretch(time(11), time(17)))})


def test_a_calendar_that_is_closed_for_years_gives_no_deadline_instead_of_looking_for_ever() -> None:
    closed = {date(2026, 1, 1) + timedelta(days=n): Special(None) for n in range(6 * 366)}
    with pytest.raises(NeverOpens):
        _calendar(special=closed).next_opening(_there("2026-01-05 08:00"))


def test_nobody_can_change_a_calendar() -> None:
    with pytest.raises(TypeError):
        _calendar().weekly[6] = ()  # type: ignore[index]


def test_a_country_whose_holidays_are_unknown_has_none() -> None:
    assert not public_holidays.is_known("XX")
    assert Calendar(BELGRADE, NINE_TO_FIVE, {}, "XX").is_open(_there("2026-11-11 10:00"))


@pytest.mark.parametrize(
    ("country", "day", "name"),
    [("RS", date(2026, 1, 7), "Noël orthodoxe"), ("FR", date(2026, 7, 14), "Fête nationale"), ("BE", date(2026, 7, 21), "Fête nationale")],
)
def test_holidays_have_french_names(country: str, day: date, name: str) -> None:
    assert public_holidays.in_year(country, 2026)[day] == name


def test_no_holiday_of_the_visitors_countries_has_an_english_name() -> None:
    names = {
        name
        for country in ("RS", "FR", "BE", "CH", "LU", "CA", "DZ", "MA")
        for year in (2026, 2027)
        for name in public_holidays.in_year(country, year).values()
    }
    assert not [name for name in names if re.search(r"\b(?:Day|Eve|Christmas|Easter|observed|estimated|Holiday)\b", name)]


# ---------------------------------------------------------------- in words


@pytest.mark.parametrize(
    ("typed", "read"),
    [
        ("9h-17h", "9h-17h"),
        ("9h-12h30, 13h30-17h", "9h-12h30, 13h30-17h"),
        ("13:30–17:00 ; 9:00–12:30", "9h-12h30, 13h30-17h"),
        ("de 9 h à 12 h 30 et de 14 h à 18 h", "9h-12h30, 14h-18h"),
        ("9-17", "9h-17h"),
        ("8.05-9.10", "8h05-9h10"),
        ("9h-12h, 12h-17h", "9h-12h, 12h-17h"),
        ("", ""),
        ("fermé", ""),
    ],
)
def test_hours_are_read_as_people_type_them(typed: str, read: str) -> None:
    assert as_typed(read_stretches(typed)) == read


@pytest.mark.parametrize(
    ("typed", "why"),
    [
        ("le matin", "n'est pas une plage"),
        ("9h", "n'est pas une plage"),
        ("25h-26h", "n'existe pas"),
        ("9h-8h", "doit suivre"),
        ("9h-12h, 11h-13h", "se chevauchent"),
        ("1h-2h, 3h-4h, 5h-6h, 7h-8h, 9h-10h", "par jour au plus"),
        ("<script>9h-10h", "n'est pas une plage"),
    ],
)
def test_what_is_no_hours_is_refused_with_a_reason(typed: str, why: str) -> None:
    with pytest.raises(BadCalendar, match=why):
        read_stretches(typed)


@pytest.mark.parametrize(
    ("week", "said"),
    [
        (dict.fromkeys(range(5), "9h-17h"), "du lundi au vendredi de 9 h à 17 h"),
        ({**dict.fromkeys(range(4), "9h-17h"), 4: "9h-12h"}, "du lundi au jeudi de 9 h à 17 h, et le vendredi de 9 h à 12 h"),
        (dict.fromkeys((0, 1), "9h-12h30, 13h30-17h"), "le lundi et le mardi de 9 h à 12 h 30 et de 13 h 30 à 17 h"),
        ({0: "9h-12h", 2: "9h-12h", 4: "9h-12h"}, "le lundi, le mercredi et le vendredi de 9 h à 12 h"),
        ({0: "9h-12h", 2: "14h-17h", 5: "9h-10h"}, "le lundi de 9 h à 12 h, le mercredi de 14 h à 17 h, et le samedi de 9 h à 10 h"),
        (dict.fromkeys(range(7), "8h-20h"), "tous les jours de 8 h à 20 h"),
    ],
)
def test_a_week_is_said_as_people_say_it(week: dict[int, str], said: str) -> None:
    assert _words(week_in_words(_calendar({day: tuple(read_stretches(typed)) for day, typed in week.items()}))) == said


@pytest.mark.parametrize(
    ("at", "said"),
    [
        ("2026-11-23 10:00", "il est ouvert en ce moment"),
        ("2026-11-23 07:00", "il rouvre ce lundi à 9 h"),
        ("2026-11-20 18:00", "il rouvre lundi à 9 h"),
        ("2026-11-23 18:00", "il rouvre mardi à 9 h"),
    ],
)
def test_it_is_said_whether_somebody_is_there(at: str, said: str) -> None:
    assert _words(presence(_calendar(), _there(at))) == said


def test_an_opening_far_away_is_said_with_its_date() -> None:
    closed = {date(2026, 12, 21) + timedelta(days=n): Special(None) for n in range(15)}
    assert _words(presence(_calendar(special=closed), _there("2026-12-18 18:00"))) == "il rouvre le mardi 5 janvier 2027 à 9 h"


def test_the_clock_is_named_and_the_sentence_passes_the_lint() -> None:
    said = sentence(_calendar(), _there("2026-11-20 18:00"))
    assert _words(said) == "Le secrétariat répond du lundi au vendredi de 9 h à 17 h (heure de Belgrade), sauf jours fériés ; il rouvre lundi à 9 h."
    assert not refused(said)


# ---------------------------------------------------------------- what visitors are told


def _hours(session: object, week: str = "9h-17h") -> None:
    hours_editing.set_week(session, "Milica", dict.fromkeys(range(5), week), load_settings())  # type: ignore[arg-type]


def _says(desk: Desk, *texts: str) -> str:
    """What a visitor is answered at last who says something while Rasa is nowhere."""
    visitor = desk.visitor()
    return [visitor.say(text).text for text in texts][-1]


def test_who_asks_for_a_person_is_told_the_hours(desk: Desk) -> None:
    desk.run(_hours)
    said = _says(desk, "je veux parler à quelqu'un")
    assert "Le secrétariat répond du lundi au vendredi de 9 h à 17 h (heure de Belgrade)" in said


def test_nothing_is_said_of_hours_that_nobody_entered(desk: Desk) -> None:
    said = _says(desk, "je veux parler à quelqu'un")
    assert "rappeler" in said or "demande" in said
    assert "secrétariat répond" not in said


def test_an_emergency_is_never_answered_with_opening_hours(desk: Desk) -> None:
    desk.run(_hours)
    assert "secrétariat" not in _says(desk, "je fais un malaise, je n'arrive plus à respirer")
    assert "secrétariat" not in _says(desk, "je fais un malaise, je n'arrive plus à respirer", "je veux parler à quelqu'un")


def test_the_disclaimer_stays_last_and_the_request_says_when_somebody_is_there() -> None:
    content = Content()
    received = content.message("utter_booking_received", {"reference": "RDV-7K4M-2Q"})
    assert hours_notice.is_due([received])
    (told,) = hours_notice.with_hours([received], _calendar(), _there("2026-11-20 18:00"))
    *_, before, last = told.text.split("\n\n")
    assert _words(before).startswith("Le secrétariat répond")
    assert last == content.disclaimers["court"]
    assert "RDV-7K4M-2Q" in told.text


def test_hours_are_told_once_in_a_turn_and_only_where_a_person_is_promised() -> None:
    human, answer = Message("Une personne peut vous rappeler.", "human", response="utter_human"), Message("…", "answer", response="utter_cost")
    assert not hours_notice.is_due([answer])
    assert not hours_notice.is_due([human, Message("Appelez le 15", "emergency", response="utter_red_flag")])
    told = hours_notice.with_hours([answer, human, human], _calendar(), _there("2026-11-20 18:00"))
    assert ["secrétariat" in reply.text for reply in told] == [False, True, False]


# ---------------------------------------------------------------- the page


@pytest.fixture
def browser(database: Database, tmp_path: Path) -> Iterator[Browser]:
    """A browser of a desk in which a lead is signed in."""
    give_account(database, "Léa Martin", Role.LEAD)
    give_account(database, "Ana Agent", Role.AGENT)
    with Browser(desk_app(database, tmp_path)) as opened:
        opened.sign_in("Léa Martin")
        yield opened


def _week(browser: Browser, **days: str) -> Page:
    page = browser.page("/desk/hours")
    typed = {"day0": "9h-12h, 13h-17h", "day1": "9h-17h"} | days
    return browser.fill("/desk/hours/week", page, **typed)


def _rows(database: Database) -> list[tuple[int, time, time]]:
    with database.transaction() as session:
        return [(r.weekday, r.opens, r.closes) for r in session.scalars(select(OpeningHours).order_by(OpeningHours.weekday, OpeningHours.opens))]


def test_staff_enter_the_week_and_see_what_visitors_will_be_told(browser: Browser, database: Database) -> None:
    page = _week(browser)
    assert "sont enregistrés" in page.text
    assert "le lundi de 9 h à 12 h et de 13 h à 17 h, et le mardi de 9 h à 17 h (heure de Belgrade)" in page.words
    assert page.field("day0") == "9h-12h, 13h-17h"
    assert _rows(database) == [(0, time(9), time(12)), (0, time(13), time(17)), (1, time(9), time(17))]
    with database.transaction() as session:
        assert session.scalars(select(AuditEntry).where(AuditEntry.action == "hours.week")).one().actor == "Léa Martin"
        assert load_calendar(session, load_settings()) is not None


def test_a_mistake_keeps_what_was_typed_and_changes_nothing(browser: Browser, database: Database) -> None:
    _week(browser)
    page = _week(browser, day0="9h-12h, 13h-18h", day2="tous les matins")
    assert page.status == 400
    assert page.field("day0") == "9h-12h, 13h-18h"
    assert page.field("day2") == "tous les matins"
    assert "Corrigez : mercredi" in page.words
    assert "« tous les matins » n'est pas une plage d'heures" in page.words
    assert re.search(r'id="day2"[^>]*aria-invalid="true"', page.source)
    assert (0, time(13), time(17)) in _rows(database)


def test_a_week_without_hours_worth_the_name_is_refused(browser: Browser) -> None:
    page = _week(browser, day0="9h-9h10", day1="")
    assert page.status == 400
    assert "au moins une heure d'ouverture par semaine" in page.words


def test_emptying_the_week_makes_the_hours_unknown_again(browser: Browser, database: Database) -> None:
    _week(browser)
    page = _week(browser, day0="", day1="")
    assert "aucun horaire n'est enregistré" in page.words
    assert _rows(database) == []


def test_a_special_day_is_added_listed_and_removed(browser: Browser, database: Database) -> None:
    _week(browser)
    page = browser.fill("/desk/hours/special", browser.page("/desk/hours"), day="2030-12-24", hours="9h-12h", label="Réveillon <b>")
    assert "mardi 24 décembre 2030" in page.words
    assert "de 9 h à 12 h" in page.words
    assert "Réveillon &lt;b&gt;" in page.source
    page = browser.fill("/desk/hours/special", page, day="2030-12-24", hours="", label="Réveillon")
    assert page.words.count("mardi 24 décembre 2030") == 2  # the row and its button
    assert "fermé" in page.words
    page = browser.fill("/desk/hours/special/remove", page, day="2030-12-24")
    assert "2030" not in page.words


@pytest.mark.parametrize(
    ("typed", "why"),
    [
        ({"day": "demain", "hours": "9h-12h"}, "Choisissez une date"),
        ({"day": "2030-12-24", "hours": "midi"}, "n'est pas une plage"),
        ({"day": "2030-12-24", "hours": "9h-10h, 11h-12h"}, "qu'une plage"),
        ({"day": "0001-01-01", "hours": ""}, "trop lointaine"),
        ({"day": "2030-12-24", "hours": "", "label": "x" * 81}, "80 caractères"),
    ],
)
def test_a_bad_special_day_is_refused_and_kept_in_the_form(browser: Browser, typed: dict[str, str], why: str) -> None:
    page = browser.fill("/desk/hours/special", browser.page("/desk/hours"), **{"label": "Inventaire"} | typed)
    assert page.status == 400
    assert why in page.words
    assert page.field("hours") == typed["hours"]
    assert html.unescape(page.field("label")) == typed.get("label", "Inventaire")


def test_the_holidays_of_the_clinic_and_of_the_visitors_are_listed(browser: Browser) -> None:
    page = browser.page("/desk/hours?year=2026")
    assert "mercredi 7 janvier 2026 Noël orthodoxe" in page.words
    assert "Belgique" in page.words
    assert "mardi 21 juillet 2026 : Fête nationale" in page.words
    assert browser.get("/desk/hours?year=99999").status_code == 200


def test_a_holiday_on_which_the_clinic_opens_says_so(browser: Browser) -> None:
    page = browser.fill("/desk/hours/special", browser.page("/desk/hours"), day="2026-11-11", hours="10h-12h", label="")
    page = browser.page("/desk/hours?year=2026")
    assert "mercredi 11 novembre 2026 Jour de l'Armistice de 10 h à 12 h" in page.words


def test_agents_may_not_change_the_hours(database: Database, tmp_path: Path) -> None:
    give_account(database, "Ana Agent", Role.AGENT)
    with Browser(desk_app(database, tmp_path)) as ana:
        ana.sign_in("Ana Agent")
        assert ana.get("/desk/hours").status_code == 403
        assert ana.post("/desk/hours/week", data={"csrf": ana.csrf(), "day0": "9h-17h"}).status_code == 403
    assert _rows(database) == []


def test_a_form_without_its_secret_changes_nothing(browser: Browser, database: Database) -> None:
    assert browser.post("/desk/hours/week", data={"day0": "9h-17h"}).status_code == 403
    assert _rows(database) == []


def test_hours_changed_by_hand_into_nonsense_stop_nothing(database: Database, caplog: pytest.LogCaptureFixture) -> None:
    wanted: Settings = load_settings()
    with database.transaction() as session:
        session.add(OpeningHours(weekday=0, opens=time(9), closes=time(9, 1)))
        session.flush()
        assert load_calendar(session, wanted) is None
    assert "cannot be used" in caplog.text


def test_the_trail_names_no_label(browser: Browser, database: Database) -> None:
    browser.fill("/desk/hours/special", browser.page("/desk/hours"), day="2030-12-24", hours="", label="Milica est malade")
    with database.transaction() as session:
        assert audit.broken_at(session) is None
        assert not [e for e in session.scalars(select(AuditEntry)) if "malade" in e.subject]
