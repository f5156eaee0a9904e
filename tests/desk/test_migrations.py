"""The migrations make the tables that the models describe, on both databases."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Engine, text

from desk import audit, models
from desk.db import Base, Database, connect
from desk.migrate import config_for, migrate
from desk.tickets import service
from tests.databases import CIPHER
from tests.stack_client import free_ports

BINARIES = next(iter(sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)), None)


def differences(engine: Engine) -> list[object]:
    with engine.connect() as connection:
        return list(compare_metadata(MigrationContext.configure(connection, opts={"compare_type": True}), Base.metadata))


def test_a_migrated_sqlite_database_has_the_tables_of_the_models(tmp_path: Path) -> None:
    engine = connect(f"sqlite:///{tmp_path / 'desk.db'}", CIPHER)
    migrate(engine)
    assert differences(engine) == []
    assert (tmp_path / "desk.db").stat().st_mode & 0o077 == 0, "only its owner may read it"
    assert models.Ticket.__tablename__ in Base.metadata.tables


def test_migrating_twice_changes_nothing(tmp_path: Path) -> None:
    engine = connect(f"sqlite:///{tmp_path / 'desk.db'}", CIPHER)
    migrate(engine)
    migrate(engine)
    assert differences(engine) == []


def assert_older_conversations_survive(engine: Engine) -> None:
    """A database of the first version, with a conversation in it, comes to the present one."""
    with engine.begin() as connection:
        command.upgrade(config_for(connection), "0001")
    at = "2026-11-01 10:00:00+00:00"
    row = f"INSERT INTO conversations (id, token_hash, owner, epoch, created_at, last_message_at) VALUES ('old', 'x', 'bot', 0, '{at}', '{at}')"
    with engine.begin() as connection:
        connection.execute(text(row))
    migrate(engine)
    assert differences(engine) == []
    with Database(engine).transaction() as session:
        old = session.get_one(models.Conversation, "old")
        assert (old.crisis, old.crisis_at, old.insults, old.short_form, old.scrub_due) == (None, None, 0, None, False)
        old.short_form = {"key": "k", "values": {"name": "Camille"}}
    with engine.begin() as connection:
        assert connection.execute(text("SELECT count(*) FROM conversations WHERE short_form IS NULL")).scalar() == 0
    with Database(engine).transaction() as session:
        session.get_one(models.Conversation, "old").short_form = None
    with engine.begin() as connection:
        assert connection.execute(text("SELECT count(*) FROM conversations WHERE short_form IS NULL")).scalar() == 1, "no trace, not a JSON null"


def test_a_sqlite_database_of_the_first_version_keeps_its_conversations(tmp_path: Path) -> None:
    assert_older_conversations_survive(connect(f"sqlite:///{tmp_path / 'desk.db'}", CIPHER))


@pytest.fixture
def postgresql(tmp_path: Path) -> Iterator[str]:
    """A throw-away PostgreSQL server; run as another user when we are root, because initdb insists."""
    if BINARIES is None:
        pytest.skip("PostgreSQL's binaries are not on this machine")
    folder = Path("/tmp") / f"passerelle-pg-{os.getpid()}"  # a short path: the socket's may not exceed 107 bytes
    folder.mkdir(mode=0o700)
    port = free_ports(1)
    run_as: list[str] = []
    if os.geteuid() == 0:
        shutil.chown(folder, "nobody")
        run_as = ["setpriv", "--reuid=nobody", "--clear-groups"]
    subprocess.run(
        [*run_as, BINARIES / "initdb", "-D", folder / "data", "-U", "passerelle", "-A", "trust", "-E", "UTF8", "--locale=C"],
        check=True,
        capture_output=True,
        cwd="/",
    )
    server = subprocess.Popen(
        [*run_as, BINARIES / "postgres", "-D", folder / "data", "-p", str(port), "-k", folder, "-h", "127.0.0.1", "-F"], stderr=subprocess.DEVNULL, cwd="/"
    )
    try:
        for _ in range(100):
            if subprocess.run([BINARIES / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(port)], check=False).returncode == 0:
                break
            subprocess.run(["sleep", "0.1"], check=True)
        yield f"postgresql+psycopg://passerelle@127.0.0.1:{port}/postgres"
    finally:
        server.terminate()
        server.wait()
        shutil.rmtree(folder, ignore_errors=True)


def test_postgresql_holds_the_same_tables_and_takes_a_request(postgresql: str) -> None:
    engine = connect(postgresql, CIPHER)
    assert_older_conversations_survive(engine)
    assert differences(engine) == []
    database = Database(engine)
    wanted = service.NewRequest(
        conversation_id="c1", name="Camille Laurent", phone="+33612345678", windows="mardi", subject="liver", transcript=False, consent_version="2026-11"
    )
    with database.transaction() as session:
        ticket, is_new = service.open_ticket(session, wanted, "key")
        assert is_new
    with database.transaction() as session:
        stored = service.by_reference(session, ticket.reference)
        assert stored is not None
        assert stored.created_at.tzinfo is not None
        assert audit.broken_at(session) is None
    engine.dispose()
