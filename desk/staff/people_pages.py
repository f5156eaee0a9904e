"""The accounts of the team, and the sign-in log."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy.orm import Session
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from desk.db import now
from desk.models import Role, StaffSession
from desk.staff import accounts, leaving, protection, second_factor, sign_ins, wording
from desk.staff.permissions import Permission
from desk.staff.shell import database_of, message, render, settings_of, staff_page

PEOPLE = "/desk/people"
SIGN_INS_SHOWN = 50
_DONE = {
    "role": "Le rôle est changé.",
    "deactivate": "Le compte est fermé. Ses demandes en cours sont de nouveau en attente.",
    "activate": "Le compte est rouvert.",
    "second-factor": "Le second facteur est retiré. La personne en réglera un nouveau à sa prochaine connexion.",
}


async def _list(request: Request, staff: StaffSession) -> Response:
    zone, present = settings_of(request).zone, now()

    def read(session: Session) -> dict[str, Any]:
        return {
            "people": [
                (one.staff, wording.ROLES[one.staff.role], wording.moment(one.last_sign_in.at, present, zone) if one.last_sign_in else None)
                for one in accounts.everyone(session)
            ],
            "vacant": [wording.ROLES[role] for role in sorted(accounts.vacant_roles(session))],
        }

    return render(request, "people.html", await database_of(request).run(read))


async def _new(request: Request, staff: StaffSession) -> Response:
    error, form = "", request.state.form if request.method == "POST" else {}
    if request.method == "POST":
        role = _role(form)
        try:
            account, password = await database_of(request).run(accounts.invite, staff.staff.name, form.get("name", ""), role, form.get("email", ""))
            return _show_password(request, account.name, password)
        except accounts.AccountError as refused:
            error = str(refused)
    values = {"error": error, "form": form, "roles": _roles(), "chosen": form.get("role", Role.AGENT.value)}
    return render(request, "people_new.html", values, 422 if error else 200)


async def _person(request: Request, staff: StaffSession, error: str = "") -> Response:
    try:
        account = await database_of(request).run(accounts.by_number, request.path_params["staff_id"])
    except accounts.NoSuchAccount:
        return _gone(request)
    done = _DONE.get(request.query_params.get("done", ""))
    values = {"account": account, "roles": _roles(), "role": wording.ROLES[account.role], "done": done, "error": error}
    return render(request, "person.html", values, 409 if error else 200)


def _change(done: str, function: Callable[..., Any], *from_request: Callable[[Request], Any]) -> Any:
    """A page function that changes one account and shows it again."""

    async def change(request: Request, staff: StaffSession) -> Response:
        staff_id = request.path_params["staff_id"]
        try:
            await database_of(request).run(function, staff.staff.name, staff_id, *(read(request) for read in from_request))
        except accounts.NoSuchAccount:
            return _gone(request)
        except accounts.NobodyLeft as error:
            return await _person(request, staff, str(error))
        return RedirectResponse(f"{PEOPLE}/{staff_id}?done={done}", status_code=303)

    return change


async def _reset_password(request: Request, staff: StaffSession) -> Response:
    def reset(session: Session) -> tuple[str, str]:
        account = accounts.by_number(session, request.path_params["staff_id"])
        return account.name, accounts.reset_password(session, staff.staff.name, account.id)

    try:
        name, password = await database_of(request).run(reset)
    except accounts.NoSuchAccount:
        return _gone(request)
    return _show_password(request, name, password)


async def _sign_ins(request: Request, staff: StaffSession) -> Response:
    zone, present = settings_of(request).zone, now()
    given = request.query_params.get("before", "")
    before = int(given) if given.isascii() and given.isdigit() and len(given) < 10 else None
    rows = await database_of(request).run(sign_ins.recent, None, before, SIGN_INS_SHOWN + 1)
    shown = [(wording.moment(row.at, present, zone), name, wording.OUTCOMES[row.outcome], row.network, row.outcome) for row, name in rows[:SIGN_INS_SHOWN]]
    older = rows[SIGN_INS_SHOWN - 1][0].id if len(rows) > SIGN_INS_SHOWN else None
    return render(request, "signins.html", {"rows": shown, "older": older, "is_first": before is None, "days": sign_ins.KEPT_DAYS})


def _role(form: dict[str, str]) -> Role:
    try:
        return Role(form.get("role", ""))
    except ValueError:
        raise protection.BadForm from None


def _roles() -> list[tuple[str, str, str]]:
    return [(role.value, wording.ROLES[role], wording.ROLE_NOTES[role]) for role in Role]


def _show_password(request: Request, name: str, password: str) -> Response:
    return render(request, "people_password.html", {"name": name, "password": password, "days": accounts.INITIAL_PASSWORD_DAYS})


def _gone(request: Request) -> Response:
    return message(request, 404, "Compte introuvable", "Ce compte n'existe pas.")


_PERSON = "/people/{staff_id:int}"
_USERS: dict[str, Any] = {"permission": Permission.USERS, "confirmed": True}
routes = [
    staff_page("/people", _list, permission=Permission.USERS),
    staff_page("/people/new", _new, ("GET", "POST"), **_USERS),
    staff_page(_PERSON, _person, **_USERS),
    staff_page(f"{_PERSON}/role", _change("role", accounts.change_role, lambda request: _role(request.state.form)), ("POST",), **_USERS),
    staff_page(f"{_PERSON}/deactivate", _change("deactivate", leaving.close_account, settings_of), ("POST",), **_USERS),
    staff_page(f"{_PERSON}/activate", _change("activate", accounts.activate), ("POST",), **_USERS),
    staff_page(f"{_PERSON}/second-factor", _change("second-factor", second_factor.reset), ("POST",), **_USERS),
    staff_page(f"{_PERSON}/password", _reset_password, ("POST",), **_USERS),
    staff_page("/signins", _sign_ins, permission=Permission.USERS),
]
