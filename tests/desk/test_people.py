"""Accounts: who may do what, how they are made and closed, what somebody sees of their own, and what the log and the audit trail tell."""

from __future__ import annotations

import re
import statistics
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from argon2 import PasswordHasher
from sqlalchemy import select, update

from desk import audit
from desk.db import Database, now
from desk.models import AuditEntry, Role, SignIn, Staff, StaffSession, Ticket, TicketState
from desk.settings import ROOT
from desk.staff import accounts, sign_ins, wording
from desk.staff.permissions import Permission, granted
from desk.staff.shell import StaffRoute
from desk.tickets import work
from tests.desk_pages import leave_request, settings_for
from tests.staff_kit import PASSWORD, Authenticator, Browser, Building, Page, address_of, building, routes

LEA, ANA, BORIS, VERA = "Léa Martin", "Ana Jović", "Boris Admin", "Vera Dragić"
OTHER_PASSWORD = "une tout autre phrase"


@pytest.fixture
def desk(database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Building]:
    """A desk without accounts."""
    with building(database, tmp_path, monkeypatch) as made:
        yield made


@pytest.fixture
def lea(desk: Building) -> Browser:
    """The only person of a small clinic, signed in."""
    return desk.signed_in(LEA, Role.LEAD)


def long_ago(desk: Building) -> None:
    """Every password was given eleven minutes ago."""
    with desk.database.transaction() as session:
        session.execute(update(StaffSession).values(authenticated_at=now() - timedelta(minutes=11)))


# ---------------------------------------------------------------- who may do what

# handoff.md 1.6, written out once more: a change of the desk's own table must be a change here too.
MAY = {
    Role.AGENT: {"requests.read", "requests.work"},
    Role.LEAD: {"requests.read", "requests.work", "requests.reassign", "insight", "hours", "canned", "outbox", "content"},
    Role.PRIVACY_OFFICER: {"requests.read", "privacy", "audit"},
    Role.ADMIN: {"users", "hours", "canned", "outbox", "insight", "content", "audit"},
}
# Pages that are everybody's: signing in, one's own account, help.
EVERYBODYS = {"/logout", "/first-password", "/confirm", "/second-factor", "/second-factor/change", "/second-factor/codes", "/shortcuts", "/{path:path}"}


@pytest.mark.parametrize("role", list(Role))
def test_a_role_may_what_the_table_says_and_no_more(role: Role) -> None:
    assert granted(role) == MAY[role]


def test_every_page_is_somebodys(desk: Building) -> None:
    open_to_all = {route.path for route in routes() if route.permission is None and not route.path.startswith("/me")}
    assert open_to_all == EVERYBODYS


@pytest.mark.parametrize("role", list(Role))
def test_a_role_opens_its_pages_and_no_others(desk: Building, role: Role) -> None:
    desk.add(BORIS, Role.ADMIN)
    desk.add(VERA, Role.PRIVACY_OFFICER)
    browser = desk.signed_in("Quelqu'un", role)
    seen = set()
    for route in routes():
        if route.permission is None or route.path in ("/", "/events"):
            continue
        allowed = route.permission in MAY[role]
        for method in {"GET", "POST"} & (route.methods or set()):
            refused = _is_refused(browser, method, route)
            assert refused is not allowed, f"{role} {method} {route.path}"
            seen.add(allowed)
    assert seen == {True, False}


def _is_refused(browser: Browser, method: str, route: StaffRoute) -> bool:
    answer = browser.request(method, address_of(route), data={"other": "x"} if method == "POST" else None, follow_redirects=False)
    return answer.status_code == 403 and "Accès réservé" in answer.text


def test_live_news_of_requests_are_not_for_administrators(desk: Building) -> None:
    assert desk.signed_in(BORIS, Role.ADMIN).get("/desk/events").status_code == 403


