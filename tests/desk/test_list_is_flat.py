"""The list and its searches take as many statements over hundreds of requests as over three: none for each row. Times are for ``make bench``."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from sqlalchemy import select

from desk.db import Database
from desk.models import Ticket
from tests.desk_pages import desk_app
from tools.bench_desk import PAGES, Measured, ask, counted, filled, growing, slow

MOST = 12  # statements of a page: its session, what its reader may do, the rows, their number, tabs, people, presence, appointments


def test_a_full_page_takes_as_many_statements_as_one_with_three_requests(database: Database, tmp_path: Path) -> None:
    app = desk_app(database, tmp_path)
    few = asyncio.run(ask(app, filled(database, 3), 1))
    many = asyncio.run(ask(app, filled(database, 500), 1))
    assert growing(few, many) == []
    for asked in PAGES:
        if asked.has_goal:
            assert 2 <= max(many[asked.name].statements) <= MOST, asked.name


def test_a_statement_for_each_row_would_be_noticed(database: Database) -> None:
    filled(database, 500)
    with counted(database.engine) as sent, database.transaction() as session:
        owners = {ticket.assignee.name for ticket in session.scalars(select(Ticket).limit(50)) if ticket.assignee}
    assert len(sent) == 1 + len(owners), "lazily loaded"
    few, many = ({asked.name: Measured([1.0], [1.0], {count}) for asked in PAGES} for count in (8, len(sent)))
    assert "takes" in growing(few, many)[0]
    assert growing(few, few) == []


@pytest.mark.parametrize(("milliseconds", "is_slow"), [([101.0] * 100, True), ([99.0] * 96 + [900.0] * 4, False), ([99.0] * 94 + [101.0] * 6, True)])
def test_the_goal_is_kept_by_95_of_100(milliseconds: list[float], is_slow: bool) -> None:
    assert bool(slow({asked.name: Measured(milliseconds, milliseconds, {8}) for asked in PAGES})) is is_slow
