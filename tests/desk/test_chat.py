"""The visitor API while Rasa is down: the truth, the numbers, and nothing lost. A real desk on a real database; no Rasa anywhere."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from bot.answers import Message
from desk.app import create_app
from desk.chat.arrival import readable
from desk.chat.exit_check import ExitCheck
from desk.settings import load_settings
from tests.stack_client import free_ports

SECRET = "a secret of twenty characters and more"


@pytest.fixture
def client(tmp_path: Path, database_url: str) -> Iterator[TestClient]:
    settings = load_settings(port=free_ports(3), data=tmp_path, database_url=database_url, secret=SECRET, rate_limits="off")
    with TestClient(create_app(settings), raise_server_exceptions=False) as client:
        yield client


@pytest.fixture
def conversation(client: TestClient) -> dict[str, Any]:
    return dict(client.post("/api/conversations").json())


def say(client: TestClient, conversation: dict[str, Any], body: Any, token: str | None = None) -> Any:
    headers = {"Authorization": f"Bearer {token or conversation['token']}"}
    return client.post(f"/api/conversations/{conversation['id']}/messages", json=body, headers=headers)


def text_of(answer: Any) -> str:
    return "\n".join(m["text"] for m in answer.json()["messages"])


def test_the_greeting_says_what_it_is_and_what_becomes_of_the_words(conversation: dict[str, Any]) -> None:
    (greeting,) = conversation["messages"]
    assert "assistant automatique (IA)" in greeting["text"]
    assert "effacée 24 heures" in greeting["text"]
    assert greeting["buttons"]
    assert set(greeting["buttons"][0]) == {"id", "label"}, "a payload never leaves the desk"


def test_a_dead_assistant_is_said_to_be_dead(client: TestClient, conversation: dict[str, Any]) -> None:
    answer = say(client, conversation, {"client_id": "1", "text": "combien ça coûte ?"})
    assert answer.status_code == 200
    assert "ne répond pas en ce moment" in text_of(answer)
    assert "112" in text_of(answer)


def test_an_emergency_is_recognised_even_then(client: TestClient, conversation: dict[str, Any]) -> None:
    answer = say(client, conversation, {"client_id": "1", "text": "j'arrive plus à respirer"})
    assert answer.json()["messages"][0]["kind"] == "emergency"
    answer = say(client, conversation, {"client_id": "2", "text": "je veux mourir"})
    assert "3114" in text_of(answer)


def test_health_says_what_is_missing(client: TestClient) -> None:
    answer = client.get("/healthz")
    assert answer.status_code == 503
    assert answer.json()["missing"] == ["assistant", "actions"]


def test_a_replayed_message_gets_the_same_answer_and_other_content_is_refused(client: TestClient, conversation: dict[str, Any]) -> None:
    first = say(client, conversation, {"client_id": "1", "text": "bonjour"})
    assert say(client, conversation, {"client_id": "1", "text": "bonjour"}).json() == first.json()
    other = say(client, conversation, {"client_id": "1", "text": "autre chose"})
    assert other.status_code == 409
    assert other.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("text", ["", "   ", "\x00\x07"])
def test_an_empty_message_is_told_so(client: TestClient, conversation: dict[str, Any], text: str) -> None:
    assert "vide" in text_of(say(client, conversation, {"client_id": "1", "text": text}))


def test_a_text_that_is_too_long_is_still_read_by_the_guard(client: TestClient, conversation: dict[str, Any]) -> None:
    assert "trop long" in text_of(say(client, conversation, {"client_id": "1", "text": "mot de test " * 600}))
    buried = "je vous raconte ma vie. " * 120 + "j'ai très mal à la poitrine. " + "je vous raconte ma vie. " * 120
    assert say(client, conversation, {"client_id": "2", "text": buried}).json()["messages"][0]["kind"] == "emergency"


@pytest.mark.parametrize(
    "body",
    [
        [],
        "texte",
        None,
        {},
        {"client_id": "1"},
        {"text": "x"},
        {"client_id": 1, "text": "x"},
        {"client_id": "1", "text": 5},
        {"client_id": "1", "text": "x", "button": "y"},
    ],
)
def test_a_malformed_message_is_a_problem_in_french(client: TestClient, conversation: dict[str, Any], body: Any) -> None:
    answer = say(client, conversation, body)
    assert answer.status_code == 400
    assert answer.json()["detail"]


def test_a_body_above_64_kib_is_refused(client: TestClient, conversation: dict[str, Any]) -> None:
    assert say(client, conversation, {"client_id": "1", "text": "x" * 70_000}).status_code == 413


def test_a_wrong_token_opens_nothing(client: TestClient, conversation: dict[str, Any]) -> None:
    assert say(client, conversation, {"client_id": "1", "text": "x"}, token="wrong").status_code == 401
    other = client.post("/api/conversations").json()
    assert say(client, conversation, {"client_id": "1", "text": "x"}, token=other["token"]).status_code == 401
    assert client.get(f"/api/conversations/{conversation['id']}/messages").status_code == 401


def test_an_unknown_address_is_a_problem_too(client: TestClient) -> None:
    answer = client.get("/api/nowhere")
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"


def test_an_unknown_button_is_stale_and_leaves_the_live_ones_alone(client: TestClient, conversation: dict[str, Any]) -> None:
    live = conversation["messages"][0]["buttons"][0]["id"]
    assert "n'est plus valable" in text_of(say(client, conversation, {"client_id": "1", "button": "/restart"}))
    assert "n'est plus valable" not in text_of(say(client, conversation, {"client_id": "2", "button": live}))


def test_erasing_is_refused_while_it_could_not_be_complete(client: TestClient, conversation: dict[str, Any]) -> None:
    headers = {"Authorization": f"Bearer {conversation['token']}"}
    assert client.delete(f"/api/conversations/{conversation['id']}", headers=headers).status_code == 503
    assert client.get(f"/api/conversations/{conversation['id']}/messages", headers=headers).status_code == 200


def test_the_internal_address_needs_the_secret(client: TestClient) -> None:
    body = {
        "conversation_id": "c",
        "name": "Camille Laurent",
        "phone": "+33612345678",
        "windows": "mardi",
        "subject": "liver",
        "transcript": False,
        "consent_version": "1",
    }
    assert client.post("/internal/tickets", json=body, headers={"Idempotency-Key": "k"}).status_code == 401
    allowed = {"Authorization": f"Bearer {SECRET}", "Idempotency-Key": "k"}
    first = client.post("/internal/tickets", json=body, headers=allowed)
    again = client.post("/internal/tickets", json=body, headers=allowed)
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json() == again.json()
    assert client.post("/internal/tickets", json={**body, "name": "Autre"}, headers=allowed).status_code == 409
    assert client.post("/internal/tickets", json={"name": 3}, headers=allowed).status_code == 400


def test_too_many_messages_are_slowed_down(tmp_path: Path, database_url: str) -> None:
    settings = load_settings(port=free_ports(3), data=tmp_path, database_url=database_url, secret=SECRET)
    with TestClient(create_app(settings)) as client:
        conversation = client.post("/api/conversations").json()
        answers = [say(client, conversation, {"client_id": str(uuid.uuid4()), "text": "bonjour"}) for _ in range(45)]
    assert answers[0].status_code == 200
    assert answers[-1].status_code == 429
    assert int(answers[-1].headers["retry-after"]) >= 1


def test_the_last_door_restores_a_missing_disclaimer(client: TestClient, caplog: pytest.LogCaptureFixture) -> None:
    check: ExitCheck = client.app.state.turns.exit_check  # type: ignore[attr-defined]
    with caplog.at_level(logging.WARNING):
        sources = client.app.state.content.sources(["M058"])  # type: ignore[attr-defined]
        assert "ne remplace pas l'avis d'un médecin" in check(Message("Un texte sans mention.", "answer", sources=sources)).text
    assert check.counts["disclaimer restored"] == 1
    assert "Un texte" not in caplog.text


@pytest.mark.parametrize("text", ["utter_cost", "Bonjour {booking_name}", "Valeur : None", "<b>gras</b>"])
def test_the_last_door_lets_nothing_of_the_machine_through(client: TestClient, text: str) -> None:
    check: ExitCheck = client.app.state.turns.exit_check  # type: ignore[attr-defined]
    assert check(Message(text, "smalltalk")).kind == "notice"


def test_control_characters_are_dropped() -> None:
    assert readable("\x1b[31mprix\x1b[0m\x07 \u202eabc\r\nx") == "[31mprix[0m abc\nx"
