"""What the guard costs a message: `make bench`. Writes docs/bench/guard.md (run where the guard's own packages are; no Rasa)."""

from __future__ import annotations

import os
import platform
import sys
import time
from datetime import date
from pathlib import Path

import yaml

from bot.guard.door import inspect

ROOT = Path(__file__).resolve().parent.parent
OUT = ROOT / "docs/bench/guard.md"
LENGTHS = (50, 100, 200, 300, 500, 1000, 2000, 5000)
SAMPLES = 60


def messages() -> list[str]:
    """Every message of the guard's own sets, the long ones too."""
    found = []
    for path in sorted((ROOT / "tests/guard/sets").glob("*.yml")):
        found += [item["text"] for item in yaml.safe_load(path.read_text(encoding="utf-8"))["items"] if "text" in item]
    return found


def milliseconds(text: str) -> float:
    """The time of one look."""
    started = time.perf_counter()
    inspect(text)
    return (time.perf_counter() - started) * 1000


def quantile(values: list[float], share: float) -> float:
    """The value below which a share of the values lies."""
    return sorted(values)[min(int(len(values) * share), len(values) - 1)]


def machine() -> str:
    """Cores and processor, without the machine's name."""
    model = next((line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")), platform.machine())
    return f"{os.cpu_count()} cores {model}, Python {platform.python_version()}"


def main() -> int:
    texts = messages()
    for text in texts[:200]:
        inspect(text)  # compiles what is compiled at first use
    short = [milliseconds(t) for t in texts if len(t) <= 300]
    stream = " ".join(texts)
    rows = []
    for length in LENGTHS:
        pieces = [stream[i * 700 : i * 700 + length] for i in range(SAMPLES) if i * 700 + length <= len(stream)]
        times = [milliseconds(p) for p in pieces]
        rows.append(f"| {length:,} | {quantile(times, 0.5):.2f} | {quantile(times, 0.95):.2f} | {1000 * quantile(times, 0.5) / length:.1f} |")
    OUT.write_text(
        f"""# What the guard costs a message

Written by `make bench` on {date.today().isoformat()}, {machine()}. One call of `bot.guard.door.inspect`: red flags, personal questions, other languages.

Messages of the guard's sets up to 300 characters (n = {len(short)}): median {quantile(short, 0.5):.2f} ms, p95 {quantile(short, 0.95):.2f} ms, p99 {quantile(short, 0.99):.2f} ms.

| characters | median, ms | p95, ms | µs a character |
| ---: | ---: | ---: | ---: |
"""
        + "\n".join(rows)
        + "\n",
        encoding="utf-8",
    )
    print(OUT.read_text(encoding="utf-8"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
