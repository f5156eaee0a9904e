"""What visitors read is locked: a change needs a reason, a signature belongs to one text (G-29, G-08)."""

from __future__ import annotations

import shutil
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
import yaml

from bot.answers import Content
from tools.review_lock import DOES, FOLDER, GRID, Review, Text, fingerprint, grid, texts

CONTENT = Content()
CURRENT = texts(CONTENT)
TODAY = date(2027, 1, 15)


@pytest.fixture
def review(tmp_path: Path) -> Review:
    """A review folder of its own, in which everything is locked."""
    for path in FOLDER.glob("*.yml"):
        shutil.copy(path, tmp_path)
    mine = Review(tmp_path)
    mine.update(CURRENT, "tout est verrouillé", today=TODAY)
    return mine


def changed(text: str, name: str = "utter_thank") -> list[Text]:
    return [replace(t, text=text, sha256=fingerprint([text])) if t.response == name else t for t in CURRENT]


def test_every_text_is_the_one_that_was_locked() -> None:
    problems = Review().problems(CURRENT)
    assert not problems, "\n".join([*problems, 'then: make lock WHY="what changed and why"'])


def test_the_grid_is_the_one_of_this_lock() -> None:
    assert GRID.read_text(encoding="utf-8") == grid(CURRENT, Review()), 'make lock WHY="…" writes it'


def test_each_text_has_a_line_of_its_own() -> None:
    assert len({t.key for t in CURRENT}) == len(CURRENT)
    assert {t.response for t in CURRENT} >= {*CONTENT.responses, "mention", "numéros"}
    assert sum(len(v) for v in CONTENT.responses.values()) == sum(t.response in CONTENT.responses for t in CURRENT)


def test_a_button_or_a_label_belongs_to_the_text() -> None:
    content = Content()
    content.responses["utter_cost"][0]["metadata"]["question"] = "Le meilleur prix"
    content.responses["utter_human"][0]["buttons"] = [{"title": "Payer", "payload": "/book"}]
    before = {t.key: t.sha256 for t in texts(Content())}
    assert [t.response for t in texts(content) if before[t.key] != t.sha256] == ["utter_cost", "utter_human"]


def test_a_changed_text_fails_until_a_reason_is_given(review: Review) -> None:
    now = changed("Merci à vous.")
    assert len(review.problems(now)) == 2
    assert [t.response for t in review.update(now, "formule plus courte", today=TODAY)] == ["utter_thank"]
    assert review.problems(now) == []
    last = review.log["changements"][-1]
    assert (last["date"], last["pourquoi"]) == (TODAY, "formule plus courte")
    assert last["textes"][0]["fait"] in DOES


def test_a_lock_changed_by_hand_is_not_enough(review: Review) -> None:
    now = changed("Merci à vous.")
    path = review.folder / "lock.yml"
    old = next(t.sha256 for t in CURRENT if t.response == "utter_thank")
    path.write_text(path.read_text(encoding="utf-8").replace(old, fingerprint(["Merci à vous."])), encoding="utf-8")
    assert review.problems(now) == ["utter_thank (défaut): no line of the hazard log for this text"]


def test_nothing_changed_writes_nothing(review: Review) -> None:
    before = [p.read_text(encoding="utf-8") for p in sorted(review.folder.iterdir())]
    assert review.update(CURRENT, "rien de neuf", today=TODAY) == []
    assert [p.read_text(encoding="utf-8") for p in sorted(review.folder.iterdir())] == before


def test_what_a_person_says_it_does_is_kept(review: Review) -> None:
    review.update(changed("Merci à vous."), "formule plus courte", does="demander un rendez-vous", today=TODAY)
    assert review.log["changements"][-1]["textes"][0]["fait"] == "demander un rendez-vous"


@pytest.mark.parametrize("why", ["", "   ", "correction"])
def test_a_reason_is_needed(review: Review, why: str) -> None:
    with pytest.raises(ValueError, match="why"):
        review.update(changed("Merci à vous."), why)
    assert review.problems(changed("Merci à vous."))


