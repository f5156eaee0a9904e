"""The desk takes a request by itself while Rasa is nowhere: the same questions, the same ticket, and nothing lost or left behind."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from bot.answers import Content
from desk.chat import conversations as chat
from desk.db import now
from desk.models import Conversation, TicketState
from tests.databases import refusing_rows
from tests.desk_client import SECRET, Desk
from tests.families import FAMILIES, assert_emergency
from tests.stack_client import Visitor, reference_in

CONTENT = Content()
# What is said to reach each question, and a word of the question itself.
STEPS = {
    "consent": ([], "Acceptez-vous"),
    "name": (["j'accepte"], "Quel est votre nom"),
    "contact": (["Zébulon Kermadec"], "Comment vous joindre"),
    "windows": (["06 12 34 56 78"], "Quand préférez-vous"),
    "subject": (["mardi matin"], "Quel est le sujet"),
    "transcript": (["le foie"], "joindre notre conversation"),
    "confirm": (["non"], "Est-ce correct"),
}


@pytest.fixture
def visitor(desk: Desk) -> Visitor:
    return desk.visitor()


def fill_up_to(visitor: Visitor, step: str) -> None:
    """Opens the form and answers until a question is on the table."""
    visitor.say("je voudrais prendre rendez-vous")
    for name, (answers, _) in STEPS.items():
        for said in answers:
            visitor.say(said)
        if name == step:
            break
    assert STEPS[step][1] in visitor.last.text


def given(desk: Desk, visitor: Visitor) -> dict[str, Any]:
    """The answers that the form holds."""
    form = desk.conversation(visitor).short_form
    assert form
    return {name: value for name, value in form["values"].items() if value is not None}


def after_half_an_hour(desk: Desk, visitor: Visitor) -> None:
    desk.run(lambda session: session.execute(update(Conversation).where(Conversation.id == visitor.id).values(crisis_at=now() - timedelta(minutes=31))))


def rasa_was_asking(desk: Desk, visitor: Visitor, *exchanges: tuple[str, str]) -> None:
    """What the conversation holds after turns that Rasa answered, before it died."""
    for number, (said, response) in enumerate(exchanges):
        message = desk.run(chat.add_visitor_message, visitor.id, said, f"rasa-{number}", said)
        desk.run(chat.add_replies, visitor.id, [CONTENT.message(response)], message.seq)


# ---------------------------------------------------------------- the way in


def test_a_silent_assistant_is_told_with_a_button_to_leave_a_request(visitor: Visitor) -> None:
    reply = visitor.say("combien ça coûte ?")
    assert "ne répond pas en ce moment" in reply.text
    assert "15, 112, 144, 911 ou 194" in reply.text
    assert [b["label"] for b in reply.buttons] == ["Laisser une demande"]
    assert "Acceptez-vous" in visitor.press("Laisser une demande").text


@pytest.mark.parametrize(
    "wish",
    [
        "je voudrais prendre rendez-vous",
        "rdv svp",
        "jveu prendre rdv",
        "est-ce que quelqu'un peut me rappeler ?",
        "rappelez-moi",
        "je veux parler à un humain",
        "un conseiller svp",
        "je souhaite une consultation",
        "je voudrais être recontactée",
    ],
)
def test_a_wish_in_words_opens_the_form(visitor: Visitor, wish: str) -> None:
    reply = visitor.say(wish)
    assert "L'assistant n'a pas répondu" in reply.text
    assert "Acceptez-vous" in reply.text
    assert [b["label"] for b in reply.buttons] == ["J'accepte", "Je refuse"]


@pytest.mark.parametrize(
    "said",
    [
        "c'est gratuit la consultation ?",
        "je ne veux pas de rendez-vous",
        "les effets secondaires",
        "je m'appelle Anne",
        "bonjour",
        "merci",
        "combien coûte une consultation",
    ],
)
def test_what_is_no_wish_opens_nothing(visitor: Visitor, said: str) -> None:
    assert "ne répond pas en ce moment" in visitor.say(said).text
    assert "Acceptez-vous" not in visitor.last.text


def test_the_greetings_own_button_opens_it_too(visitor: Visitor) -> None:
    assert "Acceptez-vous" in visitor.press("Demander une consultation").text


# ---------------------------------------------------------------- to the end


def test_a_request_left_at_the_desk_is_a_ticket_like_any_other(desk: Desk, visitor: Visitor) -> None:
    visitor.say("combien ça coûte ?")
    visitor.press("Laisser une demande")
    visitor.press("J'accepte")
    for said in ("Fatou Diop", "+32 470 12 34 56", "jeudi matin"):
        visitor.say(said)
    visitor.press("Le foie")
    recap = visitor.press("Non, sans")
    for shown in ("Fatou Diop", "+32 470 12 34 56 (Belgique)", "jeudi matin", "Le foie", "Conversation jointe : non"):
        assert shown in recap.text
    assert desk.tickets() == [], "nothing is sent before the yes"
    received = visitor.press("Oui, envoyer")
    assert "Demande reçue" in received.text
    assert "Rien n'est encore réservé" in received.text
    (ticket,) = desk.tickets()
    assert ticket.reference == reference_in(received.text)
    assert (ticket.name, ticket.phone, ticket.email, ticket.windows, ticket.subject) == ("Fatou Diop", "+32470123456", None, "jeudi matin", "liver")
    assert (ticket.transcript_allowed, ticket.state, ticket.conversation_id) == (False, TicketState.WAITING, visitor.id)
    consent = CONTENT.responses["utter_ask_booking_consent"][0]["metadata"]
    assert ticket.consent_version == consent["consent_version"]


def test_what_the_form_was_told_then_stands_in_the_ticket_alone(desk: Desk, visitor: Visitor) -> None:
    fill_up_to(visitor, "confirm")
    visitor.say("oui")
    assert "Kermadec" not in "\n".join(m["text"] for m in visitor.thread().messages)
    assert desk.conversation(visitor).short_form is None
    assert desk.contents().count("Kermadec") == 1, "once: the ticket"


def test_refusing_consent_keeps_nothing(desk: Desk, visitor: Visitor) -> None:
    fill_up_to(visitor, "consent")
    assert "rien n'est gardé" in visitor.press("Je refuse").text
    assert desk.tickets() == []
    assert desk.conversation(visitor).short_form is None


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("words", ["annuler", "non finalement laissez tomber"])
def test_cancelling_works_at_every_question_and_leaves_nothing(desk: Desk, visitor: Visitor, step: str, words: str) -> None:
    fill_up_to(visitor, step)
    assert "annulée" in visitor.say(words).text
    assert desk.tickets() == []
    assert "Kermadec" not in desk.contents()
    assert "ne répond pas" in visitor.say("et le prix ?").text, "the form is over"


def test_cancelling_by_the_buttons_of_the_recap(desk: Desk, visitor: Visitor) -> None:
    fill_up_to(visitor, "confirm")
    assert "annulée" in visitor.press("Annuler").text
    assert desk.tickets() == []


@pytest.mark.parametrize("said", ["n'annulez pas", "comment annuler ?", "j'arrête le travail à 17h"])
def test_speaking_of_stopping_cancels_nothing(visitor: Visitor, said: str) -> None:
    fill_up_to(visitor, "windows")
    assert "annulée" not in visitor.say(said).text


def test_asking_for_erasure_ends_the_form(desk: Desk, visitor: Visitor) -> None:
    fill_up_to(visitor, "contact")
    reply = visitor.say("effacez toutes mes données svp")
    assert "annulée" in reply.text
    assert [b["label"] for b in reply.buttons] == ["Effacer cette conversation"]
    assert "Kermadec" not in desk.contents()


def test_a_field_is_corrected_at_the_recap(desk: Desk, visitor: Visitor) -> None:
    fill_up_to(visitor, "confirm")
    assert "Que faut-il corriger" in visitor.press("Corriger").text
    assert "Quel est votre nom" in visitor.press("Le nom").text
    assert "Anne Morel" in visitor.say("Anne Morel").text
    assert "C'est corrigé" in visitor.say("en fait mon numéro c'est le 07 55 66 77 88").text
    visitor.say("oui")
    assert [(t.name, t.phone) for t in desk.tickets()] == [("Anne Morel", "+33755667788")]


def test_bad_answers_are_explained_and_the_third_shows_a_way_out(visitor: Visitor) -> None:
    fill_up_to(visitor, "contact")
    for _ in range(2):
        assert "incomplet" in visitor.say("06 12").text
        assert "Comment vous joindre" in visitor.last.text
    assert "Nous n'y arrivons pas" in visitor.say("06 12").text
    assert "annulée" in visitor.press("Annuler la demande").text


@pytest.mark.parametrize(
    ("step", "question"), [("consent", "qui va lire mes données ?"), ("name", "les effets secondaires"), ("windows", "et ça coûte combien ?")]
)
def test_a_question_in_the_middle_is_no_answer(desk: Desk, visitor: Visitor, step: str, question: str) -> None:
    fill_up_to(visitor, step)
    before = given(desk, visitor)
    reply = visitor.say(question)
    assert STEPS[step][1] in reply.text, "the form's question is asked again"
    assert given(desk, visitor) == before


def test_nobody_answers_a_question_in_the_middle_and_that_is_said(visitor: Visitor) -> None:
    fill_up_to(visitor, "contact")
    reply = visitor.say("est-ce que ça fait mal ?")
    assert "je ne peux pas répondre à votre question" in reply.text
    assert "112" in reply.text


def test_a_restart_of_the_desk_leaves_the_form_open(desk: Desk, visitor: Visitor) -> None:
    fill_up_to(visitor, "contact")
    desk.restart()
    again = Visitor.__new__(Visitor)
    again.__dict__.update(visitor.__dict__, _http=desk.http)
    assert "Quand préférez-vous" in again.say("06 12 34 56 78").text


def test_the_same_message_sent_again_is_one_request(desk: Desk, visitor: Visitor) -> None:
    fill_up_to(visitor, "confirm")
    first = visitor.say("oui", client_id="same")
    assert visitor.say("oui", client_id="same").body == first.body
    assert len(desk.tickets()) == 1


def test_a_request_that_cannot_be_stored_is_not_said_to_be_received_and_nothing_is_lost(desk: Desk, visitor: Visitor) -> None:
    fill_up_to(visitor, "confirm")
    with refusing_rows(desk.database, "tickets"):
        failed = visitor.say("oui")
    assert "n'a pas pu être enregistrée" in failed.text
    assert "Kermadec" in visitor.press("Réessayer").text
    assert reference_in(visitor.say("oui").text)
    assert len(desk.tickets()) == 1


def test_a_second_request_of_the_same_visitor_is_another_one(desk: Desk, visitor: Visitor) -> None:
    for _ in range(2):
        fill_up_to(visitor, "confirm")
        visitor.say("oui")
    assert len({t.reference for t in desk.tickets()}) == 2


def test_health_has_no_place_in_the_form(desk: Desk, visitor: Visitor) -> None:
    fill_up_to(visitor, "windows")
    visitor.say("mardi matin car j'ai une sclérose en plaques")
    visitor.say("ma sclérose depuis 2011")
    form = desk.conversation(visitor).short_form
    assert form and (form["values"]["windows"], form["values"]["subject"]) == ("mardi matin", "La neurologie")


# ---------------------------------------------------------------- emergencies


@pytest.mark.parametrize("step", STEPS)
def test_an_emergency_of_any_family_wins_in_every_state_of_the_form(desk: Desk, step: str) -> None:
    for family, (said, _) in FAMILIES.items():
        visitor = desk.visitor()
        fill_up_to(visitor, step)
        before = given(desk, visitor)
        assert_emergency(visitor.say(said), family)
        form = desk.conversation(visitor).short_form
        assert form and form["waiting"], family
        assert given(desk, visitor) == before, "it waits as it was"


def test_after_an_alarm_the_form_waits_until_the_visitor_asks_for_it(visitor: Visitor) -> None:
    fill_up_to(visitor, "contact")
    visitor.say("j'ai une douleur dans la poitrine")
    ordinary = visitor.say("merci")
    assert "Comment vous joindre" not in ordinary.text
    assert ordinary.buttons == []
    assert "Comment vous joindre" in visitor.say("je voudrais reprendre ma demande").text
    assert "Quand" in visitor.say("06 12 34 56 78").text


def test_half_an_hour_later_a_quiet_button_leads_back_to_it(desk: Desk, visitor: Visitor) -> None:
    fill_up_to(visitor, "contact")
    visitor.say("j'ai une douleur dans la poitrine")
    after_half_an_hour(desk, visitor)
    desk_says = visitor.say("et le prix ?")
    assert desk_says.buttons, desk_says.text
    assert "Comment vous joindre" in visitor.press("Reprendre ma demande|Laisser une demande").text


def test_a_form_that_waits_can_be_cancelled(desk: Desk, visitor: Visitor) -> None:
    fill_up_to(visitor, "contact")
    visitor.say("mon mari me frappe")
    assert "annulée" in visitor.say("annuler ma demande").text
    assert desk.conversation(visitor).short_form is None


def test_a_text_too_long_with_an_emergency_in_it_makes_the_form_wait(desk: Desk, visitor: Visitor) -> None:
    fill_up_to(visitor, "contact")
    buried = "je vous raconte ma vie. " * 120 + "j'ai très mal à la poitrine. " + "je vous raconte ma vie. " * 120
    assert_emergency(visitor.say(buried), "chest")
    form = desk.conversation(visitor).short_form
    assert form and form["waiting"]


# ---------------------------------------------------------------- after Rasa's own form


def test_what_rasas_form_was_given_is_said_to_be_kept_and_not_to_be_readable(desk: Desk, visitor: Visitor) -> None:
    rasa_was_asking(
        desk, visitor, ("un rdv", "utter_ask_booking_consent"), ("oui", "utter_ask_booking_name"), ("Zébulon Kermadec", "utter_ask_booking_contact")
    )
    reply = visitor.say("06 12 34 56 78")
    assert "Ce que vous aviez déjà donné est gardé" in reply.text
    assert "rendez-vous" not in reply.text
    assert "ne peut pas se lire d'ici" in visitor.press("Laisser une demande").text
    assert desk.conversation(visitor).scrub_due, "Rasa's form must not go on beside it"


def test_nothing_is_said_to_be_kept_where_nothing_was_given(desk: Desk, visitor: Visitor) -> None:
    rasa_was_asking(desk, visitor, ("un rdv", "utter_ask_booking_consent"))
    assert "gardé" not in visitor.say("oui").text
    assert "ne peut pas se lire" not in visitor.press("Laisser une demande").text


def test_an_answer_to_rasas_form_opens_no_other_form_by_itself(desk: Desk, visitor: Visitor) -> None:
    rasa_was_asking(desk, visitor, ("un rdv", "utter_ask_booking_consent"), ("oui", "utter_ask_booking_windows"))
    assert "Acceptez-vous" not in visitor.say("un rdv mardi").text


def test_cancelling_rasas_form_without_rasa_tells_what_is_erased_now_and_what_later(desk: Desk, visitor: Visitor) -> None:
    rasa_was_asking(
        desk, visitor, ("un rdv", "utter_ask_booking_consent"), ("oui", "utter_ask_booking_name"), ("Zébulon Kermadec", "utter_ask_booking_contact")
    )
    reply = visitor.say("annulez tout")
    assert "annulée" in reply.text
    assert "dès qu'il répondra" in reply.text
    assert "Kermadec" not in desk.contents()
    assert desk.conversation(visitor).scrub_due


def test_a_form_that_changed_hands_is_erased_from_where_it_first_opened(desk: Desk, visitor: Visitor) -> None:
    rasa_was_asking(desk, visitor, ("un rdv", "utter_ask_booking_consent"), ("oui", "utter_ask_booking_name"), ("Zébulon Premier", "utter_ask_booking_contact"))
    visitor.say("06 12 34 56 78")
    visitor.press("Laisser une demande")
    for said in ("oui", "Zébulon Kermadec", "annuler"):
        visitor.say(said)
    assert "dès qu'il répondra" in visitor.last.text
    assert "Zébulon" not in desk.contents()


# ---------------------------------------------------------------- answers lost on the way


def stored_by_the_actions(desk: Desk, visitor: Visitor) -> str:
    body: dict[str, Any] = {"conversation_id": visitor.id, "name": "Camille Laurent", "phone": "+33612345678", "windows": "mardi", "subject": "liver"}
    answer = desk.http.post(
        "/internal/tickets",
        json={**body, "transcript": False, "consent_version": "2026-11"},
        headers={"Authorization": f"Bearer {SECRET}", "Idempotency-Key": f"{visitor.id}:0"},
    )
    return str(answer.json()["reference"])


def test_a_request_stored_while_its_answer_was_lost_is_told(desk: Desk, visitor: Visitor) -> None:
    rasa_was_asking(desk, visitor, ("un rdv", "utter_ask_booking_consent"), ("oui", "utter_ask_booking_transcript"))
    reference = stored_by_the_actions(desk, visitor)
    reply = visitor.say("oui")
    assert reference_in(reply.text) == reference
    assert "ne répond pas" not in reply.text
    assert reference not in visitor.say("merci").text, "once"


def test_a_request_stored_while_its_answer_was_lost_is_cancelled_with_the_form(desk: Desk, visitor: Visitor) -> None:
    rasa_was_asking(desk, visitor, ("un rdv", "utter_ask_booking_consent"), ("oui", "utter_ask_booking_transcript"))
    stored_by_the_actions(desk, visitor)
    assert "annulée" in visitor.say("annuler").text
    (ticket,) = desk.tickets()
    assert (ticket.state, ticket.name, ticket.phone) == (TicketState.ERASED, None, None)


# ---------------------------------------------------------------- a Rasa that hangs


@pytest.fixture
def hanging_desk(tmp_path: Path) -> Iterator[Desk]:
    """A desk whose Rasa takes connections and never answers."""
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(100)
        desk = Desk(tmp_path, rasa_port=silent.getsockname()[1], turn_timeout=1)
        yield desk
        desk.stop()


def test_a_turn_that_takes_too_long_is_told_so(hanging_desk: Desk) -> None:
    visitor = hanging_desk.visitor()
    assert "ne répond pas en ce moment" in visitor.say("bonjour").text
    assert_emergency(visitor.say("je veux mourir"), "suicide")