def test_an_administrator_sees_no_request_and_lands_on_the_accounts(desk: Building) -> None:
    reference = leave_request(desk.database)
    boris = desk.signed_in(BORIS, Role.ADMIN)
    page = boris.get("/desk/")
    assert page.url.path == "/desk/people"
    assert 'href="/desk/"' not in re.sub(r'class="brand" href="/desk/"', "", page.text)
    assert boris.get(f"/desk/requests/{reference}").status_code == 403
    assert "Camille" not in boris.get("/desk/audit").text


def test_a_clinic_of_one_person_can_do_everything(desk: Building, lea: Browser) -> None:
    reference = leave_request(desk.database)
    for path in ("/desk/", f"/desk/requests/{reference}", "/desk/people", "/desk/people/new", "/desk/audit", "/desk/hours"):
        assert lea.get(path).url.path == path
        assert lea.get(path).status_code == 200
    assert "Rôle que personne n'occupe : administrateur, délégué à la confidentialité" in lea.page("/desk/people").words


def test_once_somebody_holds_a_role_leads_no_longer_stand_in(desk: Building, lea: Browser) -> None:
    desk.add(BORIS, Role.ADMIN)
    assert lea.get("/desk/people").status_code == 403
    assert lea.get("/desk/audit").status_code == 200  # nobody is privacy officer yet
    desk.add(VERA, Role.PRIVACY_OFFICER)
    assert lea.get("/desk/audit").status_code == 403


def test_only_leads_stand_in(desk: Building, lea: Browser) -> None:
    ana = desk.signed_in(ANA)
    for path in ("/desk/people", "/desk/audit", "/desk/signins"):
        assert ana.get(path).status_code == 403


def test_a_closed_account_holds_no_role(desk: Building, lea: Browser) -> None:
    number = desk.add(BORIS, Role.ADMIN)
    with desk.database.transaction() as session:
        session.get_one(Staff, number).active = False
    assert lea.get("/desk/people").status_code == 200


def test_a_change_of_role_counts_at_once(desk: Building, lea: Browser) -> None:
    ana = desk.signed_in(ANA)
    assert ana.get("/desk/hours").status_code == 403
    desk.run(accounts.change_role, LEA, desk.staff(ANA).id, Role.LEAD)
    assert ana.get("/desk/hours").status_code == 200


def test_the_first_account_runs_the_desk_and_the_next_ones_take_requests(desk: Building) -> None:
    assert desk.run(accounts.usual_role) is Role.LEAD
    desk.add(LEA, Role.LEAD)
    assert desk.run(accounts.usual_role) is Role.AGENT


# ---------------------------------------------------------------- forms of other sites


def test_no_form_works_without_the_sessions_secret(desk: Building, lea: Browser) -> None:
    reference = leave_request(desk.database)
    before = desk.audit()
    seen = 0
    for route in routes():
        if "POST" not in (route.methods or ()):
            continue
        address = address_of(route).replace("RDV-7K4M-29", reference)
        for given in ({"other": "x"}, {"csrf": ""}, {"csrf": "x" * 43}):
            answer = lea.post(address, data=given, follow_redirects=False)
            assert answer.status_code == 403, route.path
            assert "Formulaire expiré" in answer.text, route.path
        seen += 1
    assert seen > 25
    assert desk.audit() == before


def test_no_form_works_with_the_secret_of_another_session(desk: Building, lea: Browser) -> None:
    desk.add(ANA)
    other = desk.browser(two_factor="off")
    other.password(LEA)
    csrf = other.page("/desk/me").field("csrf")
    for route in routes():
        if "POST" in (route.methods or ()):
            assert lea.post(address_of(route), data={"csrf": csrf}, follow_redirects=False).status_code == 403, route.path


def test_no_form_works_from_another_site_even_with_the_secret(desk: Building, lea: Browser) -> None:
    csrf = lea.page("/desk/me").field("csrf")
    for route in routes():
        if "POST" in (route.methods or ()):
            for headers in ({"Origin": "https://ailleurs.example"}, {"Sec-Fetch-Site": "cross-site"}):
                answer = lea.post(address_of(route), data={"csrf": csrf}, headers=headers, follow_redirects=False)
                assert answer.status_code == 403, route.path
                assert "autre site" in answer.text, route.path


