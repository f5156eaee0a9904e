"""Red flags: emergencies, suicide, violence and signs to show to a doctor today, found in one message.

A finding is a signpost, never a triage: the same text follows whatever the
symptom. In doubt the more serious reading wins; negation, the past and general
questions lower a finding only within the rules at the head of lexicon.yml.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Any

from spacy.matcher import Matcher
from spacy.tokens import Doc
from spacy.vocab import Vocab

from bot.guard.lexicon import NUMBER, Element, Lexicon, Line, Part, load, skim
from bot.guard.normalise import fold
from bot.guard.spelling import Speller

_ADDRESS = re.compile(r"[^\s@]{1,64}@[^\s@]{1,200}\.[a-z]{2,12}\b|\bhttps?://\S{1,300}|\bwww\.\S{1,300}")
_PIECE = re.compile(r"[a-z0-9]+|[.!?;:,\n()«»\"…-]")
_CLAUSE_WORDS = frozenset("et mais or car donc puis".split())
_YEAR = re.compile("[4-9][0-9]")
_MEASURED = frozenset(
    "saturation sat spo2 o2 oxygene tension pouls coeur glycemie temperature fievre"
    " descend descendu descendue passe passee passer tombe tombee baisse monte montee".split()
)
_UNITS = frozenset(
    "pourcent pourcents pct degres km min mn minute minutes seconde secondes sec s h heure heures jour jours j semaines mois kg kilos euros francs pour".split()
)
_UNKNOWN = "_"  # any word the lexicon does not know; keeps visitors' words out of spaCy's string store
_NEGATIONS = frozenset("pas jamais aucun aucune sans ni".split())
_NEGATIVE_WORDS = _NEGATIONS | {"plus"}
_WHOLE = 7  # words from which a sentence with a question mark is a question, not a cry
_SOON = 6  # words within which a date after a sign belongs to it
_JUST = 3  # words between « survécu à » and what was survived
_BYSTANDERS = frozenset("il elle on ils elles lui quelqu est a mes depuis maintenant".split())
_DATES = frozenset(
    "apres avant hier depuis heure heures jour jours nuit matin soir semaine semaines mois an ans annee annees "
    "lundi mardi mercredi jeudi vendredi samedi dimanche".split()
)
_OWN = re.compile(r"(?<![a-z])(?:@?je|j|me|m|moi|suis|ai)(?![a-z])")  # words of a line of the lexicon that only the person concerned says
_NEAR = 25  # words within which the parts of one « a & b » line must lie
_STORY = 30  # words from which a message is a story, whose distant sentences tell of one sign only if the present is stated
_ADULT = 18  # from this number on, « 40 ans » is an age or a duration, never a temperature
_SPAN_OF_LIFE = 3  # words within which « depuis des années » belongs to the sign before it

# From the most to the least serious; « R-10 stated » is the bare topic, below a third person in danger.
_PRECEDENCE = (
    "R-10", "R-14", "R-15", "R-12", "R-10 stated", "R-13", "R-11",
    "R-01", "R-02", "R-03", "R-04", "R-05", "R-06", "R-07", "R-08", "R-09",
    "R-16", "R-17", "R-18", "R-31", "R-32", "R-33", "R-19",
    "R-21", "R-20", "R-23", "R-22", "R-24",
    "R-30", "R-34", "R-37", "R-35", "R-36",
    "P-01", "P-10", "R-44", "R-40", "P-02", "P-04", "P-05", "P-15", "P-14", "P-20",
)  # fmt: skip
_RANK = {name: rank for rank, name in enumerate(_PRECEDENCE)}
_CHRONIC = frozenset({"R-02", "R-03"})  # the vital signs people live with for years: short breath, what a stroke left
_VIOLENCE = frozenset({"R-20", "R-21"})
_SWINDLES = frozenset({"R-22", "R-24"})
_BEFORE_A_DATE = frozenset("le en c etait ce fut vers un jour soir matin lundi mardi mercredi jeudi vendredi samedi dimanche".split())
_SUICIDE = frozenset({"R-10", "R-11", "R-12", "R-13", "R-15"})


@dataclass(frozen=True)
class RedFlag:
    """The gravest sign found in a message.

    Attributes:
        rule: the rule of guard.md §5 that fired, such as « R-01 ».
        family: which family of answers it calls for.
        level: V (emergency services), S (suicide line), D (danger), J (doctor today), P (a personal question, to decline).
        urgent: for suicide, a plan, means or « maintenant » is stated.
        also_vital: a vital sign and a sign of suicide were both found.
    """

    rule: str
    family: str
    level: str
    urgent: bool = False
    also_vital: bool = False


@dataclass(frozen=True)
class _Span:
    """Words `start` to `end` (excluded) of the whole message."""

    start: int
    end: int
    negated: bool


class _Message:
    """One message cut into words, clauses and sentences."""

    def __init__(self, text: str, lexicon: Lexicon, speller: Speller) -> None:
        self.words: list[str] = []
        self.clause_starts: list[int] = [0]
        self.sentence_starts: list[int] = [0]
        self.asked: set[int] = set()  # sentences that end with a question mark
        folded = _ADDRESS.sub(" , ", fold(text))
        pieces = list(_PIECE.finditer(folded))
        for i, match in enumerate(pieces):
            piece = match.group()
            if len(piece) == 1 and not piece.isalnum():
                if not self._inside_word(pieces, i):
                    self._mark(piece)
                continue
            if piece in _CLAUSE_WORDS:
                self._mark(",")
            following = pieces[i + 1].group() if i + 1 < len(pieces) else ""
            if following in ("ans", "an") and piece.isdigit() and int(piece[:4]) >= _ADULT:
                self.words.append(NUMBER)
            elif self.words[-1:] == ["en"] and self._is_year(folded, pieces, i, following):
                self.words.append(f"19{piece}")  # « en 98 »
            else:
                self.words.append(self._known(piece, lexicon, speller))
        self._join_dates()

    @staticmethod
    def _is_year(folded: str, pieces: list[re.Match[str]], i: int, following: str) -> bool:
        """Tells whether two digits behind « en » are a year, and not what was measured (« la saturation descend en 85 »)."""
        number = pieces[i]
        measured = _MEASURED.intersection(piece.group() for piece in pieces[max(0, i - 5) : i])
        return bool(_YEAR.fullmatch(number.group())) and following not in _UNITS and not measured and not folded[number.end() :].lstrip().startswith("%")

    @staticmethod
    def _inside_word(pieces: list[re.Match[str]], i: int) -> bool:
        """Tells whether a mark lies between two single letters or digits: « s.o.s », « 38,5 », « 10:30 »."""
        if not 0 < i < len(pieces) - 1:
            return False
        before, mark, after = pieces[i - 1], pieces[i], pieces[i + 1]
        if mark.group() == "-":
            return mark.start() == before.end() and mark.end() == after.start()
        tight = mark.start() == before.end() and mark.end() == after.start()
        short = all(len(p.group()) == 1 or p.group().isdigit() for p in (before, after))
        return tight and short

    def _mark(self, piece: str) -> None:
        here = len(self.words)
        if piece == "?" and here:
            self.asked.add(self.sentence(here - 1))
        if here > self.clause_starts[-1]:
            self.clause_starts.append(here)
        if piece in ".!?;…" and here > self.sentence_starts[-1]:
            self.sentence_starts.append(here)

    @staticmethod
    def _known(word: str, lexicon: Lexicon, speller: Speller) -> str:
        if word in lexicon.vocabulary or word in lexicon.ordinary:
            return word
        if word.isdigit():
            return NUMBER if len(word) <= 3 and int(word) >= 8 else word
        return speller.correct(word)

    def _join_dates(self) -> None:
        """Joins « il y a 3 ans, » or « en 2019, » with the clause it dates."""
        starts = self.clause_starts
        kept = [starts[0]]
        for start, following in zip(starts, [*starts[1:], len(self.words)]):
            if start != kept[-1]:
                kept.append(start)
            clause = self.words[start:following]
            is_date = len(clause) <= 5 and (clause[:3] == ["il", "y", "a"] or clause[:1] == ["en"])
            if is_date and following < len(self.words) and following not in self.sentence_starts:
                starts = [s for s in starts if s != following]
        self.clause_starts = starts

    def clause(self, position: int) -> tuple[int, int]:
        """Gives the start and the end of the clause a word is in."""
        return _around(self.clause_starts, position, len(self.words))

    def sentence(self, position: int) -> int:
        """Gives the number of the sentence a word is in."""
        return bisect_right(self.sentence_starts, position) - 1

    def length_of(self, sentence: int) -> int:
        """Gives the number of words of a sentence."""
        bounds = [*self.sentence_starts, len(self.words)]
        return bounds[sentence + 1] - bounds[sentence]


def _around(starts: list[int], position: int, length: int) -> tuple[int, int]:
    i = bisect_right(starts, position) - 1
    return starts[i], starts[i + 1] if i + 1 < len(starts) else length


class _Engine:
    """The lexicon compiled once: one spaCy matcher for each part, run only where all its words occur."""

    def __init__(self, lexicon: Lexicon) -> None:
        self.lexicon = lexicon
        self.speller = Speller(lexicon.vocabulary)
        self._vocab = Vocab()
        self._matchers: dict[int, Matcher] = {}
        self._reaches: dict[int, list[tuple[frozenset[str], frozenset[str], int]]] = {}
        self._places: dict[str, list[tuple[int, int]]] = {}
        self._required: list[int] = []
        for number, part in enumerate(lexicon.parts):
            required = [element for element in part if element.words and not element.optional]
            self._required.append(len(required))
            for place, element in enumerate(required):
                for word in element.words:
                    self._places.setdefault(word, []).append((number, place))
        persons = {word for number in lexicon.frames["persons"] for element in lexicon.parts[number] for word in element.words} | _BYSTANDERS
        # Parts that only say of whom, or since when: they are no sign by themselves.
        self.bystanders = frozenset(number for number, part in enumerate(lexicon.parts) if all(element.words <= persons for element in part))
        self.diseases = frozenset(word for number in lexicon.frames["diseases"] for element in lexicon.parts[number] for word in element.words)
        self.context = persons | self.diseases | _DATES
        self._framed = frozenset[int]().union(*lexicon.frames.values())
        self._lines_by_part: dict[int, list[int]] = {}
        for i, line in enumerate(lexicon.lines):
            self._lines_by_part.setdefault(line.parts[0], []).append(i)

    def lines(self, parts: Collection[int]) -> list[Line]:
        """Gives the lines all of whose parts are among some, in the order of the file."""
        found = [i for number in parts for i in self._lines_by_part.get(number, ())]
        lines = self.lexicon.lines
        return [lines[i] for i in sorted(found) if all(number in parts for number in lines[i].parts)]

    def _matcher(self, number: int) -> Matcher:
        if number not in self._matchers:
            matcher = Matcher(self._vocab, validate=False)
            matcher.add("part", [[_token_pattern(element) for element in self.lexicon.parts[number]]])
            self._matchers[number] = matcher
        return self._matchers[number]

    def spans(self, message: _Message) -> dict[int, list[_Span]]:
        """Finds every part of the lexicon in a message.

        Args:
            message: The message.

        Returns:
            For each part met, where it is met.
        """
        result: dict[int, list[_Span]] = {}
        positions = skim(message.words)
        bounds = [*message.sentence_starts, len(message.words)]
        sentences: list[tuple[list[str], list[int], list[int]]] = []
        for start, end in pairwise(bounds):  # no pattern crosses the end of a sentence
            kept = positions[bisect_left(positions, start) : bisect_left(positions, end)]
            words = [message.words[i] for i in kept]
            sentences.append((words, kept, self._candidates(words)))
        possible = {number for _, _, candidates in sentences for number in candidates}
        # A part is looked for only where its whole line can be met, or where it frames others.
        useful = {number for line in self.lines(possible) for number in line.parts} | self._framed
        for words, kept, candidates in sentences:
            for number, spans in self._sentence_spans(words, kept, [number for number in candidates if number in useful]):
                result.setdefault(number, []).extend(spans)
        return result

    def _candidates(self, words: list[str]) -> list[int]:
        found: dict[int, set[int]] = {}
        for word in set(words):
            for number, place in self._places.get(word, ()):
                found.setdefault(number, set()).add(place)
        return [number for number, places in found.items() if len(places) == self._required[number]]

    def _can_be_met(self, number: int, places: dict[str, list[int]]) -> bool:
        """Whether each word a part needs has the next one within reach: a cheap look before spaCy's matcher reads the sentence again."""
        for one, next_one, reach in self._steps(number):
            after = [j for word in next_one for j in places.get(word, ())]
            if not any(0 < j - i <= reach for word in one for i in places.get(word, ()) for j in after):
                return False
        return True

    def _steps(self, number: int) -> list[tuple[frozenset[str], frozenset[str], int]]:
        """From each needed word of a part to the next: the choices of both, and how many words further the second may stand."""
        if number not in self._reaches:
            needed = [(i, element) for i, element in enumerate(self.lexicon.parts[number]) if not element.gap and not element.optional]
            between = [sum(e.gap or 1 for e in self.lexicon.parts[number][i + 1 : j]) for (i, _), (j, _) in pairwise(needed)]
            self._reaches[number] = [(frozenset(a.words), frozenset(b.words), 1 + more) for ((_, a), (_, b)), more in zip(pairwise(needed), between)]
        return self._reaches[number]

    def _sentence_spans(self, words: list[str], positions: list[int], candidates: list[int]) -> Iterator[tuple[int, list[_Span]]]:
        if not candidates:
            return
        vocabulary = self.lexicon.vocabulary
        doc = Doc(self._vocab, words=[word if word in vocabulary else _UNKNOWN for word in words])
        places: dict[str, list[int]] = {}
        for i, word in enumerate(words):
            places.setdefault(word, []).append(i)
        for number in candidates:
            part = self.lexicon.parts[number]
            if len(part) == 1:  # one word among some: no need of a matcher
                met = [(i, i + 1) for i, word in enumerate(words) if word in part[0].words]
            elif not self._can_be_met(number, places):
                continue
            else:
                met = [(start, end) for _, start, end in self._matcher(number)(doc)]
            spans = [_Span(positions[start], positions[end - 1] + 1, _is_negated(part, words, start, end)) for start, end in met]
            if spans:
                yield number, spans


