"""What somebody hostile tries on the staff desk and on a visitor's appointment page, on every route that there is.

The routes are those of the running desk, so that one added later is attacked too: it fails here until ``attack_kit.FORMS`` says how its form
is filled in well. What is attacked is a desk with something of everything in it, and each attack is one that would change or show something.
"""

from __future__ import annotations

import asyncio
import csv
import hashlib
import html
import io
import re
import secrets
import zipfile
from collections.abc import Callable, Iterator
from datetime import timedelta
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode, urljoin, urlsplit

import pytest
from httpx2 import Response
from itsdangerous import URLSafeSerializer
from sqlalchemy import delete, func, select, update

from desk.appointments import links, visitor_pages
from desk.db import Database, now
from desk.models import Appointment, Clinician, Delivery, Notification, Role, Staff, StaffSession, Ticket, TurnCount
from desk.outbox.letters import write_letter
from desk.outbox.mail import compose
from desk.staff import accounts, live, protection, second_factor, sessions
from desk.staff.permissions import granted
from desk.staff.shell import StaffRoute
from desk.tickets import service
from tests.attack_kit import (
    ANA,
    BORIS,
    BRUNO,
    FORM,
    FORMS,
    LEA,
    NINA,
    PASSWORD,
    ROLES,
    VERA,
    Browser,
    Form,
    Markup,
    World,
    cheap_hashes,
    found,
    names_of_fields,
    poison,
    poisoned_columns,
    posted,
    read,
)
from tests.desk_client import Desk
from tests.staff_kit import routes

HOST = "testserver"
ELSEWHERE = "https://ailleurs.example"
# Written down by whoever only looks: who read what, and which pages are open.
TRACES = ("audit", "presence")


