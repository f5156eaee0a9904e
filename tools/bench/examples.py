"""What every system of the bench learns from: data/nlu, or a sample of it."""

from __future__ import annotations

import random
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import yaml

NLU = Path(__file__).resolve().parent.parent.parent / "data/nlu"
SEED = 20261122
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the same loader in C, where libyaml is there


@dataclass(frozen=True)
class Example:
    """One line of data/nlu. Only the assistant itself learns the variant; its peers have no notion of one."""

    text: str
    intent: str
    variant: str = ""


def every_example() -> list[Example]:
    """All of data/nlu, in the order of its files."""
    found = []
    for path in sorted(NLU.glob("*.yml")):
        for block in yaml.load(path.read_text(encoding="utf-8"), Loader=_LOADER)["nlu"]:
            variant = (block.get("metadata") or {}).get("variant", "")
            lines = (line.strip().removeprefix("- ").strip() for line in block["examples"].splitlines())
            found += [Example(text, block["intent"], variant) for text in lines if text]
    return found


def sample(examples: list[Example], size: int) -> list[Example]:
    """As many examples, each intent and variant with its own share of them (two at least), the same ones at each call.

    Args:
        examples: what to choose from.
        size: how many; the result may be a few off, as shares are rounded.
    """
    if size >= len(examples):
        return examples
    groups: dict[tuple[str, str], list[int]] = defaultdict(list)
    for place, example in enumerate(examples):
        groups[example.intent, example.variant].append(place)
    chance = random.Random(SEED)
    chosen: list[int] = []
    for _, places in sorted(groups.items()):
        wanted = max(2, round(size * len(places) / len(examples)))
        chosen += chance.sample(places, min(wanted, len(places)))
    return [examples[place] for place in sorted(chosen)]
