"""Dates, times of day and time zones as French says them."""

from __future__ import annotations

from datetime import date, datetime, time
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import phonenumbers
from phonenumbers import timezone as phone_zones

FIXED = "\u00a0"  # a space that does not break
DAYS = tuple("lundi mardi mercredi jeudi vendredi samedi dimanche".split())
MONTHS = tuple("janvier février mars avril mai juin juillet août septembre octobre novembre décembre".split())

# Where visitors live, nearest to the clinic first: IANA zone → « (heure) de … ».
ZONES = {
    "Europe/Paris": "de Paris",
    "Europe/Brussels": "de Bruxelles",
    "Europe/Zurich": "de Zurich",
    "Europe/Luxembourg": "de Luxembourg",
    "Europe/Monaco": "de Monaco",
    "Europe/Belgrade": "de Belgrade",
    "Europe/Berlin": "de Berlin",
    "Europe/Rome": "de Rome",
    "Europe/Madrid": "de Madrid",
    "Europe/Lisbon": "de Lisbonne",
    "Europe/London": "de Londres",
    "Africa/Algiers": "d'Alger",
    "Africa/Casablanca": "de Casablanca",
    "Africa/Tunis": "de Tunis",
    "Africa/Dakar": "de Dakar",
    "Africa/Abidjan": "d'Abidjan",
    "Africa/Douala": "de Douala",
    "Africa/Kinshasa": "de Kinshasa",
    "America/Toronto": "de Montréal",
    "America/Halifax": "d'Halifax",
    "America/Moncton": "de Moncton",
    "America/Winnipeg": "de Winnipeg",
    "America/Edmonton": "d'Edmonton",
    "America/Vancouver": "de Vancouver",
    "America/St_Johns": "de Saint-Jean de Terre-Neuve",
    "America/New_York": "de New York",
    "America/Guadeloupe": "de la Guadeloupe",
    "America/Martinique": "de la Martinique",
    "America/Cayenne": "de Cayenne",
    "America/Miquelon": "de Saint-Pierre-et-Miquelon",
    "Indian/Reunion": "de La Réunion",
    "Indian/Mayotte": "de Mayotte",
    "Indian/Mauritius": "de Maurice",
    "Pacific/Noumea": "de Nouméa",
    "Pacific/Tahiti": "de Tahiti",
    "Asia/Beirut": "de Beyrouth",
    "Asia/Dubai": "de Dubaï",
}
# Where the phone library names a zone that keeps another time than the country does.
_ZONE_OF_REGION = {"MA": "Africa/Casablanca", "EH": "Africa/Casablanca"}


def clock(at: time) -> str:
    """« 9 h », « 9 h 05 »."""
    return f"{at.hour}{FIXED}h" + (f"{FIXED}{at.minute:02}" if at.minute else "")


def day_in_full(day: date) -> str:
    """« lundi 23 novembre 2026 », « dimanche 1er février 2026 »."""
    return f"{DAYS[day.weekday()]} {ordinal(day.day)}{FIXED}{MONTHS[day.month - 1]}{FIXED}{day.year}"


def ordinal(day: int) -> str:
    """A day of the month: « 1er », « 2 »."""
    return "1er" if day == 1 else str(day)


def moment_in(instant: datetime, zone: ZoneInfo) -> str:
    """« lundi 23 novembre 2026 à 9 h 30 », on the clock of a zone."""
    there = instant.astimezone(zone)
    return f"{day_in_full(there.date())} à{FIXED}{clock(there.time())}"


def zone_in_words(zone: ZoneInfo) -> str:
    """« heure de Paris »; the city of the zone's own name where it is none of ``ZONES``.

    >>> zone_in_words(ZoneInfo("America/Argentina/Buenos_Aires"))
    'heure de Buenos Aires'
    """
    if zone.key in ZONES:
        return f"heure {ZONES[zone.key]}"
    city = zone.key.rpartition("/")[2].replace("_", " ")
    return f"heure d'{city}" if city[0] in "AEIOUYH" else f"heure de {city}"


def is_zone(name: str) -> bool:
    """Whether a name is that of a time zone."""
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):  # OSError: the name of a folder
        return False
    return True


def zone_of_phone(e164: str | None, otherwise: ZoneInfo) -> ZoneInfo:
    """The time zone in which a phone number's owner probably lives; ``otherwise`` where the number does not tell."""
    try:
        number = phonenumbers.parse(e164 or "")
    except phonenumbers.NumberParseException:
        return otherwise
    region = phonenumbers.region_code_for_number(number)
    names = [_ZONE_OF_REGION[region]] if region in _ZONE_OF_REGION else phone_zones.time_zones_for_number(number)
    found = [name for name in names if is_zone(name)]
    return ZoneInfo(min(found, key=lambda name: list(ZONES).index(name) if name in ZONES else len(ZONES))) if found else otherwise
