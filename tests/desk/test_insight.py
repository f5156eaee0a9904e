"""Counting turns, and the page of numbers."""

from __future__ import annotations

import asyncio
import csv
import io
import re
import threading
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from markupsafe import Markup
from sqlalchemy import select, update

from bot.answers import Content, Message
from desk import audit
from desk.chat.arrival import Said
from desk.db import Database, now
from desk.insight import counting, labels, plots
from desk.insight.figures import figures
from desk.insight.numbers import numbers
from desk.insight.tables import csv_text
from desk.models import AuditEntry, Role, Ticket, TicketState, TurnCount
from tests.desk_client import Desk
from tests.desk_pages import Browser, desk_app, give_account, leave_request

CONTENT = Content()
BELGRADE = ZoneInfo("Europe/Belgrade")
PRESENT = datetime(2026, 11, 22, 12, tzinfo=UTC)  # a Sunday


def _counts(database: Database) -> dict[tuple[str, str], int]:
    with database.transaction() as session:
        return {(row.kind, row.topic): row.count for row in session.scalars(select(TurnCount))}


# ---------------------------------------------------------------- counting


def test_replies_are_counted_by_hour_kind_and_topic(database: Database) -> None:
    said = [Message("…", "answer", response="utter_cost"), Message("…", "emergency", response="utter_red_flag", variant="suicide")]
    for at in (PRESENT, PRESENT + timedelta(minutes=59), PRESENT + timedelta(minutes=60)):
        with database.transaction() as session:
            counting.count(session, said, at)
    with database.transaction() as session:
        rows = [(row.hour, row.kind, row.topic, row.count) for row in session.scalars(select(TurnCount).order_by(TurnCount.hour, TurnCount.kind))]
    later = PRESENT + timedelta(hours=1)
    assert rows == [
        (PRESENT, "answer", "utter_cost", 2),
        (PRESENT, "emergency", "suicide", 2),
        (later, "answer", "utter_cost", 1),
        (later, "emergency", "suicide", 1),
    ]


def test_turns_at_the_same_time_are_all_counted(database: Database) -> None:
    def count() -> None:
        for _ in range(10):
            with database.transaction() as session:
                counting.count(session, [Message("…", "answer", response="utter_cost")] * 2, PRESENT)

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert _counts(database) == {("answer", "utter_cost"): 80}


def test_a_turn_that_is_not_stored_is_not_counted(database: Database) -> None:
    def fail_after_counting() -> None:
        with database.transaction() as session:
            counting.count(session, [Message("…", "answer", response="utter_cost")], PRESENT)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail_after_counting()
    assert _counts(database) == {}


def test_a_conversation_leaves_numbers_and_no_words(desk: Desk) -> None:
    visitor = desk.visitor()
    asyncio.run(desk.turns.take(visitor.id, visitor.token, Said("1", "combien coûte le perroquet ?")))
    asyncio.run(desk.turns.take(visitor.id, visitor.token, Said("2", "j'arrive plus à respirer")))
    asyncio.run(desk.turns.take(visitor.id, visitor.token, Said("2", "j'arrive plus à respirer")))  # sent again: the same turn
    counted = _counts(desk.database)
    assert counted[("notice", "utter_unavailable_request")] == 1
    assert {topic: count for (kind, topic), count in counted.items() if kind == "emergency"} == {"emergency": 1}
    with desk.database.transaction() as session:
        assert "perroquet" not in str([(row.kind, row.topic) for row in session.scalars(select(TurnCount))])


# ---------------------------------------------------------------- numbers


def _ticket(database: Database, received: datetime, answered_hours: float | None = None, **changes: object) -> None:
    reference = leave_request(database)
    answered = received + timedelta(hours=answered_hours) if answered_hours is not None else None
    with database.transaction() as session:
        session.execute(update(Ticket).where(Ticket.reference == reference).values({"created_at": received, "first_answer_at": answered} | changes))


def _numbers(database: Database, days: int = 7):  # type: ignore[no-untyped-def]
    with database.transaction() as session:
        return numbers(session, days, PRESENT, BELGRADE, tuple(labels.HANDOFFS))


