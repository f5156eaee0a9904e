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
from desk.models import TicketState

CLINIC_ZONE = ZoneInfo("Europe/Belgrade")
ZONE_NOTE = "Heures de Belgrade"
FIXED = "\u00a0"  # a space that does not break

_DAYS = "lundi mardi mercredi jeudi vendredi samedi dimanche".split()
_MONTHS = "janvier février mars avril mai juin juillet août septembre octobre novembre décembre".split()
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
_ACTIONS = {
    "ticket.open": "Demande reçue",
    "ticket.read": "Demande consultée",
    "ticket.claim": "Prise en charge",
    "ticket.release": "Remise en attente",
    "ticket.book": "Rendez-vous fixé",
    "ticket.close": "Demande clôturée",
    "ticket.cancel": "Demande annulée",
    "ticket.expire": "Délai dépassé",
    "ticket.spam": "Marquée indésirable",
    "ticket.erase": "Données effacées",
}
_ACTORS = {audit.VISITOR: "Visiteur", audit.SYSTEM: "Système"}
SENDERS = {"visitor": "Visiteur", "bot": "Assistant", "human": "Équipe"}


@dataclass(frozen=True)
class Moment:
    """An instant as shown: ``short`` in lists, ``full`` where precision counts, ``iso`` for machines; clinic time."""

    iso: str
    short: str
    full: str


def moment(instant: datetime, present: datetime) -> Moment:
    """Says when something was, seen from ``present``, in the clinic's zone.

    >>> from datetime import UTC
    >>> moment(datetime(2026, 11, 22, 13, 5, tzinfo=UTC), datetime(2026, 11, 22, 18, 0, tzinfo=UTC)).short
    "aujourd'hui 14:05"
    """
    there, today = instant.astimezone(CLINIC_ZONE), present.astimezone(CLINIC_ZONE).date()
    hour = f"{there:%H:%M}"
    return Moment(there.isoformat(timespec="seconds"), f"{_day(there.date(), today)} {hour}", f"{day_in_full(instant)} à{FIXED}{hour}")


def day_in_full(instant: datetime) -> str:
    """The clinic's day at an instant: « dimanche 22 novembre 2026 »."""
    there = instant.astimezone(CLINIC_ZONE)
    return f"{_DAYS[there.weekday()]} {_ordinal(there.day)}{FIXED}{_MONTHS[there.month - 1]} {there.year}"


def _day(day: date, today: date) -> str:
    if day == today:
        return "aujourd'hui"
    if day == today - timedelta(days=1):
        return "hier"
    words = f"{_ordinal(day.day)}{FIXED}{_SHORT_MONTHS[day.month - 1]}"
    return words if day.year == today.year else f"{words} {day.year}"


def _ordinal(day: int) -> str:
    return "1er" if day == 1 else str(day)


def wait(seconds: int) -> str:
    """A wait, rounded up: « 40 secondes », « 3 minutes »."""
    if seconds > 90:
        return f"{-(-seconds // 60)}{FIXED}minutes"
    return f"{seconds}{FIXED}seconde{'s' if seconds > 1 else ''}"


def count_open(count: int) -> str:
    """« 3 demandes ouvertes »."""
    if count == 0:
        return "Aucune demande ouverte"
    return f"{count}{FIXED}demande{'s' if count > 1 else ''} ouverte{'s' if count > 1 else ''}"


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


def actor(name: str) -> str:
    """Who an audit entry names."""
    return _ACTORS.get(name, name)
