"""What has been kept long enough goes, and nothing else; the dry run says beforehand exactly what."""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, text, update

from desk import audit, retention
from desk.__main__ import main
from desk.db import now
from desk.models import Backup, Conversation, Delivery, ErasureProof, Notification, NotUnderstood, SignIn, StaffSession, Ticket, TicketState
from desk.privacy import backups
from tests.databases import stored
from tests.privacy_kit import ANA, NAME, TRACES, Office, Rasa

DAYS = timedelta(days=1)


def run(office: Office, at: datetime | None = None) -> Counter[str]:
    """One run of the retention, as at an instant."""
    return asyncio.run(retention.run(office.desk.database, office.desk.turns, office.settings, at or now()))


def ended(office: Office, state: TicketState, age: timedelta, conversation: str = "elsewhere") -> str:
    """A request that ended so long ago."""
    reference = office.leave(conversation)
    at = now() - age

    def end(session: Any) -> None:
        expires = state is TicketState.EXPIRED
        session.execute(update(Ticket).where(Ticket.reference == reference).values(state=state, closed_at=None if expires else at, created_at=at - 5 * DAYS))
        if expires:
            entry = audit.record(session, audit.SYSTEM, "ticket.expire", reference)
            entry.at = at

    office.run(end)
    return reference


# ---------------------------------------------------------------- what goes


@pytest.mark.parametrize("state", [TicketState.CLOSED, TicketState.CANCELLED, TicketState.SPAM, TicketState.EXPIRED])
def test_a_request_that_is_over_loses_everything_after_thirty_days_and_not_before(office: Office, state: TicketState) -> None:
    old, young = ended(office, state, 31 * DAYS), ended(office, state, 29 * DAYS)
    assert run(office)["tickets"] == 1
    assert (office.ticket(old).state, office.ticket(old).name) == (TicketState.ERASED, None)
    assert (office.ticket(young).state, office.ticket(young).name) == (state, NAME)


@pytest.mark.parametrize("state", [TicketState.WAITING, TicketState.CLAIMED, TicketState.PENDING_VISITOR, TicketState.BOOKED])
def test_an_open_request_is_never_erased_by_its_age_but_the_plan_tells_of_it(office: Office, state: TicketState) -> None:
    reference = office.leave()
    office.run(lambda session: session.execute(update(Ticket).values(state=state, created_at=now() - 400 * DAYS)))
    plan = retention.planned(office.desk.database, office.settings, now())
    assert (plan.stale, plan.counts.get("tickets", 0)) == (1, 0)
    run(office)
    assert office.ticket(reference).name == NAME


def test_everything_that_belongs_to_a_request_goes_with_it(office: Office, assistant: Rasa) -> None:
    reference, _ = office.person_everywhere()
    office.run(lambda session: session.execute(update(Ticket).values(state=TicketState.CLOSED, closed_at=now())))
    sealed = office.run(lambda session: session.scalar(text("SELECT text FROM notes")))
    run(office, now() + 31 * DAYS)
    for trace in TRACES:
        assert trace not in office.contents(), trace
    assert sealed.encode() not in stored(office.desk.database)
    assert office.ticket(reference).state is TicketState.ERASED


def test_many_requests_go_in_several_transactions(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "REQUESTS_AT_ONCE", 2)
    for _ in range(5):
        ended(office, TicketState.CLOSED, 31 * DAYS)
    assert run(office)["tickets"] == 5


def test_a_request_that_can_no_longer_be_decrypted_goes_all_the_same(office: Office) -> None:
    reference = ended(office, TicketState.CLOSED, 31 * DAYS)
    office.run(lambda session: session.execute(text("UPDATE tickets SET name = 'v1.gone.AAAA', email = 'v1.gone.AAAA'")))
    assert run(office)["tickets"] == 1
    assert office.ticket(reference).state is TicketState.ERASED


def idle(office: Office, *said: str) -> str:
    """A conversation that ended two days ago."""
    conversation = office.talk(*said)
    office.run(lambda session: session.execute(update(Conversation).where(Conversation.id == conversation).values(last_message_at=now() - 2 * DAYS)))
    return conversation


def test_an_idle_conversation_goes_with_rasas_part_and_its_request_stays(office: Office, assistant: Rasa) -> None:
    conversation = idle(office, "un hérisson savant")
    reference = office.leave(conversation, transcript=False)
    joined = idle(office, "gardez cela")
    office.leave(joined, transcript=True)
    office.talk("je viens d'arriver")
    assert run(office)["conversations"] == 1
    assert assistant.erased == [conversation]
    assert "hérisson" not in office.contents()
    assert "gardez cela" in office.contents()
    assert office.ticket(reference).name == NAME


