"""What a message is about, and what no article speaks of."""

from __future__ import annotations

import pytest

from bot.guard.door import inspect
from bot.nlu.clauses import clauses
from bot.scope import about
from bot.silence import unsaid


@pytest.mark.parametrize(
    ("text", "scope", "condition"),
    [
        ("cé koi une cirose", "liver", "cirrhose"),
        ("g la sep", "general", "sep"),
        ("maladie de parkinsson", "general", "parkinson"),
        ("FOIE GRAS", "liver", "steatose"),
        ("un acident vasculaire", "general", "avc"),
        ("et pour le foie ?", "liver", "any"),
        ("et en général ?", "general", "any"),
        ("quelles maladies ?", None, "any"),
        ("combien ça coûte", None, None),
        ("une fois par an", None, None),
        ("mon arthrose, et mon foie ?", "liver", "any"),
        ("sclérose latérale amyotrophique", "general", "any"),
        ("pas une cirrhose, une stéatose !", "liver", "steatose"),
        ("je n'ai pas de cirrhose, mais c'est quoi", "liver", "cirrhose"),
        ("mon foie est plein de graisse", "liver", "steatose"),
        ("insuf hepatiq", "liver", "insuffisance_hepatique"),
        ("et les transaminases ?", "liver", "any"),
    ],
)
def test_a_message_names_its_disease_whatever_the_spelling(text: str, scope: str | None, condition: str | None) -> None:
    assert (about(text).scope, about(text).condition) == (scope, condition)


def test_a_figure_of_the_articles_is_recognised() -> None:
    assert about("60 % de réussite sur la cirrhose, c'est vrai ?").figure == "sixty"
    assert about("combien de gens ont la stéatose dans le monde").figure == "thirty_two"
    assert about("j'ai 60 ans").figure is None
    assert about("cirose : sa va mieu pour combien de pourssent").figure == "sixty"


@pytest.mark.parametrize(
    ("text", "intent", "subject"),
    [
        ("La RAMQ couvre-tu une partie ?", "ask_cost", "le remboursement et les assurances"),
        ("vous traitez l'autisme ?", "ask_conditions", "l'autisme"),
        ("le prix si j'ai du diabète", "ask_cost", None),
        ("du diabète et une cirrhose, ça aide ?", "ask_conditions", None),
        ("est-ce que ça fait mal ?", "ask_pain", None),
        ("soignez-vous l'arthrose des chiens ?", "ask_conditions", "les soins aux animaux"),
        ("vous soignez les enfants ?", "ask_eligibility", "les enfants"),
        ("de bébés ???", "ask_embryonic", None),
        ("ça soulage vrément la douleur ?", "ask_efficacy", None),  # no « virement »
    ],
)
def test_the_silence_list_is_known_by_name(text: str, intent: str, subject: str | None) -> None:
    assert unsaid(text, intent) == subject


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("Ça fait mal ? Et combien ça coûte ?", ["Ça fait mal ?", "Et combien ça coûte ?"]),
        ("merci !! et c'est où exactement", ["et c'est où exactement"]),
        ("est-ce que ça fait mal ?", []),
    ],
)
def test_a_message_is_cut_where_a_second_question_begins(text: str, parts: list[str]) -> None:
    assert clauses(text) == parts


def test_a_long_story_is_read_by_its_question() -> None:
    story = "Je travaille en usine depuis vingt ans. " * 8 + "Combien de jours faut-il pour récupérer ? Merci d'avance."
    assert clauses(story) == ["Combien de jours faut-il pour récupérer ?"]


def test_a_letter_asks_before_its_closing() -> None:
    told = "Madame, ma mère, qui vit à Namur et ne se déplace plus guère depuis sa chute de l'hiver dernier, m'a chargée de vous écrire. "
    asked = "Je désirerais savoir quels documents médicaux doivent vous parvenir au préalable."
    closing = " Dans l'attente de vous lire, je vous prie d'agréer l'expression de mes salutations distinguées."
    assert clauses(told + asked + closing) == [asked]
    courteous = "Je vous remercie de bien vouloir m'indiquer le coût de l'ensemble."
    assert clauses(told + told + courteous) == [courteous]


@pytest.mark.parametrize(
    "text", ["combien de temps il me reste a vivre", "espérance de vie avec une cirrhose", "est ce que mon mari va mourir", "il est en soins palliatifs"]
)
def test_nobody_is_told_how_long_there_is_to_live(text: str) -> None:
    finding = inspect(text)
    assert finding is not None
    assert finding.intent in ("personal_advice", "red_flag")


@pytest.mark.parametrize("text", ["elle saign beaucoup", "crisz cardiaque", "je vais sayter du pont"])
def test_a_slip_of_the_finger_hides_no_danger(text: str) -> None:
    finding = inspect(text)
    assert finding is not None
    assert finding.intent == "red_flag"
