"""Working with requests, played through their pages without JavaScript, on a real SQLite file."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update
from starlette.applications import Starlette

from desk import audit
from desk.db import Database, now
from desk.models import Answer, AuditEntry, CannedReply, Conversation, Delivery, Note, Notification, Role, Staff, Ticket, TicketState, Undo
from desk.staff import canned, wording
from desk.tickets import service, work
from desk.tickets.states import Move
from tests.desk_client import Desk
from tests.desk_pages import Browser, Page, desk_app, give_account, leave_request, ticket_of

ROOT = Path(__file__).resolve().parent.parent.parent
Opener = Callable[[str], Browser]


@pytest.fixture
def app(database: Database, tmp_path: Path) -> Starlette:
    """A desk with two agents, a lead, a privacy officer and an admin."""
    for name, role in (
        ("Ana", Role.AGENT),
        ("Bruno", Role.AGENT),
        ("Léa", Role.LEAD),
        ("Paul", Role.PRIVACY_OFFICER),
        ("Admin", Role.ADMIN),
    ):
        give_account(database, name, role)
    return desk_app(database, tmp_path)


@pytest.fixture
def sign_in(app: Starlette) -> Iterator[Opener]:
    """Gives somebody's browser."""
    opened: list[Browser] = []

    def make(name: str) -> Browser:
        browser = Browser(app)
        browser.sign_in(name)
        opened.append(browser)
        return browser

    yield make
    for browser in opened:
        browser.close()


@pytest.fixture
def ana(sign_in: Opener) -> Browser:
    """Ana, an agent."""
    return sign_in("Ana")


@pytest.fixture
def bruno(sign_in: Opener) -> Browser:
    """Bruno, another agent."""
    return sign_in("Bruno")


@pytest.fixture
def lea(sign_in: Opener) -> Browser:
    """Léa, a lead."""
    return sign_in("Léa")


def at(reference: str, what: str = "") -> str:
    """Address of a request, or of something done with it."""
    return f"/desk/requests/{reference}" + (f"/{what}" if what else "")


def does(browser: Browser, reference: str, what: str, page: Page | None = None, **fields: str) -> Page:
    """Sends a form of a request's page, opened now unless given."""
    return browser.fill(at(reference, what), page or browser.page(at(reference)), **fields)


def codes(database: Database, reference: str) -> list[tuple[str, str]]:
    """What the audit trail says of a request, reads left out."""
    with database.transaction() as session:
        entries = session.scalars(select(AuditEntry).where(AuditEntry.subject == reference).order_by(AuditEntry.id))
        return [(entry.actor, entry.action) for entry in entries if entry.action != "ticket.read"]


def rows(page: Page) -> list[str]:
    """References of a list, in its order."""
    return re.findall(r'<tr [^>]*data-reference="([^"]+)"', page.source)


def age(database: Database, reference: str, **values: Any) -> None:
    """Changes a request as time would."""
    with database.transaction() as session:
        session.execute(update(Ticket).where(Ticket.reference == reference).values(**values))


# ---------------------------------------------------------------- the list


def test_each_tab_shows_its_requests_and_counts_them(ana: Browser, bruno: Browser, database: Database) -> None:
    free, mine, his, over, late = (leave_request(database, name=f"Visiteur {n}") for n in "abcde")
    does(ana, mine, "claim")
    does(bruno, his, "claim")
    does(ana, over, "close")
    age(database, late, answer_due=now() - timedelta(hours=2, minutes=5))
    expected = {
        "": {free, mine, his, late},
        "?view=mine": {mine},
        "?view=overdue": {late},
        "?view=booked": set(),
        "?view=over": {over},
        "?view=all": {free, mine, his, over, late},
    }
    assert {query: set(rows(ana.page(f"/desk/{query}"))) for query in expected} == expected
    words = ana.page("/desk/").words
    for tab in ("À traiter 4", "Les miennes 1", "En retard 1", "Rendez-vous 0", "Terminées 1", "Toutes 5"):
        assert tab in words
    assert "en retard de 2 h" in words
    assert "Vous" in words
    assert "Bruno" in words


