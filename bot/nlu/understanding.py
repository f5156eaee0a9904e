"""Decides what a message asks, from what was learned of the whole and of its parts. No Rasa import."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import Protocol

from bot.guard.normalise import fold
from bot.nlu.clauses import asked_part, clauses, sentences
from bot.nlu.message_model import ADVICE, ALARM, Reading

RANKING_LENGTH = 10
MOST_QUESTIONS = 3
MOST_SENTENCES = 12  # of a long message that are read one by one for an alarm
SIGNS = {"👍": "ok", "👌": "ok", "✅": "oui", "👎": "non", "❌": "non", "🙏": "merci", "❤": "merci"}
# Intents that an article answers; the others (who are you, my request, what no article says) are never a second question.
POLITE = frozenset({"greet", "thank", "goodbye", "affirm", "deny", "inform"})  # « merci, et c'est où ? » is a question
NOT_ANSWERED = frozenset({"ask_bot", "ask_privacy", "ask_status", "ask_unanswered"})
# What is said of the answer that was read: « je comprends rien à vos mots » does not ask the same again.
OF_THE_ANSWER = frozenset({"say_more", "not_my_question"})
# Practical questions: answered beside a personal one that is declined, for nobody takes the answer for one about the person.
PRACTICAL = frozenset({"ask_cost", "ask_price_factors", "ask_clinic", "ask_consultation", "ask_steps"})
FEW = 3  # words; what they say of danger is in the lexicon of bot/guard, what they look like is often a name
CLEAR = 0.5  # confidence from which a question to the articles is no doubt one
POSSIBLE = 0.001  # chance that a message must leave by itself to what it is taken for behind the question before
OWN = 0.4  # confidence from which a part of a message is a question of its own
DOUBTFUL = 0.7  # confidence below which a message is also taken for the next likeliest question
NEAR = 0.15  # that one's least confidence
PLAIN = 0.9  # confidence from which any other intent is as clear as that
RUDE = "insult"
RUDE_FROM = 0.5  # chance below which nobody is told to be courteous: « type 2 », « en gros » only share words with insults
MINOR = "minor"  # the variant of a personal question that a minor asks, and what they tell of themselves
_YOUNG = re.compile(
    r"(?<!depuis )(?<!y a )(?<!fait )\b(?:[89]|1[0-8]|huit|neuf|dix|onze|douze|treize|quatorze|quinze|seize)\b"
    r"|\b(?:mineure?s?|majeure?s?|ados?|adolescente?s?|colleg\w*|lyce\w*|ecole|primaire|prof\w*|classe|brevet|bac|seconde|terminale"
    r"|(?:nee?|naissance) .{0,12}20[012]\d|eleve|[3-6]e(?:me)?|c[em][12]|cp|secondaire [1-5]"
    r"|sixieme|cinquieme|quatrieme|troisieme|parents|maman|papa|mere|pere|tuteur|tutrice)\b"
)
DARK = frozenset({"personal_advice", "out_of_scope", RUDE})  # what a cry for help looks like to who has never heard one

Ranking = list[tuple[str, float]]  # intents and their confidences, best first


class Reader(Protocol):
    """What reads texts: ``bot.nlu.message_model.MessageModel``."""

    def read(self, texts: list[str], *, by_both: bool = False) -> list[Reading]:
        """What is learned of each text; by both nets even where the first is sure."""
        ...


@dataclass(frozen=True)
class Thresholds:
    """The chances from which an alarm or a personal question is believed (docs/bench/understanding.md has their curves).

    Attributes:
        alarm: of the whole message.
        alarm_in_sentence: of one sentence of it.
        alarm_if_clear: of either, where a question to the articles is clear, or where there are too few words to tell much (a name, a place).
        advice: of the whole message.
        advice_in_sentence: of one sentence.
        advice_if_unclear: of the whole, where nothing else is likelier than ``unclear_below``.
        unclear_below: a confidence.
        calm_below: the chance of the whole below which even the lexicon's finding is not believed,
        calm_in_sentence: where no sentence's chance of an alarm is as much as this,
        calm_if_clear: and the chances of all questions about the therapy add up to at least this.
    """

    alarm: float = 0.53
    alarm_in_sentence: float = 0.7
    alarm_if_clear: float = 0.7
    advice: float = 0.3
    advice_in_sentence: float = 0.9
    advice_if_unclear: float = 0.2
    unclear_below: float = 0.25
    calm_below: float = 0.02
    calm_in_sentence: float = 0.6
    calm_if_clear: float = 0.7


@dataclass(frozen=True)
class Understood:
    """What a message asks.

    Attributes:
        ranking: intents and confidences, best first; empty where the message holds no letter or digit.
        also: intents of further questions in the same message, in order; of one that may have been meant, where the first is in doubt;
            beside a personal question only practical ones.
        variant: which text of the first intent answers, where it has several.
        parts: the clauses that are questions of their own, each with its intent, in order; told only where there are several questions.
        calm: ``red_flag`` or ``personal_advice`` where it is as good as certain that a suspect message is none.
    """

    ranking: Ranking = field(default_factory=list)
    also: list[str] = field(default_factory=list)
    parts: list[tuple[str, str]] = field(default_factory=list)
    variant: str | None = None
    calm: frozenset[str] = frozenset()


def understand(text: str, model: Reader, least: Thresholds, before: str = "", *, is_suspect: bool = False) -> Understood:
    """Reads one message of a visitor.

    Args:
        text: the message.
        model: what was learned.
        least: from which chances a danger is believed.
        before: the question that the last answer was given to; what is not clear by itself is read behind it.
        is_suspect: whether the guard's lexicon found something in it: all of it is read by both nets then, for only they may say that it is none
            (``Understood.calm``). What sounds grave to the model is read so as well, lest one net be so sure of a question that a danger beside it is lost.
    """
    text = spoken(text)
    if not any(c.isalnum() for c in text):
        return Understood()
    asked, told = clauses(text), sentences(text)[:MOST_SENTENCES]
    question = asked_part(text)
    texts = list(dict.fromkeys([text, question, *asked, *told]))
    readings = {piece: _as_told(reading, text) for piece, reading in zip(texts, model.read(texts, by_both=is_suspect))}
    said = [readings[piece] for piece in (text, *told)]
    if not is_suspect and _sounds_grave(said, least):
        return understand(text, model, least, before, is_suspect=True)
    whole = _averaged(readings[text], readings[question]) if question != text else readings[text]  # a story and the question at its end
    ranked = [rank(readings[clause]) for clause in asked]
    ranking, also = choose(rank(whole), ranked)
    parts = own_questions(asked, ranked) if ranking[0][0].startswith("ask_") else []
    if before and not also and ranking[0][1] < (CLEAR if is_answered(ranking[0][0]) else PLAIN):
        together, alone = model.read([f"{spoken(before)} {text}", spoken(before)], by_both=is_suspect)
        heard = rank(together)[0][0]
        nothing_new = ranking[0][0] in OF_THE_ANSWER and heard == rank(alone)[0][0]
        if not nothing_new and readings[text].intents.get(heard, 0.0) >= POSSIBLE:  # else only the question before speaks
            ranking = rank(_averaged(readings[text], together))
    also = also or _meant_too(ranking)
    if alarm := _alarm(said, ranking, least, is_short=len(text.split()) <= FEW):
        ranking, also, parts = [(ALARM, alarm)], [], []
    elif advice := _advice(said, ranking, least):
        ranking, also, parts = _believing(ADVICE, advice, ranking), _practical(ranked), []
    return Understood(
        ranking,
        also,
        parts,
        _variant(ranking[0][0], said, least),
        _calm(said, [readings[clause] for clause in asked], ranking, least) if is_suspect else frozenset(),
    )


def _sounds_grave(readings: list[Reading], least: Thresholds) -> bool:
    """Whether a message (the first reading) or one of its sentences might be an alarm or a personal question."""
    whole, *parts = readings
    return whole.alarm >= least.alarm or any(r.alarm >= least.alarm_in_sentence for r in parts) or any(r.advice >= least.advice for r in readings)


def rank(reading: Reading) -> Ranking:
    """Intents by chance, best first; an insult only where it is likely."""
    return sorted(((i, c) for i, c in reading.intents.items() if i != RUDE or c >= RUDE_FROM), key=lambda r: -r[1])[:RANKING_LENGTH]


def _averaged(one: Reading, other: Reading) -> Reading:
    """Two readings of the same question, half and half; alarm and variants are the first one's."""
    return Reading({i: (c + other.intents.get(i, 0.0)) / 2 for i, c in one.intents.items()}, one.alarm, one.variants)


