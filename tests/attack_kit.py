"""A desk with something of everything in it, the forms that would change it, and readers that see what an attack would have done."""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import time, timedelta
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pyotp
import pytest
from argon2 import PasswordHasher
from httpx2 import Response
from sqlalchemy import Enum as SqlEnum
from sqlalchemy import select, update
from sqlalchemy.orm import Session
from starlette.testclient import TestClient

from bot.answers import Content
from desk.appointments import clinicians
from desk.appointments import service as appointments
from desk.appointments.service import Wish
from desk.chat.rasa import Assistant
from desk.chat.turns import Turns
from desk.content.catalogue import CatalogueEntry, catalogue
from desk.content.usage import dialogue
from desk.db import Base, Database, UtcDateTime, now
from desk.hours_editing import set_special_day, set_week
from desk.models import (
    Channel,
    ChatMessage,
    Conversation,
    Delivery,
    ErasureProof,
    Notification,
    NotUnderstood,
    RecoveryCode,
    Role,
    Staff,
    StaffSession,
    Ticket,
    TurnCount,
    Undo,
)
from desk.outbox import queue
from desk.privacy import words
from desk.privacy.holdings import Chosen, gather
from desk.staff import accounts, canned, second_factor
from desk.staff.shell import StaffRoute
from desk.tickets import service, work
from tests.appointment_kit import coming
from tests.desk_pages import desk_app
from tests.staff_kit import COOKIE, routes

LEA, ANA, BRUNO, VERA, BORIS, NINA = "Léa Martin", "Ana Jović", "Bruno Petit", "Vera Dragić", "Boris Admin", "Nina Neuve"
ROLES = {LEA: Role.LEAD, ANA: Role.AGENT, BRUNO: Role.AGENT, VERA: Role.PRIVACY_OFFICER, BORIS: Role.ADMIN}
PASSWORD, OTHER_PASSWORD = "une phrase assez longue", "une tout autre phrase"
FORM = "application/x-www-form-urlencoded"
MINUTE = timedelta(minutes=1)


