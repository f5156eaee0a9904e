"""A desk with something of everything in it, the form that works on each of its routes, and what a browser makes of a page."""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pyotp
from anyio.from_thread import start_blocking_portal
from httpx2 import Response
from sqlalchemy import Integer, delete, insert, select, text, update
from sqlalchemy.orm import Session
from starlette.testclient import TestClient

from bot.answers import Content
from desk import problems
from desk.appointments import clinicians
from desk.appointments import service as appointments
from desk.appointments.service import Wish
from desk.chat import api as chat_api
from desk.chat.rasa import Assistant
from desk.chat.turns import Turns
from desk.content.catalogue import CatalogueEntry, catalogue
from desk.content.usage import dialogue
from desk.db import Base, Database, now
from desk.hours_editing import set_special_day, set_week
from desk.models import (
    ChatMessage,
    Conversation,
    Delivery,
    ErasureProof,
    Notification,
    NotUnderstood,
    RecoveryCode,
    Review,
    Role,
    Staff,
    StaffSession,
    Ticket,
    TurnCount,
    Undo,
)
from desk.outbox import queue
from desk.privacy.holdings import Chosen, gather
from desk.staff import accounts, canned, second_factor
from desk.staff.permissions import granted
from desk.staff.shell import StaffRoute
from desk.tickets import api as tickets_api
from desk.tickets import service, work
from tests.appointment_kit import coming
from tests.desk_pages import SECRET, desk_app
from tests.staff_kit import COOKIE, PASSWORD, routes

LEA, ANA, BRUNO, VERA, BORIS, NINA, ZOE = "Léa Martin", "Ana Jović", "Bruno Petit", "Vera Dragić", "Boris Admin", "Nina Neuve", "Zoé Partie"
ROLES = {LEA: Role.LEAD, ANA: Role.AGENT, BRUNO: Role.AGENT, VERA: Role.PRIVACY_OFFICER, BORIS: Role.ADMIN}
TOTP_SECRET = "A" * 32  # Bruno's
TRACES = ("audit", "presence")  # written by whoever only looks
Rows = dict[str, list[dict[str, Any]]]
_filled: list[tuple[Rows, dict[str, int], dict[str, str]]] = []  # the first desk of this run: filling one takes longer than copying it


