"""Two people at the same moment: nobody waits in vain for the other, and nothing of either is lost. Real threads, real databases."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, select
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from bot.answers import Message
from desk import audit
from desk.chat import conversations as chat
from desk.db import Database
from desk.models import ChatMessage, Staff
from desk.settings import Settings, load_settings
from desk.tickets import work
from tests.databases import KIND
from tests.desk_pages import give_account, leave_request, ticket_of

only_postgresql = pytest.mark.skipif(KIND != "postgresql", reason="SQLite has one writer at a time")


def together(*jobs: Callable[[], Any]) -> list[BaseException]:
    """Starts jobs at the same moment; returns what went wrong."""
    failures: list[BaseException] = []
    start = threading.Barrier(len(jobs))

    def run(job: Callable[[], Any]) -> None:
        try:
            start.wait()
            job()
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=run, args=(job,)) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return failures


def test_a_visitor_and_staff_who_write_at_once_are_both_stored_in_one_order(database: Database) -> None:
    with database.transaction() as session:
        conversation, _, _ = chat.open_conversation(session, Message("Bonjour.", "notice"))

    def visitor() -> None:
        for number in range(20):
            with database.transaction() as session:
                chat.add_visitor_message(session, conversation.id, "une question", f"m{number}", "text")

    def staff() -> None:
        for _ in range(20):
            with database.transaction() as session:
                chat.add_replies(session, conversation.id, [Message("une réponse", "human")], None, sender="human")

    assert together(visitor, staff) == []
    with database.transaction() as session:
        stored = session.scalars(select(ChatMessage).order_by(ChatMessage.seq)).all()
    assert [message.seq for message in stored] == list(range(1, 42)), "no number twice, and none left out"
    assert [sum(message.sender == who for message in stored) for who in ("visitor", "human")] == [20, 20]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings(data=tmp_path)


@pytest.fixture
def quick(database: Database) -> Database:
    """PostgreSQL looks for deadlocks at once, not after a second."""
    if KIND == "postgresql":

        @event.listens_for(database.engine, "connect")
        def _impatient(connection: Any, _: Any) -> None:
            connection.execute("SET deadlock_timeout = '10ms'")
            connection.commit()

    return database


def moves_both(database: Database, references: list[str], actor: Staff, settings: Settings) -> Callable[[Session], None]:
    """Claims and releases two requests in one transaction, as often as somebody else's change allows."""

    def moves(session: Session) -> None:
        for reference in references:
            version = work.service.by_reference(session, reference).version  # type: ignore[union-attr]
            try:
                work.claim(session, reference, actor, version, settings)
            except (work.NotAllowed, work.NotYours, work.StateChanged):
                continue
            work.release(session, reference, actor, version + 1, settings)

    return moves


def test_two_who_move_the_same_two_requests_in_opposite_order_both_succeed(quick: Database, settings: Settings) -> None:
    ana, bruno = give_account(quick, "Ana Agent"), give_account(quick, "Bruno Agent")
    first, second = leave_request(quick), leave_request(quick)
    for _ in range(50):
        failures = together(
            lambda: quick.do(moves_both(quick, [first, second], ana, settings)),
            lambda: quick.do(moves_both(quick, [second, first], bruno, settings)),
        )
        assert failures == []
    with quick.transaction() as session:
        assert audit.broken_at(session) is None
    assert ticket_of(quick, first).assignee_id is None, "whoever gave way began anew, and left nothing half done"


@only_postgresql
def test_a_deadlock_is_broken_and_what_gave_way_is_done_again(quick: Database) -> None:
    first, second = leave_request(quick), leave_request(quick)
    both_have_one = threading.Barrier(2)
    tries: list[str] = []

    def notes(references: list[str], name: str) -> Callable[[Session], None]:
        def write(session: Session) -> None:
            tries.append(name)
            audit_free = [work.service.by_reference(session, reference) for reference in references]
            audit_free[0].windows = name  # type: ignore[union-attr]
            session.flush()
            if len(tries) <= 2:
                both_have_one.wait(5)
            audit_free[1].windows = name  # type: ignore[union-attr]

        return write

    assert together(lambda: quick.do(notes([first, second], "ana")), lambda: quick.do(notes([second, first], "bruno"))) == []
    assert len(tries) == 3, "one of the two had to begin again"
    assert ticket_of(quick, first).windows == ticket_of(quick, second).windows


def test_any_other_failure_is_not_tried_again(database: Database) -> None:
    tries: list[int] = []

    def fails(session: Session) -> None:
        tries.append(1)
        session.execute(select(ChatMessage).where(ChatMessage.seq == 1))
        raise OperationalError("SELECT", {}, RuntimeError("the disk is full"))

    with pytest.raises(OperationalError):
        database.do(fails)
    assert tries == [1]
