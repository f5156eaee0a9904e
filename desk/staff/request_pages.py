"""The list of requests, one request's page, and what is done with it there."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy.orm import Session
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from desk.db import now
from desk.models import Answer, Staff, StaffSession, Ticket
from desk.settings import Settings
from desk.staff import canned, listing, presence, protection, reading, schedule, wording
from desk.staff.listing import Choice
from desk.staff.live import events_of
from desk.staff.permissions import Permission
from desk.staff.protection import HOME
from desk.staff.reading import Detail
from desk.staff.schedule import Schedule
from desk.staff.shell import database_of, message, render, settings_of, staff_page
from desk.tickets import service, work
from desk.tickets.references import as_reference

Move = Callable[[Session, str, Staff, int, Settings], Ticket]
MOVES: dict[str, Move] = {
    "claim": work.claim,
    "release": work.release,
    "take_over": work.take_over,
    "wait": work.wait_for_visitor,
    "resume": work.resume,
    "close": work.close,
    "reopen": work.reopen,
    "spam": work.mark_spam,
    "not_spam": work.not_spam,
}


@dataclass(frozen=True)
class Typed:
    """What somebody had typed into the page that was refused or is being filled in: it is shown again, so that nothing is lost."""

    move: str = ""
    text: str = ""
    note: str = ""
    to: str = ""
    canned: str = ""

    @property
    def missing(self) -> list[str]:
        """Variables that still stand in the answer."""
        return canned.missing(self.text)


# ---------------------------------------------------------------- the list


async def _list(request: Request, staff: StaffSession) -> Response:
    wanted = request.query_params.get("reference", "").strip()[:40]
    found = await _with_reference(request, wanted)
    if found:
        return RedirectResponse(f"/desk/requests/{found}", status_code=303)
    return await _listing(request, staff, Choice.read(request.query_params), not_found=wanted)


async def _search(request: Request, staff: StaffSession) -> Response:
    """Searching is a POST: a name or a number in an address would stay in histories and logs."""
    if request.method != "POST":
        return RedirectResponse(HOME, status_code=303)
    text = request.state.form.get("q", "").strip()
    found = await _with_reference(request, text)
    if found:
        return RedirectResponse(f"/desk/requests/{found}", status_code=303)
    return await _listing(request, staff, Choice.read(request.state.form, text))


async def _listing(request: Request, staff: StaffSession, choice: Choice, not_found: str = "") -> Response:
    shown = await database_of(request).run(listing.listing, choice, staff.staff, settings_of(request).zone, not_found)
    return render(request, "list.html", {"list": shown})


async def _with_reference(request: Request, text: str) -> str | None:
    reference = as_reference(text)
    ticket = await database_of(request).run(service.by_reference, reference) if reference else None
    return ticket.reference if ticket else None


# ---------------------------------------------------------------- one request


async def _request(request: Request, staff: StaffSession) -> Response:
    typed = Typed(canned=request.query_params.get("canned", "")[:9])
    return await _page(request, staff, typed, done=request.query_params.get("done", ""))


async def _print(request: Request, staff: StaffSession) -> Response:
    reference, settings = as_reference(request.path_params["reference"]), settings_of(request)
    detail = await database_of(request).run(reading.read_request, reference, staff.staff, settings, action="ticket.print") if reference else None
    return render(request, "print.html", {"detail": detail, "row": detail.row}) if detail else _no_such_request(request)


async def _compose(request: Request, staff: StaffSession) -> Response:
    """Puts a canned reply into the answer, after what was typed already. A POST, so that what was typed is in no address."""
    form = request.state.form
    return await _page(request, staff, Typed("compose", form.get("text", ""), canned=form.get("canned", "")))


async def _page(request: Request, staff: StaffSession, typed: Typed, refused: str = "", status: int = 200, done: str = "") -> Response:
    """The request's page; with ``refused``, why what was asked was not done, and what was typed."""
    reference, settings = as_reference(request.path_params["reference"]), settings_of(request)
    opened = await database_of(request).run(_open, reference, staff, settings) if reference else None
    if opened is None:
        return _no_such_request(request)
    detail, appointments, is_news = opened
    if is_news:
        events_of(request).publish("presence", detail.row.reference)
    if typed.canned and not refused:
        begun = next((choice.text for choice in detail.canned if str(choice.id) == typed.canned), "")
        typed = replace(typed, text="\n\n".join(part for part in (typed.text.strip(), begun) if part))
    said = wording.done(done, detail.row.owner or "") if done and detail.last == (staff.staff.name, f"ticket.{done}") else ""
    if said and done == "undo" and detail.answers and detail.answers[-1].is_undone:
        typed = replace(typed, text=detail.answers[-1].text)  # taken back to be corrected
    context = {
        "detail": detail,
        "row": detail.row,
        "schedule": appointments,
        "done": said,
        "typed": typed,
        "refused": refused,
        "longest_note": work.LONGEST_NOTE,
        "longest_answer": work.LONGEST_ANSWER,
        "undo_seconds": f"{settings.undo_seconds:g}",
        "reopen_days": f"{settings.reopen_days:g}",
    }
    return render(request, "request.html", context, status)