def test_the_list_is_in_the_order_of_deadlines_unless_asked_otherwise(ana: Browser, database: Database) -> None:
    later, none, sooner = (leave_request(database) for _ in range(3))
    age(database, later, answer_due=now() + timedelta(hours=5), created_at=now() - timedelta(hours=1))
    age(database, none, created_at=now() - timedelta(hours=9))
    age(database, sooner, answer_due=now() + timedelta(minutes=30), created_at=now() - timedelta(hours=3))
    assert rows(ana.page("/desk/")) == [sooner, later, none]
    assert rows(ana.page("/desk/?sort=received")) == [later, sooner, none]
    assert rows(ana.page("/desk/?sort=age")) == [none, sooner, later]
    assert "dans 29 min" in ana.page("/desk/").words
    assert "dans 4 h" in ana.page("/desk/").words


def test_the_list_can_be_narrowed_by_subject_and_owner(ana: Browser, bruno: Browser, database: Database) -> None:
    liver, joints, his = leave_request(database), leave_request(database, subject="joints"), leave_request(database)
    does(bruno, his, "claim")
    owner = re.search(r'<option value="(\d+)"[^>]*>Bruno<', ana.page("/desk/").source)
    assert owner
    assert rows(ana.page("/desk/?subject=joints")) == [joints]
    assert rows(ana.page(f"/desk/?owner={owner[1]}")) == [his]
    assert set(rows(ana.page("/desk/?owner=none"))) == {liver, joints}
    narrowed = ana.page(f"/desk/?owner={owner[1]}&subject=joints")
    assert "Aucune demande avec ces filtres" in narrowed.text
    assert narrowed.chosen("subject") == "joints"
    assert narrowed.chosen("owner") == owner[1]


@pytest.mark.parametrize("query", ["view=nimporte", "subject=x'--", "owner=abc", "sort=../", "page=-1", "page=99999999999", "view=waiting&owner=9&page=7"])
def test_what_makes_no_sense_in_an_address_is_left_out(ana: Browser, database: Database, query: str) -> None:
    leave_request(database)
    assert ana.page(f"/desk/?{query}").status == 200


def test_a_long_list_has_pages(ana: Browser, database: Database) -> None:
    references = [leave_request(database) for _ in range(52)]
    first = ana.page("/desk/?subject=liver&sort=age")
    assert rows(first) == references[:50]
    assert "Page 1 sur 2" in first.words
    following = re.search(r'rel="next" href="([^"]+)"', first.source)
    assert following
    second = ana.page(following[1].replace("&amp;", "&"))
    assert rows(second) == references[50:]
    assert "Page suivante" not in second.text


# ---------------------------------------------------------------- searching


@pytest.mark.parametrize("text", ["fatou", "DIO", "06 12 34 56 78", "+33612345678", "Fatou@exemple.fr"])
def test_a_request_is_found_by_name_phone_or_address(ana: Browser, database: Database, text: str) -> None:
    wanted = leave_request(database, name="Fatou Diop", phone="+33612345678", email="fatou@exemple.fr")
    leave_request(database, name="Camille Martin")
    page = ana.fill("/desk/search", q=text)
    assert rows(page) == [wanted]
    assert page.field("q") == text


def test_a_search_leaves_no_trace_in_an_address(ana: Browser, database: Database) -> None:
    for _ in range(51):
        leave_request(database, name="Fatou Diop")
    answer = ana.post("/desk/search", data={"csrf": ana.csrf(), "q": "fatou"})
    assert answer.url.query == b""
    addresses = re.findall(r'(?:href|action)="([^"]*)"', answer.text)
    assert len(addresses) > 50
    assert not [address for address in addresses if "fatou" in address.lower()]
    second = Page(ana.post("/desk/search", data={"csrf": ana.csrf(), "q": "fatou", "page": "2"}))
    assert len(rows(second)) == 1
    assert ana.get("/desk/search?q=fatou").url.path == "/desk/"


def test_a_reference_opens_its_request_and_nothing_found_is_said(ana: Browser, database: Database) -> None:
    reference = leave_request(database)
    answer = ana.post("/desk/search", data={"csrf": ana.csrf(), "q": reference.lower().replace("-", " ")})
    assert answer.url.path == at(reference)
    assert "Rien trouvé" in ana.fill("/desk/search", q="Zébulon").text


