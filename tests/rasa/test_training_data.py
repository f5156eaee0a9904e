"""What the model learns from is what Rasa itself would read."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("rasa", reason="runs in the environment bot")

from rasa.shared.importers.importer import TrainingDataImporter
from rasa.shared.importers.rasa import RasaFileImporter
from yaml import YAMLError

from bot.training_data import FastImporter

DATA = ["data/nlu", "data/stories", "data/answers"]


def test_every_file_is_read_as_rasa_reads_it_and_keeps_to_its_schema(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(root)
    ours, theirs = (importer("config.yml", "domain.yml", DATA).get_nlu_data() for importer in (FastImporter, RasaFileImporter))
    assert len(ours.intent_examples) > 10_000
    assert ours.fingerprint() == theirs.fingerprint()


def test_training_reads_through_it(root: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(root)
    broken = tmp_path / "nlu.yml"
    broken.write_text('version: "3.1"\nnlu:\n- intent: greet\n  examples: |\n    - salut\n  - oups\n', encoding="utf-8")
    with pytest.raises(YAMLError):
        TrainingDataImporter.load_from_config("config.yml", "domain.yml", [str(broken)]).get_nlu_data()
