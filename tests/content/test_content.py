"""The content as data: nothing is missing, nothing contradicts, every figure has its fact."""

from __future__ import annotations

import ast
import hashlib
import re
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from bot.answers import Content
from bot.fields import SUBJECTS
from bot.figures import unknown
from bot.guard.disclaimer import VARIANT_OF_KIND, is_disclaimed
from bot.guard.normalise import fold

ROOT = Path(__file__).resolve().parent.parent.parent
CONTENT = Content()
DOMAIN = yaml.safe_load((ROOT / "domain.yml").read_text(encoding="utf-8"))
EXAMPLES_NEEDED = 20
# Recognised by the guard, not by examples.
BY_RULE = {"red_flag", "foreign_language"}
SMALL = {"greet", "thank", "goodbye"}


def examples() -> list[tuple[str, str]]:
    found = []
    for path in sorted((ROOT / "data/nlu").glob("*.yml")):
        for block in yaml.safe_load(path.read_text(encoding="utf-8"))["nlu"]:
            found += [(block["intent"], line.removeprefix("- ").strip()) for line in block["examples"].splitlines() if line.strip()]
    return found


def rules() -> list[dict[str, Any]]:
    return [rule for path in sorted((ROOT / "data/stories").glob("*.yml")) for rule in yaml.safe_load(path.read_text(encoding="utf-8"))["rules"]]


def variations() -> list[Any]:
    return [pytest.param(name, v, id=f"{name}-{i}") for name, texts in CONTENT.responses.items() for i, v in enumerate(texts)]


@pytest.mark.parametrize("intent", [i for i in DOMAIN["intents"] if i not in BY_RULE])
def test_each_intent_has_enough_examples(intent: str) -> None:
    assert sum(name == intent for name, _ in examples()) >= EXAMPLES_NEEDED


def test_no_example_stands_twice_after_folding() -> None:
    seen: dict[str, str] = {}
    for intent, text in examples():
        key = re.sub(r"[^\w?]+", " ", fold(text)).strip() or text
        assert key not in seen, f"« {text} » is in {seen[key]} and in {intent}"
        seen[key] = intent


@pytest.mark.parametrize("intent", [*DOMAIN["intents"], "nlu_fallback"])
def test_each_intent_has_a_rule(intent: str) -> None:
    assert any(step.get("intent") == intent for rule in rules() for step in rule["steps"])


def test_each_rule_uses_what_exists() -> None:
    for rule in rules():
        for step in rule["steps"]:
            action = step.get("action", "")
            known = action in CONTENT.responses or action in DOMAIN["actions"] or action in DOMAIN["forms"] or action == "action_deactivate_loop"
            assert not action or known, f"{rule['rule']}: {action}"


@pytest.mark.parametrize(("name", "variation"), variations())
def test_each_answer_names_its_facts_and_its_review_state(name: str, variation: dict[str, Any]) -> None:
    metadata = variation["metadata"]
    assert metadata["review"] in ("non relu", "relu")  # test_lock.py: « relu » needs a signature
    if metadata["kind"] == "answer":
        assert metadata.get("facts")
    elif metadata["kind"] != "advice":  # an advice may say what an article leaves to doctors
        assert all(CONTENT.facts[i]["article"] == "autorites" for i in metadata.get("facts", []))


@pytest.mark.parametrize(("name", "variation"), variations())
def test_the_disclaimer_is_there_by_construction(name: str, variation: dict[str, Any]) -> None:
    text, kind, sources = CONTENT.finish(variation["text"], variation["metadata"])
    if kind in VARIANT_OF_KIND:
        assert is_disclaimed(text)
    if kind == "answer":
        assert sources


def test_every_kind_of_health_message_has_a_disclaimer_variant() -> None:
    assert set(VARIANT_OF_KIND) == {"answer", "advice", "emergency", "fallback", "language"}
    for variant in {*VARIANT_OF_KIND.values(), "cout"}:
        assert is_disclaimed(CONTENT.disclaimers[variant])


