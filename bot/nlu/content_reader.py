"""Reads what a question is about, and corrects what was understood by it: ``bot.nlu.corrections`` as Rasa's graph runs it."""

from __future__ import annotations

from typing import Any

from rasa.engine.graph import ExecutionContext, GraphComponent
from rasa.engine.recipes.default_recipe import DefaultV1Recipe
from rasa.engine.storage.resource import Resource
from rasa.engine.storage.storage import ModelStorage
from rasa.nlu.extractors.extractor import EntityExtractorMixin
from rasa.shared.nlu.constants import ENTITIES, INTENT, TEXT
from rasa.shared.nlu.training_data.message import Message

from bot.nlu.corrections import Heard, corrected
from bot.nlu.intent_classifier import ALSO_ASKED, PARTS

SOURCE = "ContentReader"


@DefaultV1Recipe.register(DefaultV1Recipe.ComponentType.ENTITY_EXTRACTOR, is_trainable=False)
class ContentReader(GraphComponent, EntityExtractorMixin):
    """Adds the entities ``scope``, ``condition``, ``figure`` and ``unsaid``; corrects the intent and the further ones."""

    @staticmethod
    def required_packages() -> list[str]:
        """Nothing beyond the project's own requirements."""
        return []

    @classmethod
    def create(cls, config: dict[str, Any], model_storage: ModelStorage, resource: Resource, execution_context: ExecutionContext) -> ContentReader:
        """A component without configuration or state."""
        return cls()

    def process(self, messages: list[Message]) -> list[Message]:
        """Reads each message; texts of buttons are left alone."""
        for message in messages:
            text = message.get(TEXT) or ""
            if text and not text.startswith("/"):
                _read(message, text)
        return messages


def _read(message: Message, text: str) -> None:
    understood = [(r["name"], float(r["confidence"])) for r in message.get("intent_ranking", [])] or [_first(message)]
    heard = corrected(Heard(text, understood, message.get(ALSO_ASKED) or [], message.get(PARTS) or []))
    if heard.ranking != understood:
        ranking = [{"name": name, "confidence": confidence} for name, confidence in heard.ranking]
        message.set(INTENT, ranking[0], add_to_output=True)
        message.set("intent_ranking", ranking, add_to_output=True)
    if message.get(ALSO_ASKED) or heard.also:
        message.set(ALSO_ASKED, list(heard.also), add_to_output=True)
    found = {"scope": heard.named.scope, "condition": heard.named.condition, "figure": heard.named.figure, "unsaid": heard.unsaid}
    entities = [{"entity": name, "value": value, "start": 0, "end": len(text), "extractor": SOURCE} for name, value in found.items() if value]
    message.set(ENTITIES, [*message.get(ENTITIES, []), *entities], add_to_output=True)


def _first(message: Message) -> tuple[str, float]:
    intent = message.get(INTENT) or {}
    return str(intent.get("name") or ""), float(intent.get("confidence") or 0.0)
