"""What a fitted ``TfidfVectorizer`` makes of one text: to build, check and scale a matrix of one row takes longer than to look its n-grams up."""

from __future__ import annotations

from collections import Counter

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer

Row = tuple[np.ndarray, np.ndarray]  # the columns that are not zero, and their values


class Ngrams:
    """Looks n-grams up in a fitted vectorizer with ``sublinear_tf`` and rows of length 1."""

    def __init__(self, vectorizer: TfidfVectorizer, first: int = 0) -> None:
        """Takes the vectorizer, and the number of its first column among those of others."""
        self._analyze = vectorizer.build_analyzer()
        self._columns: dict[str, int] = vectorizer.vocabulary_
        self._idf: np.ndarray = vectorizer.idf_.astype(np.float32)
        self._first = first

    def __len__(self) -> int:
        """How many columns there are."""
        return len(self._idf)

    def row(self, text: str) -> Row:
        """The row of ``vectorizer.transform([text])``."""
        counts = Counter(self._columns[gram] for gram in self._analyze(text) if gram in self._columns)
        columns = np.fromiter(counts.keys(), np.intp, len(counts))
        values = (1 + np.log(np.fromiter(counts.values(), np.float32, len(counts)))) * self._idf[columns]
        return columns + self._first, values / max(np.linalg.norm(values), 1e-12)
