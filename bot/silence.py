"""What the articles do not speak of, by its name (``data/facts/silence.yml``). No Rasa import."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from bot.lexicon import Lexicon
from bot.scope import ANY, LIVER, about

SUCCESS_RATE = "le taux de réussite dans cette maladie"
FILE = Path(__file__).resolve().parent.parent / "data/facts/silence.yml"
# Questions that a disease may be the subject of; « le prix si on a du diabète » is still a question about the price.
ABOUT_A_DISEASE = frozenset(
    "ask_conditions ask_efficacy ask_disease ask_mechanism ask_definition ask_limits ask_timeline ask_duration ask_evidence ask_complement follow_up "
    "ask_eligibility ask_liver_diseases ask_liver_causes out_of_scope nlu_fallback inform ask_cancer".split()
)


# Questions that may point at a disease told before them (« et pour cette maladie-là ? »).
POINTING = frozenset("ask_conditions ask_efficacy ask_disease ask_mechanism ask_eligibility out_of_scope nlu_fallback".split())


def unsaid(text: str, intent: str, story: str = "") -> str | None:
    """What a question asks that no article answers.

    Args:
        text: the visitor's question.
        intent: what NLU took it for.
        story: the whole message, for a question that points at the disease told before it.

    Returns:
        The subject's French name (« le remboursement et les assurances »), or None.
    """
    subjects, diseases = _lexicons()
    found = subjects.find(text)
    if found and intent in _elsewhere()[found]:
        return None
    if found or intent not in ABOUT_A_DISEASE:
        return found
    for told in (text, story) if intent in POINTING else (text,):
        named = about(told)
        if named.condition not in (None, ANY) or named.scope == LIVER:
            return None
        if found := diseases.find(told):
            return found
    return None


@lru_cache(maxsize=1)
def _lexicons() -> tuple[Lexicon, Lexicon]:
    return tuple(Lexicon((e["nom"], e["mots"]) for e in _data()[part]) for part in ("sujets", "maladies"))  # type: ignore[return-value]


@lru_cache(maxsize=1)
def _elsewhere() -> dict[str, frozenset[str]]:
    """By subject, the questions in which its words mean something else (« des bébés ? », asked of the cells' origin)."""
    return {e["nom"]: frozenset(e.get("sauf", ())) for e in _data()["sujets"]}


def _data() -> dict[str, Any]:
    data: dict[str, Any] = yaml.safe_load(FILE.read_text(encoding="utf-8"))
    return data
