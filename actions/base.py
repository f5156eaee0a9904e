"""What every action has in common: it never raises, and it never logs what a visitor said."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from typing import Any

from rasa_sdk import Action, Tracker
from rasa_sdk.events import SlotSet
from rasa_sdk.executor import CollectingDispatcher

from bot.booking import FIELDS, NOTHING

logger = logging.getLogger(__name__)
Events = list[dict[str, Any]]


class SafeAction(Action, ABC):
    """An action whose failure is a message, not a stack trace with the whole conversation in Rasa's log.

    Subclasses implement ``act`` and name the response that tells the visitor the truth when it fails.
    """

    on_failure = "utter_unavailable"

    async def run(self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict[str, Any]) -> Events:
        """Called by the SDK; runs ``act`` and turns any error into ``on_failure``."""
        try:
            return await self.act(dispatcher, tracker)
        except Exception as error:
            logger.error("%s failed: %s", self.name(), type(error).__name__)
            dispatcher.messages.clear()
            dispatcher.utter_message(response=self.on_failure)
            return []

    @abstractmethod
    async def act(self, dispatcher: CollectingDispatcher, tracker: Tracker) -> Events:
        """What the action does; may raise."""


def slot(field: str) -> str:
    """Slot name of a booking field."""
    return f"booking_{field}"


def emptied_form() -> Events:
    """Events that leave no trace of the form's values in the slots."""
    return [SlotSet(slot(f), NOTHING if f == "correction" else None) for f in FIELDS] + [SlotSet("booking_tries", 0)]
