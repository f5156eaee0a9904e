"""Counts what the assistant says: by hour, kind and topic. Numbers only, no word of anybody and no conversation."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from functools import cache
from typing import Any, cast

from sqlalchemy import Insert
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from bot.answers import Message
from desk.models import TurnCount

GUARDED_KINDS = frozenset({"emergency", "advice"})
UNNAMED = "?"


def topic_of(reply: Message) -> str:
    """What a reply is counted under: the guard's family where the guard speaks, else the response's name."""
    if reply.kind in GUARDED_KINDS and reply.variant:
        return reply.variant
    return reply.response or UNNAMED


def count(session: Session, replies: Sequence[Message], at: datetime) -> None:
    """Adds replies to the counts of their hour.

    Call it last in a transaction: the rows stay locked until its end. Two turns at once both count, on both databases.

    Args:
        session: the transaction that stores the replies.
        replies: as they leave.
        at: when.
    """
    hour = at.replace(minute=0, second=0, microsecond=0)
    added = Counter((reply.kind, topic_of(reply)) for reply in replies)
    if not added:
        return
    # In one order everywhere, so that two transactions never wait for each other's rows.
    rows = [{"hour": hour, "kind": kind, "topic": topic, "count": times} for (kind, topic), times in sorted(added.items())]
    session.connection().execute(_add_to_counts(session.get_bind().dialect.name), rows)


@cache
def _add_to_counts(database: str) -> Insert:
    """The statement for a kind of database, put together once."""
    statement: Any = (postgresql.insert if database == "postgresql" else sqlite.insert)(TurnCount)
    return cast(
        Insert,
        statement.on_conflict_do_update(
            index_elements=[TurnCount.hour, TurnCount.kind, TurnCount.topic], set_={"count": TurnCount.count + statement.excluded["count"]}
        ),
    )
