"""``python -m desk content reviews``: from what clinicians signed in the desk to the files of the repository."""

from __future__ import annotations

import sys
from pathlib import Path

from bot.answers import Content
from desk.content.applying import ApplyError, changes, newly_signed
from desk.db import Database, connect
from desk.migrate import migrate
from desk.settings import Settings

NEXT = """
Then: make lock WHY="relectures de …" (writes docs/review_grid.md anew; no text changes), make train (data/answers is read by the model), make test."""


def bring_reviews(settings: Settings, root: Path, is_applied: bool) -> int:
    """Prints what the signatures change in the files, and writes it if asked to.

    Args:
        settings: with the database that holds the signatures.
        root: the repository.
        is_applied: whether to write.

    Returns:
        The exit code: 1 when a file does not look as it should.
    """
    content = Content(root)
    engine = connect(str(settings.database_url), settings.cipher)
    migrate(engine)
    with Database(engine).transaction() as session:
        signed = newly_signed(session, content, settings.zone, root / "data/review/reviews.yml")
    engine.dispose()
    try:
        found = changes(signed, content, root)
    except ApplyError as error:
        print(f"passerelle: {error}", file=sys.stderr)
        return 1
    for change in found:
        print(change.diff(root), end="")
        if is_applied:
            change.write()
    texts = f"{len(signed)} text{'s' if len(signed) != 1 else ''} newly signed"
    print(f"{texts}." if not signed else f"{texts}: written.{NEXT}" if is_applied else f"{texts}; nothing written (--apply writes).")
    return 0
