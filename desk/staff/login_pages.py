"""Signing in and out, choosing one's first password, proving again who one is."""

from __future__ import annotations

import re
import secrets
from datetime import datetime

from sqlalchemy.orm import Session
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from desk.db import now
from desk.models import StaffSession
from desk.staff import accounts, protection, second_factor, sessions
from desk.staff.attempts import Secret, SignInAttempts, TooManyAttempts
from desk.staff.guesses import address_of, guess, too_many
from desk.staff.protection import HOME, LOGIN_FORM, SESSION
from desk.staff.shell import current_session, database_of, guarded, render, settings_of, staff_page


def login_routes(attempts: SignInAttempts) -> list[Route]:
    """The routes; failed attempts are counted in ``attempts``."""

    async def login(request: Request) -> Response:
        return await _login(request, attempts)

    async def confirm(request: Request, staff: StaffSession) -> Response:
        return await _confirm(request, staff, attempts)

    return [
        Route("/login", guarded(login), methods=["GET", "POST"]),
        staff_page("/logout", _logout, ("POST",), half=True),
        staff_page("/first-password", _first_password, ("GET", "POST"), half=True),
        staff_page("/confirm", confirm, ("GET", "POST")),
    ]


# ---------------------------------------------------------------- in and out


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
            notice = "Aucun compte n'existe encore. Pour créer le premier, sur le serveur\u00a0: python -m desk staff add NOM"
        return login_form(request, 200, target, notice=notice)

    form = await protection.read_form(request)
    name, target = form.get("name", "").strip(), protection.safe_return(form.get("next", HOME))
    if not protection.are_equal(LOGIN_FORM.read(request), form.get("csrf", "")):
        return login_form(request, 403, target, name, error="La page de connexion avait expiré. Saisissez à nouveau votre mot de passe.")
    settings = settings_of(request)
    password, hours, two_factor = form.get("password", ""), settings.staff_session_hours, settings.two_factor == "on"
    try:
        opened = await guess(request, attempts, name, Secret.PASSWORD, accounts.sign_in, name, password, hours, address_of(request), two_factor)
    except TooManyAttempts as error:
        response = login_form(request, 429, target, name, error=too_many(error))
        response.headers["Retry-After"] = str(error.seconds)
        return response
    if opened is None:
        return login_form(request, 401, target, name, error="Nom ou mot de passe incorrect.")
    return await enter(request, opened[1], target)


async def enter(request: Request, token: str, target: str) -> Response:
    """Gives the browser its session, in place of one that it may have had, and leads to ``target``; what the sign-in lacks comes on the way."""
    if SESSION.read(request):
        await database_of(request).run(sessions.sign_out, SESSION.read(request))
    response = RedirectResponse(target, status_code=303)
    SESSION.write(request, response, token)
    LOGIN_FORM.delete(request, response)
    return response


def login_form(request: Request, status: int, target: str, name: str = "", error: str = "", notice: str = "") -> Response:
    """The login page.

    Args:
        request: keeps its form's own CSRF value, so that two open login tabs both work.
        status: of the response.
        target: where to go afterwards.
        name: what was typed, shown again.
        error: what went wrong, in French.
        notice: what else there is to say, in French.
    """
    known = LOGIN_FORM.read(request)
    value = known if re.fullmatch(r"[\w-]{43}", known) else secrets.token_urlsafe(32)
    values = {"csrf": value, "next": target, "name": name[:100], "error": error, "notice": notice, "has_oidc": settings_of(request).oidc_issuer is not None}
    response = render(request, "login.html", values, status)
    LOGIN_FORM.write(request, response, value)
    return response


async def _logout(request: Request, staff: StaffSession) -> Response:
    await database_of(request).run(sessions.sign_out, SESSION.read(request))
    response = RedirectResponse("/desk/login?out", status_code=303)
    SESSION.delete(request, response)
    return response


# ---------------------------------------------------------------- the first password of one's own


async def _first_password(request: Request, staff: StaffSession) -> Response:
    given = request.state.form if request.method == "POST" else request.query_params
    target = protection.safe_return(given.get("next", HOME))
    if staff.staff.initial_password_until is None:
        return RedirectResponse(target, status_code=303)
    error = ""
    if request.method == "POST":
        error = "Les deux mots de passe diffèrent."
        if given.get("password", "") == given.get("again", ""):
            try:
                await database_of(request).run(accounts.choose_password, staff, given.get("password", ""))
                return RedirectResponse(target, status_code=303)
            except accounts.WeakPassword as refused:
                error = str(refused)
    values = {"next": target, "error": error, "shortest": accounts.SHORTEST_PASSWORD}
    return render(request, "first_password.html", values, 422 if error else 200)


# ---------------------------------------------------------------- proving it again


async def _confirm(request: Request, staff: StaffSession, attempts: SignInAttempts) -> Response:
    given = request.state.form if request.method == "POST" else request.query_params
    target = protection.safe_return(given.get("next", HOME))
    # Whoever signs in through an identity provider may know no password of the desk.
    takes_code = staff.staff.oidc_subject is not None and staff.staff.totp_confirmed_at is not None
    error, status = "", 200
    if request.method == "POST":
        code = given.get("code", "") if takes_code else ""
        secret = Secret.CODE if code else Secret.PASSWORD
        try:
            if await guess(request, attempts, staff.staff.name, secret, _prove_again, staff, given.get("password", ""), code, now()):
                return RedirectResponse(target, status_code=303)
            error, status = "Le code ou le mot de passe n'est pas le bon." if takes_code else "Ce n'est pas votre mot de passe.", 401
        except TooManyAttempts as refused:
            error, status = too_many(refused), 429
    has_oidc = settings_of(request).oidc_issuer is not None and staff.staff.oidc_subject is not None
    return render(request, "confirm.html", {"next": target, "error": error, "takes_code": takes_code, "has_oidc": has_oidc}, status)


def _prove_again(session: Session, staff: StaffSession, password: str, code: str, at: datetime) -> bool | None:
    proved = second_factor.is_code(session, staff.staff_id, code, at) if code else accounts.knows_password(session, staff.staff_id, password)
    if proved:
        sessions.confirm(session, staff, at)
    return proved or None
