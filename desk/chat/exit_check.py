"""The last door: nothing reaches a visitor that is not fit to be read, whatever happened behind.

A message that lost its disclaimer gets it back; one with any other fault is replaced by the safe text. Both are counted. Verdicts
are kept by a hash of the message, never with its words, so that a text met before costs a look-up.
"""

from __future__ import annotations

import hashlib
import logging
import re
import threading
from collections import Counter, OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from bot.answers import Content, Message
from bot.figures import figures
from bot.guard.claims import refused
from bot.guard.disclaimer import VARIANT_OF_KIND, is_disclaimed

logger = logging.getLogger(__name__)

RECAP = "utter_ask_booking_confirm"  # repeats a visitor's own words, which may look like anything; the page shows them as plain text
ALLOWED_HOSTS = frozenset({"exemple.fr"})  # no address is given to visitors yet; this one stands in the form's examples
URGENT_WITHIN = 160  # characters within which an emergency message names a number (G-07)
MOST_VERDICTS = 4096

# Names that only developers should read, and template values that were never filled. A request's reference (RDV-M234-7K) is none.
_INTERNAL = re.compile(
    r"\b[A-Za-z]+(?:_[A-Za-z0-9]+)+\b|\b(?:utter|action|validate|ask)_|[{}]|\b(?:None|null|undefined|NaN|Traceback|Rasa)\b|(?<![-\w])[MFA]\d{3}\b|(?:^|\s)/[a-z]+"
)
_MARKUP = re.compile(r"<[A-Za-z/!]|&(?:[A-Za-z]{2,8}|#x?[0-9A-Fa-f]{1,6});|\*\*|__|`|\]\(|^#{1,6} ", re.MULTILINE)
# Control characters, and those that are unseen or turn the reading direction.
_CONTROL = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffd\ud800-\udfff\ue000-\uf8ff]")
_SCHEME = re.compile(r"\b[a-z][a-z0-9+.-]{1,20}://|\b(?:javascript|data|mailto|vbscript):", re.IGNORECASE)
_HOST = re.compile(
    r"(?<![\w.-])((?:[\w-]{1,63}\.){1,5}(?:com|org|net|info|biz|io|eu|fr|be|ch|lu|ca|rs|de|uk|us|ru|clinic|health|care|shop|site|online|xyz|top|app))\b",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class _Verdict:
    """What is known of a message.

    Attributes:
        fault: why it may not go out, None when it may.
        variant: the disclaimer that is missing, None when none is.
    """

    fault: str | None = None
    variant: str | None = None


class ExitCheck:
    """Checks every message on its way out, and counts what it had to mend or replace."""

    def __init__(self, content: Content) -> None:
        """Takes the content for disclaimers, figures and the safe text; reads every text it holds once."""
        self._content = content
        self.counts: Counter[str] = Counter()
        self._verdicts: OrderedDict[bytes, _Verdict] = OrderedDict()
        self._lock = threading.Lock()  # messages leave from the database's threads
        self._figures = {name: self._figures_of(name) for name in [None, *content.responses]}
        calls = [number for line in content.number_lines.values() for number in re.findall(r"\d[\d ]*\d", line.replace("24 h/24", ""))]
        self._call = re.compile(r"(?<!\d)(?:" + "|".join(sorted(map(re.escape, set(calls)), key=len, reverse=True)) + r")(?!\d)")
        self._sources = {(s["article"], s["section"]) for s in content.sources(list(content.facts))}
        for known in _known(content):
            self._verdict(known)

    def __call__(self, reply: Message) -> Message:
        """The reply as it may go out: unchanged, with its disclaimer restored, or replaced by the safe text."""
        if reply.response == RECAP:
            fault = "control character" if _CONTROL.search(reply.text) else "empty value" if self._has_hole(reply) else None
            return self._instead(reply, fault) if fault else reply
        verdict = self._verdict(reply)
        fault = verdict.fault or self._fault_of_sources(reply)
        if fault:
            return self._instead(reply, fault)
        if verdict.variant:
            self._count("disclaimer restored", reply)
            reply = replace(reply, text=f"{reply.text.rstrip()}\n\n{self._content.disclaimers[verdict.variant]}")
        return self._with_good_buttons(reply)

    def safe(self) -> Message:
        """What is said when nothing better can be: the truth, and the numbers."""
        return self._content.message("utter_unavailable")

    # ---- what is done about a fault

    def _instead(self, reply: Message, fault: str) -> Message:
        self._count(f"replaced: {fault}", reply)
        if "emergency" not in {reply.kind, *self._kinds(reply)}:
            return self.safe()
        # Somebody in danger gets numbers first: the content's own text for what was found, or at least the line for suicide if the broken one had it.
        spoken = reply.variant or ("suicide_urgent" if "3114" in reply.text or "{ecoute" in reply.text else None)
        own = self._content.message("utter_red_flag", {"red_flag": spoken})
        return own if not self._verdict(own).fault else self._content.message("utter_red_flag")

    def _with_good_buttons(self, reply: Message) -> Message:
        good = [b for b in reply.buttons if not self._verdict(Message(b.get("title", ""), "button")).fault]
        if len(good) == len(reply.buttons):
            return reply
        self._count("button dropped", reply)
        return replace(reply, buttons=good)

    def _count(self, what: str, reply: Message) -> None:
        self.counts[what] += 1
        logger.warning("exit check: %s (%s)", what, reply.response)

    # ---- what is looked at

    def _verdict(self, reply: Message) -> _Verdict:
        key = hashlib.blake2b(f"{reply.kind}\0{reply.response}\0{reply.text}".encode("utf-8", "surrogatepass"), digest_size=16).digest()
        with self._lock:
            if known := self._verdicts.get(key):
                self._verdicts.move_to_end(key)
                return known
        verdict = _Verdict(self._fault(reply), self._missing_disclaimer(reply))
        with self._lock:
            self._verdicts[key] = verdict
            if len(self._verdicts) > MOST_VERDICTS:
                self._verdicts.popitem(last=False)
        return verdict

    def _fault(self, reply: Message) -> str | None:
        text = reply.text
        if not text.strip():
            return "empty"
        if _CONTROL.search(text):
            return "control character"
        if _INTERNAL.search(text):
            return "internal name"
        if _MARKUP.search(text):
            return "markup"
        if _SCHEME.search(text) or any(host.lower() not in ALLOWED_HOSTS for host in _HOST.findall(text)):
            return "address"
        if reply.kind not in self._kinds(reply):
            return "kind"
        if found := refused(text):
            return f"refused word ({found[0].rule})"
        if reply.kind not in ("booking", "button") and not figures(text) <= self._figures.get(reply.response, self._figures[None]):
            return "unknown figure"
        if reply.kind == "emergency" and not self._call.search(text[:URGENT_WITHIN]):
            return "no number to call"
        return None

    def _kinds(self, reply: Message) -> set[str]:
        """The kinds that a response of this name has; any for a message without a name."""
        return {v["metadata"]["kind"] for v in self._variations(reply)} or {reply.kind}

    def _figures_of(self, response: str | None) -> frozenset[str]:
        """The figures that a response may say; without a name, those of any fact."""
        content = self._content
        variations = content.responses.get(response or "", [])
        facts = {fact for v in variations for fact in v["metadata"].get("facts", [])} if response else set(content.facts)
        lines = [*content.number_lines.values(), *(value for fact in facts for value in content.facts[fact].get("valeurs", []))]
        # Hours and limits of the chat itself stand in its own texts; an answer's figures must be those of its facts.
        lines += [v["text"] for v in variations if v["metadata"]["kind"] != "answer"]
        return frozenset(figure for line in lines for figure in figures(line))

    def _missing_disclaimer(self, reply: Message) -> str | None:
        """The variant that should be there and is not. One of another kind does not count."""
        asked = {v["metadata"].get("disclaimer") for v in self._variations(reply)}
        variant = asked.pop() if len(asked) == 1 else None
        variant = variant or VARIANT_OF_KIND.get(reply.kind)
        if variant is None:
            return None
        wordings = self._content.disclaimers
        others = [w for name, w in wordings.items() if name != variant and w in reply.text]
        there = wordings[variant] in reply.text or (is_disclaimed(reply.text) and not others)
        return None if there else variant

    def _fault_of_sources(self, reply: Message) -> str | None:
        if reply.kind == "answer" and not reply.sources:
            return "no source"
        known = all((s.get("article"), s.get("section")) in self._sources for s in reply.sources)
        return None if known else "unknown source"

    def _variations(self, reply: Message) -> list[dict[str, Any]]:
        return self._content.responses.get(reply.response or "", [])

    def _has_hole(self, reply: Message) -> bool:
        """Whether a value of the recap was never filled."""
        return any(hole in reply.text for v in self._variations(reply) for hole in re.findall(r"\{\w+\}", v["text"]))


def _known(content: Content) -> Iterator[Message]:
    """Every text of the content that is complete without a visitor's values, and every button."""
    for name, variations in content.responses.items():
        for variation in variations:
            text, kind = content.written(variation)
            if "{" not in text:
                yield Message(text, kind, response=name)
            titles = [b["title"] for b in variation.get("buttons", [])] + [variation["metadata"].get("question", "")]
            yield from (Message(title, "button") for title in titles if title)
