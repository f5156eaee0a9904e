"""What the content makes of what was understood: a question that no article answers says so, a named disease gets its own text. No Rasa import."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from bot.nlu.clauses import asked_part
from bot.nlu.understanding import MOST_QUESTIONS, Ranking, is_answered
from bot.scope import ANY, GENERAL, LIVER, About, about, article_of, diseases
from bot.silence import SUCCESS_RATE, unsaid

UNANSWERED, NOT_UNDERSTOOD, EFFICACY, CONDITIONS, LIMITS = "ask_unanswered", "nlu_fallback", "ask_efficacy", "ask_conditions", "ask_limits"
FOLLOW_UP = "follow_up"
NOT_SAID = (UNANSWERED, "out_of_scope")
# With a disease named, these have one text: the disease's (bot.answers.SAID_BY_CONDITION). Their chances add up.
OF_THE_DISEASE = frozenset({EFFICACY, "ask_advantages", "ask_mechanism", "ask_disease", CONDITIONS, "ask_liver_diseases"})
BEYOND = 0.35  # so likely that no article says it: it is not answered,
UNSURE = 0.7  # where what was understood is less likely than this (it may have been corrected before)
UNHEARD = 0.7  # confidence below which a disease that no article names takes a question over
VAGUE = 0.4  # confidence below which what is asked, with no subject named, gives way to what the articles say of the disease that is
NOT_OF_CONTENT = ("ask_bot", "ask_status")
WITH_A_RATE = ("cirrhose", ANY)  # what is named in the liver's article beside its only share of patients who got better


@dataclass(frozen=True)
class Heard:
    """One message, or one of its questions, as it was understood.

    Attributes:
        text: its words.
        ranking: intents and confidences, best first.
        also: intents of further questions in it, one of another disease with its values as Rasa reads them behind a slash.
        parts: its clauses that are questions of their own, each with its intent, where there are several questions.
        named: what it is about.
        unsaid: what it asks that no article answers, by its French name.
    """

    text: str
    ranking: Ranking
    also: Sequence[str] = ()
    parts: Sequence[tuple[str, str]] = ()
    named: About = field(default_factory=About)
    unsaid: str | None = None

    @property
    def intent(self) -> str:
        """The likeliest."""
        return self.ranking[0][0]

    @property
    def confidence(self) -> float:
        """The likeliest one's."""
        return self.ranking[0][1]

    @property
    def names_a_disease(self) -> bool:
        """Whether it names a disease that an article speaks of."""
        return self.named.condition not in (None, ANY)

    @property
    def is_of_content(self) -> bool:
        """Whether it may ask something of the articles: a request, a personal question or an answer to the form stays what it is."""
        return (self.intent.startswith("ask_") and self.intent not in NOT_OF_CONTENT) or self.intent in (FOLLOW_UP, "out_of_scope", NOT_UNDERSTOOD)

    def led_by(self, intent: str, confidence: float = 1.0) -> Heard:
        """The same, taken for something else."""
        return replace(self, ranking=[(intent, confidence), *self.ranking])


def corrected(heard: Heard) -> Heard:
    """One message after all corrections."""
    heard = _of_another_disease(replace(heard, named=_named(heard.text)))
    return _disease_by_disease(_of_its_article(_question_by_question(heard) or _as_one_question(heard)))


def _as_one_question(heard: Heard) -> Heard:
    for correction in (_success_rate, _silence, _the_disease_itself, _beyond, _the_disease_first, _limits_of_a_disease):
        heard = correction(heard)
    return heard


def _named(text: str) -> About:
    """What a message is about: what its question names, else what its story does. Who tells of several diseases and names none in the question asks of none."""
    asked = asked_part(text)
    whole = about(text)
    if asked == text:
        return whole
    question = about(asked)
    if question.condition not in (None, ANY) or (question.condition == ANY and question.scope is None):
        return replace(question, figure=question.figure or whole.figure)
    several = question.scope is None and len(diseases(text)) > 1
    return About(whole.scope if whole.scope == LIVER else GENERAL, ANY, whole.figure, whole.asks_success_rate) if several else replace(whole, beside=())


def _of_another_disease(heard: Heard) -> Heard:
    """What only the liver's article says is never said of a disease of the other."""
    if not heard.intent.startswith("ask_liver_") or heard.named.scope != GENERAL or not heard.names_a_disease:
        return heard
    left = [r for r in heard.ranking if r[0] in OF_THE_DISEASE or not r[0].startswith("ask_liver_")]
    return replace(heard, ranking=left or [(CONDITIONS, 1.0)])