class World:
    """One desk: seven accounts, a request in every state that a move begins in, all Ana's but one, and a row of everything else."""

    def __init__(self, database: Database, folder: Path) -> None:
        """Fills an empty database."""
        self.database = database
        self.app = desk_app(database, folder, undo_seconds=120, team_emails="equipe@clinique.exemple", clinic_country="ZZ")  # no appointment falls on a holiday
        self.app.router.routes.extend([*chat_api.routes, *tickets_api.routes])
        for kind, handler in ((problems.Problem, problems.on_problem), (problems.HTTPException, problems.on_http_exception)):
            self.app.add_exception_handler(kind, handler)
        self.settings, state = self.app.state.settings, self.app.state
        state.content, state.secret, state.templates = content(), SECRET, _shared_templates(state.templates)
        state.turns = _Lazy(lambda: Turns(database, _nobody(), state.content, settings=self.settings, events=state.events))
        self.numbers: dict[str, int] = {}  # what a path parameter aims at; « of NAME » an account
        self.requests: dict[str, str] = {}  # what a request is there for → its reference
        self._stack = ExitStack()
        self._portal = self._stack.enter_context(start_blocking_portal())  # one loop for all browsers: one for each request takes twice as long
        if not _filled:
            with database.transaction() as session:
                self._people(session)
                self._rows(session)
                for name in ("waiting", "claimed", "pending", "booked", "closed", "spam", "brunos", "alone"):
                    self.requests[name] = self._request(session, name)
            _filled.append((self.dump(), self.numbers, self.requests))
        self._first, self.numbers, self.requests = _filled[0]
        self.restore()

    # ------------------------------------------------------------ looking at it

    def browser(self, name: str = "", *, half: bool = False) -> Browser:
        """A browser that follows no redirect, signed in as somebody; with ``half`` the second factor is still to be given."""
        browser = self._stack.enter_context(closing(Browser(self.app, follow_redirects=False)))
        browser.portal = self._portal
        if name:
            token, browser.csrf = secrets.token_urlsafe(32), secrets.token_urlsafe(32)
            digest, present = hashlib.sha256(token.encode()).hexdigest(), now()
            fields = {"staff_id": self.numbers[f"of {name}"], "csrf_token": browser.csrf, "expires_at": present + timedelta(hours=1)}
            self.run(lambda session: session.add(StaffSession(token_hash=digest, second_factor_at=None if half else present, **fields)))
            browser.cookies.set(COOKIE, token)
        return browser

    def run(self, function: Callable[..., Any], *args: Any) -> Any:
        """Runs ``function(session, …)`` in a transaction."""
        with self.database.transaction() as session:
            return function(session, *args)

    def ticket(self, name: str) -> Ticket:
        """A request, by what it is there for."""
        found: Ticket = self.run(lambda session: session.scalars(select(Ticket).where(Ticket.reference == self.requests[name])).one())
        return found

    def address(self, route: StaffRoute, request: str = "claimed", **others: int | str) -> str:
        """Where a route leads in this desk. A path parameter of a new kind must be told of in ``numbers``."""
        response, _, place = signable().path.partition("/")
        known = {**self.numbers, "reference": self.requests[request], "path": "ailleurs", "response": response, "place": place} | others
        return "/desk" + re.sub(r"{(\w+)(:\w+)?}", lambda found: str(known[found[1]]), route.path)

    def dump(self, *but: str) -> Rows:
        """Everything that the database holds, decrypted, by table; ``but`` some tables."""
        with self.database.transaction() as session:
            tables = [table for table in Base.metadata.sorted_tables if table.name not in but]
            return {t.name: [dict(row) for row in session.execute(select(t).order_by(*t.primary_key)).mappings()] for t in tables}

    def changed(self, before: Rows) -> list[str]:
        """The tables of an earlier ``dump`` that are not what they were. (Comparing whole dumps, pytest would write a book about it.)"""
        after = self.dump()
        return [table for table, rows in before.items() if after[table] != rows]

    def outcome(self) -> Rows:
        """The same without what differs from run to run: of moments only whether there is one, nothing random."""
        return {
            table: [{name: value is None if isinstance(value, datetime) else value for name, value in row.items() if name not in _RANDOM} for row in rows]
            for table, rows in self.dump("staff_sessions").items()
        }

    def restore(self) -> None:
        """Makes the desk what it was at the beginning."""
        tables = Base.metadata.sorted_tables
        with self.database.transaction() as session:
            for table in reversed(tables):
                session.execute(delete(table))
            for table in tables:
                if self._first[table.name]:
                    session.execute(insert(table), self._first[table.name])
            if session.get_bind().dialect.name == "postgresql":
                for name in (table.name for table in tables if "id" in table.c and isinstance(table.c["id"].type, Integer)):
                    session.execute(text(f"SELECT setval(pg_get_serial_sequence('{name}', 'id'), (SELECT coalesce(max(id), 0) + 1 FROM {name}), false)"))
            soon = now() + timedelta(seconds=self.settings.undo_seconds)  # what was done then was done just now
            session.execute(update(Undo).values(until=soon))
            session.execute(update(Notification).where(Notification.template == "answer").values(not_before=soon))

    def close(self) -> None:
        """Closes the browsers."""
        self._stack.close()

    # ------------------------------------------------------------ what is in it

    def _people(self, session: Session) -> None:
        for name, role in {**ROLES, NINA: Role.AGENT, ZOE: Role.AGENT}.items():
            self.numbers[f"of {name}"] = accounts.add_staff(session, name, PASSWORD, role).id
        self.numbers["staff_id"] = self.numbers[f"of {BRUNO}"]
        session.get_one(Staff, self.numbers[f"of {NINA}"]).initial_password_until = now() + timedelta(days=1)
        session.get_one(Staff, self.numbers[f"of {ZOE}"]).active = False
        bruno = session.get_one(Staff, self.numbers["staff_id"])
        bruno.totp_secret, bruno.totp_confirmed_at, bruno.email = TOTP_SECRET, now() - timedelta(days=1), "bruno@clinique.exemple"
        session.add(RecoveryCode(staff_id=bruno.id, code_hash="c" * 64))
        accounts.sign_in(session, LEA, "faux", 1, "192.0.2.7")

    def _rows(self, session: Session) -> None:
        canned.save(session, LEA, "Premier modèle", "Bonjour, à bientôt.")
        self.numbers["reply_id"] = canned.save(session, LEA, "Second modèle", "Bonjour, nous vous rappelons.").id
        self.numbers["clinician"] = clinicians.add(session, LEA, "Dr Jovanović").id
        proof = ErasureProof(actor=VERA, reason="person", subject_digests=["d" * 64], counts={"tickets": 1})
        question = NotUnderstood(text="les marmottes ont-elles un foie", response="utter_fallback")
        read = Review(response=signable().text.response, text_hash=signable().text.sha256, reviewer="Dre Lectrice", function="hépatologue", signed_by=LEA)
        session.add_all([proof, question, read, TurnCount(hour=now() - timedelta(hours=2), kind="answer", topic="utter_greeting", count=3)])
        session.flush()
        self.numbers["proof_id"], self.numbers["question"] = proof.id, question.id
        set_week(session, LEA, dict.fromkeys(range(7), "9 h – 17 h"), self.settings)
        set_special_day(session, LEA, "2031-05-05", "", "inventaire", self.settings)

    def _request(self, session: Session, name: str) -> str:
        conversation = Conversation(id=secrets.token_hex(16), token_hash=hashlib.sha256(name.encode()).hexdigest())
        if name != "alone":  # whose erasure need not be told to Rasa
            session.add(conversation)
            session.flush()
            at = now() - timedelta(minutes=1)
            for seq, sender in enumerate(("visitor", "bot", "human")):
                session.add(ChatMessage(conversation_id=conversation.id, seq=seq, sender=sender, kind="answer", text=f"bonjour de {name}", at=at))
        wish = {"name": f"Camille {name}", "email": f"{name}@exemple.fr", "phone": "+15145550123", "windows": "mardi", "subject": "liver", "transcript": True}
        wanted = service.NewRequest.model_validate({"conversation_id": conversation.id, "consent_version": "7"} | wish)
        ticket, _ = service.open_ticket(session, wanted, f"key of {name}", self.settings)
        reference, owner = ticket.reference, session.get_one(Staff, self.numbers[f"of {BRUNO if name == 'brunos' else ANA}"])

        def act(function: Callable[..., Any], *args: Any) -> Any:
            return function(session, reference, owner, *args, session.get_one(Ticket, ticket.id).version, self.settings)

        if name != "waiting":
            act(work.claim)
            work.add_note(session, reference, owner, f"note de {name}")
        match name:
            case "claimed":
                act(work.answer, "Bonjour, à demain.")
                self.numbers["undo"] = session.scalars(select(Undo.id)).one()
                values = {"link": "http://testserver/x"}
                dead = queue.enqueue(session, queue.Channel.EMAIL, "request_overdue", ticket=ticket, recipient="equipe@clinique.exemple", values=values)
                dead.state, dead.tries, dead.last_error = Delivery.DEAD, 10, "Le serveur de courrier est injoignable."
                session.flush()
                self.numbers["notification_id"] = dead.id
            case "booked" | "brunos":
                wish_of = Wish(self.numbers["clinician"], coming(1, 5 if name == "booked" else 6), time(10), 30, "America/Toronto")
                meeting = appointments.book(session, reference, owner, ticket.version, wish_of, self.settings, now())
                self.numbers["meeting" if name == "booked" else "brunos meeting"] = meeting.id
            case "pending" | "closed" | "spam":
                act({"pending": work.wait_for_visitor, "closed": work.close, "spam": work.mark_spam}[name])
        return reference


