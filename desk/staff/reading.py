"""What staff read about one request, ready for a template: plain values, nothing left to load."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from desk import audit
from desk.db import now
from desk.models import Answer, Appointment, AppointmentState, AuditEntry, ChatMessage, Delivery, Notification, Staff, Ticket, TicketState
from desk.settings import Settings
from desk.staff import canned, listing, presence, wording
from desk.staff.listing import Row
from desk.staff.wording import ContactLink, Moment
from desk.tickets import service, states, work
from desk.tickets.states import Move

_READS = ("ticket.read", "ticket.print", "ticket.export")  # they change nothing that another reader sees


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
class Words:
    """What a staff member wrote: a note, or an answer with how far it got."""

    author: str
    text: str
    at: Moment
    is_undone: bool = False
    delivery: str = ""
    delivery_kind: str = ""


@dataclass(frozen=True)
class CannedChoice:
    """A canned reply with its variables filled in as far as they are known."""

    id: int
    title: str
    text: str


@dataclass(frozen=True)
class Colleague:
    """Somebody a request can be given to."""

    id: int
    name: str


@dataclass(frozen=True)
class Related:
    """Another request that this one follows, or that follows it."""

    label: str
    reference: str


@dataclass(frozen=True)
class UndoBar:
    """What the reader has just done, and for how many seconds they may take it back."""

    id: int
    text: str
    seconds: int


@dataclass(frozen=True)
class Detail:
    """One request's page. Personal fields are empty once it is erased."""

    id: int
    row: Row
    version: int
    stamp: int
    last: tuple[str, str]  # who changed it last, and the audit trail's name for what they did
    is_erased: bool
    moves: frozenset[Move]
    can_reopen: bool
    due_label: str
    said_on: str
    received_in_full: str
    contacts: Sequence[ContactLink]
    ways: Sequence[str]
    related: Sequence[Related]
    consent_version: str
    consent_at: Moment
    closed_at: Moment | None
    colleagues: Sequence[Colleague]
    canned: Sequence[CannedChoice]
    answers: Sequence[Words]
    notes: Sequence[Words]
    undo: UndoBar | None
    transcript_allowed: bool
    transcript: Sequence[Line]
    history: Sequence[Event]
    read_at: Moment


@dataclass(frozen=True)
class Pulse:
    """What an open page asks for again and again: whether anything changed, and who else is there. No personal data of a visitor."""

    stamp: int
    what: str
    who: str
    at: str
    present: Sequence[str]


def read_request(session: Session, reference: str, reader: Staff, settings: Settings, *, action: str = "ticket.read") -> Detail | None:
    """One request with all it holds; reading its personal data is written to the audit trail.

    Args:
        session: commits after this returns.
        reference: in its canonical form.
        reader: the staff member.
        settings: zone, clinic, time limits.
        action: what the audit trail calls it.

    Returns:
        None where there is no such request.
    """
    ticket = service.by_reference(session, reference)
    if ticket is None:
        return None
    is_erased = ticket.state is TicketState.ERASED
    if not is_erased:
        audit.record(session, reader.name, action, reference)
    present, zone = now(), settings.zone
    last = _last_entry(session, reference)
    moves = states.open_moves(ticket.state, reader.role, ticket.assignee_id == reader.id, ticket.assignee_id is not None)
    around = presence.others(session, [ticket.id], reader.id, present).get(ticket.id, ())
    return Detail(
        id=ticket.id,
        row=listing.row_of(ticket, reader, present, zone, around, _appointment(session, ticket)),
        version=ticket.version,
        stamp=last.id if last else 0,
        last=(last.actor, last.action) if last else ("", ""),
        is_erased=is_erased,
        moves=moves,
        can_reopen=ticket.closed_at is None or ticket.closed_at >= present - timedelta(days=settings.reopen_days),
        due_label=_due_label(ticket),
        said_on=wording.day_in_full(ticket.created_at, zone),
        received_in_full=wording.moment(ticket.created_at, present, zone).full,
        contacts=_contacts(ticket),
        ways=list(work.ways_to_answer(session, ticket, settings)),
        related=_related(session, ticket),
        consent_version=ticket.consent_version,
        consent_at=wording.moment(ticket.consent_at, present, zone),
        closed_at=wording.moment(ticket.closed_at, present, zone) if ticket.closed_at else None,
        colleagues=_colleagues(session, ticket, reader) if Move.TRANSFER in moves else [],
        canned=canned_choices(session, ticket, settings) if Move.ANSWER in moves else [],
        answers=_answers(session, ticket, present, zone),
        notes=[Words(n.author, n.text, wording.moment(n.at, present, zone)) for n in ticket.notes],
        undo=_undo_bar(session, ticket, reader, present),
        transcript_allowed=ticket.transcript_allowed,
        transcript=_transcript(session, ticket, present, zone),
        history=history(session, reference, zone),
        read_at=wording.moment(present, present, zone),
    )


def canned_choices(session: Session, ticket: Ticket, settings: Settings) -> list[CannedChoice]:
    """Canned replies for one request."""
    values = canned.values_for(ticket.name, ticket.reference, settings.clinic_name, settings.clinic_phone)
    return [CannedChoice(reply.id, reply.title, canned.fill(reply.text, values).text) for reply in canned.replies(session)]


