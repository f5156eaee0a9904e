"""The audit trail: appended in the transaction of what it records, chained by hashes so that a changed row shows."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from desk.db import now
from desk.models import AuditEntry

CHAIN_LOCK = 7061  # PostgreSQL advisory lock of the chain
GENESIS = "0" * 64
WALKED_AT_ONCE = 5000
VISITOR, SYSTEM = "visitor", "system"


def record(session: Session, actor: str, action: str, subject: str) -> AuditEntry:
    """Appends one entry.

    Args:
        session: the transaction of the recorded change.
        actor: a staff member's name, ``visitor`` or ``system``.
        action: a verb and its object, e.g. ``ticket.close``; reads of personal data count too.
        subject: what it was done to: a reference or an account name, never personal data.
    """
    if session.get_bind().dialect.name == "postgresql":
        # One writer at a time, or two entries would follow the same one. (SQLite's transactions are that already.)
        session.execute(select(func.pg_advisory_xact_lock(CHAIN_LOCK)))
    previous = session.scalars(select(AuditEntry).order_by(AuditEntry.id.desc()).limit(1)).first()
    entry = AuditEntry(at=now(), actor=actor, action=action, subject=subject, previous_hash=previous.hash if previous else GENESIS)
    entry.hash = _hash(entry)
    session.add(entry)
    session.flush()
    return entry


@dataclass(frozen=True)
class Walk:
    """How far a walk along the chain has come.

    Attributes:
        last_id: of the last entry walked past; 0 before the first.
        last_hash: its hash, which the next entry must name.
        count: entries walked past.
        broken_at: id of the first entry that does not follow from the one before it; None while the chain holds.
        is_over: whether there is nothing left to walk.
    """

    last_id: int = 0
    last_hash: str = GENESIS
    count: int = 0
    broken_at: int | None = None
    is_over: bool = False


def walk(session: Session, before: Walk, size: int = WALKED_AT_ONCE) -> Walk:
    """Goes on along the chain: at most ``size`` entries, so that a long trail need not be read in one transaction."""
    wanted = select(AuditEntry.id, AuditEntry.at, AuditEntry.actor, AuditEntry.action, AuditEntry.subject, AuditEntry.previous_hash, AuditEntry.hash)
    rows = session.execute(wanted.where(AuditEntry.id > before.last_id).order_by(AuditEntry.id).limit(size)).all()
    last_id, expected, count = before.last_id, before.last_hash, before.count
    for number, at, actor, action, subject, previous, found in rows:
        if previous != expected or found != _digest(previous, at, actor, action, subject):
            return Walk(last_id, expected, count, broken_at=number, is_over=True)
        last_id, expected, count = number, found, count + 1
    return Walk(last_id, expected, count, is_over=len(rows) < size)


def broken_at(session: Session) -> int | None:
    """Id of the first entry that does not follow from the one before it; None when the chain holds."""
    walked = Walk()
    while not walked.is_over:
        walked = walk(session, walked)
    return walked.broken_at


def find(session: Session, reference: str = "", account: str = "", action: str = "", before: int | None = None, size: int = 50) -> Sequence[AuditEntry]:
    """Entries, newest first.

    Args:
        session: any.
        reference: of a request; empty for all.
        account: a staff member's name, ``visitor`` or ``system``: what they did and what was done to their account; empty for all.
        action: a whole code; empty for all.
        before: id of an entry; only those before it.
        size: how many at most.
    """
    wanted = select(AuditEntry).order_by(AuditEntry.id.desc()).limit(size)
    if reference:
        wanted = wanted.where(AuditEntry.subject == reference)
    if account:
        wanted = wanted.where(or_(AuditEntry.actor == account, AuditEntry.subject == account))
    if action:
        wanted = wanted.where(AuditEntry.action == action)
    return session.scalars(wanted if before is None else wanted.where(AuditEntry.id < before)).all()


def _hash(entry: AuditEntry) -> str:
    return _digest(entry.previous_hash, entry.at, entry.actor, entry.action, entry.subject)


def _digest(previous: str, at: datetime, actor: str, action: str, subject: str) -> str:
    return hashlib.sha256("\x1f".join((previous, at.isoformat(), actor, action, subject)).encode()).hexdigest()
