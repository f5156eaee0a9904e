"""What a person may ask for, through the pages: everything about them is found, given out, erased, and the erasure can be told afterwards."""

from __future__ import annotations

import io
import json
import re
import zipfile
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select, text, update

from desk.db import now
from desk.models import Backup, BookedSlot, Conversation, Delivery, ErasureProof, Notification, NotUnderstood, SearchTerm, Ticket, TicketState
from desk.privacy import backups, export, finding, words
from desk.privacy.holdings import Chosen
from desk.staff import wording
from desk.tickets import service
from tests.databases import stored
from tests.desk_pages import Page
from tests.privacy_kit import ANA, EMAIL, NAME, OTHER, PHONE, TRACES, VERA, Office, Rasa


def ticked(page: Page) -> dict[str, bool]:
    """What a search offers, and whether it is ticked already."""
    return {value: bool(rest) for value, rest in re.findall(r'name="of" value="([^"]*)"( checked)?>', page.source)}


def unpacked(answer: Any) -> tuple[dict[str, Any], str]:
    """The JSON and the page of an export."""
    with zipfile.ZipFile(io.BytesIO(answer.content)) as file:
        return json.loads(file.read("donnees.json")), file.read("donnees.html").decode()


# ---------------------------------------------------------------- finding


@pytest.mark.parametrize(
    "typed",
    [
        "zebulon.kermadec@exemple.fr",
        " Zebulon.Kermadec@EXEMPLE.fr ",
        "zebulon.kermadec arobase exemple point fr",
        "+33 6 98 33 44 55",
        "06 98 33 44 55",
        "06.98.33.44.55",
        "0033698334455",
        "+33 (0)6-98-33-44-55",
        "33698334455",
    ],
)
def test_a_contact_finds_its_requests_however_it_is_written(office: Office, typed: str) -> None:
    mine = office.leave()
    office.leave(name=OTHER, email="ludivine@exemple.fr", phone="+381611234567", windows="lundi")
    assert ticked(office.search(typed)) == {mine: True}


@pytest.mark.parametrize("typed", ["Zébulon Kermadec", "KERMADEC zebulon", "kermadec", "zeb ker"])
def test_a_name_finds_its_requests_but_somebody_must_compare(office: Office, typed: str) -> None:
    mine = office.leave()
    office.leave(name=OTHER, email="ludivine@exemple.fr", phone=None, windows="lundi")
    assert ticked(office.search(typed)) == {mine: False}


def test_a_reference_is_found_as_it_is_said_on_the_phone(office: Office) -> None:
    mine = office.leave()
    assert ticked(office.search(mine.lower().replace("-", " "))) == {mine: True}


def test_a_found_request_leads_to_those_with_the_same_contact_the_same_conversation_and_the_same_name(office: Office) -> None:
    conversation = office.talk("bonjour")
    mine = office.leave(conversation)
    same_address = office.leave(name="Zébulon K.", phone=None)
    of_the_son = office.leave(conversation, name="Théo Kermadec", email="theo@exemple.fr", phone=None)
    namesake = office.leave(email="un.autre@exemple.fr", phone=None)
    page = office.search(mine)
    assert ticked(page) == {mine: True, same_address: True, of_the_son: False, namesake: False}
    assert "même adresse e-mail" in page.words
    assert "même conversation" in page.words
    assert "même nom" in page.words


def test_a_request_that_follows_another_is_found_with_it(office: Office) -> None:
    mine = office.leave()
    office.run(lambda session: setattr(service.by_reference(session, mine), "state", TicketState.CLOSED))
    later = office.run(lambda session: service.follow_up(session, session.scalars(select(Ticket)).one(), ANA, office.settings).reference)
    assert set(ticked(office.search(later))) == {mine, later}


def test_the_same_digits_of_another_country_are_only_possibly_the_person(office: Office) -> None:
    serbian = office.leave(name=OTHER, email=None, phone="+381698334455")
    page = office.search("06 98 33 44 55")
    assert ticked(page) == {serbian: False}
    assert "sans l'indicatif du pays" in page.words


