"""The list of requests, ready for its template: tabs, filters, rows, pages."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from bot.fields import SUBJECTS
from desk.db import now
from desk.models import Appointment, AppointmentState, Role, Staff, Ticket, TicketState
from desk.staff import presence, wording
from desk.staff.permissions import Permission, may
from desk.staff.presence import Present
from desk.staff.protection import HOME
from desk.staff.wording import FIXED, Due, Moment
from desk.tickets import clocks, search, states
from desk.tickets.search import Group, Query, Sort

_NOBODY = "none"
_TABS = {
    Group.TO_DO: "À traiter",
    Group.MINE: "Les miennes",
    Group.OVERDUE: "En retard",
    Group.BOOKED: "Rendez-vous",
    Group.OVER: "Terminées",
    Group.ALL: "Toutes",
}
_SORTS = {Sort.DEADLINE: "Échéance proche", Sort.RECEIVED: "Plus récentes", Sort.AGE: "Plus anciennes"}
_BY_DEADLINE = (Group.TO_DO, Group.MINE, Group.OVERDUE)
_NOTHING = {
    Group.TO_DO: ("Rien à traiter", "Dès qu'un visiteur laisse ses coordonnées à l'assistant, sa demande apparaît ici."),
    Group.MINE: ("Vous ne suivez aucune demande", "Prenez-en une en charge dans «\u00a0À traiter\u00a0»."),
    Group.OVERDUE: ("Rien n'est en retard", "Les demandes dont l'échéance est passée apparaissent ici."),
    Group.BOOKED: ("Aucun rendez-vous fixé", "Les demandes dont le rendez-vous est convenu apparaissent ici."),
    Group.OVER: ("Aucune demande terminée", "Les demandes clôturées, annulées ou indésirables apparaissent ici."),
    Group.ALL: ("Aucune demande pour l'instant", "Dès qu'un visiteur laisse ses coordonnées à l'assistant, sa demande apparaît ici."),
}
_NOT_FOUND = ("Rien trouvé", "Essayez une référence, le début d'un nom, un numéro de téléphone ou une adresse e-mail entière.")


@dataclass(frozen=True)
class Choice:
    """What somebody wants listed, as the address says it. ``search`` is personal data: it comes by POST, and no address holds it."""

    view: Group = Group.TO_DO
    subject: str = ""
    owner: str = ""
    sort: Sort | None = None
    page: int = 1
    search: str = ""

    @classmethod
    def read(cls, given: Mapping[str, str], text: str = "") -> Choice:
        """Reads fields of an address or a form; what makes no sense is left out."""
        text = text.strip()[: search.LONGEST_TEXT]
        view = Group.ALL if text else next((group for group in _TABS if group.value == given.get("view")), Group.TO_DO)
        subject, owner, page = given.get("subject", ""), given.get("owner", ""), given.get("page", "")
        return cls(
            view=view,
            subject=subject if subject in SUBJECTS else "",
            owner=owner if owner == _NOBODY or re.fullmatch(r"[0-9]{1,9}", owner) else "",
            sort=next((sort for sort in Sort if sort.value == given.get("sort")), None),
            page=int(page) if re.fullmatch(r"[1-9][0-9]{0,5}", page) else 1,
            search=text,
        )

    @property
    def order(self) -> Sort:
        """The order that was asked for, or the one that suits the view."""
        return self.sort or (Sort.DEADLINE if self.view in _BY_DEADLINE else Sort.RECEIVED)

    @property
    def href(self) -> str:
        """Its address, without what goes without saying."""
        said = {
            "view": self.view.value if self.view is not Group.TO_DO else "",
            "subject": self.subject,
            "owner": self.owner,
            "sort": self.sort.value if self.sort else "",
            "page": str(self.page) if self.page > 1 else "",
        }
        kept = {name: value for name, value in said.items() if value}
        return f"{HOME}?{urlencode(kept)}" if kept else HOME

    def query(self, viewer: Staff) -> Query:
        """What to look for."""
        owner = int(self.owner) if self.owner.isdigit() else None
        return Query(self.view, viewer.id, self.subject or None, owner, unowned=self.owner == _NOBODY, text=self.search, sort=self.order, page=self.page)


@dataclass(frozen=True)
class Row:
    """One request in the list."""

    reference: str
    state: str
    state_label: str
    is_open: bool
    is_mine: bool
    owner: str | None
    due: Due | None
    presence: Sequence[Present]
    received: Moment
    name: str
    subject: str
    windows: str


@dataclass(frozen=True)
class Tab:
    """One view of the list, and how many requests it has."""

    label: str
    href: str
    count: int
    is_here: bool
    is_late: bool


@dataclass(frozen=True)
class Option:
    """One value of a filter."""

    value: str
    label: str
    is_chosen: bool


@dataclass(frozen=True)
class Filter:
    """One field by which the list is narrowed or ordered."""

    name: str
    label: str
    options: Sequence[Option]

    @property
    def chosen(self) -> str:
        """The value that holds."""
        return next((option.value for option in self.options if option.is_chosen), "")


@dataclass(frozen=True)
class Nothing:
    """What an empty list says."""

    title: str
    text: str


@dataclass(frozen=True)
class Listing:
    """The list page."""

    rows: Sequence[Row]
    tabs: Sequence[Tab]
    filters: Sequence[Filter]
    to_do: int
    view: str
    search: str
    not_found: str
    count_text: str
    caption: str
    empty: Nothing
    page: int
    pages: int
    here: str
    previous: str | None
    next: str | None
    read_at: Moment


def listing(session: Session, choice: Choice, viewer: Staff, zone: ZoneInfo, not_found: str = "") -> Listing:
    """The list that ``viewer`` asked for.

    Args:
        session: the transaction.
        choice: what they asked for.
        viewer: who looks: « Les miennes » are theirs, and their own presence is no news to them.
        zone: the clinic's.
        not_found: a reference that was asked for in vain.
    """
    present = now()
    found = search.find(session, choice.query(viewer), present)
    counts = search.count_groups(session, viewer.id, present)
    ids = [ticket.id for ticket in found.tickets]
    around = presence.others(session, ids, viewer.id, present)
    appointments = _next_appointments(session, [t.id for t in found.tickets if t.state is TicketState.BOOKED])
    rows = [row_of(t, viewer, present, zone, around.get(t.id, ()), appointments.get(t.id)) for t in found.tickets]
    at = replace(choice, page=found.page)
    title, text = _NOT_FOUND if choice.search else _NOTHING[choice.view]
    if not choice.search and (choice.subject or choice.owner):
        title, text = "Aucune demande avec ces filtres", "Choisissez «\u00a0Tous\u00a0» pour en voir davantage."
    return Listing(
        rows=rows,
        tabs=[
            Tab(label, replace(choice, view=group, sort=None, page=1).href, counts[group], group is choice.view, group is Group.OVERDUE)
            for group, label in _TABS.items()
        ],
        filters=_filters(session, choice, viewer),
        to_do=counts[Group.TO_DO],
        view=choice.view.value,
        search=choice.search,
        not_found=not_found,
        count_text=wording.count(found.total),
        caption=_caption(choice),
        empty=Nothing(title, text),
        page=found.page,
        pages=found.pages,
        here=at.href,
        previous=replace(at, page=at.page - 1).href if at.page > 1 else None,
        next=replace(at, page=at.page + 1).href if at.page < found.pages else None,
        read_at=wording.moment(present, present, zone),
    )


def row_of(ticket: Ticket, viewer: Staff, present: datetime, zone: ZoneInfo, around: Sequence[Present] = (), appointment: datetime | None = None) -> Row:
    """What the list and the request's own page say about it at a glance."""
    deadline = clocks.deadline_of(ticket)
    due = wording.due(deadline, present, zone) if deadline else None
    if ticket.state is TicketState.PENDING_VISITOR and ticket.paused_at:
        due = wording.suspended(ticket.paused_at, present, zone)
    if appointment:
        due = wording.appointment(appointment, present, zone)
    return Row(
        reference=ticket.reference,
        state=ticket.state.value,
        state_label=wording.STATES[ticket.state],
        is_open=ticket.state in states.OPEN,
        is_mine=ticket.assignee_id == viewer.id,
        owner=ticket.assignee.name if ticket.assignee else None,
        due=due,
        presence=around,
        received=wording.moment(ticket.created_at, present, zone),
        name=ticket.name or "",
        subject=SUBJECTS.get(ticket.subject, ticket.subject),
        windows=ticket.windows or "",
    )


