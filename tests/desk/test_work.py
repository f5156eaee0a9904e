"""What staff do with requests: whose move it is, who wins a race, what can be taken back, and what the desk does by itself."""

from __future__ import annotations

import asyncio
import secrets
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from time import sleep
from typing import Any

import pytest
from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from bot.answers import Message
from desk import audit
from desk.chat import conversations as chat
from desk.db import Database, now
from desk.models import (
    Answer,
    AuditEntry,
    ChatMessage,
    Conversation,
    Delivery,
    Note,
    Notification,
    OpeningHours,
    Presence,
    Role,
    SearchTerm,
    Staff,
    Ticket,
    TicketState,
    Undo,
)
from desk.settings import Settings, load_settings
from desk.tickets import rounds, service, work
from desk.tickets.events import Event, EventBus
from desk.tickets.states import OPEN, TRANSITIONS, Move, Who, open_moves
from tests.desk_client import SECRET, Desk

EMAIL = "camille@exemple.fr"
Do = Callable[[Session, str, Staff, int, Settings], Any]


# ---------------------------------------------------------------- the desk under test


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings(data=tmp_path, webhook_url="https://clinique.exemple/evenements", webhook_secrets="whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")


@pytest.fixture
def people(database: Database) -> dict[str, Staff]:
    roles = {"anne": Role.AGENT, "bruno": Role.AGENT, "léa": Role.LEAD, "paul": Role.PRIVACY_OFFICER, "ada": Role.ADMIN}
    found = {name: Staff(name=name, password_hash="-", role=role) for name, role in roles.items()}
    with database.transaction() as session:
        session.add_all(found.values())
    return found


@pytest.fixture
def anne(people: dict[str, Staff]) -> Staff:
    return people["anne"]


@pytest.fixture
def bruno(people: dict[str, Staff]) -> Staff:
    return people["bruno"]


@pytest.fixture
def lea(people: dict[str, Staff]) -> Staff:
    return people["léa"]


def leave(database: Database, settings: Settings | None = None, **fields: Any) -> str:
    """Leaves a request as a visitor does; returns its reference."""
    values = {"conversation_id": "elsewhere", "name": "Camille Laurent", "phone": "+33612345678", "windows": "mardi", "subject": "liver"}
    with database.transaction() as session:
        wanted = service.NewRequest.model_validate({"transcript": False, "consent_version": "7"} | values | fields)
        return service.open_ticket(session, wanted, secrets.token_hex(8), settings)[0].reference


def put(database: Database, reference: str, **values: Any) -> None:
    """Sets columns of a request as if all that leads there had happened."""
    with database.transaction() as session:
        session.execute(update(Ticket).where(Ticket.reference == reference).values(**values))


def read(database: Database, reference: str) -> Ticket:
    with database.transaction() as session:
        ticket = service.by_reference(session, reference)
        assert ticket
        _ = ticket.assignee
        return ticket


def do(database: Database, settings: Settings, move: Do, reference: str, actor: Staff, version: int | None = None) -> Any:
    """One move in a transaction of its own, on the request as it is unless ``version`` says otherwise."""
    seen = version if version is not None else read(database, reference).version
    with database.transaction() as session:
        return move(session, reference, actor, seen, settings)


def writes(text: str) -> Do:
    return lambda session, reference, actor, seen, settings: work.answer(session, reference, actor, text, seen, settings)


def gives(to: Staff, note: str = "") -> Do:
    return lambda session, reference, actor, seen, settings: work.transfer(session, reference, actor, to, note, seen, settings)


def done(database: Database, reference: str) -> list[tuple[str, str]]:
    with database.transaction() as session:
        return [(e.actor, e.action) for e in session.scalars(select(AuditEntry).where(AuditEntry.subject == reference).order_by(AuditEntry.id))]


def outbox(database: Database, template: str) -> list[Notification]:
    with database.transaction() as session:
        return list(session.scalars(select(Notification).where(Notification.template == template).order_by(Notification.id)))


def rows(database: Database, table: type[Any]) -> int:
    with database.transaction() as session:
        return session.scalar(select(func.count()).select_from(table)) or 0


def round_at(database: Database, settings: Settings, made: rounds.Round, at: datetime) -> list[str]:
    with database.transaction() as session:
        return made(session, settings, at)


def open_conversation(database: Database) -> str:
    with database.transaction() as session:
        return chat.open_conversation(session, Message("Bonjour", "greeting"))[0].id


def told(database: Database, conversation_id: str) -> list[str]:
    """What staff said in a conversation."""
    with database.transaction() as session:
        return [m.text for m in chat.messages_after(session, conversation_id, 0) if (m.sender, m.kind) == ("human", "human")]


def open_daily(database: Database) -> None:
    """The clinic is open from 9 to 17 o'clock of its own zone, Monday to Friday."""
    with database.transaction() as session:
        session.add_all(OpeningHours(weekday=day, opens=time(9), closes=time(17)) for day in range(5))


def belgrade(day: int, hour: int) -> datetime:
    """In the week of Monday 2 November 2026, when Belgrade's clock is one hour ahead."""
    return datetime(2026, 11, day, hour - 1, tzinfo=UTC)


# ---------------------------------------------------------------- owning, and who wins


