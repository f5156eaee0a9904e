"""What is decided from what was learned: a story and its question, a message that leans on the one before, a danger that is none."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

pytest.importorskip("sklearn", reason="runs in the environment bot")

from rasa.shared.nlu.constants import INTENT, TEXT
from rasa.shared.nlu.training_data.message import Message

from bot.nlu.content_reader import ContentReader
from bot.nlu.corrections import Heard, corrected
from bot.nlu.guard_classifier import GuardClassifier
from bot.nlu.intent_classifier import ALSO_ASKED, PARTS
from bot.nlu.message_model import Example, Reading
from bot.nlu.surroundings import Shares, Surroundings, composed
from bot.nlu.understanding import Thresholds, understand
from bot.silence import SUCCESS_RATE
from bot.sound import sound

ALL = Shares(*[100.0] * 6)
AROUND = Surroundings(["Mon père est couvreur. Il va bien"], ["merci"], ["non, je parle de"], ["une petite question"], ["bonne journée"], ["pour le foie"])


class Learned:
    """A reader that was told what to hear in each text, and remembers what was read by both nets."""

    def __init__(
        self, heard: Mapping[str, Mapping[str, float]], alarms: Mapping[str, float] | None = None, advice: Mapping[str, dict[str, float]] | None = None
    ) -> None:
        self._heard, self._alarms, self._advice = heard, alarms or {}, advice or {}
        self.texts: list[str] = []
        self.by_both: list[str] = []

    def read(self, texts: list[str], *, by_both: bool = False) -> list[Reading]:
        self.texts += texts
        self.by_both += texts if by_both else []
        return [
            Reading(dict(self._heard.get(t, {"ask_cost": 0.2, "ask_pain": 0.2})), self._alarms.get(t, 0.0), {"personal_advice": self._advice.get(t, {})})
            for t in texts
        ]


def test_the_question_at_the_end_of_a_story_counts_as_much_as_the_story() -> None:
    question = "Et le traitement lui-même, il coûte combien en tout ?"
    story = "Mon mari a travaillé quarante ans sur les toits. " * 5 + question
    model = Learned({story: {"personal_advice": 0.27, "ask_cost": 0.1}, question: {"ask_cost": 0.45, "personal_advice": 0.05}})
    assert understand(story, model, Thresholds()).ranking[0][0] == "ask_cost"


def test_nobody_is_taken_for_a_minor_by_the_years_that_their_pain_has_lasted() -> None:
    long_ill, young = "j'ai mal au genou depuis 3 ans, on m'a dit prothèse", "j'ai 15 ans et mal au genou, je peux venir ?"
    model = Learned({t: {"personal_advice": 0.6} for t in (long_ill, young)}, advice={t: {"minor": 0.35, "diagnosis": 0.25} for t in (long_ill, young)})
    assert [understand(t, model, Thresholds()).variant for t in (long_ill, young)] == ["diagnosis", "minor"]


def test_the_years_of_who_is_grown_up_make_no_personal_question() -> None:
    model = Learned({"bonjour g 58 ans": {"personal_advice": 0.4, "inform": 0.5}}, advice={"bonjour g 58 ans": {"minor": 0.38, "results": 0.02}})
    assert understand("bonjour g 58 ans", model, Thresholds()).ranking[0][0] == "inform"


def test_a_personal_question_is_answered_as_the_whole_message_has_it_rather_than_one_sentence_of_the_story() -> None:
    told = "Mon mari ne mange plus rien et ne se lève plus."
    story = f"{told} Cela peut-il encore quelque chose pour lui ?"
    model = Learned({story: {"personal_advice": 0.5}, told: {"personal_advice": 0.8}}, advice={story: {"relative": 0.5}, told: {"diagnosis": 0.8}})
    assert understand(story, model, Thresholds()).variant == "relative"


def test_words_that_insults_also_use_are_no_insult() -> None:
    model = Learned({"type 2": {"insult": 0.4, "ask_unanswered": 0.3}, "sale type": {"insult": 0.9}})
    assert [understand(t, model, Thresholds()).ranking[0][0] for t in ("type 2", "sale type")] == ["ask_unanswered", "insult"]


def test_a_word_or_two_that_no_article_answers_by_themselves_are_read_behind_the_question_before() -> None:
    before = "d'où viennent les cellules ?"
    model = Learned({"et la moelle": {"ask_unanswered": 0.65, "ask_cell_sources": 0.2}, f"{before} et la moelle": {"ask_cell_sources": 0.9}})
    assert understand("et la moelle", model, Thresholds(), before).ranking[0][0] == "ask_cell_sources"


def test_the_pieces_of_a_question_that_plainly_no_article_answers_are_no_questions_of_their_own() -> None:
    asked = "Quelle dose, comptée en cellules par kilo, en général administrée ?"
    pieces = {"Quelle dose": {"ask_cost": 0.5}, "en général administrée ?": {"ask_routes": 0.6}}
    model = Learned({asked: {"ask_unanswered": 0.95}, "comptée en cellules par kilo": {"ask_unanswered": 0.9}, **pieces})
    assert understand(asked, model, Thresholds()).ranking[0][0] == "ask_unanswered"


def test_a_question_of_few_words_after_a_story_is_read_with_the_sentence_it_points_at() -> None:
    pointed_at = "Un camarade dit que l'abstinence ne change rien au résultat."
    story = "Je suis sobre depuis quatre ans et j'en suis fier, mes enfants aussi. " * 3 + f"{pointed_at} Qu'en dit votre clinique ?"
    model = Learned(
        {
            story: {"ask_liver_lifestyle": 0.3, "ask_clinic": 0.2},
            "Qu'en dit votre clinique ?": {"ask_clinic": 0.9},
            f"{pointed_at} Qu'en dit votre clinique ?": {"ask_liver_lifestyle": 0.5, "ask_clinic": 0.2},
        }
    )
    assert understand(story, model, Thresholds()).ranking[0][0] == "ask_liver_lifestyle"


def test_beside_a_personal_question_only_a_practical_one_is_answered() -> None:
    message = "Mon fils de six ans peut-il venir, ça fait mal et combien ça coûte ?"
    heard = {message: {"personal_advice": 0.9}, "ça fait mal": {"ask_pain": 0.98}, "et combien ça coûte ?": {"ask_cost": 0.98}}
    understood = understand(message, Learned(heard), Thresholds())
    assert (understood.ranking[0][0], understood.also) == ("personal_advice", ["ask_cost"])


def test_a_practical_question_is_answered_beside_a_personal_one_that_the_lexicon_finds() -> None:
    message = Message({TEXT: "puis-je arrêter mon Plavix avant de venir, et combien ça coûte ?", INTENT: {"name": "ask_cost", "confidence": 0.9}})
    message.set(PARTS, [("puis-je arrêter mon Plavix avant de venir", "ask_safety"), ("et combien ça coûte ?", "ask_cost")])
    GuardClassifier().process([message])
    assert (message.get(INTENT)["name"], message.get(ALSO_ASKED)) == ("personal_advice", ["ask_cost"])


def test_a_message_that_is_not_clear_alone_is_read_behind_the_question_before_it() -> None:
    before, text = "Quelles cellules utilisez-vous ?", "laquelle est la plus sûre ?"
    model = Learned({text: {"ask_safety": 0.3, "ask_cell_types": 0.25}, f"{before} {text}": {"ask_cell_types": 0.8, "ask_safety": 0.1}})
    assert understand(text, model, Thresholds()).ranking[0][0] == "ask_safety"
    assert understand(text, model, Thresholds(), before).ranking[0][0] == "ask_cell_types"


def test_a_clear_message_is_not_read_behind_the_question_before_it() -> None:
    before, text = "Est-ce que ça fait mal ?", "combien ça coûte ?"
    model = Learned({text: {"ask_cost": 0.9, "ask_pain": 0.1}, f"{before} {text}": {"ask_pain": 0.9, "ask_cost": 0.1}})
    assert understand(text, model, Thresholds(), before).ranking[0][0] == "ask_cost"


def test_a_message_in_doubt_between_two_questions_gets_both_answers() -> None:
    text = "Et niveau cicatrices, ça donne quoi après ?"
    doubtful, clear = {"ask_recovery": 0.5, "ask_side_effects": 0.3}, {"ask_recovery": 0.7, "ask_side_effects": 0.25}
    assert understand(text, Learned({text: doubtful}), Thresholds()).also == ["ask_side_effects"]
    assert understand(text, Learned({text: clear}), Thresholds()).also == []


def test_what_may_be_a_personal_question_is_not_answered_as_a_second_one() -> None:
    text = "Et niveau cicatrices, ça donne quoi sur moi ?"
    assert understand(text, Learned({text: {"ask_recovery": 0.5, "personal_advice": 0.3}}), Thresholds()).also == []


def test_a_personal_question_that_is_believed_leads_clearly_though_another_is_likelier() -> None:
    text = "Combien coûte le traitement ? Et si je prenais plutôt mes ampoules ?"
    (first, sure), (_, next_best) = understand(text, Learned({text: {"ask_cost": 0.5, "personal_advice": 0.4}}), Thresholds()).ranking[:2]
    assert first == "personal_advice"
    assert sure - next_best > 0.1, "nearer than that, Rasa would ask which of the two was meant"


def test_only_a_clear_question_without_a_hint_of_danger_is_calm() -> None:
    text = "Qu'est-ce qui abîme le foie ?"
    clear, unclear = {"ask_liver_causes": 0.95, "personal_advice": 0.01}, {"ask_liver_causes": 0.35, "personal_advice": 0.01}
    assert understand(text, Learned({text: clear}), Thresholds(), is_suspect=True).calm == {"red_flag", "personal_advice"}
    assert understand(text, Learned({text: clear}, {text: 0.05}), Thresholds(), is_suspect=True).calm == {"personal_advice"}
    assert understand(text, Learned({text: unclear}), Thresholds(), is_suspect=True).calm == frozenset()


def test_a_doubt_between_questions_to_the_articles_is_as_calm_as_one_of_them() -> None:
    text = "Papa tremble depuis des années. Que peut-on dire des cellules souches et du Parkinson ?"
    doubt = {"ask_limits": 0.35, "ask_efficacy": 0.3, "ask_conditions": 0.3}
    assert "red_flag" in understand(text, Learned({text: doubt}, {text: 0.01}), Thresholds(), is_suspect=True).calm
    assert (
        "red_flag"
        not in understand(text, Learned({text: {"ask_limits": 0.3, "ask_efficacy": 0.3, "inform": 0.4}}, {text: 0.01}), Thresholds(), is_suspect=True).calm
    )


@pytest.mark.parametrize("intent", ["ask_unanswered", "out_of_scope", "inform"])
def test_only_a_question_to_the_articles_is_calm(intent: str) -> None:
    text = "Ma fille a les lèvres bleues, combien de patients avez-vous traités ?"
    assert "red_flag" not in understand(text, Learned({text: {intent: 0.95}}), Thresholds(), is_suspect=True).calm


def test_one_alarming_clause_beside_a_clear_question_is_enough_not_to_be_calm() -> None:
    text = "Je saigne beaucoup, et le traitement il coûte combien ?"
    calm, alarming = (Learned({text: {"ask_cost": 0.95}}, {"Je saigne beaucoup": alarm}) for alarm in (0.1, 0.8))
    assert "red_flag" in understand(text, calm, Thresholds(), is_suspect=True).calm
    assert "red_flag" not in understand(text, alarming, Thresholds(), is_suspect=True).calm


def test_one_alarming_sentence_of_a_story_is_enough_not_to_be_calm() -> None:
    text = "Je me renseigne pour mon oncle. Il vient de tomber et ne parle plus. Combien coûte le traitement ?"
    sentence = "Il vient de tomber et ne parle plus."
    model = Learned({text: {"ask_cost": 0.95}}, {sentence: 0.75})
    assert "red_flag" not in understand(text, model, Thresholds(), is_suspect=True).calm


def test_what_the_lexicon_suspects_is_read_by_both_nets() -> None:
    text = "Combien coûte le traitement ?"
    quick, suspect = Learned({text: {"ask_cost": 0.95}}), Learned({text: {"ask_cost": 0.95}})
    understand(text, quick, Thresholds())
    understand(text, suspect, Thresholds(), is_suspect=True)
    assert (quick.by_both, suspect.by_both) == ([], [text])


def test_a_message_with_a_grave_sentence_is_read_by_both_nets_throughout() -> None:
    text = "Idem pour les tendons ? Mon mari garde les enfants si je refuse."
    sentence = "Mon mari garde les enfants si je refuse."
    alarming, personal = Learned({}, {sentence: 0.83}), Learned({sentence: {"ask_cost": 0.3, "personal_advice": 0.4}})
    for model in (alarming, personal):
        understand(text, model, Thresholds())
        assert text in model.by_both and sentence in model.by_both


def test_the_question_before_does_not_speak_in_place_of_a_message_that_has_nothing_to_do_with_it() -> None:
    before, text = "Y a-t-il un risque de cancer ?", "vous pouvez téléphoner à ma mère"
    model = Learned({text: {"book": 0.4, "ask_bot": 0.2}, f"{before} {text}": {"ask_cancer": 0.85, "book": 0.1}})
    assert understand(text, model, Thresholds(), before).ranking[0][0] == "book"


def test_the_question_before_is_read_only_where_the_message_is_not_clear_without_it() -> None:
    before, text = "Le prix ?", "et pour le foie ?"
    clear, unclear = Learned({text: {"ask_conditions": 0.9}}), Learned({text: {"ask_conditions": 0.3}})
    understand(text, clear, Thresholds(), before)
    understand(text, unclear, Thresholds(), before)
    assert [f"{before} {text}" in model.texts for model in (clear, unclear)] == [False, True]


def content_read(text: str, **chances: float) -> str:
    """The intent that is left when the content reader has read a message with these chances, likeliest first."""
    message = Message({TEXT: text})
    ranking = [{"name": name, "confidence": chance} for name, chance in chances.items()]
    message.set(INTENT, ranking[0])
    message.set("intent_ranking", ranking)
    ContentReader().process([message])
    return str(message.get(INTENT)["name"])


def test_what_probably_no_article_says_is_not_answered_out_of_them() -> None:
    asked = "Et du côté des publications, ça avance ?"
    assert content_read(asked, ask_evidence=0.5, ask_unanswered=0.45) == "ask_unanswered"
    assert content_read(asked, ask_evidence=0.85, ask_unanswered=0.15) == "ask_evidence"
    assert content_read("D'où vient le nom de la maladie de Parkinson ?", ask_disease=0.5, ask_unanswered=0.45) == "ask_unanswered"


def test_what_cannot_be_hoped_for_in_a_disease_is_told_by_its_own_text_first() -> None:
    hoped = heard("La polyarthrite, on peut y faire quelque chose ou faut oublier ?", ask_limits=0.75, ask_efficacy=0.1)
    assert (hoped.intent, list(hoped.also)) == ("ask_conditions", ["ask_limits"])
    assert heard("Y a-t-il des choses que la thérapie ne peut pas faire ?", ask_limits=0.75).intent == "ask_limits"


def test_a_disease_that_no_article_names_is_not_lost_to_a_question_that_is_hardly_understood() -> None:
    asked = "Je cherche des renseignements pour une calvitie."
    assert heard(asked, ask_side_effects=0.55).unsaid == "la chute de cheveux"
    assert heard(asked, ask_side_effects=0.9).unsaid is None


def test_the_disease_that_a_question_names_comes_before_what_it_may_have_meant() -> None:
    asked = "comment récupère-t-on d'un AVC avec ces cellules"
    unclear = heard(asked, ask_cell_sources=0.3, ask_routes=0.2)
    assert (unclear.intent, list(unclear.also)) == ("ask_conditions", ["ask_cell_sources"])
    assert heard(asked, ask_cell_sources=0.6).intent == "ask_cell_sources"
    assert heard(asked, ask_cell_sources=0.3, ask_unanswered=0.2, out_of_scope=0.2).intent == "ask_unanswered"


def test_a_question_about_the_lungs_is_never_answered_with_what_is_said_of_the_liver() -> None:
    asked = "La BPCO, est-ce que ça peut revenir en arrière ?"
    assert not content_read(asked, ask_liver_irreversible=0.8, ask_efficacy=0.15).startswith("ask_liver")


def heard(text: str, *, also: list[str] | None = None, parts: list[tuple[str, str]] | None = None, **chances: float) -> Heard:
    """A message with these chances, likeliest first, after all corrections."""
    return corrected(Heard(text, list(chances.items()), also or [], parts or []))


@pytest.mark.parametrize("asked", ["Quel pourcentage de gens va mieux ?", "sur dix malades y en a combien pour qui ça marche", "Votre taux de réussite ?"])
def test_how_many_get_better_in_general_is_told_by_what_the_articles_say_of_results(asked: str) -> None:
    assert heard(asked, ask_unanswered=0.9).intent == "ask_efficacy"


def test_how_many_get_better_is_known_for_cirrhosis_and_for_no_other_disease() -> None:
    cirrhosis = heard("quel % de cirrhoses s'améliorent", ask_unanswered=0.9)
    assert (cirrhosis.intent, cirrhosis.named.figure) == ("ask_efficacy", "sixty")
    other = heard("c koi le % de reussite pr la sep", ask_efficacy=0.9)
    assert (other.intent, other.unsaid) == ("ask_unanswered", SUCCESS_RATE)


def test_a_figure_of_something_else_is_no_success_rate() -> None:
    assert heard("Quel est votre taux de mortalité ?", ask_safety=0.9).unsaid == "les taux de complication et de mortalité"
    assert heard("Combien de temps avant d'aller mieux ?", ask_timeline=0.9).intent == "ask_timeline"


def test_a_story_of_several_diseases_with_a_general_question_names_none() -> None:
    story = "Mon frère a une BPCO, ma sœur Parkinson et mon beau-frère de l'arthrose aux deux genoux. Ma nièce a trouvé votre page et nous en parlons dimanche tous ensemble. "
    assert not heard(f"{story * 2}Ça s'adresse à qui au juste ?", ask_conditions=0.9).names_a_disease
    assert heard(f"{story * 2}Et pour la BPCO, on peut espérer quoi ?", ask_efficacy=0.9).named.condition == "bpco"
    assert heard(f"{story * 2}Combien de patients vont mieux ?", ask_conditions=0.9).intent == "ask_efficacy", (
        "how many is asked of none of them, and still asked"
    )


def test_a_question_that_points_at_a_disease_no_article_names_says_so() -> None:
    story = "Maman a 81 ans et elle ne me reconnaît plus que le matin. Le neurologue dit Alzheimer, stade modéré, et ma voisine nous a donné votre site hier soir au téléphone. "
    assert heard(f"{story}Est-ce que votre thérapie concerne cette maladie-là ?", ask_conditions=0.9).unsaid == "la maladie d'Alzheimer"
    assert heard(f"{story}Combien coûte le traitement ?", ask_cost=0.9).unsaid is None


def test_what_no_article_answers_is_not_turned_into_the_disease_of_the_story() -> None:
    story = "Mon mari a fait un AVC en 2019 et marche avec une canne. Sa mutuelle demande des papiers, encore des papiers, toujours des papiers, et personne ne répond au téléphone. "
    assert heard(f"{story}C'est quoi le code de nomenclature ?", ask_unanswered=0.55, ask_steps=0.2).intent == "ask_unanswered"


def test_with_written_in_three_letters_is_no_stroke() -> None:
    assert not heard("mon chat peu venir avc moi ?", ask_unanswered=0.4).names_a_disease
    assert heard("apres un avc ya koi a esperer", ask_efficacy=0.4).named.condition == "avc"


def test_a_disease_written_as_it_is_heard_is_known() -> None:
    assert heard("insufisence kardiak : y a til un intéré", ask_conditions=0.5).named.condition == "insuffisance_cardiaque"


def test_what_is_asked_of_two_diseases_is_answered_for_each() -> None:
    other = 'ask_conditions{"scope": "general", "condition": "sep"}'
    asked = heard("vous soignez parkinson et la sep ?", ask_conditions=0.9)
    assert (asked.named.condition, list(asked.also)) == ("parkinson", [other])
    assert heard("et pour parkinson et la SEP ?", follow_up=0.9).also == [other.replace("ask_conditions", "follow_up")]
    assert list(heard("La sclérose en plaques, une maladie neurologique ?", ask_disease=0.9).also) == [], "a family of diseases is no further one"
    assert list(heard("combien ça coûte pour parkinson et la sep", ask_cost=0.9).also) == []


def test_of_two_questions_the_silent_one_does_not_hide_the_other() -> None:
    both = heard(
        "C'est remboursé, et ça fait effet combien de temps ?",
        parts=[("C'est remboursé", "ask_unanswered"), ("et ça fait effet combien de temps ?", "ask_duration")],
        ask_unanswered=0.8,
        ask_duration=0.2,
    )
    assert (both.intent, both.also, both.unsaid) == ("ask_duration", ["ask_unanswered"], "le remboursement et les assurances")


def test_a_silence_that_is_not_known_by_its_name_is_left_to_the_whole_message() -> None:
    text = "épilepsie sévère, vous prenez ?"
    parts = [("épilepsie sévère", "ask_unanswered"), ("vous prenez ?", "ask_conditions")]
    assert heard(text, parts=parts, ask_unanswered=0.9).intent == "ask_unanswered"


def test_words_that_sound_the_same_are_learned_as_the_same() -> None:
    for written, meant in (("preparassion", "preparation"), ("kardiak", "cardiaque"), ("sirose", "cirrhose"), ("koi", "quoi"), ("soulager", "soulage")):
        assert sound(written) == sound(meant)
    assert len({sound(word) for word in ("foie", "poumon", "coeur", "prix", "cellule", "douleur", "risque")}) == 7


def test_a_question_is_also_learned_in_what_people_put_around_it() -> None:
    texts = [e.text for e in composed([Example("Combien ça coûte ?", "ask_cost")], AROUND, ALL, seed=1) if e.intent == "ask_cost"]
    assert "Mon père est couvreur. Il va bien. Combien ça coûte ?" in texts
    assert "non, je parle de combien ça coûte ?" in texts
    assert "Combien ça coûte pour le foie ?" in texts
    assert any(t.startswith("merci") and t.endswith("Combien ça coûte ?") for t in texts)


def test_a_story_makes_nothing_harmless() -> None:
    found = composed([Example("j'ai mal dans la poitrine", "red_flag", "emergency")], AROUND, ALL, seed=1)
    assert Example("Mon père est couvreur. Il va bien. j'ai mal dans la poitrine", "red_flag", "emergency") in found


def test_the_same_seed_composes_the_same_examples() -> None:
    examples = [Example(f"question {n} ?", "ask_cost") for n in range(200)]
    around = Surroundings.read()
    assert composed(examples, around, Shares(), 42) == composed(examples, around, Shares(), 42)
    assert composed(examples, around, Shares(), 42) != composed(examples, around, Shares(), 7)
