"""The staff desk, played through its pages on a real database."""

from __future__ import annotations

import asyncio
import html
import re
import secrets
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from argon2 import PasswordHasher
from httpx2 import Response
from sqlalchemy import select, update
from starlette.applications import Starlette
from starlette.templating import Jinja2Templates
from starlette.testclient import TestClient

from desk import audit
from desk.db import Database, connect, now
from desk.models import AuditEntry, ChatMessage, Conversation, Role, Staff, StaffSession, Ticket, TicketState
from desk.settings import ROOT, Settings, load_settings
from desk.staff import accounts, protection, sessions, wording
from desk.staff.attempts import SignInAttempts, TooManyAttempts
from desk.staff.routes import staff_routes
from desk.tickets import service
from desk.tickets.events import EventBus
from tests.authenticator import Authenticator, sign_in
from tests.databases import CIPHER, stored

NAME, PASSWORD = "Milica Petrović", "une phrase assez longue"
HTTPS, LOCAL = "https://bureau.exemple", "http://testserver"
SERVED_HASHER = accounts.HASHER


# ---------------------------------------------------------------- the desk under test


@pytest.fixture(autouse=True)
def _cheap_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Real argon2id with small parameters: the tests sign in some two hundred times."""
    monkeypatch.setattr(accounts, "HASHER", PasswordHasher(time_cost=1, memory_cost=64, parallelism=1))


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """A desk's database with one account."""
    database = Database(connect(database_url, CIPHER))
    with database.transaction() as session:
        accounts.add_staff(session, NAME, PASSWORD)
    yield database
    database.engine.dispose()


Opener = Callable[..., "Browser"]


@pytest.fixture
def open_browser(database: Database, tmp_path: Path) -> Iterator[Opener]:
    """Makes browsers that look at one desk."""
    opened: list[Browser] = []
    apps: dict[tuple[str, str], Starlette] = {}

    def make(url: str = LOCAL, rate_limits: str = "on", address: str = "192.0.2.1") -> Browser:
        key = (url, rate_limits)
        if key not in apps:
            apps[key] = _app(database, load_settings(data=tmp_path, public_url=url, rate_limits=rate_limits, two_factor="off"))
        browser = Browser(apps[key], base_url=url, client=(address, 50000))
        opened.append(browser)
        return browser

    yield make
    for browser in opened:
        browser.close()


@pytest.fixture
def browser(open_browser: Opener) -> Browser:
    """A browser that is not signed in."""
    return open_browser()


@pytest.fixture
def milica(browser: Browser) -> Browser:
    """A browser in which Milica is signed in."""
    assert browser.sign_in().status_code == 200
    return browser


def _app(database: Database, settings: Settings) -> Starlette:
    app = Starlette(routes=staff_routes())
    app.state.database, app.state.settings = database, settings
    app.state.templates = Jinja2Templates(directory=ROOT / "desk" / "templates")
    app.state.events = EventBus()
    return app


class Page:
    """What a page shows."""

    def __init__(self, text: str) -> None:
        """Takes the HTML."""
        self.source = text
        self.text = re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", " ", re.sub(r"(?s)<head>.*?</head>", "", text)))).replace(" .", ".")

    def field(self, name: str) -> str:
        """Value of a hidden field."""
        found = re.search(rf'name="{name}" value="([^"]*)"', self.source)
        assert found, f"no field {name}"
        return html.unescape(found[1])


class Browser(TestClient):
    """A test client that fills in forms as a person does."""

    def page(self, path: str) -> Page:
        """Opens a page."""
        return Page(self.get(path).text)

    def sign_in(self, name: str = NAME, password: str = PASSWORD, path: str = "/desk/login", **changes: str) -> Response:
        """Opens ``path``, fills in the login form it leads to, and sends it."""
        form = self.page(path)
        fields = {"csrf": form.field("csrf"), "next": form.field("next"), "name": name, "password": password}
        return self.post("/desk/login", data=fields | changes)

    def sign_in_with_second_factor(self, name: str = NAME, password: str = PASSWORD, telephone: Authenticator | None = None) -> Authenticator:
        """Signs in with a code too; sets the second factor up the first time, when no telephone is given. Returns the telephone."""
        return sign_in(self, name, password, telephone)

    def close_request(self, reference: str, page: Page | None = None, **changes: str) -> Response:
        """Confirms the closing on a page of the request, opened now unless given."""
        page = page or self.page(f"/desk/requests/{reference}")
        return self.post(f"/desk/requests/{reference}/close", data={"csrf": page.field("csrf"), "version": page.field("version")} | changes)