def test_texts_that_name_the_person_elsewhere_are_found_and_those_of_strangers_are_not(office: Office) -> None:
    mine = office.leave()
    others = office.leave(name=OTHER, email="ludivine@exemple.fr", phone=None, windows="lundi")
    note = office.note(others, "vient de la part de M. Kermadec Zébulon, à rappeler au 06 98 33 44 55")
    office.note(others, "préfère le matin")
    conversation = office.talk("mon mari, ZEBULON KERMADEC, a demandé un rendez-vous")
    office.talk("bonjour, combien ça coûte ?")
    office.run(lambda session: session.add(NotUnderstood(text="que fait zébulon kermadec", response="utter_fallback")))
    page = office.search(EMAIL)
    assert mine in ticked(page), "the address leads to the request, and its name and number to the texts"
    assert {key for key in ticked(page) if not key.startswith("RDV")} == {f"c{conversation}", f"n{note}", "q1"}
    assert "de la part de M. Kermadec" in page.words
    assert "préfère le matin" not in page.words
    assert "combien ça coûte" not in page.words


def test_a_conversation_of_somebody_without_a_request_is_found_by_its_unfinished_form(office: Office) -> None:
    conversation = office.talk("je voudrais un rendez-vous")
    office.run(lambda session: setattr(session.get_one(Conversation, conversation), "short_form", {"key": "k", "values": {"contact": "06 98 33 44 55"}}))
    assert ticked(office.search(PHONE)) == {f"c{conversation}": False}


@pytest.mark.parametrize(
    ("sought", "said", "place"),
    [
        ("Zébulon Kermadec", "J'ai vu Zebulon  KERMADEC hier", 8),
        ("Kermadec", "les Kermadecs", None),
        ("Jean-Pierre Œuf", "c'est jean pierre œuf", 6),
        ("+33698334455", "au 06.98.33.44.55, merci", 3),
        ("+33698334455", "commande 698334456", None),
        ("a@b.fr", "écrire à A@B.FR", 9),
    ],
)
def test_a_text_is_compared_without_accents_capitals_and_separators(sought: str, said: str, place: int | None) -> None:
    assert finding.mention(finding.read(sought), said) == place


def test_texts_are_read_to_the_end_however_many_there_are(office: Office) -> None:
    reference = office.leave(name=OTHER, email=None, phone="+381611234567")
    notes = [office.note(reference, "Kermadec" if n == 6 else "rien") for n in range(8)]
    source = next(s for s in finding.SOURCES if s.kind == "note")
    sought, after, found = finding.read("Kermadec"), None, []
    for _ in range(4):
        batch = office.run(finding.scan, source, sought, after, 3)
        found += [m.owner for m in batch.mentions]
        after = batch.last
        if batch.is_over:
            break
    assert batch.is_over
    assert found == [str(notes[6])]


def test_a_text_that_cannot_be_read_any_more_is_counted(office: Office) -> None:
    note = office.note(office.leave(name=OTHER), "quelque chose")
    office.run(lambda session: session.execute(text("UPDATE notes SET text = 'v1.gone.AAAA' WHERE id = :id"), {"id": note}))
    assert "1 texte n'a pas pu être lu" in office.search("Kermadec").words


def test_searching_is_written_down_without_what_was_searched_for(office: Office) -> None:
    mine = office.leave()
    answer = office.post("/desk/privacy/search", text=NAME)
    assert str(answer.url).endswith("/desk/privacy/search"), "nothing personal in an address"
    assert office.audit("privacy.search") == [(VERA, "privacy.search", "1 demandes, 0 textes")]
    assert office.audit("privacy.found") == [(VERA, "privacy.found", mine)]
    assert "Kermadec" not in str(office.audit())


def test_searching_for_nothing_says_what_to_write(office: Office) -> None:
    page = office.search("  ")
    assert page.status == 400
    assert "Écrivez une référence, un nom" in page.words


def test_who_is_not_there_is_said_to_be_not_there(office: Office) -> None:
    assert "Rien n'est gardé de cette personne" in office.search("Kermadec").words


def test_only_the_privacy_officer_may_look(office: Office) -> None:
    office.sign_in(ANA)
    assert office.page("/desk/privacy").status == 403
    assert office.search("Kermadec").status == 403


# ---------------------------------------------------------------- reviewing


def test_the_review_counts_everything_that_is_kept_and_is_written_down(office: Office) -> None:
    reference, _ = office.person_everywhere()
    page = office.review(reference)
    for amount in ("1 demande ", "1 note de l'équipe", "2 réponses écrites", "1 rendez-vous", "1 conversation ", "1 présence", "6 tranches"):
        assert amount in page.words, amount
    assert "hérisson" not in page.words, "how much, not what: nobody allowed anybody to read it here"
    assert office.audit("privacy.view") == [(VERA, "privacy.view", reference)]


