"""Has visitors talk, through the desk or to Rasa directly, and keeps how long each of their turns took."""

from __future__ import annotations

import http.client
import json
import random
import re
import secrets
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from tools.bench_speed.messages import CONVERSATION, QUESTIONS, SUBMISSION, booking
from tools.bench_speed.stacks import Stack

SECONDS = 60  # a turn may take before it counts as failed
AFTER_A_REQUEST = 0.3  # seconds in which the desk finishes what a request sets going, before anybody else is timed
NOTICE = "notice"  # kind with which the desk says, with status 200, that the assistant does not answer; nothing that is asked here has such an answer
REFERENCE = re.compile(r"RDV-[A-Z0-9]{4}-[A-Z0-9]{2}")


@dataclass
class Timed:
    """The turns of one kind in one lane.

    Attributes:
        milliseconds: of each turn that was answered.
        failures: what came instead of an answer, and how often; these turns are in no quantile.
        kinds: of the first message of each reply (``answer``, ``fallback`` …; a Rasa without our answers has none).
    """

    milliseconds: list[float] = field(default_factory=list)
    failures: Counter[str] = field(default_factory=Counter)
    kinds: Counter[str] = field(default_factory=Counter)

    def add(self, other: Timed) -> None:
        """Takes another's turns in."""
        self.milliseconds += other.milliseconds
        self.failures += other.failures
        self.kinds += other.kinds


@dataclass
class Lane:
    """One way into one stack: through the desk's public API, or straight to Rasa as the desk asks it."""

    name: str
    stack: Stack
    is_direct: bool

    def visitor(self) -> Visitor:
        """A new conversation."""
        return Visitor(self)


