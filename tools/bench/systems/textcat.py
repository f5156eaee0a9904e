"""spaCy's text categoriser in its default shape, on a blank French pipeline: no vectors of words from elsewhere."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

import spacy
from spacy.language import Language
from spacy.training import Example as Taught
from spacy.util import compounding, fix_random_seed, minibatch

from tools.bench.examples import Example

SHOWN, LEAST_EPOCHS = 120_000, 5  # so many messages are shown in training, however few there are to repeat; each at least so often
BATCHES = (8.0, 64.0, 1.01)  # sizes: the first, the largest, and how they grow
DROPOUT = 0.2
SEED = 42


class Textcat:
    """A trained pipeline of spaCy."""

    def __init__(self, nlp: Language) -> None:
        self._nlp = nlp

    def predict(self, text: str) -> list[tuple[str, float]]:
        """Intents by chance."""
        return sorted(((str(name), float(chance)) for name, chance in self._nlp(text).cats.items()), key=lambda r: -r[1])[:10]

    def save(self, folder: Path) -> None:
        """As spaCy stores a pipeline."""
        self._nlp.to_disk(folder)


def fit(examples: Sequence[Example]) -> Textcat:
    """Learns for a fixed number of epochs: there is no development set to stop by."""
    fix_random_seed(SEED)
    chance = random.Random(SEED)
    nlp = spacy.blank("fr")
    categoriser = nlp.add_pipe("textcat")
    names = sorted({e.intent for e in examples})
    for name in names:
        categoriser.add_label(name)  # type: ignore[attr-defined]
    taught = [Taught.from_dict(nlp.make_doc(e.text), {"cats": {name: float(name == e.intent) for name in names}}) for e in examples]
    optimizer = nlp.initialize(lambda: taught)
    sizes = compounding(*BATCHES)
    for _ in range(max(LEAST_EPOCHS, round(SHOWN / len(taught)))):
        chance.shuffle(taught)
        for batch in minibatch(taught, size=sizes):
            nlp.update(batch, sgd=optimizer, drop=DROPOUT)
    return Textcat(nlp)


def load(folder: Path) -> Textcat:
    """Reads what ``save`` wrote."""
    return Textcat(spacy.load(folder))
