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

Result = tuple[str, bool, float]  # a step's name, whether it passed, its seconds


def main() -> int:
    with ThreadPoolExecutor(1) as other_core:
        beside = other_core.submit(on_the_other_core)
        results = [
            step("lint", [DESK, "-m", "ruff", "check", "."]),
            step("format", [DESK, "-m", "ruff", "format", "--check", "."]),
            step("types", [DESK, "-m", "mypy"]),
            step("fast tests", [DESK, "-m", "pytest", "tests/bot", "tests/guard", "tests/content", "tests/desk", "tests/understanding/test_apart.py"]),
            *beside.result(),
            # These two use both cores: a browser and four services.
            step("desk in a browser", [DESK, "-m", "pytest", "tests/desk_browser"]),
            step("stack, browser and conversations", [DESK, "-m", "pytest", "tests/stack", "tests/conversations", "tests/understanding/test_understanding.py"]),
        ]
    print()
    for name, passed, seconds in results:
        print(f"{'passed' if passed else 'FAILED'}  {seconds:5.0f} s  {name}")
    failed = sum(not passed for _, passed, _ in results)
    print(f"{len(results) - failed} passed, {failed} failed")
    return 1 if failed else 0


def on_the_other_core() -> list[Result]:
    """What runs beside the fast tests; each step shows what it said once it is done."""
    return [
        aside("desk on PostgreSQL", [DESK, "-m", "pytest", "-p", "no:cacheprovider", "tests/desk"], {"PASSERELLE_TEST_DATABASE": "postgresql"}),
        aside("shared code on Rasa's Python", [BOT, "-m", "pytest", "-p", "no:cacheprovider", "tests/bot", "tests/guard"], {}),
        aside("understanding", [BOT, "-W", "ignore", "-m", "pytest", "-p", "no:cacheprovider", "tests/rasa"], QUIET),
        aside(
            "rasa data validate",
            [BOT, "-W", "ignore", "-m", "rasa", "data", "validate", "--fail-on-warnings", "--domain", "domain.yml", "--data", *DATA],
            QUIET,
        ),
        stories(),
    ]


def step(name: str, command: list[str]) -> Result:
    """Runs one command, which is heard while it runs."""
    print(f"\n== {name}", flush=True)
    started = time.monotonic()
    code = subprocess.run(command, cwd=ROOT, check=False).returncode
    return name, code == 0, time.monotonic() - started


def aside(name: str, command: list[str], environment: dict[str, str]) -> Result:
    """Runs one command beside another step: its last line is shown when it is done, and all it said when it failed."""
    started = time.monotonic()
    code, said = run_unheard(command, environment)
    return shown(name, code == 0, said if code else said.strip().rpartition("\n")[2], started)


def stories() -> Result:
    """`rasa test core --e2e` passes on nothing when it finds nothing: the count must be above zero."""
    started = time.monotonic()
    model = subprocess.run([BOT, "-m", "bot.train", "--path"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()
    with tempfile.TemporaryDirectory() as out:
        command = [BOT, "-W", "ignore", "-m", "rasa", "test", "core", "--e2e", "--stories", "tests/stories", "--model", model, "--endpoints", "endpoints.yml"]
        command += ["--fail-on-prediction-errors", "--no-plot", "--out", out]
        code, said = run_unheard(command, {**QUIET, **NOWHERE, "PASSERELLE_TRACKER_DB": f"{out}/tracker.db", "LOG_LEVEL": "INFO"})
    count = int((re.search(r"Correct:\s+(\d+) / (\d+)", said) or [0, 0, 0])[2])
    passed = code == 0 and count > 0
    return shown("rasa test core --e2e", passed, f"{count} stories" if passed else said, started)


def run_unheard(command: list[str], environment: dict[str, str]) -> tuple[int, str]:
    """Runs one command; returns its exit code and what it said."""
    done = subprocess.run(command, cwd=ROOT, env={**os.environ, **environment}, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    return done.returncode, done.stdout


def shown(name: str, passed: bool, said: str, started: float) -> Result:
    """Shows what a step said, at once and under its name: two steps that run together must not mix."""
    print(f"\n== {name}\n{said[-8000:]}", flush=True)
    return name, passed, time.monotonic() - started


if __name__ == "__main__":
    sys.exit(main())
