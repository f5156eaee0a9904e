"""Has every system learn the same examples and read the same messages, one after the other, each in a process of its own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from tools.bench.examples import Example

ROOT = Path(__file__).resolve().parent.parent.parent
BOT = str(ROOT / ".venvs/bot/bin/python")
NODE = ROOT / "tools/bench/node"
SYSTEMS = ("passerelle", "passerelle-5", "svm", "node-nlp", "textcat", "rasa", "rasa-10")  # the slowest last
WARM_UP = 50  # messages read before any is timed; of the training data, so that no cache has met a message of the test
LEARNING_THREADS, READING_THREADS = 2, 1
_THREADS = "OMP_NUM_THREADS OPENBLAS_NUM_THREADS MKL_NUM_THREADS TF_INTRA_OP_PARALLELISM_THREADS TF_INTER_OP_PARALLELISM_THREADS".split()


class BenchError(Exception):
    """A system could not be installed, taught or measured."""


def install_node() -> None:
    """The packages of ``tools/bench/node``, exactly as locked.

    Raises:
        BenchError: without npm, or when it fails.
    """
    if not shutil.which("npm"):
        raise BenchError("npm is needed for node-nlp: install Node 18 or newer, or leave it out with --systems")
    if (NODE / "node_modules/node-nlp").exists():
        return
    done = subprocess.run(["npm", "ci", "--no-audit", "--no-fund"], cwd=NODE, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BenchError(f"npm ci failed:\n{done.stderr[-2000:]}")


def teach(system: str, examples: Sequence[Example], folder: Path) -> None:
    """Has one system learn; the model and what it cost are in its folder, which is emptied first.

    Args:
        system: one of ``SYSTEMS``.
        examples: what it learns from.
        folder: its own.

    Raises:
        BenchError: when its process fails.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / "examples.json").write_text(json.dumps([asdict(e) for e in examples]), encoding="utf-8")
    _step(system, "fit", LEARNING_THREADS, folder)


def is_taught(folder: Path) -> bool:
    """Whether a system has learned there."""
    return (folder / "fitted.json").exists()


def measure(system: str, texts: Sequence[str], folder: Path) -> None:
    """Has a system that has learned read messages; what came of it is in ``measured.json`` and ``size.json``.

    Raises:
        BenchError: when its process fails.
    """
    learned = [e["text"] for e in json.loads((folder / "examples.json").read_text(encoding="utf-8"))]
    warm_up = learned[:: max(1, len(learned) // WARM_UP)][:WARM_UP]
    (folder / "texts.json").write_text(json.dumps({"warm_up": warm_up, "texts": list(texts)}), encoding="utf-8")
    _step(system, "measure", READING_THREADS, folder)
    size = sum(f.stat().st_size for f in (folder / "model").rglob("*") if f.is_file())
    (folder / "size.json").write_text(json.dumps({"model_bytes": size, "examples": len(learned), "load_average": os.getloadavg()[0]}), encoding="utf-8")


def _step(system: str, verb: str, threads: int, folder: Path) -> None:
    if system == "node-nlp":
        command = ["node", str(NODE / "worker.js"), verb, str(folder)]
    else:
        command = [BOT, "-W", "ignore", "-m", "tools.bench.worker", verb, system, str(folder)]
    quiet = {"RASA_TELEMETRY_ENABLED": "false", "TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONWARNINGS": "ignore", "LOG_LEVEL": "ERROR", "PYTHONPATH": str(ROOT)}
    environment = {**os.environ, **quiet, **dict.fromkeys(_THREADS, str(threads))}
    begun = time.monotonic()
    with (folder / f"{verb}.log").open("wb") as log:
        pin = _to_one_core if verb == "measure" else None
        code = subprocess.run(command, cwd=ROOT, env=environment, stdout=log, stderr=subprocess.STDOUT, check=False, preexec_fn=pin).returncode
    if code:
        raise BenchError(f"{system} {verb} failed:\n{(folder / f'{verb}.log').read_text(errors='replace')[-2000:]}")
    print(f"  {system} {verb}: {time.monotonic() - begun:.0f} s, load {os.getloadavg()[0]:.1f}", flush=True)


def _to_one_core() -> None:
    """Runs in the child: threads of a library's own making share the one core too. Linux only."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