def test_a_search_needs_the_secret_of_the_form(ana: Browser) -> None:
    assert ana.post("/desk/search", data={"q": "fatou"}).status_code == 403


# ---------------------------------------------------------------- owning


def test_somebody_claims_a_request_and_the_others_may_only_read_it(ana: Browser, bruno: Browser, database: Database) -> None:
    reference = leave_request(database)
    page = does(ana, reference, "claim")
    assert "vous suivez cette demande" in page.text
    assert "Suivie par vous" in page.words
    his = bruno.page(at(reference))
    assert "Ana suit cette demande" in his.text
    assert not re.search(r'<form[^>]*action="[^"]*/(claim|close|release|answer|take_over)"', his.source)
    assert 'action="' + at(reference, "note") in his.source


def test_of_two_who_claim_the_slower_is_told_who_did(ana: Browser, bruno: Browser, database: Database) -> None:
    reference = leave_request(database)
    seen = bruno.page(at(reference))
    does(ana, reference, "claim")
    lost = does(bruno, reference, "claim", seen)
    assert lost.status == 409
    assert "a changé entre-temps" in lost.text
    assert "prise en charge, par Ana" in lost.words
    assert codes(database, reference).count(("Bruno", "ticket.claim")) == 0


def test_a_lead_takes_over_and_an_agent_cannot(ana: Browser, bruno: Browser, lea: Browser, database: Database) -> None:
    reference = leave_request(database)
    does(ana, reference, "claim")
    assert bruno.fill(at(reference, "take_over"), version="2").status == 403
    assert "Prendre la relève" not in bruno.page(at(reference)).text
    assert "Prendre la relève" in lea.page(at(reference)).text
    assert "vous avez pris la relève" in does(lea, reference, "take_over").text
    owner = ticket_of(database, reference).assignee_id
    assert owner == give_account(database, "Léa").id


def test_a_request_is_handed_to_a_colleague_with_a_note(ana: Browser, bruno: Browser, database: Database) -> None:
    reference = leave_request(database)
    page = does(ana, reference, "claim")
    assert set(re.findall(r'<option value="\d+">(\w+)<', page.source.split('id="to"')[1].split("</select>")[0])) == {"Bruno", "Léa"}
    to = str(give_account(database, "Bruno").id)
    assert "confiée à Bruno" in does(ana, reference, "transfer", to=to, note="Parle serbe <b>").text
    seen = bruno.page(at(reference))
    assert "Suivie par vous" in seen.words
    assert "Parle serbe <b>" in seen.text


def test_a_hand_over_that_is_refused_keeps_the_note(ana: Browser, database: Database) -> None:
    reference = leave_request(database)
    page = does(ana, reference, "claim")
    admin = str(give_account(database, "Admin").id)
    refused = does(ana, reference, "transfer", page, to=admin, note="Pour vous")
    assert refused.status == 400
    assert "Admin ne peut pas recevoir cette demande" in refused.text
    assert "Pour vous</textarea>" in refused.source
    assert "Suivie par vous" in refused.words


@pytest.mark.parametrize("to", ["", "0x1", "-1", "9999999999"])
def test_a_hand_over_to_nobody_is_refused(ana: Browser, database: Database, to: str) -> None:
    reference = leave_request(database)
    does(ana, reference, "claim")
    assert does(ana, reference, "transfer", to=to).status == 400


def test_the_page_offers_exactly_what_the_reader_may_do(ana: Browser, bruno: Browser, lea: Browser, sign_in: Opener, database: Database) -> None:
    reference = leave_request(database)
    by_page = set(Move) - {Move.BOOK, Move.UNBOOK, Move.CANCEL, Move.EXPIRE}

    def offered(browser: Browser) -> set[str]:
        return set(re.findall(rf'action="{at(reference)}/(\w+)"', browser.page(at(reference)).source)) & {move.value for move in by_page}

    assert offered(ana) == {"claim", "wait", "answer", "close", "spam"}
    does(ana, reference, "claim")
    assert offered(ana) == {"release", "transfer", "wait", "answer", "close", "spam"}
    assert offered(bruno) == set()
    assert offered(lea) == {"release", "transfer", "take_over"}
    assert offered(sign_in("Paul")) == set()
    does(ana, reference, "wait")
    assert offered(ana) == {"release", "transfer", "resume", "answer", "close", "spam"}
    does(ana, reference, "close")
    assert offered(bruno) == {"reopen"}
    does(bruno, reference, "reopen")
    does(bruno, reference, "spam")
    assert offered(ana) == {"not_spam"}
    does(ana, reference, "not_spam")
    assert offered(ana) == {"claim", "wait", "answer", "close", "spam"}


