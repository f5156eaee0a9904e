"""What a visitor wants, by the words alone: for the desk, when nobody is there who understands more.

Only plain wishes are recognised. A wish that is missed costs one tap on a button; one that is seen where there is none opens
a question that can be refused, in the place of « l'assistant ne répond pas ».
"""

from __future__ import annotations

import re

from bot.guard.normalise import fold

_SHORT = 6  # words up to which the mere mention of a consultation or a person is a wish
_CONSULTATION = re.compile(r"\b(?:rendez[- ]?vous|consult(?:ation)?|creneau|entretien|visio|reserv\w+|inscri\w+)\b")
_PERSON = re.compile(
    r"\b(?:h?umaine?|conseill(?:er|ere)|operat(?:eur|rice)|agent|employee?|coordinat\w+|collegue|responsable|interlocuteur|secretari?a?[ti]\w*|standard"
    r"|service (?:clients?|patients?)|(?:une |vraie? )(?:personne|dame|voix|gens|monde)|vive voix|membre d[eu] \w+"
    r"|quelqu'un|votre (?:equipe|medecin|docteur|specialiste|neurologue)|(?:un|le|vos|de vos) (?:medecins?|docteurs?|specialistes?))\b"
)
_WANTED = re.compile(
    r"\b(?:veux|veut|voul\w+|voudr\w+|souhait\w*|desir\w*|aimer\w+|prefer\w*|besoin|peu[tx]|puis|pouvez|pourr\w+|faudrait|prendre|prenez|prenons|prend|avoir"
    r"|fix\w+|obtenir|demand\w+|planifi\w+|trouvez|passez?|transfer\w*|relay\w*|mett\w+|donne\w*|parler|parle|discuter|echanger|joindre|urgent|vite|interesse"
    r"|svp|s'il (?:vous|te) plait)\b"
)
_CALL_BACK = re.compile(
    r"\b(?:rap+el+|recontact|contact|telephon|ap+el+)\w*[- ](?:moi|nous)\b"
    r"|\b(?:me|nous|m') ?(?:rap+el+|recontact|contact|telephon|appel)(?:er|ez|iez|e|era|erez|ent)\b"
    r"|\betre (?:rappel|recontact|contact|appel)\w*|\bdemande de (?:rappel|contact)|\bcoup de fil\b"
    r"|\blaisser (?:une|ma|mes|mon|un) (?:demande|message|coordonnees|numero)\b"
)
_NOT_WANTED = re.compile(
    r"\bpas (?:de|d'|besoin|envie|etre|prendre|encore)\b|\bplus (?:de|besoin|du|etre|prendre|me)\b|\bannul|\bsans\b|\binutile\b|\bne (?:me|m'|nous)\b"
    r"|\bje m'appel|\b(?:decommand|supprim|quitt|oubli|enlev|decal|deplac|chang)\w*|\b(?:delai|rien)\b"
    r"|\b(?:mon|ma|mes|son|sa) (?:medecin|docteur|neurologue|specialiste|equipe)\b|\b(?:devait|devais|devrait|ai laisse|a laisse|ai eu|a eu)\b"
    r"|\b(?:combien|prix|cout\w*|tarif\w*|gratuite? \?|c'est quoi|qu'est[- ]ce|payer)\b|\bc'est gratuit"
)
_TAKEN_UP = re.compile(
    r"\b(?:reprend\w*|reprise|continu\w*|finir|terminer|poursuiv\w*|revenir|retour)\b.{0,25}\b(?:demande|formulaire|rendez[- ]?vous|inscription)\b"
    r"|^(?:on |je |oui |ok |alors |bon |[ ,.!])*(?:reprend\w*|continu\w*)\W*$"
)
_ERASED = re.compile(r"\b(?:efface\w*|supprime\w*)\b.{0,30}\b(?:tout|donnees|conversation|discussion|historique|infos?|informations?)\b|\boubliez[- ]moi\b")


def asks_for_human(text: str) -> bool:
    """Whether a consultation, a person or a call back is asked for."""
    folded = fold(text)
    if _NOT_WANTED.search(folded):
        return False
    if _CALL_BACK.search(folded):
        return True
    named = _CONSULTATION.search(folded) or _PERSON.search(folded)
    return bool(named) and (len(folded.split()) <= _SHORT or bool(_WANTED.search(folded)))


def takes_up(text: str) -> bool:
    """Whether a request that waits is to go on."""
    folded = fold(text)
    return bool(_TAKEN_UP.search(folded)) and not _NOT_WANTED.search(folded)


def asks_erasure(text: str) -> bool:
    """Whether the conversation's data are to be erased."""
    folded = fold(text)
    return bool(_ERASED.search(folded)) and not re.search(r"\bpas\b", folded)
