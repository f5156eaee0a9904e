"""Rotating the keys of the encrypted fields, by the commands, on a real database; and the audit command."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import select, text

from desk import audit, rotation
from desk.__main__ import main
from desk.crypto import Cipher, CryptoError, KeyFile, Keys, kept_keys, with_new_key, without_old_keys, write_keys
from desk.db import Base, Database, Encrypted, EncryptedJson, connect
from desk.models import AuditEntry, Channel, Conversation, Note, Notification, Staff, Ticket
from desk.settings import ROOT, load_settings
from desk.staff import accounts
from tests.databases import new_database_url
from tests.desk_pages import leave_request

PASSWORD = "une phrase assez longue"


@pytest.fixture
def folder(tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The data folder of a desk, as its commands find it."""
    for name in [n for n in os.environ if n == "PORT" or n.startswith("PASSERELLE_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PASSERELLE_DATA", str(tmp_path))
    monkeypatch.setenv("PASSERELLE_DATABASE_URL", new_database_url(tmp_path))
    monkeypatch.setenv("PASSERELLE_DATABASE_URL", database_url)
    return tmp_path


@pytest.fixture
def database(folder: Path) -> Database:
    """Its database, with something in several encrypted columns."""
    database = opened()
    reference = leave_request(database, name="Camille Martin", email="camille@exemple.fr")
    with database.transaction() as session:
        ticket = session.scalars(select(Ticket).where(Ticket.reference == reference)).one()
        session.add(Note(ticket_id=ticket.id, author="Ana", text="rappeler lundi"))
        session.add(Conversation(id="c" * 32, token_hash="0" * 64, short_form={"values": {"name": "Zoé"}}))
        session.add(Notification(channel=Channel.EMAIL, template="answer", recipient="camille@exemple.fr", values={"text": "Bonjour"}, message_id="m1"))
        accounts.add_staff(session, "Ana Jović", PASSWORD).totp_secret = "ABCDEFGH"
    return database


def opened() -> Database:
    settings = load_settings()
    return Database(connect(str(settings.database_url), settings.cipher))


def run(*command: str) -> int:
    return main(list(command))


def raw_values(database: Database) -> list[str]:
    """Every encrypted value as the database holds it."""
    with database.transaction() as session:
        return [
            value
            for field in rotation.encrypted_fields()
            for value in session.scalars(select(field.value).select_from(field.rows).where(field.value.is_not(None)))
        ]


def keys_used(database: Database) -> set[str]:
    return {value.split(".")[1] for value in raw_values(database)}


def assert_everything_can_be_read(database: Database) -> None:
    with database.transaction() as session:
        assert session.scalars(select(Ticket)).one().name == "Camille Martin"
        assert session.scalars(select(Note)).one().text == "rappeler lundi"
        assert session.get_one(Conversation, "c" * 32).short_form == {"values": {"name": "Zoé"}}
        assert session.scalars(select(Notification).where(Notification.message_id == "m1")).one().values == {"text": "Bonjour"}
        assert session.scalars(select(Staff)).one().totp_secret == "ABCDEFGH"


# ---------------------------------------------------------------- rotating


def test_after_a_rotation_everything_is_under_the_new_key_and_reads_the_same(database: Database, capsys: pytest.CaptureFixture[str]) -> None:
    before = raw_values(database)
    assert keys_used(database) == {"k1"}
    assert run("keys", "rotate") == 0
    assert "Nouvelle clé : k2" in capsys.readouterr().out
    again = opened()
    assert keys_used(again) == {"k2"}
    assert not set(before) & set(raw_values(again))
    assert_everything_can_be_read(again)
    with again.transaction() as session:
        assert ("keys.rotate", "k2") in [(e.action, e.subject) for e in session.scalars(select(AuditEntry))]
        assert audit.broken_at(session) is None


def test_requests_are_still_found_by_name_after_a_rotation(database: Database, folder: Path) -> None:
    before = load_settings().cipher.digest("martin", "tickets.name")
    run("keys", "rotate")
    run("keys", "drop-old")
    assert load_settings().cipher.digest("martin", "tickets.name") == before


def test_every_encrypted_column_is_found() -> None:
    found = {f"{field.rows.name}.{field.value.name}" for field in rotation.encrypted_fields()}
    declared = {f"{t.name}.{c.name}" for t in Base.metadata.sorted_tables for c in t.columns if isinstance(c.type, (Encrypted, EncryptedJson))}
    assert found == declared
    assert {"tickets.name", "messages.text", "staff.totp_secret", "outbox.values", "conversations.short_form", "not_understood.text"} <= found


def test_the_file_of_keys_is_its_owners_alone_and_keeps_the_old_key(database: Database, folder: Path) -> None:
    run("keys", "rotate")
    assert (folder / "keys").stat().st_mode & 0o077 == 0
    assert list(Keys.parse((folder / "keys").read_text()).encryption) == ["k1", "k2"]
    assert not (folder / "keys.new").exists()


def test_an_interrupted_rotation_goes_on_with_the_same_key(database: Database, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for i in range(6):
        leave_request(database, email=f"v{i}@exemple.fr")
    write_keys(folder / "keys", with_new_key(kept_keys(folder / "keys")))
    field = next(f for f in rotation.encrypted_fields() if f.purpose == "tickets.name")
    with opened().transaction() as session:
        stopped = rotation.encrypt_anew(session, load_settings().cipher, field, rotation.Progress(), size=2)
    assert (stopped.changed, stopped.is_over) == (2, False)
    assert keys_used(opened()) == {"k1", "k2"}
    with opened().transaction() as session:
        assert session.scalars(select(Ticket.name)).all() == ["Camille Martin"] * 7
    assert run("keys", "rotate") == 0
    assert "reprend avec la clé k2" in capsys.readouterr().out
    assert keys_used(opened()) == {"k2"}


def test_a_value_that_changes_meanwhile_is_left_as_it_was_changed(database: Database, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_keys(folder / "keys", with_new_key(kept_keys(folder / "keys")))
    cipher = load_settings().cipher
    field = next(f for f in rotation.encrypted_fields() if f.purpose == "notes.text")
    newer = cipher.encrypt("rappeler mardi", "notes.text")
    real = Cipher.decrypt
    with opened().transaction() as session:

        def decrypt_and_be_overtaken(self: Cipher, stored: str, purpose: str) -> str:
            plain = real(self, stored, purpose)
            session.execute(text("UPDATE notes SET text = :newer"), {"newer": newer})
            return plain

        monkeypatch.setattr(Cipher, "decrypt", decrypt_and_be_overtaken)
        progress = rotation.encrypt_anew(session, cipher, field, rotation.Progress())
        monkeypatch.setattr(Cipher, "decrypt", real)
    assert progress.changed == 0
    with opened().transaction() as session:
        assert session.scalars(select(Note.text)).one() == "rappeler mardi"


def test_a_value_that_cannot_be_read_stays_and_is_told(database: Database, capsys: pytest.CaptureFixture[str]) -> None:
    with database.transaction() as session:
        session.execute(text("UPDATE notes SET text = 'v1.k1.AAAA'"))
    assert run("keys", "rotate") == 1
    assert "1 valeurs n'ont pas pu être lues" in capsys.readouterr().err
    assert "v1.k1.AAAA" in raw_values(database)
    assert run("keys", "drop-old") == 1
    assert "encore chiffrées" in capsys.readouterr().err


def test_keys_of_the_environment_are_not_rotated_for_its_owner(
    database: Database, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    kept = (folder / "keys").read_text()
    monkeypatch.setenv("PASSERELLE_KEYS", kept.replace("\n", " "))
    for command in ("rotate", "drop-old"):
        assert run("keys", command) == 1
        said = capsys.readouterr().err
        assert said.count("\n") == 1
        assert "PASSERELLE_KEYS" in said
    assert (folder / "keys").read_text() == kept
    monkeypatch.setenv("PASSERELLE_KEYS", with_new_key(kept).replace("\n", " "))
    assert run("keys", "encrypt") == 0
    assert keys_used(opened()) == {"k2"}


# ---------------------------------------------------------------- a desk that runs meanwhile


def test_a_running_desk_reads_and_writes_through_a_rotation(database: Database) -> None:
    assert_everything_can_be_read(database)
    run("keys", "rotate")
    assert_everything_can_be_read(database)
    with database.transaction() as session:
        session.scalars(select(Note)).one().text = "rappeler lundi"
        session.flush()
        session.add(Note(ticket_id=session.scalars(select(Ticket.id)).one(), author="Ana", text="nouveau"))
    assert keys_used(database) == {"k2"}
    run("keys", "drop-old")
    with database.transaction() as session:
        assert session.scalars(select(Note.text).order_by(Note.id)).all() == ["rappeler lundi", "nouveau"]


def test_a_running_desk_that_only_writes_uses_the_new_key_at_once(database: Database) -> None:
    run("keys", "rotate")
    with database.transaction() as session:
        session.add(Note(ticket_id=session.scalars(select(Ticket.id)).one(), author="Ana", text="sans rien lire"))
    assert keys_used(database) == {"k2"}


def test_a_file_of_keys_that_is_broken_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    kept_keys(path)
    cipher = Cipher(Keys.parse(path.read_text()), KeyFile(path).news)
    path.write_text("pas une clé")
    assert cipher.decrypt(cipher.encrypt("secret", "t.c"), "t.c") == "secret"


# ---------------------------------------------------------------- dropping


def test_old_keys_are_dropped_once_nothing_needs_them(database: Database, folder: Path) -> None:
    run("keys", "rotate")
    assert run("keys", "drop-old") == 0
    assert list(Keys.parse((folder / "keys").read_text()).encryption) == ["k2"]
    assert_everything_can_be_read(opened())


def test_a_key_that_is_needed_is_not_dropped(database: Database, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_keys(folder / "keys", with_new_key(kept_keys(folder / "keys")))
    assert run("keys", "drop-old") == 1
    assert "keys encrypt" in capsys.readouterr().err
    assert list(Keys.parse((folder / "keys").read_text()).encryption) == ["k1", "k2"]


def test_a_dropped_name_is_never_given_again() -> None:
    text_of_keys = without_old_keys(with_new_key(Keys.generate()))
    assert list(Keys.parse(with_new_key(text_of_keys)).encryption) == ["k2", "k3"]


def test_a_value_of_a_dropped_key_is_no_longer_read(tmp_path: Path) -> None:
    old = Keys.generate()
    stored = Cipher(Keys.parse(old)).encrypt("secret", "t.c")
    with pytest.raises(CryptoError):
        Cipher(Keys.parse(without_old_keys(with_new_key(old)))).decrypt(stored, "t.c")


# ---------------------------------------------------------------- audit verify, staff


def test_the_audit_command_tells_the_first_broken_entry_by_its_exit_code(database: Database, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("audit", "verify") == 0
    assert "se suivent sans rupture" in capsys.readouterr().out
    with database.transaction() as session:
        session.execute(text("UPDATE audit SET actor = 'Personne' WHERE id = 1"))
    assert run("audit", "verify") == 1
    assert "écriture n° 1" in capsys.readouterr().err


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A password comes by standard input, for every command."""
    monkeypatch.setattr(sys, "stdin", type("Typed", (io.StringIO,), {"readline": lambda self: PASSWORD + "\n"})())


@pytest.mark.usefixtures("typed")
def test_accounts_are_made_and_rescued_on_the_server(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = []
    for command in (["Ana Jović"], ["Boris"], ["Vera", "--role", "admin"]):
        assert run("staff", "add", *command) == 0
        said.append(capsys.readouterr().out)
    assert ["(lead)" in said[0], "(agent)" in said[1], "(admin)" in said[2]] == [True] * 3
    assert run("staff", "add", "boris") == 1
    assert "a déjà un compte" in capsys.readouterr().err
    assert run("staff", "reset-second-factor", "boris") == 0
    assert run("staff", "reset-second-factor", "Personne") == run("staff", "reset-password", "Personne") == 1
    capsys.readouterr()
    assert run("staff", "reset-password", "boris") == 0
    initial = capsys.readouterr().out.rsplit(" ", 1)[1].strip()
    with opened().transaction() as session:
        assert accounts.sign_in(session, "Boris", initial, 1)
        assert not accounts.sign_in(session, "Boris", PASSWORD, 1)


def test_the_command_line_takes_a_password_that_is_piped_in(folder: Path) -> None:
    made = subprocess.run([sys.executable, "-m", "desk", "staff", "add", "Ana"], cwd=ROOT, input=PASSWORD + "\n", capture_output=True, text=True, check=False)
    assert (made.returncode, made.stderr) == (0, "")
    assert PASSWORD not in made.stdout
