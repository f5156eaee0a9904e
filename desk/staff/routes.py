"""All pages of the staff desk under ``/desk/``. They work without JavaScript; with it, lists and requests stay up to date by themselves."""

from __future__ import annotations

from http import HTTPStatus

from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.errors import ServerErrorMiddleware
from starlette.middleware.exceptions import ExceptionMiddleware
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route

from desk.models import StaffSession
from desk.staff import (
    appointment_pages,
    audit_pages,
    canned_pages,
    content_pages,
    hours_pages,
    insight_pages,
    live,
    oidc_pages,
    outbox_pages,
    people_pages,
    privacy_pages,
    protection,
    request_pages,
    shortcuts,
)
from desk.staff.account_pages import account_routes
from desk.staff.attempts import SignInAttempts
from desk.staff.login_pages import login_routes
from desk.staff.second_factor_pages import second_factor_routes
from desk.staff.shell import message, staff_page


def staff_routes() -> list[Mount | Route]:
    """The desk's routes. The app's state holds ``database``, ``settings``, ``templates`` and ``events``; ``/static`` is served by the app."""
    attempts = SignInAttempts()
    pages: list[BaseRoute] = [
        # Getting in: one count of failed attempts for all that can be guessed.
        *login_routes(attempts),
        *second_factor_routes(attempts),
        *oidc_pages.routes,
        *account_routes(attempts),
        # One line an area; desk.staff.navigation names those that get a link.
        *request_pages.routes,
        *live.routes,
        *canned_pages.routes,
        *shortcuts.routes,
        *hours_pages.routes,
        *appointment_pages.routes,
        *outbox_pages.routes,
        *people_pages.routes,
        *privacy_pages.routes,
        *audit_pages.routes,
        *insight_pages.routes,
        *content_pages.routes,
        # What no area serves.
        staff_page("/{path:path}", _unknown, ("GET", "POST")),
    ]
    # What goes wrong is answered within the headers: outside of them it would be a bare answer, without any.
    around = [
        Middleware(protection.SecurityHeaders),
        Middleware(ServerErrorMiddleware, handler=_broken),
        Middleware(ExceptionMiddleware, handlers={HTTPException: _refused}),
    ]
    bare = protection.SecurityHeaders(RedirectResponse(protection.HOME, status_code=303))
    return [Mount("/desk", routes=pages, middleware=around), Route("/desk", bare)]


async def _unknown(request: Request, staff: StaffSession) -> Response:
    return message(request, 404, "Page introuvable", "Cette adresse ne mène à aucune page du bureau.")


async def _refused(request: Request, error: Exception) -> Response:
    """Starlette's own refusals: a method that an address does not take."""
    status = error.status_code if isinstance(error, HTTPException) else HTTPStatus.BAD_REQUEST
    response = message(request, status, "Demande refusée", "Cette adresse ne s'utilise pas ainsi. Rien n'a été modifié.")
    response.headers.update(getattr(error, "headers", None) or {})
    return response


async def _broken(request: Request, error: Exception) -> Response:
    """A mistake of ours; the app's own handler logs its kind."""
    return message(
        request,
        500,
        "Le bureau a rencontré une erreur",
        "Cette page n'a pas pu être affichée. Réessayez. Si cela continue, prévenez la personne qui administre le bureau.",
    )
