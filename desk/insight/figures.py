"""The insight page's figures: each a title, a sentence, a plot, and the table of its numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from markupsafe import Markup

from bot.answers import Content
from bot.fields import SUBJECTS
from desk.french_time import DAYS, FIXED, ordinal
from desk.insight import labels, plots
from desk.insight.numbers import Numbers
from desk.insight.plots import french

MOST_TOPICS = 20
_HOURS = [f"{hour}{FIXED}h" for hour in range(24)]
_SHORT_MONTHS = "janv. févr. mars avr. mai juin juill. août sept. oct. nov. déc.".split()
Cell = str | int | float | None


@dataclass(frozen=True)
class Figure:
    """One figure. ``plot`` is None where there is nothing to draw."""

    key: str
    title: str
    summary: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    plot: Markup | None
    is_wide: bool = False
    legend: tuple[str, ...] = ()

    @property
    def shown(self) -> list[list[str]]:
        """The table as a page shows it."""
        return [[french(cell) if isinstance(cell, int | float) else cell or "" for cell in row] for row in self.rows]


def figures(numbers: Numbers, content: Content) -> list[Figure]:
    """All figures of a period."""
    return [
        _requests(numbers),
        _waits(numbers),
        _bars("sujets", "Demandes par sujet", "Sujet que le visiteur a choisi.", "Sujet", _named(numbers.subjects, lambda code: SUBJECTS.get(code, code))),
        _columns(
            "heures", "Demandes par heure", "Heure de réception, à l'horloge de la clinique.", "Heure", [f"{h}{FIXED}h" for h in range(24)], numbers.hours
        ),
        _columns(
            "jours",
            "Demandes par jour de la semaine",
            "Jour de réception.",
            "Jour",
            [day.capitalize() for day in DAYS],
            numbers.weekdays,
            short=[f"{day[:3]}." for day in DAYS],
        ),
        _bars(
            "questions",
            "Questions par thème",
            f"Réponses données à partir des articles{FIXED}; les {MOST_TOPICS} thèmes les plus demandés sont dessinés.",
            "Thème",
            _named(numbers.topics, lambda name: labels.topic(content, name)),
            is_wide=True,
        ),
        _not_understood(numbers),
        _bars(
            "sans-reponse",
            "Ce qui a été dit à la place",
            "Messages restés sans réponse, selon ce que l'assistant a dit.",
            "Réponse",
            _named(numbers.no_answers, lambda name: labels.NO_ANSWERS.get(name, name)),
        ),
        _bars(
            "relais",
            "Passage à l'équipe",
            "Ce qui mène d'une conversation à une personne.",
            "Étape",
            [(labels.HANDOFFS[n], c) for n, c in numbers.handoffs.items()],
        ),
        _bars(
            "alertes",
            "Alertes",
            "Messages auxquels l'assistant a répondu par un numéro d'urgence, par famille. Aucun texte n'est gardé.",
            "Famille",
            _named(numbers.alarms, labels.family),
        ),
        _bars(
            "conseils",
            "Conseils personnels refusés",
            "Questions renvoyées vers un médecin, par famille. Aucun texte n'est gardé.",
            "Famille",
            _named(numbers.advice, labels.family),
            is_wide=True,
        ),
    ]


def table(found: Sequence[Figure]) -> list[list[Cell]]:
    """All figures as one table for a spreadsheet: figure, line, measure, value."""
    rows: list[list[Cell]] = [["Tableau", "Ligne", "Mesure", "Valeur"]]
    for figure in found:
        for name, *values in figure.rows:
            rows += [[figure.title, name, measure, value] for measure, value in zip(figure.columns[1:], values)]
    return rows


def _requests(numbers: Numbers) -> Figure:
    total = sum(numbers.requests)
    waiting = f" {french(numbers.unanswered)} sans première réponse." if numbers.unanswered else ""
    summary = f"{_count(total, 'demande', 'reçue')} en {len(numbers.days)}{FIXED}jours, sans les indésirables.{waiting}"
    return _columns("demandes", "Demandes par jour", summary, "Jour", [_day(day) for day in numbers.days], numbers.requests, is_wide=True)


def _waits(numbers: Numbers) -> Figure:
    title, names = "Temps jusqu'à la première réponse", ("Médiane", "9 sur 10 en moins de")
    weeks = [f"sem. du {_day(wait.monday)}" for wait in numbers.waits]
    summary = "En heures écoulées, nuits et jours fermés compris, selon la semaine de réception. Seules comptent les demandes déjà répondues\u00a0; "
    summary += "une demande rouverte compte à partir de sa réouverture."
    series = [
        plots.Line(names[0], tuple(round(wait.median, 1) for wait in numbers.waits)),
        plots.Line(names[1], tuple(round(wait.ninth_decile, 1) for wait in numbers.waits)),
    ]
    plot = plots.lines("attente", title, summary, [_day(wait.monday) for wait in numbers.waits], series, f"{FIXED}h") if numbers.waits else None
    rows = tuple(zip(weeks, series[0].values, series[1].values, [wait.count for wait in numbers.waits]))
    return Figure("attente", title, summary, ("Semaine", "Médiane (h)", "9 sur 10 en moins de (h)", "Demandes"), rows, plot, is_wide=True, legend=names)


def _not_understood(numbers: Numbers) -> Figure:
    share = numbers.share_without_answer
    said = f" ({french(round(100 * share, 1))}{FIXED}% des questions)" if share is not None else ""
    summary = f"{_count(sum(numbers.not_understood), 'message')} sans réponse{said}."
    return _columns("incompris", "Questions non comprises", summary, "Jour", [_day(day) for day in numbers.days], numbers.not_understood, is_wide=True)


def _columns(
    key: str, title: str, summary: str, first: str, names: Sequence[str], values: Sequence[int], is_wide: bool = False, short: Sequence[str] | None = None
) -> Figure:
    plot = plots.columns(key, title, summary, short or names, values) if any(values) else None
    return Figure(key, title, summary, (first, "Nombre"), tuple(zip(names, values)), plot, is_wide)


def _bars(key: str, title: str, summary: str, first: str, items: Sequence[tuple[str, int]], is_wide: bool = False) -> Figure:
    plot = plots.bars(key, title, summary, items[:MOST_TOPICS]) if any(value for _, value in items) else None
    return Figure(key, title, summary, (first, "Nombre"), tuple(items), plot, is_wide)


def _named(counts: Mapping[str, int], name: Callable[[str], str]) -> list[tuple[str, int]]:
    """Counts under their French names, the highest first."""
    return sorted(((name(code), count) for code, count in counts.items()), key=lambda item: (-item[1], item[0]))


def _count(number: int, noun: str, adjective: str = "") -> str:
    many = "s" if number > 1 else ""
    return f"{french(number)}{FIXED}{noun}{many}" + (f" {adjective}{many}" if adjective else "")


def _day(day: date) -> str:
    return f"{ordinal(day.day)}{FIXED}{_SHORT_MONTHS[day.month - 1]}"