def test_who_claims_a_request_owns_it(database: Database, settings: Settings, anne: Staff) -> None:
    reference = leave(database)
    ticket = do(database, settings, work.claim, reference, anne)
    assert (ticket.state, ticket.assignee.name, ticket.version) == (TicketState.CLAIMED, "anne", 2)
    assert ticket.claimed_at
    assert done(database, reference)[-1] == ("anne", "ticket.claim")
    assert outbox(database, "request.claimed")


def test_of_eight_people_who_claim_at_once_one_wins_and_the_others_are_told_who(database: Database, settings: Settings) -> None:
    with database.transaction() as session:
        crowd = [Staff(name=f"membre {n}", password_hash="-", role=Role.AGENT) for n in range(8)]
        session.add_all(crowd)
    reference = leave(database)
    barrier, won, lost = threading.Barrier(8), [], []

    def try_to(actor: Staff) -> None:
        barrier.wait()
        try:
            won.append(do(database, settings, work.claim, reference, actor, version=1).assignee.name)
        except work.StateChanged as error:
            lost.append((error.by, error.action))

    threads = [threading.Thread(target=try_to, args=(actor,)) for actor in crowd]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1
    assert lost == [(won[0], "ticket.claim")] * 7
    assert read(database, reference).assignee.name == won[0]
    assert [action for _, action in done(database, reference)].count("ticket.claim") == 1


