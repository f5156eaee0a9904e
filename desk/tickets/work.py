"""What staff do with requests. Each function works inside the caller's transaction, which must not commit after an error.

A move names the version of the request that its actor saw. It first counts that version up, if it still is that one (compare-and-swap):
of two people, or two tabs of one, exactly one wins on both databases, and the other is told who did (``StateChanged``).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, cast

from sqlalchemy import CursorResult, delete, exists, select, update
from sqlalchemy.orm import Session

from desk import audit
from desk.appointments import withdrawing
from desk.db import now
from desk.hours import load_calendar
from desk.models import Answer, AuditEntry, Channel, Conversation, Note, Notification, Staff, Ticket, TicketState, Undo
from desk.outbox import queue
from desk.settings import Settings
from desk.staff.permissions import Permission, may
from desk.tickets import clocks, service
from desk.tickets.service import TicketError
from desk.tickets.states import IN_QUEUE, TRANSITIONS, Move, is_whose

LONGEST_NOTE, LONGEST_ANSWER = 2000, 4000  # characters
_INSTANTS = ("claimed_at", "closed_at", "first_answer_at", "answer_due", "booking_due", "clocks_from", "paused_at", "escalated_at")


# ---------------------------------------------------------------- what can go wrong


class NoSuchTicket(TicketError):
    """No request has this reference."""


class StateChanged(TicketError):
    """Somebody was faster: the request is no longer as the actor saw it.

    Attributes:
        reference: of the request.
        by: who changed it last, as the audit trail names them; None where it does not say.
        action: what they did (``ticket.claim``).
        at: when.
    """

    def __init__(self, reference: str, by: str | None = None, action: str | None = None, at: datetime | None = None) -> None:
        """Takes the last change."""
        super().__init__(reference)
        self.reference, self.by, self.action, self.at = reference, by, action, at


class NotYours(TicketError):
    """Only its owner may do this: ``owner`` is their name."""

    def __init__(self, reference: str, owner: str) -> None:
        """Takes the reference and whose it is."""
        super().__init__(reference)
        self.reference, self.owner = reference, owner


class NotAllowed(TicketError):
    """Not with a request in this ``state``, or not in this role."""

    def __init__(self, reference: str, state: TicketState) -> None:
        """Takes the reference and the state."""
        super().__init__(reference)
        self.reference, self.state = reference, state


class CannotReceive(TicketError):
    """A request cannot be given to this person (``name``): the account is closed, has another role, or owns it already."""

    def __init__(self, name: str) -> None:
        """Takes the name."""
        super().__init__(name)
        self.name = name


class NoWayToAnswer(TicketError):
    """The visitor left no e-mail address and their conversation is over: they can only be phoned."""


class EmptyText(TicketError):
    """Nothing was written."""


class TextTooLong(TicketError):
    """More was written than is kept: ``LONGEST_NOTE``, ``LONGEST_ANSWER``."""


class TooLate(TicketError):
    """It can no longer be undone: the time is over, or something has left."""


# ---------------------------------------------------------------- owning


def claim(session: Session, reference: str, actor: Staff, seen_version: int, settings: Settings) -> Ticket:
    """Makes the actor the owner of a request that nobody owns.

    All moves share these:

    Args:
        session: the transaction.
        reference: in its canonical form.
        actor: who does it.
        seen_version: ``version`` of the request as the actor's page showed it.
        settings: time limits, and who is told.

    Raises:
        NoSuchTicket: there is no such request.
        StateChanged: somebody was faster.
        NotYours: somebody else owns it.
        NotAllowed: not in this state, or not in this role.
    """
    ticket, _ = _take(session, reference, Move.CLAIM, actor, seen_version, settings)
    queue.announce(session, "request.claimed", ticket, settings)
    return _done(session, ticket, actor.name, Move.CLAIM)


def release(session: Session, reference: str, actor: Staff | None, seen_version: int, settings: Settings) -> Ticket:
    """Puts a request back into the queue; its owner, or a lead, or (``actor`` None) the desk itself, whose releases cannot be undone."""
    ticket, before = _take(session, reference, Move.RELEASE, actor, seen_version, settings)
    _disown(ticket)
    if actor is not None:
        _remember(session, ticket, actor, Move.RELEASE, before, settings)
    return _done(session, ticket, actor.name if actor else audit.SYSTEM, Move.RELEASE)


def transfer(session: Session, reference: str, actor: Staff, to: Staff, note: str, seen_version: int, settings: Settings) -> Ticket:
    """Gives a request to somebody else; its owner, or a lead. A note, if one is written, tells them why.

    Raises:
        CannotReceive: ``to`` may not work on requests, or owns it already.
        TextTooLong: the note.
    """
    receiver = session.get(Staff, to.id)
    if receiver is None or not receiver.active or not may(receiver.role, Permission.WORK_REQUESTS):
        raise CannotReceive(to.name)
    ticket, before = _take(session, reference, Move.TRANSFER, actor, seen_version, settings)
    if ticket.assignee_id == receiver.id:
        raise CannotReceive(to.name)
    written = [_write_note(session, ticket, actor, note).id] if note.strip() else []
    _own(ticket, receiver)
    _remember(session, ticket, actor, Move.TRANSFER, before | {"notes": written}, settings)
    return _done(session, ticket, actor.name, Move.TRANSFER)


def take_over(session: Session, reference: str, actor: Staff, seen_version: int, settings: Settings) -> Ticket:
    """Makes a lead the owner of somebody else's request."""
    ticket, _ = _take(session, reference, Move.TAKE_OVER, actor, seen_version, settings)
    _own(ticket, actor)
    return _done(session, ticket, actor.name, Move.TAKE_OVER)