def test_the_review_names_requests_that_were_not_chosen_and_offers_them(office: Office) -> None:
    conversation = office.talk("bonjour")
    mine, of_the_son = office.leave(conversation), office.leave(conversation, name="Théo Kermadec", email="theo@exemple.fr")
    page = office.review(mine)
    assert of_the_son in page.words
    assert f'href="/desk/privacy/person?of={mine}&amp;of={of_the_son}"' in page.source


def test_the_review_asks_for_the_password_again_and_comes_back_to_what_was_chosen(office: Office) -> None:
    reference = office.leave()
    office.sign_in(VERA, minutes_ago=11)
    answer = office.desk.http.get(f"/desk/privacy/person?of={reference}", follow_redirects=False)
    assert answer.headers["location"] == f"/desk/confirm?next=%2Fdesk%2Fprivacy%2Fperson%3Fof%3D{reference}"
    for path in ("export", "erase"):
        office.post(f"/desk/privacy/{path}", of=reference, confirmation="EFFACER", reason="person")
    assert not office.audit("ticket.export") and not office.audit("ticket.erase")


@pytest.mark.parametrize("keys", [(), ("RDV-7K4M-29",), ("nonsense", "c12", "n'; drop")])
def test_what_is_not_there_is_not_shown(office: Office, keys: tuple[str, ...]) -> None:
    assert office.review(*keys).status in (400, 404)


def test_what_is_chosen_is_written_and_read_alike() -> None:
    keys = ["RDV-7K4M-29", "c" + "0a" * 16, "n12", "a7", "o3", "q9"]
    assert Chosen.read(keys).keys == keys
    assert Chosen.read([*keys, "x1", "n", "c12", "RDV-OOOO-00", "n12"]).keys == keys


# ---------------------------------------------------------------- giving out


def test_the_export_holds_everything_for_a_machine_and_for_a_person(office: Office) -> None:
    reference, conversation = office.person_everywhere()
    office.leave(name=OTHER, email="ludivine@exemple.fr", phone=None)
    answer = office.post("/desk/privacy/export", of=reference)
    assert answer.headers["content-type"] == "application/zip"
    assert "ermadec" not in answer.headers["content-disposition"]
    document, page = unpacked(answer)
    (request,) = document["requests"]
    assert (request["name"], request["email"], request["phone"]) == (NAME, EMAIL, PHONE)
    assert request["notes"][0]["text"] == "Kermadec veut parler de son bilan sanguin"
    assert [a["text"] for a in request["answers"]] == ["Bonjour Zébulon, n'ayez aucune crainte", "Encore une chose, monsieur Kermadec"]
    assert request["appointments"][0]["clinician"] == "Dr Jovanović"
    assert (ANA, "ticket.note") in [(entry["who"], entry["action"]) for entry in request["history"]], "who read and did what, and when"
    (said,) = document["conversations"]
    assert said["id"] == conversation
    assert "j'ai un hérisson savant" in [message["text"] for message in said["messages"]]
    for shown in (*TRACES[:2], EMAIL, "un hérisson savant", "bilan sanguin", "Dr Jovanović", "Note ajoutée", "Le foie", "Vos données"):
        assert shown in page.replace("&#39;", "'"), shown
    assert "<script" not in page and "http" not in re.sub(r"http-equiv", "", page), "nothing is loaded and nothing runs"
    for stranger in (OTHER, "ludivine", "equipe@clinique"):
        assert stranger not in page and stranger not in json.dumps(document, ensure_ascii=False)
    assert office.audit("ticket.export") == [(VERA, "ticket.export", reference)]


def test_every_key_of_the_export_is_explained_in_it(office: Office) -> None:
    reference, _ = office.person_everywhere()
    document, _ = unpacked(office.post("/desk/privacy/export", of=reference))
    top = set(document)
    nested = {f"{name}[].{key}" for name in ("requests", "conversations") for row in document[name] for key in row}
    explained = set(document["keys"])
    assert top <= explained
    assert {key for key in nested if key not in explained} <= {"conversations[].started_at", "conversations[].last_message_at"}
    assert document["format"] == export.FORMAT


def test_a_text_elsewhere_is_given_out_alone(office: Office) -> None:
    others = office.leave(name=OTHER, email="ludivine@exemple.fr", phone=None)
    note = office.note(others, "Kermadec accompagne")
    document, page = unpacked(office.post("/desk/privacy/export", of=f"n{note}"))
    assert [m["text"] for m in document["mentions"]] == ["Kermadec accompagne"]
    assert document["requests"] == []
    assert OTHER not in page


# ---------------------------------------------------------------- erasing


