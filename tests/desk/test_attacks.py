"""What somebody hostile tries on the desk, on every route that there is.

The routes are those of the desk itself, so that one added later is attacked too: the first test fails until ``attack_kit.FORMS`` says how its
form is filled in well. Attacks are made with forms that would act, against a desk with something of everything in it. Which file holds what:

- forms of other sites: here; the login form's own value in ``test_staff``, the visitor's page in ``test_visitor_appointment``
- session fixation: ``test_people`` (a session planted before the sign-in), ``test_second_factor`` (half-open sessions, a secret looked at first)
- what is somebody else's, by role and by number: here; the table of roles in ``test_people``, moves of requests in ``test_work``
- markup in what people write: here; names in plots in ``test_insight``, a real browser under the policy in ``tests/desk_browser``
- SQL in what people write: here; a search that reads no column in ``test_search``
- lines that become headers, cells that become formulas: here; addresses of mails in ``test_mail``, single cells in ``test_insight``
- fields that a form does not have: here; signatures in ``test_content_sign_off``
- how long a sign-in takes: ``test_staff`` counts the work done for a name that nobody has, ``test_people`` measures it
- anything used twice: here; codes of the second factor in ``test_second_factor``, links in ``test_visitor_appointment``, keys and numbers of
  messages in ``test_chat``, answers of an identity provider in ``test_oidc``
- ways back that lead elsewhere: here; through a provider in ``test_oidc``
"""

from __future__ import annotations

import csv
import html
import io
import re
import zipfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import timedelta
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode, urljoin, urlsplit

import pytest
from argon2 import PasswordHasher
from httpx2 import Response
from sqlalchemy import select, update

from desk.appointments import ics, links
from desk.chat import api as chat_api
from desk.db import Database, now
from desk.models import Appointment, Delivery, Notification, Staff, TurnCount
from desk.outbox import SendingFailed
from desk.outbox.letters import write_letter
from desk.outbox.mail import compose
from desk.staff import accounts, protection, sessions
from desk.staff.permissions import granted
from tests.attack_kit import ANA, BORIS, BRUNO, FORMS, LEA, NINA, ROLES, TRACES, VERA, Markup, World, opened_by, poison, posted
from tests.desk_pages import SECRET
from tests.staff_kit import PASSWORD, routes

HOST, ELSEWHERE = "http://testserver", "https://ailleurs.example"
MEETINGS = ("meeting", "brunos meeting")
# What every agent may do with a request that somebody else follows: tell them something.
SHARED = {"/requests/{reference}/note", "/requests/{reference}/presence", "/requests/{reference}/compose"}


