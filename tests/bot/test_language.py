"""Which messages are surely not French, and what their writers read."""

from __future__ import annotations

import re
import statistics
import time
from pathlib import Path

import pytest
import yaml

from bot.answers import Content
from bot.guard.door import Finding, inspect
from bot.guard.language import foreign_language, speaks_french
from bot.guard.scripts import plain, script

ROOT = Path(__file__).resolve().parent.parent.parent
LANGUAGES = yaml.safe_load((ROOT / "bot/guard/languages.yml").read_text(encoding="utf-8"))
WITH_A_LINE = ["de", "es", "it", "pt", "nl", "sr", "sr-Cyrl", "ru", "ar", "ro", "tr"]


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Hello, how much does the treatment cost?", "en"),
        ("Was kostet die Behandlung und wie lange dauert sie?", "de"),
        ("¿Cuánto cuesta el tratamiento?", "es"),
        ("Quanto costa la terapia con le cellule staminali?", "it"),
        ("Boa tarde, vocês tratam artrose do joelho?", "pt"),
        ("Goedendag, ik wil een afspraak voor mijn knie", "nl"),
        ("Koliko košta lečenje matičnim ćelijama?", "sr"),
        ("Koliko košta liječenje matičnim stanicama?", "sr"),
        ("Здраво, колико кошта лечење?", "sr-Cyrl"),
        ("Сколько стоит лечение колена?", "ru"),
        ("كم يكلف العلاج؟", "ar"),
        ("Bună ziua, cât costă tratamentul?", "ro"),
        ("Merhaba, diz tedavisi ne kadar?", "tr"),
    ],
)
def test_other_languages_are_recognised(text: str, language: str) -> None:
    assert foreign_language(text) == language


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("how much?", "en"),
        ("price", "en"),
        ("was kostet", "de"),
        ("Preise?", "de"),
        ("cuánto cuesta", "es"),
        ("hola", "es"),
        ("quanto costa", "it"),
        ("buongiorno", "it"),
        ("preço", "pt"),
        ("prijs?", "nl"),
        ("koliko košta", "sr"),
        ("hvala", "sr"),
        ("цена лечења", "sr-Cyrl"),
        ("привет", "ru"),
        ("مرحبا", "ar"),
        ("chhal taman", "ar"),
        ("preț", "ro"),
        ("ne kadar", "tr"),
        ("merhaba", "tr"),
    ],
)
def test_one_or_two_words_are_enough_where_french_has_them_not(text: str, language: str) -> None:
    assert foreign_language(text) == language


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("cuanto cuesta la operacion de rodilla", "es"),
        ("koliko kosta lecenje maticnim celijama", "sr"),
        ("cat costa tratamentul la genunchi", "ro"),
        ("kok hucre tedavisi ne kadar", "tr"),
        ("fuer meine frau, ich moechte einen termin", "de"),
        ("nao sei quanto custa", "pt"),
    ],
)
def test_diacritics_may_be_missing(text: str, language: str) -> None:
    assert foreign_language(text) == language


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("wach kayn chi 3ilaj l rokba", "ar"),
        ("ch7al ttaman dyalkom", "ar"),
        ("9adech l3ilaj", "ar"),
        ("بشحال العلاج", "ar"),
        ("bghit savoir le prix svp", None),
        ("chhal le prix ?", None),
        ("salam, je voudrais des infos", None),
        ("wach le traitement marche pour le genou ?", None),
        ("labas ? le tbib est là demain ?", None),
    ],
)
def test_darija_in_latin_script_is_arabic_unless_french_carries_the_message(text: str, language: str | None) -> None:
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
        "c koi le price range svp",
        "",
        "🙂",
        "?",
        "camille@exemple.fr",
        "j'ai la sclérose en plaques depuis dix ans",
        "taux de succès",
        "hernie discale",
        "fonctionnement csm tendon",
    ],
)
def test_short_french_stays_french(text: str) -> None:
    assert foreign_language(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "slt c koi le pri",
        "g mal o genou dpui 2 an",
        "jve savoir si c remboursé",
        "ya dé risk ?",
        "vs soigné la cirose",
        "jé areté lalcool é jtranspir",
        "tjr mal o do apré 3 mois pk",
        "dsl g pa compri mdr",
        "cmb de tps sa dur",
    ],
)
def test_sms_french_stays_french(text: str) -> None:
    assert foreign_language(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "c'est cancelé",
        "ok thanks et le prix ?",
        "j'ai booké un meeting",
        "le best price svp",
        "hello",
        "thanks",
        "why not",
        "no problem merci",
        "c'est le fun votre affaire",
        "y'a-tu des risques",
        "wesh c combien",
        "inchallah ça va marcher",
        "septante mille francs, c'est le prix ?",
        "stem cell genou",
        "burn out et long covid",
        "chokran",
        "je suis fan de votre page facebook",
    ],
)
def test_french_mixed_with_borrowed_words_stays_french(text: str) -> None:
    assert foreign_language(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "Mohamed Ben Salah",
        "Jan van der Meer",
        "María García López",
        "Đorđe Petrović",
        "Ayşe Yılmaz",
        "Ștefan Popescu",
        "René",
        "John Smith",
        "je m'appelle Anna Schneider",
        "Los Angeles",
        "Buenos Aires",
        "Novi Sad",
        "Köln",
        "12 rue de la Paix, 75002 Paris",
        "+381 64 123 45 67",
    ],
)
def test_names_and_places_stay_french(text: str) -> None:
    assert foreign_language(text) is None


