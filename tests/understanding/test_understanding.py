"""The assistant on the yardstick, through the public API of one running stack: floors that no change may break."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from tests.stack_client import Stack
from tools.guard_report import Score
from tools.understanding_report import play, scores, table

# What each reached when the model was last tuned, less what retraining moves. Not a goal: the figures are in docs/bench/understanding.md.
FLOORS = {"question": 0.9, "two questions": 0.82, "follow-up": 0.86, "out of scope": 0.9}


@pytest.fixture(scope="module")
def found(stack: Stack) -> Mapping[str, Score]:
    stack.wait_until_ready()
    return scores(play(stack.url))


@pytest.mark.stack
@pytest.mark.parametrize(("subject", "floor"), FLOORS.items())
def test_the_assistant_holds_its_floor(found: Mapping[str, Score], subject: str, floor: float) -> None:
    print(table(dict(found)))
    assert found[subject].rate >= floor
