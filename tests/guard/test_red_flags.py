"""What the guard catches, and what it leaves alone."""

from __future__ import annotations

import itertools
import time

import pytest

from bot.guard import RedFlag, check
from bot.guard.door import PERSONAL, inspect
from bot.guard.normalise import fold

CAUGHT: dict[str, list[str]] = {
    "liver_bleed": [
        "je vomis du sang",
        "j'ai fait caca noir",
    ],
    "suicide_other": [
        "mon mari parle de mourir",
        "un ami est suicidaire",
    ],
    "assisted_dying": [
        "l'euthanasie, vous la faites ?",
    ],
    "coercion": [
        "on me force à faire ce traitement",
        "mes enfants prennent mon argent",
    ],
    "threat": [
        "il y a une bombe",
    ],
    "emergency": [
        "j'ai mal à la poitrine",
        "g mal au thorax",
        "Ma mère a une douleur qui serre dans la poitrine depuis ce matin",
        "crise de cœur je pense",
        "je fais un infarctus",
        "jpeu pu respiré",
        "je sais plus respirer",
        "j'ai de la misère à respirer",
        "mon mari a les lèvres bleues",
        "il a la bouche de travers",
        "ma mère parle bizarrement et son bras tombe",
        "je fais un AVC",
        "j'ai un ACV là",
        "il est tombé dans les pommes",
        "ma femme convulse",
        "c'est le pire mal de tête de ma vie",
        "ma langue gonfle",
        "j'ai de l'urticaire et je respire mal",
        "ça n'arrête pas de saigner",
        "mon mari a une cirrhose, il est confus et somnolent",
        "j'ai le ventre gonflé et de la fièvre",
        "je suis jaune et j'ai des frissons",
        "je tremble et j'ai des sueurs depuis que j'ai arrêté l'alcool",
        "il s'est cogné la tête et il vomit",
        "il est tombé de l'échelle et ne bouge plus",
        "on a une intoxication au monoxyde",
        "mon bébé a de la fièvre",
        "ma fille a de la fièvre et la nuque raide",
        "fièvre et taches violettes",
        "je perds les eaux",
        "je suis enceinte et je saigne",
        "c'est quoi le numéro du SAMU",
        "urgence vitale",
        "appelez les pompiers",
        "à l'aide !",
        "g une barre dans la poitrine et je transpire",
        "mon mari est par terre il ne bouge plus",
        "mon pansement est trempé de sang ça coule toujours",
        "après la ponction lombaire j'ai la nuque raide",
        "je ne peux plus uriner",
        "essoufflé d'un coup après l'avion",
        "j'ai très mal au ventre depuis la biopsie du foie",
    ],
    "suicide": [
        "je veux mourir",
        "jve crever",
        "jveux mtuer",
        "je vais me suicider ce soir",
        "j'ai plus envie de vivre",
        "je veux en finir",
        "je veux mettre fin à mes jours",
        "bghit nmout",
        "jpense a me suissider",
        "jvx plus etre la",
        "autant que je crève",
        "je me suis scarifiée",
        "j'ai envie de me faire du mal",
        "je veux me tuer, non c'était une blague",
    ],
    "suicide_veiled": [
        "dis à mes parents que je les aime, moi je m'en vais",
        "je me sens malheureux à en crever",
        "à quoi bon continuer",
        "vous seriez mieux sans moi",
        "je voudrais disparaître",
        "j'aimerais dormir et ne plus me réveiller",
        "si ça marche pas j'arrête tout",
        "la douleur est insupportable et je n'ai plus la force",
        "je suis un fardeau pour ma famille",
        "la vie n'a plus de sens",
    ],
    "poisoning": [
        "j'ai pris trop de Doliprane",
        "j'ai avalé toute la boîte",
        "jai pris 30 comprimés de paracétamol",
        "mon fils a bu de la javel",
        "il a fait une overdose",
        "on a mangé des champignons et on vomit",
        "il a avalé une pile bouton",
        "surdosage de morphine",
    ],
    "violence": [
        "mon mari me tape trop vite quand il boit",
        "il me frappe",
        "il ma frappé",
        "il m'oblige à coucher avec lui",
        "mon chum me bat",
        "j'ai été violée",
        "mon ex m'a étranglée",
        "il menace de me tuer",
    ],
    "child_danger": [
        "je tape la main de mon fils, fort, j'ai perdu patience",
        "on frappe mon fils",
        "mon père me frappe",
        "ma fille a subi des attouchements",
        "mon voisin bat ses enfants",
        "un enfant battu",
        "il secoue le bébé",
        "la maîtresse tape mon fils",
        "je suis inquiet, mon neveu est maltraité",
        "j'ai 11 ans, un monsieur veut que je vienne seule chez lui",
        "j'ai 12 ans, papa me laisse seul sans manger",
    ],
    "after_injection": [
        "j'ai de la fièvre depuis l'injection",
        "fièvre après injection",
        "mon genou est rouge et chaud après l'injection",
        "le point d'injection est rouge et coule du pus",
        "j'ai des frissons depuis la perfusion",
        "c'est normal d'avoir de la fièvre après l'injection ?",
        "j'ai une bosse à l'endroit de l'injection",
        "ma plaie ne guérit pas",
    ],
    "same_day": [
        "j'ai les yeux jaunes",
        "mes urines sont foncées",
        "mon ventre gonfle depuis une semaine",
        "je fais une poussée",
        "j'ai des crachats verts",
        "mes jambes gonflent",
        "diarrhée avec du sang",
        "je suis sous cortisone et j'ai de la fièvre",
    ],
}

