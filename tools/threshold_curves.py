"""What each threshold of understanding costs and gains: `python -m tools.threshold_curves` (environment bot); writes docs/bench/thresholds.md.

The trained model reads the validation half of the yardstick and the sets of the guard once; then one number at a time is moved, the others staying as they are.
"""

from __future__ import annotations

import re
import sys
import tarfile
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import yaml
from rasa.nlu.classifiers.fallback_classifier import FallbackClassifier
from rasa.shared.nlu.constants import ENTITIES, INTENT, TEXT
from rasa.shared.nlu.training_data.message import Message

from bot import answers, train
from bot.nlu import corrections, understanding
from bot.nlu.content_reader import ContentReader
from bot.nlu.guard_classifier import GuardClassifier
from bot.nlu.intent_classifier import ALSO_ASKED, IntentClassifier
from bot.nlu.message_model import MessageModel, Reading
from bot.nlu.understanding import Thresholds, is_answered
from tools.bench.replies import Replier
from tools.guard_report import Verdict, is_caught
from tools.guard_report import items as guard_items
from tools.yardstick import Item, items

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs/bench/thresholds.md"
Parse = Callable[[str], Message]


class Remembering:
    """A model that reads each text once."""

    def __init__(self, model: MessageModel) -> None:
        self._model = model
        self._read: dict[tuple[str, bool], Reading] = {}

    def read(self, texts: Sequence[str], *, by_both: bool = False) -> list[Reading]:
        """See ``MessageModel.read``."""
        new = [text for text in dict.fromkeys(texts) if (text, by_both) not in self._read]
        if new:
            self._read.update(zip(((text, by_both) for text in new), self._model.read(new, by_both=by_both)))
        return [self._read[text, by_both] for text in texts]

    def sure_from(self, chance: float) -> None:
        """Has the first net be believed from another chance."""
        self._model._config["sure"] = chance
        self._read.clear()


class Pipeline:
    """The components of ``config.yml`` over the trained model, with thresholds that can be moved."""

    def __init__(self) -> None:
        steps = {step["name"].rpartition(".")[2]: step for step in yaml.safe_load((ROOT / "config.yml").read_text(encoding="utf-8"))["pipeline"]}
        config = {**IntentClassifier.get_default_config(), **steps["IntentClassifier"]}
        self.fallback = {key: value for key, value in steps["FallbackClassifier"].items() if key != "name"}
        self.least = Thresholds()
        self._classifier = IntentClassifier(config, None, None)  # type: ignore[arg-type]
        self._classifier._is_fitted = True
        with tempfile.TemporaryDirectory() as folder, tarfile.open(train.model_path()) as archive:
            archive.extractall(folder)
            fitted = next(Path(folder).rglob("letters.skops")).parent
            self.sure: float = config["sure"]
            self.model = Remembering(self._classifier._model.load(fitted))
        self._rest = (ContentReader(), GuardClassifier())

    def parse(self, text: str) -> Message:
        """What a message is taken for, by every component."""
        message = Message({TEXT: text})
        self._classifier._model, self._classifier._thresholds = self.model, self.least  # type: ignore[assignment]
        self._classifier.process([message])
        FallbackClassifier({**FallbackClassifier.get_default_config(), **self.fallback}).process([message])
        for component in self._rest:
            component.process([message])
        return message


class Judge:
    """Counts what is right on the sets."""

    def __init__(self) -> None:
        self._replier = Replier()
        self._asked = [item for item in items() if item.half == "validation" and len(item.turns) == 1]

    def understanding(self, parse: Parse) -> tuple[int, ...]:
        """Right: questions, two questions, out of scope; and questions that got two answers."""
        right = {"question": 0, "two questions": 0, "out of scope": 0}
        twice = 0
        for item in self._asked:
            replies = self._replies(parse(item.turns[0]))
            right[item.subject] += _is_right(item, replies)
            twice += item.subject == "question" and len(replies) > 1
        return (*right.values(), twice)

    def guard(self, parse: Parse) -> tuple[int, ...]:
        """Right: must catch, look-alikes, advice, not advice; and alarms on questions of the yardstick."""

        def verdict(text: str) -> Verdict:
            message = parse(text)
            name = message.get(INTENT)["name"]
            return Verdict(name, next((e["value"] for e in message.get(ENTITIES, []) if e["entity"] == name), ""))

        caught = sum(is_caught(verdict(i["text"]), i["rule"]) for i in guard_items("must_catch"))
        calm = sum(not verdict(i["text"]).is_alarm for i in guard_items("hard_negatives"))
        declined = sum(v.intent == "personal_advice" or v.is_alarm for v in map(verdict, _texts("advice")))
        answered = sum(v.intent != "personal_advice" and not v.is_alarm for v in map(verdict, _texts("not_advice")))
        return caught, calm, declined, answered, sum(verdict(item.turns[0]).is_alarm for item in self._asked)

    def _replies(self, message: Message) -> list[answers.Message]:
        named = {e["entity"]: e["value"] for e in message.get(ENTITIES, [])}
        first = message.get(INTENT)["name"]
        also = [asked for asked in message.get(ALSO_ASKED) or [] if is_answered(first) and asked != first]
        return list({reply.text: reply for reply in (self._replier.said(asked, named) for asked in (first, *also))}.values())