def _request(database: Database, minutes_ago: int = 0, conversation: str = "elsewhere", **fields: object) -> str:
    """Leaves a request as a visitor does; returns its reference."""
    values = {"name": "Camille Martin", "phone": "+33612345678", "windows": "mardi vers midi", "subject": "liver", "transcript": False, "consent_version": "7"}
    with database.transaction() as session:
        wanted = service.NewRequest.model_validate({"conversation_id": conversation} | values | fields)
        ticket, _ = service.open_ticket(session, wanted, secrets.token_hex(8))
        ticket.created_at = now() - timedelta(minutes=minutes_ago)
        return ticket.reference


def _conversation(database: Database, *said: tuple[str, str, int]) -> str:
    """Stores a conversation of (sender, text, minutes ago)."""
    with database.transaction() as session:
        conversation = Conversation(id=secrets.token_hex(16), token_hash="0" * 64)
        session.add(conversation)
        session.flush()
        for seq, (sender, text, minutes) in enumerate(said, start=1):
            at = now() - timedelta(minutes=minutes)
            session.add(ChatMessage(conversation_id=conversation.id, seq=seq, sender=sender, kind="answer", text=text, at=at))
        return conversation.id


def _audit(database: Database) -> list[tuple[str, str, str]]:
    with database.transaction() as session:
        return [(entry.actor, entry.action, entry.subject) for entry in session.scalars(select(AuditEntry).order_by(AuditEntry.id))]


def _without_our_script(source: str) -> str:
    return source.replace('<script type="module" src="/static/desk.js"></script>', "", 1)


# ---------------------------------------------------------------- signing in


def test_the_right_password_opens_the_list(browser: Browser) -> None:
    answer = browser.sign_in()
    assert answer.status_code == 200
    assert answer.url.path == "/desk/"
    assert NAME in Page(answer.text).text


def test_capitals_of_the_name_do_not_matter(browser: Browser) -> None:
    assert browser.sign_in(name=" milica PETROVIĆ ").url.path == "/desk/"


def test_a_wrong_password_says_so_and_keeps_the_name(browser: Browser) -> None:
    answer = browser.sign_in(password="autre chose de long")
    assert answer.status_code == 401
    assert "Nom ou mot de passe incorrect." in Page(answer.text).text
    assert Page(answer.text).field("name") == NAME
    assert "autre chose" not in answer.text


def test_an_unknown_name_reads_like_a_wrong_password(browser: Browser) -> None:
    known, unknown = browser.sign_in(password="x"), browser.sign_in(name="Personne", password="x")
    assert known.status_code == unknown.status_code == 401
    assert Page(known.text).text == Page(unknown.text).text


