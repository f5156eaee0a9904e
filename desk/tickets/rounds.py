"""What the desk does with requests by itself, again and again: delivers answers, expires, releases, escalates.

Each round works inside the caller's transaction and returns the references of what it changed. A request that staff change in the same
moment is left to them: on PostgreSQL its row is locked, and passed over. The rows are locked before the first entry of the audit trail,
whose lock comes last in every transaction of the desk.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any, cast

from sqlalchemy import CursorResult, delete, func, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from bot.answers import Message
from desk import audit
from desk.chat import conversations as chat
from desk.db import Database, now
from desk.hours import load_calendar
from desk.models import Answer, AuditEntry, Presence, Staff, Ticket, TicketState, Undo
from desk.outbox import queue
from desk.settings import Settings
from desk.tickets import clocks, recounting, search, states, work
from desk.tickets.events import EventBus
from desk.tickets.service import TicketError

logger = logging.getLogger(__name__)
ANSWERS_EVERY, OTHERS_EVERY = 2.0, 60.0  # seconds
HUMAN = "human"  # sender and kind of a staff member's words in a conversation
_ENTERS_QUEUE = ("ticket.open", "ticket.release", "ticket.reopen", "ticket.not_spam", "ticket.unbook")
Round = Callable[[Session, Settings, datetime], list[str]]


def deliver_due_answers(session: Session, settings: Settings, at: datetime) -> list[str]:
    """Puts answers whose undo time is over into their visitors' conversations, where those are still there.

    The mails of the same answers leave at the same moment, by the outbox.
    """
    due = session.execute(
        select(Answer, Ticket.conversation_id, Ticket.reference)
        .join(Ticket, Ticket.id == Answer.ticket_id)
        .where(
            Answer.undone_at.is_(None),
            Answer.shown_at.is_(None),
            Answer.at <= at - timedelta(seconds=settings.undo_seconds),
            Ticket.conversation_id.is_not(None),
        )
        .order_by(Answer.id)
        .with_for_update(of=Answer, skip_locked=True)
    ).all()
    shown = []
    for answer, conversation_id, reference in due:
        try:
            with session.begin_nested():
                chat.add_replies(session, str(conversation_id), [Message(answer.text, HUMAN)], None, sender=HUMAN)
                answer.shown_at = at
        except IntegrityError:  # the conversation was erased at this moment: the next round looks again
            continue
        shown.append(reference)
    return shown


def expire_overdue(session: Session, settings: Settings, at: datetime) -> list[str]:
    """Marks requests that have stood in the queue for ``PASSERELLE_EXPIRE_HOURS`` of opening time without anybody taking them."""
    limit = timedelta(hours=settings.expire_hours)
    waiting = session.execute(
        select(Ticket.reference, Ticket.version, Ticket.created_at)
        .where(Ticket.state == TicketState.WAITING, Ticket.created_at <= at - limit)
        .with_for_update(skip_locked=True)
    )
    candidates = waiting.all()
    if not candidates:
        return []
    calendar = load_calendar(session, settings)
    entered = _last(session, [reference for reference, _, _ in candidates], _ENTERS_QUEUE)
    expired = []
    for reference, version, created_at in candidates:
        if clocks.passed(calendar, max(created_at, entered.get(reference, created_at)), at) >= limit and _does(
            work.expire, session, reference, version, settings
        ):
            expired.append(reference)
    return expired


def release_idle(session: Session, settings: Settings, at: datetime) -> list[str]:
    """Puts requests back into the queue whose owner has done nothing with them, not even opened them, for ``PASSERELLE_RELEASE_HOURS`` of opening time."""
    limit = timedelta(hours=settings.release_hours)
    has_it_open = select(Presence.ticket_id).where(Presence.ticket_id == Ticket.id, Presence.staff_id == Ticket.assignee_id, Presence.expires_at > at).exists()
    # What they did is in the audit trail, which counts opening the page too.
    acted = (
        select(func.max(AuditEntry.at)).where(AuditEntry.subject == Ticket.reference, AuditEntry.actor == Staff.name).correlate(Ticket, Staff).scalar_subquery()
    )
    held = session.execute(
        select(Ticket.reference, Ticket.version, Ticket.claimed_at, acted)
        .join(Staff, Staff.id == Ticket.assignee_id)
        .where(Ticket.state == TicketState.CLAIMED, Ticket.claimed_at <= at - limit, ~has_it_open)
        .with_for_update(of=Ticket, skip_locked=True)
    ).all()
    if not held:
        return []
    calendar = load_calendar(session, settings)
    released = []
    for reference, version, claimed_at, acted_at in held:
        since = max(filter(None, (claimed_at, acted_at)))
        if clocks.passed(calendar, since, at) >= limit and _does(work.release, session, reference, None, version, settings):
            released.append(reference)
    return released


def escalate_overdue(session: Session, settings: Settings, at: datetime) -> list[str]:
    """Tells the team once of each request whose deadline has passed; after its first answer, once more when the appointment is late."""
    late = session.scalars(select(Ticket).where(clocks.overdue(at), Ticket.escalated_at.is_(None)).order_by(Ticket.id).with_for_update(skip_locked=True)).all()
    told = []
    for ticket in late:
        # No new version: staff may go on with the page they have before them.
        first = update(Ticket).where(Ticket.id == ticket.id, Ticket.escalated_at.is_(None), clocks.overdue(at)).values(escalated_at=at)
        if cast(CursorResult[Any], session.execute(first)).rowcount == 1:
            audit.record(session, audit.SYSTEM, "ticket.escalate", ticket.reference)
            queue.tell_team(session, "request_overdue", ticket, settings)
            queue.announce(session, "request.overdue", ticket, settings)
            told.append(ticket.reference)
    return told


def start_clocks(session: Session, settings: Settings, at: datetime) -> list[str]:
    """Gives open requests that came before any opening hours were entered their deadlines, counted from now."""
    calendar = load_calendar(session, settings)
    if calendar is None:
        return []
    unset = session.scalars(
        select(Ticket)
        .where(Ticket.state.in_(states.OPEN), Ticket.answer_due.is_(None), Ticket.booking_due.is_(None))
        .limit(500)
        .with_for_update(skip_locked=True)
    ).all()
    for ticket in unset:
        ticket.answer_due = clocks.due(calendar, at, settings.answer_hours)
        ticket.booking_due = clocks.due(calendar, at, settings.booking_hours)
        ticket.clocks_from = at
    return [ticket.reference for ticket in unset]


def forget_undos(session: Session, settings: Settings, at: datetime) -> list[str]:
    """Deletes what can no longer be undone."""
    session.execute(delete(Undo).where(Undo.until <= at))
    return []


def forget_presence(session: Session, settings: Settings, at: datetime) -> list[str]:
    """Deletes leases of pages that are no longer open."""
    session.execute(delete(Presence).where(Presence.expires_at <= at))
    return []


OTHERS: Sequence[tuple[str, Round]] = (
    ("ticket.deadline", start_clocks),
    ("ticket.release", release_idle),
    ("ticket.expire", expire_overdue),
    ("ticket.escalate", escalate_overdue),
    ("", forget_undos),
    ("", forget_presence),
)


async def keep_going(database: Database, settings: Settings, events: EventBus, visitor_events: EventBus) -> None:
    """Makes the rounds for as long as the desk lives; begins with what other settings or an update left to do.

    Args:
        database: of the desk.
        settings: time limits.
        events: tells staff's open pages what has changed.
        visitor_events: tells visitors' open pages that they were answered.
    """
    await _made(database, "", _follow_settings, settings, events)
    while await _made(database, "", _index_missing, settings, events):
        pass
    until_others = 0.0
    while True:
        if answered := await _made(database, "ticket.answer", deliver_due_answers, settings, events):
            await _tell_visitors(database, answered, visitor_events)
        if until_others <= 0:
            until_others = OTHERS_EVERY
            for kind, others in OTHERS:
                await _made(database, kind, others, settings, events)
        await asyncio.sleep(ANSWERS_EVERY)
        until_others -= ANSWERS_EVERY


async def _made(database: Database, kind: str, made: Round, settings: Settings, events: EventBus) -> list[str]:
    try:
        changed = await database.run(made, settings, now())
    except Exception as error:  # whatever it was, the next round must come
        logger.error("%s failed: %s", made.__name__, type(error).__name__)
        return []
    if kind:
        for reference in changed:
            events.publish(kind, reference)
    return changed


async def _tell_visitors(database: Database, references: Sequence[str], visitor_events: EventBus) -> None:
    try:
        answered = await database.run(_conversations_of, references)
    except Exception as error:  # their pages look by themselves before long
        logger.error("visitors could not be told: %s", type(error).__name__)
        return
    for conversation_id in answered:
        visitor_events.publish("message", conversation_id)


def _conversations_of(session: Session, references: Sequence[str]) -> list[str]:
    found = session.scalars(select(Ticket.conversation_id).where(Ticket.reference.in_(references), Ticket.conversation_id.is_not(None)).distinct())
    return [str(conversation_id) for conversation_id in found]


def _follow_settings(session: Session, settings: Settings, at: datetime) -> list[str]:
    recounting.follow_settings(session, settings, at)
    return []


def _index_missing(session: Session, settings: Settings, at: datetime) -> list[str]:
    return ["indexed"] * search.index_missing(session)


def _does(move: Callable[..., Ticket], session: Session, reference: str, *args: Any) -> bool:
    try:
        move(session, reference, *args)
    except TicketError:  # somebody was faster; nothing was changed
        return False
    return True


def _last(session: Session, references: Sequence[str], actions: Sequence[str]) -> dict[str, datetime]:
    """When one of these actions last happened to each request."""
    found = session.execute(
        select(AuditEntry.subject, func.max(AuditEntry.at))
        .where(AuditEntry.subject.in_(references), AuditEntry.action.in_(actions))
        .group_by(AuditEntry.subject)
    )
    return {row.subject: row[1] for row in found}
