"""The outbox: written with the change, sent at least once, never twice within a lease, and shown to staff when it cannot be sent."""

from __future__ import annotations

import asyncio
import html
import random
import re
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from argon2 import PasswordHasher
from sqlalchemy import select, text
from sqlalchemy.orm import Session
from standardwebhooks import Webhook

from desk.crypto import Cipher, Keys
from desk.db import Database, connect, now
from desk.models import AppointmentState, AuditEntry, Channel, Delivery, Notification, Role, Staff
from desk.outbox import queue
from desk.outbox.mail import FileSink, SmtpMailer
from desk.outbox.queue import BadNotification
from desk.outbox.webhooks import Webhooks
from desk.outbox.worker import LONGEST_SENDING, Worker
from desk.settings import Settings, load_settings
from desk.staff import accounts
from tests.databases import CIPHER, stored
from tests.desk_client import Desk
from tests.outbox_kit import NOON, Clock, MailServer, Receiver, a_request, an_appointment, answers, mail_server, receiver, silent_server

SECRET = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
ADDRESS = "camille@exemple.fr"
TEXT = "Bonjour, nous vous appellerons mardi."
PASSWORD = "une phrase assez longue"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings(data=tmp_path, clinic_name="Clinique Vita", mail_from="bureau@clinique.exemple", public_url="https://bureau.exemple")


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def server() -> Iterator[MailServer]:
    with mail_server() as running:
        yield running


@pytest.fixture
def hook() -> Iterator[Receiver]:
    with receiver() as running:
        yield running


WorkerMaker = Callable[..., Worker]


@pytest.fixture
def worker_for(database: Database, settings: Settings, clock: Clock) -> WorkerMaker:
    """Makes workers on the test's database and clock."""

    def make(server: MailServer | None = None, hook: Receiver | None = None, on: Database | None = None, **options: Any) -> Worker:
        mailer = SmtpMailer(server.url(), seconds=5) if server else FileSink(settings.data / "mail")
        webhooks = Webhooks(hook.url(), SECRET, allowed_hosts={"127.0.0.1"}) if hook else None
        return Worker(on or database, settings, mailer, webhooks, clock=clock, **options)

    return make


def _answer(database: Database, reference: str = "RDV-7K4M-2Q", recipient: str = ADDRESS, **options: Any) -> int:
    """An answer to a visitor, waiting to leave; its id."""
    with database.transaction() as session:
        ticket = a_request(session, reference)
        options = {"not_before": NOON} | options
        return queue.enqueue(session, Channel.EMAIL, "answer", ticket=ticket, recipient=recipient, values={"text": TEXT}, **options).id


def _event(database: Database, settings: Settings, reference: str = "RDV-AAAA-22", not_before: datetime = NOON) -> int:
    with database.transaction() as session:
        with_hook = settings.model_copy(update={"webhook_url": "https://recepteur.exemple/"})
        told = queue.announce(session, "request.received", a_request(session, reference), with_hook, not_before=not_before)
        assert told is not None
        return told.id


def _row(database: Database, notification_id: int) -> Notification:
    with database.transaction() as session:
        return session.get_one(Notification, notification_id)


def _rows(database: Database) -> list[Notification]:
    with database.transaction() as session:
        return list(session.scalars(select(Notification).order_by(Notification.id)))


def _lease(database: Database, at: Any, limit: int = queue.AT_ONCE) -> list[queue.Leased]:
    with database.transaction() as session:
        return queue.lease(session, at, limit)


def _run(worker: Worker) -> int:
    return asyncio.run(worker.send_due())


# ---------------------------------------------------------------- written with the change


def test_what_is_rolled_back_never_leaves(database: Database, worker_for: WorkerMaker, server: MailServer) -> None:
    def fails_after_writing(session: Session) -> None:
        queue.enqueue(session, Channel.EMAIL, "answer", ticket=a_request(session), recipient=ADDRESS, values={"text": TEXT}, not_before=NOON)
        raise RuntimeError("the change failed")

    with pytest.raises(RuntimeError):
        asyncio.run(database.run(fails_after_writing))
    assert _run(worker_for(server)) == 0
    assert server.received == []
    assert _rows(database) == []


