"""The desk's own form, for when Rasa does not answer: the same questions, texts and reader as Rasa's. Pure: no database, no network.

It lives in the conversation's row, so that a restart of the desk leaves it open.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from bot.answers import Content, Message
from bot.booking import FIELDS, NOTHING, Turn, as_request, read, wants_out
from bot.guard.door import Finding
from desk.tickets.service import NewRequest

NOT_UNDERSTOOD = "not_understood"  # no intent of the form's own, so that what is shaped like a question is taken for one


@dataclass(frozen=True)
class ShortForm:
    """A request under way.

    Attributes:
        key: the idempotency key under which it will be stored.
        values: the answers so far, by field of ``bot.booking.FIELDS``.
        tries: bad answers in a row to the question on the table.
        waiting: an emergency came in between; the visitor may take the form up again.
        after_rasa: Rasa's form had been given something before, which the desk cannot read.
    """

    key: str
    values: Mapping[str, Any] = field(default_factory=lambda: {"correction": NOTHING})
    tries: int = 0
    waiting: bool = False
    after_rasa: bool = False

    @classmethod
    def stored(cls, row: Mapping[str, Any] | None) -> ShortForm | None:
        """The form out of a conversation's row; None while there is none."""
        return cls(**row) if row else None

    def as_row(self) -> dict[str, Any]:
        """What the conversation's row keeps."""
        return {"key": self.key, "values": dict(self.values), "tries": self.tries, "waiting": self.waiting, "after_rasa": self.after_rasa}

    @property
    def asked(self) -> str | None:
        """The field on the table; None once everything is given and confirmed."""
        return next((f for f in FIELDS if self.values.get(f) is None), None)

    def question(self, content: Content) -> Message:
        """The question on the table, in the words of the ordinary form."""
        return content.message(f"utter_ask_booking_{self.asked}", {f"booking_{f}": value for f, value in self.values.items()})

    def request(self, conversation_id: str, content: Content) -> NewRequest:
        """What a complete form has stored.

        Raises:
            ValidationError: something in it could not be stored.
        """
        consent = content.responses["utter_ask_booking_consent"][0]["metadata"]
        return NewRequest.model_validate({"conversation_id": conversation_id, "consent_version": consent["consent_version"], **as_request(self.values)})


@dataclass(frozen=True)
class Step:
    """What a message does to the form.

    Attributes:
        form: as it stands after the message.
        says: responses before the next question.
        digression: no answer; somebody else may reply, and the question is asked again.
        cancelled: the visitor wants out.
        refused: the consent was refused.
    """

    form: ShortForm
    says: tuple[str, ...] = ()
    digression: bool = False
    cancelled: bool = False
    refused: bool = False


def answered(form: ShortForm, text: str, finding: Finding | None) -> Step:
    """Puts one message through the reader of the ordinary form.

    Args:
        form: open, with a question on the table.
        text: the visitor's words, or the payload of a button that stands for words.
        finding: what the guard found in them; takes the place of the intent that nobody tells here.
    """
    assert form.asked
    if wants_out(form.asked, text):
        return Step(form, cancelled=True)
    intent, confidence = (finding.intent, 1.0) if finding else (NOT_UNDERSTOOD, 0.0)
    turn = Turn(form.asked, text, intent, confidence, {f: form.values.get(f) for f in FIELDS}, form.tries)
    reading = read(turn)
    if reading.digression:
        return Step(form, digression=True)
    after = replace(form, values={**form.values, **reading.values}, tries=reading.tries_after(turn))
    return Step(after, reading.says, refused=reading.stop)
