"""The staff desk's pages under ``/desk/``: sign in, read requests, close them. They work without JavaScript."""

from __future__ import annotations

import functools
import logging
import re
import secrets
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import quote

from sqlalchemy.exc import SQLAlchemyError
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.templating import Jinja2Templates

from desk.db import Database
from desk.models import StaffSession
from desk.settings import Settings
from desk.staff import accounts, protection, reading, wording
from desk.staff.attempts import SignInAttempts, TooManyAttempts
from desk.staff.protection import HOME, LOGIN_FORM, SESSION
from desk.tickets import service
from desk.tickets.references import as_reference

logger = logging.getLogger(__name__)
Page = Callable[[Request], Awaitable[Response]]
StaffPage = Callable[[Request, StaffSession], Awaitable[Response]]
STATIC = "/static"
_FIXED = wording.FIXED


def staff_routes() -> list[Mount | Route]:
    """The desk's routes. The app's state holds ``database``, ``settings`` and ``templates``; ``/static/desk.css`` is served by the app."""
    attempts = SignInAttempts()

    async def login(request: Request) -> Response:
        return await _login(request, attempts)

    pages = [
        Route("/login", _guarded(login), methods=["GET", "POST"]),
        Route("/logout", _guarded(_signed_in(_logout)), methods=["POST"]),
        Route("/", _guarded(_signed_in(_list)), methods=["GET"]),
        Route("/requests/{reference}", _guarded(_signed_in(_request)), methods=["GET"]),
        Route("/requests/{reference}/close", _guarded(_signed_in(_close)), methods=["POST"]),
        Route("/{path:path}", _guarded(_signed_in(_unknown)), methods=["GET", "POST"]),
    ]
    return [Mount("/desk", routes=pages, middleware=[Middleware(protection.SecurityHeaders)])]


# ---------------------------------------------------------------- what every page goes through


def _guarded(page: Page) -> Page:
    """Refuses posts that another site sent, and puts what goes wrong into a French page."""

    @functools.wraps(page)
    async def guarded(request: Request) -> Response:
        if request.method == "POST" and protection.is_foreign(request):
            return _message(request, 403, "Formulaire refusé", "Cette demande vient d'un autre site. Rien n'a été modifié.")
        try:
            return await page(request)
        except protection.BadForm:
            return _message(request, 400, "Formulaire illisible", "Ce formulaire n'a pas pu être lu. Rien n'a été modifié.")
        except SQLAlchemyError as error:
            logger.error("staff page failed: %s", type(error).__name__)
            text = "La base de données ne répond pas. Rien n'a été modifié. Réessayez dans un instant."
            return _message(request, 503, "Le bureau est momentanément indisponible", text)

    return guarded


def _signed_in(page: StaffPage) -> Page:
    """Sends signed-out visitors to the login page, and refuses posts without the session's own form value."""

    @functools.wraps(page)
    async def signed_in(request: Request) -> Response:
        staff = await _session(request)
        if staff is None:
            return RedirectResponse(f"/desk/login?next={quote(_return_address(request), safe='')}", status_code=303)
        request.state.staff = staff
        if request.method == "POST":
            form = await protection.read_form(request)
            if not protection.are_equal(staff.csrf_token, form.get("csrf", "")):
                return _message(request, 403, "Formulaire expiré", "Ce formulaire n'est plus valable. Rien n'a été modifié. Rouvrez la page et recommencez.")
            request.state.form = form
        return await page(request, staff)

    return signed_in


async def _session(request: Request) -> StaffSession | None:
    token = SESSION.read(request)
    return await _database(request).run(accounts.session_of, token) if token else None


def _return_address(request: Request) -> str:
    """The page to come back to after signing in; for a posted form, the page that held it."""
    if request.method == "POST":
        return request.url.path.removesuffix("/close")
    return request.url.path + (f"?{request.url.query}" if request.url.query else "")


# ---------------------------------------------------------------- signing in and out