def test_neither_recipient_nor_text_is_stored_in_clear(database: Database) -> None:
    _answer(database)
    kept = stored(database)
    assert b"RDV-7K4M-2Q" in kept
    assert ADDRESS.encode() not in kept
    assert b"appellerons" not in kept


@pytest.mark.parametrize(
    "wrong",
    [
        {"template": "no_such_letter"},
        {"template": "request.received"},
        {"values": {"text": TEXT, "subject": "liver"}},
        {"recipient": None},
        {"recipient": ""},
        {"ticket": None},
        {"template": "appointment_confirmed", "values": {}},
        {"channel": Channel.WEBHOOK, "template": "answer", "recipient": None},
        {"channel": Channel.WEBHOOK, "template": "request.received", "values": {}},
        {"channel": Channel.WEBHOOK, "template": "request.received", "recipient": None, "values": {"name": "Camille"}},
    ],
)
def test_a_caller_cannot_send_what_no_letter_says(database: Database, wrong: dict[str, Any]) -> None:
    with database.transaction() as session:
        wanted = {"channel": Channel.EMAIL, "template": "answer", "ticket": a_request(session), "recipient": ADDRESS, "values": {"text": TEXT}} | wrong
        with pytest.raises(BadNotification):
            queue.enqueue(session, wanted.pop("channel"), wanted.pop("template"), **wanted)


def test_the_team_is_told_once_each_by_mails_of_their_own(database: Database, settings: Settings) -> None:
    settings = settings.model_copy(update={"team_emails": "equipe@exemple.fr, Milica@exemple.fr,,"})
    with database.transaction() as session:
        people = {
            "milica@exemple.fr": Role.AGENT,
            "lead@exemple.fr": Role.LEAD,
            "admin@exemple.fr": Role.ADMIN,
            "officer@exemple.fr": Role.PRIVACY_OFFICER,
            None: Role.AGENT,
        }
        session.add_all(Staff(name=str(email), password_hash="", role=role, email=email) for email, role in people.items())
        session.add(Staff(name="parti", password_hash="", role=Role.AGENT, email="parti@exemple.fr", active=False))
        session.flush()
        told = queue.tell_team(session, "request_received", a_request(session), settings)
    assert sorted(str(one.recipient).casefold() for one in told) == ["equipe@exemple.fr", "lead@exemple.fr", "milica@exemple.fr"]
    assert all(one.values == {"reference": "RDV-7K4M-2Q", "link": "https://bureau.exemple/desk/requests/RDV-7K4M-2Q"} for one in told)
    assert len({one.message_id for one in told}) == 3


def test_without_addresses_nobody_is_told(database: Database, settings: Settings) -> None:
    with database.transaction() as session:
        assert queue.tell_team(session, "request_overdue", a_request(session), settings) == []


def test_events_say_the_state_at_their_moment_and_only_where_there_is_a_webhook(database: Database, settings: Settings) -> None:
    with database.transaction() as session:
        ticket = a_request(session)
        assert queue.announce(session, "request.closed", ticket, settings) is None
        told = queue.announce(session, "request.received", ticket, settings.model_copy(update={"webhook_url": "https://recepteur.exemple/"}))
        assert told is not None
        assert told.values == {"reference": "RDV-7K4M-2Q", "state": "waiting", "link": "https://bureau.exemple/desk/requests/RDV-7K4M-2Q"}
        assert told.recipient is None


# ---------------------------------------------------------------- sent


def test_a_letter_leaves_and_its_trace_holds_nobody(database: Database, worker_for: WorkerMaker, server: MailServer) -> None:
    notification_id = _answer(database)
    assert _run(worker_for(server)) == 1
    (mail,) = server.received
    assert mail["To"] == ADDRESS
    body = mail.get_body(("plain",))
    assert body is not None
    assert TEXT in body.get_content()
    row = _row(database, notification_id)
    assert (row.state, row.sent_at, row.recipient, row.values, row.tries) == (Delivery.SENT, NOON, None, None, 1)
    assert _run(worker_for(server)) == 0
    assert len(server.received) == 1


