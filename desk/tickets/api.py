"""POST /internal/tickets: what the actions call, behind the shared secret."""

from __future__ import annotations

import hmac

from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from desk.chat.api import read_body
from desk.problems import Problem
from desk.tickets import service


async def open_ticket(request: Request) -> Response:
    """Answers 201 with the reference of a new ticket, 200 for one already stored under the same key, 409 for another body."""
    token = request.headers.get("authorization", "").removeprefix("Bearer ")
    if not hmac.compare_digest(token.encode(), request.app.state.secret.encode()):
        raise Problem(401, "Secret interne manquant ou faux.")
    key = request.headers.get("idempotency-key", "")
    if not 1 <= len(key) <= 120:
        raise Problem(400, "Idempotency-Key manque ou est trop long.")
    try:
        wanted = service.NewRequest.model_validate_json(await read_body(request))
    except ValidationError as error:
        fields = sorted({str(e["loc"][0]) if e["loc"] else "body" for e in error.errors(include_input=False)})
        raise Problem(400, f"Champs refusés : {', '.join(fields)}.") from None
    try:
        state = request.app.state
        ticket, is_new = await state.database.run(service.open_ticket, wanted, key, state.settings)
    except service.ConflictingReplay:
        raise Problem(409, "Cette clé porte déjà une autre demande.") from None
    if is_new:
        state.events.publish("ticket.open", ticket.reference)
    return JSONResponse({"reference": ticket.reference}, status_code=201 if is_new else 200)


routes = [Route("/internal/tickets", open_ticket, methods=["POST"])]
