"""Errors of the visitor API as ``application/problem+json`` (RFC 9457) with a French ``detail``."""

from __future__ import annotations

import logging
from http import HTTPStatus

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

logger = logging.getLogger(__name__)
HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}

DETAILS = {
    400: "La demande est mal formée.",
    401: "Cette conversation n'est plus ouverte. Commencez-en une nouvelle.",
    404: "Cette adresse ou cette conversation n'existe pas.",
    405: "Cette adresse ne s'utilise pas ainsi.",
    409: "Ce message a déjà été envoyé avec un autre contenu.",
    413: "Le message est trop volumineux. Écrivez-le plus court. En cas d'urgence : 15, 112, 144, 911 ou 194.",
    429: "Trop de messages en peu de temps. Attendez un instant, puis réessayez. En cas d'urgence : 15, 112, 144, 911 ou 194.",
    500: "Une erreur est survenue de notre côté ; votre message n'est pas perdu dans la page. Réessayez. En cas d'urgence : 15, 112, 144, 911 ou 194.",
    503: "Le service n'est pas disponible en ce moment. Réessayez dans un instant. En cas d'urgence : 15, 112, 144, 911 ou 194.",
}


class Problem(Exception):
    """Raised by the API; becomes a problem document.

    Attributes:
        status: the HTTP status.
        detail: one French sentence for the visitor.
        headers: further headers, e.g. ``Retry-After``.
    """

    def __init__(self, status: int, detail: str | None = None, headers: dict[str, str] | None = None) -> None:
        """Takes the status; the detail defaults to the usual one of that status."""
        super().__init__(status)
        self.status = status
        self.detail = detail or DETAILS.get(status, DETAILS[500])
        self.headers = headers or {}


def problem_response(status: int, detail: str | None = None, headers: dict[str, str] | None = None) -> Response:
    """The document itself."""
    body = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": detail or DETAILS.get(status, DETAILS[500])}
    return JSONResponse(body, status_code=status, headers=HEADERS | (headers or {}), media_type="application/problem+json")


async def on_problem(request: Request, error: Exception) -> Response:
    """Handler of ``Problem``."""
    assert isinstance(error, Problem)
    return problem_response(error.status, error.detail, error.headers)


async def on_http_exception(request: Request, error: Exception) -> Response:
    """Handler of Starlette's own errors (unknown path, wrong method)."""
    assert isinstance(error, HTTPException)
    return problem_response(error.status_code, headers=dict(error.headers or {}))


async def on_database_error(request: Request, error: Exception) -> Response:
    """The database did not do what it was asked: said plainly, logged by kind alone."""
    logger.error("database: %s", type(error).__name__)
    return problem_response(503)


async def on_crash(request: Request, error: Exception) -> Response:
    """Last handler: says so, and logs the kind of error and the path without any content."""
    logger.error("%s %s failed: %s", request.method, request.scope.get("route_path", "…"), type(error).__name__)
    return problem_response(500)
