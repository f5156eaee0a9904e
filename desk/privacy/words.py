"""How the desk says in French what it holds, and why it found it."""

from __future__ import annotations

from collections.abc import Mapping

from desk.french_time import FIXED

# Tables → one, several. In the order in which counts are said.
TABLES: Mapping[str, tuple[str, str]] = {
    "tickets": ("demande", "demandes"),
    "notes": ("note de l'équipe", "notes de l'équipe"),
    "answers": ("réponse écrite au visiteur", "réponses écrites au visiteur"),
    "appointments": ("rendez-vous", "rendez-vous"),
    "booked_slots": ("tranche de cinq minutes à l'agenda", "tranches de cinq minutes à l'agenda"),
    "outbox": ("envoi", "envois"),
    "mail_copies": ("copie d'e-mail dans un fichier", "copies d'e-mails dans des fichiers"),
    "conversations": ("conversation avec l'assistant", "conversations avec l'assistant"),
    "messages": ("message de conversation", "messages de conversation"),
    "not_understood": ("question sans réponse", "questions sans réponse"),
    "search_terms": ("terme de recherche", "termes de recherche"),
    "presence": ("présence sur une page", "présences sur une page"),
    "undos": ("action encore annulable", "actions encore annulables"),
    "sign_ins": ("ligne du journal des connexions", "lignes du journal des connexions"),
    "staff_sessions": ("session terminée", "sessions terminées"),
    "backups": ("sauvegarde", "sauvegardes"),
}
REASONS = {
    "person": "Demande de la personne",
    "mistake": "Données laissées par erreur",
    "other": "Autre raison",
    "visitor": "Effacé par le visiteur",
    "retention": "Durée de conservation",
    "restored": "Effacé de nouveau après une restauration",
}
OFFICERS_REASONS = ("person", "mistake", "other")
WHY = {
    "reference": "référence",
    "email": "même adresse e-mail",
    "phone": "même numéro",
    "possible_phone": "numéro peut-être le même, sans l'indicatif du pays",
    "name": "même nom",
    "possible_name": "nom qui contient ces mots",
    "windows": "citée dans les moments souhaités",
    "related": "même conversation, ou suite d'une autre demande",
}
TEXTS = {
    "conversation": "Conversation avec l'assistant",
    "note": "Note de l'équipe sur une autre demande",
    "answer": "Réponse écrite sur une autre demande",
    "letter": "Envoi sans demande",
    "question": "Question sans réponse",
}


def amount(table: str, number: int) -> str:
    """« 3 notes de l'équipe »."""
    one, several = TABLES.get(table, (table, table))
    return f"{number:,}".replace(",", FIXED) + f"{FIXED}{several if number > 1 else one}"


def amounts(counts: Mapping[str, int]) -> list[tuple[str, int]]:
    """What was counted, with its French name, in the usual order; nothing that is none."""
    known = [(name, counts[name]) for name in TABLES if counts.get(name)]
    return [(TABLES[name][number > 1], number) for name, number in known] + [(name, n) for name, n in counts.items() if n and name not in TABLES]
