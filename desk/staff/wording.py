"""How the desk says things to staff, in French: moments, states, contacts, what happened."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from urllib.parse import quote
from zoneinfo import ZoneInfo

import phonenumbers
from phonenumbers import PhoneNumberFormat

from bot.fields import REGIONS
from desk import audit
from desk.french_time import DAYS, MONTHS
from desk.models import Role, TicketState

CLINIC_ZONE = ZoneInfo("Europe/Belgrade")
FIXED = "\u00a0"  # a space that does not break
SOON = timedelta(hours=2)

_SHORT_MONTHS = "janv. févr. mars avr. mai juin juill. août sept. oct. nov. déc.".split()

STATES = {
    TicketState.WAITING: "En attente",
    TicketState.CLAIMED: "Prise en charge",
    TicketState.PENDING_VISITOR: "Attend le visiteur",
    TicketState.BOOKED: "Rendez-vous fixé",
    TicketState.EXPIRED: "Délai dépassé",
    TicketState.CLOSED: "Clôturée",
    TicketState.CANCELLED: "Annulée",
    TicketState.SPAM: "Indésirable",
    TicketState.ERASED: "Effacée",
}
# What the audit trail records, as the history of a request and the audit page say it. A test looks for codes without words.
_ACTIONS = {
    "ticket.open": "Demande reçue",
    "ticket.follow_up": "Suite d'une demande clôturée",
    "ticket.read": "Demande consultée",
    "ticket.print": "Demande imprimée",
    "ticket.claim": "Prise en charge",
    "ticket.release": "Remise en attente",
    "ticket.transfer": "Confiée à quelqu'un d'autre",
    "ticket.take_over": "Relève prise",
    "ticket.wait": "Attend le visiteur",
    "ticket.resume": "Reprise",
    "ticket.answer": "Réponse écrite au visiteur",
    "ticket.note": "Note ajoutée",
    "ticket.book": "Rendez-vous fixé",
    "ticket.rebook": "Rendez-vous déplacé",
    "ticket.unbook": "Rendez-vous annulé",
    "ticket.other_time": "Autre moment demandé",
    "ticket.close": "Demande clôturée",
    "ticket.reopen": "Demande rouverte",
    "ticket.cancel": "Demande annulée",
    "ticket.expire": "Délai dépassé",
    "ticket.escalate": "Retard signalé à l'équipe",
    "ticket.spam": "Marquée indésirable",
    "ticket.not_spam": "N'est plus indésirable",
    "ticket.undo": "Dernière action annulée",
    "ticket.export": "Données exportées",
    "ticket.erase": "Données effacées",
    "privacy.search": "Personne cherchée",
    "privacy.found": "Demande trouvée par une recherche de personne",
    "privacy.view": "Données d'une personne passées en revue",
    "privacy.export": "Données d'une personne exportées",
    "privacy.erase": "Données d'une personne effacées",
    "retention.erase": "Effacé après la durée de conservation",
    "backup.make": "Sauvegarde faite",
    "backup.delete": "Sauvegarde supprimée",
    "canned.add": "Modèle de réponse ajouté",
    "canned.change": "Modèle de réponse modifié",
    "canned.delete": "Modèle de réponse supprimé",
    "canned.order": "Modèles de réponse réordonnés",
    "content.sign": "Texte signé comme relu",
    "insight.export": "Chiffres exportés",
    "questions.dismiss": "Question non comprise écartée",
    "questions.export": "Questions non comprises exportées",
    "outbox.retry": "Envoi relancé",
    "outbox.retry_all": "Envois relancés",
    "hours.week": "Horaires de la semaine changés",
    "hours.settings": "Délais comptés avec ces réglages",
    "hours.special_day": "Jour particulier fixé",
    "hours.ordinary_day": "Jour particulier supprimé",
    "clinician.add": "Praticien ajouté",
    "clinician.rename": "Nom du praticien changé",
    "clinician.activate": "Praticien proposé de nouveau",
    "clinician.deactivate": "Praticien retiré du choix",
    "staff.add": "Compte créé",
    "staff.sign_in": "Connexion",
    "staff.sign_in_failed": "Connexion refusée",
    "staff.sign_out": "Déconnexion",
    "staff.password_change": "Mot de passe changé",
    "staff.password_reset": "Mot de passe provisoire donné",
    "staff.role_agent": "Rôle changé\u00a0: agent",
    "staff.role_lead": "Rôle changé\u00a0: responsable d'équipe",
    "staff.role_privacy_officer": "Rôle changé\u00a0: délégué à la confidentialité",
    "staff.role_admin": "Rôle changé\u00a0: administrateur",
    "staff.deactivate": "Compte fermé",
    "staff.activate": "Compte rouvert",
    "staff.email_change": "Adresse e-mail changée",
    "staff.second_factor_set": "Second facteur activé",
    "staff.second_factor_reset": "Second facteur retiré",
    "staff.recovery_codes_new": "Nouveaux codes de secours",
    "staff.recovery_code_used": "Code de secours utilisé",
    "staff.sessions_ended": "Autres sessions fermées",
    "staff.oidc_link": "Compte d'établissement relié",
    "keys.rotate": "Nouvelle clé de chiffrement",
    "keys.drop_old": "Anciennes clés de chiffrement retirées",
}
_ACTORS = {audit.VISITOR: "Visiteur", audit.SYSTEM: "Système"}
_DOERS = {audit.VISITOR: "le visiteur", audit.SYSTEM: "le bureau lui-même"}  # « par le visiteur »
ROLES = {
    Role.AGENT: "Agent",
    Role.LEAD: "Responsable d'équipe",
    Role.PRIVACY_OFFICER: "Délégué à la confidentialité",
    Role.ADMIN: "Administrateur",
}
ROLE_NOTES = {
    Role.AGENT: "lit et traite les demandes",
    Role.LEAD: "traite les demandes, les confie à d'autres, règle horaires et modèles",
    Role.PRIVACY_OFFICER: "lit les demandes, exporte et efface les données d'une personne, lit le journal",
    Role.ADMIN: "gère les comptes et les réglages, lit le journal\u00a0; ne voit aucune demande",
}
# How an attempt to sign in ended (desk.staff.sign_ins.Outcome).
OUTCOMES = {
    "ok": "Connexion",
    "half": "Mot de passe juste, code attendu",
    "recovery": "Connexion par un code de secours",
    "password": "Mot de passe faux",
    "second_factor": "Code faux",
    "locked": "Refusée\u00a0: trop d'essais",
    "inactive": "Refusée\u00a0: compte fermé",
    "expired": "Refusée\u00a0: mot de passe provisoire périmé",
}
SENDERS = {"visitor": "Visiteur", "bot": "Assistant", "human": "Équipe"}

# What a page says once it is done.
_DONE = {
    "claim": "C'est fait\u00a0: vous suivez cette demande.",
    "release": "C'est fait\u00a0: la demande est de nouveau en attente.",
    "transfer": "C'est fait\u00a0: la demande est confiée à {owner}.",
    "take_over": "C'est fait\u00a0: vous avez pris la relève.",
    "wait": "C'est fait\u00a0: la demande attend le visiteur. Son délai est suspendu.",
    "resume": "C'est fait\u00a0: vous reprenez cette demande.",
    "answer": "Votre réponse va partir.",
    "book": "C'est fait\u00a0: le rendez-vous est fixé.",
    "rebook": "C'est fait\u00a0: le rendez-vous est déplacé.",
    "unbook": "C'est fait\u00a0: le rendez-vous est annulé.",
    "note": "C'est fait\u00a0: la note est ajoutée.",
    "close": "C'est fait\u00a0: la demande est clôturée.",
    "reopen": "C'est fait\u00a0: la demande est rouverte.",
    "spam": "C'est fait\u00a0: la demande est marquée indésirable.",
    "not_spam": "C'est fait\u00a0: la demande est de nouveau en attente.",
    "open": "C'est fait\u00a0: cette demande prend la suite de celle qui était close.",
    "undo": "C'est annulé\u00a0: la demande est comme avant.",
}
CANNED_DONE = {
    "saved": "C'est fait\u00a0: le modèle est enregistré.",
    "deleted": "C'est fait\u00a0: le modèle est supprimé.",
    "moved": "C'est fait\u00a0: l'ordre est changé.",
}


@dataclass(frozen=True)
class Moment:
    """An instant as shown: ``short`` in lists, ``full`` where precision counts, ``iso`` for machines; clinic time."""

    iso: str
    short: str
    full: str
    hour: str


def moment(instant: datetime, present: datetime, zone: ZoneInfo = CLINIC_ZONE) -> Moment:
    """Says when something was, or will be, seen from ``present``, in the clinic's zone.

    >>> from datetime import UTC
    >>> moment(datetime(2026, 11, 22, 13, 5, tzinfo=UTC), datetime(2026, 11, 22, 18, 0, tzinfo=UTC)).short
    "aujourd'hui 14:05"
    """
    there, today = instant.astimezone(zone), present.astimezone(zone).date()
    hour = f"{there:%H:%M}"
    full = f"{day_in_full(instant, zone)} à{FIXED}{hour}"
    return Moment(there.isoformat(timespec="seconds"), f"{_day(there.date(), today)} {hour}", full, hour)


def day_in_full(instant: datetime, zone: ZoneInfo = CLINIC_ZONE) -> str:
    """The clinic's day at an instant: « dimanche 22 novembre 2026 »."""
    there = instant.astimezone(zone)
    return f"{DAYS[there.weekday()]} {_ordinal(there.day)}{FIXED}{MONTHS[there.month - 1]} {there.year}"


