"""The page on which a person checks each answer against the articles."""

from __future__ import annotations

from pathlib import Path

from bot.answers import Content
from desk.content_page import write


def test_each_answer_stands_beside_its_facts_and_review_state(tmp_path: Path) -> None:
    content = Content()
    html, markdown = (p.read_text(encoding="utf-8") for p in write(tmp_path, content))
    for page in (html, markdown):
        for name in content.responses:
            assert name in page
        for fact in ("M058", "F048", "Combien coûte la thérapie", "non relu"):
            assert fact in page
    assert "&gt;" not in markdown
    assert "{secours" not in markdown