class World:
    """One desk: five accounts, a request in every state that its moves begin in, and a row of everything else."""

    def __init__(self, database: Database, folder: Path, **settings: Any) -> None:
        """Fills an empty database."""
        self.database = database
        self.app = desk_app(database, folder, **({"undo_seconds": 60, "team_emails": "equipe@clinique.exemple"} | settings))
        self.settings = self.app.state.settings
        self.app.state.content = _content()
        self.numbers: dict[str, int] = {}  # name of a path parameter → the row that an attacker aims at
        self.requests: dict[str, str] = {}
        with database.transaction() as session:
            self._people(session)
            self._rows(session)
            for name in ("waiting", "claimed", "pending", "booked", "closed", "spam", "brunos"):
                self.requests[name] = self._request(session, name)
        self._opened: list[Browser] = []

    def browser(self, name: str = "", *, half: bool = False) -> Browser:
        """A browser, signed in as somebody; with ``half`` the second factor is still to be given."""
        browser = Browser(self)
        self._opened.append(browser)
        if name:
            browser.become(name, half=half)
        return browser

    def close(self) -> None:
        """Closes the browsers."""
        for browser in self._opened:
            browser.close()

    def run(self, function: Callable[..., Any], *args: Any) -> Any:
        """Runs ``function(session, …)`` in a transaction."""
        with self.database.transaction() as session:
            return function(session, *args)

    def staff(self, name: str) -> Staff:
        """An account."""
        return self.run(lambda session: session.scalars(select(Staff).where(Staff.name == name)).one())

    def ticket(self, name: str) -> Ticket:
        """One of the requests, by what it is there for."""
        return self.run(lambda session: session.scalars(select(Ticket).where(Ticket.reference == self.requests[name])).one())

    def address(self, route: StaffRoute, request: str = "claimed", **numbers: int | str) -> str:
        """Where a route leads in this desk. A new kind of path parameter must be told of in ``numbers``."""
        known: dict[str, int | str] = {**self.numbers, "reference": self.requests[request], "path": "ailleurs", "response": text().text.response} | numbers
        return "/desk" + re.sub(r"{(\w+)(:\w+)?}", lambda found: str(known[found[1]]), route.path)

    def dump(self, *but: str) -> dict[str, list[str]]:
        """Everything that the database holds, decrypted, by table; ``but`` some tables."""
        with self.database.transaction() as session:
            return {
                table.name: sorted(repr(sorted(row.items())) for row in session.execute(select(table)).mappings())
                for table in Base.metadata.sorted_tables
                if table.name not in but
            }

    def outcome(self) -> dict[str, list[str]]:
        """The same without what differs from run to run: moments only by whether there is one, nothing random."""
        with self.database.transaction() as session:
            return {
                table.name: sorted(
                    repr([(c.name, row[c.name] is None if isinstance(c.type, UtcDateTime) else row[c.name]) for c in table.columns if c.name not in _RANDOM])
                    for row in session.execute(select(table)).mappings()
                )
                for table in Base.metadata.sorted_tables
            }

    # ------------------------------------------------------------ what is there

    def _people(self, session: Session) -> None:
        for name, role in ROLES.items():
            self.numbers[f"of {name}"] = accounts.add_staff(session, name, PASSWORD, role).id
        self.numbers["staff_id"] = self.numbers[f"of {BRUNO}"]
        accounts.add_staff(session, NINA, PASSWORD).initial_password_until = now() + timedelta(days=1)
        bruno = session.get_one(Staff, self.numbers["staff_id"])
        bruno.totp_secret, bruno.totp_confirmed_at, bruno.email = "A" * 32, now() - timedelta(days=1), "bruno@clinique.exemple"
        session.add(RecoveryCode(staff_id=bruno.id, code_hash="c" * 64))
        accounts.sign_in(session, LEA, "faux", 1, "192.0.2.7")

    def _rows(self, session: Session) -> None:
        canned.save(session, LEA, "Premier modèle", "Bonjour, à bientôt.")
        self.numbers["reply_id"] = canned.save(session, LEA, "Second modèle", "Bonjour, nous vous rappelons.").id
        self.numbers["clinician"] = clinicians.add(session, LEA, "Dr Jovanović").id
        proof = ErasureProof(actor=VERA, reason="person", subject_digests=["d" * 64], counts={"tickets": 1})
        question = NotUnderstood(text="les marmottes ont-elles un foie", response="utter_fallback")
        session.add_all([proof, question, TurnCount(hour=now() - timedelta(hours=2), kind="answer", topic="utter_greeting", count=3)])
        session.flush()
        self.numbers["proof_id"], self.numbers["question"] = proof.id, question.id
        self.numbers["place"] = text().place
        set_week(session, LEA, dict.fromkeys(range(7), "9 h – 17 h"), self.settings)
        set_special_day(session, LEA, "2031-05-05", "", "inventaire")

    def _request(self, session: Session, name: str) -> str:
        conversation = Conversation(id=secrets.token_hex(16), token_hash=secrets.token_hex(32))
        session.add(conversation)
        session.flush()
        for seq, (sender, said) in enumerate((("visitor", f"bonjour {name}"), ("bot", "Entendu."), ("human", "Bonjour."))):
            at = now() - MINUTE
            session.add(ChatMessage(conversation_id=conversation.id, seq=seq, sender=sender, kind="answer", text=said, at=at))
        wish = {"name": f"Camille {name}", "email": f"{name}@exemple.fr", "phone": "+15145550123", "windows": "mardi", "subject": "liver", "transcript": True}
        wanted = service.NewRequest.model_validate({"conversation_id": conversation.id, "consent_version": "7"} | wish)
        ticket, _ = service.open_ticket(session, wanted, secrets.token_hex(8), self.settings)
        reference, ana = ticket.reference, session.get_one(Staff, self.numbers[f"of {BRUNO if name == 'brunos' else ANA}"])

        def move(function: Callable[..., Any]) -> None:
            function(session, reference, ana, session.get_one(Ticket, ticket.id).version, self.settings)

        if name != "waiting":
            move(work.claim)
            work.add_note(session, reference, ana, f"note de {name}")
        match name:
            case "claimed":
                work.answer(session, reference, ana, "Bonjour, à demain.", ticket.version, self.settings)
                self.numbers["undo"] = session.scalars(select(Undo.id)).one()
                dead = queue.enqueue(
                    session, Channel.EMAIL, "request_overdue", ticket=ticket, recipient="equipe@clinique.exemple", values={"link": "http://testserver/x"}
                )
                dead.state, dead.tries, dead.last_error = Delivery.DEAD, 10, "Le serveur de courrier est injoignable."
                self.numbers["notification_id"] = dead.id
            case "pending":
                move(work.wait_for_visitor)
            case "booked" | "brunos":
                wish_of = Wish(self.numbers["clinician"], coming(1, 5 if name == "booked" else 6), time(10), 30, "America/Toronto")
                meeting = appointments.book(session, reference, ana, ticket.version, wish_of, self.settings, now())
                self.numbers["meeting" if name == "booked" else "brunos meeting"] = meeting.id
            case "closed":
                move(work.close)
            case "spam":
                move(work.mark_spam)
            case _:
                pass
        return reference


