"""The last door, tried with every real message: whole ones pass as they are, broken ones never do."""

from __future__ import annotations

import logging
import re
import statistics
import time
from collections.abc import Callable
from dataclasses import replace

import pytest

from bot.answers import CALL_BACK, Content, Message
from bot.guard.disclaimer import VARIANT_OF_KIND
from desk.chat import exit_check as module
from desk.chat.exit_check import RECAP, ExitCheck
from desk.tickets.references import new_reference

CONTENT = Content()
VALUES = {
    "unsaid": "le remboursement et les assurances",
    "reference": "RDV-7K4M-2Q",
    "booking_reference": "RDV-7K4M-2Q",
    "booking_name": "Camille Laurent",
    "booking_contact": "camille@exemple.fr",
    "booking_windows": "mardi après 18 h",
    "booking_subject": "Le foie",
    "booking_transcript": "non",
}


def real_messages() -> dict[str, Message]:
    found = {}
    for name, variations in CONTENT.responses.items():
        for number, variation in enumerate(variations):
            slots = {**VALUES, **{c["name"]: c["value"] for c in variation.get("condition", [])}}
            text = re.sub(r"\{(\w+)\}", lambda m, slots=slots: str({**CONTENT.number_lines, **slots}[m[1]]), variation["text"])  # type: ignore[misc]
            complete, kind, sources = CONTENT.finish(text, variation["metadata"])
            found[f"{name}-{number}"] = Message(complete, kind, [*variation.get("buttons", []), *CONTENT.neighbours(name, slots)], sources, name)
    return found


REAL = real_messages()
ANSWERS = [name for name, m in REAL.items() if m.kind == "answer"]
EMERGENCIES = [name for name, m in REAL.items() if m.kind == "emergency"]
CHECKED = [name for name, m in REAL.items() if m.response != RECAP]
URGENT_AT_ONCE = {"utter_red_flag-0"} | {
    f"utter_red_flag-{n}"
    for n, v in enumerate(CONTENT.responses["utter_red_flag"])
    for c in v.get("condition", [])
    if c["value"] in ("suicide", "suicide_urgent", "suicide_other", "poisoning", "liver_bleed")
}


@pytest.fixture(scope="module")
def check() -> ExitCheck:
    return ExitCheck(CONTENT)


def is_replaced(check: ExitCheck, broken: Message) -> bool:
    out = check(broken)
    danger = "emergency" in (broken.kind, REAL["utter_red_flag-0"].kind if broken.response == "utter_red_flag" else "")
    good = (out.kind, out.response) == ("emergency", "utter_red_flag") if danger else out == check.safe()
    return good and out != broken and check(out) == out


@pytest.mark.parametrize("name", REAL)
def test_a_whole_message_passes_as_it_is(check: ExitCheck, name: str) -> None:
    assert check(REAL[name]) == REAL[name]


@pytest.mark.parametrize("name", [n for n, m in REAL.items() if m.kind in VARIANT_OF_KIND])
def test_a_lost_disclaimer_comes_back(check: ExitCheck, name: str) -> None:
    text = REAL[name].text
    for wording in CONTENT.disclaimers.values():
        text = text.replace(wording, "")
    assert check(replace(REAL[name], text=text)) == REAL[name]


@pytest.mark.parametrize("name", [n for n, m in REAL.items() if m.response == "utter_cost"])
def test_the_disclaimer_of_another_kind_is_not_enough(check: ExitCheck, name: str) -> None:
    swapped = REAL[name].text.replace(CONTENT.disclaimers["cout"], CONTENT.disclaimers["court"])
    assert CONTENT.disclaimers["cout"] in check(replace(REAL[name], text=swapped)).text


@pytest.mark.parametrize("name", ANSWERS)
def test_an_answer_without_its_source_is_replaced(check: ExitCheck, name: str) -> None:
    assert is_replaced(check, replace(REAL[name], sources=[]))
    assert is_replaced(check, replace(REAL[name], sources=[{"article": "Un blog", "section": "Témoignages"}]))


@pytest.mark.parametrize("name", CHECKED)
def test_a_message_of_the_wrong_kind_is_replaced(check: ExitCheck, name: str) -> None:
    other = "smalltalk" if REAL[name].kind != "smalltalk" else "answer"
    assert is_replaced(check, replace(REAL[name], kind=other))