LEFT_ALONE = [
    "j'ai tapé trop vite, désolé, ma fille me parlait",
    "bonjour",
    "la thérapie est-elle dangereuse ?",
    "effets secondaires : fièvre ?",
    "est-ce que ça fait mal ?",
    "j'ai fait un AVC en 2019, est-ce possible ?",
    "ma mère a eu un AVC il y a 3 ans",
    "après un infarctus, puis-je venir ?",
    "j'ai une cirrhose",
    "ça saigne au point de piqûre en général ?",
    "la cirrhose fait-elle saigner ?",
    "qu'est-ce que l'encéphalopathie hépatique ?",
    "quels sont les symptômes d'une hémorragie digestive ?",
    "Y a-t-il un risque de fièvre après l'injection ?",
    "insuffisance cardiaque ?",
    "hypertension portale",
    "après la piqûre on peut bosser direct ?",
    "je cherche le prix",
    "mort cellulaire",
    "suicide cellulaire",
    "comment tuer les cellules malades ?",
    "c'est à mourir de rire",
    "ici il fait une chaleur à crever",
    "mon portable est mort j'attends un chargeur",
    "je me suis coupée en bricolant, un pansement et voilà",
    "vendredi c'est ma dernière semaine de stage, tout le monde est invité",
    "ça me tue ce prix",
    "j'ai failli mourir en voyant le devis",
    "crise de foie",
    "coup de cœur pour votre clinique",
    "mal au cœur",
    "arrêt du traitement",
    "je voudrais suspendre mon inscription, ça va dépendre de vous",
    "overdose d'infos",
    "c'est urgent de prendre rendez-vous",
    "SOS rendez-vous",
    "j'ai peur de mourir",
    "est-ce que je vais mourir de cette cirrhose ?",
    "je me bats contre la maladie",
    "je suis bloqué sur la page de réservation",
    "votre site ne répond plus",
    "à l'aide de quelles cellules ?",
    "je veux plus être dans votre fichier",
    "il faut combien de séances, ça aide ?",
    "quel est votre numéro de téléphone ?",
    "le 15 janvier me convient",
    "j'ai 15 ans, je peux venir seul ?",
    "je m'appelle Marie Poitrine",
    "06 15 18 11 12",
    "jean.mort@gmail.com",
    "",
    " \n ",
]


@pytest.mark.parametrize(("family", "text"), [(family, text) for family, texts in CAUGHT.items() for text in texts])
def test_a_danger_sign_is_caught_in_its_family(family: str, text: str) -> None:
    flag = check(text)
    assert flag is not None
    assert flag.family == family


@pytest.mark.parametrize("text", LEFT_ALONE)
def test_an_ordinary_message_raises_no_alarm(text: str) -> None:
    flag = check(text)
    assert flag is None or flag.level == PERSONAL


@pytest.mark.parametrize(
    "text",
    [
        "jе vеux mоurir",  # Cyrillic letters
        "je veux mo\u200burir",
        "je veux m\u2060ourir",
        "JE VEUX MOURIR",
        "je veux mouriiiiir",
        "je veux m o u r i r",
        "je veux mourri",
        "ｊｅ ｖｅｕｘ ｍｏｕｒｉｒ",
        "j'veux mourir",
        "je\u00a0veux\u00a0vraiment mourir",
    ],
)
def test_disguised_and_mistyped_words_are_read(text: str) -> None:
    flag = check(text)
    assert flag is not None and flag.rule == "R-10"


@pytest.mark.parametrize(
    ("written", "folded"),
    [
        ("Ça fait pluuuus mal", "ca fait plus mal"),
        ("jpeu pu respirer", "je peux plus respirer"),
        ("j’ai pu venir", "j'ai pu venir"),
        ("hépatite c", "hepatite c"),
        ("le cœur", "le coeur"),
        ("aujourd’hui", "aujourdhui"),
        ("тест", "тест"),
    ],
)
def test_folding_gives_one_spelling(written: str, folded: str) -> None:
    assert fold(written) == folded


