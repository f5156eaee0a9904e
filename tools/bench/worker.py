"""One system in a process of its own: `python -m tools.bench.worker fit|measure SYSTEM FOLDER` (environment bot).

``fit`` reads ``examples.json`` in FOLDER, writes the model into ``model/`` and ``fitted.json``; ``measure`` reads ``texts.json`` and the model,
and writes ``measured.json``. ``node/worker.js`` does the same for node-nlp.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

from tools.bench.examples import Example
from tools.bench.systems import Model, system


def fit(name: str, folder: Path) -> dict[str, Any]:
    """Learns, stores the model, and says what it cost."""
    learner = system(name)  # imported before the clock starts: a library's own loading is no training
    examples = [Example(**e) for e in json.loads((folder / "examples.json").read_text(encoding="utf-8"))]
    begun, cpu = time.perf_counter(), time.process_time()
    model = learner.fit(examples)
    seconds, spent = time.perf_counter() - begun, time.process_time() - cpu
    (folder / "model").mkdir(exist_ok=True)
    model.save(folder / "model")
    return {"seconds": seconds, "cpu_seconds": spent}


def measure(name: str, folder: Path) -> dict[str, Any]:
    """Reads every text, one at a time, with the stored model."""
    given = json.loads((folder / "texts.json").read_text(encoding="utf-8"))
    begun = time.perf_counter()
    model = system(name).load(folder / "model")
    model.predict("bonjour")  # what is made at first use belongs to the memory of a running model
    load_seconds, rss = time.perf_counter() - begun, resident()
    for text in given["warm_up"]:
        model.predict(text)
    cpu = time.process_time()
    milliseconds, rankings = zip(*(timed(model, text) for text in given["texts"]))
    spent = time.process_time() - cpu
    measured = {"rss_bytes": rss, "load_seconds": load_seconds, "cpu_seconds": spent, "milliseconds": milliseconds, "rankings": rankings}
    if further := getattr(model, "further", None):  # who hears several questions in a message
        measured["further"] = [further(text) for text in given["texts"]]
    return measured


def timed(model: Model, text: str) -> tuple[float, list[tuple[str, float]]]:
    """Milliseconds of one prediction, and the prediction."""
    started = time.perf_counter()
    ranking = model.predict(text)
    return (time.perf_counter() - started) * 1000, ranking


def resident() -> int:
    """Bytes of memory that this process holds (Linux)."""
    return next(int(line.split()[1]) * 1024 for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmRSS"))


def main(argv: list[str]) -> int:
    """One verb, one system, one folder."""
    verb, name, folder = argv[0], argv[1], Path(argv[2])
    verbs = {"fit": (fit, "fitted.json"), "measure": (measure, "measured.json")}
    work, out = verbs[verb]
    (folder / out).write_text(json.dumps(work(name, folder)), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
