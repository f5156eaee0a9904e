"""What every page of the staff desk goes through: who asks, may they, was the form theirs, and how a page is drawn.

Each area has a module of pages with a list ``routes`` made of ``staff_page(…)``; ``desk.staff.routes`` puts them together.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import quote

from sqlalchemy.exc import SQLAlchemyError
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route
from starlette.templating import Jinja2Templates

from desk.db import Database, now
from desk.models import StaffSession
from desk.settings import Settings
from desk.staff import accounts, protection, wording
from desk.staff.permissions import Permission, may
from desk.staff.protection import HOME, SESSION

logger = logging.getLogger(__name__)
Page = Callable[[Request], Awaitable[Response]]
StaffPage = Callable[[Request, StaffSession], Awaitable[Response]]
STATIC = "/static"
SECOND_FACTOR, CONFIRM = "/desk/second-factor", "/desk/confirm"


def staff_page(
    path: str, page: StaffPage, methods: tuple[str, ...] = ("GET",), permission: Permission | None = None, *, confirmed: bool = False, half: bool = False
) -> Route:
    """The route of a page for signed-in staff.

    Args:
        path: below ``/desk``.
        page: takes the request and the session; a posted form's fields are in ``request.state.form``.
        methods: those it takes.
        permission: what the staff member must be allowed to; None where everybody is.
        confirmed: whether the password must have been given in the last ``PASSERELLE_CONFIRM_MINUTES``.
        half: whether it opens before the second factor was given.
    """
    return Route(path, guarded(_signed_in(page, permission, confirmed, half)), methods=list(methods))


def guarded(page: Page) -> Page:
    """Refuses posts that another site sent, and puts what goes wrong into a French page."""

    @functools.wraps(page)
    async def with_guard(request: Request) -> Response:
        if request.method == "POST" and protection.is_foreign(request):
            return message(request, 403, "Formulaire refusé", "Cette demande vient d'un autre site. Rien n'a été modifié.")
        try:
            return await page(request)
        except protection.BadForm:
            return message(request, 400, "Formulaire illisible", "Ce formulaire n'a pas pu être lu. Rien n'a été modifié.")
        except SQLAlchemyError as error:
            logger.error("staff page failed: %s", type(error).__name__)
            text = "La base de données ne répond pas. Rien n'a été modifié. Réessayez dans un instant."
            return message(request, 503, "Le bureau est momentanément indisponible", text)

    return with_guard


def _signed_in(page: StaffPage, permission: Permission | None, confirmed: bool, half: bool) -> Page:
    """Sends signed-out visitors to the login page, those without a second factor to its page, and refuses what a role may not."""

    @functools.wraps(page)
    async def signed_in(request: Request) -> Response:
        staff = await current_session(request)
        if staff is None:
            return _to("/desk/login", request)
        request.state.staff = staff
        if not half and _lacks_second_factor(request, staff):
            return _to(SECOND_FACTOR, request)
        if permission and not may(staff.staff.role, permission):
            return message(request, 403, "Accès réservé", "Votre rôle ne donne pas accès à cette page. Une personne qui administre le bureau peut le changer.")
        if request.method == "POST":
            form = await protection.read_form(request)
            if not protection.are_equal(staff.csrf_token, form.get("csrf", "")):
                return message(request, 403, "Formulaire expiré", "Ce formulaire n'est plus valable. Rien n'a été modifié. Rouvrez la page et recommencez.")
            request.state.form = form
        if confirmed and (now() - staff.authenticated_at).total_seconds() > settings_of(request).confirm_minutes * 60:
            return _to(CONFIRM, request)
        return await page(request, staff)

    return signed_in


def _lacks_second_factor(request: Request, staff: StaffSession) -> bool:
    wanted = settings_of(request).two_factor == "on" or staff.staff.totp_confirmed_at is not None
    return wanted and staff.second_factor_at is None


async def current_session(request: Request) -> StaffSession | None:
    """The session of the request's cookie."""
    token = SESSION.read(request)
    return await database_of(request).run(accounts.session_of, token) if token else None


def _to(path: str, request: Request) -> Response:
    return RedirectResponse(f"{path}?next={quote(_return_address(request), safe='')}", status_code=303)


def _return_address(request: Request) -> str:
    """The page to come back to; for a posted form, the page that held it, which sends itself along as ``Referer`` within this site."""
    if request.method != "POST":
        return request.url.path + (f"?{request.url.query}" if request.url.query else "")
    parts = request.url.path.split("/")
    return "/".join(parts[:4]) if parts[2:3] == ["requests"] else HOME


def message(request: Request, status: int, title: str, text: str) -> Response:
    """A page that says one thing."""
    return render(request, "message.html", {"title": title, "text": text}, status)


def render(request: Request, template: str, context: dict[str, Any] | None = None, status: int = 200) -> Response:
    """A page from ``templates/staff/``; every template gets ``session``, ``may`` (permission → bool), ``static``, ``home`` and ``zone_note``."""
    templates: Jinja2Templates = request.app.state.templates
    session: StaffSession | None = getattr(request.state, "staff", None)
    everywhere = {
        "session": session,
        "may": lambda permission: session is not None and may(session.staff.role, Permission(permission)),
        "static": STATIC,
        "home": HOME,
        "zone_note": wording.ZONE_NOTE,
    }
    return templates.TemplateResponse(request, f"staff/{template}", everywhere | (context or {}), status)


def database_of(request: Request) -> Database:
    """The desk's database."""
    database: Database = request.app.state.database
    return database


def settings_of(request: Request) -> Settings:
    """The settings."""
    settings: Settings = request.app.state.settings
    return settings