def test_an_unknown_name_costs_the_same_work(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    verified: list[str] = []
    real = PasswordHasher.verify
    monkeypatch.setattr(PasswordHasher, "verify", lambda self, known, given: verified.append(given) or real(self, known, given))  # type: ignore[func-returns-value]
    with database.transaction() as session:
        accounts.sign_in(session, NAME, "faux", 1)
        accounts.sign_in(session, "Personne", "faux", 1)
    assert verified == ["faux", "faux"]


def test_an_inactive_account_cannot_sign_in_and_loses_its_session(milica: Browser, database: Database, open_browser: Opener) -> None:
    with database.transaction() as session:
        session.execute(update(Staff).values(active=False))
    assert milica.get("/desk/").url.path == "/desk/login"
    assert open_browser().sign_in().status_code == 401


def test_attempts_are_audited_without_what_was_typed_for_an_unknown_name(browser: Browser, database: Database) -> None:
    browser.sign_in(name="mot-de-passe-dans-le-mauvais-champ", password="x")
    browser.sign_in(password="x")
    browser.sign_in()
    assert _audit(database)[-3:] == [
        ("system", "staff.sign_in_failed", accounts.UNKNOWN),
        ("system", "staff.sign_in_failed", NAME),
        (NAME, "staff.sign_in", NAME),
    ]
    assert b"mauvais-champ" not in stored(database)


def test_neither_password_nor_token_is_stored_in_clear(milica: Browser, database: Database) -> None:
    kept = stored(database)
    token = milica.cookies["passerelle_staff"]
    assert len(token) >= 43
    assert token.encode() not in kept
    assert PASSWORD.encode() not in kept
    assert b"$argon2id$" in kept


def test_a_hash_with_old_parameters_is_renewed_at_sign_in(browser: Browser, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    with database.transaction() as session:
        assert "m=64," in session.scalars(select(Staff.password_hash)).one()
    monkeypatch.setattr(accounts, "HASHER", SERVED_HASHER)
    browser.sign_in()
    with database.transaction() as session:
        renewed = session.scalars(select(Staff.password_hash)).one()
    assert renewed.startswith("$argon2id$v=19$m=65536,t=3,p=4$")
    assert SERVED_HASHER.verify(renewed, PASSWORD)


def test_without_any_account_the_login_page_says_how_to_make_one(browser: Browser, database: Database) -> None:
    with database.transaction() as session:
        session.delete(session.scalars(select(Staff)).one())
    assert "python -m desk staff add" in browser.page("/desk/login").text


# ---------------------------------------------------------------- the session's cookie


def test_the_cookie_over_http_is_out_of_reach_of_scripts(browser: Browser) -> None:
    form = browser.page("/desk/login")
    answer = browser.post("/desk/login", data={"csrf": form.field("csrf"), "name": NAME, "password": PASSWORD}, follow_redirects=False)
    cookie = next(c for c in answer.headers.get_list("set-cookie") if c.startswith("passerelle_staff="))
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert "Path=/;" in cookie
    assert "Secure" not in cookie


def test_the_cookie_over_https_is_secure_and_bound_to_the_host(open_browser: Opener) -> None:
    browser = open_browser(url=HTTPS)
    form = browser.page("/desk/login")
    answer = browser.post("/desk/login", data={"csrf": form.field("csrf"), "name": NAME, "password": PASSWORD}, follow_redirects=False)
    cookie = next(c for c in answer.headers.get_list("set-cookie") if c.startswith("__Host-passerelle="))
    assert {"HttpOnly", "Secure", "SameSite=lax", "Path=/"} <= {part.strip() for part in cookie.split(";")}
    assert "Domain" not in cookie
    assert browser.get("/desk/").url.path == "/desk/"


def test_a_session_ends_after_its_hours(milica: Browser, database: Database) -> None:
    with database.transaction() as session:
        opened = session.scalars(select(StaffSession)).one()
        assert timedelta(hours=9.9) < opened.expires_at - now() < timedelta(hours=10.1)
        opened.expires_at = now() - timedelta(seconds=1)
    answer = milica.get("/desk/")
    assert answer.url.path == "/desk/login"
    assert "Votre session a pris fin." in Page(answer.text).text


def test_sessions_that_are_over_are_deleted(milica: Browser, database: Database) -> None:
    with database.transaction() as session:
        session.execute(update(StaffSession).values(expires_at=now() - timedelta(days=1)))
    with database.transaction() as session:
        assert sessions.purge(session) == 1
        assert sessions.purge(session) == 0


def test_signing_out_ends_the_session_on_the_server(milica: Browser, database: Database) -> None:
    token = milica.cookies["passerelle_staff"]
    answer = milica.post("/desk/logout", data={"csrf": milica.page("/desk/").field("csrf")})
    assert "Vous êtes déconnecté." in Page(answer.text).text
    milica.cookies.set("passerelle_staff", token, domain="testserver.local", path="/")
    assert milica.get("/desk/").url.path == "/desk/login"
    assert _audit(database)[-1] == (NAME, "staff.sign_out", NAME)


def test_signing_in_again_replaces_the_session(milica: Browser, database: Database) -> None:
    before = milica.cookies["passerelle_staff"]
    milica.post("/desk/logout", data={"csrf": milica.page("/desk/").field("csrf")})
    milica.sign_in()
    assert milica.cookies["passerelle_staff"] != before
    with database.transaction() as session:
        assert len(session.scalars(select(StaffSession)).all()) == 1


# ---------------------------------------------------------------- signed out


def test_a_signed_out_visitor_is_sent_to_login_and_comes_back(browser: Browser, database: Database) -> None:
    reference = _request(database)
    sent = browser.get(f"/desk/requests/{reference}", follow_redirects=False)
    assert sent.status_code == 303
    answer = browser.sign_in(path=f"/desk/requests/{reference}")
    assert answer.url.path == f"/desk/requests/{reference}"
    assert "Camille Martin" in Page(answer.text).text


@pytest.mark.parametrize("path", ["/desk/", "/desk", "/desk/requests/RDV-7K4M-29", "/desk/inconnu", "/desk/requests/RDV-7K4M-29/close"])
def test_nothing_is_shown_signed_out(browser: Browser, path: str) -> None:
    assert browser.get(path).url.path == "/desk/login"


def test_a_signed_out_visitor_cannot_close(browser: Browser, database: Database) -> None:
    reference = _request(database)
    answer = browser.post(f"/desk/requests/{reference}/close", data={"version": "1", "csrf": ""}, follow_redirects=False)
    assert answer.headers["location"] == f"/desk/login?next=%2Fdesk%2Frequests%2F{reference}"
    assert ("system", "ticket.close", reference) not in _audit(database)


@pytest.mark.parametrize(
    "target",
    ["https://ailleurs.example/", "//ailleurs.example", "/\\ailleurs", "/desk/\r\nSet-Cookie: a=b", "/desk@ailleurs", "/desk/login?next=/desk/login", "/"],
)
def test_the_way_back_never_leads_out_of_the_desk(target: str) -> None:
    assert protection.safe_return(target) == "/desk/"


# ---------------------------------------------------------------- forms of other sites


def test_a_login_form_without_its_own_value_is_refused(browser: Browser) -> None:
    browser.get("/desk/login")
    answer = browser.post("/desk/login", data={"name": NAME, "password": PASSWORD, "csrf": "deviné"})
    assert answer.status_code == 403
    assert "passerelle_staff" not in browser.cookies


def test_a_login_form_without_its_cookie_is_refused(browser: Browser) -> None:
    value = browser.page("/desk/login").field("csrf")
    browser.cookies.clear()
    assert browser.post("/desk/login", data={"name": NAME, "password": PASSWORD, "csrf": value}).status_code == 403


def test_two_open_login_pages_both_work(browser: Browser) -> None:
    first = browser.page("/desk/login").field("csrf")
    browser.get("/desk/login")
    assert browser.post("/desk/login", data={"name": NAME, "password": PASSWORD, "csrf": first}).url.path == "/desk/"


@pytest.mark.parametrize("value", ["", "x" * 43, "é"])
def test_a_closing_without_the_sessions_value_is_refused(milica: Browser, database: Database, value: str) -> None:
    reference = _request(database)
    answer = milica.close_request(reference, csrf=value)
    assert answer.status_code == 403
    assert "Formulaire expiré" in Page(answer.text).text
    assert "En attente" in milica.page(f"/desk/requests/{reference}").text


@pytest.mark.parametrize(
    "headers",
    [{"Origin": "https://ailleurs.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}],
)
def test_a_post_from_another_site_is_refused(milica: Browser, database: Database, headers: dict[str, str]) -> None:
    reference = _request(database)
    page = milica.page(f"/desk/requests/{reference}")
    for path in (f"/desk/requests/{reference}/close", "/desk/logout", "/desk/login"):
        answer = milica.post(path, data={"csrf": page.field("csrf"), "version": "1"}, headers=headers)
        assert answer.status_code == 403
        assert "autre site" in Page(answer.text).text
    assert "En attente" in milica.page(f"/desk/requests/{reference}").text


def test_a_post_from_our_own_page_is_accepted(milica: Browser, database: Database) -> None:
    reference = _request(database)
    milica.headers.update({"Origin": LOCAL, "Sec-Fetch-Site": "same-origin"})
    assert milica.close_request(reference).status_code == 200


@pytest.mark.parametrize(
    ("body", "kind"),
    [(b'{"csrf": 1}', "application/json"), (b"csrf=" + b"x" * 70_000, "application/x-www-form-urlencoded"), (b"csrf=%ff", "application/x-www-form-urlencoded")],
)
def test_what_is_no_form_of_ours_is_refused_in_french(milica: Browser, body: bytes, kind: str) -> None:
    answer = milica.post("/desk/logout", content=body, headers={"Content-Type": kind})
    assert answer.status_code == 400
    assert "Formulaire illisible" in Page(answer.text).text


# ---------------------------------------------------------------- lock-out


def test_the_sixth_attempt_within_a_minute_must_wait_even_with_the_right_password(browser: Browser) -> None:
    for _ in range(5):
        assert browser.sign_in(password="faux").status_code == 401
    answer = browser.sign_in()
    assert answer.status_code == 429
    assert 1 <= int(answer.headers["retry-after"]) <= 60
    assert re.search(r"Trop d'essais\. Réessayez dans \d+\ssecondes\.", Page(answer.text).text)


def test_a_name_is_locked_from_every_address(open_browser: Opener) -> None:
    for i in range(5):
        open_browser(address=f"192.0.2.{i}").sign_in(password="faux")
    assert open_browser(address="198.51.100.7").sign_in(name=NAME.upper()).status_code == 429


def test_an_address_is_locked_for_every_name(open_browser: Opener) -> None:
    for i in range(5):
        open_browser(address=f"2001:db8:0:1::{i}").sign_in(name=f"Personne {i}", password="faux")
    assert open_browser(address="2001:db8:0:1::99").sign_in().status_code == 429
    assert open_browser(address="2001:db8:0:2::1").sign_in().status_code == 200


def test_signing_in_well_is_never_limited(open_browser: Opener) -> None:
    assert [open_browser().sign_in().status_code for _ in range(7)] == [200] * 7


def test_with_limits_off_nothing_waits(open_browser: Opener) -> None:
    browser = open_browser(rate_limits="off")
    assert [browser.sign_in(password="faux").status_code for _ in range(7)] == [401] * 7


def test_the_wait_grows_with_the_failures(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [1_800_000_000.0]
    monkeypatch.setattr(time, "time", lambda: clock[0])

    async def fail() -> None:
        return None

    async def waits() -> list[int]:
        attempts = SignInAttempts()
        found: list[int] = []
        while len(found) < 6:
            try:
                await attempts.attempt(NAME, "192.0.2.1", fail)
            except TooManyAttempts as error:
                found.append(error.seconds)
                clock[0] += error.seconds + 1
        return found

    found = asyncio.run(waits())
    assert found[0] <= 60 < found[1] <= 600
    assert max(found) > 1500


# ---------------------------------------------------------------- the list


def test_requests_are_listed_newest_first_with_how_many_are_to_be_done(milica: Browser, database: Database) -> None:
    old, new = _request(database, minutes_ago=90, name="Ancienne Demande"), _request(database, name="Nouvelle Demande")
    middle = _request(database, minutes_ago=30, name="Moyenne Demande")
    milica.close_request(middle)
    page = milica.page("/desk/?view=all&sort=received")
    assert re.findall(r'<a href="/desk/requests/(RDV-[\w-]+)', page.source) == [new, middle, old]
    assert "À traiter 2" in page.text
    assert "Clôturée" in page.text
    assert page.text.count("En attente") == 2
    assert "Heures de la clinique (Belgrade)" in page.text
    assert "Le foie" in page.text
    assert "mardi vers midi" in page.text


def test_an_empty_list_says_so(milica: Browser) -> None:
    assert "Rien à traiter" in milica.page("/desk/").text
    assert "Aucune demande pour l'instant" in milica.page("/desk/?view=all").text


def test_a_reference_said_on_the_phone_opens_its_request(milica: Browser, database: Database) -> None:
    reference = _request(database)
    said = reference.replace("-", " ").lower()
    assert milica.get("/desk/", params={"reference": said}).url.path == f"/desk/requests/{reference}"
    assert "Aucune demande ne porte la référence « rdv 234 »" in Page(milica.get("/desk/", params={"reference": "rdv 234"}).text).text


def test_moments_are_told_in_the_clinics_time() -> None:
    present = datetime(2026, 11, 22, 23, 30, tzinfo=UTC)  # already the 23rd in Belgrade
    told = [wording.moment(present - timedelta(hours=h), present).short.replace("\u00a0", " ") for h in (0, 1, 24 * 8, 24 * 400)]
    assert told == ["aujourd'hui 00:30", "hier 23:30", "15 nov. 00:30", "19 oct. 2025 01:30"]
    assert wording.moment(present, present).full.replace("\u00a0", " ") == "lundi 23 novembre 2026 à 00:30"


# ---------------------------------------------------------------- one request


def test_a_request_shows_what_the_visitor_left(milica: Browser, database: Database) -> None:
    reference = _request(database, email="camille@exemple.fr")
    page = milica.page(f"/desk/requests/{reference}")
    for shown in (reference, "Camille Martin", "+33 6 12 34 56 78", "France", "camille@exemple.fr", "mardi vers midi", "Le foie", "version 7", "En attente"):
        assert shown in page.text
    assert 'href="tel:+33612345678"' in page.source
    assert 'href="mailto:camille@exemple.fr"' in page.source
    assert "Visiteur" in page.text
    assert "Demande reçue" in page.text


def test_what_a_visitor_wrote_is_never_markup(milica: Browser, database: Database) -> None:
    conversation = _conversation(database, ("visitor", "<script>alert(3)</script>", 1))
    reference = _request(
        database,
        conversation=conversation,
        transcript=True,
        name="<script>alert(1)</script>",
        windows='"><img src=x onerror=alert(2)>',
        email='a"onfocus=x@exemple.fr',
    )
    for path in ("/desk/", f"/desk/requests/{reference}", "/desk/?reference=<script>"):
        source = _without_our_script(milica.get(path).text)
        assert "<script" not in source
        assert "<img" not in source
        assert 'a"onfocus' not in source
    assert "&lt;script&gt;alert(1)" in milica.get("/desk/").text


def test_reading_a_request_is_audited_and_shown(milica: Browser, database: Database) -> None:
    reference = _request(database)
    milica.get("/desk/")
    assert (NAME, "ticket.read", reference) not in _audit(database)
    milica.get(f"/desk/requests/{reference}")
    assert _audit(database)[-1] == (NAME, "ticket.read", reference)
    assert f"Demande consultée 2 fois {NAME}" in milica.page(f"/desk/requests/{reference}").text.replace("\u00a0", " ")
    with database.transaction() as session:
        assert audit.broken_at(session) is None


def test_the_conversation_shows_only_if_the_visitor_joined_it(milica: Browser, database: Database) -> None:
    said = [("visitor", "bonjour <b>vous</b>", 9), ("bot", "Bonjour.", 8), ("system", "interne", 7), ("visitor", "dit plus tard", 1)]
    joined = _request(database, minutes_ago=5, conversation=_conversation(database, *said), transcript=True)
    kept = _request(database, minutes_ago=5, conversation=_conversation(database, *said), transcript=False)
    page = milica.page(f"/desk/requests/{joined}")
    assert "bonjour <b>vous</b>" in page.text
    assert "Assistant" in page.text
    assert "interne" not in page.text
    assert "dit plus tard" not in page.text
    page = milica.page(f"/desk/requests/{kept}")
    assert "bonjour" not in page.text
    assert "n'a pas joint la conversation" in page.text


def test_an_erased_request_says_so_and_shows_nothing_personal(milica: Browser, database: Database) -> None:
    reference = _request(database)
    with database.transaction() as session:
        service.erase(session, session.scalars(select(Ticket)).one(), audit.VISITOR)
    page = milica.page(f"/desk/requests/{reference}")
    assert "ont été effacés" in page.text
    assert "Camille" not in page.source
    assert "Clôturer" not in page.text
    assert reference not in milica.page("/desk/").text


@pytest.mark.parametrize("path", ["/desk/requests/RDV-7K4M-29", "/desk/requests/nimporte", "/desk/requests/%00", "/desk/ailleurs"])
def test_what_does_not_exist_is_said_in_french(milica: Browser, path: str) -> None:
    answer = milica.get(path)
    assert answer.status_code == 404
    assert "introuvable" in Page(answer.text).text


# ---------------------------------------------------------------- closing


def test_closing_asks_first_then_closes_and_tells_who_did(milica: Browser, database: Database) -> None:
    reference = _request(database)
    before = milica.page(f"/desk/requests/{reference}")
    assert "<summary" in before.source
    assert f"Oui, clôturer {reference}" in before.text
    page = Page(milica.close_request(reference, before).text)
    assert "la demande est clôturée" in page.text
    assert f"Demande clôturée {NAME}" in page.text
    assert "Oui, clôturer" not in page.text
    assert (NAME, "ticket.close", reference) in _audit(database)


def test_closing_twice_tells_that_somebody_was_faster(milica: Browser, database: Database, open_browser: Opener) -> None:
    reference = _request(database)
    page = milica.page(f"/desk/requests/{reference}")
    with database.transaction() as session:
        accounts.add_staff(session, "Ana Jović", PASSWORD)
    ana = open_browser()
    ana.sign_in(name="Ana Jović")
    ana.close_request(reference)
    answer = milica.close_request(reference, page)
    assert answer.status_code == 409
    told = Page(answer.text).text
    assert "a changé entre-temps" in told
    assert "par Ana Jović" in told
    assert [entry for entry in _audit(database) if entry[1] == "ticket.close"] == [("Ana Jović", "ticket.close", reference)]


def test_a_request_taken_by_somebody_since_is_not_closed_unseen(milica: Browser, database: Database) -> None:
    reference = _request(database)
    page = milica.page(f"/desk/requests/{reference}")
    with database.transaction() as session:
        session.execute(update(Ticket).values(state=TicketState.CLAIMED, version=Ticket.version + 1))
    assert milica.close_request(reference, page).status_code == 409
    assert "Prise en charge" in milica.page(f"/desk/requests/{reference}").text


@pytest.mark.parametrize("version", ["", "-1", "1.0", "9" * 30, "un"])
def test_a_version_that_is_no_number_closes_nothing(milica: Browser, database: Database, version: str) -> None:
    assert milica.close_request(_request(database), version=version).status_code == 400


def test_closing_what_does_not_exist_is_a_404(milica: Browser, database: Database) -> None:
    csrf = milica.page("/desk/").field("csrf")
    assert milica.post("/desk/requests/RDV-7K4M-29/close", data={"csrf": csrf, "version": "1"}).status_code == 404


# ---------------------------------------------------------------- every page


def test_every_page_has_its_headers_and_no_script_but_ours(milica: Browser, database: Database, open_browser: Opener) -> None:
    reference = _request(database)
    answers = [milica.get(path) for path in ("/desk/", f"/desk/requests/{reference}", "/desk/ailleurs")]
    answers += [
        open_browser().get("/desk/login"),
        open_browser().get("/desk/", follow_redirects=False),
        milica.post("/desk/logout", headers={"Origin": "null"}),
    ]
    for answer in answers:
        for name, value in protection.HEADERS.items():
            assert answer.headers[name] == value
        assert "<script" not in _without_our_script(answer.text)
        assert "style=" not in answer.text
        if answer.status_code != 303:
            assert '<html lang="fr">' in answer.text
            assert answer.text.count("<h1") == 1
            assert "<main" in answer.text
    assert answers[0].headers["content-security-policy"].startswith("default-src 'none'; script-src 'self'; connect-src 'self'; style-src 'self'")


# ---------------------------------------------------------------- accounts


@pytest.mark.parametrize(
    ("name", "password", "error"),
    [
        ("A", PASSWORD, accounts.BadName),
        ("x" * 61, PASSWORD, accounts.BadName),
        ("Ana\x00", PASSWORD, accounts.BadName),
        ("Visitor", PASSWORD, accounts.BadName),
        ("MILICA  petrović", PASSWORD, accounts.NameTaken),
        ("Ana", "trop court", accounts.WeakPassword),
        ("Ana", "bonjour ANA, bonjour", accounts.WeakPassword),
    ],
)
def test_an_account_that_cannot_be_made_says_why_in_french(database: Database, name: str, password: str, error: type[accounts.AccountError]) -> None:
    with pytest.raises(error) as raised, database.transaction() as session:
        accounts.add_staff(session, name, password)
    assert str(raised.value).endswith(".")
    assert password not in str(raised.value)


def test_an_account_has_a_role_and_its_making_is_audited(database: Database) -> None:
    with database.transaction() as session:
        assert accounts.add_staff(session, "Chef", PASSWORD, Role.LEAD).role is Role.LEAD
    assert _audit(database)[-1] == ("system", "staff.add", "Chef")