def spoken(text: str) -> str:
    """The text without markup, and with the signs that people answer with put into words."""
    text = re.sub(r"<[^<>]{1,200}>", " ", text)
    for sign, word in SIGNS.items():
        text = text.replace(sign, f" {word} ")
    return text.strip()


def is_answered(intent: str) -> bool:
    """Whether an intent is a question to the articles."""
    return intent.startswith("ask_") and intent not in NOT_ANSWERED


def is_of_the_therapy(intent: str) -> bool:
    """Whether an intent is a question about the therapy or the clinic, be it one that no article answers."""
    return is_answered(intent) or intent == "ask_unanswered"


def choose(whole: Ranking, parts: list[Ranking]) -> tuple[Ranking, list[str]]:
    """Decides what a message asks, given the rankings of the whole and of its clauses.

    Args:
        whole: ranking of the whole message, best first.
        parts: rankings of its clauses, in order.

    Returns:
        The ranking of the first question, and the intents of the others. A request, an advice or a red flag told by the whole
        is never split into harmless questions.
    """
    if not parts or not (whole[0][0].startswith("ask_") or whole[0][0] in POLITE):
        return whole, []
    is_silent = not is_answered(whole[0][0]) and whole[0][1] >= PLAIN  # « la dose, exprimée en …, généralement administrée ? »: its pieces sound like others
    clear = [r for r in parts if r[0][1] >= (PLAIN if is_silent else OWN) and is_answered(r[0][0])]
    asked = list(dict.fromkeys(r[0][0] for r in clear))
    if len(asked) >= 2:
        return next(r for r in clear if r[0][0] == asked[0]), asked[1:MOST_QUESTIONS]
    best = max(clear, key=lambda r: r[0][1], default=whole)
    surer = best[0][1] > whole[0][1] or whole[0][0] in POLITE
    return (best if surer else whole), []


