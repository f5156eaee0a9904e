"""Agreeing, moving and cancelling appointments; the agenda; the clinicians."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import date

from sqlalchemy.orm import Session
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from desk.appointments import clinicians, service
from desk.appointments.clinicians import ClinicianError, NoSuchClinician
from desk.appointments.service import BookingError, OutsideHours, Wish
from desk.appointments.times import BadMoment, read_clock, read_day
from desk.db import now
from desk.models import Clinician, StaffSession
from desk.staff import protection, schedule, wording
from desk.staff.live import events_of
from desk.staff.permissions import Permission
from desk.staff.schedule import BookingForm, Typed
from desk.staff.shell import database_of, message, render, settings_of, staff_page
from desk.tickets import work
from desk.tickets.references import as_reference
from desk.tickets.service import TicketError

CLINICIANS = "/desk/clinicians"
DAYS = 14  # of an agenda's page
_CLINICIANS_DONE = {
    "added": "C'est fait\u00a0: le praticien est ajouté.",
    "renamed": "C'est fait\u00a0: le nom est changé.",
    "active": "C'est fait\u00a0: ce praticien prend de nouveau des rendez-vous.",
    "inactive": "C'est fait\u00a0: ce praticien ne prend plus de nouveaux rendez-vous.",
}


# ---------------------------------------------------------------- a request's appointments


async def _form_page(request: Request, staff: StaffSession) -> Response:
    reference = as_reference(request.path_params["reference"])
    return await _shown(request, staff, reference) if reference else _no_such_request(request)


async def _book(request: Request, staff: StaffSession) -> Response:
    reference, _, version = _asked(request)
    if reference is None:
        return _no_such_request(request)
    settings, at = settings_of(request), now()

    def book(session: Session, wish: Wish) -> None:
        service.book(session, reference, staff.staff, version, wish, settings, at)

    return await _agreed(request, staff, reference, None, book, "book")


async def _move(request: Request, staff: StaffSession) -> Response:
    reference, meeting, version = _asked(request)
    if reference is None:
        return _no_such_request(request)
    settings, at = settings_of(request), now()

    def move(session: Session, wish: Wish) -> None:
        service.move(session, reference, meeting, staff.staff, version, wish, settings, at)

    return await _agreed(request, staff, reference, meeting, move, "rebook")


async def _cancel(request: Request, staff: StaffSession) -> Response:
    reference, meeting, version = _asked(request)
    if reference is None:
        return _no_such_request(request)
    try:
        await database_of(request).run(service.cancel, reference, meeting, staff.staff, version, settings_of(request), now())
    except BookingError as error:
        return await _shown(request, staff, reference, fault=str(error))
    except TicketError as error:
        return await _shown(request, staff, reference, fault=_said(error))
    return _done(request, reference, "unbook")


async def _agreed(request: Request, staff: StaffSession, reference: str, meeting: int | None, act: Callable[[Session, Wish], None], done: str) -> Response:
    """Books or moves as the form says; what cannot be taken is shown again with the reason."""
    form = request.state.form
    typed = BookingForm(*(form.get(name, "").strip()[:80] for name in ("clinician", "day", "clock", "minutes", "zone")))
    try:
        await database_of(request).run(act, _wish(typed, "outside" in form))
    except OutsideHours as error:
        return await _shown(request, staff, reference, Typed(replace(typed, fault=str(error), asks_outside=True), meeting))
    except (BookingError, BadMoment) as error:
        return await _shown(request, staff, reference, Typed(replace(typed, fault=str(error), asks_outside="outside" in form), meeting))
    except TicketError as error:
        return await _shown(request, staff, reference, Typed(typed, meeting), fault=_said(error))
    return _done(request, reference, done)


def _done(request: Request, reference: str, done: str) -> Response:
    """Back to the request's page, which says so; open pages are told."""
    events_of(request).publish(f"ticket.{done}", reference)
    return RedirectResponse(f"/desk/requests/{reference}?done={done}", status_code=303)


def _wish(typed: BookingForm, is_outside_meant: bool) -> Wish:
    if not re.fullmatch(r"[0-9]{1,9}", typed.clinician):
        raise service.NoClinician("Choisissez un praticien.")
    if not re.fullmatch(r"[0-9]{1,4}", typed.minutes):
        raise service.BadLength("Indiquez la durée en minutes, par exemple 30.")
    return Wish(int(typed.clinician), read_day(typed.day), read_clock(typed.clock), int(typed.minutes), typed.zone, is_outside_meant)


def _said(error: TicketError) -> str:
    """Why nothing was changed."""
    match error:
        case work.StateChanged(by=str(name)):
            return f"La demande a changé entre-temps (par {wording.doer(name)}). Rien n'a été enregistré\u00a0: vérifiez ci-dessous, puis recommencez."
        case work.NotYours(owner=owner) if owner:
            return f"{owner} suit cette demande\u00a0: seule cette personne peut en fixer les rendez-vous. Rien n'a été enregistré."
        case work.StateChanged():
            return "La demande a changé entre-temps. Rien n'a été enregistré\u00a0: vérifiez ci-dessous, puis recommencez."
        case _:
            return "Ce n'est plus possible dans l'état où est la demande. Rien n'a été enregistré."


