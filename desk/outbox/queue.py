"""What must leave: written in the transaction of what it tells about, leased by a worker, settled after each try.

Delivery is at least once: a worker that dies while sending leaves its lease to run out, and the next one sends again under the same
``message_id``, by which receivers can drop the twin. What was sent keeps neither its recipient nor its values.
"""

from __future__ import annotations

import random
import secrets
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, cast

from sqlalchemy import CursorResult, Text, Update, delete, func, or_, select, type_coerce, update
from sqlalchemy.orm import Session

from desk.crypto import Cipher, CryptoError
from desk.db import cipher_of, now
from desk.models import Appointment, AppointmentState, Channel, Delivery, Notification, Staff, Ticket
from desk.settings import Settings
from desk.staff.permissions import Permission, may

# Delays between tries: at most 2, 6, 18, 54 … seconds, then an hour; the real one is drawn between nothing and that (full jitter).
FIRST_DELAY, GROWTH, LONGEST_DELAY = 2.0, 3.0, 3600.0
MAX_TRIES = 10
LEASE = timedelta(seconds=120)  # longer than any sending may take (desk.outbox.worker.LONGEST_SENDING)
AT_ONCE = 5  # leased together
KEPT = timedelta(days=30)  # a dead letter that nobody retried; the trace of a sent one
LONGEST_ERROR = 200

INTERRUPTED = "L'envoi a été interrompu à chaque essai."
UNREADABLE = "Le contenu ne peut plus être déchiffré\u00a0: il manque une clé."
OUTDATED = "N'avait plus lieu d'être\u00a0: le rendez-vous a changé entre-temps."

TO_TEAM = frozenset({"request_received", "request_overdue", "appointment_cancelled_by_visitor", "other_time_asked"})
# Letters to visitors, and the values that each may carry beside the reference and the appointment, which ``enqueue`` adds itself.
TO_VISITOR: Mapping[str, frozenset[str]] = {
    "answer": frozenset({"text"}),
    "appointment_confirmed": frozenset({"cancel_link", "ics", "ics_method"}),
    "appointment_moved": frozenset({"cancel_link", "ics", "ics_method"}),
    "appointment_cancelled": frozenset({"ics", "ics_method"}),
    "appointment_reminder": frozenset({"cancel_link", "ics", "ics_method"}),
}
EVENTS = frozenset({"request.received", "request.claimed", "request.booked", "request.cancelled", "request.closed", "request.overdue"})
_OUTDATED_BY_A_MOVE = frozenset({"appointment_confirmed", "appointment_moved", "appointment_reminder"})
_OF_TEAM = frozenset({"state", "link"})


class BadNotification(ValueError):
    """The caller asks for a letter or an event that does not exist, or would send what must not leave."""


@dataclass(frozen=True)
class Leased:
    """A notification that this worker alone may send until ``until``; plain values, so that no session stays open meanwhile."""

    id: int
    channel: Channel
    template: str
    message_id: str
    recipient: str | None
    values: Mapping[str, Any]
    created_at: datetime
    tries: int
    until: datetime


@dataclass(frozen=True)
class Listed:
    """A notification as staff may see it: neither its content nor a whole address. ``recipient`` is None for webhooks and for what was emptied."""

    id: int
    channel: Channel
    template: str
    reference: str | None
    recipient: str | None
    tries: int
    last_error: str | None
    created_at: datetime
    not_before: datetime
    sent_at: datetime | None
    is_whole: bool  # whether it still holds what to send


# ---------------------------------------------------------------- writing