def test_a_session_planted_before_the_sign_in_opens_nothing_after_it(desk: Building) -> None:
    desk.add(LEA, Role.LEAD)
    thief = desk.browser(two_factor="off")
    thief.password(LEA)  # the thief's own session, planted into Léa's browser
    victim = desk.browser(two_factor="off")
    victim.cookies.set("passerelle_staff", thief.token)
    form = desk.browser(two_factor="off")
    page = form.page("/desk/login")
    victim.cookies.set("passerelle_login", str(form.cookies["passerelle_login"]))
    victim.post("/desk/login", data={"csrf": page.field("csrf"), "name": LEA, "password": PASSWORD})
    assert victim.cookies.get("passerelle_staff", domain="testserver.local") != thief.token
    assert thief.get("/desk/").url.path == "/desk/login"


def test_the_time_taken_does_not_tell_whether_a_name_has_an_account(desk: Building, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accounts, "HASHER", PasswordHasher(time_cost=2, memory_cost=8192, parallelism=1))
    accounts._decoy_hash.cache_clear()
    desk.add(LEA)
    desk.run(accounts.sign_in, "Personne", "faux", 1)
    taken: dict[str, list[float]] = {LEA: [], "Personne": []}
    for _ in range(15):
        for name, times in taken.items():
            begun = time.perf_counter()
            desk.run(accounts.sign_in, name, "faux", 1)
            times.append(time.perf_counter() - begun)
    known, unknown = (statistics.median(times) for times in taken.values())
    accounts._decoy_hash.cache_clear()
    assert 0.6 < unknown / known < 1.6, (known, unknown)


# ---------------------------------------------------------------- making accounts


def invite(browser: Browser, name: str = ANA, role: str = "agent", email: str = "") -> str:
    """Makes an account through the page; returns its initial password."""
    answer = browser.fill("/desk/people/new", name=name, role=role, email=email)
    found = re.search(r'<p class="card secret"[^>]*>([a-z0-9-]+)</p>', answer.text)
    assert found, Page(answer).words
    return found[1]


def test_somebody_invited_chooses_a_password_then_a_second_factor_then_works(desk: Building) -> None:
    lea = desk.signed_in(LEA, Role.LEAD)
    initial = invite(lea, email="ana@exemple.fr")
    assert initial not in lea.get("/desk/people").text
    assert initial.encode() not in desk.stored()
    ana = desk.browser()
    page = ana.password(ANA, initial)
    assert page.url.path == "/desk/first-password"
    assert ana.get("/desk/second-factor").url.path == "/desk/first-password"
    page = ana.fill("/desk/first-password", password=OTHER_PASSWORD, again=OTHER_PASSWORD)
    assert page.url.path == "/desk/second-factor"
    ana.code(Authenticator.from_page(page.text).code(desk.clock.at.timestamp()))
    assert ana.get("/desk/").url.path == "/desk/"
    assert desk.staff(ANA).email == "ana@exemple.fr"
    assert (LEA, "staff.add", ANA) in desk.audit()
    assert desk.browser().password(ANA, initial).status_code == 401


def test_an_initial_password_opens_nothing_until_another_is_chosen(desk: Building, lea: Browser) -> None:
    ana = desk.browser(two_factor="off")
    page = Page(ana.password(ANA, invite(lea)))
    for route in routes():
        if not route.half:
            for method in {"GET", "POST"} & (route.methods or set()):
                answer = ana.request(method, address_of(route), data={"csrf": page.field("csrf")} if method == "POST" else None, follow_redirects=False)
                assert answer.headers.get("location", "").startswith("/desk/first-password?next="), route.path


