"""`python -m tools.bench_speed` (environment desk): how fast a visitor's turn is; writes docs/bench/speed.md.

Trains Rasa's default pipeline on a few examples first (some four minutes, once: it is kept in var/bench/speed), then starts every stack on ports of its own.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tools.bench_speed import models, page
from tools.bench_speed.messages import QUESTIONS
from tools.bench_speed.models import ROOT, BenchError
from tools.bench_speed.page import DEFAULT, DEFAULT_RULES, EMPTY, PASSERELLE, Results, Start, directly, through_the_desk
from tools.bench_speed.stacks import Stack
from tools.bench_speed.turns import Lane, Timed, bookings_in_turns, crowds, questions_in_turns

PORTS_APART = 10
WARM_UP = 18  # questions in every lane before any is timed
LAST_WORDS = 1500  # characters of each log that are shown after a failure


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.bench_speed", description=__doc__)
    parser.add_argument("--rounds", type=int, default=4, help=f"how often the {len(QUESTIONS)} questions are asked in every lane (default: %(default)s)")
    parser.add_argument("--bookings", type=int, default=25, help="how many booking forms are filled in every lane (default: %(default)s)")
    parser.add_argument("--visitors", type=int, nargs="+", default=[1, 8, 32], help="how many at once (default: %(default)s)")
    parser.add_argument("--turns", type=int, default=400, help="turns of a lane at each of these, at least (default: %(default)s)")
    parser.add_argument("--blocks", type=int, default=2, help="in how many blocks (default: %(default)s)")
    parser.add_argument("--starts", type=int, default=2, help="how often a stack is started (default: %(default)s)")
    parser.add_argument("--without-rules-only", action="store_true", help="leave out the peer that has no stories")
    parser.add_argument("--model", type=Path, help="Passerelle's (default: that of the present inputs)")
    parser.add_argument("--port", type=int, default=8300, help="the first of those that are used (default: %(default)s)")
    parser.add_argument("--work", type=Path, default=ROOT / "var/bench/speed", help="where the peers' models are kept (default: %(default)s)")
    args = parser.parse_args()
    for name in [n for n in os.environ if n == "PORT" or n.startswith("PASSERELLE_")]:
        del os.environ[name]  # the settings of whoever runs the bench are not those of the stacks
    results = Results(bookings=args.bookings)
    try:
        projects = {PASSERELLE: models.passerelle(args.model), DEFAULT: models.rasa_default(args.work, has_stories=True)}
        if not args.without_rules_only:
            projects[DEFAULT_RULES] = models.rasa_default(args.work, has_stories=False)
        projects[EMPTY] = models.empty(args.work)
        begun, load = time.monotonic(), os.getloadavg()[0]
        with _folder() as folder:
            stacks = {name: Stack(project, folder / str(n), args.port + PORTS_APART * n) for n, (name, project) in enumerate(projects.items())}
            try:
                results.starts = _starts(stacks, args.starts)
                _measure(results, stacks, args)
            finally:
                for stack in stacks.values():
                    stack.stop()
            if results.failures:
                print(_logs(stacks), file=sys.stderr)
        results.load, results.minutes = (load, os.getloadavg()[0]), (time.monotonic() - begun) / 60
    except (BenchError, RuntimeError, OSError) as error:
        print(f"passerelle: {error}", file=sys.stderr)
        return 1
    path = page.write(results)
    print(path.read_text(encoding="utf-8"))
    return 1 if results.failures else 0


@contextmanager
def _folder() -> Iterator[Path]:
    """Where all databases and logs are: on the disk that ``var/`` is on, not in memory."""
    (ROOT / "var").mkdir(exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="bench-speed-", dir=ROOT / "var"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def _logs(stacks: dict[str, Stack]) -> str:
    """The last words of everything that ran."""
    files = [(name, path) for name, stack in stacks.items() for path in sorted((stack.folder / "log").glob("*.log"))]
    return "\n".join(f"{name}, {path.name}:\n{path.read_text(errors='replace')[-LAST_WORDS:]}" for name, path in files)


def _starts(stacks: dict[str, Stack], times: int) -> dict[str, list[Start]]:
    """Starts each stack so often, one after the other; after the last time they stay."""
    found: dict[str, list[Start]] = {name: [] for name in stacks}
    for time_ in range(times):
        for name, stack in stacks.items():
            print(f"starting {name} …", flush=True)
            ready = stack.start()
            begun = time.monotonic()
            first = Timed()
            visitor = Lane(name, stack, is_direct=False).visitor()
            visitor.say(QUESTIONS[0][1], first)
            visitor.close()
            if first.failures:
                raise BenchError(f"{name} does not answer: {dict(first.failures)}")
            found[name].append(Start(ready, ready + time.monotonic() - begun))
            if time_ < times - 1:
                stack.stop()
                shutil.rmtree(stack.folder)
    return found


def _measure(results: Results, stacks: dict[str, Stack], args: argparse.Namespace) -> None:
    desks = [Lane(through_the_desk(name), stack, is_direct=False) for name, stack in stacks.items() if name != EMPTY]
    floor = Lane(through_the_desk(EMPTY), stacks[EMPTY], is_direct=False)
    lanes = [*desks, *(Lane(directly(name), stack, is_direct=True) for name, stack in stacks.items())]
    print("warming up …", flush=True)
    questions_in_turns([*lanes, floor], 1, QUESTIONS[:WARM_UP])
    bookings_in_turns(lanes, 1)
    print("questions …", flush=True)
    results.questions = questions_in_turns([*lanes, floor], args.rounds)
    print("booking forms …", flush=True)
    results.forms, results.sent = bookings_in_turns(lanes, args.bookings)
    direct = [lane for lane in lanes if lane.name in (directly(PASSERELLE), directly(EMPTY))]
    for visitors in args.visitors:
        print(f"{visitors} at once …", flush=True)
        results.crowds[visitors] = crowds([*desks, *direct], visitors, args.turns, args.blocks)
    results.memory = {name: stack.memory() for name, stack in stacks.items()}


if __name__ == "__main__":
    sys.exit(main())
