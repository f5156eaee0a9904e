"""Erases what has been kept long enough, again and again; and tells beforehand what that would be.

What is erased here is what ``planned`` counts: both ask the same functions. ``PASSERELLE_RETENTION=off`` stops all of it, but for what
was to be forgotten already: forms that Rasa could not be told to forget, and copies of mails whose request is gone. Leases of seconds
(who has which page open, what can still be undone) are deleted by ``desk.tickets.rounds`` every minute.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from anyio import to_thread
from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from desk import audit
from desk.chat import conversations as chat
from desk.chat.rasa import AssistantError
from desk.chat.turns import Turns
from desk.db import Database, cipher_of, now
from desk.insight import not_understood
from desk.models import Notification, Ticket, TicketState
from desk.outbox import queue
from desk.outbox.mail import forget_files, sink_of
from desk.privacy import backups, erasure, ledger, mail_copies, words
from desk.privacy.erased import Erased
from desk.settings import Settings
from desk.staff import sessions, sign_ins
from desk.tickets import service as tickets
from desk.tickets import states

logger = logging.getLogger(__name__)
EVERY_SECONDS = 600
REQUESTS_AT_ONCE = 50  # erased in one transaction: others wait no longer than that takes
# Sessions that are over say nothing of a visitor: they go, and are worth no entry of the audit trail by themselves.
_LEASES = frozenset({"staff_sessions"})


@dataclass(frozen=True)
class Plan:
    """What a run would erase now.

    Attributes:
        counts: rows and files, by what they are (``words.TABLES``); what belongs to a request goes with it and is not counted.
        is_on: whether runs erase anything at all.
        stale: open requests that are older than closed ones may become. They are never erased by age: somebody must close them.
    """

    counts: Mapping[str, int]
    is_on: bool
    stale: int


async def keep_erasing(database: Database, turns: Turns, settings: Settings) -> None:
    """Runs for as long as the desk lives."""
    while True:
        try:
            await run(database, turns, settings, now())
        except Exception as error:  # whatever it was, the next run must come
            logger.error("retention failed: %s", type(error).__name__)
        await asyncio.sleep(EVERY_SECONDS)


async def run(database: Database, turns: Turns, settings: Settings, at: datetime) -> Counter[str]:
    """Erases what is over, once; where that was anything, one entry of the audit trail and one proof say how much.

    Args:
        database: of the desk.
        turns: the desk's own, whose locks keep visitors' turns apart from this.
        settings: how long what is kept.
        at: the present.

    Returns:
        How much was erased, by what it is.
    """
    await scrub_due(database, turns)
    erased = Erased()
    if settings.retention == "on":
        await _erase_requests(database, settings, at, erased)  # first: a conversation joined to a request may go once the request is gone
        erased.add("conversations", await _forget_idle(database, turns, at - timedelta(hours=settings.conversation_hours)))
        for name, erase in RULES.items():
            await _apply(database, name, erase, settings, at, erased)
    copies = await database.run(mail_copies.orphaned, sink_of(settings))
    if settings.retention == "on":
        copies += mail_copies.outdated(sink_of(settings), at)
    erased.add("mail_copies", await to_thread.run_sync(mail_copies.delete, sorted(set(copies))))
    if erased.counts.keys() - _LEASES:
        await database.run(_record, erased)
    await database.run(ledger.keep, settings)
    if erased.counts:
        await to_thread.run_sync(database.overwrite_deleted)
    return erased.counts


async def scrub_due(database: Database, turns: Turns) -> int:
    """Has Rasa forget the forms that it could not be told to forget when they ended; returns how many that were."""
    scrubbed = 0
    for conversation_id in await database.run(chat.with_scrub_due):
        try:
            scrubbed += await turns.scrub_if_due(conversation_id)
        except AssistantError:
            break  # Rasa is silent: the next run tries again
    return scrubbed


def planned(database: Database, settings: Settings, at: datetime) -> Plan:
    """What a run would erase at ``at``; nothing is erased.

    What is deleted by one statement is deleted and taken back at once, so that the number is the very one.
    """
    with database.transaction() as session:
        due = [ticket.id for ticket in tickets.over_before(session, _requests_until(settings, at), at)]
        counts = Counter({"tickets": len(due)})
        counts["backups"] = len(backups.outdated(session, backups.folder_of(settings), at, settings.backup_days))
        worked_on = [state for state in states.OPEN if state is not TicketState.EXPIRED]
        stale = session.scalar(select(func.count()).select_from(Ticket).where(Ticket.state.in_(worked_on), Ticket.created_at < _requests_until(settings, at)))
        taken_back = session.begin_nested()
        for chunk in _chunks(due, 500):
            session.execute(delete(Notification).where(Notification.ticket_id.in_(chunk)))
            session.execute(update(Ticket).where(Ticket.id.in_(chunk)).values(conversation_id=None))
        counts["conversations"] = len(chat.idle_since(session, at - timedelta(hours=settings.conversation_hours)))
        for name, erase in RULES.items():
            if name != "backups":
                counts[name] += erase(session, settings, at)
        counts["mail_copies"] = len({*mail_copies.orphaned(session, sink_of(settings)), *mail_copies.outdated(sink_of(settings), at)})
        taken_back.rollback()
    return Plan(+counts, settings.retention == "on", stale or 0)


# ---------------------------------------------------------------- what is kept how long


def _backups(session: Session, settings: Settings, at: datetime) -> int:
    return backups.erase_outdated(session, backups.folder_of(settings), at, settings.backup_days)


# By what they erase; each deletes what is over at an instant and says how much that was.
RULES: Mapping[str, Callable[[Session, Settings, datetime], int]] = {
    "outbox": lambda session, settings, at: queue.purge(session, at),
    "not_understood": lambda session, settings, at: not_understood.purge(session, at - timedelta(days=settings.not_understood_days)),
    "sign_ins": lambda session, settings, at: sign_ins.purge(session),
    "staff_sessions": lambda session, settings, at: sessions.purge(session),
    "backups": _backups,
}


async def _apply(database: Database, name: str, erase: Callable[[Session, Settings, datetime], int], settings: Settings, at: datetime, erased: Erased) -> None:
    try:
        erased.add(name, await database.run(erase, settings, at))
    except Exception as error:  # one kind that cannot be erased keeps no other from it
        logger.error("retention of %s failed: %s", name, type(error).__name__)


async def _forget_idle(database: Database, turns: Turns, since: datetime) -> int:
    """Erases conversations that nobody has used since an instant; one whose tracker cannot be erased now is left for the next run."""
    forgotten, failed = 0, 0
    for conversation_id in await database.run(chat.idle_since, since):
        try:
            forgotten += await turns.forget_if_idle(conversation_id, since)
        except AssistantError:
            failed += 1
    if failed:
        logger.warning("%d trackers could not be erased; the next run tries again", failed)
    return forgotten


async def _erase_requests(database: Database, settings: Settings, at: datetime, erased: Erased) -> None:
    def due(session: Session) -> list[int]:
        return [ticket.id for ticket in tickets.over_before(session, _requests_until(settings, at), at)]

    def erase(session: Session, ids: Sequence[int]) -> Erased:
        gone = Erased()
        for ticket in tickets.over_before(session, _requests_until(settings, at), at, ids):  # looked at again: one may have been reopened
            gone.join(tickets.erase(session, ticket, audit.SYSTEM))
        return gone

    for ids in _chunks(await database.run(due), REQUESTS_AT_ONCE):
        try:
            gone = await database.run(erase, ids)
        except Exception as error:
            logger.error("retention of requests failed: %s", type(error).__name__)
            return
        erased.join(gone)
        erased.add("mail_copies", await to_thread.run_sync(forget_files, sink_of(settings), gone.message_ids))


def _chunks(ids: Sequence[int], size: int) -> Iterator[Sequence[int]]:
    for start in range(0, len(ids), size):
        yield ids[start : start + size]


def _requests_until(settings: Settings, at: datetime) -> datetime:
    return at - timedelta(days=settings.request_days)


def _record(session: Session, erased: Erased) -> None:
    erasure.prove(session, erased, audit.SYSTEM, erasure.RETENTION, erasure.reference_digests(cipher_of(session), erased.references))
    audit.record(session, audit.SYSTEM, "retention.erase", _summary(erased.counts))


def _summary(counts: Mapping[str, int]) -> str:
    """« 2 demandes, 3 conversations avec l'assistant… », as long as the audit trail takes; all of it is in the proof."""
    said = ""
    for label, number in words.amounts(counts):
        longer = f"{said}{', ' if said else ''}{number} {label}"
        if len(longer) > 58:
            return f"{said}…" if said else longer[:57] + "…"
        said = longer
    return said
