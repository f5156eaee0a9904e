"""Draws what the page shows: `python -m tools.bench.plots IN FOLDER` (environment bot: matplotlib comes with Rasa)."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot as plt

# One colour and mark a system in every plot; told apart without colours too.
LOOKS = {
    "passerelle-whole": ("#003A66", "P"),
    "passerelle": ("#0072B2", "o"),
    "rasa": ("#D55E00", "s"),
    "rasa-10": ("#D55E00", "s"),
    "svm": ("#009E73", "^"),
    "node-nlp": ("#CC79A7", "D"),
    "textcat": ("#8A6D00", "v"),
    "passerelle-5": ("#999999", "x"),
}
SIZE = {"dpi": 110, "metadata": {"Software": None}}


def styles(parts: list[dict[str, Any]], out: Path) -> None:
    """Right answers by style of writing: one panel for each set of examples."""
    figure, panels = plt.subplots(1, len(parts), figsize=(6 * len(parts), 5), sharey=True, squeeze=False)
    for axes, part in zip(panels[0], parts):
        rows = range(len(part["styles"]))
        for system, shares in part["by_style"].items():
            colour, mark = LOOKS[system]
            axes.plot(shares, rows, mark, color=colour, label=part["names"][system], markersize=8, alpha=0.85)
        axes.set_yticks(list(rows), [f"{style} (n = {n})" for style, n in zip(part["styles"], part["n"])])
        axes.invert_yaxis()
        axes.set_xlim(0, 1)
        axes.set_xlabel("questions answered right, test half")
        axes.set_title(part["title"])
        axes.grid(alpha=0.3)
    _write(figure, out, bottom=_legend(figure, panels[0][0]))


def coverage(parts: list[dict[str, Any]], out: Path) -> None:
    """How much is answered from which confidence on, and how much of that is right: one row for each set of examples."""
    figure, panels = plt.subplots(len(parts), 2, figsize=(12, 4.6 * len(parts)), squeeze=False)
    for (left, right), part in zip(panels, parts):
        for system, points in part["curves"].items():
            colour, mark = LOOKS[system]
            look = {"color": colour, "marker": mark, "markevery": 10, "markersize": 5, "label": part["names"][system]}
            left.plot([p["threshold"] for p in points], [p["coverage"] for p in points], **look)
            enough = [p for p in points if p["n"] >= 20]  # a share of fewer jumps about and says nothing
            right.plot([p["coverage"] for p in enough], [p["right"] for p in enough], **look)
        left.set(xlabel="confidence from which the first intent is believed", ylabel="coverage: share of questions believed", title=part["title"])
        right.set(xlabel="coverage: share of questions believed", ylabel="of these, answered right", title=part["title"])
        for axes in (left, right):
            axes.set_xlim(0, 1)
            axes.set_ylim(0, 1.02)
            axes.grid(alpha=0.3)
    _write(figure, out, bottom=_legend(figure, panels[0][0]))


def confusions(title: str, pairs: list[tuple[str, str, int]], out: Path) -> None:
    """The commonest wrong turns, as bars."""
    figure, axes = plt.subplots(figsize=(10, 0.32 * len(pairs) + 1.4))
    axes.barh(range(len(pairs)), [n for _, _, n in pairs], color=LOOKS["passerelle"][0])
    axes.set_yticks(range(len(pairs)), [f"{wanted} → {got}" if wanted != got else f"{wanted} (a fact is missing)" for wanted, got, _ in pairs], fontsize=8)
    axes.invert_yaxis()
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.set_xlabel("questions of the validation half")
    axes.set_title(title, fontsize=10)
    axes.grid(axis="x", alpha=0.3)
    _write(figure, out)


def _legend(figure: Any, axes: Any) -> float:
    """Puts the legend under everything, where it hides nothing; returns the share of the height that it needs."""
    marks, names = axes.get_legend_handles_labels()
    figure.legend(marks, names, loc="lower center", ncol=3, fontsize=8)
    return 0.5 / figure.get_figheight()


def _write(figure: Any, out: Path, bottom: float = 0.0) -> None:
    figure.tight_layout(rect=(0, bottom, 1, 1))
    figure.savefig(out, **SIZE)
    plt.close(figure)


def main(argv: list[str]) -> int:
    """Draws the three plots."""
    given, folder = json.loads(Path(argv[0]).read_text(encoding="utf-8")), Path(argv[1])
    styles(given["parts"], folder / "peers-style.png")
    coverage(given["parts"], folder / "peers-coverage.png")
    if own := given["confusions"]:
        confusions(own["title"], own["pairs"], folder / "peers-confusion.png")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