# ---------------------------------------------------------------- waiting for the visitor


def wait_for_visitor(session: Session, reference: str, actor: Staff, seen_version: int, settings: Settings) -> Ticket:
    """Notes that it is the visitor's turn; the deadlines stand still."""
    ticket, before = _take(session, reference, Move.WAIT, actor, seen_version, settings)
    clocks.pause(ticket, now())
    _remember(session, ticket, actor, Move.WAIT, before, settings)
    return _done(session, ticket, actor.name, Move.WAIT)


def resume(session: Session, reference: str, actor: Staff, seen_version: int, settings: Settings) -> Ticket:
    """Takes a request up again; the deadlines have moved on by the opening time that passed meanwhile."""
    ticket, _ = _take(session, reference, Move.RESUME, actor, seen_version, settings)
    return _done(session, ticket, actor.name, Move.RESUME)


# ---------------------------------------------------------------- ends


def close(session: Session, reference: str, actor: Staff, seen_version: int, settings: Settings) -> Ticket:
    """Ends a request; whoever closes one that nobody owns becomes its owner."""
    ticket, before = _take(session, reference, Move.CLOSE, actor, seen_version, settings)
    ticket.closed_at = now()
    told = queue.announce(session, "request.closed", ticket, settings, not_before=_undo_end(settings))
    _remember(session, ticket, actor, Move.CLOSE, before, settings, [told] if told else [])
    return _done(session, ticket, actor.name, Move.CLOSE)


def reopen(session: Session, reference: str, actor: Staff, seen_version: int, settings: Settings) -> Ticket:
    """Puts a closed or cancelled request back into the queue, its clocks started anew.

    Returns:
        The request; or, after ``PASSERELLE_REOPEN_DAYS``, a new one that follows it (``follows_id``).
    """
    if _is_long_over(_find(session, reference), settings):
        ended = _begin(session, reference, Move.REOPEN, actor, seen_version)
        return _fresh(session, service.follow_up(session, ended, actor.name, settings))
    ticket, _ = _take(session, reference, Move.REOPEN, actor, seen_version, settings)
    _disown(ticket)
    ticket.closed_at = ticket.first_answer_at = None  # they wait for an answer again
    clocks.start(ticket, load_calendar(session, settings), settings, now())
    return _done(session, ticket, actor.name, Move.REOPEN)


def mark_spam(session: Session, reference: str, actor: Staff, seen_version: int, settings: Settings) -> Ticket:
    """Sets a request aside that no visitor meant. An appointment to come is cancelled with it; then it cannot be undone, as no cancellation can."""
    ticket, before = _take(session, reference, Move.SPAM, actor, seen_version, settings)
    ticket.closed_at = now()
    if not withdrawing.withdraw_all(session, ticket, settings, now()):
        _remember(session, ticket, actor, Move.SPAM, before, settings)
    return _done(session, ticket, actor.name, Move.SPAM)