@pytest.fixture
def world(database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """A desk with something of everything in it."""
    cheap_hashes(monkeypatch)
    made = World(database, tmp_path)
    yield made
    made.close()


@pytest.fixture
def signed_in(world: World) -> Callable[[Form], Browser]:
    """Opens the browser of whoever may send a form."""
    return lambda form: world.browser(form.who, half=form.half)


def _name(route: StaffRoute) -> str:
    return route.path


every_form = pytest.mark.parametrize("route", posted(), ids=_name)


def _is_french(answer: Response) -> bool:
    source = answer.text
    return '<html lang="fr">' in source and "<h1" in source


def test_every_form_is_known_to_these_tests() -> None:
    assert set(FORMS) == {route.path for route in posted()}


# ---------------------------------------------------------------- forms that somebody else made up


@every_form
def test_a_forged_form_changes_nothing_and_the_same_form_of_ours_does(world: World, signed_in: Callable[[Form], Browser], route: StaffRoute) -> None:
    form = FORMS[route.path]
    victim, colleague, other = signed_in(form), world.browser(LEA if form.who != LEA else ANA), signed_in(form)
    closed = other.csrf
    world.run(lambda session: session.execute(delete(StaffSession).where(StaffSession.csrf_token == closed)))
    fields, address = form.filled(victim), world.address(route, form.request)
    before = world.dump()

    def is_refused(answer: Response, attack: str, status: int = 403) -> None:
        assert answer.status_code == status, f"{attack}: {answer.status_code}"
        assert _is_french(answer), attack
        assert world.dump() == before, attack

    ours = fields | {"csrf": victim.csrf}
    for origin in (
        ELSEWHERE,
        "null",
        "",
        f"http://{HOST}.ailleurs.example",
        f"http://{HOST}@ailleurs.example",
        f"http://ailleurs.example/{HOST}",
        f"http://{HOST}:81",
    ):
        is_refused(victim.submit(address, ours, {"Origin": origin}), f"origin {origin}")
    for site in ("cross-site", "same-site"):
        is_refused(victim.submit(address, ours, {"Sec-Fetch-Site": site}), site)
        is_refused(victim.submit(address, ours, {"Sec-Fetch-Site": site, "Origin": f"http://{HOST}"}), f"{site} with our origin")
    guesses = {
        "wrong": secrets.token_urlsafe(32),
        "empty": "",
        "somebody else's": colleague.csrf,
        "of a session that is over": closed,
        "the cookie itself": victim.token,
        "longer": f"{victim.csrf}x",
        "cut": victim.csrf[:-1],
        "other capitals": victim.csrf.swapcase(),
        "not ASCII": f"{victim.csrf}é",
    }
    for attack, guess in guesses.items():
        is_refused(victim.submit(address, fields | {"csrf": guess}), attack)
    is_refused(victim.submit(address, fields), "none")
    is_refused(victim.submit(f"{address}?csrf={victim.csrf}", fields), "in the address")
    victim.cookies.set("csrf", victim.csrf)
    is_refused(victim.submit(address, fields, {"X-CSRF-Token": victim.csrf}), "in a header and a cookie")
    body = urlencode(ours).encode()
    for kind in ("text/plain", "application/json", "multipart/form-data; boundary=x", ""):  # what a foreign page can send unasked
        is_refused(victim.submit(address, {}, body=body, kind=kind), kind, 400)

    victim.submit(address, ours, {"Origin": f"http://{HOST}", "Sec-Fetch-Site": "same-origin"})
    assert (world.dump() != before) is form.changes, "the attacks above could have done nothing"


@every_form
def test_a_form_sent_as_an_address_changes_nothing(world: World, signed_in: Callable[[Form], Browser], route: StaffRoute) -> None:
    form = FORMS[route.path]
    victim = signed_in(form)
    fields = form.filled(victim) | {"csrf": victim.csrf, "_method": "POST"}
    before = world.dump(*TRACES)
    for method in ("GET", "HEAD"):
        answer = victim.request(method, world.address(route, form.request), params=fields, headers={"X-HTTP-Method-Override": "POST"})
        assert answer.status_code < 500
        assert world.dump(*TRACES) == before


def test_looking_changes_nothing(world: World) -> None:
    before = world.dump(*TRACES)
    for name in ROLES:
        browser = world.browser(name)
        before = before | {"staff_sessions": world.dump()["staff_sessions"]}
        for route in read():
            assert browser.get(world.address(route)).status_code < 500, route.path
            assert world.dump(*TRACES) == before, route.path


# ---------------------------------------------------------------- what one role or person may do to another's


@every_form
def test_who_may_not_send_a_form_changes_nothing_with_it(world: World, route: StaffRoute) -> None:
    form = FORMS[route.path]
    may = {name: route.permission is None or route.permission in granted(role) for name, role in ROLES.items()}
    assert may.get(form.who, True)
    for name in (name for name, is_allowed in may.items() if not is_allowed):
        intruder = world.browser(name)
        filler = world.browser(form.who)
        fields = form.filled(filler) | {"csrf": intruder.csrf}
        before = world.dump()
        answer = intruder.submit(world.address(route, form.request), fields)
        assert (answer.status_code, "Accès réservé" in answer.text) == (403, True), name
        assert world.dump() == before, name


# What every agent may do with a request that somebody else follows: read it, and tell them something.
_SHARED = {"/requests/{reference}/note", "/requests/{reference}/presence", "/requests/{reference}/compose"}


@pytest.mark.parametrize("route", [route for route in posted() if "{reference}" in route.path], ids=_name)
def test_an_agent_cannot_act_on_a_colleagues_request(world: World, route: StaffRoute) -> None:
    form = FORMS[route.path]
    for request in ("claimed", "pending", "booked"):
        bruno = world.browser(BRUNO)
        fields = form.filled(world.browser(ANA)) | {"csrf": bruno.csrf, "version": str(world.ticket(request).version)}
        before = world.dump(*TRACES)
        answer = bruno.submit(world.address(route, request), fields)
        if route.path in _SHARED:
            assert answer.status_code in (200, 303)
        else:
            assert answer.status_code in (400, 403, 409), request
            assert world.dump(*TRACES) == before, request


@pytest.mark.parametrize("what", ["move", "cancel"])
def test_an_appointment_is_out_of_reach_under_another_requests_address(world: World, what: str) -> None:
    route = next(route for route in posted() if route.path.endswith(f"{{meeting:int}}/{what}"))
    bruno = world.browser(BRUNO)
    fields = FORMS[route.path].filled(world.browser(ANA)) | {"csrf": bruno.csrf, "version": str(world.ticket("brunos").version)}
    before = world.dump(*TRACES)
    answer = bruno.submit(world.address(route, "brunos"), fields)  # his own request, Ana's appointment
    assert answer.status_code in (400, 409)
    assert world.dump(*TRACES) == before
    bruno.submit(world.address(route, "brunos", meeting=world.numbers["brunos meeting"]), fields)
    assert world.dump(*TRACES) != before


def test_nobody_takes_back_a_colleagues_act_through_a_request_of_their_own(world: World) -> None:
    bruno = world.browser(BRUNO)
    before = world.dump(*TRACES)
    answer = bruno.submit(f"/desk/requests/{world.requests['brunos']}/undo", {"csrf": bruno.csrf, "undo": str(world.numbers["undo"])})
    assert answer.status_code == 409
    assert world.dump(*TRACES) == before


def test_ending_sessions_ends_ones_own_whatever_the_form_names(world: World) -> None:
    ana, anas_other, bruno = world.browser(ANA), world.browser(ANA), world.browser(BRUNO)
    digest = hashlib.sha256(bruno.token.encode()).hexdigest()
    ana.submit("/desk/me/sessions", {"csrf": ana.csrf, "staff_id": str(world.numbers["staff_id"]), "token_hash": digest, "session": digest})
    assert bruno.get("/desk/me").status_code == 200
    assert anas_other.get("/desk/me").status_code == 303


def test_an_erasure_reviewed_for_one_person_erases_no_other(world: World) -> None:
    vera = world.browser(VERA)
    fields = FORMS["/privacy/erase"].filled(vera)
    other = world.requests["closed"]
    before = world.dump(*TRACES)
    for of in (other, f"{fields['of']} {other}"):
        answer = vera.submit("/desk/privacy/erase", fields | {"csrf": vera.csrf, "of": of, "confirmation": "EFFACER"})
        assert answer.status_code in (409, 503), of
        assert world.dump(*TRACES) == before, of


def test_an_export_holds_what_was_chosen_and_nobody_else(world: World) -> None:
    vera = world.browser(VERA)
    answer = vera.submit("/desk/privacy/export", {"csrf": vera.csrf, "of": world.requests["claimed"]})
    packed = zipfile.ZipFile(io.BytesIO(answer.content))
    everything = "".join(packed.read(name).decode() for name in packed.namelist())
    assert "Camille claimed" in everything
    for name in set(world.requests) - {"claimed"}:
        assert f"Camille {name}" not in everything
        assert world.requests[name] not in everything


_NO_ROW = (0, 99_999_999, 2**31, 2**63 - 1, 2**63, 10**40)


@pytest.mark.parametrize("number", _NO_ROW)
def test_a_number_that_no_row_has_leads_nowhere(world: World, number: int) -> None:
    seen = 0
    for route in routes():
        names = re.findall(r"{(\w+):int}", route.path)
        if not names:
            continue
        form = FORMS.get(route.path)
        browser = world.browser(form.who if form else next(name for name, role in ROLES.items() if route.permission in granted(role)))
        aimed = world.address(route, form.request if form else "claimed", **dict.fromkeys(names, number))
        before = world.dump(*TRACES)
        answer = browser.submit(aimed, form.filled(browser) | {"csrf": browser.csrf}) if form else browser.get(aimed)
        assert answer.status_code in (303, 400, 404, 409), f"{route.path}: {answer.status_code}"
        assert answer.status_code == 303 or _is_french(answer), route.path
        assert world.dump(*TRACES) == before, route.path
        seen += 1
    assert seen > 10


@pytest.mark.parametrize("number", _NO_ROW[1:])
def test_a_form_that_names_a_row_that_is_not_there_changes_nothing(world: World, number: int) -> None:
    named = {
        "/requests/{reference}/transfer": "to",
        "/requests/{reference}/undo": "undo",
        "/requests/{reference}/appointments/book": "clinician",
        "/canned/save": "id",
        "/insight/questions/dismiss": "dismiss",
    }
    for path, name in named.items():
        form, route = FORMS[path], next(route for route in posted() if route.path == path)
        browser = world.browser(form.who)
        before = world.dump(*TRACES)
        answer = browser.submit(world.address(route, form.request), form.filled(browser) | {"csrf": browser.csrf, name: str(number)})
        assert answer.status_code < 500, path
        assert world.dump(*TRACES) == before, path


# ---------------------------------------------------------------- markup in what people write

PAYLOADS = {
    "script": "<script>alert(1)</script>",
    "attribute": '"><img src=x onerror=alert(1)>',
    "apostrophe": "' autofocus onfocus='alert(1)",
    "scheme": "javascript:alert(1)//",
    "template": "{{7*7}}${7*7}{%x%}",
    "textarea": "</textarea></title></style><svg/onload=alert(1)>",
    "svg": "<svg><a xlink:href=javascript:alert(1)><text>x",
    "separators": "\u2028</script>\u2029&#x3c;b&#x3e;<!--",
}
HARMLESS = "tout va bien"
# Where what people write is meant to be read: none of it may get lost on the way, or nothing was tried.
SHOWN = {
    *("audit.actor", "erasure_proofs.actor", "canned_replies.title", "canned_replies.text", "clinicians.name", "not_understood.text", "special_days.label"),
    *("staff.name", "staff.email", "sign_ins.network", "tickets.name", "tickets.email", "tickets.windows", "tickets.consent_version", "messages.text"),
    *("notes.author", "notes.text", "answers.author", "answers.text", "outbox.last_error", "reviews.reviewer", "reviews.function"),
}


def _walk(world: World) -> dict[str, str]:
    """Every page as everybody who may sees it, and the exported page."""
    pages = {}
    for name in (LEA, VERA, BORIS):
        browser = world.browser(world.run(lambda session, name=name: session.get_one(Staff, world.numbers[f"of {name}"]).name))
        for route in _of(name):
            for request in ("claimed", "booked", "closed") if "{reference}" in route.path else ("claimed",):
                answer = browser.get(world.address(route, request))
                assert answer.status_code < 500, route.path
                pages[f"{name} {route.path} {request}"] = answer.text
        if name == LEA:
            for state in Delivery:
                pages[f"outbox {state}"] = browser.get(f"/desk/outbox?state={state}").text
            for view in ("waiting", "mine", "overdue", "booked", "over", "all"):
                pages[f"list {view}"] = browser.get(f"/desk/?view={view}").text
        if name == VERA:
            for of in (world.requests["claimed"], world.requests["booked"]):
                packed = browser.submit("/desk/privacy/export", {"csrf": browser.csrf, "of": of})
                pages[f"export {of == world.requests['claimed']}"] = zipfile.ZipFile(io.BytesIO(packed.content)).read("donnees.html").decode()
                pages[f"person {of == world.requests['claimed']}"] = browser.get(f"/desk/privacy/person?of={of}").text
    return pages


def _of(name: str) -> list[StaffRoute]:
    """The pages that a role opens; those that are everybody's are the lead's."""
    return [route for route in read() if (route.permission in granted(ROLES[name]) if route.permission else name == LEA)]


@pytest.mark.parametrize("payload", PAYLOADS.values(), ids=PAYLOADS)
def test_nothing_that_anybody_wrote_is_ever_markup(world: World, payload: str) -> None:
    sign = FORMS["/content/{response}/{place:int}/signed"]
    signer = world.browser(LEA)
    signer.submit(world.address(next(r for r in posted() if r.path.endswith("/signed"))), sign.filled(signer) | {"csrf": signer.csrf})
    poison(world, HARMLESS)
    plain = _walk(world)
    marks = poison(world, payload)
    shown = _walk(world)
    said = []
    for page, source in shown.items():
        seen, harmless = Markup(source), Markup(plain[page])
        assert seen.faults == [], page
        assert seen.skeleton == harmless.skeleton, page
        said.append(seen.said)
    lost = {column for column in SHOWN if not any(found(said, f"{marks[column]}{row}q{payload}") for row in range(60))}
    assert not lost
    assert set(SHOWN) <= set(poisoned_columns())


@pytest.mark.parametrize("payload", PAYLOADS.values(), ids=PAYLOADS)
def test_nothing_in_an_address_is_ever_markup(world: World, payload: str) -> None:
    names = {*names_of_fields(r"(?:query_params|given|asked)"), "view", "subject", "owner", "sort", "page", "of"}
    browsers = [world.browser(name) for name in (LEA, VERA, BORIS)]
    for browser in browsers:
        for route in _of(browser.name):
            seen = Markup(browser.get(world.address(route), params=dict.fromkeys(sorted(names), payload)).text)
            assert seen.faults == [], route.path
    for route in (route for route in routes() if "{reference}" in route.path or "{path" in route.path or "{response}" in route.path):
        address = re.sub(r"{\w+(:\w+)?}", lambda part: "1" if part[1] == ":int" else quote(payload, safe=""), route.path)
        for method in {"GET", "POST"} & set(route.methods or ()):
            answer = browsers[0].request(method, f"/desk{address}", data={"csrf": browsers[0].csrf, "version": "1"} if method == "POST" else None)
            assert answer.status_code in (400, 403, 404, 303), route.path
            assert answer.headers["content-type"].startswith("application/json") or Markup(answer.text).faults == [], route.path


@every_form
def test_nothing_in_a_form_that_is_shown_again_is_ever_markup(world: World, signed_in: Callable[[Form], Browser], route: StaffRoute) -> None:
    form = FORMS[route.path]
    browser = signed_in(form)
    fields = form.filled(browser)
    everything = "".join(PAYLOADS.values())
    for spoilt in [*({name: everything[:200]} for name in fields), *(dict.fromkeys(fields, payload) for payload in PAYLOADS.values())]:
        answer = browser.submit(world.address(route, form.request), fields | spoilt | {"csrf": browser.csrf})
        assert answer.status_code < 500, spoilt
        if answer.headers.get("content-type", "").startswith("text/html"):
            assert Markup(answer.text).faults == [], spoilt


@pytest.mark.parametrize("payload", PAYLOADS.values(), ids=PAYLOADS)
def test_no_letter_and_no_visitors_page_holds_markup_of_others(world: World, payload: str) -> None:
    meeting = world.run(lambda session: links.token(session.get_one(Appointment, world.numbers["meeting"]), world.settings))
    browser = world.browser()
    plain, letters = Markup(browser.get(f"/rendez-vous/{meeting}").text), _letters(world)
    poison(world, payload)
    for address in (f"/rendez-vous/{meeting}", f"/rendez-vous/{quote(payload, safe='')}"):
        page = browser.get(address)
        assert Markup(page.text).faults == []
        assert page.headers["content-security-policy"].startswith("default-src 'none'; style-src 'self'")
        assert "unsafe" not in page.headers["content-security-policy"]
    assert Markup(browser.get(f"/rendez-vous/{meeting}").text).skeleton == plain.skeleton
    said = []
    for number, letter in _letters(world).items():
        seen = Markup(letter)
        assert [fault for fault in seen.faults if not fault.startswith("body style=")] == []
        assert seen.skeleton == Markup(letters[number]).skeleton
        said.append(seen.said)
    assert found(said, f"zqtext{payload}")
    assert found(said, f"zqclinician{payload}")


def _letters(world: World) -> dict[int, str]:
    """The HTML of every mail that waits in the outbox."""
    with world.database.transaction() as session:
        waiting = session.scalars(select(Notification).where(Notification.values.is_not(None))).all()
        return {row.id: write_letter(row.template, row.values or {}, world.settings).html for row in waiting if "." not in row.template}


# ---------------------------------------------------------------- SQL in what people write

HOSTILE = (
    "'",
    '"',
    "%",
    "_",
    "\\",
    "1 OR 1=1",
    "' OR '1'='1",
    "'; DROP TABLE tickets; --",
    '" OR ""="',
    "1) UNION SELECT * FROM staff --",
    "*",
    "%%' --",
    "\x00",
    "a\x00b",
)


@pytest.mark.parametrize("text", HOSTILE)
def test_a_search_for_sql_finds_nobody(world: World, text: str) -> None:
    ana, vera = world.browser(ANA), world.browser(VERA)
    before = world.dump(*TRACES)
    for answer in (ana.submit("/desk/search", {"csrf": ana.csrf, "q": text}), vera.submit("/desk/privacy/search", {"csrf": vera.csrf, "text": text})):
        assert answer.status_code in (200, 400)
        assert not re.search(r"RDV-\w{4}-\w{2}", re.sub(r'placeholder="[^"]*"|s\'écrit RDV-\w{4}-\w{2}|RDV-7K4M-2Q', "", html.unescape(answer.text)))
        assert "Camille" not in answer.text
    assert world.dump(*TRACES) == before


@pytest.mark.parametrize("text", HOSTILE)
def test_sql_in_an_address_is_only_words(world: World, text: str) -> None:
    names = sorted({*names_of_fields(r"(?:query_params|given|asked)"), "view", "subject", "owner", "sort", "page", "of"})
    before = world.dump(*TRACES)
    for name in (LEA, VERA, BORIS):
        browser = world.browser(name)
        for route in _of(name):
            answer = browser.get(world.address(route), params=dict.fromkeys(names, text))
            assert answer.status_code in (200, 303, 400, 403, 404), route.path
    for query in ("action", "reference", "account"):
        trail = world.browser(VERA).get("/desk/audit", params={query: text}).text
        assert (trail.count("<tr") > 1) is (query == "account"), query  # an account that there is none of is no filter
    before["staff_sessions"] = world.dump()["staff_sessions"]
    assert world.dump(*TRACES) == before


@every_form
def test_sql_in_a_form_is_only_words(world: World, signed_in: Callable[[Form], Browser], route: StaffRoute) -> None:
    form = FORMS[route.path]
    browser = signed_in(form)
    fields = form.filled(browser)
    counts = _rows(world)
    for spoilt in [*({name: f"{name}{''.join(HOSTILE[:-2])}"} for name in fields), *(dict.fromkeys(fields, text) for text in HOSTILE)]:
        answer = browser.submit(world.address(route, form.request), fields | spoilt | {"csrf": browser.csrf})
        assert answer.status_code < 500, spoilt
    if "{reference}" in route.path:
        answer = browser.submit(f"/desk/requests/{quote(HOSTILE[6], safe='')}{route.path.rpartition('}')[2]}", fields | {"csrf": browser.csrf})
        assert answer.status_code in (303, 404)
    assert all(count >= counts[table] for table, count in _rows(world).items() if table in ("tickets", "staff", "clinicians", "audit"))


def _rows(world: World) -> dict[str, int]:
    return {table: len(rows) for table, rows in world.dump().items()}


# ---------------------------------------------------------------- lines that become headers, cells that become formulas

BROKEN = ("\r\nBcc: tous@ailleurs.example", "\nSubject: autre", "\rX-Evil: 1", "\u2028Bcc: a@b.fr", "\x0bX: 1", "%0d%0aBcc: a@b.fr", "=?utf-8?q?=0d=0aBcc:x?=")


@pytest.mark.parametrize("line", BROKEN)
def test_no_value_of_a_letter_becomes_a_header(world: World, line: str) -> None:
    def spoil(session: Any) -> None:
        session.execute(update(Clinician).values(name=f"Dr{line}"))
        for row in session.scalars(select(Notification)):
            values = dict(row.values or {})
            values |= {"text": f"Bonjour{line}"} if "text" in values else {}
            if "appointment" in values:
                values["appointment"] = values["appointment"] | {"clinician": f"Dr{line}"}
            row.values = values

    world.run(spoil)
    seen = set()
    with world.database.transaction() as session:
        for row in session.scalars(select(Notification)):
            if "." in row.template or row.values is None:
                continue
            written = write_letter(row.template, row.values, world.settings)
            assert "\n" not in written.subject
            mail = message_from_bytes(compose(written, world.settings, "camille@exemple.fr", row.message_id, now()).content, policy=policy.default)
            assert {name.lower() for name in mail} <= {
                *("from", "to", "subject", "date", "message-id", "auto-submitted", "mime-version", "content-type", "content-language"),
            }
            assert mail["to"] == "camille@exemple.fr"
            assert "autre" not in mail["subject"]
            seen.add(row.template)
    assert {"answer", "appointment_confirmed", "request_received"} <= seen


@pytest.mark.parametrize("line", BROKEN[:5])
def test_no_address_or_name_with_a_line_break_is_ever_kept(world: World, line: str) -> None:
    ana, lea, boris = world.browser(ANA), world.browser(LEA), world.browser(BORIS)
    ana.submit("/desk/me/email", {"csrf": ana.csrf, "email": f"ana@exemple.fr{line}"})
    boris.submit("/desk/people/new", {"csrf": boris.csrf, "name": f"Zoé{line}", "role": "agent", "email": f"zoe@exemple.fr{line}"})
    lea.submit("/desk/clinicians/add", {"csrf": lea.csrf, "name": f"Dre Nouvelle{line}"})
    lea.submit("/desk/canned/save", {"csrf": lea.csrf, "title": f"Titre{line}", "text": "Bonjour"})
    lea.submit("/desk/hours/special", {"csrf": lea.csrf, "day": "2031-07-07", "hours": "", "label": f"motif{line}"})
    with pytest.raises(ValueError, match="email"):
        service.NewRequest.model_validate(
            {"conversation_id": "x", "name": "Camille", "windows": "mardi", "subject": "liver", "transcript": False, "consent_version": "7"}
            | {"email": f"a{line}@exemple.fr"}
        )
    kept = [
        value for column in ("staff.name", "staff.email", "clinicians.name", "canned_replies.title", "special_days.label") for value in _column(world, column)
    ]
    assert not [value for value in kept if value and not str(value).isprintable()]


def _column(world: World, name: str) -> list[Any]:
    column = poisoned_columns()[name]
    return list(world.run(lambda session: session.scalars(select(column)).all()))


@pytest.mark.parametrize("line", BROKEN)
def test_a_downloads_name_is_one_of_ours_whatever_is_asked(world: World, line: str) -> None:
    vera, lea = world.browser(VERA), world.browser(LEA)
    question = FORMS["/insight/questions/export"].filled(lea) | {"csrf": lea.csrf}
    answers = [
        vera.submit("/desk/privacy/export", {"csrf": vera.csrf, "of": f"{world.requests['claimed']} {line} x{line}"}),
        lea.get("/desk/insight/export", params={"days": f"30{line}"}),
        lea.submit("/desk/insight/questions/export", question | {"order": line, "page": line}),
    ]
    for answer in answers:
        assert re.fullmatch(r'attachment; filename="[a-z0-9_A-Z-]+\.(zip|csv|yml)"', answer.headers["content-disposition"])
    assert "content-disposition" not in lea.submit("/desk/insight/questions/export", question | {"intent": f"{question['intent']}{line}"}).headers
    for answer in [
        lea.get(f"/desk/ailleurs{quote(line)}"),
        lea.get("/desk/login", params={"next": f"/desk/{line}"}),
        lea.get("/desk/", params={"reference": line}),
    ]:
        assert not {"x-evil", "bcc", "x"} & {name.lower() for name in answer.headers}


@pytest.mark.parametrize("begins", ["=HYPERLINK(1)", "+1", "-1+cmd|' /C calc'!A0", "@SUM(1)", "\t=1", '";=1', "\r=1"])
def test_no_cell_of_the_numbers_becomes_a_formula(world: World, begins: str) -> None:
    world.run(lambda session: session.add(TurnCount(hour=now() - timedelta(hours=3), kind="answer", topic=begins, count=7)))
    lea = world.browser(LEA)
    table = lea.get("/desk/insight/export").text.removeprefix("\ufeff")
    cells = [cell for row in csv.reader(io.StringIO(table, newline=""), delimiter=";") for cell in row]
    assert len(cells) > 20
    assert not [cell for cell in cells if cell.startswith(("=", "+", "@", "\t", "\r")) or re.match(r"-\D|-\d.*\D", cell)]


# ---------------------------------------------------------------- fields that a form does not have

# No form takes more than twenty fields: more would be refused as a whole.
EXTRA = (
    {
        "role": "admin",
        "active": "0",
        "password_hash": "x",
        "totp_secret": "B" * 32,
        "email": "voleur@ailleurs.example",
        "staff_id": "1",
        "id": "1",
        "position": "9",
    },
    {
        "state": "spam",
        "assignee_id": "1",
        "transcript_allowed": "1",
        "follows_id": "1",
        "subject": "other",
        "author": "Voleur",
        "actor": "Voleur",
        "sequence": "9",
    },
    {
        "ticket_id": "1",
        "token_epoch": "9",
        "created_by": "Voleur",
        "signed_by": "Voleur",
        "undone_at": "1",
        "shown_at": "1",
        "recipient": "voleur@ailleurs.example",
    },
)


@every_form
def test_fields_that_a_form_does_not_have_change_nothing_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, route: StaffRoute) -> None:
    cheap_hashes(monkeypatch)
    form = FORMS[route.path]
    plain, _ = _sent(tmp_path / "plain", route, form, {})
    for number, extra in enumerate(EXTRA):
        # « name » and the like are fields of some forms: those stay as they were.
        other, fields = _sent(tmp_path / str(number), route, form, extra)
        assert other == plain, sorted(set(extra) - set(fields))


