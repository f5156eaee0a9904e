"""The people appointments are made with. Each function works inside the caller's transaction."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from desk import audit
from desk.models import Appointment, AppointmentState, Clinician

SHORTEST, LONGEST = 2, 80
SUBJECT = "praticiens"  # what the audit trail says was changed: a clinician's name is nobody's account


class ClinicianError(Exception):
    """A clinician cannot be kept as asked; the text is a French sentence."""


class NoSuchClinician(ClinicianError):
    """There is none of this number."""


def everybody(session: Session) -> Sequence[Clinician]:
    """All clinicians, those who take appointments first, by name."""
    return session.scalars(select(Clinician).order_by(Clinician.active.desc(), func.lower(Clinician.name))).all()


def bookable(session: Session) -> Sequence[Clinician]:
    """Those who take appointments, by name."""
    return session.scalars(select(Clinician).where(Clinician.active).order_by(func.lower(Clinician.name))).all()


def coming(session: Session, at: datetime) -> dict[int, int]:
    """How many appointments of each clinician are still to come."""
    rows = session.execute(
        select(Appointment.clinician_id, func.count())
        .where(Appointment.state == AppointmentState.BOOKED, Appointment.starts_at > at)
        .group_by(Appointment.clinician_id)
    )
    return {row[0]: row[1] for row in rows}


def add(session: Session, actor: str, name: str) -> Clinician:
    """Adds a clinician.

    Raises:
        ClinicianError: the name is too short, too long, or taken.
    """
    clinician = Clinician(name=_checked(session, name, None))
    session.add(clinician)
    session.flush()
    audit.record(session, actor, "clinician.add", SUBJECT)
    return clinician


def rename(session: Session, actor: str, clinician_id: int, name: str) -> None:
    """Gives a clinician another name, also in the appointments they have.

    Raises:
        NoSuchClinician: there is none of this number.
        ClinicianError: the name is too short, too long, or taken.
    """
    clinician = _known(session, clinician_id)
    clinician.name = _checked(session, name, clinician)
    audit.record(session, actor, "clinician.rename", SUBJECT)


def set_active(session: Session, actor: str, clinician_id: int, is_active: bool) -> None:
    """Says whether a clinician takes new appointments; those agreed stay.

    Raises:
        NoSuchClinician: there is none of this number.
    """
    _known(session, clinician_id).active = is_active
    audit.record(session, actor, "clinician.activate" if is_active else "clinician.deactivate", SUBJECT)


def _known(session: Session, clinician_id: int) -> Clinician:
    clinician = session.get(Clinician, clinician_id)
    if clinician is None:
        raise NoSuchClinician("Ce praticien n'existe plus.")
    return clinician


def _checked(session: Session, name: str, but: Clinician | None) -> str:
    name = " ".join(unicodedata.normalize("NFC", name).split())
    if not SHORTEST <= len(name) <= LONGEST or not name.isprintable():
        raise ClinicianError(f"Le nom doit compter de {SHORTEST} à {LONGEST} caractères.")
    # Compared in Python: SQLite folds only ASCII.
    if any(other.name.casefold() == name.casefold() for other in session.scalars(select(Clinician)) if other is not but):
        raise ClinicianError(f"« {name} » est déjà dans la liste.")
    return name
