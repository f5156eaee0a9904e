"""What open pages are told: the stream of events over a real server, and who has which request open."""

from __future__ import annotations

import contextlib
import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
import uvicorn
from sqlalchemy import func, select, update
from starlette.applications import Starlette

from desk.db import Database, now
from desk.models import AuditEntry, Presence, Role, StaffSession
from desk.staff import live, presence
from desk.tickets import events, rounds
from tests.desk_pages import Browser, desk_app, give_account, leave_request, settings_for, ticket_of
from tests.stack_client import free_ports


@pytest.fixture
def app(database: Database, tmp_path: Path) -> Starlette:
    """A desk with two agents and an admin."""
    for name, role in (("Ana", Role.AGENT), ("Bruno", Role.AGENT), ("Admin", Role.ADMIN)):
        give_account(database, name, role)
    return desk_app(database, tmp_path)


@pytest.fixture
def address(app: Starlette) -> Iterator[str]:
    """The same desk behind a real server."""
    server = uvicorn.Server(uvicorn.Config(app, port=free_ports(1), log_level="error", timeout_graceful_shutdown=1))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    _wait_until(lambda: server.started)
    yield f"http://127.0.0.1:{server.config.port}"
    app.state.events.close()
    server.should_exit = True
    thread.join(10)
    assert not thread.is_alive(), "an open stream keeps the server from stopping"


@pytest.fixture
def ana(app: Starlette) -> Iterator[Browser]:
    """Ana's browser."""
    browser = Browser(app)
    browser.sign_in("Ana")
    yield browser
    browser.close()


@pytest.fixture
def bruno(app: Starlette) -> Iterator[Browser]:
    """Bruno's browser."""
    browser = Browser(app)
    browser.sign_in("Bruno")
    yield browser
    browser.close()


def _wait_until(is_so: Callable[[], bool], seconds: float = 10) -> None:
    end = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


class Listener:
    """Somebody's browser that listens."""

    def __init__(self, address: str, browser: Browser) -> None:
        """Connects and waits until it is heard."""
        self.heard: list[dict[str, str]] = []
        self.lines: list[str] = []
        self.status: int | None = None
        self.headers: dict[str, str] = {}
        self._address, self._cookie = address, browser.cookies["passerelle_staff"]
        self.thread = threading.Thread(target=self._listen, daemon=True)
        self.thread.start()
        _wait_until(lambda: bool(self.lines) or self.status not in (None, 200))

    def _listen(self) -> None:
        cookie = {"Cookie": f"passerelle_staff={self._cookie}"}
        with (
            contextlib.suppress(httpx2.RemoteProtocolError),
            httpx2.Client(timeout=30) as client,
            client.stream("GET", f"{self._address}/desk/events", headers=cookie) as answer,
        ):
            self.status, self.headers = answer.status_code, dict(answer.headers)
            for line in answer.iter_lines():
                self.lines.append(line)
                if line.startswith("data: "):
                    self.heard.append(json.loads(line.removeprefix("data: ")))


def beat(browser: Browser, reference: str, **fields: str) -> dict[str, Any]:
    """A heartbeat of an open page."""
    answer = browser.post(f"/desk/requests/{reference}/presence", data={"csrf": browser.csrf(), **fields})
    assert answer.status_code == 200
    told: dict[str, Any] = answer.json()
    return told


# ---------------------------------------------------------------- events


def test_what_one_does_the_other_hears(address: str, ana: Browser, bruno: Browser, database: Database) -> None:
    reference = leave_request(database)
    page = ana.page(f"/desk/requests/{reference}")
    listener = Listener(address, bruno)
    assert listener.headers["content-type"].startswith("text/event-stream")
    assert listener.headers["cache-control"] == "no-store"
    ana.fill(f"/desk/requests/{reference}/claim", page)
    ana.fill(f"/desk/requests/{reference}/note", page, note="Bonjour")
    _wait_until(lambda: len(listener.heard) >= 2)
    assert [(event["kind"], event["reference"]) for event in listener.heard if event["kind"] != "presence"] == [
        ("ticket.claim", reference),
        ("ticket.note", reference),
    ]


def test_events_hold_nothing_of_a_visitor(address: str, ana: Browser, bruno: Browser, database: Database) -> None:
    reference = leave_request(database, name="Fatou Diop")
    listener = Listener(address, bruno)
    ana.fill(f"/desk/requests/{reference}/answer", ana.page(f"/desk/requests/{reference}"), text="Bonjour Fatou")
    _wait_until(lambda: any(event["kind"] == "ticket.answer" for event in listener.heard))
    assert all(set(event) == {"kind", "reference"} for event in listener.heard)
    assert "Fatou" not in "".join(listener.lines)


def test_what_was_refused_is_not_told(address: str, ana: Browser, bruno: Browser, database: Database) -> None:
    reference = leave_request(database)
    page = ana.page(f"/desk/requests/{reference}")
    bruno.fill(f"/desk/requests/{reference}/claim", page)
    listener = Listener(address, bruno)
    assert ana.fill(f"/desk/requests/{reference}/claim", page).status == 409
    bruno.fill(f"/desk/requests/{reference}/note", note="fin")
    _wait_until(lambda: any(event["kind"] == "ticket.note" for event in listener.heard))
    assert "ticket.claim" not in [event["kind"] for event in listener.heard]