def zone_note(zone: ZoneInfo) -> str:
    """Whose time a page shows: « Heures de la clinique (Belgrade) »."""
    return f"Heures de la clinique ({zone.key.rpartition('/')[2].replace('_', ' ')})"


def _day(day: date, today: date) -> str:
    if day == today:
        return "aujourd'hui"
    if day == today - timedelta(days=1):
        return "hier"
    if day == today + timedelta(days=1):
        return "demain"
    words = f"{_ordinal(day.day)}{FIXED}{_SHORT_MONTHS[day.month - 1]}"
    return words if day.year == today.year else f"{words} {day.year}"


def _ordinal(day: int) -> str:
    return "1er" if day == 1 else str(day)


@dataclass(frozen=True)
class Due:
    """A deadline as shown: « dans 3 h », « en retard de 2 h »; ``kind`` is ``late``, ``soon`` (within two hours) or empty."""

    text: str
    kind: str
    iso: str
    full: str


def due(instant: datetime, present: datetime, zone: ZoneInfo = CLINIC_ZONE) -> Due:
    """How far a deadline is. What is left is rounded down and what is late too, so that neither is ever said to be more than it is.

    >>> from datetime import UTC
    >>> due(datetime(2026, 11, 22, 15, 5, tzinfo=UTC), datetime(2026, 11, 22, 18, 0, tzinfo=UTC)).text.replace(FIXED, " ")
    'en retard de 2 h'
    """
    left = instant - present
    is_late = left < timedelta()
    text = f"en retard de{FIXED}{_length(-left)}" if is_late else f"dans{FIXED}{_length(left)}"
    kind = "late" if is_late else "soon" if left < SOON else ""
    shown = moment(instant, present, zone)
    return Due(text, kind, shown.iso, shown.full)


