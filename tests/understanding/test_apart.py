"""The yardstick of understanding was written apart from what the assistant learns from, and stays apart."""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path

import pytest
import yaml

from bot.guard.normalise import fold
from tools.yardstick import items

ROOT = Path(__file__).resolve().parent.parent.parent
LEARNED = [
    line.strip().removeprefix("- ")
    for path in sorted((ROOT / "data/nlu").glob("*.yml"))
    for block in yaml.safe_load(path.read_text(encoding="utf-8"))["nlu"]
    for line in block["examples"].splitlines()
    if line.strip()
]
SHORT = 4  # words; « ça fait mal ? » can be said in few ways


def words(text: str) -> frozenset[str]:
    return frozenset(re.findall(r"\w+", fold(text)))


def test_no_question_of_the_yardstick_is_nearly_an_example_of_the_training_data() -> None:
    """Near: more than four words in five of the longer one are shared."""
    by_word: dict[str, list[frozenset[str]]] = defaultdict(list)
    for learned in map(words, LEARNED):
        for word in learned:
            by_word[word].append(learned)
    near = []
    for item in items():
        asked = words(item.turns[-1])
        if len(asked) <= SHORT:
            continue
        rarest = sorted(asked, key=lambda w: len(by_word[w]))[: len(asked) // 5 + 1]  # a near copy must share one of these
        if any(len(asked & learned) / max(len(asked), len(learned)) > 0.8 for word in rarest for learned in by_word[word]):
            near.append(f"{item.id}: {item.turns[-1]}")
    assert not near


@pytest.mark.parametrize(("subject", "least"), [("question", 800), ("two questions", 60), ("follow-up", 120), ("out of scope", 250)])
def test_the_yardstick_is_long_enough(subject: str, least: int) -> None:
    assert sum(item.subject == subject for item in items()) >= least


def test_every_style_has_at_least_forty_questions() -> None:
    styles = [item.style for item in items() if item.subject == "question"]
    assert all(styles.count(style) >= 40 for style in set(styles))
