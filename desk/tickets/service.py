"""What happens to requests, in business words. Each function works inside the caller's transaction."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime
from typing import Any, cast

from pydantic import BaseModel, ConfigDict, Field, model_validator
from sqlalchemy import CursorResult, func, select, update
from sqlalchemy.orm import Session

from bot.fields import SUBJECTS
from desk import audit
from desk.db import now
from desk.models import Conversation, Ticket, TicketState
from desk.tickets.references import new_reference

OPEN_STATES = (TicketState.WAITING, TicketState.CLAIMED, TicketState.PENDING_VISITOR, TicketState.BOOKED, TicketState.EXPIRED)


class TicketError(Exception):
    """A request cannot be handled as asked."""


class ConflictingReplay(TicketError):
    """The same idempotency key came with another request."""


class StateChanged(TicketError):
    """Somebody else was faster: the request is no longer in the state it was seen in."""


class NewRequest(BaseModel):
    """What a visitor leaves: a name, one way to be reached, wished moments, and the consent that allows keeping it."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    conversation_id: str = Field(max_length=32)
    name: str = Field(min_length=2, max_length=80)
    email: str | None = Field(default=None, max_length=254, pattern=r"^[^@\s]+@[^@\s]+\.[^@\s]+$")
    phone: str | None = Field(default=None, pattern=r"^\+\d{6,15}$")
    windows: str = Field(min_length=1, max_length=200)
    subject: str
    transcript: bool
    consent_version: str = Field(min_length=1, max_length=20)

    @model_validator(mode="after")
    def _reachable(self) -> NewRequest:
        if not (self.email or self.phone):
            raise ValueError("an e-mail address or a phone number is needed")
        if self.subject not in SUBJECTS:
            raise ValueError("unknown subject")
        return self


def open_ticket(session: Session, request: NewRequest, idempotency_key: str) -> tuple[Ticket, bool]:
    """Stores a request once.

    Args:
        session: commits after this returns; only then may anyone say « demande reçue ».
        request: validated fields.
        idempotency_key: names this request; sent again with the same fields it gives the same ticket.

    Returns:
        The ticket, and whether it is new.

    Raises:
        ConflictingReplay: the key is known with other fields.
    """
    body_hash = hashlib.sha256(request.model_dump_json().encode()).hexdigest()
    if session.get_bind().dialect.name == "postgresql":
        session.execute(select(func.pg_advisory_xact_lock(func.hashtext(idempotency_key))))  # the same key sent twice at once waits
    known = session.scalars(select(Ticket).where(Ticket.idempotency_key == idempotency_key)).first()
    if known:
        if known.body_hash != body_hash:
            raise ConflictingReplay(known.reference)
        return known, False
    in_desk = session.get(Conversation, request.conversation_id) is not None
    ticket = Ticket(
        reference=_unused_reference(session),
        state=TicketState.WAITING,
        idempotency_key=idempotency_key,
        body_hash=body_hash,
        conversation_id=request.conversation_id if in_desk else None,
        name=request.name,
        email=request.email,
        phone=request.phone,
        windows=request.windows,
        subject=request.subject,
        transcript_allowed=request.transcript,
        consent_version=request.consent_version,
        consent_at=now(),
    )
    session.add(ticket)
    session.flush()
    audit.record(session, audit.VISITOR, "ticket.open", ticket.reference)
    return ticket, True


def newest_first(session: Session, limit: int = 200) -> Sequence[Ticket]:
    """Requests for the desk's list, erased ones left out."""
    return session.scalars(select(Ticket).where(Ticket.state != TicketState.ERASED).order_by(Ticket.created_at.desc(), Ticket.id.desc()).limit(limit)).all()


def by_reference(session: Session, reference: str) -> Ticket | None:
    """One request."""
    return session.scalars(select(Ticket).where(Ticket.reference == reference)).first()


def close_ticket(session: Session, reference: str, actor: str, seen_version: int) -> None:
    """Closes a request, if it still is as the actor saw it.

    Raises:
        StateChanged: it was changed meanwhile, or cannot be closed.
    """
    changed = cast(
        CursorResult[Any],
        session.execute(
            update(Ticket)
            .where(Ticket.reference == reference, Ticket.version == seen_version, Ticket.state.in_(OPEN_STATES))
            .values(state=TicketState.CLOSED, version=Ticket.version + 1, closed_at=now())
        ),
    )
    if changed.rowcount != 1:
        raise StateChanged(reference)
    audit.record(session, actor, "ticket.close", reference)


def erase_of_conversation(session: Session, conversation_id: str, actor: str) -> int:
    """Erases the personal fields of a conversation's requests; returns how many."""
    tickets = session.scalars(select(Ticket).where(Ticket.conversation_id == conversation_id, Ticket.state != TicketState.ERASED)).all()
    for ticket in tickets:
        erase(session, ticket, actor)
    return len(tickets)


def erase(session: Session, ticket: Ticket, actor: str) -> None:
    """Empties a request's personal fields; reference, state and times stay as the trace that it was."""
    ticket.name = ticket.email = ticket.phone = ticket.windows = None
    ticket.conversation_id = None
    ticket.transcript_allowed = False
    ticket.body_hash = ""
    ticket.state = TicketState.ERASED
    ticket.version += 1
    ticket.closed_at = ticket.closed_at or now()
    audit.record(session, actor, "ticket.erase", ticket.reference)


def closed_before(session: Session, instant: datetime) -> Sequence[Ticket]:
    """Closed or cancelled requests whose retention is over."""
    ended = (TicketState.CLOSED, TicketState.CANCELLED, TicketState.SPAM)
    return session.scalars(select(Ticket).where(Ticket.state.in_(ended), Ticket.closed_at < instant)).all()


def _unused_reference(session: Session) -> str:
    while True:
        reference = new_reference()
        if by_reference(session, reference) is None:
            return reference
