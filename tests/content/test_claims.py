"""No text that a visitor reads promises, reassures, hurries or boasts (guard 4.1, 4.2; G-13, G-14, and the texts of G-30, G-31)."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from bot.answers import Content
from bot.guard.claims import CLAIMS, FAMILIES, lacks, reason, refused
from tests.content.visible import visible

HERE = Path(__file__).parent
SETS = HERE.parent / "guard/sets"
CONTENT = Content()
VISIBLE = visible()
# What an answer with such facts is about (G-14): the label of a fact → the answer must be tagged.
MUST_BE_TAGGED = {"efficacite", "resultats", "duree_effets", "securite", "effets_secondaires"}
# These use such a fact and say nothing of efficacy or safety; a step may be told as it is.
ABOUT_SOMETHING_ELSE = {"utter_complement", "utter_steps", "utter_aftercare"}


def read(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def items(name: str) -> list[dict[str, str]]:
    path = SETS / name
    return list(read(path)["items"]) if path.exists() else []


def whole_name(name: str) -> str:
    """The only text whose name begins so; a heading is not repeated at length outside the ledger."""
    if not name.endswith("…"):
        return name
    (found,) = [visible for visible in VISIBLE if visible.startswith(name[:-1].strip())]
    return found


OWN = read(HERE / "claims_own.yml")
EXCEPTIONS = {(whole_name(e["text"]), e["word"]) for e in read(HERE / "claims_exceptions.yml")}
DEBATED = set(read(HERE / "claims_debated.yml") or [])
TAGGED = [pytest.param(v, id=f"{name}-{i}") for name, texts in CONTENT.responses.items() for i, v in enumerate(texts) if "claim" in v["metadata"]]


@pytest.mark.parametrize("name", VISIBLE)
def test_no_text_of_a_visitor_claims_too_much(name: str) -> None:
    found = [r for r in refused(VISIBLE[name]) if (name, r.word) not in EXCEPTIONS]
    assert not found, "\n".join(f"« {r.word} » ({r.family}): {reason(r.rule)}" for r in found)


def test_each_exception_is_still_needed() -> None:
    used = {(name, r.word) for name, text in VISIBLE.items() for r in refused(text)}
    assert used >= EXCEPTIONS, EXCEPTIONS - used
    assert not [name for name, _ in EXCEPTIONS if name.startswith("utter_")], "the desk would replace such a message"


def test_texts_of_every_kind_are_linted() -> None:
    for part in "utter_cost[|button|question|widget T|templates/demo.html|problem 429|problem desk/chat/api.py|disclaimer cout|section |silence ".split("|"):
        assert any(part in name for name in VISIBLE), part
    assert len(VISIBLE) > 500


@pytest.mark.parametrize(("family", "text"), [(family, text) for family, texts in OWN["refusees"].items() for text in texts])
def test_a_claim_is_refused(family: str, text: str) -> None:
    assert refused(text)


@pytest.mark.parametrize("text", OWN["detournees"])
def test_a_claim_in_other_words_is_refused(text: str) -> None:
    assert refused(text)


@pytest.mark.parametrize("text", OWN["permises"])
def test_a_careful_sentence_passes(text: str) -> None:
    assert not refused(text)


def test_each_family_has_examples() -> None:
    assert OWN["refusees"].keys() == FAMILIES
    found = {r.family for texts in OWN["refusees"].values() for text in texts for r in refused(text)}
    assert found == FAMILIES


@pytest.mark.parametrize("item", items("planted_claims.yml"), ids=lambda item: item["text"])
def test_each_planted_claim_is_caught(item: dict[str, str]) -> None:
    """Written by somebody who had not seen the rules."""
    assert refused(item["text"]), item["about"]


def test_the_planted_set_is_as_large_as_asked() -> None:
    assert len(items("planted_claims.yml")) >= 60  # G-13


@pytest.mark.parametrize("item", items("innocent_claims.yml"), ids=lambda item: item["text"])
def test_an_innocent_sentence_passes(item: dict[str, str]) -> None:
    found = refused(item["text"])
    if item["text"] in DEBATED:
        assert found, "passes now: take its line out of claims_debated.yml"
    else:
        assert not found, [(r.word, r.rule) for r in found]


@pytest.mark.parametrize(
    "text",
    ["GUÉRISON", "guerison", "gué\u00adrison", "gue\u0301rison", "guéri\u200bson", "« guérison »", "(guérison)", "la\u00a0guérison\u202f!", "guérіson"],
)
def test_spelling_does_not_hide_a_word(text: str) -> None:
    assert [r.family for r in refused(text)] == ["cure"]


def test_a_refusal_says_where_it_stands() -> None:
    text = "Bonjour. Un effet\u00a0garanti, sans\u202fl’ombre d’un doute."
    first = refused(text)[0]
    assert (first.word, first.family) == ("garanti", "certainty")
    assert text[first.position :].startswith(first.word)


def test_accents_tell_sure_from_on() -> None:
    assert refused("Un traitement sûr.") and refused("UN TRAITEMENT SÛR.") and not refused("Un article sur le traitement.")


@pytest.mark.parametrize(
    ("careful", "claim"),
    [
        ("Elle ne guérit pas.", "Elle ne guérit pas que le foie."),
        ("Ce n'est pas une guérison.", "Ce n'est pas seulement un soulagement, c'est une guérison."),
        ("Est-ce efficace ?", "Est-ce efficace ? Oui."),
        ("Aucun traitement n'est sans risque.", "Ce n'est pas une opération : c'est sans risque."),
        ("Rien n'est prouvé.", "Il n'y a pas de doute, c'est prouvé."),
        ("L'article juge la thérapie sûre.", "Nous jugeons la thérapie sûre."),
        ("Appelez le 15 sans attendre.", "Réservez sans attendre."),
        ("Il est impossible de garantir un effet.", "Il n'est pas impossible de garantir un effet."),
        ("Cela ne veut pas dire qu'il n'y a aucun risque.", "Il n'y a aucun risque."),
        ("Aucun traitement n'est efficace chez chacun.", "Aucun traitement n'est aussi efficace."),
    ],
)
def test_a_frame_allows_only_what_it_denies(careful: str, claim: str) -> None:
    assert not refused(careful)
    assert refused(claim)


@pytest.mark.parametrize("variation", TAGGED)
def test_efficacy_and_safety_are_attributed_hedged_and_limited(variation: dict[str, Any]) -> None:
    assert variation["metadata"]["claim"] in CLAIMS
    assert lacks(variation["text"], variation["metadata"]) == []


@pytest.mark.parametrize("variation", TAGGED)
def test_a_text_that_loses_its_attribution_is_caught(variation: dict[str, Any]) -> None:
    assert "attribution" in lacks(re.sub(r"\barticles?\b|\bclinique\b", "texte", variation["text"]), variation["metadata"])


def test_a_text_that_loses_its_limit_or_its_conditional_is_caught() -> None:
    text, metadata = CONTENT.responses["utter_timeline"][1]["text"], {"claim": "efficacy"}
    assert lacks(text.split("\n\n")[0], metadata) == ["limit"]
    assert lacks(text.replace("pourraient", "peuvent").replace("demanderaient", "demandent"), metadata) == ["modal"]
    assert lacks("La thérapie réduit la fibrose.", metadata) == ["attribution", "modal", "limit"]
    assert lacks("Bonjour.", {"kind": "smalltalk"}) == []


def test_no_answer_on_efficacy_or_safety_goes_untagged() -> None:
    for name, variations in CONTENT.responses.items():
        for variation in variations:
            metadata = variation["metadata"]
            labels = {label for fact in metadata.get("facts", []) for label in CONTENT.facts[fact].get("repond_a", [])}
            if metadata["kind"] == "answer" and labels & MUST_BE_TAGGED and name not in ABOUT_SOMETHING_ELSE:
                assert "claim" in metadata, f"{name}: {labels & MUST_BE_TAGGED}"


@pytest.mark.parametrize("name", [n for n, v in CONTENT.responses.items() if v[0]["metadata"].get("disclaimer") == "cout"])
def test_a_price_is_indicative_to_be_confirmed_and_compared_with_nothing(name: str) -> None:
    """G-30: the range never stands alone, and no figure is worked out from it."""
    text = CONTENT.message(name).text.replace("\u202f", " ").replace("\u00a0", " ")
    assert "indicati" in text and "par écrit" in text
    if "€" in text:
        assert "7 000 à 31 000 €" in text and "janvier 2025" in text
        assert set(re.findall(r"\d[\d ]*(?= €)| \d[\d ]*(?= à)", text)) == {" 7 000", "31 000"}
    assert not re.search(r"\b(?:fois|moitié|économ|écarts?|différence)", text)


@pytest.mark.parametrize("scope", [None, "liver"])
def test_side_effects_are_the_six_and_not_all(scope: str | None) -> None:
    """G-31: asked of the liver too, the list is the same union, with its caveats and the numbers."""
    text = CONTENT.message("utter_side_effects", {"scope": scope}).text
    for part in ("gonflement", "douleur", "bleu", "gêne", "température", "fatigue", "pas exhaustive", "voie", "112"):
        assert part in text, part


def test_the_lint_takes_time_in_proportion_to_the_text() -> None:
    unit = "Ce n'est pas une guérison, mais la thérapie ne garantit rien sans que personne ne promette que cela guérit, "

    def cost(times: int) -> float:
        started = time.process_time()
        refused(unit * times)
        return time.process_time() - started

    short = min(cost(30) for _ in range(3))
    assert cost(300) < 25 * short + 0.05
