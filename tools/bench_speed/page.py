"""Writes docs/bench/speed.md from what was measured."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from statistics import median

from tools.bench_guard import machine, quantile
from tools.bench_speed.messages import OPENING, QUESTIONS, SLOT, SUBMISSION
from tools.bench_speed.models import BATCH, EPOCHS, EXAMPLES, POLICY_EPOCHS, ROOT
from tools.bench_speed.turns import Crowd, Timed

OUT = ROOT / "docs/bench/speed.md"
PASSERELLE, DEFAULT, DEFAULT_RULES, EMPTY = "Passerelle", "Rasa default", "Rasa default, rules only", "empty Rasa"
FAQ_GOAL, FORM_GOAL, FLOOR_GOAL, RATE_GOAL, MEMORY_GOAL_MB = 0.75, 0.5, 1.5, 1.3, 900
STEPS = {OPENING: "opening the form", SLOT: "an answer to the form", SUBMISSION: "sending the form"}
RESAMPLED = 1000


def through_the_desk(stack: str) -> str:
    """Name of the lane."""
    return f"{stack}, through the desk"


def directly(stack: str) -> str:
    """Name of the lane."""
    return f"{stack}, Rasa asked directly"


@dataclass
class Start:
    """One start of a stack, in seconds from the first process on."""

    ready: float
    first_answer: float


@dataclass
class Results:
    """What was measured; lanes and stacks by their names."""

    load: tuple[float, float] = (0.0, 0.0)  # average over a minute, at the start and at the end
    minutes: float = 0.0
    starts: dict[str, list[Start]] = field(default_factory=dict)
    questions: dict[str, Timed] = field(default_factory=dict)
    forms: dict[tuple[str, str], Timed] = field(default_factory=dict)
    bookings: int = 0
    sent: Counter[str] = field(default_factory=Counter)
    crowds: dict[int, dict[str, Crowd]] = field(default_factory=dict)
    memory: dict[str, dict[str, tuple[float, float]]] = field(default_factory=dict)

    @property
    def failures(self) -> int:
        """Turns that came back with anything else than an answer."""
        timed = [*self.questions.values(), *self.forms.values(), *(c.timed for lanes in self.crowds.values() for c in lanes.values())]
        return sum(sum(t.failures.values()) for t in timed)


def write(results: Results) -> Path:
    """Writes the page, and returns where it is."""
    OUT.write_text(_page(results), encoding="utf-8")
    return OUT


def _page(r: Results) -> str:
    today = f"{date.today():%d %B %Y}".lstrip("0")
    busy = (
        " The machine was busy with other work meanwhile: the absolute times are too long, and the ratios less sure."
        if max(r.load[0], r.load[1] - 2) > 1
        else ""
    )
    compared = " and ".join(f"« {name} »" for name in (DEFAULT, DEFAULT_RULES) if name in r.memory)
    return f"""# How fast a visitor's turn is