ADDED = {
    "claim": " Résultats garantis.",
    "reassurance": " Ne vous inquiétez pas.",
    "internal name": " utter_cost",
    "slot": " requested_slot",
    "template": " {booking_name}",
    "empty value": " Valeur : None",
    "fact id": " (M044)",
    "payload": " /ask_cost",
    "crash": " Traceback (most recent call last)",
    "markup": " <b>gras</b>",
    "script": "<script>alert(1)</script>",
    "entity": " &nbsp;",
    "markdown": " **important**",
    "link": " [ici](page)",
    "bell": "\x07",
    "turned": "\u202etxet",
    "hidden": "\u200b",
    "http": " Voir https://cellules-miracle.com/offre",
    "www": " Voir www.autre.fr",
    "bare host": " Voir autre-clinique.rs",
    "e-mail": " Écrivez à vente@autre.com",
    "script address": " javascript:alert(1)",
}


@pytest.mark.parametrize("what", ADDED)
@pytest.mark.parametrize("kind", ["answer", "emergency", "advice", "fallback", "notice", "smalltalk", "human", "booking", "language"])
def test_a_message_with_something_added_is_replaced(check: ExitCheck, what: str, kind: str) -> None:
    for message in (m for m in REAL.values() if m.kind == kind and m.response != RECAP):
        assert is_replaced(check, replace(message, text=message.text + ADDED[what])), message.response
        assert is_replaced(check, replace(message, text=ADDED[what].strip() + "\n" + message.text)), message.response


