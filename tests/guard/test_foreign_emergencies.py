"""Emergencies in other languages get the numbers; history, general questions and ordinary messages do not."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
import yaml

from bot.answers import Content
from bot.guard.door import Finding, inspect
from bot.guard.foreign import check_foreign

ROOT = Path(__file__).resolve().parent.parent.parent
LEXICON = yaml.safe_load((ROOT / "bot/guard/lexicon_foreign.yml").read_text(encoding="utf-8"))

CAUGHT: dict[str, dict[str, list[str]]] = {
    "English": {
        "emergency": [
            "I have chest pain",
            "chest pain",
            "tightness in my chest and my left arm is numb",
            "I can't breathe",
            "cant breath",
            "I CAN'T BREATHE",
            "I can’t breathe",
            "he stopped breathing",
            "her lips are blue",
            "his face is drooping",
            "I think my mother is having a stroke",
            "my husband collapsed and won't wake up",
            "my son is having a seizure",
            "it won't stop bleeding",
            "he is vomiting blood",
            "my tongue is swelling",
            "call an ambulance",
            "Bonjour, I can't breathe please help",
            "is it normal that I have chest pain after the injection?",
        ],
        "suicide": ["I want to die", "I wanna kill myself", "I'm suicidal", "my husband wants to die", "no reason to live"],
        "suicide_urgent": ["I'm going to kill myself tonight", "I have a gun and I want to die", "I want to die, I took 20 pills"],
        "suicide_veiled": ["what's the point of living", "everyone would be better off without me", "I don't want to die", "I can't go on anymore"],
        "poisoning": ["I took too many pills", "my son drank bleach", "she swallowed a whole bottle of paracetamol"],
        "violence": ["my husband beats me", "I was raped", "he is going to kill me"],
        "child_danger": ["my neighbor beats his child", "my stepfather hits me"],
        "after_injection": ["I have fever after the injection"],
    },
    "Spanish": {
        "emergency": [
            "me duele el pecho",
            "no puedo respirar",
            "tiene la boca torcida",
            "mi padre se desmayó y no responde",
            "no para de sangrar",
            "llamen una ambulancia",
        ],
        "suicide": ["quiero morir", "no quiero vivir más", "estoy cansada de vivir"],
        "suicide_urgent": ["voy a matarme esta noche"],
        "suicide_veiled": ["para qué seguir viviendo", "mi vida no tiene sentido"],
        "poisoning": ["tomé demasiadas pastillas", "mi hijo bebió lejía"],
        "violence": ["mi marido me pega"],
        "child_danger": ["mi vecino golpea a sus hijos"],
    },
    "German": {
        "emergency": [
            "ich habe Schmerzen in der Brust",
            "ich bekomme keine luft",
            "sein mundwinkel hängt",
            "sie ist umgekippt und reagiert nicht",
            "es hört nicht auf zu bluten",
            "rufen sie einen krankenwagen",
        ],
        "suicide": ["ich will sterben", "ich möchte nicht mehr leben", "ich bin lebensmüde"],
        "suicide_urgent": ["ich bringe mich heute nacht um"],
        "suicide_veiled": ["es hat keinen sinn mehr"],
        "poisoning": ["ich habe zu viele tabletten genommen"],
        "violence": ["mein mann schlägt mich", "er will mich umbringen"],
        "child_danger": ["mein nachbar schlägt sein kind"],
    },
    "Italian": {
        "emergency": [
            "ho un dolore al petto",
            "non riesco a respirare",
            "ha la bocca storta",
            "è svenuto e non risponde",
            "non smette di sanguinare",
            "chiamate un'ambulanza",
        ],
        "suicide": ["voglio morire", "voglio farla finita"],
        "suicide_urgent": ["mi ammazzo stasera"],
        "suicide_veiled": ["non ce la faccio più"],
        "poisoning": ["ho preso troppe pillole"],
        "violence": ["mio marito mi picchia", "vuole uccidermi"],
        "child_danger": ["picchia suo figlio"],
    },
    "Portuguese": {
        "emergency": [
            "estou com dor no peito",
            "não consigo respirar",
            "nao consigo respirar",
            "desmaiou e não acorda",
            "não para de sangrar",
            "chamem uma ambulância",
        ],
        "suicide": ["quero morrer", "quero me matar"],
        "suicide_urgent": ["vou me matar hoje"],
        "suicide_veiled": ["não aguento mais"],
        "poisoning": ["tomei muitos comprimidos"],
        "violence": ["meu marido me bate", "ele quer me matar"],
        "child_danger": ["ele bate no filho"],
    },
    "Serbian": {
        "emergency": [
            "boli me u grudima",
            "ne mogu da dišem",
            "ne mogu da disem",
            "iskrivila su mu se usta",
            "ne budi se",
            "krvari i ne staje",
            "zovite hitnu pomoć",
        ],
        "suicide": ["hoću da umrem", "hocu da umrem", "ne želim više da živim"],
        "suicide_urgent": ["ubiću se večeras"],
        "suicide_veiled": ["nema smisla živeti"],
        "poisoning": ["popio sam previše tableta"],
        "violence": ["muž me bije", "preti da će me ubiti"],
        "child_danger": ["komšija tuče dete"],
    },
    "Serbian in Cyrillic": {
        "emergency": ["не могу да дишем", "боли ме у грудима", "позовите хитну помоћ", "онесвестио се"],
        "suicide": ["хоћу да умрем"],
        "violence": ["муж ме бије"],
    },
    "Arabic": {
        "emergency": ["ألم في صدري", "لا أستطيع التنفس", "فقد الوعي", "ابني يتشنج", "الدم لا يتوقف", "لساني متورم", "اتصلوا بالإسعاف"],
        "suicide": ["أريد أن أموت", "بغيت نموت"],
        "suicide_urgent": ["سأقتل نفسي"],
        "suicide_veiled": ["لا معنى للحياة"],
        "poisoning": ["تناولت جرعة زائدة"],
        "violence": ["زوجي يضربني"],
    },
    "darija in Latin letters": {
        "emergency": ["sdri kaydarni", "mab9itch 9ader ntnefes", "3ayto l ambulance", "dem bzaf makay7besch"],
        "suicide": ["bghit nmout", "n7eb nmout"],
        "suicide_urgent": ["ghan9tel rassi"],
        "violence": ["rajli kaydrebni"],
    },
    "Dutch": {"emergency": ["ik heb pijn op de borst", "hij ademt niet", "bel een ambulance"], "suicide": ["ik wil dood"]},
    "Russian": {"emergency": ["боль в груди", "не могу дышать", "вызовите скорую"], "suicide": ["хочу умереть"]},
    "Romanian": {"emergency": ["mă doare în piept", "nu pot respira", "chemați ambulanța"], "suicide": ["vreau să mor"]},
    "Turkish": {"emergency": ["göğsümde ağrı var", "nefes alamıyorum", "ambulans çağırın"], "suicide": ["ölmek istiyorum"]},
}

LEFT_ALONE = [
    "what if bleeding occurs",
    "had a stroke in 2019",
    "my mother had a stroke three years ago",
    "I had a heart attack last year, can I come?",
    "what are the symptoms of a heart attack",
    "can the injection cause bleeding?",
    "can stem cells help after a stroke?",
    "is bleeding normal after the injection",
    "what happens if there is an allergic reaction",
    "I'm dying to know the price",
    "my knee hurts",
    "can you help me please",
    "I can't speak French",
    "can you call me",
    "qué pasa si sangra",
    "tuve un infarto en 2018",
    "hay riesgo de infarto?",
    "me molesta la rodilla",
    "cuáles son los síntomas de un derrame",
    "was passiert bei einer blutung",
    "ich hatte 2019 einen schlaganfall",
    "mein knie tut weh",
    "mia madre ha avuto un infarto tre anni fa",
    "quali sono i rischi di emorragia",
    "dove si trova la clinica",
    "tive um avc em 2019",
    "quais são os riscos de hemorragia",
    "bom dia",
    "majka je imala šlog pre tri godine",
    "da li može doći do krvarenja",
    "boli me koleno",
    "имао сам шлог пре три године",
    "هل يمكن أن يحدث نزيف",
    "ألم في الركبة",
    "wja3 f rokba",
    "был инсульт два года назад",
    "ik had een beroerte in 2019",
    "dizim ağrıyor",
]


@pytest.mark.parametrize(
    ("family", "text"),
    [pytest.param(family, text, id=f"{language}: {text}") for language, families in CAUGHT.items() for family, texts in families.items() for text in texts],
)
def test_a_danger_sign_in_another_language_gets_the_numbers(family: str, text: str) -> None:
    assert inspect(text) == Finding("red_flag", family)


@pytest.mark.parametrize("text", LEFT_ALONE)
def test_history_general_questions_and_ordinary_messages_are_left_alone(text: str) -> None:
    assert check_foreign(text) is None


def test_the_present_beats_the_past() -> None:
    assert check_foreign("I had a stroke in 2019 and now my face is drooping") == "emergency"
    assert check_foreign("tuve un infarto en 2018 y ahora me duele el pecho") == "emergency"


def test_a_denied_sign_is_silent_but_a_word_of_suicide_never_is() -> None:
    assert check_foreign("I have no chest pain") is None
    assert check_foreign("no tengo dolor de pecho") is None
    assert check_foreign("no quiero morir") == "suicide_veiled"


def test_suicide_beside_a_vital_sign_says_both_numbers() -> None:
    assert check_foreign("I want to die and I can't breathe") == "suicide_urgent"


def test_a_danger_in_the_middle_of_a_long_message_is_found() -> None:
    filler = "Hello, I would like to know the price and how long I have to stay in Belgrade. "
    assert check_foreign(filler * 10 + "I can't breathe. " + filler * 10) == "emergency"


def test_a_danger_after_a_french_sentence_is_found() -> None:
    finding = inspect("Bonjour, j'ai une question. My wife is not breathing and she is unconscious, please help us")
    assert finding == Finding("red_flag", "emergency")


@pytest.mark.parametrize(
    "text",
    [
        "le coma hépatique, ça peut arriver ?",
        "le poison de certaines plantes peut-il causer une cirrhose ?",
        "coma hépatique définition",
        "Poison Marc, avec un s",
        "ça ne dispense pas du neurologue, si ?",
        "c kombien votr traitemen",
        "mon numéro se termine par 112, pas par 15",
    ],
)
def test_french_is_not_read_with_foreign_patterns(text: str) -> None:
    assert inspect(text) is None or inspect(text) == Finding("personal_advice", "alcohol")


def test_no_french_example_of_the_training_data_alarms_through_another_language() -> None:
    """Messages of the ordinary topics; those of the guard's own intents may alarm."""
    alarmed = []
    for path in [*sorted((ROOT / "data/nlu").glob("faq_*.yml")), ROOT / "data/nlu/smalltalk.yml", ROOT / "data/nlu/booking.yml"]:
        for block in yaml.safe_load(path.read_text(encoding="utf-8"))["nlu"]:
            lines = [line.strip().removeprefix("- ") for line in block["examples"].splitlines()]
            alarmed += [line for line in lines if line and _through_another_language(line)]
    assert alarmed == []


