"""A visitor's text on its way through Rasa: always text, never a command. No Rasa import."""

from __future__ import annotations

WORD_JOINER = "\u2060"  # invisible; before a slash it makes Rasa read the message as text


def as_plain_text(text: str) -> str:
    """A visitor's text as Rasa must be given it.

    >>> as_plain_text("/restart") == WORD_JOINER + "/restart"
    True
    """
    return WORD_JOINER + text if text.lstrip().startswith("/") else text


def visitor_text(text: str) -> str:
    """The text as the visitor wrote it."""
    return text.removeprefix(WORD_JOINER)