class Browser(TestClient):
    """A browser; ``csrf`` is the secret of its session's forms."""

    csrf = ""

    def submit(self, path: str, fields: Mapping[str, str], **headers: str) -> Response:
        """Sends a form; underscores in names of headers are hyphens."""
        return self.post(path, data=dict(fields), headers={name.replace("_", "-"): value for name, value in headers.items()})


# ---------------------------------------------------------------- forms


@dataclass(frozen=True)
class Form:
    """What somebody who may would fill in so that a route really does something.

    Attributes:
        who: the account.
        fields: without the session's secret; the request's version is added.
        request: that the address names.
        aims: what else it names: path parameter → account.
        half: whether the second factor is still to be given.
        acts: whether the database is another one afterwards.
    """

    who: str
    fields: Callable[[World, Browser], Mapping[str, str]] | Mapping[str, str] | None = None
    request: str = "claimed"
    aims: str = ""
    half: bool = False
    acts: bool = True

    def filled(self, desk: World, browser: Browser) -> dict[str, str]:
        """All fields but the secret."""
        own = self.fields(desk, browser) if callable(self.fields) else self.fields or {}
        return {"version": str(desk.ticket(self.request).version)} | dict(own)

    def address(self, desk: World, route: StaffRoute) -> str:
        """Where it is sent."""
        return desk.address(route, self.request, **({"staff_id": desk.numbers[f"of {self.aims}"]} if self.aims else {}))


