"""Every figure that an answer says comes from its facts, or is an emergency number (G-12). No Rasa import."""

from __future__ import annotations

import re
from collections.abc import Iterable

_THOUSANDS = re.compile(r"(?<=\d)[ \u202f\u00a0](?=\d{3}(?!\d))")
_FIGURE = re.compile(r"\d+")


def figures(text: str) -> set[str]:
    """The figures of a text as plain digits: « 7 000 à 31 000 € » has 7000 and 31000."""
    return set(_FIGURE.findall(_THOUSANDS.sub("", text)))


def unknown(text: str, allowed: Iterable[str]) -> set[str]:
    """The figures of a text that none of the allowed texts has.

    Args:
        text: what is said.
        allowed: the ``valeurs`` of the facts behind it, lines of emergency numbers.
    """
    return figures(text) - {figure for line in allowed for figure in figures(line)}
