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
from desk.staff import accounts, navigation, protection, wording
from desk.staff.permissions import Permission
from desk.staff.protection import HOME, SESSION

logger = logging.getLogger(__name__)
Page = Callable[[Request], Awaitable[Response]]
StaffPage = Callable[[Request, StaffSession], Awaitable[Response]]
STATIC = "/static"
FIRST_PASSWORD, SECOND_FACTOR, CONFIRM = "/desk/first-password", "/desk/second-factor", "/desk/confirm"


class StaffRoute(Route):
    """A route that tells who may open it; made by ``staff_page``."""

    permission: Permission | None
    confirmed: bool
    half: bool


def staff_page(
    path: str, page: StaffPage, methods: tuple[str, ...] = ("GET",), permission: Permission | None = None, *, confirmed: bool = False, half: bool = False
) -> StaffRoute:
    """The route of a page for signed-in staff.

    Args:
        path: below ``/desk``.
        page: takes the request and the session; a posted form's fields are in ``request.state.form``.
        methods: those it takes.
        permission: what the staff member must be allowed to; None where everybody is.
        confirmed: whether the password must have been given in the last ``PASSERELLE_CONFIRM_MINUTES``.
        half: whether it opens before the sign-in is complete: the person's own password chosen, the second factor given.
    """
    route = StaffRoute(path, guarded(_signed_in(page, permission, confirmed, half)), methods=list(methods))
    route.permission, route.confirmed, route.half = permission, confirmed, half
    return route


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
    """Sends signed-out visitors to the login page, a sign-in that is not complete to its next step, and refuses what a role may not."""

    @functools.wraps(page)
    async def signed_in(request: Request) -> Response:
        staff = await current_session(request)
        if staff is None:
            return _to("/desk/login", request)
        request.state.staff = staff
        step = next_step(request, staff)
        if step and not half:
            return _to(step, request)
        if permission and not is_allowed(request, permission):
            if request.url.path == HOME and request.method != "POST":
                landing = navigation.landing(request, lambda wanted: is_allowed(request, wanted))
                return RedirectResponse(landing or navigation.ACCOUNT, status_code=303)
            return message(request, 403, "Accès réservé", "Votre rôle ne donne pas accès à cette page. Une personne qui administre le bureau peut le changer.")
        if any(isinstance(number, int) and number > accounts.LARGEST_NUMBER for number in request.path_params.values()):
            return message(request, 404, "Page introuvable", "Cette adresse ne mène à aucune page du bureau.")
        if request.method == "POST":
            form = await protection.read_form(request)
            if not protection.are_equal(staff.csrf_token, form.get("csrf", "")):
                return message(request, 403, "Formulaire expiré", "Ce formulaire n'est plus valable. Rien n'a été modifié. Rouvrez la page et recommencez.")
            request.state.form = form
        if confirmed and (now() - staff.authenticated_at).total_seconds() > settings_of(request).confirm_minutes * 60:
            return _to(CONFIRM, request)
        return await page(request, staff)

    return signed_in


def next_step(request: Request, staff: StaffSession) -> str | None:
    """The page on which a sign-in goes on; None once it is complete."""
    if staff.staff.initial_password_until is not None:
        return FIRST_PASSWORD
    return SECOND_FACTOR if lacks_second_factor(request, staff) else None


def lacks_second_factor(request: Request, staff: StaffSession) -> bool:
    """Whether the second factor is still to be given, or set up."""
    wanted = settings_of(request).two_factor == "on" or staff.staff.totp_confirmed_at is not None
    return wanted and staff.second_factor_at is None


def is_allowed(request: Request, permission: Permission) -> bool:
    """Whether whoever asks may do something: by their role, or standing in for one that nobody holds."""
    permissions: frozenset[Permission] = getattr(request.state, "permissions", frozenset())
    return permission in permissions


async def current_session(request: Request) -> StaffSession | None:
    """The session of the request's cookie; what its staff member may do is kept for ``is_allowed``."""
    token = SESSION.read(request)
    found = await database_of(request).run(accounts.session_of, token) if token else None
    staff, request.state.permissions = found or (None, frozenset())
    return staff


def _to(path: str, request: Request) -> Response:
    return RedirectResponse(f"{path}?next={quote(_return_address(request), safe='')}", status_code=303)


def _return_address(request: Request) -> str:
    """The page to come back to; for a posted form, the page of the area that held it."""
    if request.method != "POST":
        return request.url.path + (f"?{request.url.query}" if request.url.query else "")
    parts = request.url.path.split("/")
    return "/".join(parts[: 4 if parts[2:3] == ["requests"] else 3])


def message(request: Request, status: int, title: str, text: str) -> Response:
    """A page that says one thing."""
    return render(request, "message.html", {"title": title, "text": text}, status)


def render(request: Request, template: str, context: dict[str, Any] | None = None, status: int = 200) -> Response:
    """A page from ``templates/staff/``; every template gets ``session``, ``may`` (permission → bool), ``navigation``, ``static``, ``home``, ``zone_note``."""
    templates: Jinja2Templates = request.app.state.templates
    session: StaffSession | None = getattr(request.state, "staff", None)
    is_complete = session is not None and next_step(request, session) is None

    def allowed(permission: str) -> bool:
        return is_complete and is_allowed(request, Permission(permission))

    everywhere = {
        "session": session,
        "may": allowed,
        "navigation": navigation.links(request, allowed),
        "account_page": navigation.ACCOUNT if is_complete and navigation.has_account_page(request) else None,
        "static": STATIC,
        "home": HOME,
        "zone_note": wording.zone_note(settings_of(request).zone),
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
