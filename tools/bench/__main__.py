"""`python -m tools.bench` (environment desk): Passerelle's understanding beside its peers; writes docs/bench/peers.md and its plots.

Every system learns the same examples and reads the same messages of tests/understanding/sets; every system's intents lead to the same answers.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from tools.bench.examples import every_example, sample
from tools.bench.page import write
from tools.bench.run import ROOT, SYSTEMS, BenchError, install_node, is_taught, measure, teach
from tools.yardstick import items

SIDE_BY_SIDE = 2000  # examples: more would keep DIET busy for hours (docs/bench/peers.md)
QUICK = [s for s in SYSTEMS if s not in ("rasa", "passerelle-5")]  # those that learn all of the examples, and something else from them than from a sample
LONG = ["rasa-10"]  # over an hour of two cores: learns only when it is named, and only all of the examples
SINGLE = ("question", "out of scope")  # subjects of the yardstick that one message asks


def main() -> int:
    """Runs what is asked for, then writes the page."""
    parser = argparse.ArgumentParser(prog="python -m tools.bench", description=__doc__)
    parser.add_argument("--examples", default=str(SIDE_BY_SIDE), metavar="N|all", help="how many examples every system learns from (default: %(default)s)")
    parser.add_argument(
        "--systems", nargs="+", choices=SYSTEMS, default=[s for s in SYSTEMS if s not in LONG], help=f"which systems (default: all but {LONG[0]})"
    )
    parser.add_argument("--sample-only", action="store_true", help="leave out the second table, of the quick systems on all examples")
    parser.add_argument("--resume", action="store_true", help="have those learn that an interrupted run did not come to; read anew with all")
    parser.add_argument("--page-only", action="store_true", help="write the page again from the last run")
    parser.add_argument("--work", type=Path, default=ROOT / "var/bench", help="where models and measurements go (default: %(default)s)")
    args = parser.parse_args()
    asked = [item for item in items() if item.subject in SINGLE]
    everything = every_example()
    if args.sample_only and not set(args.systems) - set(LONG):
        parser.error(f"{', '.join(LONG)} learns all of the examples only")
    size = len(everything) if args.examples == "all" else int(args.examples)
    chosen = sample(everything, size)
    parts = {"side-by-side": (chosen, [s for s in args.systems if s not in LONG or len(chosen) == len(everything)])}
    if len(chosen) < len(everything) and not args.sample_only:
        parts["all"] = (everything, [s for s in args.systems if s in QUICK])
    try:
        if not args.page_only:
            if "node-nlp" in args.systems:
                install_node()
            runs = [(examples, system, args.work / part / system) for part, (examples, systems) in parts.items() for system in systems]
            for examples, system, folder in runs:
                if not (args.resume and is_taught(folder)):
                    print(f"{system}, {len(examples):,} examples", flush=True)
                    teach(system, examples, folder)
            for _, system, folder in runs:  # one after the other, so that all are read under the same conditions
                measure(system, [item.turns[0] for item in asked], folder)
    except BenchError as error:
        print(f"passerelle: {error}", file=sys.stderr)
        return 1
    print(write(asked, [args.work / part for part in parts]).relative_to(ROOT))
    return 0


if __name__ == "__main__":
    sys.exit(main())
