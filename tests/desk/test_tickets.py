"""Requests in the desk's database."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from pydantic import ValidationError
from sqlalchemy import func, select

from desk import audit
from desk.db import Database
from desk.models import AuditEntry, Ticket, TicketState
from desk.tickets import service
from desk.tickets.references import ALPHABET, as_reference, new_reference


def a_request(**changes: Any) -> service.NewRequest:
    fields = {
        "conversation_id": "c1",
        "name": "Camille Laurent",
        "phone": "+33612345678",
        "windows": "mardi après-midi",
        "subject": "liver",
        "transcript": False,
        "consent_version": "2026-11",
    }
    return service.NewRequest.model_validate({**fields, **changes})


def test_a_request_sent_twice_is_stored_once(database: Database) -> None:
    with database.transaction() as session:
        first, is_new = service.open_ticket(session, a_request(), "key")
    with database.transaction() as session:
        again, is_new_again = service.open_ticket(session, a_request(), "key")
    assert (is_new, is_new_again) == (True, False)
    assert first.reference == again.reference


def test_the_same_key_with_another_request_is_a_conflict(database: Database) -> None:
    with database.transaction() as session:
        service.open_ticket(session, a_request(), "key")
    with pytest.raises(service.ConflictingReplay), database.transaction() as session:
        service.open_ticket(session, a_request(name="Fatou Diop"), "key")


def test_ten_at_once_under_one_key_are_one_ticket(database: Database) -> None:
    references = []

    def send() -> None:
        with database.transaction() as session:
            references.append(service.open_ticket(session, a_request(), "key")[0].reference)

    threads = [threading.Thread(target=send) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(references) == 10
    assert len(set(references)) == 1
    with database.transaction() as session:
        assert session.scalar(select(func.count()).select_from(Ticket)) == 1


@pytest.mark.parametrize(
    "change",
    [{"phone": None}, {"phone": "06 12"}, {"subject": "cirrhose"}, {"name": ""}, {"windows": "x" * 201}, {"motif": "secret"}, {"email": "pas une adresse"}],
)
def test_a_request_that_could_not_be_answered_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        a_request(**change)


def test_an_erased_request_keeps_no_personal_field(database: Database) -> None:
    with database.transaction() as session:
        ticket, _ = service.open_ticket(session, a_request(email="camille@exemple.fr"), "key")
        service.erase(session, ticket, audit.SYSTEM)
    with database.transaction() as session:
        erased = session.scalars(select(Ticket)).one()
        assert (erased.name, erased.email, erased.phone, erased.windows, erased.state) == (None, None, None, None, TicketState.ERASED)


def test_the_audit_trail_shows_a_changed_row(database: Database) -> None:
    with database.transaction() as session:
        for n in range(3):
            audit.record(session, "anne", "ticket.read", f"RDV-{n}")
        assert audit.broken_at(session) is None
    with database.transaction() as session:
        session.get(AuditEntry, 2).actor = "bruno"
    with database.transaction() as session:
        assert audit.broken_at(session) == 2


def test_a_reference_can_be_said_on_the_phone() -> None:
    for reference in (new_reference() for _ in range(500)):
        letters = reference.removeprefix("RDV-").replace("-", "")
        assert len(letters) == 6
        assert set(letters) <= set(ALPHABET)
        assert any(c.isdigit() for c in letters)
        assert as_reference(reference.lower().replace("-", " ")) == reference
    assert as_reference("RDV-O0I1-2Q") is None
