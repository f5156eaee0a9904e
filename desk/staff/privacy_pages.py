"""What a person may ask for: to know what is kept of them, to have it, to have it erased."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from anyio import to_thread
from sqlalchemy import select
from sqlalchemy.orm import Session
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from bot.fields import SUBJECTS
from desk import audit, retention
from desk.chat.rasa import AssistantError
from desk.chat.turns import Turns
from desk.db import now
from desk.models import Backup, ErasureProof, StaffSession, Ticket
from desk.privacy import backups, erasure, finding, words
from desk.privacy.erased import Erased
from desk.privacy.export import archive, export, file_name
from desk.privacy.finding import Found, Sought
from desk.privacy.holdings import Chosen, Holdings, gather
from desk.settings import Settings
from desk.staff import outbox_pages, wording
from desk.staff.live import events_of
from desk.staff.permissions import Permission
from desk.staff.shell import database_of, message, render, settings_of, staff_page
from desk.staff.wording import Moment

PAGE, PERSON = "/desk/privacy", "/desk/privacy/person"
PROOFS_SHOWN = 20
RASA_SILENT = (
    "L'assistant ne répond pas\u00a0: ce qu'il garde de la conversation ne peut pas être effacé maintenant. Le bureau n'a donc rien effacé non plus. "
    "Réessayez dans quelques minutes."
)


@dataclass(frozen=True)
class ProofRow:
    """An erasure as the list shows it."""

    id: int
    at: Moment
    who: str
    reason: str
    amounts: Sequence[tuple[str, int]]


@dataclass(frozen=True)
class RequestRow:
    """A request that a search found, or that will be given out or erased."""

    reference: str
    name: str
    contacts: Sequence[str]
    state: str
    received: Moment
    subject: str
    why: Sequence[str] = ()
    is_sure: bool = False


# ---------------------------------------------------------------- looking


async def _overview(request: Request, staff: StaffSession) -> Response:
    return await _start(request)


async def _start(request: Request, refused: str = "", status: int = 200) -> Response:
    """The search, what the next run of the retention erases, backups, and the last erasures."""
    database, settings, present = database_of(request), settings_of(request), now()
    plan = await to_thread.run_sync(retention.planned, database, settings, present)

    def read(session: Session) -> tuple[list[ProofRow], list[tuple[str, Moment, Moment]]]:
        by_people = select(ErasureProof).where(ErasureProof.reason != erasure.RETENTION).order_by(ErasureProof.id.desc()).limit(PROOFS_SHOWN)
        kept = [b for b in backups.listed(session, backups.folder_of(settings)) if b.deleted_at is None]
        shown = [(b.name, wording.moment(b.at, present, settings.zone), wording.moment(b.until, present, settings.zone)) for b in kept]
        return [_proof_row(proof, settings) for proof in session.scalars(by_people)], shown

    proofs, kept = await database.run(read)
    context = {"plan": plan, "planned": words.amounts(plan.counts), "settings": settings, "proofs": proofs, "backups": kept, "refused": refused}
    return render(request, "privacy.html", context, status)


async def _search(request: Request, staff: StaffSession) -> Response:
    text = request.state.form.get("text", "").strip()[: finding.LONGEST_TEXT]
    sought = finding.read(text)
    if sought == Sought():
        return await _start(request, "Écrivez une référence, un nom, un numéro de téléphone ou une adresse e-mail.", 400)
    database, settings, present = database_of(request), settings_of(request), now()
    found = await finding.find(database, text, present)
    proofs = await database.run(_searched, staff.staff.name, sought, found, settings)
    context = {
        "text": text,
        "requests": [_request_row(e.ticket, settings, [words.WHY[w] for w in e.why], e.is_sure) for e in found.requests],
        "texts": [(t.key, words.TEXTS[t.kind], t.reference, t.excerpt) for t in found.texts],
        "found": found,
        "proofs": proofs,
    }
    return render(request, "privacy_found.html", context)


def _searched(session: Session, actor: str, sought: Sought, found: Found, settings: Settings) -> list[ProofRow]:
    """Writes the search down, never its words, and returns earlier erasures of the same person."""
    audit.record(session, actor, "privacy.search", f"{len(found.requests)} demandes, {len(found.texts)} textes")
    for entry in found.requests:
        audit.record(session, actor, "privacy.found", entry.ticket.reference)
    return [_proof_row(proof, settings) for proof in erasure.proofs_about(session, sought.references, sought.emails, sought.phones, sought.names)]


async def _person(request: Request, staff: StaffSession) -> Response:
    """What is kept of what was chosen, by kind and count, and what can be done with it. The address names references and numbers only."""
    chosen = Chosen.read(request.query_params.getlist("of"))
    return await _shown(request, staff, chosen) if chosen else await _start(request, "Cochez au moins une demande ou un texte.", 400)


async def _shown(request: Request, staff: StaffSession, chosen: Chosen, refused: str = "", status: int = 200) -> Response:
    settings, present = settings_of(request), now()

    def read(session: Session) -> dict[str, Any]:
        held = gather(session, chosen)
        for ticket in held.tickets:
            audit.record(session, staff.staff.name, "privacy.view", ticket.reference)
        if not held.is_empty and not held.tickets:
            audit.record(session, staff.staff.name, "privacy.view", f"{len(chosen.keys)} textes")
        return _context(session, held, chosen, settings)

    context = await database_of(request).run(read)
    if context["is_empty"]:
        return message(request, status if refused else 404, "Plus rien à montrer", refused or "Il ne reste rien de ce que vous aviez choisi.")
    return render(request, "privacy_person.html", context | {"refused": refused, "read_at": wording.moment(present, present, settings.zone)}, status)


def _context(session: Session, held: Holdings, chosen: Chosen, settings: Settings) -> dict[str, Any]:
    present, zone = now(), settings.zone
    coming = [(a.ticket.reference, wording.moment(a.starts_at, present, zone), a.clinician.name, bool(a.ticket.email)) for a in held.coming(present)]
    others = [*chosen.keys, *held.others]
    return {
        "is_empty": held.is_empty,
        "requests": [_request_row(ticket, settings) for ticket in held.tickets],
        "amounts": words.amounts(held.counts),
        "others": held.others,
        "with_others": f"{PERSON}?{urlencode([('of', key) for key in others])}",
        "coming": coming,
        "can_tell": any(has_email for *_, has_email in coming),
        "backups": _backups_of(session, held, settings),
        "of": " ".join(chosen.keys),
        "stamp": held.stamp,
        "reasons": [(code, words.REASONS[code]) for code in words.OFFICERS_REASONS],
        "anyway": erasure.ANYWAY,
    }


# ---------------------------------------------------------------- giving out and erasing


async def _export(request: Request, staff: StaffSession) -> Response:
    chosen, settings, present = _chosen(request), settings_of(request), now()
    held, document = await database_of(request).run(export, chosen, staff.staff.name, settings, present)
    if held.is_empty:
        return message(request, 404, "Plus rien à exporter", "Il ne reste rien de ce que vous aviez choisi.")
    packed = archive(document, request.app.state.templates.env, settings.zone, LABELS)
    name = file_name(present.astimezone(settings.zone), [ticket.reference for ticket in held.tickets])
    return Response(packed, headers={"Content-Type": "application/zip", "Content-Disposition": f'attachment; filename="{name}"'})


async def _erase(request: Request, staff: StaffSession) -> Response:
    form, chosen, settings = request.state.form, _chosen(request), settings_of(request)
    turns: Turns = request.app.state.turns
    reason = form.get("reason", "")
    try:
        erasure.check_confirmation(chosen, form.get("confirmation", ""))
        if reason not in words.OFFICERS_REASONS:
            raise erasure.NotConfirmed("Choisissez pourquoi ces données sont effacées. Rien n'a été effacé.")
        spoken_in = await database_of(request).run(lambda session: gather(session, chosen).conversation_ids)

        def erase(session: Session) -> Erased:
            tells_visitor = form.get("tell") == "yes"
            return erasure.erase(session, chosen, spoken_in, staff.staff.name, reason, form.get("stamp", ""), settings, tells_visitor=tells_visitor)

        erased = await turns.erase_together(spoken_in, erase)
    except erasure.NotConfirmed as error:
        return await _shown(request, staff, chosen, str(error), 400)
    except erasure.ErasureError as error:
        return await _shown(request, staff, chosen, str(error), 409)
    except AssistantError:
        return await _shown(request, staff, chosen, RASA_SILENT, 503)
    for reference in erased.references:
        events_of(request).publish("ticket.erase", reference)
    return RedirectResponse(f"{PAGE}/proofs/{erased.proof_id}", status_code=303)


async def _proof(request: Request, staff: StaffSession) -> Response:
    settings = settings_of(request)

    def read(session: Session) -> tuple[ProofRow, list[tuple[str, Moment]]] | None:
        proof = session.get(ErasureProof, request.path_params["proof_id"])
        if proof is None:
            return None
        present = now()
        older = session.scalars(select(Backup).where(Backup.deleted_at.is_(None), Backup.at <= proof.at).order_by(Backup.until))
        return _proof_row(proof, settings), [(b.name, wording.moment(b.until, present, settings.zone)) for b in older]

    shown = await database_of(request).run(read)
    if shown is None:
        return message(request, 404, "Effacement introuvable", "Aucun effacement ne porte ce numéro.")
    return render(request, "privacy_proof.html", {"proof": shown[0], "backups": shown[1]})


# ---------------------------------------------------------------- rows


def _chosen(request: Request) -> Chosen:
    return Chosen.read(request.state.form.get("of", "").split())


def _request_row(ticket: Ticket, settings: Settings, why: Sequence[str] = (), is_sure: bool = False) -> RequestRow:
    contacts = [wording.phone_link(ticket.phone).text] if ticket.phone else []
    return RequestRow(
        reference=ticket.reference,
        name=ticket.name or "",
        contacts=[*contacts, *([ticket.email] if ticket.email else [])],
        state=wording.STATES[ticket.state],
        received=wording.moment(ticket.created_at, now(), settings.zone),
        subject=SUBJECTS.get(ticket.subject, ticket.subject),
        why=why,
        is_sure=is_sure,
    )


def _proof_row(proof: ErasureProof, settings: Settings) -> ProofRow:
    at = wording.moment(proof.at, now(), settings.zone)
    return ProofRow(proof.id, at, wording.actor(proof.actor), words.REASONS.get(proof.reason, proof.reason), words.amounts(proof.counts))


def _backups_of(session: Session, held: Holdings, settings: Settings) -> list[tuple[str, Moment]]:
    present = now()
    return [(b.name, wording.moment(b.until, present, settings.zone)) for b in backups.holding(session, held.since, present)] if held.since else []


LABELS: Mapping[str, Any] = {
    "states": {state.value: label for state, label in wording.STATES.items()},
    "actions": wording.actions(),
    "actors": {name: wording.actor(name) for name in (audit.VISITOR, audit.SYSTEM)},
    "mails": outbox_pages.KINDS,
    "deliveries": {"pending": "pas encore parti", "sent": "parti", "dead": "jamais arrivé", "cancelled": "retenu avant de partir"},
    "senders": {"visitor": "Vous", "bot": "Assistant automatique", "human": "Équipe", "system": "Système"},
    "texts": words.TEXTS,
}

routes = [
    staff_page("/privacy", _overview, permission=Permission.PRIVACY),
    staff_page("/privacy/search", _search, ("POST",), Permission.PRIVACY),
    staff_page("/privacy/person", _person, permission=Permission.PRIVACY, confirmed=True),
    staff_page("/privacy/export", _export, ("POST",), Permission.PRIVACY, confirmed=True),
    staff_page("/privacy/erase", _erase, ("POST",), Permission.PRIVACY, confirmed=True),
    staff_page("/privacy/proofs/{proof_id:int}", _proof, permission=Permission.PRIVACY),
]
