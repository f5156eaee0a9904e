"""The second factor, from the telephone's side and from that of somebody who has only the password."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from desk.db import Database
from desk.models import RecoveryCode, SignIn, Staff, StaffSession
from desk.staff import accounts, second_factor, sessions
from tests.staff_kit import PASSWORD, Authenticator, Browser, Building, Page, address_of, building, routes

NAME = "Milica Petrović"
RFC_SECRET = base64.b32encode(b"12345678901234567890").decode()


@pytest.fixture
def desk(database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Building]:
    """A desk with one account."""
    with building(database, tmp_path, monkeypatch) as made:
        made.add(NAME)
        yield made


def codes_on(source: str) -> list[str]:
    return re.findall(r"<li>((?:[0-9A-Z]{4}-){2}[0-9A-Z]{4})</li>", source)


def outcomes(desk: Building) -> list[str]:
    with desk.database.transaction() as session:
        return list(session.scalars(select(SignIn.outcome).order_by(SignIn.id)))


def account_with(desk: Building, secret: str) -> int:
    with desk.database.transaction() as session:
        staff = session.scalars(select(Staff)).one()
        staff.totp_secret, staff.totp_confirmed_at = secret, datetime(2026, 1, 1, tzinfo=UTC)
        return staff.id


# ---------------------------------------------------------------- codes


@pytest.mark.parametrize(
    ("seconds", "code"),
    [(59, "287082"), (1111111109, "081804"), (1111111111, "050471"), (1234567890, "005924"), (2000000000, "279037"), (20000000000, "353130")],
)
def test_codes_are_those_of_the_standard(desk: Building, seconds: int, code: str) -> None:
    number = account_with(desk, RFC_SECRET)
    assert desk.run(second_factor.is_code, number, code, datetime.fromtimestamp(seconds, UTC))


@pytest.mark.parametrize(("late", "accepted"), [(-60, False), (-30, True), (0, True), (30, True), (60, False)])
def test_a_telephone_may_be_half_a_minute_wrong_and_no_more(desk: Building, late: int, accepted: bool) -> None:
    number = account_with(desk, RFC_SECRET)
    at = datetime.fromtimestamp(1111111110 + late, UTC)
    assert desk.run(second_factor.is_code, number, "050471", at) is accepted


@pytest.mark.parametrize("code", ["", "28708", "2870820", "28708a", "２８７０８２", "287082\x00", "000000"])
def test_what_is_no_code_is_none(desk: Building, code: str) -> None:
    number = account_with(desk, RFC_SECRET)
    assert not desk.run(second_factor.is_code, number, code, datetime.fromtimestamp(59, UTC))


def test_a_code_works_once_and_makes_older_ones_worthless(desk: Building) -> None:
    number = account_with(desk, RFC_SECRET)
    telephone, at = Authenticator(RFC_SECRET), datetime.fromtimestamp(3000, UTC)
    before, present, after = (telephone.code(at.timestamp() + shift) for shift in (-30, 0, 30))
    assert desk.run(second_factor.is_code, number, present, at)
    assert not desk.run(second_factor.is_code, number, present, at)
    assert not desk.run(second_factor.is_code, number, before, at)
    assert desk.run(second_factor.is_code, number, after, at)


def test_without_a_confirmed_secret_no_code_is_right(desk: Building) -> None:
    number = account_with(desk, RFC_SECRET)
    with desk.database.transaction() as session:
        session.scalars(select(Staff)).one().totp_confirmed_at = None
    assert not desk.run(second_factor.is_code, number, "287082", datetime.fromtimestamp(59, UTC))


# ---------------------------------------------------------------- setting it up


def test_the_first_sign_in_shows_a_picture_and_a_secret_then_recovery_codes(desk: Building) -> None:
    browser = desk.browser()
    page = Page(browser.password(NAME))
    assert "Réglez votre second facteur" in page.words
    assert re.search(r'<img class="qr" src="data:image/svg\+xml[^"]+" [^>]*alt="[^"]+"', page.source)
    assert re.search(r'class="secret"[^>]*>([A-Z2-7]{4} ){7}[A-Z2-7]{4}<', page.source)
    assert 'autocomplete="one-time-code"' in page.source
    assert 'inputmode="numeric"' in page.source
    telephone = Authenticator.from_page(page.source)
    answer = browser.code(telephone.code(desk.clock.at.timestamp()))
    assert len(set(codes_on(answer.text))) == 10
    assert browser.get("/desk/").url.path == "/desk/"
    assert outcomes(desk) == ["half", "ok"]
    assert (NAME, "staff.second_factor_set", NAME) in desk.audit()


def test_the_picture_holds_what_applications_expect(desk: Building) -> None:
    import segno

    browser = desk.browser()
    browser.password(NAME)
    with desk.database.transaction() as session:
        offered = second_factor.offer(session, session.scalars(select(StaffSession)).one())
    address = f"otpauth://totp/Passerelle:Milica%20Petrovi%C4%87?secret={offered.secret}&issuer=Passerelle"
    assert offered.picture == segno.make(address, error="m").svg_data_uri(scale=5, border=4, dark="#000", light="#fff")
    assert len(base64.b32decode(offered.secret)) == 20


def test_a_wrong_code_sets_nothing_up(desk: Building) -> None:
    browser = desk.browser()
    shown = Authenticator.from_page(browser.password(NAME).text)
    answer = browser.code("000000")
    assert answer.status_code == 401
    assert "n'est pas celui de cette clé" in Page(answer).words
    assert desk.staff(NAME).totp_confirmed_at is None
    assert browser.code(shown.code(desk.clock.at.timestamp())).status_code == 200  # the same secret is still offered


def test_whoever_looked_at_the_page_first_does_not_know_the_secret_that_is_confirmed(desk: Building) -> None:
    thief, milica = desk.browser(), desk.browser()
    stolen = Authenticator.from_page(thief.password(NAME).text)
    telephone = milica.enrol(NAME, desk.clock)
    desk.clock.forward(30)
    thief.password(NAME)
    assert thief.code(stolen.code(desk.clock.at.timestamp())).status_code == 401
    assert thief.code(telephone.code(desk.clock.at.timestamp())).status_code == 200


def test_setting_it_up_ends_the_accounts_other_half_open_sessions(desk: Building) -> None:
    other, milica = desk.browser(), desk.browser()
    other.password(NAME)
    milica.enrol(NAME, desk.clock)
    assert other.get("/desk/second-factor").url.path == "/desk/login"


def test_neither_secret_nor_recovery_code_is_stored_in_clear(desk: Building) -> None:
    browser = desk.browser()
    page = browser.password(NAME).text
    secret = re.search(r'class="secret"[^>]*>([A-Z2-7 ]+)<', page)
    assert secret
    plain = secret[1].replace(" ", "")
    codes = codes_on(browser.code(Authenticator(plain).code(desk.clock.at.timestamp())).text)
    stored = desk.stored()
    assert desk.staff(NAME).totp_secret == plain
    for value in (plain, base64.b32decode(plain).hex(), codes[0], codes[0].replace("-", "")):
        assert value.encode() not in stored


# ---------------------------------------------------------------- a session that is half open


@pytest.mark.parametrize("enrolled", [False, True])
def test_the_password_alone_opens_no_page(desk: Building, enrolled: bool) -> None:
    if enrolled:
        desk.browser().enrol(NAME, desk.clock)
    browser = desk.browser()
    browser.password(NAME)
    seen = 0
    for route in routes():
        if not route.half and "GET" in (route.methods or ()):
            answer = browser.get(address_of(route), follow_redirects=False)
            assert answer.status_code == 303, route.path
            assert answer.headers["location"].startswith("/desk/second-factor?next="), route.path
            seen += 1
    assert seen > 15


def test_the_password_alone_sends_no_form(desk: Building) -> None:
    browser = desk.browser()
    page = Page(browser.password(NAME))
    before = desk.audit()
    for route in routes():
        if not route.half and "POST" in (route.methods or ()):
            answer = browser.post(address_of(route), data={"csrf": page.field("csrf")}, follow_redirects=False)
            assert answer.headers.get("location", "").startswith("/desk/second-factor?next="), route.path
    assert desk.audit() == before


def test_a_half_open_session_shows_no_areas_of_the_desk(desk: Building) -> None:
    browser = desk.browser()
    assert "/desk/me" not in browser.password(NAME).text
    assert 'href="/desk/canned"' not in browser.get("/desk/second-factor").text


def test_the_second_factor_changes_the_session_and_its_form_secret(desk: Building) -> None:
    telephone = desk.browser().enrol(NAME, desk.clock)
    browser = desk.browser()
    page = Page(browser.password(NAME))
    planted, csrf = browser.token, page.field("csrf")
    desk.clock.forward(30)
    browser.code(telephone.code(desk.clock.at.timestamp()))
    assert browser.token != planted
    assert browser.page("/desk/me").field("csrf") != csrf
    thief = desk.browser()
    thief.cookies.set("passerelle_staff", planted)
    assert thief.get("/desk/").url.path == "/desk/login"
    assert thief.get("/desk/second-factor").url.path == "/desk/login"


def test_setting_the_second_factor_up_changes_the_session_too(desk: Building) -> None:
    browser = desk.browser()
    telephone = Authenticator.from_page(browser.password(NAME).text)
    planted = browser.token
    browser.code(telephone.code(desk.clock.at.timestamp()))
    assert browser.token != planted


def test_a_session_cannot_be_completed_twice(desk: Building) -> None:
    opened, _ = desk.run(accounts.sign_in, NAME, PASSWORD, 1)
    desk.run(sessions.renew, opened, second_factor_at=desk.clock.at)
    with pytest.raises(sessions.SessionOver):
        desk.run(sessions.renew, opened, second_factor_at=desk.clock.at)


def test_completing_it_does_not_make_it_last_longer(desk: Building) -> None:
    opened, _ = desk.run(accounts.sign_in, NAME, PASSWORD, 1)
    renewed, _ = desk.run(sessions.renew, opened, second_factor_at=desk.clock.at)
    assert renewed.expires_at == opened.expires_at
    assert renewed.authenticated_at == opened.authenticated_at


# ---------------------------------------------------------------- giving it


def test_the_next_sign_in_asks_for_a_code_and_leads_where_one_wanted_to_go(desk: Building) -> None:
    telephone = desk.browser().enrol(NAME, desk.clock)
    desk.clock.forward(30)
    browser = desk.browser()
    page = Page(browser.fill("/desk/login", form_on="/desk/shortcuts", name=NAME, password=PASSWORD))
    assert "six chiffres" in page.words
    assert 'autocomplete="one-time-code"' in page.source
    answer = browser.post(
        "/desk/second-factor", data={"csrf": page.field("csrf"), "next": page.field("next"), "code": telephone.code(desk.clock.at.timestamp())}
    )
    assert answer.url.path == "/desk/shortcuts"


def test_a_code_seen_over_a_shoulder_opens_no_second_session(desk: Building) -> None:
    telephone = desk.browser().enrol(NAME, desk.clock)
    desk.clock.forward(30)
    milica, thief = desk.browser(), desk.browser()
    milica.password(NAME)
    thief.password(NAME)
    code = telephone.code(desk.clock.at.timestamp())
    assert milica.code(code).url.path == "/desk/"
    answer = thief.code(code)
    assert answer.status_code == 401
    assert "il a déjà servi" in answer.text


def test_wrong_codes_lock_the_account_even_for_whoever_knows_the_password(desk: Building) -> None:
    telephone = desk.browser().enrol(NAME, desk.clock)
    desk.clock.forward(30)
    for i in range(5):
        thief = desk.browser(address=f"198.51.{i}.1")
        assert thief.password(NAME).status_code == 200  # a right password must not buy five more codes
        assert thief.code("000000").status_code == 401
    browser = desk.browser(address="203.0.113.1")
    browser.password(NAME)
    answer = browser.code(telephone.code(desk.clock.at.timestamp()))
    assert answer.status_code == 429
    assert "Trop d'essais" in Page(answer).words
    assert outcomes(desk)[-2:] == ["half", "locked"]


def test_wrong_codes_are_in_the_log_and_in_the_audit_trail(desk: Building) -> None:
    desk.browser().enrol(NAME, desk.clock)
    browser = desk.browser()
    browser.password(NAME)
    browser.code("000000")
    assert outcomes(desk)[-2:] == ["half", "second_factor"]
    assert desk.audit()[-1] == ("system", "staff.sign_in_failed", NAME)


def test_with_the_setting_off_only_those_who_chose_it_are_asked(desk: Building) -> None:
    desk.add("Ana Jović")
    milica = desk.browser(two_factor="off")
    assert milica.password(NAME).url.path == "/desk/"
    page = milica.page("/desk/second-factor/change")
    milica.fill("/desk/second-factor/change", code=Authenticator.from_page(page.source).code(desk.clock.at.timestamp()))
    assert milica.get("/desk/").url.path == "/desk/"
    assert desk.browser(two_factor="off").password(NAME).url.path == "/desk/second-factor"
    assert desk.browser(two_factor="off").password("Ana Jović").url.path == "/desk/"
    assert outcomes(desk) == ["ok", "half", "ok"]


# ---------------------------------------------------------------- recovery codes


def enrolled_with_codes(desk: Building) -> list[str]:
    browser = desk.browser()
    telephone = Authenticator.from_page(browser.password(NAME).text)
    return codes_on(browser.code(telephone.code(desk.clock.at.timestamp())).text)


def test_a_recovery_code_opens_the_desk_once_however_it_is_typed(desk: Building) -> None:
    codes = enrolled_with_codes(desk)
    first, again, third = desk.browser(), desk.browser(), desk.browser()
    for browser in (first, again, third):
        browser.password(NAME)
    assert first.code(codes[0].lower().replace("-", " ")).url.path == "/desk/"
    assert again.code(codes[0]).status_code == 401
    assert third.code(codes[1]).url.path == "/desk/"
    assert "8 codes de secours" in third.page("/desk/me").words
    assert "recovery" in outcomes(desk)
    assert (NAME, "staff.recovery_code_used", NAME) in desk.audit()


def test_a_recovery_code_is_nobody_elses(desk: Building) -> None:
    codes = enrolled_with_codes(desk)
    number = desk.add("Ana Jović")
    assert not desk.run(second_factor.uses_recovery_code, number, codes[0], desk.clock.at)


def test_new_recovery_codes_void_the_old_ones(desk: Building) -> None:
    browser = desk.browser()
    telephone = Authenticator.from_page(browser.password(NAME).text)
    old = codes_on(browser.code(telephone.code(desk.clock.at.timestamp())).text)
    assert "Il vous reste 10 codes" in browser.page("/desk/second-factor/codes").words
    new = codes_on(browser.fill("/desk/second-factor/codes").text)
    assert len(new) == 10
    assert not set(old) & set(new)
    other = desk.browser()
    other.password(NAME)
    assert other.code(old[0]).status_code == 401
    assert other.code(new[0]).url.path == "/desk/"
    with desk.database.transaction() as session:
        assert len(session.scalars(select(RecoveryCode)).all()) == 10


# ---------------------------------------------------------------- another telephone


def test_another_telephone_replaces_the_first_only_once_it_is_confirmed(desk: Building) -> None:
    browser, elsewhere = desk.browser(), desk.browser()
    old = browser.enrol(NAME, desk.clock)
    desk.clock.forward(30)
    elsewhere.enter(NAME, old, desk.clock)
    new = Authenticator.from_page(browser.get("/desk/second-factor/change").text)
    assert browser.fill("/desk/second-factor/change", code="000000").status_code == 401
    desk.clock.forward(30)
    assert desk.browser().enter(NAME, old, desk.clock).url.path == "/desk/"
    assert len(codes_on(browser.fill("/desk/second-factor/change", code=new.code(desk.clock.at.timestamp())).text)) == 10
    assert elsewhere.get("/desk/").url.path == "/desk/login"
    desk.clock.forward(30)
    assert desk.browser().enter(NAME, old, desk.clock).status_code == 401
    assert desk.browser().enter(NAME, new, desk.clock).url.path == "/desk/"


def test_changing_it_asks_for_the_password_again(desk: Building) -> None:
    browser = desk.browser()
    browser.enrol(NAME, desk.clock)
    with desk.database.transaction() as session:
        for row in session.scalars(select(StaffSession)):
            row.authenticated_at -= timedelta(minutes=11)
    for path in ("/desk/second-factor/change", "/desk/second-factor/codes"):
        assert browser.get(path).url.path == "/desk/confirm"


def test_a_second_factor_taken_away_is_set_up_anew(desk: Building) -> None:
    milica = desk.browser()
    old = milica.enrol(NAME, desk.clock)
    desk.run(second_factor.reset, "system", desk.staff(NAME).id)
    assert milica.get("/desk/").url.path == "/desk/login"
    browser = desk.browser()
    new = browser.enrol(NAME, desk.clock)
    desk.clock.forward(30)
    assert desk.browser().enter(NAME, old, desk.clock).status_code == 401
    assert desk.browser().enter(NAME, new, desk.clock).url.path == "/desk/"


def test_the_helper_of_other_tests_signs_in_as_a_person_does(desk: Building) -> None:
    from tests.authenticator import sign_in

    browser: Browser = desk.browser()
    desk.clock.at = datetime.now(UTC)
    telephone = sign_in(browser, NAME, PASSWORD)
    assert browser.get("/desk/").url.path == "/desk/"
    again = desk.browser()
    sign_in(again, NAME, PASSWORD, telephone)
    assert again.get("/desk/").url.path == "/desk/"