def enqueue(
    session: Session,
    channel: Channel,
    template: str,
    *,
    ticket: Ticket | None = None,
    appointment: Appointment | None = None,
    recipient: str | None = None,
    values: Mapping[str, Any] | None = None,
    not_before: datetime | None = None,
) -> Notification:
    """Has a message leave once the caller's transaction has committed, and not at all if it rolls back.

    Reference, and the appointment's moment, length, zone and clinician are copied as they are now: a letter says what was so when it was written.

    Args:
        session: the transaction of the change that is told about.
        channel: how it leaves.
        template: for mails one of ``TO_TEAM`` and ``TO_VISITOR``, for webhooks one of ``EVENTS``.
        ticket: the request it is about; its erasure takes the message along.
        appointment: needed by the templates ``appointment_…`` to visitors.
        recipient: an e-mail address; None for webhooks.
        values: what the template says beside; ``TO_VISITOR`` lists the names, values are JSON. ``ics`` is the text of a calendar
            file and ``ics_method`` its METHOD; ``cancel_link`` the visitor's page.
        not_before: earliest moment; None is now. Pass the end of the undo time for what can be undone.

    Raises:
        BadNotification: unknown template, value, or no recipient.
    """
    allowed = EVENTS if channel is Channel.WEBHOOK else TO_TEAM | TO_VISITOR.keys()
    if template not in allowed:
        raise BadNotification(f"no template {template!r} for {channel.value}")
    given = dict(values or {})
    surplus = given.keys() - TO_VISITOR.get(template, _OF_TEAM)
    if surplus:
        raise BadNotification(f"{template} may not carry {', '.join(sorted(surplus))}")
    if (channel is Channel.EMAIL) != bool(recipient):
        raise BadNotification(f"{template}: a mail needs a recipient, a webhook has none")
    if template in TO_VISITOR and template != "answer":
        if appointment is None:
            raise BadNotification(f"{template} is about an appointment")
        given["appointment"] = _moment_agreed(appointment)
        ticket = ticket or appointment.ticket
    if ticket is None:
        raise BadNotification(f"{template} is about a request")
    given["reference"] = ticket.reference
    session.flush()  # ids of what was just added
    notification = Notification(
        channel=channel,
        template=template,
        ticket_id=ticket.id,
        appointment_id=appointment.id if appointment else None,
        recipient=recipient,
        values=given,
        message_id=f"msg_{secrets.token_hex(16)}",
        not_before=not_before or now(),
    )
    session.add(notification)
    session.flush()
    return notification


def tell_team(session: Session, template: str, ticket: Ticket, settings: Settings, *, not_before: datetime | None = None) -> list[Notification]:
    """Mails the team that something happened to a request: its reference and a link, nothing about the person.

    Goes to ``PASSERELLE_TEAM_EMAILS`` and to every active account with an address whose role works on requests; each gets a mail of its own.

    Args:
        session: the transaction of the change.
        template: one of ``TO_TEAM``.
        ticket: what happened to.
        settings: for the addresses and the link.
        not_before: as of ``enqueue``.

    Returns:
        What will leave; empty where nobody left an address.
    """
    addresses = [address.strip() for address in settings.team_emails.split(",")]
    for staff in session.scalars(select(Staff).where(Staff.active, Staff.email.is_not(None)).order_by(Staff.id)):
        if may(staff.role, Permission.WORK_REQUESTS):
            addresses.append((staff.email or "").strip())
    once = {address.casefold(): address for address in addresses if address}
    values = {"link": _link(ticket, settings)}
    return [enqueue(session, Channel.EMAIL, template, ticket=ticket, recipient=to, values=values, not_before=not_before) for to in once.values()]


def announce(session: Session, event: str, ticket: Ticket, settings: Settings, *, not_before: datetime | None = None) -> Notification | None:
    """Tells the clinic's own system by webhook: reference, state as it is now, link.

    Args:
        session: the transaction of the change, made after the state was set.
        event: one of ``EVENTS``.
        ticket: what happened to.
        settings: for the link, and whether there is a webhook at all.
        not_before: as of ``enqueue``.

    Returns:
        What will leave; None without ``PASSERELLE_WEBHOOK_URL``.
    """
    if not settings.webhook_url:
        return None
    values = {"state": ticket.state.value, "link": _link(ticket, settings)}
    return enqueue(session, Channel.WEBHOOK, event, ticket=ticket, values=values, not_before=not_before)


def cancel(session: Session, ids: Collection[int], at: datetime) -> int:
    """Holds back what has not left; what is being sent at this moment, or has been, cannot be.

    Args:
        session: the caller's transaction.
        ids: of the notifications.
        at: the present instant.

    Returns:
        How many were held back: fewer than asked means that something left.
    """
    return _held_back(session, update(Notification).where(Notification.id.in_(ids)), at)


def cancel_pending(
    session: Session, at: datetime, *, ticket: Ticket | None = None, appointment: Appointment | None = None, templates: Collection[str] = ()
) -> int:
    """Holds back everything about a request or an appointment that has not left.

    Args:
        session: the caller's transaction.
        at: the present instant.
        ticket: of this request,
        appointment: or of this appointment; at least one of the two.
        templates: only these; none means all.

    Returns:
        How many were held back.
    """
    if ticket is None and appointment is None:
        raise BadNotification("whose notifications?")
    chosen = update(Notification)
    if ticket is not None:
        chosen = chosen.where(Notification.ticket_id == ticket.id)
    if appointment is not None:
        chosen = chosen.where(Notification.appointment_id == appointment.id)
    if templates:
        chosen = chosen.where(Notification.template.in_(templates))
    return _held_back(session, chosen, at)


