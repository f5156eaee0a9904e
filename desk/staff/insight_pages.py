"""Numbers with plots, their export, and the questions that got no answer."""

from __future__ import annotations

import re
from urllib.parse import urlencode

from sqlalchemy.orm import Session
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from bot.answers import Content
from desk import audit
from desk.content.usage import dialogue
from desk.db import now
from desk.insight import labels, not_understood, tables
from desk.insight.figures import Figure, figures, table
from desk.insight.not_understood import Order
from desk.insight.numbers import PERIODS, numbers
from desk.models import StaffSession
from desk.staff import wording
from desk.staff.permissions import Permission
from desk.staff.shell import database_of, render, settings_of, staff_page

INSIGHT = "/desk/insight"
QUESTIONS = "/desk/insight/questions"
USUAL_PERIOD = 30
_GROUP = "group-"  # how the fields of the chosen groups begin
ORDERS = {Order.FREQUENT: "Les plus fréquentes", Order.NEWEST: "Les plus récentes"}


async def _insight(request: Request, staff: StaffSession) -> Response:
    days = _period(request)
    found = await database_of(request).run(_figures, request, days)
    return render(request, "insight.html", {"figures": found, "days": days, "periods": PERIODS})


async def _export(request: Request, staff: StaffSession) -> Response:
    days = _period(request)

    def read(session: Session) -> str:
        audit.record(session, staff.staff.name, "insight.export", f"{days} jours")
        return tables.csv_text(table(_figures(session, request, days)))

    text = await database_of(request).run(read)
    return _download(text, "text/csv; charset=utf-8", f"passerelle-{now().astimezone(settings_of(request).zone):%Y-%m-%d}-{days}j.csv")


def _figures(session: Session, request: Request, days: int) -> list[Figure]:
    return figures(numbers(session, days, now(), settings_of(request).zone, tuple(labels.HANDOFFS)), _content(request))


def _period(request: Request) -> int:
    wanted = request.query_params.get("days", "")
    return int(wanted) if wanted in map(str, PERIODS) else USUAL_PERIOD


# ------------------------------------------------------------ what was not understood


async def _questions(request: Request, staff: StaffSession) -> Response:
    order = Order(request.query_params["order"]) if request.query_params.get("order") in tuple(Order) else Order.FREQUENT
    page = _number(request.query_params.get("page", "1"))
    return await _list(request, order, max(1, page))


async def _list(request: Request, order: Order, page: int, error: str = "") -> Response:
    def read(session: Session) -> tuple[int, list[not_understood.QuestionGroup]]:
        until = not_understood.newest_id(session)
        return until, not_understood.groups(session, until, order)

    until, groups = await database_of(request).run(read)
    settings, present = settings_of(request), now()
    pages = max(1, -(-len(groups) // not_understood.PER_PAGE))
    page = min(page, pages)
    shown = groups[(page - 1) * not_understood.PER_PAGE : page * not_understood.PER_PAGE]
    context = {
        "groups": [(group, wording.moment(group.newest, present, settings.zone)) for group in shown],
        "names": labels.NO_ANSWERS,
        "count": sum(len(group.questions) for group in groups),
        "until": until,
        "order": order,
        "orders": ORDERS,
        "page": page,
        "pages": pages,
        "intents": dialogue().intents,
        "days": settings.not_understood_days,
        "is_kept": settings.keep_not_understood == "on",
        "field": _GROUP,
        "dismissed": _number(request.query_params.get("dismissed", "")),
        "error": error,
    }
    return render(request, "not_understood.html", context, 400 if error else 200)


async def _dismiss(request: Request, staff: StaffSession) -> Response:
    form = request.state.form
    put_aside = await database_of(request).run(not_understood.dismiss, staff.staff.name, _number(form.get("dismiss", "")), _number(form.get("until", "")))
    back = {"order": form.get("order", ""), "page": form.get("page", ""), "dismissed": put_aside}
    return RedirectResponse(f"{QUESTIONS}?{urlencode(back)}", status_code=303)


async def _export_questions(request: Request, staff: StaffSession) -> Response:
    form = request.state.form
    keys = [_number(name.removeprefix(_GROUP)) for name in form if name.startswith(_GROUP)]
    order = Order(form["order"]) if form.get("order") in tuple(Order) else Order.FREQUENT
    if form.get("intent") not in dialogue().intents:
        return await _list(request, order, _number(form.get("page", "1")), "Choisissez une intention.")
    text = await database_of(request).run(not_understood.export, staff.staff.name, keys, _number(form.get("until", "")), form["intent"])
    if not text:
        return await _list(request, order, _number(form.get("page", "1")), "Cochez au moins un groupe de questions.")
    return _download(text, "application/yaml; charset=utf-8", f"a-relire-{form['intent']}.yml")


def _download(text: str, kind: str, name: str) -> Response:
    return Response(text, headers={"Content-Type": kind, "Content-Disposition": f'attachment; filename="{name}"'})


def _number(given: str) -> int:
    """A number out of a form; 0 where it is none, which no row has."""
    return int(given) if re.fullmatch(r"[0-9]{1,9}", given) else 0


def _content(request: Request) -> Content:
    content: Content = request.app.state.content
    return content


routes = [
    staff_page("/insight", _insight, permission=Permission.INSIGHT),
    staff_page("/insight/export", _export, permission=Permission.INSIGHT),
    staff_page("/insight/questions", _questions, permission=Permission.INSIGHT),
    staff_page("/insight/questions/dismiss", _dismiss, ("POST",), Permission.INSIGHT),
    staff_page("/insight/questions/export", _export_questions, ("POST",), Permission.INSIGHT),
]
