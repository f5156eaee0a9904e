"""What the sentence encoder reads is written as a dictionary would write it."""

from __future__ import annotations

import pytest

from bot.written_out import written_out


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("COMBIEN CA COUTE", "combien ça coûte"),
        ("c koi les zeffets secondères", "c'est quoi les effets secondaire"),
        ("les selules mesanchimateuse", "les cellules mésenchymateuses"),
        ("apres la greffe", "après la greffe"),
        ("j'ai une cirose", "j'ai une cirrhose"),
    ],
)
def test_capitals_lost_accents_sms_and_words_by_ear_are_written_out(typed: str, meant: str) -> None:
    assert written_out(typed) == meant


def test_what_is_well_written_stays_as_it_is() -> None:
    well_written = "où ça se passe, là-bas ou à Belgrade ? son œil a été opéré"
    assert written_out(well_written) == well_written.lower()


def test_a_word_that_is_like_none_stays_as_it_is() -> None:
    assert written_out("zkrqvb 12 mg") == "zkrqvb 12 mg"


def test_a_short_word_is_not_taken_for_another_of_its_sound() -> None:
    assert written_out("vré") == "vre"
