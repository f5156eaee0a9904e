"""What happens to requests, in business words. Each function works inside the caller's transaction."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime
from typing import Any, cast

from pydantic import BaseModel, ConfigDict, Field, model_validator
from sqlalchemy import CursorResult, and_, delete, exists, func, or_, select
from sqlalchemy.orm import Session, defer

from bot.fields import SUBJECTS
from desk import audit
from desk.db import now
from desk.hours import load_calendar
from desk.models import Answer, Appointment, AppointmentState, AuditEntry, BookedSlot, Conversation, Note, Presence, SearchTerm, Ticket, TicketState, Undo
from desk.outbox import queue
from desk.privacy.erased import Erased
from desk.settings import Settings
from desk.tickets import clocks, search, states
from desk.tickets.references import new_reference

OPEN_STATES = states.OPEN


class TicketError(Exception):
    """A request cannot be handled as asked."""


class ConflictingReplay(TicketError):
    """The same idempotency key came with another request."""


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
        if any("\0" in value for value in self.model_dump().values() if isinstance(value, str)):
            raise ValueError("a NUL, which PostgreSQL cannot keep")
        return self


def open_ticket(session: Session, request: NewRequest, idempotency_key: str, settings: Settings | None = None) -> tuple[Ticket, bool]:
    """Stores a request once.

    Args:
        session: commits after this returns; only then may anyone say « demande reçue ».
        request: validated fields.
        idempotency_key: names this request; sent again with the same fields it gives the same ticket.
        settings: its deadlines, and who is told of it; without them it has none, and nobody is.

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
        created_at=now(),
    )
    session.add(ticket)
    session.flush()
    search.index(session, ticket)
    audit.record(session, audit.VISITOR, "ticket.open", ticket.reference)
    if settings:
        clocks.start(ticket, load_calendar(session, settings), settings, ticket.created_at)
        queue.tell_team(session, "request_received", ticket, settings)
        queue.announce(session, "request.received", ticket, settings)
    return ticket, True


def follow_up(session: Session, ended: Ticket, actor: str, settings: Settings) -> Ticket:
    """Takes an old request up again as a new one, which names it (``follows_id``).

    The visitor's consent to show the conversation was given for the old request: its page shows it, the new one's does not.

    Args:
        session: the transaction; it alone may change ``ended`` now.
        ended: a request whose personal fields are still there.
        actor: name of the staff member.
        settings: for the deadlines.
    """
    ticket = Ticket(
        reference=_unused_reference(session),
        state=TicketState.WAITING,
        idempotency_key=f"follows:{ended.reference}:{ended.version}",
        body_hash="",
        conversation_id=ended.conversation_id,
        name=ended.name,
        email=ended.email,
        phone=ended.phone,
        windows=ended.windows,
        subject=ended.subject,
        transcript_allowed=False,
        consent_version=ended.consent_version,
        consent_at=ended.consent_at,
        created_at=now(),
        follows_id=ended.id,
    )
    session.add(ticket)
    session.flush()
    search.index(session, ticket)
    clocks.start(ticket, load_calendar(session, settings), settings, ticket.created_at)
    audit.record(session, actor, "ticket.follow_up", ended.reference)
    audit.record(session, actor, "ticket.open", ticket.reference)
    return ticket


def by_reference(session: Session, reference: str) -> Ticket | None:
    """One request."""
    return session.scalars(select(Ticket).where(Ticket.reference == reference)).first()


def erase_of_conversation(session: Session, conversation_id: str, actor: str) -> Erased:
    """Erases the requests of a conversation."""
    erased = Erased()
    for ticket in session.scalars(select(Ticket).where(Ticket.conversation_id == conversation_id, Ticket.state != TicketState.ERASED)).all():
        erased.join(erase(session, ticket, actor))
    return erased


def erase(session: Session, ticket: Ticket, actor: str) -> Erased:
    """Empties a request's personal fields, and deletes what was written about it, agreed or about to leave; reference, state and times stay as its trace.

    Appointments go too, and with them the time they took: nobody is told (``desk.appointments.withdrawing`` does that before).

    Returns:
        What went. Copies of mails in the file sink are still there: ``mail.forget_files`` deletes them once this has committed.
    """
    session.flush()
    erased = Erased(message_ids=queue.forget(session, ticket.id), references=[ticket.reference])
    erased.add("outbox", len(erased.message_ids))
    of_ticket = select(Appointment.id).where(Appointment.ticket_id == ticket.id)
    slots = delete(BookedSlot).where(BookedSlot.appointment_id.in_(of_ticket)).execution_options(synchronize_session=False)
    erased.add("booked_slots", cast(CursorResult[Any], session.execute(slots)).rowcount)
    for table in (Appointment, SearchTerm, Note, Answer, Undo, Presence):
        gone = session.execute(delete(table).where(table.ticket_id == ticket.id).execution_options(synchronize_session=False))
        erased.add(table.__tablename__, cast(CursorResult[Any], gone).rowcount)
    session.expire(ticket, ["terms", "notes", "answers", "appointments"])
    ticket.name = ticket.email = ticket.phone = ticket.windows = None
    ticket.conversation_id = None
    ticket.transcript_allowed = False
    ticket.body_hash = ""
    ticket.state = TicketState.ERASED
    ticket.version += 1
    ticket.closed_at = ticket.closed_at or now()
    erased.add("tickets", 1)
    audit.record(session, actor, "ticket.erase", ticket.reference)
    return erased


def over_before(session: Session, instant: datetime, at: datetime, among: Sequence[int] | None = None) -> Sequence[Ticket]:
    """Requests whose retention is over: closed, cancelled or spam since then, or left to expire since then and never taken up.

    One that was closed with an appointment still to come is not: with it the appointment would go, and nobody would know.

    Nothing of them is decrypted, so that one whose key is lost can be erased too. On PostgreSQL their rows are this transaction's from here on:
    see ``desk.tickets.rounds``.

    Args:
        session: the transaction.
        instant: what ended before it is over.
        at: the present.
        among: ids; None looks at all.
    """
    expired_at = (
        select(func.max(AuditEntry.at)).where(AuditEntry.subject == Ticket.reference, AuditEntry.action == "ticket.expire").correlate(Ticket).scalar_subquery()
    )
    is_over = or_(
        and_(Ticket.state.in_(states.OVER), Ticket.closed_at < instant),
        and_(Ticket.state == TicketState.EXPIRED, func.coalesce(expired_at, Ticket.created_at) < instant),
    )
    is_expected = exists().where(Appointment.ticket_id == Ticket.id, Appointment.state == AppointmentState.BOOKED, Appointment.starts_at > at)
    wanted = select(Ticket).where(is_over, ~is_expected) if among is None else select(Ticket).where(is_over, ~is_expected, Ticket.id.in_(among))
    sealed = [defer(column) for column in (Ticket.name, Ticket.email, Ticket.phone, Ticket.windows)]
    return session.scalars(wanted.options(*sealed).order_by(Ticket.id).with_for_update(skip_locked=True)).all()


def _unused_reference(session: Session) -> str:
    while True:
        reference = new_reference()
        if by_reference(session, reference) is None:
            return reference
