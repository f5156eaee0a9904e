"""What a visitor's open page is told by itself: a real desk on a real port over a real database, Rasa nowhere."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from sqlalchemy import select, update
from starlette.applications import Starlette

from desk.app import create_app
from desk.chat import conversations as chat
from desk.chat import live
from desk.db import Database, now
from desk.models import Answer, Staff, Ticket
from desk.settings import load_settings
from desk.tickets import events, rounds, work
from tests.desk_client import SECRET
from tests.desk_pages import give_account, leave_request
from tests.privacy_kit import rasa
from tests.stack_client import Visitor, free_ports


def wait_until(is_so: Callable[[], bool], what: str, seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < end, f"waited in vain for {what}"
        time.sleep(0.02)


class Desk:
    """A running desk."""

    def __init__(self, app: Starlette, port: int) -> None:
        """Takes the application and where it listens."""
        self.app, self.port, self.url = app, port, f"http://127.0.0.1:{port}"

    @property
    def database(self) -> Database:
        """Its database, with its keys."""
        found: Database = self.app.state.database
        return found

    def visitor(self) -> Visitor:
        """A new conversation."""
        return Visitor(self.url)


@contextmanager
def desk_on(folder: Path, **values: Any) -> Iterator[Desk]:
    """Runs one."""
    settings = load_settings(**({"data": folder, "secret": SECRET, "port": free_ports(3), "rate_limits": "off"} | values))
    app = create_app(settings)
    server = uvicorn.Server(uvicorn.Config(app, port=settings.port, log_level="error", timeout_graceful_shutdown=1))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    wait_until(lambda: server.started, "the desk", 60)
    yield Desk(app, settings.port)
    app.state.visitor_events.close()
    server.should_exit = True
    thread.join(10)
    assert not thread.is_alive(), "an open stream keeps the server from stopping"


@pytest.fixture
def desk(tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    """A desk that looks often whether an answer may leave."""
    monkeypatch.setattr(rounds, "ANSWERS_EVERY", 0.05)
    with desk_on(tmp_path, database_url=database_url) as running:
        yield running


@pytest.fixture(autouse=True)
def no_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Streams look when they are woken, and never by themselves: what arrives was told."""
    monkeypatch.setattr(events.Subscription.events, "__defaults__", (600.0,))


