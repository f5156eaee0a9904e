"""The list of requests and one request's page."""

from __future__ import annotations

import re

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from desk.models import StaffSession
from desk.staff import protection, reading, wording
from desk.staff.permissions import Permission
from desk.staff.shell import database_of, message, render, staff_page
from desk.tickets import service
from desk.tickets.references import as_reference


async def _list(request: Request, staff: StaffSession) -> Response:
    wanted = request.query_params.get("reference", "").strip()[:40]
    if wanted:
        reference = as_reference(wanted)
        found = await database_of(request).run(service.by_reference, reference) if reference else None
        if found:
            return RedirectResponse(f"/desk/requests/{found.reference}", status_code=303)
    overview = await database_of(request).run(reading.overview)
    return render(request, "list.html", {"overview": overview, "not_found": wanted, "count": wording.count_open(overview.open_count)})


async def _request(request: Request, staff: StaffSession) -> Response:
    reference = as_reference(request.path_params["reference"])
    detail = await database_of(request).run(reading.read_request, reference, staff.staff.name) if reference else None
    if detail is None:
        return _no_such_request(request)
    return render(request, "request.html", {"detail": detail, "row": detail.row, "done": "done" in request.query_params and not detail.is_closable})


async def _close(request: Request, staff: StaffSession) -> Response:
    reference = as_reference(request.path_params["reference"])
    if reference is None:
        return _no_such_request(request)
    version = request.state.form.get("version", "")
    if not re.fullmatch(r"[0-9]{1,9}", version):
        raise protection.BadForm
    database = database_of(request)
    try:
        await database.run(service.close_ticket, reference, staff.staff.name, int(version))
    except service.StateChanged:
        change = await database.run(reading.last_change, reference)
        return render(request, "changed.html", {"reference": reference, "change": change}, 409) if change else _no_such_request(request)
    return RedirectResponse(f"/desk/requests/{reference}?done", status_code=303)


def _no_such_request(request: Request) -> Response:
    return message(request, 404, "Demande introuvable", f"Aucune demande ne porte cette référence. Vérifiez-la{wording.FIXED}: elle s'écrit RDV-7K4M-2Q.")


routes = [
    staff_page("/", _list, permission=Permission.READ_REQUESTS),
    staff_page("/requests/{reference}", _request, permission=Permission.READ_REQUESTS),
    staff_page("/requests/{reference}/close", _close, ("POST",), Permission.WORK_REQUESTS),
]
