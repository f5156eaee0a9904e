"""A restored backup must not bring erased people back."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import sqlite3
import stat
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select, text
from sqlalchemy.engine import make_url

from desk import retention
from desk.__main__ import main
from desk.db import Database, connect, now
from desk.models import ChatMessage, Conversation, ErasureProof, Note, Ticket, TicketState
from desk.privacy import backups, ledger
from tests.databases import CIPHER, KIND
from tests.privacy_kit import EMAIL, OTHER, TRACES, VERA, Office, Rasa, rasa


@pytest.fixture
def office(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Office]:
    """A desk whose commands are at hand."""
    running = Office(tmp_path)
    for name in [n for n in os.environ if n == "PORT" or n.startswith("PASSERELLE_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PASSERELLE_DATA", str(running.folder))
    monkeypatch.setenv("PASSERELLE_DATABASE_URL", str(running.settings.database_url))
    yield running
    running.stop()


@pytest.fixture(autouse=True)
def assistant(office: Office) -> Iterator[Rasa]:
    assert office.settings.rasa_port
    with rasa(office.settings.rasa_port) as running:
        yield running


def backup(office: Office) -> Path:
    return backups.make(office.desk.database, office.settings, now())


def restore(office: Office, path: Path) -> None:
    """Puts a backup in the place of the database, as the person who runs the desk does: the desk is stopped meanwhile."""
    office.desk.http.__exit__(None, None, None)
    office.desk.database.engine.dispose()
    url = make_url(str(office.settings.database_url))
    if KIND == "sqlite":
        for beside in ("-wal", "-shm"):
            Path(f"{url.database}{beside}").unlink(missing_ok=True)
        shutil.copyfile(path, str(url.database))
    else:
        target = url.set(drivername="postgresql").render_as_string(hide_password=False)
        subprocess.run(["pg_restore", "--clean", "--if-exists", "--no-owner", f"--dbname={target}", path], check=True, capture_output=True)
    office.start()
    office.sign_in(VERA)


def test_who_was_erased_since_the_backup_is_erased_again(office: Office, capsys: pytest.CaptureFixture[str]) -> None:
    by_officer, talk = office.person_everywhere()
    said = office.talk("bonjour, j'ai un hérisson savant")
    by_visitor = office.leave(said)
    kept = office.leave(name=OTHER, email="ludivine@exemple.fr", phone="+33600000001", windows="jeudi")
    copy = backup(office)
    assert office.erase(by_officer).status == 200
    asyncio.run(office.desk.turns.erase(said))
    restore(office, copy)
    assert office.ticket(by_officer).state is not TicketState.ERASED, "the backup knows nothing of it"
    assert main(["reapply-erasures"]) == 0
    told = capsys.readouterr().out
    assert "Demandes effacées de nouveau\u00a0: 2." in told
    assert [office.ticket(reference).state for reference in (by_officer, by_visitor)] == [TicketState.ERASED] * 2
    assert office.ticket(kept).name == OTHER
    assert not [trace for trace in TRACES if trace in office.contents()]
    assert office.run(lambda session: session.scalars(select(Conversation.id).where(Conversation.id.in_((talk, said)))).all()) == []
    assert office.run(lambda session: session.scalars(select(ChatMessage)).all()) == []
    assert office.run(lambda session: session.scalars(select(ErasureProof.reason)).all()) == ["restored"]
    assert "Effacé de nouveau après une restauration" in office.page("/desk/privacy").words
    assert main(["reapply-erasures"]) == 0
    assert "Demandes effacées de nouveau\u00a0: 0." in capsys.readouterr().out, "a second time there is nothing left to do"


def test_what_went_by_its_age_goes_again_and_its_conversation_waits_for_its_own(office: Office) -> None:
    said = office.talk("bonjour")
    reference = office.leave(said)

    def end(session: object) -> None:
        ticket = session.scalars(select(Ticket)).one()  # type: ignore[attr-defined]
        ticket.state, ticket.closed_at = TicketState.CLOSED, now() - retention.timedelta(days=31)

    office.run(end)
    copy = backup(office)
    asyncio.run(retention.run(office.desk.database, office.desk.turns, office.settings, now()))
    assert office.ticket(reference).state is TicketState.ERASED
    restore(office, copy)
    assert main(["reapply-erasures"]) == 0
    assert office.ticket(reference).state is TicketState.ERASED
    assert office.run(lambda session: session.get(Conversation, said))


def test_requests_of_the_same_address_are_named_and_left_to_a_person(office: Office, capsys: pytest.CaptureFixture[str]) -> None:
    erased = office.leave()
    not_chosen = office.leave(name="Une Parente", phone="+33600000002")
    copy = backup(office)
    office.erase(erased)
    restore(office, copy)
    assert main(["reapply-erasures"]) == 0
    assert f"à vérifier\u00a0: {not_chosen}." in capsys.readouterr().out
    assert office.ticket(not_chosen).email == EMAIL


def test_texts_erased_alone_cannot_be_found_again_and_that_is_said(office: Office, capsys: pytest.CaptureFixture[str]) -> None:
    note = office.note(office.leave(name=OTHER, email=None), "Kermadec a appelé pour elle")
    office.erase(f"n{note}")
    assert office.run(lambda session: session.get(Note, note)) is None
    assert main(["reapply-erasures"]) == 0
    assert "à refaire à la main\u00a0: 1." in capsys.readouterr().out


def test_the_list_names_nobody_is_its_owners_alone_and_never_shrinks(office: Office) -> None:
    reference = office.leave()
    copy = backup(office)
    office.erase(reference)
    path = ledger.path_of(office.settings)
    listed = path.read_text()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert len(listed.splitlines()) == 1
    assert not [trace for trace in (*TRACES, reference) if trace in listed]
    restore(office, copy)
    asyncio.run(retention.run(office.desk.database, office.desk.turns, office.settings, now()))
    assert path.read_text() == listed, "a restored database knows less than the list"
    path.write_text(listed + '{"at": "2026-')  # cut short when the power failed
    assert main(["reapply-erasures"]) == 0
    assert office.ticket(reference).state is TicketState.ERASED


def test_the_list_may_lie_elsewhere(office: Office, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    reference = office.leave()
    copy = backup(office)
    office.erase(reference)
    elsewhere = tmp_path / "ailleurs.jsonl"
    ledger.path_of(office.settings).rename(elsewhere)
    restore(office, copy)
    assert main(["reapply-erasures", "--list", str(tmp_path / "nulle-part")]) == 1
    assert "n'existe pas" in capsys.readouterr().err
    assert main(["reapply-erasures", "--list", str(elsewhere)]) == 0
    assert office.ticket(reference).state is TicketState.ERASED


@pytest.mark.sqlite_only("how SQLite's files are written")
def test_a_restored_file_is_waited_for_while_somebody_writes_to_it(tmp_path: Path) -> None:
    file = tmp_path / "restored.db"
    desk = Database(connect(f"sqlite:///{file}", CIPHER))
    with contextlib.closing(sqlite3.connect(file, isolation_level=None, check_same_thread=False)) as writer:
        writer.execute("CREATE TABLE restored (word TEXT)")  # as a backup is: one file, not written ahead
        writer.execute("BEGIN IMMEDIATE")
        writer.execute("INSERT INTO restored VALUES ('hérisson')")
        leaving = threading.Timer(0.3, lambda: writer.execute("COMMIT"))
        leaving.start()
        found = desk.do(lambda session: session.scalar(text("SELECT word FROM restored")))
        leaving.join()
    assert found == "hérisson"
