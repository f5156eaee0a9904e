"""Finding everything about a person by what they say of themselves: a reference, a name, a phone number in any writing, an address.

Requests are found by the blind index, then compared with what they hold, decrypted. What is surely the person's leads on: to other requests
with the same contact or name, to those of the same conversation, and to every text that names them anywhere else. Texts cannot be
indexed: all of them are read, in transactions short enough for everybody else.

A name makes nothing sure: namesakes exist, and somebody must compare.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Text, select, type_coerce
from sqlalchemy.orm import InstrumentedAttribute, Session

from bot.fields import FieldError, parse_contact
from desk.crypto import CryptoError, searchable
from desk.db import Database, Encrypted, EncryptedJson, cipher_of
from desk.models import Answer, ChatMessage, Conversation, Note, Notification, NotUnderstood, Ticket, TicketState
from desk.privacy.holdings import related
from desk.privacy.phones import forms_of
from desk.tickets import search, service
from desk.tickets.references import as_reference
from desk.tickets.search import FEWEST_DIGITS, Group, Query

LONGEST_TEXT = 254  # characters of what is searched for: an address
MOST_REQUESTS = 100
MOST_TEXTS = 60
BATCH = 500  # texts read in one transaction
SURE = frozenset({"reference", "email", "phone"})
AROUND = 60  # characters of a text shown on each side of what was found
_DIGITS = re.compile(r"\+?\d(?:[\d\s().\-/‑–·\u00a0]*\d)?")


@dataclass(frozen=True)
class Sought:
    """What a person can be known by, read out of what somebody typed or out of their requests.

    Attributes:
        references: of requests.
        emails: addresses, without capitals.
        phones: digits, with the country's code and without it.
        names: words of names, without accents and capitals.
    """

    references: frozenset[str] = frozenset()
    emails: frozenset[str] = frozenset()
    phones: frozenset[str] = frozenset()
    names: frozenset[tuple[str, ...]] = frozenset()

    def __or__(self, other: Sought) -> Sought:
        return Sought(self.references | other.references, self.emails | other.emails, self.phones | other.phones, self.names | other.names)


@dataclass(frozen=True)
class FoundRequest:
    """A request that may be the person's; ``why`` are codes of ``words.WHY``; ``is_sure`` unless a person must compare."""

    ticket: Ticket
    why: tuple[str, ...]
    is_sure: bool


@dataclass(frozen=True)
class FoundText:
    """A text elsewhere that names the person.

    Attributes:
        kind: of ``words.TEXTS``, or ``request`` where a request's own words name them.
        owner: id of the conversation, the note, the answer, the notification or the question.
        excerpt: what stands around the name.
        reference: of the request it stands on; empty where it is on none.
    """

    kind: str
    owner: str
    excerpt: str
    reference: str = ""

    @property
    def key(self) -> str:
        """As ``holdings.Chosen`` reads it."""
        return {"conversation": "c", "note": "n", "answer": "a", "letter": "o", "question": "q"}[self.kind] + self.owner


@dataclass
class Found:
    """Everything that a search found, detached from the database.

    Attributes:
        requests: the sure ones first.
        texts: that name the person, outside of the sure requests and their conversations.
        unreadable: texts that could not be decrypted.
        is_cut: whether there was more than is listed.
    """

    requests: list[FoundRequest] = field(default_factory=list)
    texts: list[FoundText] = field(default_factory=list)
    unreadable: int = 0
    is_cut: bool = False


def read(text: str) -> Sought:
    """Every way in which a text can be understood.

    >>> sorted(read("+33 6 12 34 56 78").phones), read("Éva DUPRÉ").names
    (['33612345678', '612345678'], frozenset({('eva', 'dupre')}))
    """
    text = text.strip()[:LONGEST_TEXT]
    reference = as_reference(text)
    found = Sought(references=frozenset({reference} if reference else ()))
    try:
        contact = parse_contact(text)
    except FieldError:
        contact = None
    if contact and contact.kind == "email":
        return found | Sought(emails=frozenset({contact.value.casefold(), text.casefold()}))
    if "@" in text:
        return found | Sought(emails=frozenset({text.casefold()}))
    digits = re.sub(r"\D", "", text.replace("(0)", ""))
    if len(digits) >= FEWEST_DIGITS:
        typed = {digits.lstrip("0")} - {""}
        return found | Sought(phones=frozenset(typed | (set(forms_of(contact.value)) if contact else set())))
    words = tuple(searchable(text).split())
    return found | Sought(names=frozenset({words} if words else ()))