def test_an_event_leaves_signed(database: Database, settings: Settings, worker_for: WorkerMaker, hook: Receiver, clock: Clock) -> None:
    clock.at = now()
    notification_id = _event(database, settings, not_before=clock())
    _run(worker_for(hook=hook))
    (call,) = hook.calls
    said = Webhook(SECRET).verify(call.body, call.headers)
    assert said["type"] == "request.received"
    assert said["data"] == {"reference": "RDV-AAAA-22", "state": "waiting", "link": "https://bureau.exemple/desk/requests/RDV-AAAA-22"}
    assert call.headers["webhook-id"] == _row(database, notification_id).message_id


def test_nothing_leaves_before_its_moment(database: Database, worker_for: WorkerMaker, server: MailServer, clock: Clock) -> None:
    _answer(database, not_before=NOON + timedelta(seconds=15))
    clock.forward(seconds=14)
    assert _run(worker_for(server)) == 0
    clock.forward(seconds=1)
    assert _run(worker_for(server)) == 1


def test_a_refusal_for_now_is_tried_again_under_the_same_name(database: Database, worker_for: WorkerMaker, server: MailServer, clock: Clock) -> None:
    notification_id = _answer(database)
    server.rcpt = ["450 Later", "451 Later"]
    for _ in range(3):
        _run(worker_for(server))
        clock.forward(hours=1)
    row = _row(database, notification_id)
    assert (row.state, row.tries, row.last_error) == (Delivery.SENT, 3, None)
    assert [mail["Message-ID"] for mail in server.received] == [f"<{row.message_id}@clinique.exemple>"]


def test_a_refusal_for_good_is_dead_at_once_and_says_why_without_the_address(database: Database, worker_for: WorkerMaker, server: MailServer) -> None:
    notification_id = _answer(database)
    server.rcpt = [f"550 {ADDRESS} is unknown"]
    _run(worker_for(server))
    row = _row(database, notification_id)
    assert (row.state, row.tries) == (Delivery.DEAD, 1)
    assert row.last_error == "Le serveur de courrier refuse ce destinataire (code\u00a0550)."
    assert row.recipient == ADDRESS  # kept, so that it can be tried again


def test_after_the_last_try_it_is_dead(database: Database, settings: Settings, worker_for: WorkerMaker, hook: Receiver, clock: Clock) -> None:
    notification_id = _event(database, settings)
    hook.behaviours = [answers(500)] * 20
    for _ in range(15):
        _run(worker_for(hook=hook))
        clock.forward(seconds=queue.LONGEST_DELAY)
    assert len(hook.calls) == queue.MAX_TRIES == 10
    assert len({call.headers["webhook-id"] for call in hook.calls}) == 1
    assert len({call.headers["webhook-timestamp"] for call in hook.calls}) == 10
    row = _row(database, notification_id)
    assert (row.state, row.last_error) == (Delivery.DEAD, "Le récepteur a répondu par une erreur (code\u00a0500).")


def test_delays_grow_from_two_seconds_to_an_hour_and_are_drawn_at_random(database: Database, clock: Clock) -> None:
    assert [queue.longest_delay(tries) for tries in range(1, 10)] == [2, 6, 18, 54, 162, 486, 1458, 3600, 3600]
    notification_id = _answer(database)
    jitter, delays = random.Random(7), []
    for _ in range(4):
        (leased,) = _lease(database, clock())
        with database.transaction() as session:
            queue.settle_failed(session, leased, clock(), "Non.", jitter=jitter)
        delays.append((_row(database, notification_id).not_before - clock()).total_seconds())
        clock.forward(hours=1)
    assert all(0 <= delay <= longest for delay, longest in zip(delays, (2, 6, 18, 54)))
    assert len(set(delays)) == 4
    expected = random.Random(7)
    assert delays == pytest.approx([expected.uniform(0, longest) for longest in (2, 6, 18, 54)], abs=1e-5)


def test_one_that_fails_holds_up_no_other(database: Database, settings: Settings, worker_for: WorkerMaker, server: MailServer, hook: Receiver) -> None:
    bad, good = _answer(database, recipient="pas une adresse"), _answer(database, "RDV-AAAA-23")
    event = _event(database, settings)
    hook.behaviours = [answers(503)]
    _run(worker_for(server, hook))
    assert [_row(database, one).state for one in (bad, good, event)] == [Delivery.DEAD, Delivery.SENT, Delivery.PENDING]