def test_while_rasa_is_silent_an_idle_conversation_waits_and_everything_else_goes(office: Office) -> None:
    idle(office, "un hérisson savant")
    old = ended(office, TicketState.CLOSED, 31 * DAYS)
    counts = run(office)
    assert "hérisson" in office.contents()
    assert "conversations" not in counts
    assert office.ticket(old).state is TicketState.ERASED


def test_old_traces_of_mails_go_and_their_copies_with_them(office: Office) -> None:
    reference = office.leave()
    office.answer(reference, "n'ayez aucune crainte")
    office.send_due()
    folder = office.folder / "mail"
    assert len(list(folder.glob("*.eml"))) > 1
    (folder / "note.txt").write_text("somebody's own file")
    assert run(office, now() + 29 * DAYS)["outbox"] == 0
    assert "aucune crainte" in office.contents()
    counts = run(office, now() + 31 * DAYS)
    assert counts["outbox"] == counts["mail_copies"] > 1
    assert [file.name for file in folder.iterdir()] == ["note.txt"]


def test_a_copy_that_was_written_while_its_request_was_erased_is_found(office: Office) -> None:
    folder = office.folder / "mail"
    folder.mkdir(exist_ok=True)
    (folder / "msg_late.eml").write_text(NAME)
    (folder / ".msg_draft").write_text(NAME)
    assert run(office)["mail_copies"] == 2
    assert list(folder.iterdir()) == []


def an_ended_session(office: Office) -> None:
    """Ana's session is over."""
    fields = {"csrf_token": "x", "staff_id": office.staff(ANA).id, "expires_at": now() - DAYS}
    office.run(lambda session: session.add(StaffSession(token_hash="ended", **fields)))


def test_old_questions_sign_ins_and_sessions_go(office: Office) -> None:
    ana = office.staff(ANA).id

    def fill(session: Any) -> None:
        for age in (29, 31):
            session.add(NotUnderstood(at=now() - age * DAYS, text=f"question de {age} jours", response="utter_fallback"))
        for age in (179, 181):
            session.add(SignIn(at=now() - age * DAYS, staff_id=ana, network="192.0.2.0/24", outcome="ok"))

    office.run(fill)
    an_ended_session(office)
    assert run(office) == {"not_understood": 1, "sign_ins": 1, "staff_sessions": 1}
    assert "question de 29 jours" in office.contents()
    assert "question de 31 jours" not in office.contents()
    assert office.page("/desk/privacy").status == 200, "Véra's session goes on"


def test_a_backup_is_deleted_on_its_day_and_one_that_the_index_does_not_know_by_its_name(office: Office) -> None:
    folder = backups.folder_of(office.settings)
    old = backups.make(office.desk.database, office.settings, now() - 31 * DAYS)
    young = backups.make(office.desk.database, office.settings, now())
    unknown = folder / f"passerelle-{now() - 40 * DAYS:%Y%m%d-%H%M%S}-00ff.db"
    recent = folder / f"passerelle-{now() - 4 * DAYS:%Y%m%d-%H%M%S}-00ff.db"
    for file in (unknown, recent, folder / "mine.db"):
        file.write_text("x")
    assert run(office)["backups"] == 2
    assert sorted(file.name for file in folder.iterdir()) == sorted([young.name, recent.name, "mine.db"])
    row = office.run(lambda session: session.get_one(Backup, old.name))
    assert row.deleted_at is not None
    assert ("system", "backup.delete", old.name) in office.audit()
    assert run(office)["backups"] == 0


# ---------------------------------------------------------------- how it is written down


def test_a_run_that_erased_something_writes_one_entry_with_its_counts_and_one_proof(office: Office) -> None:
    ended(office, TicketState.CLOSED, 31 * DAYS)
    ended(office, TicketState.SPAM, 31 * DAYS)
    run(office)
    (entry,) = office.audit("retention.erase")
    assert entry[2].startswith("2 demandes")
    proof = office.run(lambda session: session.scalars(select(ErasureProof)).one())
    assert (proof.reason, proof.counts["tickets"], len(proof.subject_digests)) == ("retention", 2, 2)
    run(office)
    assert len(office.audit("retention.erase")) == 1, "nothing was erased: nothing is written"
    assert office.run(audit.broken_at) is None


def test_ended_sessions_alone_are_worth_no_entry(office: Office) -> None:
    an_ended_session(office)
    assert run(office)["staff_sessions"] == 1
    assert office.audit("retention.erase") == []