async def find(database: Database, text: str, at: datetime) -> Found:
    """Everything that may be about the person of whom ``text`` says something.

    Args:
        database: of the desk; read in many short transactions.
        text: what somebody typed.
        at: the present.
    """
    sought = read(text)
    found, known = await database.run(find_requests, sought, text, at)
    mine = {ticket.id for ticket in (entry.ticket for entry in found.requests if entry.is_sure)}
    talks = {entry.ticket.conversation_id for entry in found.requests if entry.is_sure}
    mentions: dict[tuple[str, str], FoundText] = {}
    for source in SOURCES:
        after: Any = None
        while True:
            batch = await database.run(scan, source, known, after)
            found.unreadable += batch.unreadable
            for mention in batch.mentions:
                mentions.setdefault((mention.kind, mention.owner), mention)
            if batch.is_over or len(mentions) > 4 * MOST_TEXTS:
                break
            after = batch.last
    await database.run(_place, found, list(mentions.values()), mine, talks)
    return found


def find_requests(session: Session, sought: Sought, text: str, at: datetime) -> tuple[Found, Sought]:
    """Requests that may be the person's.

    Returns:
        Them, and what the person is known by, now that their sure requests have been read.
    """
    entries: dict[int, FoundRequest] = {}
    for reference in sorted(sought.references):
        ticket = service.by_reference(session, reference)
        if ticket and ticket.state is not TicketState.ERASED:
            entries[ticket.id] = FoundRequest(ticket, ("reference",), True)
    is_cut = _compare(session, sought, text, at, entries)
    known = sought
    for entry in [e for e in entries.values() if e.is_sure]:
        person = _of_ticket(entry.ticket)
        known |= person
        for part in filter(None, (entry.ticket.email, entry.ticket.phone, entry.ticket.name)):
            is_cut |= _compare(session, person, part, at, entries)
    sure = [e.ticket for e in entries.values() if e.is_sure]
    for ticket in related(session, sure, [t.conversation_id for t in sure if t.conversation_id]):
        # A mother may ask for herself and for her son in one conversation: a person decides.
        entries.setdefault(ticket.id, FoundRequest(ticket, ("related",), False))
    listed = sorted(entries.values(), key=lambda e: (not e.is_sure, -e.ticket.created_at.timestamp()))
    return Found(requests=listed[:MOST_REQUESTS], is_cut=is_cut or len(listed) > MOST_REQUESTS), known


# ---------------------------------------------------------------- comparing


def _compare(session: Session, sought: Sought, text: str, at: datetime, entries: dict[int, FoundRequest]) -> bool:
    """Adds what the index finds for ``text`` and holds when it is read; returns whether there was too much of it."""
    page, pages = 1, 1
    while page <= pages and len(entries) <= MOST_REQUESTS:
        found = search.find(session, Query(group=Group.ALL, text=text, page=page), at)
        for ticket in found.tickets:
            why = tuple(_why(sought, ticket))
            if why and not (ticket.id in entries and entries[ticket.id].is_sure):
                entries[ticket.id] = FoundRequest(ticket, why, not SURE.isdisjoint(why))
        page, pages = page + 1, found.pages
    return page <= pages


def _why(sought: Sought, ticket: Ticket) -> Iterable[str]:
    if ticket.reference in sought.references:
        yield "reference"
    if ticket.email and ticket.email.casefold() in sought.emails:
        yield "email"
    if ticket.phone:
        whole, national = forms_of(ticket.phone)
        if whole in sought.phones:
            yield "phone"
        elif national in sought.phones:
            yield "possible_phone"
    words = searchable(ticket.name or "").split()
    if any(len(name) > 1 and sorted(name) == sorted(words) for name in sought.names):
        yield "name"
    elif any(all(any(word.startswith(part) for word in words) for part in name) for name in sought.names):
        yield "possible_name"


def _of_ticket(ticket: Ticket) -> Sought:
    words = tuple(searchable(ticket.name or "").split())
    return Sought(
        references=frozenset({ticket.reference}),
        emails=frozenset({ticket.email.casefold()} if ticket.email else ()),
        phones=frozenset(forms_of(ticket.phone) if ticket.phone else ()),
        names=frozenset({words} if len(words) > 1 else ()),  # a first name alone is anybody's
    )


# ---------------------------------------------------------------- reading texts


@dataclass(frozen=True)
class Source:
    """An encrypted column whose texts may name anybody; ``owner`` is the column that says whose text it is."""

    kind: str
    key: InstrumentedAttribute[Any]
    owner: InstrumentedAttribute[Any]
    value: InstrumentedAttribute[Any]
    only: ColumnElement[bool] | None = None