def test_nothing_of_an_erased_person_remains_anywhere(office: Office, assistant: Rasa) -> None:
    reference, conversation = office.person_everywhere()
    others = office.leave(name=OTHER, email="ludivine@exemple.fr", phone=None, windows="lundi")
    mention = office.note(others, "recommandée par Zébulon Kermadec")
    for trace in TRACES:
        assert trace in office.contents() or trace in (PHONE[3:], "98 33 44 55"), trace
    sealed = office.run(lambda session: session.scalar(text("SELECT text FROM notes ORDER BY id LIMIT 1")))
    assert sealed.encode() in stored(office.desk.database)
    page = office.erase(reference, f"n{mention}", confirmation=reference)
    assert page.status == 200
    for trace in TRACES:
        assert trace not in office.contents(), trace
    assert sealed.encode() not in stored(office.desk.database), "neither in the file nor in its log"
    assert assistant.erased == [conversation]
    assert OTHER in office.contents(), "nobody else lost anything"
    assert office.ticket(others).state is TicketState.WAITING
    erased = office.ticket(reference)
    assert (erased.state, erased.name, erased.email, erased.phone, erased.windows, erased.conversation_id) == (TicketState.ERASED, *[None] * 5)
    assert office.run(lambda session: session.scalar(select(func.count()).select_from(SearchTerm).where(SearchTerm.ticket_id == erased.id))) == 0
    assert "Les données ont été effacées" in page.words
    assert "2 notes de l'équipe" in page.words
    assert (VERA, "ticket.erase", reference) in office.audit()


def test_an_erased_appointment_frees_its_time(office: Office) -> None:
    reference = office.leave()
    office.book(reference)
    assert office.erase(reference).status == 200
    assert office.run(lambda session: session.scalar(select(func.count()).select_from(BookedSlot))) == 0
    assert office.book(office.leave(name=OTHER)) > 0, "the same time again"


def letters(office: Office) -> list[Notification]:
    return office.run(lambda session: list(session.scalars(select(Notification).order_by(Notification.id))))


def test_nobody_is_written_to_unless_that_is_ticked(office: Office) -> None:
    reference = office.leave()
    office.book(reference)
    office.send_due()
    assert "1 rendez-vous à venir est annulé" in office.review(reference).words
    office.erase(reference)
    assert letters(office) == []


def test_a_last_letter_says_that_the_appointment_is_cancelled_and_forgets_whom_it_told(office: Office) -> None:
    reference = office.leave()
    office.book(reference)
    office.send_due()
    office.erase(reference, tell="yes")
    office.send_due()
    (letter,) = letters(office)
    assert (letter.template, letter.state, letter.recipient, letter.values, letter.ticket_id) == ("appointment_cancelled", Delivery.SENT, None, None, None)
    (copy,) = (office.folder / "mail").glob("*.eml")
    assert EMAIL in copy.read_text(), "it went to them"
    assert "Kermadec" not in office.desk.contents()


def test_with_a_silent_rasa_nothing_is_erased_and_the_page_says_so(office: Office) -> None:
    reference, _ = office.person_everywhere()
    page = office.erase(reference)
    assert page.status == 503
    assert "L'assistant ne répond pas" in page.words
    assert "n'a donc rien effacé" in page.words
    assert office.ticket(reference).name == NAME
    for trace in ("un hérisson savant", "bilan sanguin"):
        assert trace in office.contents()
    assert office.run(lambda session: session.scalars(select(ErasureProof)).all()) == []


def test_when_rasa_forgets_one_conversation_and_not_the_other_the_desk_erases_nothing_and_trying_again_works(office: Office, assistant: Rasa) -> None:
    first, second = office.talk("bonjour"), office.talk("c'est encore moi")
    mine, more = office.leave(first), office.leave(second)
    assistant.status = 500
    assert office.erase(mine, more).status == 503
    assert office.ticket(mine).name == NAME
    assistant.status = 204
    assert office.erase(mine, more).status == 200
    assert sorted(assistant.erased) == sorted([first, second])


@pytest.mark.parametrize("typed", ["", "oui", "effacer tout", "RDV-7K4M-29"])
def test_without_the_right_word_nothing_is_erased(office: Office, typed: str) -> None:
    reference = office.leave()
    page = office.erase(reference, confirmation=typed)
    assert page.status == 400
    assert "Pour confirmer, tapez" in page.words
    assert office.ticket(reference).name == NAME


