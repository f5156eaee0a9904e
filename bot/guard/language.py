"""Says when a message is surely not French. Doubt means French: a French visitor must never be told to write French.

Three kinds of evidence: the script, function words, and langdetect, which is asked only about text long enough for it
(it takes « merci » for Spanish, see ``docs/decisions.md``).
"""

from __future__ import annotations

import re
import unicodedata

from langdetect import DetectorFactory, LangDetectException, detect_langs

LONG_ENOUGH = 40  # characters from which langdetect is worth asking
SURE = 0.95  # its probability from which it is believed
DetectorFactory.seed = 0  # the same message is always read the same way

# Small words that carry grammar, and those a visitor's first message is made of.
FUNCTION_WORDS = {
    "fr": "le les des du un une et est sont je j tu il elle nous vous ils c ce cette ca sa mon ma mes votre vos pour avec dans sur qui que quoi "
    "quel quelle quels comment combien pourquoi quand ou pas plus oui bonjour bonsoir salut merci svp au aux suis ai avez avoir etre fait faire "
    "non nan si me te se en on y eux leur lui moi toi cet ces aussi bien tres trop encore jamais toujours rien tout tous toute sans sous entre "
    "apres avant depuis jour mois an ans fois general peut puis veux voudrais prix rdv "
    "douleur foie cellules souches traitement mais donc chez y a de la l d qu n s",
    "en": "the and is are of to you your what how much does do i my with for this have can would it in was there please hello hi thanks thank where when who",
    "de": "der die das und ist sind ich sie wie viel kostet mein meine mit fur was haben kann bitte hallo guten tag danke wo nicht eine einen zu auf",
    "es": "el los las y es son yo usted como cuanto cuesta mi con para que tengo puede por favor hola gracias donde tratan una del hay quiero",
    "it": "il gli e sono io lei quanto costa mio mia con per che ho puo ciao buongiorno grazie dove della una come vorrei si non",
    "pt": "o os as e sao eu voces quanto custa meu minha com para que tenho pode ola obrigado obrigada onde uma bom dia nao tratam",
    "nl": "de het en is zijn ik u hoe veel kost mijn met voor wat heb kan hallo dank waar een niet jullie behandeling hoeveel",
    "sr": "je i su ja vi koliko kosta moj moja sa za sta imam moze zdravo dobar dan hvala gde da li lepo hocu zelim molim lecite",
    "ro": "este si sunt eu cat costa meu mea cu pentru ce am poate buna ziua multumesc unde tratati va rog vreau",
    "tr": "ve bir ben siz ne kadar benim icin ile var mi merhaba tesekkur nerede tedavi tedavisi istiyorum lutfen nasil",
}
_WORDS = {language: frozenset(words.split()) for language, words in FUNCTION_WORDS.items()}
# What French has too is no evidence for another language.
_FOREIGN = {language: words - _WORDS["fr"] for language, words in _WORDS.items() if language != "fr"}
# What a visitor may write alone, in a language that is surely not French.
_GREETINGS = {
    word: language
    for language, words in {
        "de": "hallo danke bitte",
        "es": "hola gracias buenas",
        "it": "buongiorno buonasera grazie salve",
        "pt": "ola obrigado obrigada",
        "nl": "dank bedankt",
        "sr": "zdravo hvala molim",
        "ro": "multumesc buna",
        "tr": "merhaba tesekkurler tesekkur",
    }.items()
    for word in words.split()
}
_LOANS = frozenset("hello hi ciao thanks ok".split())  # French people write these too


def foreign_language(text: str) -> str | None:
    """The language of a message that is surely not French.

    Args:
        text: a visitor's message as written.

    Returns:
        An ISO 639-1 code (``en``, ``de``, ``ar``, …; ``sr`` for Serbian in either script), or None for French or doubt.
    """
    script = _script(text)
    if script:
        return script
    words = re.findall(r"[a-z]+", _plain(text))
    french = sum(w in _WORDS["fr"] for w in words)
    scores = {name: sum(w in foreign for w in words) for name, foreign in _FOREIGN.items()}
    best = max(scores, key=lambda name: scores[name])
    evidence = scores[best] - (1 if len(words) > 2 and any(w in _LOANS for w in words) else 0)
    if evidence >= 2 and evidence > french:
        return best
    if len(words) == 1:
        return _GREETINGS.get(words[0])
    if len(text.strip()) >= LONG_ENOUGH and french <= len(words) // 8:
        return _detected(text)
    return None


def _plain(text: str) -> str:
    return unicodedata.normalize("NFKD", text.lower()).encode("ascii", "ignore").decode()


def _script(text: str) -> str | None:
    letters = [c for c in text if c.isalpha()]
    arabic = sum("\u0600" <= c <= "\u06ff" for c in letters)
    cyrillic = [c for c in letters if "\u0400" <= c <= "\u04ff"]
    if arabic * 2 > len(letters):
        return "ar"
    if len(cyrillic) * 10 > len(letters) * 8:  # a few Cyrillic letters inside a French word are look-alikes, not a language
        russian = any(c in "ыэёщъЫЭЁЩЪйьюяЙЬЮЯ" for c in cyrillic)
        return "ru" if russian else "sr"
    return None


def _detected(text: str) -> str | None:
    try:
        best = detect_langs(text)[0]
    except LangDetectException:
        return None
    code = {"hr": "sr", "bs": "sr", "sl": "sr", "mk": "sr", "bg": "ru", "uk": "ru", "gl": "pt", "ca": "es", "af": "nl"}.get(best.lang, best.lang)
    return str(code) if best.prob >= SURE and code != "fr" else None
