"""What keeps open pages up to date: one stream of events for all of them, and who has which request open."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator
from dataclasses import asdict

from sqlalchemy.orm import Session
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from desk.db import Database, now
from desk.models import StaffSession
from desk.settings import Settings
from desk.staff import accounts, presence, reading
from desk.staff.permissions import Permission
from desk.staff.protection import SESSION
from desk.staff.shell import database_of, settings_of, staff_page
from desk.tickets import service
from desk.tickets.events import HEARTBEAT, EventBus
from desk.tickets.references import as_reference

RETRY = 3000  # milliseconds after which a browser connects again


def events_of(request: Request) -> EventBus:
    """What tells open pages of changes."""
    events: EventBus = request.app.state.events
    return events


async def _events(request: Request, staff: StaffSession) -> Response:
    stream = _stream(events_of(request), database_of(request), SESSION.read(request))
    return StreamingResponse(stream, media_type="text/event-stream", headers={"X-Accel-Buffering": "no"})


async def _stream(bus: EventBus, database: Database, token: str) -> AsyncIterator[str]:
    """Events as a browser's ``EventSource`` reads them: kinds and references, never anything of a visitor. Ends with the session, or the role."""
    with bus.subscribe() as subscription:
        yield f"retry: {RETRY}\n\n"
        checked = time.monotonic()
        async for event in subscription.events():
            if event is None or time.monotonic() - checked > HEARTBEAT:
                found = await database.run(accounts.session_of, token)
                if found is None or Permission.READ_REQUESTS not in found[1]:  # signed out, or another role by now
                    return
                checked = time.monotonic()
            yield f"data: {json.dumps(asdict(event))}\n\n" if event else ": still here\n\n"


async def _presence(request: Request, staff: StaffSession) -> Response:
    """A heartbeat of an open page, answered with what changed; ``gone`` when it is closed."""
    reference = as_reference(request.path_params["reference"])
    form = request.state.form
    heard = await database_of(request).run(_hear, reference or "", staff, form.get("writing") == "1", form.get("gone") == "1", settings_of(request))
    if heard is None:
        return JSONResponse({}, 404)
    is_news, pulse = heard
    if is_news:
        events_of(request).publish("presence", reference or "")
    return JSONResponse(asdict(pulse))


def _hear(session: Session, reference: str, staff: StaffSession, is_writing: bool, is_gone: bool, settings: Settings) -> tuple[bool, reading.Pulse] | None:
    ticket = service.by_reference(session, reference)
    if ticket is None:
        return None
    key = (ticket.id, staff.staff_id)
    is_news = presence.leave(session, *key) if is_gone else presence.renew(session, *key, is_writing, now())
    pulse = reading.pulse(session, reference, staff.staff, settings.zone)
    return (is_news, pulse) if pulse else None


routes = [
    staff_page("/events", _events, permission=Permission.READ_REQUESTS),
    staff_page("/requests/{reference}/presence", _presence, ("POST",), Permission.READ_REQUESTS),
]
