"""What is learned about a message: what it asks, which variant of that, and whether it is one that must not be missed. No Rasa import.

Regressions over the same two views of a text, character n-grams and sentence meaning:

- **intents**: one class an intent, for everything but red flags;
- **detectors**: red flags (the net under the lexicon of ``bot/guard``) and personal advice, each against all the rest. As a class among seventy
  others they would have to be the likeliest of all, where a chance of one in three is already too much to pass over;
- **variants**: for an intent whose examples name one (``metadata: {variant: …}`` in data/nlu), which of its texts answers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import skops.io
from scipy.sparse import csr_matrix, hstack
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

from bot.guard.normalise import fold
from bot.scope import without_diseases

ALARM, ADVICE = "red_flag", "personal_advice"
# Types that scikit-learn's fitted objects hold and skops does not know as safe by itself. Anything else refuses to load.
TRUSTED_TYPES = ["numpy.dtype", "scipy.sparse._csr.csr_matrix"]


@dataclass(frozen=True)
class Example:
    """One line of data/nlu."""

    text: str
    intent: str
    variant: str = ""


@dataclass(frozen=True)
class Reading:
    """What was learned of one text.

    Attributes:
        intents: chance of each intent, red flags apart.
        alarm: chance that somebody is in danger.
        advice: chance that only somebody's doctor could answer.
    """

    intents: dict[str, float]
    alarm: float = 0.0
    advice: float = 0.0


class MessageModel:
    """Fitted once by ``fit``, or read by ``load``."""

    def __init__(self, encoder: Any, config: dict[str, Any]) -> None:
        """Takes the sentence encoder (None leaves it out) and the numbers of ``config.yml``."""
        self._encoder = encoder
        self._config = config
        self._parts: dict[str, Any] = {}  # fitted objects by the name of their file

    def fit(self, examples: Sequence[Example]) -> MessageModel:
        """Learns from examples; at least two intents are needed."""
        texts = [e.text for e in examples]
        meaning = self._meaning(texts)
        is_alarm = np.array([e.intent == ALARM for e in examples])
        self._parts["words"] = self._vectorizer().fit([fold(t) for t in texts])
        self._parts["questions"] = self._vectorizer().fit([without_diseases(t) for t, alarm in zip(texts, is_alarm) if not alarm])
        words = self._joined("words", [fold(t) for t in texts], meaning)
        if is_alarm.any():
            self._parts[ALARM] = self._regression(solver="liblinear").fit(words, is_alarm)
        rest = [i for i, alarm in enumerate(is_alarm) if not alarm]
        questions = self._joined("questions", [without_diseases(texts[i]) for i in rest], meaning[rest])
        asked = np.array([examples[i].intent for i in rest])
        self._parts["intents"] = self._regression(class_weight="balanced").fit(questions, asked)
        if (asked == ADVICE).any():
            self._parts[ADVICE] = self._regression(solver="liblinear").fit(questions, asked == ADVICE)
        for intent in sorted({e.intent for e in examples if e.variant}):
            rows = [i for i, e in enumerate(examples) if e.intent == intent and e.variant]
            self._parts[f"variants_{intent}"] = self._regression(class_weight="balanced").fit(words[rows], [examples[i].variant for i in rows])
        return self

    def read(self, texts: Sequence[str]) -> list[Reading]:
        """What is learned of each text."""
        meaning = self._meaning(texts)
        questions = self._joined("questions", [without_diseases(t) for t in texts], meaning)
        chances = self._parts["intents"].predict_proba(questions)
        alarms = self._detected(ALARM, self._joined("words", [fold(t) for t in texts], meaning))
        advices = self._detected(ADVICE, questions)
        names = [str(name) for name in self._parts["intents"].classes_]
        return [Reading(dict(zip(names, row)), alarm, advice) for row, alarm, advice in zip(chances.tolist(), alarms, advices)]

    def _detected(self, name: str, rows: csr_matrix) -> list[float]:
        detector = self._parts.get(name)
        return [0.0] * rows.shape[0] if detector is None else list(detector.predict_proba(rows)[:, 1].tolist())

    def variant(self, intent: str, text: str) -> str | None:
        """The likeliest variant of an intent, or None for an intent that has none."""
        regression = self._parts.get(f"variants_{intent}")
        return None if regression is None else str(regression.predict(self._joined("words", [fold(text)], self._meaning([text])))[0])

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
        return self

    def _vectorizer(self) -> TfidfVectorizer:
        lengths = (self._config["min_ngram"], self._config["max_ngram"])
        return TfidfVectorizer(analyzer="char_wb", ngram_range=lengths, min_df=self._config["min_df"], sublinear_tf=True, dtype=np.float64)

    def _regression(self, **kwargs: Any) -> LogisticRegression:
        return LogisticRegression(C=self._config["C"], tol=self._config["tol"], max_iter=1000, random_state=self._config["random_state"], **kwargs)

    def _meaning(self, texts: Sequence[str]) -> Any:
        if self._encoder is None or not texts:
            return np.zeros((len(texts), 0))
        return self._config["encoder_weight"] * np.atleast_2d(self._encoder.encode(list(texts))).astype(np.float64)

    def _joined(self, vectorizer: str, texts: Sequence[str], meaning: Any) -> csr_matrix:
        """One row a text: its n-grams, then its meaning."""
        return hstack([self._parts[vectorizer].transform(texts), csr_matrix(meaning)], format="csr")
