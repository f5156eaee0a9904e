"""Backups: whole, readable by their owner with the keys, and known to the index from the first byte on."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from desk.__main__ import main
from desk.crypto import CryptoError
from desk.db import Database, connect, now
from desk.models import Backup, Note, Ticket
from desk.privacy import backups
from desk.privacy.backups import BackupFailed
from tests.databases import CIPHER, KIND
from tests.desk_pages import settings_for
from tests.privacy_kit import EMAIL, NAME, Office

only_postgresql = pytest.mark.skipif(KIND != "postgresql", reason="about pg_dump")


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    """A desk with a request and a note."""
    running = Office(tmp_path)
    running.note(running.leave(), "rappeler lundi")
    yield running
    running.stop()


def make(office: Office) -> Path:
    return backups.make(office.desk.database, office.settings, now())


def index(office: Office) -> list[Backup]:
    return office.run(lambda session: list(session.scalars(select(Backup).order_by(Backup.at))))


@pytest.mark.sqlite_only("its files are what is tested")
def test_a_backup_opens_by_itself_and_holds_what_was_there_at_that_moment(office: Office) -> None:
    path = make(office)
    office.note(office.leave(name="Après Coup"), "trop tard")
    engine = connect(f"sqlite:///{path}", office.settings.cipher)
    with Database(engine).transaction() as session:
        assert session.scalars(select(Ticket)).one().name == NAME
        assert session.scalars(select(Note)).one().text == "rappeler lundi"
        assert session.scalars(select(Backup)).one().name == path.name, "it knows itself: restored, it will be deleted on its day"
    engine.dispose()


@pytest.mark.sqlite_only("its files are what is tested")
def test_a_backup_is_made_while_somebody_is_in_the_middle_of_writing(office: Office) -> None:
    with office.desk.database.engine.connect() as reader:  # a long read keeps the log from being put into the file
        reader.exec_driver_sql("COMMIT")
        reader.exec_driver_sql("BEGIN")
        reader.exec_driver_sql("SELECT count(*) FROM tickets").fetchall()
        office.leave(name="Encore Quelqu'un")
        path = make(office)
        reader.exec_driver_sql("COMMIT")
        reader.exec_driver_sql("BEGIN")
    engine = connect(f"sqlite:///{path}", office.settings.cipher)
    with Database(engine).transaction() as session:
        assert len(session.scalars(select(Ticket)).all()) == 2
    engine.dispose()


def test_only_its_owner_reads_it_and_nobody_without_the_keys_which_are_not_beside_it(office: Office) -> None:
    path = make(office)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert [file.name for file in path.parent.iterdir()] == [path.name], "one file, and no keys"
    content = path.read_bytes()
    keys = (office.folder / "keys").read_text()
    for secret in (NAME, EMAIL, "rappeler lundi", *keys.split()):
        assert secret.encode() not in content
        assert secret.partition(":")[2].encode() not in content or ":" not in secret


@pytest.mark.sqlite_only("its files are what is tested")
def test_without_its_keys_a_backup_cannot_be_read(office: Office) -> None:
    engine = connect(f"sqlite:///{make(office)}", CIPHER)
    with Database(engine).transaction() as session, pytest.raises(CryptoError):
        session.scalars(select(Ticket)).one()
    engine.dispose()


def test_the_index_knows_it_until_when_and_the_trail_that_it_was_made(office: Office) -> None:
    path = make(office)
    (row,) = index(office)
    assert (row.name, row.deleted_at) == (path.name, None)
    assert row.until - row.at == timedelta(days=30)
    assert ("system", "backup.make", path.name) in office.audit()


def test_two_backups_of_one_second_are_two(office: Office) -> None:
    at = now()
    assert backups.make(office.desk.database, office.settings, at) != backups.make(office.desk.database, office.settings, at)
    assert len(index(office)) == 2


def test_a_backup_that_cannot_be_written_leaves_nothing_behind(office: Office) -> None:
    (office.folder / "backups").write_text("a file where the folder should be")
    with pytest.raises(BackupFailed, match="n'a pas pu être écrite"):
        make(office)
    assert index(office) == []
    assert ("system", "backup.make") not in [entry[:2] for entry in office.audit()]


@pytest.mark.sqlite_only("its files are what is tested")
def test_a_damaged_copy_is_not_kept(database: Database, tmp_path: Path) -> None:
    database.overwrite_deleted()
    with database.engine.connect() as connection:
        size = connection.exec_driver_sql("PRAGMA page_size").scalar_one()
        page = connection.exec_driver_sql("SELECT rootpage FROM sqlite_master WHERE name = 'canned_replies'").scalar_one()
    with (tmp_path / "desk.db").open("r+b") as file:
        file.seek((page - 1) * size)
        file.write(b"\xff" * size)
    with pytest.raises(BackupFailed, match="n'est pas intègre"):
        backups.make(database, settings_for(tmp_path), now())
    assert list((tmp_path / "backups").iterdir()) == []
    with database.transaction() as session:
        assert session.scalars(select(Backup)).all() == []


@only_postgresql
def test_a_dump_of_postgresql_can_be_listed_and_holds_the_tables(office: Office) -> None:
    path = make(office)
    program = shutil.which("pg_restore")
    assert program and path.suffix == ".dump"
    done = subprocess.run([program, "--list", path], capture_output=True, text=True, check=True)
    assert "TABLE DATA public tickets" in done.stdout


@only_postgresql
def test_a_dump_that_fails_says_why_and_leaves_nothing(office: Office) -> None:
    nowhere = office.settings.model_copy(update={"database_url": "postgresql+psycopg://passerelle:geheim@/nulle_part?host=/nowhere"})
    with pytest.raises(BackupFailed, match="pg_dump a échoué") as failed:
        backups.make(office.desk.database, nowhere, now())
    assert "geheim" not in str(failed.value)
    assert index(office) == []


def test_without_pg_dump_the_sentence_says_what_to_do(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    engine = connect("postgresql+psycopg://nobody@localhost:1/none", CIPHER)
    with pytest.raises(BackupFailed, match="pg_dump est introuvable"):
        backups.make(Database(engine), office.settings, now())


# ---------------------------------------------------------------- commands


@pytest.fixture
def commands(office: Office, monkeypatch: pytest.MonkeyPatch) -> Office:
    """The commands work on this desk."""
    for name in [n for n in os.environ if n == "PORT" or n.startswith("PASSERELLE_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PASSERELLE_DATA", str(office.folder))
    monkeypatch.setenv("PASSERELLE_DATABASE_URL", str(office.settings.database_url))
    return office


def test_the_command_makes_one_and_says_that_the_keys_are_not_in_it(commands: Office, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["backup"]) == 0
    said = capsys.readouterr().out
    (row,) = index(commands)
    assert str(commands.folder / "backups" / row.name) in said
    assert "Les clés de chiffrement n'y sont pas" in said
    assert str(commands.folder / "keys") in said
    assert "PASSERELLE_BACKUP_DAYS" in said


def test_the_list_tells_present_deleted_and_missing_files_apart(commands: Office, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["backups"]) == 0
    assert "Aucune sauvegarde" in capsys.readouterr().out
    present, missing, deleted = make(commands), make(commands), make(commands)
    missing.unlink()
    commands.run(lambda session: setattr(session.get_one(Backup, deleted.name), "deleted_at", now()))
    assert main(["backups"]) == 0
    lines = {line.split()[0]: line for line in capsys.readouterr().out.splitlines()}
    assert "à supprimer le" in lines[present.name]
    assert "fichier absent" in lines[missing.name]
    assert "supprimée le" in lines[deleted.name]


def test_a_failed_backup_is_one_sentence_and_exit_code_1(commands: Office, capsys: pytest.CaptureFixture[str]) -> None:
    (commands.folder / "backups").write_text("a file where the folder should be")
    assert main(["backup"]) == 1
    assert "n'a pas pu être écrite" in capsys.readouterr().err
