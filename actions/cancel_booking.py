"""Cancels the form: what was given is gone."""

from __future__ import annotations

from rasa_sdk import Tracker
from rasa_sdk.executor import CollectingDispatcher

from actions.base import Events, SafeAction, emptied_form, slot
from bot.booking import FIELDS


class CancelBooking(SafeAction):
    """Empties the form's slots, and says whether there was anything to cancel."""

    def name(self) -> str:
        """The action of the domain."""
        return "action_cancel_booking"

    async def act(self, dispatcher: CollectingDispatcher, tracker: Tracker) -> Events:
        """Tells the visitor what was cancelled."""
        begun = bool(tracker.active_loop) or any(tracker.get_slot(slot(f)) is not None for f in FIELDS if f != "correction")
        dispatcher.utter_message(response="utter_booking_cancelled" if begun else "utter_booking_nothing_to_cancel")
        return emptied_form()