@pytest.mark.parametrize(
    "text",
    ["SEP", "NASH ?", "iPSC", "HTA", "MELD 14", "TNF-α", "β", "RX genou", "Ocrevus", "doliprane", "prednisone cortancyl imurel methotrexate humira"],
)
def test_abbreviations_and_drugs_stay_french(text: str) -> None:
    assert foreign_language(text) is None


def test_lookalike_letters_are_no_other_script() -> None:
    assert foreign_language("bоnjоur, jе vеux un rеndez-vоus") is None  # Cyrillic о and е
    assert foreign_language("ｂｏｎｊｏｕｒ") is None


def test_french_beside_another_script_stays_french() -> None:
    assert foreign_language("السلام عليكم ورحمة الله وبركاته combien coûte la thérapie svp") is None
    assert foreign_language("السلام عليكم ورحمة الله") == "ar"


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("多少钱", "zh"),
        ("いくらですか", "ja"),
        ("πόσο κοστίζει", "el"),
        ("هزینه درمان چقدر است", "fa"),
        ("скільки коштує лікування", "uk"),
        ("Hej, jag undrar hur mycket behandlingen kostar för knäet", "sv"),
        ("Ile kosztuje leczenie?", "pl"),
    ],
)
def test_languages_without_a_line_get_the_english_one(text: str, language: str) -> None:
    assert foreign_language(text) == language
    content = Content()
    assert content.message("utter_foreign_language", {"foreign_language": language}) == content.message("utter_foreign_language", {"foreign_language": "en"})


def test_a_french_greeting_does_not_hide_another_language() -> None:
    assert foreign_language("Bonjour, do you speak English?") == "en"
    assert foreign_language("Bonjour, koliko košta lečenje?") == "sr"


def test_plain_french_is_told_from_what_may_be_anything() -> None:
    assert speaks_french("je voudrais connaître le prix de la thérapie")
    assert not speaks_french("chest pain")
    assert not speaks_french("")


def test_one_message_is_always_read_the_same_way() -> None:
    text = "Hej, hvor meget koster behandlingen for mit knæ, og hvor lang tid tager det?"
    assert len({foreign_language(text) for _ in range(5)}) == 1


