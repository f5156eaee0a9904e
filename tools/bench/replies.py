"""From what a system understood to what a visitor would read: `python -m tools.bench.replies IN OUT` (environment bot).

The assistant's own way from an intent to an answer, without the server: ``ContentReader`` (scope, disease, figure, what no article says), the rules of
``data/stories``, and the choice of text of ``bot.nlg``. It is the same for every system. The guard's lexicon is not part of it.

IN holds ``texts`` and, for each system, their ``rankings``; OUT gets two replies a text and system: to its first intent, and to « not understood ».
Of a system that hears further questions (``further``), OUT gets all replies to each text too (``whole``).
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from rasa.shared.nlu.constants import ENTITIES, INTENT, TEXT
from rasa.shared.nlu.training_data.message import Message

from bot import answers
from bot.nlg import FALLBACK, FOLLOW_UP
from bot.nlu.content_reader import ContentReader
from bot.nlu.intent_classifier import ALSO_ASKED, PARTS

STORIES = Path(__file__).resolve().parent.parent.parent / "data/stories"
NOT_UNDERSTOOD = "nlu_fallback"
# What these actions say first in a conversation that holds nothing yet.
SAID_BY_ACTION = {
    "booking_form": "utter_ask_booking_consent",
    "action_cancel_booking": "utter_booking_nothing_to_cancel",
    "action_request_status": "utter_booking_unknown",
}

Ranking = list[tuple[str, float]]
Reply = dict[str, str]  # text, kind and response of the first message; intent, as the content reader left it


class Replier:
    """Answers first messages."""

    def __init__(self) -> None:
        self._content = answers.Content()
        self._reader = ContentReader()
        self._responses = _rules()

    def reply(self, text: str, ranking: Ranking) -> Reply:
        """What the assistant says to a message so understood.

        Args:
            text: the message.
            ranking: intents and confidences, best first; the first may name its variant behind a slash. Empty: not understood.
        """
        return self.replies(text, ranking, {})[0]

    def replies(self, text: str, ranking: Ranking, further: dict[str, Any]) -> list[Reply]:
        """Likewise, to each of the questions that were heard in it.

        Args:
            text: the message.
            ranking: as for ``reply``.
            further: ``also`` and ``parts`` of ``bot.nlu.understanding.Understood``; empty where only one question is ever heard.
        """
        intent, named, also = self._read(text, ranking, further)
        return [self._reply(asked, named) for asked in dict.fromkeys([intent, *also])]

    def _reply(self, asked: str, named: Mapping[str, str]) -> Reply:
        message = self.said(asked, named)
        return {"text": message.text, "kind": message.kind, "response": str(message.response), "intent": asked.partition("{")[0]}

    def said(self, asked: str, named: Mapping[str, str]) -> answers.Message:
        """What answers one question.

        Args:
            asked: an intent, or one with its own values behind it (``ask_conditions{"condition": "sep", …}``).
            named: the entities of the message.
        """
        intent, brace, values = asked.partition("{")
        slots = {**named, **(json.loads(brace + values) if brace else {})}
        name = self._responses.get(intent, FALLBACK)
        if name == FOLLOW_UP and slots.get("condition"):  # there is no answer yet to say again
            name = "utter_conditions"
        return self._content.message(self._content.resolve(name, slots, slots), {"unsaid": "ce point", **slots})

    def _read(self, text: str, ranking: Ranking, further: dict[str, Any]) -> tuple[str, dict[str, str], list[str]]:
        first, variant = (ranking[0][0] if ranking else NOT_UNDERSTOOD).partition("/")[::2]
        named = [{"name": first, "confidence": ranking[0][1] if ranking else 1.0}]
        named += [{"name": name, "confidence": confidence} for name, confidence in ranking[1:]]
        message = Message({TEXT: text})
        message.set(INTENT, named[0])
        message.set("intent_ranking", named)
        if variant:
            message.set(ENTITIES, [{"entity": first, "value": variant}])
        if further:
            message.set(ALSO_ASKED, further["also"])
            message.set(PARTS, further["parts"])
        self._reader.process([message])
        entities = {e["entity"]: e["value"] for e in message.get(ENTITIES, [])}
        return message.get(INTENT)["name"], entities, message.get(ALSO_ASKED) or []


def _rules() -> dict[str, str]:
    """The response to each intent at the beginning of a conversation."""
    found = {}
    for path in sorted(STORIES.glob("*.yml")):
        for rule in yaml.safe_load(path.read_text(encoding="utf-8")).get("rules", []):
            inside = any(c.get("active_loop") for c in rule.get("condition", []))
            steps = rule["steps"]
            if not inside and len(steps) > 1 and "intent" in steps[0] and "action" in steps[1]:
                action = steps[1]["action"]
                found[steps[0]["intent"]] = SAID_BY_ACTION.get(action, action)
    return found


def main(argv: list[str]) -> int:
    """Reads IN, writes OUT."""
    given: dict[str, Any] = json.loads(Path(argv[0]).read_text(encoding="utf-8"))
    replier = Replier()
    not_understood = [replier.reply(text, []) for text in given["texts"]]
    taken = {system: [replier.reply(*pair) for pair in zip(given["texts"], rankings)] for system, rankings in given["rankings"].items()}
    whole = {
        system: [replier.replies(*heard) for heard in zip(given["texts"], given["rankings"][system], further)] for system, further in given["further"].items()
    }
    Path(argv[1]).write_text(json.dumps({"not_understood": not_understood, "taken": taken, "whole": whole}, ensure_ascii=False), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