def _open(session: Session, reference: str, staff: StaffSession, settings: Settings) -> tuple[Detail, Schedule | None, bool] | None:
    """What the page shows, and whether others now see that it is open."""
    detail = reading.read_request(session, reference, staff.staff, settings)
    if detail is None:
        return None
    appointments = schedule.read_schedule(session, reference, staff.staff, settings, now())
    return detail, appointments, presence.renew(session, detail.id, staff.staff_id, False, now())


# ---------------------------------------------------------------- what is done with it


def _move(name: str) -> Callable[[Request, StaffSession], Awaitable[Response]]:
    """The page that makes one move."""

    async def move(request: Request, staff: StaffSession) -> Response:
        return await _do(request, staff, Typed(name), MOVES[name], version=True)

    return move


async def _transfer(request: Request, staff: StaffSession) -> Response:
    form = request.state.form
    typed = Typed("transfer", note=form.get("note", ""), to=form.get("to", ""))
    return await _do(request, staff, typed, _hand_over, _number(typed.to), typed.note, version=True)


def _hand_over(session: Session, reference: str, actor: Staff, to: int, note: str, seen_version: int, settings: Settings) -> Ticket:
    receiver = session.get(Staff, to)
    if receiver is None:
        raise work.CannotReceive("Cette personne")
    return work.transfer(session, reference, actor, receiver, note, seen_version, settings)


async def _answer(request: Request, staff: StaffSession) -> Response:
    typed = Typed("answer", request.state.form.get("text", ""))
    return await _do(request, staff, typed, _write, typed.text, version=True)


def _write(session: Session, reference: str, actor: Staff, text: str, seen_version: int, settings: Settings) -> Answer:
    ticket = service.by_reference(session, reference)
    filled = canned.fill(text, canned.values_for(ticket.name if ticket else None, reference, settings.clinic_name, settings.clinic_phone))
    if filled.missing:
        raise canned.Unfilled(filled.missing)
    return work.answer(session, reference, actor, filled.text, seen_version, settings)


async def _note(request: Request, staff: StaffSession) -> Response:
    typed = Typed("note", note=request.state.form.get("note", ""))
    return await _do(request, staff, typed, work.add_note, typed.note)


async def _undo(request: Request, staff: StaffSession) -> Response:
    number = _number(request.state.form.get("undo", ""))

    def take_back(session: Session, reference: str, actor: Staff) -> Ticket:
        return work.undo(session, number, actor)

    return await _do(request, staff, Typed("undo"), take_back)


