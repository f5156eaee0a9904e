"""One-letter typing errors, and words written by ear: each word is corrected once to the lexicon's vocabulary."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator
from functools import lru_cache

from bot.french_words import frequent_words
from bot.sound import sound

_SHORTEST = 5
_LONGEST = 24
_COMMON = 60_000  # so many of the most frequent French words are taken to be meant as they are written
_HEARD = 10_000  # and so many as they sound
_ENDINGS = frozenset({"", "s", "e", "t", "z", "r", "x", "es", "rs"})


@lru_cache(maxsize=1)
def _common_words() -> frozenset[str]:
    """Frequent French words without their accents."""
    return frozenset(_plain(_COMMON))


@lru_cache(maxsize=1)
def _common_sounds() -> frozenset[str]:
    """How the most frequent of them sound."""
    return frozenset(sound(word) for word in _plain(_HEARD))


def _plain(count: int) -> Iterator[str]:
    plain = (unicodedata.normalize("NFKD", word).encode("ascii", "ignore").decode() for word in frequent_words(count))
    return (word for word in plain if _SHORTEST <= len(word) <= _LONGEST)


def _inflected(word: str, other: str) -> bool:
    """Whether two words differ by a French ending alone (« respire », « respires »)."""
    if word == other + "t" and word.endswith("et"):
        return False  # a noun of its own: « billet » is no « bille »
    same = next((i for i, (a, b) in enumerate(zip(word, other)) if a != b), min(len(word), len(other)))
    return word[same:] in _ENDINGS and other[same:] in _ENDINGS


def _deletes(word: str) -> Iterator[str]:
    for i in range(len(word)):
        yield word[:i] + word[i + 1 :]


def _near(one: str, other: str) -> bool:
    """Tells whether two different words are one edit or one transposition apart."""
    if abs(len(one) - len(other)) > 1:
        return False
    start = 0
    while start < min(len(one), len(other)) and one[start] == other[start]:
        start += 1
    a, b = one[start:], other[start:]
    return a[1:] == b or a == b[1:] or a[1:] == b[1:] or (a[:2] == b[:2][::-1] and a[2:] == b[2:])


class Speller:
    """Corrects words to a fixed vocabulary through a precomputed index of deletions."""

    def __init__(self, vocabulary: Iterable[str], *, leaves_heard: bool = False) -> None:
        """Builds the index.

        Args:
            vocabulary: The folded words to correct to.
            leaves_heard: Whether a word that sounds like an ordinary one is left alone too; not where a danger might be overlooked (« saign »).
        """
        self._heard_ordinary = _common_sounds() if leaves_heard else frozenset()
        self._known = frozenset(vocabulary)
        index: dict[str, list[str]] = {}
        for word in sorted(self._known):
            if len(word) >= _SHORTEST and word.isalpha():
                for key in {word, *_deletes(word)}:
                    index.setdefault(key, []).append(word)
        self._index = index
        self._heard = {sound(word): word for word in sorted(self._known, reverse=True) if len(word) >= _SHORTEST}

    def correct(self, word: str) -> str:
        """Gives the vocabulary word one edit away, else the one that sounds the same, else the word itself.

        Args:
            word: A folded word.

        Returns:
            The corrected word; the same word when it is known, short, far from all, or an ordinary French word; with ``leaves_heard`` one written
            by ear too (« vrément » is no « virement »).
        """
        if word in self._known or not _SHORTEST <= len(word) <= _LONGEST or word.isdigit():
            return word
        best: tuple[int, str] | None = None
        for key in (word, *_deletes(word)):
            for candidate in self._index.get(key, ()):
                if _near(word, candidate):
                    # Prefer the same beginning, then the same length.
                    same = next((i for i, (a, b) in enumerate(zip(word, candidate)) if a != b), len(word))
                    rank = (-2 * same + abs(len(word) - len(candidate)), candidate)
                    best = rank if best is None or rank < best else best
        meant = best[1] if best else self._heard.get(sound(word), word)
        if meant == word:
            return word
        is_ordinary = not _inflected(word, meant) if word in _common_words() else sound(word) != sound(meant) and sound(word) in self._heard_ordinary
        return word if is_ordinary else meant
