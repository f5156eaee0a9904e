"""Scripts and spellings: which alphabet a word is written in, and one plain spelling for each word of a foreign language."""

from __future__ import annotations

import unicodedata

_SPELT = str.maketrans({"ß": "ss", "ł": "l", "đ": "dj", "ı": "i", "ø": "o", "œ": "oe", "æ": "ae"})
# Serbian Cyrillic to the Latin spelling without its marks (« лечење », « lečenje » and « lecenje » become one).
_SERBIAN = str.maketrans(
    dict(zip("абвгдежзијклмнопрстћуфхцчш", "abvgdezzijklmnoprstcufhccs")) | {"ђ": "dj", "љ": "lj", "њ": "nj", "џ": "dz"},
)


def script(word: str) -> str:
    """The script of a word, as the first word of its letters' Unicode names: ``LATIN``, ``CYRILLIC``, ``ARABIC``…

    Args:
        word: a word of a message.

    Returns:
        ``LATIN`` also for digits and for a word that mixes Latin letters with others, because those are look-alikes.
    """
    if word.isascii():
        return "LATIN"
    found = {unicodedata.name(c, "?").partition(" ")[0] for c in word if c.isalpha()}
    return "LATIN" if not found or "LATIN" in found else min(found)


def plain(word: str) -> str:
    """A word in small letters without marks; Serbian Cyrillic becomes Latin, other scripts keep their letters.

    Args:
        word: a word of a message or of a list.
    """
    if word.isascii():
        return word.lower()
    lower = word.lower()
    if script(word) == "CYRILLIC":
        return lower.translate(_SERBIAN)
    decomposed = unicodedata.normalize("NFKD", lower.translate(_SPELT))
    return "".join(c for c in decomposed if not unicodedata.combining(c))