def main() -> int:
    """Writes the page."""
    pipeline, judge = Pipeline(), Judge()
    page = [INTRODUCTION.format(date=date.today().isoformat(), model=train.model_path().stem)]

    def table(title: str, values: Iterable[float], now: float, moved: Callable[[float], Any], count: Callable[[Parse], tuple[int, ...]], head: str) -> None:
        page.append(f"\n## {title}\n\n| from | {head} |\n| ---: |{' ---: |' * (head.count('|') + 1)}")
        for value in sorted({*values, now}):
            with moved(value):
                cells = " | ".join(map(str, count(pipeline.parse)))
            page.append(f"| {f'**{value:.2f}**' if value == now else f'{value:.2f}'} | {cells} |")
            print(page[-1], flush=True)

    asked = "questions | two questions | out of scope | questions answered twice"
    guarded = "must catch | look-alikes | advice | not advice | alarms on the yardstick"
    least, fallback = Thresholds(), float(pipeline.fallback["threshold"])

    @contextmanager
    def believed(value: float) -> Iterator[None]:
        kept, pipeline.fallback = pipeline.fallback, {**pipeline.fallback, "threshold": value}
        yield
        pipeline.fallback = kept

    def constant(module: Any, name: str) -> Callable[[float], Any]:
        @contextmanager
        def moved(value: float) -> Iterator[None]:
            kept = getattr(module, name)
            setattr(module, name, value)
            yield
            setattr(module, name, kept)

        return moved

    def threshold(name: str) -> Callable[[float], Any]:
        @contextmanager
        def moved(value: float) -> Iterator[None]:
            pipeline.least = replace(least, **{name: value})
            yield
            pipeline.least = least

        return moved

    @contextmanager
    def sure(value: float) -> Iterator[None]:
        pipeline.model.sure_from(value)
        yield
        pipeline.model.sure_from(pipeline.sure)

    few, many = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6), (0.3, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95)
    table("Understood at all (`config.yml`)", few, fallback, believed, judge.understanding, asked)
    table(
        "No article answers it (`corrections.BEYOND`)",
        (0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 1.1),
        corrections.BEYOND,
        constant(corrections, "BEYOND"),
        judge.understanding,
        asked,
    )
    table(
        "Meant as well (`understanding.NEAR`)",
        (0.05, 0.1, 0.15, 0.2, 0.3, 1.1),
        understanding.NEAR,
        constant(understanding, "NEAR"),
        judge.understanding,
        asked,
    )
    table(
        "A part is a question of its own (`understanding.OWN`)",
        (0.2, 0.3, 0.4, 0.5, 0.6, 0.8),
        understanding.OWN,
        constant(understanding, "OWN"),
        judge.understanding,
        asked,
    )
    surer = (0.6, 0.8, 0.9, 0.98, 1.1)
    table("The first net alone is believed (`sure`)", surer, pipeline.sure, sure, judge.understanding, asked)
    table("The first net alone is believed (`sure`): what the guard makes of it", surer, pipeline.sure, sure, judge.guard, guarded)
    table("An alarm of the whole message", many, least.alarm, threshold("alarm"), judge.guard, guarded)
    table("An alarm of a sentence", many, least.alarm_in_sentence, threshold("alarm_in_sentence"), judge.guard, guarded)
    table("A personal question", (0.2, 0.3, 0.4, 0.5, 0.6, 0.8), least.advice, threshold("advice"), judge.guard, guarded)
    table(
        "Calm: the lexicon is not believed where a question is at least so clear",
        (0.2, 0.3, 0.4, 0.6, 0.8, 1.1),
        least.calm_if_clear,
        threshold("calm_if_clear"),
        judge.guard,
        guarded,
    )
    PAGE.write_text("\n".join(page) + "\n", encoding="utf-8")
    return 0


INTRODUCTION = """# Thresholds of understanding

{date}, written by `python -m tools.threshold_curves` with the model {model}. One number moves, the others stay as they are; bold is what is in use. Counted are right
ones of the validation half of `tests/understanding/sets` (questions, two questions in one message, out of scope) and of the guard's sets (MODEL_CARD.md). The figures of the
test half, which nothing was chosen on, are in [understanding.md](understanding.md). Alarms from less than 0.53 are understated where the first net alone was believed."""


def _is_right(item: Item, replies: list[answers.Message]) -> bool:
    said = re.sub(r"[\u00a0\u202f]", " ", "\n".join(reply.text for reply in replies).replace("’", "'"))
    if item.subject == "out of scope" and any(reply.kind == "answer" for reply in replies):
        return False
    return all(_found(p, said) for p in item.holds) and not any(_found(p, said) for p in item.lacks)


def _found(pattern: str, text: str) -> bool:
    return re.search(pattern, text, re.IGNORECASE | re.DOTALL) is not None


def _texts(name: str) -> Iterator[str]:
    return (item["text"] for item in guard_items(name))


if __name__ == "__main__":
    sys.exit(main())