def _sent(folder: Path, route: StaffRoute, form: Form, extra: dict[str, str]) -> tuple[dict[str, list[str]], dict[str, str]]:
    """What a desk of its own is like after a form, with fields that it does not have."""
    from desk.db import connect
    from tests.databases import CIPHER, new_database_url

    engine = connect(new_database_url(folder), CIPHER)
    made = World(Database(engine), folder)
    try:
        browser = made.browser(form.who, half=form.half)
        fields = form.filled(browser)
        optional = {"id"} if route.path == "/canned/save" else {"email"} if route.path == "/people/new" else set()
        given = {name: value for name, value in extra.items() if name not in fields and name not in optional}
        browser.submit(made.address(route, form.request), given | fields | {"csrf": browser.csrf})
        return made.outcome(), fields
    finally:
        made.close()
        engine.dispose()


@pytest.mark.parametrize("version", ["0", "999", "-1", "1e1", "01", "٣", " 1", "", "9" * 9, "9" * 30, "0x1", "true"])
def test_a_version_cannot_be_made_up(world: World, version: str) -> None:
    for route in (route for route in posted() if route.path.startswith("/requests/{reference}/")):
        form = FORMS[route.path]
        browser = world.browser(form.who)
        fields = form.filled(browser) | {"csrf": browser.csrf, "version": version}
        if route.path in _SHARED or route.path.endswith("/undo") or fields["version"] == str(world.ticket(form.request).version):
            continue
        before = world.dump(*TRACES)
        assert browser.submit(world.address(route, form.request), fields).status_code in (400, 409), route.path
        assert world.dump(*TRACES) == before, route.path