def _token_pattern(element: Element) -> dict[str, Any]:
    if element.gap:
        return {"OP": f"{{0,{element.gap}}}"}
    words = sorted(element.words)
    pattern: dict[str, Any] = {"ORTH": words[0] if len(words) == 1 else {"IN": words}}
    if element.optional:
        pattern["OP"] = "?"
    return pattern


def _is_negated(part: Part, words: list[str], start: int, end: int) -> bool:
    """Tells whether a match is denied: « pas de fièvre », « je n'ai pas mal à la poitrine »."""
    if any(element.words & _NEGATIVE_WORDS for element in part):
        return False  # the negation belongs to the sign: « n'arrive pas à respirer »
    return bool(_NEGATIONS & set(words[max(0, start - 1) : end]))


@lru_cache(maxsize=1)
def _engine() -> _Engine:
    return _Engine(load())


@dataclass(frozen=True)
class _Hit:
    rule: str
    rank: int
    family: str
    level: str
    plan: bool
    own: bool = True  # said by the one who is in danger, as far as the line tells


def _near(spans: list[list[_Span]]) -> list[_Span]:
    """Chooses the first combination of spans, one for each part, that lie close together."""
    for first in spans[0]:
        chosen = [first]
        for others in spans[1:]:
            # Each part has words of its own: one « pas » cannot deny two things.
            close = [s for s in others if abs(s.start - first.start) <= _NEAR and not any(s.start < c.end and c.start < s.end for c in chosen)]
            if not close:
                break
            # A plain statement is preferred to a denied one.
            chosen.append(min(close, key=lambda s: (s.negated, abs(s.start - first.start))))
        else:
            if not any(span.negated for span in chosen):
                return chosen
    return []