def test_a_privacy_officer_reads_and_changes_nothing(sign_in: Opener, database: Database) -> None:
    reference = leave_request(database)
    paul = sign_in("Paul")
    page = paul.page(at(reference))
    assert "Camille Martin" in page.text
    for what in ("claim", "close", "note", "answer"):
        assert does(paul, reference, what, page, note="x", text="x").status == 403
    assert codes(database, reference) == [("visitor", "ticket.open")]


def test_an_admin_sees_no_request_and_lands_elsewhere(sign_in: Opener, database: Database) -> None:
    reference = leave_request(database)
    admin = sign_in("Admin")
    assert admin.get(at(reference)).status_code == 403
    assert admin.get(at(reference, "print")).status_code == 403
    assert admin.get("/desk/").url.path in ("/desk/people", "/desk/insight")
    assert 'href="/desk/"' not in admin.page("/desk/shortcuts").source.split("<nav")[1]


# ---------------------------------------------------------------- waiting, ending, opening again


def test_while_the_visitor_is_waited_for_the_deadline_is_suspended(ana: Browser, database: Database) -> None:
    reference = leave_request(database)
    age(database, reference, answer_due=now() + timedelta(hours=3))
    assert "suspendue" in does(ana, reference, "wait").words
    assert "suspendue" in ana.page("/desk/").words
    assert "dans 2 h" in does(ana, reference, "resume").words


def test_a_request_that_was_closed_long_ago_is_followed_by_a_new_one(ana: Browser, database: Database) -> None:
    reference = leave_request(database)
    does(ana, reference, "close")
    assert "Rouvrir la demande" in ana.page(at(reference)).text
    age(database, reference, closed_at=now() - timedelta(days=15))
    assert "Ouvrir une demande à la suite" in ana.page(at(reference)).text
    page = does(ana, reference, "reopen")
    assert "prend la suite" in page.text
    follower = re.search(r'data-reference="([^"]+)"', page.source)
    assert follower
    assert follower[1] != reference
    assert f"Fait suite à {reference}" in page.words
    assert f"Suite {follower[1]}" in ana.page(at(reference)).words


# ---------------------------------------------------------------- undo


@pytest.mark.parametrize(("what", "state"), [("close", "closed"), ("spam", "spam"), ("wait", "pending_visitor"), ("release", "waiting")])
def test_what_was_done_can_be_undone_for_some_seconds(ana: Browser, database: Database, what: str, state: str) -> None:
    reference = leave_request(database)
    does(ana, reference, "claim")
    page = does(ana, reference, what)
    assert ticket_of(database, reference).state == state
    assert re.search(r"Annuler \( ?1[0-5] s\)", page.words)
    undone = ana.fill(at(reference, "undo"), undo=page.field("undo"))
    assert "la demande est comme avant" in undone.text
    assert ticket_of(database, reference).state is TicketState.CLAIMED
    assert "Suivie par vous" in undone.words


def test_the_bar_is_gone_when_the_time_is_over_and_a_late_click_is_told(ana: Browser, database: Database) -> None:
    reference = leave_request(database)
    page = does(ana, reference, "close")
    with database.transaction() as session:
        session.execute(update(Undo).values(until=now() - timedelta(seconds=1)))
    late = ana.fill(at(reference, "undo"), undo=page.field("undo"))
    assert late.status == 409
    assert "Trop tard pour annuler" in late.text
    assert ticket_of(database, reference).state is TicketState.CLOSED
    assert "data-seconds" not in ana.page(at(reference)).source


