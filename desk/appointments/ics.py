"""The calendar file of an appointment (RFC 5545, 5546): neutral, without a word of why.

The same ``UID`` goes through an appointment's whole life, ``SEQUENCE`` counts its changes, so that a calendar moves or removes the entry
instead of adding another.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from icalendar import Calendar, Event, vCalAddress, vText

from desk.appointments.vtimezone import vtimezone
from desk.models import Appointment, AppointmentState
from desk.settings import Settings

PRODID = "-//Passerelle//Bureau//FR"


def method_of(appointment: Appointment) -> str:
    """What the file asks a calendar to do: ``REQUEST`` while the appointment stands, then ``CANCEL``."""
    return "REQUEST" if appointment.state is AppointmentState.BOOKED else "CANCEL"


def text(appointment: Appointment, email: str, settings: Settings, at: datetime) -> str:
    """The file as it stands now, for a letter to the visitor.

    Args:
        appointment: its state says whether the file invites or cancels.
        email: of the visitor, whom the invitation names as attendee.
        settings: for the clinic's name, address, zone and sender.
        at: when the file is written (``DTSTAMP``).
    """
    clinic = settings.clinic_name
    method = method_of(appointment)
    starts = appointment.starts_at.astimezone(settings.zone)
    ends = (appointment.starts_at + timedelta(minutes=appointment.minutes)).astimezone(settings.zone)

    event = Event()
    event.add("uid", appointment.uid)
    event.add("sequence", appointment.sequence)
    event.add("dtstamp", at)
    event.add("dtstart", starts)
    event.add("dtend", ends)
    event.add("summary", f"Rendez-vous – {clinic}")
    event.add("description", _description(appointment, settings))
    event.add("status", "CONFIRMED" if method == "REQUEST" else "CANCELLED")
    event.add("class", "PRIVATE")
    event.add("transp", "OPAQUE")
    if settings.clinic_address:
        event.add("location", settings.clinic_address)
    organizer = vCalAddress(f"mailto:{settings.mail_from}")
    organizer.params["CN"] = vText(clinic)
    event.add("organizer", organizer)
    attendee = vCalAddress(f"mailto:{email}")
    attendee.params["ROLE"] = vText("REQ-PARTICIPANT")
    attendee.params["PARTSTAT"] = vText("ACCEPTED" if method == "REQUEST" else "DECLINED")
    attendee.params["RSVP"] = vText("FALSE")
    event.add("attendee", attendee)

    calendar = Calendar()
    calendar.add("prodid", PRODID)
    calendar.add("version", "2.0")
    calendar.add("calscale", "GREGORIAN")
    calendar.add("method", method)
    calendar.add_component(vtimezone(settings.zone, starts.year))
    calendar.add_component(event)
    return bytes(calendar.to_ical()).decode()


def _description(appointment: Appointment, settings: Settings) -> str:
    lines = [f"Référence : {appointment.ticket.reference}"]
    if settings.clinic_phone:
        lines.append(f"Téléphone : {settings.clinic_phone}")
    return "\n".join(lines)