@pytest.fixture
def quick_looks(no_looks: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Streams look without being woken every tenth of a second, rather than every quarter of a minute."""
    monkeypatch.setattr(events.Subscription.events, "__defaults__", (0.1,))


class Page:
    """A page that follows a conversation."""

    def __init__(self, desk: Desk, visitor: Visitor, last_event_id: str | None = None, query: str = "", token: str | None = None) -> None:
        """Connects, and waits until the desk answers."""
        self.lines: list[str] = []
        self.body = b""
        connection = http.client.HTTPConnection("127.0.0.1", desk.port, timeout=30)
        connection.connect()
        self._socket: socket.socket = connection.sock
        sent = {"Authorization": f"Bearer {token or visitor.token}"} | ({"Last-Event-ID": last_event_id} if last_event_id is not None else {})
        connection.request("GET", f"/api/conversations/{visitor.id}/events{query}", headers=sent)
        self._answer = connection.getresponse()
        self.status, self.headers = self._answer.status, {name.lower(): value for name, value in self._answer.getheaders()}
        if self.status != 200:
            self.body = self._answer.read()
            return
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()

    def _read(self) -> None:
        with contextlib.suppress(OSError, http.client.HTTPException, ValueError):
            while line := self._answer.readline():
                self.lines.append(line.decode().rstrip("\n"))

    @property
    def heard(self) -> list[dict[str, Any]]:
        """The messages, as they came."""
        return [json.loads(line.removeprefix("data: ")) for line in self.lines if line.startswith("data: ")]

    @property
    def numbers(self) -> list[int]:
        """Their sequence numbers."""
        return [message["seq"] for message in self.heard]

    def hears(self, count: int) -> list[dict[str, Any]]:
        """The messages, once there are so many."""
        wait_until(lambda: len(self.heard) >= count, f"{count} messages, heard {self.numbers}")
        return self.heard

    def leaves(self) -> None:
        """Closes the connection, as when the network is lost."""
        self._socket.shutdown(socket.SHUT_RDWR)
        self.thread.join(5)

    @property
    def has_ended(self) -> bool:
        """Whether the desk ended the stream."""
        return not self.thread.is_alive()


def answers(desk: Desk, reference: str, text: str) -> int:
    """Has Ana answer a request; returns what she could undo it by."""
    staff = give_account(desk.database, "Ana")
    with desk.database.transaction() as session:
        ticket = session.scalars(select(Ticket).where(Ticket.reference == reference)).one()
        work.answer(session, reference, session.get_one(Staff, staff.id), text, ticket.version, load_settings(secret=SECRET))
        undoable = work.last_undo(session, staff, ticket)
        assert undoable
        return undoable.id


def time_to_undo_is_over(desk: Desk) -> None:
    """What was answered was answered a minute ago."""
    with desk.database.transaction() as session:
        session.execute(update(Answer).values(at=now() - timedelta(minutes=1)))


# ---------------------------------------------------------------- what is heard


def test_a_page_hears_what_was_said_and_then_what_is_said(desk: Desk) -> None:
    visitor = desk.visitor()
    page = Page(desk, visitor)
    assert page.hears(1) == visitor.thread().messages
    visitor.say("combien ça coûte ?")
    page.hears(3)
    assert page.heard == visitor.thread().messages, "each message as the contract has it, payloads left out"
    assert [line for line in page.lines if line.startswith("id: ")] == ["id: 1", "id: 2", "id: 3"]


def test_the_stream_is_kept_by_nobody_on_the_way(desk: Desk) -> None:
    page = Page(desk, desk.visitor())
    assert page.headers["content-type"].startswith("text/event-stream")
    assert page.headers["cache-control"] == "no-store"
    assert page.headers["x-content-type-options"] == "nosniff"
    assert page.headers["x-accel-buffering"] == "no"


def test_an_answer_of_the_team_arrives_as_a_humans_and_not_before_it_can_no_longer_be_taken_back(desk: Desk) -> None:
    visitor = desk.visitor()
    reference = leave_request(desk.database, conversation_id=visitor.id, email=None)
    page = Page(desk, visitor)
    page.hears(1)
    taken_back = answers(desk, reference, "Bonjour Camille, une erreur")
    with desk.database.transaction() as session:
        work.undo(session, taken_back, session.scalars(select(Staff).where(Staff.name == "Ana")).one())
    answers(desk, reference, "Bonjour Camille,\n\nmardi à 10 h ?")
    time.sleep(0.5)  # the desk has looked ten times whether something may leave
    assert page.numbers == [1], "it may still be taken back"
    time_to_undo_is_over(desk)
    (_, answer) = page.hears(2)
    assert (answer["from"], answer["kind"], answer["text"]) == ("human", "human", "Bonjour Camille,\n\nmardi à 10 h ?")
    assert "une erreur" not in "".join(page.lines)


def test_after_an_answer_of_the_team_the_assistant_goes_on_answering(desk: Desk) -> None:
    visitor = desk.visitor()
    reference = leave_request(desk.database, conversation_id=visitor.id)
    page = Page(desk, visitor)
    answers(desk, reference, "Bonjour")
    time_to_undo_is_over(desk)
    page.hears(2)
    visitor.say("merci")
    assert [message["from"] for message in page.hears(4)] == ["bot", "human", "visitor", "bot"]
    assert visitor.thread().body["owner"] == "bot"


def test_two_pages_of_one_conversation_hear_the_same(desk: Desk) -> None:
    visitor = desk.visitor()
    pages = [Page(desk, visitor), Page(desk, visitor)]
    visitor.say("bonjour")
    assert pages[0].hears(3) == pages[1].hears(3) == visitor.thread().messages


# ---------------------------------------------------------------- resuming


def test_after_a_lost_connection_nothing_is_missing_and_nothing_comes_twice(desk: Desk) -> None:
    visitor = desk.visitor()
    first = Page(desk, visitor)
    visitor.say("bonjour")
    first.hears(3)
    first.leaves()
    visitor.say("combien ça coûte ?")
    second = Page(desk, visitor, last_event_id=str(first.numbers[-1]))
    visitor.say("est-ce que ça fait mal ?")
    second.hears(4)
    assert [*first.numbers, *second.numbers] == [message["seq"] for message in visitor.thread().messages]


@pytest.mark.parametrize(("header", "query", "expected"), [(None, "?after=2", [3]), ("1", "?after=2", [2, 3]), ("", "?after=2", [3])])
def test_the_header_comes_before_the_address(desk: Desk, header: str | None, query: str, expected: list[int]) -> None:
    visitor = desk.visitor()
    visitor.say("bonjour")
    page = Page(desk, visitor, header, query)
    page.hears(len(expected))
    assert page.numbers == expected


@pytest.mark.parametrize("nonsense", ["-1", "abc", "1.5", "9" * 30, "0x2", "%D9%A3", "2;DROP"])
def test_nonsense_is_the_beginning(desk: Desk, nonsense: str) -> None:
    visitor = desk.visitor()
    assert [message["seq"] for message in Page(desk, visitor, nonsense).hears(1)] == [1]
    assert [message["seq"] for message in Page(desk, visitor, None, f"?after={nonsense}").hears(1)] == [1]


def test_what_another_desk_over_the_same_database_was_told_arrives_too(desk: Desk, tmp_path: Path, database_url: str, quick_looks: None) -> None:
    visitor = desk.visitor()
    with desk_on(tmp_path, database_url=database_url) as other:
        page = Page(other, visitor)
        page.hears(1)
        wait_until(lambda: ": still here" in page.lines, "a heartbeat")
        visitor.say("bonjour")
        page.hears(3)
        assert page.numbers == [1, 2, 3]


# ---------------------------------------------------------------- whose it is, and its end


def test_only_the_conversations_own_token_opens_it(desk: Desk) -> None:
    visitor, stranger = desk.visitor(), desk.visitor()
    refused = Page(desk, visitor, token=stranger.token)
    assert (refused.status, refused.headers["www-authenticate"]) == (401, "Bearer")
    assert Page(desk, visitor, query=f"?token={visitor.token}", token="none").status == 401
    page = Page(desk, visitor)
    page.hears(1)
    stranger.say("bonjour, je suis Zoé")
    visitor.say("bonjour")
    page.hears(3)
    assert "Zoé" not in "".join(page.lines)


def test_a_stream_ends_with_its_conversation_and_is_then_refused(tmp_path: Path, database_url: str) -> None:
    port = free_ports(3)
    with rasa(port + 1), desk_on(tmp_path, database_url=database_url, port=port) as desk:
        visitor, other = desk.visitor(), desk.visitor()
        page, bystander = Page(desk, visitor), Page(desk, other)
        page.hears(1)
        assert visitor.erase() == 204
        wait_until(lambda: page.has_ended, "the end of the stream")
        again = Page(desk, visitor, "1")
        assert again.status == 401
        assert "Commencez-en une nouvelle" in json.loads(again.body)["detail"]
        assert not bystander.has_ended


def test_a_stream_ends_too_when_another_desk_erased_the_conversation(desk: Desk, quick_looks: None) -> None:
    visitor = desk.visitor()
    page = Page(desk, visitor)
    page.hears(1)
    with desk.database.transaction() as session:
        chat.forget_conversation(session, visitor.id)
    wait_until(lambda: page.has_ended, "the end of the stream")
    assert Page(desk, visitor).status == 401


# ---------------------------------------------------------------- how many


def test_a_conversation_has_so_many_streams_and_who_closes_one_may_open_another(tmp_path: Path, database_url: str) -> None:
    with desk_on(tmp_path, database_url=database_url, rate_limits="on") as desk:
        visitor, other = desk.visitor(), desk.visitor()
        pages = [Page(desk, visitor) for _ in range(live.OF_CONVERSATION)]
        assert {page.status for page in pages} == {200}
        one_too_many = Page(desk, visitor)
        assert one_too_many.status == 429
        assert int(one_too_many.headers["retry-after"]) == live.TRY_AGAIN
        assert "trop de fenêtres" in json.loads(one_too_many.body)["detail"]
        assert Page(desk, other).status == 200, "others have their own"
        assert visitor.thread().status == 200, "what was said can be read all the same"
        pages[0].leaves()
        wait_until(lambda: Page(desk, visitor).status == 200, "a place")


def test_an_address_has_so_many_streams(tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "OF_ADDRESS", 2)
    with desk_on(tmp_path, database_url=database_url, rate_limits="on") as desk:
        pages = [Page(desk, desk.visitor()) for _ in range(3)]
        assert [page.status for page in pages] == [200, 200, 429]


def test_those_who_wait_keep_nobody_waiting(desk: Desk) -> None:
    """More streams than the desk has threads, or connections to its database."""
    pages = [Page(desk, desk.visitor()) for _ in range(60)]
    for page in pages:
        page.hears(1)
    wait_until(lambda: desk.database.engine.pool.checkedout() == 0, "every connection to the database to be given back")
    visitor = desk.visitor()
    began = time.monotonic()
    assert visitor.say("bonjour").status == 200
    assert time.monotonic() - began < 15, "seconds, on a machine that does much else"
    for page in pages:
        page.leaves()
    wait_until(lambda: desk.app.state.visitor_events.listeners == 0, "nobody to listen any more")
