"""Signing in through an identity provider: a real one on this machine, and what happens when it, or somebody between, lies."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest
from httpx2 import Response
from joserfc.jwk import RSAKey
from sqlalchemy import select

from desk.db import Database, now
from desk.models import Role, SignIn, Staff
from desk.staff import accounts, oidc_pages, second_factor
from tests.authenticator import Authenticator
from tests.identity_provider import CLIENT_ID, CLIENT_SECRET, IdentityProvider, Person, shared_secret_key
from tests.staff_kit import PASSWORD, Browser, Building, Page, building

ANA = "Ana Jović"
SECRET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"


@pytest.fixture(scope="module")
def running() -> Iterator[IdentityProvider]:
    """One provider for all."""
    made = IdentityProvider()
    yield made
    made.stop()


@pytest.fixture
def provider(running: IdentityProvider) -> IdentityProvider:
    """The provider, honest again."""
    running.person, running.userinfo, running.changes, running.described = Person(), {}, {}, {}
    running.algorithm, running.signer = "RS256", running.key
    running.asked.clear()
    running.redeemed = 0
    return running


@pytest.fixture
def desk(database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Building]:
    """A desk where Ana's account has an e-mail address."""
    with building(database, tmp_path, monkeypatch) as made:
        number = made.add(ANA)
        made.run(accounts.change_email, "system", number, "Ana@Exemple.fr")
        yield made


def browser_of(desk: Building, provider: IdentityProvider, **settings: Any) -> Browser:
    given = {"oidc_issuer": provider.issuer, "oidc_client_id": CLIENT_ID, "oidc_client_secret": CLIENT_SECRET, "two_factor": "off"} | settings
    return desk.browser(**given)


def go(browser: Browser, path: str = "/desk/oidc?next=/desk/shortcuts") -> str:
    """Begins at the desk and signs in at the provider; returns the address that it sends the browser back to."""
    sent = browser.get(path, follow_redirects=False)
    assert sent.status_code == 303, sent.text
    with httpx2.Client() as outside:
        back = outside.get(sent.headers["location"], follow_redirects=False)
    assert back.status_code == 302, back.text
    return str(back.headers["location"])


def sign_in(browser: Browser, path: str = "/desk/oidc?next=/desk/shortcuts") -> Response:
    return browser.get(go(browser, path))


# ---------------------------------------------------------------- as it should be


def test_without_a_provider_nothing_of_it_shows(desk: Building) -> None:
    browser = desk.browser()
    assert "établissement" not in browser.page("/desk/login").words
    for path in ("/desk/oidc", "/desk/oidc/callback"):
        assert browser.get(path).status_code == 404


def test_somebody_signs_in_and_arrives_where_they_wanted(desk: Building, provider: IdentityProvider) -> None:
    browser = browser_of(desk, provider)
    page = browser.page("/desk/shortcuts")
    assert "Se connecter avec le compte de l'établissement" in page.words
    assert 'href="/desk/oidc?next=/desk/shortcuts"' in page.source
    answer = sign_in(browser)
    assert answer.url.path == "/desk/shortcuts"
    assert ANA in answer.text
    assert desk.staff(ANA).oidc_subject == f"{provider.issuer} u-1"
    assert desk.audit()[-2:] == [(ANA, "staff.oidc_link", ANA), (ANA, "staff.sign_in", ANA)]


def test_the_request_carries_state_nonce_and_a_challenge(desk: Building, provider: IdentityProvider) -> None:
    browser = browser_of(desk, provider)
    first = parse_qs(urlsplit(browser.get("/desk/oidc", follow_redirects=False).headers["location"]).query)
    second = parse_qs(urlsplit(browser.get("/desk/oidc", follow_redirects=False).headers["location"]).query)
    assert first["code_challenge_method"] == ["S256"]
    assert first["response_type"] == ["code"]
    assert first["redirect_uri"] == ["http://testserver/desk/oidc/callback"]
    for name in ("state", "nonce", "code_challenge"):
        assert len(first[name][0]) >= 43
        assert first[name] != second[name]
    assert CLIENT_SECRET not in str(first)