@pytest.mark.parametrize(
    ("chosen", "again", "why"),
    [
        ("court", "court", "au moins 12"),
        ("Ana Jović pour toujours", "Ana Jović pour toujours", "contenir le nom"),
        (OTHER_PASSWORD, "autre chose", "diffèrent"),
    ],
)
def test_a_first_password_that_will_not_do_says_why(desk: Building, lea: Browser, chosen: str, again: str, why: str) -> None:
    ana = desk.browser(two_factor="off")
    ana.password(ANA, invite(lea))
    answer = ana.fill("/desk/first-password", password=chosen, again=again)
    assert answer.status_code == 422
    assert why in Page(answer).words
    assert ana.get("/desk/").url.path == "/desk/first-password"


def test_the_initial_password_cannot_be_kept(desk: Building, lea: Browser) -> None:
    ana, initial = desk.browser(two_factor="off"), invite(lea)
    ana.password(ANA, initial)
    assert "différent de l'ancien" in Page(ana.fill("/desk/first-password", password=initial, again=initial)).words


def test_an_initial_password_is_good_for_seven_days(desk: Building, lea: Browser) -> None:
    initial = invite(lea)
    with desk.database.transaction() as session:
        staff = session.scalars(select(Staff).where(Staff.name == ANA)).one()
        assert staff.initial_password_until
        assert timedelta(days=6.9) < staff.initial_password_until - now() < timedelta(days=7.1)
        staff.initial_password_until = now() - timedelta(seconds=1)
    assert desk.browser(two_factor="off").password(ANA, initial).status_code == 401
    with desk.database.transaction() as session:
        assert session.scalars(select(SignIn.outcome).order_by(SignIn.id.desc())).first() == "expired"


@pytest.mark.parametrize(
    ("name", "role", "email", "why"),
    [("A", "agent", "", "de 2 à 60"), (LEA.upper(), "agent", "", "a déjà un compte"), (ANA, "agent", "pas une adresse", "n'est pas valable")],
)
def test_an_account_that_cannot_be_made_says_why(desk: Building, lea: Browser, name: str, role: str, email: str, why: str) -> None:
    answer = lea.fill("/desk/people/new", name=name, role=role, email=email)
    assert answer.status_code == 422
    assert why in Page(answer).words
    assert f'value="{name}"' in answer.text
    with desk.database.transaction() as session:
        assert len(session.scalars(select(Staff)).all()) == 1


def test_a_role_that_does_not_exist_is_refused(desk: Building, lea: Browser) -> None:
    assert lea.fill("/desk/people/new", name=ANA, role="director").status_code == 400


def test_what_somebody_is_called_is_never_markup(desk: Building, lea: Browser) -> None:
    name = "<img src=x onerror=alert(1)>"
    invite(lea, name)
    number = desk.staff(name).id
    for path in ("/desk/people", f"/desk/people/{number}", "/desk/audit", "/desk/signins"):
        assert "<img src=x" not in lea.get(path).text


def test_fields_that_a_form_does_not_offer_change_nothing(desk: Building, lea: Browser) -> None:
    ana = desk.signed_in(ANA)
    ana.fill("/desk/me/email", form_on="/desk/me", email="ana@exemple.fr", role="admin", active="0", password_hash="x", staff_id=str(desk.staff(LEA).id))
    assert desk.staff(ANA).role is Role.AGENT
    assert desk.staff(LEA).email is None


# ---------------------------------------------------------------- changing and closing accounts


def test_changes_of_accounts_ask_for_the_password_again(desk: Building, lea: Browser) -> None:
    number = desk.add(ANA)
    long_ago(desk)
    assert lea.get("/desk/people").url.path == "/desk/people"
    assert lea.get("/desk/people/new").url.path == "/desk/confirm"
    page = lea.page(f"/desk/people/{number}")
    assert "Est-ce bien vous" in page.words
    lea.post(f"/desk/people/{number}/role", data={"csrf": page.field("csrf"), "role": "admin"})
    assert desk.staff(ANA).role is Role.AGENT
    hidden = {"csrf": page.field("csrf"), "next": page.field("next")}
    answer = lea.post("/desk/confirm", data=hidden | {"password": "une mauvaise phrase"})
    assert answer.status_code == 401
    assert "n'est pas votre mot de passe" in Page(answer).words
    answer = lea.post("/desk/confirm", data=hidden | {"password": PASSWORD})
    assert answer.url.path == f"/desk/people/{number}"


