"""Staff accounts and signed-in browsers, in business words. Each function works inside the caller's transaction."""

from __future__ import annotations

import hashlib
import secrets
import unicodedata
from datetime import timedelta
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError
from sqlalchemy import delete, select
from sqlalchemy.orm import Session, joinedload

from desk import audit
from desk.db import now
from desk.models import Role, Staff, StaffSession

SHORTEST_NAME, LONGEST_NAME = 2, 60
SHORTEST_PASSWORD, LONGEST_PASSWORD = 12, 1000
UNKNOWN = "unknown account"  # what the audit says for an unknown name: somebody may have typed a password there
HASHER = PasswordHasher()  # argon2id, RFC 9106's second recommendation: 3 passes over 64 MiB in 4 lanes


class AccountError(Exception):
    """An account cannot be made as asked; the text is a French sentence for the person who asked."""


class BadName(AccountError):
    """The name is too short, too long, not printable, or one that the audit trail uses for something else."""


class NameTaken(AccountError):
    """Somebody already has this name, give or take capitals."""


class WeakPassword(AccountError):
    """The password is too short, too long, or contains the name."""


def add_staff(session: Session, name: str, password: str, role: Role = Role.AGENT) -> Staff:
    """Makes an account.

    Args:
        session: commits after this returns.
        name: 2 to 60 printable characters, unique whatever the capitals; spaces around and doubled ones are dropped.
        password: at least 12 characters, without the name in it; kept as an argon2id hash only.
        role: what the person may do.

    Raises:
        BadName, NameTaken, WeakPassword: with a French message.
    """
    name = " ".join(unicodedata.normalize("NFC", name).split())
    if not SHORTEST_NAME <= len(name) <= LONGEST_NAME or not name.isprintable():
        raise BadName(f"Le nom doit compter de {SHORTEST_NAME} à {LONGEST_NAME} caractères.")
    if _key(name) in (audit.VISITOR, audit.SYSTEM):
        raise BadName(f"« {name} » désigne déjà autre chose dans le journal : choisissez un autre nom.")
    if by_name(session, name):
        raise NameTaken(f"« {name} » a déjà un compte.")
    if len(password) < SHORTEST_PASSWORD:
        raise WeakPassword(f"Le mot de passe doit compter au moins {SHORTEST_PASSWORD} caractères.")
    if len(password) > LONGEST_PASSWORD:
        raise WeakPassword(f"Le mot de passe ne peut pas dépasser {LONGEST_PASSWORD} caractères.")
    if _key(name) in _key(password):
        raise WeakPassword("Le mot de passe ne doit pas contenir le nom.")
    staff = Staff(name=name, password_hash=HASHER.hash(_same_bytes(password)), role=role)
    session.add(staff)
    session.flush()
    audit.record(session, audit.SYSTEM, "staff.add", name)
    return staff


def by_name(session: Session, name: str) -> Staff | None:
    """The account of this name, whatever the capitals.

    Compared in Python: SQLite folds only ASCII, and a clinic's staff is a few dozen rows.
    """
    wanted = _key(name)
    return next((staff for staff in session.scalars(select(Staff)) if _key(staff.name) == wanted), None)


def is_anyone_there(session: Session) -> bool:
    """Whether there is at least one account."""
    return session.scalars(select(Staff.id).limit(1)).first() is not None


def sign_in(session: Session, name: str, password: str, hours: float) -> tuple[StaffSession, str] | None:
    """Opens a session for whoever knows the password.

    An unknown or inactive name costs the same work as a known one, so that the time taken tells nothing. Either way the attempt is
    written to the audit trail: the transaction must commit after a None too.

    Args:
        session: commits after this returns.
        name: as typed.
        password: as typed.
        hours: how long the session lasts.

    Returns:
        The session with its staff member loaded, and the random token for the cookie (only its SHA-256 is stored); None when refused.
    """
    decoy = _decoy_hash()  # before the name is looked up: its first call is slow
    staff = by_name(session, name)
    matches = _verify(staff.password_hash if staff else decoy, password)
    if not (staff and matches and staff.active):
        audit.record(session, audit.SYSTEM, "staff.sign_in_failed", staff.name if staff else UNKNOWN)
        return None
    if HASHER.check_needs_rehash(staff.password_hash):
        staff.password_hash = HASHER.hash(_same_bytes(password))
    purge_expired(session)
    token = secrets.token_urlsafe(32)
    opened = StaffSession(
        token_hash=_token_hash(token), staff=staff, csrf_token=secrets.token_urlsafe(32), created_at=now(), expires_at=now() + timedelta(hours=hours)
    )
    session.add(opened)
    session.flush()
    audit.record(session, staff.name, "staff.sign_in", staff.name)
    return opened, token


def session_of(session: Session, token: str) -> StaffSession | None:
    """The session that a cookie's token opens, its staff member loaded; None once it is over or the account is inactive."""
    found = session.scalars(
        select(StaffSession).where(StaffSession.token_hash == _token_hash(token), StaffSession.expires_at > now()).options(joinedload(StaffSession.staff))
    ).first()
    return found if found and found.staff.active else None


def sign_out(session: Session, token: str) -> None:
    """Ends the session of this token; one that is over already is no error."""
    found = session_of(session, token)
    if found:
        session.delete(found)
        audit.record(session, found.staff.name, "staff.sign_out", found.staff.name)


def purge_expired(session: Session) -> int:
    """Deletes the sessions that are over; returns how many."""
    over = session.scalars(select(StaffSession.token_hash).where(StaffSession.expires_at <= now())).all()
    session.execute(delete(StaffSession).where(StaffSession.token_hash.in_(over)))
    return len(over)


def _key(text: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def _same_bytes(password: str) -> str:
    # « é » is one character on some keyboards and two on others (RFC 8265, OpaqueString).
    return unicodedata.normalize("NFC", password)


def _verify(password_hash: str, password: str) -> bool:
    try:
        return HASHER.verify(password_hash, _same_bytes(password)[:LONGEST_PASSWORD])
    except (Argon2Error, InvalidHashError):
        return False


def _token_hash(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


@cache
def _decoy_hash() -> str:
    return HASHER.hash(secrets.token_urlsafe(32))
