"""The desk's tables."""

from __future__ import annotations

from datetime import date, datetime, time
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, CheckConstraint, Date, ForeignKey, Index, String, Text, Time, UniqueConstraint
from sqlalchemy import Enum as SqlEnum
from sqlalchemy.orm import Mapped, mapped_column, relationship

from desk.db import Base, Encrypted, EncryptedJson, UtcDateTime, now


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


class AppointmentState(StrEnum):
    """Whether an appointment stands."""

    BOOKED = "booked"
    CANCELLED = "cancelled"


class Delivery(StrEnum):
    """Where a notification of the outbox stands."""

    PENDING = "pending"
    SENT = "sent"
    DEAD = "dead"  # tried in vain as often as allowed; staff see it and may try again
    CANCELLED = "cancelled"  # undone before it left


class Channel(StrEnum):
    """How a notification leaves."""

    EMAIL = "email"
    WEBHOOK = "webhook"


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
    short_form: Mapped[dict[str, Any] | None] = mapped_column(EncryptedJson("conversations.short_form"))
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
    text: Mapped[str] = mapped_column(Encrypted("messages.text"))
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
    email: Mapped[str | None] = mapped_column(String(254))  # where « a request has arrived » goes; none is sent without it
    # Until when the password that somebody else made for this person opens a session; None once they chose their own.
    initial_password_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    # The second factor (RFC 6238): its secret, when it was first proved, and the last time step that was used, so that no code works twice.
    totp_secret: Mapped[str | None] = mapped_column(Encrypted("staff.totp_secret"))
    totp_confirmed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    totp_last_step: Mapped[int | None]
    oidc_subject: Mapped[str | None] = mapped_column(String(255), unique=True)  # issuer and subject of an identity provider's account


class RecoveryCode(Base):
    """A code that replaces the second factor once."""

    __tablename__ = "recovery_codes"

    id: Mapped[int] = mapped_column(primary_key=True)
    staff_id: Mapped[int] = mapped_column(ForeignKey("staff.id", ondelete="CASCADE"), index=True)
    code_hash: Mapped[str] = mapped_column(String(64), unique=True)
    used_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class StaffSession(Base):
    """A signed-in browser. The cookie holds a random token; the row holds its hash."""

    __tablename__ = "staff_sessions"

    token_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    staff_id: Mapped[int] = mapped_column(ForeignKey("staff.id", ondelete="CASCADE"))
    csrf_token: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=now)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    # None while the second factor is still to be given: such a session opens nothing but its page.
    second_factor_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    # When the password was last given; exports and erasures ask for it again after some minutes.
    authenticated_at: Mapped[datetime] = mapped_column(UtcDateTime, default=now)

    staff: Mapped[Staff] = relationship()


class SignIn(Base):
    """One attempt to sign in, for the page that lists them. An unknown name is not kept: somebody may have typed a password there."""

    __tablename__ = "sign_ins"

    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime, default=now, index=True)
    staff_id: Mapped[int | None] = mapped_column(ForeignKey("staff.id", ondelete="CASCADE"))
    network: Mapped[str] = mapped_column(String(50))  # the address, its last part cut off
    outcome: Mapped[str] = mapped_column(String(20))  # desk.staff.sign_ins.Outcome