def test_nobody_undoes_for_somebody_else(ana: Browser, lea: Browser, database: Database) -> None:
    reference = leave_request(database)
    page = does(ana, reference, "close")
    assert "data-seconds" not in lea.page(at(reference)).source
    assert lea.fill(at(reference, "undo"), undo=page.field("undo")).status == 409
    assert ticket_of(database, reference).state is TicketState.CLOSED


def test_what_is_said_to_be_done_was_done_by_the_reader_and_last(ana: Browser, bruno: Browser, database: Database) -> None:
    reference = leave_request(database)
    does(ana, reference, "claim")
    assert "vous suivez cette demande" in ana.page(at(reference) + "?done=claim").text
    assert "vous suivez cette demande" not in bruno.page(at(reference) + "?done=claim").text
    assert "C'est fait" not in ana.page(at(reference) + "?done=close").text
    does(ana, reference, "wait")
    assert "vous suivez cette demande" not in ana.page(at(reference) + "?done=claim").text


# ---------------------------------------------------------------- answers


def letters(database: Database) -> list[Notification]:
    """Answers that are to leave."""
    with database.transaction() as session:
        return list(session.scalars(select(Notification).where(Notification.template == "answer")))


def test_an_answer_leaves_later_makes_its_writer_the_owner_and_can_be_taken_back(ana: Browser, database: Database) -> None:
    reference = leave_request(database, name="Fatou Diop")
    page = does(ana, reference, "answer", text="Bonjour {prénom},\r\nvotre référence : {Reference}.")
    said = f"Bonjour Fatou,\nvotre référence : {reference}."
    assert said in page.source
    assert re.search(r"Ana · \S+ \d\d:\d\d · part dans 1[0-5] s", page.words)
    assert "Suivie par vous" in page.words
    letter = letters(database)[0]
    assert letter.values is not None
    assert letter.values["text"] == said
    assert letter.not_before > now() + timedelta(seconds=10)
    undone = ana.fill(at(reference, "undo"), undo=page.field("undo"))
    assert letters(database)[0].state is Delivery.CANCELLED
    assert "annulée, jamais partie" in undone.text
    assert re.search(r'<textarea id="reponse"[^>]*>Bonjour Fatou,', undone.source), "what was taken back is there to be corrected"


@pytest.mark.parametrize("text", ["Bonjour {prénom}", "Rendez-vous le {date} à {heure}"])
def test_an_answer_with_a_gap_is_refused_and_kept(ana: Browser, database: Database, text: str) -> None:
    reference = leave_request(database, name="Fatou")
    page = does(ana, reference, "answer", text=text)
    assert page.status == 400
    assert "il reste à compléter" in page.text
    assert re.search(rf'<textarea id="reponse"[^>]*>{re.escape(text)}</textarea>', page.source)
    assert "À compléter avant l'envoi" in page.text
    assert letters(database) == []
    assert ticket_of(database, reference).assignee_id is None


def test_an_answer_that_came_too_late_is_refused_and_kept(ana: Browser, bruno: Browser, database: Database) -> None:
    reference = leave_request(database)
    seen = bruno.page(at(reference))
    does(ana, reference, "claim")
    late = does(bruno, reference, "answer", seen, text="Bonjour, nous vous rappelons.")
    assert late.status == 409
    assert "prise en charge, par Ana" in late.words
    assert re.search(r"<textarea id=\"garde\"[^>]*>Bonjour, nous vous rappelons\.</textarea>", late.source)
    assert letters(database) == []


def test_only_the_owner_answers(ana: Browser, lea: Browser, database: Database) -> None:
    reference = leave_request(database)
    does(ana, reference, "claim")
    refused = does(lea, reference, "answer", text="Bonjour")
    assert refused.status == 403
    assert "C'est Ana qui suit cette demande" in refused.text
    assert "Bonjour</textarea>" in refused.source
    assert letters(database) == []


def test_whoever_left_a_number_only_is_phoned(ana: Browser, database: Database) -> None:
    reference = leave_request(database, email=None)
    page = ana.page(at(reference))
    assert "Appelez-le" in page.text
    assert 'id="reponse"' not in page.source
    refused = does(ana, reference, "answer", page, text="Bonjour")
    assert refused.status == 409
    assert "Bonjour</textarea>" in refused.source


