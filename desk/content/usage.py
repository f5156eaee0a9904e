"""Where an answer is used: the rules of the dialogue that say it, and the intents of visitors that lead to them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from desk.settings import ROOT

FORM_QUESTION = "utter_ask_booking_"
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True)
class Use:
    """One rule that says a response, after messages with these intents."""

    rule: str
    intents: tuple[str, ...]


@dataclass(frozen=True)
class Dialogue:
    """What visitors may mean, and which response follows.

    Attributes:
        intents: of the domain, in its order.
        uses: of each response that a rule or story names.
    """

    intents: tuple[str, ...]
    uses: Mapping[str, tuple[Use, ...]]

    def is_form_question(self, response: str) -> bool:
        """Whether the booking form asks it; no rule names those."""
        return response.startswith(FORM_QUESTION)


@lru_cache(maxsize=4)
def dialogue(root: Path = ROOT) -> Dialogue:
    """Reads ``domain.yml`` and ``data/stories`` once."""
    domain = _yaml(root / "domain.yml")
    uses: dict[str, list[Use]] = {}
    for path in sorted((root / "data/stories").glob("*.yml")):
        read = _yaml(path)
        for rule in (*read.get("rules", []), *read.get("stories", [])):
            for response, intents in _said(rule["steps"]):
                uses.setdefault(response, []).append(Use(str(rule.get("rule") or rule.get("story")), tuple(intents)))
    return Dialogue(tuple(map(str, domain["intents"])), {name: tuple(found) for name, found in uses.items()})


def _said(steps: Iterable[Mapping[str, Any]]) -> Iterable[tuple[str, list[str]]]:
    """The responses of one rule, each with the intents of the message that it answers."""
    intents: list[str] = []
    for step in steps:
        if "intent" in step:
            intents = [str(step["intent"])]
        elif "or" in step:
            intents = [str(other["intent"]) for other in step["or"] if "intent" in other]
        elif str(step.get("action", "")).startswith("utter_"):
            yield str(step["action"]), intents


def _yaml(path: Path) -> Any:
    return yaml.load(path.read_text(encoding="utf-8"), Loader=_LOADER)  # noqa: S506