class Ticket(Base):
    """A request for a consultation. Personal fields are empty once it is erased; the row itself stays as a trace.

    Clocks: ``answer_due`` and ``booking_due`` are instants worked out from the opening hours; while the visitor is waited for
    (``paused_at``) they stand still, and move on by the opening time that was missed when the request is taken up again. ``clocks_from`` is when
    they last began to run, so that they can be counted again from there when the opening hours change (``desk.tickets.recounting``).
    """

    __tablename__ = "tickets"
    __table_args__ = (
        Index("ix_tickets_state_created_at", "state", "created_at"),
        Index("ix_tickets_state_answer_due", "state", "answer_due"),
        Index("ix_tickets_assignee_id_state", "assignee_id", "state"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    reference: Mapped[str] = mapped_column(String(16), unique=True)
    state: Mapped[TicketState] = mapped_column(_enum(TicketState), default=TicketState.WAITING)
    version: Mapped[int] = mapped_column(default=1)  # compare-and-swap: every change of state or assignee counts it up
    idempotency_key: Mapped[str] = mapped_column(String(120), unique=True)
    body_hash: Mapped[str] = mapped_column(String(64))
    conversation_id: Mapped[str | None] = mapped_column(ForeignKey("conversations.id", ondelete="SET NULL"), index=True)
    assignee_id: Mapped[int | None] = mapped_column(ForeignKey("staff.id", ondelete="SET NULL"))
    claimed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    name: Mapped[str | None] = mapped_column(Encrypted("tickets.name"))
    email: Mapped[str | None] = mapped_column(Encrypted("tickets.email"))
    phone: Mapped[str | None] = mapped_column(Encrypted("tickets.phone"))  # E.164
    windows: Mapped[str | None] = mapped_column(Encrypted("tickets.windows"))  # the visitor's own words
    subject: Mapped[str] = mapped_column(String(20))  # a code of bot.fields.SUBJECTS
    transcript_allowed: Mapped[bool]
    consent_version: Mapped[str] = mapped_column(String(20))
    consent_at: Mapped[datetime] = mapped_column(UtcDateTime)

    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=now, index=True)
    closed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    first_answer_at: Mapped[datetime | None] = mapped_column(UtcDateTime)  # the first message or appointment of staff
    answer_due: Mapped[datetime | None] = mapped_column(UtcDateTime)
    booking_due: Mapped[datetime | None] = mapped_column(UtcDateTime)
    clocks_from: Mapped[datetime | None] = mapped_column(UtcDateTime)
    paused_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    escalated_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    follows_id: Mapped[int | None] = mapped_column(ForeignKey("tickets.id", ondelete="SET NULL"))  # the closed request this one takes up again

    assignee: Mapped[Staff | None] = relationship()
    terms: Mapped[list[SearchTerm]] = relationship(cascade="all, delete-orphan", passive_deletes=True)
    notes: Mapped[list[Note]] = relationship(cascade="all, delete-orphan", passive_deletes=True, order_by="Note.id")
    answers: Mapped[list[Answer]] = relationship(cascade="all, delete-orphan", passive_deletes=True, order_by="Answer.id")
    appointments: Mapped[list[Appointment]] = relationship(cascade="all, delete-orphan", passive_deletes=True, order_by="Appointment.id")


class SearchTerm(Base):
    """What a request can be found by without being read: digests of the beginnings of its name, its phone number, its address."""

    __tablename__ = "search_terms"

    ticket_id: Mapped[int] = mapped_column(ForeignKey("tickets.id", ondelete="CASCADE"), primary_key=True)
    digest: Mapped[str] = mapped_column(String(64), primary_key=True, index=True)


class Note(Base):
    """What staff tell each other about a request; never shown to the visitor, erased with the request."""

    __tablename__ = "notes"

    id: Mapped[int] = mapped_column(primary_key=True)
    ticket_id: Mapped[int] = mapped_column(ForeignKey("tickets.id", ondelete="CASCADE"), index=True)
    author: Mapped[str] = mapped_column(String(60))  # copied: it survives the account
    text: Mapped[str] = mapped_column(Encrypted("notes.text"))
    at: Mapped[datetime] = mapped_column(UtcDateTime, default=now)


class Answer(Base):
    """What staff wrote to the visitor. It leaves by the outbox (``notification_id``) some seconds later, until when it can be undone."""

    __tablename__ = "answers"

    id: Mapped[int] = mapped_column(primary_key=True)
    ticket_id: Mapped[int] = mapped_column(ForeignKey("tickets.id", ondelete="CASCADE"), index=True)
    author: Mapped[str] = mapped_column(String(60))
    text: Mapped[str] = mapped_column(Encrypted("answers.text"))
    at: Mapped[datetime] = mapped_column(UtcDateTime, default=now)
    undone_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    notification_id: Mapped[int | None] = mapped_column(ForeignKey("outbox.id", ondelete="SET NULL"))
    shown_at: Mapped[datetime | None] = mapped_column(UtcDateTime)  # when it was put into the visitor's conversation


class CannedReply(Base):
    """A text that staff can begin an answer with; ``{prénom}``, ``{nom}``, ``{référence}``… are filled in."""

    __tablename__ = "canned_replies"

    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str] = mapped_column(String(80), unique=True)
    text: Mapped[str] = mapped_column(Text)
    position: Mapped[int] = mapped_column(default=0)


