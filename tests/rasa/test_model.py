"""What Rasa understands and says with the trained model, in process (needs the environment with Rasa)."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

rasa_agent = pytest.importorskip("rasa.core.agent", reason="runs in the environment bot")

from jsonschema import ValidationError  # noqa: E402
from rasa.core.actions.action import RemoteAction  # noqa: E402
from rasa.shared.core.trackers import DialogueStateTracker  # noqa: E402
from rasa.utils.endpoints import EndpointConfig  # noqa: E402

from bot import train  # noqa: E402
from bot.channel import VisitorChannel  # noqa: E402
from bot.channel_text import as_plain_text  # noqa: E402
from bot.guard.disclaimer import is_disclaimed  # noqa: E402
from bot.guard.door import inspect  # noqa: E402
from bot.nlg import GuardedNLG  # noqa: E402


@pytest.fixture(scope="session")
def agent() -> Iterator[Any]:
    loaded = rasa_agent.Agent.load(str(train.model_path()), generator=EndpointConfig(type="bot.nlg.GuardedNLG"))
    return loaded


def parse(agent: Any, text: str) -> dict[str, Any]:
    return dict(asyncio.run(agent.parse_message(text)))


@pytest.mark.parametrize(
    ("text", "intent"),
    [
        ("c koi les effets secondaires", "ask_side_effects"),
        ("ca fait mal ?", "ask_pain"),
        ("combien ça coûte", "ask_cost"),
        ("je voudrais prendre rendez-vous", "book"),
        ("bonjour", "greet"),
    ],
)
def test_plain_questions_are_understood(agent: Any, text: str, intent: str) -> None:
    assert parse(agent, text)["intent"]["name"] == intent


@pytest.mark.parametrize("text", ["j'ai mal dans la poitrine", "je veux mourir", "Hello, how much does the treatment cost?"])
def test_the_guard_has_the_last_word_and_both_doors_agree(agent: Any, text: str) -> None:
    finding = inspect(text)
    parsed = parse(agent, text)
    assert finding is not None
    assert parsed["intent"] == {"name": finding.intent, "confidence": 1.0}
    assert {e["entity"]: e["value"] for e in parsed["entities"]}[finding.intent] == finding.variant


@pytest.mark.parametrize(
    "name",
    [
        "Zébulon Partout",
        "Jean Lamort",
        "Marie Sanglier",
        "Rose Legrand",
        "Yves Malheur",
        "Fatima Benali",
        "Luc Tombeur",
        "Aimé Douleur",
        "Noé Coupé",
        "Anne-Sophie Lefort",
    ],
)
def test_a_name_alone_is_no_emergency(agent: Any, name: str) -> None:
    """The form asks for one; whoever bears it must not be told to call an ambulance."""
    assert parse(agent, name)["intent"]["name"] != "red_flag"


@pytest.mark.parametrize("text", ["/restart", '/book{"booking_name":"x"}', "/ask_cost", "  /restart"])
def test_a_visitors_slash_is_text(agent: Any, text: str) -> None:
    parsed = parse(agent, as_plain_text(text))
    assert parsed["text"].lstrip().startswith("\u2060")
    obeyed = (text.strip(" /").split("{")[0], 1.0)  # Rasa's own parser of « /intent » is always sure
    assert (parsed["intent"]["name"], parsed["intent"]["confidence"]) != obeyed


def test_the_scope_of_a_question_is_found(agent: Any) -> None:
    found = {e["entity"]: e["value"] for e in parse(agent, "ça dure combien de temps pour une cirrhose ?")["entities"]}
    assert found == {"scope": "liver", "condition": "cirrhose"}


def test_every_response_leaves_the_nlg_with_its_kind_and_disclaimer(agent: Any) -> None:
    nlg = GuardedNLG(None, agent.domain)
    tracker = DialogueStateTracker.from_events("test", [], agent.domain.slots)
    values = {"reference": "RDV-7K4M-2Q"}
    for name in agent.domain.responses:
        said = asyncio.run(nlg.generate(name, tracker, "visitor", **values))
        assert said is not None
        assert said["metadata"]["kind"], name
        if said["metadata"]["kind"] in ("answer", "advice", "emergency", "fallback", "language"):
            assert is_disclaimed(said["text"]), name


def test_removing_a_disclaimer_would_be_noticed(agent: Any) -> None:
    """The mutation of G-02: without the NLG class a health answer goes out bare, and the check above would see it."""
    bare = agent.domain.responses["utter_cost"][0]["text"]
    assert not is_disclaimed(bare)


@pytest.mark.parametrize("secret", [None, "", "${PASSERELLE_SECRET}"])
def test_the_channel_does_not_start_open(secret: str | None) -> None:
    with pytest.raises(ValueError, match="secret"):
        VisitorChannel.from_credentials({"secret": secret})


def test_the_model_is_known_by_the_hash_of_its_inputs(tmp_path: Path) -> None:
    assert train.inputs_digest() == train.inputs_digest()
    assert train.model_path().exists()


def test_an_answer_of_an_action_is_still_checked_with_the_schema_compiled_once() -> None:
    VisitorChannel.from_credentials({"secret": "a secret of twenty characters"})
    action = RemoteAction("action_request_status", EndpointConfig(url="http://127.0.0.1:9/webhook"))
    assert action._validate_action_result({"events": [], "responses": []})
    with pytest.raises(ValidationError):
        action._validate_action_result({"events": "none"})
