"""The content: what the assistant says, read from ``data/answers/``, finished with disclaimer and sources. No Rasa import.

Rasa renders responses through ``bot.nlg``; the desk renders the few it needs when Rasa is down. Both call ``finish``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from bot.guard.disclaimer import KINDS, with_disclaimer
from bot.scope import ANY, GENERAL

ROOT = Path(__file__).resolve().parent.parent
ARTICLES = {
    "msc": "La thérapie par cellules souches mésenchymateuses",
    "foie": "Les cellules souches pour le foie",
    "autorites": "Hors des articles",
}
CALL_BACK = {"title": "Demander à être rappelé", "payload": "/book"}
# A named disease has one text, whichever of these ways it is asked about.
SAID_BY_CONDITION = frozenset({"utter_efficacy", "utter_advantages", "utter_mechanism", "utter_disease", "utter_conditions", "utter_liver_diseases"})
# Where only the disease's text says what the article has on it: « la récupération après un AVC » is not about the treatment's aftermath,
# and survival in liver failure, with the therapy beside the usual care, stands nowhere else.
SAID_OF_ONE = frozenset({("utter_recovery", "avc"), ("utter_complement", "insuffisance_hepatique"), ("utter_evidence", "insuffisance_hepatique")})
# Said of the liver, and asked of any disease (« est-ce trop tard ? »): after another disease its own text.
ASKED_OF_ANY = frozenset({"utter_liver_irreversible", "utter_liver_causes", "utter_liver_complications"})
LIKELY = 0.1  # chance from which a question may have been meant
MOST_CHOICES = 3
MORE = ("utter_timeline", "utter_evidence")  # neighbours in reserve
# Answers that hold for every disease: asked again for another one, they are said again.
SAME_FOR_ALL = frozenset(
    "utter_cost utter_price_factors utter_price_abroad utter_consultation utter_side_effects utter_pain utter_eligibility utter_cancer".split()
)
OF_A_DISEASE = "utter_cancer"  # same for all too, but « et la stéatose ? » after it asks of that disease
FIGURES = {"sixty": "utter_sixty_percent", "thirty_two": "utter_thirty_two_percent"}
SAID_BY_FIGURE = SAID_BY_CONDITION | {"utter_evidence", "utter_liver_diseases", "utter_liver_causes", "utter_unanswered", "utter_duration", "utter_fallback"}

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the same loader in C, where libyaml is there: six times faster


class ContentError(Exception):
    """A file of the content is missing something or contradicts another."""


@dataclass(frozen=True)
class Message:
    """One message as a visitor reads it.

    Attributes:
        text: complete, disclaimer included.
        kind: one of the kinds of the visitor API.
        buttons: title and payload of each.
        sources: article and section of each.
        response: name of the content it came from.
        variant: which of the guard's findings it answers (``suicide``, ``stop_treatment``…), where it answers one.
    """

    text: str
    kind: str
    buttons: list[dict[str, str]] = field(default_factory=list)
    sources: list[dict[str, str]] = field(default_factory=list)
    response: str | None = None
    variant: str | None = None


class Content:
    """Everything the assistant can say, with the facts and numbers behind it."""

    def __init__(self, root: Path = ROOT) -> None:
        """Reads ``data/answers`` and ``data/facts``.

        Raises:
            ContentError: when a response has no known kind or names an unknown fact.
        """
        self.facts: dict[str, dict[str, Any]] = {f["id"]: f for f in _yaml(root / "data/facts/facts.yml")}
        numbers = _yaml(root / "data/facts/emergency_numbers.yml")
        self.number_lines: dict[str, str] = numbers["lignes"]
        self.disclaimers: dict[str, str] = _yaml(root / "data/facts/disclaimers.yml")
        self.facts.update({f["id"]: {**f, "article": "autorites", "section": f["source"]} for f in _yaml(root / "data/facts/autorites.yml")})
        self.responses: dict[str, list[dict[str, Any]]] = {}
        for path in sorted((root / "data/answers").glob("*.yml")):
            found = _yaml(path)["responses"]
            if twice := found.keys() & self.responses.keys():
                raise ContentError(f"{path.name}: {', '.join(sorted(twice))} stands in two files")
            self.responses.update(found)
        for name, variations in self.responses.items():
            for variation in variations:
                self._check(name, variation.get("metadata", {}))

    def finish(self, text: str, metadata: Mapping[str, Any]) -> tuple[str, str, list[dict[str, str]]]:
        """What every message goes through on its way out: disclaimer by kind, sources by facts.

        Args:
            text: the response's text with its values filled in.
            metadata: the response's own: ``kind``, and optionally ``disclaimer`` and ``facts``.

        Returns:
            Complete text, kind, sources.
        """
        kind = str(metadata["kind"])
        complete = with_disclaimer(text.strip(), kind, self.disclaimers, metadata.get("disclaimer"))
        return complete, kind, self.sources(metadata.get("facts", []))

    def resolve(self, name: str, slots: Mapping[str, Any], named: Mapping[str, Any] | None = None) -> str:
        """The response that answers a question best, given what the conversation is about.

        Args:
            name: the response of the question's own rule.
            slots: ``condition`` and ``scope``.
            named: what the message itself names: ``condition``, and ``figure``, a figure of the articles that it asks about.
        """
        named = named or {}
        figure = named.get("figure")
        if figure and name in SAID_BY_FIGURE:
            return FIGURES[figure]
        if (name in SAID_BY_CONDITION and self._speaks_of(slots.get("condition"))) or (name, named.get("condition")) in SAID_OF_ONE:
            return "utter_conditions"
        if name in ASKED_OF_ANY and slots.get("scope") == GENERAL and self._speaks_of(slots.get("condition")):
            return "utter_conditions"
        if name == "utter_disease" and slots.get("scope") == "liver":
            return "utter_liver_diseases"
        return name

    def neighbours(self, name: str, slots: Mapping[str, Any] | None = None, likely: Sequence[str] = ()) -> list[dict[str, str]]:
        """Buttons under an answer: two questions that do not lead back to it, then a human.

        Args:
            name: the response.
            slots: ``condition`` and ``scope``.
            likely: responses that may have been meant instead; they come before the answer's own neighbours.
        """
        metadata = self.responses[name][0]["metadata"]
        if metadata["kind"] != "answer":
            return []
        leading = [n for n in dict.fromkeys([*likely, *metadata["next"], *MORE]) if self.resolve(n, slots or {}) != name]
        return [*map(self._question, leading[:2]), CALL_BACK]

    def choices(self, likely: Sequence[str]) -> list[dict[str, str]]:
        """Buttons that ask which question was meant, then a human."""
        return [*map(self._question, likely[:MOST_CHOICES]), CALL_BACK]

    def likely(self, ranking: Sequence[Mapping[str, Any]], from_chance: float = LIKELY) -> list[str]:
        """The responses that may answer a message, likeliest first, out of its ``intent_ranking``."""
        found = [r["name"].replace("ask_", "utter_", 1) for r in ranking if r["confidence"] >= from_chance]
        return [name for name in found if "question" in self.responses.get(name, [{}])[0].get("metadata", {})]

    def next_to(self, name: str | None) -> list[str]:
        """The neighbours of an answer."""
        return [*(self.responses[name][0]["metadata"].get("next", []) if name else []), *MORE]

    def in_detail(self, name: str | None) -> str | None:
        """What says more than an answer: the one it names (``more``), or itself again."""
        return str(self.responses[name][0]["metadata"].get("more", name)) if name else None

    def again(self, name: str) -> str:
        """What is said in place of a response that would follow on itself: the one it names (``again``), else itself."""
        return str(self.responses[name][0]["metadata"].get("again", name))

    def text(self, name: str) -> str:
        """The text of a response that stands in another's message: without disclaimer, for the message has its own."""
        return str(self.responses[name][0]["text"]).strip()

    def _question(self, name: str) -> dict[str, str]:
        return {"title": self.responses[name][0]["metadata"]["question"], "payload": f"/{name.replace('utter_', 'ask_', 1)}"}

    def followed_up(self, name: str, condition: str | None = None) -> str:
        """What « et pour le foie ? » asks after an answer: the same question, or the disease itself where the answer has only one text."""
        asks_the_same = name in SAME_FOR_ALL and not (name == OF_A_DISEASE and self._speaks_of(condition))
        return name if len(self.responses[name]) > 1 or asks_the_same else "utter_conditions"

    def _speaks_of(self, condition: str | None) -> bool:
        if condition == ANY:  # « le foie » names an organ: what was asked of it has its own text
            return False
        named = ({c["value"] for c in v.get("condition", [])} for v in self.responses["utter_conditions"])
        return any(condition in values for values in named)

    def sources(self, fact_ids: list[str]) -> list[dict[str, str]]:
        """Article and section of each fact, in order, each once."""
        found = [{"article": ARTICLES[self.facts[i]["article"]], "section": self.facts[i]["section"]} for i in fact_ids]
        return list({(s["article"], s["section"]): s for s in found}.values())

    def written(self, variation: Mapping[str, Any]) -> tuple[str, str]:
        """Text and kind of one variation as it stands: disclaimer and telephone numbers in, a visitor's own values still ``{…}``."""
        text, kind, _ = self.finish(variation["text"], variation["metadata"])
        for key, line in self.number_lines.items():
            text = text.replace("{" + key + "}", line)
        return text, kind

    def message(self, name: str, slots: Mapping[str, Any] | None = None) -> Message:
        """Renders a response without Rasa.

        Args:
            name: a response of ``data/answers``.
            slots: values for its conditions and its ``{…}``.

        Raises:
            KeyError: when there is no such response, or a value is missing.
        """
        slots = slots or {}
        variation = next(v for v in sorted(self.responses[name], key=lambda v: "condition" not in v) if _holds(v, slots))
        values = {**self.number_lines, **slots}
        text = re.sub(r"\{(\w+)\}", lambda m: str(values[m[1]]), variation["text"])
        complete, kind, sources = self.finish(text, variation["metadata"])
        return Message(complete, kind, list(variation.get("buttons", [])), sources, name)

    def _check(self, name: str, metadata: Mapping[str, Any]) -> None:
        if metadata.get("kind") not in KINDS:
            raise ContentError(f"{name}: metadata.kind must be one of {', '.join(sorted(KINDS))}")
        unknown = [i for i in metadata.get("facts", []) if i not in self.facts]
        if unknown:
            raise ContentError(f"{name}: unknown facts {', '.join(unknown)}")


def _holds(variation: Mapping[str, Any], slots: Mapping[str, Any]) -> bool:
    return all(slots.get(c["name"]) == c["value"] for c in variation.get("condition", []))


def _yaml(path: Path) -> Any:
    return yaml.load(path.read_text(encoding="utf-8"), Loader=_LOADER)  # noqa: S506