class Browser(TestClient):
    """A browser of one desk that follows no redirect, so that what a route says itself is seen."""

    def __init__(self, world: World) -> None:
        """Opens it."""
        super().__init__(world.app, follow_redirects=False, base_url=world.settings.public_url)
        self.world, self.csrf, self.name = world, "", ""

    def become(self, name: str, *, half: bool = False) -> None:
        """Signs somebody in without the pages."""
        token, self.csrf, self.name = secrets.token_urlsafe(32), secrets.token_urlsafe(32), name
        proved = None if half else now()
        row = StaffSession(
            token_hash=hashlib.sha256(token.encode()).hexdigest(),
            staff_id=self.world.staff(name).id,
            csrf_token=self.csrf,
            expires_at=now() + timedelta(hours=1),
            second_factor_at=proved,
        )
        self.world.run(lambda session: session.add(row))
        self.cookies.set(COOKIE, token)

    @property
    def token(self) -> str:
        """What its cookie holds."""
        return str(self.cookies[COOKIE])

    def submit(self, path: str, fields: Mapping[str, str], headers: Mapping[str, str] | None = None, body: bytes | None = None, kind: str = FORM) -> Response:
        """Posts a form, or any ``body``."""
        return self.post(path, content=urlencode(fields).encode() if body is None else body, headers={"Content-Type": kind, **(headers or {})})


# ---------------------------------------------------------------- forms


@dataclass(frozen=True)
class Form:
    """What somebody who may would fill in so that a route really does something.

    Attributes:
        who: the account.
        fields: the fields, without the session's secret; the request's version is added.
        request: what the address names.
        changes: whether the database is another one afterwards.
        half: whether the second factor is still to be given.
    """

    who: str
    fields: Callable[[Browser], Mapping[str, str]] = lambda browser: {}
    request: str = "claimed"
    changes: bool = True
    half: bool = False

    def filled(self, browser: Browser) -> dict[str, str]:
        """All fields but the secret."""
        return {"version": str(browser.world.ticket(self.request).version)} | dict(self.fields(browser))


def _fields(**fields: str) -> Callable[[Browser], Mapping[str, str]]:
    return lambda browser: fields


def _code(browser: Browser) -> Mapping[str, str]:
    digest = hashlib.sha256(browser.token.encode()).hexdigest()

    def offered(session: Session) -> str:
        return second_factor.offer(session, session.get_one(StaffSession, digest)).secret

    return {"code": pyotp.TOTP(browser.world.run(offered)).now()}


def _booking(weeks: int) -> Callable[[Browser], Mapping[str, str]]:
    def fields(browser: Browser) -> Mapping[str, str]:
        day, clinician = coming(2, weeks), browser.world.numbers["clinician"]
        return {"clinician": str(clinician), "day": day.isoformat(), "clock": "11:00", "minutes": "30", "zone": "America/Toronto", "outside": "yes"}

    return fields