def not_spam(session: Session, reference: str, actor: Staff, seen_version: int, settings: Settings) -> Ticket:
    """Puts a request that was set aside by mistake back into the queue; its deadlines are those it had: the visitor waited all the while."""
    ticket, _ = _take(session, reference, Move.NOT_SPAM, actor, seen_version, settings)
    _disown(ticket)
    ticket.closed_at = None
    return _done(session, ticket, actor.name, Move.NOT_SPAM)


def cancel_by_visitor(session: Session, reference: str, settings: Settings) -> Ticket:
    """Ends a request at its visitor's wish, whoever owns it, and its appointments to come with it.

    Raises:
        NoSuchTicket: there is no such request.
        NotAllowed: it is over.
        StateChanged: staff changed it in this very moment; trying again works.
    """
    ticket, _ = _take(session, reference, Move.CANCEL, None, None, settings)
    ticket.closed_at = now()
    if withdrawing.withdraw_all(session, ticket, settings, now()):
        queue.tell_team(session, "appointment_cancelled_by_visitor", ticket, settings)
    queue.announce(session, "request.cancelled", ticket, settings)
    return _done(session, ticket, audit.VISITOR, Move.CANCEL)


def expire(session: Session, reference: str, seen_version: int, settings: Settings) -> Ticket:
    """Marks a request that nobody took in time; the desk itself does (``desk.tickets.rounds``)."""
    ticket, _ = _take(session, reference, Move.EXPIRE, None, seen_version, settings)
    return _done(session, ticket, audit.SYSTEM, Move.EXPIRE)


# ---------------------------------------------------------------- appointments (desk.appointments calls these)


def mark_booked(session: Session, reference: str, actor: Staff, seen_version: int, settings: Settings) -> Ticket:
    """Notes that an appointment was agreed, or moved: for ``desk.appointments``, in the transaction of its own rows."""
    ticket, _ = _take(session, reference, Move.BOOK, actor, seen_version, settings)
    _answered(ticket)
    queue.announce(session, "request.booked", ticket, settings)
    return _done(session, ticket, actor.name, Move.BOOK)


def mark_unbooked(session: Session, reference: str, actor: Staff | None, seen_version: int | None, settings: Settings) -> Ticket:
    """Notes that the appointment was cancelled: back to its owner, or to the queue where it has none; the clock of booking starts anew.

    Args:
        session: the transaction.
        reference: of the request.
        actor: who cancelled it; None is the visitor.
        seen_version: None for the visitor, who saw none.
        settings: time limits.
    """
    ticket, _ = _take(session, reference, Move.UNBOOK, actor, seen_version, settings)
    if ticket.assignee_id is None:
        ticket.state = TicketState.WAITING
    clocks.start_booking(ticket, load_calendar(session, settings), settings, now())
    return _done(session, ticket, actor.name if actor else audit.VISITOR, Move.UNBOOK)


# ---------------------------------------------------------------- words


def add_note(session: Session, reference: str, actor: Staff, text: str) -> Note:
    """Keeps what staff tell each other about a request, whoever owns it.

    Raises:
        NoSuchTicket: there is none.
        NotAllowed: it was erased, or the role may not.
        EmptyText, TextTooLong: nothing, or more than ``LONGEST_NOTE`` characters.
    """
    ticket = _find(session, reference)
    if ticket.state is TicketState.ERASED or not may(actor.role, Permission.WORK_REQUESTS):
        raise NotAllowed(reference, ticket.state)
    note = _write_note(session, ticket, actor, text)
    audit.record(session, actor.name, "ticket.note", reference)
    return note


def ways_to_answer(session: Session, ticket: Ticket, settings: Settings) -> Collection[str]:
    """How words reach the visitor: « email », « chat », both or neither.

    The conversation counts while it was used within ``PASSERELLE_CONVERSATION_HOURS``: later nobody looks at it any more.
    """
    ways = ["email"] if ticket.email else []
    recent = now() - timedelta(hours=settings.conversation_hours)
    alive = exists().where(Conversation.id == ticket.conversation_id, Conversation.last_message_at >= recent)
    if ticket.conversation_id and session.scalar(select(alive)):
        ways.append("chat")
    return ways