def test_two_tabs_of_one_person_answer_once(database: Database, settings: Settings, anne: Staff) -> None:
    reference = leave(database, email=EMAIL)
    do(database, settings, work.claim, reference, anne)
    barrier, outcomes = threading.Barrier(2), []

    def tab(text: str) -> None:
        barrier.wait()
        try:
            outcomes.append(do(database, settings, writes(text), reference, anne, version=2).text)
        except work.StateChanged as error:
            outcomes.append(error.by)

    threads = [threading.Thread(target=tab, args=(text,)) for text in ("Bonjour", "Bonjour !")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outcomes.count("anne") == 1
    assert len(outbox(database, "answer")) == rows(database, Answer) == 1


def test_a_page_that_is_older_than_the_request_changes_nothing(database: Database, settings: Settings, anne: Staff, lea: Staff) -> None:
    reference = leave(database)
    do(database, settings, work.claim, reference, anne)
    do(database, settings, gives(lea), reference, anne)
    with pytest.raises(work.StateChanged) as refused:
        do(database, settings, work.close, reference, anne, version=2)
    assert (refused.value.by, refused.value.action) == ("anne", "ticket.transfer")
    assert refused.value.at
    assert read(database, reference).state is TicketState.CLAIMED


@pytest.mark.parametrize("move", [work.close, work.wait_for_visitor, work.mark_spam, work.mark_booked, work.release, writes("Bonjour")])
def test_only_the_owner_works_with_a_request(database: Database, settings: Settings, anne: Staff, bruno: Staff, move: Do) -> None:
    reference = leave(database, email=EMAIL)
    do(database, settings, work.claim, reference, anne)
    before = read(database, reference)
    with pytest.raises(work.NotYours) as refused:
        do(database, settings, move, reference, bruno)
    assert refused.value.owner == "anne"
    after = read(database, reference)
    assert (after.state, after.version, after.assignee.name) == (before.state, before.version, "anne")


def test_a_lead_must_take_a_request_over_before_writing_to_its_visitor(database: Database, settings: Settings, anne: Staff, lea: Staff) -> None:
    reference = leave(database, email=EMAIL)
    do(database, settings, work.claim, reference, anne)
    with pytest.raises(work.NotYours):
        do(database, settings, writes("Bonjour"), reference, lea)
    do(database, settings, work.take_over, reference, lea)
    do(database, settings, writes("Bonjour"), reference, lea)
    assert read(database, reference).assignee.name == "léa"


def test_an_agent_cannot_take_over(database: Database, settings: Settings, anne: Staff, bruno: Staff) -> None:
    reference = leave(database)
    do(database, settings, work.claim, reference, anne)
    with pytest.raises(work.NotYours):
        do(database, settings, work.take_over, reference, bruno)
    assert read(database, reference).assignee.name == "anne"


@pytest.mark.parametrize("move", [work.release, "transfer"])
def test_a_lead_may_release_and_give_away_what_another_owns(database: Database, settings: Settings, people: dict[str, Staff], move: Any) -> None:
    reference = leave(database)
    do(database, settings, work.claim, reference, people["anne"])
    do(database, settings, gives(people["bruno"]) if move == "transfer" else move, reference, people["léa"])
    ticket = read(database, reference)
    assert (ticket.assignee.name if ticket.assignee else None) == ("bruno" if move == "transfer" else None)


@pytest.mark.parametrize("name", ["paul", "ada"])
@pytest.mark.parametrize("move", [work.claim, work.close, work.wait_for_visitor, work.mark_spam, writes("Bonjour")])
def test_who_may_not_work_on_requests_moves_none(database: Database, settings: Settings, people: dict[str, Staff], name: str, move: Do) -> None:
    reference = leave(database, email=EMAIL)
    with pytest.raises(work.NotAllowed):
        do(database, settings, move, reference, people[name])
    with pytest.raises(work.NotAllowed), database.transaction() as session:
        work.add_note(session, reference, people[name], "Bonjour")
    assert read(database, reference).version == 1


def test_a_transfer_tells_why_in_a_note(database: Database, settings: Settings, anne: Staff, bruno: Staff) -> None:
    reference = leave(database)
    do(database, settings, work.claim, reference, anne)
    do(database, settings, gives(bruno, " Elle préfère parler serbe. "), reference, anne)
    with database.transaction() as session:
        ticket = session.scalars(select(Ticket)).one()
        assert [(n.author, n.text) for n in ticket.notes] == [("anne", "Elle préfère parler serbe.")]
        assert (ticket.state, ticket.assignee and ticket.assignee.name) == (TicketState.CLAIMED, "bruno")


@pytest.mark.parametrize("whom", ["anne", "ada", "bruno"])
def test_a_request_is_given_only_to_somebody_else_who_can_work_on_it(database: Database, settings: Settings, people: dict[str, Staff], whom: str) -> None:
    with database.transaction() as session:
        session.execute(update(Staff).where(Staff.name == "bruno").values(active=False))
    reference = leave(database)
    do(database, settings, work.claim, reference, people["anne"])
    with pytest.raises(work.CannotReceive):
        do(database, settings, gives(people[whom]), reference, people["anne"])
    assert read(database, reference).assignee.name == "anne"


@pytest.mark.parametrize("state", [TicketState.WAITING, TicketState.EXPIRED])
@pytest.mark.parametrize(
    ("move", "leads_to"),
    [
        (writes("Bonjour"), TicketState.CLAIMED),
        (work.wait_for_visitor, TicketState.PENDING_VISITOR),
        (work.close, TicketState.CLOSED),
        (work.mark_booked, TicketState.BOOKED),
    ],
)
def test_the_first_who_works_with_a_request_nobody_owns_becomes_its_owner(
    database: Database, settings: Settings, anne: Staff, state: TicketState, move: Do, leads_to: TicketState
) -> None:
    reference = leave(database, email=EMAIL)
    put(database, reference, state=state)
    do(database, settings, move, reference, anne)
    ticket = read(database, reference)
    assert (ticket.state, ticket.assignee.name) == (leads_to, "anne")
    assert ("anne", "ticket.claim") in done(database, reference)


# ---------------------------------------------------------------- states


def moves_of(people: dict[str, Staff]) -> dict[Move, Do]:
    """Each move, made by whoever may."""
    return {
        Move.CLAIM: work.claim,
        Move.RELEASE: work.release,
        Move.TRANSFER: gives(people["bruno"]),
        Move.TAKE_OVER: lambda s, r, a, seen, c: work.take_over(s, r, people["léa"], seen, c),
        Move.WAIT: work.wait_for_visitor,
        Move.RESUME: work.resume,
        Move.ANSWER: writes("Bonjour"),
        Move.BOOK: work.mark_booked,
        Move.UNBOOK: work.mark_unbooked,
        Move.CLOSE: work.close,
        Move.REOPEN: work.reopen,
        Move.SPAM: work.mark_spam,
        Move.NOT_SPAM: work.not_spam,
        Move.CANCEL: lambda s, r, a, seen, c: work.cancel_by_visitor(s, r, c),
        Move.EXPIRE: lambda s, r, a, seen, c: work.expire(s, r, seen, c),
    }


ALLOWED = {
    Move.CLAIM: "waiting expired",
    Move.RELEASE: "claimed pending_visitor",
    Move.TRANSFER: "claimed pending_visitor booked",
    Move.TAKE_OVER: "claimed pending_visitor booked",
    Move.WAIT: "waiting claimed expired",
    Move.RESUME: "pending_visitor",
    Move.ANSWER: "waiting claimed pending_visitor booked expired",
    Move.BOOK: "waiting claimed pending_visitor booked expired",
    Move.UNBOOK: "booked",
    Move.CLOSE: "waiting claimed pending_visitor booked expired",
    Move.REOPEN: "closed cancelled",
    Move.SPAM: "waiting claimed pending_visitor expired",
    Move.NOT_SPAM: "spam",
    Move.CANCEL: "waiting claimed pending_visitor booked expired",
    Move.EXPIRE: "waiting",
}


@pytest.mark.parametrize("move", list(Move))
def test_a_move_starts_only_from_its_states(database: Database, settings: Settings, people: dict[str, Staff], move: Move) -> None:
    reference = leave(database, email=EMAIL)
    owned = (TicketState.CLAIMED, TicketState.PENDING_VISITOR, TicketState.BOOKED)
    worked = set()
    for state in TicketState:
        put(database, reference, state=state, assignee_id=people["anne"].id if state in owned else None, closed_at=None)
        try:
            do(database, settings, moves_of(people)[move], reference, people["anne"])
            worked.add(state.value)
        except work.NotAllowed:
            assert read(database, reference).state is state
    assert worked == set(ALLOWED[move].split())


def test_an_erased_request_can_do_nothing(people: dict[str, Staff]) -> None:
    assert not any(open_moves(TicketState.ERASED, role, True, True) for role in Role)


def test_a_page_offers_what_would_be_allowed(database: Database, settings: Settings, people: dict[str, Staff]) -> None:
    """The buttons of a page and the refusals of the business functions come from one table."""
    agents = {name: people[name] for name in ("anne", "léa", "ada")}
    for state in OPEN:
        for name, actor in agents.items():
            for owner in (None, "anne", "bruno"):
                if (owner is None) != (state in (TicketState.WAITING, TicketState.EXPIRED)):
                    continue
                offered = open_moves(state, actor.role, owner == name, owner is not None)
                assert offered == {m for m in offered if state.value in ALLOWED[m].split() and TRANSITIONS[m].who not in (Who.SYSTEM, Who.VISITOR)}
                for move, made in moves_of(people).items():
                    if TRANSITIONS[move].who in (Who.SYSTEM, Who.VISITOR, Who.LEAD) or state.value not in ALLOWED[move].split():
                        continue
                    reference = leave(database, email=EMAIL)
                    put(database, reference, state=state, assignee_id=people[owner].id if owner else None)
                    try:
                        do(database, settings, made, reference, actor)
                        allowed = True
                    except (work.NotYours, work.NotAllowed):
                        allowed = False
                    except work.CannotReceive:
                        allowed = True
                    assert allowed == (move in offered), (state, name, owner, move)


def test_what_is_not_spam_goes_back_to_the_queue(database: Database, settings: Settings, anne: Staff, bruno: Staff) -> None:
    reference = leave(database)
    do(database, settings, work.claim, reference, anne)
    do(database, settings, work.mark_spam, reference, anne)
    assert read(database, reference).closed_at, "what is set aside is erased in time"
    do(database, settings, work.not_spam, reference, bruno)
    ticket = read(database, reference)
    assert (ticket.state, ticket.assignee, ticket.closed_at) == (TicketState.WAITING, None, None)


def test_a_visitor_cancels_whoever_owns_the_request(database: Database, settings: Settings, anne: Staff) -> None:
    reference = leave(database)
    do(database, settings, work.claim, reference, anne)
    with database.transaction() as session:
        work.cancel_by_visitor(session, reference, settings)
    assert read(database, reference).state is TicketState.CANCELLED
    assert done(database, reference)[-1] == (audit.VISITOR, "ticket.cancel")
    assert outbox(database, "request.cancelled")


def test_a_reference_that_nobody_has_is_said_to_be_none(database: Database, settings: Settings, anne: Staff) -> None:
    with pytest.raises(work.NoSuchTicket):
        do(database, settings, work.claim, "RDV-7K4M-29", anne, version=1)


def test_a_closed_request_reopens_in_the_queue_with_new_deadlines(database: Database, settings: Settings, anne: Staff) -> None:
    open_daily(database)
    reference = leave(database, settings, email=EMAIL)
    do(database, settings, writes("Bonjour"), reference, anne)
    do(database, settings, work.close, reference, anne)
    old = now() - timedelta(days=13)
    put(database, reference, closed_at=old, answer_due=old, booking_due=old, escalated_at=old)
    reopened = do(database, settings, work.reopen, reference, anne)
    assert reopened.reference == reference
    assert (reopened.state, reopened.assignee, reopened.closed_at, reopened.first_answer_at, reopened.escalated_at) == (
        TicketState.WAITING,
        None,
        None,
        None,
        None,
    )
    assert now() < reopened.answer_due < reopened.booking_due


def test_later_a_new_request_follows_the_closed_one(database: Database, settings: Settings, anne: Staff) -> None:
    reference = leave(database, email=EMAIL, transcript=True)
    do(database, settings, work.close, reference, anne)
    put(database, reference, closed_at=now() - timedelta(days=15))
    follower = do(database, settings, work.reopen, reference, anne)
    ended = read(database, reference)
    assert follower.reference != reference
    assert (follower.follows_id, follower.state, follower.name, follower.email) == (ended.id, TicketState.WAITING, "Camille Laurent", EMAIL)
    assert not follower.transcript_allowed, "the visitor allowed it for the old request"
    assert ended.state is TicketState.CLOSED
    with database.transaction() as session:
        assert session.scalar(select(func.count()).select_from(SearchTerm).where(SearchTerm.ticket_id == follower.id))
    with pytest.raises(work.StateChanged):
        do(database, settings, work.reopen, reference, anne, version=ended.version - 1)
    assert rows(database, Ticket) == 2


# ---------------------------------------------------------------- clocks


def test_deadlines_count_opening_time(database: Database, settings: Settings) -> None:
    open_daily(database)
    reference = leave(database, settings)
    ticket = read(database, reference)
    with database.transaction() as session:
        calendar = rounds.load_calendar(session, settings)
        assert calendar
        assert calendar.open_time_between(ticket.created_at, ticket.answer_due) == timedelta(hours=8)
        assert calendar.open_time_between(ticket.created_at, ticket.booking_due) == timedelta(hours=40)


def test_without_opening_hours_nothing_is_ever_late(database: Database, settings: Settings) -> None:
    reference = leave(database, settings)
    put(database, reference, created_at=now() - timedelta(hours=20))
    assert (read(database, reference).answer_due, read(database, reference).booking_due) == (None, None)
    assert round_at(database, settings, rounds.escalate_overdue, now() + timedelta(days=99)) == []


def test_requests_from_before_the_opening_hours_get_their_deadlines_once_there_are_some(database: Database, settings: Settings, anne: Staff) -> None:
    reference, over = leave(database, settings), leave(database, settings)
    do(database, settings, work.close, over, anne)
    open_daily(database)
    assert round_at(database, settings, rounds.start_clocks, belgrade(2, 9)) == [reference]
    assert (read(database, reference).answer_due, read(database, reference).booking_due) == (belgrade(2, 17), belgrade(6, 17))
    assert round_at(database, settings, rounds.start_clocks, belgrade(3, 9)) == []


def test_while_the_visitor_is_waited_for_the_deadlines_stand_still(database: Database, settings: Settings, anne: Staff) -> None:
    open_daily(database)
    reference = leave(database, settings)
    do(database, settings, work.wait_for_visitor, reference, anne)
    # It waited from Monday 16:00 to some moment later: the opening time between is what the deadlines move by.
    paused = now() - timedelta(days=10)
    put(database, reference, paused_at=paused, answer_due=paused + timedelta(hours=1), booking_due=paused + timedelta(hours=30), first_answer_at=None)
    before = read(database, reference)
    assert reference not in round_at(database, settings, rounds.escalate_overdue, now()), "nobody is late while the visitor is waited for"
    after = do(database, settings, work.resume, reference, anne)
    with database.transaction() as session:
        calendar = rounds.load_calendar(session, settings)
        assert calendar
        missed = calendar.open_time_between(paused, now())
        assert missed > timedelta(hours=40)
        for name in ("answer_due", "booking_due"):
            moved = calendar.open_time_between(getattr(before, name), getattr(after, name))
            assert abs(moved - missed) < timedelta(seconds=5), name
    assert (after.state, after.paused_at) == (TicketState.CLAIMED, None)


def test_a_night_of_waiting_for_the_visitor_costs_no_opening_time(database: Database, settings: Settings) -> None:
    from desk.tickets import clocks

    open_daily(database)
    with database.transaction() as session:
        calendar = rounds.load_calendar(session, settings)
    ticket = Ticket(paused_at=belgrade(2, 16), answer_due=belgrade(2, 17), booking_due=belgrade(6, 12))
    clocks.go_on(ticket, calendar, belgrade(3, 10))
    # One hour of Monday and one of Tuesday passed.
    assert (ticket.answer_due, ticket.booking_due) == (belgrade(3, 11), belgrade(6, 14))


def test_a_cancelled_appointment_gives_a_new_deadline_to_its_owner(database: Database, settings: Settings, anne: Staff) -> None:
    open_daily(database)
    reference = leave(database, settings)
    do(database, settings, work.mark_booked, reference, anne)
    assert read(database, reference).first_answer_at, "an appointment is an answer"
    put(database, reference, booking_due=now() - timedelta(days=1))
    with database.transaction() as session:
        ticket = work.mark_unbooked(session, reference, None, None, settings)
    assert (ticket.state, ticket.assignee and ticket.assignee.name) == (TicketState.CLAIMED, "anne")
    assert ticket.booking_due and ticket.booking_due > now()


def test_a_cancelled_appointment_that_nobody_owns_goes_to_the_queue(database: Database, settings: Settings, anne: Staff) -> None:
    reference = leave(database)
    do(database, settings, work.mark_booked, reference, anne)
    put(database, reference, assignee_id=None)
    with database.transaction() as session:
        assert work.mark_unbooked(session, reference, None, None, settings).state is TicketState.WAITING


# ---------------------------------------------------------------- the desk's own rounds


def test_an_overdue_request_is_told_of_once(database: Database, settings: Settings, people: dict[str, Staff]) -> None:
    open_daily(database)
    with database.transaction() as session:
        session.execute(update(Staff).where(Staff.name.in_(("anne", "ada"))).values(email="equipe@exemple.rs"))
    reference = leave(database, settings, email=EMAIL)
    put(database, reference, answer_due=belgrade(2, 17), booking_due=belgrade(6, 17))
    assert round_at(database, settings, rounds.escalate_overdue, belgrade(2, 16)) == []
    assert round_at(database, settings, rounds.escalate_overdue, belgrade(3, 9)) == [reference]
    assert round_at(database, settings, rounds.escalate_overdue, belgrade(3, 10)) == []
    (mail,) = outbox(database, "request_overdue")
    assert mail.recipient == "equipe@exemple.rs"
    assert "Camille" not in str(mail.values) and EMAIL not in str(mail.values)
    assert len(outbox(database, "request.overdue")) == 1
    assert read(database, reference).version == 1, "whoever reads its page may go on"
    # Answered at last: now the appointment has its own deadline.
    do(database, settings, writes("Bonjour"), reference, people["anne"])
    assert round_at(database, settings, rounds.escalate_overdue, belgrade(6, 16)) == []
    assert round_at(database, settings, rounds.escalate_overdue, belgrade(9, 10)) == [reference]


def test_a_request_nobody_took_expires_after_opening_hours_only(database: Database, settings: Settings, anne: Staff) -> None:
    open_daily(database)
    reference, taken = leave(database, settings), leave(database, settings)
    do(database, settings, work.claim, taken, anne)
    put(database, reference, created_at=belgrade(2, 9))
    put(database, taken, created_at=belgrade(2, 9))
    with database.transaction() as session:
        session.execute(update(AuditEntry).values(at=belgrade(2, 9)))
    assert round_at(database, settings, rounds.expire_overdue, belgrade(4, 16)) == [], "23 hours of opening time"
    assert round_at(database, settings, rounds.expire_overdue, belgrade(4, 17)) == [reference]
    assert read(database, reference).state is TicketState.EXPIRED
    assert done(database, reference)[-1] == (audit.SYSTEM, "ticket.expire")
    assert do(database, settings, work.claim, reference, anne).state is TicketState.CLAIMED


def test_a_request_that_came_back_to_the_queue_does_not_expire_at_once(database: Database, settings: Settings, anne: Staff) -> None:
    reference = leave(database, settings)
    put(database, reference, created_at=now() - timedelta(days=9))
    do(database, settings, work.claim, reference, anne)
    do(database, settings, work.release, reference, anne)
    assert round_at(database, settings, rounds.expire_overdue, now()) == []
    assert round_at(database, settings, rounds.expire_overdue, now() + timedelta(hours=25)) == [reference]


def test_a_request_its_owner_does_nothing_with_goes_back_to_the_queue(database: Database, settings: Settings, anne: Staff, bruno: Staff) -> None:
    idle, read_today, open_now = leave(database), leave(database), leave(database)
    for reference in (idle, read_today, open_now):
        do(database, settings, work.claim, reference, anne)
        put(database, reference, claimed_at=now() - timedelta(hours=9))
    with database.transaction() as session:
        session.execute(update(AuditEntry).values(at=now() - timedelta(hours=9)))
        audit.record(session, "anne", "ticket.read", read_today)
        audit.record(session, "bruno", "ticket.read", idle)  # somebody else's look is not its owner's
        ticket = service.by_reference(session, open_now)
        assert ticket
        session.add(Presence(ticket_id=ticket.id, staff_id=anne.id, expires_at=now() + timedelta(seconds=30)))
    assert round_at(database, settings, rounds.release_idle, now()) == [idle]
    ticket = read(database, idle)
    assert (ticket.state, ticket.assignee) == (TicketState.WAITING, None)
    assert done(database, idle)[-1] == (audit.SYSTEM, "ticket.release")
    assert rows(database, Undo) == 0


def test_staff_and_the_rounds_may_want_the_same_requests_at_once(database: Database, settings: Settings, anne: Staff) -> None:
    references = [leave(database, settings) for _ in range(12)]
    late = now() + timedelta(hours=25)
    errors: list[BaseException] = []
    start = threading.Barrier(4)

    def claims(some: list[str]) -> None:
        start.wait()
        for reference in some:
            try:
                do(database, settings, work.claim, reference, anne)
            except work.StateChanged:
                pass  # it expired between the look and the claim
            except BaseException as error:
                errors.append(error)

    def expires() -> None:
        start.wait()
        for _ in range(6):
            try:
                round_at(database, settings, rounds.expire_overdue, late)
            except BaseException as error:
                errors.append(error)

    threads = [
        threading.Thread(target=claims, args=(references[::-1],)),
        threading.Thread(target=claims, args=(references,)),
        *[threading.Thread(target=expires) for _ in range(2)],
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [error for error in errors if not isinstance(error, work.NotAllowed)] == []
    for reference in references:
        ticket = read(database, reference)
        actions = [action for _, action in done(database, reference)]
        assert (ticket.state is TicketState.CLAIMED) == (ticket.assignee_id == anne.id)
        assert actions.count("ticket.claim") <= 1 and actions.count("ticket.expire") <= 1
        assert ticket.version == 1 + actions.count("ticket.claim") + actions.count("ticket.expire")


def test_the_weekend_releases_nothing(database: Database, settings: Settings, anne: Staff) -> None:
    open_daily(database)
    reference = leave(database)
    do(database, settings, work.claim, reference, anne)
    put(database, reference, claimed_at=belgrade(6, 16))  # Friday
    with database.transaction() as session:
        session.execute(update(AuditEntry).values(at=belgrade(6, 16)))
    assert round_at(database, settings, rounds.release_idle, belgrade(9, 15)) == []
    assert round_at(database, settings, rounds.release_idle, belgrade(9, 16)) == [reference]


def test_a_new_request_is_told_to_the_team_without_a_word_about_the_person(database: Database, tmp_path: Path, people: dict[str, Staff]) -> None:
    with database.transaction() as session:
        session.execute(update(Staff).where(Staff.name == "anne").values(email="anne@exemple.rs"))
    leave(database, load_settings(data=tmp_path, team_emails="accueil@exemple.rs"), email=EMAIL)
    mails = outbox(database, "request_received")
    assert {mail.recipient for mail in mails} == {"anne@exemple.rs", "accueil@exemple.rs"}
    for mail in mails:
        assert mail.values and set(mail.values) == {"reference", "link"}
    assert outbox(database, "request.received") == [], "no webhook is set"


# ---------------------------------------------------------------- answers


def test_an_answer_leaves_by_mail_once_it_can_no_longer_be_undone(database: Database, settings: Settings, anne: Staff) -> None:
    reference = leave(database, email=EMAIL)
    do(database, settings, writes("Bonjour Camille,\r\nvous pouvez venir mardi."), reference, anne)
    (mail,) = outbox(database, "answer")
    assert (mail.recipient, mail.values and mail.values["text"]) == (EMAIL, "Bonjour Camille,\nvous pouvez venir mardi.")
    assert timedelta(seconds=13) < mail.not_before - now() <= timedelta(seconds=15)
    assert read(database, reference).first_answer_at


def test_an_answer_appears_in_the_conversation_once_it_can_no_longer_be_undone(database: Database, settings: Settings, anne: Staff) -> None:
    conversation = open_conversation(database)
    reference = leave(database, conversation_id=conversation)
    do(database, settings, writes("Bonjour Camille"), reference, anne)
    assert round_at(database, settings, rounds.deliver_due_answers, now() + timedelta(seconds=10)) == []
    assert told(database, conversation) == []
    assert round_at(database, settings, rounds.deliver_due_answers, now() + timedelta(seconds=16)) == [reference]
    assert round_at(database, settings, rounds.deliver_due_answers, now() + timedelta(seconds=17)) == []
    assert told(database, conversation) == ["Bonjour Camille"]
    assert outbox(database, "answer") == [], "there is no address to write to"


def test_an_answer_to_a_conversation_that_was_erased_meanwhile_is_shown_to_nobody(database: Database, settings: Settings, anne: Staff) -> None:
    conversation = open_conversation(database)
    reference = leave(database, conversation_id=conversation)
    do(database, settings, writes("Bonjour"), reference, anne)
    with database.transaction() as session:
        chat.forget_conversation(session, conversation)
    assert round_at(database, settings, rounds.deliver_due_answers, now() + timedelta(minutes=1)) == []
    assert rows(database, ChatMessage) == 0


def test_who_left_only_a_number_can_only_be_phoned(database: Database, settings: Settings, anne: Staff) -> None:
    conversation = open_conversation(database)
    gone, silent = leave(database), leave(database, conversation_id=conversation)
    with database.transaction() as session:
        session.execute(update(Conversation).values(last_message_at=now() - timedelta(hours=25)))
    for reference in (gone, silent):
        with pytest.raises(work.NoWayToAnswer):
            do(database, settings, writes("Bonjour"), reference, anne)
        ticket = read(database, reference)
        assert (ticket.state, ticket.version, ticket.first_answer_at) == (TicketState.WAITING, 1, None)
    assert rows(database, Answer) == 0


@pytest.mark.parametrize(("text", "error"), [("  \n ", work.EmptyText), ("a" * 4001, work.TextTooLong)])
def test_an_answer_that_cannot_be_kept_changes_nothing(database: Database, settings: Settings, anne: Staff, text: str, error: type[Exception]) -> None:
    reference = leave(database, email=EMAIL)
    with pytest.raises(error):
        do(database, settings, writes(text), reference, anne)
    assert read(database, reference).version == 1


def test_anybody_writes_notes_and_the_visitor_sees_none(database: Database, settings: Settings, anne: Staff, bruno: Staff) -> None:
    conversation = open_conversation(database)
    reference = leave(database, conversation_id=conversation)
    do(database, settings, work.claim, reference, anne)
    with database.transaction() as session:
        work.add_note(session, reference, bruno, "Rappeler après 18 h")
    round_at(database, settings, rounds.deliver_due_answers, now() + timedelta(minutes=1))
    assert told(database, conversation) == []
    assert done(database, reference)[-1] == ("bruno", "ticket.note")
    with database.engine.connect() as connection:
        assert "18 h" not in connection.exec_driver_sql("SELECT text FROM notes").scalar_one(), "encrypted at rest"


# ---------------------------------------------------------------- taking back


def of_last_undo(database: Database, actor: Staff) -> work.Undoable:
    with database.transaction() as session:
        found = work.last_undo(session, actor)
    assert found
    return found


def take_back(database: Database, undo_id: int, actor: Staff) -> Ticket:
    with database.transaction() as session:
        return work.undo(session, undo_id, actor)


COLUMNS = ("state", "assignee_id", "claimed_at", "closed_at", "first_answer_at", "answer_due", "booking_due", "paused_at", "escalated_at")


@pytest.mark.parametrize("move", [m for m, t in TRANSITIONS.items() if t.can_be_undone])
def test_what_was_just_done_can_be_taken_back(database: Database, settings: Settings, people: dict[str, Staff], move: Move) -> None:
    open_daily(database)
    conversation = open_conversation(database)
    reference = leave(database, settings, email=EMAIL, conversation_id=conversation)
    do(database, settings, work.claim, reference, people["anne"])
    put(database, reference, escalated_at=belgrade(2, 9))
    before = read(database, reference)
    made = gives(people["bruno"], "Bonne chance") if move is Move.TRANSFER else moves_of(people)[move]
    do(database, settings, made, reference, people["anne"])
    assert read(database, reference).version == before.version + 1
    offer = of_last_undo(database, people["anne"])
    assert (offer.reference, offer.move) == (reference, move)
    after = take_back(database, offer.id, people["anne"])
    assert {name: getattr(after, name) for name in COLUMNS} == {name: getattr(before, name) for name in COLUMNS}
    assert (after.version, rows(database, Note)) == (before.version + 2, 0)
    assert done(database, reference)[-1] == ("anne", "ticket.undo")
    # Nothing of it ever leaves.
    assert {n.state for n in (*outbox(database, "answer"), *outbox(database, "request.closed"))} <= {Delivery.CANCELLED}
    assert round_at(database, settings, rounds.deliver_due_answers, now() + timedelta(minutes=1)) == []
    assert told(database, conversation) == []
    with pytest.raises(work.TooLate):
        take_back(database, offer.id, people["anne"])


def test_an_undone_close_leaves_a_request_in_the_queue_if_it_was_there(database: Database, settings: Settings, anne: Staff) -> None:
    reference = leave(database)
    do(database, settings, work.close, reference, anne)
    ticket = take_back(database, of_last_undo(database, anne).id, anne)
    assert (ticket.state, ticket.assignee) == (TicketState.WAITING, None)


def test_after_the_time_nothing_is_taken_back(database: Database, settings: Settings, anne: Staff) -> None:
    reference = leave(database)
    do(database, settings, work.close, reference, anne)
    offer = of_last_undo(database, anne)
    with database.transaction() as session:
        session.execute(update(Undo).values(until=now()))
        assert work.last_undo(session, anne) is None
    with pytest.raises(work.TooLate):
        take_back(database, offer.id, anne)
    assert read(database, reference).state is TicketState.CLOSED
    round_at(database, settings, rounds.forget_undos, now())
    assert rows(database, Undo) == 0


def test_only_who_did_it_takes_it_back(database: Database, settings: Settings, anne: Staff, lea: Staff) -> None:
    reference = leave(database)
    do(database, settings, work.close, reference, anne)
    with pytest.raises(work.TooLate):
        take_back(database, of_last_undo(database, anne).id, lea)
    assert read(database, reference).state is TicketState.CLOSED


def test_what_somebody_has_built_upon_is_not_taken_back(database: Database, settings: Settings, anne: Staff, bruno: Staff) -> None:
    reference = leave(database)
    do(database, settings, work.claim, reference, anne)
    do(database, settings, work.release, reference, anne)
    offer = of_last_undo(database, anne)
    do(database, settings, work.claim, reference, bruno)
    with pytest.raises(work.StateChanged) as refused:
        take_back(database, offer.id, anne)
    assert refused.value.by == "bruno"
    assert read(database, reference).assignee.name == "bruno"
    with database.transaction() as session:
        assert work.last_undo(session, anne) is None


def test_an_answer_that_has_left_is_not_taken_back(database: Database, settings: Settings, anne: Staff) -> None:
    reference = leave(database, email=EMAIL)
    do(database, settings, writes("Bonjour"), reference, anne)
    with database.transaction() as session:
        session.execute(update(Notification).where(Notification.template == "answer").values(state=Delivery.SENT))
    with pytest.raises(work.TooLate):
        take_back(database, of_last_undo(database, anne).id, anne)
    with database.transaction() as session:
        assert session.scalars(select(Answer.undone_at)).one() is None
    assert read(database, reference).first_answer_at


def test_without_undo_time_nothing_waits(database: Database, tmp_path: Path, anne: Staff) -> None:
    at_once = load_settings(data=tmp_path, undo_seconds=0)
    reference = leave(database, email=EMAIL)
    do(database, at_once, writes("Bonjour"), reference, anne)
    assert outbox(database, "answer")[0].not_before <= now()
    with database.transaction() as session:
        assert work.last_undo(session, anne) is None


# ---------------------------------------------------------------- erasure


def test_erasing_a_request_takes_everything_written_about_it_along(database: Database, settings: Settings, anne: Staff) -> None:
    reference = leave(database, settings, email=EMAIL)
    do(database, settings, writes("Bonjour Camille"), reference, anne)
    with database.transaction() as session:
        work.add_note(session, reference, anne, "Camille rappelle demain")
    with database.transaction() as session:
        service.erase(session, session.scalars(select(Ticket)).one(), audit.SYSTEM)
    assert [rows(database, table) for table in (Note, Answer, SearchTerm, Undo, Notification)] == [0] * 5
    assert read(database, reference).state is TicketState.ERASED


def test_the_audit_trail_holds_after_all_this(database: Database, settings: Settings, people: dict[str, Staff]) -> None:
    for move in (work.close, work.mark_spam, work.wait_for_visitor):
        reference = leave(database, settings, email=EMAIL)
        do(database, settings, move, reference, people["anne"])
        take_back(database, of_last_undo(database, people["anne"]).id, people["anne"])
    with database.transaction() as session:
        assert audit.broken_at(session) is None
        session.execute(delete(AuditEntry).where(AuditEntry.id == 2))
        assert audit.broken_at(session) == 3


# ---------------------------------------------------------------- in the running desk


@pytest.fixture
def hasty(tmp_path: Path) -> Iterator[Desk]:
    """A running desk where nothing can be undone, so that nothing waits."""
    desk = Desk(tmp_path, undo_seconds=0, team_emails="accueil@exemple.rs")
    yield desk
    desk.stop()


def test_a_visitor_reads_in_the_chat_what_staff_answered(hasty: Desk) -> None:
    visitor = hasty.visitor()
    wanted = {"conversation_id": visitor.id, "name": "Camille Laurent", "phone": "+33612345678", "windows": "mardi", "subject": "liver"}
    body = wanted | {"transcript": False, "consent_version": "7"}
    headers = {"authorization": f"Bearer {SECRET}", "idempotency-key": "k"}
    events: EventBus = hasty.http.app.state.events  # type: ignore[attr-defined]

    async def arrival() -> tuple[str, Event | None]:
        with events.subscribe() as page:
            sent = await asyncio.to_thread(hasty.http.post, "/internal/tickets", json=body, headers=headers)
            return sent.json()["reference"], await anext(page.events(heartbeat=5))

    reference, heard = asyncio.run(arrival())
    assert heard == Event("ticket.open", reference), "open pages show it at once"
    assert [mail.template for mail in hasty.run(lambda s: s.scalars(select(Notification)).all())] == ["request_received"]

    anne = Staff(name="anne", password_hash="-", role=Role.AGENT)
    hasty.run(lambda session: session.add(anne))
    settings = load_settings(data=hasty.folder, undo_seconds=0)
    hasty.run(work.answer, reference, anne, "Bonjour Camille, mardi à 15 h ?", 1, settings)
    for _ in range(100):
        thread = hasty.http.get(f"/api/conversations/{visitor.id}/messages", headers={"authorization": f"Bearer {visitor.token}"}).json()["messages"]
        if thread[-1]["kind"] == "human":
            break
        sleep(0.1)
    assert (thread[-1]["kind"], thread[-1]["text"]) == ("human", "Bonjour Camille, mardi à 15 h ?")
