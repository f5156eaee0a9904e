"""A desk whose people sign in through its pages: browsers, a clock that stands still, routes to walk over."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from argon2 import PasswordHasher
from httpx2 import Response
from sqlalchemy import select
from starlette.applications import Starlette
from starlette.testclient import TestClient

from bot.answers import Content
from desk.db import Database
from desk.models import AuditEntry, Role, Staff
from desk.staff import accounts, second_factor_pages
from desk.staff.routes import staff_routes
from desk.staff.shell import StaffRoute
from tests.authenticator import Authenticator, hidden_fields, sign_in
from tests.databases import stored
from tests.desk_pages import Page, desk_app

PASSWORD = "une phrase assez longue"
COOKIE = "passerelle_staff"


class Clock:
    """The time by which codes are judged: it stands still until it is moved."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Stops it."""
        self.at = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
        monkeypatch.setattr(second_factor_pages, "now", lambda: self.at)

    def forward(self, seconds: float) -> None:
        """Moves it on."""
        self.at += timedelta(seconds=seconds)


class Browser(TestClient):
    """A browser that fills in forms as a person does."""

    def page(self, path: str) -> Page:
        """Opens a page."""
        return Page(self.get(path))

    def fill(self, path: str, form_on: str = "", **fields: str) -> Response:
        """Sends a form with the hidden fields of the page at ``form_on``, by default of the page at ``path``."""
        csrf = hidden_fields(self.get(form_on or path).text) if (form_on or path) else {}
        return self.post(path, data=csrf | fields)

    def password(self, name: str, password: str = PASSWORD) -> Response:
        """Gives name and password."""
        return self.fill("/desk/login", name=name, password=password)

    def code(self, code: str) -> Response:
        """Gives a code."""
        return self.fill("/desk/second-factor", code=code)

    def enrol(self, name: str, clock: Clock, password: str = PASSWORD) -> Authenticator:
        """Signs in for the first time and sets the second factor up; returns the telephone."""
        telephone = Authenticator.from_page(self.password(name, password).text)
        assert "codes de secours" in self.code(telephone.code(clock.at.timestamp())).text
        return telephone

    def enter(self, name: str, telephone: Authenticator, clock: Clock, password: str = PASSWORD) -> Response:
        """Signs in with password and code."""
        self.password(name, password)
        return self.code(telephone.code(clock.at.timestamp()))

    @property
    def token(self) -> str:
        """The session's cookie."""
        return str(self.cookies.get(COOKIE, ""))


class Building:
    """One desk, its accounts and the browsers that look at it."""

    def __init__(self, database: Database, folder: Path, clock: Clock) -> None:
        """Takes an empty database."""
        self.database, self.clock, self._folder = database, clock, folder
        self._apps: dict[str, Starlette] = {}
        self._opened: list[Browser] = []

    def add(self, name: str, role: Role = Role.AGENT, password: str = PASSWORD) -> int:
        """Makes an account; returns its number."""
        with self.database.transaction() as session:
            return accounts.add_staff(session, name, password, role).id

    def browser(self, address: str = "192.0.2.1", **settings: Any) -> Browser:
        """A browser that is not signed in; ``settings`` differ from the defaults."""
        key = repr(sorted(settings.items()))
        if key not in self._apps:
            self._apps[key] = desk_app(self.database, self._folder, **({"rate_limits": "on"} | settings))
            self._apps[key].state.content = _content()
        browser = Browser(self._apps[key], client=(address, 50000))
        self._opened.append(browser)
        return browser

    def signed_in(self, name: str, role: Role = Role.AGENT, **settings: Any) -> Browser:
        """A browser in which a new account is signed in by password alone (``two_factor`` off)."""
        self.add(name, role)
        browser = self.browser(**({"two_factor": "off"} | settings))
        assert browser.password(name).status_code == 200
        return browser

    def staff(self, name: str) -> Staff:
        """An account as it is now."""
        with self.database.transaction() as session:
            return session.scalars(select(Staff).where(Staff.name == name)).one()

    def run(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Runs ``function(session, …)`` in a transaction."""
        with self.database.transaction() as session:
            return function(session, *args, **kwargs)

    def audit(self) -> list[tuple[str, str, str]]:
        """The audit trail: actor, action, subject."""
        with self.database.transaction() as session:
            return [(e.actor, e.action, e.subject) for e in session.scalars(select(AuditEntry).order_by(AuditEntry.id))]

    def stored(self) -> bytes:
        """Everything that the database keeps."""
        return stored(self.database)

    def close(self) -> None:
        """Closes the browsers."""
        for browser in self._opened:
            browser.close()


@cache
def _content() -> Content:
    return Content()


@contextmanager
def building(database: Database, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Building]:
    """A desk over an empty database, with real argon2id of small parameters: tests sign in hundreds of times."""
    monkeypatch.setattr(accounts, "HASHER", PasswordHasher(time_cost=1, memory_cost=64, parallelism=1))
    made = Building(database, folder, Clock(monkeypatch))
    yield made
    made.close()


def routes() -> list[StaffRoute]:
    """Every route of the desk for signed-in staff."""
    return [route for route in staff_routes()[0].routes or [] if isinstance(route, StaffRoute)]


def address_of(route: StaffRoute) -> str:
    """An address that leads to a route."""
    return "/desk" + re.sub(r"{\w+(:\w+)?}", lambda found: "1" if found[1] == ":int" else "nulle-part" if found[1] else "RDV-7K4M-29", route.path)


__all__ = ["PASSWORD", "Authenticator", "Browser", "Building", "Clock", "Page", "address_of", "building", "hidden_fields", "routes", "sign_in"]