def _code(desk: World, browser: Browser) -> Mapping[str, str]:
    digest = hashlib.sha256(str(browser.cookies[COOKIE]).encode()).hexdigest()
    secret = desk.run(lambda session: second_factor.offer(session, session.get_one(StaffSession, digest)).secret)
    return {"code": pyotp.TOTP(secret).now()}


def _booking(weeks: int) -> Callable[[World, Browser], Mapping[str, str]]:
    day = coming(2, weeks).isoformat()
    return lambda desk, _: {
        "clinician": str(desk.numbers["clinician"]),
        "day": day,
        "clock": "11:00",
        "minutes": "30",
        "zone": "America/Toronto",
        "outside": "yes",
    }


def _erasing(desk: World, _: Browser) -> Mapping[str, str]:
    of = desk.requests["alone"]
    return {"of": of, "stamp": desk.run(lambda session: gather(session, Chosen.read([of])).stamp), "confirmation": of, "reason": "person"}


def _question(desk: World, _: Browser) -> Mapping[str, str]:
    number = str(desk.numbers["question"])
    return {"dismiss": number, "until": "999", f"group-{number}": "on", "intent": dialogue().intents[0]}


_NEW = {"password": "une tout autre phrase", "again": "une tout autre phrase"}
FORMS: Mapping[str, Form] = {
    "/logout": Form(ANA),
    "/first-password": Form(NINA, _NEW),
    "/confirm": Form(ANA, {"password": PASSWORD}),
    "/second-factor": Form(ANA, _code, half=True),
    "/second-factor/change": Form(ANA, _code),
    "/second-factor/codes": Form(BRUNO),
    "/me/password": Form(ANA, {"old": PASSWORD} | _NEW),
    "/me/email": Form(ANA, {"email": "ana@exemple.fr"}),
    "/me/sessions": Form(ANA),
    "/search": Form(ANA, {"q": "Camille"}, acts=False),
    "/requests/{reference}/claim": Form(BRUNO, request="waiting"),
    "/requests/{reference}/release": Form(ANA),
    "/requests/{reference}/take_over": Form(LEA),
    "/requests/{reference}/wait": Form(ANA),
    "/requests/{reference}/resume": Form(ANA, request="pending"),
    "/requests/{reference}/close": Form(ANA),
    "/requests/{reference}/reopen": Form(ANA, request="closed"),
    "/requests/{reference}/spam": Form(ANA),
    "/requests/{reference}/not_spam": Form(ANA, request="spam"),
    "/requests/{reference}/transfer": Form(ANA, lambda desk, _: {"to": str(desk.numbers["staff_id"]), "note": "à toi"}),
    "/requests/{reference}/compose": Form(ANA, lambda desk, _: {"canned": str(desk.numbers["reply_id"]), "text": "Bonjour"}),
    "/requests/{reference}/answer": Form(ANA, {"text": "Bonjour, à lundi."}),
    "/requests/{reference}/note": Form(ANA, {"note": "a rappelé"}),
    "/requests/{reference}/undo": Form(ANA, lambda desk, _: {"undo": str(desk.numbers["undo"])}),
    "/requests/{reference}/presence": Form(ANA, {"writing": "1"}),
    "/requests/{reference}/appointments/book": Form(ANA, _booking(5)),
    "/requests/{reference}/appointments/{meeting:int}/move": Form(ANA, _booking(7), request="booked"),
    "/requests/{reference}/appointments/{meeting:int}/cancel": Form(ANA, request="booked"),
    "/canned/save": Form(LEA, {"title": "Troisième modèle", "text": "Bonjour."}),
    "/canned/{reply_id:int}/delete": Form(LEA),
    "/canned/{reply_id:int}/move": Form(LEA, {"to": "up"}),
    "/hours/week": Form(LEA, {f"day{day}": "10 h – 16 h" for day in range(5)}),
    "/hours/special": Form(LEA, {"day": "2031-06-06", "hours": "", "label": "travaux"}),
    "/hours/special/remove": Form(LEA, {"day": "2031-05-05"}),
    "/clinicians/add": Form(LEA, {"name": "Dre Nouvelle"}),
    "/clinicians/{clinician:int}/rename": Form(LEA, {"name": "Dr Autrement"}),
    "/clinicians/{clinician:int}/active": Form(LEA, {"active": "no"}),
    "/outbox/retry": Form(LEA),
    "/outbox/{notification_id:int}/retry": Form(LEA),
    "/people/new": Form(BORIS, {"name": "Zélie Nouvelle", "role": "agent", "email": "zelie@exemple.fr"}),
    "/people/{staff_id:int}/role": Form(BORIS, {"role": "lead"}),
    "/people/{staff_id:int}/deactivate": Form(BORIS),
    "/people/{staff_id:int}/activate": Form(BORIS, aims=ZOE),
    "/people/{staff_id:int}/second-factor": Form(BORIS),
    "/people/{staff_id:int}/password": Form(BORIS),
    "/privacy/search": Form(VERA, {"text": "Camille claimed"}),
    "/privacy/export": Form(VERA, lambda desk, _: {"of": desk.requests["claimed"]}),
    "/privacy/erase": Form(VERA, _erasing, request="alone"),
    "/insight/questions/dismiss": Form(LEA, _question),
    "/insight/questions/export": Form(LEA, _question),
    "/content/{response}/{place:int}/signed": Form(
        LEA, lambda *_: {"reviewer": "Dre Ana Relit", "function": "hépatologue", "read": "yes", "sha256": signable().text.sha256}
    ),
    "/{path:path}": Form(ANA, acts=False),
}