class Presence(Base):
    """A lease: this person has this page open until ``expires_at`` (renewed by heartbeats)."""

    __tablename__ = "presence"

    ticket_id: Mapped[int] = mapped_column(ForeignKey("tickets.id", ondelete="CASCADE"), primary_key=True)
    staff_id: Mapped[int] = mapped_column(ForeignKey("staff.id", ondelete="CASCADE"), primary_key=True)
    is_writing: Mapped[bool] = mapped_column(default=False)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)

    staff: Mapped[Staff] = relationship()


class Undo(Base):
    """What a staff member may take back for some seconds: the request as it was before, and the notifications not sent yet."""

    __tablename__ = "undos"

    id: Mapped[int] = mapped_column(primary_key=True)
    ticket_id: Mapped[int] = mapped_column(ForeignKey("tickets.id", ondelete="CASCADE"), index=True)
    staff_id: Mapped[int] = mapped_column(ForeignKey("staff.id", ondelete="CASCADE"))
    action: Mapped[str] = mapped_column(String(40))
    before: Mapped[dict[str, Any]] = mapped_column(JSON)  # state, assignee and instants; no personal data
    version_after: Mapped[int]
    until: Mapped[datetime] = mapped_column(UtcDateTime)


class Clinician(Base):
    """A person appointments are made with; need not have an account."""

    __tablename__ = "clinicians"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(80), unique=True)
    active: Mapped[bool] = mapped_column(default=True)


class Appointment(Base):
    """A moment agreed with a visitor. A move keeps the row and its ``uid`` and counts ``sequence`` up (RFC 5546)."""

    __tablename__ = "appointments"

    id: Mapped[int] = mapped_column(primary_key=True)
    ticket_id: Mapped[int] = mapped_column(ForeignKey("tickets.id", ondelete="CASCADE"), index=True)
    clinician_id: Mapped[int] = mapped_column(ForeignKey("clinicians.id"))
    state: Mapped[AppointmentState] = mapped_column(_enum(AppointmentState), default=AppointmentState.BOOKED)
    starts_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    minutes: Mapped[int]
    visitor_zone: Mapped[str] = mapped_column(String(64))  # IANA name, shown beside the clinic's
    uid: Mapped[str] = mapped_column(String(80), unique=True)
    sequence: Mapped[int] = mapped_column(default=0)
    token_epoch: Mapped[int] = mapped_column(default=0)  # counted up to make every link sent before worthless
    other_time_asked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    created_by: Mapped[str] = mapped_column(String(60))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=now)

    clinician: Mapped[Clinician] = relationship()
    ticket: Mapped[Ticket] = relationship(back_populates="appointments")
    slots: Mapped[list[BookedSlot]] = relationship(cascade="all, delete-orphan", passive_deletes=True)


class BookedSlot(Base):
    """Five minutes of a clinician that an appointment takes. The key is what makes double booking impossible, on both databases."""

    __tablename__ = "booked_slots"

    clinician_id: Mapped[int] = mapped_column(ForeignKey("clinicians.id", ondelete="CASCADE"), primary_key=True)
    starts_at: Mapped[datetime] = mapped_column(UtcDateTime, primary_key=True)
    appointment_id: Mapped[int] = mapped_column(ForeignKey("appointments.id", ondelete="CASCADE"), index=True)


