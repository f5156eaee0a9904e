"""Staff accounts, in business words. Each function works inside the caller's transaction."""

from __future__ import annotations

import secrets
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError
from email_validator import EmailNotValidError, validate_email
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from desk import audit
from desk.db import now
from desk.models import Role, SignIn, Staff, StaffSession
from desk.staff import sessions, sign_ins
from desk.staff.permissions import DEPUTISED, Permission, granted
from desk.staff.sign_ins import Outcome
from desk.tickets.references import ALPHABET

SHORTEST_NAME, LONGEST_NAME = 2, 60
SHORTEST_PASSWORD, LONGEST_PASSWORD = 12, 1000
INITIAL_PASSWORD_DAYS = 7  # how long a password that somebody else made opens a session
INITIAL_PASSWORD_GROUPS = 5  # of four letters: 86 bits
LARGEST_NUMBER = 2**31 - 1  # of PostgreSQL's integers
UNKNOWN = "unknown account"  # what the audit says for an unknown name: somebody may have typed a password there
HASHER = PasswordHasher()  # argon2id, RFC 9106's second recommendation: 3 passes over 64 MiB in 4 lanes


class AccountError(Exception):
    """An account cannot be made or changed as asked; the text is a French sentence for the person who asked."""


class BadName(AccountError):
    """The name is too short, too long, not printable, or one that the audit trail uses for something else."""


class NameTaken(AccountError):
    """Somebody already has this name, give or take capitals."""


class WeakPassword(AccountError):
    """The password is too short, too long, or contains the name."""


class BadEmail(AccountError):
    """No e-mail address."""


class WrongPassword(AccountError):
    """The present password is another one."""


class NoSuchAccount(AccountError):
    """No account has this number or name."""


class NobodyLeft(AccountError):
    """Without this person nobody could manage the accounts any more."""


@dataclass(frozen=True)
class Overview:
    """An account as the page of accounts shows it."""

    staff: Staff
    last_sign_in: SignIn | None


# ---------------------------------------------------------------- making and finding accounts


def add_staff(session: Session, name: str, password: str, role: Role = Role.AGENT, *, actor: str = audit.SYSTEM) -> Staff:
    """Makes an account.

    Args:
        session: commits after this returns.
        name: 2 to 60 printable characters, unique whatever the capitals; spaces around and doubled ones are dropped.
        password: at least 12 characters, without the name in it; kept as an argon2id hash only.
        role: what the person may do.
        actor: who makes it.

    Raises:
        BadName, NameTaken, WeakPassword: with a French message.
    """
    name = _checked_name(session, name)
    staff = Staff(name=name, password_hash=_hashed(name, password), role=role)
    session.add(staff)
    session.flush()
    audit.record(session, actor, "staff.add", name)
    return staff


def invite(session: Session, actor: str, name: str, role: Role, email: str = "") -> tuple[Staff, str]:
    """Makes an account for somebody else.

    Returns:
        The account, and its initial password: to be handed over, good for seven days, to be replaced at the first sign-in.

    Raises:
        BadName, NameTaken, BadEmail: with a French message.
    """
    password = _initial_password(name)
    staff = add_staff(session, name, password, role, actor=actor)
    staff.email = _checked_email(email)
    staff.initial_password_until = now() + timedelta(days=INITIAL_PASSWORD_DAYS)
    return staff, password


def usual_role(session: Session) -> Role:
    """The role of an account made without saying one: the first person runs everything, the others take requests."""
    return Role.AGENT if is_anyone_there(session) else Role.LEAD


def by_name(session: Session, name: str) -> Staff | None:
    """The account of this name, whatever the capitals.

    Compared in Python: SQLite folds only ASCII, and a clinic's staff is a few dozen rows.
    """
    wanted = _key(name)
    return next((staff for staff in session.scalars(select(Staff)) if _key(staff.name) == wanted), None)


def by_number(session: Session, staff_id: int) -> Staff:
    """The account of this number.

    Raises:
        NoSuchAccount: there is none.
    """
    staff = session.get(Staff, staff_id) if 0 < staff_id <= LARGEST_NUMBER else None
    if staff is None:
        raise NoSuchAccount("Ce compte n'existe pas.")
    return staff


def everyone(session: Session) -> Sequence[Overview]:
    """Every account, open ones first, with its last sign-in."""
    newest = select(func.max(SignIn.id)).where(SignIn.outcome.in_((Outcome.OK, Outcome.RECOVERY))).group_by(SignIn.staff_id)
    last = {row.staff_id: row for row in session.scalars(select(SignIn).where(SignIn.id.in_(newest)))}
    staff = sorted(session.scalars(select(Staff)), key=lambda one: (not one.active, _key(one.name)))
    return [Overview(one, last.get(one.id)) for one in staff]


def is_anyone_there(session: Session) -> bool:
    """Whether there is at least one account."""
    return session.scalars(select(Staff.id).limit(1)).first() is not None


