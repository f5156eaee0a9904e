"""Called by Rasa on every turn inside the booking form."""

from __future__ import annotations

from rasa_sdk import Tracker
from rasa_sdk.events import SlotSet
from rasa_sdk.executor import CollectingDispatcher

from actions.base import Events, SafeAction, slot
from bot.booking import FIELDS, Turn, read
from bot.channel_text import visitor_text


class ValidateBookingForm(SafeAction):
    """Puts one message through ``bot.booking.read`` and turns the reading into events."""

    def name(self) -> str:
        """The name that Rasa derives from the form's."""
        return "validate_booking_form"

    async def act(self, dispatcher: CollectingDispatcher, tracker: Tracker) -> Events:
        """Sets what was answered; returns nothing for a digression, which makes the form step aside for that intent's rule."""
        requested = tracker.get_slot("requested_slot")
        if not requested or _already_read(tracker):
            return []
        message = tracker.latest_message
        intent = message.get("intent") or {}
        turn = Turn(
            asked=requested.removeprefix("booking_"),
            text=visitor_text(message.get("text") or ""),
            intent=str(intent.get("name")),
            confidence=float(intent.get("confidence") or 0.0),
            given={f: tracker.get_slot(slot(f)) for f in FIELDS},
            tries=int(tracker.get_slot("booking_tries") or 0),
        )
        reading = read(turn)
        if reading.digression:
            return []
        for response in reading.says:
            dispatcher.utter_message(response=response)
        events: Events = [SlotSet(slot(f), value) for f, value in reading.values.items()]
        events.append(SlotSet("booking_tries", reading.tries_after(turn)))
        if reading.stop:
            events.append(SlotSet("requested_slot", None))
        return events


def _already_read(tracker: Tracker) -> bool:
    """Whether the form stepped aside for this message and is only coming back to ask its question again."""
    for event in reversed(tracker.events):
        if event["event"] == "user":
            return False
        if event["event"] == "action_execution_rejected":
            return True
    return False
