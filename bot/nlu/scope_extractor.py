"""Which article a question is about: the liver, or the therapy in general."""

from __future__ import annotations

from typing import Any

from rasa.engine.graph import ExecutionContext, GraphComponent
from rasa.engine.recipes.default_recipe import DefaultV1Recipe
from rasa.engine.storage.resource import Resource
from rasa.engine.storage.storage import ModelStorage
from rasa.nlu.extractors.extractor import EntityExtractorMixin
from rasa.shared.nlu.constants import ENTITIES, TEXT
from rasa.shared.nlu.training_data.message import Message

from bot.scope import scope_of


@DefaultV1Recipe.register(DefaultV1Recipe.ComponentType.ENTITY_EXTRACTOR, is_trainable=False)
class ScopeExtractor(GraphComponent, EntityExtractorMixin):
    """Adds the entity ``scope`` (``liver`` or ``general``) where a message names one."""

    @staticmethod
    def required_packages() -> list[str]:
        """Nothing beyond the project's own requirements."""
        return []

    @classmethod
    def create(cls, config: dict[str, Any], model_storage: ModelStorage, resource: Resource, execution_context: ExecutionContext) -> ScopeExtractor:
        """A component without configuration or state."""
        return cls()

    def process(self, messages: list[Message]) -> list[Message]:
        """Appends the entity to the message's own."""
        for message in messages:
            scope = scope_of(message.get(TEXT) or "")
            if scope:
                entity = {"entity": "scope", "value": scope, "start": 0, "end": 0, "extractor": "ScopeExtractor"}
                message.set(ENTITIES, [*message.get(ENTITIES, []), entity], add_to_output=True)
        return messages
