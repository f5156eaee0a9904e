"""Going to the identity provider and coming back."""

from __future__ import annotations

import logging

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from desk.db import now
from desk.staff import oidc, protection
from desk.staff.guesses import address_of
from desk.staff.login_pages import enter, login_form
from desk.staff.oidc import OidcError, Provider, Started
from desk.staff.protection import HOME, Cookie
from desk.staff.shell import database_of, guarded, message, settings_of

logger = logging.getLogger(__name__)
CALLBACK = "/desk/oidc/callback"
STARTED = Cookie("__Host-passerelle-oidc", "passerelle_oidc")
UNREACHABLE = "Le service d'identité ne répond pas comme il faut. Réessayez, ou connectez-vous avec votre mot de passe."
UNKNOWN = "Aucun compte ouvert du bureau ne correspond à ce compte d'établissement. Demandez à la personne qui gère les comptes d'y noter votre adresse e-mail."


def _provider(request: Request) -> Provider | None:
    settings = settings_of(request)
    if not (settings.oidc_issuer and settings.oidc_client_id and settings.oidc_client_secret):
        return None
    return Provider(settings.oidc_issuer, settings.oidc_client_id, settings.oidc_client_secret, f"{settings.public_url}{CALLBACK}")


async def _start(request: Request) -> Response:
    provider = _provider(request)
    if provider is None:
        return _not_configured(request)
    target = protection.safe_return(request.query_params.get("next", HOME))
    started = Started.begin(target, now())
    try:
        response: Response = RedirectResponse(await oidc.address_to_sign_in(provider, started, "again" in request.query_params), status_code=303)
    except OidcError as error:
        logger.warning("sign-in through the identity provider failed: %s", error)
        return login_form(request, 502, target, error=UNREACHABLE)
    STARTED.write(request, response, started.sealed(settings_of(request).cipher))
    return response


async def _come_back(request: Request) -> Response:
    provider = _provider(request)
    if provider is None:
        return _not_configured(request)
    settings = settings_of(request)
    started = Started.opened(settings.cipher, STARTED.read(request), now())
    if started is None:
        return login_form(request, 400, HOME, error="Cette connexion n'a pas commencé ici, ou il y a trop longtemps. Recommencez.")
    try:
        identity = await oidc.identity_of(provider, started, request.query_params)
    except OidcError as error:
        logger.warning("sign-in through the identity provider failed: %s", error)
        response = login_form(request, 401, started.target, error=UNREACHABLE)
    else:
        opened = await database_of(request).run(oidc.sign_in, identity, settings.staff_session_hours, address_of(request), settings.two_factor == "on")
        response = await enter(request, opened[1], started.target) if opened else login_form(request, 403, started.target, error=UNKNOWN)
    STARTED.delete(request, response)
    return response


def _not_configured(request: Request) -> Response:
    return message(request, 404, "Page introuvable", "Aucun service d'identité n'est réglé pour ce bureau.")


routes = [Route("/oidc", guarded(_start), methods=["GET"]), Route("/oidc/callback", guarded(_come_back), methods=["GET"])]
