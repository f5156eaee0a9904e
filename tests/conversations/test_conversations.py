"""Plays every case of this folder's YAML files through the public API of one running stack, and judges the words that come back."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.stack_client import Reply, Stack

HERE = Path(__file__).resolve().parent
# Cases that fail today, each to be mended in its mechanism. One that passes must leave the list.
KNOWN_MISSES = set((HERE / "known_misses.txt").read_text(encoding="utf-8").splitlines())
DISCLAIMER = re.compile(r"ne remplace pas l'avis d'un médecin")
DISCLAIMED = {"answer", "advice", "emergency", "fallback", "language"}
FLAGS = re.IGNORECASE | re.DOTALL


def cases() -> list[Any]:
    found = []
    for path in sorted(HERE.glob("*.yml")):
        for number, case in enumerate(yaml.safe_load(path.read_text(encoding="utf-8")), 1):
            turns = case["visitor"] if isinstance(case["visitor"], list) else [case["visitor"]]
            known = f"{path.stem}: {turns[-1]}" in KNOWN_MISSES
            marks = [pytest.mark.xfail(strict=True, reason="known miss")] if known else []
            found.append(pytest.param(case, turns, marks=marks, id=f"{path.stem}-{number:03d} {str(turns[-1])[:50]}"))
    return found


@pytest.mark.stack
@pytest.mark.parametrize(("case", "turns"), cases())
def test_the_assistant_answers(stack: Stack, case: dict[str, Any], turns: list[Any]) -> None:
    visitor = stack.visitor()
    for turn in turns:
        reply = visitor.press(turn["button"]) if isinstance(turn, dict) else visitor.say(turn)
        assert reply.status == 200, reply.text
        judge_disclaimers(reply)
    for pattern in case.get("reply", []):
        assert re.search(pattern, reply.text, FLAGS), f"« {turns[-1]} » lacks {pattern!r}:\n{reply.text}"
    for pattern in case.get("never", []):
        assert not re.search(pattern, reply.text, FLAGS), f"« {turns[-1]} » must not have {pattern!r}:\n{reply.text}"
    if "kind" in case:
        assert case["kind"] in reply.kinds, f"« {turns[-1]} » is {reply.kinds}, not {case['kind']}:\n{reply.text}"


def judge_disclaimers(reply: Reply) -> None:
    for message in reply.messages:
        if message["kind"] in DISCLAIMED:
            assert DISCLAIMER.search(message["text"].replace("’", "'")), f"no disclaimer: {message['text']}"
        if message["kind"] == "answer":
            assert message["sources"], f"no source: {message['text']}"