def vacant_roles(session: Session) -> frozenset[Role]:
    """The roles that leads stand in for: those of ``DEPUTISED`` that no active account holds."""
    held = session.scalars(select(Staff.role).where(Staff.active, Staff.role.in_(DEPUTISED)).distinct()).all()
    return frozenset(DEPUTISED) - frozenset(held)


# ---------------------------------------------------------------- signing in


def sign_in(session: Session, name: str, password: str, hours: float, address: str = "", two_factor: bool = False) -> tuple[StaffSession, str] | None:
    """Opens a session for whoever knows the password; the second factor is asked next where the account has or needs one.

    An unknown or inactive name costs the same work as a known one, so that the time taken tells nothing. Either way the attempt is
    written to the audit trail: the transaction must commit after a None too.

    Args:
        session: commits after this returns.
        name: as typed.
        password: as typed.
        hours: how long the session lasts.
        address: the client's, for the sign-in log.
        two_factor: whether everybody needs a second factor.

    Returns:
        The session with its staff member loaded, and the random token for the cookie (only its SHA-256 is stored); None when refused.
    """
    decoy = _decoy_hash()  # before the name is looked up: its first call is slow
    staff = by_name(session, name)
    matches = _verify(staff.password_hash if staff else decoy, password)
    refused = _why_refused(staff, matches)
    if staff is None or refused:
        if staff and refused:
            sign_ins.note(session, staff.id, address, refused)
        audit.record(session, audit.SYSTEM, "staff.sign_in_failed", staff.name if staff else UNKNOWN)
        return None
    if HASHER.check_needs_rehash(staff.password_hash):
        staff.password_hash = HASHER.hash(_same_bytes(password))
    sessions.purge(session)
    opened = sessions.open_session(session, staff, hours)
    if two_factor or staff.totp_confirmed_at:
        sign_ins.note(session, staff.id, address, Outcome.HALF)
    else:
        note_signed_in(session, staff, address)
    return opened


def _why_refused(staff: Staff | None, matches: bool) -> Outcome | None:
    if staff is None or not matches:
        return Outcome.PASSWORD
    if not staff.active:
        return Outcome.INACTIVE
    is_too_late = staff.initial_password_until is not None and staff.initial_password_until <= now()
    return Outcome.EXPIRED if is_too_late else None


def note_signed_in(session: Session, staff: Staff, address: str, outcome: Outcome = Outcome.OK) -> None:
    """Writes a complete sign-in down, in the log and in the audit trail."""
    sign_ins.note(session, staff.id, address, outcome)
    audit.record(session, staff.name, "staff.sign_in", staff.name)


def note_locked(session: Session, name: str, address: str) -> None:
    """Writes down that an attempt on a name was refused unread; an unknown name leaves nothing."""
    staff = by_name(session, name)
    if staff:
        sign_ins.note(session, staff.id, address, Outcome.LOCKED)


def session_of(session: Session, token: str) -> tuple[StaffSession, frozenset[Permission]] | None:
    """The session that a cookie's token opens, and what its staff member may do now; None once it is over or the account is inactive."""
    found = sessions.session_of(session, token)
    return (found, granted(found.staff.role, vacant_roles(session))) if found else None


# ---------------------------------------------------------------- passwords


def knows_password(session: Session, staff_id: int, password: str) -> bool:
    """Whether this is the account's password."""
    return _verify(by_number(session, staff_id).password_hash, password)


def choose_password(session: Session, staff: StaffSession, password: str) -> None:
    """Replaces the initial password, which the session has just given, by the person's own.

    Raises:
        WeakPassword: with a French message; also for the initial password itself.
    """
    account = by_number(session, staff.staff_id)
    _set_own_password(session, account, password)
    sessions.end_all(session, account.id, but=staff.token_hash)


def change_password(session: Session, staff: StaffSession, old: str, new: str) -> None:
    """Changes the password and ends the account's other sessions.

    Raises:
        WrongPassword, WeakPassword: with a French message; nothing is changed.
    """
    account = by_number(session, staff.staff_id)
    if not _verify(account.password_hash, old):
        raise WrongPassword("Ce n'est pas votre mot de passe actuel.")
    _set_own_password(session, account, new)
    sessions.end_all(session, account.id, but=staff.token_hash)


def reset_password(session: Session, actor: str, staff_id: int) -> str:
    """Gives an account a new initial password and ends its sessions; returns it."""
    staff = by_number(session, staff_id)
    password = _initial_password(staff.name)
    staff.password_hash = _hashed(staff.name, password)
    staff.initial_password_until = now() + timedelta(days=INITIAL_PASSWORD_DAYS)
    sessions.end_all(session, staff.id)
    audit.record(session, actor, "staff.password_reset", staff.name)
    return password