def test_proving_it_again_cannot_be_tried_for_ever(desk: Building, lea: Browser) -> None:
    long_ago(desk)
    page = lea.page("/desk/people/new")
    hidden = {"csrf": page.field("csrf"), "next": page.field("next")}
    for _ in range(5):
        assert lea.post("/desk/confirm", data=hidden | {"password": "faux"}).status_code == 401
    assert lea.post("/desk/confirm", data=hidden | {"password": PASSWORD}).status_code == 429
    assert lea.get("/desk/people/new").url.path == "/desk/confirm"


def test_a_role_is_changed_and_audited(desk: Building, lea: Browser) -> None:
    number = desk.add(ANA)
    page = Page(lea.fill(f"/desk/people/{number}/role", form_on=f"/desk/people/{number}", role="lead"))
    assert "Le rôle est changé" in page.words
    assert desk.staff(ANA).role is Role.LEAD
    assert desk.audit()[-1] == (LEA, "staff.role_lead", ANA)


def test_closing_an_account_ends_its_sessions_and_frees_its_requests(desk: Building, lea: Browser, tmp_path: Path) -> None:
    ana = desk.signed_in(ANA)
    claimed, waits = leave_request(desk.database), leave_request(desk.database, email="autre@exemple.fr")
    settings = settings_for(tmp_path)
    for reference in (claimed, waits):
        desk.run(lambda session, r=reference: work.claim(session, r, session.scalars(select(Staff).where(Staff.name == ANA)).one(), 1, settings))
    desk.run(lambda session: work.wait_for_visitor(session, waits, session.scalars(select(Staff).where(Staff.name == ANA)).one(), 2, settings))
    number = desk.staff(ANA).id
    page = Page(lea.fill(f"/desk/people/{number}/deactivate", form_on=f"/desk/people/{number}"))
    assert "Le compte est fermé" in page.words
    assert ana.get("/desk/").url.path == "/desk/login"
    assert desk.browser(two_factor="off").password(ANA).status_code == 401
    with desk.database.transaction() as session:
        assert {(t.state, t.assignee_id) for t in session.scalars(select(Ticket))} == {(TicketState.WAITING, None)}
    assert (LEA, "staff.deactivate", ANA) in desk.audit()
    lea.fill(f"/desk/people/{number}/activate", form_on=f"/desk/people/{number}")
    assert desk.browser(two_factor="off").password(ANA).status_code == 200


def test_the_last_administrator_stays(desk: Building) -> None:
    boris = desk.signed_in(BORIS, Role.ADMIN)
    desk.add(LEA, Role.LEAD)
    number = desk.staff(BORIS).id
    for change, fields in (("deactivate", {}), ("role", {"role": "lead"})):
        answer = boris.fill(f"/desk/people/{number}/{change}", form_on=f"/desk/people/{number}", **fields)
        assert answer.status_code == 409
        assert "dernière personne" in Page(answer).words
    assert desk.staff(BORIS).active
    assert desk.staff(BORIS).role is Role.ADMIN
    desk.add(VERA, Role.ADMIN)
    boris.fill(f"/desk/people/{number}/role", form_on=f"/desk/people/{number}", role="lead")
    assert desk.staff(BORIS).role is Role.LEAD


def test_without_an_administrator_the_last_lead_stays_but_may_become_one(desk: Building, lea: Browser) -> None:
    number = desk.staff(LEA).id
    desk.add(ANA)
    assert lea.fill(f"/desk/people/{number}/role", form_on=f"/desk/people/{number}", role="agent").status_code == 409
    lea.fill(f"/desk/people/{number}/role", form_on=f"/desk/people/{number}", role="admin")
    assert desk.staff(LEA).role is Role.ADMIN


