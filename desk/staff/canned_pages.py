"""The page of canned replies: their list, and a form to make or change one."""

from __future__ import annotations

import re

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from desk.models import StaffSession
from desk.staff import canned, protection, wording
from desk.staff.permissions import Permission
from desk.staff.shell import database_of, message, render, staff_page

LIST = "/desk/canned"
_PLACES = {"up": -1, "down": 1}


async def _list(request: Request, staff: StaffSession) -> Response:
    replies = await database_of(request).run(canned.replies)
    return render(request, "canned.html", {"replies": replies, "done": wording.CANNED_DONE.get(request.query_params.get("done", ""))})


async def _new(request: Request, staff: StaffSession) -> Response:
    return _form(request, "", "")


async def _edit(request: Request, staff: StaffSession) -> Response:
    try:
        kept = await database_of(request).run(canned.reply, request.path_params["reply_id"])
    except canned.NoSuchReply:
        return _gone(request)
    return _form(request, kept.title, kept.text, kept.id)


async def _save(request: Request, staff: StaffSession) -> Response:
    form = request.state.form
    given = form.get("id", "")
    if given and not re.fullmatch(r"[0-9]{1,9}", given):
        raise protection.BadForm
    reply_id = int(given) if given else None
    title, text = form.get("title", ""), form.get("text", "")
    try:
        await database_of(request).run(canned.save, staff.staff.name, title, text, reply_id)
    except canned.CannedError as error:
        return _form(request, title, text, reply_id, str(error))
    except canned.NoSuchReply:
        return _gone(request)
    return RedirectResponse(f"{LIST}?done=saved", status_code=303)


async def _delete(request: Request, staff: StaffSession) -> Response:
    try:
        await database_of(request).run(canned.remove, staff.staff.name, request.path_params["reply_id"])
    except canned.NoSuchReply:
        return _gone(request)
    return RedirectResponse(f"{LIST}?done=deleted", status_code=303)


async def _move(request: Request, staff: StaffSession) -> Response:
    places = _PLACES.get(request.state.form.get("to", ""))
    if places is None:
        raise protection.BadForm
    try:
        await database_of(request).run(canned.move, staff.staff.name, request.path_params["reply_id"], places)
    except canned.NoSuchReply:
        return _gone(request)
    return RedirectResponse(f"{LIST}?done=moved", status_code=303)


def _form(request: Request, title: str, text: str, reply_id: int | None = None, error: str = "") -> Response:
    context = {
        "id": reply_id,
        "title": title,
        "text": text,
        "error": error,
        "variables": canned.VARIABLES,
        "longest_title": canned.LONGEST_TITLE,
        "longest_text": canned.LONGEST_TEXT,
    }
    return render(request, "canned_form.html", context, 400 if error else 200)


def _gone(request: Request) -> Response:
    return message(request, 404, "Modèle introuvable", "Ce modèle n'existe plus. Quelqu'un l'a peut-être supprimé.")


routes = [
    staff_page("/canned", _list, permission=Permission.CANNED),
    staff_page("/canned/new", _new, permission=Permission.CANNED),
    staff_page("/canned/save", _save, ("POST",), Permission.CANNED),
    staff_page("/canned/{reply_id:int}", _edit, permission=Permission.CANNED),
    staff_page("/canned/{reply_id:int}/delete", _delete, ("POST",), Permission.CANNED),
    staff_page("/canned/{reply_id:int}/move", _move, ("POST",), Permission.CANNED),
]