def test_the_cookie_of_a_sign_in_that_has_begun_cannot_be_read(desk: Building, provider: IdentityProvider) -> None:
    browser = browser_of(desk, provider)
    sent = browser.get("/desk/oidc", follow_redirects=False)
    state = parse_qs(urlsplit(sent.headers["location"]).query)["state"][0]
    assert "HttpOnly" in sent.headers["set-cookie"]
    assert state not in str(browser.cookies["passerelle_oidc"])


def test_after_the_first_time_the_address_no_longer_counts(desk: Building, provider: IdentityProvider) -> None:
    sign_in(browser_of(desk, provider))
    provider.person.claims = {"email": "autre@exemple.fr", "email_verified": True}
    assert sign_in(browser_of(desk, provider)).url.path == "/desk/shortcuts"
    provider.person = Person(sub="u-2")  # somebody else who got Ana's old address
    assert sign_in(browser_of(desk, provider)).status_code == 403


def test_an_address_may_come_from_the_userinfo_page(desk: Building, provider: IdentityProvider) -> None:
    provider.person.claims = {}
    provider.userinfo = {"sub": "u-1", "email": "ana@exemple.fr", "email_verified": True}
    assert sign_in(browser_of(desk, provider)).url.path == "/desk/shortcuts"


def test_the_second_factor_is_still_asked(desk: Building, provider: IdentityProvider) -> None:
    browser = browser_of(desk, provider, two_factor="on")
    answer = sign_in(browser)
    assert answer.url.path == "/desk/second-factor"
    telephone = Authenticator.from_page(answer.text)
    browser.code(telephone.code(desk.clock.at.timestamp()))
    assert browser.get("/desk/").url.path == "/desk/"


def test_a_provider_that_asked_for_several_factors_is_believed(desk: Building, provider: IdentityProvider) -> None:
    provider.person.claims |= {"amr": ["pwd", "otp", "mfa"]}
    assert sign_in(browser_of(desk, provider, two_factor="on")).url.path == "/desk/shortcuts"
    provider.person.claims |= {"amr": ["pwd"]}
    assert sign_in(browser_of(desk, provider, two_factor="on")).url.path == "/desk/second-factor"


def test_the_session_of_before_ends(desk: Building, provider: IdentityProvider) -> None:
    browser = browser_of(desk, provider)
    browser.password(ANA)
    before = browser.token
    sign_in(browser)
    assert browser.token != before
    other = desk.browser(two_factor="off")
    other.cookies.set("passerelle_staff", before)
    assert other.get("/desk/").url.path == "/desk/login"


def test_who_signed_in_at_the_provider_long_ago_proves_it_again_before_sensitive_pages(desk: Building, provider: IdentityProvider) -> None:
    with desk.database.transaction() as session:
        session.scalars(select(Staff)).one().role = Role.LEAD
    provider.person.claims |= {"auth_time": int(time.time()) - 3600}
    browser = browser_of(desk, provider)
    sign_in(browser)
    page = browser.page("/desk/people/new")
    assert "Confirmer avec le compte de l'établissement" in page.words
    assert 'href="/desk/oidc?again&amp;next=/desk/people/new"' in page.source
    provider.person.claims |= {"auth_time": int(time.time())}
    assert sign_in(browser, "/desk/oidc?again&next=/desk/people/new").url.path == "/desk/people/new"
    assert provider.asked[-1]["prompt"] == "login"
    assert "prompt" not in provider.asked[0]