def _through_another_language(text: str) -> bool:
    from bot.guard.language import speaks_french
    from bot.guard.red_flags import check

    return not speaks_french(text) and check_foreign(text) is not None and check(text) is None


def test_each_family_has_a_text_of_its_own_or_the_first() -> None:
    named = {c["value"] for v in Content().responses["utter_red_flag"] for c in v.get("condition", [])}
    used = {key for language in LEXICON.values() for key in language} - {"fillers", "negations", "joining", "groups", "questions", "past", "now"}
    assert used - named == {"emergency"}


def test_a_pattern_without_a_word_is_refused() -> None:
    from bot.guard.foreign import _Reader

    with pytest.raises(ValueError, match="unusable pattern"):
        _Reader({"fillers": "the", "emergency": "the .."}, set()).lexicon()


@pytest.mark.parametrize("piece", ["a ", "chest pain ", "no ", "can't breathe but ", "دم ", "krv ", "\u0301", "''"])
def test_five_thousand_characters_do_not_blow_up(piece: str) -> None:
    check_foreign(piece)
    start = time.perf_counter()
    check_foreign((piece * 5000)[:5000])
    assert time.perf_counter() - start < 1.5


def test_an_ordinary_message_takes_less_than_20_ms() -> None:
    texts = [*LEFT_ALONE, "je voudrais connaître le prix de la thérapie pour le genou de ma mère"]
    for text in texts:
        check_foreign(text)
    times = []
    for text in texts:
        start = time.perf_counter()
        check_foreign(text)
        times.append(time.perf_counter() - start)
    assert sorted(times)[int(len(times) * 0.95)] < 0.02