@pytest.mark.parametrize(
    "text", ["Vous pouvez attendre demain.", "C'est normal.", "Arrêtez votre traitement avant de venir.", "Elle remplace vos médicaments."]
)
def test_a_text_that_makes_wait_or_stop_is_not_locked(review: Review, text: str) -> None:
    with pytest.raises(ValueError, match="wait or stop"):
        review.update(changed(text), "texte plus rassurant")
    assert review.problems(changed(text))


def test_a_text_taken_away_is_said(review: Review) -> None:
    fewer = [t for t in CURRENT if t.response != "utter_thank"]
    assert review.problems(fewer) == ["utter_thank (défaut): locked, and gone"]
    review.update(fewer, "plus utile à personne", today=TODAY)
    assert review.problems(fewer) == []
    assert review.log["changements"][-1]["retires"] == [{"reponse": "utter_thank", "variation": "défaut"}]


def test_a_reason_may_hold_any_sign(review: Review) -> None:
    why = 'l\'« accord » : 50 % - [à revoir] # {vraiment} "oui"\nsuite'
    review.update(changed("Merci à vous."), why, today=TODAY)
    assert review.log["changements"][-1]["pourquoi"] == " ".join(why.split())


# ---- « relu »


def sign(review: Review, **entry: object) -> None:
    path = review.folder / "reviews.yml"
    whole = yaml.safe_load(path.read_text(encoding="utf-8"))
    whole["relectures"] = [entry]
    path.write_text(yaml.safe_dump(whole, allow_unicode=True, sort_keys=False), encoding="utf-8")


READ = [replace(t, review="relu") if t.response == "utter_thank" else t for t in CURRENT]
THANK = next(t for t in CURRENT if t.response == "utter_thank")
LINE = [{"reponse": "utter_thank", "variation": "défaut", "sha256": THANK.sha256}]


def test_nobody_is_said_to_have_read_without_a_signature(review: Review) -> None:
    assert review.problems(READ) == ["utter_thank (défaut): « relu » without a signature for this text"]
    sign(review, nom="Dr Camille Laurent", fonction="hépatologue", date=TODAY, textes=LINE)
    assert review.problems(READ) == []


@pytest.mark.parametrize("missing", ["nom", "fonction", "date", "textes"])
def test_a_signature_without_name_role_day_or_text_is_none(review: Review, missing: str) -> None:
    whole: dict[str, object] = {"nom": "Dr Camille Laurent", "fonction": "hépatologue", "date": TODAY, "textes": LINE}
    sign(review, **{**whole, missing: None})
    assert review.problems(READ)


def test_a_signature_goes_with_the_text_it_was_for(review: Review) -> None:
    sign(review, nom="Dr Camille Laurent", fonction="hépatologue", date=TODAY, textes=LINE)
    now = [replace(t, review="relu") if t.response == "utter_thank" else t for t in changed("Merci à vous.")]
    review.update(now, "formule plus courte", today=TODAY)
    assert review.problems(now) == ["utter_thank (défaut): « relu » without a signature for this text"]


def test_no_other_state_exists(review: Review) -> None:
    assert review.problems([replace(t, review="validé") if t.response == "utter_thank" else t for t in CURRENT])


def test_today_nobody_has_signed_and_every_text_says_so() -> None:
    """Leaves when a clinician signs: this line then holds the names."""
    assert Review().log["relectures"] == []
    assert all(t.review in (None, "non relu") for t in CURRENT)


# ---- Miner's marks


def test_each_crisis_answer_has_its_three_marks() -> None:
    marks = {(m["reponse"], m["variation"]): m for m in yaml.safe_load((FOLDER / "miner.yml").read_text(encoding="utf-8"))}
    lower = ("after_injection", "same_day", "liver_bleed")  # R-3x and R-07: no crisis of the mind, no violence
    crises = {t.key for t in CURRENT if t.response == "utter_red_flag" and not t.variation.endswith(lower)}
    assert crises <= marks.keys()
    assert all(mark[part] for mark in marks.values() for part in ("regles", "crise", "respect", "ligne", "debat"))
