"""The last stretch of a turn, in one transaction: what alarms, conduct and requests make of the replies, and storing them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sqlalchemy.exc import NoResultFound
from sqlalchemy.orm import Session

from bot.answers import Content, Message
from desk import audit
from desk.appointments import withdrawing
from desk.chat import conduct, crisis, hours_notice
from desk.chat import conversations as chat
from desk.chat.answering import Outcome
from desk.chat.exit_check import ExitCheck
from desk.chat.prompts import with_resume
from desk.chat.short_form import ShortForm
from desk.db import now
from desk.hours import Calendar
from desk.insight import counting
from desk.insight.metrics import Metrics
from desk.models import ChatMessage, Ticket
from desk.outbox import queue
from desk.outbox.mail import forget_files, sink_of
from desk.settings import Settings
from desk.tickets import service as tickets

RECEIVED = "utter_booking_received"
# What would be wrong beside « demande reçue ».
_UNTRUE_ONCE_RECEIVED = (
    "utter_booking_failed",
    "utter_unavailable_in_form",
    "utter_unavailable_request",
    "utter_short_form",
    "utter_short_form_again",
)


class Aftercare:
    """Finishes and stores the replies of a turn."""

    def __init__(
        self,
        content: Content,
        exit_check: ExitCheck,
        calendar: Callable[[Session], Calendar | None],
        settings: Settings | None = None,
        metrics: Metrics | None = None,
    ) -> None:
        """Takes the content, the last door, how the opening hours are read, what a request needs of the settings, and who counts."""
        self._content = content
        self._exit_check = exit_check
        self._calendar = calendar
        self._settings = settings
        self._metrics = metrics or Metrics()

    def store(self, session: Session, conversation_id: str, seq: int, outcome: Outcome) -> list[ChatMessage]:
        """Stores what a visitor reads, and with it what the turn changes: a request, the form, alarms, conduct.

        Args:
            session: the transaction; a request is received only if all of it commits.
            conversation_id: an existing conversation.
            seq: number of the visitor's message.
            outcome: of that message.
        """
        conversation = chat.use(session, conversation_id)
        if conversation is None:
            raise NoResultFound(conversation_id)
        replies, form = list(outcome.says), outcome.form
        if outcome.sends and form:
            replies, form = [*replies, self._received(self._stored(session, conversation_id, form))], None
        before = chat.before_replies(session, conversation_id)
        if before.has_requests:
            replies = self._resolved(session, conversation_id, replies)
        if form and chat.has_ended(replies):
            form = None  # Rasa's form was received after all: there is only ever one
        replies = conduct.counted(conversation, replies, self._content)
        if replies[-1].response not in chat.NOT_A_TURN:
            replies = crisis.followed(
                conversation,
                replies,
                alarmed_before=before.is_after_alarm,
                content=self._content,
                at=now(),
            )
        waits = form.waiting if form else before.form_waits
        if waits and not crisis.is_fresh(conversation, now()):
            replies = with_resume(replies)
        leaving = [self._exit_check(r) for r in replies]
        if hours_notice.is_due(leaving) and not crisis.is_fresh(conversation, now()):
            leaving = hours_notice.with_hours(leaving, self._calendar(session), now())
        stored = chat.add_replies(session, conversation_id, leaving, seq, seq=before.last_seq + 1)
        conversation.short_form = form.as_row() if form else None
        if chat.has_ended(replies):
            chat.redact_form(session, conversation_id)
        if outcome.scrub or chat.has_ended(replies):
            conversation.scrub_due = True
        self._metrics.said(leaving)
        session.flush()  # nothing of the turn is written after the counts
        counting.count(session, leaving, now())  # last: its rows stay locked until the end
        return stored

    def failed(self, outcome: Outcome) -> Outcome:
        """The outcome of a form that could not be stored: nothing of it is lost, and one tap tries again."""
        assert outcome.form
        kept = ShortForm.stored({**outcome.form.as_row(), "values": {**outcome.form.values, "confirm": None}})
        return Outcome([self._content.message("utter_booking_failed")], kept)

    def _stored(self, session: Session, conversation_id: str, form: ShortForm) -> str:
        ticket, _ = tickets.open_ticket(session, form.request(conversation_id, self._content), form.key, self._settings)
        return ticket.reference

    def _resolved(self, session: Session, conversation_id: str, replies: Sequence[Message]) -> list[Message]:
        """Tells a reference that was stored while its answer was lost on the way; a request that is cancelled is not left behind."""
        untold = chat.untold_requests(session, conversation_id, [r.text for r in replies])
        if not untold or any(r.kind == "emergency" for r in replies):
            return list(replies)
        if any(r.response in chat.FORM_GIVEN_UP for r in replies):
            for ticket in untold:
                self._erase(session, ticket)
            return list(replies)
        still_true = [r for r in replies if r.response not in _UNTRUE_ONCE_RECEIVED and not chat.is_question(r.response)]
        return [*still_true, *(self._received(ticket.reference) for ticket in untold)]

    def _erase(self, session: Session, ticket: Ticket) -> None:
        is_called_off = bool(withdrawing.coming(session, ticket, now()))
        erased = tickets.erase(session, ticket, audit.VISITOR)
        if self._settings and is_called_off:
            queue.tell_team(session, "appointment_cancelled_by_visitor", ticket, self._settings)
        if self._settings:  # what the team was told: a reference and a link, so it matters little if this transaction fails yet
            forget_files(sink_of(self._settings), erased.message_ids)

    def _received(self, reference: str) -> Message:
        return self._content.message(RECEIVED, {"reference": reference})
