"""The migrations make the tables that the models describe, on both databases."""

from __future__ import annotations

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
from tests.databases import CIPHER, empty_database_url, new_database_url


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    """A database without a table."""
    engine = connect(empty_database_url(tmp_path), CIPHER)
    yield engine
    engine.dispose()


def differences(engine: Engine) -> list[object]:
    with engine.connect() as connection:
        return list(compare_metadata(MigrationContext.configure(connection, opts={"compare_type": True}), Base.metadata))


def test_a_migrated_database_has_the_tables_of_the_models(engine: Engine) -> None:
    assert differences(engine) != []
    migrate(engine)
    assert differences(engine) == []
    assert models.Ticket.__tablename__ in Base.metadata.tables


@pytest.mark.sqlite_only("a file")
def test_only_its_owner_may_read_the_file(engine: Engine) -> None:
    migrate(engine)
    assert Path(str(engine.url.database)).stat().st_mode & 0o077 == 0


def test_migrating_twice_changes_nothing(engine: Engine) -> None:
    migrate(engine)
    migrate(engine)
    assert differences(engine) == []


def test_a_database_of_the_first_version_keeps_its_conversations(engine: Engine) -> None:
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


def test_a_migrated_database_takes_a_request(engine: Engine) -> None:
    migrate(engine)
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


def test_what_other_tests_begin_with_is_a_migrated_database_of_their_own(tmp_path: Path) -> None:
    first, again, second = new_database_url(tmp_path / "a"), new_database_url(tmp_path / "a"), new_database_url(tmp_path / "b")
    assert first == again != second
    for url in (first, second):
        engine = connect(url, CIPHER)
        assert differences(engine) == []
        with engine.begin() as connection:
            assert connection.scalar(text("SELECT count(*) FROM staff")) == 0
            connection.execute(text("INSERT INTO clinicians (name, active) VALUES ('Dr Petit', true)"))
            assert connection.scalar(text("SELECT count(*) FROM clinicians")) == 1
        engine.dispose()