def test_a_second_factor_is_reset_for_somebody_who_lost_everything(desk: Building) -> None:
    desk.add(ANA)
    ana = desk.browser()
    ana.enrol(ANA, desk.clock)
    lea = desk.signed_in(LEA, Role.LEAD)
    number = desk.staff(ANA).id
    lea.fill(f"/desk/people/{number}/second-factor", form_on=f"/desk/people/{number}")
    assert ana.get("/desk/").url.path == "/desk/login"
    assert "Réglez votre second facteur" in Page(desk.browser().password(ANA)).words
    assert (LEA, "staff.second_factor_reset", ANA) in desk.audit()


def test_a_new_initial_password_replaces_the_old_one(desk: Building, lea: Browser) -> None:
    ana = desk.signed_in(ANA)
    number = desk.staff(ANA).id
    shown = Page(lea.fill(f"/desk/people/{number}/password", form_on=f"/desk/people/{number}"))
    initial = re.search(r"(?:[a-z0-9]{4}-){4}[a-z0-9]{4}", shown.source)
    assert initial
    assert ana.get("/desk/").url.path == "/desk/login"
    assert desk.browser(two_factor="off").password(ANA).status_code == 401
    assert desk.browser(two_factor="off").password(ANA, initial[0]).url.path == "/desk/first-password"


@pytest.mark.parametrize("number", ["0", "999", "99999999999999999999"])
def test_an_account_that_does_not_exist_is_said_in_french(desk: Building, lea: Browser, number: str) -> None:
    answer = lea.get(f"/desk/people/{number}")
    assert answer.status_code == 404
    assert "introuvable" in answer.text
    csrf = lea.page("/desk/me").field("csrf")
    for change in ("deactivate", "activate", "second-factor", "password"):
        assert lea.post(f"/desk/people/{number}/{change}", data={"csrf": csrf}).status_code == 404


# ---------------------------------------------------------------- one's own account


def test_a_new_password_ends_the_other_sessions(desk: Building, lea: Browser) -> None:
    elsewhere = desk.browser(two_factor="off")
    elsewhere.password(LEA)
    page = Page(lea.fill("/desk/me/password", form_on="/desk/me", old=PASSWORD, password=OTHER_PASSWORD, again=OTHER_PASSWORD))
    assert "Votre mot de passe est changé" in page.words
    assert elsewhere.get("/desk/").url.path == "/desk/login"
    assert lea.get("/desk/").url.path == "/desk/"
    assert desk.browser(two_factor="off").password(LEA).status_code == 401
    assert desk.browser(two_factor="off").password(LEA, OTHER_PASSWORD).status_code == 200
    assert (LEA, "staff.password_change", LEA) in desk.audit()


@pytest.mark.parametrize(
    ("old", "new", "again", "why"),
    [
        ("faux", OTHER_PASSWORD, OTHER_PASSWORD, "n'est pas votre mot de passe actuel"),
        (PASSWORD, OTHER_PASSWORD, "autre", "diffèrent"),
        (PASSWORD, "court", "court", "au moins 12"),
        (PASSWORD, PASSWORD, PASSWORD, "différent de l'ancien"),
    ],
)
def test_a_password_is_not_changed_without_the_old_one_or_for_a_worse(desk: Building, lea: Browser, old: str, new: str, again: str, why: str) -> None:
    page = Page(lea.fill("/desk/me/password", form_on="/desk/me", old=old, password=new, again=again))
    assert why in page.words
    assert desk.browser(two_factor="off").password(LEA).status_code == 200


def test_the_old_password_cannot_be_guessed_for_ever(desk: Building, lea: Browser) -> None:
    for _ in range(5):
        lea.fill("/desk/me/password", form_on="/desk/me", old="faux", password=OTHER_PASSWORD, again=OTHER_PASSWORD)
    answer = lea.fill("/desk/me/password", form_on="/desk/me", old=PASSWORD, password=OTHER_PASSWORD, again=OTHER_PASSWORD)
    assert answer.status_code == 429
    assert "Trop d'essais" in Page(answer).words


