"""The one function both doors call: NLU in Rasa, and the desk when Rasa cannot answer."""

from __future__ import annotations

from dataclasses import dataclass

from bot.guard.foreign import check_foreign
from bot.guard.language import foreign_language, speaks_french
from bot.guard.red_flags import check

PERSONAL = "P"  # level of the personal questions in the lexicon
GUARDED = ("red_flag", "personal_advice", "foreign_language")  # from the gravest to the mildest
# Red flags, likewise; families that are not named lie where « other » stands.
_FAMILIES = tuple("suicide_urgent suicide suicide_other poisoning emergency liver_bleed suicide_veiled assisted_dying other after_injection same_day".split())


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
    if flag and flag.level != PERSONAL:
        urgent = flag.family == "suicide" and (flag.urgent or flag.also_vital)
        return Finding("red_flag", "suicide_urgent" if urgent else flag.family)
    family = None if speaks_french(text) else check_foreign(text)
    if family:
        return Finding("red_flag", family)
    if flag:
        return Finding("personal_advice", flag.family)
    language = foreign_language(text)
    return Finding("foreign_language", language) if language else None


def is_graver(one: Finding, other: Finding | None) -> bool:
    """Whether a finding should answer a message rather than another; a draw goes to the first."""
    return other is None or _gravity(one) <= _gravity(other)


def _gravity(finding: Finding) -> tuple[int, int]:
    """Sorts the gravest first."""
    family = finding.variant if finding.variant in _FAMILIES else "other"
    return (GUARDED.index(finding.intent), _FAMILIES.index(family))
