"""Carries signatures of the desk into the content's files: who read what into ``reviews.yml``, and « relu » where « non relu » stood.

Only a text that is still the signed one changes. The files are edited in place: nothing else in them moves.
"""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from zoneinfo import ZoneInfo

import yaml
from sqlalchemy import select
from sqlalchemy.orm import Session

from bot.answers import Content
from desk.content.signing import kept_signatures
from desk.content.texts import READ, UNREAD, Key, Text, texts, variations
from desk.models import Review


class ApplyError(Exception):
    """A file does not look as it should; nothing was written."""


@dataclass(frozen=True)
class Signed:
    """A text that a clinician signed in the desk, and that is not in the repository yet."""

    text: Text
    reviewer: str
    function: str
    day: date


@dataclass(frozen=True)
class Change:
    """What a file was and will be."""

    path: Path
    before: str
    after: str

    def diff(self, root: Path) -> str:
        """The change as a unified diff."""
        name = str(self.path.relative_to(root))
        return "".join(difflib.unified_diff(self.before.splitlines(keepends=True), self.after.splitlines(keepends=True), f"a/{name}", f"b/{name}"))

    def write(self) -> None:
        """Writes the file whole or not at all."""
        new = self.path.with_suffix(".new")
        new.write_text(self.after, encoding="utf-8")
        os.replace(new, self.path)


def newly_signed(session: Session, content: Content, zone: ZoneInfo, reviews: Path) -> list[Signed]:
    """The signatures that the repository does not have, for texts that are still the signed ones; the newest of each."""
    known = kept_signatures(reviews)
    rows = {(row.response, row.text_hash): row for row in session.scalars(select(Review).order_by(Review.id))}
    found = []
    for text in texts(content):
        row = rows.get((text.response, text.sha256))
        if row and (text.response, text.sha256) not in known:
            found.append(Signed(text, row.reviewer, row.function, row.at.astimezone(zone).date()))
    return found


def changes(signed: Sequence[Signed], content: Content, root: Path) -> list[Change]:
    """What the signatures change in the files below ``root``; empty without signatures.

    Raises:
        ApplyError: a file does not look as it should.
    """
    if not signed:
        return []
    reviews = root / "data/review/reviews.yml"
    before = reviews.read_text(encoding="utf-8")
    found = [Change(reviews, before, _with_signatures(before, signed))]
    read = {s.text.key for s in signed}
    for path in sorted((root / "data/answers").glob("*.yml")):
        before = path.read_text(encoding="utf-8")
        after = _with_marks(before, read, content)
        if after != before:
            found.append(Change(path, before, after))
    return found


def _with_signatures(before: str, signed: Sequence[Signed]) -> str:
    """``reviews.yml`` with the signatures under « relectures », before « changements »."""
    entries: list[str] = []
    for reviewer, function, day in dict.fromkeys((s.reviewer, s.function, s.day) for s in signed):
        theirs = [s.text for s in signed if (s.reviewer, s.function, s.day) == (reviewer, function, day)]
        entries += [f"- nom: {_flow(reviewer)}", f"  fonction: {_flow(function)}", f"  date: {day.isoformat()}", "  textes:"]
        entries += [f"  - {_flow({'reponse': t.response, 'variation': t.variation, 'sha256': t.sha256})}" for t in theirs]
    block = "\n".join(entries) + "\n"
    opened = re.sub(r"^relectures: *\[\] *$", "relectures:", before, flags=re.MULTILINE)
    after, times = re.subn(r"^changements:", lambda match: block + match[0], opened, count=1, flags=re.MULTILINE)
    if not times or len(yaml.safe_load(after)["relectures"]) != len(yaml.safe_load(before)["relectures"] or []) + block.count("\n  date:"):
        raise ApplyError("reviews.yml: « relectures » must stand before « changements »")
    return after


def _with_marks(before: str, read: set[Key], content: Content) -> str:
    """A file of answers in which the texts that were read say so. Metadata that several texts share change only if all were read."""
    marks: dict[int, list[Key]] = {}
    places = {(name, place): key for key, place, _ in variations(content) for name in [key[0]]}
    document = yaml.compose(before, Loader=yaml.SafeLoader)
    for name, listed in _mapping(_child(document, "responses")):
        for place, variation in enumerate(listed.value):
            review = _child(_child(variation, "metadata"), "review")
            if review is not None and review.value == UNREAD:
                marks.setdefault(review.start_mark.index, []).append(places[name, place])
    after = before
    for index in sorted((index for index, keys in marks.items() if read.issuperset(keys)), reverse=True):
        written = re.match(rf"(['\"]?){UNREAD}\1", after[index:])
        if not written:
            raise ApplyError(f"« {UNREAD} » is not where it was read")
        after = after[:index] + READ + after[index + len(written[0]) :]
    return after


def _mapping(node: yaml.Node | None) -> Iterable[tuple[str, yaml.Node]]:
    return [(str(key.value), value) for key, value in node.value] if isinstance(node, yaml.MappingNode) else []


def _child(node: yaml.Node | None, name: str) -> yaml.Node | None:
    return next((value for key, value in _mapping(node) if key == name), None)


def _flow(value: object) -> str:
    """A value on one line of YAML."""
    written = yaml.safe_dump(value, default_flow_style=True, allow_unicode=True, sort_keys=False, width=10_000)
    return written.removesuffix("\n").removesuffix("\n...").strip()