class Notification(Base):
    """One message that must leave: written in the transaction of what it tells about, sent by ``desk.outbox``.

    ``template`` and ``values`` say what is to be told; the recipient's address and anything personal are encrypted and emptied once it has left.
    """

    __tablename__ = "outbox"
    __table_args__ = (Index("ix_outbox_state_not_before", "state", "not_before"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    channel: Mapped[Channel] = mapped_column(_enum(Channel))
    template: Mapped[str] = mapped_column(String(40))
    ticket_id: Mapped[int | None] = mapped_column(ForeignKey("tickets.id", ondelete="CASCADE"), index=True)
    appointment_id: Mapped[int | None] = mapped_column(ForeignKey("appointments.id", ondelete="CASCADE"), index=True)
    recipient: Mapped[str | None] = mapped_column(Encrypted("outbox.recipient"))  # an e-mail address; None for webhooks, whose address is a setting
    values: Mapped[dict[str, Any] | None] = mapped_column(EncryptedJson("outbox.values"))
    message_id: Mapped[str] = mapped_column(String(80), unique=True)  # the same on every try: Message-ID, webhook-id
    state: Mapped[Delivery] = mapped_column(_enum(Delivery), default=Delivery.PENDING)
    not_before: Mapped[datetime] = mapped_column(UtcDateTime, default=now)
    leased_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    tries: Mapped[int] = mapped_column(default=0)
    last_error: Mapped[str | None] = mapped_column(String(200))  # never what was sent
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=now)
    sent_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class OpeningHours(Base):
    """One stretch of a weekday during which the clinic's secretariat works; several a day are possible. No rows: not configured."""

    __tablename__ = "opening_hours"
    __table_args__ = (CheckConstraint("opens < closes", name="opens_before_closes"), UniqueConstraint("weekday", "opens"))

    id: Mapped[int] = mapped_column(primary_key=True)
    weekday: Mapped[int]  # 0 Monday … 6 Sunday
    opens: Mapped[time] = mapped_column(Time)
    closes: Mapped[time] = mapped_column(Time)


class SpecialDay(Base):
    """A date that differs: closed, or open from ``opens`` to ``closes``, whatever weekday or public holiday it is."""

    __tablename__ = "special_days"

    day: Mapped[date] = mapped_column(Date, primary_key=True)
    opens: Mapped[time | None] = mapped_column(Time)
    closes: Mapped[time | None] = mapped_column(Time)
    label: Mapped[str] = mapped_column(String(80), default="")


class ErasureProof(Base):
    """That something was erased, and how much; whose it was can be told only by who knows the name already (a digest)."""

    __tablename__ = "erasure_proofs"

    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime, default=now)
    actor: Mapped[str] = mapped_column(String(60))
    reason: Mapped[str] = mapped_column(String(40))  # request of the person, retention, visitor
    subject_digests: Mapped[list[str]] = mapped_column(JSON)
    counts: Mapped[dict[str, int]] = mapped_column(JSON)  # rows erased, by table


class Backup(Base):
    """A copy of the database that ``python -m desk backup`` made: until when it may exist. Whoever is erased is still in those made before."""

    __tablename__ = "backups"

    name: Mapped[str] = mapped_column(String(80), primary_key=True)  # of the file, in the folder of the backups
    at: Mapped[datetime] = mapped_column(UtcDateTime, default=now)
    until: Mapped[datetime] = mapped_column(UtcDateTime)
    deleted_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class NotUnderstood(Base):
    """A visitor's message that got no answer, cleaned of what could name a person; kept for some weeks, never tied to a conversation."""

    __tablename__ = "not_understood"

    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime, default=now, index=True)
    text: Mapped[str] = mapped_column(Encrypted("not_understood.text"))
    response: Mapped[str] = mapped_column(String(80))  # what was said instead of an answer
    dismissed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class TurnCount(Base):
    """How often something was said in an hour: numbers for the insight page, no text and no conversation."""

    __tablename__ = "turn_counts"

    hour: Mapped[datetime] = mapped_column(UtcDateTime, primary_key=True)
    kind: Mapped[str] = mapped_column(String(12), primary_key=True)  # of the reply
    topic: Mapped[str] = mapped_column(String(80), primary_key=True)  # its response, or the guard's family
    count: Mapped[int] = mapped_column(default=0)


class Review(Base):
    """A clinician signed one text as reviewed. It counts for exactly the text whose hash it holds."""

    __tablename__ = "reviews"

    id: Mapped[int] = mapped_column(primary_key=True)
    response: Mapped[str] = mapped_column(String(80), index=True)
    text_hash: Mapped[str] = mapped_column(String(64), index=True)
    reviewer: Mapped[str] = mapped_column(String(80))
    function: Mapped[str] = mapped_column(String(80))  # « hépatologue »
    signed_by: Mapped[str] = mapped_column(String(60))  # the account
    at: Mapped[datetime] = mapped_column(UtcDateTime, default=now)


class AuditEntry(Base):
    """Who did what and when, append-only; each row holds the hash of the one before it."""

    __tablename__ = "audit"

    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime, default=now)
    actor: Mapped[str] = mapped_column(String(60))  # copied: it survives the account
    action: Mapped[str] = mapped_column(String(40))
    subject: Mapped[str] = mapped_column(String(60), index=True)  # a reference or an account, never a patient's name
    previous_hash: Mapped[str] = mapped_column(String(64))
    hash: Mapped[str] = mapped_column(String(64), unique=True)
