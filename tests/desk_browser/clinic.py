"""A clinic's desk on a real port and a real SQLite file, Rasa nowhere: its people, its hours, requests of every kind, and the mails it wrote."""

from __future__ import annotations

import re
import secrets
import threading
import time as clock
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any, TypeVar

import httpx2
import uvicorn
from sqlalchemy import select, update

from desk.app import create_app
from desk.appointments import clinicians
from desk.appointments import service as appointments
from desk.appointments.service import Wish
from desk.db import Database, connect, now
from desk.hours_editing import set_week
from desk.models import Answer, ChatMessage, Conversation, Delivery, Notification, Role, Staff, StaffSession, Ticket
from desk.settings import Settings, load_settings
from desk.staff import accounts, canned
from desk.tickets import service, work
from tests.authenticator import Authenticator, sign_in
from tests.databases import SqliteFiles
from tests.stack_client import free_ports, wait_for

SECRET = "a secret of twenty characters and more"
PASSWORD = "une phrase assez longue"
AGENT, OTHER_AGENT, LEAD, OFFICER, ADMIN = "Milica Petrović", "Jean Moreau", "Ana Jović", "Paul Durand", "Inès Laurent"
ROLES = {AGENT: Role.AGENT, OTHER_AGENT: Role.AGENT, LEAD: Role.LEAD, OFFICER: Role.PRIVACY_OFFICER, ADMIN: Role.ADMIN}
DOCTOR = "Dr Jovanović"
CONVERSATION = "c" * 32
SAID = (
    ("bot", "Bonjour. Je suis l'assistant automatique du site. Je réponds à partir des articles de la clinique."),
    ("visitor", "bonjour, est ce que ca fait mal ??"),
    ("bot", "Selon l'article de la clinique, la ponction peut laisser une gêne minime pendant quelques jours."),
    ("visitor", "ok je voudrai parler à quelqu'un svp"),
)
T = TypeVar("T")


