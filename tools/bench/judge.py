"""Counts what a system got right, and chooses from which confidence it is believed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from tests.stack_client import Reply
from tools.understanding_report import is_right
from tools.yardstick import SETS, Item

THRESHOLDS = [round(step / 100, 2) for step in range(100)]
DECLINED = "(not understood)"


@dataclass(frozen=True)
class Outcome:
    """What became of a message: whether that was right, and whether it got an answer out of the articles."""

    right: bool
    answered: bool


@dataclass(frozen=True)
class Case:
    """One message as one system read it.

    Attributes:
        item: the message, and what its reply must hold.
        intent: what it was taken for, where it is believed.
        confidence: of the likeliest intent.
        lead: by how much it is likelier than the next.
        believed: what comes of it when the likeliest intent is believed.
        declined: when it is not.
    """

    item: Item
    intent: str
    confidence: float
    lead: float
    believed: Outcome
    declined: Outcome

    def at(self, least: Least) -> Outcome:
        """What comes of it from these thresholds on."""
        return self.believed if least.believes(self) else self.declined


@dataclass(frozen=True)
class Least:
    """The least confidence from which a system's intent is believed, and its least lead over the next."""

    confidence: float
    lead: float = 0.0

    def believes(self, case: Case) -> bool:
        """Whether a message counts as understood."""
        return case.confidence >= self.confidence and case.lead >= self.lead


@dataclass(frozen=True)
class Count:
    """Right ones of so many; of the others, those that got an answer all the same."""

    right: int
    n: int
    wrongly_answered: int

    @property
    def rate(self) -> float:
        """The share of right ones."""
        return self.right / self.n if self.n else 0.0


def cases(
    asked: Sequence[Item], rankings: Sequence[Sequence[Sequence[Any]]], taken: Sequence[Sequence[dict[str, str]]], not_understood: Sequence[dict[str, str]]
) -> list[Case]:
    """One case a message.

    Args:
        asked: the messages.
        rankings: of each, a system's intents and confidences, best first.
        taken: of each, the reply to the first intent, or the replies to all that it asks.
        not_understood: of each, the reply where nothing was understood.
    """
    found = []
    for item, ranking, believed, declined in zip(asked, rankings, taken, not_understood):
        first, second = [*(confidence for _, confidence in ranking), 0.0, 0.0][:2]
        found.append(Case(item, believed[0]["intent"], first, first - second, _outcome(item, believed), _outcome(item, [declined])))
    return found


def _outcome(item: Item, said: Sequence[dict[str, str]]) -> Outcome:
    reply = Reply(200, {"messages": list(said)})
    return Outcome(is_right(item, reply), "answer" in reply.kinds)


def count(found: Iterable[Case], least: Least) -> Count:
    """How many are right."""
    outcomes = [case.at(least) for case in found]
    return Count(sum(o.right for o in outcomes), len(outcomes), sum(o.answered and not o.right for o in outcomes))


def of(found: Iterable[Case], half: str, subject: str, style: str | None = None) -> list[Case]:
    """The cases of one half and subject, and of one style of writing."""
    return [c for c in found if c.item.half == half and c.item.subject == subject and style in (None, c.item.style)]


def balance(found: Sequence[Case], half: str, least: Least) -> float:
    """The mean of two shares: questions answered right, and messages out of scope that got no answer."""
    return (count(of(found, half, "question"), least).rate + count(of(found, half, "out of scope"), least).rate) / 2


def chosen(found: Sequence[Case]) -> Least:
    """The threshold that does best on the validation half; the lowest of several."""
    return max((Least(t) for t in THRESHOLDS), key=lambda least: (balance(found, "validation", least), -least.confidence))


def curve(found: Sequence[Case]) -> list[dict[str, float]]:
    """For each threshold, of the questions of the test half: the share believed, and the share of these that is right."""
    questions = of(found, "test", "question")
    points = []
    for t in THRESHOLDS:
        believed = [c for c in questions if c.confidence >= t]
        right = sum(c.believed.right for c in believed)
        points.append({"threshold": t, "coverage": len(believed) / len(questions), "right": right / len(believed) if believed else 1.0, "n": len(believed)})
    return points


def confusions(found: Sequence[Case], least: Least, most: int = 20) -> list[tuple[str, str, int]]:
    """What the questions of the validation half were taken for instead, most often first. The test half is only counted, so it tells nothing here."""
    wanted = _wanted()
    pairs: Counter[tuple[str, str]] = Counter()
    for case in of(found, "validation", "question"):
        if not case.at(least).right:
            pairs[wanted[case.item.id], case.intent if least.believes(case) else DECLINED] += 1
    return [(one, other, n) for (one, other), n in sorted(pairs.items(), key=lambda p: (-p[1], p[0]))[:most]]


def _wanted() -> dict[str, str]:
    """The first of the intents that the yardstick accepts, by id of the question."""
    files = (yaml.safe_load(path.read_text(encoding="utf-8"))["items"] for path in sorted(SETS.glob("faq_*.yml")))
    return {one["id"]: one["intent"][0] for items in files for one in items}
