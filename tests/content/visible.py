"""Every text that a person may read on the page, in the chat or in an error, each with a name that tells where it stands."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import yaml

from bot.answers import ARTICLES, CALL_BACK, Content
from bot.fields import REGIONS, SUBJECTS

ROOT = Path(__file__).resolve().parent.parent.parent
CONTENT = Content()
# Tags inside a line of text; any other begins a new one.
INLINE = {"a", "strong", "em", "b", "i", "span", "small", "abbr", "time", "code"}
READ_ALOUD = {"aria-label", "alt", "title", "placeholder", "content", "data-label"}


def visible() -> dict[str, str]:
    """Name → text."""
    found: dict[str, str] = {}
    for name, text in _all():
        if text.strip():
            found[name if name not in found else f"{name} ({len(found)})"] = text
    return found


def _all() -> Iterator[tuple[str, str]]:
    yield from _responses()
    yield from _facts()
    yield from _widget()
    yield from _problems()
    for path in sorted((ROOT / "desk/templates").rglob("*.html")):
        yield from _page(path)
    yield from _strings_of(ROOT / "desk/staff/wording.py")
    for path in sorted((ROOT / "data").glob("repl*/*.yml")):  # canned replies of the team
        yield from ((f"{path.stem}: {text[:30]}", text) for text in _texts(yaml.safe_load(path.read_text(encoding="utf-8"))))


def _responses() -> Iterator[tuple[str, str]]:
    for name, variations in CONTENT.responses.items():
        for number, variation in enumerate(variations):
            metadata = variation["metadata"]
            text, _, _ = CONTENT.finish(variation["text"], metadata)
            for key, line in CONTENT.number_lines.items():
                text = text.replace("{" + key + "}", line)
            when = ",".join(str(c["value"]) for c in variation.get("condition", [])) or str(number)
            yield f"{name}[{when}]", text
            for button in variation.get("buttons", []):
                yield f"{name}[{when}] button", button["title"]
            if "question" in metadata:
                yield f"{name}[{when}] question", metadata["question"]
    yield "call back", CALL_BACK["title"]


def _facts() -> Iterator[tuple[str, str]]:
    yield from ((f"number line {key}", line) for key, line in CONTENT.number_lines.items())
    yield from ((f"disclaimer {key}", line) for key, line in CONTENT.disclaimers.items())
    silence = yaml.safe_load((ROOT / "data/facts/silence.yml").read_text(encoding="utf-8"))
    for part in silence.values():
        for entry in part:
            yield f"silence {entry['nom']}", CONTENT.message("utter_unanswered", {"unsaid": entry["nom"]}).text
    yield from ((f"source {key}", title) for key, title in ARTICLES.items())
    for section in sorted({f["section"] for f in CONTENT.facts.values()}):
        yield f"section {section}", section
    yield from ((f"subject {key}", label) for key, label in SUBJECTS.items())
    yield from ((f"region {key}", label) for key, label in REGIONS.items())


def _widget() -> Iterator[tuple[str, str]]:
    script = (ROOT / "desk/static/widget.js").read_text(encoding="utf-8")
    block = script[script.index("const T = {") :]
    block = block[: block.index("\n  };")]
    for number, match in enumerate(re.finditer(r"""'((?:[^'\\]|\\.)*)'|`([^`]*)`""", block)):
        text = re.sub(r"\\u([0-9a-f]{4})", lambda m: chr(int(m[1], 16)), re.sub(r"\$\{[^}]*\}", "3", match[1] or match[2] or ""))
        yield f"widget T {number}", text


def _problems() -> Iterator[tuple[str, str]]:
    from desk.problems import DETAILS

    yield from ((f"problem {status}", detail) for status, detail in DETAILS.items())
    for path in sorted((ROOT / "desk").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") in ("Problem", "problem_response"):
                for text in (_literal(a) for a in node.args[1:]):
                    yield f"problem {path.relative_to(ROOT)}:{node.lineno}", text


def _literal(node: ast.expr) -> str:
    """The fixed part of a string or an f-string; empty for anything else."""
    if isinstance(node, ast.JoinedStr):
        return "".join(_literal(part) for part in node.values)
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def _strings_of(path: Path) -> Iterator[tuple[str, str]]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    comments = {id(n.value) for n in ast.walk(tree) if isinstance(n, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in comments and " " in node.value:
            yield f"{path.stem}:{node.lineno}", node.value


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            yield from _texts(item)
    elif isinstance(value, str):
        yield value


def _page(path: Path) -> Iterator[tuple[str, str]]:
    source = re.sub(r"\{#.*?#\}|\{%.*?%\}", " ", path.read_text(encoding="utf-8"), flags=re.S)
    reader = _Lines()
    reader.feed(re.sub(r"\{\{.*?\}\}", " … ", source, flags=re.S))
    reader.close()
    for number, line in enumerate(reader.lines):
        yield f"{path.parent.name}/{path.name} {number}", line


class _Lines(HTMLParser):
    """Lines of text as they are read, and what is read aloud instead."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []
        self._line = ""
        self._hidden = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._hidden += tag in ("style", "script")
        self.lines += [value for name, value in attrs if name in READ_ALOUD and value and " " in value]
        if tag not in INLINE:
            self._break()

    def handle_endtag(self, tag: str) -> None:
        self._hidden -= tag in ("style", "script")
        if tag not in INLINE:
            self._break()

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self._line += data

    def close(self) -> None:
        super().close()
        self._break()

    def _break(self) -> None:
        line = " ".join(self._line.split())
        if line:
            self.lines.append(line)
        self._line = ""
