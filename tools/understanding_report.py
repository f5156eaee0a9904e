"""How often visitors' questions get their right answer: `python -m tools.understanding_report http://127.0.0.1:8080` (environment desk).

Plays tests/understanding/sets through the visitor API of a running stack. A reply is right when it holds the facts asked for, whatever its words; a question
that the articles do not answer is right when it gets no answer out of them. Half of the items (validation) may be looked at while the assistant
is mended; the other half (test) is only counted.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor

from tests.stack_client import Reply, Visitor
from tools.guard_report import Score, wilson
from tools.yardstick import Item, items

AT_ONCE = 4  # conversations


def is_right(item: Item, reply: Reply) -> bool:
    """Whether the last reply of a conversation is what the item asks for."""
    if item.subject == "out of scope" and "answer" in reply.kinds:
        return False
    return not reply.lacks(item.holds) and not reply.holds(item.lacks)


def play(url: str, half: str | None = None) -> list[tuple[Item, Reply, bool]]:
    """Plays the items, each in a conversation of its own.

    Args:
        url: where the desk is; its rate limits must be off.
        half: ``validation`` or ``test``; None for both.
    """
    chosen = [item for item in items() if half in (None, item.half)]

    def one(item: Item) -> tuple[Item, Reply, bool]:
        visitor = Visitor(url)
        reply = [visitor.say(turn) for turn in item.turns][-1]
        return item, reply, is_right(item, reply)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(one, chosen))


def scores(played: list[tuple[Item, Reply, bool]]) -> dict[str, Score]:
    """One score a subject, and one a style of single questions, with the misses."""
    found: dict[str, Score] = defaultdict(lambda: Score(""))
    for item, reply, right in played:
        names = [item.subject, *([f"question, {item.style}"] if item.subject == "question" else [])]
        for name in [*names, f"{item.half}: {item.subject}"]:
            found[name].name = name
            found[name].add(right, f"[{item.id}] {' / '.join(item.turns)}", f"{', '.join(reply.kinds)}: {reply.text[:80]}")
    return dict(sorted(found.items()))


def table(found: dict[str, Score]) -> str:
    """The scores as Markdown, with 95 % Wilson intervals."""
    lines = ["| set | right | n | share | 95 % interval |", "| --- | ---: | ---: | ---: | --- |"]
    for name, score in found.items():
        low, high = wilson(score.right, score.n)
        lines.append(f"| {name} | {score.right} | {score.n} | {score.rate:.3f} | {low:.3f} to {high:.3f} |")
    return "\n".join(lines)


def main(argv: list[str]) -> int:
    """Prints the table, and the misses of the validation half."""
    found = scores(play(argv[0] if argv else "http://127.0.0.1:8080"))
    if "--misses" in argv:
        for name, score in found.items():
            if name.startswith("validation"):
                print(name, *score.misses, sep="\n  ")
    print(table(found))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
