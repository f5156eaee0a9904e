"""Each place where the articles contradict themselves or claim too much is stated carefully (guard C1–C23, G-15)."""

from __future__ import annotations

import re

from bot.answers import Content

CONTENT = Content()


def said(name: str, scope: str | None = None, condition: str | None = None, personal_advice: str | None = None) -> str:
    text = CONTENT.message(name, {"scope": scope, "condition": condition, "unsaid": "ce point", "personal_advice": personal_advice}).text
    return re.sub(r"[\u00a0\u202f]", " ", text.replace("’", "'"))


def everything() -> str:
    return "\n".join(v["text"] for variations in CONTENT.responses.values() for v in variations)


def test_c01_three_durations_are_kept_apart() -> None:
    assert re.search(r"3 à 6 mois, parfois au-delà", said("utter_duration"))
    assert "pour le foie, l'autre article ne donne pas de durée" in said("utter_duration").lower()
    assert "3 à 6 mois" not in said("utter_duration", "liver", "any")


def test_c02_general_and_liver_timelines_never_merge() -> None:
    assert not re.search(r"\d", re.sub(r"\n.*$", "", said("utter_timeline")))
    liver = said("utter_timeline", "liver", "any")
    assert "4 à 12 semaines" in liver and "6 à 12 mois" in liver and "3 à 6 mois" not in liver


def test_c03_c04_side_effects_are_the_union_and_not_exhaustive() -> None:
    text = said("utter_side_effects")
    for effect in ("gonflement", "douleur", "bleu", "gêne", "température", "fatigue"):
        assert effect in text
    assert "pas exhaustive" in text and "aucune fréquence" in text
    assert "voie" in text and "112" in text


def test_c05_no_needle_is_not_promised() -> None:
    assert "sans les nommer" in said("utter_special_routes")
    assert "pour le foie, les trois voies décrites sont des injections" in said("utter_special_routes")


def test_c06_a_route_has_risks_that_the_doctor_explains() -> None:
    for text in (said("utter_routes"), said("utter_routes", "liver", "any"), said("utter_advantages")):
        assert "risques" in text and "médecin" in text


def test_c07_no_organ_is_made_anew() -> None:
    assert "ne peuvent pas refaire complètement un organe" in said("utter_limits")
    assert "partielle" in said("utter_efficacy")
    assert not re.search(r"régénèrent? (?:les neurones|le foie|un organe)", everything())


def test_c08_the_effect_is_said_to_be_mainly_paracrine() -> None:
    assert "surtout" in said("utter_definition") and "surtout par des signaux" in said("utter_mechanism")


def test_c09_ipsc_are_research_that_the_clinic_does_not_use() -> None:
    assert "ne pas utiliser" in said("utter_ipsc") and "recherche" in said("utter_ipsc")


def test_c10_sixty_percent_is_given_on_demand_only_with_its_limits() -> None:
    with_it = [name for name, variations in CONTENT.responses.items() if any("60 %" in v["text"].replace("\u202f", " ") for v in variations)]
    assert with_it == ["utter_sixty_percent"]
    assert "ne cite ni l'étude" in said("utter_sixty_percent") and "ne dit rien de votre cas" in said("utter_sixty_percent")


def test_c11_thirty_two_percent_is_of_adults() -> None:
    assert "des adultes" in said("utter_thirty_two_percent")
    assert "32 %" not in said("utter_conditions", "liver", "steatose")


def test_c12_donor_cells_in_liver_failure_are_attributed_and_urgent_care_comes_first() -> None:
    text = said("utter_conditions", "liver", "insuffisance_hepatique")
    assert "soins urgents" in text and "contexte précis" in text and "serait liée" in text


def test_c13_first_results_only() -> None:
    assert "premiers résultats" in said("utter_evidence") and "recherche doit se poursuivre" in said("utter_evidence", "liver", "any")


def test_c14_the_tumour_claim_never_stands_alone() -> None:
    for name, variations in CONTENT.responses.items():
        for variation in variations:
            if "M044" in variation["metadata"].get("facts", []):
                assert "M061" in variation["metadata"]["facts"], name
                assert "sans citer d'étude" in variation["text"].replace("’", "'"), name


def test_c15_always_beside_the_usual_treatment() -> None:
    advice = [said("utter_personal_advice", personal_advice=variant) for variant in ("stop_treatment", "instead_of")]
    for text in (said("utter_complement"), said("utter_efficacy"), *advice):
        assert "complément" in text and "jamais à" in text


def test_c16_the_visitors_own_doctor_judges_too() -> None:
    assert "Votre médecin ou votre spécialiste" in said("utter_eligibility")
    assert "second avis" in said("utter_consultation")


def test_c17_the_price_is_a_range_to_be_confirmed() -> None:
    text = said("utter_cost")
    for word in ("7 000 à 31 000", "indicatif", "janvier 2025", "à confirmer par écrit", "sans en détailler le contenu", "n'est pas un devis"):
        assert word in text


def test_c18_no_comparison_of_prices() -> None:
    assert "sans donner de chiffres de comparaison" in said("utter_price_abroad")
    assert "moins cher" not in everything()


def test_c19_nothing_is_guaranteed() -> None:
    assert not re.search(r"(?<!ne )\bgaranti(?:t|e|r|es)?\b", everything())


def test_c20_what_cannot_be_checked_is_attributed() -> None:
    assert "sans préciser par qui" in said("utter_cell_sources") and "sans les détailler" in said("utter_cell_checks")
    assert "déclare" in said("utter_clinic")


def test_c21_disease_effects_are_in_the_conditional() -> None:
    for condition in ("sep", "parkinson", "avc", "lupus", "insuffisance_cardiaque", "crohn", "polyarthrite", "bpco", "fibrose_pulmonaire", "orthopedie"):
        text = said("utter_conditions", "general", condition)
        assert re.search(r"pourrai(?:t|ent)|possible|supposé?|viserait|envisage|prête", text), condition
        assert re.search(r"recherche doit|pas de chiffre|ni chiffre", text), condition


def test_c22_no_hours_are_promised() -> None:
    assert "ni horaires ni délai" in said("utter_consultation")
    assert not re.search(r"toujours disponible|24 h/24", said("utter_consultation") + said("utter_human"))


def test_c23_stopping_alcohol_is_prepared_with_a_doctor() -> None:
    for text in (said("utter_liver_lifestyle"), said("utter_duration", "liver", "any")):
        assert "L'arrêt de l'alcool se prépare avec un médecin" in text
