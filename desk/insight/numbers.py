"""The numbers of the insight page, out of the database: counts and durations of a period, on the clinic's calendar."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from math import ceil
from statistics import median
from zoneinfo import ZoneInfo

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from desk.insight.not_understood import MISHEARD, NO_ANSWER
from desk.models import AuditEntry, Ticket, TicketState, TurnCount

PERIODS = (7, 30, 90)  # days
WITHOUT_ANSWER = (*NO_ANSWER, *MISHEARD)


@dataclass(frozen=True)
class Wait:
    """How long visitors of one week waited for a first answer, in hours on the clock: from their request, or from when it was reopened."""

    monday: date
    count: int
    median: float
    ninth_decile: float


@dataclass(frozen=True)
class Numbers:
    """Everything that the page shows.

    Attributes:
        days: of the period, oldest first.
        requests: received each day, unwanted ones left out.
        waits: for a first answer, by week of receipt; of a reopened request the last one, which began when it was reopened.
        unanswered: requests of the period that have had no answer yet and wait for one.
        subjects: requests by code of ``bot.fields.SUBJECTS``.
        hours: requests by hour of the day.
        weekdays: requests by day of the week, Monday first.
        topics: answers from the articles, by response.
        not_understood: messages without an answer, by day.
        no_answers: what was said instead, by response.
        handoffs: what led to people, by response.
        alarms: emergencies, by family.
        advice: personal questions that were declined, by family.
    """

    days: tuple[date, ...]
    requests: tuple[int, ...]
    waits: tuple[Wait, ...]
    unanswered: int
    subjects: Mapping[str, int]
    hours: tuple[int, ...]
    weekdays: tuple[int, ...]
    topics: Mapping[str, int]
    not_understood: tuple[int, ...]
    no_answers: Mapping[str, int]
    handoffs: Mapping[str, int]
    alarms: Mapping[str, int]
    advice: Mapping[str, int]

    @property
    def share_without_answer(self) -> float | None:
        """Share of the questions that got no answer; None when nothing was asked."""
        asked = sum(self.topics.values()) + sum(self.no_answers.values())
        return sum(self.no_answers.values()) / asked if asked else None


def numbers(session: Session, days: int, present: datetime, zone: ZoneInfo, handoffs: Sequence[str]) -> Numbers:
    """Reads the numbers of the last days, today included.

    Args:
        session: the transaction.
        days: how many.
        present: now.
        zone: whose days and hours they are: the clinic's.
        handoffs: responses that count as leading to people.
    """
    today = present.astimezone(zone).date()
    period = tuple(today - timedelta(days=n) for n in reversed(range(days)))
    since = datetime.combine(period[0], time(), zone)
    wanted = select(Ticket.created_at, Ticket.first_answer_at, Ticket.subject, Ticket.state, Ticket.reference)
    rows = session.execute(wanted.where(Ticket.created_at >= since, Ticket.state != TicketState.SPAM)).all()
    received = [row.created_at.astimezone(zone) for row in rows]
    reopened = _reopened(session, since)
    answers = [(reopened.get(row.reference, row.created_at), row.first_answer_at) for row in rows if row.first_answer_at]
    by_day = Counter(at.date() for at in received)
    by_hour, by_weekday = Counter(at.hour for at in received), Counter(at.weekday() for at in received)
    waiting = (TicketState.WAITING, TicketState.CLAIMED, TicketState.EXPIRED)
    said = _said(session, since)
    silent = _by_day(session, since, zone)
    return Numbers(
        days=period,
        requests=tuple(by_day[day] for day in period),
        waits=_waits([(began.astimezone(zone).date(), answered - began) for began, answered in answers]),
        unanswered=sum(row.first_answer_at is None and row.state in waiting for row in rows),
        subjects=Counter(row.subject for row in rows),
        hours=tuple(by_hour[hour] for hour in range(24)),
        weekdays=tuple(by_weekday[day] for day in range(7)),
        topics=said["answer"],
        not_understood=tuple(silent[day] for day in period),
        no_answers={name: said["fallback"][name] for name in WITHOUT_ANSWER if said["fallback"][name]},
        handoffs={name: sum(kind[name] for kind in said.values()) for name in handoffs},
        alarms=said["emergency"],
        advice=said["advice"],
    )


def _reopened(session: Session, since: datetime) -> dict[str, datetime]:
    """When requests were last reopened, since an instant: their first answer is asked for anew from then on (``desk.tickets.work.reopen``)."""
    wanted = select(AuditEntry.subject, func.max(AuditEntry.at)).where(AuditEntry.action == "ticket.reopen", AuditEntry.at >= since)
    return {row.subject: row[1] for row in session.execute(wanted.group_by(AuditEntry.subject))}


def _said(session: Session, since: datetime) -> defaultdict[str, Counter[str]]:
    """Replies since an instant: by kind, then topic."""
    found: defaultdict[str, Counter[str]] = defaultdict(Counter)
    wanted = select(TurnCount.kind, TurnCount.topic, func.sum(TurnCount.count)).where(TurnCount.hour >= since)
    for kind, topic, times in session.execute(wanted.group_by(TurnCount.kind, TurnCount.topic)).all():
        found[kind][topic] = int(times)
    return found


def _by_day(session: Session, since: datetime, zone: ZoneInfo) -> Counter[date]:
    """Messages without an answer on each day since an instant."""
    found: Counter[date] = Counter()
    wanted = select(TurnCount.hour, func.sum(TurnCount.count)).where(TurnCount.hour >= since, TurnCount.topic.in_(WITHOUT_ANSWER))
    for hour, times in session.execute(wanted.group_by(TurnCount.hour)).all():
        found[hour.astimezone(zone).date()] += int(times)
    return found


def _waits(answered: Sequence[tuple[date, timedelta]]) -> tuple[Wait, ...]:
    by_week: defaultdict[date, list[float]] = defaultdict(list)
    for day, wait in answered:
        by_week[day - timedelta(days=day.weekday())].append(wait.total_seconds() / 3600)
    return tuple(Wait(monday, len(hours), median(hours), _ninth_decile(hours)) for monday, hours in sorted(by_week.items()))


def _ninth_decile(values: Sequence[float]) -> float:
    """The smallest value that nine in ten do not exceed (nearest rank)."""
    return sorted(values)[ceil(0.9 * len(values)) - 1]