CHANGES: dict[str, Callable[[str], str]] = {
    "another figure": lambda text: re.sub(r"\d+", lambda m: str(int(m[0]) + 1000), text, count=1),
    "one more figure": lambda text: text.replace(".", ". Comptez 87 jours.", 1),
    "a percentage": lambda text: text.replace(".", ". C'est le cas de 87 % des malades.", 1),
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("name", [n for n in ANSWERS + EMERGENCIES if re.search(r"\d", REAL[n].text)])
def test_a_figure_that_no_fact_holds_is_stopped(check: ExitCheck, name: str, change: str) -> None:
    assert is_replaced(check, replace(REAL[name], text=CHANGES[change](REAL[name].text)))


@pytest.mark.parametrize("name", ANSWERS)
def test_a_figure_of_another_answer_is_stopped(check: ExitCheck, name: str) -> None:
    """60 % is a figure of the articles, but only one answer may say it (C10)."""
    stopped = is_replaced(check, replace(REAL[name], text=REAL[name].text.replace(".", ". L'article avance 60 semaines.", 1)))
    assert stopped or REAL[name].response == "utter_sixty_percent" or "F041" in facts_of(name) or "F053" in facts_of(name)


def facts_of(name: str) -> list[str]:
    return [f for v in CONTENT.responses[str(REAL[name].response)] for f in v["metadata"].get("facts", [])]


@pytest.mark.parametrize("name", EMERGENCIES)
def test_an_emergency_names_a_number_first(check: ExitCheck, name: str) -> None:
    """G-07: within 80 characters where somebody must call now, 160 elsewhere."""
    assert re.search(r"(?<!\d)(?:15|112|17|119|3114|3919)(?!\d)", REAL[name].text[: 80 if name in URGENT_AT_ONCE else 160])


@pytest.mark.parametrize("name", EMERGENCIES)
def test_an_emergency_without_its_number_becomes_one_that_has_it(check: ExitCheck, name: str) -> None:
    late = replace(REAL[name], text="Nous avons bien lu ce que vous écrivez. " * 5 + REAL[name].text)
    bare = replace(REAL[name], text="Appelez les secours maintenant.")
    for broken in (late, bare):
        out = check(broken)
        assert out.kind == "emergency"
        assert re.search(r"\b(?:15|112|3114)\b", out.text[:80])


def test_a_broken_answer_to_suicide_keeps_its_line(check: ExitCheck) -> None:
    for name in EMERGENCIES:
        if "3114" in REAL[name].text:
            assert "3114" in check(replace(REAL[name], text=REAL[name].text + " None")).text
    assert "3114" in check(Message("{ecoute} : parlez à quelqu'un.", "emergency", response="utter_red_flag")).text


def test_a_broken_answer_to_a_known_finding_becomes_the_right_one(check: ExitCheck) -> None:
    for variation in CONTENT.responses["utter_red_flag"]:
        for condition in variation.get("condition", []):
            right = CONTENT.message("utter_red_flag", {"red_flag": condition["value"]})
            broken = Message("Appelez {secours}.", "emergency", response="utter_red_flag", variant=condition["value"])
            assert check(broken).text == right.text


# ---- the recap


def recap(**values: str) -> Message:
    return CONTENT.message(RECAP, {**VALUES, **values})


@pytest.mark.parametrize(
    "words",
    ["Garanti Sans-Risque", "<b>Zoé</b>", "None", "utter_cost", "Mme 100 %", "voir http://chez.moi", "à 99 h ou 87 fois", "Dr Miracle, guéri"],
)
def test_a_visitors_own_words_are_given_back_whatever_they_are(check: ExitCheck, words: str) -> None:
    for field in ("booking_name", "booking_windows", "booking_contact"):
        assert words in check(recap(**{field: words})).text


def test_a_recap_with_control_characters_or_unfilled_is_replaced(check: ExitCheck) -> None:
    assert is_replaced(check, recap(booking_name="Zo\u202eé"))
    assert is_replaced(check, recap(booking_name="Zo\x07é"))
    assert is_replaced(check, recap(booking_name="{booking_name}"))


def test_a_visitors_words_are_not_kept(check: ExitCheck) -> None:
    before = len(check._verdicts)
    check(recap(booking_name="Nom Jamais Vu"))
    assert len(check._verdicts) == before
    assert all(isinstance(key, bytes) and len(key) == 16 for key in check._verdicts)


# ---- the rest


def test_a_bad_button_is_dropped_and_the_message_stays() -> None:
    check = ExitCheck(CONTENT)
    bad = [{"title": title, "payload": "/book"} for title in ("Guérir maintenant", "<b>Oui</b>", "/book", "")]
    out = check(replace(REAL["utter_cost-0"], buttons=[*bad, CALL_BACK]))
    assert (out.text, out.buttons) == (REAL["utter_cost-0"].text, [CALL_BACK])
    assert check.counts == {"button dropped": 1}


def test_what_was_stopped_is_counted_and_logged_without_a_word_of_it(caplog: pytest.LogCaptureFixture) -> None:
    check = ExitCheck(CONTENT)
    with caplog.at_level(logging.WARNING):
        check(Message("Secret : résultats garantis.", "smalltalk", response="utter_greet"))
        check(replace(REAL["utter_cost-0"], sources=[]))
        check(Message("Très secret.", "fallback", response="utter_fallback"))
    assert check.counts == {"replaced: refused word (garantir)": 1, "replaced: no source": 1, "disclaimer restored": 1}
    assert "ecret" not in caplog.text and "utter_greet" in caplog.text


def test_the_safe_text_is_safe(check: ExitCheck) -> None:
    assert check(check.safe()) == check.safe()
    assert "112" in check.safe().text


def test_a_known_message_costs_next_to_nothing() -> None:
    check, times = ExitCheck(CONTENT), []
    for message in REAL.values():
        started = time.perf_counter()
        check(message)
        times.append(time.perf_counter() - started)
    assert statistics.median(times) < 0.0002


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    check = ExitCheck(CONTENT)
    monkeypatch.setattr(module, "MOST_VERDICTS", 400)
    for number in range(500):
        check(Message("Bonjour" + "!" * number, "smalltalk", response="utter_greet"))
    assert len(check._verdicts) == 400


def test_no_reference_of_a_request_looks_like_the_inside_of_the_machine() -> None:
    check = ExitCheck(CONTENT)
    for reference in ["RDV-M234-7K", "RDV-A349-FA", *(new_reference() for _ in range(2000))]:
        for name in ("utter_booking_received", "utter_booking_known"):
            reply = CONTENT.message(name, {**VALUES, "reference": reference, "booking_reference": reference})
            assert check(reply) == reply
