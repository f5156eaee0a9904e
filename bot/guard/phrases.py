"""Phrases of a small notation, found among the words of a text in one pass. The notation: head of ``claims.yml``. No Rasa import."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from bot.guard.normalise import fold

_INVISIBLE = "\u00ad\u200b-\u200d\u2060\ufeff"  # soft hyphen and zero-width signs: seen as nothing, so read as nothing
_WORD = re.compile(rf"(?:[^\W\d_]|[\u0300-\u036f{_INVISIBLE}])+|\d+|[%€]")
_NOTHING = re.compile(rf"[{_INVISIBLE}]")
_SENTENCE_END = re.compile(r"[.!?…]|\n\s*\n")
_HARD_STOP = re.compile(r"[;:()\[\]]")


@dataclass(frozen=True)
class Element:
    """One place in a phrase: a word among some, or a gap of up to ``gap`` words."""

    folded: frozenset[str] = frozenset()
    stems: tuple[str, ...] = ()
    accented: frozenset[str] = frozenset()
    endings: tuple[str, ...] = ()
    number: bool = False
    optional: bool = False
    gap: int = 0

    def takes(self, word: Word) -> bool:
        """Whether a word may stand in this place."""
        if word.folded in self.folded or word.accented in self.accented or (self.number and word.folded.isdigit()):
            return True
        return (bool(self.stems) and word.folded.startswith(self.stems)) or (bool(self.endings) and word.accented.endswith(self.endings))


@dataclass(frozen=True)
class Word:
    """One word of a text, without and with its accents, and where it stands."""

    folded: str
    accented: str
    start: int
    end: int
    sentence: int
    before: str  # what stands between it and the word before


@dataclass(frozen=True)
class Phrase:
    """A sequence of places, and what an entry of ``claims.yml`` says of it."""

    elements: tuple[Element, ...]
    rule: str = ""
    family: str = ""
    frames: frozenset[str] = frozenset()

    def holds(self, word: Word) -> bool:
        """Whether a word is one of the phrase's own, not of a gap."""
        return any(element.takes(word) for element in self.elements)


@dataclass(frozen=True)
class Found:
    """A phrase met at the words ``start`` to ``end`` (excluded)."""

    phrase: Phrase
    start: int
    end: int


class Index:
    """Phrases by their first word."""

    def __init__(self, phrases: Iterable[Phrase]) -> None:
        self._by_word: dict[str, list[Phrase]] = {}
        self._by_accented: dict[str, list[Phrase]] = {}
        self._by_stem: dict[str, list[Phrase]] = {}
        self._by_number: list[Phrase] = []
        for phrase in phrases:
            for count, element in enumerate(phrase.elements):
                rest = Phrase(phrase.elements[count:], phrase.rule, phrase.family, phrase.frames)
                for table, keys in ((self._by_word, element.folded), (self._by_accented, element.accented), (self._by_stem, element.stems)):
                    for key in keys:
                        table.setdefault(key, []).append(rest)
                if element.number:
                    self._by_number.append(rest)
                if not element.optional:
                    break
        self._stem_lengths = sorted({len(stem) for stem in self._by_stem})

    def find(self, words: list[Word]) -> list[Found]:
        """Every phrase in a text, in order."""
        return [Found(phrase, i, end) for i in range(len(words)) for phrase in self._candidates(words[i]) if (end := _end(phrase.elements, 0, words, i)) >= 0]

    def meets(self, words: list[Word]) -> bool:
        """Whether any phrase is in a text."""
        return any(_end(phrase.elements, 0, words, i) >= 0 for i in range(len(words)) for phrase in self._candidates(words[i]))

    def _candidates(self, word: Word) -> Iterator[Phrase]:
        yield from self._by_word.get(word.folded, ())
        yield from self._by_accented.get(word.accented, ())
        if word.folded.isdigit():
            yield from self._by_number
        for length in self._stem_lengths:
            if length > len(word.folded):
                break
            yield from self._by_stem.get(word.folded[:length], ())


