"""The ASGI application, put together from settings."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.templating import Jinja2Templates

from bot.answers import Content
from bot.guard.door import inspect
from desk import problems, retention
from desk.appointments import visitor_pages
from desk.chat import api as chat_api
from desk.chat.limits import RateLimits
from desk.chat.live import OpenStreams
from desk.chat.rasa import Assistant
from desk.chat.turns import Turns
from desk.db import Database, connect
from desk.health import Health
from desk.hours import load_calendar
from desk.insight import metrics, not_understood
from desk.outbox.worker import worker_of
from desk.settings import Settings
from desk.staff.protection import SecurityHeaders
from desk.staff.routes import staff_routes
from desk.tickets import api as tickets_api
from desk.tickets import rounds
from desk.tickets.events import EventBus

HERE = Path(__file__).resolve().parent
DEMO_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; connect-src 'self'; style-src 'self'; img-src 'self' data:; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
}

STATIC_HEADERS = {"X-Content-Type-Options": "nosniff"}


def create_app(settings: Settings) -> Starlette:
    """Builds the desk.

    Args:
        settings: complete, with a secret.
    """
    assert settings.secret and settings.database_url
    content = Content()
    database = Database(connect(settings.database_url, settings.cipher))
    assistant = Assistant(settings.rasa_url, settings.secret, settings.turn_timeout)
    events, visitor_events = EventBus(), EventBus()  # two: what is about a conversation is no matter of staff's pages
    counted = metrics.Metrics()
    turns = Turns(
        database,
        assistant,
        content,
        lambda session: load_calendar(session, settings),
        settings=settings,
        events=events,
        visitor_events=visitor_events,
        metrics=counted,
    )
    health = Health(database, assistant, settings.actions_url)
    worker = worker_of(database, settings)

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        inspect("bonjour")  # compiles the lexicon now, not on the first visitor whom Rasa fails
        eraser = asyncio.create_task(retention.keep_erasing(database, turns, settings))
        rounds_made = asyncio.create_task(rounds.keep_going(database, settings, events, visitor_events))
        sender = asyncio.create_task(worker.run())
        preparing = asyncio.create_task(not_understood.prepare(settings))
        with metrics.served(counted, database, settings.metrics_port, lambda: events.listeners):
            yield
        preparing.cancel()
        events.close()
        visitor_events.close()
        for task in (eraser, rounds_made, sender):
            task.cancel()
        await asyncio.gather(eraser, rounds_made, sender, return_exceptions=True)  # they give up their connections before the database closes
        await assistant.close()
        await health.close()
        database.engine.dispose()

    app = Starlette(
        routes=[
            Route("/", demo_page),
            *chat_api.routes,
            *tickets_api.routes,
            *visitor_pages.routes,
            *staff_routes(),
            Mount("/static", StaticFiles(directory=HERE / "static"), name="static", middleware=[Middleware(SecurityHeaders, headers=STATIC_HEADERS)]),
        ],
        exception_handlers={
            problems.Problem: problems.on_problem,
            SQLAlchemyError: problems.on_database_error,
            HTTPException: problems.on_http_exception,
            Exception: problems.on_crash,
        },
        lifespan=lifespan,
    )
    app.state.settings = settings
    app.state.secret = settings.secret
    app.state.content = content
    app.state.database = database
    app.state.events = events
    app.state.visitor_events = visitor_events
    app.state.streams = OpenStreams(settings.rate_limits == "on")
    app.state.turns = turns
    app.state.limits = RateLimits(settings.rate_limits == "on")
    app.state.health = health
    app.state.templates = Jinja2Templates(directory=HERE / "templates")
    return app


async def demo_page(request: Request) -> Response:
    """A page of a clinic's site that embeds the widget by one script tag."""
    templates: Jinja2Templates = request.app.state.templates
    return templates.TemplateResponse(request, "demo.html", {"static": "/static"}, headers=DEMO_HEADERS)
