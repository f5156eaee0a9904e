"""Signed-in browsers. The cookie holds a random token; the database holds its hash."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import CursorResult, delete, select
from sqlalchemy.orm import Session, joinedload

from desk import audit
from desk.db import now
from desk.models import Staff, StaffSession


class SessionOver(Exception):
    """The session ended meanwhile, in another tab for example."""


def open_session(session: Session, staff: Staff, hours: float) -> tuple[StaffSession, str]:
    """Opens a session that still lacks its second factor.

    Args:
        session: commits after this returns.
        staff: whose it is; has just given the password.
        hours: how long it lasts.

    Returns:
        The session, and the random token for the cookie (only its SHA-256 is stored).
    """
    at = now()
    return _store(session, staff, created_at=at, expires_at=at + timedelta(hours=hours), authenticated_at=at)


def session_of(session: Session, token: str) -> StaffSession | None:
    """The session that a cookie's token opens, its staff member loaded; None once it is over or the account is inactive."""
    found = session.scalars(
        select(StaffSession).where(StaffSession.token_hash == _token_hash(token), StaffSession.expires_at > now()).options(joinedload(StaffSession.staff))
    ).first()
    return found if found and found.staff.active else None


def renew(session: Session, old: StaffSession, **changes: Any) -> tuple[StaffSession, str]:
    """Replaces a session by one with another token: whoever knew the old one has nothing any more.

    Args:
        session: commits after this returns.
        old: ends now; until when it would have lasted, and what it had proved, is kept.
        **changes: what the new one has instead, e.g. ``second_factor_at``.

    Raises:
        SessionOver: the old one has ended already; two renewals cannot both succeed.
    """
    ended: CursorResult[Any] = session.execute(delete(StaffSession).where(StaffSession.token_hash == old.token_hash))  # type: ignore[assignment]
    if ended.rowcount != 1:
        raise SessionOver
    kept = {name: getattr(old, name) for name in ("created_at", "expires_at", "authenticated_at", "second_factor_at")}
    return _store(session, session.get_one(Staff, old.staff_id), **kept | changes)


def confirm(session: Session, staff: StaffSession, at: datetime) -> None:
    """Writes down that the person behind a session has just proved again who they are."""
    session.get_one(StaffSession, staff.token_hash).authenticated_at = at


def sign_out(session: Session, token: str) -> None:
    """Ends the session of this token; one that is over already is no error."""
    found = session_of(session, token)
    if found:
        session.delete(found)
        audit.record(session, found.staff.name, "staff.sign_out", found.staff.name)


def of_account(session: Session, staff_id: int) -> Sequence[StaffSession]:
    """The open sessions of an account, newest first."""
    return session.scalars(
        select(StaffSession).where(StaffSession.staff_id == staff_id, StaffSession.expires_at > now()).order_by(StaffSession.created_at.desc())
    ).all()


def end_all(session: Session, staff_id: int, but: str | None = None) -> int:
    """Ends the sessions of an account; returns how many.

    Args:
        session: commits after this returns.
        staff_id: whose they are.
        but: token hash of the one that stays.
    """
    ended = [one for one in of_account(session, staff_id) if one.token_hash != but]
    for one in ended:
        session.delete(one)
    session.flush()
    return len(ended)


def purge(session: Session) -> int:
    """Deletes the sessions that are over; returns how many."""
    over = session.scalars(select(StaffSession.token_hash).where(StaffSession.expires_at <= now())).all()
    session.execute(delete(StaffSession).where(StaffSession.token_hash.in_(over)))
    return len(over)


def _store(session: Session, staff: Staff, **fields: Any) -> tuple[StaffSession, str]:
    token = secrets.token_urlsafe(32)
    opened = StaffSession(token_hash=_token_hash(token), staff=staff, csrf_token=secrets.token_urlsafe(32), **fields)
    session.add(opened)
    session.flush()
    return opened, token


def _token_hash(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
