"""What the guard's lexicon finds in a message: looked for once, told to whoever asks."""

from __future__ import annotations

from rasa.shared.nlu.constants import TEXT
from rasa.shared.nlu.training_data.message import Message

from bot.guard.door import Finding, inspect

FINDING = "guard_finding"


def finding(message: Message) -> Finding | None:
    """The guard's finding in a message of a visitor; none in the text of a button."""
    if FINDING not in message.data:
        text = message.get(TEXT) or ""
        message.set(FINDING, None if text.startswith("/") else inspect(text))
    found: Finding | None = message.get(FINDING)
    return found