# ---------------------------------------------------------------- redirects

AWAY = (
    "https://evil.example/", "//evil.example", "///evil.example", "/\\evil.example", "\\\\evil.example", "/%5cevil.example", "%2f%2fevil.example", "/desk\\@evil.example",
    "/desk/../..//evil.example/%2e%2e", "/desk//evil.example", "/desk/@evil.example", "/desk/https://evil.example", "javascript:alert(1)", "data:text/html,x", "\thttps://evil.example",
    "/\t/evil.example", "/desk/\r\nLocation: https://evil.example", "https:evil.example", "/desk/;@evil.example", "/desk/logout", "/desk/login?next=//evil.example", "//evil.example/desk/",
    "http://testserver.evil.example/desk/", "/desk/\u3002evil", "/desk/%0d%0aSet-Cookie:a=b",
)  # fmt: skip


def _stays(answer: Response, path: str) -> None:
    target = answer.headers.get("location", "")
    where = urlsplit(urljoin(f"http://{HOST}{path}", target.replace("\\", "/")))
    assert (where.scheme, where.netloc) == ("http", HOST), target
    assert where.path.startswith("/desk/"), target
    assert not re.search(r"[\s\\]", target), target
    assert "set-cookie:a" not in str(answer.headers).lower()


@pytest.mark.parametrize("target", AWAY)
def test_no_page_leads_away_from_the_desk(world: World, target: str) -> None:
    for path, who, half in (
        ("/login", "", False),
        ("/confirm", ANA, False),
        ("/first-password", NINA, False),
        ("/second-factor", ANA, True),
        ("/second-factor", LEA, False),
    ):
        browser = world.browser(who, half=half)
        page = browser.get(f"/desk{path}", params={"next": target})
        _stays(page, f"/desk{path}")
        for shown in re.findall(r'name="next" value="([^"]*)"', page.text):
            assert re.fullmatch(r"/desk/[^\\]*", html.unescape(shown)), shown
        if path == "/login":
            csrf = re.findall(r'name="csrf" value="([^"]*)"', page.text)[0]
            answer = browser.submit("/desk/login", {"csrf": csrf, "name": LEA, "password": PASSWORD, "next": target})
        else:
            form = FORMS[path]
            fields = form.filled(browser) if who == form.who else {}
            answer = browser.submit(f"/desk{path}", fields | {"csrf": browser.csrf, "next": target})
        assert answer.status_code in (200, 303), path
        _stays(answer, f"/desk{path}")


