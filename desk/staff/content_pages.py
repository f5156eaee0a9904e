"""Every answer beside its facts and sources, and where a clinician signs that one was read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from bot.answers import Content
from desk.content import signing
from desk.content.catalogue import KINDS, TOPICS, CatalogueEntry, catalogue
from desk.content.signing import Signature
from desk.content.usage import dialogue
from desk.french_time import day_in_full
from desk.models import StaffSession
from desk.staff.permissions import Permission
from desk.staff.shell import database_of, message, render, settings_of, staff_page

LIST = "/desk/content"
LONGEST_SEARCH = 100
READ, UNREAD = "relu", "non-relu"
STATES = {READ: "Relu", UNREAD: "Non relu"}


@dataclass(frozen=True)
class Shown:
    """A text and its signature; ``read`` says who read it and when, empty while nobody has."""

    entry: CatalogueEntry
    signature: Signature | None

    @property
    def state(self) -> str:
        """``relu`` or ``non-relu``."""
        return READ if self.signature else UNREAD

    @property
    def read(self) -> str:
        """« relu par … le … »."""
        found = self.signature
        return f"relu par {found.reviewer}, {found.function}, le {day_in_full(found.day)}" if found else ""


async def _list(request: Request, staff: StaffSession) -> Response:
    asked = request.query_params
    kind, topic, state, words = (asked.get(name, "") for name in ("kind", "topic", "state", "q"))
    words = words.strip()[:LONGEST_SEARCH]
    every = await _shown(request)
    found = [s for s in every if kind in ("", s.entry.kind) and topic in ("", s.entry.topic) and state in ("", s.state) and s.entry.is_found_by(words)]
    used_kinds = {s.entry.kind for s in every}
    context = {
        "found": found,
        "total": len(every),
        "read": sum(s.signature is not None for s in every),
        "kinds": KINDS,
        "topics": TOPICS,
        "states": STATES,
        "filters": [
            ("kind", "Nature", kind, {k: v for k, v in KINDS.items() if k in used_kinds}),
            ("topic", "Thème", topic, TOPICS),
            ("state", "Relecture", state, STATES),
        ],
        "words": words,
        "is_filtered": any((kind, topic, state, words)),
    }
    return render(request, "content.html", context)


async def _text(request: Request, staff: StaffSession) -> Response:
    return await _with_text(request, lambda shown: render(request, "content_text.html", _context(shown) | {"done": "signed" in request.query_params}))


async def _form(request: Request, staff: StaffSession) -> Response:
    return await _with_text(request, lambda shown: _sign_form(request, shown))


async def _sign(request: Request, staff: StaffSession) -> Response:
    shown = await _find(request)
    if shown is None:
        return _unknown(request)
    form = request.state.form
    reviewer, function = form.get("reviewer", ""), form.get("function", "")
    if form.get("read") != "yes":
        return _sign_form(request, shown, reviewer, function, "Cochez la case une fois le texte lu en entier.")
    try:
        await database_of(request).run(signing.sign, staff.staff.name, shown.entry.text, form.get("sha256", ""), reviewer, function)
    except signing.TextChanged as error:
        return message(request, 409, "Texte modifié entre-temps", str(error))
    except signing.SignatureError as error:
        return _sign_form(request, shown, reviewer, function, str(error))
    return RedirectResponse(f"{LIST}/{shown.entry.path}?signed", status_code=303)


def _sign_form(request: Request, shown: Shown, reviewer: str = "", function: str = "", error: str = "") -> Response:
    context = _context(shown) | {"reviewer": reviewer, "function": function, "error": error, "longest": signing.LONGEST}
    return render(request, "content_sign.html", context, 400 if error else 200)


def _context(shown: Shown) -> dict[str, object]:
    return {"shown": shown, "entry": shown.entry, "kinds": KINDS, "topics": TOPICS}


async def _with_text(request: Request, draw: Callable[[Shown], Response]) -> Response:
    shown = await _find(request)
    return draw(shown) if shown else _unknown(request)


async def _find(request: Request) -> Shown | None:
    wanted = f"{request.path_params['response']}/{request.path_params['place']}"
    return next((s for s in await _shown(request) if s.entry.path == wanted), None)


async def _shown(request: Request) -> list[Shown]:
    content: Content = request.app.state.content
    kept = signing.kept_signatures()
    signed = await database_of(request).run(signing.signatures, settings_of(request).zone, kept)
    return [Shown(entry, signed.get((entry.text.response, entry.text.sha256))) for entry in catalogue(content, dialogue())]


def _unknown(request: Request) -> Response:
    return message(request, 404, "Texte introuvable", "Aucun texte ne porte ce nom. Il a peut-être été retiré.")


routes = [
    staff_page("/content", _list, permission=Permission.CONTENT),
    staff_page("/content/{response}/{place:int}", _text, permission=Permission.CONTENT),
    staff_page("/content/{response}/{place:int}/sign", _form, permission=Permission.CONTENT, confirmed=True),
    staff_page("/content/{response}/{place:int}/signed", _sign, ("POST",), Permission.CONTENT, confirmed=True),
]