def workers(session: Session) -> Sequence[Staff]:
    """Accounts that may work on requests, by name."""
    roles = [role for role in Role if may(role, Permission.WORK_REQUESTS)]
    return session.scalars(select(Staff).where(Staff.active, Staff.role.in_(roles)).order_by(Staff.name)).all()


def _caption(choice: Choice) -> str:
    what = "Demandes trouvées" if choice.search else f"Demandes{FIXED}: {_TABS[choice.view].lower()}"
    return f"{what}. D'abord{FIXED}: {_SORTS[choice.order].lower()}"


def _filters(session: Session, choice: Choice, viewer: Staff) -> list[Filter]:
    owning = select(Ticket.assignee_id).where(Ticket.assignee_id.is_not(None), Ticket.state.in_(states.OPEN))
    roles = [role for role in Role if may(role, Permission.WORK_REQUESTS)]
    people = session.execute(select(Staff.id, Staff.name).where(or_(Staff.active & Staff.role.in_(roles), Staff.id.in_(owning))).order_by(Staff.name)).all()
    owners = {"": "Tous", _NOBODY: "Personne"} | {str(staff_id): f"{name} (vous)" if staff_id == viewer.id else name for staff_id, name in people}
    return [
        _filter("subject", "Sujet", {"": "Tous"} | SUBJECTS, choice.subject),
        _filter("owner", "Suivie par", owners, choice.owner),
        _filter("sort", "D'abord", {sort.value: label for sort, label in _SORTS.items()}, choice.order.value),
    ]


def _filter(name: str, label: str, options: Mapping[str, str], chosen: str) -> Filter:
    return Filter(name, label, [Option(value, text, value == chosen) for value, text in options.items()])


def _next_appointments(session: Session, ticket_ids: Sequence[int]) -> dict[int, datetime]:
    rows = session.execute(
        select(Appointment.ticket_id, Appointment.starts_at)
        .where(Appointment.ticket_id.in_(ticket_ids), Appointment.state == AppointmentState.BOOKED)
        .order_by(Appointment.starts_at.desc())
    )
    return {row.ticket_id: row.starts_at for row in rows}
