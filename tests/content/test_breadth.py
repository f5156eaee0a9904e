"""Everything the articles say is answered, what they do not say is known by name, and the examples are honest."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
import yaml

from bot.answers import Content
from bot.silence import unsaid
from tests.content.runs import hashes

ROOT = Path(__file__).resolve().parent.parent.parent
CONTENT = Content()
LEDGER = yaml.safe_load((ROOT / "data/facts/facts.yml").read_text(encoding="utf-8"))
SILENCE = yaml.safe_load((ROOT / "data/facts/silence.yml").read_text(encoding="utf-8"))
CONDITIONS = yaml.safe_load((ROOT / "data/facts/conditions.yml").read_text(encoding="utf-8"))
COPIED = set((Path(__file__).parent / "article_hashes.txt").read_text().split())
COMMON = {
    "ask_cost",
    "ask_side_effects",
    "ask_pain",
    "ask_conditions",
    "ask_timeline",
    "ask_duration",
    "ask_eligibility",
    "ask_steps",
    "ask_efficacy",
    "ask_consultation",
}


def examples() -> dict[str, list[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    for path in sorted((ROOT / "data/nlu").glob("*.yml")):
        for block in yaml.safe_load(path.read_text(encoding="utf-8"))["nlu"]:
            found[block["intent"]] += [line.removeprefix("- ").strip() for line in block["examples"].splitlines() if line.strip()]
    return found


def plain(text: str) -> str:
    return unicodedata.normalize("NFKD", text.lower()).encode("ascii", "ignore").decode()


EXAMPLES = examples()
ANSWERS = {name: v for name, v in CONTENT.responses.items() if v[0]["metadata"]["kind"] == "answer"}


def test_every_fact_is_used_by_an_answer() -> None:
    used = {fact for variations in ANSWERS.values() for v in variations for fact in v["metadata"]["facts"]}
    assert {f["id"] for f in LEDGER} <= used


def test_every_label_of_the_ledger_is_reached_by_an_example() -> None:
    """Label → a fact → an answer → its intent → examples (or, for a disease, its words in the lexicon)."""
    reached = set()
    by_figure = {"utter_sixty_percent", "utter_thirty_two_percent"}
    for name, variations in ANSWERS.items():
        if EXAMPLES.get(name.replace("utter_", "ask_", 1)) or name in by_figure:
            facts = {fact for v in variations for fact in v["metadata"]["facts"]}
            reached |= {label for f in LEDGER if f["id"] in facts for label in f["repond_a"]}
    assert {label for f in LEDGER for label in f["repond_a"]} <= reached


@pytest.mark.parametrize("condition", [c["id"] for c in CONDITIONS if c["id"] != "any"])
def test_each_disease_of_the_articles_has_its_own_text(condition: str) -> None:
    assert CONTENT.resolve("utter_efficacy", {"condition": condition}) == "utter_conditions"
    assert CONTENT.message("utter_conditions", {"condition": condition}).text != CONTENT.message("utter_conditions", {}).text


@pytest.mark.parametrize(
    ("part", "entry"), [(part, e) for part in ("sujets", "maladies") for e in SILENCE[part]], ids=lambda v: v if isinstance(v, str) else v["nom"]
)
def test_what_the_articles_do_not_say_is_declined_by_name(part: str, entry: dict[str, Any]) -> None:
    word = entry["mots"][0].rstrip("*")
    phrasings = [f"bonjour, je voudrais savoir pour {word} svp", f"{word.upper()} ?", f"et {word} c'est possible chez vous"]
    for phrasing in phrasings:
        assert unsaid(phrasing, "ask_conditions") == entry["nom"], phrasing
    said = CONTENT.message("utter_unanswered", {"unsaid": entry["nom"]})
    assert said.kind == "fallback" and entry["nom"] in said.text and "articles" in said.text
    assert said.buttons, "a human is offered"


def test_an_answer_offers_two_neighbouring_questions_and_a_human() -> None:
    for name in ANSWERS:
        buttons = CONTENT.neighbours(name)
        assert len(buttons) == 3, name
        assert all(len(b["title"]) <= 40 for b in buttons), name
        assert len({b["payload"] for b in buttons}) == 3, name
        for button in buttons:
            assert button["payload"][1:] in EXAMPLES, button


@pytest.mark.parametrize("intent", sorted(i for i in EXAMPLES if i.startswith("ask_")))
def test_each_question_has_enough_examples(intent: str) -> None:
    assert len(EXAMPLES[intent]) >= (40 if intent in COMMON else 20)


@pytest.mark.parametrize("intent", sorted(EXAMPLES))
def test_examples_are_really_different(intent: str) -> None:
    """No two examples of an intent share more than four fifths of their words, as written (an SMS spelling is another wording)."""
    sets = [(text, frozenset(re.findall(r"\w+", plain(text)))) for text in EXAMPLES[intent]]
    for i, (text, words) in enumerate(sets):
        for other, others in sets[:i]:
            if len(words) > 3 and len(others) > 3:
                shared = len(words & others) / max(len(words), len(others))
                assert shared <= 0.8, f"« {text} » is nearly « {other} »"


def test_no_sentence_of_the_articles_is_copied() -> None:
    for path in [p for folder in ("data", "desk/templates", "bot", "actions") for p in (ROOT / folder).rglob("*") if p.suffix in {".yml", ".html", ".py"}]:
        # A section's heading is quoted as a reference.
        lines = [line for line in path.read_text(encoding="utf-8").splitlines() if not re.match(r"\s*-?\s*section\s*:", line)]
        copied = [h for h in hashes("\n".join(lines)) if h in COPIED]
        assert not copied, f"{path.relative_to(ROOT)} shares {len(copied)} runs of eight words with the articles"
