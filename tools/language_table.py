#!/usr/bin/env python3
"""Ours beside other language detectors, on the same messages; writes the table of docs/language.md.

uv run --group desk --group bench python tools/language_table.py

Each detector answers « French » with its name for French, with nothing at all, or with an error.
"""

from __future__ import annotations

import math
import platform
import statistics
import sys
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from bot.guard.language import foreign_language  # noqa: E402

SETS = ROOT / "tests/guard/sets"
PAGE = ROOT / "docs/language.md"
BEGIN, END = "<!-- table: tools/language_table.py -->\n", "<!-- end of table -->"
OURS = ("en", "de", "es", "it", "pt", "nl", "sr", "ru", "ar", "ro", "tr", "fr")
# Names that detectors have for what the sets call Serbian.
SAME = {"sr-Cyrl": "sr", "hr": "sr", "bs": "sr", "sh": "sr"}
Detector = Callable[[str], "str | None"]


def langdetect_alone() -> Detector:
    from langdetect import LangDetectException, detect

    def ask(text: str) -> str | None:
        try:
            return str(detect(text))
        except LangDetectException:
            return None

    return ask


def lingua(codes: tuple[str, ...] = ()) -> Detector:
    from lingua import IsoCode639_1, LanguageDetectorBuilder

    named = {**{code: code for code in codes}, **({"sr": "sr", "hr": "hr", "bs": "bs"} if codes else {})}
    chosen = [getattr(IsoCode639_1, code.upper()) for code in named]
    builder = LanguageDetectorBuilder.from_iso_codes_639_1(*chosen) if codes else LanguageDetectorBuilder.from_all_languages()
    detector = builder.with_preloaded_language_models().build()

    def ask(text: str) -> str | None:
        found = detector.detect_language_of(text)
        return found.iso_code_639_1.name.lower() if found else None

    return ask


def py3langid(codes: tuple[str, ...] = ()) -> Detector:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    identifier = LanguageIdentifier.from_model_file(MODEL_FILE)
    if codes:
        identifier.set_languages([*codes, "hr", "bs"])
    return lambda text: str(identifier.classify(text)[0])


def wilson(right: int, n: int) -> str:
    """« 190/200 (91–97 %) »: the count and its 95 % interval."""
    z, share = 1.96, right / n
    middle, half = share + z * z / (2 * n), z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    low, high = (max(0.0, (middle - half) / (1 + z * z / n)), min(1.0, (middle + half) / (1 + z * z / n)))
    return f"{right}/{n} ({100 * low:.0f}–{100 * high:.0f} %)"


def row(name: str, detector: Detector, foreign: list[dict[str, str]], french: list[str]) -> str:
    """One line of the table."""
    times: list[float] = []

    def ask(text: str) -> str | None:
        started = time.perf_counter()
        found = detector(text)
        times.append((time.perf_counter() - started) * 1e6)
        return None if found in (None, "fr") else SAME.get(str(found), str(found))

    ask("bonjour, how much is it?")  # models are read on the first message
    times.clear()
    answers = [ask(item["text"]) for item in foreign]
    language = sum(answer == SAME.get(item["lang"], item["lang"]) for answer, item in zip(answers, foreign, strict=True))
    decision = sum(answer is not None for answer in answers)
    kept = sum(ask(text) is None for text in french)
    n = len(foreign)
    return f"| {name} | {wilson(language, n)} | {wilson(decision, n)} | {wilson(kept, len(french))} | {statistics.median(times):,.0f} |"


def table(foreign: list[dict[str, str]], french: list[str]) -> str:
    """The whole table, with what it was measured on."""
    n = len(OURS)
    detectors: list[tuple[str, Detector]] = [
        ("ours", foreign_language),
        ("langdetect alone", langdetect_alone()),
        (f"lingua, our {n} languages", lingua(OURS)),
        ("lingua, all its languages", lingua()),
        (f"py3langid, our {n} languages", py3langid(OURS)),
        ("py3langid, all its languages", py3langid()),
    ]
    lines = [
        f"{date.today()}, two cores {machine()}, Python {platform.python_version()}; {len(foreign)} messages in other languages, {len(french)} French ones.",
        "",
        "| detector | right language | found to be foreign | French left French | median µs a message |",
        "| --- | --- | --- | --- | --- |",
        *(row(name, detector, foreign, french) for name, detector in detectors),
    ]
    return "\n".join(lines) + "\n"


def machine() -> str:
    """The processor's kind, where Linux tells it."""
    try:
        names = [line.partition(":")[2].strip() for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines() if line.startswith("model name")]
    except OSError:
        names = []
    return names[0] if names else platform.machine()


def items(name: str) -> list[dict[str, str]]:
    found: list[dict[str, str]] = yaml.safe_load((SETS / name).read_text(encoding="utf-8"))["items"]
    return found


def main() -> int:
    missing = [name for name in ("languages.yml", "tricky_french.yml") if not (SETS / name).exists()]
    if missing:
        print(f"{', '.join(missing)}: not in tests/guard/sets; nothing measured", file=sys.stderr)
        return 1
    measured = table(items("languages.yml"), [item["text"] for item in items("tricky_french.yml")])
    page = PAGE.read_text(encoding="utf-8")
    before, _, rest = page.partition(BEGIN)
    after = rest.partition(END)[2]
    PAGE.write_text(f"{before}{BEGIN}{measured}{END}{after}", encoding="utf-8")
    print(measured)
    return 0


if __name__ == "__main__":
    sys.exit(main())
