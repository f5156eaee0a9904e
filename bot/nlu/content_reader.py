"""Reads what a question is about, and turns a question that no article answers into one that says so."""

from __future__ import annotations

from typing import Any

from rasa.engine.graph import ExecutionContext, GraphComponent
from rasa.engine.recipes.default_recipe import DefaultV1Recipe
from rasa.engine.storage.resource import Resource
from rasa.engine.storage.storage import ModelStorage
from rasa.nlu.extractors.extractor import EntityExtractorMixin
from rasa.shared.nlu.constants import ENTITIES, INTENT, TEXT
from rasa.shared.nlu.training_data.message import Message

from bot.nlu.clauses import asked_part
from bot.nlu.intent_classifier import ALSO_ASKED
from bot.nlu.understanding import is_answered
from bot.scope import ANY, GENERAL, LIVER, about
from bot.silence import unsaid

SOURCE = "ContentReader"
UNANSWERED = "ask_unanswered"
# With a disease named, these have one text: the disease's (bot.answers.SAID_BY_CONDITION). Their chances add up.
OF_THE_DISEASE = frozenset({"ask_efficacy", "ask_advantages", "ask_mechanism", "ask_disease", "ask_conditions", "ask_liver_diseases"})
BEYOND, UNSURE = 0.3, 0.6  # so likely that no article says it, where what was understood is less likely than that: it is not answered
NOT_SAID = (UNANSWERED, "out_of_scope")
VAGUE = 0.6  # confidence below which « no article says it », with no subject named, gives way to what they say of the disease that is


@DefaultV1Recipe.register(DefaultV1Recipe.ComponentType.ENTITY_EXTRACTOR, is_trainable=False)
class ContentReader(GraphComponent, EntityExtractorMixin):
    """Adds the entities ``scope``, ``condition``, ``figure`` and ``unsaid``; corrects the intent where ``unsaid`` is found."""

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


def _not_of_the_liver(message: Message) -> str:
    """Takes what only the liver's article answers out of what a message about another disease may ask; returns the likeliest intent that is left."""
    ranking = [r for r in message.get("intent_ranking", []) if r["name"] in OF_THE_DISEASE or not r["name"].startswith("ask_liver_")]
    left = ranking or [{"name": "ask_conditions", "confidence": 1.0}]
    message.set(INTENT, left[0], add_to_output=True)
    message.set("intent_ranking", left, add_to_output=True)
    return str(left[0]["name"])


def _chance_beyond(message: Message) -> float:
    """The chance that no article answers, where that is likely enough beside what was understood; else 0."""
    chances = {r["name"]: float(r["confidence"]) for r in message.get("intent_ranking", [])}
    beyond = sum(chances.get(name, 0.0) for name in NOT_SAID)
    understood = chances.get(message.get(INTENT)["name"], 1.0)
    return beyond if beyond >= BEYOND and understood < UNSURE else 0.0


def _read(message: Message, text: str) -> None:
    intent = (message.get(INTENT) or {}).get("name") or ""
    named = about(text)
    names_a_disease = named.condition not in (None, ANY)  # one that an article speaks of
    if intent.startswith("ask_liver_") and named.scope == GENERAL and names_a_disease:
        intent = _not_of_the_liver(message)
    found = {"scope": named.scope, "condition": named.condition, "figure": named.figure}
    # Only questions of content can be beyond it: a request, an advice to decline or an answer to the form stay what they are.
    if (intent.startswith("ask_") and intent not in ("ask_bot", "ask_status")) or intent in ("follow_up", "out_of_scope", "nlu_fallback"):
        found["unsaid"] = unsaid(asked_part(text), intent)
        if found["unsaid"]:
            silent = {"name": UNANSWERED, "confidence": 1.0}
            message.set(INTENT, silent, add_to_output=True)
            message.set("intent_ranking", [silent, *message.get("intent_ranking", [])], add_to_output=True)
    confidence = float((message.get(INTENT) or {}).get("confidence") or 0.0)
    # Nothing was understood but the disease: what the article says of it is the best answer there is.
    vague = intent == "nlu_fallback" or (intent == UNANSWERED and confidence < VAGUE)
    together = sum(float(r["confidence"]) for r in message.get("intent_ranking", []) if r["name"] in OF_THE_DISEASE)
    outdone = is_answered(intent) and intent not in OF_THE_DISEASE and together > confidence
    if (vague or outdone) and not found.get("unsaid") and names_a_disease:
        message.set(INTENT, {"name": "ask_conditions", "confidence": 1.0}, add_to_output=True)
    if not names_a_disease and is_answered(message.get(INTENT, {}).get("name", "")) and (chance := _chance_beyond(message)):
        message.set(INTENT, {"name": UNANSWERED, "confidence": chance}, add_to_output=True)
    if also := message.get(ALSO_ASKED):
        message.set(ALSO_ASKED, [i for i in also if named.scope == LIVER or not i.startswith("ask_liver_")], add_to_output=True)
    entities = [{"entity": name, "value": value, "start": 0, "end": len(text), "extractor": SOURCE} for name, value in found.items() if value]
    message.set(ENTITIES, [*message.get(ENTITIES, []), *entities], add_to_output=True)
