"""Staff pages without the sign-in: a browser that is somebody, and what its pages show."""

from __future__ import annotations

import hashlib
import html
import re
import secrets
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from httpx2 import Response
from sqlalchemy import select
from starlette.applications import Starlette
from starlette.templating import Jinja2Templates
from starlette.testclient import TestClient

from desk.appointments import visitor_pages
from desk.chat.limits import RateLimits
from desk.db import Database, now
from desk.models import Role, Staff, StaffSession, Ticket
from desk.settings import ROOT, Settings, load_settings
from desk.staff.routes import staff_routes
from desk.tickets import service
from desk.tickets.events import EventBus

SECRET = "a secret of twenty characters and more"


def settings_for(folder: Path, **changes: Any) -> Settings:
    """A desk's settings."""
    return load_settings(**({"data": folder, "secret": SECRET, "public_url": "http://testserver", "clinic_name": "Clinique d'essai"} | changes))


def desk_app(database: Database, folder: Path, **changes: Any) -> Starlette:
    """The pages of staff and of visitors' appointments over a database."""
    app = Starlette(routes=[*visitor_pages.routes, *staff_routes()])
    app.state.database, app.state.settings = database, settings_for(folder, **changes)
    app.state.templates = Jinja2Templates(directory=ROOT / "desk" / "templates")
    app.state.limits = RateLimits(changes.get("rate_limits") == "on")
    app.state.events = EventBus()
    return app


def give_account(database: Database, name: str, role: Role = Role.AGENT, email: str | None = None) -> Staff:
    """An account whose password nobody knows."""
    with database.transaction() as session:
        known = session.scalars(select(Staff).where(Staff.name == name)).first()
        staff = known or Staff(name=name, password_hash="!", role=role, email=email)
        session.add(staff)
        session.flush()
        return staff


def leave_request(database: Database, **fields: Any) -> str:
    """Leaves a request as a visitor does; returns its reference."""
    values = {"name": "Camille Martin", "email": "camille@exemple.fr", "phone": "+15145550123", "windows": "mardi", "subject": "liver", "transcript": False}
    with database.transaction() as session:
        wanted = service.NewRequest.model_validate({"conversation_id": "elsewhere", "consent_version": "7"} | values | fields)
        return service.open_ticket(session, wanted, secrets.token_hex(8))[0].reference


def ticket_of(database: Database, reference: str) -> Ticket:
    """The row of a request."""
    with database.transaction() as session:
        return session.scalars(select(Ticket).where(Ticket.reference == reference)).one()


class Page:
    """What a page shows."""

    def __init__(self, response: Response) -> None:
        """Takes the answer."""
        self.status = response.status_code
        self.headers = response.headers
        self.source = response.text
        body = re.sub(r"(?s)<head>.*?</head>", "", self.source)
        self.text = re.sub(r"[ \t\r\n]+", " ", html.unescape(re.sub(r"<[^>]+>", " ", body)))
        # As a person reads it: no-break spaces are spaces.
        self.words = re.sub(r" +", " ", self.text.replace("\u00a0", " "))

    def field(self, name: str, nth: int = 0) -> str:
        """Value of an input."""
        found = re.findall(rf'<input[^>]* name="{name}"[^>]* value="([^"]*)"', self.source)
        assert len(found) > nth, f"no field {name}"
        return html.unescape(found[nth])

    def chosen(self, name: str, nth: int = 0) -> str:
        """Value of a list's chosen entry."""
        lists = re.findall(rf'(?s)<select[^>]* name="{name}".*?</select>', self.source)
        found = re.search(r'<option value="([^"]*)" selected', lists[nth])
        return found[1] if found else ""


class Browser(TestClient):
    """A test client that is signed in as somebody."""

    def __init__(self, app: Starlette) -> None:
        """Takes the application."""
        super().__init__(app)
        self._csrf = ""

    def sign_in(self, name: str) -> None:
        """Becomes an account, second factor included, without its pages."""
        token, self._csrf = secrets.token_urlsafe(32), secrets.token_urlsafe(32)
        database: Database = self.app.state.database  # type: ignore[attr-defined]
        with database.transaction() as session:
            staff = session.scalars(select(Staff).where(Staff.name == name)).one()
            present = now()
            digest = hashlib.sha256(token.encode()).hexdigest()
            until: datetime = present + timedelta(hours=1)
            session.add(StaffSession(token_hash=digest, staff_id=staff.id, csrf_token=self._csrf, expires_at=until, second_factor_at=present))
        self.cookies.set("passerelle_staff", token)

    def csrf(self) -> str:
        """The secret of its forms."""
        return self._csrf

    def page(self, path: str) -> Page:
        """Opens a page."""
        return Page(self.get(path))

    def fill(self, path: str, page: Page | None = None, **fields: str) -> Page:
        """Sends a form with the secret, and the version that ``page`` shows, and follows where it leads."""
        version = re.search(r'name="version" value="(\d+)"', page.source) if page else None
        hidden = {"csrf": self._csrf} | ({"version": version[1]} if version else {})
        return Page(self.post(path, data=hidden | fields))
