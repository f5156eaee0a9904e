"""Which move leads a request from which state to which, and whose move it is. No database here."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from desk.models import Role, TicketState
from desk.staff.permissions import Permission, may

WAITING, CLAIMED, PENDING = TicketState.WAITING, TicketState.CLAIMED, TicketState.PENDING_VISITOR
BOOKED, CLOSED, EXPIRED = TicketState.BOOKED, TicketState.CLOSED, TicketState.EXPIRED
CANCELLED, SPAM = TicketState.CANCELLED, TicketState.SPAM

OPEN = (WAITING, CLAIMED, PENDING, BOOKED, EXPIRED)
IN_QUEUE = (WAITING, EXPIRED)  # nobody owns it
OVER = (CLOSED, CANCELLED, SPAM)


class Who(StrEnum):
    """Whose move it is."""

    ANYBODY = "anybody"  # whoever may work on requests
    OWNER = "owner"  # its owner; while nobody owns it, anybody
    OWNER_OR_LEAD = "owner_or_lead"
    LEAD = "lead"  # whoever may reassign
    VISITOR = "visitor"
    SYSTEM = "system"


class Move(StrEnum):
    """What can be done with a request; ``ticket.<move>`` in the audit trail."""

    CLAIM = "claim"
    RELEASE = "release"
    TRANSFER = "transfer"
    TAKE_OVER = "take_over"
    WAIT = "wait"
    RESUME = "resume"
    ANSWER = "answer"
    BOOK = "book"
    UNBOOK = "unbook"
    CLOSE = "close"
    REOPEN = "reopen"
    SPAM = "spam"
    NOT_SPAM = "not_spam"
    CANCEL = "cancel"
    EXPIRE = "expire"


@dataclass(frozen=True)
class Transition:
    """Where a move starts, where it leads, and whose it is.

    Attributes:
        sources: states it starts from.
        target: state it leads to, by state it starts from.
        who: whose move it is.
        makes_owner: whether who makes it becomes the owner of a request that nobody owns.
        can_be_undone: whether who made it may take it back for some seconds.
    """

    sources: tuple[TicketState, ...]
    target: TicketState | None  # None: it stays in its state, but leaves the queue
    who: Who
    makes_owner: bool = False
    can_be_undone: bool = False

    def leads_to(self, state: TicketState) -> TicketState:
        """The state after the move."""
        return self.target or (CLAIMED if self.makes_owner and state in IN_QUEUE else state)


TRANSITIONS = {
    Move.CLAIM: Transition(IN_QUEUE, CLAIMED, Who.ANYBODY, makes_owner=True),
    Move.RELEASE: Transition((CLAIMED, PENDING), WAITING, Who.OWNER_OR_LEAD, can_be_undone=True),
    Move.TRANSFER: Transition((CLAIMED, PENDING, BOOKED), None, Who.OWNER_OR_LEAD, can_be_undone=True),
    Move.TAKE_OVER: Transition((CLAIMED, PENDING, BOOKED), None, Who.LEAD),
    Move.WAIT: Transition((WAITING, CLAIMED, EXPIRED), PENDING, Who.OWNER, makes_owner=True, can_be_undone=True),
    Move.RESUME: Transition((PENDING,), CLAIMED, Who.OWNER, makes_owner=True),
    Move.ANSWER: Transition(OPEN, None, Who.OWNER, makes_owner=True, can_be_undone=True),
    Move.BOOK: Transition(OPEN, BOOKED, Who.OWNER, makes_owner=True),
    Move.UNBOOK: Transition((BOOKED,), CLAIMED, Who.OWNER_OR_LEAD, makes_owner=True),
    Move.CLOSE: Transition(OPEN, CLOSED, Who.OWNER, makes_owner=True, can_be_undone=True),
    Move.REOPEN: Transition((CLOSED, CANCELLED), WAITING, Who.ANYBODY),
    Move.SPAM: Transition((WAITING, CLAIMED, PENDING, EXPIRED), SPAM, Who.OWNER, can_be_undone=True),
    Move.NOT_SPAM: Transition((SPAM,), WAITING, Who.ANYBODY),
    Move.CANCEL: Transition(OPEN, CANCELLED, Who.VISITOR),
    Move.EXPIRE: Transition((WAITING,), EXPIRED, Who.SYSTEM),
}


def is_whose(who: Who, role: Role, is_owner: bool, is_owned: bool) -> bool:
    """Whether a move of ``who`` is one of a staff member's.

    Args:
        who: whose the move is.
        role: of the staff member.
        is_owner: whether the request is theirs.
        is_owned: whether it is anybody's.
    """
    if not may(role, Permission.WORK_REQUESTS):
        return False
    is_lead = may(role, Permission.REASSIGN)
    match who:
        case Who.ANYBODY:
            return True
        case Who.OWNER:
            return is_owner or not is_owned
        case Who.OWNER_OR_LEAD:
            return is_owner or is_lead
        case Who.LEAD:
            return is_lead and not is_owner
        case _:
            return False


def open_moves(state: TicketState, role: Role, is_owner: bool, is_owned: bool) -> frozenset[Move]:
    """What a staff member may do with a request: what its page offers."""
    return frozenset(m for m, t in TRANSITIONS.items() if state in t.sources and is_whose(t.who, role, is_owner, is_owned))
