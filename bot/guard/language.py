"""Says when a message is surely not French. Doubt means French: a French visitor must never be told to write French.

Four kinds of evidence: the script, the words of ``languages.yml``, letters and endings of words in no list, and langdetect, which
is asked only about text long enough for it (it takes « merci » for Spanish). All but the first are weighed against the French words.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml
from langdetect import DetectorFactory, LangDetectException, detect_langs
from langdetect.detector_factory import init_factory

from bot.french_words import frequent_words
from bot.guard.scripts import plain, script

_FILE = Path(__file__).with_name("languages.yml")
_COMMON = 20_000  # so many of the most frequent French words tell for French, half as much as those of languages.yml
_SURE, _LISTED, _HALF = 2.0, 1.0, 0.5  # points of a word
_ENOUGH = 2.0  # points a language needs
_ENOUGH_OF_NAMES = 3.0  # where every word begins with a capital: « Los Angeles », « Jan van der Meer »
_SHARE = 0.25  # and so many points for each word of the message
_MAJORITY = 2.0  # and more than so many times the points of French
_PLAINLY_FRENCH = 2.0  # points of French words that a language has not
_CLEARLY_FRENCH = 3.0  # points of French that outweigh another script

_LONG_ENOUGH = 30  # characters from which langdetect is worth asking
_LONG_ENOUGH_BETWEEN_TWO = 20  # for choosing between two foreign languages
_SENTENCE = 4  # words in small letters that it needs, so that lists of names are not read as a language
_FRENCH_SHARE = 0.4  # points of French for each word from which it is not asked
_SURE_ENOUGH = 0.95  # its probability from which it is believed
DetectorFactory.seed = 0  # the same message is always read the same way

_ADDRESS = re.compile(r"\S{1,64}@\S{1,200}|\bhttps?://\S{1,300}|\bwww\.\S{1,300}")
_WORD = re.compile(r"[^\W_]+")
_STRETCHED = re.compile(r"([^\W\d])\1{2,}")
_FRENCH_LETTERS = frozenset("àâçéèêëîïôœùû")
_UMLAUTS = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue"})


@dataclass(frozen=True)
class _Languages:
    """languages.yml, ready to be asked."""

    french: dict[str, float]
    foreign: dict[str, dict[str, float]]  # word → language → points
    loans: frozenset[str]
    phrases: re.Pattern[str]
    letters: dict[str, frozenset[str]]
    endings: dict[str, tuple[str, ...]]
    shapes: dict[str, re.Pattern[str]]
    scripts: dict[str, list[str]]
    alphabets: dict[str, frozenset[str]]
    written: dict[str, frozenset[str]]
    same: dict[str, str]


def speaks_french(text: str) -> bool:
    """Whether a message is plainly French: it shows more French than any other language can explain.

    Args:
        text: a visitor's message as written, any length.
    """
    _, score = _read(text)
    return all(score.french_beside(language) >= max(_PLAINLY_FRENCH, score.points.get(language, 0.0)) for language in _languages().letters)


def foreign_language(text: str) -> str | None:
    """The language of a message that is surely not French.

    Args:
        text: a visitor's message as written, any length.

    Returns:
        An ISO 639-1 code (``en``, ``de``, ``ar``, …), ``sr-Cyrl`` for Serbian in Cyrillic, ``und`` for an unknown script, or None for French or doubt.
    """
    other, score = _read(text)
    if other and score.french < _CLEARLY_FRENCH:
        return _by_script(other)
    best = score.best()
    if best is None:
        return _detected(text, score)
    rivals = score.rivals(best)
    if rivals and len(text.strip()) >= _LONG_ENOUGH_BETWEEN_TWO:
        code, _ = _ask(text)
        return code if code in rivals else best
    return best


def _read(text: str) -> tuple[list[str], _Score]:
    """The words of another script where they are more than half of the message, and what the Latin ones tell."""
    text = _ADDRESS.sub(" ", unicodedata.normalize("NFKC", text))  # fullwidth and ornamental letters are Latin
    words = [_STRETCHED.sub(r"\1", word) for word in _WORD.findall(text)]
    other = [word for word in words if script(word) != "LATIN"]
    latin = [word for word in words if script(word) == "LATIN"] if other else words
    many = sum(map(len, other)) > max(1, sum(len(word) for word in latin if not word.isdigit()))
    return other if many else [], _Score(latin)


class _Score:
    """What the words of one message tell for each language, and for French beside it."""

    def __init__(self, words: list[str]) -> None:
        known = _languages()
        self.points: dict[str, float] = {}
        self.french = 0.0
        self._shared: dict[str, float] = {}  # points of French that a language has too
        self._met: Counter[str] = Counter()
        self.words = _without_phrases([word for word in words if not word.isdigit()], known.phrases)
        self._names = len(self.words) > 1 and all(w[0].isupper() for w in self.words) and not "".join(self.words).isupper()
        self.counted = 0
        for word in self.words:
            spelt = word.lower()
            if spelt not in known.foreign and spelt not in known.french:
                spelt = plain(word)
            if spelt not in known.loans:
                self.counted += 1
                self._add(word, spelt, known)

    def _add(self, word: str, spelt: str, known: _Languages) -> None:
        french = known.french.get(spelt, 0.0)
        if french == _HALF and self.counted > 1 and word.istitle():
            french = 0.0  # « San Francisco », known to French as a name
        found = known.foreign.get(spelt) or ({} if french else dict(_looks(word, spelt, known)))
        if not french and not found and _marks(word) and _marks(word) <= _FRENCH_LETTERS:
            french = _HALF
        self.french += french
        for language, points in found.items():
            self._met[language] += 1
            if french:
                self._shared[language] = self._shared.get(language, 0.0) + french
            else:
                self.points[language] = self.points.get(language, 0.0) + points

    def best(self) -> str | None:
        """The language with most points, if they are enough beside those of French."""
        if not self.points:
            return None
        best = max(self.points, key=lambda language: (self.points[language], self._met[language]))
        points = self.points[best]
        enough = points >= (_ENOUGH_OF_NAMES if self._names else _ENOUGH) and points >= _SHARE * self.counted
        return best if enough and points > _MAJORITY * self.french_beside(best) else None

    def rivals(self, best: str) -> set[str]:
        """Languages as likely as the best one, or nearly."""
        return {language for language, points in self.points.items() if points > self.points[best] - _LISTED and language != best}

    def french_beside(self, language: str) -> float:
        """Points of the French words that a language has not."""
        return self.french - self._shared.get(language, 0.0)


def _looks(word: str, spelt: str, known: _Languages) -> Iterator[tuple[str, float]]:
    """What the spelling of a word in no list tells. Names tell nothing."""
    if any(character.isdigit() for character in spelt):
        yield from ((language, _LISTED) for language, shape in known.shapes.items() if shape.match(spelt) and spelt.lstrip("379") not in known.french)
        return
    if not word.islower() or word.endswith("ić"):
        return
    marked = _marks(word)
    for language, letters in known.letters.items():
        typical = bool(marked - _FRENCH_LETTERS) and marked <= letters
        ending = len(spelt) > 4 and marked <= letters and spelt.endswith(known.endings[language])
        if typical or ending:
            yield language, _LISTED * typical + _HALF * ending


def _marks(word: str) -> set[str]:
    return {character for character in word.lower() if not character.isascii()}


def _by_script(words: list[str]) -> str:
    known = _languages()
    counts = Counter(script(word) for word in words)
    used = "HIRAGANA" if counts["HIRAGANA"] else counts.most_common(1)[0][0]
    candidates = known.scripts.get(used, ["und"])
    if len(candidates) == 1:
        return candidates[0]
    lower = [word.lower() for word in words if script(word) == used]

    def points(language: str) -> int:
        alphabet, written = known.alphabets[language], known.written[language]
        return sum((word in written or _is_serbian(language, word)) - (not alphabet.issuperset(word)) for word in lower)

    return max(candidates, key=points)  # the first of equals


def _is_serbian(language: str, word: str) -> bool:
    """Whether a Cyrillic word stands in the Latin list of Serbian."""
    return language == "sr-Cyrl" and "sr" in _languages().foreign.get(plain(word), ())


def _detected(text: str, score: _Score) -> str | None:
    """The language that langdetect is sure of, where the words allow it."""
    if len(text.strip()) < _LONG_ENOUGH or sum(w.islower() for w in score.words) < _SENTENCE or score.french > _FRENCH_SHARE * score.counted:
        return None
    code, probability = _ask(text)
    if probability < _SURE_ENOUGH or code == "fr":
        return None
    points, french = score.points.get(code, 0.0), score.french_beside(code)
    # A language with lists shows one of its words in a whole sentence; of another one, French must not show more than a stray word.
    return code if (points >= max(_LISTED, french) if code in _languages().letters else french <= score.counted / 8) else None


def _ask(text: str) -> tuple[str, float]:
    """What langdetect takes a text for, and its probability; « fr » where it finds nothing to go by."""
    try:
        best = detect_langs(text.lower())[0]
    except LangDetectException:
        return "fr", 0.0
    return _languages().same.get(best.lang, str(best.lang)), float(best.prob)


def _without_phrases(words: list[str], phrases: re.Pattern[str]) -> list[str]:
    joined = " ".join(words)
    return phrases.sub(" ", joined.lower()).split() if phrases.search(joined.lower()) else words


def _spellings(word: str) -> set[str]:
    """A word as it is in the list, without its marks, and with « ae » for « ä »."""
    return {word.lower(), plain(word), plain(word.translate(_UMLAUTS))}


@lru_cache(maxsize=1)
def _languages() -> _Languages:
    init_factory()  # langdetect reads its profiles now (half a second), not at a visitor's first long message
    with _FILE.open(encoding="utf-8") as stream:
        raw: dict[str, Any] = yaml.load(stream, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506 (safe, and ten times faster)
    languages: dict[str, dict[str, str]] = raw["languages"]
    latin = {name: entry for name, entry in languages.items() if "letters" in entry}
    foreign: dict[str, dict[str, float]] = {}
    for name, entry in latin.items():
        for key, points in (("sure", _SURE), ("words", _LISTED)):
            for word in entry[key].split():
                for spelling in _spellings(word):
                    foreign.setdefault(spelling, {})[name] = points
    french = {spelling: _HALF for word in frequent_words(_COMMON) for spelling in _spellings(word) if spelling not in foreign}
    french.update({spelling: _LISTED for word in raw["french"]["words"].split() for piece in word.split("'") if piece for spelling in _spellings(piece)})
    written = {name: frozenset(entry.get("written", "").split()) for name, entry in languages.items()}
    return _Languages(
        french=french,
        foreign=foreign,
        loans=frozenset(plain(word) for word in raw["french"]["loans"].split()),
        phrases=re.compile(rf"\b(?:{'|'.join(re.escape(phrase.strip()) for phrase in raw['french']['phrases'].split('|'))})\b"),
        letters={name: frozenset(entry["letters"]) for name, entry in latin.items()},
        endings={name: tuple(plain(e) for e in entry["endings"].split()) for name, entry in latin.items()},
        shapes={name: re.compile(entry["shapes"]) for name, entry in latin.items() if "shapes" in entry},
        scripts=raw["scripts"],
        alphabets={name: frozenset(entry["alphabet"]) for name, entry in languages.items() if "alphabet" in entry},
        written=written,
        same=raw["same"],
    )
