"""Folding of one visitor message: one spelling for what people write in many ways."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from pathlib import Path

import yaml

_SMS_FILE = Path(__file__).with_name("sms.yml")

# Letters of other alphabets that look like a Latin one (after lower-casing).
_LOOKALIKES = str.maketrans(
    # Cyrillic, then Greek, then small capitals and phonetic letters.
    dict(zip("аеорсухкмтнвіїјѕһԁԛԝґпгь", "aeopcyxkmthbiijshdqwrnrb"))
    | dict(zip("αεορυνκτιχγμηωςσβ", "aeopuvktixymnwssb"))
    | dict(zip("ɑɡɩʟꜱᴀᴄᴅᴇᴍɴᴏᴘᴛᴜ", "agilsacdemnoptu"))
)
_APOSTROPHES = str.maketrans(dict.fromkeys("’‘ʼʹ´`‛′＇ʻ", "'"))
_LIGATURES = str.maketrans({"œ": "oe", "æ": "ae", "ß": "ss", "ø": "o", "ł": "l", "đ": "d", "ı": "i"})
_WORD = re.compile(r"[^\W_]+")
_SAME_LETTER = re.compile(r"([a-vx-z])\1{2,}")
_SPELT_OUT = re.compile(r"\b(?:[a-z][ .*_-]){4,30}[a-z]\b")
_SEEMS = re.compile(r"\b(pas|ai|as|a|ont|avez|avait|avais|avaient|avoir) l'air\b(?! qui)")  # « n'a pas l'air » is not « pas d'air »
_SPACES = re.compile(r"[^\S\n]+")

# « pu » stands for « plus » in SMS, except after the verb avoir (« j'ai pu venir »).
_AVOIR = frozenset("ai as a avons avez ont avait avais avoir aurait aurais ayant eu".split())
# « ma » stands for « m'a » after these words (« il ma frappé »).
_SUBJECTS = frozenset("il elle on qui mari copain conjoint compagnon ex chum".split())
# « c » stays a letter after these words (« hepatite c »).
_LETTERED = frozenset("hepatite vitamine virus type stade child classe grade proteine groupe vitamines".split())


@lru_cache(maxsize=1)
def _sms() -> dict[str, str]:
    with _SMS_FILE.open(encoding="utf-8") as stream:
        table: dict[str, str] = yaml.safe_load(stream)
    return {str(short): str(long) for short, long in table.items()}


def _latin(text: str) -> str:
    """Replaces look-alike Cyrillic or Greek letters in words that are otherwise Latin."""
    if text.isascii():
        return text

    def swap(match: re.Match[str]) -> str:
        word = match.group()
        if word.isascii():
            return word
        swapped = word.translate(_LOOKALIKES)
        mixed = any("a" <= c <= "z" for c in word)
        return swapped if mixed or (latin_text and swapped.isascii()) else word

    latin_text = any("a" <= c <= "z" for c in text)
    return _WORD.sub(swap, text)


def _strip_accents(text: str) -> str:
    if text.isascii():
        return text
    decomposed = unicodedata.normalize("NFD", text)
    return "".join(c for c in decomposed if unicodedata.category(c) != "Mn")


def _expand_sms(text: str) -> str:
    table = _sms()
    parts: list[str] = []
    end, before = 0, ""
    for match in _WORD.finditer(text):
        word = match.group()
        gap = text[end : match.start()]
        parts.append(gap)
        long = table.get(word)
        if word == "pu" and before not in _AVOIR:
            long = "plus"
        elif word == "ma" and before in _SUBJECTS:
            long = "m'a"
        elif word == "g" and (before[-1:].isdigit() or parts[-1].strip()):
            long = None if before else long
        elif word == "c" and (before in _LETTERED or text[match.end() : match.end() + 1] == "'"):
            long = None
        parts.append(long or word)
        end, before = match.end(), word
    parts.append(text[end:])
    return "".join(parts)


def fold(text: str) -> str:
    """Folds a message to plain lower-case letters, keeping its punctuation.

    Compatibility forms, look-alike letters, invisible characters, accents,
    ligatures, stretched letters and SMS spellings all come out alike.

    Args:
        text: What the visitor wrote.

    Returns:
        The folded text: unaccented lower case, straight apostrophes, single spaces.
    """
    text = unicodedata.normalize("NFKC", text.translate(_APOSTROPHES))
    if not text.isascii():
        text = "".join(c for c in text if unicodedata.category(c) not in ("Cf", "Co", "Cn"))
    text = _strip_accents(text.lower().translate(_LIGATURES))
    text = _strip_accents(_latin(text))
    text = _SAME_LETTER.sub(r"\1", text)
    text = _SPELT_OUT.sub(lambda match: re.sub("[^a-z]", "", match.group()), text)  # « m o u r i r »
    text = re.sub(r"\baujourd ?'? ?hui\b", "aujourdhui", text)
    text = _SEEMS.sub(r"\1", text)
    return _SPACES.sub(" ", _expand_sms(text)).strip()
