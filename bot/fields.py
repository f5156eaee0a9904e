"""What a name, a way to be reached, a wished time and a subject are: one validator for the form and the desk. No Rasa import."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date

import phonenumbers
from email_validator import EmailNotValidError, validate_email
from phonenumbers import PhoneNumber, PhoneNumberFormat, PhoneNumberType

from bot.guard.normalise import fold

# Where visitors call from, in the order in which an ambiguous national number is tried.
REGIONS = {
    "FR": "France",
    "BE": "Belgique",
    "CH": "Suisse",
    "LU": "Luxembourg",
    "CA": "Canada",
    "RS": "Serbie",
    "DZ": "Algérie",
    "MA": "Maroc",
}
WITHOUT_PREFIX = {"CA", "LU"}  # elsewhere a national number begins with 0
SUBJECTS = {
    "general": "La thérapie en général",
    "liver": "Le foie",
    "neurology": "La neurologie",
    "joints": "Les articulations",
    "other": "Un autre sujet",
    "undisclosed": "Je préfère ne pas dire",
}
LONGEST_NAME, LONGEST_WINDOWS = 80, 200


class FieldError(ValueError):
    """What a visitor wrote is no value for the field; ``code`` names the response that says why, with an example."""

    def __init__(self, code: str) -> None:
        """Takes the last part of a response's name: ``utter_booking_<code>``."""
        super().__init__(code)
        self.code = code


@dataclass(frozen=True)
class Contact:
    """A way to reach a visitor: ``kind`` is ``email`` or ``phone``; ``value`` an address or E.164; ``label`` what is read back."""

    kind: str
    value: str
    label: str


# ---------------------------------------------------------------- name

_INTRODUCTION = re.compile(
    r"^\W*(?:(?:bonjour|oui|alors|euh|non|en fait)\W+)*"
    r"(?:(?:je\s+(?:m['’ ]?appell?e|suis|me\s+nomme)|moi\s+c['’ ]?est|c['’ ]?est(?:\s+au\s+nom\s+de)?|(?:mon|le)\s+(?:nom|prénom|prenom)(?:\s+complet)?"
    r"(?:\s+(?:est|c['’ ]?est))?|nom|ici|au nom de)\s*[:,]?\s+)",
    re.I,
)
_NOT_IN_NAMES = re.compile(r"\b(?:je|tu|ne|pas|sais|mes|vos|mon|ma|votre|quoi|rien|vous|avec|pour|donnees|effacez|oui|non|merci|bonjour|bonsoir|autre|euh)\b")
# « les effets secondaires », « prix » where a name was asked: a subject, unless the visitor says that it is their name.
_TOPICS = re.compile(r"\b(?:combien|comment|pourquoi|quels?|quelles?|effets?|prix|tarifs?|douleurs?|traitements?|rendez|consultation)\b")
_NAME = re.compile(r"[^\W\d_]+(?:[-'’ .]+[^\W\d_]+)*\.?")


def parse_name(text: str) -> str:
    """A person's name out of what they wrote, spelt as they spell it.

    >>> parse_name("je m'appelle fatou diop")
    'Fatou Diop'

    Raises:
        FieldError: ``name_unclear``.
    """
    name = re.sub(r"\s+", " ", _INTRODUCTION.sub("", text.strip()))
    name = re.split(r"[,;?!]|\s(?:mais|avec|pour|car|sauf|et vous|et toi)\b", name)[0].strip(' .:"«»')
    if _TOPICS.search(fold(name)) and not re.search(r"m['’ ]?appell?e|\bnom\b", text, re.I):
        raise FieldError("name_unclear")
    if _NOT_IN_NAMES.search(fold(name)) or not 2 <= len(name) <= LONGEST_NAME or len(name.split()) > 7 or not _NAME.fullmatch(name):
        raise FieldError("name_unclear")
    return name.title().replace("’", "'") if name.islower() else name


