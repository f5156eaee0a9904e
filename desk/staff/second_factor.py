"""The second factor: codes of an authenticator application (RFC 6238), and recovery codes that each work once.

Until it is confirmed, a secret belongs to the session that was shown it and to no other: it is worked out from that session's token, so that
somebody who knows the password and looked first does not know the secret that the account's holder confirms.
"""

from __future__ import annotations

import base64
import hmac
import re
import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pyotp
import segno
from sqlalchemy import CursorResult, delete, func, or_, select, update
from sqlalchemy.orm import Session

from desk import audit
from desk.db import cipher_of
from desk.models import RecoveryCode, Staff, StaffSession
from desk.staff import accounts, sessions, sign_ins
from desk.staff.sign_ins import Outcome
from desk.tickets.references import ALPHABET

STEP_SECONDS = 30
WINDOW = 1  # steps before and after the present one: clocks of telephones differ
SECRET_BYTES = 20  # RFC 4226, 4: as long as the digest of SHA-1
ISSUER = "Passerelle"
RECOVERY_CODES, RECOVERY_LETTERS = 10, 12  # of 20 signs each: 51 bits


class AlreadyEnrolled(Exception):
    """The account got its second factor meanwhile, in another browser."""


@dataclass(frozen=True)
class Offer:
    """A secret that an application can take, until a code of it is confirmed.

    Attributes:
        secret: base32.
        groups: the secret in groups of four, to be typed.
        picture: its QR code as a ``data:`` URI.
    """

    secret: str
    groups: str
    picture: str


# ---------------------------------------------------------------- enrolling


def offer(session: Session, staff: StaffSession) -> Offer:
    """The secret that a session may enrol with; the same whenever its page is opened."""
    digest = cipher_of(session).digest(staff.token_hash, "staff.totp_offer")
    secret = base64.b32encode(bytes.fromhex(digest)[:SECRET_BYTES]).decode()
    address = _totp(secret).provisioning_uri(name=staff.staff.name, issuer_name=ISSUER)
    picture = segno.make(address, error="m").svg_data_uri(scale=5, border=4, dark="#000", light="#fff")
    return Offer(secret, " ".join(re.findall(".{4}", secret)), picture)


def enrol(
    session: Session, staff: StaffSession, code: str, at: datetime, address: str = "", *, completes_sign_in: bool = True
) -> tuple[StaffSession, str, list[str]] | None:
    """Makes the offered secret the account's second factor, once a code proves that the application has it.

    It replaces the one before, whose recovery codes and other sessions end. The session gets another token, since it can do more from now on.

    Args:
        session: commits after this returns.
        staff: the session the secret was offered to.
        code: as typed.
        at: the present instant.
        address: the client's, for the sign-in log.
        completes_sign_in: whether the session is half open; False where somebody who is signed in sets up or changes the second factor.

    Returns:
        The new session, the token for its cookie, the recovery codes (never to be read again); None for a wrong code.

    Raises:
        AlreadyEnrolled: a session that has not given the second factor finds that there is one by now.
        SessionOver: the session ended meanwhile.
    """
    account = accounts.by_number(session, staff.staff_id)
    if staff.second_factor_at is None and account.totp_confirmed_at:
        raise AlreadyEnrolled
    secret = offer(session, staff).secret
    step = _matching_step(secret, code, at)
    if step is None:
        if completes_sign_in:
            sign_ins.note(session, account.id, address, Outcome.SECOND_FACTOR)
        return None
    account.totp_secret, account.totp_confirmed_at, account.totp_last_step = secret, at, step
    session.flush()
    sessions.end_all(session, account.id, but=staff.token_hash)
    opened, token = sessions.renew(session, staff, second_factor_at=at)
    audit.record(session, account.name, "staff.second_factor_set", account.name)
    if completes_sign_in:
        accounts.note_signed_in(session, account, address)
    return opened, token, new_recovery_codes(session, account.id)


def reset(session: Session, actor: str, staff_id: int) -> None:
    """Takes an account's second factor away and ends its sessions: its holder enrols anew at the next sign-in."""
    staff = accounts.by_number(session, staff_id)
    staff.totp_secret = staff.totp_confirmed_at = staff.totp_last_step = None
    session.execute(delete(RecoveryCode).where(RecoveryCode.staff_id == staff_id))
    sessions.end_all(session, staff_id)
    audit.record(session, actor, "staff.second_factor_reset", staff.name)


# ---------------------------------------------------------------- giving it


