"""One turn at the desk: what it costs the database, who may take it, and what a visitor's words are heard as. A real database; Rasa says what the test wants."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path
from typing import Any

import httpx2
import pytest
from limits import parse
from sqlalchemy import event, select
from starlette.testclient import TestClient

from bot.answers import CALL_BACK, Content, Message
from desk.app import create_app
from desk.chat import conversations as chat
from desk.chat.arrival import ConversationGone, ReplayConflict, Said
from desk.chat.limits import RateLimits
from desk.chat.rasa import Assistant
from desk.chat.turns import Turns
from desk.db import Database
from desk.models import ChatMessage, Conversation, NotUnderstood
from desk.problems import Problem
from desk.settings import load_settings
from tests.desk_client import SECRET
from tests.stack_client import free_ports

CONTENT = Content()
STEPS = {"title": "Le déroulement", "payload": "/ask_steps"}


class Line:
    """A desk whose Rasa says what the test wants, and tells what it was asked."""

    def __init__(self, database: Database, **settings: Any) -> None:
        self.database = database
        self.asked: list[dict[str, Any]] = []
        self.says("utter_cost", CALL_BACK)
        self.turns = Turns(database, Assistant("http://rasa", SECRET, 5, httpx2.MockTransport(self._answer)), CONTENT, **settings)
        with database.transaction() as session:
            opened, self.token, _ = chat.open_conversation(session, CONTENT.message("utter_greeting"))
        self.id = opened.id

    async def _answer(self, request: httpx2.Request) -> httpx2.Response:
        if request.method == "DELETE":
            return httpx2.Response(204)
        self.asked.append(json.loads(request.content))
        await self.meanwhile()
        return httpx2.Response(200, json={"messages": self._replies})

    async def meanwhile(self) -> None:
        """What happens while Rasa thinks."""

    def says(self, response: str, *buttons: dict[str, str]) -> None:
        message = CONTENT.message(response)
        self._replies = [{"text": message.text, "kind": message.kind, "buttons": list(buttons), "sources": message.sources, "response": response}]

    async def take(self, text: str, client_id: str = "", token: str = "") -> list[ChatMessage]:
        said = Said(client_id or f"m{time.monotonic_ns()}", text)
        return await self.turns.take(self.id, token or self.token, said)

    def hears(self, text: str, client_id: str = "", token: str = "") -> list[ChatMessage]:
        return asyncio.run(self.take(text, client_id, token))

    @property
    def thread(self) -> list[tuple[int, str, str]]:
        with self.database.transaction() as session:
            return [(m.seq, m.sender, m.text) for m in chat.messages_after(session, self.id, 0)]

    @property
    def conversation(self) -> Conversation | None:
        with self.database.transaction() as session:
            return session.get(Conversation, self.id)


@pytest.fixture
def line(database: Database) -> Line:
    return Line(database)


# ---------------------------------------------------------------- what it costs


def test_a_question_costs_two_transactions_of_four_statements(line: Line) -> None:
    line.hears("combien ça coûte ?")  # the first one opens connections
    done: list[str] = []
    event.listen(line.database.engine, "commit", lambda connection: done.append("COMMIT"))
    event.listen(line.database.engine, "before_cursor_execute", lambda *told: done.append(told[2].split()[0]))
    line.hears("et la perfusion, elle fait mal ?")
    statements = [word for word in done if word != "BEGIN"]
    assert statements == ["UPDATE", "SELECT", "INSERT", "COMMIT", "UPDATE", "SELECT", "INSERT", "INSERT", "COMMIT"]


# ---------------------------------------------------------------- who may take it


def test_the_token_of_another_conversation_says_nothing_and_is_no_use_of_this_one(line: Line, database: Database) -> None:
    before = line.conversation
    for token in ("wrong", Line(database).token):
        with pytest.raises(ConversationGone):
            line.hears("combien ça coûte ?", token=token)
    assert line.asked == []
    assert len(line.thread) == 1
    after = line.conversation
    assert before and after and before.last_message_at == after.last_message_at


def test_a_name_that_no_database_can_look_for_is_no_conversation(line: Line) -> None:
    line.id = "\0"
    with pytest.raises(ConversationGone):
        line.hears("combien ça coûte ?")


def test_a_conversation_that_is_gone_takes_no_message(line: Line) -> None:
    with line.database.transaction() as session:
        chat.forget_conversation(session, line.id)
    with pytest.raises(ConversationGone):
        line.hears("combien ça coûte ?")
    assert line.asked == []


def test_a_message_that_waits_while_everything_is_erased_finds_nothing(line: Line) -> None:
    async def erased_before_it_is_read() -> None:
        await asyncio.gather(line.turns.erase(line.id), line.take("combien ça coûte ?"))

    with pytest.raises(ConversationGone):
        asyncio.run(erased_before_it_is_read())
    assert line.asked == []


def test_the_same_message_is_asked_once_and_answered_alike(line: Line) -> None:
    first, again = line.hears("combien ça coûte ?", "1"), line.hears("combien ça coûte ?", "1")
    assert [(m.seq, m.text, m.buttons, m.at) for m in first] == [(m.seq, m.text, m.buttons, m.at) for m in again]
    assert len(line.asked) == 1
    with pytest.raises(ReplayConflict):
        line.hears("autre chose", "1")
    assert [sender for _, sender, _ in line.thread] == ["bot", "visitor", "bot"]


def test_a_message_that_came_before_and_was_never_answered_is_told_so_once(line: Line) -> None:
    with line.database.transaction() as session:
        chat.add_visitor_message(session, line.id, "combien ça coûte ?", "1", "text:combien ça coûte ?")
    for _ in range(2):
        (reply,) = line.hears("combien ça coûte ?", "1")
        assert "ne répond pas en ce moment" in reply.text
    assert line.asked == []
    assert [seq for seq, _, _ in line.thread] == [1, 2, 3]


def test_an_emergency_whose_answer_was_lost_gets_its_numbers_when_it_comes_again(line: Line) -> None:
    cry = "mon mari ne respire plus"
    with line.database.transaction() as session:
        chat.add_visitor_message(session, line.id, cry, "1", f"text:{cry}")
    (reply,) = line.hears(cry, "1")
    assert reply.kind == "emergency"
    assert "112" in reply.text


def test_two_messages_at_once_are_answered_one_after_the_other(line: Line) -> None:
    async def both() -> None:
        await asyncio.gather(line.take("une question"), line.take("une autre"))

    asyncio.run(both())
    assert [sender for _, sender, _ in line.thread] == ["bot", "visitor", "bot", "visitor", "bot"]


def test_what_the_team_says_while_rasa_thinks_has_a_number_of_its_own(line: Line) -> None:
    async def the_team_answers() -> None:
        with line.database.transaction() as session:
            chat.add_replies(session, line.id, [Message("Bonjour, ici la clinique.", "human")], None, sender="human")

    line.meanwhile = the_team_answers  # type: ignore[method-assign]
    line.hears("combien ça coûte ?")
    assert [(seq, sender) for seq, sender, _ in line.thread] == [(1, "bot"), (2, "visitor"), (3, "human"), (4, "bot")]


def test_a_short_question_goes_with_the_one_before_it(line: Line) -> None:
    line.hears("combien coûte une cure ?")
    line.hears("et pour le foie ?")
    line.hears("je voudrais aussi que vous me disiez si tout cela est vrai ou non")
    assert [asked["asked_before"] for asked in line.asked] == [None, "combien coûte une cure ?", None]


# ---------------------------------------------------------------- a label that is typed


@pytest.mark.parametrize("typed", ["Demander à être rappelé", "demander a etre rappele", "DEMANDER À ÊTRE RAPPELÉ !", "« demander à être rappelé. »"])
def test_the_label_of_a_button_does_what_the_button_does_and_stands_as_it_was_typed(line: Line, typed: str) -> None:
    line.hears("combien ça coûte ?")
    line.hears(typed)
    assert line.asked[-1] == {"payload": "/book"}
    assert line.thread[-2][1:] == ("visitor", typed)


def test_apostrophes_are_alike(line: Line) -> None:
    line.says("utter_cost", {"title": "L'essai d'aujourd'hui", "payload": "/ask_trial"})
    line.hears("combien ça coûte ?")
    line.hears("l’essai d’aujourd’hui")
    assert line.asked[-1] == {"payload": "/ask_trial"}


def test_the_greetings_labels_count_too(line: Line) -> None:
    line.hears("le prix")
    assert line.asked == [{"payload": "/ask_cost"}]


@pytest.mark.parametrize("typed", ["je ne veux pas demander à être rappelé", "demander à être rappelé demain", "rappelé", "?", "", "Le déroulement"])
def test_other_words_are_words(line: Line, typed: str) -> None:
    line.says("utter_cost", CALL_BACK)
    line.hears("combien ça coûte ?")  # takes the greeting's « Le déroulement » away
    line.hears(typed)
    assert all("payload" not in asked for asked in line.asked)


def test_a_button_that_stands_for_words_is_those_words(line: Line) -> None:
    line.says("utter_cost", {"title": "Le foie", "payload": "au sujet du foie"})
    line.hears("combien ça coûte ?")
    line.hears("le foie")
    assert line.asked[-1]["text"] == "au sujet du foie"


def test_of_two_buttons_with_one_label_the_newer_is_meant(line: Line) -> None:
    line.says("utter_cost", {"title": "En savoir plus", "payload": "/ask_cost"}, {"title": "En savoir plus", "payload": "/ask_steps"})
    line.hears("combien ça coûte ?")
    line.hears("en savoir plus")
    assert line.asked[-1] == {"payload": "/ask_steps"}


def test_a_notice_takes_no_label_away(line: Line) -> None:
    line.says("utter_cost", STEPS)
    line.hears("combien ça coûte ?")
    line.hears("   ")
    line.hears("le déroulement ?")
    assert line.asked[-1] == {"payload": "/ask_steps"}


def test_an_emergency_is_heard_even_in_the_words_of_a_label(line: Line) -> None:
    line.says("utter_cost", {"title": "Je veux mourir", "payload": "/ask_cost"})
    line.hears("combien ça coûte ?")
    line.hears("je veux mourir")
    assert line.asked[-1]["text"] == "je veux mourir"


def test_the_label_that_erases_erases(line: Line) -> None:
    line.says("utter_cost", {"title": "Effacer cette conversation", "payload": "/erase_conversation"})
    line.hears("combien ça coûte ?")
    (reply,) = line.hears("effacer cette conversation")
    assert reply.text == CONTENT.message("utter_erased").text
    assert line.conversation is None


def test_a_label_is_no_question_that_was_not_understood(database: Database, tmp_path: Path) -> None:
    line = Line(database, settings=load_settings(data=tmp_path, secret=SECRET))
    line.says("utter_fallback", STEPS)
    line.hears("peut-on venir avec son chien ?")
    line.hears("le déroulement")
    with database.transaction() as session:
        assert [row.text for row in session.scalars(select(NotUnderstood))] == ["peut-on venir avec son chien ?"]


# ---------------------------------------------------------------- how often


def test_whoever_has_not_the_token_uses_up_nothing(tmp_path: Path, database_url: str) -> None:
    settings = load_settings(port=free_ports(3), data=tmp_path, database_url=database_url, secret=SECRET)
    with TestClient(create_app(settings)) as client:
        conversation = client.post("/api/conversations").json()

        def status(token: str) -> int:
            body, headers = {"client_id": str(time.monotonic_ns()), "text": "bonjour"}, {"Authorization": f"Bearer {token}"}
            return int(client.post(f"/api/conversations/{conversation['id']}/messages", json=body, headers=headers).status_code)

        assert {status(f"wrong {number}") for number in range(45)} == {401}
        assert status(conversation["token"]) == 200


def test_the_window_moves_and_a_refused_hit_does_not_count() -> None:
    async def hits() -> None:
        limits, twice = RateLimits(enabled=True), parse("2/second")
        for _ in range(2):
            await limits.hit(twice, "messages", "somebody")
        for _ in range(3):
            with pytest.raises(Problem) as refused:
                await limits.hit(twice, "messages", "somebody")
            assert refused.value.headers == {"Retry-After": "1"}
        await limits.hit(twice, "messages", "somebody else")
        await asyncio.sleep(1.05)
        await limits.hit(twice, "messages", "somebody")

    asyncio.run(hits())