@dataclass
class Clinic:
    """A desk that runs, and what a test needs to know of it."""

    settings: Settings
    database: Database
    server: uvicorn.Server
    references: dict[str, str] = field(default_factory=dict)  # what a request is an example of → its reference
    doctor: int = 0
    telephones: dict[str, Authenticator] = field(default_factory=dict)
    _cookies: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    @property
    def url(self) -> str:
        """Where browsers reach it."""
        return str(self.settings.public_url)

    def run(self, function: Callable[..., T], *args: Any, **kwargs: Any) -> T:
        """Runs ``function(session, …)`` in a transaction."""
        with self.database.transaction() as session:
            return function(session, *args, **kwargs)

    # ------------------------------------------------------------ people

    def cookies(self, name: str) -> list[dict[str, Any]]:
        """The cookies of somebody who has signed in through the pages, second factor included; the same session each time."""
        if name not in self._cookies:
            with httpx2.Client(base_url=self.url, follow_redirects=True) as browser:
                self.telephones[name] = sign_in(browser, name, PASSWORD, self.telephones.get(name))
                self._cookies[name] = [{"name": key, "value": value, "url": self.url} for key, value in browser.cookies.items()]
        return self._cookies[name]

    def invite(self, name: str, role: Role = Role.AGENT) -> str:
        """Makes an account as an admin does; returns its initial password."""
        return self.run(lambda session: accounts.invite(session, ADMIN, name, role)[1])

    def last_proof_grows_old(self, name: str) -> None:
        """It is long ago that somebody gave their password: what is sensitive asks for it again."""
        with self.database.transaction() as session:
            staff = session.scalars(select(Staff).where(Staff.name == name)).one()
            session.execute(update(StaffSession).where(StaffSession.staff_id == staff.id).values(authenticated_at=now() - timedelta(hours=1)))

    # ------------------------------------------------------------ requests

    def request(self, name: str, **fields: Any) -> str:
        """Leaves a request without telling the open pages; returns its reference."""
        with self.database.transaction() as session:
            return service.open_ticket(session, service.NewRequest.model_validate(_fields(name) | fields), secrets.token_hex(8), self.settings)[0].reference

    def request_arrives(self, name: str, **fields: Any) -> str:
        """Leaves a request as the assistant's actions do, over HTTP, so that open pages hear of it."""
        headers = {"Authorization": f"Bearer {SECRET}", "Idempotency-Key": secrets.token_hex(8)}
        answer = httpx2.post(f"{self.url}/internal/tickets", headers=headers, json=_fields(name) | fields)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["reference"])

    def grow_old(self, reference: str, minutes: float) -> None:
        """Has a request arrive earlier than it did; its deadlines are eight and forty hours after that."""
        with self.database.transaction() as session:
            ticket = session.scalars(select(Ticket).where(Ticket.reference == reference)).one()
            ticket.created_at = ticket.consent_at = now() - timedelta(minutes=minutes)
            ticket.answer_due, ticket.booking_due = ticket.created_at + timedelta(hours=8), ticket.created_at + timedelta(hours=40)

    def owner(self, reference: str) -> str | None:
        """Who has a request."""
        with self.database.transaction() as session:
            ticket = session.scalars(select(Ticket).where(Ticket.reference == reference)).one()
            return ticket.assignee.name if ticket.assignee else None

    def does(self, name: str, move: Callable[..., Any], reference: str, *args: Any) -> None:
        """Has somebody make a move with a request as it now is."""
        with self.database.transaction() as session:
            staff = session.scalars(select(Staff).where(Staff.name == name)).one()
            ticket = session.scalars(select(Ticket).where(Ticket.reference == reference)).one()
            move(session, reference, staff, *args, ticket.version, self.settings)

    def book(self, name: str, reference: str, day: date, hour: str = "10:00") -> None:
        """Has somebody agree an appointment with the clinic's doctor."""
        wish = Wish(day=day, clock=time.fromisoformat(hour), minutes=30, clinician_id=self.doctor, visitor_zone="Europe/Paris")
        with self.database.transaction() as session:
            staff = session.scalars(select(Staff).where(Staff.name == name)).one()
            ticket = session.scalars(select(Ticket).where(Ticket.reference == reference)).one()
            appointments.book(session, reference, staff, ticket.version, wish, self.settings, now())

    # ------------------------------------------------------------ mails

    def mails(self, recipient: str, subject: str = "") -> Sequence[EmailMessage]:
        """What was written to somebody, in no order."""
        folder = self.settings.data / "mail"
        found = [message_from_bytes(path.read_bytes(), policy=policy.default) for path in folder.glob("*.eml")]
        return [mail for mail in found if recipient in str(mail["To"]) and subject in str(mail["Subject"])]

    def mail(self, recipient: str, subject: str) -> EmailMessage:
        """The one mail to somebody with these words in its subject, once it is there."""
        wait_for(lambda: self.mails(recipient, subject), 30, f"a mail « {subject} » to {recipient}")
        (mail,) = self.mails(recipient, subject)
        return mail

    def link_in_mail(self, recipient: str) -> str:
        """The address in a confirmation by which the visitor reaches the appointment."""
        body = self.mail(recipient, "confirmé").get_body(("plain",))
        assert body is not None
        found = re.search(r"https?://\S+/rendez-vous/\S+", body.get_content())
        assert found, "no link in the mail"
        return found[0]

    def time_to_undo_is_over(self) -> None:
        """What waits in the outbox, or for the visitor's conversation, may leave now."""
        long_ago = now() - timedelta(seconds=self.settings.undo_seconds + 1)
        with self.database.transaction() as session:
            session.execute(update(Answer).where(Answer.shown_at.is_(None)).values(at=long_ago))
            session.execute(update(Notification).where(Notification.state == Delivery.PENDING).values(not_before=now() - timedelta(seconds=1)))


@contextmanager
def open_clinic(folder: Path, *, is_ordinary: bool = False) -> Iterator[Clinic]:
    """Opens it, peopled and with a dozen requests; two factors are asked, as by default.

    Args:
        folder: its data.
        is_ordinary: leaves out what is there to make pages burst: for pictures.
    """
    sqlite = SqliteFiles()
    settings = load_settings(
        data=folder,
        secret=SECRET,
        rate_limits="off",
        port=free_ports(3),
        database_url=sqlite.migrated(folder),
        clinic_name="la Clinique du Parc",
        clinic_phone="+381 11 555 01 23",
        clinic_address="12 rue du Parc, Belgrade",
        mail_from="Clinique du Parc <ecrire@clinique.exemple>",
    )
    database = Database(connect(str(settings.database_url), settings.cipher))
    server = uvicorn.Server(
        uvicorn.Config(create_app(settings), host="127.0.0.1", port=settings.port, log_level="warning", access_log=False, timeout_graceful_shutdown=2)
    )
    clinic = Clinic(settings, database, server)
    _people(clinic)
    _requests(clinic, is_ordinary)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    wait_for(lambda: server.started, 60, "the desk")
    yield clinic
    server.should_exit = True
    thread.join(15)
    database.engine.dispose()
    sqlite.close()


def coming_tuesday(weeks: int) -> date:
    """A Tuesday some weeks ahead."""
    day = now().date() + timedelta(weeks=weeks)
    return day + timedelta(days=(1 - day.weekday()) % 7)


def wait(seconds: float) -> None:
    """Lets time pass where nothing can be waited for: to see that something does not happen."""
    clock.sleep(seconds)