@every_form
def test_every_redirect_stays_in_the_desk_whatever_host_is_named(world: World, signed_in: Callable[[Form], Browser], route: StaffRoute) -> None:
    form = FORMS[route.path]
    browser = signed_in(form)
    answer = browser.submit(
        world.address(route, form.request), form.filled(browser) | {"csrf": browser.csrf}, {"Host": "evil.example", "X-Forwarded-Host": "evil.example"}
    )
    assert "evil" not in answer.headers.get("location", "")
    assert "evil" not in answer.text
    nobody = world.browser().get(world.address(route, form.request), headers={"Host": "evil.example"})
    assert "evil" not in nobody.headers.get("location", "")


def test_the_desks_bare_address_does_not_repeat_the_host(world: World) -> None:
    answer = world.browser().get("/desk", headers={"Host": "evil.example"})
    assert answer.headers["location"] == "/desk/"


# ---------------------------------------------------------------- used again

_ENDED: dict[str, Callable[[World, Browser], Any]] = {
    "signed out": lambda world, browser: world.run(sessions.sign_out, browser.token),
    "run out": lambda world, browser: world.run(lambda s: s.execute(update(StaffSession).values(expires_at=now()))),
    "account closed": lambda world, browser: world.run(lambda s: accounts.deactivate(s, BORIS, world.staff(browser.name).id)),
    "account switched off by hand": lambda world, browser: world.run(lambda s: s.execute(update(Staff).where(Staff.name == browser.name).values(active=False))),
    "password reset": lambda world, browser: world.run(lambda s: accounts.reset_password(s, BORIS, world.staff(browser.name).id)),
    "second factor reset": lambda world, browser: world.run(lambda s: second_factor.reset(s, BORIS, world.staff(browser.name).id)),
    "ended elsewhere": lambda world, browser: world.run(lambda s: sessions.end_all(s, world.staff(browser.name).id)),
}


