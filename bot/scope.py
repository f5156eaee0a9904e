"""Tells from a visitor's words whether a question is about the liver or about the therapy in general. No Rasa import."""

from __future__ import annotations

import re

from bot.guard.normalise import fold

LIVER, GENERAL = "liver", "general"

# Stems, matched at the start of a folded word, so that plurals and common misspellings fall in.
_LIVER = re.compile(r"\b(?:foies?|foi|hepati\w*|hepato\w*|cirr?h?os\w*|sc?irrhos\w*|steatos\w*|steathos\w*|nafld|nash|masld|veine porte|bilia\w*)\b")
_GENERAL = re.compile(
    r"\b(?:en general|de facon generale|sep|sclerose\w*|parkinson\w*|avc|acv|crohn\w*|lupus|polyarthrite\w*|arthros\w*|genoux?|hanches?|articul\w*"
    r"|tendin\w*|tendons?|bpco|poumons?|pulmon\w*|coeurs?|cardiaq\w*|neurolog\w*|auto-?immun\w*|cerveau)\b"
)


def scope_of(text: str) -> str | None:
    """The scope a message names: ``liver``, ``general``, or None where it names neither.

    « une maladie du foie » wins over another disease in the same message: the liver's own figures differ, so an answer for the
    liver must never be given the general ones.
    """
    folded = fold(text)
    # « ma foi », « une fois » and « crise de foie » are not about the organ.
    folded = re.sub(r"\b(?:ma foi\b|crise de foie?|foi en)", " ", folded)
    folded = re.sub(
        r"\b(?:une|deux|trois|quelle|quelque|chaque|cette|des|plusieurs|\d+|la premiere|autre) fois\b|\bfois par\b|\bfois que\b|\bfois\b", " ", folded
    )
    if _LIVER.search(folded):
        return LIVER
    if _GENERAL.search(folded):
        return GENERAL
    return None
