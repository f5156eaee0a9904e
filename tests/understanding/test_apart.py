"""The yardstick of understanding and the guard's sets were written apart from what the assistant learns from, and stay apart."""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path

import pytest
import yaml

from bot.guard.normalise import fold
from tools import guard_report
from tools.yardstick import items

ROOT = Path(__file__).resolve().parent.parent.parent
LEARNED = [
    line.strip().removeprefix("- ")
    for path in sorted((ROOT / "data/nlu").glob("*.yml"))
    for block in yaml.safe_load(path.read_text(encoding="utf-8"))["nlu"]
    for line in block["examples"].splitlines()
    if line.strip()
]
GUARD_SETS = ("must_catch", "hard_negatives", "in_passing", "advice", "not_advice", "silence")
SHORT = 4  # words; « ça fait mal ? » can be said in few ways


def words(text: str) -> frozenset[str]:
    return frozenset(re.findall(r"\w+", fold(text)))


@pytest.fixture(scope="module")
def by_word() -> dict[str, list[frozenset[str]]]:
    """The words of every example, by each of them."""
    found: dict[str, list[frozenset[str]]] = defaultdict(list)
    for learned in map(words, LEARNED):
        for word in learned:
            found[word].append(learned)
    return found


def is_near(text: str, by_word: dict[str, list[frozenset[str]]]) -> bool:
    """Whether more than four words in five of the longer of it and an example are shared."""
    asked = words(text)
    if len(asked) <= SHORT:
        return False
    rarest = sorted(asked, key=lambda w: len(by_word[w]))[: len(asked) // 5 + 1]  # a near copy must share one of these
    return any(len(asked & learned) / max(len(asked), len(learned)) > 0.8 for word in rarest for learned in by_word[word])


def test_no_question_of_the_yardstick_is_nearly_an_example_of_the_training_data(by_word: dict[str, list[frozenset[str]]]) -> None:
    assert [f"{item.id}: {item.turns[-1]}" for item in items() if is_near(item.turns[-1], by_word)] == []


@pytest.mark.parametrize("name", GUARD_SETS)
def test_no_message_of_a_set_of_the_guard_is_nearly_an_example_of_the_training_data(name: str, by_word: dict[str, list[frozenset[str]]]) -> None:
    assert [item["text"] for item in guard_report.items(name) if is_near(item["text"], by_word)] == []


@pytest.mark.parametrize(("subject", "least"), [("question", 800), ("two questions", 60), ("follow-up", 120), ("out of scope", 250)])
def test_the_yardstick_is_long_enough(subject: str, least: int) -> None:
    assert sum(item.subject == subject for item in items()) >= least


def test_every_style_has_at_least_forty_questions() -> None:
    styles = [item.style for item in items() if item.subject == "question"]
    assert all(styles.count(style) >= 40 for style in set(styles))
