"""Canned replies: texts that staff can begin an answer with, and the variables in them. Functions work inside the caller's transaction."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from desk import audit
from desk.models import CannedReply

LONGEST_TITLE, LONGEST_TEXT = 80, 4000
VARIABLES = {
    "prénom": "le premier mot du nom que le visiteur a laissé",
    "nom": "le nom qu'il a laissé",
    "référence": "la référence de la demande",
    "clinique": "le nom de la clinique",
    "téléphone": "le numéro de la clinique",
}
_VARIABLE = re.compile(r"\{([^{}\n]{1,40})\}")


class CannedError(Exception):
    """A canned reply cannot be kept as asked; the text is a French sentence for the person who asked."""


class NoSuchReply(Exception):
    """It was deleted, or never was."""


class Unfilled(Exception):
    """A text still has variables without a value: their names are in ``missing``."""

    def __init__(self, missing: Sequence[str]) -> None:
        """Takes their names."""
        super().__init__(", ".join(missing))
        self.missing = missing


@dataclass(frozen=True)
class Filled:
    """A text with its variables filled in, and those that have no value: they stay in the text as ``{…}``."""

    text: str
    missing: Sequence[str]


def values_for(name: str | None, reference: str, clinic_name: str, clinic_phone: str | None) -> dict[str, str]:
    """What the variables stand for; those without a value are left out.

    A name of one word is no first name for sure (« Martin »): ``prénom`` is then asked of whoever writes.
    """
    words = (name or "").split()
    known = {
        "prénom": words[0] if len(words) > 1 else "",
        "nom": name or "",
        "référence": reference,
        "clinique": clinic_name,
        "téléphone": clinic_phone or "",
    }
    return {variable: value for variable, value in known.items() if value}


def fill(text: str, values: Mapping[str, str]) -> Filled:
    """Puts values in the place of variables, whatever their capitals and accents.

    >>> fill("Bonjour {Prenom}, {date} ?", {"prénom": "Fatou"})
    Filled(text='Bonjour Fatou, {date} ?', missing=['date'])
    """
    by_key = {_key(variable): value for variable, value in values.items()}
    filled = _VARIABLE.sub(lambda found: by_key.get(_key(found[1]), found[0]), text)
    return Filled(filled, missing(filled))


def missing(text: str) -> list[str]:
    """The variables that still stand in a text, each once."""
    return list(dict.fromkeys(found.strip() for found in _VARIABLE.findall(text)))


def replies(session: Session) -> Sequence[CannedReply]:
    """All of them, in their order."""
    return session.scalars(select(CannedReply).order_by(CannedReply.position, CannedReply.id)).all()


def reply(session: Session, reply_id: int) -> CannedReply:
    """One of them.

    Raises:
        NoSuchReply: there is none of this number.
    """
    found = session.get(CannedReply, reply_id)
    if found is None:
        raise NoSuchReply(reply_id)
    return found


def save(session: Session, actor: str, title: str, text: str, reply_id: int | None = None) -> CannedReply:
    """Makes a reply, or changes the one of ``reply_id``.

    Raises:
        CannedError: no title, no text, too long, or a title that another reply has.
        NoSuchReply: nothing to change.
    """
    title, text = " ".join(title.split()), text.replace("\r\n", "\n").strip()
    if not title or len(title) > LONGEST_TITLE:
        raise CannedError(f"Le titre doit compter de 1 à {LONGEST_TITLE} caractères.")
    if not text or len(text) > LONGEST_TEXT:
        raise CannedError(f"Le texte doit compter de 1 à {LONGEST_TEXT} caractères.")
    namesake = next((other for other in replies(session) if _key(other.title) == _key(title) and other.id != reply_id), None)
    if namesake:
        raise CannedError(f"Un modèle s'appelle déjà « {namesake.title} ».")
    kept = reply(session, reply_id) if reply_id is not None else CannedReply(position=_last_position(session) + 1)
    kept.title, kept.text = title, text
    session.add(kept)
    session.flush()
    audit.record(session, actor, "canned.change" if reply_id is not None else "canned.add", str(kept.id))
    return kept


def remove(session: Session, actor: str, reply_id: int) -> None:
    """Deletes a reply; answers that were begun with it stay as they are.

    Raises:
        NoSuchReply: it is gone already.
    """
    session.delete(reply(session, reply_id))
    session.flush()
    audit.record(session, actor, "canned.delete", str(reply_id))


def move(session: Session, actor: str, reply_id: int, places: int) -> None:
    """Moves a reply up (negative) or down; at the ends of the list it stays where it is.

    Raises:
        NoSuchReply: there is none of this number.
    """
    moved = reply(session, reply_id)
    others = [other for other in replies(session) if other.id != reply_id]
    place = list(replies(session)).index(moved)
    others.insert(max(0, min(len(others), place + places)), moved)
    for position, other in enumerate(others):
        other.position = position
    session.flush()
    audit.record(session, actor, "canned.order", str(reply_id))


def seed(session: Session) -> int:
    """Puts in the French default set where there is no reply at all; returns how many that were."""
    if session.scalar(select(func.count()).select_from(CannedReply)):
        return 0
    session.add_all(CannedReply(title=title, text=text, position=position) for position, (title, text) in enumerate(DEFAULTS))
    session.flush()
    return len(DEFAULTS)


def unknown_variables(text: str) -> list[str]:
    """Variables of a text that the desk never fills: whoever answers is asked for them."""
    known = {_key(variable) for variable in VARIABLES}
    return [variable for variable in missing(text) if _key(variable) not in known]


def _last_position(session: Session) -> int:
    last = session.scalar(select(func.max(CannedReply.position)))
    return -1 if last is None else last


def _key(text: str) -> str:
    plain = unicodedata.normalize("NFKD", text.casefold())
    return "".join(c for c in plain if c.isalnum())


# No text names a disease, a treatment or a price: an answer may be read on a shared phone.
DEFAULTS = (
    (
        "Accusé de réception",
        "Bonjour {prénom},\n\nNous avons bien reçu votre demande {référence}. Une personne de notre équipe s'en occupe et reviendra vers vous "
        "pour convenir d'un moment.\n\nBien cordialement,\n{clinique}",
    ),
    (
        "Proposer deux moments",
        "Bonjour {prénom},\n\nPour votre demande {référence}, nous pouvons vous proposer\u00a0:\n\n– {premier moment}\n– {second moment}\n\n"
        "Lequel vous convient\u00a0? Si aucun n'est possible, indiquez-nous vos disponibilités.\n\nBien cordialement,\n{clinique}",
    ),
    (
        "Demander d'autres disponibilités",
        "Bonjour {prénom},\n\nLes moments que vous aviez indiqués ne sont malheureusement pas disponibles. Quels autres jours, et à quelles "
        "heures, pourriez-vous être joint(e)\u00a0?\n\nVotre référence\u00a0: {référence}.\n\nBien cordialement,\n{clinique}",
    ),
    (
        "Demander un numéro de téléphone",
        "Bonjour {prénom},\n\nPour convenir d'un moment de vive voix, pourriez-vous nous indiquer un numéro de téléphone et les heures "
        "auxquelles nous pouvons vous appeler\u00a0?\n\nVotre référence\u00a0: {référence}.\n\nBien cordialement,\n{clinique}",
    ),
    (
        "Appel sans réponse",
        "Bonjour {prénom},\n\nNous avons essayé de vous appeler au sujet de votre demande {référence}, sans succès. Quand pouvons-nous vous "
        "rappeler\u00a0? Vous pouvez aussi nous joindre au {téléphone}.\n\nBien cordialement,\n{clinique}",
    ),
    (
        "Relance",
        "Bonjour {prénom},\n\nSauf erreur de notre part, nous n'avons pas encore reçu votre réponse au sujet de la demande {référence}. "
        "Souhaitez-vous toujours être mis(e) en relation avec notre équipe\u00a0? Sans nouvelles de votre part, nous clôturerons la demande le "
        "{date}.\n\nBien cordialement,\n{clinique}",
    ),
    (
        "Documents à apporter",
        "Bonjour {prénom},\n\nPour votre rendez-vous, merci de vous munir d'une pièce d'identité et des documents que votre médecin vous a "
        "remis, si vous le souhaitez. Ne nous les envoyez pas par e-mail.\n\nVotre référence\u00a0: {référence}.\n\nBien cordialement,\n{clinique}",
    ),
    (
        "Question médicale",
        "Bonjour {prénom},\n\nNous ne pouvons pas répondre par e-mail à une question qui concerne votre santé. Un médecin pourra en parler "
        "avec vous lors d'une consultation. Ne modifiez rien à un traitement en cours sans l'avis de votre médecin.\n\nEn cas d'urgence, "
        "appelez le 15 ou le 112.\n\nVotre référence\u00a0: {référence}.\n\nBien cordialement,\n{clinique}",
    ),
    (
        "Effacement des données",
        "Bonjour {prénom},\n\nNous avons bien reçu votre souhait que vos données soient effacées. La personne chargée de la protection des "
        "données s'en occupe.\n\nVotre référence\u00a0: {référence}.\n\nBien cordialement,\n{clinique}",
    ),
    (
        "Clôture",
        "Bonjour {prénom},\n\nVotre demande {référence} est à présent clôturée. Si vous souhaitez nous parler de nouveau, écrivez-nous par "
        "l'assistant de notre site ou appelez le {téléphone}.\n\nBien cordialement,\n{clinique}",
    ),
)
