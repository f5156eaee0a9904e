"""What a message is about: which article (liver or general), which disease, which figure. No Rasa import."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from bot.guard.normalise import fold
from bot.lexicon import Lexicon

LIVER, GENERAL = "liver", "general"
ANY = "any"  # a condition that forgets the one named before
FILE = Path(__file__).resolve().parent.parent / "data/facts/conditions.yml"

_LIVER = Lexicon([(LIVER, ["foie", "foies", "foi", "hepatique", "hepatiques", "hepato*", "veine porte", "biliaire*", "transaminases", "transaminase"])])
_GENERAL = re.compile(
    r"\b(?:en general|d.une maniere generale|de (?:facon|maniere) generale|generalement|pas (?:pour |que |seulement )?le foie"
    r"|(?:hors|sauf|a part|en dehors) (?:du |le |de )?foie|foie (?:de|a) (?:cote|part)|rien a voir avec (?:le |mon )?foie"
    r"|(?:peu importe|quelle que soit) la maladie|n.importe quelle (?:autre )?maladie|autres? maladies?)\b"
)
_WHICH = re.compile(
    r"\b(?:quel(?:le)?s? (?:(?:genres?|types?|sortes?) (?:de |d.?))?(?:maladies?|affections?|pathologies?|conditions?)"
    r"|liste|indications?|toutes les maladies)\b"
)
# « une fois », « ma foi » and « crise de foie » are not about the organ; « avc moi » is « avec moi ».
_NOT_NAMED = re.compile(
    r"\b(?:ma foi|crises? de foie?|foi en|foies? gras de canard|mal au coeur|coup de coeur"
    r"|(?<!un )(?<!\bl )(?<!\bd )(?<!son )(?<!mon )(?<!post )(?<!apres )avc (?=(?:moi|toi|lui|elle|nous|vous|vs|eux|mon|ma|mes|vos|vo|le|les|des|d|une?)\b))"
)
_PER_CENT = r"(?:pour ?cen\w*|pou?r(?:s{1,2}|c)[ae]n\w*)"  # also « pourssent »
_SIXTY = re.compile(rf"\b(?:60 ?(?:%|{_PER_CENT}|pct)|soixante {_PER_CENT}|6 (?:patients )?sur 10)")
_HOW_MANY = (
    rf"(?:\b(?:taux|pourcentages?|{_PER_CENT}|pct|proportion|statistiques?|chiffres?|chiffrees?"
    r"|combien d(?:e |.)(?:patients?|malades?|gens|personnes?|monde|cas)|(?:sur|parmi) (?:dix|10|vingt|20|cent|100))\b|%)"
)
_BETTER = r"\b(?:reussi\w*|succes|ameli\w*|mieux?|gueri\w*|(?:re)?march\w*|repond\w*|efficac\w*|soulag\w*|echec\w*|echou\w*)"
# « pas une cirrhose, une stéatose » : what is denied, where something else is named.
_DENIED = re.compile(r"\b(?:pas|non) (?:(?:d|de|du|des|la|le|l|les|une?|sa|son|mes|ma|mon|pour|a|au) )*\w+")
_SUCCESS_RATE = re.compile(rf"{_HOW_MANY}.{{0,90}}{_BETTER}|{_BETTER}.{{0,50}}{_HOW_MANY}")
_HOW_FREQUENT = re.compile(rf"\b(?:32 ?(?:%|{_PER_CENT})|combien de (?:gens|personnes|monde)|frequente?s?|repandue?s?|population)\b")


@dataclass(frozen=True)
class About:
    """What a message names; None for what it leaves open, which then stays as it was.

    Attributes:
        scope: ``liver`` or ``general``.
        condition: an id of ``data/facts/conditions.yml``, or ``any``.
        figure: ``sixty`` or ``thirty_two``: a figure of the articles that is asked about.
        asks_success_rate: whether it asks how many get better.
        beside: further diseases that it names, by ids of ``data/facts/conditions.yml``.
    """

    scope: str | None = None
    condition: str | None = None
    figure: str | None = None
    asks_success_rate: bool = False
    beside: tuple[str, ...] = ()


def about(text: str) -> About:
    """Reads one message.

    The liver wins over another disease in the same message: its own figures differ, so that an answer for the liver must
    never be given the general ones.
    """
    known = _conditions()
    words = _NOT_NAMED.sub(" ", known.every.words(text))
    affirmed = _DENIED.sub(" ", words)
    condition = known.every.find(affirmed) or known.every.find(words)
    figure = "sixty" if _SIXTY.search(text.lower()) else None
    if condition == "steatose" and _HOW_FREQUENT.search(words):
        figure = "thirty_two"
    rate = bool(_SUCCESS_RATE.search(fold(text)))
    if condition:
        if condition == "cirrhose" and rate:
            figure = "sixty"
        liver_too = known.scopes[condition] == GENERAL and not _GENERAL.search(words) and _LIVER.find(words)
        scope, first = (LIVER, ANY) if liver_too else (known.scopes[condition], condition)
        return About(scope, first, figure, rate, tuple(name for name in known.diseases.find_all(affirmed) if name != first))
    if _GENERAL.search(words):
        return About(GENERAL, ANY, figure, rate)
    if _LIVER.find(words):
        return About(LIVER, ANY, figure, rate)
    return About(None, ANY if _WHICH.search(words) else None, figure, rate)


def diseases(text: str) -> list[str]:
    """Every disease of the articles that a message names, as ids of ``data/facts/conditions.yml``."""
    return [name for name in _conditions().every.find_all(text) if name != ANY]


def article_of(condition: str) -> str:
    """The article that speaks of a disease: ``liver`` or ``general``."""
    return _conditions().scopes[condition]


@dataclass(frozen=True)
class _Conditions:
    """What diseases are known by: every word that may name one, the names of diseases alone, and the article of each."""

    every: Lexicon
    diseases: Lexicon
    scopes: dict[str, str]


@lru_cache(maxsize=1)
def _conditions() -> _Conditions:
    entries: list[dict[str, Any]] = yaml.safe_load(FILE.read_text(encoding="utf-8"))
    every = Lexicon((e["id"], [*e["mots"], *e.get("lieux", ())]) for e in entries)
    names = Lexicon((e["id"], e["mots"]) for e in entries if not e.get("famille"))
    return _Conditions(every, names, {e["id"]: e["scope"] for e in entries})