def _end(elements: tuple[Element, ...], number: int, words: list[Word], i: int) -> int:
    """Where a phrase that is met from word ``i`` on ends; -1 when it is not met. Phrases are short, gaps few."""
    if number == len(elements):
        return i
    element = elements[number]
    if element.gap:
        for skipped in range(element.gap + 1):
            if skipped and (i + skipped >= len(words) or _HARD_STOP.search(words[i + skipped].before)):
                return -1  # words left out never reach beyond a colon or a bracket
            if (end := _end(elements, number + 1, words, i + skipped)) >= 0:
                return end
        return -1
    same_sentence = i < len(words) and (number == 0 or i == 0 or words[i].sentence == words[i - 1].sentence)
    if same_sentence and element.takes(words[i]) and (end := _end(elements, number + 1, words, i + 1)) >= 0:
        return end
    return _end(elements, number + 1, words, i) if element.optional else -1


def split(text: str) -> list[Word]:
    """The words of a text; numbers and « % » are words too, punctuation is kept between them."""
    words: list[Word] = []
    sentence, last = 0, 0
    for match in _WORD.finditer(text):
        accented = _NOTHING.sub("", unicodedata.normalize("NFKC", match.group())).lower()
        if not accented:
            continue
        before = text[last : match.start()]
        if words and _SENTENCE_END.search(before):
            sentence += 1
        words.append(Word(folded_word(accented), accented, match.start(), match.end(), sentence, before))
        last = match.end()
    return words


def folded_word(word: str) -> str:
    """A lower-case word without accents, ligatures and look-alike letters."""
    if word.isascii():
        return word
    plain = "".join(c for c in unicodedata.normalize("NFD", word) if unicodedata.category(c) != "Mn")
    return plain if plain.isascii() else fold(plain)


class Reader:
    """Reads the notation."""

    def __init__(self, groups: Mapping[str, str]) -> None:
        """Takes the groups that « @name » stands for."""
        self._groups = groups

    def phrases(self, block: str, rule: str = "", family: str = "", frames: frozenset[str] = frozenset()) -> Iterator[Phrase]:
        """The phrases of a block, one a line.

        Args:
            block: lines of the notation.
            rule: id of the entry they belong to.
            family: its family.
            frames: what may allow them.

        Raises:
            ValueError: a line does not follow the notation.
        """
        for line in block.splitlines():
            if line.strip():
                yield from (Phrase(elements, rule, family, frames) for elements in self._line(line.split()))

    def _line(self, items: list[str]) -> Iterator[tuple[Element, ...]]:
        """One phrase for each combination of alternatives that are several words long."""
        choices = [self._choices(item) for item in items]
        lines: list[tuple[Element, ...]] = [()]
        for several in choices:
            lines = [line + one for line in lines for one in several]
        for line in lines:
            if not line or line[0].gap or line[0].endings or line[-1].gap or all(e.optional for e in line):
                raise ValueError(f"claims.yml: unusable phrase {' '.join(items)!r}")
            yield line

    def _choices(self, item: str) -> list[tuple[Element, ...]]:
        if item.startswith(".."):
            return [(Element(gap=int(item[2:])),)]
        optional = item.endswith("?")
        one: dict[str, set[str]] = {"folded": set(), "stems": set(), "accented": set(), "endings": set()}
        number = False
        several: list[tuple[Element, ...]] = []
        for choice in self._flat(item.rstrip("?")):
            if choice == "#":
                number = True
            elif choice.startswith("="):
                one["accented"].add(choice[1:].lower())
            elif choice.startswith("*"):
                one["endings"].add(choice[1:])
            elif choice.endswith("*"):
                one["stems"].add(folded_word(choice[:-1].lower()))
            else:
                parts = [folded_word(part.lower()) for part in choice.split("_")]
                if len(parts) == 1:
                    one["folded"].add(parts[0])
                else:
                    several.append(tuple(Element(folded=frozenset({p}), number=p == "#") for p in parts))
        single = Element(frozenset(one["folded"]), tuple(sorted(one["stems"])), frozenset(one["accented"]), tuple(sorted(one["endings"])), number, optional)
        has_single = number or any(one.values())
        if optional and several:
            raise ValueError(f"claims.yml: {item!r} cannot be optional")
        return [*([(single,)] if has_single else []), *several]

    def _flat(self, item: str) -> Iterator[str]:
        for choice in item.split("|"):
            if choice.startswith("@"):
                yield from self._flat(self._groups[choice[1:]])
            elif match := re.fullmatch(r"(.+)\((.+)\)", choice):
                yield from (match[1] + ending for ending in ["", *match[2].split("|")])
            else:
                yield choice
