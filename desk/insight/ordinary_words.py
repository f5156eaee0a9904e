"""Which words are ordinary ones and no names: told by how much more frequent they are in French than in other languages.

A name is about as frequent in English, German or Dutch as in French (« Martin »: 4.8 beside 4.7 on the Zipf scale); « combien » is not (5.0 beside 1.6).
Of 310 first and last names that are common in France, the Maghreb, West Africa and Serbia, 16 pass without a capital (« petit », « blanc »…) and
6 with one (22 November 2026). In 6,159 questions of ``data/nlu``, two words in a hundred are masked.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml
from wordfreq import get_frequency_list

ROOT = Path(__file__).resolve().parent.parent.parent
KEPT = Path(__file__).with_name("kept_words.txt")
OTHERS = ("en", "de", "nl", "it", "es", "pl")
RAREST = 640  # centibels below certainty: 2.6 on the Zipf scale, about 51,000 French words
UNSEEN = 900  # what a word that a language does not have counts as
UNSEEN_FROM = RAREST + 220  # rarer ones are not looked for
OF_OTHERS = 2  # compared with the third most frequent of the six others: two languages may have borrowed the word
ORDINARY, BEYOND_DOUBT = 160, 220  # centibels between French and the others
LETTERS = "abcdefghijklmnopqrstuvwxyz"
SHORTEST_SLIP, LONGEST_SLIP = 5, 24  # letters of a word that may be another one with a typing error
_LIGATURES = str.maketrans({"œ": "oe", "æ": "ae", "Œ": "oe", "Æ": "ae"})
_TOKEN = re.compile(r"[a-z]+")
_LOWER = re.compile(r"(?<![\w'’])[a-zàâçéèêëîïôûùüÿœæ]+(?![\w])")


@dataclass(frozen=True)
class OrdinaryWords:
    """Folded words that name nobody.

    Attributes:
        french: every French word that is not rare, names included.
        subjects: diseases and other things that visitors ask about (« Crohn »); kept with a capital, too.
        beyond_doubt: French words that hardly any other language has; likewise.
        ordinary: kept where they are written without a capital.
    """

    french: frozenset[str]
    subjects: frozenset[str]
    beyond_doubt: frozenset[str]
    ordinary: frozenset[str]

    def is_kept(self, word: str, with_capital: bool) -> bool:
        """Whether a word may stay.

        Args:
            word: folded.
            with_capital: whether it had a capital of its own, not that of a sentence's beginning.
        """
        if len(word) <= 2 or word in self.subjects or word in self.beyond_doubt:
            return True
        return not with_capital and (word in self.ordinary or self._is_slip(word))

    def _is_slip(self, word: str) -> bool:
        """Whether one typing error separates a word from an ordinary one; what is more frequent than that is a word of its own."""
        return (
            SHORTEST_SLIP <= len(word) <= LONGEST_SLIP
            and word not in self.french
            and any(near in self.subjects or near in self.beyond_doubt for near in _near(word))
        )


@lru_cache(maxsize=1)
def ordinary_words() -> OrdinaryWords:
    """The words, read once (two seconds): French ones from ``wordfreq``, those of the content, and the list beside this module."""
    distances = _distances()
    kept = [line for line in KEPT.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    return OrdinaryWords(
        french=frozenset(distances),
        subjects=frozenset(_subjects()),
        beyond_doubt=frozenset(word for word, distance in distances.items() if distance >= BEYOND_DOUBT),
        ordinary=frozenset([*(word for word, distance in distances.items() if distance >= ORDINARY), *" ".join(kept).split(), *_said_by_us()]),
    )


def _distances() -> dict[str, int]:
    """How many centibels each French word is more frequent in French than in the others; accents do not count, since other languages drop them (« Léa »)."""
    # Past the cache of wordfreq: seven whole languages would stay in memory for words that are looked at once.
    french = _by_frequency(get_frequency_list.__wrapped__("fr")[:RAREST])
    others = [_by_frequency(get_frequency_list.__wrapped__(language)[:UNSEEN_FROM], among=french) for language in OTHERS]
    return {word: sorted(other.get(word, UNSEEN) for other in others)[OF_OTHERS] - cb for word, cb in french.items()}


def _by_frequency(listed: list[list[str]], among: Mapping[str, int] | None = None) -> dict[str, int]:
    """Centibels below certainty of each word, that of its most frequent spelling."""
    found: dict[str, int] = {}
    for cb, words in enumerate(listed):
        for word in words:
            key = word if word.isascii() else plain(word)
            if key.isalpha() and (among is None or key in among):
                found.setdefault(key, cb)
    return found


def _subjects() -> Iterator[str]:
    """Words of the lists of diseases and of what the articles are silent about."""
    for entry in _yaml("conditions.yml"):
        yield from _folded([*entry["mots"], *entry.get("lieux", ())])
    for part in _yaml("silence.yml").values():
        for entry in part:
            yield from _folded([*entry["mots"], entry["nom"]])


def _said_by_us() -> Iterator[str]:
    """Words of the answers and facts, and short ones of SMS."""
    yield from map(str, yaml.safe_load((ROOT / "bot/guard/sms.yml").read_text(encoding="utf-8")))
    # The form's texts name people, as examples.
    answers = [path for path in sorted((ROOT / "data/answers").glob("*.yml")) if path.name != "booking.yml"]
    for path in (*answers, ROOT / "data/facts/facts.yml"):
        yield from _folded(_LOWER.findall(path.read_text(encoding="utf-8")))


def _yaml(name: str) -> Any:
    return yaml.safe_load((ROOT / "data/facts" / name).read_text(encoding="utf-8"))


def plain(text: str) -> str:
    """Lower case without accents. Lighter than ``bot.guard.normalise.fold``, and no SMS word becomes another here.

    >>> plain("Œdème hépatique")
    'oedeme hepatique'
    """
    return unicodedata.normalize("NFKD", text.translate(_LIGATURES)).encode("ascii", "ignore").decode().lower()


def _folded(words: Iterable[str]) -> Iterator[str]:
    for word in words:
        yield from _TOKEN.findall(plain(word))


def _near(word: str) -> Iterator[str]:
    for i in range(len(word) + 1):
        before, after = word[:i], word[i:]
        if after:
            yield before + after[1:]
            yield from (before + letter + after[1:] for letter in LETTERS)
        if len(after) > 1:
            yield before + after[1] + after[0] + after[2:]
        yield from (before + letter + after for letter in LETTERS)
