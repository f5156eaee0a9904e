"""The one function both doors call: NLU in Rasa, and the desk when Rasa cannot answer."""

from __future__ import annotations

from dataclasses import dataclass

from bot.guard.language import foreign_language
from bot.guard.prognosis import asks_prognosis
from bot.guard.red_flags import check


@dataclass(frozen=True)
class Finding:
    """What the guard found in a message.

    Attributes:
        intent: ``red_flag``, ``personal_advice`` or ``foreign_language``; also the name of the slot that holds ``variant``.
        variant: which text of the response ``utter_<intent>`` answers it.
    """

    intent: str
    variant: str

    @property
    def response(self) -> str:
        """Name of the response that answers this finding."""
        return f"utter_{self.intent}"


def inspect(text: str) -> Finding | None:
    """Looks at one message of a visitor; the gravest finding wins.

    Args:
        text: the message as written, any length.

    Returns:
        The finding, or None for an ordinary message.
    """
    flag = check(text)
    if flag:
        urgent = flag.family == "suicide" and (flag.urgent or flag.also_vital)
        return Finding("red_flag", "suicide_urgent" if urgent else flag.family)
    if asks_prognosis(text):
        return Finding("personal_advice", "end_of_life")
    language = foreign_language(text)
    return Finding("foreign_language", language) if language else None
