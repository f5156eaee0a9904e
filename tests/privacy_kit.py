"""One person with traces everywhere in a running desk, somebody else beside them, and a Rasa that forgets when told to."""

from __future__ import annotations

import asyncio
import hashlib
import http.server
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import func, select

from bot.answers import Content, Message
from desk import retention
from desk.appointments import clinicians
from desk.appointments import service as appointments
from desk.appointments.service import Wish
from desk.chat import conversations as chat
from desk.db import now
from desk.models import AuditEntry, Conversation, Delivery, Notification, Role, Staff, StaffSession, Ticket
from desk.outbox.worker import worker_of
from desk.settings import Settings
from desk.staff import presence
from desk.tickets import rounds, service, work
from tests.appointment_kit import coming
from tests.desk_client import SECRET, Desk
from tests.desk_pages import Page
from tests.stack_client import free_ports, wait_for

NAME, EMAIL, PHONE = "Zébulon Kermadec", "zebulon.kermadec@exemple.fr", "+33698334455"
# What would betray the person wherever it stood.
TRACES = ("Zébulon", "Kermadec", "kermadec", "698334455", "98 33 44 55", "un hérisson savant", "aucune crainte", "bilan sanguin", "après la sieste")
OTHER = "Ludivine Autrechose"
ANA, VERA = "Ana Agent", "Véra Déléguée"


@dataclass
class Rasa:
    """Rasa's private address as the desk knows it: says which trackers it was told to erase. ``status`` is what it answers to that."""

    port: int
    status: int = 204
    erased: list[str] = field(default_factory=list)


@contextmanager
def rasa(port: int) -> Iterator[Rasa]:
    """Runs one."""
    state = Rasa(port)

    class Handler(http.server.BaseHTTPRequestHandler):
        def _answer(self, status: int) -> None:
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def do_GET(self) -> None:
            self._answer(200)

        def do_DELETE(self) -> None:
            assert self.headers["Authorization"] == f"Bearer {SECRET}"
            if state.status < 300:
                state.erased.append(self.path.rpartition("/")[2])
            self._answer(state.status)

        def log_message(self, *_: Any) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


async def _wait(*_: Any) -> None:
    await asyncio.sleep(3600)


@contextmanager
def _idle() -> Iterator[None]:
    """A desk that is started meanwhile does nothing with old rows by itself."""
    jobs = retention.keep_erasing, rounds.keep_going
    retention.keep_erasing = rounds.keep_going = _wait
    yield
    retention.keep_erasing, rounds.keep_going = jobs


