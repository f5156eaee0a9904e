"""What the bench's visitors say. Written for it alone, without a look at the sets of the tests.

The intents are for the peer's training, so that it takes the same path through the conversation as Passerelle does.
"""

from __future__ import annotations

from dataclasses import dataclass

CONVERSATION = 6  # questions that one visitor asks before the next one comes

# Intent and question; plain French, neither short cuts nor mistakes: what is timed is the turn, not the understanding.
QUESTIONS = (
    ("ask_side_effects", "Quels effets indésirables a-t-on vus après ces injections ?"),
    ("ask_pain", "Est-ce que la perfusion fait mal ?"),
    ("ask_duration", "Combien de temps dure une séance ?"),
    ("ask_cost", "Combien coûte une cure complète ?"),
    ("ask_eligibility", "Qui peut recevoir ce traitement ?"),
    ("ask_steps", "Comment se déroule le traitement, étape par étape ?"),
    ("ask_liver_role", "À quoi sert le foie dans le corps ?"),
    ("ask_definition", "Une cellule souche mésenchymateuse, c'est quoi exactement ?"),
    ("ask_cell_sources", "D'où prenez-vous les cellules ?"),
    ("ask_own_or_donor", "Vaut-il mieux ses propres cellules ou celles d'un donneur ?"),
    ("ask_timeline", "Au bout de combien de semaines voit-on un résultat ?"),
    ("ask_recovery", "Quand peut-on reprendre le travail après la perfusion ?"),
    ("ask_exams", "Quels examens faut-il passer avant de commencer ?"),
    ("ask_routes", "Par quelle voie les cellules sont-elles données ?"),
    ("ask_conditions", "Pour quelles maladies cette thérapie est-elle étudiée ?"),
    ("ask_safety", "Que sait-on de la sécurité de cette méthode ?"),
    ("ask_efficacy", "Est-ce que cela marche vraiment ?"),
    ("ask_evidence", "Sur quelles études vous appuyez-vous ?"),
    ("ask_mechanism", "Comment ces cellules agissent-elles dans le corps ?"),
    ("ask_cancer", "Ces cellules peuvent-elles donner une tumeur ?"),
    ("ask_clinic", "Où se trouve votre clinique ?"),
    ("ask_consultation", "Comment se passe la première consultation ?"),
    ("ask_liver_diseases", "Quelles maladies du foie les articles citent-ils ?"),
    ("ask_liver_self_repair", "Le foie sait-il se réparer tout seul ?"),
    ("ask_liver_causes", "Qu'est-ce qui abîme le foie ?"),
    ("ask_liver_complications", "Quelles complications une cirrhose peut-elle entraîner ?"),
    ("ask_liver_lifestyle", "Quelle hygiène de vie protège le foie ?"),
    ("ask_liver_irreversible", "Une cirrhose est-elle toujours irréversible ?"),
    ("ask_liver_future", "Que prépare la recherche pour le foie ?"),
    ("ask_embryonic", "Utilisez-vous des cellules d'embryons ?"),
    ("ask_ipsc", "Que sont les cellules pluripotentes induites ?"),
    ("ask_cell_types", "Quels types de cellules souches existe-t-il ?"),
    ("ask_advantages", "Quels avantages cette approche a-t-elle ?"),
    ("ask_limits", "Quelles sont les limites de cette thérapie ?"),
    ("ask_aftercare", "Quel suivi proposez-vous après le traitement ?"),
    ("ask_cell_checks", "Comment la qualité des cellules est-elle contrôlée ?"),
    ("ask_complement", "Ce traitement remplace-t-il les médicaments habituels ?"),
    ("ask_not_eligible", "Dans quels cas refusez-vous un patient ?"),
    ("ask_price_factors", "De quoi le prix dépend-il ?"),
    ("ask_price_abroad", "Est-ce moins cher dans d'autres pays ?"),
    ("ask_choose_clinic", "Comment choisir une clinique sérieuse ?"),
    ("ask_authorisation", "Cette thérapie est-elle autorisée par les autorités ?"),
    ("ask_preparation_delay", "Combien de temps faut-il pour préparer les cellules ?"),
    ("ask_special_routes", "Injecte-t-on aussi les cellules dans le liquide de la colonne ?"),
    ("ask_mechanism_detail", "Quelles molécules ces cellules libèrent-elles ?"),
    ("ask_side_effects", "Peut-on avoir de la fièvre le lendemain ?"),
    ("ask_pain", "Le prélèvement de moelle est-il douloureux ?"),
    ("ask_duration", "Combien de jours doit-on rester sur place ?"),
    ("ask_cost", "Quel budget dois-je prévoir pour ce traitement ?"),
    ("ask_eligibility", "Y a-t-il un âge limite pour être traité ?"),
    ("ask_steps", "Que se passe-t-il le jour de la perfusion ?"),
    ("ask_timeline", "Les effets arrivent-ils tout de suite ou plus tard ?"),
    ("ask_recovery", "Faut-il se reposer longtemps après une injection ?"),
    ("ask_exams", "Dois-je apporter mes analyses de sang ?"),
    ("ask_safety", "Y a-t-il un risque de rejet avec un donneur ?"),
    ("ask_efficacy", "Quel taux de réussite annoncent les articles ?"),
    ("ask_evidence", "Combien de patients ont participé aux essais ?"),
    ("ask_own_or_donor", "Les cellules viennent-elles de mon propre corps ?"),
    ("ask_cell_sources", "Le cordon ombilical sert-il de source ?"),
    ("ask_conditions", "Traitez-vous aussi l'arthrose du genou ?"),
)

NAMES = ("Hélène Marchand", "Youssef Benali", "Claire Fontaine", "Marko Petrović", "Aurélie Dumont", "Bernard Leroy", "Inès Caron", "Paul Girard")
CONTACTS = ("06 12 34 56 78", "helene.marchand@exemple.fr", "07 98 76 54 32", "paul.girard@exemple.fr")
WINDOWS = ("jeudi matin", "en semaine après 17 h", "lundi après-midi", "vendredi entre 10 h et 12 h")
SUBJECTS = ("Le foie", "La neurologie", "Les articulations", "La thérapie en général")

OPENING, SLOT, SUBMISSION = "opening", "slot", "submission"


@dataclass(frozen=True)
class Step:
    """One message of the booking form.

    Attributes:
        kind: ``OPENING``, ``SLOT`` (an answer that fills a field) or ``SUBMISSION``.
        intent: for the peer's training.
        text: what the visitor writes.
    """

    kind: str
    intent: str
    text: str


def booking(number: int) -> list[Step]:
    """The messages of one visitor who fills the whole form; visitors differ by their number."""

    def one_of(lines: tuple[str, ...]) -> str:
        return lines[number % len(lines)]

    return [
        Step(OPENING, "book", "Je souhaite prendre rendez-vous"),
        Step(SLOT, "affirm", "oui, j'accepte"),
        Step(SLOT, "inform", one_of(NAMES)),
        Step(SLOT, "inform", one_of(CONTACTS)),
        Step(SLOT, "inform", one_of(WINDOWS)),
        Step(SLOT, "inform", one_of(SUBJECTS)),
        Step(SLOT, "deny", "non"),
        Step(SUBMISSION, "affirm", "oui"),
    ]


def bookings() -> list[list[Step]]:
    """Enough visitors for every line of the form to be said."""
    return [booking(number) for number in range(len(NAMES))]
