"""Writes and trains what Passerelle is timed beside: the same bot on Rasa's default configuration, and a bot that does nothing."""

from __future__ import annotations

import hashlib
import os
import random
import subprocess
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from tools.bench.examples import every_example, sample
from tools.bench_speed.messages import QUESTIONS, bookings

ROOT = Path(__file__).resolve().parent.parent.parent
BOT = ROOT / ".venvs/bot/bin/python"
QUIET = {"RASA_TELEMETRY_ENABLED": "false", "PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONWARNINGS": "ignore"}
SELECTIVE = "  enable_selective_domain: true\n"  # of endpoints.yml: Passerelle sends its actions no domain
EXAMPLES, EPOCHS, POLICY_EPOCHS = 200, 20, 3
BATCH = 32  # of examples for the pipeline's nets: small, so that few epochs are many steps
STORIES, TURNS_OF_A_STORY = 40, 3
_MARKUP = str.maketrans("[]{}", "()()")  # Rasa reads these as entities


class BenchError(Exception):
    """Something that is to be timed could not be trained, started or asked."""


@dataclass(frozen=True)
class Project:
    """A trained model and the files that ``rasa run`` is started with."""

    model: Path
    endpoints: Path
    credentials: Path = ROOT / "credentials.yml"


def passerelle(model: Path | None = None) -> Project:
    """What ``make run`` runs.

    Args:
        model: another one than that of the present inputs.

    Raises:
        BenchError: when the model was not trained.
    """
    if model is None:
        told = subprocess.run([BOT, "-m", "bot.train", "--path"], cwd=ROOT, env={**os.environ, **QUIET}, capture_output=True, text=True, check=True)
        model = Path(told.stdout.strip())
    if not model.exists():
        raise BenchError(f"{model} is not there: make train")
    return Project(model, ROOT / "endpoints.yml")


def rasa_default(work: Path, has_stories: bool) -> Project:
    """The same domain, rules, answers and actions on what ``rasa init`` proposes: its pipeline, its policies, its way to the actions.

    Args:
        work: folder for the project; a model trained there earlier of the same files is taken again.
        has_stories: whether it gets stories beside the rules. Without any, its TEDPolicy and UnexpecTEDIntentPolicy have nothing to learn and stay idle.
    """
    folder = work / ("default" if has_stories else "default-rules")
    endpoints = (ROOT / "endpoints.yml").read_text(encoding="utf-8")
    if SELECTIVE not in endpoints:
        raise BenchError(f"endpoints.yml has no line {SELECTIVE.strip()!r} that the peer could go without")
    credentials = yaml.safe_load((ROOT / "credentials.yml").read_text(encoding="utf-8"))
    for channel in credentials.values():
        channel["compile_schema_once"] = False
    files = {
        "config.yml": _default_config(),
        "nlu.yml": _nlu(_learned()),
        "endpoints.yml": endpoints.replace(SELECTIVE, ""),
        "credentials.yml": _yaml(credentials),
    }
    if has_stories:
        files["stories.yml"] = _yaml({"version": "3.1", "stories": _stories()})
    _write(folder, files)
    data = [folder / name for name in ("nlu.yml", "stories.yml") if name in files]
    trained = _trained(folder, ROOT / "domain.yml", [*data, ROOT / "data/stories", ROOT / "data/answers"])
    return replace(trained, credentials=folder / "credentials.yml")


def empty(work: Path) -> Project:
    """One intent, one rule, one response, nothing to call: what a turn costs that says nothing. Channel and tracker store are Passerelle's."""
    store = yaml.safe_load((ROOT / "endpoints.yml").read_text(encoding="utf-8"))["tracker_store"]
    greeting = {"text": "Bonjour.", "metadata": {"kind": "smalltalk"}}  # the desk refuses a reply without a kind
    say = {"rule": "whatever is said", "steps": [{"intent": "say"}, {"action": "utter_hello"}]}
    files = {
        "config.yml": _config([{"name": "KeywordIntentClassifier"}], [{"name": "RulePolicy"}]),
        "nlu.yml": _nlu([("say", r"\w"), ("say", r"\w+")]),  # the keywords are regular expressions: every text matches
        "rules.yml": _yaml({"version": "3.1", "rules": [say]}),
        "domain.yml": _yaml({"version": "3.1", "intents": ["say"], "responses": {"utter_hello": [greeting]}, **_session()}),
        "endpoints.yml": _yaml({"tracker_store": store}),
    }
    folder = work / "empty"
    _write(folder, files)
    return _trained(folder, folder / "domain.yml", [folder / "nlu.yml", folder / "rules.yml"])


