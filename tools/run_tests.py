#!/usr/bin/env python3
"""Everything `make test` runs, cheapest first. Says at the end what passed."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DESK = str(ROOT / ".venvs/desk/bin/python")
BOT = str(ROOT / ".venvs/bot/bin/python")
QUIET = {"RASA_TELEMETRY_ENABLED": "false", "PYTHONWARNINGS": "ignore", "TF_CPP_MIN_LOG_LEVEL": "3", "LOG_LEVEL": "ERROR", "PYTHONPATH": str(ROOT)}
# What endpoints.yml and credentials.yml want to know; these steps never reach anything.
NOWHERE = {"PASSERELLE_ACTIONS_URL": "http://127.0.0.1:9/webhook", "PASSERELLE_SECRET": "only-for-tests-only-for-tests", "PASSERELLE_TRACKER_DIALECT": "sqlite"}
DATA = ["data/nlu", "data/stories", "data/answers"]


def main() -> int:
    # On the second core, beside the first steps; what it says is shown when it is done.
    aside = ThreadPoolExecutor(1).submit(
        step, "desk on PostgreSQL", [DESK, "-m", "pytest", "-p", "no:cacheprovider", "tests/desk"], {"PASSERELLE_TEST_DATABASE": "postgresql"}, aside=True
    )
    results = [
        step("lint", [DESK, "-m", "ruff", "check", "."]),
        step("format", [DESK, "-m", "ruff", "format", "--check", "."]),
        step("types", [DESK, "-m", "mypy"]),
        step("fast tests", [DESK, "-m", "pytest", "tests/bot", "tests/guard", "tests/content", "tests/desk", "tests/understanding/test_apart.py"]),
        aside.result(),
        step("shared code on Rasa's Python", [BOT, "-m", "pytest", "-p", "no:cacheprovider", "tests/bot", "tests/guard"]),
        step("understanding", [BOT, "-W", "ignore", "-m", "pytest", "-p", "no:cacheprovider", "tests/rasa"], QUIET),
        step(
            "rasa data validate",
            [BOT, "-W", "ignore", "-m", "rasa", "data", "validate", "--fail-on-warnings", "--domain", "domain.yml", "--data", *DATA],
            QUIET,
            quiet=True,
        ),
        stories(),
        step("desk in a browser", [DESK, "-m", "pytest", "tests/desk_browser"]),
        step("stack, browser and conversations", [DESK, "-m", "pytest", "tests/stack", "tests/conversations", "tests/understanding/test_understanding.py"]),
    ]
    print()
    for name, passed, seconds in results:
        print(f"{'passed' if passed else 'FAILED'}  {seconds:5.0f} s  {name}")
    failed = sum(not passed for _, passed, _ in results)
    print(f"{len(results) - failed} passed, {failed} failed")
    return 1 if failed else 0


def step(name: str, command: list[str], environment: dict[str, str] | None = None, quiet: bool = False, aside: bool = False) -> tuple[str, bool, float]:
    """Runs one command; a quiet one is heard only when it fails (Rasa says much that means nothing), one that runs aside when it is done."""
    if not aside:
        print(f"\n== {name}", flush=True)
    started = time.monotonic()
    done = subprocess.run(command, cwd=ROOT, env={**os.environ, **(environment or {})}, check=False, capture_output=quiet or aside, text=True)
    if aside:
        print(f"\n== {name}\n{done.stdout[-8000:]}{done.stderr[-2000:]}", flush=True)
    elif quiet and done.returncode:
        print((done.stdout + done.stderr)[-4000:])
    return name, done.returncode == 0, time.monotonic() - started


def stories() -> tuple[str, bool, float]:
    """`rasa test core --e2e` passes on nothing when it finds nothing: the count must be above zero."""
    print("\n== rasa test core --e2e", flush=True)
    started = time.monotonic()
    model = subprocess.run([BOT, "-m", "bot.train", "--path"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()
    with tempfile.TemporaryDirectory() as out:
        command = [BOT, "-W", "ignore", "-m", "rasa", "test", "core", "--e2e", "--stories", "tests/stories", "--model", model, "--endpoints", "endpoints.yml"]
        command += ["--fail-on-prediction-errors", "--no-plot", "--out", out]
        environment = {**os.environ, **QUIET, **NOWHERE, "PASSERELLE_TRACKER_DB": f"{out}/tracker.db", "LOG_LEVEL": "INFO"}
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
        said = done.stdout + done.stderr
        count = int((re.search(r"Correct:\s+(\d+) / (\d+)", said) or [0, 0, 0])[2])
    passed = done.returncode == 0 and count > 0
    print(f"{count} stories" if passed else said[-3000:])
    return "rasa test core --e2e", passed, time.monotonic() - started


if __name__ == "__main__":
    sys.exit(main())