def test_without_a_webhook_set_any_more_its_events_wait_and_die_in_sight(
    database: Database, settings: Settings, worker_for: WorkerMaker, server: MailServer
) -> None:
    event = _event(database, settings)
    _run(worker_for(server))
    assert _row(database, event).last_error == "PASSERELLE_WEBHOOK_URL n'est pas réglé."


def test_one_without_its_key_is_dead_and_the_others_leave(database: Database, worker_for: WorkerMaker, server: MailServer) -> None:
    lost, kept = _answer(database), _answer(database, "RDV-AAAA-23")
    other = Cipher(Keys.parse(Keys.generate()))
    with database.engine.begin() as raw:
        raw.execute(text("UPDATE outbox SET recipient = :sealed WHERE id = :id"), {"sealed": other.encrypt(ADDRESS, "outbox.recipient"), "id": lost})
    _run(worker_for(server))
    assert _row(database, kept).state is Delivery.SENT
    with database.transaction() as session:
        (listed,) = queue.listed(session, Delivery.DEAD, 10)
    assert (listed.id, listed.recipient, listed.last_error) == (lost, "illisible", queue.UNREADABLE)


# ---------------------------------------------------------------- leases


def test_what_one_has_taken_no_other_gets_until_the_lease_is_over(database: Database, clock: Clock) -> None:
    _answer(database)
    (first,) = _lease(database, clock())
    clock.forward(seconds=queue.LEASE.total_seconds() - 1)
    assert _lease(database, clock()) == []
    clock.forward(seconds=1)
    (second,) = _lease(database, clock())
    assert (second.id, second.message_id, second.tries) == (first.id, first.message_id, 2)


def test_no_sending_may_last_as_long_as_its_lease() -> None:
    assert queue.LEASE.total_seconds() >= 2 * LONGEST_SENDING


def test_two_desks_send_each_letter_once(database: Database, database_url: str, settings: Settings, worker_for: WorkerMaker, server: MailServer) -> None:
    other = Database(connect(database_url, CIPHER))
    for number in range(20):
        _answer(database, f"RDV-{number:04}-22", recipient=f"visiteur{number}@exemple.fr")
    server.delay = 0.05
    workers = [worker_for(server), worker_for(server, on=other), worker_for(server, on=other)]

    async def all_at_once() -> int:
        tried = 0
        while step := sum(await asyncio.gather(*(worker.send_due() for worker in workers))):
            tried += step
        return tried

    assert asyncio.run(all_at_once()) == 20
    other.engine.dispose()
    assert sorted(mail["To"] for mail in server.received) == sorted(f"visiteur{number}@exemple.fr" for number in range(20))
    assert {row.tries for row in _rows(database)} == {1}


def test_a_desk_that_dies_while_sending_leaves_it_to_the_next_under_the_same_name(
    database: Database, settings: Settings, worker_for: WorkerMaker, server: MailServer, clock: Clock
) -> None:
    notification_id = _answer(database)

    async def dies(port: int) -> None:
        running = asyncio.create_task(Worker(database, settings, SmtpMailer(f"smtp://127.0.0.1:{port}"), clock=clock).run())
        while _row(database, notification_id).leased_until is None:
            await asyncio.sleep(0.01)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    with silent_server() as port:
        asyncio.run(dies(port))
    row = _row(database, notification_id)
    assert (row.state, row.leased_until) == (Delivery.PENDING, NOON + queue.LEASE)
    assert _run(worker_for(server)) == 0
    clock.forward(seconds=queue.LEASE.total_seconds())
    assert _run(worker_for(server)) == 1
    assert [mail["Message-ID"] for mail in server.received] == [f"<{row.message_id}@clinique.exemple>"]


def test_one_that_kills_every_desk_is_dead_in_the_end(database: Database, clock: Clock) -> None:
    notification_id = _answer(database)
    for _ in range(queue.MAX_TRIES):
        assert len(_lease(database, clock())) == 1
        clock.forward(seconds=queue.LEASE.total_seconds())
    assert _lease(database, clock()) == []
    row = _row(database, notification_id)
    assert (row.state, row.last_error) == (Delivery.DEAD, queue.INTERRUPTED)