def test_typical_french_messages_take_less_than_a_millisecond() -> None:
    texts = ["bonjour, combien coûte la thérapie pour le genou ?", "est-ce que ça fait mal ?", "g mal o genou", "merci beaucoup", "ma mère a une cirrhose"]
    for text in texts:
        foreign_language(text)
    times = []
    for text in texts * 20:
        start = time.perf_counter()
        foreign_language(text)
        times.append(time.perf_counter() - start)
    assert statistics.median(times) < 0.001


@pytest.mark.parametrize("piece", ["a", "how much ", "é", "ß", "слово ", "3a", "\u0301", "a@"])
def test_five_thousand_characters_do_not_blow_up(piece: str) -> None:
    foreign_language(piece)
    start = time.perf_counter()
    foreign_language((piece * 5000)[:5000])
    assert time.perf_counter() - start < 1.5


# --- the lists


def test_no_sure_word_is_french_or_borrowed() -> None:
    """« succes » once made « taux de succès » Dutch."""
    french = {plain(piece) for key in ("words", "loans") for word in LANGUAGES["french"][key].split() for piece in word.split("'")}
    for name, entry in LANGUAGES["languages"].items():
        listed = {word for word in entry.get("sure", "").split() if word.isascii()}
        assert not listed & french, name


def test_every_language_of_a_script_has_its_alphabet() -> None:
    for names in LANGUAGES["scripts"].values():
        for name in names if len(names) > 1 else []:
            entry = LANGUAGES["languages"][name]
            assert all(set(word) <= set(entry["alphabet"]) for word in entry.get("written", "").split()), name


@pytest.mark.parametrize(
    ("word", "spelt", "name"),
    [("Lečenje", "lecenje", "LATIN"), ("лечење", "lecenje", "CYRILLIC"), ("Straße", "strasse", "LATIN"), ("ağrı", "agri", "LATIN"), ("vеux", "vеux", "LATIN")],
)
def test_a_word_has_one_plain_spelling(word: str, spelt: str, name: str) -> None:
    assert plain(word) == spelt
    assert script(word) == name


# --- what a visitor reads


def test_the_variant_of_the_answer_is_the_language() -> None:
    assert inspect("was kostet die Behandlung") == Finding("foreign_language", "de")
    assert inspect("колико кошта") == Finding("foreign_language", "sr-Cyrl")


def test_each_language_has_one_short_line_under_the_french_one() -> None:
    content = Content()
    french = {content.message("utter_foreign_language", {"foreign_language": name}).text.split("\n\n")[0] for name in [None, *WITH_A_LINE]}
    assert french == {"Je comprends seulement le français. Une personne de l'équipe peut vous répondre : laissez une demande."}
    lines = {name: content.message("utter_foreign_language", {"foreign_language": name}).text.split("\n\n")[1] for name in [None, *WITH_A_LINE]}
    assert len(set(lines.values())) == len(lines)
    for name, line in lines.items():
        assert len(line) <= 150, name
        assert re.findall(r"\d+", line) == ["15", "112", "144", "911", "194"], name


def test_each_line_is_read_as_its_own_language() -> None:
    content = Content()
    for name in WITH_A_LINE:
        assert foreign_language(content.message("utter_foreign_language", {"foreign_language": name}).text.split("\n\n")[1]) == name


def test_the_widget_knows_the_first_word_of_each_line() -> None:
    """It marks the paragraph with its language, so that a screen reader says it right."""
    source = (ROOT / "desk/static/widget.js").read_text(encoding="utf-8")
    block = re.search(r"LANGUAGE_OF = \{(.*?)\}", source, re.DOTALL)
    assert block
    marked = dict(re.findall(r"(\w+): '([\w-]+)'", block[1]))
    lines = {v.get("condition", [{"value": "en"}])[0]["value"]: v["text"].split("\n\n")[1] for v in Content().responses["utter_foreign_language"]}
    assert {name: marked[line.split(" ")[0]].replace("sr-Latn", "sr") for name, line in lines.items()} == {name: name for name in lines}
    assert len(marked) == len(lines)
