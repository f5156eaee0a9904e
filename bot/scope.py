"""What a message is about: which article (liver or general), which disease, which figure. No Rasa import."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from bot.lexicon import Lexicon

LIVER, GENERAL = "liver", "general"
ANY = "any"  # a condition that forgets the one named before
FILE = Path(__file__).resolve().parent.parent / "data/facts/conditions.yml"

_LIVER = Lexicon([(LIVER, ["foie", "foies", "foi", "hepatique", "hepatiques", "hepato*", "veine porte", "biliaire*"])])
_GENERAL = re.compile(r"\b(?:en general|de facon generale|generalement|pas (?:pour |que )?le foie|hors (?:du )?foie)\b")
_WHICH = re.compile(r"\b(?:quelles? (?:maladies?|affections?|pathologies?|conditions?)|liste|indications?|toutes les maladies)\b")
# « une fois », « ma foi » and « crise de foie » are not about the organ.
_NOT_THE_ORGAN = re.compile(r"\b(?:ma foi|crises? de foie?|foi en|foies? gras de canard|mal au coeur|coup de coeur)\b")
_SIXTY = re.compile(r"\b(?:60 ?(?:%|pour ?cents?|pct)|soixante pour ?cents?|6 (?:patients )?sur 10)")
_HOW_FREQUENT = re.compile(r"\b(?:32 ?(?:%|pour ?cents?)|combien de (?:gens|personnes|monde)|frequente?s?|repandue?s?|population)\b")


@dataclass(frozen=True)
class About:
    """What a message names; None for what it leaves open, which then stays as it was.

    Attributes:
        scope: ``liver`` or ``general``.
        condition: an id of ``data/facts/conditions.yml``, or ``any``.
        figure: ``sixty`` or ``thirty_two``: a figure of the articles that is asked about.
    """

    scope: str | None = None
    condition: str | None = None
    figure: str | None = None


def about(text: str) -> About:
    """Reads one message.

    The liver wins over another disease in the same message: its own figures differ, so that an answer for the liver must
    never be given the general ones.
    """
    conditions, scopes = _conditions()
    words = _NOT_THE_ORGAN.sub(" ", conditions.words(text))
    condition = conditions.find(words)
    figure = "sixty" if _SIXTY.search(text.lower()) else None
    if condition == "steatose" and _HOW_FREQUENT.search(words):
        figure = "thirty_two"
    if condition:
        liver_too = scopes[condition] == GENERAL and _LIVER.find(words)
        return About(LIVER, ANY, figure) if liver_too else About(scopes[condition], condition, figure)
    if _GENERAL.search(words):
        return About(GENERAL, ANY, figure)
    if _LIVER.find(words):
        return About(LIVER, ANY, figure)
    return About(None, ANY if _WHICH.search(words) else None, figure)


def without_diseases(text: str) -> str:
    """The folded text with one word in place of every disease, so that none of them decides what a question asks."""
    return _conditions()[0].replaced(text, "maladie")


@lru_cache(maxsize=1)
def _conditions() -> tuple[Lexicon, dict[str, str]]:
    entries: list[dict[str, Any]] = yaml.safe_load(FILE.read_text(encoding="utf-8"))
    return Lexicon((e["id"], e["mots"]) for e in entries), {e["id"]: e["scope"] for e in entries}
