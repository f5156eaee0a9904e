"""How the booking form reads a message."""

from __future__ import annotations

from typing import Any

import pytest

from bot.booking import DIGRESSION, NOTHING, Reading, Turn, as_request, read, wants_out

GIVEN: dict[str, Any] = {
    "consent": True,
    "name": "Camille Laurent",
    "contact": "+33 6 12 34 56 78 (France)",
    "windows": "mardi à 15h",
    "subject": "Le foie",
    "transcript": "non",
    "correction": NOTHING,
    "confirm": None,
}


def answer(asked: str, text: str, intent: str = "inform", confidence: float = 0.4, tries: int = 0) -> Reading:
    order = list(GIVEN)
    given = {f: v for f, v in GIVEN.items() if order.index(f) < order.index(asked) or f == "correction"}
    return read(Turn(asked, text, intent, confidence, given, tries))


def test_consent_given() -> None:
    assert answer("consent", "oui j'accepte", "affirm").values == {"consent": True}


def test_consent_refused_ends_the_form() -> None:
    reading = answer("consent", "non je ne veux pas", "deny")
    assert reading.stop
    assert reading.values == {"consent": False}


def test_neither_yes_nor_no_to_consent_asks_again() -> None:
    assert answer("consent", "peut-être", "nlu_fallback").says == ("utter_booking_consent_unclear",)


def test_a_question_in_the_middle_is_left_to_its_own_rule() -> None:
    assert answer("name", "et c'est douloureux l'injection ?", "ask_pain", 0.9) is DIGRESSION
    assert answer("contact", "combien ça coûte", "ask_cost", 0.9) is DIGRESSION
    assert answer("windows", "ça dure combien de jours ?", "ask_duration", 0.7) is DIGRESSION


def test_a_name_is_a_name_whatever_it_was_mistaken_for() -> None:
    assert answer("name", "Fatou Diop", "ask_clinic", 0.8).values == {"name": "Fatou Diop"}
    assert answer("name", "je m'appelle prudence douleur", "ask_pain", 0.8).values == {"name": "Prudence Douleur"}


def test_a_name_that_looks_like_a_wish_to_cancel_is_a_name() -> None:
    assert answer("name", "Zébulon Cancelier", "cancel", 0.99).values == {"name": "Zébulon Cancelier"}


def test_a_name_in_small_letters_that_nlu_never_met_is_a_name() -> None:
    assert answer("name", "kevin martin", "out_of_scope", 0.9).values == {"name": "Kevin Martin"}


@pytest.mark.parametrize("said", ["0612345678", "n'importe quand", "non", "mardi matin"])
def test_what_answers_another_question_is_no_name(said: str) -> None:
    assert answer("name", said, "inform", 0.5).says == ("utter_booking_name_unclear",)


def test_a_red_flag_is_never_an_answer() -> None:
    for asked in GIVEN:
        assert answer(asked, "Mal Poitrine", "red_flag", 1.0) is DIGRESSION, asked


def test_yes_is_not_a_name() -> None:
    assert answer("name", "oui", "affirm", 0.9).says == ("utter_booking_name_unclear",)


def test_cancelling_is_possible_at_every_step() -> None:
    for asked in GIVEN:
        assert answer(asked, "finalement j'ai changé d'avis, annulez", "cancel", 0.8) is DIGRESSION, asked


@pytest.mark.parametrize("text", ["06 12", "euh 0613", "06"])
def test_the_beginning_of_a_number_is_a_bad_answer_whatever_it_was_taken_for(text: str) -> None:
    reading = answer("contact", text, "out_of_scope", 0.9)
    assert not reading.digression
    assert reading.says


def test_a_bad_number_says_what_is_wrong_and_asks_again() -> None:
    reading = answer("contact", "06 12 34")
    assert reading.values == {"contact": None}
    assert reading.says == ("utter_booking_phone_invalid",)


def test_the_third_bad_answer_shows_a_way_out() -> None:
    assert answer("contact", "06 12", tries=2).says == ("utter_booking_phone_invalid", "utter_booking_way_out")


def test_unclear_moments_are_kept_as_said_the_second_time() -> None:
    assert answer("windows", "je ne sais pas trop encore", "nlu_fallback").says == ("utter_booking_windows_unclear",)
    assert answer("windows", "je ne sais pas trop encore", "nlu_fallback", tries=1).values == {"windows": "je ne sais pas trop encore"}


def test_the_next_question_may_be_answered_by_correcting_the_last_one() -> None:
    reading = answer("subject", "non plutôt 16h", "correct", 0.8)
    assert reading.values == {"windows": "mardi à 15h, plutôt 16h"}
    assert reading.says == ("utter_booking_corrected",)


