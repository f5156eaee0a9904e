"""Takes out of a visitor's message what could tell who wrote it: names, addresses, numbers, dates, places. In doubt it is taken out.

No list knows every name: what remains is a message that hardly anybody can be recognised by, not an anonymous one. That is why it is
kept for some weeks only, encrypted, and shown to few.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

from bot.fields import FieldError, parse_contact
from bot.french_words import frequent_words
from desk.insight.ordinary_words import OrdinaryWords, ordinary_words, plain

LONGEST = 300  # characters: the rest of a long story says more of the person than of the question
_READ = 3 * LONGEST  # characters that are looked at: masks may be shorter than what they hide
EMAIL, WEB, HANDLE, REFERENCE, PHONE = "[e-mail]", "[site]", "[pseudonyme]", "[référence]", "[téléphone]"
DATE, AGE, NUMBER, ADDRESS, PLACE, NAME = "[date]", "[nombre] ans", "[nombre]", "[adresse]", "[lieu]", "[nom]"
WORD = "[mot]"  # may be a name, may be a spelling that nobody knows
_MASK = r"\[[^\[\]]*\]"
SHORTEST_SHOUT, SHOUTED = 5, 0.6  # words, and share of them with a capital
_FUNCTION_WORDS = 300  # so many of the most frequent French words end a name: « je m'appelle Fatou et j'ai… »

_TLD = r"(?:com|org|net|info|fr|be|ch|lu|ca|rs|de|uk|eu|dz|ma|tn|io|biz|me)"
_PROVIDER = r"(?:gmail|hotmail|outlook|yahoo|orange|wanadoo|free|sfr|laposte|icloud|live|proton\w*|bluewin|skynet|videotron)"
_EMAILS = re.compile(
    rf"[^\s@<>()\[\],;:«»\"]+\s?@\s?[\w-]+(?:\s?\.\s?[\w-]+)*"
    rf"|[\w.+-]+(?:\s(?:point|tiret|underscore)\s[\w-]+)*\s*(?:\(at\)|\[at\]|\bar+oba[sz]e?\b|\bat\b|\bchez\b(?=\s{_PROVIDER}))\s*[\w-]+(?:\s?(?:\.|\bpoint\b)\s?[\w-]+)*",
    re.IGNORECASE,
)
_WEB = re.compile(rf"\b(?:https?://|www\.)\S+|\b[\w-]+(?:\.[\w-]+)*\.{_TLD}\b(?:/\S*)?", re.IGNORECASE)
_HANDLES = re.compile(r"(?<!\w)[@#]\w+|\b(?:insta|instagram|facebook|fb|snap|tiktok|telegram|skype|pseudo)\s*[:=]\s*\S+", re.IGNORECASE)
_REFERENCES = re.compile(
    r"\brdv[\s-]*[a-z0-9]{4}[\s-]*[a-z0-9]{2}\b|\b(?=[a-z0-9-]*\d[a-z0-9-]*\d[a-z0-9-]*\d)(?=[a-z0-9-]*[a-z])[a-z0-9-]{6,}\b", re.IGNORECASE
)
_MONTH = r"(?:janv(?:ier)?|f[eé]vr(?:ier)?|mars|avr(?:il)?|mai|juin|juil(?:let)?|ao[uû]t|sept(?:embre)?|oct(?:obre)?|nov(?:embre)?|d[eé]c(?:embre)?)\b\.?"
_DATES = re.compile(
    r"\b\d{4}-\d{1,2}-\d{1,2}\b|(?<![\d/.-])\d{1,2}\s?[/.-]\s?\d{1,2}\s?[/.-]\s?\d{2,4}(?![\d/.-])|(?<![\d/.-])\d{1,2}/\d{1,2}\b(?!\s?(?:h|%)|[\d/.-])"
    rf"|\b\d{{1,2}}(?:er)?\s?{_MONTH}(?:\s?\d{{2,4}}\b)?|\b{_MONTH}\s?\d{{4}}\b|\b(?:lundi|mardi|mercredi|jeudi|vendredi|samedi|dimanche)\s\d{{1,2}}\b"
    r"|\b(?:19|20)\d\d\b",
    re.IGNORECASE,
)
_STREETS = re.compile(
    r"\b\d{1,4}\s?(?:bis|ter|quater|[a-d])?\s?,?\s(?:rue|avenue|av|boulevard|bd|place|chemin|route|quai|all[eé]e|impasse|cours|square|cit[eé]|lotissement|r[eé]sidence)\b[^\n.;!?]{0,60}"
    r"|\b(?:rue|avenue|boulevard|impasse)\s(?:du|de|des|de la|de l['’])?\s?[^\W\d_]+",
    re.IGNORECASE,
)
_AGES = re.compile(r"\b\d{1,3}\s?(?:ans?|piges|balais)\b", re.IGNORECASE)
_RUNS = re.compile(r"(?<![\w.])\+?\(?\d(?:[\s()./·‑–-]{0,2}\d){5,}(?!\w)")  # six digits and more, however they are grouped
_LONG_NUMBERS = re.compile(r"(?<![\w.,])\d{4,}(?!\w)")

_OWN_NAME = (
    r"(?:je m['’ ]?appell?e?|jmappel+e?|je me nomme|moi c['’ ]?est|(?:nom|pr[eé]nom|sign[eé])\s?:?"
    r"|mon (?:petit )?(?:nom|pr[eé]nom)(?: de famille)?(?: est| c['’ ]?est)?)"
)
_TITLE = r"(?:m\.|mr|mme|mlle|monsieur|madame|mademoiselle|docteur|docteure|dr|pr|prof|professeure?|ma[iî]tre|soeur|sœur|p[eè]re)\.?"
_CALLED = re.compile(rf"\b({_OWN_NAME}|qui s['’ ]?appell?e|s['’ ]?appell?e|nomm[eé]e?|{_TITLE})(?=\s)", re.IGNORECASE)
_LIVES = re.compile(
    r"\b((?:habit\w*|r[eé]sid\w*|viens?|vis|vit|vivons|n[eé]e?|domicili[eé]e?s?)\s(?:actuellement\s)?(?:à|a|au|aux|en|de|du|pr[eè]s de|d['’]))(?=\s|\b)",
    re.IGNORECASE,
)
_GOODBYE = re.compile(
    r"\b((?:bien )?(?:cordialement|cdlt|bien à vous|(?:sinc[eè]res |meilleures )?salutations|merci d['’]avance)\W+)((?:[^\W\d_][\w'’-]*\W*){1,4})$",
    re.IGNORECASE,
)
_WORD = re.compile(rf"{_MASK}|[^\W\d_]+")
_SENTENCE_BEGINS = re.compile(r"(?:^|[.!?…:;\n]\s*|^\W+)$")


def cleaned(text: str, words: OrdinaryWords | None = None) -> str | None:
    """The message with ``[nom]``, ``[e-mail]``, ``[date]``… in the place of what it could be recognised by.

    Args:
        text: what a visitor wrote.
        words: those that name nobody; read when absent.

    Returns:
        At most ``LONGEST`` characters; None when nothing worth keeping is left, more masks than words.
    """
    words = words or ordinary_words()
    text = unicodedata.normalize("NFC", text[:_READ].replace("’", "'")).translate(str.maketrans("[]", "()"))
    for pattern, mask in ((_EMAILS, EMAIL), (_WEB, WEB), (_HANDLES, HANDLE), (_DATES, DATE), (_STREETS, ADDRESS), (_AGES, AGE)):
        text = pattern.sub(mask, text)
    text = _RUNS.sub(_number, text)
    text = _REFERENCES.sub(REFERENCE, text)
    text = _LONG_NUMBERS.sub(NUMBER, text)
    text = _GOODBYE.sub(lambda m: m[1] + NAME, text)
    text = _following(_CALLED, text, NAME, most=3)
    text = _following(_LIVES, text, PLACE, most=3)
    text = _without_names(text, words)
    text = re.sub(r"\s+", " ", text).strip()
    if len(text) > LONGEST:
        text = text[: LONGEST - 1].rsplit(" ", 1)[0] + " …"
    masks = len(re.findall(_MASK, text))
    said = len(re.findall(r"[^\W\d_]{2,}", re.sub(_MASK, " ", text)))
    return text if said > masks else None


def _number(match: re.Match[str]) -> str:
    try:
        return PHONE if parse_contact(match[0]).kind == "phone" else NUMBER
    except FieldError:
        return NUMBER


def _following(cue: re.Pattern[str], text: str, mask: str, most: int) -> str:
    """Masks the words that follow a cue, up to a sign or to a word so frequent that it is no part of a name."""
    found = cue.search(text)
    while found:
        end, taken = found.end(), 0
        while taken < most and (word := re.compile(r"[\s'-]{1,2}([^\W\d_]+)").match(text, end)):
            if plain(word[1]) in _frequent() and not (taken and word[1] in ("de", "du", "la", "le", "ben", "el", "van", "von")):
                break
            end, taken = word.end(), taken + 1
        if taken:
            text = f"{text[: found.end()]} {mask}{text[end:]}"
        found = cue.search(text, found.end())
    return text


def _without_names(text: str, words: OrdinaryWords) -> str:
    """Masks each word that is not known to name nobody."""
    tokens = [t for t in _WORD.findall(text) if not t.startswith("[")]
    # Capitals say nothing in a message that is full of them.
    shouted = len(tokens) >= SHORTEST_SHOUT and sum(t[0].isupper() for t in tokens) > SHOUTED * len(tokens)

    def masked(match: re.Match[str]) -> str:
        word = match[0]
        if word.startswith("["):
            return word
        own = word[0].isupper() and not shouted and not _SENTENCE_BEGINS.search(text[: match.start()])
        if words.is_kept(plain(word), own):
            return word
        return NAME if word[0].isupper() and not shouted else WORD

    text = _WORD.sub(masked, text)
    joined = re.sub(rf"{re.escape(NAME)}(?:[\s'-]+(?:{re.escape(NAME)}|{re.escape(WORD)}|[A-ZÀ-Ý]\w*))+", NAME, text)
    return re.sub(rf"{re.escape(WORD)}(?:[\s'-]+(?:{re.escape(NAME)}|{re.escape(WORD)}))+", WORD, joined)


@lru_cache(maxsize=1)
def _frequent() -> frozenset[str]:
    return frozenset(plain(word) for word in frequent_words(_FUNCTION_WORDS)) - {"saint"}
