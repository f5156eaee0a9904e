"""Who answers a message: the guard, the desk's own form, Rasa, or, while Rasa is silent, the desk with the truth."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace

from bot.answers import Content, Message
from bot.booking import wants_out
from bot.guard.door import Finding, inspect
from desk.chat import conversations as chat
from desk.chat import crisis, short_form, wishes
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

    async def answer(self, conversation: Conversation, text: str, payload: str | None, key: str) -> Outcome:
        """The outcome of one message.

        Args:
            conversation: its row as it was before the message.
            text: the visitor's words, or the label of a button.
            payload: that of the button; one without a slash stands for words.
            key: names this message; a form that it opens is stored under it.
        """
        if payload is not None and not payload.startswith("/"):
            text, payload = payload, None
        finding = None if payload else inspect(text)
        form = ShortForm.stored(conversation.short_form)
        if form and not form.waiting:
            return await self._in_form(conversation, form, text, payload, finding)
        if finding and finding.intent == "red_flag":
            return await self._from_rasa(conversation, form, text, payload, finding)
        if form and (payload == CANCEL or (not payload and wants_out(form.asked or "", text))):
            return await self._cancelled(conversation, form)
        if form and (payload in (BOOK, LEAVE_REQUEST) or (not payload and wishes.takes_up(text))):
            return self._taken_up(form)
        if payload == LEAVE_REQUEST:
            return await self._opened(conversation, key)
        if not payload and wishes.takes_up(text) and await self._database.run(chat.form_waits, conversation.id):
            payload = BOOK
        return await self._from_rasa(conversation, form, text, payload, finding, key)

    # ------------------------------------------------------------ Rasa

    async def _from_rasa(
        self, conversation: Conversation, form: ShortForm | None, text: str, payload: str | None, finding: Finding | None, key: str = ""
    ) -> Outcome:
        try:
            replies = await self._asked(conversation, text, payload, finding)
        except AssistantError as error:
            logger.warning("the assistant did not answer: %s", error)
            return await self._without_rasa(conversation, form, text, payload, finding, key)
        if form and any(chat.is_question(r.response) for r in replies):
            # Rasa understood a wish to book where the desk's form waits: there is only ever one form.
            return replace(self._taken_up(form), scrub=True)
        return Outcome(replies, form)

    async def _asked(self, conversation: Conversation, text: str, payload: str | None, finding: Finding | None) -> list[Message]:
        seconds = URGENT_SECONDS if finding and finding.intent == "red_flag" else None
        if conversation.scrub_due:
            await self.scrub(conversation.id, seconds)
        before = await self._database.run(chat.asked_before, conversation.id) if not payload and len(text.split()) <= ELLIPTICAL else None
        replies = await self._assistant.say(conversation.id, text=None if payload else text, payload=payload, seconds=seconds, asked_before=before)
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

    async def _without_rasa(
        self, conversation: Conversation, form: ShortForm | None, text: str, payload: str | None, finding: Finding | None, key: str
    ) -> Outcome:
        if finding:
            return Outcome([self._guarded(finding)], form)
        if form and wishes.asks_for_human(text):
            return self._taken_up(form)
        question = None if form else await self._database.run(chat.form_question, conversation.id)
        if question and (payload == CANCEL or (not payload and wants_out(question.removeprefix(chat.QUESTION), text))):
            return Outcome([self._own("utter_booking_cancelled" if question == chat.FORM_OPENS else "utter_booking_cancelled_later")], scrub=True)
        waits = question is not None and await self._database.run(chat.form_waits, conversation.id)
        # In the middle of Rasa's form nothing opens by itself: Rasa keeps what was given, and « rendez-vous mardi » may be an answer.
        if (question is None or waits) and (payload == BOOK or (not payload and wishes.asks_for_human(text))):
            return await self._opened(conversation, key)
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

    async def _in_form(self, conversation: Conversation, form: ShortForm, text: str, payload: str | None, finding: Finding | None) -> Outcome:
        if finding and finding.intent == "red_flag":
            return Outcome([self._guarded(finding)], replace(form, waiting=True))
        if payload == CANCEL:
            return await self._cancelled(conversation, form)
        if payload in (BOOK, LEAVE_REQUEST):
            return Outcome([form.question(self._content)], form)
        if payload:
            return await self._digressed(conversation, form, text, payload, finding)
        if wishes.asks_erasure(text):
            cancelled = await self._cancelled(conversation, form)
            return replace(cancelled, says=[*cancelled.says, self._own("utter_delete_data")])
        step = short_form.answered(form, text, finding)
        if step.cancelled or step.refused:
            return await self._cancelled(conversation, form, refused=step.refused)
        if step.digression or step.form.tries:
            return await self._digressed(conversation, form, text, None, finding, step)
        return self._went_on(step)

    def _went_on(self, step: Step) -> Outcome:
        says = [self._own(response) for response in step.says]
        if step.form.asked is None:
            return Outcome(says, step.form, sends=True)
        return Outcome([*says, step.form.question(self._content)], step.form)

    async def _digressed(
        self, conversation: Conversation, form: ShortForm, text: str, payload: str | None, finding: Finding | None, step: Step | None = None
    ) -> Outcome:
        """What answers no question of the form: answered if anybody can, then the form goes on.

        A bad answer is explained, unless Rasa, back again, understands it as something else: a question, or an alarm that
        only its learned net hears.
        """
        question = form.question(self._content)
        bad_answer = step if step and not step.digression else None
        if finding and not bad_answer:
            return Outcome([replace(self._guarded(finding), buttons=[]), question], form)
        try:
            replies = await self._asked(conversation, text, payload, finding)
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
