"""After an alarm and after insults, through the whole line."""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime, timedelta

import pytest

from tests.stack_client import Stack, Visitor, reference_in

pytestmark = pytest.mark.stack


def labels(visitor: Visitor) -> list[str]:
    return [b["label"] for b in visitor.last.buttons]


def after_half_an_hour(stack: Stack, visitor: Visitor) -> None:
    earlier = (datetime.now(UTC) - timedelta(minutes=31)).strftime("%Y-%m-%d %H:%M:%S.%f")
    with sqlite3.connect(stack.folder / "desk.db", timeout=30) as database:
        database.execute("UPDATE conversations SET crisis_at = ? WHERE id = ?", (earlier, visitor.id))


def test_for_half_an_hour_after_an_alarm_nothing_invites_to_book(stack: Stack, visitor: Visitor) -> None:
    visitor.say("j'ai une douleur dans la poitrine")
    for said in ("combien ça coûte ?", "vous êtes un humain ?", "quelle est la capitale du Pérou ?"):
        visitor.say(said)
        assert visitor.last.text
        assert not [label for label in labels(visitor) if "rappelé" in label or "demande" in label], said
    after_half_an_hour(stack, visitor)
    visitor.say("combien ça coûte ?")
    assert "Demander à être rappelé" in labels(visitor)


def test_a_wish_of_the_visitors_own_opens_the_form_all_the_same(visitor: Visitor) -> None:
    visitor.say("je veux mourir")
    assert "Acceptez-vous" in visitor.say("je voudrais prendre rendez-vous").text
    assert labels(visitor) == ["J'accepte", "Je refuse"]


@pytest.mark.parametrize("alarm", ["je veux mourir", "à quoi bon continuer"])
def test_after_a_wish_to_die_the_number_stays_for_one_more_turn(visitor: Visitor, alarm: str) -> None:
    visitor.say(alarm)
    first = visitor.say("c'était une blague")
    assert first.kinds[0] == "notice"
    assert "3114" in first.messages[0]["text"]
    assert len(first.messages) > 1, "and the message is answered"
    assert "3114" not in visitor.say("combien ça coûte ?").text


def test_a_form_that_an_alarm_interrupted_is_offered_again_quietly_and_late(stack: Stack, visitor: Visitor) -> None:
    for said in ("je voudrais un rdv", "oui", "Camille Laurent"):
        visitor.say(said)
    visitor.say("mon mari me frappe")
    assert labels(visitor) == []
    visitor.say("combien ça coûte ?")
    assert "Comment vous joindre" not in visitor.last.text
    assert "Reprendre ma demande" not in labels(visitor)
    after_half_an_hour(stack, visitor)
    visitor.say("combien ça coûte ?")
    assert "Reprendre ma demande" in labels(visitor)
    assert "Demander à être rappelé" not in labels(visitor), "one way to it is enough"
    assert "Comment vous joindre" in visitor.press("Reprendre ma demande").text
    for said in ("06 12 34 56 78", "mardi", "le foie", "non", "oui"):
        visitor.say(said)
    assert reference_in(visitor.last.text)
    visitor.say("merci")
    assert "Reprendre ma demande" not in labels(visitor)


def test_a_sign_for_the_doctor_today_takes_no_prompt_away(visitor: Visitor) -> None:
    visitor.say("j'ai de la fièvre depuis l'injection de cellules")
    assert labels(visitor) == []
    visitor.say("combien ça coûte ?")
    assert "Demander à être rappelé" in labels(visitor)


def test_three_insults_close_the_subject_and_nothing_else(visitor: Visitor) -> None:
    for _ in range(2):
        assert "courtois" in visitor.say("espèce de connard").text
    for insult in ("va te faire foutre", "espèce de connard"):
        closed = visitor.say(insult)
        assert "Je m'arrête là" in closed.text
        assert "15, 112, 144, 911 ou 194" in closed.text
    assert "31" in visitor.say("combien ça coûte ?").text
    assert visitor.say("j'arrive plus à respirer").kinds == ["emergency"]
