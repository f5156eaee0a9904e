"""What was erased, written down beside the database: a restored backup knows nothing of erasures since it was made.

The file holds what the proofs hold, when and digests, and names nobody. ``reapply`` erases again what a restored database has back.
A text that was erased on its own (a note on somebody else's request, a conversation without a request) has no digest of its own and cannot
be found again: who restores is told so.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session, defer

from desk import audit
from desk.chat import conversations as chat
from desk.crypto import CryptoError
from desk.db import cipher_of
from desk.models import ErasureProof, Ticket, TicketState
from desk.privacy import erasure
from desk.privacy.erased import Erased
from desk.settings import Settings
from desk.tickets import service as tickets

logger = logging.getLogger(__name__)
RESTORED = "restored"  # reason of the proof


@dataclass(frozen=True)
class Line:
    """One erasure."""

    at: datetime
    reason: str
    digests: tuple[str, ...]


@dataclass
class Reapplied:
    """What was erased again.

    Attributes:
        erased: how much of what.
        alike: references of requests that are older than an erasure of somebody with the same address or number, and were not part of it.
        unnamed: erasures of texts alone, which cannot be found again.
    """

    erased: Erased = field(default_factory=Erased)
    alike: list[str] = field(default_factory=list)
    unnamed: int = 0


def path_of(settings: Settings) -> Path:
    """Where the file is."""
    return settings.data / "erasures.jsonl"


def keep(session: Session, settings: Settings) -> None:
    """Adds the proofs that the file does not hold yet. Never takes a line away: the database may be a restored one.

    A disk that takes nothing is logged and no error: what was erased stays erased, and the next run tries again.
    """
    try:
        path = path_of(settings)
        known = set(read(path)) if path.exists() else set()
        missing = [line for line in proved(session) if line not in known]
        if missing:
            with os.fdopen(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600), "a") as file:
                file.write("" if _ends_with_a_line(path) else "\n")
                file.writelines(_written(line) for line in missing)
                file.flush()
                os.fsync(file.fileno())
    except OSError as error:
        logger.error("the list of erasures could not be written: %s", type(error).__name__)


def read(path: Path) -> list[Line]:
    """The lines of a file; one that was cut short is passed over.

    Raises:
        OSError: it cannot be read.
    """
    found = []
    for text in path.read_text().splitlines():
        try:
            value = json.loads(text)
            found.append(Line(datetime.fromisoformat(value["at"]), str(value["reason"]), tuple(value["digests"])))
        except (ValueError, KeyError, TypeError):
            continue
    return found


def proved(session: Session) -> list[Line]:
    """What the database itself knows of erasures."""
    return [Line(proof.at, proof.reason, tuple(proof.subject_digests)) for proof in session.scalars(select(ErasureProof).order_by(ErasureProof.id))]


def reapply(session: Session, lines: Iterable[Line]) -> Reapplied:
    """Erases again every request whose reference was erased, with its conversation where that had gone too.

    Nobody is written to: they were told when it was first erased. Once this has committed, ``mail.forget_files`` takes copies of mails away.

    Args:
        session: the transaction, over a restored database.
        lines: what was erased.
    """
    done, cipher = Reapplied(), cipher_of(session)
    erased_at: dict[str, Line] = {}
    for line in sorted(set(lines), key=lambda line: line.at):
        erased_at |= dict.fromkeys(line.digests, line)
        done.unnamed += not line.digests
    found = [(ticket, erased_at.get(digest)) for ticket in _present(session) for digest in erasure.reference_digests(cipher, [ticket.reference])]
    again = [(ticket, line) for ticket, line in found if line]
    for ticket, line in again:
        spoken_in = ticket.conversation_id
        done.erased.join(tickets.erase(session, ticket, audit.SYSTEM))
        session.flush()
        if spoken_in and line.reason != erasure.RETENTION:
            done.erased.join(chat.forget_conversation(session, spoken_in))
    if again:
        digests = erasure.reference_digests(cipher, done.erased.references)
        erasure.prove(session, done.erased, audit.SYSTEM, RESTORED, digests)
    for ticket in _present(session):
        known = [erased_at[digest] for digest in _contacts(session, ticket) if digest in erased_at]
        if any(ticket.created_at < line.at for line in known):
            done.alike.append(ticket.reference)
    return done


def _present(session: Session) -> Sequence[Ticket]:
    """Requests that are not erased; nothing of them is decrypted, so that one whose key is lost can be erased too."""
    sealed = [defer(column) for column in (Ticket.name, Ticket.email, Ticket.phone, Ticket.windows)]
    return session.scalars(select(Ticket).where(Ticket.state != TicketState.ERASED).options(*sealed).order_by(Ticket.id).with_for_update()).all()


def _contacts(session: Session, ticket: Ticket) -> list[str]:
    try:
        return erasure.contact_digests(cipher_of(session), ticket)
    except CryptoError:
        return []


def _ends_with_a_line(path: Path) -> bool:
    """False where the last one was cut short: what is added must not be read as a part of it."""
    text = path.read_bytes()
    return not text or text.endswith(b"\n")


def _written(line: Line) -> str:
    return json.dumps({"at": line.at.isoformat(), "reason": line.reason, "digests": list(line.digests)}) + "\n"
