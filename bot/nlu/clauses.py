"""Cuts a message into the clauses that may each be a question. No Rasa import."""

from __future__ import annotations

import re
from itertools import pairwise

SHORT = 200  # characters up to which commas and « et » may separate questions; longer messages tell stories
_SENTENCES = re.compile(r"(?<=[?!.…])\s+|\n+")
_JOINTS = re.compile(r",\s*|\s+et\s+(?:puis\s+|aussi\s+)?|\s+puis\s+|\s*;\s*", re.IGNORECASE)
_AND = re.compile(r",?\s+et\s+", re.IGNORECASE)  # the only joint of a story's question: its commas go with how it is told
_LONG_ENOUGH = 2  # words
_SIGNATURE = 3  # words of a name, or pieces that its initials cut it into
_POINTING = 6  # words up to which a question may only point at what was said before it
# What a letter ends with, after what it asks.
_CLOSES = re.compile(
    r"^\W*(?:(?:je vous prie|veuillez|recevez|dans l.attente|bien (?:cordialement|[aà] vous)|tr[eè]s cordialement|cordialement|salutations|respectueusement"
    r"|(?:mes )?(?:sinc[eè]res|respectueu\w+|meilleures|cordiales) |avec (?:mes|toute|tous)|(?:bonne|belle) (?:journ[ée]e|soir[ée]e|continuation)"
    r"|(?:je |en )?vous (?:en )?remerci\w+|merci)(?!.*\b(?:dire|indiquer|pr[ée]ciser|expliquer|savoir|renseigner|[ée]clairer|informer|r[ée]pondre)\b))",
    re.IGNORECASE,
)


def sentences(text: str) -> list[str]:
    """The sentences of a message, in order; empty where it is one sentence."""
    found = [s.strip() for s in _SENTENCES.split(text) if s and len(s.split()) >= _LONG_ENOUGH]
    return found if len(found) > 1 else []


def clauses(text: str) -> list[str]:
    """The parts of a message that may be questions of their own, in order; empty where it is one clause and no word opens it (« non, je parle du prix »).

    In a long message only its questions count, and where it has none its last sentence before a letter's closing; a short question
    (« qu'en pensez-vous ? ») with the sentence that it asks about.

    >>> clauses("c'est quoi les effets secondaires, et ça fait mal ou pas ?")
    ["c'est quoi les effets secondaires", 'et ça fait mal ou pas ?']
    """
    sentences = [s.strip() for s in _SENTENCES.split(text) if s and s.strip()]
    if len(text) > SHORT:
        told = [i for i, s in enumerate(sentences) if not _CLOSES.search(s) and not _is_signed(sentences[:i], s)] or [0]
        asked_at = [i for i, s in enumerate(sentences) if s.endswith("?")][-3:] or told[-1:]
        asked = [" ".join(sentences[i - (i > 0 and len(sentences[i].split()) <= _POINTING) : i + 1]) for i in asked_at]
        return [p for s in asked for p in (_cut(s, _AND) if len(s) <= SHORT else [s])]
    asked = [s for s in sentences if s.endswith("?")]
    parts = [p.strip() for s in (asked or sentences) for p in _cut(s, _JOINTS)]
    parts = [p for p in parts if len(re.findall(r"\w+", p)) >= _LONG_ENOUGH]
    return parts if len(parts) > 1 or len(sentences) > 1 or parts != [text.strip()] else []


def _is_signed(before: list[str], sentence: str) -> bool:
    """Whether a sentence is what stands below a letter's closing: a name, cut at its initials."""
    return len(sentence.split()) <= _SIGNATURE and any(_CLOSES.search(s) for s in before[-_SIGNATURE:])


def asked_part(text: str) -> str:
    """What a message asks, without the story before it: its questions, or its last sentence. A short one asks with all its words."""
    return " ".join(clauses(text)) or text if len(text) > SHORT else text


def _cut(sentence: str, joints: re.Pattern[str]) -> list[str]:
    """At joints, the « et » kept with what follows, as people write it alone (« et ça fait mal ? »)."""
    cuts = [0, *(m.start() for m in joints.finditer(sentence)), len(sentence)]
    return [sentence[a:b].lstrip(" ,;") for a, b in pairwise(cuts)]
