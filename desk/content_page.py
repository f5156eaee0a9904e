"""One page with every answer, its facts, sources and review state, for a person who checks: ``make content``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, select_autoescape

from bot.answers import ARTICLES, Content

TEMPLATES = Path(__file__).resolve().parent / "templates"


@dataclass(frozen=True)
class Entry:
    """One text: its response's name, when it is chosen, what a visitor reads, and the facts behind it."""

    name: str
    when: str
    text: str
    kind: str
    review: str
    facts: list[dict[str, str]]


def entries(content: Content) -> list[Entry]:
    """All texts that a visitor may read, answers first."""
    found = []
    for name, variations in content.responses.items():
        for variation in variations:
            metadata = variation["metadata"]
            text, kind = content.written(variation)
            when = ", ".join(f"{c['name']} = {c['value']}" for c in variation.get("condition", []))
            facts = [
                {
                    "id": fact,
                    "article": ARTICLES[content.facts[fact]["article"]],
                    "section": content.facts[fact]["section"],
                    "fait": content.facts[fact]["fait"],
                }
                for fact in metadata.get("facts", [])
            ]
            found.append(Entry(name, when, text, kind, metadata["review"], facts))
    return sorted(found, key=lambda e: e.kind != "answer")


def write(folder: Path, content: Content) -> list[Path]:
    """Writes ``answers.html`` and ``answers.md`` into a folder; returns their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    environment = Environment(loader=FileSystemLoader(TEMPLATES), autoescape=select_autoescape(["html"]), trim_blocks=True, lstrip_blocks=True)
    listed = entries(content)
    unreviewed = sum(e.review == "non relu" for e in listed)
    paths = []
    for name in ("answers.html", "answers.md"):
        template = environment.get_template(f"content/{name}")
        path = folder / name
        path.write_text(template.render(entries=listed, unreviewed=unreviewed), encoding="utf-8")
        paths.append(path)
    return paths