def test_other_sessions_can_be_ended(desk: Building, lea: Browser) -> None:
    elsewhere = desk.browser(two_factor="off")
    elsewhere.password(LEA)
    assert lea.page("/desk/me").words.count("Ouverte aujourd'hui") == 2
    page = Page(lea.fill("/desk/me/sessions", form_on="/desk/me"))
    assert "Vos autres sessions sont fermées" in page.words
    assert page.words.count("Ouverte aujourd'hui") == 1
    assert elsewhere.get("/desk/").url.path == "/desk/login"


def test_an_address_for_notices_is_kept_or_taken_away(desk: Building, lea: Browser) -> None:
    lea.fill("/desk/me/email", form_on="/desk/me", email=" lea@exemple.fr ")
    assert desk.staff(LEA).email == "lea@exemple.fr"
    assert "n'est pas valable" in Page(lea.fill("/desk/me/email", form_on="/desk/me", email="lea@")).words
    lea.fill("/desk/me/email", form_on="/desk/me", email="")
    assert desk.staff(LEA).email is None
    assert "lea@" not in str(desk.audit())


# ---------------------------------------------------------------- the sign-in log


def test_the_log_tells_when_from_where_and_how_it_ended(desk: Building, lea: Browser) -> None:
    desk.add(ANA)
    desk.browser(address="203.0.113.77", two_factor="off").password(ANA, "faux")
    desk.browser(address="2001:db8:1:2::3", two_factor="off").password("Personne", "faux")
    page = lea.page("/desk/signins")
    assert "Ana Jović Mot de passe faux 203.0.113.0/24" in page.words
    assert "Léa Martin Connexion 192.0.2.0/24" in page.words
    assert "203.0.113.77" not in page.source
    assert "Personne" not in page.source
    assert b"203.0.113.77" not in desk.stored()


def test_everybody_sees_their_own_attempts_only(desk: Building, lea: Browser) -> None:
    ana = desk.signed_in(ANA)
    desk.browser(address="203.0.113.77", two_factor="off").password(LEA, "faux")
    assert "203.0.113.0/24" in lea.page("/desk/me").words
    assert "203.0.113.0/24" not in ana.page("/desk/me").words


def test_a_flood_of_refused_attempts_is_one_line(desk: Building) -> None:
    desk.add(LEA)
    browser = desk.browser()
    for _ in range(15):
        browser.password(LEA, "faux")
    with desk.database.transaction() as session:
        assert session.scalars(select(SignIn.outcome)).all() == ["password"] * 5 + ["locked"]


def test_old_lines_of_the_log_are_deleted(desk: Building, lea: Browser) -> None:
    with desk.database.transaction() as session:
        number = session.scalars(select(Staff.id)).one()
        for days in (179, 181):
            session.add(SignIn(at=now() - timedelta(days=days), staff_id=number, network="", outcome="ok"))
    assert desk.run(sign_ins.purge) == 1
    with desk.database.transaction() as session:
        assert len(session.scalars(select(SignIn)).all()) == 2


def test_the_log_is_paged(desk: Building, lea: Browser) -> None:
    with desk.database.transaction() as session:
        number = session.scalars(select(Staff.id)).one()
        session.add_all(SignIn(staff_id=number, network=f"198.51.{i}.0/24", outcome="ok") for i in range(60))
    first = lea.page("/desk/signins")
    assert "198.51.59.0/24" in first.words
    assert "198.51.5.0/24" not in first.words
    older = re.search(r'href="(/desk/signins\?before=\d+)"', first.source)
    assert older
    assert "198.51.5.0/24" in lea.page(older[1]).words


@pytest.mark.parametrize(("address", "network"), [("::ffff:192.0.2.9", "192.0.2.0/24"), ("2001:db8:1:2::3", "2001:db8:1::/48"), ("", ""), ("unix:", "")])
def test_an_address_loses_its_last_part(address: str, network: str) -> None:
    assert sign_ins.network_of(address) == network


# ---------------------------------------------------------------- the audit trail


