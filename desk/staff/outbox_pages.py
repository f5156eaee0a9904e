"""The page of what leaves: what could not be delivered, why, and another try."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from desk import audit
from desk.db import now
from desk.models import Channel, Delivery, StaffSession
from desk.outbox import queue
from desk.outbox.queue import Listed
from desk.staff import wording
from desk.staff.permissions import Permission
from desk.staff.shell import database_of, render, settings_of, staff_page
from desk.staff.wording import FIXED, Moment

PAGE = "/desk/outbox"
LONGEST_LIST = 200
STATES = {Delivery.DEAD: "Non distribués", Delivery.PENDING: "À envoyer", Delivery.SENT: "Envoyés", Delivery.CANCELLED: "Retenus"}
_EMPTY = {
    Delivery.DEAD: "Tout ce qui devait partir est parti, ou va encore être essayé.",
    Delivery.PENDING: "Rien n'attend d'être envoyé.",
    Delivery.SENT: f"Rien n'a été envoyé ces {queue.KEPT.days} derniers jours.",
    Delivery.CANCELLED: f"Rien n'a été retenu ces {queue.KEPT.days} derniers jours.",
}
KINDS = {
    "request_received": "Équipe : demande reçue",
    "request_overdue": "Équipe : demande en retard",
    "appointment_cancelled_by_visitor": "Équipe : rendez-vous annulé par le visiteur",
    "other_time_asked": "Équipe : autre moment demandé",
    "answer": "Réponse au visiteur",
    "appointment_confirmed": "Rendez-vous confirmé",
    "appointment_moved": "Rendez-vous déplacé",
    "appointment_cancelled": "Rendez-vous annulé",
    "appointment_reminder": "Rappel de rendez-vous",
    "request.received": "Événement : demande reçue",
    "request.claimed": "Événement : demande prise en charge",
    "request.booked": "Événement : rendez-vous fixé",
    "request.cancelled": "Événement : demande annulée",
    "request.closed": "Événement : demande clôturée",
    "request.overdue": "Événement : demande en retard",
}


@dataclass(frozen=True)
class Tab:
    """One state of the filter."""

    label: str
    count: int
    href: str
    is_here: bool
    is_late: bool


@dataclass(frozen=True)
class OutboxRow:
    """One notification; ``moment`` is when it left, died, was held back or will be tried next."""

    id: int
    kind: str
    reference: str | None
    recipient: str
    moment: Moment
    moment_label: str
    tries: str
    error: str
    can_retry: bool


@dataclass(frozen=True)
class Outbox:
    """What the page shows."""

    tabs: Sequence[Tab]
    rows: Sequence[OutboxRow]
    state_label: str
    empty: str
    is_cut: bool
    can_retry_all: bool


def overview(session: Session, state: Delivery, zone: ZoneInfo) -> Outbox:
    """Notifications in one state, and how many there are in each."""
    present, counts = now(), queue.counts(session)
    found = queue.listed(session, state, LONGEST_LIST + 1)
    rows = [_row(entry, state, present, zone) for entry in found[:LONGEST_LIST]]
    tabs = [Tab(label, counts[s], f"{PAGE}?state={s.value}", s is state, s is Delivery.DEAD) for s, label in STATES.items()]
    can_retry_all = sum(row.can_retry for row in rows) > 1
    return Outbox(tabs, rows, STATES[state], _EMPTY[state], len(found) > LONGEST_LIST, can_retry_all)


def retry(session: Session, notification_id: int, actor: str) -> int:
    """Has one dead letter tried again; returns how many that was."""
    reference = queue.retry(session, notification_id, now())
    if reference is None:
        return 0
    audit.record(session, actor, "outbox.retry", reference)
    return 1


def retry_all(session: Session, actor: str) -> int:
    """Has every dead letter tried again; returns how many."""
    retried = queue.retry_all(session, now())
    if retried:
        audit.record(session, actor, "outbox.retry_all", str(retried))
    return retried


def _row(entry: Listed, state: Delivery, present: datetime, zone: ZoneInfo) -> OutboxRow:
    instant, label = {
        Delivery.SENT: (entry.sent_at or entry.created_at, "Envoyé"),
        Delivery.PENDING: (entry.not_before, "Prochain essai"),
        Delivery.DEAD: (entry.not_before, "Dernier essai"),
        Delivery.CANCELLED: (entry.created_at, "Écrit"),
    }[state]
    return OutboxRow(
        id=entry.id,
        kind=KINDS.get(entry.template, entry.template).replace(" :", f"{FIXED}:"),
        reference=entry.reference,
        recipient="webhook" if entry.channel is Channel.WEBHOOK else entry.recipient or "adresse effacée",
        moment=wording.moment(instant, present, zone),
        moment_label=label,
        tries=f"{entry.tries}{FIXED}essai{'s' if entry.tries > 1 else ''}" if entry.tries else "Pas encore essayé",
        error=entry.last_error or "",
        can_retry=state is Delivery.DEAD and entry.is_whole,
    )


def _said(retried: str) -> str:
    """What the status line says after a retry, out of the address; nothing where it says no number."""
    if not retried.isascii() or not retried.isdigit():
        return ""
    count = int(retried[:6])
    if count == 0:
        return f"Rien à réessayer{FIXED}: l'envoi a changé entre-temps."
    return f"C'est fait{FIXED}: {count}{FIXED}envoi{'s' if count > 1 else ''} repart{'ent' if count > 1 else ''} dans un instant."


async def _outbox(request: Request, staff: StaffSession) -> Response:
    wanted = request.query_params.get("state", "")
    state = Delivery(wanted) if wanted in set(Delivery) else Delivery.DEAD
    outbox = await database_of(request).run(overview, state, settings_of(request).zone)
    return render(request, "outbox.html", {"outbox": outbox, "done": _said(request.query_params.get("retried", ""))})


async def _retry(request: Request, staff: StaffSession) -> Response:
    retried = await database_of(request).run(retry, request.path_params["notification_id"], staff.staff.name)
    return RedirectResponse(f"{PAGE}?retried={retried}", status_code=303)


async def _retry_all(request: Request, staff: StaffSession) -> Response:
    retried = await database_of(request).run(retry_all, staff.staff.name)
    return RedirectResponse(f"{PAGE}?retried={retried}", status_code=303)


routes = [
    staff_page("/outbox", _outbox, permission=Permission.OUTBOX),
    staff_page("/outbox/retry", _retry_all, ("POST",), Permission.OUTBOX),
    staff_page("/outbox/{notification_id:int}/retry", _retry, ("POST",), Permission.OUTBOX),
]
