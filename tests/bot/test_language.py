"""Which messages are surely not French."""

from __future__ import annotations

import pytest

from bot.guard.language import foreign_language


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Hello, how much does the treatment cost?", "en"),
        ("Was kostet die Behandlung und wie lange dauert sie?", "de"),
        ("¿Cuánto cuesta el tratamiento?", "es"),
        ("Quanto costa la terapia con le cellule staminali?", "it"),
        ("Koliko košta lečenje matičnim ćelijama?", "sr"),
        ("Здраво, колико кошта лечење?", "sr"),
        ("كم يكلف العلاج؟", "ar"),
    ],
)
def test_other_languages_are_recognised(text: str, language: str) -> None:
    assert foreign_language(text) == language


@pytest.mark.parametrize(
    "text",
    [
        "merci",
        "bonjour",
        "prix ?",
        "ça fait mal ?",
        "combien ca coute",
        "arthrose genou",
        "ok",
        "Mohamed Ben Salah",
        "+381 64 123 45 67",
        "SEP",
        "NASH ?",
        "iPSC",
        "hello",
        "c koi le price range svp",
        "",
        "🙂",
        "camille@exemple.fr",
        "j'ai la sclérose en plaques depuis dix ans",
    ],
)
def test_short_french_names_and_abbreviations_stay_french(text: str) -> None:
    assert foreign_language(text) is None
