"""One-letter typing errors: each word is corrected once to the lexicon's vocabulary."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

_SHORTEST = 5
_LONGEST = 24


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

    def __init__(self, vocabulary: Iterable[str], protected: Iterable[str]) -> None:
        """Builds the index.

        Args:
            vocabulary: The folded words to correct to.
            protected: Ordinary words that are never corrected.
        """
        self._known = frozenset(vocabulary)
        self._protected = frozenset(protected)
        index: dict[str, list[str]] = {}
        for word in sorted(self._known):
            if len(word) >= _SHORTEST and word.isalpha():
                for key in {word, *_deletes(word)}:
                    index.setdefault(key, []).append(word)
        self._index = index

    def correct(self, word: str) -> str:
        """Gives the vocabulary word one edit away, or the word itself.

        Args:
            word: A folded word.

        Returns:
            The corrected word; the same word when it is known, short, protected or far from all.
        """
        if word in self._known or word in self._protected or not _SHORTEST <= len(word) <= _LONGEST or word.isdigit():
            return word
        best: tuple[int, str] | None = None
        for key in (word, *_deletes(word)):
            for candidate in self._index.get(key, ()):
                if _near(word, candidate):
                    # Prefer the same beginning, then the same length.
                    same = next((i for i, (a, b) in enumerate(zip(word, candidate)) if a != b), len(word))
                    rank = (-2 * same + abs(len(word) - len(candidate)), candidate)
                    best = rank if best is None or rank < best else best
        return best[1] if best else word
