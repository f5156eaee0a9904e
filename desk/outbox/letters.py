"""What the letters say, in French: one template a letter in ``templates/mail/``, its first line the subject.

To the team a letter says a reference and a link; to a visitor what was agreed or written to them. No letter knows more of a request than that.
"""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from desk.french_time import is_zone, moment_in, zone_in_words
from desk.settings import Settings

TEMPLATES = Path(__file__).resolve().parent.parent / "templates" / "mail"
_LINK = re.compile(r"https?://[^\s<>\"']+[^\s<>\"'.,;:!?)]")
_BODY = "font: 16px/1.5 system-ui, sans-serif; max-width: 36em; margin: 0 auto; padding: 1em"


@dataclass(frozen=True)
class Attachment:
    """A text file that goes along: ``subtype`` of ``text/…`` and the parameters of its content type."""

    name: str
    text: str
    subtype: str
    parameters: Mapping[str, str]


@dataclass(frozen=True)
class Letter:
    """A letter before it has a recipient; the HTML says what the text says."""

    subject: str
    text: str
    html: str
    attachments: tuple[Attachment, ...] = ()


def write_letter(template: str, values: Mapping[str, Any], settings: Settings) -> Letter:
    """Writes one letter.

    Args:
        template: a name of ``desk.outbox.queue.TO_TEAM`` or ``TO_VISITOR``.
        values: as ``desk.outbox.queue.enqueue`` stored them.
        settings: the clinic's name, phone, address and zone.
    """
    said = (
        _environment()
        .get_template(f"{template}.txt")
        .render(
            **{"cancel_link": None, "ics": None} | dict(values) | _appointment(values, settings.zone),
            clinic=_signed(settings.clinic_name),
            phone=settings.clinic_phone,
            address=settings.clinic_address,
        )
    )
    subject, _, text = said.partition("\n")
    subject, text = subject.strip(), re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"
    return Letter(subject, text, _as_html(subject, text), _calendar(values))


def when(instant: datetime, clinic: ZoneInfo, visitor: ZoneInfo) -> list[str]:
    """A moment in full with its zone: in the clinic's, and in the visitor's where clocks differ.

    >>> from datetime import UTC
    >>> [line.replace("\u00a0", " ") for line in when(datetime(2026, 11, 24, 14, 0, tzinfo=UTC), ZoneInfo("Europe/Belgrade"), ZoneInfo("Europe/London"))]
    ['mardi 24 novembre 2026 à 15 h (heure de Belgrade)', 'mardi 24 novembre 2026 à 14 h (heure de Londres)']
    """
    here, there = (f"{moment_in(instant, zone)} ({zone_in_words(zone)}" for zone in (clinic, visitor))
    if clinic.key == visitor.key:
        return [f"{here})"]
    if instant.astimezone(clinic).utcoffset() == instant.astimezone(visitor).utcoffset():
        return [f"{here}, qui est aussi l'{zone_in_words(visitor)})"]
    return [f"{here})", f"{there})"]


def _appointment(values: Mapping[str, Any], clinic: ZoneInfo) -> dict[str, Any]:
    said = values.get("appointment")
    if said is None:
        return {}
    visitor = ZoneInfo(said["zone"]) if is_zone(said["zone"]) else clinic
    moments = when(datetime.fromisoformat(said["starts_at"]), clinic, visitor)
    return {"moment": moments[0], "moment_there": moments[1] if len(moments) > 1 else None, "minutes": said["minutes"], "clinician": said["clinician"]}


def _calendar(values: Mapping[str, Any]) -> tuple[Attachment, ...]:
    if not values.get("ics"):
        return ()
    return (Attachment("rendez-vous.ics", values["ics"], "calendar", {"method": values.get("ics_method", "REQUEST")}),)


def _signed(name: str) -> str:
    return name[:1].upper() + name[1:]  # « la clinique » at the beginning of a line


def _as_html(subject: str, text: str) -> str:
    """The text in paragraphs, links to be touched; nothing else, so that both alternatives say the same."""
    paragraphs = "\n".join(f"<p>{'<br>'.join(_linked(line) for line in part.splitlines())}</p>" for part in text.strip().split("\n\n"))
    head = f'<head><meta charset="utf-8"><title>{html.escape(subject)}</title></head>'
    return f'<!doctype html>\n<html lang="fr">{head}\n<body style="{_BODY}">\n{paragraphs}\n</body></html>\n'


def _linked(line: str) -> str:
    parts, end = [], 0
    for found in _LINK.finditer(line):
        address = html.escape(found[0])
        parts += [html.escape(line[end : found.start()]), f'<a href="{address}">{address}</a>']
        end = found.end()
    return "".join([*parts, html.escape(line[end:])])


@cache
def _environment() -> Environment:
    # Plain text: nothing to escape here; the HTML is made from the text and escapes all of it.
    loader = FileSystemLoader(TEMPLATES)
    return Environment(loader=loader, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True, autoescape=False)  # noqa: S701
