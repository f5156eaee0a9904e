"""Scripts and spellings: which alphabet a word is written in, and one plain spelling for each word of a foreign language."""

from __future__ import annotations

import re
import unicodedata

_SPELT = str.maketrans({"ß": "ss", "ł": "l", "đ": "dj", "ı": "i", "ø": "o", "œ": "oe", "æ": "ae"})
# Serbian Cyrillic to the Latin spelling without its marks (« лечење », « lečenje » and « lecenje » become one).
_SERBIAN = str.maketrans(
    dict(zip("абвгдежзијклмнопрстћуфхцчш", "abvgdezzijklmnoprstcufhccs")) | {"ђ": "dj", "љ": "lj", "њ": "nj", "џ": "dz"},
)
# Consonants of Arabic, in its own letters or in Latin ones with digits (« kan9der », « كنقدر »). Letters that writers mix become one.
_DIGRAPHS = re.compile("[kgcst]h|dh")
_DIGRAPH = {"kh": "خ", "gh": "غ", "ch": "ش", "sh": "ش", "th": "ت", "dh": "د"}
_CONSONANTS = str.maketrans(
    dict(zip("bptdjrzsfvkqgclmnh" + "356789", "ببتدجرزسففككككلمنه" + "عختهكك"))
    | dict(zip("ثطضذظصقحگڤپ", "تتدددسكهكفب"))
    | dict.fromkeys("aeiouywx24ءاىويةأإآؤئـ")
)
_DOUBLED = re.compile(r"(.)\1+")


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


def consonants(word: str) -> str:
    """What is left of an Arabic word, in either script, without vowels, weak letters and doublings: « kantnafes » and « كنتنفس » are one.

    Args:
        word: a word in small letters without marks, as ``plain`` gives it.
    """
    spelt = _DIGRAPHS.sub(lambda pair: _DIGRAPH[pair.group()], word) if word.isascii() else word
    return _DOUBLED.sub(r"\1", spelt.translate(_CONSONANTS))