def test_the_trail_is_shown_in_french_with_the_state_of_its_chain(desk: Building, lea: Browser) -> None:
    reference = leave_request(desk.database)
    lea.get(f"/desk/requests/{reference}")
    page = lea.page("/desk/audit")
    assert f"Léa Martin Demande consultée {reference}" in page.words
    assert f"Visiteur Demande reçue {reference}" in page.words
    assert re.search(r"les \d+ écritures se suivent sans rupture", page.words)


def test_the_trail_is_filtered_by_reference_account_and_action(desk: Building, lea: Browser) -> None:
    one, two = leave_request(desk.database), leave_request(desk.database, email="autre@exemple.fr")
    lea.get(f"/desk/requests/{one}")
    desk.signed_in(ANA).get(f"/desk/requests/{two}")
    said = lea.page("/desk/audit?reference=" + one.replace("-", " ").lower()).words
    assert one in said
    assert two not in said
    table = lea.page(f"/desk/audit?account={desk.staff(ANA).id}").source.split("<tbody>")[1]
    assert two in table
    assert "Léa" not in table
    assert "Compte créé" in table  # what was done to the account counts too
    table = lea.page("/desk/audit?action=ticket.open").source.split("<tbody>")[1]
    assert table.count("Demande reçue") == 2
    assert "Connexion" not in table
    assert "Aucune écriture" in lea.page("/desk/audit?reference=RDV-2222-22").words


def test_the_trail_is_paged_and_keeps_its_filter(desk: Building, lea: Browser) -> None:
    reference = leave_request(desk.database)
    for _ in range(55):
        desk.run(audit.record, LEA, "ticket.read", reference)
    first = lea.page(f"/desk/audit?reference={reference}")
    assert "Demande reçue" not in first.source.split("<tbody>")[1]
    older = re.search(r'href="(/desk/audit\?[^"]*before=\d+)"', first.source)
    assert older
    second = lea.page(older[1].replace("&amp;", "&"))
    assert "Demande reçue" in second.source.split("<tbody>")[1]
    assert "Connexion" not in second.source.split("<tbody>")[1]


def test_a_changed_entry_is_named(desk: Building, lea: Browser) -> None:
    for _ in range(3):
        desk.run(audit.record, LEA, "ticket.read", "RDV-7K4M-29")
    with desk.database.transaction() as session:
        changed = session.scalars(select(AuditEntry).order_by(AuditEntry.id.desc()).offset(1).limit(1)).one()
        changed.actor = ANA
        number = changed.id
    answer = lea.page("/desk/audit")
    assert f"rompue à l'écriture n° {number}" in answer.words
    assert 'role="alert"' in answer.source


def test_a_removed_entry_shows(desk: Building, lea: Browser) -> None:
    with desk.database.transaction() as session:
        session.delete(session.scalars(select(AuditEntry).order_by(AuditEntry.id).limit(1)).one())
    assert "La chaîne est rompue" in lea.page("/desk/audit").words


def test_a_walk_in_small_steps_sees_what_one_in_one_step_sees(desk: Building) -> None:
    for i in range(23):
        desk.run(audit.record, LEA, "ticket.read", f"R{i}")
    walked = audit.Walk()
    while not walked.is_over:
        walked = desk.run(audit.walk, walked, 5)
    assert (walked.count, walked.broken_at) == (23, None)
    assert desk.run(audit.broken_at) is None


def test_everything_that_is_audited_has_french_words() -> None:
    sources = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "desk").rglob("*.py"))
    codes = set(re.findall(r'"((?:staff|keys)\.[a-z_]+)"', sources)) - {"staff.totp_secret", "staff.totp_offer", "staff.role_", "staff.id"}
    assert len(codes) > 10
    for code in codes:
        assert wording.action(code) != code, code
    for role in Role:
        assert wording.action(f"staff.role_{role}") != f"staff.role_{role}"
    assert set(wording.OUTCOMES) == set(sign_ins.Outcome)
    assert set(wording.ROLES) == set(wording.ROLE_NOTES) == set(Role)
    assert all(permission in set().union(*MAY.values()) for permission in Permission)
