"""Which medical disclaimer a message carries, and whether it does. Wordings: ``data/facts/disclaimers.yml``. No Rasa import."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping

# The variant each kind of message carries (design §3). Kinds that are absent carry none unless their response asks for one.
VARIANT_OF_KIND = {"answer": "info", "advice": "perso", "emergency": "urgence", "fallback": "court", "language": "court"}
KINDS = frozenset({"answer", "emergency", "advice", "language", "fallback", "booking", "smalltalk", "notice", "human"})

_CORE = re.compile(r"ne remplace(?:nt)? pas l'avis d'un medecin")


def is_disclaimed(text: str) -> bool:
    """Whether a text contains the core « ne remplace pas l'avis d'un médecin », whatever its apostrophes and spaces."""
    plain = unicodedata.normalize("NFKD", text.replace("’", "'").lower()).encode("ascii", "ignore").decode()
    return bool(_CORE.search(re.sub(r"\s+", " ", plain)))


def with_disclaimer(text: str, kind: str, wordings: Mapping[str, str], variant: str | None = None) -> str:
    """The text with its disclaimer as last paragraph.

    Args:
        text: what the message says.
        kind: one of ``KINDS``.
        wordings: variant → sentence.
        variant: overrides the variant of the kind (a booking form's first and last message: ``court``).

    Returns:
        The text unchanged where its kind needs none or the text has it already.

    Raises:
        KeyError: when the variant has no wording.
    """
    chosen = variant or VARIANT_OF_KIND.get(kind)
    if chosen is None or is_disclaimed(text):
        return text
    return f"{text.rstrip()}\n\n{wordings[chosen]}"
