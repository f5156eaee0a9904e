"""Danger signs written in another language than French, so that their writer gets the numbers too.

Far shorter than the French lexicon, and read more simply. Every language of ``lexicon_foreign.yml`` is looked for, whatever the message
is thought to be written in: a few words in panic tell the sign better than they tell the language. In doubt it fires.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from bot.guard.lexicon import pattern_lines
from bot.guard.scripts import consonants, plain
from bot.guard.spelling import Speller

_FILE = Path(__file__).with_name("lexicon_foreign.yml")
# From the gravest; the names are those of the texts of utter_red_flag.
_FAMILIES = ("suicide_urgent", "suicide", "poisoning", "suicide_veiled", "assisted_dying", "emergency", "child_danger", "violence", "after_injection")
_FRAMES = ("questions", "past", "figures")  # what silences a sign
_DEFAULT_GAP = 3
_NEAR = 20  # words within which the parts of one « a & b » line must lie
_NEGATED = 3  # words before a sign in which a negation denies it
_LONGEST = 3000  # characters; a visitor's message has 2,000 at most

_ADDRESS = re.compile(r"\S{1,64}@\S{1,200}|\bhttps?://\S{1,300}|\bwww\.\S{1,300}")
_CONTRACTION = re.compile(r"(?<=[^\W\d])['’‘`´](?=(?:t|m|s|re|ve|ll|d)\b)", re.IGNORECASE)  # « can't », « he's » stay one word
_PIECE = re.compile(r"[^\W_]+|[.!?;:,\n؟،…]")
_STRETCHED = re.compile(r"([^\W\d])\1{2,}")
# Arabic writes « and », « the », « with the » on to the word; « الآن » (now) is no noun. « ولا » is « and not ».
_ARTICLE = re.compile("^(?:[وف]?(?:ال|بال|كال|لل))(?!ان$|ام$)(?=..)|^و(?=(?:لا|ما|لم)$)")
_ARABIC = str.maketrans({"ى": "ي", "ة": "ه", "ـ": None, "گ": "ك", "ڭ": "ك", "ڤ": "ف", "پ": "ب"})
_CLITIC = re.compile("^[وفبلكسغ](?=...)")  # « and », « in », « with », « to », « as », and the marks of verbs
_PRONOUN = re.compile("(?<=...)(?:ها|هم|نا|ني|كم|ه|ي|ك|و)$")
# What may stand before and after the root of an Arabic verb or noun, as `consonants` leaves it.
_BEFORE = re.compile("[فبل]{0,2}(?:[كتغسهبدر]{0,2}[نت]?|م)")
_AFTER = re.compile("(?:ت|ن|تم)?(?:ه|هم|ك|كم|ن)?(?:ل[هنك]?)?")
_AFFIX = 4  # consonants
_ROOT = 3  # consonants of the shortest root; two when its word is denied (« makayfi9ch »)
_DENIES = frozenset("ما مش موش ماشي ماني مانيش لا لم لن ليس ليست غير ma mch mech mouch mesh mani machi la lam".split())
# Arabic in Latin letters: digits between letters, or a word no other language has.
_ARABIZI = re.compile(
    r"(?<![^\W_])(?:[3579][a-z]{2,}|[a-z]+[35679][a-z]+|[a-z]{2,}[379])(?![^\W_])|"
    r"\b(?:be?z+a+f|barcha|wach|wesh|ra(?:ni|hi|ho)|dyal\w*|daba|dork|tawa|khou?ya|ra[jg]e?li|marti|we?ldi|benti|bghi\w*|mab[9q]\w+|ma?ka[yn]\w{3,}"
    r"|ka[nyt]\w{3,}|bghit|nheb|rassi|ro[u7]?hi|3\w+|chre?bt?|dreb\w*|ghadi\w*|lyoum|ellil|inajem|manajm\w+)\b",
    re.IGNORECASE,
)
_SHORTEST_MISSPELT = 7  # letters
_UMLAUT = re.compile("([aou])e")  # German without its marks (« schlaegt »)


@dataclass(frozen=True)
class _Element:
    """One place of a pattern: a word among some (« bleed* » any word that begins so), or up to `gap` words of any kind."""

    words: frozenset[str]
    optional: bool = False
    gap: int = 0


_Part = tuple[_Element, ...]
_Word = tuple[str, frozenset[str]]  # a word of a message, and the keys under which patterns know it


@dataclass(frozen=True)
class _Line:
    family: str
    always: bool
    parts: tuple[_Part, ...]


@dataclass(frozen=True)
class _Lexicon:
    """The danger signs of one language."""

    fillers: frozenset[str]
    negations: frozenset[str]
    joining: frozenset[str]  # words that begin a new clause
    lines: tuple[_Line, ...]
    frames: dict[str, tuple[_Part, ...]]  # the present, questions, the past, figures of speech
    starts: dict[str, tuple[int, ...]]  # word → lines whose first part needs it


@dataclass(frozen=True)
class _Vocabulary:
    """What the words of a message are compared with."""

    stems: frozenset[str]
    roots: frozenset[str]
    speller: Speller


@dataclass(frozen=True)
class _Sentence:
    """Words of one sentence: each as the keys under which patterns know it, with the number of its clause."""

    words: tuple[str, ...]
    keys: tuple[frozenset[str], ...]
    clauses: tuple[int, ...]

    def spans(self, part: _Part) -> Iterator[tuple[int, int]]:
        """Where a part is met: first word, and the one after the last."""
        for start in range(len(self.keys)):
            end = self._end(part, 0, start)
            if end is not None:
                yield start, end

    def _end(self, part: _Part, place: int, at: int) -> int | None:
        if place == len(part):
            return at
        element = part[place]
        if element.gap:
            tries = range(at, min(at + element.gap, len(self.keys)) + 1)
            return next((end for i in tries if (end := self._end(part, place + 1, i)) is not None), None)
        if at < len(self.keys) and element.words & self.keys[at]:
            end = self._end(part, place + 1, at + 1)
            if end is not None:
                return end
        return self._end(part, place + 1, at) if element.optional else None


def check_foreign(text: str) -> str | None:
    """Looks for the gravest danger sign written in a language other than French.

    Args:
        text: the message as written, any length.

    Returns:
        The variation of ``utter_red_flag`` that answers it, or None.
    """
    lexicons, vocabulary = _lexicons()
    words = list(_known(text[:_LONGEST], vocabulary))
    keys = frozenset[str]().union(*(known for _, known in words))
    found = {family for lexicon in lexicons if not keys.isdisjoint(lexicon.starts) for family in _found(lexicon, words)}
    if found & {"suicide", "suicide_veiled"} and found & {"emergency", "poisoning"}:
        return "suicide_urgent"  # the text that says both numbers, the vital one first
    return next((family for family in _FAMILIES if family in found), None)


def _found(lexicon: _Lexicon, words: list[_Word]) -> Iterator[str]:
    """The families met by the signs of one language. Its neighbours share many words (« infarto »): the frames are those of all."""
    frames = _frames()
    sentences = list(_sentences(lexicon, words))
    own = _Frame(lexicon.frames["now"])
    told = [frames["past"].spans(whole) for whole, _ in sentences]
    now = [_outside(own.spans(whole), past) for (whole, _), past in zip(sentences, told)]
    for number, (whole, skimmed) in enumerate(sentences):
        candidates = {line for keys in skimmed.keys for key in keys for line in lexicon.starts.get(key, ())}
        if not candidates:
            continue
        present = any(now[max(0, number - 1) : number + 2])
        general = not present and bool(frames["questions"].spans(whole))
        past = set() if present else {whole.clauses[start] for start, _ in told[number]}
        figures = {whole.clauses[start] for start, _ in frames["figures"].spans(whole)}
        for line in (lexicon.lines[candidate] for candidate in sorted(candidates)):
            if line.always or not general:
                yield from _stated(line, skimmed, past if line.family.startswith("suicide") else past | figures, lexicon.negations)


def _outside(spans: list[tuple[int, int]], others: list[tuple[int, int]]) -> bool:
    """Whether one of the spans crosses none of the others: « hace dos años » is not « hace dos horas »."""
    return any(all(end <= start or stop <= begin for start, stop in others) for begin, end in spans)


def _stated(line: _Line, sentence: _Sentence, silent: set[int], negations: frozenset[str]) -> Iterator[str]:
    """The family of a line where it is met, unless the past, a figure of speech or a negation takes it away."""
    negative = any(element.words & negations for element in line.parts[0])  # « not breathing »: the negation is the sign
    denying = any(word.startswith("not~") for word in line.parts[0][0].words)
    for start, end in _matches(sentence, line.parts):
        clause = sentence.clauses[start]
        around = range(max(0, start - _NEGATED), start - 1 if denying else start if negative else end)
        denied = any(sentence.words[i] in negations and sentence.clauses[i] == clause for i in around)
        if denied and line.family.startswith("suicide"):
            yield "suicide_veiled"  # a word of suicide is never silenced
        elif not denied and clause not in silent:
            yield line.family


def _matches(sentence: _Sentence, parts: tuple[_Part, ...]) -> Iterator[tuple[int, int]]:
    """Where the first part is met, with all the others near."""
    for start, end in sentence.spans(parts[0]):
        if all(any(abs(other - start) <= _NEAR for other, _ in sentence.spans(part)) for part in parts[1:]):
            yield start, end


class _Frame:
    """Parts that tell how a sentence is meant, found by their words."""

    def __init__(self, parts: tuple[_Part, ...]) -> None:
        self._starts: dict[str, list[_Part]] = {}
        for part in parts:
            for word in _needed(part):
                self._starts.setdefault(word, []).append(part)

    def spans(self, sentence: _Sentence) -> list[tuple[int, int]]:
        parts = {id(part): part for keys in sentence.keys for key in keys for part in self._starts.get(key, ())}
        return [span for part in parts.values() for span in sentence.spans(part)]


def _needed(part: _Part) -> frozenset[str]:
    """Words of which a sentence must have one for the part to be met."""
    return next(element.words for element in part if element.words and not element.optional)


def _sentences(lexicon: _Lexicon, words: list[_Word]) -> Iterator[tuple[_Sentence, _Sentence]]:
    """Each sentence whole, in which the frames are looked for, and without its fillers, in which the signs are."""
    met: list[tuple[_Word, int]] = []
    clause = 0
    for word in [*words, (".", frozenset[str]())]:
        if word[0] in ".!?;\n؟…":
            if met:
                yield _sentence(met), _sentence([(w, c) for w, c in met if w[0] not in lexicon.fillers])
            met = []
        elif word[0] in ",:،":
            clause += 1
        else:
            clause += word[0] in lexicon.joining
            met.append((word, clause))


def _sentence(met: list[tuple[_Word, int]]) -> _Sentence:
    return _Sentence(tuple(w for (w, _), _ in met), tuple(keys for (_, keys), _ in met), tuple(c for _, c in met))


def _known(text: str, vocabulary: _Vocabulary) -> Iterator[_Word]:
    """The words of a message, each with the keys under which patterns know it."""
    arabizi = _ARABIZI.search(text) is not None
    before = ""
    for word in _words(text):
        spellings = {word} if arabizi else {word, *_respelt(word, vocabulary)}
        keys = {spelling[:i] + "*" for spelling in spellings for i in range(2, len(spelling) + 1)} & vocabulary.stems
        if arabizi if word.isascii() else "\u0600" <= word[0] <= "\u06ff":
            keys |= _roots(word, before in _DENIES, vocabulary.roots)
        yield word, frozenset(spellings | keys)
        before = word


def _respelt(word: str, vocabulary: _Vocabulary) -> Iterator[str]:
    """Other spellings of a word: Arabic without its attached words, German without umlauts, one typing error."""
    if "\u0600" <= word[0] <= "\u06ff":
        for spelt in (word, _CLITIC.sub("", word)):
            yield spelt
            yield _PRONOUN.sub("", spelt)
        return
    if len(word) > _ROOT and word.isascii() and "e" in word:
        yield _UMLAUT.sub(r"\1", word)
    if len(word) >= _SHORTEST_MISSPELT:
        yield vocabulary.speller.correct(word)


def _roots(word: str, denied: bool, roots: frozenset[str]) -> set[str]:
    """The keys of an Arabic word by its root: « ~نفس », or « not~نفس » when it is denied before or by its own « ma…ch »."""
    left = consonants(word)
    enclosed = len(left) > _ROOT and left[0] == "م" and left[-1] == "ش"
    denied = denied or enclosed
    left = left[1:-1] if enclosed else left.removesuffix("ش") if denied and len(left) >= _ROOT else left
    mark, shortest = ("not~", _ROOT - 1) if denied else ("~", _ROOT)
    found: set[str] = set()
    for i in range(min(_AFFIX, len(left)) + 1):
        for j in range(max(i + shortest, len(left) - _AFFIX), len(left) + 1):
            key = mark + left[i:j]
            if key in roots and _BEFORE.fullmatch(left, 0, i) and _AFTER.fullmatch(left, j):
                found.add(key)
    return found


def _words(text: str) -> list[str]:
    text = _CONTRACTION.sub("", _ADDRESS.sub(" ", text))
    return [_folded(piece) for piece in _PIECE.findall(text)]


def _folded(word: str) -> str:
    """One spelling for a word: small letters, no marks, Serbian in Latin, no Arabic article."""
    spelt = _STRETCHED.sub(r"\1", plain(word))
    return spelt if spelt.isascii() else _ARTICLE.sub("", spelt.translate(_ARABIC))


class _Reader:
    """Turns the lines of one language into patterns."""

    def __init__(self, raw: dict[str, Any], stems: set[str]) -> None:
        self._raw = raw
        self._stems = stems
        self.fillers = self._set("fillers")

    def lexicon(self) -> _Lexicon:
        lines = tuple(
            _Line(family, text.strip().startswith("!"), tuple(self._part(piece, self.fillers) for piece in text.strip("! ").split("&")))
            for family in _FAMILIES
            for text in pattern_lines(self._raw.get(family, ""))
        )
        starts: dict[str, list[int]] = {}
        for number, line in enumerate(lines):
            for word in _needed(line.parts[0]):
                starts.setdefault(word, []).append(number)
        return _Lexicon(
            fillers=self.fillers,
            negations=self._set("negations"),
            joining=self._set("joining"),
            lines=lines,
            frames=dict(zip(("now", *_FRAMES), (self._frame("now"), self._frame("questions"), *self._pasts()))),
            starts={word: tuple(numbers) for word, numbers in starts.items()},
        )

    def _frame(self, name: str) -> tuple[_Part, ...]:
        return tuple(self._part(text) for text in pattern_lines(self._raw.get(name, "")))

    def _pasts(self) -> tuple[tuple[_Part, ...], tuple[_Part, ...]]:
        """The past, then the figures of speech, written in it after « ! »."""
        texts = [text.strip() for text in pattern_lines(self._raw.get("past", ""))]
        figures = tuple(self._part(text.strip("! ")) for text in texts if text.startswith("!"))
        return tuple(self._part(text) for text in texts if not text.startswith("!")), figures

    def _set(self, name: str) -> frozenset[str]:
        return frozenset(_folded(word) for word in self._raw.get(name, "").split())

    def _part(self, text: str, dropped: frozenset[str] = frozenset()) -> _Part:
        elements: list[_Element] = []
        for item in text.split():
            if item.startswith(".."):
                elements.append(_Element(frozenset(), gap=int(item[2:] or _DEFAULT_GAP)))
                continue
            words = frozenset(self._alternatives(item.rstrip("?"))) - dropped
            if words:  # a filler is dropped from the signs as it is from messages
                elements.append(_Element(words, item.endswith("?")))
        if not any(element.words and not element.optional for element in elements):
            raise ValueError(f"lexicon_foreign.yml: unusable pattern {text!r}")
        return tuple(elements)

    def _alternatives(self, item: str) -> Iterator[str]:
        for choice in item.split("|"):
            if choice.startswith("@"):
                for word in self._raw["groups"][choice[1:]].split():
                    yield from self._alternatives(word)
            elif choice.startswith(("~", "not~")):
                mark, _, root = choice.partition("~")
                yield f"{mark}~{consonants(plain(root))}"
            elif choice.endswith("*"):
                stem = _folded(choice[:-1]) + "*"
                self._stems.add(stem)
                yield stem
            else:
                yield _folded(choice)


@lru_cache(maxsize=1)
def _lexicons() -> tuple[tuple[_Lexicon, ...], _Vocabulary]:
    """The lexicon of each language, and the words of all."""
    with _FILE.open(encoding="utf-8") as stream:
        raw: dict[str, dict[str, Any]] = yaml.load(stream, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506 (safe, and ten times faster)
    stems: set[str] = set()
    lexicons = tuple(_Reader(language, stems).lexicon() for language in raw.values())
    words = {word for one in lexicons for line in one.lines for part in line.parts for element in part for word in element.words}
    long = [word for word in words if word.isalpha() and len(word) >= _SHORTEST_MISSPELT]
    words |= {word for one in lexicons for parts in one.frames.values() for part in parts for element in part for word in element.words}
    return lexicons, _Vocabulary(frozenset(stems), frozenset(word for word in words if "~" in word), Speller(long))


@lru_cache(maxsize=1)
def _frames() -> dict[str, _Frame]:
    lexicons, _ = _lexicons()
    return {name: _Frame(tuple(part for one in lexicons for part in one.frames[name])) for name in _FRAMES}