def introduces_a_name(text: str) -> bool:
    """Whether the text says itself that a name follows (« je m'appelle … », « mon nom est … »)."""
    return bool(_INTRODUCTION.match(text.strip()))


# ---------------------------------------------------------------- contact

_SPOKEN = [
    (re.compile(r"\s*(?:\(|\[)?\b(?:arobase?|arrobase?|aro?base|chez|at)\b(?:\)|\])?\s*", re.I), "@"),
    (re.compile(r"\s*(?:\(|\[)?\b(?:point|dot)\b(?:\)|\])?\s*", re.I), "."),
    (re.compile(r"\s*\b(?:tiret bas|underscore)\b\s*", re.I), "_"),
    (re.compile(r"\s*\btiret\b\s*", re.I), "-"),
]
_EMAIL = re.compile(r"[^\s@<>()\[\]:;,\"«»]+@[\w.-]+\.\w+")
_PREMIUM = {PhoneNumberType.PREMIUM_RATE, PhoneNumberType.SHARED_COST, PhoneNumberType.UAN, PhoneNumberType.VOICEMAIL}


def looks_like_contact(text: str) -> bool:
    """Whether the text tries to give an address or a number, right or wrong."""
    spoken = re.search(r"\b(?:arobase?|arrobase?)\b", text, re.I)
    return "@" in text or bool(spoken) or len(re.findall(r"\d", text)) >= 6


def parse_contact(text: str) -> Contact:
    """An e-mail address or a phone number out of what a visitor wrote, « arobase », « point » and spaces included.

    >>> parse_contact("camille arobase exemple point fr").value
    'camille@exemple.fr'
    >>> parse_contact("06 12 34 56 78").value
    '+33612345678'

    Raises:
        FieldError: ``email_invalid``, ``phone_invalid``, ``phone_premium`` or ``contact_unclear``.
    """
    if "@" in text or re.search(r"\b(?:arobase?|arrobase?)\b", text, re.I):
        return _email(text)
    if len(re.findall(r"\d", text)) >= 4:
        return _phone(text)
    raise FieldError("contact_unclear")


def _email(text: str) -> Contact:
    written = text
    if not _EMAIL.search(written):
        for pattern, sign in _SPOKEN:
            written = pattern.sub(sign, written)
        written = re.sub(r"\s*([@._])\s*", r"\1", written)
    found = _EMAIL.search(written)
    if not found:
        raise FieldError("email_invalid")
    try:
        address = validate_email(found[0].rstrip("."), check_deliverability=False, test_environment=True).normalized
    except EmailNotValidError as error:
        raise FieldError("email_invalid") from error
    return Contact("email", address, address)


def _phone(text: str) -> Contact:
    written = re.sub(r"[oO](?=[\d .])(?<![^\W\d_]{2})", "0", text) if re.match(r"\W*[oO]\d", text) else text
    found = re.search(r"(?:\+|\b00)?\(?\d[\d\s().\-/‑–·]{3,}\d", written)
    digits = found[0].strip() if found else ""
    if not digits:
        raise FieldError("phone_invalid")
    number, region = _international(digits) if re.match(r"\+|00", digits) else _with_country_code(digits) or _national(digits)
    if phonenumbers.number_type(number) in _PREMIUM:
        raise FieldError("phone_premium")
    label = phonenumbers.format_number(number, PhoneNumberFormat.INTERNATIONAL)
    country = REGIONS.get(region or "")
    return Contact("phone", phonenumbers.format_number(number, PhoneNumberFormat.E164), f"{label} ({country})" if country else label)


def _international(digits: str) -> tuple[PhoneNumber, str | None]:
    try:
        number = phonenumbers.parse("+" + re.sub(r"^(?:\+|00)", "", digits))
    except phonenumbers.NumberParseException as error:
        raise FieldError("phone_invalid") from error
    if not phonenumbers.is_possible_number(number):
        raise FieldError("phone_invalid")
    return number, phonenumbers.region_code_for_number(number)


