"""Signing in and out."""

from __future__ import annotations

import re
import secrets

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from desk.models import StaffSession
from desk.staff import accounts, protection, wording
from desk.staff.attempts import SignInAttempts, TooManyAttempts
from desk.staff.protection import HOME, LOGIN_FORM, SESSION
from desk.staff.shell import current_session, database_of, guarded, render, settings_of, staff_page


def login_routes() -> list[Route]:
    """The routes, with their own count of failed attempts."""
    attempts = SignInAttempts()

    async def login(request: Request) -> Response:
        return await _login(request, attempts)

    return [Route("/login", guarded(login), methods=["GET", "POST"]), staff_page("/logout", _logout, ("POST",), half=True)]


async def _login(request: Request, attempts: SignInAttempts) -> Response:
    if request.method != "POST":
        target = protection.safe_return(request.query_params.get("next", HOME))
        if await current_session(request):
            return RedirectResponse(target, status_code=303)
        notice = ""
        if "out" in request.query_params:
            notice = "Vous êtes déconnecté."
        elif SESSION.read(request):
            notice = "Votre session a pris fin. Reconnectez-vous."
        elif not await database_of(request).run(accounts.is_anyone_there):
            notice = "Aucun compte n'existe encore. Pour créer le premier, sur le serveur : python -m desk staff add NOM"
        return _login_form(request, 200, target, notice=notice)

    form = await protection.read_form(request)
    name, target = form.get("name", "").strip(), protection.safe_return(form.get("next", HOME))
    if not protection.are_equal(LOGIN_FORM.read(request), form.get("csrf", "")):
        return _login_form(request, 403, target, name, error="La page de connexion avait expiré. Saisissez à nouveau votre mot de passe.")
    settings = settings_of(request)
    database = database_of(request)
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
    response = render(request, "login.html", {"csrf": value, "next": target, "name": name[:100], "error": error, "notice": notice}, status)
    LOGIN_FORM.write(request, response, value)
    return response


async def _logout(request: Request, staff: StaffSession) -> Response:
    await database_of(request).run(accounts.sign_out, SESSION.read(request))
    response = RedirectResponse("/desk/login?out", status_code=303)
    SESSION.delete(request, response)
    return response
