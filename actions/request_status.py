"""Answers « où en est ma demande ? » with what this conversation knows."""

from __future__ import annotations

from rasa_sdk import Tracker
from rasa_sdk.executor import CollectingDispatcher

from actions.base import Events, SafeAction


class RequestStatus(SafeAction):
    """Repeats the reference of the conversation's request."""

    def name(self) -> str:
        """The action of the domain."""
        return "action_request_status"

    async def act(self, dispatcher: CollectingDispatcher, tracker: Tracker) -> Events:
        """Says the reference, or that there is none here."""
        known = tracker.get_slot("booking_reference")
        dispatcher.utter_message(response="utter_booking_known" if known else "utter_booking_unknown")
        return []
