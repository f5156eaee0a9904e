"""The NLG class of ``endpoints.yml``: Rasa chooses and fills a response, this finishes it.

The disclaimer is there by construction: every text that Rasa says comes out of ``generate``.
"""

from __future__ import annotations

import json
from typing import Any

from rasa.core.nlg.response import TemplatedNaturalLanguageGenerator
from rasa.shared.core.domain import Domain
from rasa.shared.core.events import BotUttered, UserUttered
from rasa.shared.core.trackers import DialogueStateTracker
from rasa.utils.endpoints import EndpointConfig

from bot.answers import SAME_FOR_ALL, Content
from bot.nlu.intent_classifier import ALSO_ASKED
from bot.nlu.message_model import ADVICE
from bot.nlu.understanding import is_answered

FOLLOW_UP = "utter_follow_up"
SAY_MORE = "utter_say_more"  # « lesquels ? », « pourquoi ? »: more of the last answer
NOT_MY_QUESTION = ("utter_not_my_question", "utter_not_my_question_again")
FALLBACK, CLARIFY = "utter_fallback", "utter_clarify"  # not understood: at all, between several
NOT_UNDERSTOOD = {FALLBACK, CLARIFY}
UNANSWERED = ("utter_unanswered", "utter_unanswered_again")
SAID_AGAIN = "utter_said_again"  # the line before an answer that was just given
SURE = 0.6  # confidence from which nothing else is offered in an answer's place
GUARDED = ("utter_red_flag", "utter_personal_advice")  # their text is chosen by the slot of the same name


class GuardedNLG(TemplatedNaturalLanguageGenerator):
    """Adds disclaimer, kind and sources to each response, and answers « et pour le foie ? » with the last question's answer."""

    def __init__(self, endpoint_config: EndpointConfig | None, domain: Domain) -> None:
        """Called by Rasa with the ``nlg`` endpoint and the trained domain."""
        super().__init__(domain.responses)
        self._content = Content()

    async def generate(self, utter_action: str, tracker: DialogueStateTracker, output_channel: str, **kwargs: Any) -> dict[str, Any] | None:
        """The complete response: text with its disclaimer, buttons, and metadata ``kind``, ``sources``, ``response``,
        ``also`` (further questions that the message asks: intents, with their values as Rasa reads them behind a slash).

        Args:
            utter_action: name of the response.
            tracker: the conversation; its slots fill conditions and values.
            output_channel: name of the channel.
            **kwargs: further values for ``{…}``.

        Returns:
            None when the domain has no such response.
        """
        entities = {e["entity"]: e["value"] for e in (tracker.latest_message.entities if tracker.latest_message else [])}
        name = utter_action
        if name == FOLLOW_UP:
            last = _last_answer(tracker)
            name = self._content.followed_up(last, entities.get("condition")) if last else "utter_conditions" if "condition" in entities else FOLLOW_UP
        if name == SAY_MORE:
            name = self._content.in_detail(_last_answer(tracker)) or name
        name = self._content.resolve(name, tracker.current_slot_values(), entities)
        values = {**self._content.number_lines, "unsaid": entities.get("unsaid") or "ce point", **kwargs}
        also = _asked_as_well(tracker)
        likely = [r for r in self._in_doubt(tracker) if r.replace("utter_", "ask_", 1) not in also]
        if name == FALLBACK and len(likely) > 1:
            name = CLARIFY
        said = _last_said(tracker)
        last = _response(said)
        if name == last or {name, last} <= NOT_UNDERSTOOD:
            name = self._content.again(name)
        response = await super().generate(name, tracker, output_channel, **values)
        if response is None:
            return None
        text, kind, sources = self._content.finish(response["text"], response["metadata"])
        if utter_action == FOLLOW_UP and "condition" in entities and name not in (*SAME_FOR_ALL, "utter_conditions") and said and str(said.text).endswith(text):
            return await self.generate("utter_conditions", tracker, output_channel, **kwargs)  # of this disease the articles only say what it is
        if kind == "answer" and said and str(said.text).endswith(text):
            text = f"{self._content.text(SAID_AGAIN)}\n\n{text}"
        buttons = [*response.get("buttons", []), *self._content.neighbours(name, tracker.current_slot_values(), likely)]
        if name == CLARIFY or (name in UNANSWERED and likely):
            buttons = self._content.choices(likely)
        if name in NOT_MY_QUESTION:
            buttons = self._content.choices(self._meant_instead(tracker))
        if tracker.active_loop and kind != "booking":
            buttons = []  # a question inside the form is answered, and the form goes on
        variant = tracker.get_slot(name.removeprefix("utter_")) if name in GUARDED else None
        return {"text": text, "buttons": buttons, "metadata": {"kind": kind, "sources": sources, "response": name, "variant": variant, "also": also}}

    def _in_doubt(self, tracker: DialogueStateTracker) -> list[str]:
        """What the last message may have meant; empty where it is clear."""
        parsed = (tracker.latest_message.parse_data if tracker.latest_message else None) or {}
        sure = float((parsed.get("intent") or {}).get("confidence") or 0.0) >= SURE
        return [] if sure else self._content.likely(parsed.get("intent_ranking") or [])

    def _meant_instead(self, tracker: DialogueStateTracker) -> list[str]:
        """What the message before the last may have meant, if not what it was answered: its other readings, then neighbours of the answer."""
        answered = _last_answer(tracker)
        heard = [e for e in tracker.events if isinstance(e, UserUttered)][-2:-1]
        ranking = heard[0].parse_data.get("intent_ranking", []) if heard else []
        others = [*self._content.likely(ranking, from_chance=0.0), *self._content.next_to(answered)]
        return [name for name in dict.fromkeys(others) if name != answered]


def _asked_as_well(tracker: DialogueStateTracker) -> list[str]:
    """The further questions in the last message, as intents with their values, where the first is one that an article answers, personal, or a follow-up."""
    message = tracker.latest_message
    first = str(message.intent.get("name")) if message else ""
    if not message or not (is_answered(first) or first in (ADVICE, "follow_up")):
        return []
    subject = next((e["value"] for e in message.entities if e["entity"] == "unsaid"), None)
    values = {"ask_unanswered": json.dumps({"unsaid": subject}, ensure_ascii=False)} if subject else {}
    return [intent + values.get(intent, "") for intent in (message.parse_data or {}).get(ALSO_ASKED, []) if intent != first]


def _last_said(tracker: DialogueStateTracker) -> BotUttered | None:
    """What the assistant said last, whatever it was."""
    return next((e for e in reversed(tracker.events) if isinstance(e, BotUttered)), None)


def _response(said: BotUttered | None) -> str | None:
    return (said.metadata.get("metadata") or {}).get("response") if said else None


def _last_answer(tracker: DialogueStateTracker) -> str | None:
    """Name of the last response that answered a question from the articles."""
    for event in reversed(tracker.events):
        if isinstance(event, BotUttered):
            metadata = event.metadata.get("metadata") or {}
            if metadata.get("kind") == "answer":
                return str(metadata["response"])
    return None