def test_a_late_failure_does_not_touch_what_another_desk_has_taken(database: Database, clock: Clock) -> None:
    notification_id = _answer(database)
    (late,) = _lease(database, clock())
    clock.forward(seconds=queue.LEASE.total_seconds())
    (current,) = _lease(database, clock())
    with database.transaction() as session:
        queue.settle_failed(session, late, clock(), "Trop tard.", is_permanent=True)
    row = _row(database, notification_id)
    assert (row.state, row.leased_until, row.last_error) == (Delivery.PENDING, current.until, None)


def test_a_late_success_counts(database: Database, clock: Clock) -> None:
    notification_id = _answer(database)
    (late,) = _lease(database, clock())
    clock.forward(seconds=queue.LEASE.total_seconds())
    (current,) = _lease(database, clock())
    with database.transaction() as session:
        queue.settle_sent(session, late, clock())
        queue.settle_failed(session, current, clock(), "Non.")
    assert _row(database, notification_id).state is Delivery.SENT


# ---------------------------------------------------------------- held back, outdated, forgotten


def test_what_is_undone_in_time_never_leaves(database: Database, worker_for: WorkerMaker, server: MailServer, clock: Clock) -> None:
    notification_id = _answer(database, not_before=NOON + timedelta(seconds=15))
    with database.transaction() as session:
        assert queue.cancel(session, [notification_id], clock()) == 1
    clock.forward(hours=1)
    assert _run(worker_for(server)) == 0
    row = _row(database, notification_id)
    assert (row.state, row.recipient, row.values) == (Delivery.CANCELLED, None, None)


def test_what_is_being_sent_or_has_left_cannot_be_held_back(database: Database) -> None:
    taken, sent = _answer(database), _answer(database, "RDV-AAAA-23")
    first, second = _lease(database, NOON)
    with database.transaction() as session:
        queue.settle_sent(session, second, NOON)
        assert queue.cancel(session, [taken, sent], NOON) == 0
    assert _row(database, taken).state is Delivery.PENDING
    assert _row(database, taken).leased_until == first.until


def test_everything_about_an_appointment_can_be_held_back_or_only_some(database: Database) -> None:
    with database.transaction() as session:
        ticket = a_request(session)
        appointment = an_appointment(session, ticket)
        for template in ("appointment_confirmed", "appointment_reminder"):
            queue.enqueue(session, Channel.EMAIL, template, appointment=appointment, recipient=ADDRESS)
        queue.enqueue(session, Channel.EMAIL, "answer", ticket=ticket, recipient=ADDRESS, values={"text": TEXT})
        assert queue.cancel_pending(session, NOON, appointment=appointment, templates={"appointment_reminder"}) == 1
        assert queue.cancel_pending(session, NOON, appointment=appointment) == 1
        assert queue.cancel_pending(session, NOON, ticket=ticket) == 1
        with pytest.raises(BadNotification):
            queue.cancel_pending(session, NOON)
    assert {row.state for row in _rows(database)} == {Delivery.CANCELLED}


def _moves(appointment: Any) -> None:
    appointment.sequence += 1
    appointment.starts_at += timedelta(days=1)


def _is_cancelled(appointment: Any) -> None:
    appointment.state = AppointmentState.CANCELLED


def _is_over(appointment: Any) -> None:
    appointment.starts_at = NOON - timedelta(minutes=1)


@pytest.mark.parametrize("change", [_moves, _is_cancelled, _is_over])
@pytest.mark.parametrize("template", ["appointment_confirmed", "appointment_moved", "appointment_reminder"])
def test_a_late_letter_never_sends_anybody_to_a_moment_that_no_longer_holds(
    database: Database, worker_for: WorkerMaker, server: MailServer, template: str, change: Callable[[Any], None]
) -> None:
    with database.transaction() as session:
        appointment = an_appointment(session, a_request(session))
        notification = queue.enqueue(session, Channel.EMAIL, template, appointment=appointment, recipient=ADDRESS, not_before=NOON)
        change(appointment)
    assert _run(worker_for(server)) == 0
    assert server.received == []
    row = _row(database, notification.id)
    assert (row.state, row.last_error, row.recipient) == (Delivery.CANCELLED, queue.OUTDATED, None)


