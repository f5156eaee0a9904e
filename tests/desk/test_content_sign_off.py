"""The page of all texts, a clinician's signature on one of them, and its way into the repository."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import yaml
from sqlalchemy import select, update

from bot.answers import Content
from desk.content import signing
from desk.content.applying import changes, newly_signed
from desk.content.catalogue import BY_PROGRAM, KINDS, TOPICS, catalogue
from desk.content.command import bring_reviews
from desk.content.texts import Text, texts
from desk.content.usage import dialogue
from desk.db import Database, connect, now
from desk.models import AuditEntry, Review, Role, StaffSession
from desk.settings import ROOT
from tests.desk_pages import Browser, desk_app, give_account, settings_for
from tools.review_lock import Review as Lock

CONTENT = Content()
BELGRADE = ZoneInfo("Europe/Belgrade")
COST = "/desk/content/utter_cost/1"


@pytest.fixture
def lead(database: Database, tmp_path: Path) -> Iterator[Browser]:
    give_account(database, "Lena", Role.LEAD)
    app = desk_app(database, tmp_path)
    app.state.content = Content()
    browser = Browser(app)
    browser.sign_in("Lena")
    yield browser
    browser.close()


def _text(name: str, content: Content = CONTENT) -> Text:
    return next(text for text in texts(content) if text.response == name)


def _sign(browser: Browser, path: str = COST, **changes: str):  # type: ignore[no-untyped-def]
    page = browser.page(f"{path}/sign")
    fields = {"sha256": page.field("sha256"), "reviewer": "Dr Camille Laurent", "function": "hépatologue", "read": "yes"}
    return browser.fill(f"{path}/signed", **(fields | changes))


# ---------------------------------------------------------------- the catalogue


def test_every_text_is_listed_with_its_kind_and_topic() -> None:
    entries = catalogue(CONTENT, dialogue())
    assert {entry.text.key for entry in entries} == {text.key for text in texts(CONTENT)}
    assert {entry.kind for entry in entries} <= KINDS.keys()
    assert {entry.topic for entry in entries} <= TOPICS.keys()
    assert len({entry.path for entry in entries}) == len(entries)
    assert all(re.fullmatch(r"[a-z0-9_]+/\d+", entry.path) for entry in entries)


def test_where_a_text_is_used_is_what_the_rules_say() -> None:
    used = {entry.text.response: entry.used for entry in catalogue(CONTENT, dialogue())}
    assert used["utter_cost"] == ("Règle « answer ask_cost », intention ask_cost",)
    assert any("red_flag" in use for use in used["utter_red_flag"])
    assert used["utter_ask_booking_name"] == ("Question du formulaire de demande.",)
    assert used["utter_unavailable"] == (BY_PROGRAM,)


def test_the_intents_are_those_of_the_domain() -> None:
    assert set(yaml.safe_load((ROOT / "domain.yml").read_text(encoding="utf-8"))["intents"]) == set(dialogue().intents)


# ---------------------------------------------------------------- the pages


def test_the_list_says_how_many_are_read_and_filters(lead: Browser) -> None:
    everything = lead.page("/desk/content")
    total = len(texts(CONTENT))
    assert f"{total} textes, dont 0 relu par un clinicien" in everything.words
    answers = lead.page("/desk/content?kind=answer&topic=practical").words
    assert "La consultation est-elle gratuite ?" in answers
    assert "Alerte" not in answers.split("Relecture")[-1]
    assert lead.page("/desk/content?state=relu").words.count("non relu") == 0
    assert "Aucun texte" in lead.page("/desk/content?state=relu").words
    assert "Aucun texte" in lead.page("/desk/content?kind=nimporte").words


def test_search_finds_words_of_texts_and_facts_whatever_the_accents(lead: Browser) -> None:
    assert "utter_cost/1" in lead.page("/desk/content?q=COMPLETE+detailler").source
    fact = CONTENT.responses["utter_cost"][0]["metadata"]["facts"][0]
    assert "utter_cost/1" in lead.page(f"/desk/content?q={fact}").source
    assert "Aucun texte" in lead.page("/desk/content?q=perroquet").words


def test_a_text_shows_its_facts_sources_condition_and_hash(lead: Browser) -> None:
    page = lead.page(COST)
    fact = CONTENT.facts[CONTENT.responses["utter_cost"][0]["metadata"]["facts"][0]]
    assert fact["fait"][:30] in page.words.replace("’", "'") or fact["fait"][:30] in page.words
    assert fact["section"] in page.text
    assert _text("utter_cost").sha256 in page.words
    assert "non relu" in page.words
    assert "sujet : le foie" in lead.page("/desk/content/utter_timeline/2").words
    assert "alerte : Idées de suicide" in "".join(lead.page(f"/desk/content/utter_red_flag/{n}").words for n in (2, 3, 4))


@pytest.mark.parametrize("path", ["/desk/content/utter_cost/99", "/desk/content/utter_nothing/1", "/desk/content/utter_cost/0"])
def test_a_text_that_does_not_exist_is_said_in_french(lead: Browser, path: str) -> None:
    assert lead.get(path).status_code == 404
    assert lead.get(f"{path}/sign").status_code == 404


# ---------------------------------------------------------------- signing


def test_a_signature_shows_who_read_the_text_and_when(lead: Browser, database: Database) -> None:
    page = _sign(lead)
    assert "votre relecture est enregistrée" in page.words
    today = now().astimezone(BELGRADE)
    assert "relu par Dr Camille Laurent, hépatologue, le" in page.words and str(today.year) in page.words
    assert "dont 1 relu par un clinicien" in lead.page("/desk/content").words
    with database.transaction() as session:
        row = session.scalars(select(Review)).one()
        assert (row.response, row.text_hash, row.signed_by) == ("utter_cost", _text("utter_cost").sha256, "Lena")
        assert now() - row.at < timedelta(minutes=1), "the date is the server's"
        assert [(e.actor, e.action, e.subject) for e in session.scalars(select(AuditEntry))] == [("Lena", "content.sign", "utter_cost")]


def test_a_text_that_changes_is_unread_again(lead: Browser) -> None:
    _sign(lead)
    content: Content = lead.app.state.content  # type: ignore[attr-defined]
    before = content.responses["utter_cost"][0]["text"]
    content.responses["utter_cost"][0]["text"] = before + " Un mot de plus."
    assert "relu par Dr" not in lead.page(COST).words
    assert "non relu" in lead.page(COST).words
    content.responses["utter_cost"][0]["text"] = before
    assert "relu par Dr" in lead.page(COST).words


def test_a_text_that_changed_while_it_was_read_is_not_signed(lead: Browser, database: Database) -> None:
    page = lead.page(f"{COST}/sign")
    content: Content = lead.app.state.content  # type: ignore[attr-defined]
    content.responses["utter_cost"][0]["text"] += " Un mot de plus."
    answer = _sign(lead, sha256=page.field("sha256"))
    assert answer.status == 409
    assert "Relisez-le" in answer.words
    with database.transaction() as session:
        assert session.scalars(select(Review)).all() == []


@pytest.mark.parametrize(
    ("field", "value", "told"),
    [
        ("reviewer", " ", "Écrivez votre nom"),
        ("reviewer", "x" * 81, "Écrivez votre nom"),
        ("function", "", "Écrivez votre fonction"),
        ("function", "12", "Écrivez votre fonction"),
        ("read", "", "Cochez la case"),
    ],
)
def test_an_incomplete_signature_says_what_is_missing_and_keeps_the_rest(lead: Browser, database: Database, field: str, value: str, told: str) -> None:
    page = _sign(lead, **{field: value})
    assert page.status == 400
    assert told in page.words
    assert page.field("function" if field == "reviewer" else "reviewer") in ("hépatologue", "Dr Camille Laurent")
    with database.transaction() as session:
        assert session.scalars(select(Review)).all() == []


def test_the_date_and_the_account_cannot_be_sent_along(lead: Browser, database: Database) -> None:
    _sign(lead, at="2020-01-01", signed_by="Autre", text_hash="0" * 16, response="utter_pain")
    with database.transaction() as session:
        row = session.scalars(select(Review)).one()
        assert row.signed_by == "Lena" and row.response == "utter_cost" and row.at.year >= 2026


def test_signing_asks_for_the_password_again_after_a_while(lead: Browser, database: Database) -> None:
    page = lead.page(f"{COST}/sign")
    with database.transaction() as session:
        session.execute(update(StaffSession).values(authenticated_at=now() - timedelta(minutes=11)))
    assert lead.get(f"{COST}/sign", follow_redirects=False).headers["location"].startswith("/desk/confirm?next=")
    fields = {"csrf": lead.csrf(), "sha256": page.field("sha256"), "reviewer": "Dr Laurent", "function": "hépatologue", "read": "yes"}
    assert lead.post(f"{COST}/signed", data=fields, follow_redirects=False).headers["location"].startswith("/desk/confirm")
    with database.transaction() as session:
        assert session.scalars(select(Review)).all() == []


@pytest.mark.parametrize("role", [Role.AGENT, Role.PRIVACY_OFFICER])
def test_other_roles_can_neither_read_nor_sign(lead: Browser, database: Database, role: Role) -> None:
    give_account(database, "Autre", role)
    lead.sign_in("Autre")
    for path in ("/desk/content", COST, f"{COST}/sign"):
        assert lead.get(path).status_code == 403
    assert lead.post(f"{COST}/signed", data={"csrf": lead.csrf(), "read": "yes"}).status_code == 403


def test_a_name_is_never_markup(lead: Browser) -> None:
    _sign(lead, reviewer="<script>alert(1)</script>")
    assert "<script>alert" not in lead.page(COST).source + lead.page("/desk/content").source


# ---------------------------------------------------------------- into the repository


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """The content's files in a folder of their own, all of them locked as they are."""
    root = tmp_path / "repository"
    for part in ("data/answers", "data/facts", "data/review"):
        shutil.copytree(ROOT / part, root / part)
    Lock(root / "data/review").update(texts(Content(root)), "état de départ")
    return root


