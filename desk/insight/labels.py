"""French names of what is counted."""

from __future__ import annotations

from bot.answers import Content

# Families of the guard: the variations of utter_red_flag and utter_personal_advice.
FAMILIES = {
    "emergency": "Urgence vitale",
    "liver_bleed": "Saignement, maladie du foie",
    "suicide": "Idées de suicide",
    "suicide_urgent": "Suicide, danger immédiat",
    "suicide_veiled": "Suicide, à demi-mot",
    "suicide_other": "Suicide d'un proche",
    "assisted_dying": "Aide à mourir",
    "poisoning": "Intoxication",
    "violence": "Violences",
    "coercion": "Contrainte",
    "threat": "Menace envers quelqu'un",
    "fraud": "Escroquerie",
    "child_danger": "Enfant en danger",
    "after_injection": "Signe après une injection",
    "same_day": "Signe à montrer le jour même",
    "stop_treatment": "Arrêter un traitement",
    "instead_of": "À la place d'un traitement",
    "dose": "Dose d'un médicament",
    "interaction": "Interaction",
    "results": "Lire des résultats",
    "diagnosis": "Diagnostic",
    "eligibility": "« Suis-je éligible ? »",
    "route": "Voie d'administration pour soi",
    "prognosis": "Pronostic",
    "end_of_life": "Temps qui reste",
    "second_opinion": "Deuxième avis",
    "relative": "Conseil pour un proche",
    "pregnancy": "Grossesse",
    "after_treatment": "Suites d'un traitement",
    "travel": "Voyager",
    "diet": "Régime",
    "vaccine": "Vaccin",
    "product": "Produit, complément",
    "mental_health": "Santé mentale",
    "certificate": "Certificat, ordonnance",
    "my_place": "« À ma place ? »",
    "minor": "Mineur",
    "cancer": "Cancer",
    "utter_red_flag": "Urgence, sans famille",
    "utter_personal_advice": "Conseil personnel, sans famille",
}
HANDOFFS = {
    "utter_human": "Rappel proposé à qui demande un humain",
    "utter_booking_received": "Demandes envoyées",
    "utter_booking_cancelled": "Formulaires abandonnés",
    "utter_booking_refused": "Formulaires sans accord",
    "utter_booking_failed": "Demandes à renvoyer (panne)",
}
NO_ANSWERS = {
    "utter_fallback": "Pas comprise",
    "utter_clarify": "Hésitation entre plusieurs sujets",
    "utter_fallback_again": "Sans réponse, deux fois de suite",
    "utter_unanswered": "Les articles n'en parlent pas",
    "utter_unanswered_again": "Les articles n'en parlent pas, deux fois de suite",
    "utter_out_of_scope": "Hors sujet",
    "utter_out_of_scope_again": "Hors sujet, deux fois de suite",
    "utter_disease": "Maladie non reconnue",
    "utter_follow_up": "Suite sans question avant",
    "utter_say_more": "Précision sans question avant",
    "utter_not_my_question": "Répondu à côté",
    "utter_not_my_question_again": "Répondu à côté, deux fois de suite",
}


def family(name: str) -> str:
    """What a family of the guard is called; an unknown one shows as it is."""
    return FAMILIES.get(name, name)


def topic(content: Content, response: str) -> str:
    """What an answer is about: the label of the button that leads to it, else its name in words."""
    variations = content.responses.get(response, [])
    question = next((v["metadata"]["question"] for v in variations if "question" in v["metadata"]), None)
    return str(question) if question else response.removeprefix("utter_").replace("_", " ")