@pytest.fixture
def desk(database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """A desk with something of everything in it, and real argon2id of small parameters."""
    monkeypatch.setattr(accounts, "HASHER", PasswordHasher(time_cost=1, memory_cost=64, parallelism=1))
    made = World(database, tmp_path)
    yield made
    made.close()


def test_every_form_of_the_desk_is_known_here() -> None:
    differing = {route.path for route in posted()} ^ set(FORMS)
    assert not differing, f"say in attack_kit.FORMS how these are filled in so that they act: {sorted(differing)}"


def _link(desk: World) -> str:
    token = desk.run(lambda session: links.token(session.get_one(Appointment, desk.numbers["meeting"]), desk.settings))
    return f"/rendez-vous/{token}"


# ---------------------------------------------------------------- forms of other sites


def test_a_forged_form_changes_nothing_and_the_same_form_of_ours_acts(desk: World) -> None:
    for route in posted():
        form = FORMS[route.path]
        victim, other = (desk.browser(form.who, half=form.half) for _ in range(2))
        fields, address = form.filled(desk, victim), form.address(desk, route)
        ours = fields | {"csrf": victim.csrf}
        before = desk.dump()
        assert victim.get(f"{address}?{urlencode(ours)}").status_code in (200, 303, 404, 405), route.path
        for secret in (None, other.csrf, victim.csrf[:-1]):
            forged = fields if secret is None else fields | {"csrf": secret}
            assert victim.submit(address, forged).status_code == 403, f"{route.path}, secret {secret}"
        for headers in ({"Origin": ELSEWHERE}, {"Origin": HOST, "Sec_Fetch_Site": "same-site"}):
            assert victim.submit(address, ours, **headers).status_code == 403, f"{route.path}, {headers}"
        unasked = victim.post(address, content=urlencode(ours), headers={"Content-Type": "text/plain"})  # what a page elsewhere may send
        assert unasked.status_code == 400, route.path
        assert not desk.changed(before), route.path
        assert victim.submit(address, ours, Origin=HOST, Sec_Fetch_Site="same-origin").status_code in (200, 303, 404), route.path
        assert bool(desk.changed(before)) is form.acts, f"{route.path}: the attacks above could have done nothing"
        desk.restore()


# ---------------------------------------------------------------- what is somebody else's


@pytest.mark.parametrize("name", set(ROLES) - {ANA})
def test_a_role_cannot_use_what_is_another_roles_even_with_a_form_that_acts(desk: World, name: str) -> None:
    intruder = desk.browser(name)
    before = desk.dump()
    tried = 0
    for route in routes():
        if route.permission is None or route.permission in granted(ROLES[name]):
            continue
        form = FORMS.get(route.path)
        address = form.address(desk, route) if form else desk.address(route)
        answers = [intruder.get(address)] if "GET" in (route.methods or ()) else []
        answers += [intruder.submit(address, form.filled(desk, intruder) | {"csrf": intruder.csrf})] if form else []
        for answer in answers:
            is_home = route.path == "/"  # leads whoever may not read requests to what they may
            assert (answer.status_code, "Camille" in answer.text) == (303 if is_home else 403, False), route.path
        tried += len(answers)
    assert tried > 5
    assert not desk.changed(before)


def test_an_agent_changes_nothing_of_a_colleagues_request(desk: World) -> None:
    bruno = desk.browser(BRUNO)
    before = desk.dump(*TRACES)
    for route in posted():
        if "{reference}" not in route.path or route.path in SHARED:
            continue
        for request in ("claimed", "pending", "booked"):
            fields = FORMS[route.path].filled(desk, bruno) | {"csrf": bruno.csrf, "version": str(desk.ticket(request).version)}
            answer = bruno.submit(desk.address(route, request), fields)
            assert answer.status_code in (400, 403, 409), f"{route.path} of {request}: {answer.status_code}"
        assert not desk.changed(before), route.path


def test_what_belongs_to_another_request_or_person_is_out_of_reach_through_ones_own(desk: World) -> None:
    bruno, vera = desk.browser(BRUNO), desk.browser(VERA)
    own, version = desk.requests["brunos"], str(desk.ticket("brunos").version)
    erasing = FORMS["/privacy/erase"].filled(desk, vera) | {"csrf": vera.csrf, "confirmation": "EFFACER"}
    before = desk.dump(*TRACES)
    moved = FORMS["/requests/{reference}/appointments/{meeting:int}/move"].filled(desk, bruno)
    for what, fields in (("move", moved), ("cancel", {})):
        theirs = f"/desk/requests/{own}/appointments/{desk.numbers['meeting']}/{what}"
        assert bruno.submit(theirs, fields | {"csrf": bruno.csrf, "version": version}).status_code in (400, 409)
    assert bruno.submit(f"/desk/requests/{own}/undo", {"csrf": bruno.csrf, "undo": str(desk.numbers["undo"])}).status_code == 409
    for of in (desk.requests["closed"], f"{desk.requests['alone']} {desk.requests['closed']}"):  # reviewed was one, erased would be another
        assert vera.submit("/desk/privacy/erase", erasing | {"of": of}).status_code in (400, 409, 503)
    assert not desk.changed(before)
    packed = vera.submit("/desk/privacy/export", {"csrf": vera.csrf, "of": desk.requests["claimed"]})
    exported = zipfile.ZipFile(io.BytesIO(packed.content)).read("donnees.json").decode()
    assert [name for name in desk.requests if f"Camille {name}" in exported] == ["claimed"]


def test_sessions_password_address_and_second_factor_are_ones_own_whatever_a_form_names(desk: World) -> None:
    theirs = {"staff_id": str(desk.numbers["staff_id"]), "id": str(desk.numbers["staff_id"]), "name": BRUNO, "account": BRUNO, "user": BRUNO}
    bruno = desk.browser(BRUNO)
    of_bruno = {table: [row for row in rows if BRUNO in row.values() or row.get("staff_id") == desk.numbers["staff_id"]] for table, rows in desk.dump().items()}
    assert len(of_bruno["staff"]) == len(of_bruno["staff_sessions"]) == len(of_bruno["recovery_codes"]) == 1
    for path in ("/me/password", "/me/email", "/me/sessions", "/second-factor/change", "/logout"):
        ana = desk.browser(ANA)
        assert ana.submit(f"/desk{path}", theirs | FORMS[path].filled(desk, ana) | {"csrf": ana.csrf}).status_code in (200, 303), path
    after = desk.dump()
    for table in ("staff", "staff_sessions", "recovery_codes"):
        assert all(row in after[table] for row in of_bruno[table]), table
    assert bruno.get("/desk/me").status_code == 200


@pytest.mark.parametrize("number", [99_999_999, 2**31])
def test_a_number_that_no_row_has_leads_nowhere(desk: World, number: int) -> None:
    tried = set()
    for route in routes():
        names = re.findall(r"{(\w+):int}", route.path)
        form = FORMS.get(route.path)
        if not names:
            continue
        browser = desk.browser(form.who if form else next(name for name, role in ROLES.items() if route.permission in granted(role)))
        address = desk.address(route, form.request if form else "claimed", **dict.fromkeys(names, number))
        before = desk.dump(*TRACES)
        answer = browser.submit(address, form.filled(desk, browser) | {"csrf": browser.csrf}) if form else browser.get(address)
        assert answer.status_code in (303, 400, 404, 409), f"{route.path}: {answer.status_code}"
        assert not desk.changed(before), route.path
        tried |= {*names}
    assert len(tried) > 5


def test_a_visitors_token_opens_their_own_conversation_and_no_other(desk: World) -> None:
    visitor = desk.browser()
    ids = {name: desk.ticket(name).conversation_id for name in ("claimed", "booked")}
    mine = {"Authorization": "Bearer claimed"}  # the kit's tokens
    assert "bonjour de claimed" in visitor.get(f"/api/conversations/{ids['claimed']}/messages", headers=mine).text
    before = desk.dump()
    tried = set()
    for route in chat_api.routes:
        for method in (route.methods or set()) - {"HEAD"} if "{id}" in route.path else ():
            for token in ("Bearer claimed", "Bearer ", f"Bearer {SECRET}", "booked", "Basic booked"):
                body = {"client_id": "a", "text": "bonjour"} if method == "POST" else None
                of_them, of_nobody = (
                    visitor.request(method, route.path.replace("{id}", number), headers={"Authorization": token}, json=body)
                    for number in (ids["booked"], "0" * 32)
                )
                assert of_them.status_code == of_nobody.status_code == 401, f"{method} {route.path}"
                assert of_them.text == of_nobody.text
                tried.add(method)
    assert tried == {"GET", "POST", "DELETE"}
    assert not desk.changed(before)


def test_a_link_leads_to_its_own_appointment_whatever_else_is_named(desk: World) -> None:
    own, other = (desk.run(lambda session, name=name: links.token(session.get_one(Appointment, desk.numbers[name]), desk.settings)) for name in MEETINGS)
    number = str(desk.numbers["brunos meeting"])
    aimed = {"appointment": number, "id": number, "meeting": number, "token": other, "reference": desk.requests["brunos"]}
    before = desk.dump()
    assert desk.browser().submit(f"/rendez-vous/{other.rpartition('.')[0]}.{own.rpartition('.')[2]}", {"action": "cancel"}).status_code == 404
    assert not desk.changed(before)
    assert desk.browser().submit(f"/rendez-vous/{own}?{urlencode(aimed)}", aimed | {"action": "cancel"}).status_code == 200
    states = desk.run(lambda session: [session.get_one(Appointment, desk.numbers[name]).state.value for name in MEETINGS])
    assert states == ["cancelled", "booked"]


# ---------------------------------------------------------------- markup in what people write

PAYLOAD = "javascript:q//\"'><x-q onq=1>{{7*7}}"
# Where what people write is meant to be read: it must arrive word for word, or nothing was tried.
READ = {
    *("audit.actor", "erasure_proofs.actor", "canned_replies.title", "canned_replies.text", "clinicians.name", "not_understood.text", "special_days.label"),
    *("staff.name", "staff.email", "sign_ins.network", "tickets.name", "tickets.email", "tickets.windows", "messages.text", "outbox.recipient"),
    *("notes.author", "notes.text", "answers.author", "answers.text", "outbox.last_error", "reviews.reviewer", "reviews.function"),
}


def _pages(desk: World) -> Iterator[tuple[str, Response]]:
    """Every page as everybody who may opens it, with the payload in its address too, then every form with it in every field."""
    lea, vera, boris, visitor = desk.browser(LEA), desk.browser(VERA), desk.browser(BORIS), desk.browser()
    asked = urlencode(dict.fromkeys(_query_names(), PAYLOAD))
    browsers = {LEA: lea, VERA: vera, BORIS: boris}
    for name, route in [page for somebody in browsers for page in opened_by(somebody)]:
        for request in ("claimed", "booked") if "{reference}" in route.path else ("claimed",):
            yield f"{name} {route.path}", browsers[name].get(desk.address(route, request))
    for name, route in opened_by(*browsers):
        yield f"{route.path} asked", browsers[name].get(f"{desk.address(route)}?{asked}")
    for state in Delivery:
        yield f"outbox {state}", lea.get(f"/desk/outbox?state={state}")
    for view in ("mine", "overdue", "booked", "over", "all"):
        yield f"list {view}", lea.get(f"/desk/?view={view}")
    yield "found", vera.submit("/desk/privacy/search", {"csrf": vera.csrf, "text": "+15145550123"})
    yield "person", vera.get("/desk/privacy/person", params=[("of", desk.requests["claimed"]), ("of", f"q{desk.numbers['question']}")])
    for address in (_link(desk), f"/rendez-vous/{quote(PAYLOAD, safe='')}"):
        yield address, visitor.get(address)
    for route in posted():
        browser = desk.browser(FORMS[route.path].who, half=FORMS[route.path].half)
        fields = FORMS[route.path].filled(desk, browser)
        spoilt = dict.fromkeys(fields, PAYLOAD) | {"csrf": browser.csrf, "version": fields["version"]}
        yield f"POST {route.path}", browser.submit(FORMS[route.path].address(desk, route), spoilt)


def _query_names() -> list[str]:
    """Every name by which a page asks for a field of an address, out of the source; and some that are made up of others."""
    folder = Path(protection.__file__).parent
    found = {name for file in folder.glob("*.py") for name in re.findall(r"\.get(?:list)?\(\"(\w+)\"", file.read_text(encoding="utf-8"))}
    assert {"next", "view", "order", "year", "from", "of", "before"} <= found
    return sorted(found | {"reference", "account", "action", "kind", "topic", "state", "q"})


def _letters(desk: World) -> list[tuple[Notification, Any]]:
    waiting = desk.run(lambda session: session.scalars(select(Notification).where(Notification.channel == "email")).all())
    return [(row, write_letter(row.template, row.values or {}, desk.settings)) for row in waiting if row.values]


def test_nothing_that_anybody_wrote_is_ever_markup(desk: World) -> None:
    vera = desk.browser(VERA)
    planted = poison(desk, PAYLOAD)
    said = []
    for where, answer in _pages(desk):
        assert answer.status_code not in (500, 503), where
        kind = answer.headers.get("content-type", "text/plain")
        assert kind.startswith(("text/html", "text/csv", "text/plain", "application/")), where
        if kind.startswith("text/html"):
            seen = Markup(answer.text)
            assert seen.faults == [], where
            said.append(seen.said)
    packed = vera.submit("/desk/privacy/export", {"csrf": vera.csrf, "of": desk.requests["booked"]})
    exported = Markup(zipfile.ZipFile(io.BytesIO(packed.content)).read("donnees.html").decode())
    letters = [Markup(letter.html) for _, letter in _letters(desk)]
    assert [fault for page in (exported, *letters) for fault in page.faults] == []
    assert any(PAYLOAD in page.said for page in letters)
    assert PAYLOAD in exported.said
    assert not [page for page in said if "onq=1>49" in page], "a template ran"
    everything = " ".join(said)
    assert not {column for column in READ if not any(words in everything for words in planted[column])}, "never shown, so never tried"


# ---------------------------------------------------------------- SQL in what people write

NONSENSE = "zzqqzz"
SQL = ("' OR '1'='1", "1) OR 1=1; DROP TABLE tickets; --%", "a\x00b")


def _shown(answer: Response) -> tuple[int, frozenset[str]]:
    """Which requests an answer names, and how it went."""
    source = answer.text if answer.headers.get("content-type", "").startswith("text/html") else ""
    return answer.status_code, frozenset(re.findall(r"RDV-\w{4}-\w{2}|\w+@exemple\.fr", re.sub(r'placeholder="[^"]*"', "", source)))


def test_sql_in_an_address_finds_no_more_than_nonsense_does(desk: World) -> None:
    browsers = {name: desk.browser(name) for name in (LEA, VERA, BORIS)}
    before = desk.dump(*TRACES)
    for name, route in opened_by(*browsers):
        addresses = [f"{desk.address(route)}?{urlencode(dict.fromkeys(_query_names(), words))}" for words in (NONSENSE, *SQL)]
        shown = [_shown(browsers[name].get(address)) for address in addresses]
        assert set(shown) == {shown[0]}, f"{route.path}: {dict(zip(SQL, shown[1:], strict=True))}"
        assert shown[0][0] < 500, route.path
    assert not desk.changed(before)


def test_sql_in_a_path_a_cookie_or_a_token_opens_nothing(desk: World) -> None:
    lea, stranger, before = desk.browser(LEA), desk.browser(), desk.dump(*TRACES)
    mine = desk.ticket("claimed").conversation_id
    for words in SQL:
        for route in routes():
            if re.search(r"{(reference|response|path)", route.path):
                address = "/desk" + re.sub(r"{\w+(:\w+)?}", lambda part, words=words: "1" if part[1] == ":int" else quote(words, safe=""), route.path)
                for method in {"GET", "POST"} & set(route.methods or ()):
                    answer = lea.request(method, address, data={"csrf": lea.csrf, "version": "1"} if method == "POST" else None)
                    assert answer.status_code in (303, 400, 404), f"{route.path} with {words!r}: {answer.status_code}"
                    assert _shown(answer)[1] <= {"RDV-7K4M-2Q"}, route.path  # how a reference is written
        for cookie in ("passerelle_staff", "passerelle_login", "passerelle_oidc"):
            assert stranger.get("/desk/", headers={"Cookie": f"{cookie}={quote(words)}"}).headers["location"].startswith("/desk/login")
        for number, token in ((quote(words, safe=""), "claimed"), (mine, quote(words)), (quote(f"{mine}{words}", safe=""), "claimed")):
            answer = stranger.get(f"/api/conversations/{number}/messages", headers={"Authorization": f"Bearer {token}"})
            assert answer.status_code in (401, 404), f"{words!r}: {answer.status_code}"
        after = stranger.get(f"/api/conversations/{mine}/messages?after={quote(words)}", headers={"Authorization": "Bearer claimed"})
        assert after.status_code == 400
        key = {"Authorization": f"Bearer {SECRET}", "Idempotency-Key": quote(words)}
        asked = _ticket(conversation_id=words, consent_version=words)
        assert stranger.post("/internal/tickets", headers=key, json=asked).status_code in (201, 400), repr(words)
    after = desk.dump()
    assert not [table for table, rows in before.items() if not all(row in after[table] for row in rows)]


def test_sql_in_a_form_finds_no_more_than_nonsense_does_and_loses_nothing(desk: World) -> None:
    kept = {table: len(rows) for table, rows in desk.dump().items() if table in ("tickets", "staff", "clinicians", "audit", "messages", "appointments")}
    for route in posted():
        form = FORMS[route.path]
        browser, shown = desk.browser(form.who, half=form.half), []
        for words in (NONSENSE, "' OR '1'='1", "'; DELETE FROM tickets; --%_\\\""):
            fields = dict.fromkeys(form.filled(desk, browser), words) | {"csrf": browser.csrf}
            shown.append(_shown(browser.submit(form.address(desk, route), fields)))
        assert max(status for status, _ in shown) < 500, route.path
        assert shown[1][1] | shown[2][1] <= shown[0][1], route.path
    after = desk.dump()
    assert not [table for table, count in kept.items() if len(after[table]) < count]


def _ticket(**changes: Any) -> dict[str, Any]:
    """What an action of the assistant sends."""
    whole = {"conversation_id": "c", "name": "Zoé", "email": "zoe@exemple.fr", "phone": None, "windows": "mardi", "subject": "liver"}
    return whole | {"transcript": False, "consent_version": "7"} | changes


# ---------------------------------------------------------------- lines that become headers, cells that become formulas

BREAKS = ("\r\nX-Evil: 1", "\nX-Evil: 1", "\rX-Evil: 1", "\u2028X-Evil: 1", "\x85X-Evil: 1")


def test_no_line_break_in_what_is_asked_becomes_a_header(desk: World) -> None:
    line = "\r\nX-Evil: 1\u2028\x85%0d%0aX-Evil: 2"
    browsers = {name: desk.browser(name) for name in (LEA, VERA, BORIS)}
    lea, vera, asked = browsers[LEA], browsers[VERA], urlencode(dict.fromkeys(_query_names(), f"30{line}"))
    question = FORMS["/insight/questions/export"].filled(desk, lea) | {"csrf": lea.csrf, "order": line, "page": line}
    answers = [
        *(browsers[name].get(f"{desk.address(route)}?{asked}") for name, route in opened_by(*browsers)),
        *(lea.submit(f"/desk/insight/questions/{what}", question) for what in ("export", "dismiss")),
        vera.submit("/desk/privacy/export", {"csrf": vera.csrf, "of": f"{desk.requests['claimed']} {line}"}),
        desk.browser().get(f"/desk/ailleurs{quote(line)}?a={quote(line)}"),
    ]
    downloads = 0
    for answer in answers:
        assert "x-evil" not in answer.headers, answer.url
        assert all(value.isascii() and value.isprintable() for value in answer.headers.values()), answer.headers
        if "content-disposition" in answer.headers:
            assert re.fullmatch(r'attachment; filename="[\w-]+\.(zip|csv|yml)"', answer.headers["content-disposition"], re.ASCII)
            downloads += 1
    assert downloads == 3


@pytest.mark.parametrize("line", BREAKS)
def test_no_line_break_that_was_stored_becomes_a_header_of_a_mail_or_a_line_of_a_calendar(desk: World, line: str) -> None:
    poison(desk, f"Dr{line}")
    seen = set()
    for row, letter in _letters(desk):
        assert len(letter.subject.splitlines()) == 1
        mail = message_from_bytes(compose(letter, desk.settings, "camille@exemple.fr", row.message_id, now()).content, policy=policy.default)
        assert {name.lower() for name in mail} <= {
            *("from", "to", "subject", "date", "message-id", "auto-submitted", "mime-version", "content-type", "content-language")
        }
        with pytest.raises(SendingFailed):
            compose(letter, desk.settings, f"camille@exemple.fr{line}", row.message_id, now())
        seen.add(row.template)
    assert {"answer", "appointment_confirmed", "request_received"} <= seen
    with desk.database.transaction() as session, suppress(ValueError):  # refused, which is as good
        file = ics.text(session.get_one(Appointment, desk.numbers["meeting"]), f"camille@exemple.fr{line}", desk.settings, now())
        assert not re.search(r"^X-Evil", re.sub(r"\r\n?", "\n", file), re.MULTILINE)


# Where one line is meant: the forms, and the columns in which it would be kept.
ONE_LINE = (
    *(("/me/email", "email"), ("/people/new", "name"), ("/people/new", "email"), ("/canned/save", "title"), ("/hours/special", "label")),
    *(("/clinicians/add", "name"), ("/clinicians/{clinician:int}/rename", "name"), ("/content/{response}/{place:int}/signed", "reviewer")),
)
KEPT = {"staff": ("name", "email"), "canned_replies": ("title",), "special_days": ("label",), "clinicians": ("name",), "reviews": ("reviewer",)}


def test_no_form_keeps_a_line_break_where_one_line_is_meant(desk: World) -> None:
    for path, field in ONE_LINE:
        form, route = FORMS[path], next(route for route in posted() if route.path == path)
        browser = desk.browser(form.who)
        fields = form.filled(desk, browser) | {"csrf": browser.csrf}
        for line in BREAKS:
            browser.submit(form.address(desk, route), fields | {field: f"{fields[field]}{line}"})
    after = desk.dump()
    kept = [row[name] for table, names in KEPT.items() for row in after[table] for name in names if row[name]]
    assert len(kept) > 10
    assert [value for value in kept if not value.isprintable()] == []


def test_no_cell_of_an_export_becomes_a_formula(desk: World) -> None:
    begins = ("=HYPERLINK(1)", "+1", "-1+cmd|' /C calc'!A0", "@SUM(1)", "\t=1", "\r=1", '";=1', "\n=1")
    rows = [TurnCount(hour=now() - timedelta(hours=3), kind="answer", topic=topic, count=7) for topic in begins]
    desk.run(lambda session: session.add_all(rows))
    lea, tables = desk.browser(LEA), 0
    for _, route in opened_by(LEA):
        answer = lea.get(desk.address(route))
        if not answer.headers.get("content-type", "").startswith("text/csv"):
            continue
        cells = [cell for row in csv.reader(io.StringIO(answer.text.removeprefix("\ufeff"), newline=""), delimiter=";") for cell in row]
        assert all(any(topic in cell for cell in cells) for topic in begins), "never written, so never tried"
        assert not [cell for cell in cells if cell.startswith(("=", "+", "@", "\t", "\r", "\n")) or re.match(r"-\D|-\d.*\D", cell)]
        tables += 1
    assert tables == 1


# ---------------------------------------------------------------- fields that a form does not have

# As many as fit into the largest form: more than twenty fields would be refused as a whole.
EXTRA = {
    "role": "admin",
    "active": "0",
    "password_hash": "x",
    "staff_id": "1",
    "owner_id": "1",
    "assignee_id": "1",
    "verified": "1",
    "position": "9",
    "state": "spam",
    "reference": "RDV-2222-22",
    "author": "Voleur",
    "signed_by": "Voleur",
}


def test_fields_that_a_form_does_not_have_change_nothing_more(desk: World) -> None:
    for route in posted():
        form, outcomes = FORMS[route.path], []
        for extra in ({}, EXTRA):
            browser = desk.browser(form.who, half=form.half)
            fields = form.filled(desk, browser)
            browser.submit(form.address(desk, route), extra | fields | {"csrf": browser.csrf})
            outcomes.append(desk.outcome())
            desk.restore()
        assert len(extra | fields) < 20
        differing = [table for table in outcomes[0] if outcomes[0][table] != outcomes[1][table]]
        assert not differing, route.path


def test_visitors_and_the_assistant_set_only_what_they_are_asked_for(desk: World) -> None:
    visitor, claimed = desk.browser(), desk.ticket("claimed")
    extra = {
        "from": "human",
        "sender": "human",
        "kind": "answer",
        "seq": 99,
        "owner": "human",
        "reply_to": 1,
        "response": "utter_cost",
        "buttons": [{"id": "1"}],
    }
    address, mine = f"/api/conversations/{claimed.conversation_id}/messages", {"Authorization": "Bearer claimed"}
    assert visitor.post(address, headers=mine, json={"client_id": "a", "text": "   "} | extra).status_code == 200
    said = visitor.get(address, headers=mine).json()
    assert said["owner"] == "bot"
    assert [(m["from"], m["seq"]) for m in said["messages"]][2:4] == [("visitor", 3), ("bot", 4)]
    inside = {"Authorization": f"Bearer {SECRET}", "Idempotency-Key": "another"}
    before = desk.dump()
    for name in ("state", "id", "reference", "version", "assignee_id", "owner_id", "verified", "created_at", "consent_at", "follows_id"):
        answer = visitor.post("/internal/tickets", headers=inside, json=_ticket() | {name: "1"})
        assert answer.status_code == 400, name
        assert name in answer.json()["detail"]
    assert not desk.changed(before)
    assert visitor.submit(_link(desk), {"action": "other_time", "starts_at": "2031-01-01", "state": "cancelled", "minutes": "1"}).status_code == 303
    row = desk.run(lambda session: session.get_one(Appointment, desk.numbers["meeting"]))
    assert (row.state.value, row.minutes, row.starts_at.year < 2031) == ("booked", 30, True)


# ---------------------------------------------------------------- used again

ENDS: dict[str, Callable[[World, str, int], Any]] = {
    "signed out": lambda desk, token, _: desk.run(sessions.sign_out, token),
    "account closed": lambda desk, _, number: desk.run(lambda session: session.execute(update(Staff).where(Staff.id == number).values(active=False))),
    "password reset": lambda desk, _, number: desk.run(accounts.reset_password, BORIS, number),
}


@pytest.mark.parametrize("end", ENDS)
def test_cookie_and_form_secret_of_a_session_that_is_over_open_nothing(desk: World, end: str) -> None:
    browsers = {name: desk.browser(name) for name in (ANA, BRUNO, LEA, VERA, BORIS, NINA)}
    filled = {path: form.filled(desk, browsers[form.who]) | {"csrf": browsers[form.who].csrf} for path, form in FORMS.items()}
    for name, browser in browsers.items():
        ENDS[end](desk, str(browser.cookies["passerelle_staff"]), desk.numbers[f"of {name}"])
    before = desk.dump()
    for route in routes():
        form = FORMS.get(route.path)
        browser, address = browsers[form.who if form else LEA], form.address(desk, route) if form else desk.address(route)
        answers = [browser.get(address)] if "GET" in (route.methods or ()) else []
        answers += [browser.submit(address, filled[route.path])] if form else []
        for answer in answers:
            assert answer.headers.get("location", "").startswith("/desk/login?next="), route.path
            assert not answer.text, route.path
    assert not desk.changed(before)


def test_the_form_secret_of_a_session_that_ended_is_worth_nothing_in_the_next_one(desk: World) -> None:
    browser, seen = desk.browser(), []
    for _ in range(2):
        browser.submit("/desk/login", {"csrf": _secret(browser.get("/desk/login")), "name": ANA, "password": PASSWORD})
        seen.append(_secret(browser.get("/desk/second-factor")))
        assert browser.submit("/desk/logout", {"csrf": seen[0]}).status_code == (303 if len(seen) == 1 else 403)
    assert browser.submit("/desk/logout", {"csrf": seen[1]}).status_code == 303


def _secret(page: Response) -> str:
    return str(re.findall(r'name="csrf" value="([^"]*)"', page.text)[0])


def test_a_form_about_a_request_acts_once(desk: World) -> None:
    for route in posted():
        if "{reference}" not in route.path or route.path in SHARED:
            continue
        form = FORMS[route.path]
        browser = desk.browser(form.who)
        fields, address = form.filled(desk, browser) | {"csrf": browser.csrf}, form.address(desk, route)
        assert browser.submit(address, fields).status_code == 303, route.path
        before = desk.dump(*TRACES)
        assert browser.submit(address, fields).status_code == 409, route.path
        assert not desk.changed(before), route.path
        desk.restore()


# ---------------------------------------------------------------- ways back that lead elsewhere

AWAY = (
    *("https://evil.example/", "//evil.example", "///evil.example", "/\\evil.example", "\\\\evil.example", "/%5cevil.example", "%2f%2fevil.example"),
    *("/desk/../x", "/desk/%2e%2e/x", "/desk/.%2E/x", "/desk/..", "/desk/a/../../x", "/desk/a/%2e./..//evil.example", "/desk/..?x", "/desk\\@evil.example"),
    *("/desk//evil.example/../..", "/desk/@evil.example", "/desk/https://evil.example", "javascript:alert(1)", "data:text/html,x", "\thttps://evil.example"),
    *("/\t/evil.example", "/desk/\r\nLocation: https://evil.example", "/desk/\u2028x", "https:evil.example", "/desk/;@evil.example", "/desk/logout"),
    *("/desk/login?next=//evil.example", "//evil.example/desk/", "http://testserver.evil.example/desk/", "/desk/\u3002evil", "/desk", "desk/", "", "."),
)


@pytest.mark.parametrize("target", AWAY)
def test_no_way_back_leads_out_of_the_desk(target: str) -> None:
    back = protection.safe_return(target)
    where = urlsplit(urljoin(f"{HOST}/desk/login", back.replace("\\", "/")))
    assert (where.scheme, where.netloc) == ("http", "testserver")
    assert where.path.startswith("/desk/")
    assert "/.." not in html.unescape(back.replace("%2e", ".").replace("%2E", "."))
    assert back.isascii()
    assert back.isprintable()


def test_every_page_that_leads_back_asks_where_that_is(desk: World) -> None:
    for target in ("//evil.example", "/\\evil.example", "/desk/../x", "/desk/%2e%2e/x", "/desk/\r\nSet-Cookie: a=b"):
        for path, name in (("/login", ""), ("/confirm", ANA), ("/first-password", NINA), ("/second-factor", ANA)):
            browser = desk.browser(name, half=path == "/second-factor")
            page = browser.get(f"/desk{path}?{urlencode({'next': target})}")
            assert re.findall(r'name="next" value="([^"]*)"', page.text) in (["/desk/"], []), path
            secret = browser.csrf or _secret(page)
            fields = FORMS[path].filled(desk, browser) if name else {"name": LEA, "password": PASSWORD}
            answer = browser.submit(f"/desk{path}", fields | {"csrf": secret, "next": target})
            assert answer.status_code in (200, 303), path
            assert answer.headers.get("location", "/desk/") == "/desk/", path
            assert 'href="/desk/"' in answer.text or answer.status_code == 303, path
            desk.restore()
