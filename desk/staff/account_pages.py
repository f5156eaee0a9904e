"""One's own account: password, e-mail, second factor, sessions, sign-ins."""

from __future__ import annotations

from sqlalchemy.orm import Session
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from desk import audit
from desk.db import now
from desk.models import StaffSession
from desk.staff import accounts, second_factor, sessions, sign_ins, wording
from desk.staff.attempts import Secret, SignInAttempts, TooManyAttempts
from desk.staff.guesses import guess, too_many
from desk.staff.shell import database_of, render, settings_of, staff_page

ACCOUNT = "/desk/me"
SIGN_INS_SHOWN = 20
_DONE = {
    "password": "Votre mot de passe est changé. Vos autres sessions sont fermées.",
    "email": "Votre adresse e-mail est enregistrée.",
    "sessions": "Vos autres sessions sont fermées.",
}


def account_routes(attempts: SignInAttempts) -> list[Route]:
    """The routes; wrong present passwords are counted in ``attempts``."""

    async def change_password(request: Request, staff: StaffSession) -> Response:
        return await _change_password(request, staff, attempts)

    return [
        staff_page("/me", _me),
        staff_page("/me/password", change_password, ("POST",)),
        staff_page("/me/email", _change_email, ("POST",), confirmed=True),
        staff_page("/me/sessions", _end_sessions, ("POST",)),
    ]


async def _me(request: Request, staff: StaffSession) -> Response:
    return await _show(request, staff)


async def _show(request: Request, staff: StaffSession, status: int = 200, errors: dict[str, str] | None = None) -> Response:
    zone, present = settings_of(request).zone, now()

    def read(session: Session) -> dict[str, object]:
        return {
            "account": accounts.by_number(session, staff.staff_id),
            "left": second_factor.recovery_codes_left(session, staff.staff_id),
            "sessions": [
                (wording.moment(one.created_at, present, zone), one.token_hash == staff.token_hash) for one in sessions.of_account(session, staff.staff_id)
            ],
            "sign_ins": [
                (wording.moment(row.at, present, zone), wording.OUTCOMES[row.outcome], row.network)
                for row, _ in sign_ins.recent(session, staff.staff_id, size=SIGN_INS_SHOWN)
            ],
        }

    values = await database_of(request).run(read) | {
        "role": wording.ROLES[staff.staff.role],
        "shortest": accounts.SHORTEST_PASSWORD,
        "done": _DONE.get(request.query_params.get("done", "")),
        "errors": errors or {},
    }
    return render(request, "me.html", values, status)


async def _change_password(request: Request, staff: StaffSession, attempts: SignInAttempts) -> Response:
    form = request.state.form
    if form.get("password", "") != form.get("again", ""):
        return await _show(request, staff, 422, {"password": "Les deux nouveaux mots de passe diffèrent."})
    try:
        changed = await guess(request, attempts, staff.staff.name, Secret.PASSWORD, _changes_password, staff, form.get("old", ""), form.get("password", ""))
    except TooManyAttempts as error:
        return await _show(request, staff, 429, {"password": too_many(error)})
    except accounts.WeakPassword as error:
        return await _show(request, staff, 422, {"password": str(error)})
    if not changed:
        return await _show(request, staff, 401, {"password": "Ce n'est pas votre mot de passe actuel."})
    return RedirectResponse(f"{ACCOUNT}?done=password", status_code=303)


def _changes_password(session: Session, staff: StaffSession, old: str, new: str) -> bool | None:
    try:
        accounts.change_password(session, staff, old, new)
    except accounts.WrongPassword:
        return None
    return True


async def _change_email(request: Request, staff: StaffSession) -> Response:
    try:
        await database_of(request).run(accounts.change_email, staff.staff.name, staff.staff_id, request.state.form.get("email", ""))
    except accounts.BadEmail as error:
        return await _show(request, staff, 422, {"email": str(error)})
    return RedirectResponse(f"{ACCOUNT}?done=email", status_code=303)


async def _end_sessions(request: Request, staff: StaffSession) -> Response:
    def end(session: Session) -> None:
        if sessions.end_all(session, staff.staff_id, but=staff.token_hash):
            audit.record(session, staff.staff.name, "staff.sessions_ended", staff.staff.name)

    await database_of(request).run(end)
    return RedirectResponse(f"{ACCOUNT}?done=sessions", status_code=303)
