"""Finds words of a small lexicon in a visitor's message: folded, words misspelt or written by ear corrected once. No Rasa import."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from bot.guard.normalise import fold
from bot.guard.spelling import Speller

_TOKEN = re.compile(r"[a-z0-9]+")


class Lexicon:
    """Phrases that stand for keys; the first key in order wins.

    A phrase is one or several folded words; a final ``*`` accepts any ending of its last word.
    """

    def __init__(self, entries: Iterable[tuple[str, Iterable[str]]]) -> None:
        """Compiles the phrases.

        Args:
            entries: key and phrases, in order of preference.
        """
        listed = [(key, [" ".join(_TOKEN.findall(phrase)) + ("*" if phrase.endswith("*") else "") for phrase in phrases]) for key, phrases in entries]
        words = {word for _, phrases in listed for phrase in phrases for word in _TOKEN.findall(phrase)}
        self._speller = Speller(words, leaves_heard=True)
        self._patterns = [
            (key, re.compile(r"\b(?:" + "|".join(re.escape(p).replace(r"\*", r"\w*") for p in sorted(phrases, key=len, reverse=True)) + r")\b"))
            for key, phrases in listed
        ]

    def find(self, text: str) -> str | None:
        """The first key that has a phrase in the text; None for none."""
        return next(self._found(text), None)

    def find_all(self, text: str) -> list[str]:
        """Every key that has a phrase in the text, in order of preference."""
        return list(dict.fromkeys(self._found(text)))

    def _found(self, text: str) -> Iterator[str]:
        plain = self.words(text)
        return (key for key, pattern in self._patterns if pattern.search(plain))

    def words(self, text: str) -> str:
        """The text as folded words, one space between them, spelling corrected to the lexicon's own words."""
        return " ".join(self._speller.correct(word) for word in _TOKEN.findall(fold(text)))