def test_requests_are_counted_on_the_clinics_days_without_unwanted_ones(database: Database) -> None:
    _ticket(database, datetime(2026, 11, 20, 23, 30, tzinfo=UTC))  # already the 21st in Belgrade
    _ticket(database, datetime(2026, 11, 22, 8, 0, tzinfo=UTC))
    _ticket(database, datetime(2026, 11, 22, 8, 0, tzinfo=UTC), state=TicketState.SPAM)
    _ticket(database, datetime(2026, 11, 1, 8, 0, tzinfo=UTC))  # before the period
    found = _numbers(database)
    assert found.days[0] == date(2026, 11, 16) and found.days[-1] == date(2026, 11, 22)
    assert found.requests == (0, 0, 0, 0, 0, 1, 1)
    assert found.hours[0] == 1 and found.hours[9] == 1
    assert found.weekdays == (0, 0, 0, 0, 0, 1, 1)
    assert found.subjects == {"liver": 2}


def test_time_to_first_answer_is_told_by_week_as_median_and_ninth_decile(database: Database) -> None:
    for hours in (1, 2, 3, 4, 5, 6, 7, 8, 9, 100):
        _ticket(database, datetime(2026, 11, 17, 8, tzinfo=UTC), hours)
    _ticket(database, datetime(2026, 11, 18, 8, tzinfo=UTC))  # still waiting
    _ticket(database, datetime(2026, 11, 18, 8, tzinfo=UTC), state=TicketState.CLOSED)  # closed without an answer: waits for none
    (week,) = _numbers(database).waits
    assert (week.monday, week.count, week.median, week.ninth_decile) == (date(2026, 11, 16), 10, 5.5, 9)
    assert _numbers(database).unanswered == 1


def test_a_reopened_request_waits_anew_from_its_reopening(database: Database) -> None:
    received, reopened = datetime(2026, 11, 2, 8, tzinfo=UTC), datetime(2026, 11, 17, 8, tzinfo=UTC)
    _ticket(database, received, answered_hours=15 * 24 + 3)  # answered again three hours after it was reopened
    with database.transaction() as session:
        reference = session.scalars(select(Ticket.reference)).one()
        for days in (5, 0):  # it was reopened twice
            audit.record(session, "Ana Agent", "ticket.reopen", reference).at = reopened - timedelta(days=days)
    (week,) = _numbers(database, 30).waits
    assert (week.monday, week.count, week.median) == (date(2026, 11, 16), 1, 3)
    assert sum(_numbers(database, 30).requests) == 1, "it is still the one request that came on the 2nd"


def test_replies_fall_into_topics_alarms_and_what_was_not_understood(database: Database) -> None:
    with database.transaction() as session:
        counting.count(session, [Message("…", "answer", response="utter_cost")] * 3, PRESENT)
        counting.count(session, [Message("…", "fallback", response="utter_fallback"), Message("…", "human", response="utter_human")], PRESENT)
        counting.count(session, [Message("…", "fallback", response="utter_authorisation")], PRESENT)
        counting.count(session, [Message("…", "advice", response="utter_personal_advice", variant="dose")], PRESENT)
        counting.count(session, [Message("…", "answer", response="utter_cost")], PRESENT - timedelta(days=8))
    found = _numbers(database)
    assert found.topics == {"utter_cost": 3}
    assert found.no_answers == {"utter_fallback": 1}, "« authorised? » is answered, if without the articles"
    assert found.not_understood[-1] == 1
    assert found.share_without_answer == 0.25
    assert found.advice == {"dose": 1} and found.alarms == {}
    assert found.handoffs["utter_human"] == 1


def test_every_family_and_every_way_of_not_answering_has_a_french_name() -> None:
    for response, slot in (("utter_red_flag", "red_flag"), ("utter_personal_advice", "personal_advice")):
        families = {c["value"] for v in CONTENT.responses[response] for c in v.get("condition", []) if c["name"] == slot}
        assert families <= labels.FAMILIES.keys()
    assert {*labels.NO_ANSWERS, *labels.HANDOFFS} <= CONTENT.responses.keys()


# ---------------------------------------------------------------- plots


def _parsed(plot: Markup) -> ET.Element:
    return ET.fromstring(str(plot))


def test_a_plot_has_a_title_a_description_and_no_style() -> None:
    drawn = [
        plots.columns("a", "Titre", "Phrase", ["x", "y"], [1, 2]),
        plots.bars("b", "Titre", "Phrase", [("x", 3), ("y", 0)]),
        plots.lines("c", "Titre", "Phrase", ["x", "y", "z"], [plots.Line("une", (1.5, None, 2))]),
    ]
    for plot in drawn:
        root = _parsed(plot)
        assert root.attrib["role"] == "img"
        ids = root.attrib["aria-labelledby"].split()
        assert [root.find(f"*[@id='{name}']").text for name in ids] == ["Titre", "Phrase"]  # type: ignore[union-attr]
        assert "style=" not in plot and "<script" not in plot


