"""Everything that the desk holds of what was chosen, as a file for machines and as a page for people (GDPR, articles 15 and 20)."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from jinja2 import Environment
from sqlalchemy import select
from sqlalchemy.orm import Session

from bot.fields import SUBJECTS
from desk import audit
from desk.models import Answer, Appointment, AuditEntry, Conversation, Note, Notification, Ticket
from desk.outbox.queue import TO_VISITOR
from desk.privacy import backups
from desk.privacy.holdings import Chosen, Holdings, gather
from desk.settings import Settings

FORMAT = "passerelle.person-export/1"
JSON_NAME, PAGE_NAME = "donnees.json", "donnees.html"
# What each key holds. Part of the file: whoever opens it in ten years has it too.
KEYS: Mapping[str, str] = {
    "format": "nom et version de ce format",
    "made_at": "moment de l'export (ISO 8601, UTC, comme tous les moments)",
    "made_by": "membre de l'équipe qui a fait l'export",
    "clinic": "établissement responsable",
    "keys": "ce tableau",
    "requests": "demandes de consultation",
    "requests[].reference": "référence de la demande",
    "requests[].state": "état : waiting, claimed, pending_visitor, booked, closed, expired, cancelled ou spam",
    "requests[].received_at": "moment de la réception",
    "requests[].closed_at": "moment de la clôture, ou null",
    "requests[].name": "nom donné",
    "requests[].email": "adresse e-mail donnée, ou null",
    "requests[].phone": "numéro de téléphone donné (E.164), ou null",
    "requests[].windows": "moments souhaités, dans les mots de la personne",
    "requests[].subject": "sujet choisi : code",
    "requests[].consent": "version du texte accepté, et moment de l'accord",
    "requests[].transcript_allowed": "si la personne a permis à l'équipe de lire la conversation",
    "requests[].conversation": "numéro de la conversation dont elle vient, ou null",
    "requests[].follows": "référence de la demande dont elle prend la suite, ou null",
    "requests[].assignee": "membre de l'équipe qui la suit, ou null",
    "requests[].answers": "réponses écrites à la personne ; undone_at : annulée avant de partir",
    "requests[].notes": "notes que l'équipe a prises",
    "requests[].appointments": "rendez-vous : state vaut booked ou cancelled",
    "requests[].mails": "envois au sujet de la demande ; le destinataire et le contenu sont effacés dès l'envoi",
    "requests[].history": "journal : qui a fait, lu ou exporté quoi, et quand",
    "conversations": "conversations avec l'assistant",
    "conversations[].id": "numéro de la conversation",
    "conversations[].form": "formulaire commencé et pas encore envoyé, ou null",
    "conversations[].messages": "messages ; from vaut visitor, bot, human ou system",
    "mentions": "textes qui nomment la personne ailleurs : kind vaut note, answer ou question",
    "letters": "envois qui n'appartiennent à aucune demande",
    "backups": "sauvegardes de la base qui peuvent contenir ces données, et jour où chacune est supprimée",
}


def export(session: Session, chosen: Chosen, actor: str, settings: Settings, at: datetime) -> tuple[Holdings, dict[str, Any]]:
    """Collects everything of what was chosen; written to the audit trail for each request.

    Args:
        session: the transaction.
        chosen: what is to be given out.
        actor: name of the staff member.
        settings: for the clinic's name.
        at: the present.

    Returns:
        What was found, and the document: JSON values only, described by its own ``keys``.
    """
    held = gather(session, chosen)
    for ticket in held.tickets:
        audit.record(session, actor, "ticket.export", ticket.reference)
    if not held.is_empty:
        audit.record(session, actor, "privacy.export", f"{len(held.tickets)} demandes, {len(held.conversations)} conversations")
    since = held.since
    return held, {
        "format": FORMAT,
        "made_at": _instant(at),
        "made_by": actor,
        "clinic": settings.clinic_name,
        "requests": [_request(session, ticket) for ticket in held.tickets],
        "conversations": [_conversation(conversation) for conversation in held.conversations],
        "mentions": [
            *({"kind": "note", "at": _instant(note.at), "author": note.author, "text": note.text} for note in held.notes),
            *({"kind": "answer", "at": _instant(answer.at), "author": answer.author, "text": answer.text} for answer in held.answers),
            *({"kind": "question", "at": _instant(question.at), "author": None, "text": question.text} for question in held.questions),
        ],
        "letters": [_mail(letter) for letter in held.letters],
        "backups": [{"name": b.name, "at": _instant(b.at), "deleted_on": _instant(b.until)} for b in backups.holding(session, since, at)] if since else [],
        "keys": dict(KEYS),
    }


def archive(document: Mapping[str, Any], templates: Environment, zone: ZoneInfo, labels: Mapping[str, Any]) -> bytes:
    """The document as one ZIP file: JSON, and a page that needs nothing beside it.

    Args:
        document: of ``export``.
        templates: of the desk.
        zone: in which the page tells the time.
        labels: French words for its codes: ``states``, ``actions``, ``actors``, ``mails``, ``deliveries``.
    """
    page = templates.get_template("staff/privacy_export.html").render(
        document=document, subjects=SUBJECTS, moment=lambda text: f"{datetime.fromisoformat(text).astimezone(zone):%d/%m/%Y %H:%M}", zone=zone.key, **labels
    )
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr(JSON_NAME, json.dumps(document, ensure_ascii=False, indent=2))
        file.writestr(PAGE_NAME, page)
    return packed.getvalue()


def _request(session: Session, ticket: Ticket) -> dict[str, Any]:
    mails = session.scalars(select(Notification).where(Notification.ticket_id == ticket.id).order_by(Notification.id))
    history = session.scalars(select(AuditEntry).where(AuditEntry.subject == ticket.reference).order_by(AuditEntry.id))
    return {
        "reference": ticket.reference,
        "state": ticket.state.value,
        "received_at": _instant(ticket.created_at),
        "closed_at": _instant(ticket.closed_at),
        "name": ticket.name,
        "email": ticket.email,
        "phone": ticket.phone,
        "windows": ticket.windows,
        "subject": ticket.subject,
        "consent": {"version": ticket.consent_version, "at": _instant(ticket.consent_at)},
        "transcript_allowed": ticket.transcript_allowed,
        "conversation": ticket.conversation_id,
        "follows": session.scalar(select(Ticket.reference).where(Ticket.id == ticket.follows_id)) if ticket.follows_id else None,
        "assignee": ticket.assignee.name if ticket.assignee else None,
        "answers": [_answer(answer) for answer in ticket.answers],
        "notes": [_note(note) for note in ticket.notes],
        "appointments": [_appointment(appointment) for appointment in ticket.appointments],
        "mails": [_mail(mail) for mail in mails],
        "history": [{"at": _instant(entry.at), "who": entry.actor, "action": entry.action} for entry in history],
    }


def _answer(answer: Answer) -> dict[str, Any]:
    return {"at": _instant(answer.at), "author": answer.author, "text": answer.text, "undone_at": _instant(answer.undone_at)}


def _note(note: Note) -> dict[str, Any]:
    return {"at": _instant(note.at), "author": note.author, "text": note.text}


def _appointment(appointment: Appointment) -> dict[str, Any]:
    return {
        "state": appointment.state.value,
        "starts_at": _instant(appointment.starts_at),
        "minutes": appointment.minutes,
        "clinician": appointment.clinician.name,
        "visitor_zone": appointment.visitor_zone,
        "made_by": appointment.created_by,
        "made_at": _instant(appointment.created_at),
        "other_time_asked_at": _instant(appointment.other_time_asked_at),
        "calendar_id": appointment.uid,
    }


def _mail(mail: Notification) -> dict[str, Any]:
    """Staff's own addresses are not the person's data: only letters to the visitor are told whole."""
    is_theirs = mail.template in TO_VISITOR
    return {
        "channel": mail.channel.value,
        "template": mail.template,
        "state": mail.state.value,
        "written_at": _instant(mail.created_at),
        "sent_at": _instant(mail.sent_at),
        "recipient": mail.recipient if is_theirs else None,
        "values": mail.values if is_theirs else None,
    }


def _conversation(conversation: Conversation) -> dict[str, Any]:
    form = conversation.short_form
    return {
        "id": conversation.id,
        "started_at": _instant(conversation.created_at),
        "last_message_at": _instant(conversation.last_message_at),
        "form": form.get("values") if form else None,
        "messages": [{"at": _instant(m.at), "from": m.sender, "kind": m.kind, "text": m.text} for m in conversation.messages],
    }


def _instant(at: datetime | None) -> str | None:
    return at.isoformat(timespec="seconds") if at else None


def file_name(at: datetime, references: Sequence[str]) -> str:
    """Of the archive: a day and references, never a name."""
    return f"passerelle-{at:%Y-%m-%d}{'-' + references[0] if len(references) == 1 else ''}.zip"
