"""Plots as inline SVG: no script, no style attribute, colours by class, text that keeps its size on a phone.

Places along x are percentages of the width and places along y are pixels: a plot without ``viewBox`` fills the page and its words do not shrink.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import ceil, floor, log10

from markupsafe import Markup

HEIGHT, TOP, FOOT = 190, 18, 22  # pixels: of the plot, above its highest line, for the words under it
ROW = 40  # pixels of one horizontal bar with its words
LABELLED = 40  # characters under a plot, so that words do not run into each other on a phone
AT_EDGE = 8  # percent of the width from an edge within which words begin or end there
Number = int | float


@dataclass(frozen=True)
class Line:
    """One series of a line plot; a value that is not known is None and breaks the line."""

    name: str
    values: tuple[Number | None, ...]


def columns(key: str, title: str, description: str, labels: Sequence[str], values: Sequence[Number]) -> Markup:
    """Upright bars along time: one a day, an hour, a weekday.

    Args:
        key: names the plot in the page; letters and hyphens.
        title: what it is called.
        description: what it shows, in a sentence, for who does not see it.
        labels: one under each bar; some are left out when there are many.
        values: none below zero.
    """
    top, grid, scale = _scale(max(values, default=0))
    step = 100 / max(1, len(values))
    bars = [
        Markup('<rect class="bar" x="{}%" y="{}" width="{}%" height="{}"><title>{}</title></rect>').format(
            _number(i * step + step * 0.12), _number(_y(value, top)), _number(step * 0.76), _number(_y(0, top) - _y(value, top)), f"{label} : {french(value)}"
        )
        for i, (label, value) in enumerate(zip(labels, values))
    ]
    return _drawn(key, title, description, HEIGHT, [*grid, *bars, *scale, *_under(labels, [(i + 0.5) * step for i in range(len(labels))])])


def lines(key: str, title: str, description: str, labels: Sequence[str], series: Sequence[Line], unit: str = "") -> Markup:
    """Lines along time; each has its own dash and its own marks, so that colour is not all that tells them apart.

    Args:
        key, title, description: as for ``columns``.
        labels: one under each point.
        series: two at most.
        unit: said with each value.
    """
    top, drawn, scale = _scale(max((v for line in series for v in line.values if v is not None), default=0))
    places = [(i + 0.5) * 100 / max(1, len(labels)) for i in range(len(labels))]
    for n, line in enumerate(series):
        points = [(x, value, label) for x, value, label in zip(places, line.values, labels)]
        for (x1, from_value, _), (x2, to_value, _) in pairwise(points):
            if from_value is not None and to_value is not None:
                drawn.append(
                    Markup('<line class="series s{}" x1="{}%" y1="{}" x2="{}%" y2="{}"/>').format(
                        n, _number(x1), _number(_y(from_value, top)), _number(x2), _number(_y(to_value, top))
                    )
                )
        for x, value, label in points:
            if value is not None:
                text = f"{line.name}, {label} : {french(value)}{unit}"
                drawn.append(
                    Markup('<circle class="mark s{}" cx="{}%" cy="{}" r="4"><title>{}</title></circle>').format(n, _number(x), _number(_y(value, top)), text)
                )
    return _drawn(key, title, description, HEIGHT, [*drawn, *scale, *_under(labels, places)])


def bars(key: str, title: str, description: str, items: Sequence[tuple[str, Number]]) -> Markup:
    """Lying bars, one for each name, in the order given.

    Args:
        key, title, description: as for ``columns``.
        items: name and value; none below zero.
    """
    most = max((value for _, value in items), default=0) or 1
    drawn: list[Markup] = []
    for i, (name, value) in enumerate(items):
        y = i * ROW
        drawn.append(Markup('<text class="name" x="0" y="{}">{}</text>').format(y + 15, name))
        drawn.append(Markup('<text class="value end" x="100%" y="{}">{}</text>').format(y + 15, french(value)))
        drawn.append(Markup('<rect class="track" x="0" y="{}" width="100%" height="10" rx="3"/>').format(y + 22))
        drawn.append(Markup('<rect class="bar" x="0" y="{}" width="{}%" height="10" rx="3"/>').format(y + 22, _number(100 * value / most)))
    return _drawn(key, title, description, max(1, len(items)) * ROW, drawn)


def french(value: Number) -> str:
    """A number as French writes it: « 1 234,5 »."""
    written = f"{value:,.1f}" if isinstance(value, float) and not value.is_integer() else f"{int(value):,}"
    return written.replace(",", "\u202f").replace(".", ",")


def _drawn(key: str, title: str, description: str, height: int, parts: Sequence[Markup]) -> Markup:
    head = Markup('<svg class="plot" role="img" aria-labelledby="{0}-titre {0}-texte" width="100%" height="{1}">').format(key, height)
    words = Markup('<title id="{0}-titre">{1}</title><desc id="{0}-texte">{2}</desc>').format(key, title, description)
    return head + words + Markup("").join(parts) + Markup("</svg>")


def _scale(highest: Number) -> tuple[float, list[Markup], list[Markup]]:
    """The value at the top, lines at round values, and their numbers, which belong over what is drawn."""
    step = _round_step(highest)
    count = max(1, ceil(highest / step))
    top = count * step
    heights = [_number(_y(i * step, top)) for i in range(count + 1)]
    grid = [Markup('<line class="grid" x1="0" y1="{}" x2="100%" y2="{}"/>').format(y, y) for y in heights]
    values = [Markup('<text class="value" x="0" y="{}">{}</text>').format(_number(_y(i * step, top) - 4), french(i * step)) for i in range(1, count + 1)]
    return top, grid, values


def _round_step(highest: Number) -> float:
    """1, 2 or 5 times a power of ten, so that four lines or fewer do."""
    if highest <= 4:
        return 1
    rough = highest / 4
    power = 10.0 ** floor(log10(rough))
    return float(next(n * power for n in (1, 2, 5, 10) if n * power >= rough))


def _y(value: Number, top: float) -> float:
    return HEIGHT - FOOT - (HEIGHT - FOOT - TOP) * value / top


def _under(labels: Sequence[str], places: Sequence[float]) -> list[Markup]:
    room = max(1, LABELLED // (max(map(len, labels), default=0) + 1))
    every = ceil(len(labels) / room) or 1
    shown = [(label, x) for i, (label, x) in enumerate(zip(labels, places)) if i % every == 0]
    drawn = []
    for label, x in shown:
        anchor, at = ("", 0.0) if x < AT_EDGE else (" end", 100.0) if x > 100 - AT_EDGE else (" middle", x)
        drawn.append(Markup('<text class="under{}" x="{}%" y="{}">{}</text>').format(anchor, _number(at), HEIGHT - 5, label))
    return drawn


def _number(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")