def _question_by_question(heard: Heard) -> Heard | None:
    """Of several questions each gets its own answer: first those that an article answers, in their order, then that it is silent on another.

    None where that changes nothing.
    """
    each = [_silence(_success_rate(Heard(text, [(intent, 1.0)], named=_named_in_part(text, heard.named)))) for text, intent in heard.parts]
    if not each or not heard.is_of_content:
        return None
    answered = list(dict.fromkeys(part.intent for part in each if is_answered(part.intent)))
    silent = next((part.unsaid for part in each if part.unsaid), None)
    # The message as a whole tells more than its parts where the silence has no name, or where the share and who got better stand in two of them.
    unnamed = any(part.intent == UNANSWERED and not part.unsaid for part in each)
    torn = heard.named.asks_success_rate and not any(part.named.asks_success_rate for part in each)
    if not answered or unnamed or torn or (silent is None and answered == [heard.intent, *heard.also]):
        return None
    figure = next((part.named.figure for part in each if part.named.figure), heard.named.figure)
    further = [*answered[1:], *[UNANSWERED] * bool(silent)]
    return replace(heard.led_by(answered[0]), also=further, unsaid=silent, named=replace(heard.named, figure=figure))


def _named_in_part(text: str, whole: About) -> About:
    """What one of several questions is about: what it names, else what the message does."""
    part = about(text)
    return part if part.scope or part.condition else replace(whole, asks_success_rate=part.asks_success_rate)


def _success_rate(heard: Heard) -> Heard:
    """How many get better: the articles give one share, of cirrhosis, and say of no other disease how many; in general they say that they give none."""
    if not heard.is_of_content or not heard.named.asks_success_rate:
        return heard
    if heard.named.scope == LIVER and heard.named.condition in WITH_A_RATE:
        return replace(heard.led_by(EFFICACY), named=replace(heard.named, figure="sixty"))
    return replace(heard.led_by(UNANSWERED), unsaid=SUCCESS_RATE) if heard.names_a_disease else heard.led_by(EFFICACY)


def _silence(heard: Heard) -> Heard:
    """A subject on which the articles are known to be silent."""
    if not heard.is_of_content or heard.named.asks_success_rate:
        return heard
    asked = heard.intent if heard.confidence >= UNHEARD else CONDITIONS  # little is understood but a disease that no article names
    subject = unsaid(asked_part(heard.text), asked, heard.text)
    return replace(heard.led_by(UNANSWERED), unsaid=subject) if subject else heard


def _the_disease_itself(heard: Heard) -> Heard:
    """Where little was understood but the disease, what the article says of it is the best answer there is."""
    if heard.unsaid or not heard.names_a_disease:
        return heard
    asked = about(asked_part(heard.text)).condition not in (None, ANY)  # not in the story alone
    vague = heard.intent == NOT_UNDERSTOOD or (heard.intent == UNANSWERED and heard.confidence < VAGUE and asked)
    together = sum(chance for name, chance in heard.ranking if name in OF_THE_DISEASE)
    outdone = is_answered(heard.intent) and heard.intent not in OF_THE_DISEASE and together > heard.confidence
    return heard.led_by(CONDITIONS) if vague or outdone else heard


def _beyond(heard: Heard) -> Heard:
    """What probably no article says is not answered out of them."""
    if not is_answered(heard.intent) or heard.confidence >= UNSURE:
        return heard
    chance = sum(chance for name, chance in heard.ranking if name in NOT_SAID)
    return heard.led_by(UNANSWERED, chance) if chance >= BEYOND else heard


def _the_disease_first(heard: Heard) -> Heard:
    """Where little more was understood of a question than the disease it names, that disease's text comes before what may be meant."""
    unclear = is_answered(heard.intent) and heard.intent not in OF_THE_DISEASE and heard.confidence < VAGUE
    if heard.unsaid or not unclear or about(asked_part(heard.text)).condition in (None, ANY):
        return heard
    return replace(heard.led_by(CONDITIONS), also=[heard.intent, *heard.also][: MOST_QUESTIONS - 1])


def _limits_of_a_disease(heard: Heard) -> Heard:
    """What can, or cannot, be hoped for in a disease is told by its own text first; with it there is no doubt left in which a third would help."""
    if heard.intent != LIMITS or not heard.names_a_disease:
        return heard
    further = [name for name in heard.also if name not in OF_THE_DISEASE] if heard.parts else []
    return replace(heard.led_by(CONDITIONS), also=[LIMITS, *further][: MOST_QUESTIONS - 1])


def _of_its_article(heard: Heard) -> Heard:
    """Further questions about the liver stand only where the message is about it."""
    return replace(heard, also=[name for name in heard.also if heard.named.scope == LIVER or not name.startswith("ask_liver_")])


def _disease_by_disease(heard: Heard) -> Heard:
    """What is asked of several diseases at once is answered for each, by its own text."""
    if heard.unsaid or heard.intent not in (*OF_THE_DISEASE, FOLLOW_UP) or not heard.named.beside:
        return heard
    asked = FOLLOW_UP if heard.intent == FOLLOW_UP else CONDITIONS
    further = [name for name in heard.also if name not in OF_THE_DISEASE]  # which have the same text
    each = [asked + json.dumps({"scope": article_of(name), "condition": name}) for name in heard.named.beside]
    return replace(heard, also=[*each, *further][: MOST_QUESTIONS - 1])