def test_who_has_no_password_here_proves_it_by_a_code(desk: Building, provider: IdentityProvider) -> None:
    provider.person.claims |= {"auth_time": int(time.time()) - 3600}
    browser = browser_of(desk, provider)
    sign_in(browser)
    telephone = Authenticator(SECRET)
    with desk.database.transaction() as session:
        staff = session.scalars(select(Staff)).one()
        staff.totp_secret, staff.totp_confirmed_at = SECRET, desk.clock.at
        staff.role = Role.LEAD
    browser = browser_of(desk, provider)
    provider.person.claims |= {"amr": ["mfa"]}
    sign_in(browser)
    page = browser.page("/desk/people/new")
    fields = {"csrf": page.field("csrf"), "next": page.field("next"), "password": ""}
    assert browser.post("/desk/confirm", data=fields | {"code": "000000"}).status_code == 401
    code = telephone.code()
    assert browser.post("/desk/confirm", data=fields | {"code": code}).url.path == "/desk/people/new"
    number = desk.staff(ANA).id
    assert not desk.run(second_factor.is_code, number, code, now())


def test_an_initial_password_dies_when_its_holder_comes_by_the_provider(desk: Building, provider: IdentityProvider) -> None:
    initial = desk.run(accounts.reset_password, "system", desk.staff(ANA).id)
    assert sign_in(browser_of(desk, provider)).url.path == "/desk/shortcuts"
    assert desk.browser(two_factor="off").password(ANA, initial).status_code == 401


# ---------------------------------------------------------------- who is not let in


def assert_refused(desk: Building, answer: Response, status: int) -> None:
    assert answer.status_code == status, Page(answer).words
    assert 'role="alert"' in answer.text
    assert desk.staff(ANA).oidc_subject is None


@pytest.mark.parametrize(
    "claims",
    [
        {"email": "ana@exemple.fr", "email_verified": False},
        {"email": "ana@exemple.fr"},
        {"email": "ana@exemple.fr", "email_verified": "true"},
        {"email": "personne@exemple.fr", "email_verified": True},
        {},
    ],
)
def test_only_a_verified_address_of_an_account_lets_in(desk: Building, provider: IdentityProvider, claims: dict[str, Any]) -> None:
    provider.person.claims = claims
    assert_refused(desk, sign_in(browser_of(desk, provider)), 403)


def test_an_address_of_two_accounts_lets_nobody_in(desk: Building, provider: IdentityProvider) -> None:
    number = desk.add("Boris")
    desk.run(accounts.change_email, "system", number, "ana@exemple.fr")
    assert_refused(desk, sign_in(browser_of(desk, provider)), 403)


def test_a_closed_account_lets_nobody_in(desk: Building, provider: IdentityProvider) -> None:
    sign_in(browser_of(desk, provider))
    desk.add("Léa", Role.LEAD)
    desk.run(accounts.deactivate, "system", desk.staff(ANA).id)
    assert sign_in(browser_of(desk, provider)).status_code == 403
    with desk.database.transaction() as session:
        assert session.scalars(select(SignIn.outcome).order_by(SignIn.id.desc())).first() == "inactive"


def test_userinfo_of_somebody_else_does_not_count(desk: Building, provider: IdentityProvider) -> None:
    provider.person.claims = {}
    provider.userinfo = {"sub": "u-9", "email": "ana@exemple.fr", "email_verified": True}
    assert_refused(desk, sign_in(browser_of(desk, provider)), 403)


# ---------------------------------------------------------------- lies


@pytest.mark.parametrize(
    "changes",
    [
        {"nonce": "another"},
        {"nonce": None},
        {"aud": "somebody-else"},
        {"aud": [CLIENT_ID, "other"], "azp": "other"},
        {"iss": "https://ailleurs.example"},
        {"exp": 1_700_000_000},
        {"exp": None},
        {"iat": 4_000_000_000},
        {"sub": "x" * 300},
        {"sub": ""},
    ],
)
def test_a_token_that_is_not_for_this_sign_in_is_refused(desk: Building, provider: IdentityProvider, changes: dict[str, Any]) -> None:
    provider.changes = changes
    assert_refused(desk, sign_in(browser_of(desk, provider)), 401)