def _of(name: str) -> Callable[[Browser], Mapping[str, str]]:
    return lambda browser: {"of": browser.world.requests[name]}


def _erasing(browser: Browser) -> Mapping[str, str]:
    world = browser.world
    state = world.app.state
    state.turns = Turns(world.database, Assistant("http://127.0.0.1:9", "x" * 20, 1.0), _content(), settings=world.settings, events=state.events)
    # A request without a conversation: no assistant need be told.
    world.run(lambda session: session.execute(update(Ticket).where(Ticket.reference == world.requests["claimed"]).values(conversation_id=None)))
    stamp = world.run(lambda session: gather(session, Chosen.read([world.requests["claimed"]])).stamp)
    reference = world.requests["claimed"]
    return {"of": reference, "stamp": stamp, "confirmation": reference, "reason": next(iter(words.OFFICERS_REASONS))}


def _signing(browser: Browser) -> Mapping[str, str]:
    return {"reviewer": "Dre Ana Relit", "function": "hépatologue", "read": "yes", "sha256": text().text.sha256}


def _question(browser: Browser) -> Mapping[str, str]:
    number = str(browser.world.numbers["question"])
    return {"dismiss": number, "until": "999", f"group-{number}": "on", "intent": dialogue().intents[0]}


_WEEK = {f"day{day}": "10 h – 16 h" for day in range(5)}
FORMS: Mapping[str, Form] = {
    "/logout": Form(ANA),
    "/first-password": Form(NINA, _fields(password=OTHER_PASSWORD, again=OTHER_PASSWORD)),
    "/confirm": Form(ANA, _fields(password=PASSWORD)),
    "/second-factor": Form(ANA, _code, half=True),
    "/second-factor/change": Form(ANA, _code),
    "/second-factor/codes": Form(BRUNO),
    "/me/password": Form(ANA, _fields(old=PASSWORD, password=OTHER_PASSWORD, again=OTHER_PASSWORD)),
    "/me/email": Form(ANA, _fields(email="ana@exemple.fr")),
    "/me/sessions": Form(ANA),
    "/search": Form(ANA, _fields(q="Camille"), changes=False),
    "/requests/{reference}/claim": Form(BRUNO, request="waiting"),
    "/requests/{reference}/release": Form(ANA),
    "/requests/{reference}/take_over": Form(LEA),
    "/requests/{reference}/wait": Form(ANA),
    "/requests/{reference}/resume": Form(ANA, request="pending"),
    "/requests/{reference}/close": Form(ANA),
    "/requests/{reference}/reopen": Form(ANA, request="closed"),
    "/requests/{reference}/spam": Form(ANA),
    "/requests/{reference}/not_spam": Form(ANA, request="spam"),
    "/requests/{reference}/transfer": Form(ANA, lambda b: {"to": str(b.world.numbers["staff_id"]), "note": "à toi"}),
    "/requests/{reference}/compose": Form(ANA, lambda b: {"canned": str(b.world.numbers["reply_id"]), "text": "Bonjour"}),
    "/requests/{reference}/answer": Form(ANA, _fields(text="Bonjour, à lundi.")),
    "/requests/{reference}/note": Form(ANA, _fields(note="a rappelé")),
    "/requests/{reference}/undo": Form(ANA, lambda b: {"undo": str(b.world.numbers["undo"])}),
    "/requests/{reference}/presence": Form(ANA, _fields(writing="1")),
    "/requests/{reference}/appointments/book": Form(ANA, _booking(5)),
    "/requests/{reference}/appointments/{meeting:int}/move": Form(ANA, _booking(7), request="booked"),
    "/requests/{reference}/appointments/{meeting:int}/cancel": Form(ANA, request="booked"),
    "/canned/save": Form(LEA, _fields(title="Troisième modèle", text="Bonjour.")),
    "/canned/{reply_id:int}/delete": Form(LEA),
    "/canned/{reply_id:int}/move": Form(LEA, _fields(to="up")),
    "/hours/week": Form(LEA, _fields(**_WEEK)),
    "/hours/special": Form(LEA, _fields(day="2031-06-06", hours="", label="travaux")),
    "/hours/special/remove": Form(LEA, _fields(day="2031-05-05")),
    "/clinicians/add": Form(LEA, _fields(name="Dre Nouvelle")),
    "/clinicians/{clinician:int}/rename": Form(LEA, _fields(name="Dr Renommé")),
    "/clinicians/{clinician:int}/active": Form(LEA, _fields(active="no")),
    "/outbox/retry": Form(LEA),
    "/outbox/{notification_id:int}/retry": Form(LEA),
    "/people/new": Form(BORIS, _fields(name="Zoé Nouvelle", role="agent", email="zoe@exemple.fr")),
    "/people/{staff_id:int}/role": Form(BORIS, _fields(role="lead")),
    "/people/{staff_id:int}/deactivate": Form(BORIS),
    "/people/{staff_id:int}/activate": Form(BORIS),
    "/people/{staff_id:int}/second-factor": Form(BORIS),
    "/people/{staff_id:int}/password": Form(BORIS),
    "/privacy/search": Form(VERA, _fields(text="Camille claimed")),
    "/privacy/export": Form(VERA, _of("claimed")),
    "/privacy/erase": Form(VERA, _erasing),
    "/insight/questions/dismiss": Form(LEA, _question),
    "/insight/questions/export": Form(LEA, _question),
    "/content/{response}/{place:int}/signed": Form(LEA, _signing),
    "/{path:path}": Form(ANA, changes=False),
}