class _Reading:
    """What surrounds the hits of one message: figures of speech, questions, the past, the present."""

    def __init__(self, engine: _Engine, text: str) -> None:
        self._engine = engine
        self.message = _Message(text, engine.lexicon, engine.speller)
        frames = engine.lexicon.frames
        spans = dated = engine.spans(self.message)
        figures = [span for number in frames["figures"] for span in spans.get(number, ())]
        if figures:
            for span in figures:
                for i in range(span.start, span.end):
                    self.message.words[i] = _UNKNOWN
            spans = engine.spans(self.message)
        self.spans = spans
        self._questions = self._sentences(frames["questions"])
        self._now = self._sentences(frames["now"])
        self._past = self._met(frames["past"])
        self._past_before = self._met(frames["past_before"])
        # A date stays one where it is part of a fixed term (« depuis son attaque de 2020 »).
        self._over, self._lasting = ([span for number in frames[name] for span in dated.get(number, ())] for name in ("over", "lasting"))
        self._healed = self._met(frames["healed"])
        self._dead = self._met(frames["dead"])
        self._unfolding = self._met(frames["unfolding"])
        self._persons = self._sentences(frames["persons"])
        self._fiction = self._sentences(frames["fiction"])
        self._animals = self._sentences(frames["animals"]) - self._sentences(frames["hurt_by"])
        self.imminent = any(number in spans for number in frames["imminent"])

    def _sentences(self, numbers: frozenset[int]) -> set[int]:
        return {self.message.sentence(span.start) for span in self._met(numbers)}

    def _met(self, numbers: frozenset[int]) -> list[_Span]:
        return [span for number in numbers for span in self.spans.get(number, ())]

    def _is_now(self, span: _Span) -> bool:
        sentence = self.message.sentence(span.start)
        return bool(self._now & {sentence - 1, sentence, sentence + 1})

    def _is_past(self, span: _Span) -> bool:
        start, end = self.message.clause(span.start)
        if any(start <= p.start < end and not (p.start >= span.start and p.end <= span.end) for p in self._past):
            return True
        return any(p.start <= span.start and span.start - p.end <= 2 for p in self._past_before)

    @staticmethod
    def _can_be_over(line: Line) -> bool:
        """Tells whether time can lower a sign: one's own wish to die and violence keep their lines, another's are history, as is an old swindle."""
        return line.level in "VJ" or line.rule == "R-12" or line.rule in _SWINDLES

    def _is_harmless(self, line: Line, span: _Span) -> bool:
        """Tells whether even a sign stated of someone is over for good, an animal's, or asked of nobody."""
        if self._is_healed(span) or self.message.sentence(span.start) in self._fiction:
            return True
        if self._is_now(span):
            return False
        if self._is_dated(span):
            return True
        if line.rule in _SWINDLES:
            return False
        sentence = self.message.sentence(span.start)
        start, end = self.message.clause(span.start)
        if sentence in self._animals or any(start <= dead.start < end for dead in self._dead):
            return True
        return self._is_asked(line, sentence) and sentence not in self._persons

    def _is_healed(self, span: _Span) -> bool:
        """Tells whether a sign is said to be healed, or to belong to a year gone by (« c'était en 2016 »)."""
        return any(span.start - _JUST <= healed.end and healed.start <= span.end + _SOON for healed in self._healed)

    def _is_dated(self, span: _Span) -> bool:
        """Tells whether a year gone by is told of a sign."""
        start, end = self.message.clause(span.start)
        # « un AVC en 2019 », « en 2019 j'ai fait un AVC », but not « ma cirrhose de 2019 je vomis du sang ».
        if any(0 <= over.start - span.end <= _SOON or (over.start - start <= 1 and over.end <= span.start) for over in self._over if start <= over.start < end):
            return True
        # « il s'est effondré au bal, le 21 août 1999, … »: a date between two commas.
        # It dates what is told in the past only: « il ne respire plus, le 12 mars 2018, il avait eu un AVC » is now.
        told_in_past = any(start <= past.start < end for past in self._past)
        if not told_in_past or end == len(self.message.words) or self.message.sentence(end) != self.message.sentence(span.start):
            return False
        _, end_of_date = self.message.clause(end)
        dates = [over for over in self._over if end <= over.start and over.end == end_of_date]
        return any(all(word in _BEFORE_A_DATE or word.isdigit() or word == NUMBER for word in self.message.words[end : date.start]) for date in dates)

    def _is_asked(self, line: Line, sentence: int) -> bool:
        """Tells whether a sentence is a general question; a mark alone makes one of a whole sentence about nobody, not of a cry."""
        if sentence in self._questions:
            return True
        whole = line.level == "J" or self.message.length_of(sentence) >= _WHOLE
        return whole and sentence in self.message.asked and sentence not in self._persons

    def _stands(self, line: Line, span: _Span) -> bool:
        """Tells whether frames leave a finding standing."""
        if line.kind == "asked":
            return True
        if line.kind == "always":
            return not (self._can_be_over(line) and self._is_harmless(line, span))
        now = self._is_now(span)
        if line.kind == "now":
            return now and not self._is_past(span) and not self._is_healed(span)
        if self._can_be_over(line) and self._is_harmless(line, span):
            return False
        asked = self._is_asked(line, self.message.sentence(span.start))
        return now or not (asked or self._is_past(span))

    def _is_lasting(self, line: Line, spans: list[_Span]) -> bool:
        """Tells whether a sign has been there for years: « mes jambes gonflent chaque été », not « une cirrhose depuis dix ans »."""
        if line.level != "J" and line.rule not in _CHRONIC:
            return False
        reach = _SPAN_OF_LIFE if line.level == "J" else 1
        for span in spans:
            if self._is_now(span) or all(self.message.words[i] in self._engine.diseases for i in range(span.start, span.end)):
                continue
            _, end = self.message.clause(span.end - 1)
            dates = [long.start for long in self._lasting if span.start < long.start <= span.end + reach and long.start < end]
            if any(self.message.words[start - 1] not in self._engine.diseases for start in dates):
                return True
        return False

    def _tells_years(self, span: _Span) -> bool:
        """Tells whether « depuis » alone meets a part, and begins « depuis 2017 » or « depuis des années »: no sign is new by it."""
        return self.message.words[span.start : span.end] == ["depuis"] and any(long.start == span.start for long in self._lasting)

    def _is_scattered(self, line: Line, spans: list[_Span]) -> bool:
        """Tells whether the parts of a line are met by chance, sentences apart in a long story that states no present."""
        if line.rule in _VIOLENCE or self._now or self._unfolding or len(self.message.words) < _STORY:
            return False
        sentences = [self.message.sentence(span.start) for span in spans]
        return max(sentences) - min(sentences) > (0 if line.level == "J" else 1)  # « Il vomit. C'est du sang. » is one sign

    def _is_context(self, span: _Span) -> bool:
        """Tells whether a part was met by words that only say of whom, since when or in which disease."""
        return self._engine.context.issuperset(self.message.words[span.start : span.end])

    def hit(self, line: Line) -> _Hit | None:
        """Applies one line of the lexicon.

        Args:
            line: A line all of whose parts are met (`_Engine.lines`).

        Returns:
            The hit, lowered if it is denied, or None.
        """
        found = [self.spans[number] for number in line.parts]
        if line.level == "J" and len(found) > 1:
            found = [[span for span in spans if not self._tells_years(span)] for spans in found]
        if len(found) > 1:
            chosen = _near(found)
            if not chosen or self._is_scattered(line, chosen) or (self._can_be_over(line) and self._is_lasting(line, chosen)):
                return None
            signs = [span for number, span in zip(line.parts, chosen) if number not in self._engine.bystanders and not self._is_context(span)] or chosen
            standing = any(self._stands(line, span) for span in signs)
            return _hit(line) if standing else None
        standing_spans = [span for span in found[0] if self._stands(line, span) and not (self._can_be_over(line) and self._is_lasting(line, [span]))]
        if not standing_spans:
            return None
        if line.level == "D" or not all(span.negated for span in standing_spans):
            return _hit(line)
        return None if line.kind == "now" else _denied(line)


