"""Puts similar questions together: shared runs of letters, rarer ones counting more. Deterministic; learns nothing.

Texts are taken in order; the first that belongs to no group begins one and gathers all later ones that are like it.
"""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from bot.guard.normalise import fold

RUNS = (3, 4)  # letters of a run
ALIKE = 0.4  # cosine from which two questions are shown as one group
_MASK = re.compile(r"\[[^\[\]]*\]")
_WORD = re.compile(r"[a-z0-9]+")
# Words that every question has: « est-ce que », « vous », « bonjour ».
_EMPTY = frozenset(
    "a ai au aux avec bonjour c ca ce cela ces combien comment d dans de des du elle en est et eux faire fait faut il ils j je l la le les leur lui ma mais "
    "me merci mes moi mon n ne non nous on ou oui par pas peut peux plait plus pour pourquoi pouvez qu que quel quelle qui quoi s sa savoir se ses si son "
    "sont sur svp t te tu un une va vos votre voudrais vous y".split()
)


@dataclass(frozen=True)
class Group:
    """Positions of texts that are alike, in their order; the first is the one that the others are like."""

    members: tuple[int, ...]

    @property
    def first(self) -> int:
        """The one that the others are like."""
        return self.members[0]


def grouped(texts: Sequence[str], alike: float = ALIKE) -> list[Group]:
    """Groups of similar texts, in the order of their first ones.

    Args:
        texts: cleaned questions; masks and words that say nothing do not count.
        alike: cosine from 0 to 1 from which two belong together.
    """
    index = _Index([_runs(text) for text in texts])
    is_free: Any = np.ones(len(texts), dtype=bool)
    found = []
    for i in range(len(texts)):
        if is_free[i]:
            near = np.flatnonzero((index.likeness(i) >= alike) & is_free)
            members = (i, *(int(j) for j in near if j > i))
            is_free[list(members)] = False
            found.append(Group(members))
    return found


class _Index:
    """Which texts have a run of letters, and how much it weighs in each; the weights of a text have length one."""

    def __init__(self, runs: Sequence[Counter[str]]) -> None:
        self._size = len(runs)
        having: dict[str, list[int]] = defaultdict(list)
        for i, mine in enumerate(runs):
            for run in mine:
                having[run].append(i)
        rarity = {run: math.log1p(len(runs) / len(texts)) for run, texts in having.items()}
        weighed = [{run: (1 + math.log(times)) * rarity[run] for run, times in mine.items()} for mine in runs]
        lengths = [math.sqrt(sum(weight * weight for weight in mine.values())) for mine in weighed]
        # What only one text has makes it longer, and nothing else like it.
        self._mine = [{run: w / length for run, w in mine.items() if len(having[run]) > 1} for mine, length in zip(weighed, lengths)]
        self._texts = {run: np.array(texts) for run, texts in having.items() if len(texts) > 1}
        self._weights = {run: np.array([self._mine[i][run] for i in texts]) for run, texts in having.items() if len(texts) > 1}

    def likeness(self, i: int) -> Any:
        """Cosine of one text with each."""
        mine = self._mine[i]
        if not mine:
            return np.zeros(self._size)
        where = np.concatenate([self._texts[run] for run in mine])
        return np.bincount(where, np.concatenate([self._weights[run] * weight for run, weight in mine.items()]), self._size)


def _runs(text: str) -> Counter[str]:
    words = _WORD.findall(fold(_MASK.sub(" ", text)))
    telling = [word for word in words if word not in _EMPTY] or words
    found: Counter[str] = Counter()
    for word in telling:
        padded = f" {word} "
        found.update(padded[i : i + n] for n in RUNS for i in range(max(1, len(padded) - n + 1)))
    return found
