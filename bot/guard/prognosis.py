"""Questions about how long somebody has to live: never answered with a figure, whatever else the words resemble. No Rasa import."""

from __future__ import annotations

from functools import lru_cache

from bot.lexicon import Lexicon

PHRASES = (
    "reste a vivre", "reste t il a vivre", "temps a vivre", "encore a vivre", "esperance de vie", "combien de temps il me reste",
    "combien de temps il lui reste",
    "combien de temps me reste", "combien de temps lui reste", "soins palliatifs", "palliatif", "palliative", "phase terminale", "stade terminal", "fin de vie",
    "condamne", "condamnee", "vais mourir", "va mourir", "vais je mourir", "va t il mourir", "va t elle mourir", "peur de mourir", "derniere chance",
)  # fmt: skip


def asks_prognosis(text: str) -> bool:
    """Whether a message speaks of the end of a life (guard R-44, P8)."""
    return _lexicon().find(text) is not None


@lru_cache(maxsize=1)
def _lexicon() -> Lexicon:
    return Lexicon([("end_of_life", PHRASES)])