def _signed(session, *names: str, content: Content = CONTENT) -> None:  # type: ignore[no-untyped-def]
    for name in names:
        text = _text(name, content)
        signing.sign(session, "Lena", text, text.sha256, "Dr Camille Laurent", "hépatologue")


def test_signatures_become_lines_of_the_review_file_and_unlock_the_mark(database: Database, repository: Path) -> None:
    content = Content(repository)
    with database.transaction() as session:
        _signed(session, "utter_cost", "utter_thank", "mention")
        found = changes(newly_signed(session, content, BELGRADE, repository / "data/review/reviews.yml"), content, repository)
    assert sorted(change.path.name for change in found) == ["conduct.yml", "practical.yml", "reviews.yml"]
    for change in found:
        if change.path.name != "reviews.yml":
            removed, added = ([line[1:] for line in change.diff(repository).splitlines() if line.startswith(sign) and line[:3] != sign * 3] for sign in "-+")
            assert len(removed) == len(added) == 1
            assert added == [removed[0].replace("review: non relu", "review: relu")]
        change.write()
    after = Content(repository)
    lock = Lock(repository / "data/review")
    assert lock.problems(texts(after)) == [], "« relu » stands only where a signature of the very text stands in the review file"
    assert {text.response for text in texts(after) if text.review == "relu"} == {"utter_cost", "utter_thank"}
    assert {text.sha256 for text in texts(after)} == {text.sha256 for text in texts(content)}, "no text changes"
    (entry,) = lock.log["relectures"]
    assert (entry["nom"], entry["fonction"], len(entry["textes"])) == ("Dr Camille Laurent", "hépatologue", 3)


