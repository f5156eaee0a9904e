"""The desk's tables."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, String, Text, UniqueConstraint
from sqlalchemy import Enum as SqlEnum
from sqlalchemy.orm import Mapped, mapped_column, relationship

from desk.db import Base, UtcDateTime, now


class Owner(StrEnum):
    """Who answers a conversation: one at a time."""

    BOT = "bot"
    QUEUE = "queue"
    HUMAN = "human"


class TicketState(StrEnum):
    """Where a request stands (``handoff.md`` 1.6)."""

    WAITING = "waiting"
    CLAIMED = "claimed"
    PENDING_VISITOR = "pending_visitor"
    BOOKED = "booked"
    CLOSED = "closed"
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    SPAM = "spam"
    ERASED = "erased"


class Role(StrEnum):
    """What a staff member may do."""

    AGENT = "agent"
    LEAD = "lead"
    PRIVACY_OFFICER = "privacy_officer"
    ADMIN = "admin"


def _enum(kind: type[StrEnum]) -> SqlEnum:
    return SqlEnum(kind, native_enum=False, length=20, values_callable=lambda members: [m.value for m in members])


class Conversation(Base):
    """One visitor's conversation. Its id is also Rasa's sender id; its token is kept as a hash only."""

    __tablename__ = "conversations"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    token_hash: Mapped[str] = mapped_column(String(64))
    owner: Mapped[Owner] = mapped_column(_enum(Owner), default=Owner.BOT)
    # Rises whenever the owner changes, so that a reply asked for under an older one can be told apart.
    epoch: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=now)
    last_message_at: Mapped[datetime] = mapped_column(UtcDateTime, default=now, index=True)

    # The last alarm: its family and when it was answered (desk.chat.crisis).
    crisis: Mapped[str | None] = mapped_column(String(20))
    crisis_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    insults: Mapped[int] = mapped_column(default=0)
    # The desk's own form while it is open or waits (desk.chat.short_form); holds personal data.
    short_form: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    # What a form was told still stands in Rasa's tracker, and must leave it before Rasa is spoken to again.
    scrub_due: Mapped[bool] = mapped_column(default=False)

    messages: Mapped[list[ChatMessage]] = relationship(
        back_populates="conversation", cascade="all, delete-orphan", passive_deletes=True, order_by="ChatMessage.seq"
    )


class ChatMessage(Base):
    """One message as the visitor sees it. ``seq`` counts up within its conversation."""

    __tablename__ = "messages"
    __table_args__ = (
        UniqueConstraint("conversation_id", "seq"),
        UniqueConstraint("conversation_id", "client_id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    conversation_id: Mapped[str] = mapped_column(ForeignKey("conversations.id", ondelete="CASCADE"))
    seq: Mapped[int]
    sender: Mapped[str] = mapped_column(String(8))  # visitor, bot, human, system
    kind: Mapped[str] = mapped_column(String(12))
    text: Mapped[str] = mapped_column(Text)
    buttons: Mapped[list[dict[str, Any]]] = mapped_column(JSON, default=list)  # id, label, payload (never shown)
    sources: Mapped[list[dict[str, Any]]] = mapped_column(JSON, default=list)
    response: Mapped[str | None] = mapped_column(String(80))  # name of the response a bot message came from
    client_id: Mapped[str | None] = mapped_column(String(64))
    content_hash: Mapped[str | None] = mapped_column(String(64))
    reply_to: Mapped[int | None]  # seq of the visitor's message this replies to
    at: Mapped[datetime] = mapped_column(UtcDateTime, default=now)

    conversation: Mapped[Conversation] = relationship(back_populates="messages")


class Staff(Base):
    """A person who receives requests."""

    __tablename__ = "staff"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(60), unique=True)
    password_hash: Mapped[str] = mapped_column(String(200))
    role: Mapped[Role] = mapped_column(_enum(Role), default=Role.AGENT)
    active: Mapped[bool] = mapped_column(default=True)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=now)


class StaffSession(Base):
    """A signed-in browser. The cookie holds a random token; the row holds its hash."""

    __tablename__ = "staff_sessions"

    token_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    staff_id: Mapped[int] = mapped_column(ForeignKey("staff.id", ondelete="CASCADE"))
    csrf_token: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=now)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)

    staff: Mapped[Staff] = relationship()


class Ticket(Base):
    """A request for a consultation. Personal fields are empty once it is erased; the row itself stays as a trace."""

    __tablename__ = "tickets"
    __table_args__ = (Index("ix_tickets_state_created_at", "state", "created_at"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    reference: Mapped[str] = mapped_column(String(16), unique=True)
    state: Mapped[TicketState] = mapped_column(_enum(TicketState), default=TicketState.WAITING)
    version: Mapped[int] = mapped_column(default=1)  # compare-and-swap: every change of state or assignee counts it up
    idempotency_key: Mapped[str] = mapped_column(String(120), unique=True)
    body_hash: Mapped[str] = mapped_column(String(64))
    conversation_id: Mapped[str | None] = mapped_column(ForeignKey("conversations.id", ondelete="SET NULL"), index=True)
    assignee_id: Mapped[int | None] = mapped_column(ForeignKey("staff.id", ondelete="SET NULL"))

    name: Mapped[str | None] = mapped_column(String(80))
    email: Mapped[str | None] = mapped_column(String(254))
    phone: Mapped[str | None] = mapped_column(String(20))  # E.164
    windows: Mapped[str | None] = mapped_column(String(200))  # the visitor's own words
    subject: Mapped[str] = mapped_column(String(20))  # a code of bot.fields.SUBJECTS
    transcript_allowed: Mapped[bool]
    consent_version: Mapped[str] = mapped_column(String(20))
    consent_at: Mapped[datetime] = mapped_column(UtcDateTime)

    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=now)
    closed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    assignee: Mapped[Staff | None] = relationship()


class AuditEntry(Base):
    """Who did what and when, append-only; each row holds the hash of the one before it."""

    __tablename__ = "audit"

    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime, default=now)
    actor: Mapped[str] = mapped_column(String(60))  # copied: it survives the account
    action: Mapped[str] = mapped_column(String(40))
    subject: Mapped[str] = mapped_column(String(60))  # a reference or an account, never a patient's name
    previous_hash: Mapped[str] = mapped_column(String(64))
    hash: Mapped[str] = mapped_column(String(64), unique=True)