def posted() -> list[StaffRoute]:
    """Every route that takes a form."""
    return [route for route in routes() if "POST" in (route.methods or ())]


def read() -> list[StaffRoute]:
    """Every route that shows a page; the stream of events is none."""
    return [route for route in routes() if "GET" in (route.methods or ()) and route.path != "/events"]


def names_of_fields(pattern: str) -> list[str]:
    """Names of fields that the pages read, out of their source: ``query_params`` or ``form``."""
    folder = Path(__file__).resolve().parent.parent / "desk" / "staff"
    found = {name for file in folder.glob("*.py") for name in re.findall(rf"{pattern}(?:\.get\(|\[)\"(\w+)\"", file.read_text(encoding="utf-8"))}
    assert len(found) > 5
    return sorted(found)


# ---------------------------------------------------------------- poison


def poisoned_columns() -> dict[str, Any]:
    """Every column that holds words somebody wrote, by « table.column »; codes, keys and digests are none."""
    return {
        f"{table.name}.{column.name}": column
        for table in Base.metadata.sorted_tables
        for column in table.columns
        if type(column.type).__name__ in ("String", "Text", "Encrypted")
        and not isinstance(column.type, SqlEnum)
        and not column.primary_key
        and not column.foreign_keys
        and f"{table.name}.{column.name}" not in CODES
    }


# Never words: what the desk made up itself or looks up in a table of its own, and addresses that only one form lets in.
CODES = {
    *("audit.action", "audit.subject", "audit.previous_hash", "audit.hash", "conversations.token_hash", "conversations.crisis", "erasure_proofs.reason"),
    *("not_understood.response", "reviews.response", "reviews.text_hash", "staff.password_hash", "staff.totp_secret", "staff.oidc_subject"),
    *("messages.sender", "messages.kind", "messages.response", "messages.client_id", "messages.content_hash", "recovery_codes.code_hash"),
    *("sign_ins.outcome", "staff_sessions.csrf_token", "tickets.reference", "tickets.idempotency_key", "tickets.body_hash", "tickets.subject"),
    *("tickets.phone", "appointments.visitor_zone", "appointments.uid", "undos.action", "outbox.template", "outbox.message_id"),
}


