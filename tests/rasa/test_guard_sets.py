"""The guard on the sets of tests/guard/sets, with the trained model: floors that no change may break, and the card that shows the figures."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

pytest.importorskip("rasa.core.agent", reason="runs in the environment bot")

from tools import guard_report
from tools.guard_report import Score, Verdict

# What each set reached when the model was last tuned, less what retraining moves. Not a goal: the figures are in MODEL_CARD.md.
FLOORS = {
    "must_catch": 0.97,
    "hard_negatives": 0.88,
    "in_passing": 0.90,
    "metamorphic": 0.96,
    "advice": 0.90,
    "not_advice": 0.92,
    "silence": 0.80,
    "languages": 0.97,
    "tricky_french": 0.97,
    "languages_emergency": 0.90,
    "languages_emergency_negatives": 0.88,
    "abuse": 0.82,
    "invariance": 0.73,
}


@pytest.fixture(scope="session")
def found() -> dict[str, list[Score]]:
    read: Callable[[str], Verdict] = guard_report.reader()
    return guard_report.scores(read)


@pytest.mark.parametrize(("name", "floor"), FLOORS.items())
def test_the_guard_holds_its_floor_on_a_set(found: dict[str, list[Score]], name: str, floor: float) -> None:
    whole = found[name][0]
    print(f"{name}: {whole.right}/{whole.n}", *whole.misses, sep="\n  ")
    assert whole.rate >= floor


def test_an_emergency_is_not_hidden_by_an_insult(found: dict[str, list[Score]]) -> None:
    score = next(s for s in found["abuse"] if s.name == "insult_with_emergency")
    assert score.right >= score.n - 1, score.misses


def test_the_card_shows_the_figures_of_this_model(found: dict[str, list[Score]], root: Any) -> None:
    """Within three points: training is not the same to the last digit on every processor."""
    card = (root / "MODEL_CARD.md").read_text(encoding="utf-8")
    for name, rows in found.items():
        shown = re.search(rf"^\| {name} \| (\d+) \| (\d+) \|", card, re.M)
        assert shown, f"{name} is not in the card: run `make card`"
        assert int(shown[2]) == rows[0].n, f"{name} has changed: run `make card`"
        assert abs(int(shown[1]) - rows[0].right) <= max(3, 0.03 * rows[0].n), f"{name} has moved: run `make card`"