def drop_initial_password(staff: Staff) -> None:
    """Makes an initial password worthless: its holder signs in another way, and who made it knows it."""
    if staff.initial_password_until is not None:
        staff.password_hash = HASHER.hash(secrets.token_urlsafe(32))
        staff.initial_password_until = None


def _set_own_password(session: Session, staff: Staff, password: str) -> None:
    new = _hashed(staff.name, password)
    if _verify(staff.password_hash, password):
        raise WeakPassword("Le nouveau mot de passe doit être différent de l'ancien.")
    staff.password_hash = new
    staff.initial_password_until = None
    audit.record(session, staff.name, "staff.password_change", staff.name)


# ---------------------------------------------------------------- changing accounts


def change_role(session: Session, actor: str, staff_id: int, role: Role) -> None:
    """Gives an account another role.

    Raises:
        NoSuchAccount: there is none of this number.
        NobodyLeft: nobody could manage the accounts any more.
    """
    staff = by_number(session, staff_id)
    if staff.role is role:
        return
    if role is not Role.ADMIN:
        _assert_somebody_manages_without(session, staff)
    staff.role = role
    session.flush()
    audit.record(session, actor, f"staff.role_{role}", staff.name)


def deactivate(session: Session, actor: str, staff_id: int) -> None:
    """Closes an account and ends its sessions.

    Raises:
        NoSuchAccount: there is none of this number.
        NobodyLeft: nobody could manage the accounts any more.
    """
    staff = by_number(session, staff_id)
    if not staff.active:
        return
    _assert_somebody_manages_without(session, staff)
    staff.active = False
    sessions.end_all(session, staff.id)
    audit.record(session, actor, "staff.deactivate", staff.name)


def activate(session: Session, actor: str, staff_id: int) -> None:
    """Opens a closed account again, with its password and second factor as they were."""
    staff = by_number(session, staff_id)
    if not staff.active:
        staff.active = True
        audit.record(session, actor, "staff.activate", staff.name)


def change_email(session: Session, actor: str, staff_id: int, email: str) -> None:
    """Sets where notifications go; an empty one stops them.

    Raises:
        BadEmail: with a French message.
    """
    staff = by_number(session, staff_id)
    address = _checked_email(email)
    if staff.email != address:
        staff.email = address
        audit.record(session, actor, "staff.email_change", staff.name)


def _assert_somebody_manages_without(session: Session, staff: Staff) -> None:
    """Refuses to take the last person away who may manage accounts: the last administrator, or the last lead while there is none.

    The rows are locked, so that two administrators who remove each other at once do not both succeed.
    """
    for role in (Role.ADMIN, Role.LEAD):
        holders = session.scalars(select(Staff.id).where(Staff.active, Staff.role == role).with_for_update()).all()
        if holders == [staff.id]:
            raise NobodyLeft("C'est la dernière personne qui peut gérer les comptes. Donnez d'abord ce rôle à quelqu'un d'autre.")
        if holders:
            return


# ---------------------------------------------------------------- what a name, a password, an address is


def _checked_name(session: Session, name: str) -> str:
    name = " ".join(unicodedata.normalize("NFC", name).split())
    if not SHORTEST_NAME <= len(name) <= LONGEST_NAME or not name.isprintable():
        raise BadName(f"Le nom doit compter de {SHORTEST_NAME} à {LONGEST_NAME} caractères.")
    if _key(name) in (audit.VISITOR, audit.SYSTEM):
        raise BadName(f"«\u00a0{name}\u00a0» désigne déjà autre chose dans le journal\u00a0: choisissez un autre nom.")
    if by_name(session, name):
        raise NameTaken(f"«\u00a0{name}\u00a0» a déjà un compte.")
    return name


def _hashed(name: str, password: str) -> str:
    if len(password) < SHORTEST_PASSWORD:
        raise WeakPassword(f"Le mot de passe doit compter au moins {SHORTEST_PASSWORD} caractères.")
    if len(password) > LONGEST_PASSWORD:
        raise WeakPassword(f"Le mot de passe ne peut pas dépasser {LONGEST_PASSWORD} caractères.")
    if _key(name) in _key(password):
        raise WeakPassword("Le mot de passe ne doit pas contenir le nom.")
    return HASHER.hash(_same_bytes(password))


def _checked_email(email: str) -> str | None:
    if not email.strip():
        return None
    try:
        return validate_email(email.strip(), check_deliverability=False, test_environment=True).normalized
    except EmailNotValidError:
        raise BadEmail("Cette adresse e-mail n'est pas valable.") from None


def _initial_password(name: str) -> str:
    """Random, in groups that can be said on the phone; one in which the name happens to stand is thrown away."""
    while True:
        groups = ["".join(secrets.choice(ALPHABET.lower()) for _ in range(4)) for _ in range(INITIAL_PASSWORD_GROUPS)]
        password = "-".join(groups)
        if not _key(name) or _key(name) not in password:
            return password


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


@cache
def _decoy_hash() -> str:
    return HASHER.hash(secrets.token_urlsafe(32))