def test_bars_are_as_long_as_their_numbers() -> None:
    root = _parsed(plots.bars("b", "t", "d", [("x", 40), ("y", 10)]))
    assert [bar.attrib["width"] for bar in root.findall("rect") if bar.attrib["class"] == "bar"] == ["100%", "25%"]
    heights = [float(bar.attrib["height"]) for bar in _parsed(plots.columns("c", "t", "d", list("abc"), [4, 2, 0])).findall("rect")]
    assert heights[0] == 2 * heights[1] and heights[2] == 0


def test_a_line_breaks_where_nothing_is_known() -> None:
    root = _parsed(plots.lines("c", "t", "d", list("abcd"), [plots.Line("une", (1, 2, None, 3))]))
    assert len([line for line in root.findall("line") if line.attrib["class"].startswith("series")]) == 1
    assert len(root.findall("circle")) == 3


def test_names_in_a_plot_are_never_markup() -> None:
    assert "<b>" not in plots.bars("b", "<b>", "<b>", [("<b>", 1)])


@pytest.mark.parametrize("values", [[], [0], [0, 0], [1], [7], [99], [12345], [0.4, 3.2]])
def test_any_numbers_can_be_drawn(values: list[float]) -> None:
    _parsed(plots.columns("c", "t", "d", [str(v) for v in values], values))


# ---------------------------------------------------------------- the page


@pytest.fixture
def lead(database: Database, tmp_path: Path) -> Iterator[Browser]:
    give_account(database, "Lena", Role.LEAD)
    app = desk_app(database, tmp_path)
    app.state.content = CONTENT
    browser = Browser(app)
    browser.sign_in("Lena")
    yield browser
    browser.close()


def test_the_page_has_a_table_under_each_plot(lead: Browser, database: Database) -> None:
    leave_request(database)
    with database.transaction() as session:
        counting.count(session, [Message("…", "answer", response="utter_cost")] * 3, now())
    page = lead.page("/desk/insight?days=7")
    assert page.source.count('<svg class="plot" role="img"') == page.source.count('<table class="plain">') == 5
    assert "1 demande reçue en 7 jours" in page.words
    assert "Le foie" in page.words
    assert labels.topic(CONTENT, "utter_cost") in page.words
    assert "style=" not in page.source.replace("stylesheet", "")
    assert len(set(re.findall(r' id="([^"]+)"', page.source))) == len(re.findall(r' id="([^"]+)"', page.source))
    assert "Rien sur cette période." in page.words


def test_the_period_can_be_chosen_and_nothing_else(lead: Browser) -> None:
    assert "en 90 jours" in lead.page("/desk/insight?days=90").words
    for wanted in ("", "1000", "7; DROP", "-7"):
        assert "en 30 jours" in lead.page(f"/desk/insight?days={wanted}").words


def test_the_export_is_a_table_and_is_audited(lead: Browser, database: Database) -> None:
    leave_request(database)
    answer = lead.get("/desk/insight/export?days=7")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["content-disposition"].startswith('attachment; filename="passerelle-')
    rows = list(csv.reader(io.StringIO(answer.content.decode("utf-8-sig")), delimiter=";"))
    assert rows[0] == ["Tableau", "Ligne", "Mesure", "Valeur"]
    assert ["Demandes par sujet", "Le foie", "Nombre", "1"] in rows
    assert len([row for row in rows if row[0] == "Demandes par jour"]) == 7
    with database.transaction() as session:
        assert [(e.actor, e.action, e.subject) for e in session.scalars(select(AuditEntry).where(AuditEntry.action == "insight.export"))] == [
            ("Lena", "insight.export", "7 jours")
        ]


@pytest.mark.parametrize("begins", ["=", "+", "-", "@", "\t", "\r"])
def test_no_cell_of_an_export_is_a_formula(begins: str) -> None:
    (row,) = csv.reader(io.StringIO(csv_text([[f"{begins}HYPERLINK(1)", 1.5, None]]).removeprefix("\ufeff"), newline=""), delimiter=";")
    assert row == [f"'{begins}HYPERLINK(1)", "1,5", ""]


def test_figures_of_an_empty_desk_say_that_there_is_nothing(database: Database) -> None:
    assert all(figure.plot is None for figure in figures(_numbers(database), CONTENT))
