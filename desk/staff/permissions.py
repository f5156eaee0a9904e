"""What each role may do: one table, asked by pages and templates."""

from __future__ import annotations

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


def may(role: Role, permission: Permission) -> bool:
    """Whether a role includes a permission."""
    return permission in _GRANTED[role]