def test_the_stream_shows_that_it_is_alive_and_ends_with_the_session(address: str, bruno: Browser, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events.Subscription.events, "__defaults__", (0.1,))
    listener = Listener(address, bruno)
    _wait_until(lambda: ": still here" in listener.lines)
    with database.transaction() as session:
        session.execute(update(StaffSession).values(expires_at=now() - timedelta(seconds=1)))
    listener.thread.join(5)
    assert not listener.thread.is_alive()


def test_a_busy_stream_ends_with_the_session_too(address: str, app: Starlette, bruno: Browser, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "HEARTBEAT", 0.2)
    listener = Listener(address, bruno)
    with database.transaction() as session:
        session.execute(update(StaffSession).values(expires_at=now() - timedelta(seconds=1)))
    for _ in range(50):
        app.state.events.publish("ticket.open", "RDV-7K4M-2Q")
        listener.thread.join(0.05)
    assert not listener.thread.is_alive()


def test_strangers_and_those_who_read_no_requests_hear_nothing(address: str, app: Starlette, bruno: Browser) -> None:
    admin = Browser(app)
    admin.sign_in("Admin")
    assert Listener(address, admin).status == 403
    bruno.cookies.set("passerelle_staff", "nobody's")
    assert Listener(address, bruno).status == 303


# ---------------------------------------------------------------- presence


def test_who_reads_and_who_writes_is_seen_in_the_list_and_in_the_request(ana: Browser, bruno: Browser, database: Database) -> None:
    reference = leave_request(database)
    ana.page(f"/desk/requests/{reference}")
    assert "Ana consulte" in bruno.page("/desk/").text
    assert beat(ana, reference, writing="1")["present"] == []
    assert "Ana écrit" in bruno.page("/desk/").text
    assert "Ana écrit" in bruno.page(f"/desk/requests/{reference}").text
    assert "Ana écrit" not in ana.page("/desk/").text
    assert beat(bruno, reference)["present"] == ["Ana écrit"]
    beat(ana, reference, gone="1")
    assert not re.search("Ana (consulte|écrit)", bruno.page("/desk/").text)


def test_a_lease_ends_by_itself(ana: Browser, database: Database, tmp_path: Path) -> None:
    reference = leave_request(database)
    beat(ana, reference, writing="1")
    ticket = ticket_of(database, reference)
    with database.transaction() as session:
        here = presence.others(session, [ticket.id], 0, now() + timedelta(seconds=29))
        later = presence.others(session, [ticket.id], 0, now() + timedelta(seconds=31))
        rounds.forget_presence(session, settings_for(tmp_path), now() + timedelta(seconds=31))
        assert session.scalar(select(func.count()).select_from(Presence)) == 0
    assert [person.text for person in here[ticket.id]] == ["Ana écrit"]
    assert later == {}


def test_only_what_others_would_see_is_news(database: Database, app: Starlette) -> None:
    ticket = ticket_of(database, leave_request(database))
    staff = give_account(database, "Ana").id
    start: datetime = now()

    def renew(seconds: float, is_writing: bool) -> bool:
        with database.transaction() as session:
            return presence.renew(session, ticket.id, staff, is_writing, start + timedelta(seconds=seconds))

    assert [renew(0, False), renew(10, False), renew(20, True), renew(30, True), renew(61, True)] == [True, False, True, False, True]
    with database.transaction() as session:
        assert presence.leave(session, ticket.id, staff)
        assert not presence.leave(session, ticket.id, staff)
        assert session.scalar(select(func.count()).select_from(Presence)) == 0


def test_a_heartbeat_tells_who_changed_what_and_is_no_read_of_personal_data(ana: Browser, bruno: Browser, database: Database) -> None:
    reference = leave_request(database)
    before = beat(ana, reference)
    with database.transaction() as session:
        entries = session.scalar(select(func.count()).select_from(AuditEntry))
    assert beat(ana, reference)["stamp"] == before["stamp"]
    with database.transaction() as session:
        assert session.scalar(select(func.count()).select_from(AuditEntry)) == entries
    bruno.fill(f"/desk/requests/{reference}/claim", bruno.page(f"/desk/requests/{reference}"))
    after = beat(ana, reference)
    assert after["stamp"] > before["stamp"]
    assert (after["what"], after["who"]) == ("Prise en charge", "Bruno")
    assert "Camille" not in json.dumps(after)


def test_a_heartbeat_needs_the_secret_and_a_request(ana: Browser, database: Database) -> None:
    reference = leave_request(database)
    assert ana.post(f"/desk/requests/{reference}/presence", data={"writing": "1"}).status_code == 403
    assert ana.post("/desk/requests/RDV-7K4M-29/presence", data={"csrf": ana.csrf()}).status_code == 404
    assert ana.post("/desk/requests/nimporte/presence", data={"csrf": ana.csrf()}).status_code == 404