def test_letters_that_still_hold_leave_and_a_cancellation_always_does(database: Database, worker_for: WorkerMaker, server: MailServer) -> None:
    with database.transaction() as session:
        appointment = an_appointment(session, a_request(session))
        queue.enqueue(session, Channel.EMAIL, "appointment_reminder", appointment=appointment, recipient=ADDRESS, not_before=NOON)
        cancelled = an_appointment(session, a_request(session, "RDV-AAAA-23"))
        _is_cancelled(cancelled)
        queue.enqueue(session, Channel.EMAIL, "appointment_cancelled", appointment=cancelled, recipient=ADDRESS, not_before=NOON)
    assert _run(worker_for(server)) == 2
    assert sorted(mail["Subject"].split("\u00a0")[0] for mail in server.received) == ["Rappel de votre rendez-vous", "Rendez-vous annulé"]


def test_a_letter_says_what_was_so_when_it_was_written(database: Database) -> None:
    with database.transaction() as session:
        appointment = an_appointment(session, a_request(session))
        before = appointment.starts_at
        notification = queue.enqueue(session, Channel.EMAIL, "appointment_cancelled", appointment=appointment, recipient=ADDRESS)
        appointment.starts_at += timedelta(days=1)
    assert notification.values is not None
    assert notification.values["appointment"]["starts_at"] == before.isoformat()


def test_an_erased_request_takes_its_notifications_along(database: Database) -> None:
    first, other = _answer(database), _answer(database, "RDV-AAAA-23")
    row = _row(database, first)
    assert row.ticket_id is not None
    with database.transaction() as session:
        assert queue.forget(session, row.ticket_id) == [row.message_id]
    assert [kept.id for kept in _rows(database)] == [other]


def test_dead_letters_and_traces_are_deleted_after_thirty_days(database: Database, clock: Clock) -> None:
    with database.transaction() as session:
        ticket = a_request(session)
        for state in Delivery:
            for age in (29, 31):
                one = queue.enqueue(session, Channel.EMAIL, "answer", ticket=ticket, recipient=ADDRESS, values={"text": TEXT})
                one.state, one.created_at, one.not_before = state, NOON - timedelta(days=age), NOON - timedelta(days=age)
        session.flush()
        assert queue.purge(session, NOON) == 3
        kept = [(row.state, (NOON - row.created_at).days) for row in session.scalars(select(Notification))]
    assert sorted(kept) == sorted([(state, 29) for state in Delivery] + [(Delivery.PENDING, 31)])


# ---------------------------------------------------------------- for as long as the desk lives


def test_a_running_worker_sends_what_comes_and_outlives_a_database_that_is_away(database: Database, worker_for: WorkerMaker, server: MailServer) -> None:
    def rename(before: str, after: str) -> None:
        with database.transaction() as session:
            session.execute(text(f"ALTER TABLE {before} RENAME TO {after}"))

    async def live() -> None:
        running = asyncio.create_task(worker_for(server, look_every=0.02).run())
        for number in range(1, 8):
            _answer(database, f"RDV-{number:04}-22")
        await _until(lambda: {row.state for row in _rows(database)} == {Delivery.SENT})
        rename("outbox", "away")
        await asyncio.sleep(0.1)
        rename("away", "outbox")
        _answer(database, "RDV-AAAA-23")
        await _until(lambda: {row.state for row in _rows(database)} == {Delivery.SENT})
        running.cancel()
        assert isinstance((await asyncio.gather(running, return_exceptions=True))[0], asyncio.CancelledError)

    asyncio.run(live())
    assert len(server.received) == 8


def test_a_database_that_is_away_when_a_letter_has_left_does_not_make_it_leave_twice(database: Database, worker_for: WorkerMaker, server: MailServer) -> None:
    async def live() -> None:
        server.delay = 0.2
        sending = asyncio.create_task(worker_for(server).send_due())
        await _until(lambda: bool(server.commands))
        with database.transaction() as session:
            session.execute(text("ALTER TABLE outbox RENAME TO away"))
        await _until(lambda: bool(server.received))
        await asyncio.sleep(0.1)
        with database.transaction() as session:
            session.execute(text("ALTER TABLE away RENAME TO outbox"))
        await sending

    notification_id = _answer(database)
    asyncio.run(live())
    assert _row(database, notification_id).state is Delivery.SENT