def test_an_answer_says_how_it_will_reach_the_visitor(ana: Browser, database: Database) -> None:
    with database.transaction() as session:
        session.add(Conversation(id="c" * 32, token_hash="0" * 64))
    mail = leave_request(database)
    both = leave_request(database, conversation_id="c" * 32)
    chat = leave_request(database, conversation_id="c" * 32, email=None)
    assert "Envoyer par e-mail Part 15 s après" in ana.page(at(mail)).words
    assert "Envoyer par e-mail et dans la conversation" in ana.page(at(both)).words
    assert "Envoyer dans la conversation" in ana.page(at(chat)).words


@pytest.mark.parametrize(
    ("values", "told"),
    [
        (lambda: {"state": Delivery.SENT, "sent_at": now()}, "envoyée aujourd'hui"),  # at its own instant: midnight may pass before it runs
        (lambda: {"state": Delivery.DEAD}, "l'e-mail n'est pas parti"),
        (lambda: {"not_before": now() - timedelta(minutes=1)}, "en cours d'envoi"),
    ],
)
def test_an_answer_shows_how_far_it_got(ana: Browser, database: Database, values: Callable[[], dict[str, Any]], told: str) -> None:
    reference = leave_request(database)
    does(ana, reference, "answer", text="Bonjour")
    with database.transaction() as session:
        session.execute(update(Notification).where(Notification.template == "answer").values(**values()))
    assert told in ana.page(at(reference)).words


def test_nothing_and_too_much_are_refused_in_french(ana: Browser, database: Database) -> None:
    reference = leave_request(database)
    assert "Il n'y a rien d'écrit." in does(ana, reference, "answer", text=" ").text
    long = "é" * (work.LONGEST_ANSWER + 1)
    refused = does(ana, reference, "answer", text=long)
    assert "C'est trop long" in refused.text
    assert long in refused.source


# ---------------------------------------------------------------- canned replies


@pytest.fixture
def seeded(database: Database) -> list[CannedReply]:
    """The default set."""
    with database.transaction() as session:
        assert canned.seed(session) == 10
        assert canned.seed(session) == 0
        return list(canned.replies(session))


def test_a_canned_reply_is_filled_in_after_what_was_typed(ana: Browser, database: Database, seeded: list[CannedReply]) -> None:
    reference = leave_request(database, name="Fatou Diop")
    page = does(ana, reference, "compose", text="Un mot d'abord <b>.", canned=str(seeded[0].id))
    written = re.search(r'(?s)<textarea id="reponse"[^>]*>(.*?)</textarea>', page.source)
    assert written
    assert written[1].startswith("Un mot d&#39;abord &lt;b&gt;.\n\nBonjour Fatou,")
    assert reference in written[1]
    assert "Clinique d&#39;essai" in written[1]
    assert "À compléter" not in page.text
    assert codes(database, reference) == [("visitor", "ticket.open")]


def test_a_canned_reply_can_be_asked_for_in_the_address(ana: Browser, database: Database, seeded: list[CannedReply]) -> None:
    reference = leave_request(database, name="Fatou Diop")
    assert re.search(r'<textarea id="reponse"[^>]*>Bonjour Fatou', ana.page(f"{at(reference)}?canned={seeded[0].id}").source)


def test_what_is_missing_is_listed(ana: Browser, database: Database, seeded: list[CannedReply]) -> None:
    reference = leave_request(database, name="Fatou")
    with_phone = next(reply for reply in seeded if "{téléphone}" in reply.text)
    page = does(ana, reference, "compose", text="", canned=str(with_phone.id))
    assert "À compléter avant l'envoi : {prénom} , {téléphone}" in page.words


def test_variables_are_filled_whatever_their_capitals_and_accents() -> None:
    filled = canned.fill("{PRENOM}, {nom}, {Référence}, { clinique }, {date}", canned.values_for("Éva Dupré", "RDV-7K4M-2Q", "Clinique", None))
    assert filled.text == "Éva, Éva Dupré, RDV-7K4M-2Q, Clinique, {date}"
    assert filled.missing == ["date"]