def give(session: Session, staff: StaffSession, code: str, at: datetime, address: str = "") -> tuple[StaffSession, str] | None:
    """Completes a half-open session with a code or a recovery code.

    The session gets another token: one that was planted in this browser before the sign-in opens nothing. The attempt is logged; the
    transaction must commit after a None too.

    Returns:
        The new session and the token for its cookie; None for a wrong or used code.

    Raises:
        SessionOver: the session ended meanwhile.
    """
    account = accounts.by_number(session, staff.staff_id)
    if is_code(session, account.id, code, at):
        outcome = Outcome.OK
    elif uses_recovery_code(session, account.id, code, at):
        outcome = Outcome.RECOVERY
    else:
        sign_ins.note(session, account.id, address, Outcome.SECOND_FACTOR)
        audit.record(session, audit.SYSTEM, "staff.sign_in_failed", account.name)
        return None
    opened = sessions.renew(session, staff, second_factor_at=at)
    accounts.note_signed_in(session, account, address, outcome)
    return opened


def is_code(session: Session, staff_id: int, code: str, at: datetime) -> bool:
    """Whether a code is right now; it never is again, nor is any older one (RFC 6238, 5.2).

    Of two requests that bring the same code at once, one wins: the step is counted up by compare-and-swap.
    """
    staff = accounts.by_number(session, staff_id)
    if staff.totp_secret is None or staff.totp_confirmed_at is None:
        return False
    step = _matching_step(staff.totp_secret, code, at)
    if step is None:
        return False
    is_newer = or_(Staff.totp_last_step.is_(None), Staff.totp_last_step < step)
    used: CursorResult[Any] = session.execute(update(Staff).where(Staff.id == staff_id, is_newer).values(totp_last_step=step))  # type: ignore[assignment]
    return used.rowcount == 1


def _matching_step(secret: str, code: str, at: datetime) -> int | None:
    digits = re.sub(r"\s", "", code)
    if not re.fullmatch(r"[0-9]{6}", digits):
        return None
    present = int(at.timestamp()) // STEP_SECONDS
    totp = _totp(secret)
    matching = [step for step in range(present - WINDOW, present + WINDOW + 1) if hmac.compare_digest(totp.generate_otp(step), digits)]
    return max(matching, default=None)


def _totp(secret: str) -> pyotp.TOTP:
    return pyotp.TOTP(secret, interval=STEP_SECONDS)  # six digits by SHA-1: what every application understands


# ---------------------------------------------------------------- recovery codes


def new_recovery_codes(session: Session, staff_id: int) -> list[str]:
    """Ten new codes; those before are void. Only their digests are kept."""
    session.execute(delete(RecoveryCode).where(RecoveryCode.staff_id == staff_id))
    codes = ["".join(secrets.choice(ALPHABET) for _ in range(RECOVERY_LETTERS)) for _ in range(RECOVERY_CODES)]
    session.add_all(RecoveryCode(staff_id=staff_id, code_hash=_digest(session, staff_id, code)) for code in codes)
    session.flush()
    return ["-".join(re.findall(".{4}", code)) for code in codes]


def regenerate_recovery_codes(session: Session, staff_id: int) -> list[str]:
    """Ten new codes at their holder's wish."""
    staff = accounts.by_number(session, staff_id)
    audit.record(session, staff.name, "staff.recovery_codes_new", staff.name)
    return new_recovery_codes(session, staff_id)


def uses_recovery_code(session: Session, staff_id: int, code: str, at: datetime) -> bool:
    """Whether this is a recovery code of the account; it is used up."""
    letters = re.sub(r"[^A-Z0-9]", "", code.upper())
    if len(letters) != RECOVERY_LETTERS:
        return False
    unused = (RecoveryCode.staff_id == staff_id, RecoveryCode.code_hash == _digest(session, staff_id, letters), RecoveryCode.used_at.is_(None))
    used: CursorResult[Any] = session.execute(update(RecoveryCode).where(*unused).values(used_at=at))  # type: ignore[assignment]
    if used.rowcount != 1:
        return False
    staff = accounts.by_number(session, staff_id)
    audit.record(session, staff.name, "staff.recovery_code_used", staff.name)
    return True


def recovery_codes_left(session: Session, staff_id: int) -> int:
    """How many recovery codes still work."""
    return session.scalar(select(func.count()).where(RecoveryCode.staff_id == staff_id, RecoveryCode.used_at.is_(None))) or 0


def _digest(session: Session, staff_id: int, letters: str) -> str:
    return cipher_of(session).digest(f"{staff_id}:{letters}", "recovery_codes")
