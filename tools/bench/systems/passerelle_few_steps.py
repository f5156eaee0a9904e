"""The assistant's understanding with the epochs of ``config.yml`` whatever the number of examples: what happens to who copies the settings, not the data."""

from __future__ import annotations

from collections.abc import Sequence

from tools.bench.examples import Example
from tools.bench.systems.passerelle import Passerelle, configured, load

__all__ = ["fit", "load"]


def fit(examples: Sequence[Example]) -> Passerelle:
    """Learns."""
    return Passerelle(configured()).fit(examples)