def test_the_default_set_uses_known_variables_and_names_no_health_matter(seeded: list[CannedReply]) -> None:
    asked = {variable for reply in seeded for variable in canned.unknown_variables(reply.text)}
    assert asked == {"premier moment", "second moment", "date"}
    for reply in seeded:
        assert not re.search(r"foie|cellule|greffe|injection|euro|€|guéri", reply.text.lower())
        assert len(reply.text) <= work.LONGEST_ANSWER


def test_a_lead_keeps_the_canned_replies(lea: Browser, database: Database, seeded: list[CannedReply]) -> None:
    saved = lea.fill("/desk/canned/save", id="", title="  Un   essai ", text="Bonjour {prénom}")
    assert "le modèle est enregistré" in saved.text
    with database.transaction() as session:
        made = canned.replies(session)[-1]
    assert made.title == "Un essai"
    assert "Bonjour {prénom}</textarea>" in lea.page(f"/desk/canned/{made.id}").source
    lea.fill("/desk/canned/save", id=str(made.id), title="Un essai", text="Bonsoir")
    lea.fill(f"/desk/canned/{made.id}/move", to="up")
    with database.transaction() as session:
        order = canned.replies(session)
    assert order[-2].id == made.id
    assert order[-2].text == "Bonsoir"
    lea.fill(f"/desk/canned/{made.id}/delete")
    assert "Un essai" not in lea.page("/desk/canned").text
    assert lea.get(f"/desk/canned/{made.id}").status_code == 404
    assert [action for _, action in codes(database, str(made.id))] == ["canned.add", "canned.change", "canned.order", "canned.delete"]


@pytest.mark.parametrize(("title", "text"), [("", "x"), ("x" * 81, "x"), ("titre", " "), ("titre", "x" * 4001), ("ACCUSE de réception", "x")])
def test_a_canned_reply_that_cannot_be_kept_says_why_and_loses_nothing(
    lea: Browser, database: Database, seeded: list[CannedReply], title: str, text: str
) -> None:
    page = lea.fill("/desk/canned/save", id="", title=title, text=text)
    assert page.status == 400
    assert 'role="alert"' in page.source
    assert f"{text}</textarea>" in page.source
    with database.transaction() as session:
        assert len(canned.replies(session)) == len(seeded)


def test_agents_use_canned_replies_and_do_not_change_them(ana: Browser, seeded: list[CannedReply]) -> None:
    assert ana.get("/desk/canned").status_code == 403
    assert ana.fill(f"/desk/canned/{seeded[0].id}/delete").status == 403
    assert "Modèles" not in ana.page("/desk/").text


def test_at_the_ends_of_the_list_a_reply_stays(lea: Browser, database: Database, seeded: list[CannedReply]) -> None:
    lea.fill(f"/desk/canned/{seeded[0].id}/move", to="up")
    lea.fill(f"/desk/canned/{seeded[-1].id}/move", to="down")
    assert lea.fill(f"/desk/canned/{seeded[0].id}/move", to="sideways").status == 400
    with database.transaction() as session:
        assert [reply.id for reply in canned.replies(session)] == [reply.id for reply in seeded]


# ---------------------------------------------------------------- notes, history, printing


def test_a_note_is_for_the_team_and_audited(ana: Browser, bruno: Browser, database: Database) -> None:
    reference = leave_request(database)
    does(ana, reference, "claim")
    page = does(bruno, reference, "note", note="A rappelé <i>deux</i> fois\r\nsans succès")
    assert "A rappelé <i>deux</i> fois" in page.text
    assert "la note est ajoutée" in page.text
    assert ("Bruno", "ticket.note") in codes(database, reference)
    assert ticket_of(database, reference).version == 2, "a note does not make a colleague's page stale"
    with database.transaction() as session:
        assert session.scalars(select(Note.author)).all() == ["Bruno"]


def test_an_empty_note_says_so(ana: Browser, database: Database) -> None:
    assert does(ana, leave_request(database), "note", note="").status == 400


def test_the_printed_page_is_plain_and_audited(ana: Browser, database: Database) -> None:
    reference = leave_request(database)
    does(ana, reference, "note", note="Préfère le matin")
    page = ana.page(at(reference, "print"))
    for shown in ("Camille Martin", "camille@exemple.fr", "Préfère le matin", "Imprimée par Ana"):
        assert shown in page.words
    assert "<nav" not in page.source
    assert "<form" not in page.source
    assert ("Ana", "ticket.print") in codes(database, reference)


