"""What each role may do: one table, asked by pages and templates."""

from __future__ import annotations

from collections.abc import Collection
from enum import StrEnum

from desk.models import Role


class Permission(StrEnum):
    """Something that not everybody may do."""

    READ_REQUESTS = "requests.read"  # names, contacts, transcripts
    WORK_REQUESTS = "requests.work"  # claim, answer, book, close
    REASSIGN = "requests.reassign"  # take from one and give to another
    PRIVACY = "privacy"  # find, export and erase everything about a person
    AUDIT = "audit"
    USERS = "users"
    HOURS = "hours"  # opening hours and clinicians
    CANNED = "canned"
    OUTBOX = "outbox"
    INSIGHT = "insight"
    CONTENT = "content"


_OF_AGENTS = frozenset({Permission.READ_REQUESTS, Permission.WORK_REQUESTS})
_OF_LEADS = frozenset({Permission.REASSIGN, Permission.HOURS, Permission.CANNED, Permission.OUTBOX, Permission.INSIGHT, Permission.CONTENT})
_GRANTED = {
    Role.AGENT: _OF_AGENTS,
    Role.LEAD: _OF_AGENTS | _OF_LEADS,
    Role.PRIVACY_OFFICER: frozenset({Permission.READ_REQUESTS, Permission.PRIVACY, Permission.AUDIT}),
    # Whoever runs the desk need not know who is ill: no requests by default (handoff.md 1.6).
    Role.ADMIN: frozenset(Permission) - _OF_AGENTS - {Permission.REASSIGN, Permission.PRIVACY},
}
# Roles whose work falls to the leads while nobody holds them: a clinic may begin with one person.
DEPUTISED = (Role.ADMIN, Role.PRIVACY_OFFICER)


def granted(role: Role, vacant: Collection[Role] = ()) -> frozenset[Permission]:
    """Everything that a role includes.

    Args:
        role: of the staff member.
        vacant: those of ``DEPUTISED`` that no active account holds (``accounts.vacant_roles``); leads stand in for them.
    """
    stands_in_for = [other for other in DEPUTISED if other in vacant] if role is Role.LEAD else []
    return _GRANTED[role].union(*(_GRANTED[other] for other in stands_in_for))


def may(role: Role, permission: Permission, vacant: Collection[Role] = ()) -> bool:
    """Whether a role includes a permission; ``vacant`` as for ``granted``."""
    return permission in granted(role, vacant)
