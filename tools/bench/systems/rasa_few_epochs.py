"""Rasa's default pipeline with a tenth of its epochs: all examples, in the time that a bench has."""

from __future__ import annotations

from collections.abc import Sequence

from tools.bench.examples import Example
from tools.bench.systems import rasa_default
from tools.bench.systems.rasa_default import RasaDefault, load

__all__ = ["fit", "load"]

EPOCHS = 10


def fit(examples: Sequence[Example]) -> RasaDefault:
    """Learns."""
    return rasa_default.fit(examples, EPOCHS)
