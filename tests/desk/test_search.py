"""Finding requests among many: by what a person remembers of them, without the database ever holding a readable name."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event, select, text, update

from desk import audit
from desk.db import Database, now
from desk.models import Role, SearchTerm, Staff, Ticket, TicketState
from desk.tickets import search, service
from desk.tickets.search import Group, Page, Query, Sort


def leave(database: Database, **fields: Any) -> str:
    """Leaves a request as a visitor does; columns of the table beside the visitor's own are set afterwards."""
    columns = {name: fields.pop(name) for name in list(fields) if name not in service.NewRequest.model_fields}
    values = {"conversation_id": "elsewhere", "name": "Camille Laurent", "phone": "+33612345678", "windows": "mardi", "subject": "liver"}
    with database.transaction() as session:
        wanted = service.NewRequest.model_validate({"transcript": False, "consent_version": "7"} | values | fields)
        reference = service.open_ticket(session, wanted, secrets.token_hex(8))[0].reference
        if columns:
            session.execute(update(Ticket).where(Ticket.reference == reference).values(**columns))
    return reference


def page(database: Database, **query: Any) -> Page:
    with database.transaction() as session:
        return search.find(session, Query(**query), now())


def found(database: Database, **query: Any) -> list[str]:
    return [ticket.reference for ticket in page(database, **query).tickets]


@pytest.fixture
def anne(database: Database) -> Staff:
    staff = Staff(name="anne", password_hash="-", role=Role.AGENT)
    with database.transaction() as session:
        session.add(staff)
    return staff


# ---------------------------------------------------------------- by what is remembered


@pytest.mark.parametrize(
    "typed",
    [
        *("camille", "CAMILLE LAURENT", "laurent camille", "cam", "Lau cam", "dupré", "DUPRE", "dup", "d'arc", "arc"),
        *("06 12 34 56 78", "0612345678", "+33 6 12 34 56 78", "0033612345678", "06.12.34.56.78", "(0)6-12-34-56-78", "33612345678"),
        *("camille@exemple.fr", "Camille@Exemple.FR", "camille arobase exemple point fr", " camille@exemple.fr "),
    ],
)
def test_a_request_is_found_by_name_number_and_address_however_typed(database: Database, typed: str) -> None:
    wanted = leave(database, name="Camille Laurent-Dupré d'Arc", phone="+33612345678", email="camille@exemple.fr")
    leave(database, name="Fatou Diop", phone="+221771234567", email="fatou@exemple.sn")
    assert found(database, text=typed) == [wanted]


@pytest.mark.parametrize(
    "typed", ["ca", "amille", "camille diop", "laurenty", "0612345679", "exemple.fr", "camille@exemple.org", "%", "' OR 1=1 --", "_______", "…"]
)
def test_what_no_request_has_finds_none(database: Database, typed: str) -> None:
    leave(database, email="camille@exemple.fr")
    leave(database, name="Fatou Diop", phone="+221771234567")
    assert found(database, text=typed) == []


def test_short_names_are_found_whole(database: Database) -> None:
    wanted = leave(database, name="Bo Li")
    leave(database, name="Boris Lindt")
    assert found(database, text="li bo") == [wanted]


@pytest.mark.parametrize("said", [lambda r: r, lambda r: f" {r.lower()} ", lambda r: f"rdv {r[4:8]} {r[9:]}".lower(), lambda r: r[4:]])
def test_a_reference_is_found_as_it_is_said(database: Database, said: Callable[[str], str]) -> None:
    wanted = leave(database)
    leave(database)
    assert found(database, text=said(wanted)) == [wanted]


def test_a_name_that_could_be_a_reference_is_found_as_a_name(database: Database) -> None:
    wanted = leave(database, name="Magaye Ndiaye")
    assert found(database, text="Magaye") == [wanted]


@pytest.mark.parametrize(("phone", "typed"), [("+32470123456", "0470 12 34 56"), ("+41791234567", "079 123 45 67"), ("+221771234567", "77 123 45 67")])
def test_a_number_is_found_as_its_own_country_writes_it(database: Database, phone: str, typed: str) -> None:
    assert found(database, text=typed) == []
    wanted = leave(database, phone=phone)
    assert found(database, text=typed) == [wanted]


def test_the_index_says_nothing_to_who_reads_the_database(database: Database) -> None:
    leave(database, name="Camille Laurent", email="camille@exemple.fr")
    with database.engine.connect() as connection:
        rows = str(connection.execute(text("SELECT * FROM search_terms")).all()).lower()
    assert rows != "[]"
    for word in ("camille", "cam", "laurent", "exemple", "612345678"):
        assert word not in rows.replace("'", " ").split()
        assert len(word) < 5 or word not in rows


def test_an_erased_request_is_found_by_nothing(database: Database) -> None:
    leave(database, email="camille@exemple.fr")
    with database.transaction() as session:
        service.erase(session, session.scalars(select(Ticket)).one(), audit.SYSTEM)
        assert session.scalars(select(SearchTerm)).all() == []
    for group in Group:
        assert found(database, group=group, text="camille") == []
        assert found(database, group=group) == []


def test_requests_from_before_the_index_are_indexed_later(database: Database) -> None:
    wanted = leave(database)
    with database.transaction() as session:
        session.execute(text("DELETE FROM search_terms"))
    assert found(database, text="camille") == []
    with database.transaction() as session:
        assert search.index_missing(session) == 1
        assert search.index_missing(session) == 0
    assert found(database, text="camille") == [wanted]


# ---------------------------------------------------------------- which, and in which order


