"""Reading of lexicon.yml: the notation, its words and its patterns."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from bot.guard.normalise import fold

_FILE = Path(__file__).with_name("lexicon.yml")
_DEFAULT_GAP = 3
_TOKEN = re.compile(r"[a-z0-9]+")

# Words that carry no meaning for the patterns; dropped from patterns and messages alike.
_FILLERS = frozenset(
    "le la les l un une des de d au aux ne n y mon ma mes son sa ses ton ta tes notre nos votre vos leur leurs dans "
    "tres vraiment super hyper assez tellement bien juste carrement grave completement "
    "mdr lol ptn putain stp svp euh bah ben".split()
)

# One word written in several ways; « ce » for « se » is a common mistake.
_ELIDED = {
    "me": frozenset({"me", "m"}),
    "m": frozenset({"me", "m"}),
    "se": frozenset({"se", "s", "ce"}),
    "s": frozenset({"se", "s", "c"}),
    "je": frozenset({"je", "j"}),
    "j": frozenset({"je", "j"}),
    "que": frozenset({"que", "qu"}),
    "qu": frozenset({"que", "qu"}),
}

NUMBER = "#"  # what a number of 8 or more becomes, when the lexicon does not name it


@dataclass(frozen=True)
class Element:
    """One place in a pattern: a word among some, or a gap of up to `gap` words."""

    words: frozenset[str]
    optional: bool = False
    gap: int = 0


Part = tuple[Element, ...]


@dataclass(frozen=True)
class Line:
    """One line of the lexicon: all its parts must be met close to each other."""

    rule: str
    family: str
    level: str
    kind: str  # "always", "stated", "now" or "asked": see the head of lexicon.yml
    parts: tuple[int, ...]  # indexes into Lexicon.parts
    plan: bool
    text: str


@dataclass(frozen=True)
class Lexicon:
    """Everything read from lexicon.yml, ready to be compiled."""

    lines: tuple[Line, ...]
    parts: tuple[Part, ...]
    frames: dict[str, frozenset[int]]  # frame name → indexes into parts
    vocabulary: frozenset[str]
    ordinary: frozenset[str]  # words never corrected to one of the vocabulary


def _calls_for_help(words: list[str]) -> bool:
    """Tells « à l'aide ! » from « à l'aide de … »."""
    return words[:3] == ["a", "l", "aide"] and words[3:] not in (["de"], ["d"], ["des"], ["du"], ["a"], ["sociale"])


def skim(words: list[str]) -> list[int]:
    """Tells which words are kept for matching.

    Args:
        words: Folded words of a message or of a pattern.

    Returns:
        The positions of the words that are no mere fillers.
    """
    kept: list[int] = []
    for i, word in enumerate(words):
        if word in _FILLERS and words[i : i + 2] not in (["y", "a"], ["de", "trop"], ["assez", "de"], ["assez", "d"]):
            continue  # « il y a deux mois » is no « il a deux mois », « je suis de trop » no « je suis trop », « assez de vivre » is enough of it
        # « a » folds both « à » and « a »: it only tells something before « fait » or « eu ».
        if word == "a" and words[i + 1 : i + 2] not in (["fait"], ["eu"]) and not _calls_for_help(words[i : i + 4]):
            continue
        if word == "coup" and words[i - 1 : i] == ["du"]:
            continue  # « du coup » is « so », « d'un coup » is « suddenly »
        kept.append(i)
    return kept


class _Reader:
    """Turns pattern lines into parts, sharing equal parts."""

    def __init__(self, groups: dict[str, str]) -> None:
        self._raw = groups
        self._groups: dict[str, frozenset[str]] = {}
        self.parts: list[Part] = []
        self._index: dict[Part, int] = {}
        self.vocabulary: set[str] = set()

    def _group(self, name: str) -> frozenset[str]:
        if name not in self._groups:
            if name not in self._raw:
                raise ValueError(f"lexicon.yml: unknown group @{name}")
            words: set[str] = set()
            for item in self._raw[name].split():
                words |= self._group(item[1:]) if item.startswith("@") else {_one_word(item)}
            self._groups[name] = frozenset(words)
        return self._groups[name]

    def _alternatives(self, item: str) -> tuple[frozenset[str], frozenset[str]]:
        """Gives the words of « a|m'b|@c », and the elided words before them (« m »)."""
        words: set[str] = set()
        elided: set[str] = set()
        for choice in item.split("|"):
            if choice.startswith("@"):
                words |= self._group(choice[1:])
            else:
                before, _, word = choice.rpartition("'")
                words.add(_one_word(word))
                elided |= {before} if before else set()
        for word in sorted(words & _ELIDED.keys()):
            words |= _ELIDED[word]
        return frozenset(words), frozenset(elided - _FILLERS)

    def part(self, text: str) -> int:
        elements: list[Element] = []
        plain: list[str] = []  # one word for each element, to drop fillers as in messages
        for item in text.split():
            if item.startswith(".."):
                elements.append(Element(frozenset(), gap=int(item[2:] or _DEFAULT_GAP)))
                plain.append(item)
                continue
            optional = item.endswith("?")
            item = item.rstrip("?")
            if "|" in item or item.startswith("@"):
                words, elided = self._alternatives(item)
                if elided:
                    elements.append(Element(elided, optional=True))
                    plain.append(item)
                elements.append(Element(words, optional))
                plain.append(item)
                continue
            for word in [NUMBER] if item == NUMBER else _TOKEN.findall(fold(item)):
                elements.append(Element(_ELIDED.get(word, frozenset({word})), optional))
                plain.append(word)
        kept = tuple(elements[i] for i in skim(plain))
        if not kept or kept[0].gap or kept[-1].gap or all(e.optional for e in kept):
            raise ValueError(f"lexicon.yml: unusable pattern {text!r}")
        if kept not in self._index:
            self._index[kept] = len(self.parts)
            self.parts.append(kept)
            for element in kept:
                self.vocabulary |= element.words
        return self._index[kept]


