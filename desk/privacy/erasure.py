"""Erasing what was chosen as somebody's, and the proof of it.

A proof holds digests of what the person is known by: whoever knows the name or the number already can be told that it was erased, and
when. It cannot be read the other way round.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, cast

from sqlalchemy import CursorResult, delete, select
from sqlalchemy.orm import Session

from desk import audit
from desk.appointments import withdrawing
from desk.chat import conversations as chat
from desk.crypto import Cipher, searchable
from desk.db import cipher_of, now
from desk.models import Answer, ErasureProof, Note, Notification, NotUnderstood, Ticket, TicketState
from desk.outbox import queue
from desk.privacy.erased import Erased
from desk.privacy.holdings import Chosen, gather
from desk.privacy.phones import forms_of
from desk.settings import Settings
from desk.tickets import service as tickets
from desk.tickets.references import as_reference

RETENTION, VISITOR = "retention", "visitor"
ANYWAY = "EFFACER"  # what is typed instead of a reference


class ErasureError(Exception):
    """Nothing was erased; the text is a French sentence for the person who asked."""


class NothingLeft(ErasureError):
    """What was chosen is not there any more."""


class NotConfirmed(ErasureError):
    """Neither a chosen reference nor the word was typed."""


class ChangedMeanwhile(ErasureError):
    """Something was added or taken away that the page did not show."""


def check_confirmation(chosen: Chosen, typed: str) -> None:
    """Lets pass who typed one of the chosen references, or the word.

    Raises:
        NotConfirmed: anything else.
    """
    if typed.strip().upper() != ANYWAY and as_reference(typed) not in chosen.references:
        raise NotConfirmed(f"Pour confirmer, tapez l'une des références choisies, ou le mot {ANYWAY}. Rien n'a été effacé.")


def erase(
    session: Session, chosen: Chosen, conversation_ids: Sequence[str], actor: str, reason: str, stamp: str, settings: Settings, *, tells_visitor: bool = False
) -> Erased:
    """Erases everything that was chosen, with the conversations of its requests.

    Rasa must have forgotten these conversations already (``Turns.erase_together``), and copies of mails are deleted once this has committed.

    Args:
        session: the transaction.
        chosen: what is to go.
        conversation_ids: those that Rasa was told to forget.
        actor: name of the staff member.
        reason: one of ``words.OFFICERS_REASONS``.
        stamp: of the holdings as the actor's page showed them.
        settings: for the last letter.
        tells_visitor: whether who has an appointment to come is told by a last e-mail that it is cancelled. Its address is erased once it has left.

    Raises:
        NothingLeft, ChangedMeanwhile: nothing was erased.
    """
    held = gather(session, chosen, is_changed=True)
    if held.is_empty:
        raise NothingLeft("Il ne reste rien de ce que vous aviez choisi.")
    if held.stamp != stamp or set(held.conversation_ids) - set(conversation_ids):
        raise ChangedMeanwhile("Quelque chose a changé depuis l'affichage de cette page. Rien n'a été effacé. Relisez ce qui est gardé, puis recommencez.")
    digests = {digest for ticket in held.tickets for digest in _digests(cipher_of(session), ticket)}
    erased = Erased()
    for ticket in held.tickets:
        if tells_visitor:
            withdrawing.take_leave(session, ticket, settings, now())
        erased.join(tickets.erase(session, ticket, actor))
    session.flush()
    for conversation_id in held.conversation_ids:
        erased.join(chat.forget_conversation(session, conversation_id))
    sent = [*(answer.notification_id for answer in held.answers if answer.notification_id), *(letter.id for letter in held.letters)]
    erased.message_ids += session.scalars(select(Notification.message_id).where(Notification.id.in_(sent)))
    for table, ids in (
        (Note, [note.id for note in held.notes]),
        (Answer, [answer.id for answer in held.answers]),
        (Notification, sent),
        (NotUnderstood, [question.id for question in held.questions]),
    ):
        gone = session.execute(delete(table).where(table.id.in_(ids)).execution_options(synchronize_session=False))
        erased.add(table.__tablename__, cast(CursorResult[Any], gone).rowcount)
    prove(session, erased, actor, reason, digests)
    return erased


def erase_by_visitor(session: Session, conversation_id: str, settings: Settings | None = None) -> Erased:
    """Erases a conversation and its requests because the visitor says so; proved where there was a request.

    An appointment to come is off: the team is told, for whom it is gone without a trace. The visitor is not written to: « effacées » is true at once,
    and a letter would need the address until it has left.

    Args:
        session: the transaction.
        conversation_id: whose visitor says so.
        settings: for what the team is told; without them it is not.
    """
    wanted = select(Ticket).where(Ticket.conversation_id == conversation_id, Ticket.state != TicketState.ERASED)
    asked = session.scalars(wanted.order_by(Ticket.id).with_for_update()).all()  # all of them before the audit trail
    digests = {digest for ticket in asked for digest in _digests(cipher_of(session), ticket)}
    called_off = [ticket for ticket in asked if withdrawing.coming(session, ticket, now())]
    erased = chat.erase_conversation(session, conversation_id, audit.VISITOR)
    if settings:
        for ticket in called_off:
            queue.tell_team(session, "appointment_cancelled_by_visitor", ticket, settings)
            queue.announce(session, "request.cancelled", ticket, settings)
    if asked:
        prove(session, erased, audit.VISITOR, VISITOR, digests)
    return erased


def prove(session: Session, erased: Erased, actor: str, reason: str, digests: Iterable[str]) -> ErasureProof:
    """Writes down that something was erased, and an entry of the audit trail that names the proof."""
    proof = ErasureProof(at=now(), actor=actor, reason=reason, subject_digests=sorted(digests), counts=dict(erased.counts))
    session.add(proof)
    session.flush()
    erased.proof_id = proof.id
    if reason not in (RETENTION, VISITOR):
        audit.record(session, actor, "privacy.erase", f"effacement {proof.id}")
    return proof


def reference_digests(cipher: Cipher, references: Iterable[str]) -> list[str]:
    """What a proof says of requests that nobody read before they went."""
    return [cipher.digest(reference, "erasure.reference") for reference in references]


def proofs_about(
    session: Session, references: Iterable[str], emails: Iterable[str], phones: Iterable[str], names: Iterable[Sequence[str]]
) -> list[ErasureProof]:
    """Proofs of erasures of somebody who is known by any of these, the newest first.

    Args:
        session: the transaction.
        references: of requests.
        emails: without capitals.
        phones: digits, with or without the country's code.
        names: words without accents and capitals.
    """
    cipher = cipher_of(session)
    wanted = {
        *reference_digests(cipher, references),
        *(cipher.digest(email, "erasure.email") for email in emails),
        *(cipher.digest(phone, "erasure.phone") for phone in phones),
        *(_name_digest(cipher, name) for name in names),
    }
    proofs = session.scalars(select(ErasureProof).order_by(ErasureProof.id.desc()))
    return [proof for proof in proofs if not wanted.isdisjoint(proof.subject_digests)]


def _digests(cipher: Cipher, ticket: Ticket) -> list[str]:
    """What a request's person can be recognised by afterwards: each value as a whole, so that no part of it can be tried."""
    found = reference_digests(cipher, [ticket.reference])
    if ticket.name:
        found.append(_name_digest(cipher, searchable(ticket.name).split()))
    return found + contact_digests(cipher, ticket)


def contact_digests(cipher: Cipher, ticket: Ticket) -> list[str]:
    """What a proof says of the address and the number of a request."""
    found = []
    if ticket.email:
        found.append(cipher.digest(ticket.email.casefold(), "erasure.email"))
    if ticket.phone:
        found += [cipher.digest(digits, "erasure.phone") for digits in set(forms_of(ticket.phone))]
    return found


def _name_digest(cipher: Cipher, words: Sequence[str]) -> str:
    return cipher.digest(" ".join(sorted(words)), "erasure.name")