async def _login(request: Request, attempts: SignInAttempts) -> Response:
    if request.method != "POST":
        target = protection.safe_return(request.query_params.get("next", HOME))
        if await _session(request):
            return RedirectResponse(target, status_code=303)
        notice = ""
        if "out" in request.query_params:
            notice = "Vous êtes déconnecté."
        elif SESSION.read(request):
            notice = "Votre session a pris fin. Reconnectez-vous."
        elif not await _database(request).run(accounts.is_anyone_there):
            notice = "Aucun compte n'existe encore. Pour créer le premier, sur le serveur : python -m desk staff add NOM"
        return _login_form(request, 200, target, notice=notice)

    form = await protection.read_form(request)
    name, target = form.get("name", "").strip(), protection.safe_return(form.get("next", HOME))
    if not protection.are_equal(LOGIN_FORM.read(request), form.get("csrf", "")):
        return _login_form(request, 403, target, name, error="La page de connexion avait expiré. Saisissez à nouveau votre mot de passe.")
    settings: Settings = request.app.state.settings
    database = _database(request)
    address = request.client.host if request.client else ""
    try:
        opened = await attempts.attempt(
            name,
            address,
            lambda: database.run(accounts.sign_in, name, form.get("password", ""), settings.staff_session_hours),
            is_limited=settings.rate_limits == "on",
        )
    except TooManyAttempts as error:
        text = f"Trop d'essais. Réessayez dans {wording.wait(error.seconds)}."
        response = _login_form(request, 429, target, name, error=text)
        response.headers["Retry-After"] = str(error.seconds)
        return response
    if opened is None:
        return _login_form(request, 401, target, name, error="Nom ou mot de passe incorrect.")
    if SESSION.read(request):
        await database.run(accounts.sign_out, SESSION.read(request))
    response = RedirectResponse(target, status_code=303)
    SESSION.write(request, response, opened[1])
    LOGIN_FORM.delete(request, response)
    return response


def _login_form(request: Request, status: int, target: str, name: str = "", error: str = "", notice: str = "") -> Response:
    known = LOGIN_FORM.read(request)
    value = known if re.fullmatch(r"[\w-]{43}", known) else secrets.token_urlsafe(32)  # kept, so that two open login tabs both work
    response = _render(request, "login.html", {"csrf": value, "next": target, "name": name[:100], "error": error, "notice": notice}, status)
    LOGIN_FORM.write(request, response, value)
    return response


async def _logout(request: Request, staff: StaffSession) -> Response:
    await _database(request).run(accounts.sign_out, SESSION.read(request))
    response = RedirectResponse("/desk/login?out", status_code=303)
    SESSION.delete(request, response)
    return response


# ---------------------------------------------------------------- requests


async def _list(request: Request, staff: StaffSession) -> Response:
    wanted = request.query_params.get("reference", "").strip()[:40]
    if wanted:
        reference = as_reference(wanted)
        found = await _database(request).run(service.by_reference, reference) if reference else None
        if found:
            return RedirectResponse(f"/desk/requests/{found.reference}", status_code=303)
    overview = await _database(request).run(reading.overview)
    return _render(request, "list.html", {"overview": overview, "not_found": wanted, "count": wording.count_open(overview.open_count)})


async def _request(request: Request, staff: StaffSession) -> Response:
    reference = as_reference(request.path_params["reference"])
    detail = await _database(request).run(reading.read_request, reference, staff.staff.name) if reference else None
    if detail is None:
        return _no_such_request(request)
    return _render(request, "request.html", {"detail": detail, "row": detail.row, "done": "done" in request.query_params and not detail.is_closable})


async def _close(request: Request, staff: StaffSession) -> Response:
    reference = as_reference(request.path_params["reference"])
    if reference is None:
        return _no_such_request(request)
    version = request.state.form.get("version", "")
    if not re.fullmatch(r"[0-9]{1,9}", version):
        raise protection.BadForm
    database = _database(request)
    try:
        await database.run(service.close_ticket, reference, staff.staff.name, int(version))
    except service.StateChanged:
        change = await database.run(reading.last_change, reference)
        return _render(request, "changed.html", {"reference": reference, "change": change}, 409) if change else _no_such_request(request)
    return RedirectResponse(f"/desk/requests/{reference}?done", status_code=303)


async def _unknown(request: Request, staff: StaffSession) -> Response:
    return _message(request, 404, "Page introuvable", "Cette adresse ne mène à aucune page du bureau.")


def _no_such_request(request: Request) -> Response:
    return _message(request, 404, "Demande introuvable", f"Aucune demande ne porte cette référence. Vérifiez-la{_FIXED}: elle s'écrit RDV-7K4M-2Q.")


# ---------------------------------------------------------------- answers


def _message(request: Request, status: int, title: str, text: str) -> Response:
    return _render(request, "message.html", {"title": title, "text": text}, status)


def _render(request: Request, template: str, context: dict[str, Any], status: int = 200) -> Response:
    templates: Jinja2Templates = request.app.state.templates
    everywhere = {"session": getattr(request.state, "staff", None), "static": STATIC, "home": HOME, "zone_note": wording.ZONE_NOTE}
    return templates.TemplateResponse(request, f"staff/{template}", everywhere | context, status)


def _database(request: Request) -> Database:
    database: Database = request.app.state.database
    return database
