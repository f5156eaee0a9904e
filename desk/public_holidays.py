"""Public holidays of a country with their French names. Source of the dates: the package ``holidays``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from functools import lru_cache
from types import MappingProxyType

import holidays

# Where the package has no French (Serbia, Tunisia): its English names, said in French.
_IN_FRENCH = {
    "New Year's Day": "Jour de l'An",
    "Orthodox Christmas Day": "Noël orthodoxe",
    "Statehood Day": "Fête nationale",
    "Good Friday": "Vendredi saint",
    "Holy Saturday": "Samedi saint",
    "Easter Sunday": "Dimanche de Pâques",
    "Easter Monday": "Lundi de Pâques",
    "Labor Day": "Fête du Travail",
    "Armistice Day": "Jour de l'Armistice",
    "Independence Day": "Fête de l'Indépendance",
    "Martyrs' Day": "Journée des Martyrs",
    "Republic Day": "Fête de la République",
    "Women's Day": "Fête de la Femme",
    "Revolution and Youth Day": "Fête de la Révolution et de la Jeunesse",
    "Evacuation Day": "Fête de l'Évacuation",
    "Eid al-Fitr": "Aïd el-Fitr",
    "Eid al-Fitr Holiday": "Aïd el-Fitr",
    "Eid al-Adha": "Aïd el-Adha",
    "Eid al-Adha Holiday": "Aïd el-Adha",
    "Day of Arafah": "Jour d'Arafat",
    "Islamic New Year": "Nouvel An hégirien",
    "Prophet's Birthday": "Mouled",
}
_REMARKS = {"observed": "jour reporté", "estimated": "date estimée"}


def is_known(country: str) -> bool:
    """Whether the holidays of a country (ISO 3166-1, two letters) are known."""
    return country in holidays.list_supported_countries(include_aliases=False)


@lru_cache(maxsize=256)
def in_year(country: str, year: int) -> Mapping[date, str]:
    """The public holidays of a country in a year, in order of date; none where the country is unknown.

    Only those that the whole country keeps: those of a region depend on where in it somebody lives.
    """
    if not is_known(country):
        return MappingProxyType({})
    languages = holidays.country_holidays(country).supported_languages
    language = next((code for code in languages if code.startswith("fr")), "en_US" if "en_US" in languages else None)
    found = holidays.country_holidays(country, years=year, language=language)
    return MappingProxyType({day: "\u00a0; ".join(map(_said, found[day].split("; "))) for day in sorted(found)})


def _said(name: str) -> str:
    plain, _, remark = name.partition(" (")
    remark = remark.rstrip(")")
    said = _IN_FRENCH.get(plain, plain)
    return f"{said} ({_REMARKS.get(remark, remark)})" if remark else re.sub(r"\s+", " ", said)