SOURCES: Sequence[Source] = (
    Source("conversation", ChatMessage.id, ChatMessage.conversation_id, ChatMessage.text),
    Source("conversation", Conversation.id, Conversation.id, Conversation.short_form),
    Source("note", Note.id, Note.id, Note.text),
    Source("answer", Answer.id, Answer.id, Answer.text),
    Source("request", Ticket.id, Ticket.id, Ticket.windows),
    # What belongs to a request goes with it, or stands in its answers too.
    Source("letter", Notification.id, Notification.id, Notification.recipient, Notification.ticket_id.is_(None)),
    Source("letter", Notification.id, Notification.id, Notification.values, Notification.ticket_id.is_(None)),
    Source("question", NotUnderstood.id, NotUnderstood.id, NotUnderstood.text),
)


@dataclass(frozen=True)
class Batch:
    """What one transaction read: ``last`` is the key it came to."""

    mentions: Sequence[FoundText]
    unreadable: int
    last: Any
    is_over: bool


def scan(session: Session, source: Source, sought: Sought, after: Any = None, size: int = BATCH) -> Batch:
    """Reads at most ``size`` texts of a column and keeps those that name the person."""
    kept = source.value.type
    assert isinstance(kept, Encrypted | EncryptedJson)
    wanted = select(source.key, source.owner, type_coerce(source.value, Text)).where(source.value.is_not(None)).order_by(source.key).limit(size)
    if source.only is not None:
        wanted = wanted.where(source.only)
    rows = session.execute(wanted if after is None else wanted.where(source.key > after)).all()
    cipher, mentions, unreadable = cipher_of(session), [], 0
    for _, owner, sealed in rows:
        try:
            text = cipher.decrypt(sealed, kept.purpose)
        except CryptoError:
            unreadable += 1
            continue
        place = mention(sought, text)
        if place is not None:
            mentions.append(FoundText(source.kind, str(owner), excerpt(text, place)))
    return Batch(mentions, unreadable, rows[-1][0] if rows else after, len(rows) < size)


def mention(sought: Sought, text: str) -> int | None:
    """Where a text names the person; None where it does not."""
    lower = text.casefold()
    for word in (*sought.emails, *(reference.casefold() for reference in sought.references)):
        if (place := lower.find(word)) >= 0:
            return min(place, len(text))
    for found in _DIGITS.finditer(text):
        digits = re.sub(r"\D", "", found[0].replace("(0)", ""))
        if any(digits.lstrip("0") == phone or (len(phone) > 7 and phone in digits) for phone in sought.phones):
            return found.start()
    if not sought.names:
        return None
    plain, places = _plain(text)
    for name in sought.names:
        for words in {name, name[::-1]}:
            said = re.search(r"(?<!\w)" + r"\W+".join(map(re.escape, words)) + r"(?!\w)", plain)
            if said:
                return places[said.start()]
    return None


def excerpt(text: str, place: int) -> str:
    """What stands around a place of a text."""
    start, end = max(0, place - AROUND), place + AROUND
    cut = " ".join(text[start:end].split())
    return f"{'…' if start else ''}{cut}{'…' if end < len(text) else ''}"


def _plain(text: str) -> tuple[str, list[int]]:
    """A text without accents and capitals, and where each of its signs stands in the text."""
    signs, places = [], []
    for place, sign in enumerate(text):
        for part in unicodedata.normalize("NFKD", sign.casefold()):
            if not unicodedata.combining(part):
                signs.append(part)
                places.append(place)
    return "".join(signs), places


def _place(session: Session, found: Found, mentions: Sequence[FoundText], mine: set[int], talks: set[str | None]) -> None:
    """Adds the mentions that do not go with the sure requests anyway, each with the request it stands on."""
    listed = {entry.ticket.id for entry in found.requests}
    for mention in mentions:
        if mention.kind == "request":
            ticket = session.get(Ticket, int(mention.owner))
            if ticket and ticket.id not in listed:
                found.requests.append(FoundRequest(ticket, ("windows",), False))
        elif mention.kind == "conversation":
            if mention.owner not in talks:
                found.texts.append(mention)
        elif mention.kind in ("note", "answer"):
            row: Note | Answer | None = session.get(Note, int(mention.owner)) if mention.kind == "note" else session.get(Answer, int(mention.owner))
            if row and row.ticket_id not in mine:
                ticket = session.get_one(Ticket, row.ticket_id)
                found.texts.append(FoundText(mention.kind, mention.owner, mention.excerpt, ticket.reference))
        else:
            found.texts.append(mention)
    found.is_cut |= len(found.texts) > MOST_TEXTS
    del found.texts[MOST_TEXTS:]