async def _do(request: Request, staff: StaffSession, typed: Typed, function: Callable[..., Any], *args: Any, version: bool = False) -> Response:
    """Does what was asked and leads back to the page; what cannot be done is said on the page itself, with everything that was typed."""
    reference = as_reference(request.path_params["reference"])
    if reference is None:
        return _no_such_request(request)
    seen = (_number(request.state.form.get("version", "")), settings_of(request)) if version else ()
    try:
        result = await database_of(request).run(function, reference, staff.staff, *args, *seen)
    except work.NoSuchTicket:
        return _no_such_request(request)
    except work.StateChanged as error:
        if typed.text or typed.note:
            return await _page(request, staff, typed, _who_was_faster(error, settings_of(request)), 409)
        change = reading.event(error.by, error.action, error.at, settings_of(request).zone) if error.by and error.action and error.at else None
        return render(request, "changed.html", {"reference": reference, "change": change}, 409)
    except (service.TicketError, canned.Unfilled) as error:
        text, status = _why_not(error)
        return await _page(request, staff, typed, text, status)
    now_at = result.reference if isinstance(result, Ticket) else reference  # a follow-up is another request
    done = typed.move if now_at == reference else "open"
    for changed in {reference, now_at}:
        events_of(request).publish(f"ticket.{typed.move}", changed)
    return RedirectResponse(f"/desk/requests/{now_at}?done={done}", status_code=303)


def _who_was_faster(error: work.StateChanged, settings: Settings) -> str:
    change = reading.event(error.by, error.action, error.at, settings.zone) if error.by and error.action and error.at else None
    last = f" Dernier changement{wording.FIXED}: {change.what.lower()}, par {change.who}, {change.at.short}." if change else ""
    return f"Cette demande a changé entre-temps\u00a0: rien n'a été enregistré.{last} Votre texte est gardé ci-dessous."


def _why_not(error: Exception) -> tuple[str, int]:
    """What a refusal says, and its status."""
    match error:
        case canned.Unfilled():
            return f"La réponse n'est pas partie{wording.FIXED}: il reste à compléter {', '.join('{' + name + '}' for name in error.missing)}.", 400
        case work.NotYours():
            return f"C'est {error.owner} qui suit cette demande. Rien n'a été enregistré.", 403
        case work.NotAllowed():
            return (
                f"Ce n'est pas possible pour une demande dans l'état «{wording.FIXED}{wording.STATES[error.state]}{wording.FIXED}», ou pas avec votre rôle.",
                409,
            )
        case work.CannotReceive():
            return f"{error.name} ne peut pas recevoir cette demande. Choisissez quelqu'un d'autre.", 400
        case work.NoWayToAnswer():
            return "Ce visiteur n'a pas laissé d'adresse e-mail et sa conversation est terminée. Appelez-le.", 409
        case work.EmptyText():
            return "Il n'y a rien d'écrit.", 400
        case work.TextTooLong():
            return f"C'est trop long{wording.FIXED}: {work.LONGEST_ANSWER} caractères au plus pour une réponse, {work.LONGEST_NOTE} pour une note.", 400
        case work.TooLate():
            return "Trop tard pour annuler\u00a0: le délai est passé, ou c'est déjà parti.", 409
        case _:
            return "Cela n'a pas pu être fait. Rien n'a été modifié.", 409


def _number(value: str) -> int:
    if not re.fullmatch(r"[0-9]{1,9}", value):
        raise protection.BadForm
    return int(value)


def _no_such_request(request: Request) -> Response:
    return message(request, 404, "Demande introuvable", f"Aucune demande ne porte cette référence. Vérifiez-la{wording.FIXED}: elle s'écrit RDV-7K4M-2Q.")


def _route(path: str, page: Callable[[Request, StaffSession], Awaitable[Response]]) -> Route:
    return staff_page(f"/requests/{{reference}}/{path}", page, ("POST",), Permission.WORK_REQUESTS)


routes = [
    staff_page("/", _list, permission=Permission.READ_REQUESTS),
    staff_page("/search", _search, ("GET", "POST"), Permission.READ_REQUESTS),
    staff_page("/requests/{reference}", _request, permission=Permission.READ_REQUESTS),
    staff_page("/requests/{reference}/print", _print, permission=Permission.READ_REQUESTS),
    *(_route(name, _move(name)) for name in MOVES),
    _route("transfer", _transfer),
    _route("compose", _compose),
    _route("answer", _answer),
    _route("note", _note),
    _route("undo", _undo),
]