@pytest.mark.parametrize(("name", "variation"), [p for p in variations() if p.values[1]["metadata"]["kind"] == "answer"])
def test_each_figure_of_an_answer_exists_in_its_facts(name: str, variation: dict[str, Any]) -> None:
    values = [value for fact in variation["metadata"]["facts"] for value in CONTENT.facts[fact].get("valeurs", [])]
    assert not unknown(re.sub(r"\{\w+\}", "", variation["text"]), values)


@pytest.mark.parametrize(("name", "variation"), [p for p in variations() if p.values[1]["metadata"]["kind"] == "answer"])
def test_each_answer_is_short_enough_to_be_read_on_a_phone(name: str, variation: dict[str, Any]) -> None:
    assert len(re.findall(r"[\wÀ-ÿ'’-]+", variation["text"])) <= 90
    for sentence in re.split(r"(?<=[.!?])\s+", variation["text"]):
        assert len(sentence.split()) <= 45, sentence


@pytest.mark.parametrize(("name", "variation"), [p for p in variations() if p.values[1]["metadata"]["kind"] == "answer"])
def test_each_answer_says_where_it_comes_from(name: str, variation: dict[str, Any]) -> None:
    assert re.search(r"articles? |article\b|clinique", variation["text"])


@pytest.mark.parametrize(("name", "variation"), variations())
def test_each_button_leads_somewhere(name: str, variation: dict[str, Any]) -> None:
    for button in variation.get("buttons", []):
        payload = button["payload"]
        assert not payload.startswith("/") or payload[1:] in DOMAIN["intents"] or payload in {"/erase_conversation", "/leave_request"}, payload


@pytest.mark.parametrize(
    "name", [n for n, texts in CONTENT.responses.items() if texts[0]["metadata"]["kind"] == "fallback" and "facts" not in texts[0]["metadata"]]
)
def test_who_gets_no_answer_is_not_told_so_twice_in_the_same_words(name: str) -> None:
    instead = CONTENT.again(name)
    said_the_second_time = any(CONTENT.again(other) == name for other in CONTENT.responses if other != name)
    assert CONTENT.responses[instead][0]["metadata"]["kind"] == "fallback"
    assert instead != name or said_the_second_time


def test_the_forms_subjects_are_those_of_the_closed_list() -> None:
    offered = [b["payload"] for b in CONTENT.responses["utter_ask_booking_subject"][0]["buttons"]]
    assert offered == list(SUBJECTS.values())


def test_the_consent_text_has_a_new_version_when_it_changes() -> None:
    consent = CONTENT.responses["utter_ask_booking_consent"][0]
    known = {"2026-11": "445e6c85021ccc3d"}
    assert hashlib.sha256(consent["text"].encode()).hexdigest()[:16] == known[consent["metadata"]["consent_version"]]


def test_emergency_numbers_were_checked_lately_and_each_text_uses_them_alone() -> None:
    numbers = yaml.safe_load((ROOT / "data/facts/emergency_numbers.yml").read_text(encoding="utf-8"))
    assert date.today() - numbers["verifie_le"] < timedelta(days=180), "check the numbers again and change verifie_le"
    known = {re.sub(r"\D", "", n["numero"]) for n in numbers["numeros"]}
    for name, line in numbers["lignes"].items():
        for number in re.findall(r"\d[\d ]*\d", line.replace("24 h/24", "")):
            assert number.replace(" ", "") in known, f"{name}: {number}"


def test_urgent_messages_begin_with_a_number() -> None:
    for family in (None, "suicide", "suicide_urgent", "poisoning"):
        assert re.search(r"\d{2}", CONTENT.message("utter_red_flag", {"red_flag": family}).text[:80])


def test_actions_never_say_raw_text() -> None:
    for path in (ROOT / "actions").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "utter_message":
                assert not node.args, f"{path.name}:{node.lineno}"
                assert {k.arg for k in node.keywords} & {"response"}, f"{path.name}:{node.lineno} passes by the disclaimer"


def test_every_intent_is_met_in_a_conversation(root: Path) -> None:
    """Each answer's topic is asked for somewhere in tests/conversations (by its own words, not by intent names)."""
    asked = [case for path in (root / "tests/conversations").glob("*.yml") for case in yaml.safe_load(path.read_text(encoding="utf-8"))]
    assert len(asked) >= 150
    assert sum(isinstance(c["visitor"], list) for c in asked) >= 40
