"""The audit trail: appended in the transaction of what it records, chained by hashes so that a changed row shows."""

from __future__ import annotations

import hashlib

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from desk.db import now
from desk.models import AuditEntry

CHAIN_LOCK = 7061  # PostgreSQL advisory lock of the chain
GENESIS = "0" * 64
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


def broken_at(session: Session) -> int | None:
    """Id of the first entry that does not follow from the one before it; None when the chain holds."""
    expected = GENESIS
    for entry in session.scalars(select(AuditEntry).order_by(AuditEntry.id)):
        if entry.previous_hash != expected or entry.hash != _hash(entry):
            return entry.id
        expected = entry.hash
    return None


def _hash(entry: AuditEntry) -> str:
    parts = (entry.previous_hash, entry.at.isoformat(), entry.actor, entry.action, entry.subject)
    return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()
