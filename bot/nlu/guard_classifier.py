"""Last word of understanding: a red flag that the lexicon finds overrides what was learned, unless that was as good as certain."""

from __future__ import annotations

from typing import Any

from rasa.engine.graph import ExecutionContext, GraphComponent
from rasa.engine.recipes.default_recipe import DefaultV1Recipe
from rasa.engine.storage.resource import Resource
from rasa.engine.storage.storage import ModelStorage
from rasa.nlu.classifiers.classifier import IntentClassifier as RasaIntentClassifier
from rasa.shared.nlu.constants import ENTITIES, INTENT, TEXT
from rasa.shared.nlu.training_data.message import Message

from bot.guard.door import GUARDED, Finding, is_graver
from bot.nlu.intent_classifier import ALSO_ASKED, CALM, PARTS
from bot.nlu.suspicion import finding
from bot.nlu.understanding import PRACTICAL

SOURCE = "GuardClassifier"
SURE = 0.9


@DefaultV1Recipe.register(DefaultV1Recipe.ComponentType.INTENT_CLASSIFIER, is_trainable=False)
class GuardClassifier(GraphComponent, RasaIntentClassifier):
    """Sets the guard's intent at confidence 1.0, with the family as an entity, where the guard finds something."""

    @staticmethod
    def required_packages() -> list[str]:
        """Nothing beyond the project's own requirements."""
        return []

    @classmethod
    def create(cls, config: dict[str, Any], model_storage: ModelStorage, resource: Resource, execution_context: ExecutionContext) -> GuardClassifier:
        """A component without configuration or state."""
        return cls()

    def process(self, messages: list[Message]) -> list[Message]:
        """Overrides the intent of each message in which the guard finds something; texts of buttons are left alone."""
        for message in messages:
            found = finding(message)
            if found and found.intent not in message.get(CALM, ()) and is_graver(found, _learned(message, found)):
                _override(message, found)
        return messages


def _learned(message: Message, found: Finding) -> Finding | None:
    """What the intent classifier, the net under the lexicon, found by itself. It learned French: of another language only a sure alarm is believed."""
    intent = message.get(INTENT) or {}
    name = intent.get("name")
    variant = next((e["value"] for e in message.get(ENTITIES, []) if e["entity"] == name), None)
    believed = found.intent != "foreign_language" or (name == "red_flag" and float(intent["confidence"]) >= SURE)
    return Finding(str(name), str(variant)) if variant and name in GUARDED and believed else None


def _override(message: Message, found: Finding) -> None:
    intent = {"name": found.intent, "confidence": 1.0}
    entity = {"entity": found.intent, "value": found.variant, "start": 0, "end": len(message.get(TEXT)), "extractor": SOURCE}
    practical = [asked for _, asked in message.get(PARTS) or () if asked in PRACTICAL] if found.intent == "personal_advice" else []
    message.set(ALSO_ASKED, practical, add_to_output=True)
    message.set("intent", intent, add_to_output=True)
    message.set("intent_ranking", [intent], add_to_output=True)
    message.set(ENTITIES, [entity], add_to_output=True)