@pytest.mark.parametrize("end", _ENDED.values(), ids=_ENDED)
def test_a_session_that_is_over_opens_no_route_and_sends_no_form(world: World, end: Callable[[World, Browser], Any]) -> None:
    browsers = {name: world.browser(name) for name in (ANA, BRUNO, LEA, VERA, NINA)}
    filled = {path: form.filled(browsers[form.who]) for path, form in FORMS.items() if form.who in browsers and path != "/privacy/erase" and not form.half}
    for browser in browsers.values():
        end(world, browser)
    before = world.dump()
    for route in routes():
        form = FORMS.get(route.path)
        browser = browsers.get(form.who if form else VERA, browsers[LEA])
        address = world.address(route, form.request if form else "claimed")
        answers = [browser.get(address)] if "GET" in (route.methods or ()) else []
        answers += [browser.submit(address, filled.get(route.path, {}) | {"csrf": browser.csrf})] if form else []
        for answer in answers:
            assert answer.headers.get("location", "").startswith("/desk/login?next="), route.path
            assert not answer.text, route.path
    assert world.dump() == before


@every_form
def test_a_form_sent_twice_acts_once(world: World, signed_in: Callable[[Form], Browser], route: StaffRoute) -> None:
    form = FORMS[route.path]
    if "{reference}" not in route.path or route.path in _SHARED:
        pytest.skip("names no version of a request")
    browser = signed_in(form)
    fields = form.filled(browser) | {"csrf": browser.csrf}
    address = world.address(route, form.request)
    assert browser.submit(address, fields).status_code == 303
    before = world.dump(*TRACES)
    assert browser.submit(address, fields).status_code == 409
    assert world.dump(*TRACES) == before


def test_a_code_of_the_second_factor_opens_one_session_only(world: World) -> None:
    enrolling = world.browser(ANA, half=True)
    fields = FORMS["/second-factor"].filled(enrolling)
    assert enrolling.submit("/desk/second-factor", fields | {"csrf": enrolling.csrf}).status_code == 200
    thief = world.browser(ANA, half=True)
    assert thief.submit("/desk/second-factor", fields | {"csrf": thief.csrf}).status_code == 401
    assert thief.get("/desk/").headers["location"].startswith("/desk/second-factor")


def test_a_link_of_an_appointment_is_worth_nothing_once_used_moved_or_over(world: World) -> None:
    visitor = world.browser()
    token = world.run(lambda session: links.token(session.get_one(Appointment, world.numbers["meeting"]), world.settings))
    address = f"/rendez-vous/{token}"
    for change in ({"token_epoch": Appointment.token_epoch + 1}, {"starts_at": now() - timedelta(days=1)}):
        world.run(lambda session, change=change: session.execute(update(Appointment).where(Appointment.id == world.numbers["meeting"]).values(change)))
        before = world.dump()
        for fields in ({"action": "cancel"}, {"action": "other_time"}):
            assert visitor.submit(address, fields).status_code == 410
        assert visitor.get(address).status_code == 410
        assert world.dump() == before
        world.run(
            lambda s: s.execute(
                update(Appointment).where(Appointment.id == world.numbers["meeting"]).values(token_epoch=0, starts_at=now() + timedelta(days=9))
            )
        )
    assert visitor.submit(address, {"action": "cancel"}).status_code == 200
    before = world.dump()
    for fields in ({"action": "cancel"}, {"action": "other_time"}):
        assert visitor.submit(address, fields).status_code == 410
    assert world.dump() == before


def test_a_link_leads_to_its_own_appointment_whatever_else_is_named(world: World) -> None:
    own, other = world.numbers["meeting"], world.numbers["brunos meeting"]
    token = world.run(lambda session: links.token(session.get_one(Appointment, own), world.settings))
    aimed = {"appointment": str(other), "id": str(other), "reference": world.requests["brunos"], "token": "x", "meeting": str(other), "state": "booked"}
    assert world.browser().submit(f"/rendez-vous/{token}?{urlencode(aimed)}", {"action": "cancel"} | aimed).status_code == 200
    states = world.run(lambda session: {a.id: a.state.value for a in session.scalars(select(Appointment))})
    assert states == {own: "cancelled", other: "booked"}


