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
from bot.guard.scripts import plain

_FILE = Path(__file__).with_name("lexicon_foreign.yml")
# From the gravest; the names are those of the texts of utter_red_flag.
_FAMILIES = ("suicide_urgent", "suicide", "poisoning", "suicide_veiled", "assisted_dying", "emergency", "child_danger", "violence", "after_injection")
_DEFAULT_GAP = 3
_NEAR = 20  # words within which the parts of one « a & b » line must lie
_NEGATED = 3  # words before a sign in which a negation denies it
_LONGEST = 3000  # characters; a visitor's message has 2,000 at most

_ADDRESS = re.compile(r"\S{1,64}@\S{1,200}|\bhttps?://\S{1,300}|\bwww\.\S{1,300}")
_CONTRACTION = re.compile(r"(?<=[^\W\d])['’‘`´](?=(?:t|m|s|re|ve|ll|d)\b)", re.IGNORECASE)  # « can't », « he's » stay one word
_PIECE = re.compile(r"[^\W_]+|[.!?;:,\n؟،…]")
_STRETCHED = re.compile(r"([^\W\d])\1{2,}")
# Arabic writes « and », « the », « with the » on to the word; « الآن » (now) is no noun. « ولا » is « and not ».
_ARTICLE = re.compile("^(?:[وف]?(?:ال|بال|كال|لل))(?!ان$)(?=..)|^و(?=(?:لا|ما|لم)$)")
_ARABIC = str.maketrans({"ى": "ي", "ة": "ه", "ـ": None, "گ": "ك", "ڭ": "ك", "ڤ": "ف", "پ": "ب"})


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
    now: tuple[_Part, ...]
    frames: dict[str, tuple[_Part, ...]]  # questions and the past
    starts: dict[str, tuple[int, ...]]  # word → lines whose first part needs it


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
    lexicons, stems = _lexicons()
    words = [(word, _keys(word, stems)) for word in _words(text[:_LONGEST])]
    keys = frozenset[str]().union(*(known for _, known in words))
    found = {family for lexicon in lexicons if not keys.isdisjoint(lexicon.starts) for family in _found(lexicon, words)}
    if found & {"suicide", "suicide_veiled"} and found & {"emergency", "poisoning"}:
        return "suicide_urgent"  # the text that says both numbers, the vital one first
    return next((family for family in _FAMILIES if family in found), None)


def _found(lexicon: _Lexicon, words: list[_Word]) -> Iterator[str]:
    """The families met by the signs of one language. Its neighbours share many words (« infarto »): the frames are those of all."""
    questions, pasts = _frames()
    sentences = list(_sentences(lexicon, words))
    now = [_met(whole, lexicon.now) for whole, _ in sentences]
    for number, (whole, skimmed) in enumerate(sentences):
        candidates = {line for keys in skimmed.keys for key in keys for line in lexicon.starts.get(key, ())}
        if not candidates:
            continue
        present = any(now[max(0, number - 1) : number + 2])
        general = not present and _met(whole, questions)
        past = set() if present else {whole.clauses[start] for part in pasts for start, _ in whole.spans(part)}
        for line in (lexicon.lines[candidate] for candidate in sorted(candidates)):
            if line.always or not general:
                yield from _stated(line, skimmed, past, lexicon.negations)


def _stated(line: _Line, sentence: _Sentence, past: set[int], negations: frozenset[str]) -> Iterator[str]:
    """The family of a line where it is met, unless the past or a negation takes it away."""
    negative = any(element.words & negations for element in line.parts[0])  # « not breathing »: the negation is the sign
    for start, end in _matches(sentence, line.parts):
        clause = sentence.clauses[start]
        around = range(max(0, start - _NEGATED), start if negative else end)
        denied = any(sentence.words[i] in negations and sentence.clauses[i] == clause for i in around)
        if denied and line.family.startswith("suicide"):
            yield "suicide_veiled"  # a word of suicide is never silenced
        elif not denied and clause not in past:
            yield line.family


def _met(sentence: _Sentence, parts: tuple[_Part, ...]) -> bool:
    return any(next(sentence.spans(part), None) is not None for part in parts)


def _matches(sentence: _Sentence, parts: tuple[_Part, ...]) -> Iterator[tuple[int, int]]:
    """Where the first part is met, with all the others near."""
    for start, end in sentence.spans(parts[0]):
        if all(any(abs(other - start) <= _NEAR for other, _ in sentence.spans(part)) for part in parts[1:]):
            yield start, end


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


def _keys(word: str, stems: frozenset[str]) -> frozenset[str]:
    return frozenset({word, *(word[:i] + "*" for i in range(2, len(word) + 1) if word[:i] + "*" in stems)})


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
            for word in next(element.words for element in line.parts[0] if element.words and not element.optional):
                starts.setdefault(word, []).append(number)
        return _Lexicon(
            fillers=self.fillers,
            negations=self._set("negations"),
            joining=self._set("joining"),
            lines=lines,
            now=self._frame("now"),
            frames={name: self._frame(name) for name in ("questions", "past")},
            starts={word: tuple(numbers) for word, numbers in starts.items()},
        )

    def _frame(self, name: str) -> tuple[_Part, ...]:
        return tuple(self._part(text) for text in pattern_lines(self._raw.get(name, "")))

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
            elif choice.endswith("*"):
                stem = _folded(choice[:-1]) + "*"
                self._stems.add(stem)
                yield stem
            else:
                yield _folded(choice)


@lru_cache(maxsize=1)
def _lexicons() -> tuple[tuple[_Lexicon, ...], frozenset[str]]:
    """The lexicon of each language, and the stems (« bleed* ») of all."""
    with _FILE.open(encoding="utf-8") as stream:
        raw: dict[str, dict[str, Any]] = yaml.load(stream, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506 (safe, and ten times faster)
    stems: set[str] = set()
    lexicons = tuple(_Reader(language, stems).lexicon() for language in raw.values())
    return lexicons, frozenset(stems)


@lru_cache(maxsize=1)
def _frames() -> tuple[tuple[_Part, ...], tuple[_Part, ...]]:
    lexicons, _ = _lexicons()
    return tuple(part for one in lexicons for part in one.frames["questions"]), tuple(part for one in lexicons for part in one.frames["past"])
