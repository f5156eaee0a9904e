"""The systems of the bench that run on Python, one a module; node-nlp has a worker of its own in ``tools/bench/node``."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Protocol

from tools.bench.examples import Example

Ranking = list[tuple[str, float]]  # intents and their confidences, best first; empty where nothing at all was understood

# By name; a module is imported only in the process that measures it, so that no system pays for another's libraries.
MODULES = {
    "passerelle": "passerelle",
    "passerelle-5": "passerelle_few_steps",
    "rasa": "rasa_default",
    "rasa-10": "rasa_few_epochs",
    "svm": "svm",
    "textcat": "textcat",
}


class Model(Protocol):
    """A system that has learned."""

    def predict(self, text: str) -> Ranking:
        """What a message may ask."""
        ...

    def save(self, folder: Path) -> None:
        """Writes what ``load`` needs, and nothing else: the folder's size is the model's."""
        ...


class System(Protocol):
    """What each module of ``systems`` offers."""

    def fit(self, examples: Sequence[Example]) -> Model:
        """Learns."""
        ...

    def load(self, folder: Path) -> Model:
        """Reads what ``save`` wrote."""
        ...


def system(name: str) -> System:
    """The module of a system.

    Raises:
        KeyError: when there is none of that name.
    """
    return import_module(f"tools.bench.systems.{MODULES[name]}")  # type: ignore[return-value]
