"""How fast the desk's list and searches are over 10,000 requests, and how many statements a page takes: `make bench`. Writes docs/bench/desk.md.

The pages are asked of the real application over a real SQLite file and a real PostgreSQL with their ordinary settings. A page that takes more statements
over many requests than over few fails the measurement: time would grow with every row.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import shutil
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import date
from itertools import cycle
from pathlib import Path
from typing import Any

import httpx2
from sqlalchemy import Engine, event, select
from starlette.applications import Starlette

from desk.app import create_app
from desk.db import Database, now
from desk.migrate import migrate
from desk.models import Role, Staff
from desk.settings import load_settings
from desk.staff import sessions
from tools.bench_guard import machine, quantile
from tools.desk_requests import Remembered, fill
from tools.postgresql import Server

ROOT = Path(__file__).resolve().parent.parent
OUT = ROOT / "docs/bench/desk.md"
MANY, FEW = 10_000, 3
GOAL_MS = 100  # of the list and of searches, 95 of 100
LAST = 999_999  # beyond the last page is the last
TABS = {"to_do": "À traiter", "mine": "Les miennes", "overdue": "En retard", "booked": "Rendez-vous", "over": "Terminées", "all": "Toutes"}
URL = "http://testserver"


@dataclass(frozen=True)
class Asked:
    """One page as a browser asks for it.

    Attributes:
        name: of the page in the table.
        path: its address, ``{}`` standing for what is remembered.
        remembered: what is put into the address, or typed into the search; one of ``Remembered``, or nothing.
        status: of the answer.
        has_goal: whether it is a list or a search.
    """

    name: str
    path: str
    remembered: str = ""
    status: int = 200
    has_goal: bool = True


@dataclass
class Measured:
    """What asking for one page cost, each time.

    Attributes:
        milliseconds: that passed until the answer was there.
        worked: milliseconds of the processor that this process used; not those of PostgreSQL's server.
        statements: how many were sent to the database.
    """

    milliseconds: list[float] = field(default_factory=list)
    worked: list[float] = field(default_factory=list)
    statements: set[int] = field(default_factory=set)


SEARCH = "/desk/search"
PAGES = [
    *(Asked(f"{label}, page {where}", f"/desk/?view={view}&page={number}") for view, label in TABS.items() for where, number in (("1", 1), ("last", LAST))),
    Asked("Toutes, by deadline, last page", f"/desk/?view=all&sort=deadline&page={LAST}"),
    Asked("Toutes, one subject and owner, page 1", "/desk/?view=all&subject=liver&owner=1"),
    Asked("search: a reference (leads to its request)", SEARCH, "references", status=303),
    Asked("search: four letters that a name begins with", SEARCH, "beginnings"),
    Asked("search: a whole name", SEARCH, "names"),
    Asked("search: a phone number", SEARCH, "phones"),
    Asked("search: an e-mail address", SEARCH, "emails"),
    Asked("search: what no request has", SEARCH, "nothing"),
    Asked("one request's page", "/desk/requests/{}", "references", has_goal=False),
]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=MANY)
    parser.add_argument("--times", type=int, default=100, help="how often each page is asked for")
    options = parser.parse_args()
    load = os.getloadavg()[0]
    tables, failures = [], []
    for name, opened in (("SQLite", sqlite_folder), ("PostgreSQL", postgresql_folder)):
        with opened() as (folder, url):
            few, many = asyncio.run(measured(folder, url, options.requests, options.times))
        tables.append(f"## {name}\n\n{verdict(slow(many))}\n\n{table(many)}")
        failures += [f"{name}: {failure}" for failure in growing(few, many)]
    OUT.write_text(page(tables, options.requests, options.times, load), encoding="utf-8")
    print(OUT.read_text(encoding="utf-8"))
    for failure in failures:
        print(f"FAILED {failure}")
    return 1 if failures else 0


# ---------------------------------------------------------------- databases


@contextmanager
def sqlite_folder() -> Iterator[tuple[Path, str]]:
    """A folder and an address in it."""
    folder = Path(tempfile.mkdtemp(prefix="passerelle-bench-"))
    yield folder, f"sqlite:///{folder / 'desk.db'}"
    shutil.rmtree(folder)


@contextmanager
def postgresql_folder() -> Iterator[tuple[Path, str]]:
    """A folder, and the address of a database on a server that runs meanwhile."""
    folder = Path(tempfile.mkdtemp(prefix="passerelle-bench-"))
    server = Server()
    try:
        yield folder, server.url("postgres")
    finally:
        server.close()
        shutil.rmtree(folder)


# ---------------------------------------------------------------- measuring


async def measured(folder: Path, url: str, requests: int, times: int) -> tuple[dict[str, Measured], dict[str, Measured]]:
    """Asks for every page over few requests and over many.

    Args:
        folder: for the desk's keys.
        url: of an empty database.
        requests: how many are many.
        times: how often each page is asked for over many.
    """
    settings = load_settings(data=folder, database_url=url, secret="a secret of twenty characters and more", public_url=URL, rate_limits="off")
    app = create_app(settings)  # its rounds and its sender do not start: nothing else uses the database
    database: Database = app.state.database
    migrate(database.engine)
    remembered = filled(database, FEW)
    few = await ask(app, remembered, 2)
    remembered = filled(database, requests - FEW)
    await ask(app, remembered, 2)  # what is compiled and read at first use
    many = await ask(app, remembered, times)
    database.engine.dispose()
    return few, many


def filled(database: Database, requests: int) -> Remembered:
    """Adds requests."""
    with database.transaction() as session:
        remembered = fill(session, requests, now())
    if database.engine.dialect.name == "postgresql":
        with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql("VACUUM ANALYZE")  # as its autovacuum does within a minute
    return remembered


async def ask(app: Starlette, remembered: Remembered, times: int) -> dict[str, Measured]:
    """Asks for every page so many times, in turns, so that a busy moment of the machine falls on all alike."""
    found = {asked.name: Measured() for asked in PAGES}
    typed = {name: cycle(values) for name, values in vars(remembered).items()} | {"nothing": cycle(["Xylophone", "+33699999999", "personne@nulle.part"])}
    async with signed_in(app) as (browser, csrf):
        with counted(app.state.database.engine) as statements:
            for _ in range(times):
                for asked in PAGES:
                    what = next(typed[asked.remembered]) if asked.remembered else ""
                    form = {"csrf": csrf, "q": what} if asked.path == SEARCH else None
                    statements.clear()
                    started, worked = time.perf_counter(), time.process_time()
                    answer = await browser.request("POST" if form else "GET", asked.path.format(what), data=form)
                    found[asked.name].milliseconds.append((time.perf_counter() - started) * 1000)
                    found[asked.name].worked.append((time.process_time() - worked) * 1000)
                    found[asked.name].statements.add(len(statements))
                    if answer.status_code != asked.status:
                        raise RuntimeError(f"{asked.name}: {answer.status_code}")
    return found


@asynccontextmanager
async def signed_in(app: Starlette) -> AsyncIterator[tuple[httpx2.AsyncClient, str]]:
    """A browser in which a lead is signed in, and the secret of its forms."""
    database: Database = app.state.database
    with database.transaction() as session:
        staff = session.scalars(select(Staff).where(Staff.role == Role.LEAD)).first()
        assert staff
        opened, token = sessions.open_session(session, staff, hours=10)
        opened.second_factor_at = now()
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), base_url=URL, cookies={"passerelle_staff": token}) as browser:
        yield browser, opened.csrf_token


@contextmanager
def counted(engine: Engine) -> Iterator[list[str]]:
    """The statements that are sent to a database meanwhile, without the beginnings and ends of transactions."""
    sent: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if not re.match(r"BEGIN|COMMIT|ROLLBACK", statement):
            sent.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    yield sent
    event.remove(engine, "before_cursor_execute", note)


# ---------------------------------------------------------------- judging


def growing(few: dict[str, Measured], many: dict[str, Measured]) -> list[str]:
    """The pages that take more statements over many requests than over few."""
    return [
        f"« {name} » takes {max(many[name].statements)} statements over many requests, {max(few[name].statements)} over few"
        for name in (asked.name for asked in PAGES if asked.has_goal)
        if max(many[name].statements) > max(few[name].statements)
    ]


def slow(many: dict[str, Measured]) -> list[str]:
    """The lists and searches that miss the goal."""
    return [
        f"« {asked.name} »: p95 {quantile(many[asked.name].milliseconds, 0.95):.0f} ms, the goal is {GOAL_MS} ms"
        for asked in PAGES
        if asked.has_goal and quantile(many[asked.name].milliseconds, 0.95) > GOAL_MS
    ]


def verdict(missed: Sequence[str]) -> str:
    """How many pages keep the goal. Missing it fails nothing: a busy machine is slow, whatever the desk does."""
    asked = sum(asked.has_goal for asked in PAGES)
    return f"{asked - len(missed)} of {asked} lists and searches keep the goal."


def table(many: dict[str, Measured]) -> str:
    """What was measured, as Markdown."""
    head = "| page | p50, ms | p95, ms | p99, ms | processor p50, ms | statements |\n| --- | ---: | ---: | ---: | ---: | ---: |"
    rows = []
    for name, one in many.items():
        times = " | ".join(f"{quantile(one.milliseconds, share):.1f}" for share in (0.5, 0.95, 0.99))
        least, most = min(one.statements), max(one.statements)
        worked = f"{quantile(one.worked, 0.5):.1f}"
        rows.append(f"| {name} | {times} | {worked} | {most if least == most else f'{least} to {most}'} |")
    return "\n".join([head, *rows])


def page(tables: Sequence[str], requests: int, times: int, load: float) -> str:
    """The page in docs/bench."""
    today = f"{date.today():%d %B %Y}".lstrip("0")
    busy = f" The machine was busy with other work meanwhile (load {load:.1f} at the start): idle, it is faster." if load > 1.5 else ""
    return (
        f"""# How fast the desk's pages are

Written by `make bench` on {today}, {machine()}.{busy}

{requests:,} made-up requests (`tools/desk_requests.py`) in a real database; a signed-in lead asks the real application, in this process, for pages of 50
requests. Each page was asked for {times} times. Goal: lists and searches within {GOAL_MS} ms, 95 of 100. « last » is the last page of a tab.
Statements are those sent to the database for the whole page, its session's included; a page that takes more of them over {requests:,} requests than
over {FEW} fails the measurement. « processor » is what this process worked for a page, whatever else the machine did
(PostgreSQL's server works beside it). Names, phones and addresses are searched by keyed digests, for the fields themselves are encrypted.

"""
        + "\n\n".join(tables)
        + "\n"
    )


if __name__ == "__main__":
    sys.exit(main())