def answer(session: Session, reference: str, actor: Staff, text: str, seen_version: int, settings: Settings) -> Answer:
    """Writes to the visitor: by mail, and in their conversation while it lives (``desk.tickets.rounds``), both after the undo time.

    Nothing is filtered: staff answer for what they write.

    Raises:
        NoWayToAnswer: neither of the two; they must be phoned.
        EmptyText, TextTooLong: nothing, or more than ``LONGEST_ANSWER`` characters.
    """
    words = _checked(text, LONGEST_ANSWER)
    ticket, before = _take(session, reference, Move.ANSWER, actor, seen_version, settings)
    if not ways_to_answer(session, ticket, settings):
        raise NoWayToAnswer(reference)
    leaving = None
    if ticket.email:
        leaving = queue.enqueue(session, Channel.EMAIL, "answer", ticket=ticket, recipient=ticket.email, values={"text": words}, not_before=_undo_end(settings))
    written = Answer(ticket_id=ticket.id, author=actor.name, text=words, at=now(), notification_id=leaving.id if leaving else None)
    session.add(written)
    session.flush()
    _answered(ticket)
    _remember(session, ticket, actor, Move.ANSWER, before | {"answer": written.id}, settings, [leaving] if leaving else [])
    _done(session, ticket, actor.name, Move.ANSWER)
    return written


# ---------------------------------------------------------------- taking back


@dataclass(frozen=True)
class Undoable:
    """Something that its actor may still take back."""

    id: int
    reference: str
    move: Move
    until: datetime


def last_undo(session: Session, actor: Staff, ticket: Ticket | None = None) -> Undoable | None:
    """The last thing that somebody did and may still take back: with a request, or with any."""
    query = (
        select(Undo, Ticket.reference)
        .join(Ticket, Ticket.id == Undo.ticket_id)
        .where(Undo.staff_id == actor.id, Undo.until > now(), Undo.version_after == Ticket.version)
        .order_by(Undo.id.desc())
        .limit(1)
    )
    found = session.execute(query.where(Undo.ticket_id == ticket.id) if ticket else query).first()
    return Undoable(found[0].id, found[1], Move(found[0].action), found[0].until) if found else None


def undo(session: Session, undo_id: int, actor: Staff) -> Ticket:
    """Takes back what the actor did: the request is as it was before, and what had not left never leaves.

    Raises:
        TooLate: the time is over, something has left, or there is nothing of theirs to undo.
        StateChanged: somebody else has done something with the request since.
    """
    known = session.get(Undo, undo_id)
    if known is None or known.staff_id != actor.id or known.until <= now():
        raise TooLate
    ticket = session.get_one(Ticket, known.ticket_id)
    _swap(session, ticket, known.version_after)
    before: dict[str, Any] = dict(known.before)
    leaving = before["notifications"]
    if queue.cancel(session, leaving, now()) != len(leaving):
        raise TooLate
    if "answer" in before:
        written = session.get_one(Answer, before["answer"], with_for_update=True)  # it may be leaving at this moment
        if written.shown_at is not None:
            raise TooLate
        written.undone_at = now()
    session.execute(delete(Note).where(Note.id.in_(before.get("notes", []))))
    ticket.state, ticket.assignee_id = TicketState(before["state"]), before["assignee_id"]
    for name in before.keys() & _INSTANTS:  # an older desk remembered fewer
        setattr(ticket, name, datetime.fromisoformat(before[name]) if before[name] else None)
    session.delete(known)
    audit.record(session, actor.name, "ticket.undo", ticket.reference)
    return _fresh(session, ticket)


# ---------------------------------------------------------------- within


def _changed(session: Session, reference: str) -> StateChanged:
    """What is raised when somebody was faster: who, what and when are in the audit trail."""
    last = session.scalars(
        select(AuditEntry)
        .where(AuditEntry.subject == reference, AuditEntry.action.like("ticket.%"), AuditEntry.action.not_in(("ticket.read", "ticket.note")))
        .order_by(AuditEntry.id.desc())
        .limit(1)
    ).first()
    return StateChanged(reference, last.actor, last.action, last.at) if last else StateChanged(reference)


def _find(session: Session, reference: str) -> Ticket:
    ticket = service.by_reference(session, reference)
    if ticket is None:
        raise NoSuchTicket(reference)
    return ticket


def _swap(session: Session, ticket: Ticket, version: int) -> None:
    """Counts the version up if it is this one: from here on the row is this transaction's alone."""
    result = session.execute(
        update(Ticket).where(Ticket.id == ticket.id, Ticket.version == version).values(version=Ticket.version + 1).execution_options(synchronize_session=False)
    )
    if cast(CursorResult[Any], result).rowcount != 1:
        raise _changed(session, ticket.reference)
    session.refresh(ticket)


