"""Copies of the database, each with the day on which it is deleted: whoever is erased is still in those made before.

The keys of the encrypted fields are never copied along: a copy that is lost tells nothing, and one without its keys is worth nothing.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
import sqlite3
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import delete, select
from sqlalchemy.engine import make_url
from sqlalchemy.orm import Session

from desk import audit
from desk.db import Database
from desk.models import Backup
from desk.settings import Settings

PG_DUMP = "pg_dump"
DUMP_SECONDS = 3600
STALE_DRAFT = timedelta(days=1)
_NAME = re.compile(r"passerelle-(\d{8}-\d{6})-[0-9a-f]{4}\.(?:db|dump)")


class BackupFailed(Exception):
    """No copy was made; the text is one French sentence."""


@dataclass(frozen=True)
class Listed:
    """A copy as the list shows it; ``bytes`` is None where its file is not there."""

    name: str
    at: datetime
    until: datetime
    deleted_at: datetime | None
    bytes: int | None


def folder_of(settings: Settings) -> Path:
    """Where copies are kept."""
    return settings.data / "backups"


def make(database: Database, settings: Settings, at: datetime) -> Path:
    """Makes a consistent copy while the desk goes on.

    It is written into the index first, so that no copy ever lies there that nobody deletes.

    Args:
        database: of the desk.
        settings: its address, the folder, how long copies are kept.
        at: the present.

    Returns:
        The file; its owner alone may read it.

    Raises:
        BackupFailed: nothing was kept.
    """
    is_sqlite = database.engine.dialect.name == "sqlite"
    program = None if is_sqlite else shutil.which(PG_DUMP)
    if not is_sqlite and program is None:
        raise BackupFailed("pg_dump est introuvable\u00a0: installez les outils clients de PostgreSQL, ou sauvegardez la base avec les vôtres.")
    folder = folder_of(settings)
    name = f"passerelle-{at.astimezone(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(2)}.{'db' if is_sqlite else 'dump'}"
    draft = folder / f"{name}.part"
    with database.transaction() as session:
        session.add(Backup(name=name, at=at, until=at + timedelta(days=settings.backup_days)))
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(draft, os.O_CREAT | os.O_WRONLY | os.O_EXCL, 0o600))
        if program:
            _dump(program, str(settings.database_url), draft)
        else:
            _copy(database, draft)
        _settle(draft, folder / name)
    except (OSError, sqlite3.Error, BackupFailed) as error:
        with suppress(OSError):
            draft.unlink()
        with database.transaction() as session:
            session.execute(delete(Backup).where(Backup.name == name))
        if isinstance(error, BackupFailed):
            raise
        raise BackupFailed(f"La copie n'a pas pu être écrite dans {folder} ({type(error).__name__}).") from None
    with database.transaction() as session:
        audit.record(session, audit.SYSTEM, "backup.make", name)
    return folder / name


def listed(session: Session, folder: Path) -> list[Listed]:
    """Every copy of the index, the newest first."""
    rows = session.scalars(select(Backup).order_by(Backup.at.desc(), Backup.name))
    return [Listed(row.name, row.at, row.until, row.deleted_at, _size(folder / row.name)) for row in rows]


def holding(session: Session, since: datetime, until: datetime) -> Sequence[Backup]:
    """Copies that still exist and may hold what came at ``since`` and was there until ``until``."""
    return session.scalars(select(Backup).where(Backup.deleted_at.is_(None), Backup.at >= since, Backup.at <= until).order_by(Backup.until)).all()


def outdated(session: Session, folder: Path, at: datetime, days: float) -> list[str]:
    """Names of the copies whose time is over: those of the index, and those that a restored, older index does not know."""
    names = set(session.scalars(select(Backup.name).where(Backup.until <= at, Backup.deleted_at.is_(None))))
    known = set(session.scalars(select(Backup.name)))
    for path in folder.iterdir() if folder.is_dir() else ():
        made = _NAME.fullmatch(path.name)
        if made and path.name not in known and _instant(made[1]) + timedelta(days=days) <= at:
            names.add(path.name)
    return sorted(names)


def erase_outdated(session: Session, folder: Path, at: datetime, days: float) -> int:
    """Deletes these copies, and notes when; returns how many. A file that cannot be deleted keeps its row, and is tried again.

    Raises:
        OSError: of the first file that could not be deleted, after the others were.
    """
    deleted, failure = 0, None
    for name in outdated(session, folder, at, days):
        try:
            (folder / name).unlink(missing_ok=True)
        except OSError as error:
            failure = error
            continue
        row = session.get(Backup, name)
        if row:
            row.deleted_at = at
        audit.record(session, audit.SYSTEM, "backup.delete", name)
        deleted += 1
    for draft in folder.glob("passerelle-*.part") if folder.is_dir() else ():
        if datetime.fromtimestamp(draft.stat().st_mtime, UTC) < at - STALE_DRAFT:
            draft.unlink(missing_ok=True)
    if failure and not deleted:
        raise failure
    return deleted


# ---------------------------------------------------------------- the two ways


def _copy(database: Database, draft: Path) -> None:
    """SQLite's own way (its backup API): one moment of the database, whoever writes meanwhile."""
    source = database.engine.raw_connection()
    try:
        target = sqlite3.connect(draft)
        try:
            driver = source.driver_connection
            assert isinstance(driver, sqlite3.Connection)
            driver.backup(target)
            target.execute("PRAGMA journal_mode = DELETE")  # one file, with nothing beside it
            is_whole = _is_whole(target)
        finally:
            target.close()
    finally:
        source.close()
    if not is_whole:
        raise BackupFailed("La copie n'est pas intègre\u00a0: vérifiez le disque et la base (PRAGMA integrity_check).")


def _is_whole(copy: sqlite3.Connection) -> bool:
    try:
        return bool(copy.execute("PRAGMA integrity_check").fetchone() == ("ok",))
    except sqlite3.DatabaseError:  # too broken to be checked
        return False


def _dump(program: str, address: str, draft: Path) -> None:
    """PostgreSQL's own way; the password is in no command line."""
    url = make_url(address)
    target = url.set(drivername="postgresql", password=None).render_as_string(hide_password=False)
    environment = {**os.environ, "PGPASSWORD": url.password} if url.password else dict(os.environ)
    command = [program, "--format=custom", "--no-owner", "--no-privileges", "--no-password", f"--file={draft}", f"--dbname={target}"]
    try:
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=DUMP_SECONDS)
    except subprocess.TimeoutExpired:
        raise BackupFailed("pg_dump n'a pas fini à temps.") from None
    if done.returncode != 0:
        last = done.stderr.strip().splitlines()[-1:] or [f"code {done.returncode}"]
        raise BackupFailed(f"pg_dump a échoué\u00a0: {last[0]}")


def _settle(draft: Path, path: Path) -> None:
    """The whole copy under its name, on the disk before this returns."""
    draft.chmod(0o600)
    with draft.open("rb") as file:
        os.fsync(file.fileno())
    draft.rename(path)
    folder = os.open(path.parent, os.O_RDONLY)
    os.fsync(folder)
    os.close(folder)


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except OSError:
        return None


def _instant(digits: str) -> datetime:
    try:
        return datetime.strptime(digits, "%Y%m%d-%H%M%S").replace(tzinfo=UTC)
    except ValueError:
        return datetime.max.replace(tzinfo=UTC) - timedelta(days=36500)
