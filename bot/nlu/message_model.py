"""What is learned about a message: what it asks, and which variant of that. No Rasa import.

One class for each intent, or for each variant of an intent whose examples name one (``metadata: {variant: …}`` in data/nlu: which of the texts of a
red flag or of personal advice answers). Two small nets read the same text and are averaged: one sees spelling and words (n-grams; words as they
sound, for many write by ear), the other above all its meaning (a sentence encoder, which costs more than all else). Each is wrong about other
messages than its neighbour: docs/bench/understanding.md compares what was tried. What the first is sure of the second is not asked.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import skops.io
from joblib import Parallel, delayed
from scipy.sparse import csr_matrix, hstack
from scipy.special import softmax
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.neural_network import MLPClassifier

from bot.guard.normalise import fold
from bot.nlu.ngrams import Ngrams, Row
from bot.sound import sounds
from bot.written_out import written_out

ALARM, ADVICE = "red_flag", "personal_advice"
BY_SPELLING, BY_MEANING = "by_spelling", "by_meaning"  # the nets, by the names of their files
PIECES = 4  # of the examples, in each epoch: how often weights are looked at
# Types that scikit-learn's fitted objects hold and skops does not know as safe by itself. Anything else refuses to load.
TRUSTED_TYPES = ["numpy.dtype", "scipy.sparse._csr.csr_matrix"]


@dataclass(frozen=True)
class Example:
    """One line of data/nlu."""

    text: str
    intent: str
    variant: str = ""

    @property
    def label(self) -> str:
        """What is learned of it: the intent, and the variant behind a slash."""
        return f"{self.intent}/{self.variant}" if self.variant else self.intent


@dataclass(frozen=True)
class Reading:
    """What was learned of one text.

    Attributes:
        intents: chance of each intent if nobody is in danger; they add up to 1.
        alarm: chance that somebody is.
        variants: for each intent that has some, the chances of its variants, which add up to its own (to ``alarm`` for an alarm).
    """

    intents: dict[str, float]
    alarm: float
    variants: dict[str, dict[str, float]]

    @property
    def advice(self) -> float:
        """The chance that only somebody's doctor could answer."""
        return self.intents.get(ADVICE, 0.0)


class MessageModel:
    """Fitted once by ``fit``, or read by ``load``."""

    def __init__(self, encoder: Any, config: dict[str, Any]) -> None:
        """Takes the sentence encoder, and the numbers of ``config.yml``."""
        self._encoder = encoder
        self._config = config
        self._parts: dict[str, Any] = {}  # fitted objects by the name of their file
        self._lookups: dict[str, Ngrams] = {}
        self._labels: list[tuple[str, str]] = []  # intent and variant of each column of the nets' chances

    def fit(self, examples: Sequence[Example]) -> MessageModel:
        """Learns from examples; at least three labels are needed."""
        texts = [e.text for e in examples]
        spelt = []
        for (name, lines), analyzer in zip(_spelt(texts).items(), ("char_wb", "word")):
            self._parts[name] = self._vectorizer(analyzer, name)
            spelt.append(self._parts[name].fit_transform(lines))
            vars(self._parts[name]).pop("stop_words_", None)  # every n-gram that was too rare: most of the file, and of no use once it is fitted
        labels = np.array([e.label for e in examples])
        side_by_side = Parallel(n_jobs=os.cpu_count() or 1)
        meant = np.vstack(side_by_side(delayed(_encoded)(self._encoder, piece) for piece in _pieces(texts)))
        grams = hstack(spelt, format="csr")
        both = hstack([grams, self._config["encoder_weight"] * csr_matrix(meant)], format="csr", dtype=np.float32)
        nets = side_by_side(delayed(_fitted)(self._net(), rows, labels, self._config) for rows in (grams, both))
        self._parts.update(zip((BY_SPELLING, BY_MEANING), nets))
        return self._ready()

    def read(self, texts: Sequence[str], *, by_both: bool = False) -> list[Reading]:
        """What is learned of each text.

        Args:
            texts: any number of them.
            by_both: whether the second net reads even what the first is sure of.
        """
        first, second = self._parts[BY_SPELLING], self._parts[BY_MEANING]
        rows = self._rows(texts)
        chances = _chances(first, rows)
        if asked := [i for i, row in enumerate(chances) if by_both or not self._is_sure(row)]:
            meant = self._config["encoder_weight"] * _encoded(self._encoder, [texts[i] for i in asked])
            chances[asked] = (chances[asked] + _chances(second, [rows[i] for i in asked], meant)) / 2
        return [_reading(self._labels, row) for row in chances.tolist()]

    def save(self, folder: Path) -> None:
        """Writes one file for each fitted object."""
        for name, part in self._parts.items():
            skops.io.dump(part, folder / f"{name}.skops")

    def load(self, folder: Path) -> MessageModel:
        """Reads what ``save`` wrote.

        Raises:
            TypeError: when a file holds a type that is not expected there.
        """
        self._parts = {path.stem: skops.io.load(path, trusted=TRUSTED_TYPES) for path in sorted(folder.glob("*.skops"))}
        return self._ready()

    def _ready(self) -> MessageModel:
        """Prepares what every reading needs."""
        first = 0
        for name in _spelt([]):
            self._lookups[name] = Ngrams(self._parts[name], first)
            first += len(self._lookups[name])
        self._labels = [(intent, variant) for intent, _, variant in (str(label).partition("/") for label in self._parts[BY_SPELLING].classes_)]
        return self

    def _rows(self, texts: Sequence[str]) -> list[Row]:
        """The n-grams of each text."""
        found = [[self._lookups[name].row(line) for line in lines] for name, lines in _spelt(texts).items()]
        return [(np.concatenate([columns for columns, _ in row]), np.concatenate([values for _, values in row])) for row in zip(*found)]

    def _is_sure(self, chances: np.ndarray) -> bool:
        """Whether the first net alone is believed of a text. What it leaves to an alarm is too little for one, whatever the second says."""
        likeliest = int(chances.argmax())
        return bool(chances[likeliest] >= self._config["sure"]) and self._labels[likeliest][0] not in (ALARM, ADVICE)

    def _vectorizer(self, analyzer: Any, kind: str) -> TfidfVectorizer:
        lengths, least = tuple(self._config[f"{kind}_ngrams"]), self._config["min_df"]
        word = r"\w+"  # « c », « g » and « j » are words of those who write in a hurry
        return TfidfVectorizer(analyzer=analyzer, ngram_range=lengths, min_df=least, token_pattern=word, sublinear_tf=True, dtype=np.float32)

    def _net(self) -> MLPClassifier:
        return MLPClassifier(
            (self._config["hidden"],),
            learning_rate_init=self._config["learning_rate"],
            batch_size=self._config["batch_size"],
            shuffle=False,
            random_state=self._config["random_state"],
        )