def _with_country_code(digits: str) -> tuple[PhoneNumber, str | None] | None:
    """« 212 661 23 45 67 »: a number that begins with its country's code, without the plus."""
    if digits.lstrip("(").startswith("0"):
        return None
    try:
        number = phonenumbers.parse("+" + digits)
    except phonenumbers.NumberParseException:
        return None
    return (number, phonenumbers.region_code_for_number(number)) if phonenumbers.is_valid_number(number) else None


def _national(digits: str) -> tuple[PhoneNumber, str]:
    """The country in which a national number is valid; where several are, the one that groups digits as the visitor did."""
    candidates = []
    for region in REGIONS:
        try:
            number = phonenumbers.parse(digits, region)
        except phonenumbers.NumberParseException:
            continue
        if phonenumbers.is_valid_number(number) and (region in WITHOUT_PREFIX or digits.lstrip("(").startswith("0")):
            candidates.append((number, region))
    if not candidates:
        raise FieldError("phone_invalid")
    typed = _grouping(digits)
    return next((c for c in candidates if _grouping(phonenumbers.format_number(c[0], PhoneNumberFormat.NATIONAL)) == typed), candidates[0])


def _grouping(digits: str) -> tuple[int, ...]:
    return tuple(len(group) for group in re.findall(r"\d+", digits))


# ---------------------------------------------------------------- windows

_DAYS = "lundi mardi mercredi jeudi vendredi samedi dimanche"
_MONTHS = "janvier fevrier mars avril mai juin juillet aout septembre octobre novembre decembre".split()
_TIME_WORDS = frozenset(
    f"{_DAYS} {' '.join(_MONTHS)} demain aujourd hui apres-demain surlendemain matin matins matinee midi apres-midi aprem aprem' soir soiree soirs nuit "
    "semaine semaines week-end weekend wk jour jours journee quinzaine mois heure heures h prochain prochaine n'importe nimporte importe possible tot tard "
    "quand libre libres dispo disponible disponibles dimanches lundis mardis mercredis jeudis vendredis samedis avant-midi souper diner pause "
    "toujours indifferent egal rapidement vite asap maintenant ce-soir vacances ouvrables ouvres feries".split()
)
_HOUR = re.compile(r"\b(\d{1,2})\s?(?:h(?:eures?)?|:)\s?(\d{2})?(?!\d)")
_DATE = re.compile(rf"\b(\d{{1,2}})(?:er)?\s?(?:/\s?(\d{{1,2}})\b(?!\s?h)|({'|'.join(_MONTHS)}))")


def looks_like_windows(text: str) -> bool:
    """Whether the text speaks of days, half-days or hours."""
    folded = fold(text)
    words = re.findall(r"[a-z]+(?:-[a-z]+)*", folded)
    return any(w in _TIME_WORDS or any(part in _TIME_WORDS for part in w.split("-")) for w in words) or bool(_HOUR.search(folded) or _DATE.search(folded))


def parse_windows(text: str) -> str:
    """The wished moments, in the visitor's own words (a person reads them), cleaned of what cannot be.

    >>> parse_windows("mardi vers midi")
    'mardi vers midi'

    Raises:
        FieldError: ``windows_unclear``, or ``windows_impossible`` for a date or hour that does not exist.
    """
    words = re.sub(r"\s+", " ", text).strip()
    folded = fold(words)
    for hour, minute in _HOUR.findall(folded):
        if int(hour) > 24 or int(minute or 0) > 59:
            raise FieldError("windows_impossible")
    for day, number, month in _DATE.findall(folded):
        if not _exists(int(day), int(number) if number else _MONTHS.index(month) + 1):
            raise FieldError("windows_impossible")
    # Only what speaks of time is kept: health has no place in this field.
    kept = ", ".join(clause.strip() for clause in re.split(r"[,;.](?!\d)|\s(?:car|parce que|mais j|et j)", words) if looks_like_windows(clause))
    if not kept:
        raise FieldError("windows_unclear")
    return kept[:LONGEST_WINDOWS]