def test_each_group_holds_its_states(database: Database, anne: Staff) -> None:
    made = {}
    for state in TicketState:
        owned = state in (TicketState.CLAIMED, TicketState.PENDING_VISITOR, TicketState.BOOKED, TicketState.CLOSED)
        made[state] = leave(database, state=state, assignee_id=anne.id if owned else None, answer_due=now() - timedelta(hours=1))
    expected = {
        Group.OPEN: "waiting claimed pending_visitor booked expired",
        Group.TO_DO: "waiting claimed pending_visitor expired",
        Group.WAITING: "waiting expired",
        Group.MINE: "claimed pending_visitor booked",
        Group.OVERDUE: "waiting claimed expired",
        Group.BOOKED: "booked",
        Group.OVER: "closed cancelled spam",
        Group.ALL: "waiting claimed pending_visitor booked expired closed cancelled spam",
    }
    assert {group: set(found(database, group=group, viewer_id=anne.id)) for group in Group} == {
        group: {made[TicketState(state)] for state in states.split()} for group, states in expected.items()
    }
    with database.transaction() as session:
        assert search.count_groups(session, anne.id, now()) == {group: len(states.split()) for group, states in expected.items()}


def test_an_empty_desk_counts_nothing(database: Database) -> None:
    with database.transaction() as session:
        assert set(search.count_groups(session, 1, now()).values()) == {0}
    assert (page(database).total, page(database).pages) == (0, 1)


def test_a_request_is_overdue_by_the_deadline_that_runs(database: Database) -> None:
    past, future = now() - timedelta(minutes=1), now() + timedelta(hours=1)
    unanswered = leave(database, answer_due=past, booking_due=future)
    unbooked = leave(database, answer_due=past, booking_due=past, first_answer_at=past)
    leave(database, answer_due=past, booking_due=future, first_answer_at=past)
    leave(database, answer_due=future, booking_due=future)
    leave(database)
    assert set(found(database, group=Group.OVERDUE)) == {unanswered, unbooked}


def test_the_nearest_deadline_comes_first_and_none_last(database: Database, anne: Staff) -> None:
    at = now()
    none = leave(database, created_at=at - timedelta(days=9))
    waiting_for_visitor = leave(database, state=TicketState.PENDING_VISITOR, answer_due=at, booking_due=at, created_at=at - timedelta(days=8))
    later = leave(database, answer_due=at + timedelta(hours=5), booking_due=at + timedelta(hours=9))
    answered = leave(database, answer_due=at - timedelta(hours=5), booking_due=at + timedelta(hours=7), first_answer_at=at)
    late = leave(database, answer_due=at - timedelta(hours=1), booking_due=at + timedelta(hours=9))
    assert found(database, sort=Sort.DEADLINE) == [late, later, answered, none, waiting_for_visitor]


def test_the_newest_or_the_oldest_comes_first(database: Database) -> None:
    days = {n: leave(database, created_at=now() - timedelta(days=n)) for n in (2, 3, 1)}
    assert found(database, sort=Sort.RECEIVED) == [days[1], days[2], days[3]]
    assert found(database, sort=Sort.AGE) == [days[3], days[2], days[1]]


def test_filters_narrow_each_other(database: Database, anne: Staff) -> None:
    wanted = leave(database, subject="joints", state=TicketState.CLAIMED, assignee_id=anne.id)
    leave(database, subject="joints")
    leave(database, subject="liver", state=TicketState.CLAIMED, assignee_id=anne.id)
    leave(database, subject="joints", state=TicketState.CLAIMED, assignee_id=anne.id, name="Fatou Diop")
    shown = page(database, subject="joints", owner_id=anne.id, text="camille")
    assert [ticket.reference for ticket in shown.tickets] == [wanted]
    assert shown.tickets[0].assignee and shown.tickets[0].assignee.name == "anne"


def test_every_request_is_on_exactly_one_page(database: Database) -> None:
    at = now()
    with database.transaction() as session:  # all of one moment: their order must not depend on chance
        for n in range(search.PAGE * 2 + 3):
            fields = {"idempotency_key": str(n), "body_hash": "", "subject": "liver", "transcript_allowed": False, "consent_version": "7"}
            session.add(Ticket(reference=f"RDV-{n}", name="Camille", consent_at=at, created_at=at, **fields))
    for sort in Sort:
        seen = [found(database, sort=sort, page=n) for n in (1, 2, 3)]
        assert [len(references) for references in seen] == [50, 50, 3]
        assert len({reference for references in seen for reference in references}) == 103
        assert found(database, sort=sort, page=99) == seen[2], "beyond the last page is the last"
        assert found(database, sort=sort, page=-1) == seen[0]
    assert (page(database).total, page(database).pages) == (103, 3)


@contextmanager
def counted(database: Database) -> Iterator[list[str]]:
    said: list[str] = []

    def note(connection: Any, cursor: Any, statement: str, *_: Any) -> None:
        said.append(statement)

    event.listen(database.engine, "before_cursor_execute", note)
    yield said
    event.remove(database.engine, "before_cursor_execute", note)


def test_more_requests_need_no_more_queries(database: Database, anne: Staff) -> None:
    for owner in (anne.id, None, anne.id):
        leave(database, state=TicketState.CLAIMED, assignee_id=owner)
    with counted(database) as few, database.transaction() as session:
        assert len(search.find(session, Query(text="camille"), now()).tickets) == 3
    for n in range(30):
        with database.transaction() as session:
            other = Staff(name=f"membre {n}", password_hash="-", role=Role.AGENT)
            session.add(other)
            session.flush()
        leave(database, state=TicketState.CLAIMED, assignee_id=other.id)
    with counted(database) as many, database.transaction() as session:
        shown = search.find(session, Query(text="camille"), now())
    assert len({ticket.assignee.name for ticket in shown.tickets if ticket.assignee}) == 31, "owners are loaded"
    assert len(few) == len(many)
    assert len([statement for statement in many if statement.startswith("SELECT")]) == 2