# ---------------------------------------------------------------- what is written


def _default_config() -> str:
    """The defaults as Rasa itself has them, with fewer epochs: how well it learned does not change how fast it is."""
    file = next((ROOT / ".venvs/bot").glob("lib/python*/site-packages/rasa/engine/recipes/config_files/default_config.yml"))
    config = yaml.safe_load(file.read_text(encoding="utf-8"))
    for part, epochs in (("pipeline", EPOCHS), ("policies", POLICY_EPOCHS)):
        for component in config[part]:
            if "epochs" in component:
                component["epochs"] = epochs
                if part == "pipeline":
                    component["batch_size"] = BATCH
    return _config(config["pipeline"], config["policies"])


def _config(pipeline: list[dict[str, Any]], policies: list[dict[str, Any]]) -> str:
    return _yaml({"recipe": "default.v1", "assistant_id": "bench", "language": "fr", "pipeline": pipeline, "policies": policies})


def _learned() -> list[tuple[str, str]]:
    """A sample of data/nlu, and the bench's own messages, so that a few examples do for the same path through the conversation."""
    own = [*QUESTIONS, *((step.intent, step.text) for steps in bookings() for step in steps)]
    said = [(e.intent, e.text) for e in sample(every_example(), EXAMPLES)]
    known = {text for _, text in own}
    return list(dict.fromkeys([*own, *(pair for pair in said if pair[1] not in known)]))


def _nlu(examples: list[tuple[str, str]]) -> str:
    by_intent: dict[str, list[str]] = {}
    for intent, text in examples:
        by_intent.setdefault(intent, []).append(f"- {text.translate(_MARKUP)}")
    return _yaml({"version": "3.1", "nlu": [{"intent": name, "examples": "\n".join(lines) + "\n"} for name, lines in by_intent.items()]})


def _stories() -> list[dict[str, Any]]:
    """Visitors who ask a few questions in a row, answered as the rules have it."""
    rules = yaml.safe_load((ROOT / "data/stories/answers.yml").read_text(encoding="utf-8"))["rules"]
    plain = [rule["steps"] for rule in rules if [list(step) for step in rule["steps"]] == [["intent"], ["action"]] and "condition" not in rule]
    chance = random.Random(20261122)
    picked = [chance.sample(plain, TURNS_OF_A_STORY) for _ in range(STORIES)]
    return [{"story": f"visitor {n}", "steps": [step for steps in turns for step in steps]} for n, turns in enumerate(picked)]


def _session() -> dict[str, Any]:
    domain = yaml.safe_load((ROOT / "domain.yml").read_text(encoding="utf-8"))
    return {"session_config": domain["session_config"]}


def _yaml(content: dict[str, Any]) -> str:
    return yaml.safe_dump(content, allow_unicode=True, width=10_000, sort_keys=False)


def _write(folder: Path, files: dict[str, str]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")


# ---------------------------------------------------------------- training


def _trained(folder: Path, domain: Path, data: list[Path]) -> Project:
    model = folder / f"model-{_digest([folder / 'config.yml', domain, *data])}.tar.gz"
    if not model.exists():
        for old in folder.glob("model-*.tar.gz"):
            old.unlink()
        print(f"training {folder.name} …", flush=True)
        begun = time.monotonic()
        command = [str(BOT), "-W", "ignore", "-m", "rasa", "train", "--config", str(folder / "config.yml"), "--domain", str(domain), "--data", *map(str, data)]
        command += ["--out", str(folder), "--fixed-model-name", model.name.removesuffix(".tar.gz"), "--augmentation", "0"]
        environment = {**os.environ, **QUIET, "RASA_CACHE_DIRECTORY": str(folder.parent / "cache")}
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, errors="replace", check=False)
        if done.returncode or not model.exists():
            raise BenchError(f"training {folder.name} failed:\n{(done.stdout + done.stderr)[-3000:]}")
        print(f"  {time.monotonic() - begun:.0f} s", flush=True)
    return Project(model, folder / "endpoints.yml")


def _digest(inputs: list[Path]) -> str:
    digest = hashlib.sha256()
    for path in inputs:
        for file in sorted(path.rglob("*.yml")) if path.is_dir() else [path]:
            digest.update(file.name.encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()[:16]
