"""Who answers a message: the guard, the desk's own form, Rasa, or, while Rasa is silent, the desk with the truth."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace

from bot.answers import Content, Message
from bot.booking import wants_out
from bot.guard.door import Finding, inspect
from desk.chat import conversations as chat
from desk.chat import crisis, short_form, wishes
from desk.chat.arrival import Arrived
from desk.chat.prompts import BOOK, CANCEL, LEAVE_REQUEST
from desk.chat.rasa import Assistant, AssistantError
from desk.chat.short_form import ShortForm, Step
from desk.db import Database, now
from desk.models import Conversation

logger = logging.getLogger(__name__)
URGENT_SECONDS = 3.0  # how long an emergency waits for Rasa before the desk answers it itself
ELLIPTICAL = 12  # words up to which a message may lean on the question before it
SILENT = "utter_unavailable"  # what an action of Rasa's says of itself when it fails


@dataclass(frozen=True)
class Outcome:
    """What comes of a message.

    Attributes:
        says: the replies, before what alarms and conduct make of them.
        form: the desk's own form as it stands afterwards; None for none.
        sends: the form is complete: it becomes a request in the transaction that stores the reply.
        scrub: Rasa's tracker may hold a form that nobody must go on with.
    """

    says: list[Message]
    form: ShortForm | None = None
    sends: bool = False
    scrub: bool = False


@dataclass(frozen=True)
class Heard:
    """A message as it is answered.

    Attributes:
        text: the visitor's words, or those that a button stands for; the label of a button that commands something.
        payload: what the button commands; None for words.
        finding: the guard's in words.
        asked_before: the question before, where the words may refer to it.
        key: names the message; a form that it opens is stored under it.
    """

    text: str
    payload: str | None
    finding: Finding | None
    asked_before: str | None
    key: str

    @classmethod
    def of(cls, arrived: Arrived) -> Heard:
        """The message that has arrived; a payload without a slash stands for words."""
        text, payload = arrived.meaning.text, arrived.meaning.payload
        if payload is not None and not payload.startswith("/"):
            text, payload = payload, None
        if payload is not None:
            return cls(text, payload, None, None, arrived.key)
        before = arrived.asked_before if len(text.split()) <= ELLIPTICAL else None
        return cls(text, None, inspect(text), before, arrived.key)

    @property
    def is_alarming(self) -> bool:
        """Whether the words tell of an emergency."""
        return self.finding is not None and self.finding.intent == "red_flag"


class Answering:
    """Answers one message of a conversation at a time."""

    def __init__(self, database: Database, assistant: Assistant, content: Content) -> None:
        """Takes the desk's database, the assistant, and the content for what the desk says itself."""
        self._database = database
        self._assistant = assistant
        self._content = content

    def alarm(self, text: str) -> Message | None:
        """The answer to an emergency in a text that nobody else will read; None where there is none."""
        finding = inspect(text)
        return self._guarded(finding) if finding and finding.intent == "red_flag" else None

    def too_long(self, form: ShortForm | None, text: str) -> Outcome:
        """The outcome of a text that only the guard reads."""
        finding = inspect(text)
        if finding and finding.intent == "red_flag":
            return Outcome([self._guarded(finding)], replace(form, waiting=True) if form else None)
        return Outcome([self._own("utter_too_long")], form)

    async def answer(self, arrived: Arrived) -> Outcome:
        """The outcome of one message that has arrived and that a person can read."""
        conversation, heard = arrived.conversation, Heard.of(arrived)
        form = ShortForm.stored(conversation.short_form)
        if form and not form.waiting:
            return await self._in_form(conversation, form, heard)
        if heard.is_alarming:
            return await self._from_rasa(conversation, form, heard)
        if form and (heard.payload == CANCEL or (heard.payload is None and wants_out(form.asked or "", heard.text))):
            return await self._cancelled(conversation, form)
        if form and (heard.payload in (BOOK, LEAVE_REQUEST) or (heard.payload is None and wishes.takes_up(heard.text))):
            return self._taken_up(form)
        if heard.payload == LEAVE_REQUEST:
            return await self._opened(conversation, heard.key)
        if heard.payload is None and wishes.takes_up(heard.text) and await self._database.run(chat.form_waits, conversation.id):
            heard = replace(heard, payload=BOOK)
        return await self._from_rasa(conversation, form, heard)

    # ------------------------------------------------------------ Rasa

    async def _from_rasa(self, conversation: Conversation, form: ShortForm | None, heard: Heard) -> Outcome:
        try:
            replies = await self._asked(conversation, heard)
        except AssistantError as error:
            logger.warning("the assistant did not answer: %s", error)
            return await self._without_rasa(conversation, form, heard)
        if form and any(chat.is_question(r.response) for r in replies):
            # Rasa understood a wish to book where the desk's form waits: there is only ever one form.
            return replace(self._taken_up(form), scrub=True)
        return Outcome(replies, form)

    async def _asked(self, conversation: Conversation, heard: Heard) -> list[Message]:
        seconds = URGENT_SECONDS if heard.is_alarming else None
        if conversation.scrub_due:
            await self.scrub(conversation.id, seconds)
        replies = await self._assistant.say(
            conversation.id,
            text=None if heard.payload else heard.text,
            payload=heard.payload,
            seconds=seconds,
            asked_before=heard.asked_before,
        )
        if any(r.response == SILENT for r in replies):
            raise AssistantError("an action failed")
        return replies

    async def scrub(self, conversation_id: str, seconds: float | None = None) -> None:
        """Has Rasa forget its form.

        Raises:
            AssistantError: Rasa could not be told; it stays due.
        """
        await self._assistant.scrub(conversation_id, seconds)
        await self._database.run(chat.scrubbed, conversation_id)

    # ------------------------------------------------------------ without Rasa

    async def _without_rasa(self, conversation: Conversation, form: ShortForm | None, heard: Heard) -> Outcome:
        text, payload = heard.text, heard.payload
        if heard.finding:
            return Outcome([self._guarded(heard.finding)], form)
        if form and wishes.asks_for_human(text):
            return self._taken_up(form)
        question = None if form else await self._database.run(chat.form_question, conversation.id)
        if question and (payload == CANCEL or (not payload and wants_out(question.removeprefix(chat.QUESTION), text))):
            return Outcome([self._own("utter_booking_cancelled" if question == chat.FORM_OPENS else "utter_booking_cancelled_later")], scrub=True)
        waits = question is not None and await self._database.run(chat.form_waits, conversation.id)
        # In the middle of Rasa's form nothing opens by itself: Rasa keeps what was given, and « rendez-vous mardi » may be an answer.
        if (question is None or waits) and (payload == BOOK or (not payload and wishes.asks_for_human(text))):
            return await self._opened(conversation, heard.key)
        if crisis.is_fresh(conversation, now()):
            return Outcome([self._own("utter_unavailable")], form)  # no prompt
        in_form = question not in (None, chat.FORM_OPENS)
        return Outcome([self._own("utter_unavailable_in_form" if in_form else "utter_unavailable_request")], form)

    # ------------------------------------------------------------ the desk's own form

    async def _opened(self, conversation: Conversation, key: str) -> Outcome:
        question = await self._database.run(chat.form_question, conversation.id)
        form = ShortForm(key, after_rasa=question not in (None, chat.FORM_OPENS))
        says = [self._own("utter_short_form_again" if form.after_rasa else "utter_short_form"), form.question(self._content)]
        return Outcome(says, form, scrub=True)

    def _taken_up(self, form: ShortForm) -> Outcome:
        """The form that waited goes on with its question."""
        going_on = replace(form, waiting=False)
        return Outcome([going_on.question(self._content)], going_on)

    async def _in_form(self, conversation: Conversation, form: ShortForm, heard: Heard) -> Outcome:
        if heard.finding and heard.is_alarming:
            return Outcome([self._guarded(heard.finding)], replace(form, waiting=True))
        if heard.payload == CANCEL:
            return await self._cancelled(conversation, form)
        if heard.payload in (BOOK, LEAVE_REQUEST):
            return Outcome([form.question(self._content)], form)
        if heard.payload:
            return await self._digressed(conversation, form, heard)
        if wishes.asks_erasure(heard.text):
            cancelled = await self._cancelled(conversation, form)
            return replace(cancelled, says=[*cancelled.says, self._own("utter_delete_data")])
        step = short_form.answered(form, heard.text, heard.finding)
        if step.cancelled or step.refused:
            return await self._cancelled(conversation, form, refused=step.refused)
        if step.digression or step.form.tries:
            return await self._digressed(conversation, form, heard, step)
        return self._went_on(step)

    def _went_on(self, step: Step) -> Outcome:
        says = [self._own(response) for response in step.says]
        if step.form.asked is None:
            return Outcome(says, step.form, sends=True)
        return Outcome([*says, step.form.question(self._content)], step.form)

    async def _digressed(self, conversation: Conversation, form: ShortForm, heard: Heard, step: Step | None = None) -> Outcome:
        """What answers no question of the form: answered if anybody can, then the form goes on.

        A bad answer is explained, unless Rasa, back again, understands it as something else: a question, or an alarm that
        only its learned net hears.
        """
        question = form.question(self._content)
        bad_answer = step if step and not step.digression else None
        if heard.finding and not bad_answer:
            return Outcome([replace(self._guarded(heard.finding), buttons=[]), question], form)
        try:
            replies = await self._asked(conversation, heard)
        except AssistantError as error:
            logger.warning("the assistant did not answer: %s", error)
            return self._went_on(bad_answer) if bad_answer else Outcome([self._own("utter_unavailable_question"), question], form)
        if any(r.response == chat.ALARM for r in replies):
            return Outcome(replies, replace(form, waiting=True))
        opened = any(chat.is_question(r.response) for r in replies)  # Rasa has opened a form of its own
        if bad_answer and not any(r.kind in ("answer", "advice") for r in replies):
            return replace(self._went_on(bad_answer), scrub=opened)
        return Outcome([*(replace(r, buttons=[]) for r in replies if r.kind != "booking"), question], form, scrub=opened)

    async def _cancelled(self, conversation: Conversation, form: ShortForm, refused: bool = False) -> Outcome:
        """Ends the form; that everything given is erased is said only once Rasa has forgotten its part."""
        response = "utter_booking_refused" if refused else "utter_booking_cancelled"
        if form.after_rasa and conversation.scrub_due:
            try:
                await self.scrub(conversation.id)
            except AssistantError:
                response = "utter_booking_cancelled_later"
        return Outcome([self._own(response)], scrub=True)

    # ------------------------------------------------------------ texts

    def _guarded(self, finding: Finding) -> Message:
        return replace(self._own(finding.response, {finding.intent: finding.variant}), variant=finding.variant)

    def _own(self, response: str, slots: dict[str, str] | None = None) -> Message:
        return self._content.message(response, slots)