async def _until(holds: Callable[[], bool], seconds: float = 10) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "did not happen in time"
        await asyncio.sleep(0.02)


def test_a_slow_server_does_not_hold_up_events(database: Database, settings: Settings, worker_for: WorkerMaker, hook: Receiver) -> None:
    with mail_server(MailServer(delay=1.0)) as slow:

        async def live() -> None:
            running = asyncio.create_task(worker_for(slow, hook, look_every=0.02).run())
            _answer(database)
            await _until(lambda: bool(slow.commands))
            _event(database, settings)
            await _until(lambda: bool(hook.calls), 0.8)
            assert slow.received == []
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

        asyncio.run(live())


def test_a_started_desk_sends_by_itself(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    try:
        _answer(desk.database, not_before=now())
        end = time.monotonic() + 10
        while not list((tmp_path / "mail").glob("*.eml")):
            assert time.monotonic() < end, "no mail was written"
            time.sleep(0.05)
        (file,) = (tmp_path / "mail").glob("*.eml")
        assert b"To: camille@exemple.fr" in file.read_bytes()
    finally:
        desk.stop()


# ---------------------------------------------------------------- the page


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    """A running desk with an account a role; its mail folder cannot be written, so that nothing leaves by itself."""
    monkeypatch.setattr(accounts, "HASHER", PasswordHasher(time_cost=1, memory_cost=64, parallelism=1))
    (tmp_path / "mail").write_text("")
    running = Desk(tmp_path, two_factor="off")
    for role in Role:
        running.run(accounts.add_staff, f"Compte {role.value}", PASSWORD, role)
    yield running
    running.stop()


class Page:
    """The page as one person sees it."""

    def __init__(self, desk: Desk, role: Role = Role.LEAD, state: str = "") -> None:
        self.http = desk.http
        self.http.cookies.clear()
        form = self.http.get("/desk/login").text
        signed = self.http.post(
            "/desk/login", data={"csrf": _field(form, "csrf"), "next": "/desk/outbox", "name": f"Compte {role.value}", "password": PASSWORD}
        )
        self.answer = self.http.get(f"/desk/outbox?state={state}") if state else signed
        self.read()

    def read(self) -> None:
        self.source = self.answer.text
        self.text = re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", " ", re.sub(r"(?s)<head>.*?</head>", "", self.source))))

    def press(self, path: str, **changes: str) -> None:
        """Posts the form that leads there."""
        assert f'action="{path}"' in self.source
        self.answer = self.http.post(path, data={"csrf": _field(self.source, "csrf")} | changes)
        self.read()


def _field(source: str, name: str) -> str:
    found = re.search(rf'name="{name}" value="([^"]*)"', source)
    assert found
    return html.unescape(found[1])


def _dead(desk: Desk, reference: str = "RDV-7K4M-2Q") -> int:
    notification_id = _answer(desk.database, reference, not_before=now() + timedelta(hours=1))

    def die(session: Session) -> None:
        row = session.get_one(Notification, notification_id)
        row.state, row.tries, row.last_error = Delivery.DEAD, 10, "Le serveur de courrier est injoignable."
        row.not_before = now() - timedelta(minutes=5)

    desk.run(die)
    return notification_id


def _audit(desk: Desk) -> list[tuple[str, str, str]]:
    return desk.run(lambda session: [(e.actor, e.action, e.subject) for e in session.scalars(select(AuditEntry).order_by(AuditEntry.id))])


def test_a_dead_letter_shows_with_its_reason_and_neither_content_nor_address(desk: Desk) -> None:
    _dead(desk)
    page = Page(desk)
    assert "Réponse au visiteur RDV-7K4M-2Q c…@exemple.fr" in page.text
    assert "10 essais" in page.text
    assert "Le serveur de courrier est injoignable." in page.text
    assert "Non distribués 1" in page.text
    for hidden in (ADDRESS, "camille", "Camille", "appellerons"):
        assert hidden not in page.source


def test_an_empty_page_says_so(desk: Desk) -> None:
    assert "Tout ce qui devait partir est parti" in Page(desk).text


def test_a_retry_brings_it_back_with_all_its_tries_and_is_audited(desk: Desk) -> None:
    dead = _dead(desk)
    page = Page(desk)
    page.press(f"/desk/outbox/{dead}/retry")
    assert "C'est fait : 1 envoi repart dans un instant." in page.text.replace("\u00a0", " ")
    row = _row(desk.database, dead)
    assert row.state is Delivery.PENDING
    assert row.tries < queue.MAX_TRIES  # the running desk may have tried already
    assert ("Compte lead", "outbox.retry", "RDV-7K4M-2Q") in _audit(desk)


def test_a_second_retry_of_the_same_changes_nothing_and_says_so(desk: Desk) -> None:
    dead = _dead(desk)
    page = Page(desk)
    form = {"csrf": _field(page.source, "csrf")}  # of a page opened before the first
    page.press(f"/desk/outbox/{dead}/retry")
    assert "Rien à réessayer" in desk.http.post(f"/desk/outbox/{dead}/retry", data=form).text
    assert [action for _, action, _ in _audit(desk)].count("outbox.retry") == 1


def test_all_can_be_retried_at_once(desk: Desk) -> None:
    for number in range(3):
        _dead(desk, f"RDV-{number:04}-22")
    page = Page(desk)
    page.press("/desk/outbox/retry")
    assert "3 envois repartent" in page.text.replace("\u00a0", " ")
    assert {row.state for row in _rows(desk.database)} == {Delivery.PENDING}
    assert ("Compte lead", "outbox.retry_all", "3") in _audit(desk)


def test_what_was_emptied_cannot_be_retried(desk: Desk) -> None:
    dead = _dead(desk)

    def empty(session: Session) -> None:
        row = session.get_one(Notification, dead)
        row.recipient = row.values = None

    desk.run(empty)
    page = Page(desk)
    assert "adresse effacée" in page.text
    assert "Réessayer" not in page.text
    with desk.database.transaction() as session:
        assert queue.retry(session, dead, now()) is None
        assert queue.retry_all(session, now()) == 0


def test_the_list_can_be_filtered_by_state(desk: Desk, settings: Settings) -> None:
    _answer(desk.database, not_before=now() + timedelta(hours=1))
    page = Page(desk, state="pending")
    assert "Réponse au visiteur" in page.text
    assert "Pas encore essayé" in page.text
    assert "À envoyer 1" in page.text
    assert "Non distribués 0" in page.text
    assert "Réponse au visiteur" not in Page(desk, state="sent").text
    assert "Non distribués : aucun" in Page(desk, state="inconnu").text.replace("\u00a0", " ")


def test_an_admin_sees_the_page_but_no_way_into_requests(desk: Desk) -> None:
    _dead(desk)
    page = Page(desk, Role.ADMIN)
    assert "RDV-7K4M-2Q" in page.text
    assert 'href="/desk/requests/' not in page.source
    assert 'href="/desk/requests/RDV-7K4M-2Q"' in Page(desk, Role.LEAD).source


@pytest.mark.parametrize("role", [Role.AGENT, Role.PRIVACY_OFFICER])
def test_others_may_not(desk: Desk, role: Role) -> None:
    dead = _dead(desk)
    page = Page(desk, role)
    assert page.answer.status_code == 403
    assert desk.http.post(f"/desk/outbox/{dead}/retry", data={"csrf": _field(page.source, "csrf")}).status_code == 403
    assert desk.http.post("/desk/outbox/retry", data={"csrf": _field(page.source, "csrf")}).status_code == 403
    assert _row(desk.database, dead).state is Delivery.DEAD


def test_a_form_without_its_value_is_refused(desk: Desk) -> None:
    dead = _dead(desk)
    page = Page(desk)
    page.press(f"/desk/outbox/{dead}/retry", csrf="deviné")
    assert page.answer.status_code == 403
    assert _row(desk.database, dead).state is Delivery.DEAD


@pytest.mark.parametrize("said", ["<b>9</b>", "-1", "٣", ""])
def test_the_status_line_cannot_be_written_from_outside(desk: Desk, said: str) -> None:
    Page(desk)
    assert 'role="status"' not in desk.http.get("/desk/outbox", params={"retried": said}).text


def test_every_kind_has_a_french_name(desk: Desk) -> None:
    from desk.staff.outbox_pages import KINDS

    assert KINDS.keys() == queue.TO_TEAM | queue.TO_VISITOR.keys() | queue.EVENTS