def posted() -> list[StaffRoute]:
    """Every route that takes a form."""
    return [route for route in routes() if "POST" in (route.methods or ())]


def opened_by(*names: str) -> list[tuple[str, StaffRoute]]:
    """The pages that these people may open, each with the first of them who may. The stream of events is no page."""
    pages = [route for route in routes() if "GET" in (route.methods or ()) and route.path != "/events"]
    who_may = [(next((n for n in names if route.permission is None or route.permission in granted(ROLES[n])), ""), route) for route in pages]
    return [(name, route) for name, route in who_may if name]


# ---------------------------------------------------------------- a page as a browser reads it

_ADDRESSES = {"href", "src", "action", "formaction", "xlink:href", "poster", "data", "background", "cite", "ping", "srcset"}
_OURS = re.compile(r"/(?![/\\])|#|\?|tel:\+?\d|mailto:|http://testserver/", re.IGNORECASE)


class Markup(HTMLParser):
    """The words of a page, and everything in it that could run or lead away."""

    def __init__(self, source: str) -> None:
        """Reads it."""
        super().__init__(convert_charrefs=True)
        self._words: list[str] = []
        self.faults: list[str] = []
        self._in_script = False
        self.feed(source)
        self.close()

    @property
    def said(self) -> str:
        """Text and values of attributes, on one line."""
        return " ".join(" ".join(self._words).split())

    def handle_starttag(self, tag: str, attrs: Sequence[tuple[str, str | None]]) -> None:
        """See ``HTMLParser``."""
        self._words += [value for _, value in attrs if value]
        self._in_script = tag == "script"
        if tag in ("iframe", "object", "embed", "base", "x-q") or (tag == "script" and not str(dict(attrs).get("src")).startswith("/static/")):
            self.faults.append(f"{tag} {attrs}")
        for name, value in attrs:
            is_picture = tag in ("img", "link") and str(value).startswith("data:image/")
            leads_away = name in _ADDRESSES and value and not is_picture and not _OURS.match(value)
            if name.startswith("on") or name == "srcdoc" or leads_away:
                self.faults.append(f"{tag} {name}={value}")

    def handle_data(self, data: str) -> None:
        """See ``HTMLParser``."""
        if self._in_script and data.strip():
            self.faults.append(f"script {data}")
        self._words.append(data)

    def handle_endtag(self, tag: str) -> None:
        """See ``HTMLParser``."""
        self._in_script = False


