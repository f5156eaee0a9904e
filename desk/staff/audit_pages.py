"""The audit trail as a page."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from sqlalchemy.orm import Session
from starlette.requests import Request
from starlette.responses import Response

from desk import audit
from desk.db import Database, now
from desk.models import StaffSession
from desk.staff import accounts, wording
from desk.staff.permissions import Permission
from desk.staff.shell import database_of, render, settings_of, staff_page
from desk.tickets.references import as_reference

ENTRIES_SHOWN = 50
LONGEST_FILTER = 60


async def _show(request: Request, staff: StaffSession) -> Response:
    # PostgreSQL looks for no NUL.
    given = {name: request.query_params.get(name, "").replace("\0", "").strip()[:LONGEST_FILTER] for name in ("reference", "account", "action")}
    older = request.query_params.get("before", "")
    before = int(older) if older.isascii() and older.isdigit() and len(older) < 10 else None
    zone, present = settings_of(request).zone, now()

    def read(session: Session) -> dict[str, Any]:
        # Accounts are named by their number in the address: names of persons do not belong there.
        names = {str(one.staff.id): one.staff.name for one in accounts.everyone(session)} | {name: name for name in (audit.VISITOR, audit.SYSTEM)}
        reference, account = as_reference(given["reference"]) or given["reference"], names.get(given["account"], "")
        found = audit.find(session, reference, account, given["action"], before, ENTRIES_SHOWN + 1)
        rows = [(wording.moment(e.at, present, zone), wording.actor(e.actor), wording.action(e.action), wording.subject(e.subject)) for e in found]
        next_page = urlencode(given | {"before": found[ENTRIES_SHOWN - 1].id}) if len(found) > ENTRIES_SHOWN else None
        return {"rows": rows[:ENTRIES_SHOWN], "older": next_page, "accounts": [(key, wording.actor(name)) for key, name in names.items()]}

    database = database_of(request)
    values = await database.run(read) | {
        "given": given,
        "actions": sorted(wording.actions().items(), key=lambda pair: pair[1]),
        "chain": await _walked(database),
        "newest": urlencode(given) if before is not None else None,
    }
    return render(request, "audit.html", values)


async def _walked(database: Database) -> audit.Walk:
    """The whole chain, in transactions short enough for everybody else."""
    walked = audit.Walk()
    while not walked.is_over:
        walked = await database.run(audit.walk, walked)
    return walked


routes = [staff_page("/audit", _show, permission=Permission.AUDIT)]
