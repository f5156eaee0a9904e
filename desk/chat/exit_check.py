"""The last door: nothing reaches a visitor that lacks its disclaimer or shows the inside of the machine."""

from __future__ import annotations

import logging
import re
from collections import Counter
from dataclasses import replace

from bot.answers import Content, Message
from bot.guard.disclaimer import VARIANT_OF_KIND, is_disclaimed, with_disclaimer

logger = logging.getLogger(__name__)
# Names that only developers should read, and template values that were never filled.
_INTERNAL = re.compile(r"\b(?:utter|action|validate|ask)_\w+|\brequested_slot\b|\{\w+\}|\bNone\b|\bnull\b|Traceback|<[a-z/!]")


class ExitCheck:
    """Checks every message on its way out, and counts what it had to mend or replace."""

    def __init__(self, content: Content) -> None:
        """Takes the content for disclaimers and the safe text."""
        self._content = content
        self.counts: Counter[str] = Counter()

    def __call__(self, reply: Message) -> Message:
        """The reply as it may go out: unchanged, with its disclaimer restored, or replaced by the safe text."""
        if _INTERNAL.search(reply.text) and not _only_visitor_words(reply):
            self._count("replaced", reply)
            return self.safe()
        if reply.kind in VARIANT_OF_KIND and not is_disclaimed(reply.text):
            self._count("disclaimer restored", reply)
            return replace(reply, text=with_disclaimer(reply.text, reply.kind, self._content.disclaimers))
        return reply

    def safe(self) -> Message:
        """What is said when nothing better can be: the truth, and the numbers."""
        return self._content.message("utter_unavailable")

    def _count(self, what: str, reply: Message) -> None:
        self.counts[what] += 1
        logger.warning("exit check: %s (%s)", what, reply.response)


def _only_visitor_words(reply: Message) -> bool:
    # The recap repeats a visitor's own words, which may look like anything; the page shows them as plain text.
    return reply.response == "utter_ask_booking_confirm"
