"""What a conversation remembers of an alarm and of insults. No Rasa: its replies are given as it words them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from bot.answers import Content, Message
from desk.chat import conduct, crisis
from desk.models import Conversation
from tests.desk_client import Desk

CONTENT = Content()
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


def alarm(family: str) -> Message:
    return replace(CONTENT.message("utter_red_flag", {"red_flag": family}), variant=family)


def after(conversation: Conversation, reply: Message, minutes: float = 0, alarmed_before: bool = False) -> list[Message]:
    at = NOON + timedelta(minutes=minutes)
    return crisis.followed(conversation, [reply], alarmed_before=alarmed_before, content=CONTENT, at=at)


def payloads(replies: list[Message]) -> list[str]:
    return [b["payload"] for r in replies for b in r.buttons]


@pytest.mark.parametrize("family", ["emergency", "suicide", "suicide_urgent", "suicide_veiled", "poisoning", "violence", "child_danger", "a family to come"])
def test_half_an_hour_without_prompts_follows_an_alarm(family: str) -> None:
    conversation = Conversation()
    after(conversation, alarm(family))
    assert (conversation.crisis, conversation.crisis_at) == (family, NOON)
    human = CONTENT.message("utter_human")
    assert payloads(after(conversation, human, minutes=29)) == []
    assert after(conversation, human, minutes=29)[-1].text == human.text, "the words stay"
    assert payloads(after(conversation, human, minutes=30)) == ["/book"]


@pytest.mark.parametrize("family", ["after_injection", "same_day", "fraud"])
def test_a_sign_for_the_doctor_today_is_no_crisis(family: str) -> None:
    conversation = Conversation()
    after(conversation, alarm(family))
    assert conversation.crisis_at is None


def test_an_alarm_stands_alone() -> None:
    replies = [CONTENT.message("utter_cost"), alarm("emergency"), CONTENT.message("utter_human")]
    left = crisis.followed(Conversation(), replies, alarmed_before=False, content=CONTENT, at=NOON)
    assert [r.kind for r in left] == ["emergency"]
    assert payloads(left) == []


def test_the_buttons_of_the_form_itself_stay() -> None:
    conversation = Conversation()
    after(conversation, alarm("suicide"))
    assert payloads(after(conversation, CONTENT.message("utter_ask_booking_consent"))) == ["J'accepte", "Je refuse"]
    assert "/book" in payloads(after(conversation, CONTENT.message("utter_booking_failed")))


@pytest.mark.parametrize("family", ["suicide", "suicide_urgent", "suicide_veiled"])
def test_the_number_stays_one_turn_longer_and_comes_first(family: str) -> None:
    conversation = Conversation()
    after(conversation, alarm(family))
    first = after(conversation, CONTENT.message("utter_thank"), alarmed_before=True)
    assert [r.response for r in first] == ["utter_still_there", "utter_thank"]
    assert first[0].kind == "notice"
    assert "3114" in first[0].text and "15, 112, 144, 911 ou 194" in first[0].text and "?" not in first[0].text
    assert [r.response for r in after(conversation, CONTENT.message("utter_thank"))] == ["utter_thank"]


def test_other_alarms_leave_no_such_line() -> None:
    conversation = Conversation()
    after(conversation, alarm("violence"))
    assert len(after(conversation, CONTENT.message("utter_thank"), alarmed_before=True)) == 1


def test_a_symptom_told_after_a_wish_to_die_does_not_hide_it() -> None:
    conversation = Conversation()
    after(conversation, alarm("suicide"))
    after(conversation, alarm("emergency"), minutes=1)
    assert conversation.crisis == "suicide"
    assert after(conversation, CONTENT.message("utter_thank"), minutes=2, alarmed_before=True)[0].response == "utter_still_there"


def test_a_joke_is_followed_by_the_number_once_even_when_rasa_is_down(desk: Desk) -> None:
    visitor = desk.visitor()
    visitor.say("je veux mourir")
    visitor.say("")
    reply = visitor.say("c'était une blague")
    assert reply.kinds == ["notice", "notice"]
    assert "3114" in reply.messages[0]["text"]
    assert reply.buttons == [], "no request is offered now"
    assert "3114" not in visitor.say("vraiment").text


def test_a_wish_of_the_visitors_own_still_opens_the_form(desk: Desk) -> None:
    visitor = desk.visitor()
    visitor.say("j'arrive plus à respirer")
    assert visitor.say("merci").buttons == []
    reply = visitor.say("je voudrais un rendez-vous")
    assert "Acceptez-vous" in reply.text
    assert len(reply.buttons) == 2


def test_the_third_insult_is_answered_by_a_polite_end() -> None:
    conversation = Conversation(insults=0)
    insult = CONTENT.message("utter_insult")
    said = [conduct.counted(conversation, [insult], CONTENT)[0].response for _ in range(5)]
    assert said == ["utter_insult", "utter_insult", "utter_insult_closed", "utter_insult_closed", "utter_insult_closed"]
    assert "15, 112, 144, 911 ou 194" in CONTENT.message("utter_insult_closed").text
    answer = CONTENT.message("utter_cost")
    assert conduct.counted(conversation, [answer], CONTENT) == [answer]
