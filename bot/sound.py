"""How a French word sounds, roughly: one key for the spellings of those who write by ear (« kardiak », « préparassion »). No Rasa import.

Endings that are not heard fall away, so that the forms of a verb and of a plural share a key too. It is no phonetic alphabet: words that sound
alike to a foreigner's ear may share a key, and what is read beside it (letters, meaning) tells them apart.
"""

from __future__ import annotations

import re
from functools import lru_cache

_WORD = re.compile(r"[^\W\d_]+")
_NO_VOWEL = "(?![aeiouynmU])"  # a nasal vowel keeps its n only before a consonant or at the end
# In this order, over folded letters. Capitals and figures stand for sounds that take two letters: C (ch), U (ou), 1 (in), 2 (an), 3 (on).
_RULES = [
    (re.compile(spelt), heard)
    for spelt, heard in (
        ("ph", "f"),
        ("s?ch|sh", "C"),
        ("h", ""),
        ("(?<=[^s])tion", "sion"),
        ("ti(?=el|al|eu|en)", "si"),
        ("qu(?=[aeio])|q", "k"),
        ("c(?=[eiy])", "s"),
        ("c", "k"),
        ("gn", "n"),
        ("gu(?=[eiy])", "g"),
        ("g(?=[eiy])", "j"),
        ("eau|au", "o"),
        ("oin", "w1"),
        ("o[iy]", "wa"),
        ("ou", "U"),
        (f"(?:ai|ei|i|y)[nm]{_NO_VOWEL}", "1"),
        ("ien$", "i1"),
        (f"[ae][nm]{_NO_VOWEL}", "2"),
        (f"o[nm]{_NO_VOWEL}", "3"),
        (f"u[nm]{_NO_VOWEL}", "1"),
        ("(?:ais|ait|aient|ees|ee|er|ez|es|et)$", "e"),
        ("ai|ei|ay|ey", "e"),
        ("oeu|eu|oe", "e"),
        ("y", "i"),
        ("z", "s"),
        ("w(?=[^a1])", "v"),
        (r"(.)\1+", r"\1"),
        ("(?<=..)(?:e?s|e|[xtdp]s?)$", ""),
    )
]


_LONGEST = 30  # letters; what is longer is no word


@lru_cache(maxsize=2_000)
def sound(word: str) -> str:
    """The key of one folded word (``bot.guard.normalise.fold``); a word with figures, or longer than any, is its own.

    >>> sound("insufisence") == sound("insuffisance")
    True
    """
    if len(word) > _LONGEST or not _WORD.fullmatch(word):
        return word
    for spelt, heard in _RULES:
        word = spelt.sub(heard, word)
    return word


def sounds(text: str) -> str:
    """A folded text with each word as its key, punctuation and figures kept."""
    return _WORD.sub(lambda match: sound(match.group()), text)
