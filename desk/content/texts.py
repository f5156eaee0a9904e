"""Every text that visitors read, with the hash that its lock and its signatures belong to (G-29)."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from bot.answers import Content

UNREAD = "non relu"
READ = "relu"
MENTION, NUMBERS = "mention", "numéros"  # texts that others are finished with
_DOCTOR = re.compile(r"\b(?:médecin|spécialiste|cardiologue|cancérologue|pédiatre|sage-femme|pharmacien)", re.IGNORECASE)
Key = tuple[str, str]


@dataclass(frozen=True)
class Text:
    """One text of a visitor.

    Attributes:
        response: its response's name, or « mention » and « numéros » for what other texts are finished with.
        variation: when it is said; « défaut » without a condition.
        sha256: the first sixteen digits, of text, buttons and label.
        does: what a worried visitor might do after reading, as far as a program can tell.
        review: what the metadata say of its review; None for what has none of its own.
        text: what is read.
    """

    response: str
    variation: str
    sha256: str
    does: str
    review: str | None
    text: str

    @property
    def key(self) -> Key:
        """What names it."""
        return self.response, self.variation


def variations(content: Content) -> Iterator[tuple[Key, int, dict[str, Any]]]:
    """Each variation of each response: what names it, its place among them, and what the file says of it."""
    for name, listed in content.responses.items():
        taken: set[str] = set()
        for place, variation in enumerate(listed):
            when = " + ".join(f"{c['name']}={c['value']}" for c in variation.get("condition", [])) or "défaut"
            while when in taken:
                when += " bis"
            taken.add(when)
            yield (name, when), place, variation


def texts(content: Content) -> list[Text]:
    """Everything to be locked, sorted."""
    found: dict[Key, Text] = {}
    for (name, when), _, variation in variations(content):
        metadata = variation["metadata"]
        buttons = [b["title"] for b in variation.get("buttons", [])]
        parts = [variation["text"], *buttons, metadata.get("question", "")]
        does = likely(str(metadata["kind"]), variation["text"], [b["payload"] for b in variation.get("buttons", [])])
        found[name, when] = Text(name, when, fingerprint(parts), does, metadata.get("review", UNREAD), variation["text"])
    for kind, lines in ((MENTION, content.disclaimers), (NUMBERS, content.number_lines)):
        for name, line in lines.items():
            found[kind, name] = Text(kind, name, fingerprint([line]), "demander à un médecin" if kind == MENTION else "appeler", None, line)
    return [found[key] for key in sorted(found)]


def fingerprint(parts: Iterable[str]) -> str:
    """Sixteen digits that change with any letter; blanks at the ends do not count."""
    return hashlib.sha256("\0".join(part.strip() for part in parts).encode()).hexdigest()[:16]


def likely(kind: str, text: str, payloads: list[str]) -> str:
    """A proposal for the hazard log; a person may say otherwise (``--does``)."""
    if kind == "emergency" or (kind == "notice" and "{ecoute}" in text):
        return "appeler"
    if kind in ("answer", "advice") or _DOCTOR.search(text):
        return "demander à un médecin"
    return "demander un rendez-vous" if kind in ("booking", "human") or {"/book", "/leave_request"} & set(payloads) else "rien"