def test_every_code_of_the_audit_trail_has_french_words() -> None:
    used: set[str] = set()
    for file in (ROOT / "desk").rglob("*.py"):
        source = file.read_text()
        used |= {code for call in re.findall(r"audit\.record\((?:[^()]|\([^()]*\))*\)", source) for code in re.findall(r'"([a-z_]+\.[a-z_]+)"', call)}
    used |= {f"ticket.{move}" for move in Move}
    assert {"ticket.open", "ticket.erase", "canned.add", "staff.sign_in"} <= used
    assert [code for code in sorted(used) if wording.action(code) == code] == []


def test_every_move_and_state_has_french_words() -> None:
    assert set(wording.STATES) == set(TicketState)
    for move in ("claim", "release", "transfer", "take_over", "wait", "resume", "answer", "close", "reopen", "spam", "not_spam", "undo", "note", "open"):
        assert wording.done(move, "Ana").endswith(".")


def test_an_erased_request_offers_nothing_and_keeps_nothing(ana: Browser, database: Database) -> None:
    reference = leave_request(database)
    does(ana, reference, "note", note="Un secret")
    does(ana, reference, "answer", text="Bonjour Camille")
    with database.transaction() as session:
        service.erase(session, session.scalars(select(Ticket)).one(), audit.VISITOR)
        assert session.scalars(select(Answer)).all() == []
    page = ana.page(at(reference))
    assert "ont été effacés" in page.text
    for gone in ("Camille", "Un secret", "camille@"):
        assert gone not in page.source
    assert f'action="{at(reference)}' not in page.source
    assert does(ana, reference, "note", page, note="encore").status == 409


def test_the_help_page_lists_the_shortcuts(ana: Browser) -> None:
    page = ana.page("/desk/shortcuts")
    assert page.status == 200
    assert {"j", "k", "c", "r", "n", "g", "l", "/", "?"} <= set(re.findall(r"<kbd>([^<]+)</kbd>", page.source))


# ---------------------------------------------------------------- links, forms, strangers


@pytest.mark.parametrize("role", list(Role))
def test_every_link_of_the_navigation_opens(desk: Desk, role: Role) -> None:
    give_account(desk.database, "Quelqu'un", role)
    browser = Browser(desk.http.app)  # type: ignore[arg-type]
    browser.sign_in("Quelqu'un")
    areas = browser.page("/desk/shortcuts").source.split('<nav class="areas')[1]
    links = re.findall(r'href="([^"]+)"', areas.split("</nav>")[0])
    assert links
    assert [browser.get(link).status_code for link in links] == [200] * len(links)


def test_every_posted_form_carries_the_secret_and_needs_it(ana: Browser, lea: Browser, database: Database, seeded: list[CannedReply]) -> None:
    reference = leave_request(database)
    does(lea, reference, "claim")
    for browser, path in ((ana, "/desk/"), (ana, at(reference)), (lea, at(reference)), (lea, "/desk/canned"), (lea, "/desk/canned/new")):
        forms = re.findall(r'(?s)<form[^>]*method="post".*?</form>', browser.page(path).source)
        assert forms
        for form in forms:
            assert f'name="csrf" value="{browser.csrf()}"' in form
            action = re.search(r'action="([^"]+)"', form)
            assert action
            assert browser.post(action[1], data={"version": "1"}).status_code == 403


def test_a_request_that_does_not_exist_is_said_to_everything(ana: Browser) -> None:
    for what in ("claim", "close", "note", "answer", "undo"):
        answer = ana.post(at("RDV-7K4M-29", what), data={"csrf": ana.csrf(), "version": "1", "note": "x", "text": "x", "undo": "1"})
        assert answer.status_code in (404, 409)


def test_staff_who_left_stay_in_the_filter_while_they_own_something(ana: Browser, bruno: Browser, database: Database) -> None:
    reference = leave_request(database)
    does(bruno, reference, "claim")
    with database.transaction() as session:
        session.execute(update(Staff).where(Staff.name == "Bruno").values(active=False))
    assert "Bruno</option>" in ana.page("/desk/").source