def _encoded(encoder: Any, texts: Sequence[str]) -> np.ndarray:
    """Texts x dimensions of the sentence encoder, which reads them as a dictionary would write them."""
    rows: np.ndarray = np.atleast_2d(encoder.encode([written_out(text) for text in texts]))
    return rows.astype(np.float32)


def _pieces(texts: Sequence[str]) -> list[Sequence[str]]:
    """The texts in as many pieces as there are processors, in order."""
    size = -(-len(texts) // (os.cpu_count() or 1))
    return [texts[i : i + size] for i in range(0, len(texts), size)]


def _spelt(texts: Sequence[str]) -> dict[str, list[str]]:
    """The texts as each vectorizer reads them: letters as they are written, words as they sound."""
    folded = [fold(text) for text in texts]
    return {"letters": folded, "words": [sounds(line) for line in folded]}


def _fitted(net: MLPClassifier, rows: csr_matrix, labels: np.ndarray, config: dict[str, Any]) -> MLPClassifier:
    """Fits one net, in a process of its own.

    Its weights are the mean of those it had in the last part of its training (Polyak and Juditsky, 1992): where a net stops is chance,
    and the mean of where it passed is less so.
    """
    chance, classes = np.random.RandomState(config["random_state"]), np.unique(labels)
    pieces = [p for _ in range(config["epochs"]) for p in np.array_split(chance.permutation(len(labels)), PIECES)]
    averaged = max(1, round(config["averaged"] * len(pieces)))
    means: list[np.ndarray] = []
    for left, piece in zip(range(len(pieces), 0, -1), pieces):
        net.partial_fit(rows[piece], labels[piece], classes)
        weights = [*net.coefs_, *net.intercepts_]
        if left == averaged:
            means = [w.copy() for w in weights]
        elif left < averaged:
            for mean, now in zip(means, weights):
                mean += (now - mean) / (averaged - left + 1)
    net.coefs_, net.intercepts_ = means[: len(net.coefs_)], means[len(net.coefs_) :]
    del net._optimizer  # as large as the net twice over, and of no use once it is fitted
    return net


def _chances(net: MLPClassifier, rows: Sequence[Row], meant: np.ndarray | None = None) -> np.ndarray:
    """``net.predict_proba``, texts x labels: to put rows and meaning together, and have them checked, takes longer than the net does."""
    first, second = net.coefs_
    hidden = np.stack([values @ first[columns] for columns, values in rows]) + net.intercepts_[0]
    if meant is not None:
        hidden += meant @ first[-meant.shape[1] :]
    chances: np.ndarray = softmax(np.maximum(hidden, 0.0) @ second + net.intercepts_[1], axis=1)
    return chances


def _reading(labels: Sequence[tuple[str, str]], chances: Sequence[float]) -> Reading:
    intents: dict[str, float] = {}
    variants: dict[str, dict[str, float]] = {}
    rest = sum(chance for (intent, _), chance in zip(labels, chances) if intent != ALARM) or 1.0
    for (intent, variant), chance in zip(labels, chances):
        of_all = chance if intent == ALARM else chance / rest
        intents[intent] = intents.get(intent, 0.0) + of_all
        if variant:
            variants.setdefault(intent, {})[variant] = of_all
    return Reading(intents, intents.pop(ALARM, 0.0), variants)