def _fields(name: str) -> dict[str, Any]:
    return {
        "conversation_id": "elsewhere",
        "name": name,
        "email": None,
        "phone": "+33612345678",
        "windows": "mardi vers midi",
        "subject": "liver",
        "transcript": False,
        "consent_version": "7",
    }


def _people(clinic: Clinic) -> None:
    with clinic.database.transaction() as session:
        for name, role in ROLES.items():
            accounts.add_staff(session, name, PASSWORD, role)
        set_week(session, LEAD, dict.fromkeys(range(5), "8:00-12:00, 13:00-18:00") | {5: "9:00-12:00"}, clinic.settings)
        canned.seed(session)
        clinic.doctor = clinicians.add(session, LEAD, DOCTOR).id
        clinicians.add(session, LEAD, "Dr Petit")
        session.add(Conversation(id=CONVERSATION, token_hash="0" * 64))
        session.flush()
        for number, (sender, text) in enumerate(SAID, 1):
            session.add(ChatMessage(conversation_id=CONVERSATION, seq=number, sender=sender, kind="answer", text=text, at=now() - timedelta(minutes=20)))


def _requests(clinic: Clinic, is_ordinary: bool) -> None:
    """One request in each state, and what makes pages long: long names, long words, no way to write, a conversation."""
    known, settings = clinic.references, clinic.settings

    def leave(key: str, name: str, minutes: float, **fields: Any) -> str:
        known[key] = clinic.request(name, **fields)
        clinic.grow_old(known[key], minutes)
        return known[key]

    fatou = {"email": "fatou.diop@exemple.fr", "conversation_id": CONVERSATION, "transcript": True}
    leave("waiting", "Fatou Diop", 0, windows="jeudi matin, ou alors vendredi après 17 h si c'est possible pour vous", **fatou)
    leave("by phone only", "Camille Martin", 95, subject="joints", windows="le soir")
    leave("late", "Louis Petit", 560, subject="other", windows="quand vous voulez")
    clinic.does(AGENT, work.claim, leave("claimed", "Éva Dupré-Lachenal", 300, subject="neurology", email="eva@exemple.fr", phone=None))
    clinic.run(lambda session: work.add_note(session, known["claimed"], _somebody(session, AGENT), "Rappelée à 14 h, messagerie. Réessayer demain matin."))
    clinic.does(LEAD, work.claim, leave("somebody else's", "Jean Kovač", 430, subject="other", email="jean.kovac@exemple.rs", phone="+381641234567"))
    pending = leave("pending_visitor", "Driss El Amrani", 1500, subject="general", email="driss@exemple.ma", phone="+212612345678")
    clinic.does(AGENT, work.claim, pending)
    clinic.does(AGENT, work.wait_for_visitor, pending)
    booked = leave("booked", "Nadia Benali", 1700, email="nadia@exemple.fr", windows="le matin")
    clinic.book(AGENT, booked, coming_tuesday(1))
    if not is_ordinary:
        leave(
            "long",
            "Marie-Christine de Sainte-Marie de Montmorency",
            180,
            subject="undisclosed",
            email=f"{'tres-longue-adresse-' * 2}x@exemple.fr",
            windows="m" * 200,
        )
    closed = leave("closed", "Sophie Lambert", 4000, email="sophie@exemple.fr")
    clinic.does(AGENT, work.claim, closed)
    clinic.does(AGENT, work.close, closed)
    clinic.does(OTHER_AGENT, work.mark_spam, leave("spam", "Promo Promo", 3000, windows="promo promo"))
    with clinic.database.transaction() as session:
        ticket = session.scalars(select(Ticket).where(Ticket.reference == _left_in(session, settings, "À effacer"))).one()
        service.erase(session, ticket, OFFICER)
        known["erased"] = ticket.reference
        gone = session.scalars(select(Ticket).where(Ticket.reference == _left_in(session, settings, "Annie Lefort"))).one()
        known["cancelled"] = work.cancel_by_visitor(session, gone.reference, settings).reference
        old = session.scalars(select(Ticket).where(Ticket.reference == _left_in(session, settings, "Omar Haddad"))).one()
        known["expired"] = work.expire(session, old.reference, old.version, settings).reference
    clinic.grow_old(known["expired"], 2300)


def _left_in(session: Any, settings: Settings, name: str) -> str:
    return service.open_ticket(session, service.NewRequest.model_validate(_fields(name)), secrets.token_hex(8), settings)[0].reference


def _somebody(session: Any, name: str) -> Staff:
    found: Staff = session.scalars(select(Staff).where(Staff.name == name)).one()
    return found


def day_in_form(day: date | datetime) -> str:
    """A date as a browser's date field takes it."""
    return day.strftime("%Y-%m-%d")
