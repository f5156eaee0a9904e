"""The visitor's own page of an appointment, reached by the link of a letter: GET shows, POST acts. Works without JavaScript.

It names no person: whoever holds the link sees when and where, and may cancel or ask for another time.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Awaitable, Callable
from typing import Any
from zoneinfo import ZoneInfo

from limits import parse
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route
from starlette.templating import Jinja2Templates

from desk.appointments import links, service
from desk.appointments.links import AlreadyCancelled, BadLink, LinkOver
from desk.appointments.service import AppointmentOver
from desk.chat.limits import RateLimits
from desk.db import Database, now
from desk.french_time import FIXED, moment_in, zone_in_words
from desk.models import Appointment
from desk.problems import Problem
from desk.settings import Settings
from desk.staff import protection
from desk.tickets.service import TicketError

logger = logging.getLogger(__name__)
ATTEMPTS = parse("60/10 minutes")  # an address; a token cannot be guessed, this only spares the database
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
    # The address is a key: no other site may learn it. (« no-referrer » would also hide from us that our own form was sent.)
    "Referrer-Policy": "same-origin",
    "X-Robots-Tag": "noindex, nofollow",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Opener-Policy": "same-origin",
}
Page = Callable[[Request], Awaitable[Response]]


def _guarded(page: Page) -> Page:
    """Counts, and puts whatever goes wrong into a French page."""

    @functools.wraps(page)
    async def guarded(request: Request) -> Response:
        limits: RateLimits = request.app.state.limits
        try:
            await limits.hit(ATTEMPTS, "appointment", request.client.host if request.client else "?")
        except Problem as problem:
            response = _message(request, 429, "Trop d'essais", "Attendez quelques minutes, puis rouvrez ce lien.")
            response.headers.update(problem.headers)
            return response
        if request.method == "POST" and protection.is_foreign(request):
            return _message(request, 403, "Formulaire refusé", "Cette demande vient d'un autre site. Rien n'a été modifié.")
        try:
            return await page(request)
        except BadLink:
            return _message(request, 404, "Lien inconnu", "Ce lien n'est pas valable. Vérifiez qu'il est entier, comme dans le dernier e-mail reçu.")
        except AlreadyCancelled:
            return _message(request, 410, "Rendez-vous annulé", "Ce rendez-vous a été annulé. Il n'y a plus rien à faire ici.")
        except LinkOver:
            text = (
                "Ce lien n'est plus valable\u00a0: le rendez-vous est passé, ou il a été déplacé. Dans ce cas, le nouveau lien est dans le dernier e-mail reçu."
            )
            return _message(request, 410, "Lien périmé", text)
        except AppointmentOver:
            return _message(request, 409, "Rendez-vous commencé", "Ce rendez-vous a déjà commencé\u00a0: il ne peut plus être changé ici.")
        except TicketError:
            return _message(request, 409, "Réessayez", "L'équipe vient de modifier votre demande. Rien n'a été changé. Rouvrez ce lien dans un instant.")
        except protection.BadForm:
            return _message(request, 400, "Formulaire illisible", "Ce formulaire n'a pas pu être lu. Rien n'a été modifié.")
        except SQLAlchemyError as error:
            logger.error("visitor page failed: %s", type(error).__name__)
            return _message(request, 503, "Service indisponible", "Rien n'a été modifié. Réessayez dans un instant.")

    return guarded


@_guarded
async def show(request: Request) -> Response:
    """GET /rendez-vous/{token}: changes nothing, because mail scanners open links."""
    settings = _settings(request)

    def read(session: Session) -> dict[str, Any]:
        return _shown(links.follow(session, request.path_params["token"], settings, now()), settings)

    return _page(request, "appointment.html", await _database(request).run(read))


@_guarded
async def act(request: Request) -> Response:
    """POST /rendez-vous/{token}: cancels, or asks for another time."""
    form = await protection.read_form(request)
    token, settings, at = request.path_params["token"], _settings(request), now()

    def cancel(session: Session) -> dict[str, Any]:
        return _shown(service.cancel_by_visitor(session, token, settings, at), settings)

    match form.get("action"):
        case "cancel":
            shown = await _database(request).run(cancel)
            request.app.state.events.publish("ticket.unbook", shown["reference"])
            return _page(request, "cancelled.html", shown)
        case "other_time":
            appointment = await _database(request).run(service.ask_other_time, token, settings, at)
            request.app.state.events.publish("ticket.other_time", appointment.ticket.reference)
            return RedirectResponse(request.url.path, status_code=303, headers=HEADERS)
        case _:
            raise protection.BadForm


def _shown(appointment: Appointment, settings: Settings) -> dict[str, Any]:
    """What the page says, read while the transaction lasts."""
    theirs, ours = ZoneInfo(appointment.visitor_zone), settings.zone
    starts = appointment.starts_at
    is_same = starts.astimezone(theirs).utcoffset() == starts.astimezone(ours).utcoffset()
    asked = appointment.other_time_asked_at
    return {
        "iso": starts.isoformat(),
        "when": moment_in(starts, theirs),
        "zone": zone_in_words(theirs),
        "at_clinic": None if is_same else f"{moment_in(starts, ours)} ({zone_in_words(ours)})",
        "minutes": f"{appointment.minutes}{FIXED}minutes",
        "reference": appointment.ticket.reference,
        "other_time_asked": moment_in(asked, theirs) if asked else None,
        "has_begun": starts <= now(),
    }


def _message(request: Request, status: int, title: str, text: str) -> Response:
    return _page(request, "message.html", {"title": title, "text": text}, status)


def _page(request: Request, template: str, context: dict[str, Any], status: int = 200) -> Response:
    templates: Jinja2Templates = request.app.state.templates
    settings = _settings(request)
    everywhere = {"static": "/static", "clinic": settings.clinic_name, "phone": settings.clinic_phone, "address": settings.clinic_address}
    return templates.TemplateResponse(request, f"visitor/{template}", everywhere | context, status, headers=HEADERS)


def _database(request: Request) -> Database:
    database: Database = request.app.state.database
    return database


def _settings(request: Request) -> Settings:
    settings: Settings = request.app.state.settings
    return settings


routes = [
    Route(f"{links.PATH}/{{token}}", show, methods=["GET"]),
    Route(f"{links.PATH}/{{token}}", act, methods=["POST"]),
]
