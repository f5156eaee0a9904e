"""Databases for tests: real SQLite files, or a real, throw-away PostgreSQL (``PASSERELLE_TEST_DATABASE=postgresql``).

Either is migrated once; each test gets a copy of that, which takes some milliseconds.
"""

from __future__ import annotations

import atexit
import itertools
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Protocol

import psycopg
from sqlalchemy import text

from desk.crypto import Cipher, Keys
from desk.db import Database, connect
from desk.migrate import migrate
from tools.postgresql import USER, Server

CIPHER = Cipher(Keys.parse(Keys.generate()))
VARIABLE = "PASSERELLE_TEST_DATABASE"
KIND = os.environ.get(VARIABLE) or "sqlite"  # read before a test changes the environment

# Where files are kept in memory: a copy of a database takes a tenth of the time there. Containers often have no room to speak of.
MEMORY, MEMORY_NEEDED = Path("/dev/shm"), 2**30
# Nothing need survive the machine, and the zone is one that a server may be set to: it must not matter.
SERVER_OPTIONS = {
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "wal_level": "minimal",
    "max_wal_size": "256MB",
    "max_wal_senders": "0",
    "autovacuum": "off",
    "shared_buffers": "64MB",
    "timezone": "Australia/Lord_Howe",  # half an hour of summer time
}


class Databases(Protocol):
    """Where tests get their databases from."""

    def migrated(self, folder: Path) -> str:
        """The address of the migrated database that belongs to a folder: made the first time, the same one afterwards."""

    def empty(self, folder: Path) -> str:
        """The address of a new database without a table."""

    def drop(self) -> None:
        """Drops what was made so far."""


def new_database_url(folder: Path) -> str:
    """The address of the migrated database that belongs to a folder: a new one the first time, the same one afterwards.

    Everything in tests that opens a desk or an engine takes its address from here (or from the fixture ``database_url``).
    """
    return databases().migrated(folder)


def empty_database_url(folder: Path) -> str:
    """The address of a new database without a table, for tests of the migrations."""
    return databases().empty(folder)


def stored(database: Database) -> bytes:
    """Everything that a database keeps, as somebody without the keys reads it: SQLite's files, PostgreSQL's rows."""
    url = database.engine.url
    if url.get_backend_name() == "sqlite":
        path = Path(str(url.database))
        return b"".join(file.read_bytes() for file in path.parent.glob(f"{path.name}*"))
    with database.engine.connect() as connection:
        tables = connection.scalars(text("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")).all()
        rows = [row for table in tables for row in connection.scalars(text(f'SELECT "{table}"::text FROM "{table}"'))]
    return "\n".join(rows).encode()


def drop_used() -> None:
    """Drops the databases of the tests that are over."""
    if databases.cache_info().currsize:
        databases().drop()


@contextmanager
def refusing_rows(database: Database, table: str) -> Iterator[None]:
    """A database that cannot store rows of one table meanwhile, as when its disk is full."""
    if database.engine.dialect.name == "sqlite":
        broken = [f"CREATE TRIGGER disk_full BEFORE INSERT ON {table} BEGIN SELECT RAISE(ABORT, 'disk full'); END"]
        mended = "DROP TRIGGER disk_full"
    else:
        broken = [
            "CREATE FUNCTION disk_full() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'disk full'; END $$",
            f"CREATE TRIGGER disk_full BEFORE INSERT ON {table} EXECUTE FUNCTION disk_full()",
        ]
        mended = "DROP FUNCTION disk_full CASCADE"
    with database.engine.begin() as connection:
        for statement in broken:
            connection.execute(text(statement))
    yield
    with database.engine.begin() as connection:
        connection.execute(text(mended))


@cache
def databases() -> Databases:
    """The kind of databases that this run is on."""
    made = {"sqlite": SqliteFiles, "postgresql": PostgresqlDatabases}[KIND]()
    atexit.register(made.close)
    return made


class SqliteFiles:
    """``desk.db`` in each folder."""

    def __init__(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            template = Path(folder) / "template.db"
            _migrate(f"sqlite:///{template}")
            self._template = template.read_bytes()

    def migrated(self, folder: Path) -> str:
        """See ``Databases``."""
        path = folder / "desk.db"
        if not path.exists():
            folder.mkdir(parents=True, exist_ok=True)
            path.touch(mode=0o600)
            path.write_bytes(self._template)
        return f"sqlite:///{path}"

    def empty(self, folder: Path) -> str:
        """See ``Databases``."""
        return f"sqlite:///{folder / 'desk.db'}"

    def drop(self) -> None:
        """Pytest removes its folders itself."""

    def close(self) -> None:
        """Nothing runs."""


class PostgresqlDatabases:
    """Databases of a server that runs for this run alone, its files in memory where the machine has room for files there."""

    def __init__(self) -> None:
        """Starts the server.

        Raises:
            MissingPostgresql: its programs are not on this machine.
        """
        is_roomy = os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free > MEMORY_NEEDED
        self._server = Server(MEMORY if is_roomy else Path("/tmp"), **SERVER_OPTIONS)
        self._administrator = psycopg.connect(host=str(self._server.folder), user=USER, dbname="postgres", autocommit=True)
        self._numbers = itertools.count(1)
        self._names: dict[Path, str] = {}
        self._done: list[str] = []
        self._create("template_desk", "template0")
        _migrate(self._server.url("template_desk"))

    def migrated(self, folder: Path) -> str:
        """See ``Databases``."""
        if folder not in self._names:
            self._names[folder] = self._create(f"desk_{next(self._numbers)}", "template_desk")
        return self._server.url(self._names[folder])

    def empty(self, folder: Path) -> str:
        """See ``Databases``."""
        self._names[folder] = self._create(f"desk_{next(self._numbers)}", "template0")
        return self._server.url(self._names[folder])

    def drop(self) -> None:
        """Drops the databases of the test before the last: their connections are gone by now, and PostgreSQL need not wait for them."""
        for name in self._done:
            self._administrator.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
        self._done = list(self._names.values())
        self._names.clear()

    def close(self) -> None:
        """Ends the server."""
        self._administrator.close()
        self._server.close()

    def _create(self, name: str, template: str) -> str:
        self._administrator.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}" STRATEGY file_copy')
        return name


def _migrate(url: str) -> None:
    engine = connect(url, CIPHER)
    migrate(engine)
    engine.dispose()
