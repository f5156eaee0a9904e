"""Rasa's own default pipeline for a language without word vectors, run as Rasa runs it."""

from __future__ import annotations

import asyncio
import logging
import shutil
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import yaml
from rasa.core.agent import Agent
from rasa.model_training import train_nlu
from rasa.utils.log_utils import configure_structlog

from tools.bench.examples import Example

EPOCHS = 100  # of the template that `rasa init` writes
PIPELINE: list[dict[str, Any]] = [
    {"name": "WhitespaceTokenizer"},
    {"name": "RegexFeaturizer"},
    {"name": "LexicalSyntacticFeaturizer"},
    {"name": "CountVectorsFeaturizer"},
    {"name": "CountVectorsFeaturizer", "analyzer": "char_wb", "min_ngram": 1, "max_ngram": 4},
    {"name": "DIETClassifier", "constrain_similarities": True, "random_seed": 42},
    {"name": "FallbackClassifier", "threshold": 0.3, "ambiguity_threshold": 0.1},
]
FALLBACK = "nlu_fallback"
_MARKUP = str.maketrans("[]{}", "()()")  # Rasa reads these as entities; two examples have them


class RasaDefault:
    """A model archive, and the agent that reads messages with it."""

    def __init__(self, archive: Path) -> None:
        self._archive = archive
        self._loop = asyncio.new_event_loop()

    @cached_property
    def _agent(self) -> Agent:
        configure_structlog(logging.ERROR)  # else every message is written to the log while it is timed, as no server would
        return Agent.load(str(self._archive))

    def predict(self, text: str) -> list[tuple[str, float]]:
        """DIET's ranking. That its fallback fired is left out: the bench applies every system's threshold itself."""
        parsed = self._loop.run_until_complete(self._agent.parse_message(text))
        return [(r["name"], float(r["confidence"])) for r in parsed["intent_ranking"] if r["name"] != FALLBACK]

    def save(self, folder: Path) -> None:
        """The archive as Rasa wrote it."""
        shutil.copy(self._archive, folder / "model.tar.gz")


def fit(examples: Sequence[Example], epochs: int = EPOCHS) -> RasaDefault:
    """Trains with Rasa's own trainer, from files as a project has them."""
    pipeline = [{**part, "epochs": epochs} if part["name"] == "DIETClassifier" else part for part in PIPELINE]
    folder = Path(mkdtemp(prefix="bench-rasa-"))
    by_intent: dict[str, list[str]] = {}
    for e in examples:
        by_intent.setdefault(e.intent, []).append(f"- {e.text.translate(_MARKUP)}")
    nlu = {"version": "3.1", "nlu": [{"intent": name, "examples": "\n".join(lines) + "\n"} for name, lines in by_intent.items()]}
    config = {"recipe": "default.v1", "assistant_id": "bench", "language": "fr", "pipeline": pipeline}
    for name, content in (("nlu.yml", nlu), ("config.yml", config)):
        (folder / name).write_text(yaml.safe_dump(content, allow_unicode=True, width=10_000), encoding="utf-8")
    archive = train_nlu(str(folder / "config.yml"), str(folder / "nlu.yml"), str(folder))
    return RasaDefault(Path(str(archive)))


def load(folder: Path) -> RasaDefault:
    """Reads what ``save`` wrote."""
    return RasaDefault(folder / "model.tar.gz")