def test_a_link_signed_for_something_else_or_with_another_secret_is_none(world: World) -> None:
    visitor, number = world.browser(), world.numbers["meeting"]
    good = world.run(lambda session: links.token(session.get_one(Appointment, number), world.settings))
    payload, _, signature = good.rpartition(".")
    other = world.run(lambda session: links.token(session.get_one(Appointment, world.numbers["brunos meeting"]), world.settings))
    digest = {"key_derivation": "hmac", "digest_method": hashlib.sha256}
    forged = [
        URLSafeSerializer(str(world.settings.secret), salt="passerelle.autre", signer_kwargs=digest).dumps([number, 0]),
        URLSafeSerializer("x" * 40, salt=links.SALT, signer_kwargs=digest).dumps([number, 0]),
        URLSafeSerializer(str(world.settings.secret), salt=links.SALT).dumps([number, 0]),
        f"{other.rpartition('.')[0]}.{signature}",
        f"{payload}.",
        payload,
        f"{good}.",
        f"{good}=",
        f"{good[:-1]}{'A' if good[-1] != 'A' else 'B'}0",
        good.swapcase(),
        f"{good}/../{other}",
        "x" * 5000,
        "%00",
    ]
    before = world.dump()
    for token in forged:
        answer = visitor.submit(f"/rendez-vous/{token}", {"action": "cancel"})
        assert answer.status_code == 404, token
        assert world.dump() == before, token


# ---------------------------------------------------------------- headers, methods, bodies

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND", "AILLEURS")


@pytest.mark.parametrize("method", METHODS)
def test_every_answer_of_the_desk_has_its_headers_whatever_the_method(world: World, method: str) -> None:
    browsers = [world.browser(), world.browser(LEA), world.browser(VERA)]
    other = [route for route in world.app.routes if getattr(route, "path", "") == "/desk"]
    assert other
    addresses = ["/desk", "/desk/login", "/desk/oidc", "/desk/oidc/callback", *(world.address(route) for route in routes() if route.path != "/events")]
    for browser in browsers:
        for address in addresses:
            answer = browser.request(method, address, headers={"Content-Type": FORM})
            assert answer.status_code < 500, address
            assert answer.status_code in (405, 400, 403, 404, 303) if method not in ("GET", "HEAD") else True, address
            for name, value in protection.HEADERS.items():
                assert answer.headers.get(name) == value, f"{method} {address}: {name}"
            assert "unsafe" not in answer.headers["content-security-policy"]
            assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
            if method != "HEAD" and answer.status_code >= 400 and not answer.headers["content-type"].startswith("application/json"):
                assert _is_french(answer), address
            assert not any(secret in answer.text for secret in ("passerelle_staff", "Traceback", "sqlalchemy"))


def test_a_page_that_breaks_is_french_keeps_its_headers_and_tells_nothing(world: World) -> None:
    from starlette.testclient import TestClient

    lea = world.browser(LEA)
    world.app.state.content = None
    broken = TestClient(world.app, raise_server_exceptions=False, cookies=dict(lea.cookies))
    answer = broken.get("/desk/content")
    assert answer.status_code == 500
    for name, value in protection.HEADERS.items():
        assert answer.headers.get(name) == value, name
    assert '<html lang="fr">' in answer.text
    assert "Traceback" not in answer.text
    assert "AttributeError" not in answer.text