def poison(world: World, payload: str) -> dict[str, str]:
    """Puts a payload into every column of words, as if no form had ever checked anything; returns the beginning of each by column."""
    marks = {}
    with world.database.transaction() as session:
        for number, (name, column) in enumerate(poisoned_columns().items()):
            marks[name] = f"zq{number}w"
            key = next(iter(column.table.primary_key))
            for row, (identity,) in enumerate(session.execute(select(key).order_by(key)).all()):
                said = f"{marks[name]}{row}q{payload}"
                if name in ("tickets.email", "staff.email", "outbox.recipient"):
                    said = f'"{said}"@exemple.fr'
                session.execute(update(column.table).where(key == identity).values({column.name: said}))
        for letter in session.scalars(select(Notification)):
            values = dict(letter.values or {})
            values |= {"text": f"zqtext{payload}"} if "text" in values else {}
            if "appointment" in values:
                values["appointment"] = values["appointment"] | {"clinician": f"zqclinician{payload}"}
            letter.values = values
    return marks


# ---------------------------------------------------------------- reading pages as a browser does

_ADDRESSES = {"href", "src", "action", "formaction", "xlink:href", "poster", "data", "background", "cite", "ping", "manifest", "srcset"}
_OURS = re.compile(r"(?:/(?![/\\])|#|\?|tel:\+?\d|mailto:|http://testserver/)", re.I)
_RANDOM = {"token_hash", "csrf_token", "hash", "previous_hash", "password_hash", "code_hash", "message_id", "uid", "digest", "totp_secret", "totp_last_step"}
_RANDOM |= {"idempotency_key", "body_hash", "reference", "subject_digests", "values", "before", "conversation_id", "id", "subject"}


class Markup(HTMLParser):
    """What a browser makes of a page: its skeleton (tags and names of attributes), its words, and everything in it that could run or lead away."""

    def __init__(self, source: str) -> None:
        """Reads it."""
        super().__init__(convert_charrefs=True)
        self.skeleton: list[str] = []
        self.words: list[str] = []
        self.faults: list[str] = []
        self._in_script = False
        self.feed(source)
        self.close()

    @property
    def said(self) -> str:
        """Text and values of attributes."""
        return "\n".join(self.words)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """See ``HTMLParser``."""
        given = dict(attrs)
        self.skeleton.append(f"<{tag} {' '.join(name for name, _ in attrs)}>")
        self.words += [value for _, value in attrs if value]
        self._in_script = tag == "script"
        if tag == "script" and not str(given.get("src")).startswith("/static/"):
            self.faults.append(f"script {attrs}")
        if tag in ("iframe", "object", "embed", "base", "frame", "applet", "math", "template", "portal"):
            self.faults.append(tag)
        if tag == "meta" and str(given.get("http-equiv", "content-security-policy")).casefold() != "content-security-policy":
            self.faults.append(f"meta {attrs}")
        if tag == "link" and not str(given.get("href")).startswith(("/static/", "data:image/")):
            self.faults.append(f"link {attrs}")
        for name, value in attrs:
            if name.startswith("on") or name in ("srcdoc", "style"):
                self.faults.append(f"{tag} {name}={value}")
            is_picture = tag in ("img", "link") and str(value).startswith("data:image/")
            if name in _ADDRESSES and value and not is_picture and not _OURS.match(value):
                self.faults.append(f"{tag} {name}={value}")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """See ``HTMLParser``."""
        self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        """See ``HTMLParser``."""
        self.skeleton.append(f"</{tag}>")
        self._in_script = False

    def handle_comment(self, data: str) -> None:
        """See ``HTMLParser``."""
        self.skeleton.append("<!-->")

    def handle_data(self, data: str) -> None:
        """See ``HTMLParser``."""
        if self._in_script and data.strip():
            self.faults.append(f"inline script {data}")
        self.words.append(data)


def found(said: Iterable[str], words: str) -> bool:
    """Whether words stand in one of these texts, however spaces are written."""
    wanted = " ".join(words.split())
    return any(wanted in " ".join(text.split()) for text in said)


@cache
def _content() -> Content:
    return Content()


@cache
def text() -> CatalogueEntry:
    """A text that a clinician may sign."""
    return catalogue(_content(), dialogue())[0]


def cheap_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Real argon2id of small parameters."""
    monkeypatch.setattr(accounts, "HASHER", PasswordHasher(time_cost=1, memory_cost=64, parallelism=1))
