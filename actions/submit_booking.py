"""Ends the form: refused, or sent to the desk and said to be received only once the desk has committed it."""

from __future__ import annotations

import os

from rasa_sdk import Tracker
from rasa_sdk.events import SlotSet
from rasa_sdk.executor import CollectingDispatcher

from actions.base import Events, SafeAction, emptied_form, slot
from actions.desk import Desk, DeskError
from bot.answers import Content
from bot.booking import FIELDS, as_request


class SubmitBooking(SafeAction):
    """Posts the request to the desk."""

    on_failure = "utter_booking_failed"

    def name(self) -> str:
        """The action of the domain."""
        return "action_submit_booking"

    async def act(self, dispatcher: CollectingDispatcher, tracker: Tracker) -> Events:
        """Says what became of the request; on failure keeps every field so that one tap tries again."""
        if not tracker.get_slot(slot("consent")):
            dispatcher.utter_message(response="utter_booking_refused")
            return emptied_form()
        if not tracker.get_slot(slot("confirm")):
            return []
        round_number = int(tracker.get_slot("booking_round") or 0)
        try:
            reference = await Desk.from_environment(os.environ).open_ticket(_request(tracker), f"{tracker.sender_id}:{round_number}")
        except DeskError:
            dispatcher.utter_message(response="utter_booking_failed")
            return [SlotSet(slot("confirm"), None)]
        dispatcher.utter_message(response="utter_booking_received", reference=reference)
        return [*emptied_form(), SlotSet("booking_round", round_number + 1), SlotSet("booking_reference", reference)]


def _request(tracker: Tracker) -> dict[str, object]:
    consent = Content().responses["utter_ask_booking_consent"][0]["metadata"]
    given = as_request({field: tracker.get_slot(slot(field)) for field in FIELDS})
    return {"conversation_id": tracker.sender_id, "consent_version": consent["consent_version"], **given}