def test_static_files_and_the_visitors_errors_are_what_they_say_they_are(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    try:
        for path in ("/static/desk.css", "/static/desk.js", "/static/nulle-part.js"):
            answer = desk.http.get(path)
            assert answer.headers["x-content-type-options"] == "nosniff", path
        for path in (
            "/static/../app.py",
            "/static/%2e%2e/app.py",
            "/static/..%2fapp.py",
            "/static/%2e%2e%2f%2e%2e%2fREADME.md",
            "/static//etc/passwd",
            "/static/..%5capp.py",
            "/static/%00",
        ):
            answer = desk.http.get(path)
            assert answer.status_code in (404, 400), path
            assert "import" not in answer.text, path
        for method in ("PUT", "DELETE", "PATCH", "TRACE", "OPTIONS"):
            answer = desk.http.request(method, "/rendez-vous/x")
            assert answer.status_code == 405
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert answer.headers["cache-control"] == "no-store"
            assert desk.http.request(method, "/desk/").headers["x-content-type-options"] == "nosniff"
    finally:
        desk.stop()


def test_every_cookie_over_https_is_bound_to_the_host_and_out_of_reach_of_scripts(database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cheap_hashes(monkeypatch)
    world = World(database, tmp_path, public_url="https://bureau.exemple")
    browser = world.browser()
    page = browser.get("/desk/login")
    csrf = re.findall(r'name="csrf" value="([^"]*)"', page.text)[0]
    entered = browser.submit("/desk/login", {"csrf": csrf, "name": ANA, "password": PASSWORD})
    step = browser.get("/desk/second-factor")
    secret = re.findall(r'class="secret"[^>]*>([A-Z2-7 ]+)<', step.text)[0]
    import pyotp

    hidden = re.findall(r'name="csrf" value="([^"]*)"', step.text)[0]
    proved = browser.submit("/desk/second-factor", {"csrf": hidden, "code": pyotp.TOTP(secret.replace(" ", "")).now()})
    hidden = re.findall(r'name="csrf" value="([^"]*)"', browser.get("/desk/me").text)[0]
    left = browser.submit("/desk/logout", {"csrf": hidden})
    set_by = [cookie for answer in (page, entered, proved, left) for cookie in answer.headers.get_list("set-cookie")]
    assert len(set_by) >= 5
    for cookie in set_by:
        assert cookie.startswith("__Host-"), cookie
        attributes = {part.strip().lower() for part in cookie.split(";")[1:]}
        assert {"secure", "httponly", "path=/", "samesite=lax"} <= attributes, cookie
        assert not any(part.startswith("domain") for part in attributes), cookie
    assert (
        len({cookie.split(";")[0] for cookie in (*entered.headers.get_list("set-cookie"), *proved.headers.get_list("set-cookie")) if "passerelle=" in cookie})
        == 2
    )
    world.close()


def _deep(csrf: str) -> bytes:
    return f"csrf={csrf}&a{'[b]' * 15_000}=1".encode()


# What somebody may send in the place of a form: the body and its type, and whether a route may take it all the same.
BODIES: dict[str, Callable[[str], tuple[bytes, str, bool]]] = {
    "a thousand fields": lambda csrf: (b"&".join(b"f%d=1" % i for i in range(1000)) + f"&csrf={csrf}".encode(), FORM, False),
    "a megabyte": lambda csrf: (f"csrf={csrf}&text=".encode() + b"x" * 1_000_000, FORM, False),
    "deep names": lambda csrf: (_deep(csrf), FORM, True),
    "not UTF-8": lambda csrf: (f"csrf={csrf}&text=%ff%fe".encode(), FORM, False),
    "half a surrogate": lambda csrf: (f"csrf={csrf}&text=%ED%A0%80".encode(), FORM, False),
    "bytes": lambda csrf: (bytes(range(256)) * 4, FORM, False),
    "broken percents": lambda csrf: (f"csrf={csrf}&text=%&name=%4&version=%zz".encode(), FORM, True),
    "semicolons": lambda csrf: (f"csrf={csrf};version=1".encode(), FORM, False),
    "two secrets": lambda csrf: (f"csrf={csrf}&csrf=faux".encode(), FORM, False),
    "nothing": lambda csrf: (b"", FORM, False),
    "JSON": lambda csrf: (f'{{"csrf": "{csrf}"}}'.encode(), "application/json", False),
    "XML": lambda csrf: (b'<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><x>&a;</x>', "application/xml", False),
    "multipart": lambda csrf: (
        f'--x\r\nContent-Disposition: form-data; name="csrf"\r\n\r\n{csrf}\r\n--x--\r\n'.encode(),
        "multipart/form-data; boundary=x",
        False,
    ),
    "a type that ends well": lambda csrf: (f"csrf={csrf}".encode(), f"text/plain; {FORM}", False),
    "compressed": lambda csrf: (b"\x1f\x8b\x08\x00" + b"\x00" * 40, FORM, False),
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_what_is_no_form_is_refused_in_french_by_every_route(world: World, body: Callable[[str], tuple[bytes, str, bool]]) -> None:
    before = world.dump(*TRACES)
    for route in posted():
        form = FORMS[route.path]
        browser = world.browser(form.who, half=form.half)
        content, kind, may_pass = body(browser.csrf)
        before |= {"staff_sessions": world.dump()["staff_sessions"]}
        answer = browser.submit(world.address(route, form.request), {}, body=content, kind=kind)
        assert answer.status_code < 500, route.path
        if not may_pass:
            assert answer.status_code in (400, 403), f"{route.path}: {answer.status_code}"
            assert _is_french(answer), route.path
            assert world.dump(*TRACES) == before, route.path
    visitor, number = world.browser(), world.numbers["meeting"]
    token = world.run(lambda session: links.token(session.get_one(Appointment, number), world.settings))
    content, kind, _ = body("x")
    answer = visitor.submit(f"/rendez-vous/{token}", {}, body=content, kind=kind)
    assert answer.status_code == 400
    assert _is_french(answer)
    for path in ("/desk/login",):
        answer = visitor.submit(path, {}, body=content, kind=kind)
        assert answer.status_code in (400, 403)
        assert _is_french(answer)


def test_a_body_without_an_end_is_given_up_early(world: World) -> None:
    lea = world.browser(LEA)
    sent = []

    def endless() -> Iterator[bytes]:
        for _ in range(1000):
            sent.append(1)
            yield b"x" * 10_000

    answer = lea.post("/desk/canned/save", content=endless(), headers={"Content-Type": FORM})
    assert answer.status_code == 400


def test_the_visitors_form_is_refused_from_another_site_by_every_sign(world: World) -> None:
    visitor = world.browser()
    token = world.run(lambda session: links.token(session.get_one(Appointment, world.numbers["meeting"]), world.settings))
    before = world.dump()
    for headers in (
        {"Origin": ELSEWHERE},
        {"Origin": "null"},
        {"Origin": ""},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": f"http://{HOST}.evil.example"},
    ):
        for action in ("cancel", "other_time"):
            answer = visitor.submit(f"/rendez-vous/{token}", {"action": action}, headers)
            assert answer.status_code == 403
            assert answer.headers["content-security-policy"] == visitor_pages.HEADERS["Content-Security-Policy"]
    for method in ("GET", "HEAD"):
        assert visitor.request(method, f"/rendez-vous/{token}", params={"action": "cancel"}).status_code == 200
    assert world.dump() == before


# ---------------------------------------------------------------- the stream of events


def test_nobody_hears_events_without_a_whole_session_and_the_permission(world: World) -> None:
    nobody, half, admin = world.browser(), world.browser(ANA, half=True), world.browser(BORIS)
    made_up = world.browser()
    made_up.cookies.set("passerelle_staff", "x" * 43)
    for browser, target in ((nobody, "/desk/login"), (made_up, "/desk/login"), (half, "/desk/second-factor"), (world.browser(NINA), "/desk/first-password")):
        answer = browser.get("/desk/events")
        assert answer.status_code == 303
        assert answer.headers["location"].startswith(target)
    assert admin.get("/desk/events").status_code == 403


@pytest.mark.parametrize(
    "loss",
    [
        lambda world: world.run(lambda s: accounts.change_role(s, BORIS, world.staff(ANA).id, Role.ADMIN)),
        lambda world: world.run(lambda s: accounts.deactivate(s, BORIS, world.staff(ANA).id)),
        lambda world: world.run(lambda s: s.execute(delete(StaffSession))),
        lambda world: world.run(lambda s: s.execute(update(StaffSession).values(expires_at=now()))),
    ],
    ids=["another role", "account closed", "signed out", "run out"],
)
def test_an_open_stream_ends_with_what_allowed_it(world: World, monkeypatch: pytest.MonkeyPatch, loss: Callable[[World], Any]) -> None:
    monkeypatch.setattr(live, "HEARTBEAT", 0)
    ana, bus = world.browser(ANA), world.app.state.events

    async def listen() -> list[str]:
        heard = []
        async with asyncio.timeout(20):
            stream = live._stream(bus, world.database, ana.token)
            async for line in stream:
                heard.append(line)
                if len(heard) == 1:
                    bus.publish("ticket.open", "RDV-7K4M-29")
                elif len(heard) == 2:
                    loss(world)
                    bus.publish("ticket.open", "RDV-2222-22")
                elif len(heard) == 4:
                    break
        return heard

    heard = asyncio.run(listen())
    assert "RDV-7K4M-29" in heard[1]
    assert len(heard) == 2


def test_a_heartbeat_tells_no_more_to_somebody_who_may_no_longer_read(world: World) -> None:
    ana = world.browser(ANA)
    address = f"/desk/requests/{world.requests['claimed']}/presence"
    assert ana.submit(address, {"csrf": ana.csrf}).status_code == 200
    world.run(lambda session: accounts.change_role(session, BORIS, world.staff(ANA).id, Role.ADMIN))
    answer = ana.submit(address, {"csrf": ana.csrf})
    assert answer.status_code == 403
    assert world.requests["claimed"] not in answer.text


def test_the_requests_are_all_still_there(world: World) -> None:
    assert world.run(lambda session: session.scalar(select(func.count()).select_from(Ticket))) == len(world.requests)
