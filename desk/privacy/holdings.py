"""What was chosen as somebody's, and everything that the desk holds of it: looked at, exported and erased as one."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from desk.models import (
    Answer,
    Appointment,
    AppointmentState,
    BookedSlot,
    ChatMessage,
    Conversation,
    Note,
    Notification,
    NotUnderstood,
    Presence,
    SearchTerm,
    Ticket,
    TicketState,
    Undo,
)
from desk.tickets.references import as_reference

MOST = 200  # things chosen at once
_KEY = re.compile(r"(RDV-\w{4}-\w{2})|(c)([0-9a-f]{32})|([naoq])([0-9]{1,9})")


@dataclass(frozen=True)
class Chosen:
    """Names of what was chosen: requests by reference, everything else by its id. None of them says anything about a person.

    Attributes:
        references: of requests.
        conversations: their ids; those of chosen requests need not be named.
        notes: ids of notes on requests that were not chosen.
        answers: ids of answers on requests that were not chosen.
        letters: ids of notifications that belong to no request.
        questions: ids of questions that were not understood.
    """

    references: tuple[str, ...] = ()
    conversations: tuple[str, ...] = ()
    notes: tuple[int, ...] = ()
    answers: tuple[int, ...] = ()
    letters: tuple[int, ...] = ()
    questions: tuple[int, ...] = ()

    @classmethod
    def read(cls, keys: Iterable[str]) -> Chosen:
        """Reads what ``keys`` wrote; what is no key is passed over, and so is what comes after the first ``MOST``."""
        references, conversations = [], []
        numbers: dict[str, list[int]] = {letter: [] for letter in "naoq"}
        for key in list(dict.fromkeys(keys))[:MOST]:
            found = _KEY.fullmatch(key)
            if found is None:
                continue
            if found[1]:
                references += [reference] if (reference := as_reference(found[1])) else []
            elif found[2]:
                conversations.append(found[3])
            else:
                numbers[found[4]].append(int(found[5]))
        return cls(tuple(references), tuple(conversations), *(tuple(numbers[letter]) for letter in "naoq"))

    @property
    def keys(self) -> list[str]:
        """One word each, for addresses and forms."""
        numbered = zip("naoq", (self.notes, self.answers, self.letters, self.questions), strict=True)
        return [*self.references, *(f"c{id}" for id in self.conversations), *(f"{letter}{id}" for letter, ids in numbered for id in ids)]

    def __bool__(self) -> bool:
        return bool(self.keys)


@dataclass
class Holdings:
    """Everything that belongs to what was chosen, as it is in one transaction.

    Attributes:
        tickets: the requests, erased ones left out.
        conversations: those of the requests, and those chosen by themselves.
        notes: on other requests.
        answers: on other requests.
        letters: of no request.
        questions: that were not understood.
        others: references of requests that share a conversation with these, or follow or precede one, and were not chosen.
    """

    tickets: Sequence[Ticket] = ()
    conversations: Sequence[Conversation] = ()
    notes: Sequence[Note] = ()
    answers: Sequence[Answer] = ()
    letters: Sequence[Notification] = ()
    questions: Sequence[NotUnderstood] = ()
    others: Sequence[str] = ()
    counts: Counter[str] = field(default_factory=Counter)

    @property
    def conversation_ids(self) -> list[str]:
        """Of all of them, in order."""
        return sorted(conversation.id for conversation in self.conversations)

    @property
    def is_empty(self) -> bool:
        """Whether nothing is left of what was chosen."""
        return not any((self.tickets, self.conversations, self.notes, self.answers, self.letters, self.questions))

    @property
    def since(self) -> datetime | None:
        """When the oldest of it came: backups made since then may hold it."""
        moments = [*(t.created_at for t in self.tickets), *(c.created_at for c in self.conversations), *(o.created_at for o in self.letters)]
        moments += [*(n.at for n in self.notes), *(a.at for a in self.answers), *(q.at for q in self.questions)]
        return min(moments, default=None)

    def coming(self, at: datetime) -> list[Appointment]:
        """Appointments that are still to come."""
        return [a for t in self.tickets for a in t.appointments if a.state is AppointmentState.BOOKED and a.starts_at > at]

    @property
    def stamp(self) -> str:
        """Changes when something is added or taken away that the reader of a page has not seen. New messages of a conversation count for nothing:
        it is erased with all of them."""
        parts = [
            f"{t.reference}:{t.version}:{[n.id for n in t.notes]}:{[a.id for a in t.answers]}:{[(a.id, a.sequence) for a in t.appointments]}"
            for t in self.tickets
        ]
        parts += self.conversation_ids
        parts += [str([row.id for row in rows]) for rows in (self.notes, self.answers, self.letters, self.questions)]
        return hashlib.sha256("\n".join([*parts, *self.others]).encode()).hexdigest()


def gather(session: Session, chosen: Chosen, *, is_changed: bool = False) -> Holdings:
    """Everything of what was chosen.

    Args:
        session: the transaction.
        chosen: what is gone already is passed over.
        is_changed: whether it will be erased: then nobody else may change the requests meanwhile.
    """
    wanted = select(Ticket).where(Ticket.reference.in_(chosen.references), Ticket.state != TicketState.ERASED).order_by(Ticket.id)
    tickets = session.scalars(wanted.with_for_update() if is_changed else wanted).all()
    ids = [t.id for t in tickets]
    spoken_in = {*chosen.conversations, *(t.conversation_id for t in tickets if t.conversation_id)}
    conversations = session.scalars(select(Conversation).where(Conversation.id.in_(spoken_in)).order_by(Conversation.created_at, Conversation.id)).all()
    found = Holdings(
        tickets=tickets,
        conversations=conversations,
        notes=session.scalars(select(Note).where(Note.id.in_(chosen.notes), Note.ticket_id.not_in(ids)).order_by(Note.id)).all(),
        answers=session.scalars(select(Answer).where(Answer.id.in_(chosen.answers), Answer.ticket_id.not_in(ids)).order_by(Answer.id)).all(),
        letters=session.scalars(
            select(Notification).where(Notification.id.in_(chosen.letters), Notification.ticket_id.is_(None)).order_by(Notification.id)
        ).all(),
        questions=session.scalars(select(NotUnderstood).where(NotUnderstood.id.in_(chosen.questions)).order_by(NotUnderstood.id)).all(),
        others=[t.reference for t in related(session, tickets, [c.id for c in conversations])],
    )
    found.counts = _counts(session, found)
    return found


def related(session: Session, tickets: Sequence[Ticket], conversation_ids: Sequence[str]) -> list[Ticket]:
    """Requests that are not among these, but left in the same conversations, or in a line of requests that follow each other."""
    known = {t.id: t for t in tickets}
    found: dict[int, Ticket] = {}
    while True:
        ids = [*known, *found]
        spoken_in = {*conversation_ids, *(t.conversation_id for t in [*known.values(), *found.values()] if t.conversation_id)}
        before = [t.follows_id for t in [*known.values(), *found.values()] if t.follows_id]
        is_related = or_(Ticket.conversation_id.in_(spoken_in), Ticket.follows_id.in_(ids), Ticket.id.in_(before))
        more = session.scalars(select(Ticket).where(is_related, Ticket.id.not_in(ids), Ticket.state != TicketState.ERASED)).all()
        if not more:
            return sorted(found.values(), key=lambda t: t.id)
        found.update({t.id: t for t in more})


def _counts(session: Session, found: Holdings) -> Counter[str]:
    """How many rows of each table these are."""
    ids = [t.id for t in found.tickets]
    counts: Counter[str] = Counter({"tickets": len(ids), "conversations": len(found.conversations), "not_understood": len(found.questions)})
    for table in (Note, Answer, Appointment, SearchTerm, Presence, Undo, Notification):
        counts[table.__tablename__] += session.scalar(select(func.count()).select_from(table).where(table.ticket_id.in_(ids))) or 0
    slots = select(func.count()).select_from(BookedSlot).join(Appointment, Appointment.id == BookedSlot.appointment_id).where(Appointment.ticket_id.in_(ids))
    counts["booked_slots"] = session.scalar(slots) or 0
    said = select(func.count()).select_from(ChatMessage).where(ChatMessage.conversation_id.in_(found.conversation_ids))
    counts["messages"] = session.scalar(said) or 0
    for name, rows in (("notes", found.notes), ("answers", found.answers), ("outbox", found.letters)):
        counts[name] += len(rows)
    return +counts
