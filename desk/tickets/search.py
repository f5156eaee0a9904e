"""Finding requests: which of them, in which order, and by what a person remembers of them.

Names and contacts are encrypted. What they can be found by are keyed digests (``SearchTerm``): of each word of the name and each of its
beginnings, of the phone number with and without its country's code, and of the address. The words searched for are digested the same way.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

import phonenumbers
from sqlalchemy import ColumnElement, Select, and_, case, delete, false, func, insert, or_, select
from sqlalchemy.orm import Session, joinedload

from bot.fields import FieldError, parse_contact
from desk.crypto import Cipher, beginnings, searchable
from desk.db import cipher_of
from desk.models import SearchTerm, Staff, Ticket, TicketState
from desk.tickets import clocks, states
from desk.tickets.references import as_reference

PAGE = 50  # requests
LONGEST_TEXT = 100  # characters of what is searched for
MOST_WORDS = 6
FEWEST_DIGITS = 6  # of a phone number


class Group(StrEnum):
    """Which requests."""

    OPEN = "open"
    TO_DO = "to_do"  # open, and no appointment fixed yet
    WAITING = "waiting"  # nobody owns them
    MINE = "mine"  # open, and owned by who looks
    OVERDUE = "overdue"
    BOOKED = "booked"
    OVER = "over"
    ALL = "all"  # but for erased ones


class Sort(StrEnum):
    """In which order."""

    DEADLINE = "deadline"  # the nearest first, those without one last
    RECEIVED = "received"  # the newest first
    AGE = "age"  # the oldest first


@dataclass(frozen=True)
class Query:
    """What is looked for.

    Attributes:
        group: which requests.
        viewer_id: the account that looks, for ``Group.MINE``.
        subject: a code of ``bot.fields.SUBJECTS``; None means any.
        owner_id: an account; None means any.
        unowned: only those that nobody owns.
        text: what somebody typed: a reference, words of a name or their beginnings, a phone number, an address; empty means any.
        sort: in which order.
        page: counted from 1; one beyond the last shows the last.
    """

    group: Group = Group.OPEN
    viewer_id: int | None = None
    subject: str | None = None
    owner_id: int | None = None
    unowned: bool = False
    text: str = ""
    sort: Sort = Sort.DEADLINE
    page: int = 1


@dataclass(frozen=True)
class Page:
    """One page of what was found; owners are loaded."""

    tickets: Sequence[Ticket]
    total: int
    page: int
    pages: int


def find(session: Session, query: Query, at: datetime) -> Page:
    """One page of requests.

    Args:
        session: the transaction.
        query: what is looked for.
        at: the present, by which a request is overdue.
    """
    wanted = _condition(session, query, at)
    total = session.scalar(select(func.count()).select_from(Ticket).where(wanted)) or 0
    pages = max(1, -(-total // PAGE))
    page = min(max(1, query.page), pages)
    owner = joinedload(Ticket.assignee).load_only(Staff.id, Staff.name)
    order = _order(query.sort)
    # Sorted as ids, which an index holds with all that they are sorted by; the wide rows are read for one page only.
    shown = select(Ticket.id).where(wanted).order_by(*order).limit(PAGE).offset((page - 1) * PAGE).subquery()
    rows = session.scalars(select(Ticket).join(shown, shown.c.id == Ticket.id).order_by(*order).options(owner))
    return Page(rows.all(), total, page, pages)


def count_groups(session: Session, viewer_id: int | None, at: datetime) -> Mapping[Group, int]:
    """How many requests each group has, in one query."""
    counted = [func.coalesce(func.sum(case((_group(group, viewer_id, at), 1), else_=0)), 0) for group in Group]
    row = session.execute(select(*counted).select_from(Ticket).where(Ticket.state != TicketState.ERASED)).one()
    return dict(zip(Group, (int(n) for n in row)))


# ---------------------------------------------------------------- the index


def terms(cipher: Cipher, name: str | None, email: str | None, phone: str | None) -> frozenset[str]:
    """Digests by which a request is found; also what an erasure leaves as its proof.

    Args:
        cipher: of the database.
        name: as the visitor gave it.
        email: an address, whatever its capitals.
        phone: E.164.
    """
    found = {_name(cipher, part) for part in beginnings(name or "")}
    if email:
        found.add(_email(cipher, email))
    if phone:
        found |= {_phone(cipher, phone), _phone(cipher, _national(phone))}
    return frozenset(found)


def index(session: Session, ticket: Ticket) -> None:
    """Writes what a request is found by, instead of what it was found by before."""
    session.execute(delete(SearchTerm).where(SearchTerm.ticket_id == ticket.id))
    digests = terms(cipher_of(session), ticket.name, ticket.email, ticket.phone)
    if digests:
        session.execute(insert(SearchTerm), [{"ticket_id": ticket.id, "digest": digest} for digest in sorted(digests)])


def index_missing(session: Session, limit: int = 500) -> int:
    """Indexes requests that have personal fields and no terms (rows from before there was an index); returns how many, at most ``limit``."""
    indexed = select(SearchTerm.ticket_id).where(SearchTerm.ticket_id == Ticket.id).exists()
    missing = session.scalars(select(Ticket).where(Ticket.state != TicketState.ERASED, Ticket.name.is_not(None), ~indexed).limit(limit)).all()
    for ticket in missing:
        index(session, ticket)
    return len(missing)


# ---------------------------------------------------------------- conditions


def _condition(session: Session, query: Query, at: datetime) -> ColumnElement[bool]:
    wanted = [_group(query.group, query.viewer_id, at)]
    if query.subject:
        wanted.append(Ticket.subject == query.subject)
    if query.owner_id is not None:
        wanted.append(Ticket.assignee_id == query.owner_id)
    if query.unowned:
        wanted.append(Ticket.assignee_id.is_(None))
    if query.text.strip():
        wanted.append(_says(cipher_of(session), query.text.strip()[:LONGEST_TEXT]))
    return and_(*wanted)


def _group(group: Group, viewer_id: int | None, at: datetime) -> ColumnElement[bool]:
    match group:
        case Group.OPEN:
            return Ticket.state.in_(states.OPEN)
        case Group.TO_DO:
            return Ticket.state.in_([state for state in states.OPEN if state is not TicketState.BOOKED])
        case Group.WAITING:
            return Ticket.state.in_(states.IN_QUEUE)
        case Group.MINE:
            return and_(Ticket.state.in_(states.OPEN), Ticket.assignee_id == viewer_id) if viewer_id is not None else false()
        case Group.OVERDUE:
            return clocks.overdue(at)
        case Group.BOOKED:
            return Ticket.state == TicketState.BOOKED
        case Group.OVER:
            return Ticket.state.in_(states.OVER)
        case Group.ALL:
            return Ticket.state != TicketState.ERASED


def _order(sort: Sort) -> tuple[ColumnElement[Any], ...]:
    match sort:
        case Sort.DEADLINE:
            due = clocks.deadline()
            return (due.is_(None), due.asc(), Ticket.created_at.asc(), Ticket.id.asc())
        case Sort.RECEIVED:
            return (Ticket.created_at.desc(), Ticket.id.desc())
        case Sort.AGE:
            return (Ticket.created_at.asc(), Ticket.id.asc())


def _says(cipher: Cipher, text: str) -> ColumnElement[bool]:
    """Whatever the text may be: a reference, a contact, words of a name."""
    reference = as_reference(text)
    readings: list[ColumnElement[bool]] = [Ticket.reference == reference] if reference else []
    contacts = _contacts(cipher, text)
    if contacts:
        readings.append(Ticket.id.in_(_with_any(contacts)))
    words = searchable(text).split()[:MOST_WORDS]
    if words:
        readings.append(and_(*(Ticket.id.in_(_with_any([_name(cipher, word)])) for word in words)))
    return or_(false(), *readings)


def _contacts(cipher: Cipher, text: str) -> list[str]:
    found = [_email(cipher, text)] if "@" in text else []
    digits = re.sub(r"\D", "", text)
    if len(digits) >= FEWEST_DIGITS:
        found.append(_phone(cipher, digits.lstrip("0")))  # as one country writes it: which one need not be guessed
    try:
        contact = parse_contact(text)
    except FieldError:
        return found
    digest = _email if contact.kind == "email" else _phone
    return [*found, digest(cipher, contact.value)]


def _with_any(digests: Sequence[str]) -> Select[Any]:
    return select(SearchTerm.ticket_id).where(SearchTerm.digest.in_(digests))


def _name(cipher: Cipher, part: str) -> str:
    return cipher.digest(part, "search.name")


def _email(cipher: Cipher, address: str) -> str:
    return cipher.digest(address.strip().casefold(), "search.email")


def _phone(cipher: Cipher, number: str) -> str:
    return cipher.digest(number, "search.phone")


def _national(e164: str) -> str:
    try:
        return str(phonenumbers.parse(e164).national_number)
    except phonenumbers.NumberParseException:
        return e164.lstrip("+")
