"""The areas of the desk, as its pages link to them: those that exist in this installation and that the reader's role opens."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from starlette.requests import Request
from starlette.routing import BaseRoute, Mount, Route

from desk.staff.permissions import Permission
from desk.staff.protection import HOME


@dataclass(frozen=True)
class Area:
    """One link: where it leads, what it is called, what the reader must be allowed to."""

    path: str
    label: str
    permission: Permission


@dataclass(frozen=True)
class Link:
    """An area as one page shows it; ``is_here`` on its own pages."""

    path: str
    label: str
    is_here: bool


NAVIGATION = (
    Area(HOME, "Demandes", Permission.READ_REQUESTS),
    Area("/desk/appointments", "Agenda", Permission.READ_REQUESTS),
    Area("/desk/insight", "Statistiques", Permission.INSIGHT),
    Area("/desk/content", "Contenu", Permission.CONTENT),
    Area("/desk/hours", "Horaires", Permission.HOURS),
    Area("/desk/clinicians", "Praticiens", Permission.HOURS),
    Area("/desk/canned", "Modèles", Permission.CANNED),
    Area("/desk/outbox", "Envois", Permission.OUTBOX),
    Area("/desk/privacy", "Confidentialité", Permission.PRIVACY),
    Area("/desk/audit", "Journal", Permission.AUDIT),
    Area("/desk/people", "Comptes", Permission.USERS),
)
ACCOUNT = "/desk/me"
# Where somebody lands who reads no requests: the first of these that is theirs.
LANDINGS = ("/desk/people", "/desk/insight")


def links(request: Request, may: Callable[[Permission], bool]) -> list[Link]:
    """The areas for the reader, in the order of ``NAVIGATION``."""
    served = _served(request)
    here = request.url.path
    return [Link(area.path, area.label, _is_within(here, area.path)) for area in NAVIGATION if area.path in served and may(area.permission)]


def has_account_page(request: Request) -> bool:
    """Whether « Mon compte » is served."""
    return ACCOUNT in _served(request)


def landing(request: Request, may: Callable[[Permission], bool]) -> str | None:
    """Where the desk's front door leads somebody who may not read requests; None when nothing is theirs."""
    theirs = [link.path for link in links(request, may) if link.path != HOME]
    return next((path for path in LANDINGS if path in theirs), theirs[0] if theirs else None)


def _is_within(here: str, area: str) -> bool:
    if area == HOME:
        return here == HOME or here.startswith(("/desk/requests/", "/desk/search"))
    return here == area or here.startswith(f"{area}/")


def _served(request: Request) -> frozenset[str]:
    return frozenset(_paths(request.app.routes))


def _paths(routes: list[BaseRoute], before: str = "") -> Iterator[str]:
    for route in routes:
        if isinstance(route, Mount):
            yield from _paths(list(route.routes), before + route.path)
        elif isinstance(route, Route):
            yield before + route.path