class Office:
    """A running desk with an agent and a privacy officer, who looks at its pages."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        """Starts it; what it does by itself with old rows waits, so that tests do it themselves."""
        with _idle():
            self.desk = Desk(folder, **({"port": free_ports(3), "team_emails": "equipe@clinique.exemple", "undo_seconds": 0} | settings))
        self.folder = folder
        self.settings: Settings = self.desk.http.app.state.settings  # type: ignore[attr-defined]
        self.run = self.desk.run
        for name, role in ((ANA, Role.AGENT), (VERA, Role.PRIVACY_OFFICER)):
            self.run(lambda session, name=name, role=role: session.add(Staff(name=name, password_hash="!", role=role)))
        self.doctor = self.run(lambda session: clinicians.add(session, ANA, "Dr Jovanović").id)
        self.sign_in(VERA)

    def start(self) -> None:
        """Starts it again, after it was stopped."""
        with _idle():
            self.desk._start()

    # ------------------------------------------------------------ pages

    def sign_in(self, name: str, minutes_ago: int = 0) -> None:
        """Becomes an account whose password was given some minutes ago."""
        token, self._csrf = secrets.token_urlsafe(32), secrets.token_urlsafe(32)
        present = now()

        number = self.staff(name).id

        def plant(session: Any) -> None:
            fields = {"csrf_token": self._csrf, "expires_at": present + timedelta(hours=1), "second_factor_at": present}
            proved = present - timedelta(minutes=minutes_ago)
            session.add(StaffSession(token_hash=hashlib.sha256(token.encode()).hexdigest(), staff_id=number, authenticated_at=proved, **fields))

        self.run(plant)
        self.desk.http.cookies.set("passerelle_staff", token)

    def page(self, path: str) -> Page:
        """Opens a page."""
        return Page(self.desk.http.get(path))

    def post(self, path: str, **fields: str) -> Any:
        """Sends a form; the answer itself, its redirect followed."""
        return self.desk.http.post(path, data={"csrf": self._csrf} | fields)

    def search(self, text: str) -> Page:
        """Looks for a person."""
        return Page(self.post("/desk/privacy/search", text=text))

    def review(self, *keys: str) -> Page:
        """Passes what was chosen in review."""
        return Page(self.desk.http.get("/desk/privacy/person", params=[("of", key) for key in keys]))

    def erase(self, *keys: str, confirmation: str = "EFFACER", **fields: str) -> Page:
        """Reviews and erases."""
        shown = self.review(*keys)
        return Page(
            self.post(
                "/desk/privacy/erase", **({"of": shown.field("of"), "stamp": shown.field("stamp"), "confirmation": confirmation, "reason": "person"} | fields)
            )
        )

    # ------------------------------------------------------------ what is there

    def staff(self, name: str) -> Staff:
        """An account."""
        return self.run(lambda session: session.scalars(select(Staff).where(Staff.name == name)).one())

    def audit(self, action: str = "") -> list[tuple[str, str, str]]:
        """Actor, action, subject; all, or those of an action."""
        entries = self.run(lambda session: session.scalars(select(AuditEntry).order_by(AuditEntry.id)).all())
        return [(e.actor, e.action, e.subject) for e in entries if not action or e.action == action]

    def contents(self) -> str:
        """Everything in the database, decrypted, and every mail that went into the folder."""
        mails = [path.read_text(errors="replace") for path in sorted((self.folder / "mail").glob("*"))] if (self.folder / "mail").is_dir() else []
        return "\n".join([self.desk.contents(), *mails, *(path.name for path in (self.folder / "mail").glob("*"))])

    def send_due(self) -> None:
        """Everything that is due has left, into the folder; whoever sends it, the desk's own worker or this one."""
        due = select(func.count()).select_from(Notification).where(Notification.state == Delivery.PENDING, Notification.not_before <= now())
        wait_for(lambda: asyncio.run(worker_of(self.desk.database, self.settings).send_due()) == 0 == self.run(lambda s: s.scalar(due)), 30, "mails to leave")

    # ------------------------------------------------------------ what happens

    def leave(self, conversation: str = "elsewhere", **fields: Any) -> str:
        """Leaves a request; returns its reference."""
        values = {
            "name": NAME,
            "email": EMAIL,
            "phone": PHONE,
            "windows": "mardi après la sieste",
            "subject": "liver",
            "transcript": True,
            "consent_version": "7",
        }
        wanted = service.NewRequest.model_validate({"conversation_id": conversation} | values | fields)
        return self.run(service.open_ticket, wanted, secrets.token_hex(8), self.settings)[0].reference

    def talk(self, *said: str) -> str:
        """A conversation in which a visitor says this; returns its id."""
        conversation, _, _ = self.run(chat.open_conversation, Content().message("utter_greeting"))
        for number, text in enumerate(said):
            message = self.run(chat.add_visitor_message, conversation.id, text, f"m{number}", text)
            self.run(chat.add_replies, conversation.id, [Message("Entendu.", "smalltalk")], message.seq)
        return conversation.id

    def version(self, reference: str) -> int:
        """Of a request."""
        return self.ticket(reference).version

    def ticket(self, reference: str) -> Ticket:
        """A request's row."""
        return self.run(lambda session: session.scalars(select(Ticket).where(Ticket.reference == reference)).one())

    def note(self, reference: str, text: str) -> int:
        """Ana writes a note."""
        return self.run(work.add_note, reference, self.staff(ANA), text).id

    def answer(self, reference: str, text: str) -> None:
        """Ana writes to the visitor."""
        self.run(work.answer, reference, self.staff(ANA), text, self.version(reference), self.settings)

    def book(self, reference: str, clock: str = "10:00", at: datetime | None = None) -> int:
        """Ana books an appointment some weeks ahead."""
        wish = Wish(self.doctor, coming(1), time.fromisoformat(clock), 30, "Europe/Paris")
        return self.run(appointments.book, reference, self.staff(ANA), self.version(reference), wish, self.settings, at or now()).id

    def person_everywhere(self) -> tuple[str, str]:
        """Zébulon leaves traces in every table; returns the reference of his request and the id of his conversation."""
        conversation = self.talk("j'ai un hérisson savant", f"je m'appelle {NAME}")
        self.run(lambda session: setattr(session.get_one(Conversation, conversation), "short_form", {"key": "k", "values": {"name": NAME}}))
        reference = self.leave(conversation)
        self.note(reference, "Kermadec veut parler de son bilan sanguin")
        self.answer(reference, "Bonjour Zébulon, n'ayez aucune crainte")
        self.book(reference)
        self.send_due()
        self.answer(reference, "Encore une chose, monsieur Kermadec")  # still to be sent
        self.run(presence.renew, self.ticket(reference).id, self.staff(ANA).id, True, now())
        return reference, conversation

    def stop(self) -> None:
        """Ends it."""
        self.desk.stop()
