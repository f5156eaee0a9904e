"""The yardstick of understanding: what visitors write, and what the reply must hold (``tests/understanding/sets``). For both environments."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml

SETS = Path(__file__).resolve().parent.parent / "tests/understanding/sets"


@dataclass(frozen=True)
class Item:
    """One conversation whose last reply is judged.

    Attributes:
        id: unique over the sets.
        subject: ``question``, ``two questions``, ``follow-up`` or ``out of scope``.
        style: how it is written.
        turns: what the visitor says.
        holds: regexes that the last reply must all match.
        lacks: regexes that it must not match.
    """

    id: str
    subject: str
    style: str
    turns: tuple[str, ...]
    holds: tuple[str, ...] = ()
    lacks: tuple[str, ...] = ()

    @property
    def half(self) -> str:
        """``validation`` or ``test``, by its id alone."""
        return ("validation", "test")[int(hashlib.sha256(self.id.encode()).hexdigest(), 16) % 2]


def items() -> Iterator[Item]:
    """Every item of the sets."""
    for path in sorted(SETS.glob("*.yml")):
        for one in yaml.safe_load(path.read_text(encoding="utf-8"))["items"]:
            turns = tuple(one.get("turns") or [one["text"]])
            subject = (
                "out of scope" if path.stem == "out_of_scope" else "follow-up" if "turns" in one else "two questions" if one["style"] == "multi" else "question"
            )
            yield Item(one["id"], subject, one["style"], turns, tuple(one.get("all", ())), tuple(one.get("none", ())))