def poison(desk: World, payload: str) -> dict[str, list[str]]:
    """Puts a payload into every column of words, as if no form had ever checked anything.

    Returns:
        What the rows of each « table.column » hold now: a column added tomorrow is poisoned too.
    """
    planted: dict[str, list[str]] = {}
    with desk.database.transaction() as session:
        for place, column in enumerate(column for table in Base.metadata.sorted_tables for column in table.columns):
            name = f"{column.table.name}.{column.name}"
            if type(column.type).__name__ not in ("String", "Text", "Encrypted") or column.primary_key or column.foreign_keys or name in CODES:
                continue
            key = next(iter(column.table.primary_key))
            for row, identity in enumerate(session.scalars(select(key).order_by(key)).all()):
                said = f"{payload}q{place}r{row}"[: getattr(column.type, "length", None)]
                session.execute(column.table.update().where(key == identity).values({column.name: said}))
                planted.setdefault(name, []).append(said)
        for letter in session.scalars(select(Notification)):
            spoilt = {"text": payload} if "text" in (letter.values or {}) else {}
            if "appointment" in (letter.values or {}):
                spoilt["appointment"] = (letter.values or {})["appointment"] | {"clinician": payload}
            letter.values = {**(letter.values or {}), **spoilt}
        for conversation in session.scalars(select(Conversation)):
            conversation.short_form = {"key": "k", "values": {"name": payload}}
    return planted


# Never words of anybody: what the desk makes up itself, or looks up in a table of its own.
CODES = {
    *("audit.action", "audit.subject", "audit.previous_hash", "audit.hash", "conversations.token_hash", "conversations.crisis", "erasure_proofs.reason"),
    *("not_understood.response", "reviews.response", "reviews.text_hash", "staff.password_hash", "staff.totp_secret", "staff.oidc_subject"),
    *("messages.sender", "messages.kind", "messages.response", "messages.client_id", "messages.content_hash", "recovery_codes.code_hash"),
    *("sign_ins.outcome", "staff_sessions.csrf_token", "tickets.reference", "tickets.idempotency_key", "tickets.body_hash", "tickets.subject"),
    *("appointments.visitor_zone", "appointments.uid", "undos.action", "outbox.template", "outbox.message_id", "tickets.phone"),
}
_RANDOM = {"hash", "previous_hash", "password_hash", "code_hash", "message_id", "uid", "totp_secret", "totp_last_step", "values", "before"}


@cache
def content() -> Content:
    """The answers."""
    return Content()


@cache
def signable() -> CatalogueEntry:
    """A text that a clinician may sign."""
    return catalogue(content(), dialogue())[0]


class _Lazy:
    """Something that is made when it is first used: turns read every answer before the first, which takes longer than most attacks."""

    def __init__(self, make: Callable[[], Any]) -> None:
        self._made = cache(make)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._made(), name)


_templates: list[Any] = []


def _shared_templates(made: Any) -> Any:
    """One set of templates for all desks: each is compiled once."""
    _templates.append(made)
    return _templates[0]


@cache
def _nobody() -> Assistant:
    return Assistant("http://127.0.0.1:9", SECRET, 1.0)
