"""The desk's database: engine, sessions, and the two things SQLite needs to behave."""

from __future__ import annotations

import asyncio
import json
import os
import random
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from anyio import to_thread
from sqlalchemy import DateTime, Engine, MetaData, Text, create_engine, event
from sqlalchemy.engine import Dialect, make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import DeclarativeBase, Session, sessionmaker
from sqlalchemy.types import TypeDecorator

from desk.crypto import Cipher, CryptoError

BUSY_SECONDS, BUSY_PAUSE = 5, 0.02
DEADLOCK = "40P01"  # PostgreSQL's code: of the transactions that waited for each other, this one was broken off, wholly
DEADLOCK_TRIES, DEADLOCK_PAUSE = 6, 0.1  # seconds at most before the second try, twice as long before each further one
T = TypeVar("T")


class Base(DeclarativeBase):
    """All tables of the desk. Constraints have predictable names, so that migrations can change them on both databases."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


class UtcDateTime(TypeDecorator[datetime]):
    """An instant: aware in Python, UTC in the database on both SQLite and PostgreSQL."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Refuses an instant without a zone."""
        if value is not None and value.tzinfo is None:
            raise ValueError("naive datetime")
        return value.astimezone(UTC) if value else None

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Gives SQLite's naive values their zone back, and turns PostgreSQL's, which come in the zone of its server, into UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Encrypted(TypeDecorator[str]):
    """A text that the database holds encrypted. The cipher travels with the engine (``connect``), not with the process."""

    impl = Text
    cache_ok = True

    def __init__(self, purpose: str) -> None:
        """Takes the name of table and column, which the value is bound to."""
        super().__init__()
        self.purpose = purpose

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """Encrypts."""
        return None if value is None else _cipher(dialect).encrypt(value, self.purpose)

    def process_result_value(self, value: str | None, dialect: Dialect) -> str | None:
        """Decrypts."""
        return None if value is None else _cipher(dialect).decrypt(value, self.purpose)


class EncryptedJson(TypeDecorator[Any]):
    """A JSON value that the database holds encrypted; None is NULL."""

    impl = Text
    cache_ok = True

    def __init__(self, purpose: str) -> None:
        """Takes the name of table and column."""
        super().__init__()
        self.purpose = purpose

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        """Encrypts."""
        return None if value is None else _cipher(dialect).encrypt(json.dumps(value, ensure_ascii=False), self.purpose)

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:
        """Decrypts."""
        return None if value is None else json.loads(_cipher(dialect).decrypt(value, self.purpose))


def cipher_of(session: Session) -> Cipher:
    """The cipher of the database that a session works on."""
    return _cipher(session.get_bind().dialect)


def _cipher(dialect: Dialect) -> Cipher:
    cipher: Cipher | None = getattr(dialect, "passerelle_cipher", None)
    if cipher is None:
        raise CryptoError("this database was opened without keys")
    return cipher


def now() -> datetime:
    """The present instant, in UTC."""
    return datetime.now(UTC)


def connect(url: str, cipher: Cipher) -> Engine:
    """An engine for ``url`` whose encrypted columns are read and written with ``cipher``.

    A new SQLite file is readable by its owner alone, writes ahead, and waits for a lock.
    """
    engine = _engine(url)
    engine.dialect.passerelle_cipher = cipher  # type: ignore[attr-defined]
    return engine


def _engine(url: str) -> Engine:
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite":
        return create_engine(url, pool_pre_ping=True, hide_parameters=True)
    if parsed.database and parsed.database != ":memory:":
        Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(parsed.database, os.O_CREAT, 0o600))
    # An error must not carry what it was about: parameters hold names and messages.
    engine = create_engine(url, hide_parameters=True, connect_args={"timeout": BUSY_SECONDS, "isolation_level": None})
    event.listen(engine, "connect", _configure_sqlite)
    event.listen(engine, "begin", _begin_immediate)
    return engine


def _configure_sqlite(connection: Any, _record: Any) -> None:
    _write_ahead(connection)
    for pragma in ("synchronous = NORMAL", "foreign_keys = ON", "secure_delete = ON"):
        connection.execute(f"PRAGMA {pragma}").close()


def _write_ahead(connection: sqlite3.Connection) -> None:
    """Switches the file to write-ahead, which SQLite does not wait for: of two connections that open a restored backup at once, one is refused."""
    until = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL").close()
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                raise
        time.sleep(BUSY_PAUSE)


def _begin_immediate(connection: Any) -> None:
    # A transaction that reads and then writes must not find its snapshot stale: take the write lock at once.
    connection.exec_driver_sql("BEGIN IMMEDIATE")


class Database:
    """Sessions over one engine. Business functions take a ``Session``; this opens, commits and closes it."""

    def __init__(self, engine: Engine) -> None:
        """Takes the engine of ``connect``."""
        self.engine = engine
        self._sessions = sessionmaker(engine, expire_on_commit=False)

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """A session that commits at the end and rolls back on any error."""
        with self._sessions.begin() as session:
            yield session

    def overwrite_deleted(self) -> None:
        """Takes erased text out of SQLite's write-ahead log too, where it would stay until the log is reused."""
        if self.engine.dialect.name == "sqlite":
            raw = self.engine.raw_connection()  # not a transaction: a checkpoint cannot run inside one
            try:
                raw.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)")
            finally:
                raw.close()

    async def run(self, function: Callable[..., T], *args: Any, **kwargs: Any) -> T:
        """Runs ``function(session, …)`` in a transaction on a worker thread, so that the event loop never waits for a disk. See ``do``.

        Who is cancelled meanwhile waits for the end of it: a thread cannot be stopped, and would go on in a desk that was.
        """

        def call() -> T:
            return self.do(function, *args, **kwargs)

        transaction = asyncio.ensure_future(to_thread.run_sync(call))
        try:
            return await asyncio.shield(transaction)
        except asyncio.CancelledError:
            while not transaction.done():
                with suppress(asyncio.CancelledError):  # once more, by who is tired of waiting
                    await asyncio.wait({transaction})
            raise

    def do(self, function: Callable[..., T], *args: Any, **kwargs: Any) -> T:
        """Runs ``function(session, …)`` in a transaction; again from the beginning where PostgreSQL broke it off to end a deadlock.

        Everywhere rows are locked in order of their ids and the audit trail after them, so that this is rare; but two transactions may want
        the rows of the same two requests for reasons of their own, and then one of them has to give way.
        """
        for tried in range(DEADLOCK_TRIES):
            try:
                with self.transaction() as session:
                    return function(session, *args, **kwargs)
            except DBAPIError as error:
                if getattr(error.orig, "sqlstate", None) != DEADLOCK or tried == DEADLOCK_TRIES - 1:
                    raise
            time.sleep(DEADLOCK_PAUSE * 2**tried * random.uniform(0.5, 1))  # noqa: S311 (the other one must have finished meanwhile)
        raise AssertionError("unreachable: the last try returns or raises")  # pragma: no cover