Written by `make bench` (`python -m tools.bench_speed`) on {today}, {machine()}; SQLite, everything on one machine; {r.minutes:.0f} minutes without the
training. Load average {r.load[0]:.1f} at the start, {r.load[1]:.1f} at the end (the bench's own work included).{busy}

Failed turns in all: {r.failures}. A turn that came back with anything else than status 200 and an answer is counted below and is in no quantile; « unavailable » is the desk's
word, with status 200, that the assistant does not answer.

## Goals

{_goals(r)}

## One visitor

Milliseconds of a whole turn. Every message went into every lane before the next message did, in an order that changed each time.
« replies » counts their kinds: `answer` is content of the articles. The empty Rasa says one fixed sentence.

{_questions(r)}

{_forms(r)}

{_sent(r)}

## Many visitors at once

Each visitor asks the next question as soon as the last one is answered. One lane at a time, for side by side they would share the processor; in blocks, there and back.
The visitors run on the same {machine().split()[0]} cores.

{_crowds(r)}

## Memory

Megabytes of each process after all this: held now (RSS) and, in brackets, the most that it ever held.

{_memory(r)}

## Cold start

Seconds from the first process (the desk's `migrate`) until `/healthz` answers 200, and until the first question is answered; files in the page cache, the other stacks idle or not
there.

{_starts(r)}

## What was timed

- **{PASSERELLE}**: the trained model and the processes of `make run`, rate limits off.
- {compared}: the same domain, rules, answers, actions and desk on Rasa's own `default_config.yml` (DIETClassifier; MemoizationPolicy, RulePolicy,
  UnexpecTEDIntentPolicy, TEDPolicy) without `enable_selective_domain` in `endpoints.yml`, and with the schema of actions' answers compiled for each (`compile_schema_once: false` in `credentials.yml`). It learned about {EXAMPLES} examples of `data/nlu` and this bench's own messages
  in {EPOCHS} epochs of batches of {BATCH} (policies: {POLICY_EPOCHS} epochs): how well it learned does not change how fast it is, and with the bench's messages learned it takes the same path
  through a conversation. Fewer examples make a smaller vocabulary, so it is rather faster here than trained on everything.
  Kept of Passerelle, because the desk refuses replies without them: channel, NLG class, tracker store. Left out, and so in nobody's time but Passerelle's own: the guard
  and the content reader in the pipeline.
  It has stories beside the rules, made of the same rules, as a project of `rasa init` has them: without any, as in Passerelle, UnexpecTEDIntentPolicy and TEDPolicy would learn
  nothing and stay idle.{_rules_only(r)}
- **{EMPTY}**: keyword classifier, RulePolicy, one rule, one sentence, nothing for the actions to do, Rasa's own NLG class; Passerelle's channel, tracker store and
  desk. What a turn costs that says nothing: the floor.
- « Rasa asked directly » is the request that the desk makes, without the desk.
- {len(QUESTIONS)} questions, six a conversation, and the eight messages of the booking form, written for this bench (`tools/bench_speed/messages.py`).
"""


def _rules_only(r: Results) -> str:
    return f" « {DEFAULT_RULES} » is measured so." if DEFAULT_RULES in r.memory else ""


# ---------------------------------------------------------------- goals


def _goals(r: Results) -> str:
    lines = ["| what | measured | 95 % interval | goal | |", "| --- | ---: | --- | ---: | --- |"]
    own, direct = through_the_desk(PASSERELLE), directly(PASSERELLE)
    for peer in (DEFAULT, DEFAULT_RULES):
        if peer in r.memory:
            there = through_the_desk(peer)
            lines.append(_ratio(f"a question's median, beside {peer}", r.questions[own], r.questions[there], FAQ_GOAL))
            lines.append(_ratio(f"the median of an answer to the form, beside {peer}", r.forms[own, SLOT], r.forms[there, SLOT], FORM_GOAL))
    if EMPTY in r.memory:
        floor = r.questions[through_the_desk(EMPTY)]
        lines.append(_ratio("a question's median, beside the empty turn: both through the desk", r.questions[own], floor, FLOOR_GOAL))
        lines.append(_ratio("the same, both asked of Rasa directly", r.questions[direct], r.questions[directly(EMPTY)], FLOOR_GOAL))
    for visitors, lanes in r.crowds.items():
        for peer in (DEFAULT, DEFAULT_RULES):
            if through_the_desk(peer) in lanes:
                times = lanes[own].a_second / lanes[through_the_desk(peer)].a_second
                lines.append(_goal(f"messages a second, {visitors} at once, beside {peer}", f"{times:.2f} ×", "", f"≥ {RATE_GOAL} ×", times >= RATE_GOAL))
    rss = r.memory[PASSERELLE]["rasa"][0]
    lines.append(_goal("memory of the rasa process (RSS)", f"{rss:.0f} MB", "", f"≤ {MEMORY_GOAL_MB} MB", rss <= MEMORY_GOAL_MB))
    return "\n".join(lines)


def _ratio(what: str, one: Timed, other: Timed, goal: float) -> str:
    if not one.milliseconds or not other.milliseconds:
        return _goal(what, "nothing to compare", "", f"≤ {goal} ×", False)
    ratio = median(one.milliseconds) / median(other.milliseconds)
    low, high = interval_of_ratio(one.milliseconds, other.milliseconds)
    return _goal(what, f"{ratio:.2f} ×", f"{low:.2f} to {high:.2f}", f"≤ {goal} ×", ratio <= goal)


def _goal(what: str, measured: str, interval: str, goal: str, is_kept: bool) -> str:
    return f"| {what} | {measured} | {interval} | {goal} | {'kept' if is_kept else '**missed**'} |"


def interval_of_ratio(one: Sequence[float], other: Sequence[float]) -> tuple[float, float]:
    """Between what the ratio of two medians lies, 95 of 100, when both samples are drawn again and again (bootstrap)."""
    chance = random.Random(3)
    ratios = [median(chance.choices(one, k=len(one))) / median(chance.choices(other, k=len(other))) for _ in range(RESAMPLED)]
    return quantile(ratios, 0.025), quantile(ratios, 0.975)


# ---------------------------------------------------------------- tables


def _questions(r: Results) -> str:
    lines = ["| a question | n | failed | p50 | p95 | p99 | replies |", "| --- | ---: | ---: | ---: | ---: | ---: | --- |"]
    for name, timed in r.questions.items():
        kinds = ", ".join(f"{count} {kind}" for kind, count in timed.kinds.most_common() if kind != "None")
        lines.append(f"| {name} | {_cells(timed)} | {kinds or '–'} |")
    return "\n".join(lines)


def _forms(r: Results) -> str:
    lines = ["| the booking form | n | failed | p50 | p95 | p99 |", "| --- | ---: | ---: | ---: | ---: | ---: |"]
    for kind, words in STEPS.items():
        lines += [f"| {words}: {name} | {_cells(r.forms[name, kind])} |" for name in r.questions if (name, kind) in r.forms]
    return "\n".join(lines)


def _sent(r: Results) -> str:
    said = ", ".join(
        f"{name.removesuffix(', through the desk')} {r.sent[name]} of {r.bookings}"
        for name in r.questions
        if (name, SUBMISSION) in r.forms and name.endswith("through the desk")
    )
    return (
        f"Requests that reached the desk and got a reference: {said}. Asked directly, the form is filled but not sent, for the desk knows no such conversation."
    )


def _crowds(r: Results) -> str:
    lines = ["| visitors | | n | failed | p50 | p95 | p99 | messages a second |", "| ---: | --- | ---: | ---: | ---: | ---: | ---: | ---: |"]
    for visitors, lanes in r.crowds.items():
        lines += [f"| {visitors} | {name} | {_cells(crowd.timed)} | {crowd.a_second:.1f} |" for name, crowd in lanes.items()]
    return "\n".join(lines)


def _cells(timed: Timed) -> str:
    times = " | ".join(f"{quantile(timed.milliseconds, share):.1f}" if timed.milliseconds else "–" for share in (0.5, 0.95, 0.99))
    failed = ", ".join(f"{count} {what}" for what, count in timed.failures.items()) or "0"
    return f"{len(timed.milliseconds)} | {failed} | {times}"


def _memory(r: Results) -> str:
    programs = ("rasa", "desk", "actions")
    lines = [f"| stack | {' | '.join(programs)} |", "| --- | ---: | ---: | ---: |"]
    for stack, processes in r.memory.items():
        cells = [f"{processes[p][0]:.0f} ({processes[p][1]:.0f})" if p in processes else "–" for p in programs]
        lines.append(f"| {stack} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _starts(r: Results) -> str:
    lines = ["| stack | n | ready | first answer |", "| --- | ---: | --- | --- |"]
    for stack, starts in r.starts.items():
        ready, first = (", ".join(f"{seconds:.1f}" for seconds in column) for column in zip(*((s.ready, s.first_answer) for s in starts)))
        lines.append(f"| {stack} | {len(starts)} | {ready} | {first} |")
    return "\n".join(lines)
