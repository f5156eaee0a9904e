"""A message as a dictionary would write it: capitals, lost accents, SMS and words written by ear come out alike. No Rasa import.

The sentence encoder learned from well-written French. To it « COMBIEN CA COUTE » and « combien ça coûte » have next to nothing in common (cosine 0.19).
"""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import yaml

from bot.french_words import frequent_words
from bot.guard.normalise import fold
from bot.guard.spelling import Speller
from bot.sound import sound

FACTS = Path(__file__).resolve().parent.parent / "data/facts/facts.yml"  # whose words are those of the subject
FREQUENT = 30_000
SHORT = 3  # letters; what is no longer sounds like too many words
# Each of these is two words without its accent; as it is written here it is meant far more often.
AS_THEY_ARE = ("a", "ou", "la", "des", "sur", "du")

_WORD = re.compile(r"[^\W\d_]+")


@dataclass(frozen=True)
class _Words:
    """What words are found by.

    Attributes:
        known: every word.
        plain: the most frequent word of each folded form.
        heard: the most frequent word of each sound.
        speller: corrects a folded word to the subject's words.
    """

    known: frozenset[str]
    plain: dict[str, str]
    heard: dict[str, str]
    speller: Speller


def written_out(text: str) -> str:
    """The text in lower case, SMS spelt out, accents put back, words written by ear replaced by the most frequent one that sounds the same.

    A word that is written like an ordinary one stays that one, and a word that is like none stays as it is.
    """
    words = _words()
    as_typed: dict[str, list[str]] = defaultdict(list)  # by folded form, the last first
    for word in reversed(_WORD.findall(unicodedata.normalize("NFC", text).lower())):
        as_typed[_plain(word)].append(word)

    def written(match: re.Match[str]) -> str:
        folded = match.group()
        typed = as_typed[folded].pop() if as_typed[folded] else folded
        if not typed.isascii() and typed in words.known:
            return typed
        if meant := words.plain.get(folded):
            return meant
        if len(folded) > SHORT and (meant := words.heard.get(sound(folded))):
            return meant
        corrected = words.speller.correct(folded)
        return words.plain.get(corrected, corrected)

    return _WORD.sub(written, fold(text))


@lru_cache(maxsize=1)
def _words() -> _Words:
    subject = sorted({word for fact in yaml.safe_load(FACTS.read_text(encoding="utf-8")) for word in _WORD.findall(fact["fait"].lower())})
    words = [word for word in [*AS_THEY_ARE, *frequent_words(FREQUENT), *subject] if _WORD.fullmatch(word)]
    plain: dict[str, str] = {}
    heard: dict[str, str] = {}
    for word in words:
        plain.setdefault(_plain(word), word)
    for folded, word in plain.items():
        if len(folded) > SHORT:
            heard.setdefault(sound(folded), word)
    return _Words(frozenset(words), plain, heard, Speller(map(_plain, subject)))


def _plain(word: str) -> str:
    """A word without its accents."""
    decomposed = unicodedata.normalize("NFD", word.replace("œ", "oe").replace("æ", "ae"))
    return "".join(c for c in decomposed if unicodedata.category(c) != "Mn")