def test_one_kind_that_cannot_be_erased_keeps_no_other_from_it(office: Office) -> None:
    folder = backups.folder_of(office.settings)
    (folder / f"passerelle-{now() - 40 * DAYS:%Y%m%d-%H%M%S}-00ff.db").mkdir(parents=True)  # a folder cannot be deleted as a file
    old = ended(office, TicketState.CLOSED, 31 * DAYS)
    office.run(lambda session: session.add(NotUnderstood(at=now() - 31 * DAYS, text="vieux", response="utter_fallback")))
    counts = run(office)
    assert (counts["not_understood"], counts["backups"]) == (1, 0)
    assert office.ticket(old).state is TicketState.ERASED


# ---------------------------------------------------------------- off, and beforehand


def crowd(office: Office) -> None:
    """Something of every kind that is over."""
    idle(office, "un hérisson savant")
    reference = ended(office, TicketState.CLOSED, 31 * DAYS, idle(office, "jointe à la demande"))
    other = office.leave()
    number, ana = office.ticket(other).id, office.staff(ANA).id
    office.send_due()
    backups.make(office.desk.database, office.settings, now() - 31 * DAYS)

    def fill(session: Any) -> None:
        session.add(NotUnderstood(at=now() - 31 * DAYS, text="vieux", response="utter_fallback"))
        session.add(SignIn(at=now() - 181 * DAYS, staff_id=ana, network="", outcome="ok"))
        past = now() - 31 * DAYS
        session.execute(update(Notification).where(Notification.ticket_id == number).values(state=Delivery.SENT, created_at=past, not_before=past))

    office.run(fill)
    an_ended_session(office)
    assert office.ticket(reference).name == NAME


def test_the_dry_run_says_exactly_what_the_next_run_erases_and_erases_nothing(office: Office, assistant: Rasa) -> None:
    crowd(office)
    before, files = office.contents(), sorted(path.name for path in office.folder.rglob("*.db"))
    plan = retention.planned(office.desk.database, office.settings, now())
    assert office.contents() == before
    assert sorted(path.name for path in office.folder.rglob("*.db")) == files
    assert {"conversations", "tickets", "outbox", "mail_copies", "not_understood", "sign_ins", "staff_sessions", "backups"} <= set(plan.counts)
    counts = run(office)
    with_requests = {"outbox"}  # what belongs to the request comes on top
    for name, number in plan.counts.items():
        assert counts[name] == number or name in with_requests, name
    assert counts["outbox"] > plan.counts["outbox"]
    assert retention.planned(office.desk.database, office.settings, now()).counts == {}


def test_switched_off_nothing_goes_by_age(tmp_path: Path) -> None:
    office = Office(tmp_path, retention="off")
    try:
        crowd(office)
        office.send_due()
        (office.folder / "mail" / "msg_late.eml").write_text(NAME)
        before = office.desk.contents()
        assert run(office) == {"mail_copies": 1}, "a copy whose request is gone is no matter of age"
        kept = set(before.splitlines()) - set(office.desk.contents().splitlines())
        assert not kept
        assert "L'effacement automatique est arrêté" in office.page("/desk/privacy").words
    finally:
        office.stop()


def test_the_page_says_what_the_next_run_erases(office: Office) -> None:
    ended(office, TicketState.CLOSED, 31 * DAYS)
    page = office.page("/desk/privacy")
    assert "Le prochain passage, dans dix minutes au plus, efface" in page.words
    assert "1 demande " in page.words
    assert office.run(lambda session: session.scalars(select(Ticket)).one().name) == NAME


@pytest.fixture
def commands(office: Office, monkeypatch: pytest.MonkeyPatch) -> Office:
    """The commands work on this desk."""
    for name in [n for n in os.environ if n == "PORT" or n.startswith("PASSERELLE_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PASSERELLE_DATA", str(office.folder))
    monkeypatch.setenv("PASSERELLE_DATABASE_URL", str(office.settings.database_url))
    return office


def test_the_command_says_in_french_what_would_be_erased(commands: Office, capsys: pytest.CaptureFixture[str]) -> None:
    ended(commands, TicketState.CLOSED, 31 * DAYS)
    ended(commands, TicketState.SPAM, 31 * DAYS)
    assert main(["retention", "--dry-run"]) == 0
    said = capsys.readouterr().out
    assert "       2  demandes\n" in said
    assert "rien n'a été effacé" in said
    assert commands.run(lambda session: session.scalars(select(Ticket)).first().name) == NAME


def test_without_dry_run_the_command_does_nothing(commands: Office) -> None:
    with pytest.raises(SystemExit):
        main(["retention"])