@pytest.mark.parametrize("danger", ["J'ai mal à la poitrine.", "Je veux mourir.", "Mon mari me bat."])
def test_a_danger_in_the_middle_of_a_long_message_is_found(danger: str) -> None:
    filler = "Bonjour, je voudrais connaître le prix et la durée du séjour à Belgrade. "
    assert check(filler * 15 + danger + " " + filler * 15) == check(danger)


@pytest.mark.parametrize(
    "text",
    [
        "je veux mourir maintenant",
        "je vais me pendre",
        "je veux en finir ce soir",
        "j'ai une arme et je veux en finir",
        "j'ai écrit une lettre d'adieu",
        "je vais avaler tous mes médicaments",
    ],
)
def test_a_plan_or_means_of_suicide_is_urgent(text: str) -> None:
    flag = check(text)
    assert flag is not None and flag.family == "suicide" and flag.urgent


def test_suicide_without_plan_is_not_marked_urgent() -> None:
    assert check("je veux mourir") == RedFlag("R-10", "suicide", "S")


@pytest.mark.parametrize("text", ["je veux mourir, j'ai avalé toute la boîte", "à quoi bon vivre, j'ai mal à la poitrine"])
def test_suicide_beside_a_vital_sign_says_both(text: str) -> None:
    flag = check(text)
    assert flag is not None and flag.family == "suicide" and flag.also_vital


def test_a_present_sign_beats_a_past_one_and_a_definition() -> None:
    for text in (
        "j'ai eu un AVC il y a 3 ans et là ma bouche est de travers",
        "c'est quoi les selles noires, j'en ai depuis ce matin",
        "j'ai fait un infarctus en 2019 et j'ai mal à la poitrine",
    ):
        flag = check(text)
        assert flag is not None and flag.level == "V"


def test_a_denied_sign_is_lowered_and_a_word_of_suicide_never_silenced() -> None:
    chest, suicide = check("je n'ai pas mal à la poitrine"), check("je ne veux pas mourir")
    assert chest is None or chest.level == "J"
    assert suicide is not None and suicide.family == "suicide_veiled"


GRAVITY = {"J": 1, "D": 2, "V": 3, "S": 3}
BASES = [
    "j'ai mal à la poitrine",
    "je n'arrive plus à respirer",
    "je vomis du sang",
    "je veux mourir",
    "mon mari me bat",
    "j'ai pris trop de doliprane",
    "j'ai de la fièvre depuis l'injection",
    "j'ai les yeux jaunes",
    "mon fils convulse",
]
ADDED = [
    "{}, mais c'est rien",
    "{} mais mon mari dit que ce n'est pas grave",
    "bonjour, {}, merci beaucoup",
    "{}, combien coûte la thérapie ?",
    "{} maintenant",
    "{} et j'ai un mal de tête atroce",
    "{} et je veux en finir ce soir",
    "{}. J'ai eu un AVC en 2019. Qu'est-ce que la thérapie par CSM ?",
]


@pytest.mark.parametrize(("base", "added"), list(itertools.product(BASES, ADDED)))
def test_adding_a_detail_never_lowers_the_level(base: str, added: str) -> None:
    before, after = check(base), check(added.format(base))
    assert before is not None and after is not None
    assert GRAVITY[after.level] >= GRAVITY[before.level]


def _milliseconds(text: str) -> float:
    start = time.perf_counter()
    check(text)
    return (time.perf_counter() - start) * 1000


def test_a_message_of_150_characters_takes_less_than_20_ms() -> None:
    everything = [*LEFT_ALONE, *itertools.chain.from_iterable(CAUGHT.values())]
    messages = [(", ".join(everything[i : i + 8]))[:150] for i in range(len(everything) - 8)]
    for message in messages:
        check(message)
    times = sorted(_milliseconds(message) for message in messages)
    assert times[int(len(times) * 0.95)] < 20


@pytest.mark.parametrize("piece", ["a", "je ", "j'ai mal ", "a@", "m o ", "((", "pas plus ", "il y a 3 ans, ", "\u0301"])
def test_five_thousand_characters_do_not_blow_up(piece: str) -> None:
    check(piece)
    assert _milliseconds((piece * 5000)[:5000]) < 1500


@pytest.mark.parametrize(
    "text",
    [
        "je n'arrive plus à respirer ma saturation descend en 85",
        "je n'arrive plus à respirer, saturation descendue en 75 %",
        "il ne respire plus, le 12 mars 2018, il avait eu un AVC",
        "Bonjour, mon mari suit un traitement pour sa cirrhose depuis cinq ans chez le docteur Martin à Lyon et nous habitons loin de l'hôpital. Il vomit. C'est du sang rouge.",
    ],
)
def test_a_number_a_date_or_a_long_introduction_puts_no_sign_into_the_past(text: str) -> None:
    found = inspect(text)
    assert found is not None
    assert found.intent == "red_flag"
