"""Composes further examples out of what visitors put around a question: a story before it, thanks, a correction, a farewell, a disease. No Rasa import.

People rarely write a question alone, and no list of examples holds every story in front of every question. Each example is met in a few
surroundings; its label stays what it was, so that a story makes nothing harmless and nothing alarming.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import yaml

from bot.nlu.clauses import sentences
from bot.nlu.message_model import ADVICE, ALARM, Example

FOLDER = Path(__file__).resolve().parent.parent.parent / "data/prefaces"
LONGEST = 160  # characters of an example that is put into surroundings; longer ones have their own
# Questions of no disease in particular, which people ask of one all the same.
OF_ANY_DISEASE = frozenset(
    "ask_cost ask_price_factors ask_price_abroad ask_consultation ask_side_effects ask_pain ask_timeline ask_duration ask_eligibility ask_not_eligible"
    " ask_safety ask_routes ask_steps ask_exams ask_recovery ask_aftercare ask_evidence ask_limits ask_own_or_donor ask_cell_sources"
    " ask_preparation_delay".split()
)
TOLD = "inform"  # what a story is by itself: nothing asked, nobody in danger
ASKED_OF_STAFF = frozenset({"book", "request_human"})


@dataclass(frozen=True)
class Surroundings:
    """What stands around a question: texts without any question of their own."""

    stories: Sequence[str]
    thanks: Sequence[str]
    corrections: Sequence[str]
    asking: Sequence[str]
    closers: Sequence[str]
    about: Sequence[str]

    @classmethod
    def read(cls, folder: Path = FOLDER) -> Surroundings:
        """Reads ``data/prefaces``."""

        def texts(name: str) -> list[str]:
            found: list[str] = yaml.safe_load((folder / name).read_text(encoding="utf-8"))
            return found

        openers: dict[str, list[str]] = yaml.safe_load((folder / "openers.yml").read_text(encoding="utf-8"))
        return cls(texts("stories.yml"), openers["thanks"], openers["corrections"], openers["asking"], texts("closers.yml"), texts("about.yml"))


@dataclass(frozen=True)
class Shares:
    """How many of a hundred examples are met once more in each of their surroundings."""

    stories: float = 4
    asking: float = 2
    thanks: float = 3
    corrections: float = 3
    closers: float = 2
    about: float = 10


def composed(examples: Sequence[Example], around: Surroundings, shares: Shares, seed: int) -> list[Example]:
    """Further examples, the same for the same seed.

    Args:
        examples: those of data/nlu.
        around: what to put them into.
        shares: how often.
        seed: of the choice.
    """
    chance = random.Random(seed)  # noqa: S311
    found = [Example(text, TOLD) for story in around.stories for text in (story, *sentences(story))]
    for example in examples:
        if len(example.text) > LONGEST:
            continue
        is_question = example.intent.startswith("ask_") or example.intent == "out_of_scope"
        is_grave = example.intent in (ALARM, ADVICE)

        def add(share: float, text: str, kept: Example = example) -> None:
            if chance.random() * 100 < share:
                found.append(replace(kept, text=text))

        if is_question or is_grave or example.intent in ASKED_OF_STAFF:
            add(shares.stories, f"{_sentence(chance.choice(around.stories))} {example.text}")
            add(shares.closers, f"{example.text.rstrip(' .')}{chance.choice((' ', ', ', '. '))}{chance.choice(around.closers)}")
        if is_question or is_grave:
            add(shares.asking, f"{chance.choice(around.asking)}{chance.choice((', ', ' : ', ' '))}{_lower(example.text)}")
            add(shares.thanks, f"{chance.choice(around.thanks)}{chance.choice((', ', '. ', ' '))}{example.text}")
        if example.intent == ADVICE:
            # As often as a question meets a disease or a correction, or the balance between the two would shift towards the harmless one.
            add(shares.about + shares.corrections, f"{chance.choice(around.asking)}{chance.choice((', ', ' : ', '. '))}{example.text}")
        if is_question:
            add(shares.corrections, f"{chance.choice(around.corrections)} {_lower(example.text)}")
        if example.intent in OF_ANY_DISEASE:
            body, mark = example.text.rstrip(" ?!."), " ?" if example.text.rstrip().endswith("?") else ""
            add(shares.about, f"{body} {chance.choice(around.about)}{mark}")
    return found


def _sentence(story: str) -> str:
    return story if story.rstrip()[-1:] in ".!:;,…" else f"{story.rstrip()}."


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:] if text[1:2].islower() else text
