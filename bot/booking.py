"""Reads what a visitor answers in the booking form. Pure functions, no Rasa import.

The same words mean different things in different fields (« non », « mardi », « le foie »), a question may come in the middle,
and any field may be corrected at any step. ``read`` decides which of these a message is.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from bot import fields
from bot.guard.normalise import fold

# The order in which the form asks. Slot names are these with the prefix ``booking_``.
FIELDS = ("consent", "name", "contact", "windows", "subject", "transcript", "correction", "confirm")
NOTHING = "rien"  # value of ``correction`` while nothing is to be corrected
PATIENCE = 3  # bad answers in a row after which a way out is shown
SURE = 0.55  # confidence from which an intent is believed against the question on the table

# Intents that answer the form itself; any other one is a digression, answered by its own rule before the form goes on.
FORM_INTENTS = frozenset({"affirm", "deny", "inform", "correct", "book", "nlu_fallback"})

# What NLU says of names it never met (« kevin martin »): no reason to think that a question was asked.
SAID_OF_NAMES = frozenset({"out_of_scope", "ask_unanswered", "foreign_language"})


@dataclass(frozen=True)
class Turn:
    """One message inside the form.

    Attributes:
        asked: the field on the table, one of ``FIELDS``.
        text: the message as written.
        intent: what NLU understood, with its ``confidence`` in 0..1.
        given: the fields' values so far; None where not given.
        tries: bad answers in a row before this one.
    """

    asked: str
    text: str
    intent: str
    confidence: float
    given: Mapping[str, Any] = field(default_factory=dict)
    tries: int = 0


@dataclass(frozen=True)
class Reading:
    """What a message does to the form.

    Attributes:
        values: fields to set; None empties one so that it is asked again.
        says: responses to show before the form's next question.
        digression: it is not an answer; the intent's own rule replies and the form waits.
        stop: the form ends here (consent refused).
    """

    values: dict[str, Any] = field(default_factory=dict)
    says: tuple[str, ...] = ()
    digression: bool = False
    stop: bool = False

    def tries_after(self, turn: Turn) -> int:
        """Bad answers in a row once this message is counted."""
        missed = self.values.get(turn.asked, ...) is None and bool(self.says)
        return turn.tries + 1 if missed else 0


DIGRESSION = Reading(digression=True)


def read(turn: Turn) -> Reading:
    """Reads one message inside the form.

    Args:
        turn: the message and what is on the table.

    Returns:
        What it does; a bad answer re-asks its field and says why, with a way out after ``PATIENCE`` tries.
    """
    if turn.intent == "red_flag" or _cancels(turn):
        return DIGRESSION
    correction = _correction(turn)
    if correction:
        return correction
    try:
        return _READERS[turn.asked](turn)
    except fields.FieldError as error:
        return _bad_answer(turn, error.code)


def as_request(given: Mapping[str, Any]) -> dict[str, object]:
    """What a complete form asks the desk to store, but for the conversation and the version of the consent.

    Args:
        given: values of ``FIELDS``, each as its reader left it.
    """
    contact = fields.parse_contact(given["contact"])
    return {
        "name": given["name"],
        contact.kind: contact.value,
        "windows": given["windows"],
        "subject": fields.subject_code(given["subject"]),
        "transcript": given["transcript"] == "oui",
    }


def _bad_answer(turn: Turn, code: str) -> Reading:
    says: tuple[str, ...] = (f"utter_booking_{code}",)
    if turn.tries + 1 >= PATIENCE:
        says += ("utter_booking_way_out",)
    return Reading({turn.asked: None}, says)


# ---------------------------------------------------------------- one reader a field


def _consent(turn: Turn) -> Reading:
    if _asks(turn.text):
        return DIGRESSION if turn.intent not in FORM_INTENTS else _bad_answer(turn, "consent_unclear")
    answer = _yes_or_no(turn)
    if answer is None:
        if _is_question(turn):
            return DIGRESSION
        raise fields.FieldError("consent_unclear")
    return Reading({"consent": answer}, stop=not answer)


def _name(turn: Turn) -> Reading:
    if turn.intent not in SAID_OF_NAMES and _is_question(turn) and not _written_as_a_name(turn.text):
        return DIGRESSION
    if turn.intent in SAID_OF_NAMES and _asks(turn.text):
        return DIGRESSION
    if fields.parse_yes_no(turn.text) is not None or fields.looks_like_contact(turn.text) or fields.looks_like_windows(turn.text):
        raise fields.FieldError("name_unclear")
    return Reading({"name": fields.parse_name(turn.text)})


def _contact(turn: Turn) -> Reading:
    if not fields.looks_like_contact(turn.text) and not _mostly_digits(turn.text) and _is_question(turn):
        return DIGRESSION
    return Reading({"contact": fields.parse_contact(turn.text).label})


def _windows(turn: Turn) -> Reading:
    if _is_question(turn) and (_asks(turn.text) or not fields.looks_like_windows(turn.text)):
        return DIGRESSION
    try:
        return Reading({"windows": fields.parse_windows(turn.text)})
    except fields.FieldError as error:
        # A person reads this field: from the second try on, what was said is kept as said.
        if error.code.startswith("windows_") and turn.tries and len(turn.text.strip()) > 2 and fields.parse_yes_no(turn.text) is None:
            return Reading({"windows": turn.text.strip()[: fields.LONGEST_WINDOWS]})
        raise


def _subject(turn: Turn) -> Reading:
    if _is_question(turn) and _asks(turn.text):
        return DIGRESSION
    subject = fields.parse_subject(turn.text)
    if _asks(turn.text) and subject == fields.SUBJECTS["other"]:
        raise fields.FieldError("subject_unclear")  # « c'est obligatoire ? » is no subject
    return Reading({"subject": subject})


def _transcript(turn: Turn) -> Reading:
    answer = _yes_or_no(turn)
    if answer is None:
        if _is_question(turn):
            return DIGRESSION
        raise fields.FieldError("transcript_unclear")
    return Reading({"transcript": "oui" if answer else "non"})


def _correction_wanted(turn: Turn) -> Reading:
    """The answer to « que faut-il corriger ? »."""
    named = _field_named(turn.text)
    if named:
        return Reading({"correction": NOTHING, **_emptied(named, turn)})
    if fields.parse_yes_no(turn.text) is not None or re.search(r"\brien\b|tout est", fold(turn.text)):
        return Reading({"correction": NOTHING})
    if _is_question(turn):
        return DIGRESSION
    raise fields.FieldError("correction_unclear")


def _confirm(turn: Turn) -> Reading:
    answer = None if _asks(turn.text) else _yes_or_no(turn)
    if answer:
        return Reading({"confirm": True})
    if answer is False or turn.intent == "correct" or _CORRECTS.search(fold(turn.text)):
        return Reading({"correction": None})
    if _is_question(turn):
        return DIGRESSION
    raise fields.FieldError("confirm_unclear")


_READERS: dict[str, Callable[[Turn], Reading]] = {
    "consent": _consent,
    "name": _name,
    "contact": _contact,
    "windows": _windows,
    "subject": _subject,
    "transcript": _transcript,
    "correction": _correction_wanted,
    "confirm": _confirm,
}

# ---------------------------------------------------------------- corrections

_CANCEL = re.compile(
    r"\bannul|\blaiss\w* tomber|change d'avis|\bstop\b|\bj'?arrete\b|\babandonn"
    r"|(?:veux|souhaite|voudrais) plus (?:de |du |prendre )?(?:rendez|rdv|etre|cette|consult)|plus besoin|oublie"
)


def _cancels(turn: Turn) -> bool:
    """Whether the visitor wants out: by the words, or because NLU is sure and the message is no answer to the question."""
    if turn.intent != "cancel":
        return False
    return bool(_CANCEL.search(fold(turn.text))) or (turn.confidence >= SURE and not _answers(turn.asked, turn.text))


_CANCEL_PLAINLY = re.compile(r"\bannul|\blaiss\w* tomber|\babandonn")
_CANCEL_OTHERWISE = re.compile(  # « n'annulez pas », « comment annuler ? », « je pourrai annuler plus tard ? »
    r"\bn'annul\w* (?:surtout )?pas\b|\bpas (?:l'|d')?annul|\bsi j'?annul|\bcomment\b.{0,20}\bannul|\bannul\w*.{0,20}\b(?:plus tard|ensuite|apres)\b"
)


def wants_out(asked: str, text: str) -> bool:
    """Whether the words alone say that the visitor wants out of the form: for the desk, which has no intents.

    Args:
        asked: the field on the table; « j'arrête à 17 h » is an answer to a question about moments.
        text: the message as written.
    """
    folded = fold(text)
    if not _CANCEL.search(folded) or _CANCEL_OTHERWISE.search(folded):
        return False
    return ("@" not in text and bool(_CANCEL_PLAINLY.search(folded))) or not _answers(asked, text)


def _answers(asked: str, text: str) -> bool:
    """Whether a message that looks like a wish to stop could as well be an answer."""
    return _written_as_a_name(text) if asked == "name" else fields.looks_like_contact(text) or fields.looks_like_windows(text)


_CORRECTS = re.compile(
    r"^non\b.{0,12}\b(?:plutot|c'est|mon|ma|le|la|pas)\b|\bplutot\b|\btrompe\b|\berreur\b|\bcorrig|\bmodifi|\bchang(?:e|er|ez)\b"
    r"|\brectifi|\bpas le bon\b|\bpas la bonne\b"
    r"|\bmal (?:ecrit|orthographie|tape|note)"
    r"|\ben fait\b|\bfinalement\b|\bs'ecrit\b|\bau lieu de\b|\bpas bon\b|\bfaux\b|\bfausse\b"
)
_NAMED = [
    ("contact", r"\b(?:contact|numero|num|tel\w*|portable|mobile|gsm|natel|cell\w*|mails?|e-?mails?|courriel|adresse|coordonnees)\b"),
    ("name", r"\b(?:nom|prenom|m'appelle)\b"),
    ("windows", r"\b(?:moments?|jours?|heures?|horaires?|dates?|creneaux?|disponibilites?|dispos?|rendez-vous|rdv|quand)\b"),
    ("transcript", r"\b(?:conversation|discussion|historique|echanges?|jointe)\b"),
    ("subject", r"\b(?:sujet|motif|theme|maladie)\b"),
]


def _correction(turn: Turn) -> Reading | None:
    """A correction of a field given before: named with its new value, named alone, or told by the kind of value."""
    folded = fold(turn.text)
    at_recap = turn.asked in ("confirm", "correction")
    if not (at_recap or (turn.intent == "correct" and turn.confidence >= SURE) or _CORRECTS.search(folded)) or _asks(turn.text):
        return None
    if turn.asked in ("consent", "name"):
        return None  # nothing was given that could be corrected
    if turn.asked == "confirm" and fields.parse_yes_no(turn.text) and not _CORRECTS.search(folded) and not fields.looks_like_contact(turn.text):
        return None  # « oui, c'est le bon numéro »
    named = _field_named(turn.text) or _kind_of_value(turn)
    if named is None or named == turn.asked or turn.given.get(named) is None:
        return None
    try:
        value = _new_value(named, turn)
    except fields.FieldError as error:
        return Reading(_emptied(named, turn), (f"utter_booking_{error.code}",))
    return Reading(_replaced(named, value, turn), ("utter_booking_corrected",)) if value else Reading(_emptied(named, turn))


def _field_named(text: str) -> str | None:
    folded = fold(text)
    return next((name for name, pattern in _NAMED if re.search(pattern, folded)), None)


def _kind_of_value(turn: Turn) -> str | None:
    if fields.looks_like_contact(turn.text):
        return "contact"
    if fields.looks_like_windows(turn.text) and turn.asked != "windows":
        return "windows"
    return "name" if re.search(r"(?:[Cc]['’]est|m['’]appelle)\s+[A-ZÀ-Ý]\w", turn.text) else None


def _new_value(named: str, turn: Turn) -> str | None:
    """The value that comes with the correction; None where only the field was named."""
    if named == "contact":
        return fields.parse_contact(turn.text).label if fields.looks_like_contact(turn.text) else None
    if named == "windows":
        said = re.sub(r"^\W*(?:(?:non|en fait|finalement|je voulais dire|plut[oô]t)\b\W*)+", "", turn.text, flags=re.I)
        if not re.search(r"\d", said) and not fields.looks_like_windows(re.sub(r"(?i)\b(?:les? )?(?:jours?|heures?|dates?|moments?|rendez-vous)\b", "", said)):
            return None
        moment = fields.parse_windows(said)
        before = turn.given.get("windows")
        names_a_day = re.search(r"(?i)di\b|dimanche|demain|semaine|\d\s*[/.]\s*\d|janv|f[ée]v|mars|avril|mai|juin|juil|ao[uû]t|sept|oct|nov|d[ée]c", moment)
        return moment if names_a_day or not before else f"{before}, plutôt {moment}"[: fields.LONGEST_WINDOWS]
    if named == "name":
        said = r"\s*(?:est|c['’]est|:|s['’][ée]crit)?\s*:?\s+(?:pas\s+\w+,?\s+(?:mais|c['’]est)\s+)?(.+)$"
        after = re.search(r"(?i)(?:\bnom|pr[ée]nom|m['’]appelle|s['’][ée]crit)" + said, turn.text) or re.search(r"(?i)c['’]est" + said, turn.text)
        words = re.sub(r"(?i)^(?:est|c['’]est|s['’][ée]crit|autrement)\s*", "", after[1]) if after else ""
        if not words or re.search(r"(?i)\b(?:pas|faux|fausse|mal|bon|erreur|corriger|changer)\b", words):
            return None
        return fields.parse_name(words.split(",")[0])
    return None


def _emptied(named: str, turn: Turn) -> dict[str, Any]:
    values: dict[str, Any] = {named: None}
    if turn.asked == "correction":
        values["correction"] = NOTHING
    return values


def _replaced(named: str, value: str, turn: Turn) -> dict[str, Any]:
    return {**_emptied(named, turn), named: value}


# ---------------------------------------------------------------- what a message is

_ASKS = re.compile(
    r"\?|^(?:et |mais |euh |alors )*(?:c'?est quoi|est[- ]ce|combien|comment|pourquoi|quels?\b|quelles?\b|ou (?:est|se|sont)"
    r"|qu'?est|y a[- ]t|peut[- ]on|puis[- ]je|ca (?:fait|dure|coute)|qui )"
)


def _asks(text: str) -> bool:
    return bool(_ASKS.search(fold(text))) or "?" in text


def _mostly_digits(text: str) -> bool:
    """Whether a text is the beginning of a number rather than words (« euh 0613 »), whatever it was taken for."""
    return sum(c.isdigit() for c in text) > sum(c.isalpha() for c in text)


def _is_question(turn: Turn) -> bool:
    """Whether the message is about something else than the form: an intent that is believed, or the shape of a question."""
    if turn.intent in FORM_INTENTS:
        return False
    return turn.confidence >= SURE or _asks(turn.text)


def _written_as_a_name(text: str) -> bool:
    """« Fatou Diop »: every word begins with a capital, and there is more than one or it is introduced as a name."""
    if fields.introduces_a_name(text):
        return True
    words = text.split()
    return len(words) >= 2 and not _asks(text) and all(w[:1].isupper() and not w.isupper() for w in words if len(w) > 3)


def _yes_or_no(turn: Turn) -> bool | None:
    """A yes is only what says yes in words; a no may also be what NLU is sure of. Nothing is agreed to by likeness."""
    said = fields.parse_yes_no(turn.text)
    return False if said is None and turn.intent == "deny" and turn.confidence >= SURE else said
