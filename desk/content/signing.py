"""Signatures of clinicians: each says that one person has read one text, and holds for exactly that text.

A signature given in the desk is a row; ``python -m desk content reviews`` carries it into the repository, where it unlocks « non relu ».
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import yaml
from sqlalchemy import select
from sqlalchemy.orm import Session

from desk import audit
from desk.content.texts import Text
from desk.db import now
from desk.models import Review
from desk.settings import ROOT

REVIEWS = ROOT / "data/review/reviews.yml"
SHORTEST, LONGEST = 2, 80
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class SignatureError(Exception):
    """A text cannot be signed as asked; the message is a French sentence for who wanted to."""


class TextChanged(SignatureError):
    """The text is not the one that was on the page."""


@dataclass(frozen=True)
class Signature:
    """Who read a text, in which function, on which day; ``in_repository`` once it stands in ``data/review/reviews.yml``."""

    reviewer: str
    function: str
    day: date
    in_repository: bool


def sign(session: Session, actor: str, text: Text, seen_hash: str, reviewer: str, function: str) -> Review:
    """Records that a clinician has read a text, now.

    Args:
        session: the transaction.
        actor: the account that signs.
        text: as it stands.
        seen_hash: of the text that was on the page.
        reviewer: the clinician's name, with title.
        function: e.g. « hépatologue ».

    Raises:
        SignatureError: no name or function; ``TextChanged`` when the text is another one by now.
    """
    if seen_hash != text.sha256:
        raise TextChanged("Ce texte a changé depuis que la page a été ouverte. Relisez-le avant de signer.")
    reviewer, function = " ".join(reviewer.split()), " ".join(function.split())
    for value, what in ((reviewer, "votre nom"), (function, "votre fonction")):
        if not SHORTEST <= len(value) <= LONGEST or not value.isprintable() or not any(c.isalpha() for c in value):
            raise SignatureError(f"Écrivez {what}, en {SHORTEST} à {LONGEST} caractères.")
    row = Review(response=text.response, text_hash=text.sha256, reviewer=reviewer, function=function, signed_by=actor, at=now())
    session.add(row)
    session.flush()
    audit.record(session, actor, "content.sign", text.response[:60])
    return row


def signatures(session: Session, zone: ZoneInfo, kept: Mapping[tuple[str, str], Signature]) -> dict[tuple[str, str], Signature]:
    """The newest signature of each text, by response and hash: of the desk and of the repository (``kept_signatures``).

    Args:
        session: the transaction.
        zone: whose days they are signed on.
        kept: those of the repository.
    """
    found = dict(kept)
    for row in session.scalars(select(Review).order_by(Review.id)):
        key = (row.response, row.text_hash)
        day = row.at.astimezone(zone).date()
        found[key] = Signature(row.reviewer, row.function, day, key in kept)
    return found


def kept_signatures(path: Path = REVIEWS) -> dict[tuple[str, str], Signature]:
    """The signatures in ``data/review/reviews.yml``, by response and hash; one without name, function or day is none."""
    read: dict[str, Any] = yaml.load(path.read_text(encoding="utf-8"), Loader=_LOADER) or {}  # noqa: S506
    found = {}
    for entry in read.get("relectures") or []:
        name, function, day = str(entry.get("nom") or "").strip(), str(entry.get("fonction") or "").strip(), entry.get("date")
        if name and function and isinstance(day, date):
            found.update({(str(text["reponse"]), str(text["sha256"])): Signature(name, function, day, True) for text in entry.get("textes") or []})
    return found