def test_without_a_reason_nothing_is_erased(office: Office) -> None:
    reference = office.leave()
    assert office.erase(reference, reason="parce que").status == 400
    assert office.ticket(reference).name == NAME


def test_what_came_after_the_page_was_opened_is_not_erased_unseen(office: Office, assistant: Rasa) -> None:
    conversation = office.talk("bonjour")
    reference = office.leave(conversation)
    shown = office.review(reference)
    later = office.leave(conversation)
    fields = {"of": reference, "stamp": shown.field("stamp"), "confirmation": "EFFACER", "reason": "person"}
    page = Page(office.post("/desk/privacy/erase", **fields))
    assert page.status == 409
    assert "Quelque chose a changé" in page.words
    assert later in page.words, "the page shows it now"
    assert office.ticket(reference).name == NAME


def test_what_somebody_else_erased_first_is_said_to_be_gone(office: Office) -> None:
    reference = office.leave()
    shown = office.review(reference)
    office.erase(reference)
    fields = {"of": reference, "stamp": shown.field("stamp"), "confirmation": "EFFACER", "reason": "person"}
    assert "Il ne reste rien" in Page(office.post("/desk/privacy/erase", **fields)).words


def test_another_request_of_an_erased_conversation_stays_without_it(office: Office, assistant: Rasa) -> None:
    conversation = office.talk("bonjour")
    mine, of_the_son = office.leave(conversation), office.leave(conversation, name="Théo Kermadec", email="theo@exemple.fr", phone=None)
    assert office.erase(mine).status == 200
    kept = office.ticket(of_the_son)
    assert (kept.name, kept.state, kept.conversation_id) == ("Théo Kermadec", TicketState.WAITING, None)


# ---------------------------------------------------------------- afterwards


@pytest.mark.parametrize("typed", [NAME, "kermadec zebulon", EMAIL, PHONE, "06 98 33 44 55", "reference"])
def test_who_asks_again_is_told_that_it_was_erased(office: Office, typed: str) -> None:
    reference = office.leave()
    office.erase(reference)
    assert "ont déjà été effacées : effacement 1" in office.search(reference if typed == "reference" else typed).words
    assert "déjà été effacées" not in office.search("Ludivine Autrechose").words


def test_a_proof_cannot_be_searched_by_a_part_of_a_name(office: Office) -> None:
    office.erase(office.leave())
    assert "déjà été effacées" not in office.search("Kermadec").words


def test_the_proof_names_the_backups_that_still_hold_the_person(office: Office) -> None:
    older = backups.make(office.desk.database, office.settings, now() - timedelta(days=1)).name
    reference = office.leave()
    holding = backups.make(office.desk.database, office.settings, now()).name
    review = office.review(reference).words
    assert holding in review
    assert older not in review, "made before they came"
    page = office.erase(reference)
    later = backups.make(office.desk.database, office.settings, now()).name
    assert holding in page.words
    assert later not in office.page("/desk/privacy/proofs/1").words
    assert holding in office.page("/desk/privacy").words
    office.run(lambda session: session.execute(update(Backup).values(deleted_at=now())))
    assert "Aucune sauvegarde du bureau" in office.page("/desk/privacy/proofs/1").words


def test_a_visitor_who_erases_everything_erases_as_much_and_it_is_proved(office: Office, assistant: Rasa) -> None:
    visitor = office.desk.visitor()
    reference = office.leave(visitor.id)
    office.note(reference, "Kermadec a un bilan sanguin")
    office.book(reference)
    office.send_due()
    assert list((office.folder / "mail").glob("*.eml"))
    assert visitor.erase() == 204
    for trace in TRACES:
        assert trace not in office.contents(), trace
    assert office.run(lambda session: session.scalar(select(func.count()).select_from(BookedSlot))) == 0
    proof = office.run(lambda session: session.scalars(select(ErasureProof)).one())
    assert (proof.actor, proof.reason) == ("visitor", "visitor")
    assert "déjà été effacées" in office.search(EMAIL).words


def test_everything_that_is_said_has_french_words() -> None:
    sources = "\n".join(path.read_text() for path in (Path(__file__).parents[2] / "desk").rglob("*.py"))
    codes = set(re.findall(r'audit\.record\([^"]*"((?:privacy|retention|backup)\.[a-z_]+)"', sources))
    assert len(codes) == 8
    assert all(wording.action(code) != code for code in codes)
    assert {source.kind for source in finding.SOURCES} - {"request"} == set(words.TEXTS)
    assert set(words.OFFICERS_REASONS) < set(words.REASONS)
