"""Made-up requests by the thousand, spread over states, people, subjects and weeks as a clinic's are; for measuring the desk."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from random import Random
from typing import Any

from sqlalchemy import func, insert, select
from sqlalchemy.orm import Session

from bot.fields import SUBJECTS
from desk.crypto import searchable
from desk.db import cipher_of
from desk.models import Appointment, BookedSlot, Clinician, Presence, Role, SearchTerm, Staff, Ticket, TicketState
from desk.tickets import search
from desk.tickets.references import ALPHABET

AT_ONCE = 1000  # rows written together
KEPT_DAYS = 60
PEOPLE, CLINICIANS = 12, 6
OWNED = (TicketState.CLAIMED, TicketState.PENDING_VISITOR, TicketState.BOOKED, TicketState.CLOSED)
STATES = {
    TicketState.CLOSED: 58,
    TicketState.BOOKED: 12,
    TicketState.CLAIMED: 8,
    TicketState.WAITING: 6,
    TicketState.PENDING_VISITOR: 5,
    TicketState.CANCELLED: 4,
    TicketState.SPAM: 3,
    TicketState.EXPIRED: 2,
    TicketState.ERASED: 2,
}
# The frequent ones first: the n-th is drawn 1/n as often as the first, as names are.
FIRST_NAMES = (
    "Marie Jean Fatima Mohamed Camille Pierre Sophie Nicolas Léa Thomas Chloé Julien Aïcha Karim Émilie François Inès Hélène Thierry Noémie Benoît "
    "Jean-Pierre Anne-Sophie Zoé Théo Amadou Aminata Ousmane Milica Jovana Nguyen Linh João Inês Björn Ségolène Gaël Maëlle Loïc Françoise"
).split()
LAST_NAMES = (
    "Martin Bernard Dubois Thomas Robert Richard Petit Durand Leroy Moreau Simon Laurent Lefebvre Michel Garcia David Bertrand Roux Vincent Fournier "
    "Morel Girard André Lefèvre Mercier Dupont Lambert Bonnet François Martinez Legrand Garnier Faure Rousseau Blanc Guérin Müller Henry Roussel Nicolas "
    "Perrin Morin Mathieu Clément Gauthier Dumont Lopez Fontaine Chevalier Robin Benali Haddad Traoré Diallo Diop Konaté Petrović Jovanović Nikolić Đorđević "
    "Tran Nguyen Pham Silva Ferreira Gonçalves D'Hondt De~Smet Van~den~Berg L'Hermitte Ben~Amor El~Khoury"
).split()
MAILS = "exemple.fr exemple.be exemple.ch courriel.exemple poste.exemple".split()
WINDOWS = (
    "mardi vers midi",
    "le matin, sauf mercredi",
    "après 18 h",
    "n'importe quand cette semaine",
    "jeudi ou vendredi après-midi",
    "plutôt le soir, heure de Montréal",
)
MOBILES = (
    ("+336", 8, 60),
    ("+337", 8, 15),
    ("+324", 8, 8),
    ("+4179", 7, 7),
    ("+1514", 7, 6),
    ("+38164", 7, 4),
)  # how they begin, digits still to come, how often


@dataclass
class Remembered:
    """What people remember of requests that are there, each list shuffled."""

    references: list[str] = field(default_factory=list)
    beginnings: list[str] = field(default_factory=list)  # of names
    names: list[str] = field(default_factory=list)
    phones: list[str] = field(default_factory=list)
    emails: list[str] = field(default_factory=list)


def fill(session: Session, count: int, at: datetime, seed: int = 22) -> Remembered:
    """Adds requests; the first time, the people who work on them too.

    Args:
        session: the transaction.
        count: how many.
        at: the present; they arrived in the 60 days before.
        seed: of chance.
    """
    chance = Random(f"{seed}:{count}")
    people, clinicians = _people(session)
    before = session.scalar(select(func.coalesce(func.max(Ticket.id), 0))) or 0
    booked = session.scalar(select(func.count()).select_from(Appointment)) or 0
    places = itertools.islice(_places(clinicians, at), booked, None)
    remembered = Remembered()
    for start in range(0, count, AT_ONCE):
        numbers = range(before + start + 1, before + min(start + AT_ONCE, count) + 1)
        tickets = [_ticket(chance, number, people, at) for number in numbers]
        session.add_all(tickets)
        session.flush()
        _index(session, tickets)
        session.add_all(_appointment(ticket, places, at) for ticket in tickets if ticket.state is TicketState.BOOKED)
        read = [ticket for ticket in tickets if ticket.state in (TicketState.CLAIMED, TicketState.WAITING)][:PEOPLE]
        session.add_all(
            Presence(ticket_id=ticket.id, staff_id=person, is_writing=n % 2 == 0, expires_at=at + timedelta(days=1))
            for n, (ticket, person) in enumerate(zip(read, people))
        )
        session.flush()
        _remember(remembered, tickets)
        session.expunge_all()
    for kept in vars(remembered).values():
        chance.shuffle(kept)
    return remembered


def _people(session: Session) -> tuple[list[int], list[int]]:
    if session.scalars(select(Staff.id).limit(1)).first() is None:
        roles = [Role.LEAD, Role.PRIVACY_OFFICER, Role.ADMIN] + [Role.AGENT] * (PEOPLE - 3)
        session.add_all(Staff(name=f"{FIRST_NAMES[n]} {LAST_NAMES[-n - 1]}", password_hash="!", role=role) for n, role in enumerate(roles))
        session.add_all(Clinician(name=f"Dr {LAST_NAMES[n]}") for n in range(CLINICIANS))
        session.flush()
    return list(session.scalars(select(Staff.id).where(Staff.role.in_([Role.LEAD, Role.AGENT])).order_by(Staff.id))), list(
        session.scalars(select(Clinician.id))
    )


def _ticket(chance: Random, number: int, people: list[int], at: datetime) -> Ticket:
    state = chance.choices(list(STATES), list(STATES.values()))[0]
    is_over = state in (TicketState.CLOSED, TicketState.CANCELLED, TicketState.SPAM, TicketState.ERASED)
    # What is still open arrived lately, most of it.
    age = timedelta(days=KEPT_DAYS) * chance.random() ** (1 if is_over else 4)
    created = at - age
    name = " ".join((_often(chance, FIRST_NAMES), _often(chance, LAST_NAMES).replace("~", " ")))
    by_phone, by_mail = chance.choices([(True, False), (True, True), (False, True)], [5, 3, 2])[0]
    is_answered = state in OWNED and chance.random() < (0.4 if state is TicketState.CLAIMED else 0.9)
    is_there = state is not TicketState.ERASED
    return Ticket(
        reference=_reference(number),
        state=state,
        version=chance.randint(1, 6),
        idempotency_key=f"made-up {number}",
        body_hash="",
        assignee_id=chance.choice(people) if state in OWNED else None,
        claimed_at=created + age / 4 if state in OWNED else None,
        name=name if is_there else None,
        phone=_phone(chance) if is_there and by_phone else None,
        email=f"{searchable(name).replace(' ', '.')}{number}@{chance.choice(MAILS)}" if is_there and by_mail else None,
        windows=chance.choice(WINDOWS) if is_there else None,
        subject=chance.choice(list(SUBJECTS)),
        transcript_allowed=chance.random() < 0.6,
        consent_version="2026-11",
        consent_at=created,
        created_at=created,
        closed_at=created + age / 2 if is_over else None,
        first_answer_at=created + age / 3 if is_answered else None,
        answer_due=created + timedelta(hours=chance.choice((8, 18, 24, 66))),
        booking_due=created + timedelta(days=chance.choice((5, 7, 8))),
        paused_at=created + age / 2 if state is TicketState.PENDING_VISITOR else None,
    )


def _often(chance: Random, words: tuple[str, ...] | list[str]) -> str:
    return chance.choices(words, [1 / n for n in range(1, len(words) + 1)])[0]


def _phone(chance: Random) -> str:
    beginning, digits, _ = chance.choices(MOBILES, [often for _, _, often in MOBILES])[0]
    return beginning + "".join(chance.choices("0123456789", k=digits))


def _reference(number: int) -> str:
    """The references of the desk in an order that looks like chance: no two numbers give the same one."""
    size = len(ALPHABET)
    code = (number * 7_654_321 + 1_234_567) % size**6  # 7,654,321 has no factor in common with 20
    letters = "".join(ALPHABET[code // size**place % size] for place in range(6))
    return f"RDV-{letters[:4]}-{letters[4:]}"


def _index(session: Session, tickets: list[Ticket]) -> None:
    cipher = cipher_of(session)
    found = [{"ticket_id": t.id, "digest": digest} for t in tickets for digest in search.terms(cipher, t.name, t.email, t.phone)]
    session.execute(insert(SearchTerm), found)


def _places(clinicians: list[int], at: datetime) -> Iterator[tuple[int, datetime]]:
    """Half hours of the coming days, for each clinician."""
    for day in itertools.count(1):
        morning = datetime.combine((at + timedelta(days=day)).date(), time(7), at.tzinfo)
        for half_hour in range(16):
            for clinician in clinicians:
                yield clinician, morning + timedelta(minutes=30 * half_hour)


def _appointment(ticket: Ticket, places: Iterator[tuple[int, datetime]], at: datetime) -> Appointment:
    clinician, starts_at = next(places)
    slots = [BookedSlot(clinician_id=clinician, starts_at=starts_at + timedelta(minutes=minutes)) for minutes in range(0, 30, 5)]
    values: dict[str, Any] = {"minutes": 30, "visitor_zone": "Europe/Paris", "uid": f"{ticket.reference}@made-up", "created_by": "Marie", "created_at": at}
    return Appointment(ticket_id=ticket.id, clinician_id=clinician, starts_at=starts_at, slots=slots, **values)


def _remember(remembered: Remembered, tickets: list[Ticket]) -> None:
    for ticket in tickets:
        if ticket.name:
            remembered.references.append(ticket.reference)
            remembered.names.append(ticket.name)
            remembered.beginnings.append(searchable(ticket.name.split()[-1])[:4])
        if ticket.phone:
            remembered.phones.append(ticket.phone)
        if ticket.email:
            remembered.emails.append(ticket.email)