@pytest.mark.parametrize(
    ("said", "field", "value"),
    [
        ("non mon numéro est le 06 98 76 54 32", "contact", "+33 6 98 76 54 32 (France)"),
        ("non, c'est camille@exemple.fr", "contact", "camille@exemple.fr"),
        ("plutôt jeudi matin", "windows", "plutôt jeudi matin"),
        ("mon nom c'est Laurent-Petit", "name", "Laurent-Petit"),
        ("le nom", "name", None),
        ("le contact n'est pas bon", "contact", None),
        ("changer l'heure", "windows", None),
    ],
)
def test_any_field_can_be_corrected_at_the_recap(said: str, field: str, value: str | None) -> None:
    values = answer("confirm", said, "correct", 0.5).values
    assert field in values
    assert values[field] == value or (field == "windows" and value and values[field].endswith(value.removeprefix("plutôt ")))


def test_no_at_the_recap_asks_what_to_correct() -> None:
    assert answer("confirm", "non", "deny", 0.9).values == {"correction": None}


def test_what_to_correct_is_answered_by_a_fields_name() -> None:
    assert answer("correction", "le sujet").values == {"correction": NOTHING, "subject": None}


def test_yes_at_the_recap_sends() -> None:
    assert answer("confirm", "oui c'est correct", "affirm", 0.9).values == {"confirm": True}


def test_the_health_words_of_a_subject_are_never_kept() -> None:
    assert answer("subject", "ma sclérose en plaques depuis 2011").values == {"subject": "La neurologie"}


@pytest.mark.parametrize(
    "said",
    [
        "si je refuse ?",
        "d'accord, mais qui va lire mes données ?",
        "ok mais je veux pas que vous gardiez mes données",
        "oui enfin non",
        "ok attends je réfléchis",
        "allez voir ailleurs",
    ],
)
def test_consent_is_a_plain_yes_or_it_is_none(said: str) -> None:
    assert "consent" not in answer("consent", said, "affirm", 0.9).values or answer("consent", said, "affirm", 0.9).values["consent"] is None


@pytest.mark.parametrize("said", ["ok mais attendez", "envoyez pas tout de suite", "ok envoie pas encore"])
def test_nothing_is_sent_on_a_hesitation(said: str) -> None:
    assert "confirm" not in answer("confirm", said, "affirm", 0.9).values or answer("confirm", said, "affirm", 0.9).values["confirm"] is not True


@pytest.mark.parametrize("said", ["oui je confirme le rendez-vous", "oui c'est le bon numéro", "oui mon adresse est correcte"])
def test_a_yes_at_the_recap_empties_no_field(said: str) -> None:
    assert answer("confirm", said, "affirm", 0.9).values == {"confirm": True}


def test_a_name_is_not_the_end_of_a_sentence() -> None:
    assert answer("confirm", "oui c'est correct sauf le nom Fatiha", "affirm", 0.9).values == {"name": "Fatiha"}
    assert answer("name", "Mohamed El Amrani mais c pour mon pere Said").values == {"name": "Mohamed El Amrani"}


@pytest.mark.parametrize("said", ["annuler", "non annulez tout svp", "laissez tomber", "stop", "j'arrête", "je ne veux plus de rdv", "j'ai changé d'avis"])
@pytest.mark.parametrize("asked", ["consent", "name", "contact", "subject", "transcript", "confirm"])
def test_words_alone_say_that_the_visitor_wants_out(asked: str, said: str) -> None:
    assert wants_out(asked, said)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("windows", "j'arrête le travail à 17h"),
        ("contact", "stop.pub@exemple.fr"),
        ("name", "Annunziata Morel"),
        ("confirm", "surtout n'annulez pas"),
        ("consent", "comment annuler ensuite ?"),
        ("consent", "je pourrai annuler plus tard ?"),
    ],
)
def test_words_like_them_say_no_such_thing(asked: str, said: str) -> None:
    assert not wants_out(asked, said)


def test_bad_answers_in_a_row_are_counted_and_a_good_one_ends_the_row() -> None:
    bad, good = Turn("contact", "06 12", "inform", 0.4, GIVEN, tries=1), Turn("contact", "06 12 34 56 78", "inform", 0.4, GIVEN, tries=1)
    assert (read(bad).tries_after(bad), read(good).tries_after(good)) == (2, 0)


def test_a_complete_form_says_what_is_to_be_stored() -> None:
    assert as_request(GIVEN) == {"name": "Camille Laurent", "phone": "+33612345678", "windows": "mardi à 15h", "subject": "liver", "transcript": False}
