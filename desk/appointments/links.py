"""The link by which a visitor reaches their appointment: signed, bound to it and to its last change, worthless once it is over."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta

from itsdangerous import BadData, URLSafeSerializer
from sqlalchemy.orm import Session

from desk.models import Appointment, AppointmentState, TicketState
from desk.settings import Settings

SALT = "passerelle.appointment-link"
PATH = "/rendez-vous"
LONGEST_TOKEN = 200


class BadLink(Exception):
    """No link of ours: tampered with, cut, or of another installation."""


class LinkOver(Exception):
    """It was a link of ours, and leads to nothing any more: the appointment is over, or a newer link was sent."""


class AlreadyCancelled(LinkOver):
    """The appointment was cancelled."""


def make(appointment: Appointment, settings: Settings) -> str:
    """The whole address, for a letter. It names no person: the appointment's number and how often its links were made worthless."""
    return f"{settings.public_url}{PATH}/{token(appointment, settings)}"


def token(appointment: Appointment, settings: Settings) -> str:
    """The last part of the address."""
    signed = _serializer(settings).dumps([appointment.id, appointment.token_epoch])
    return signed if isinstance(signed, str) else signed.decode()


def follow(session: Session, token: str, settings: Settings, at: datetime, *, is_changed: bool = False) -> Appointment:
    """The appointment that a link leads to.

    Args:
        session: the transaction.
        token: as it came.
        settings: for the secret.
        at: the present instant.
        is_changed: whether the appointment will be changed: then nobody else may do so meanwhile.

    Raises:
        BadLink: it was never ours.
        AlreadyCancelled: its appointment was cancelled.
        LinkOver: its appointment has ended, was moved since, or its request was erased.
    """
    if len(token) > LONGEST_TOKEN:
        raise BadLink
    try:
        number, epoch = _serializer(settings).loads(token)
    except (BadData, ValueError, TypeError):
        raise BadLink from None
    if not isinstance(number, int) or not isinstance(epoch, int):
        raise BadLink  # PostgreSQL does not compare numbers with words
    appointment = session.get(Appointment, number, with_for_update=is_changed or None)
    if appointment is None or appointment.ticket.state is TicketState.ERASED:
        raise LinkOver
    if appointment.state is AppointmentState.CANCELLED:
        raise AlreadyCancelled
    if appointment.token_epoch != epoch or ends_at(appointment) <= at:
        raise LinkOver
    return appointment


def ends_at(appointment: Appointment) -> datetime:
    """When an appointment is over."""
    return appointment.starts_at + timedelta(minutes=appointment.minutes)


def _serializer(settings: Settings) -> URLSafeSerializer:
    if not settings.secret:
        raise RuntimeError("links need PASSERELLE_SECRET")
    return URLSafeSerializer(settings.secret, salt=SALT, signer_kwargs={"key_derivation": "hmac", "digest_method": hashlib.sha256})