def _exists(day: int, month: int) -> bool:
    try:
        date(2028, month, day)  # a leap year: 29 February may be meant
    except ValueError:
        return False
    return True


# ---------------------------------------------------------------- subject, yes and no

_SUBJECT_WORDS = [
    ("undisclosed", r"prefere (?:ne )?pas|pas (?:le )?dire|rien|passer|passe|aucun|sans sujet|peu importe|facultatif|^non\b|confidentiel|prive"),
    ("liver", r"foies?\b|\bfoi\b|hepat|cirrh?os|steat|nash|nafld"),
    ("neurology", r"neuro|sclerose|\bsep\b|\bsp\b|parkinson|\bavc\b|\bacv\b|cerveau|nerf|nerveu|alzheimer"),
    ("joints", r"articul|arthros|genou|hanche|epaule|tendon|tendin|cartilage|polyarthrit|\bdos\b|orthop"),
    ("general", r"general|renseign|information|therapie|traitement|cellules|csm|question|prix|tarif"),
    ("other", r"autre|divers"),
]


def parse_subject(text: str) -> str:
    """The label of the closed list's subject that a text names; words outside it become « Un autre sujet », never stored as said.

    >>> parse_subject("c'est pour ma cirrhose")
    'Le foie'
    """
    folded = fold(text)
    code = next((code for code, pattern in _SUBJECT_WORDS if re.search(pattern, folded)), "other")
    return SUBJECTS[code]


def subject_code(label: str) -> str:
    """The code stored for a subject's label; ``undisclosed`` for anything unknown."""
    return next((code for code, known in SUBJECTS.items() if known == label), "undisclosed")


_YES = re.compile(
    r"^(?:oui|ouais?|ouep?|wi|ui|yes|ok|okay|okey|d'?accord|dacc|accord|j'?accepte|accepte|bien sur|volontiers|absolument"
    r"|exact\w*|tout a fait|c'?est (?:bon|correct|ca|exact|"
    r"parfait|juste|tout bon)|parfait|correct|envoye[rz]?|envoie|valide[rz]?|je valide|confirme[rz]?|je confirme|vas[- ]y|allez[- ]y"
    r"|impec\w*|nickel|tout est (?:bon|correct|ok|juste|exact)|"
    r"certainement|evidemment|go|oki|ca (?:me )?va|pas de (?:souci|probleme)|joindre|rien a (?:corriger|changer))\b"
)
_NO = re.compile(
    r"^(?:non|nan|nn|no|nope|na|pas (?:d'?accord|question|maintenant|besoin|envie|la joindre)"
    r"|je (?:ne |n')?(?:suis pas|refuse|veux pas|souhaite pas|accepte pas|prefere pas)"
    r"|refus\w*|"
    r"sans (?:la conversation)?|jamais|surtout pas|hors de question|aucun\w*|faux|incorrect|c'?est (?:pas|faux)|ce n'?est pas)\b"
)


_RESERVED = re.compile(r"\b(?:mais|sauf|attend\w*|enfin|pas (?!de (?:souci|probleme)|grave)|reflechi\w*|plutot|si c'est|si vous|a condition|plus tard)\b|\?")


def parse_yes_no(text: str) -> bool | None:
    """True for yes, False for no, None where it is neither, or a yes with a reservation (« ok mais attendez », « oui enfin non »).

    >>> parse_yes_no("Oui, c'est correct"), parse_yes_no("je n'accepte pas"), parse_yes_no("mardi")
    (True, False, None)
    """
    folded = re.sub(r"^(?:(?:bah|ben|bon|euh|alors|eh bien|mais|ah|oh|bonjour|merci)\W+)+", "", fold(text).strip(" .!,;"))
    if _NO.search(folded) or re.search(r"\b(?:n'accepte|accepte) pas\b|\bpas d'?accord\b", folded):
        return False
    if _YES.search(folded) and not _RESERVED.search(folded):
        return True
    return None
