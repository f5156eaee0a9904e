"""The sign-in log: every attempt on an account, so that its holder and whoever manages accounts can see what was not them."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from datetime import timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import CursorResult, delete, select
from sqlalchemy.orm import Session

from desk.db import now
from desk.models import SignIn, Staff

KEPT_DAYS = 180
LOCKED_AGAIN = timedelta(minutes=1)  # a flood of refused attempts is one line a minute


class Outcome(StrEnum):
    """How an attempt ended."""

    OK = "ok"
    HALF = "half"  # the password was right; the second factor is awaited
    RECOVERY = "recovery"  # signed in with a recovery code
    PASSWORD = "password"  # noqa: S105
    SECOND_FACTOR = "second_factor"  # wrong code
    LOCKED = "locked"  # refused unread after too many failures
    INACTIVE = "inactive"  # right password of a closed account
    EXPIRED = "expired"  # right initial password, too late


def network_of(address: str) -> str:
    """An address without its last part: its /24, or its /48 for IPv6, which tells a place and not a person.

    >>> network_of("192.0.2.17"), network_of("2001:db8:1:2::3"), network_of("testclient")
    ('192.0.2.0/24', '2001:db8:1::/48', '')
    """
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return ""
    if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped:
        ip = ip.ipv4_mapped
    return str(ipaddress.ip_network((ip, 24 if ip.version == 4 else 48), strict=False))


def note(session: Session, staff_id: int, address: str, outcome: Outcome) -> None:
    """Writes one attempt down; refusals of a locked account at most once a minute and network.

    Args:
        session: commits after this returns, after a failure too.
        staff_id: of an account; attempts on unknown names are not kept, for somebody may have typed a password there.
        address: the client's; only its network is kept.
        outcome: how it ended.
    """
    network = network_of(address)
    if outcome is Outcome.LOCKED:
        last = session.scalars(select(SignIn).where(SignIn.staff_id == staff_id, SignIn.network == network).order_by(SignIn.id.desc()).limit(1)).first()
        if last and last.outcome == Outcome.LOCKED and now() - last.at < LOCKED_AGAIN:
            return
    session.add(SignIn(at=now(), staff_id=staff_id, network=network, outcome=outcome))


def recent(session: Session, staff_id: int | None = None, before: int | None = None, size: int = 50) -> Sequence[tuple[SignIn, str]]:
    """Attempts with the account's name, newest first.

    Args:
        session: any.
        staff_id: of one account; None for all.
        before: id of an attempt; only those before it.
        size: how many at most.
    """
    wanted = select(SignIn, Staff.name).join(Staff, Staff.id == SignIn.staff_id).order_by(SignIn.id.desc()).limit(size)
    if staff_id is not None:
        wanted = wanted.where(SignIn.staff_id == staff_id)
    if before is not None:
        wanted = wanted.where(SignIn.id < before)
    return [(row, name) for row, name in session.execute(wanted)]


def purge(session: Session) -> int:
    """Deletes attempts older than 180 days; returns how many."""
    gone: CursorResult[Any] = session.execute(delete(SignIn).where(SignIn.at < now() - timedelta(days=KEPT_DAYS)))  # type: ignore[assignment]
    return gone.rowcount
