"""Numbers for Prometheus, on a port of their own that only this machine reaches. Counts and durations, never words or names."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

from prometheus_client import CollectorRegistry, Counter, Histogram, start_http_server
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import InstrumentedAttribute, Session

from bot.answers import Message
from desk.db import Database
from desk.insight.counting import GUARDED_KINDS, topic_of
from desk.models import Delivery, Notification, Ticket, TicketState

logger = logging.getLogger(__name__)

LOOPBACK = "127.0.0.1"
SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0)  # limits of the histogram's buckets
State = TypeVar("State", TicketState, Delivery)


class Metrics:
    """What one process of the desk counts since it started."""

    def __init__(self) -> None:
        """Starts at nothing, with a registry of its own."""
        self.registry = CollectorRegistry()
        self._replies = Counter("passerelle_replies", "Replies to visitors, by kind.", ["kind"], registry=self.registry)
        self._guard = Counter("passerelle_guard_hits", "Messages that the guard answered, by family.", ["family"], registry=self.registry)
        self._seconds = Histogram("passerelle_turn_seconds", "Time from a visitor's message to its reply.", buckets=SECONDS, registry=self.registry)

    def said(self, replies: Sequence[Message]) -> None:
        """Counts the replies of a turn."""
        for reply in replies:
            self._replies.labels(reply.kind).inc()
            if reply.kind in GUARDED_KINDS:
                self._guard.labels(topic_of(reply)).inc()

    def took(self, seconds: float) -> None:
        """Notes how long a turn took."""
        self._seconds.observe(seconds)


class _Standing(Collector):
    """How things stand when somebody asks: requests and notifications by state, open pages."""

    def __init__(self, database: Database, listeners: Callable[[], int]) -> None:
        self._database = database
        self._listeners = listeners

    def describe(self) -> Iterator[Metric]:
        """Nothing: registering must not read the database."""
        return iter(())

    def collect(self) -> Iterator[Metric]:
        """Reads the database; while it does not answer, its numbers are missing and the others are still told."""
        yield GaugeMetricFamily("passerelle_event_listeners", "Pages of staff that are kept up to date live.", value=self._listeners())
        try:
            with self._database.transaction() as session:
                tickets, outbox = _by_state(session, Ticket.state), _by_state(session, Notification.state)
        except SQLAlchemyError as error:
            logger.warning("metrics without the database: %s", type(error).__name__)
            return
        yield _gauge("passerelle_tickets", "Requests, by state.", {state.value: tickets.get(state, 0) for state in TicketState})
        kept = (Delivery.PENDING, Delivery.DEAD)
        yield _gauge("passerelle_outbox", "Notifications that have not left, by state.", {state.value: outbox.get(state, 0) for state in kept})


@contextmanager
def served(metrics: Metrics, database: Database, port: int | None, listeners: Callable[[], int] = lambda: 0) -> Iterator[None]:
    """Serves the metrics within this block; does nothing without a port.

    Args:
        metrics: what this process counts.
        database: for requests and notifications by state.
        port: of 127.0.0.1; one that is taken is logged, and the desk goes on without metrics.
        listeners: how many pages are open.
    """
    if port is None:
        yield
        return
    metrics.registry.register(_Standing(database, listeners))
    try:
        server, thread = start_http_server(port, LOOPBACK, metrics.registry)
    except OSError as error:
        logger.error("no metrics: port %d cannot be used (%s)", port, error.strerror)
        yield
        return
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _by_state(session: Session, state: InstrumentedAttribute[State]) -> dict[State, int]:
    return dict(row._tuple() for row in session.execute(select(state, func.count()).group_by(state)))


def _gauge(name: str, text: str, values: dict[str, int]) -> Metric:
    family = GaugeMetricFamily(name, text, labels=["state"])
    for state, value in values.items():
        family.add_metric([state], value)
    return family