def own_questions(clauses: list[str], rankings: list[Ranking]) -> list[tuple[str, str]]:
    """The clauses that are questions of their own, each with its intent: one that an article answers, or that it is silent on; none where all ask the same."""
    found = [(clause, r[0][0]) for clause, r in zip(clauses, rankings) if r[0][1] >= OWN and is_of_the_therapy(r[0][0])]
    return found if len({intent for _, intent in found}) > 1 else []


def _practical(rankings: list[Ranking]) -> list[str]:
    """The practical questions among the clauses of a message, each plain by itself."""
    return list(dict.fromkeys(r[0][0] for r in rankings if r[0][0] in PRACTICAL and r[0][1] >= PLAIN))[: MOST_QUESTIONS - 1]


def _believing(intent: str, chance: float, ranking: Ranking) -> Ranking:
    """A ranking led by an intent that is believed although others are likelier, clearly enough not to pass for a doubt between them."""
    sure = max(chance, CLEAR)
    return [(intent, sure), *((other, min(c, sure / 2)) for other, c in ranking if other != intent)]


def _meant_too(ranking: Ranking) -> list[str]:
    """The question that a message may ask as well as the likeliest: where it is in doubt, the answers to both help more than half a chance of the right one."""
    (first, confidence), *rest = ranking
    if not rest or confidence >= DOUBTFUL or not is_answered(first):
        return []
    second, chance = rest[0]
    return [second] if chance >= NEAR and is_answered(second) else []


def _alarm(readings: list[Reading], ranking: Ranking, least: Thresholds, *, is_short: bool) -> float:
    """The chance of a red flag in a message (the first reading) or one of its sentences; 0 where it is too small to be believed."""
    intent, confidence = ranking[0]
    is_clear = intent not in DARK and confidence >= (CLEAR if is_answered(intent) else PLAIN)
    floor = least.alarm_if_clear if is_clear or is_short else 0.0
    return _believed([r.alarm for r in readings], max(least.alarm, floor), max(least.alarm_in_sentence, floor))


def _advice(readings: list[Reading], ranking: Ranking, least: Thresholds) -> float:
    """Likewise, of a personal question. What is not understood but sounds personal is declined as such: « je n'ai pas compris » helps nobody."""
    whole = readings[0].advice
    if ranking[0][1] < least.unclear_below and whole >= least.advice_if_unclear:
        return max(whole, least.unclear_below)
    return _believed([r.advice for r in readings], least.advice, least.advice_in_sentence)


def _believed(chances: list[float], whole_from: float, part_from: float) -> float:
    whole, *parts = chances
    return max([c for c in parts if c >= part_from] + [whole] * (whole >= whole_from), default=0.0)


def _calm(readings: list[Reading], asked: list[Reading], ranking: Ranking, least: Thresholds) -> frozenset[str]:
    """What a message is certainly not: clearly a question to the articles, be it in doubt which, and no sentence or clause sounds like it."""
    if not is_answered(ranking[0][0]) or sum(chance for intent, chance in ranking if is_answered(intent)) < least.calm_if_clear:
        return frozenset()
    whole, *parts = readings
    no_alarm = whole.alarm < least.calm_below and all(r.alarm < least.calm_in_sentence for r in (*parts, *asked))
    no_advice = whole.advice < least.calm_below and all(r.advice < least.advice for r in parts)
    return frozenset(name for name, is_calm in ((ALARM, no_alarm), (ADVICE, no_advice)) if is_calm)


def _variant(intent: str, readings: list[Reading], least: Thresholds) -> str | None:
    """Which text answers: as the whole message has it where that is clearly a personal question, else as the part that says most of the intent."""
    whole = readings[0]
    if intent == ADVICE and whole.advice >= least.advice:
        telling = whole
    else:
        telling = max(readings, key=lambda r: r.alarm if intent == ALARM else r.intents.get(intent, 0.0))
    variants = telling.variants.get(intent, {})
    return max(variants, key=lambda variant: variants[variant], default=None)


def _as_told(reading: Reading, text: str) -> Reading:
    """What was learned of a piece of a message. Who tells of years (« g 58 ans »), but of nothing young, is no minor."""
    variants = reading.variants.get(ADVICE, {})
    if MINOR not in variants or _YOUNG.search(fold(text)):
        return reading
    older = {variant: chance for variant, chance in variants.items() if variant != MINOR}
    return replace(reading, intents={**reading.intents, ADVICE: sum(older.values())}, variants={**reading.variants, ADVICE: older})