class Visitor:
    """One conversation on a connection of its own."""

    def __init__(self, lane: Lane) -> None:
        """Opens the conversation.

        Raises:
            RuntimeError: when the desk opens none.
        """
        self._lane = lane
        port = lane.stack.rasa_port if lane.is_direct else lane.stack.port
        self._http = http.client.HTTPConnection("127.0.0.1", port, timeout=SECONDS)
        self._before = ""
        self.said = ""  # the last reply
        if lane.is_direct:
            self._token, conversation = lane.stack.secret, secrets.token_hex(16)
            self._path = f"/webhooks/visitor/conversations/{conversation}/messages"
            return
        status, body = self._post("/api/conversations", {})
        if status != 201:
            raise RuntimeError(f"{lane.name}: a conversation could not be opened ({status})")
        self._token, self._path = body["token"], f"/api/conversations/{body['id']}/messages"
        self._http.close()  # the first message opens it again: none is kept idle until the server closes it

    def say(self, text: str, into: Timed) -> None:
        """One turn, timed from the first byte sent to the last one read."""
        body = {"text": text, "asked_before": self._before} if self._lane.is_direct else {"client_id": secrets.token_hex(8), "text": text}
        begun = time.perf_counter()
        try:
            status, answer = self._post(self._path, body)
        except (OSError, http.client.HTTPException, ValueError) as error:
            into.failures[type(error).__name__] += 1
            self._http.close()
            return
        milliseconds = (time.perf_counter() - begun) * 1000
        messages = answer.get("messages", [])
        self._before = text
        self.said = "\n".join(m["text"] for m in messages)
        if status != 200 or not messages:
            into.failures[f"status {status}" if status != 200 else "empty reply"] += 1
            return
        if messages[0]["kind"] == NOTICE:
            into.failures["unavailable"] += 1
            return
        into.kinds[str(messages[0]["kind"])] += 1
        into.milliseconds.append(milliseconds)

    def close(self) -> None:
        """Closes the connection."""
        self._http.close()

    def _post(self, path: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {getattr(self, '_token', '')}"}
        self._http.request("POST", path, json.dumps(body).encode(), headers)
        answer = self._http.getresponse()
        return answer.status, json.loads(answer.read())


# ---------------------------------------------------------------- one visitor, all lanes in turns


def questions_in_turns(lanes: Sequence[Lane], rounds: int, questions: Sequence[tuple[str, str]] = QUESTIONS) -> dict[str, Timed]:
    """Every question in every lane, message by message in an order that changes, so that a busy moment falls on all alike."""
    found = {lane.name: Timed() for lane in lanes}
    chance = random.Random(1)
    for _ in range(rounds):
        asked = [text for _, text in questions]
        chance.shuffle(asked)
        for first in range(0, len(asked), CONVERSATION):
            visitors = {lane.name: lane.visitor() for lane in lanes}
            for text in asked[first : first + CONVERSATION]:
                for name in _shuffled(visitors, chance):
                    visitors[name].say(text, found[name])
            for visitor in visitors.values():
                visitor.close()
    return found


def bookings_in_turns(lanes: Sequence[Lane], conversations: int) -> tuple[dict[tuple[str, str], Timed], Counter[str]]:
    """The booking form, message by message in turns; asked directly, it is filled but not sent, for the desk knows no such conversation.

    Returns:
        The turns by lane and kind of step, and how many requests each lane was given a reference for.
    """
    found: dict[tuple[str, str], Timed] = {}
    sent: Counter[str] = Counter()
    chance = random.Random(2)
    for number in range(conversations):
        visitors = {lane.name: lane.visitor() for lane in lanes}
        direct = {lane.name for lane in lanes if lane.is_direct}
        for step in booking(number):
            for name in _shuffled(visitors, chance):
                if step.kind == SUBMISSION and name in direct:
                    continue
                visitors[name].say(step.text, found.setdefault((name, step.kind), Timed()))
                if step.kind == SUBMISSION:
                    sent[name] += bool(REFERENCE.search(visitors[name].said))
                    time.sleep(AFTER_A_REQUEST)
        for visitor in visitors.values():
            visitor.close()
    return found, sent


def _shuffled(visitors: dict[str, Visitor], chance: random.Random) -> list[str]:
    names = list(visitors)
    chance.shuffle(names)
    return names


# ---------------------------------------------------------------- many visitors at once


@dataclass
class Crowd:
    """Turns of visitors who all talk at once, each asking the next question as soon as the last one is answered.

    Attributes:
        timed: their turns.
        seconds: of all blocks together.
    """

    timed: Timed = field(default_factory=Timed)
    seconds: float = 0.0

    @property
    def a_second(self) -> float:
        """Turns answered a second."""
        return len(self.timed.milliseconds) / self.seconds


def crowds(lanes: Sequence[Lane], visitors: int, turns: int, blocks: int) -> dict[str, Crowd]:
    """So many visitors at once in one lane, then in the next, and again the other way round.

    Args:
        lanes: one after the other, for side by side they would share the processor.
        visitors: at once.
        turns: at least so many a lane in all.
        blocks: how often each lane has its turn.
    """
    found = {lane.name: Crowd() for lane in lanes}
    each = max(1, -(-turns // (visitors * blocks)))  # turns of one visitor in one block
    for block in range(blocks):
        for lane in lanes if block % 2 == 0 else reversed(lanes):
            _block(lane, visitors, each, block, found[lane.name])
    return found


def _block(lane: Lane, visitors: int, each: int, block: int, crowd: Crowd) -> None:
    starts = range(0, each, CONVERSATION)
    opened = [[lane.visitor() for _ in starts] for _ in range(visitors)]  # before the clock starts

    def talk(number: int) -> Timed:
        own = Timed()
        asked = _questions_from(7 * number + 31 * block)
        for turn in range(each):
            opened[number][turn // CONVERSATION].say(next(asked), own)
        return own

    with ThreadPoolExecutor(visitors) as pool:
        begun = time.perf_counter()
        for own in pool.map(talk, range(visitors)):
            crowd.timed.add(own)
        crowd.seconds += time.perf_counter() - begun
    for visitor in (v for conversations in opened for v in conversations):
        visitor.close()


def _questions_from(start: int) -> Iterator[str]:
    while True:
        yield QUESTIONS[start % len(QUESTIONS)][1]
        start += 1
