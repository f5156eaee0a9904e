"""All pages of the staff desk under ``/desk/``. They work without JavaScript."""

from __future__ import annotations

from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route

from desk.models import StaffSession
from desk.staff import protection, request_pages
from desk.staff.login_pages import login_routes
from desk.staff.shell import message, staff_page


def staff_routes() -> list[Mount | Route]:
    """The desk's routes. The app's state holds ``database``, ``settings`` and ``templates``; ``/static/desk.css`` is served by the app."""
    pages = [
        *login_routes(),
        *request_pages.routes,
        staff_page("/{path:path}", _unknown, ("GET", "POST")),
    ]
    return [Mount("/desk", routes=pages, middleware=[Middleware(protection.SecurityHeaders)])]


async def _unknown(request: Request, staff: StaffSession) -> Response:
    return message(request, 404, "Page introuvable", "Cette adresse ne mène à aucune page du bureau.")