def _asked(request: Request) -> tuple[str | None, int, int]:
    """Reference, number of the appointment (0 where the address names none), and the version that the page showed."""
    version = request.state.form.get("version", "")
    if not re.fullmatch(r"[0-9]{1,9}", version):
        raise protection.BadForm
    return as_reference(request.path_params["reference"]), request.path_params.get("meeting", 0), int(version)


async def _shown(request: Request, staff: StaffSession, reference: str, typed: Typed | None = None, fault: str = "") -> Response:
    """A page with the appointments alone: after something that could not be done, and for who follows the link to book."""
    found = await database_of(request).run(schedule.read_schedule, reference, staff.staff, settings_of(request), now(), typed)
    if found is None:
        return _no_such_request(request)
    status = 409 if fault else 400 if typed else 200
    return render(request, "appointment.html", {"schedule": found, "fault": fault}, status)


def _no_such_request(request: Request) -> Response:
    return message(request, 404, "Demande introuvable", "Aucune demande ne porte cette référence, ou ses données ont été effacées.")


# ---------------------------------------------------------------- the agenda


async def _agenda(request: Request, staff: StaffSession) -> Response:
    settings = settings_of(request)
    try:
        first = date.fromisoformat(request.query_params.get("from", ""))
    except ValueError:
        first = now().astimezone(settings.zone).date()
    if not 2000 <= first.year <= 2100:
        first = now().astimezone(settings.zone).date()
    return render(request, "agenda.html", {"agenda": await database_of(request).run(schedule.read_agenda, first, DAYS, settings)})


# ---------------------------------------------------------------- clinicians


async def _clinicians(request: Request, staff: StaffSession) -> Response:
    return await _list_of_clinicians(request)


async def _add_clinician(request: Request, staff: StaffSession) -> Response:
    name = request.state.form.get("name", "")[:200]
    try:
        await database_of(request).run(clinicians.add, staff.staff.name, name)
    except ClinicianError as error:
        return await _list_of_clinicians(request, {"name": name, "fault": str(error), "of": 0})
    return RedirectResponse(f"{CLINICIANS}?done=added", status_code=303)


async def _rename_clinician(request: Request, staff: StaffSession) -> Response:
    clinician_id, name = request.path_params["clinician"], request.state.form.get("name", "")[:200]
    try:
        await database_of(request).run(clinicians.rename, staff.staff.name, clinician_id, name)
    except NoSuchClinician as error:
        return message(request, 404, "Praticien introuvable", str(error))
    except ClinicianError as error:
        return await _list_of_clinicians(request, {"name": name, "fault": str(error), "of": clinician_id})
    return RedirectResponse(f"{CLINICIANS}?done=renamed", status_code=303)


async def _activate_clinician(request: Request, staff: StaffSession) -> Response:
    wanted = request.state.form.get("active", "")
    if wanted not in ("yes", "no"):
        raise protection.BadForm
    try:
        await database_of(request).run(clinicians.set_active, staff.staff.name, request.path_params["clinician"], wanted == "yes")
    except NoSuchClinician as error:
        return message(request, 404, "Praticien introuvable", str(error))
    return RedirectResponse(f"{CLINICIANS}?done={'active' if wanted == 'yes' else 'inactive'}", status_code=303)


async def _list_of_clinicians(request: Request, typed: Mapping[str, object] | None = None) -> Response:
    def read(session: Session) -> list[tuple[Clinician, int]]:
        coming = clinicians.coming(session, now())
        return [(person, coming.get(person.id, 0)) for person in clinicians.everybody(session)]

    context = {
        "people": await database_of(request).run(read),
        "typed": typed,
        "done": None if typed else _CLINICIANS_DONE.get(request.query_params.get("done", "")),
        "longest": clinicians.LONGEST,
    }
    return render(request, "clinicians.html", context, 400 if typed else 200)


_OF_REQUEST = "/requests/{reference}/appointments"
routes = [
    staff_page(_OF_REQUEST, _form_page, permission=Permission.READ_REQUESTS),
    staff_page(f"{_OF_REQUEST}/book", _book, ("POST",), Permission.WORK_REQUESTS),
    staff_page(f"{_OF_REQUEST}/{{meeting:int}}/move", _move, ("POST",), Permission.WORK_REQUESTS),
    staff_page(f"{_OF_REQUEST}/{{meeting:int}}/cancel", _cancel, ("POST",), Permission.WORK_REQUESTS),
    staff_page("/appointments", _agenda, permission=Permission.READ_REQUESTS),
    staff_page("/clinicians", _clinicians, permission=Permission.HOURS),
    staff_page("/clinicians/add", _add_clinician, ("POST",), Permission.HOURS),
    staff_page("/clinicians/{clinician:int}/rename", _rename_clinician, ("POST",), Permission.HOURS),
    staff_page("/clinicians/{clinician:int}/active", _activate_clinician, ("POST",), Permission.HOURS),
]