def test_a_token_signed_by_another_key_is_refused(desk: Building, provider: IdentityProvider) -> None:
    provider.signer = RSAKey.generate_key(2048, {"kid": "one"})
    assert_refused(desk, sign_in(browser_of(desk, provider)), 401)


@pytest.mark.parametrize("algorithm", ["none", "HS256"])
def test_a_token_without_a_signature_of_the_provider_is_refused(desk: Building, provider: IdentityProvider, algorithm: str) -> None:
    provider.algorithm, provider.signer = algorithm, shared_secret_key()
    assert_refused(desk, sign_in(browser_of(desk, provider)), 401)


def test_an_answer_that_this_browser_did_not_ask_for_is_refused(desk: Building, provider: IdentityProvider) -> None:
    """Somebody sends a link that would sign the reader in as themselves."""
    theirs = go(browser_of(desk, provider))
    victim = browser_of(desk, provider)
    assert_refused(desk, victim.get(theirs), 400)
    victim.get("/desk/oidc", follow_redirects=False)
    assert_refused(desk, victim.get(theirs), 401)
    assert provider.redeemed == 0  # not even tried


def test_an_answer_works_once(desk: Building, provider: IdentityProvider) -> None:
    browser = browser_of(desk, provider)
    back = go(browser)
    kept = str(browser.cookies["passerelle_oidc"])
    assert browser.get(back).url.path == "/desk/shortcuts"
    assert "passerelle_oidc" not in browser.cookies
    thief = browser_of(desk, provider)
    thief.cookies.set("passerelle_oidc", kept)
    assert thief.get(back).status_code == 401


def test_a_sign_in_that_takes_too_long_is_begun_anew(desk: Building, provider: IdentityProvider, monkeypatch: pytest.MonkeyPatch) -> None:
    browser = browser_of(desk, provider)
    back = go(browser)
    monkeypatch.setattr(oidc_pages, "now", lambda: now() + timedelta(minutes=11))
    assert_refused(desk, browser.get(back), 400)


@pytest.mark.parametrize(
    "answer", ["error=access_denied&state={state}", "state={state}", "code=x", "code=x&state={state}", "code=x&state={state}&iss=https://ailleurs.example"]
)
def test_a_refusal_or_a_made_up_code_is_told_in_french(desk: Building, provider: IdentityProvider, answer: str) -> None:
    browser = browser_of(desk, provider)
    state = parse_qs(urlsplit(go(browser)).query)["state"][0]
    page = browser.get("/desk/oidc/callback?" + answer.format(state=state))
    assert_refused(desk, page, 401)
    assert "service d'identité" in Page(page).words


@pytest.mark.parametrize("described", [{"issuer": "https://ailleurs.example"}, {"token_endpoint": "http://127.0.0.1:9/"}])
def test_a_provider_that_describes_itself_as_another_is_not_believed(desk: Building, provider: IdentityProvider, described: dict[str, str]) -> None:
    provider.described = described
    browser = browser_of(desk, provider)
    sent = browser.get("/desk/oidc", follow_redirects=False)
    if "issuer" in described:
        assert_refused(desk, sent, 502)
    else:
        assert_refused(desk, sign_in(browser), 401)


def test_a_provider_that_is_down_leaves_the_password(desk: Building, provider: IdentityProvider) -> None:
    browser = browser_of(desk, provider, oidc_issuer="http://127.0.0.1:9")
    answer = browser.get("/desk/oidc")
    assert answer.status_code == 502
    assert "connectez-vous avec votre mot de passe" in Page(answer).words
    assert browser.password(ANA, PASSWORD).url.path == "/desk/"


@pytest.mark.parametrize("target", ["https://ailleurs.example/", "//ailleurs.example", "/"])
def test_the_way_back_never_leads_out_of_the_desk(desk: Building, provider: IdentityProvider, target: str) -> None:
    assert sign_in(browser_of(desk, provider), f"/desk/oidc?next={target}").url.path == "/desk/"
