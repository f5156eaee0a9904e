"""The page that tells the keyboard shortcuts (``desk.js``), and where they are switched off (WCAG 2.1.4)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from desk.models import StaffSession
from desk.staff.shell import render, staff_page


@dataclass(frozen=True)
class Shortcut:
    """Keys and what they do; ``joint`` stands between the keys: one or the other, or one after the other."""

    keys: Sequence[str]
    what: str
    joint: str = "ou"


@dataclass(frozen=True)
class Group:
    """Shortcuts of one place."""

    id: str
    title: str
    shortcuts: Sequence[Shortcut]


GROUPS = (
    Group(
        "partout",
        "Partout",
        (
            Shortcut(("g", "l"), "aller à la liste des demandes", "puis"),
            Shortcut(("/",), "chercher une demande"),
            Shortcut(("?",), "ouvrir cette page"),
        ),
    ),
    Group(
        "liste",
        "Dans la liste",
        (
            Shortcut(("j", "↓"), "demande suivante"),
            Shortcut(("k", "↑"), "demande précédente"),
            Shortcut(("Entrée",), "ouvrir la demande"),
        ),
    ),
    Group(
        "demande",
        "Dans une demande",
        (
            Shortcut(("c",), "la prendre en charge"),
            Shortcut(("r",), "écrire une réponse au visiteur"),
            Shortcut(("n",), "écrire une note"),
            Shortcut(("Échap",), "quitter le champ où vous écrivez, qui garde votre texte"),
        ),
    ),
)


async def _shortcuts(request: Request, staff: StaffSession) -> Response:
    return render(request, "shortcuts.html", {"groups": GROUPS})


routes = [staff_page("/shortcuts", _shortcuts)]