def test_what_is_in_the_repository_is_not_brought_again(database: Database, repository: Path) -> None:
    reviews = repository / "data/review/reviews.yml"
    with database.transaction() as session:
        _signed(session, "utter_cost")
        for change in changes(newly_signed(session, Content(repository), BELGRADE, reviews), Content(repository), repository):
            change.write()
        assert newly_signed(session, Content(repository), BELGRADE, reviews) == []
        _signed(session, "utter_pain")
        again = changes(newly_signed(session, Content(repository), BELGRADE, reviews), Content(repository), repository)
    for change in again:
        change.write()
    assert Lock(repository / "data/review").problems(texts(Content(repository))) == []
    assert len(Lock(repository / "data/review").log["relectures"]) == 2


def test_a_signature_of_an_older_text_changes_nothing(database: Database, repository: Path) -> None:
    content = Content(repository)
    with database.transaction() as session:
        _signed(session, "utter_cost", content=content)
    content.responses["utter_cost"][0]["text"] += " Un mot de plus."
    with database.transaction() as session:
        assert newly_signed(session, content, BELGRADE, repository / "data/review/reviews.yml") == []


def test_only_the_signed_variation_of_a_response_is_marked(database: Database, repository: Path) -> None:
    content = Content(repository)
    liver = next(text for text in texts(content) if text.key == ("utter_timeline", "scope=liver"))
    with database.transaction() as session:
        signing.sign(session, "Lena", liver, liver.sha256, "Dr Camille Laurent", "hépatologue")
        for change in changes(newly_signed(session, content, BELGRADE, repository / "data/review/reviews.yml"), content, repository):
            change.write()
    assert {text.key for text in texts(Content(repository)) if text.review == "relu"} == {("utter_timeline", "scope=liver")}


