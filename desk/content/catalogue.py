"""The catalogue for a clinician: each text whole, with its facts and sources, what else is signed with it, and where it is used."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from bot.answers import ARTICLES, ROOT, Content
from desk.content.texts import MENTION, NUMBERS, Text, texts, variations
from desk.content.usage import Dialogue
from desk.insight.labels import FAMILIES
from desk.insight.ordinary_words import plain

KINDS = {
    "answer": "Réponse des articles",
    "emergency": "Urgence",
    "advice": "Conseil personnel refusé",
    "language": "Autre langue",
    "fallback": "Sans réponse",
    "booking": "Demande de rendez-vous",
    "smalltalk": "Politesse",
    "notice": "Information",
    "human": "Passage à l'équipe",
    MENTION: "Mention ajoutée aux réponses",
    NUMBERS: "Numéros d'urgence",
}
TOPICS = {
    "therapy": "La thérapie",
    "treatment": "Le traitement",
    "results": "Les résultats",
    "liver": "Le foie",
    "people": "Pour qui",
    "practical": "En pratique",
    "guard": "Alertes et conseils",
    "aftercare": "Après une alerte",
    "booking": "Demande de rendez-vous",
    "conduct": "Conversation",
    "language": "Autres langues",
    "facts": "Mentions et numéros",
}
_SLOTS = {"scope": "sujet", "condition": "maladie", "red_flag": "alerte", "personal_advice": "conseil demandé", "foreign_language": "langue"}
_VALUES = {"liver": "le foie", "general": "en général"}
_NAME = re.compile(r"^  (utter_\w+):", re.MULTILINE)
BY_PROGRAM = "Choisi par le programme : formulaire, doute, panne ou suite d'une alerte."


@dataclass(frozen=True)
class Fact:
    """A fact behind an answer, with its place in an article."""

    id: str
    text: str
    article: str
    section: str


@dataclass(frozen=True)
class CatalogueEntry:
    """One text.

    Attributes:
        text: its name and hash, as locked.
        place: among the variations of its response.
        topic: the file of ``data/answers`` that holds it.
        kind: of the message, or of the text that others are finished with.
        whole: what a visitor reads, disclaimer and numbers included.
        when: what must be the case for it to be chosen, in words; empty where nothing must.
        label: of the button that leads to it; signed with the text.
        buttons: under it; signed with the text.
        facts: behind it.
        used: where, in words.
    """

    text: Text
    place: int
    topic: str
    kind: str
    whole: str
    when: str
    label: str
    buttons: tuple[str, ...]
    facts: tuple[Fact, ...]
    used: tuple[str, ...]

    @property
    def path(self) -> str:
        """What names it in an address."""
        return f"{plain(self.text.response)}/{self.place + 1}"

    @property
    def title(self) -> str:
        """What a list calls it."""
        return self.label or self.text.response.removeprefix("utter_").replace("_", " ")

    def is_found_by(self, words: str) -> bool:
        """Whether all words stand in its text, name, label or facts; accents and capitals do not count."""
        everything = plain(" ".join([self.text.response, self.whole, self.label, self.when, *self.buttons, *(f"{fact.id} {fact.text}" for fact in self.facts)]))
        return all(word in everything for word in plain(words).split())


def catalogue(content: Content, dialogue: Dialogue) -> list[CatalogueEntry]:
    """Every text that a visitor may read: in the order of the files, what others are finished with last."""
    locked = {text.key: text for text in texts(content)}
    topics = _topics()
    found = [_entry(locked[key], place, variation, topics.get(key[0], "conduct"), content, dialogue) for key, place, variation in variations(content)]
    for kind, lines in ((MENTION, content.disclaimers), (NUMBERS, content.number_lines)):
        for place, (name, line) in enumerate(lines.items()):
            used = "Ajoutée à la fin des réponses." if kind == MENTION else f"Là où un texte dit {{{name}}}."
            found.append(CatalogueEntry(locked[kind, name], place, "facts", kind, line, "", f"{KINDS[kind]} : {name}", (), (), (used,)))
    return found


def _entry(text: Text, place: int, variation: Mapping[str, object], topic: str, content: Content, dialogue: Dialogue) -> CatalogueEntry:
    metadata = content.responses[text.response][place]["metadata"]
    whole, kind = content.written(variation)
    buttons = tuple(b["title"] for b in content.responses[text.response][place].get("buttons", []))
    facts = tuple(Fact(i, content.facts[i]["fait"], ARTICLES[content.facts[i]["article"]], content.facts[i]["section"]) for i in metadata.get("facts", []))
    when = ", ".join(_condition(c["name"], c["value"]) for c in content.responses[text.response][place].get("condition", []))
    return CatalogueEntry(text, place, topic, kind, whole, when, metadata.get("question", ""), buttons, facts, tuple(_used(text.response, dialogue)))


def _condition(slot: str, value: object) -> str:
    known = FAMILIES if slot in ("red_flag", "personal_advice") else _VALUES
    return f"{_SLOTS.get(slot, slot)} : {known.get(str(value), str(value))}"


def _used(response: str, dialogue: Dialogue) -> Iterator[str]:
    for use in dialogue.uses.get(response, ()):
        intents = ", ".join(use.intents)
        yield f"Règle « {use.rule} »" + (f", intention {intents}" if intents else "")
    if dialogue.is_form_question(response):
        yield "Question du formulaire de demande."
    elif response not in dialogue.uses:
        yield BY_PROGRAM


def _topics() -> dict[str, str]:
    """The file of each response."""
    return {name: path.stem for path in sorted((ROOT / "data/answers").glob("*.yml")) for name in _NAME.findall(path.read_text(encoding="utf-8"))}
