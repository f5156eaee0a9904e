"""Words that no text for a visitor may use, and what a text on efficacy or safety must have (guard 4.1, 4.2). No Rasa import.

``claims.yml`` holds the words, the reasons and the frames in which a word is allowed. One pass over the words of a text, with an
index on the first word of each phrase: the time grows with the length of the text alone. In doubt a text is refused: a person
reads the refusal, a visitor would believe the claim.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from bot.guard.phrases import Found, Index, Phrase, Reader, Word, split

FAMILIES = frozenset({"cure", "certainty", "safety", "hype", "authority", "pressure", "price", "reassurance"})
CLAIMS = frozenset({"efficacy", "safety"})  # what ``metadata.claim`` of a response may be
_FILE = Path(__file__).with_name("claims.yml")
_STOP = re.compile(r"[,;:()\[\]•·/\n–—]")  # a negation does not reach beyond these
_SOFT_STOP = re.compile(r"^[\s«»\"“”]*,[\s«»\"“”]*$")
# Words that end a negation's reach, and the little words that may stand between coordinated ones.
_BARRIERS = frozenset("mais et car donc or puis ainsi qui dont lorsque quand si grace avec parce afin puisque tout".split())
_ARTICLES = frozenset("un une le la les l des de d du aussi non totalement".split())
_WITH_NE = frozenset("pas jamais rien aucun aucune guere point nullement personne ni nul nulle aucunement".split())
_SUBJECTS = frozenset("aucun aucune rien personne nul nulle ni".split())
_BARE_NE = frozenset("peut peuvent saurait sauraient pourrait pourraient sait puis".split())  # « on ne saurait garantir »
_COMPARED = frozenset("aussi plus mieux autant si meilleur meilleure".split())
_NAMED = frozenset("article articles clinique".split())
_REACH = 12  # words a negation may stand before what it denies
_CONDITIONAL = re.compile(r"\w{2,}r(?:ait|aient)\b")
_NOT_CONDITIONAL = frozenset("trait extrait portrait retrait attrait contrait soustrait distrait abstrait".split())


@dataclass(frozen=True)
class Refusal:
    """One word or phrase that may not stand in a text.

    Attributes:
        word: as it stands in the text.
        family: one of ``FAMILIES``.
        position: where it begins in the text.
        rule: id of the entry of ``claims.yml``, which holds the reason.
    """

    word: str
    family: str
    position: int
    rule: str


@dataclass(frozen=True)
class _Rules:
    """``claims.yml`` as read; ``cues`` are the words that make a frame."""

    refused: Index
    expressions: Index
    cues: Mapping[str, Index]
    modal: Index
    limits: Mapping[str, Index]
    reasons: Mapping[str, str]


@dataclass(frozen=True)
class _Cue:
    """Where the words of one frame stand in a text: their first words, all their words, their sentences."""

    starts: frozenset[int]
    covered: frozenset[int]
    sentences: frozenset[int]


def refused(text: str) -> list[Refusal]:
    """What a text says that no text may say.

    Args:
        text: as a visitor would read it.

    Returns:
        Each refused word once, in order; empty for a good text.
    """
    return _Reading(text).refusals()


def lacks(text: str, metadata: Mapping[str, Any]) -> list[str]:
    """What a response on efficacy or safety should say and does not (guard 4.2, G-14).

    Args:
        text: the response's text.
        metadata: its own; ``claim`` tells what the text is about. Without it nothing is asked.

    Returns:
        Some of « attribution », « modal », « limit ».

    Raises:
        KeyError: ``claim`` is none of ``CLAIMS``.
    """
    claim = metadata.get("claim")
    if claim is None:
        return []
    rules, words = _rules(), split(text)
    present = {
        "attribution": any(any(w.folded in _NAMED for w in words[f.start : f.end]) for f in rules.cues["attributions"].find(words)),
        "modal": _has_modal(words),
        "limit": rules.limits[claim].meets(words),
    }
    return [name for name, there in present.items() if not there]


def reason(rule: str) -> str:
    """Why an entry of ``claims.yml`` is there."""
    return _rules().reasons[rule]


class _Reading:
    """One text with everything that may allow a word in it."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.words = split(text)
        self.rules = _rules()
        self._cues: dict[str, _Cue] = {}
        self._bounds: dict[int, tuple[int, int]] = {}  # sentence → its first word and the one after its last
        for i, word in enumerate(self.words):
            self._bounds[word.sentence] = (self._bounds.get(word.sentence, (i, i))[0], i + 1)
        self._named_at = next((i for i, word in enumerate(self.words) if word.folded in _NAMED), len(self.words))

    def refusals(self) -> list[Refusal]:
        found = self.rules.refused.find(self.words)
        if not found:
            return []
        fixed: dict[int, int] = {}  # where a fixed expression begins → where it ends
        for f in self.rules.expressions.find(self.words):
            if not self._is_cut(f):
                fixed[f.start] = max(f.end, fixed.get(f.start, 0))
        kept: list[Found] = []
        denied: set[int] = set()  # words after which a coordinated one is denied too
        for match in sorted(found, key=lambda f: (f.start, -f.end)):
            if any(match.end <= fixed.get(start, 0) for start in range(match.start - _REACH, match.start + 1)):
                continue
            if self._is_allowed(match, denied):
                denied.add(match.end)
            elif not any(match.end <= k.end for k in kept[-_REACH:]):
                kept.append(match)
        return [self._refusal(f) for f in kept]

    def _refusal(self, found: Found) -> Refusal:
        start, end = self.words[found.start].start, self.words[found.end - 1].end
        return Refusal(self.text[start:end], found.phrase.family, start, found.phrase.rule)

    def _is_allowed(self, found: Found, denied: set[int]) -> bool:
        frames = found.phrase.frames
        if "negation" in frames and (self._is_denied(found) or self._is_denied_after(found) or self._is_coordinated(found, denied)):
            return True
        if "dire" in frames and self._is_only_said(found):
            return True
        if "question" in frames and self._is_asked(found):
            return True
        if "attribution" in frames and self._is_attributed(found):
            return True
        if "conditionnel" in frames and self._is_attributed(found) and self._is_hedged(found):
            return True
        return "urgence" in frames and self._sentence_has("urgences", found.start)

    def _is_cut(self, found: Found) -> bool:
        """Whether a comma or the like goes through a fixed expression: « le soir même, sans douleur »."""
        return "virgule" not in found.phrase.frames and any(_STOP.search(word.before) for word in self.words[found.start + 1 : found.end])

    # ---- negation

    def _is_denied(self, found: Found) -> bool:
        """« n'est pas une guérison », « rien ne prouve », « ne garantit pas »."""
        scope = self._scope(found.start)
        if self._turned(scope):
            return False
        if self._negates(scope):
            return True
        # « ne » and « pas » may stand inside a phrase with gaps: « la thérapie ne remplace pas votre traitement ».
        inner = [i for i in range(found.start, found.end) if not found.phrase.holds(self.words[i])]
        ne = [i for i in [*scope[-4:], *inner] if self.words[i].folded in ("ne", "n")]
        if not ne:
            return False
        if any(self.words[i].folded in _BARE_NE for i in range(ne[-1], found.start)):
            return True
        if any(self._is_negative(i) for i in [*inner, *self._after(found.end, 3)] if i > ne[-1]):
            return True
        if not scope or ne[-1] >= found.start:
            return False
        # « Aucun traitement, quel qu'il soit, n'est… »: the subject stands before the aside.
        earlier = range(max(self._sentence(found.start).start, scope[0] - 2 * _REACH), scope[0])
        return any(self.words[i].folded in _SUBJECTS and not self._in("fausses_negations", i) for i in earlier) and not self._compares(scope)

    def _is_negative(self, i: int) -> bool:
        """« pas », « aucun »… but not « pas seulement », « pas que »."""
        following = self.words[i + 1].folded if i + 1 < len(self.words) else ""
        return self.words[i].folded in _WITH_NE and following not in ("que", "qu") and not self._in("fausses_negations", i)

    def _negates(self, scope: list[int]) -> bool:
        for i in scope:
            if not self._starts("negatifs", i) or self._in("fausses_negations", i):
                continue
            between = [j for j in scope if j > i]
            word = self.words[i].folded
            if word in _SUBJECTS | {"jamais"} and self._compares(between):
                continue
            if word == "non" and len(between) > 2:
                continue
            return True
        near = scope[-3:]
        return any(self.words[i].folded == "sans" and not self._in("fausses_negations", i) for i in near) and not any(
            self._starts("negatifs", i) for i in scope
        )

    def _turned(self, scope: list[int]) -> bool:
        """Whether a second negation turns the first round: « n'est pas impossible »."""
        turns = [i for i in scope if self._starts("retournements", i)]
        if not turns:
            return False
        # « impossible de garantir », « sans garantie » stand alone; with a negation before them they turn it.
        before = [i for i in scope if i < turns[-1]]
        alone = self.words[turns[-1]].folded in ("impossible", "impossibles", "incapable", "sans", "faux", "exclu", "exclue")
        return not alone or any(self.words[i].folded in _WITH_NE or self.words[i].folded in ("ne", "n") for i in before)

    def _is_denied_after(self, found: Found) -> bool:
        """« Une guérison n'est pas promise »: the denial follows its subject."""
        after = self._after(found.end, _REACH)
        folded = [self.words[i].folded for i in after]
        for place, word in enumerate(folded):
            if word in ("ne", "n") and set(folded[place + 1 : place + 5]) & (_WITH_NE - {"personne"}) and not self._in("fausses_negations", after[place]):
                return any(self._starts("demenis", i) for i in after[place + 2 :])
        return False

    def _is_coordinated(self, found: Found, denied: set[int]) -> bool:
        """« n'est pas sûr et sans risque », « ni guérison, ni miracle »: denied together with the word before."""
        i = found.start - 1
        while i >= 0 and self.words[i].folded in _ARTICLES and self.words[i].sentence == self.words[found.start].sentence:
            i -= 1
        if i + 1 in denied:
            joined = "".join(self.words[j].before for j in range(i + 1, found.start + 1))
            return bool(_SOFT_STOP.match(joined.strip())) if "," in joined else False
        return i >= 0 and self.words[i].folded in ("et", "ou", "ni") and i in denied

    def _compares(self, indexes: list[int]) -> bool:
        return any(self.words[i].folded in _COMPARED for i in indexes)

    def _scope(self, start: int) -> list[int]:
        """The words before ``start`` that a negation may govern it from, nearest last."""
        scope: list[int] = []
        aside = False  # inside « …, à ce jour, … » read from its end
        i = start - 1
        while i >= 0 and len(scope) < _REACH and self.words[i].sentence == self.words[start].sentence:
            gap = self.words[i + 1].before
            if _STOP.search(gap):
                if not _SOFT_STOP.match(gap) or not (aside or self._goes_on(i + 1)):
                    break
                aside = not aside
            word = self.words[i].folded
            if word in ("que", "qu"):
                if not self._is_saying(i):
                    break
            elif word == "pour":
                if not any(self.words[j].folded.startswith(("suffi", "assez")) for j in range(max(0, i - 4), i)) and not self._starts("dire", i + 1):
                    break
            elif word in _BARRIERS and not (word == "qui" and self._is_none(i)):
                break
            scope.insert(0, i)
            i -= 1
        return scope

    def _goes_on(self, i: int) -> bool:
        """Whether a clause goes on after a comma: « ne permet pas, à lui seul, d'affirmer »."""
        word = self.words[i].folded
        following = self.words[i + 1].folded if i + 1 < len(self.words) else ""
        return word in ("de", "d", "ni", "ou") and following not in ("plus", "ou", "ailleurs", "autant")

    def _is_saying(self, i: int) -> bool:
        """Whether « que » at ``i`` follows a verb of saying or proving."""
        return any(self._starts("dire", j) for j in range(max(0, i - 3), i))

    def _is_none(self, i: int) -> bool:
        """« aucun traitement qui… », « rien qui… »."""
        before = {self.words[j].folded for j in range(max(0, i - 3), i)}
        return bool(before & {"aucun", "aucune", "rien", "personne"}) and not before & {"autre", "autres"}

    def _after(self, end: int, count: int) -> list[int]:
        """The next words of the same clause."""
        found: list[int] = []
        for i in range(end, min(len(self.words), end + count)):
            word = self.words[i]
            if word.sentence != self.words[end - 1].sentence or _STOP.search(word.before) or word.folded in ("mais", "et", "car", "donc", "qui"):
                break
            found.append(i)
        return found

    # ---- other frames

    def _is_only_said(self, found: Found) -> bool:
        """« ne veut pas dire qu'il n'y a aucun risque », « on ne peut promettre aucune douleur »."""
        scope = self._scope(found.start)
        says = [i for i in scope if self._starts("dire", i)]
        if not says:
            return False
        up_to = [i for i in scope if i <= says[-1] + 1]
        negative = any(self.words[i].folded in _WITH_NE and not self._in("fausses_negations", i) for i in up_to)
        bare = any(self.words[i].folded in ("ne", "n") for i in up_to) and any(self.words[i].folded in _BARE_NE for i in up_to)
        impossible = any(self.words[i].folded in ("impossible", "faux") for i in up_to)
        return negative or bare or impossible

    def _is_asked(self, found: Found) -> bool:
        sentence = self._sentence(found.start)
        if any(self._starts("indirectes", i) for i in range(max(sentence.start, found.start - 8), found.start)):
            return True
        if "?" not in self._closing(sentence[-1]) or not self._sentence_has("interrogatifs", found.start) or self._sentence_has("accroches", found.start):
            return False
        return not self._starts("affirmations", sentence.stop)

    def _is_attributed(self, found: Found) -> bool:
        if self._sentence_has("fausses_attributions", found.start):
            return False
        # « il dit » is the article only where the text has named it.
        named = self._named_at < found.end
        return any(self._starts("attributions", i) and (named or self.words[i].folded != "il") for i in self._sentence(found.start))

    def _is_hedged(self, found: Found) -> bool:
        return _has_modal([self.words[i] for i in self._sentence(found.start)])

    # ---- places

    def _sentence(self, i: int) -> range:
        return range(*self._bounds[self.words[i].sentence])

    def _closing(self, last: int) -> str:
        return self.words[last + 1].before if last + 1 < len(self.words) else self.text[self.words[last].end :]

    def _sentence_has(self, cue: str, i: int) -> bool:
        return self.words[i].sentence in self._cue(cue).sentences

    def _starts(self, cue: str, i: int) -> bool:
        return i in self._cue(cue).starts

    def _in(self, cue: str, i: int) -> bool:
        return i in self._cue(cue).covered

    def _cue(self, name: str) -> _Cue:
        if name not in self._cues:
            found = self.rules.cues[name].find(self.words)
            self._cues[name] = _Cue(
                frozenset(f.start for f in found),
                frozenset(i for f in found for i in range(f.start, f.end)),
                frozenset(self.words[f.start].sentence for f in found),
            )
        return self._cues[name]


