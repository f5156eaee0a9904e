"""What staff read about requests, ready for a template: plain values, nothing left to load."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from bot.fields import SUBJECTS
from desk import audit
from desk.db import now
from desk.models import AuditEntry, ChatMessage, Ticket, TicketState
from desk.staff import wording
from desk.staff.wording import ContactLink, Moment
from desk.tickets import service

LONGEST_LIST = 200


@dataclass(frozen=True)
class Row:
    """One request in the list."""

    reference: str
    state: str
    state_label: str
    is_open: bool
    received: Moment
    name: str
    subject: str
    windows: str


@dataclass(frozen=True)
class Overview:
    """The list page."""

    rows: Sequence[Row]
    open_count: int
    is_cut: bool
    read_at: Moment


@dataclass(frozen=True)
class Event:
    """Something that happened to a request; ``times`` counts the same by the same person in a row, the last of them ``at``."""

    who: str
    what: str
    at: Moment
    times: int = 1


@dataclass(frozen=True)
class Line:
    """One message of a transcript."""

    sender: str
    who: str
    text: str
    at: Moment


@dataclass(frozen=True)
class Detail:
    """One request's page. Personal fields are None once it is erased."""

    row: Row
    version: int
    is_erased: bool
    is_closable: bool
    said_on: str
    contacts: Sequence[ContactLink]
    assignee: str | None
    consent_version: str
    consent_at: Moment
    closed_at: Moment | None
    transcript_allowed: bool
    transcript: Sequence[Line]
    history: Sequence[Event]


def overview(session: Session) -> Overview:
    """Requests, newest first, and how many of all are open."""
    present = now()
    tickets = service.newest_first(session, LONGEST_LIST + 1)
    open_count = session.scalar(select(func.count()).select_from(Ticket).where(Ticket.state.in_(service.OPEN_STATES))) or 0
    rows = [_row(ticket, present) for ticket in tickets[:LONGEST_LIST]]
    return Overview(rows, open_count, len(tickets) > LONGEST_LIST, wording.moment(present, present))


def read_request(session: Session, reference: str, reader: str) -> Detail | None:
    """One request with all it holds; reading its personal data is written to the audit trail.

    Args:
        session: commits after this returns.
        reference: in its canonical form.
        reader: name of the staff member.

    Returns:
        None where there is no such request.
    """
    ticket = service.by_reference(session, reference)
    if ticket is None:
        return None
    is_erased = ticket.state is TicketState.ERASED
    if not is_erased:
        audit.record(session, reader, "ticket.read", reference)
    present = now()
    contacts = []
    if ticket.phone:
        contacts.append(wording.phone_link(ticket.phone))
    if ticket.email:
        contacts.append(wording.email_link(ticket.email))
    return Detail(
        row=_row(ticket, present),
        version=ticket.version,
        is_erased=is_erased,
        is_closable=ticket.state in service.OPEN_STATES,
        said_on=wording.day_in_full(ticket.created_at),
        contacts=contacts,
        assignee=ticket.assignee.name if ticket.assignee else None,
        consent_version=ticket.consent_version,
        consent_at=wording.moment(ticket.consent_at, present),
        closed_at=wording.moment(ticket.closed_at, present) if ticket.closed_at else None,
        transcript_allowed=ticket.transcript_allowed,
        transcript=_transcript(session, ticket, present),
        history=history(session, reference),
    )


def history(session: Session, reference: str) -> list[Event]:
    """What happened to a request, oldest first."""
    present = now()
    entries = session.scalars(select(AuditEntry).where(AuditEntry.subject == reference, AuditEntry.action.like("ticket.%")).order_by(AuditEntry.id))
    return _without_repeats(Event(wording.actor(e.actor), wording.action(e.action), wording.moment(e.at, present)) for e in entries)


def last_change(session: Session, reference: str) -> Event | None:
    """The latest thing that happened to a request, reads left out; None where there is no such request."""
    entry = session.scalars(
        select(AuditEntry)
        .where(AuditEntry.subject == reference, AuditEntry.action.like("ticket.%"), AuditEntry.action != "ticket.read")
        .order_by(AuditEntry.id.desc())
        .limit(1)
    ).first()
    return Event(wording.actor(entry.actor), wording.action(entry.action), wording.moment(entry.at, now())) if entry else None


def _row(ticket: Ticket, present: datetime) -> Row:
    return Row(
        reference=ticket.reference,
        state=ticket.state.value,
        state_label=wording.STATES[ticket.state],
        is_open=ticket.state in service.OPEN_STATES,
        received=wording.moment(ticket.created_at, present),
        name=ticket.name or "",
        subject=SUBJECTS.get(ticket.subject, ticket.subject),
        windows=ticket.windows or "",
    )


def _transcript(session: Session, ticket: Ticket, present: datetime) -> list[Line]:
    """What was said up to the request, if the visitor allowed it: what they wrote afterwards was not asked about."""
    if not ticket.transcript_allowed or ticket.conversation_id is None:
        return []
    messages = session.scalars(
        select(ChatMessage)
        .where(
            ChatMessage.conversation_id == ticket.conversation_id,
            ChatMessage.at <= ticket.created_at,
            ChatMessage.sender.in_(list(wording.SENDERS)),
        )
        .order_by(ChatMessage.seq)
    )
    return [Line(m.sender, wording.SENDERS[m.sender], m.text, wording.moment(m.at, present)) for m in messages]


def _without_repeats(events: Iterable[Event]) -> list[Event]:
    kept: list[Event] = []
    for event in events:
        last = kept[-1] if kept else None
        if last and (last.who, last.what) == (event.who, event.what):
            kept[-1] = replace(event, times=last.times + 1)
        else:
            kept.append(event)
    return kept