def pulse(session: Session, reference: str, reader: Staff, zone: ZoneInfo) -> Pulse | None:
    """What changed last on a request and who else has it open; None where there is no such request. Tells nothing of the visitor: no audit."""
    ticket = service.by_reference(session, reference)
    if ticket is None:
        return None
    present = now()
    people = [person.text for person in presence.others(session, [ticket.id], reader.id, present).get(ticket.id, ())]
    last = _last_entry(session, reference)
    if last is None:
        return Pulse(0, "", "", "", people)
    return Pulse(last.id, wording.action(last.action), wording.doer(last.actor), wording.moment(last.at, present, zone).short, people)


def history(session: Session, reference: str, zone: ZoneInfo) -> list[Event]:
    """What happened to a request, oldest first."""
    present = now()
    entries = session.scalars(select(AuditEntry).where(AuditEntry.subject == reference, AuditEntry.action.like("ticket.%")).order_by(AuditEntry.id))
    return _without_repeats(Event(wording.actor(e.actor), wording.action(e.action), wording.moment(e.at, present, zone)) for e in entries)


def event(actor: str, action: str, at: datetime, zone: ZoneInfo) -> Event:
    """An entry of the audit trail, in words; ``who`` follows « par »."""
    return Event(wording.doer(actor), wording.action(action), wording.moment(at, now(), zone))


def _last_entry(session: Session, reference: str) -> AuditEntry | None:
    return session.scalars(
        select(AuditEntry)
        .where(AuditEntry.subject == reference, AuditEntry.action.like("ticket.%"), AuditEntry.action.not_in(_READS))
        .order_by(AuditEntry.id.desc())
        .limit(1)
    ).first()


def _due_label(ticket: Ticket) -> str:
    if ticket.state is TicketState.BOOKED:
        return ""
    return "Rendez-vous à fixer" if ticket.first_answer_at else "Première réponse"


def _appointment(session: Session, ticket: Ticket) -> datetime | None:
    if ticket.state is not TicketState.BOOKED:
        return None
    return session.scalars(
        select(Appointment.starts_at).where(Appointment.ticket_id == ticket.id, Appointment.state == AppointmentState.BOOKED).order_by(Appointment.starts_at)
    ).first()


def _contacts(ticket: Ticket) -> list[ContactLink]:
    found = [wording.phone_link(ticket.phone)] if ticket.phone else []
    return [*found, wording.email_link(ticket.email)] if ticket.email else found


def _related(session: Session, ticket: Ticket) -> list[Related]:
    before = session.scalars(select(Ticket.reference).where(Ticket.id == ticket.follows_id)).all() if ticket.follows_id else []
    after = session.scalars(select(Ticket.reference).where(Ticket.follows_id == ticket.id).order_by(Ticket.id))
    return [*(Related("Fait suite à", reference) for reference in before), *(Related("Suite", reference) for reference in after)]


def _colleagues(session: Session, ticket: Ticket, reader: Staff) -> list[Colleague]:
    return [Colleague(person.id, person.name) for person in listing.workers(session) if person.id not in (reader.id, ticket.assignee_id)]


def _undo_bar(session: Session, ticket: Ticket, reader: Staff, present: datetime) -> UndoBar | None:
    undoable = work.last_undo(session, reader, ticket)
    if undoable is None:
        return None
    seconds = max(1, int((undoable.until - present).total_seconds()))
    return UndoBar(undoable.id, wording.done(undoable.move, ticket.assignee.name if ticket.assignee else ""), seconds)


def _answers(session: Session, ticket: Ticket, present: datetime, zone: ZoneInfo) -> list[Words]:
    sent = {n.id: n for n in session.scalars(select(Notification).join(Answer, Answer.notification_id == Notification.id).where(Answer.ticket_id == ticket.id))}
    written = []
    for answer in ticket.answers:
        letter = sent.get(answer.notification_id) if answer.notification_id else None
        text, kind = _delivery(answer, letter, present, zone)
        written.append(Words(answer.author, answer.text, wording.moment(answer.at, present, zone), answer.undone_at is not None, text, kind))
    return written


def _delivery(answer: Answer, letter: Notification | None, present: datetime, zone: ZoneInfo) -> tuple[str, str]:
    """How far an answer got, and the kind of it."""
    if answer.undone_at:
        return "annulée, jamais partie", "cancelled"
    said = [f"dans la conversation {wording.moment(answer.shown_at, present, zone).short}"] if answer.shown_at else []
    match letter.state if letter else None:
        case Delivery.SENT if letter and letter.sent_at:
            said.insert(0, f"envoyée {wording.moment(letter.sent_at, present, zone).short}")
        case Delivery.DEAD:
            return "l'e-mail n'est pas parti", "dead"
        case Delivery.CANCELLED:
            return "annulée, jamais partie", "cancelled"
        case Delivery.PENDING if letter:
            seconds = int((letter.not_before - present).total_seconds())
            return (f"part dans {seconds}{wording.FIXED}s" if seconds > 0 and not letter.tries else "en cours d'envoi"), "pending"
    return (", ".join(said), "sent") if said else ("en cours d'envoi", "pending")


def _transcript(session: Session, ticket: Ticket, present: datetime, zone: ZoneInfo) -> list[Line]:
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
    return [Line(m.sender, wording.SENDERS[m.sender], m.text, wording.moment(m.at, present, zone)) for m in messages]


def _without_repeats(events: Iterable[Event]) -> list[Event]:
    kept: list[Event] = []
    for event in events:
        last = kept[-1] if kept else None
        if last and (last.who, last.what) == (event.who, event.what):
            kept[-1] = replace(event, times=last.times + 1)
        else:
            kept.append(event)
    return kept