def _has_modal(words: list[Word]) -> bool:
    return _rules().modal.meets(words) or any(w.folded not in _NOT_CONDITIONAL and _CONDITIONAL.fullmatch(w.folded) for w in words)


@lru_cache(maxsize=1)
def _rules() -> _Rules:
    """Reads claims.yml once.

    Raises:
        ValueError: an entry names an unknown family or frame, or cannot be read.
    """
    with _FILE.open(encoding="utf-8") as stream:
        raw: dict[str, Any] = yaml.load(stream, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506 (safe, and ten times faster)
    reader = Reader(raw["groupes"])
    phrases: list[Phrase] = []
    reasons: dict[str, str] = {}
    for entry in raw["refus"]:
        family = entry["famille"]
        frames = frozenset(entry.get("cadres", raw["familles"][family]["cadres"]))
        if family not in FAMILIES or not frames <= {"negation", "dire", "question", "attribution", "conditionnel", "urgence"} or entry["id"] in reasons:
            raise ValueError(f"claims.yml: {entry['id']}")
        reasons[entry["id"]] = entry["pourquoi"]
        phrases += reader.phrases(entry["formes"], entry["id"], family, frames)
    cues = "fausses_negations dire negatifs retournements demenis interrogatifs accroches affirmations indirectes attributions fausses_attributions urgences"
    return _Rules(
        refused=Index(phrases),
        expressions=Index(p for e in raw["expressions"] for p in reader.phrases(e["formes"], frames=frozenset({"virgule"} if e.get("virgule") else ()))),
        cues={name: Index(reader.phrases(raw[name])) for name in cues.split()},
        modal=Index(reader.phrases(raw["exigences"]["modaux"])),
        limits={claim: Index(reader.phrases(raw["exigences"]["limites"][claim])) for claim in CLAIMS},
        reasons=reasons,
    )