def _one_word(text: str) -> str:
    if text == NUMBER:
        return text
    words = _TOKEN.findall(fold(text))
    if len(words) > 1 and text.isalnum():  # an SMS spelling named as such
        return text
    if len(words) != 1:
        raise ValueError(f"lexicon.yml: {text!r} is not one folded word")
    return str(words[0])


def _expanded(text: str) -> list[str]:
    """Writes « a|b_c d » out as « a d » and « b c d »."""
    if "_" not in text:
        return [text]
    variants = [""]
    for item in text.split():
        choices = item.split("|")
        several = [choice.replace("_", " ") for choice in choices if "_" in choice]
        one = "|".join(choice for choice in choices if "_" not in choice)
        variants = [f"{head} {choice}" for head in variants for choice in ([one] if one else []) + several]
    return [variant.strip() for variant in variants]


def pattern_lines(block: str) -> list[str]:
    """Gives the patterns of a block, without its comments; a choice of two words (« a|b_c ») is written out."""
    written = (line.strip() for line in block.splitlines())
    return [text for line in written if line and not line.startswith("--") for text in _expanded(line)]


@lru_cache(maxsize=1)
def load() -> Lexicon:
    """Reads lexicon.yml once.

    Returns:
        The lexicon.

    Raises:
        ValueError: A line of the file does not follow the notation.
    """
    with _FILE.open(encoding="utf-8") as stream:
        raw: dict[str, Any] = yaml.load(stream, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506 (safe, and ten times faster)
    reader = _Reader(raw["groups"])
    lines: list[Line] = []
    for entry in raw["entries"]:
        for kind in ("always", "stated", "now", "plan", "asked"):
            for text in pattern_lines(entry.get(kind, "")):
                parts = tuple(reader.part(piece) for piece in text.split("&"))
                lines.append(
                    Line(
                        rule=entry["id"],
                        family=entry["family"],
                        level=entry["level"],
                        kind="always" if kind == "plan" else kind,
                        parts=parts,
                        plan=kind == "plan",
                        text=text,
                    )
                )
    frames = {name: frozenset(reader.part(text) for text in pattern_lines(block)) for name, block in raw["frames"].items()}
    return Lexicon(
        lines=tuple(lines),
        parts=tuple(reader.parts),
        frames=frames,
        vocabulary=frozenset(reader.vocabulary),
        ordinary=frozenset(raw["ordinary"].split()) - reader.vocabulary,
    )