def suspended(since: datetime, present: datetime, zone: ZoneInfo = CLINIC_ZONE) -> Due:
    """A deadline that stands still while the visitor is waited for."""
    shown = moment(since, present, zone)
    return Due("suspendue", "paused", shown.iso, f"depuis {shown.full}")


def appointment(at: datetime, present: datetime, zone: ZoneInfo = CLINIC_ZONE) -> Due:
    """An appointment where a deadline would stand: « rendez-vous demain 14:00 »."""
    shown = moment(at, present, zone)
    return Due(f"rendez-vous {shown.short}", "agreed", shown.iso, shown.full)


def _length(length: timedelta) -> str:
    minutes = int(length.total_seconds() // 60)
    if minutes < 60:
        return f"{max(minutes, 1)}{FIXED}min"
    return f"{minutes // 60}{FIXED}h" if minutes < 48 * 60 else f"{minutes // 1440}{FIXED}j"


def wait(seconds: int) -> str:
    """A wait, rounded up: « 40 secondes », « 3 minutes »."""
    if seconds > 90:
        return f"{-(-seconds // 60)}{FIXED}minutes"
    return f"{seconds}{FIXED}seconde{'s' if seconds > 1 else ''}"


def count(number: int) -> str:
    """« 3 demandes », « aucune demande »."""
    if number == 0:
        return "Aucune demande"
    grouped = f"{number:,}".replace(",", FIXED)
    return f"{grouped}{FIXED}demande{'s' if number > 1 else ''}"


@dataclass(frozen=True)
class ContactLink:
    """A way to reach a visitor, ready to be touched: ``kind`` « Téléphone » or « E-mail », what is read, where it leads."""

    kind: str
    text: str
    href: str
    note: str = ""


def phone_link(e164: str) -> ContactLink:
    """A number in its country's grouping; left as it is when the library does not know it.

    >>> phone_link("+33612345678").href
    'tel:+33612345678'
    """
    text, country = e164, ""
    try:
        number = phonenumbers.parse(e164)
    except phonenumbers.NumberParseException:
        pass
    else:
        text = phonenumbers.format_number(number, PhoneNumberFormat.INTERNATIONAL).replace(" ", FIXED)
        country = REGIONS.get(phonenumbers.region_code_for_number(number) or "", "")
    return ContactLink("Téléphone", text, "tel:" + quote(e164, safe="+"), country)


def email_link(address: str) -> ContactLink:
    """An address; signs that mean something in a ``mailto:`` link (RFC 6068) are escaped."""
    return ContactLink("E-mail", address, "mailto:" + quote(address, safe="@"))


def action(code: str) -> str:
    """What an audit entry says happened; an unknown code shows as it is."""
    return _ACTIONS.get(code, code)


def done(move: str, owner: str = "") -> str:
    """What a page says once a move is made; ``owner`` is whoever has the request now. Empty for what is no move."""
    return _DONE.get(move, "").format(owner=owner)


def actions() -> dict[str, str]:
    """Every code of the audit trail that has words, with them."""
    return dict(_ACTIONS)


def subject(name: str) -> str:
    """What an audit entry was done to."""
    return "nom inconnu" if name == "unknown account" else name


def actor(name: str) -> str:
    """Who an audit entry names."""
    return _ACTORS.get(name, name)


def doer(name: str) -> str:
    """Who an audit entry names, after « par »."""
    return _DOERS.get(name, name)