def _begin(session: Session, reference: str, move: Move, actor: Staff | None, seen_version: int | None) -> Ticket:
    """Checks that a move can be made and whose it is, and wins the race or raises. ``actor`` None: the visitor, or the desk itself."""
    ticket = _find(session, reference)
    transition = TRANSITIONS[move]
    if seen_version is not None and ticket.version != seen_version:
        raise _changed(session, reference)
    if ticket.state not in transition.sources:
        raise NotAllowed(reference, ticket.state)
    if actor is not None and not is_whose(transition.who, actor.role, ticket.assignee_id == actor.id, ticket.assignee_id is not None):
        if ticket.assignee and ticket.assignee_id != actor.id and may(actor.role, Permission.WORK_REQUESTS):
            raise NotYours(reference, ticket.assignee.name)
        raise NotAllowed(reference, ticket.state)
    _swap(session, ticket, ticket.version)
    return ticket


def _take(session: Session, reference: str, move: Move, actor: Staff | None, seen_version: int | None, settings: Settings) -> tuple[Ticket, dict[str, Any]]:
    """Begins a move and sets what every move sets: state, clocks, and the owner where it makes one. Returns also what was before."""
    ticket = _begin(session, reference, move, actor, seen_version)
    before = {"state": ticket.state.value, "assignee_id": ticket.assignee_id} | {name: _iso(getattr(ticket, name)) for name in _INSTANTS}
    transition = TRANSITIONS[move]
    was, ticket.state = ticket.state, transition.leads_to(ticket.state)
    if transition.makes_owner and actor is not None and ticket.assignee_id is None:
        _own(ticket, actor)
        if move is not Move.CLAIM and was in IN_QUEUE:
            audit.record(session, actor.name, "ticket.claim", reference)
    if was is TicketState.PENDING_VISITOR and ticket.state is not was:
        clocks.go_on(ticket, load_calendar(session, settings), now())
    return ticket, before


def _done(session: Session, ticket: Ticket, actor: str, move: Move) -> Ticket:
    audit.record(session, actor, f"ticket.{move}", ticket.reference)
    return _fresh(session, ticket)


def _fresh(session: Session, ticket: Ticket) -> Ticket:
    """The request as it now is, its owner loaded, so that it can be read after the transaction."""
    session.flush()
    session.refresh(ticket)
    session.refresh(ticket, ["assignee"])
    return ticket


def _own(ticket: Ticket, staff: Staff) -> None:
    ticket.assignee_id, ticket.claimed_at = staff.id, now()


def _disown(ticket: Ticket) -> None:
    ticket.assignee_id = ticket.claimed_at = None


def _answered(ticket: Ticket) -> None:
    """From the first answer on, the deadline that runs is that of the appointment, which escalates by itself."""
    if ticket.first_answer_at is None:
        ticket.first_answer_at, ticket.escalated_at = now(), None


def _write_note(session: Session, ticket: Ticket, actor: Staff, text: str) -> Note:
    note = Note(ticket_id=ticket.id, author=actor.name, text=_checked(text, LONGEST_NOTE), at=now())
    session.add(note)
    session.flush()
    return note


def _checked(text: str, longest: int) -> str:
    words = text.replace("\r\n", "\n").strip()
    if not words:
        raise EmptyText
    if len(words) > longest:
        raise TextTooLong
    return words


def _remember(
    session: Session, ticket: Ticket, actor: Staff, move: Move, before: dict[str, Any], settings: Settings, leaving: Sequence[Notification] = ()
) -> None:
    """Keeps for some seconds what a move changed. Only the last one can be undone: the others are forgotten."""
    session.execute(delete(Undo).where(Undo.ticket_id == ticket.id))
    if settings.undo_seconds > 0:
        before = before | {"notifications": [n.id for n in leaving]}
        until = _undo_end(settings)
        session.add(Undo(ticket_id=ticket.id, staff_id=actor.id, action=move.value, before=before, version_after=ticket.version, until=until))


def _undo_end(settings: Settings) -> datetime:
    return now() + timedelta(seconds=settings.undo_seconds)


def _is_long_over(ticket: Ticket, settings: Settings) -> bool:
    return ticket.closed_at is not None and ticket.closed_at < now() - timedelta(days=settings.reopen_days)


def _iso(instant: datetime | None) -> str | None:
    return instant.isoformat() if instant else None
