"""The pages of the second factor: setting it up, giving it, changing it, new recovery codes."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from desk.db import now
from desk.models import StaffSession
from desk.staff import protection, second_factor
from desk.staff.attempts import Secret, SignInAttempts, TooManyAttempts
from desk.staff.guesses import address_of, guess, too_many
from desk.staff.protection import HOME, SESSION
from desk.staff.sessions import SessionOver
from desk.staff.shell import FIRST_PASSWORD, SECOND_FACTOR, database_of, lacks_second_factor, next_step, render, staff_page

ACCOUNT = "/desk/me"
WRONG_CODE = "Ce code n'est pas le bon, ou il a déjà servi. Attendez le suivant."


def second_factor_routes(attempts: SignInAttempts) -> list[Route]:
    """The routes; failed attempts are counted in ``attempts``."""

    async def step(request: Request, staff: StaffSession) -> Response:
        """What a half-open session needs: the code, or setting the second factor up."""
        target = _target(request, HOME)
        if next_step(request, staff) == FIRST_PASSWORD or not lacks_second_factor(request, staff):
            return RedirectResponse(target, status_code=303)
        return await (_give if staff.staff.totp_confirmed_at else _enrol)(request, staff, attempts, target)

    async def change(request: Request, staff: StaffSession) -> Response:
        return await _enrol(request, staff, attempts, ACCOUNT, is_signed_in=True)

    return [
        staff_page("/second-factor", step, ("GET", "POST"), half=True),
        staff_page("/second-factor/change", change, ("GET", "POST"), confirmed=True),
        staff_page("/second-factor/codes", _new_codes, ("GET", "POST"), confirmed=True),
    ]


async def _give(request: Request, staff: StaffSession, attempts: SignInAttempts, target: str) -> Response:
    error, status = "", 200
    if request.method == "POST":
        code = request.state.form.get("code", "")
        try:
            opened = await guess(request, attempts, staff.staff.name, Secret.CODE, second_factor.give, staff, code, now(), address_of(request))
            if opened:
                response = RedirectResponse(target, status_code=303)
                SESSION.write(request, response, opened[1])
                return response
            error, status = WRONG_CODE, 401
        except TooManyAttempts as refused:
            error, status = too_many(refused), 429
        except SessionOver:
            return RedirectResponse("/desk/login", status_code=303)
    return render(request, "second_factor.html", {"next": target, "error": error}, status)


async def _enrol(request: Request, staff: StaffSession, attempts: SignInAttempts, target: str, is_signed_in: bool = False) -> Response:
    error, status = "", 200
    if request.method == "POST":
        code = request.state.form.get("code", "")
        try:
            enrolled = await guess(
                request,
                attempts,
                staff.staff.name,
                Secret.CODE,
                second_factor.enrol,
                staff,
                code,
                now(),
                address_of(request),
                completes_sign_in=not is_signed_in,
            )
            if enrolled:
                request.state.staff, token, codes = enrolled
                response = _show_codes(request, codes, target)
                SESSION.write(request, response, token)
                return response
            error, status = "Ce code n'est pas celui de cette clé. Saisissez celui que l'application affiche maintenant.", 401
        except TooManyAttempts as refused:
            error, status = too_many(refused), 429
        except (second_factor.AlreadyEnrolled, SessionOver):
            return RedirectResponse(SECOND_FACTOR, status_code=303)
    offered = await database_of(request).run(second_factor.offer, staff)
    values = {"offer": offered, "next": target, "error": error, "is_signed_in": is_signed_in, "path": request.url.path}
    return render(request, "second_factor_setup.html", values, status)


async def _new_codes(request: Request, staff: StaffSession) -> Response:
    if staff.staff.totp_confirmed_at is None:
        return RedirectResponse(f"{SECOND_FACTOR}/change", status_code=303)
    if request.method == "POST":
        return _show_codes(request, await database_of(request).run(second_factor.regenerate_recovery_codes, staff.staff_id), ACCOUNT)
    left = await database_of(request).run(second_factor.recovery_codes_left, staff.staff_id)
    return render(request, "second_factor_renew.html", {"left": left})


def _show_codes(request: Request, codes: list[str], target: str) -> Response:
    return render(request, "second_factor_codes.html", {"codes": codes, "next": target})


def _target(request: Request, otherwise: str) -> str:
    given = request.state.form if request.method == "POST" else request.query_params
    return protection.safe_return(given.get("next", otherwise))
