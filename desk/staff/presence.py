"""Who has which request open: leases that an open page renews, so that a closed laptop is gone by itself. Works inside the caller's transaction."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session, joinedload

from desk.models import Presence

LEASE = timedelta(seconds=30)


@dataclass(frozen=True)
class Present:
    """Somebody who has a request open; ``text`` says so: « Milica écrit »."""

    name: str
    is_writing: bool

    @property
    def text(self) -> str:
        """What a badge says."""
        return f"{self.name} {'écrit' if self.is_writing else 'consulte'}"


def renew(session: Session, ticket_id: int, staff_id: int, is_writing: bool, at: datetime) -> bool:
    """Notes that somebody has a request open; returns whether others would see a difference."""
    known = session.get(Presence, (ticket_id, staff_id))
    is_news = known is None or known.expires_at <= at or known.is_writing != is_writing
    values = {"is_writing": is_writing, "expires_at": at + LEASE}
    # Two tabs of one person may both be the first: an upsert, in the dialect of the database.
    insert = postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
    row = insert(Presence).values(ticket_id=ticket_id, staff_id=staff_id, **values)
    session.execute(row.on_conflict_do_update(index_elements=["ticket_id", "staff_id"], set_=values))
    session.expire_all()
    return is_news


def leave(session: Session, ticket_id: int, staff_id: int) -> bool:
    """Notes that somebody closed a request's page; returns whether they had it open."""
    known = session.get(Presence, (ticket_id, staff_id))
    if known is None:
        return False
    session.delete(known)
    session.flush()
    return True


def others(session: Session, ticket_ids: Collection[int], but_for: int, at: datetime) -> dict[int, list[Present]]:
    """Who else has these requests open, by request: writers first, then by name."""
    rows = session.scalars(
        select(Presence).where(Presence.ticket_id.in_(ticket_ids), Presence.staff_id != but_for, Presence.expires_at > at).options(joinedload(Presence.staff))
    )
    found: dict[int, list[Present]] = {}
    for row in rows:
        found.setdefault(row.ticket_id, []).append(Present(row.staff.name, row.is_writing))
    return {ticket_id: sorted(people, key=lambda person: (not person.is_writing, person.name)) for ticket_id, people in found.items()}