def test_a_signature_of_the_repository_shows_in_the_desk(repository: Path, database: Database) -> None:
    with database.transaction() as session:
        _signed(session, "utter_cost")
        for change in changes(newly_signed(session, CONTENT, BELGRADE, repository / "data/review/reviews.yml"), CONTENT, repository):
            change.write()
        kept = signing.kept_signatures(repository / "data/review/reviews.yml")
        assert kept["utter_cost", _text("utter_cost").sha256].reviewer == "Dr Camille Laurent"
        assert signing.signatures(session, BELGRADE, kept)["utter_cost", _text("utter_cost").sha256].in_repository


def test_a_day_is_the_clinics(database: Database) -> None:
    with database.transaction() as session:
        _signed(session, "utter_cost")
        session.execute(update(Review).values(at=datetime(2026, 11, 22, 23, 30, tzinfo=UTC)))
        assert signing.signatures(session, BELGRADE, {})["utter_cost", _text("utter_cost").sha256].day.isoformat() == "2026-11-23"


def test_the_command_shows_first_and_writes_when_asked(tmp_path: Path, database_url: str, repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    settings = settings_for(tmp_path / "var", database_url=database_url)
    engine = connect(str(settings.database_url), settings.cipher)
    assert bring_reviews(settings, repository, is_applied=False) == 0
    assert "0 texts newly signed." in capsys.readouterr().out
    with Database(engine).transaction() as session:
        _signed(session, "utter_cost", content=Content(repository))
    before = (repository / "data/review/reviews.yml").read_text()
    assert bring_reviews(settings, repository, is_applied=False) == 0
    shown = capsys.readouterr().out
    assert "+++ b/data/review/reviews.yml" in shown and "nothing written" in shown
    assert (repository / "data/review/reviews.yml").read_text() == before
    assert bring_reviews(settings, repository, is_applied=True) == 0
    assert "make lock" in capsys.readouterr().out
    assert Content(repository).responses["utter_cost"][0]["metadata"]["review"] == "relu"
    engine.dispose()