def forget(session: Session, ticket_id: int) -> list[str]:
    """Erases every notification about a request, sent or not.

    Returns:
        Their message ids, by which ``desk.outbox.mail.forget_files`` finds what the file sink wrote.
    """
    known = list(session.scalars(select(Notification.message_id).where(Notification.ticket_id == ticket_id)))
    session.execute(delete(Notification).where(Notification.ticket_id == ticket_id))
    return known


# ---------------------------------------------------------------- leaving


def lease(session: Session, at: datetime, limit: int = AT_ONCE) -> list[Leased]:
    """Takes what is due, for one worker alone, and counts a try.

    On PostgreSQL rows that another worker is taking are skipped; on both databases a row changes hands by compare-and-swap on its old
    lease. What was tried too often, cannot be read, or is no longer true is settled here and not returned.

    Args:
        session: commits before anything is sent.
        at: the present.
        limit: how many at most.
    """
    is_free = or_(Notification.leased_until.is_(None), Notification.leased_until <= at)
    due = session.execute(
        # No encrypted column: one value without its key must not keep the others from leaving.
        select(Notification.id, Notification.tries, Notification.leased_until)
        .where(Notification.state == Delivery.PENDING, Notification.not_before <= at, is_free)
        .order_by(Notification.not_before, Notification.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    ).all()
    taken = []
    for row_id, tries, seen in due:
        if tries >= MAX_TRIES:  # only a worker that died leaves one like this
            _change(session, _seen(row_id, seen).values(state=Delivery.DEAD, leased_until=None, last_error=INTERRUPTED))
            continue
        until = at + LEASE
        if _change(session, _seen(row_id, seen).values(leased_until=until, tries=Notification.tries + 1)):
            taken.append((row_id, until))
    return [ready for row_id, until in taken if (ready := _ready(session, row_id, until, at))]


def settle_sent(session: Session, leased: Leased, at: datetime) -> None:
    """Says that it left, and empties it. True whoever holds the lease by now."""
    _change(
        session,
        update(Notification)
        .where(Notification.id == leased.id, Notification.state.in_((Delivery.PENDING, Delivery.DEAD)))
        .values(state=Delivery.SENT, sent_at=at, leased_until=None, last_error=None, recipient=None, values=None),
    )


def settle_failed(session: Session, leased: Leased, at: datetime, error: str, *, is_permanent: bool = False, jitter: random.Random | None = None) -> Delivery:
    """Says that a try failed: it will be tried again later, or is dead. Changes nothing once the lease was lost.

    Args:
        session: the worker's transaction.
        leased: as taken.
        at: the present.
        error: one French sentence that says nothing of the content; cut at 200 characters.
        is_permanent: trying again is of no use.
        jitter: source of the delay's chance.

    Returns:
        Where it stands now.
    """
    is_dead = is_permanent or leased.tries >= MAX_TRIES
    delay = timedelta(seconds=(jitter or random.SystemRandom()).uniform(0, longest_delay(leased.tries)))
    state = Delivery.DEAD if is_dead else Delivery.PENDING
    _change(
        session,
        _seen(leased.id, leased.until).values(state=state, not_before=at if is_dead else at + delay, leased_until=None, last_error=error[:LONGEST_ERROR]),
    )
    return state


def longest_delay(tries: int) -> float:
    """Upper end, in seconds, of the delay after a number of failed tries.

    >>> [longest_delay(n) for n in (1, 2, 3, 9)]
    [2.0, 6.0, 18.0, 3600.0]
    """
    return min(LONGEST_DELAY, FIRST_DELAY * GROWTH ** (tries - 1))


# ---------------------------------------------------------------- dead letters


def retry(session: Session, notification_id: int, at: datetime) -> str | None:
    """Has one dead letter tried again from the beginning.

    Returns:
        Reference of its request; None where it is not dead, or no longer holds what to send.
    """
    if not _revive(session, update(Notification).where(Notification.id == notification_id), at):
        return None
    return session.scalar(select(Ticket.reference).join(Notification, Notification.ticket_id == Ticket.id).where(Notification.id == notification_id))


def retry_all(session: Session, at: datetime) -> int:
    """Has every dead letter tried again; returns how many."""
    return _revive(session, update(Notification), at)


def purge(session: Session, at: datetime) -> int:
    """Deletes what left, was held back or died more than ``KEPT`` ago; returns how many. For the retention job."""
    over = at - KEPT
    ended = Notification.state.in_((Delivery.SENT, Delivery.CANCELLED, Delivery.DEAD))
    result = session.execute(delete(Notification).where(ended, Notification.not_before < over, Notification.created_at < over))
    return cast(CursorResult[Any], result).rowcount


def counts(session: Session) -> dict[Delivery, int]:
    """How many notifications stand where; every state is there."""
    found = session.execute(select(Notification.state, func.count()).group_by(Notification.state)).all()
    return dict.fromkeys(Delivery, 0) | {state: count for state, count in found}  # noqa: C416 (rows are no pairs to mypy)


def listed(session: Session, state: Delivery, limit: int) -> list[Listed]:
    """Notifications in one state, the newest first."""
    rows = session.execute(
        select(Notification.id, Notification.channel, Notification.template, Ticket.reference, type_coerce(Notification.recipient, Text).label("sealed"))
        .add_columns(Notification.tries, Notification.last_error, Notification.created_at, Notification.not_before, Notification.sent_at)
        .add_columns(Notification.values.is_not(None).label("is_whole"))
        .outerjoin(Ticket, Ticket.id == Notification.ticket_id)
        .where(Notification.state == state)
        .order_by(Notification.id.desc())
        .limit(limit)
    )
    cipher = cipher_of(session)
    return [
        Listed(
            id=row.id,
            channel=row.channel,
            template=row.template,
            reference=row.reference,
            recipient=_masked(cipher, row.sealed),
            tries=row.tries,
            last_error=row.last_error,
            created_at=row.created_at,
            not_before=row.not_before,
            sent_at=row.sent_at,
            is_whole=row.is_whole,
        )
        for row in rows
    ]


def masked(address: str) -> str:
    """An address that staff can recognise and nobody can write to.

    >>> masked("camille.martin@exemple.fr")
    'c…@exemple.fr'
    """
    local, _, domain = address.rpartition("@")
    return f"{local[:1]}…@{domain}"


# ---------------------------------------------------------------- within


def _masked(cipher: Cipher, sealed: str | None) -> str | None:
    if sealed is None:
        return None
    try:
        return masked(cipher.decrypt(sealed, "outbox.recipient"))
    except CryptoError:
        return "illisible"


def _link(ticket: Ticket, settings: Settings) -> str:
    return f"{settings.public_url}/desk/requests/{ticket.reference}"


def _moment_agreed(appointment: Appointment) -> dict[str, Any]:
    return {
        "starts_at": appointment.starts_at.isoformat(),
        "minutes": appointment.minutes,
        "zone": appointment.visitor_zone,
        "clinician": appointment.clinician.name,
        "sequence": appointment.sequence,
    }


def _seen(row_id: int, seen: datetime | None) -> Update:
    """The row, if its lease still is the one that was seen."""
    same = Notification.leased_until.is_(None) if seen is None else Notification.leased_until == seen
    return update(Notification).where(Notification.id == row_id, Notification.state == Delivery.PENDING, same)


def _change(session: Session, statement: Update) -> int:
    return cast(CursorResult[Any], session.execute(statement)).rowcount


def _held_back(session: Session, chosen: Update, at: datetime) -> int:
    is_free = or_(Notification.leased_until.is_(None), Notification.leased_until <= at)
    return _change(session, chosen.where(Notification.state == Delivery.PENDING, is_free).values(state=Delivery.CANCELLED, recipient=None, values=None))


def _revive(session: Session, chosen: Update, at: datetime) -> int:
    is_whole_and_dead = chosen.where(Notification.state == Delivery.DEAD, Notification.values.is_not(None))
    return _change(session, is_whole_and_dead.values(state=Delivery.PENDING, tries=0, not_before=at, leased_until=None))


def _ready(session: Session, row_id: int, until: datetime, at: datetime) -> Leased | None:
    """What a worker needs of a row it has taken; None where it must not be sent, which is settled at once."""
    try:
        row = session.scalars(select(Notification).where(Notification.id == row_id)).one()
        found = Leased(row.id, row.channel, row.template, row.message_id, row.recipient, row.values or {}, row.created_at, row.tries, until)
    except CryptoError:
        _change(session, _seen(row_id, until).values(state=Delivery.DEAD, leased_until=None, last_error=UNREADABLE))
        return None
    appointment = session.get(Appointment, row.appointment_id) if row.appointment_id else None
    if found.template in _OUTDATED_BY_A_MOVE and not _still_holds(found.values["appointment"], appointment, at):
        outdated = _seen(row_id, until).values(state=Delivery.CANCELLED, leased_until=None, last_error=OUTDATED, recipient=None, values=None)
        _change(session, outdated)
        return None
    return found


def _still_holds(said: Mapping[str, Any], appointment: Appointment | None, at: datetime) -> bool:
    """Whether an appointment stands as a letter says; a late letter must not send anybody to a moment that was moved."""
    if appointment is None or appointment.state is not AppointmentState.BOOKED or appointment.starts_at <= at:
        return False
    return bool(appointment.sequence == said["sequence"])