def _hit(line: Line) -> _Hit:
    name = f"{line.rule} stated" if f"{line.rule} {line.kind}" in _RANK else line.rule
    return _Hit(line.rule, _RANK[name], line.family, line.level, line.plan, bool(_OWN.search(line.text)))


def _denied(line: Line) -> _Hit | None:
    """Lowers a denied sign by one level; a word of suicide always keeps its number."""
    if line.rule in _SUICIDE:
        return _Hit("R-11", _RANK["R-11"], "suicide_veiled", "S", False)
    if line.level == "V":
        return _Hit(line.rule, len(_PRECEDENCE), "same_day", "J", False)
    return None


def check(text: str) -> RedFlag | None:
    """Looks for the gravest danger sign in one message of a visitor.

    Args:
        text: The message as written, any length.

    Returns:
        The gravest red flag, or None for an ordinary message.
    """
    engine = _engine()
    reading = _Reading(engine, text)
    if not reading.spans:
        return None
    hits = [hit for line in engine.lines(reading.spans) if (hit := reading.hit(line))]
    if not hits:
        return None
    if any(hit.family == "suicide_other" for hit in hits):
        # « mon mari dit qu'il veut en finir »: a bare wish is the husband's.
        hits = [hit for hit in hits if hit.rule != "R-10" or hit.own or hit.plan]
    worst = min(hits, key=lambda hit: hit.rank)
    suicide = [hit for hit in hits if hit.rule in _SUICIDE]
    if not suicide:
        return RedFlag(worst.rule, worst.family, worst.level)
    vital = any(hit.level == "V" for hit in hits)
    spoken = any(hit.rule in ("R-10", "R-12") for hit in suicide)
    urgent = any(hit.plan for hit in suicide) or (spoken and reading.imminent)
    # A vital sign beside veiled words: the answer that gives both numbers.
    family = "suicide" if vital or urgent or worst.rule not in _SUICIDE else worst.family
    if worst.rule not in _SUICIDE:  # poisoning beside veiled words
        worst = min(suicide, key=lambda hit: hit.rank)
    return RedFlag(worst.rule, family, "S", urgent=urgent, also_vital=vital)
