"""Somebody leaves the team: their account is closed, and what they followed goes back to the queue."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from desk.models import Ticket, TicketState
from desk.settings import Settings
from desk.staff import accounts
from desk.tickets import work


def close_account(session: Session, actor: str, staff_id: int, settings: Settings) -> int:
    """Closes an account and frees the requests it followed, but for those with an appointment, which a lead takes over.

    Returns:
        How many requests went back to the queue.

    Raises:
        NoSuchAccount: there is none of this number.
        NobodyLeft: nobody could manage the accounts any more.
    """
    accounts.deactivate(session, actor, staff_id)
    followed = select(Ticket).where(Ticket.assignee_id == staff_id, Ticket.state.in_((TicketState.CLAIMED, TicketState.PENDING_VISITOR)))
    tickets = session.scalars(followed).all()
    for ticket in tickets:
        work.release(session, ticket.reference, None, ticket.version, settings)
    return len(tickets)
