"""Plays every case of this folder's YAML files through the public API of one running stack, and judges the words that come back."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.stack_client import Reply, Stack

HERE = Path(__file__).resolve().parent
# Cases that fail today, each to be mended in its mechanism. One that passes should leave the list.
KNOWN_MISSES = set((HERE / "known_misses.txt").read_text(encoding="utf-8").splitlines())
# What is learned is not the same to the last digit on every processor: a few questions on the edge between two answers may fall to its other side.
# Safety and booking have no such edge.
LEARNED = {"faq", "follow_ups", "smalltalk"}
ON_THE_EDGE = 6
DISCLAIMER = re.compile(r"ne remplace pas l'avis d'un médecin")
DISCLAIMED = {"answer", "advice", "emergency", "fallback", "language"}


def cases() -> list[Any]:
    found = []
    for path in sorted(HERE.glob("*.yml")):
        for number, case in enumerate(yaml.safe_load(path.read_text(encoding="utf-8")), 1):
            turns = case["visitor"] if isinstance(case["visitor"], list) else [case["visitor"]]
            known = f"{path.stem}: {turns[-1]}" in KNOWN_MISSES
            marks = [pytest.mark.xfail(strict=False, reason="known miss")] if known else []
            found.append(pytest.param(path.stem, case, turns, marks=marks, id=f"{path.stem}-{number:03d} {str(turns[-1])[:50]}"))
    return found


@pytest.fixture(scope="module")
def fallen() -> list[str]:
    """The learned questions that fell to the other side of an edge in this run."""
    return []


@pytest.mark.stack
@pytest.mark.parametrize(("subject", "case", "turns"), cases())
def test_the_assistant_answers(stack: Stack, fallen: list[str], subject: str, case: dict[str, Any], turns: list[Any]) -> None:
    visitor = stack.visitor()
    for turn in turns:
        reply = visitor.press(turn["button"]) if isinstance(turn, dict) else visitor.say(turn)
        assert reply.status == 200, reply.text
        judge_disclaimers(reply)
    wrong = judge(case, turns[-1], reply)
    if wrong and subject in LEARNED and f"{subject}: {turns[-1]}" not in KNOWN_MISSES and len(fallen) < ON_THE_EDGE:
        fallen.append(str(turns[-1]))
        pytest.xfail(f"on the edge, {len(fallen)} of {ON_THE_EDGE}: {wrong}")
    assert not wrong, wrong


def judge(case: dict[str, Any], asked: Any, reply: Reply) -> str:
    """What is wrong with a reply; empty where nothing is."""
    lacks, has = reply.lacks(case.get("reply", [])), reply.holds(case.get("never", []))
    kind = case.get("kind", reply.kinds[0] if reply.kinds else None)
    if not lacks and not has and kind in reply.kinds:
        return ""
    return f"« {asked} » lacks {lacks}, must not have {has}, is {reply.kinds}, not {kind}:\n{reply.text}"


def judge_disclaimers(reply: Reply) -> None:
    for message in reply.messages:
        if message["kind"] in DISCLAIMED:
            assert DISCLAIMER.search(message["text"].replace("’", "'")), f"no disclaimer: {message['text']}"
        if message["kind"] == "answer":
            assert message["sources"], f"no source: {message['text']}"
