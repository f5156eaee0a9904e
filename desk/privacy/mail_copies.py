"""Copies of mails in the folder of the file sink: they go with the notification they were written for, and at the latest when they are old.

A worker may write one in the very moment in which its request is erased. It is found here afterwards: its notification is no longer there.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from desk.models import Notification
from desk.outbox.queue import KEPT

logger = logging.getLogger(__name__)
AT_ONCE = 500  # ids in one query


def orphaned(session: Session, folder: Path) -> list[Path]:
    """Files, drafts included, whose notification is not in the outbox any more.

    The folder is read before the table: a notification is committed before its file is written, so none of these is still to get its row.
    """
    files = _files(folder)
    known: set[str] = set()
    ids = list(files)
    for start in range(0, len(ids), AT_ONCE):
        known.update(session.scalars(select(Notification.message_id).where(Notification.message_id.in_(ids[start : start + AT_ONCE]))))
    return [path for message_id, path in files.items() if message_id not in known]


def outdated(folder: Path, at: datetime) -> list[Path]:
    """Files that are older than what the outbox keeps."""
    return [path for path in _files(folder).values() if _written(path, at) < at - KEPT]


def delete(files: Sequence[Path]) -> int:
    """Deletes files; returns how many. One that cannot be deleted is left for the next time."""
    deleted = 0
    for file in files:
        try:
            file.unlink(missing_ok=True)
            deleted += 1
        except OSError as error:
            logger.warning("a copy of a mail could not be deleted: %s", type(error).__name__)
    return deleted


def _files(folder: Path) -> dict[str, Path]:
    """What ``FileSink`` writes, by message id; nothing else that somebody put there."""
    if not folder.is_dir():
        return {}
    found = sorted(path for path in folder.iterdir() if path.is_file() and (path.name.startswith(".msg_") or path.suffix == ".eml"))
    return {path.name.removeprefix(".").removesuffix(".eml"): path for path in found}


def _written(path: Path, otherwise: datetime) -> datetime:
    try:
        return datetime.fromtimestamp(path.stat().st_mtime, UTC)
    except OSError:  # gone meanwhile
        return otherwise
