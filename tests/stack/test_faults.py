"""Each part of the line broken in turn: the truth and the numbers come back, emergencies are recognised, and a request can be left."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx2
import pytest

from bot.answers import Content
from desk import retention
from desk.chat.rasa import Assistant
from desk.chat.turns import Turns
from desk.db import Database, connect
from desk.settings import load_settings
from tests.authenticator import sign_in
from tests.families import FAMILIES, assert_emergency
from tests.stack_client import Reply, Stack, Visitor, reference_in, wait_for

pytestmark = pytest.mark.stack
PASSWORD = "un mot de passe assez long"
NUMBERS = "15, 112, 144, 911 ou 194"
PATIENT = 240  # seconds: a slow machine may take long to load Rasa


def opened(stack: Stack, *said: str) -> Visitor:
    """A visitor who has said some things to an assistant that answers."""
    visitor = stack.visitor()
    for text in said:
        visitor.say(text)
    return visitor


def all_at_once(calls: list[Callable[[], None]]) -> None:
    """Runs calls side by side: what waits for something broken waits once."""
    with ThreadPoolExecutor(len(calls)) as threads:
        for done in [threads.submit(call) for call in calls]:
            done.result()


def assert_every_family_is_recognised(stack: Stack) -> None:
    visitors = {family: stack.visitor() for family in FAMILIES}
    all_at_once([lambda family=family: assert_emergency(visitors[family].say(FAMILIES[family][0]), family) for family in FAMILIES])


def assert_truth(reply: Reply) -> None:
    assert reply.status == 200
    assert "ne répond pas en ce moment" in reply.text
    assert NUMBERS in reply.text
    assert "Laisser une demande" in [b["label"] for b in reply.buttons]


def fill_short_form(visitor: Visitor, name: str) -> None:
    """From its first question to the recap."""
    visitor.press("J'accepte")
    for text in (name, "06 12 34 56 78", "mardi matin", "le foie", "non"):
        visitor.say(text)
    assert "Est-ce correct" in visitor.last.text


def staff_page(stack: Stack, account: str) -> Callable[[str], str]:
    """A browser signed in to the desk: reads one request."""
    stack.add_staff(account, PASSWORD)
    browser = httpx2.Client(base_url=stack.url, follow_redirects=True, headers={"Origin": stack.url}, timeout=60)
    sign_in(browser, account, PASSWORD)
    return lambda reference: browser.get(f"/desk/requests/{reference}").text


@pytest.fixture(autouse=True, scope="module")
def _everything_works_afterwards(stack: Stack) -> Iterator[None]:
    yield
    stack.wait_until_ready(PATIENT)
    assert "31" in stack.visitor().say("combien ça coûte ?").text


def test_rasa_killed(stack: Stack) -> None:
    stack.wait_until_ready(PATIENT)
    in_rasas_form = opened(stack, "je voudrais un rdv", "oui", "Zébulon Avant")
    changes_hands = opened(stack, "je voudrais un rdv", "oui", "Zoé Kerpassant")
    leaves = opened(stack, "je voudrais un rdv", "oui", "Zoé Kerparti")
    asks, half_way, interrupted = (opened(stack) for _ in range(3))
    with stack.down("rasa"):
        assert_truth(asks.say("combien ça coûte ?"))
        assert "déjà donné est gardé" in in_rasas_form.say("06 12 34 56 78").text
        assert_every_family_is_recognised(stack)

        asks.press("Laisser une demande")
        fill_short_form(asks, "Zébulon Demandeur")
        reference = reference_in(asks.press("Oui, envoyer").text)
        page = staff_page(stack, "Chantal")(reference)
        assert "Zébulon Demandeur" in page and "mardi matin" in page

        assert "dès qu'il répondra" in leaves.say("annulez tout").text
        changes_hands.say("06 12 34 56 78")
        assert "ne peut pas se lire d'ici" in changes_hands.press("Laisser une demande").text
        fill_short_form(changes_hands, "Zébulon Arrivé")
        assert reference_in(changes_hands.say("oui").text)

        half_way.say("je voudrais un rendez-vous")
        half_way.say("oui")
        assert "Comment vous joindre" in half_way.say("Camille Laurent").text
        interrupted.say("rappelez-moi")
        interrupted.say("oui")
        assert_emergency(interrupted.say("mon mari me frappe"), "violence")
        assert interrupted.say("merci").buttons == []

    stack.kill("desk")  # with the forms open, and Rasa still loading
    wait_for(lambda: "desk" not in stack.missing(), PATIENT, "the desk to come back")
    assert "Quand" in half_way.say("06 12 34 56 78").text
    stack.wait_until_ready(PATIENT)

    # Rasa is back: the desk's form stays the desk's, Rasa answers what is asked in the middle of it, and goes on with its own.
    answered = half_way.say("combien ça coûte ?")
    assert "31" in answered.text and "Quand préférez-vous" in answered.text
    answered = half_way.say("les effets secondaires svp")  # no shape of a question: the desk alone would call it a bad answer
    assert "gonflement" in answered.text and "Quand préférez-vous" in answered.text
    assert "Je n'ai pas reconnu de jour" in half_way.say("bof").text
    for text in ("jeudi soir", "le foie", "non"):
        half_way.say(text)
    assert "jeudi soir" in half_way.last.text
    assert reference_in(half_way.say("oui").text)
    assert "Quel est votre nom" in interrupted.say("je voudrais prendre rendez-vous").text
    assert "Quand" in in_rasas_form.say("06 12 34 56 78").text
    for text in ("mardi", "le foie", "non", "oui"):
        in_rasas_form.say(text)
    assert reference_in(in_rasas_form.last.text)

    # What Rasa's form had been told before it died is forgotten before Rasa is spoken to again, or by retention when nobody speaks any more.
    assert "Comment vous joindre" not in changes_hands.say("merci beaucoup").text, "no second form is open in Rasa"
    assert not tracker_holds(stack, "Kerpassant")
    assert tracker_holds(stack, "Kerparti")
    assert asyncio.run(run_retention(stack)) >= 1
    assert not tracker_holds(stack, "Kerparti")


def tracker_holds(stack: Stack, words: str) -> bool:
    return words in "".join(path.read_bytes().decode("utf-8", "replace") for path in stack.folder.glob("tracker.db*"))


async def run_retention(stack: Stack) -> int:
    """What the desk does every ten minutes."""
    settings = load_settings(port=stack.port, data=stack.folder, secret=(stack.folder / "secret").read_text().strip())
    database = Database(connect(str(settings.database_url), settings.cipher))
    assistant = Assistant(settings.rasa_url, str(settings.secret), timeout_seconds=60)
    try:
        return await retention.scrub_due(database, Turns(database, assistant, Content()))
    finally:
        await assistant.close()
        database.engine.dispose()


def test_actions_killed(stack: Stack) -> None:
    stack.wait_until_ready(PATIENT)
    in_form = opened(stack, "je voudrais un rdv", "oui", "Camille Laurent", "06 12 34 56 78")
    with stack.down("actions"):
        assert_truth(in_form.say("mardi"))
        assert "déjà donné est gardé" in in_form.last.text
        assert_every_family_is_recognised(stack)
        asks = stack.visitor()
        assert "31" in asks.say("combien ça coûte ?").text, "Rasa alone still answers"
        assert "L'assistant n'a pas répondu" in asks.say("je voudrais prendre rendez-vous").text
        fill_short_form(asks, "Zébulon Sans-Action")
        reference = reference_in(asks.say("oui").text)
        assert "Zébulon Sans-Action" in staff_page(stack, "Denise")(reference)
    stack.wait_until_ready(PATIENT)
    assert "Quel est le sujet" in in_form.say("mardi").text
    for text in ("le foie", "non", "oui"):
        in_form.say(text)
    assert reference_in(in_form.last.text)
    assert "votre nom" not in asks.say("merci").text, "no second form was left open in Rasa"


def test_rasa_hanging(stack: Stack) -> None:
    stack.wait_until_ready(PATIENT)
    in_form = opened(stack, "je voudrais un rdv", "oui", "Camille Laurent")
    with stack.hung("rasa"):
        assert_every_family_is_recognised(stack)
        assert_truth(stack.visitor().say("combien ça coûte ?"))
        asks = stack.visitor()
        asks.say("je voudrais être rappelé")
        fill_short_form(asks, "Zébulon Patient")
        assert reference_in(asks.say("oui").text)
    stack.wait_until_ready(PATIENT)
    assert "Quand" in in_form.say("06 12 34 56 78").text


def test_the_database_locked(stack: Stack) -> None:
    stack.wait_until_ready(PATIENT)
    half_way = opened(stack, "je voudrais un rdv", "oui")
    visitors = {family: stack.visitor() for family in FAMILIES}
    replies: dict[str, Reply] = {}
    lock = sqlite3.connect(stack.folder / "desk.db", isolation_level=None, timeout=60)
    lock.execute("BEGIN IMMEDIATE")
    try:
        calls = [lambda family=family: replies.update({family: visitors[family].say(FAMILIES[family][0])}) for family in FAMILIES]
        calls.append(lambda: replies.update({"ordinary": half_way.say("Camille Laurent")}))
        all_at_once(calls)
    finally:
        lock.execute("ROLLBACK")
        lock.close()
    assert {r.status for r in replies.values()} == {503}
    for family in FAMILIES:
        told = replies[family].body["detail"].replace("\u00a0", " ")
        assert "ne remplace pas l'avis d'un médecin" in told and any(number in told for number in ("112", "3114", "119", "116 117")), told
    assert NUMBERS in replies["ordinary"].text
    assert "Comment vous joindre" in half_way.say("Camille Laurent").text, "nothing of the form is lost"


@pytest.mark.parametrize("text", ["", " \n\t ", "\x00\x07\x1b", "\u202e\u2066"])
def test_nothing_to_read_is_told_so(visitor: Visitor, text: str) -> None:
    reply = visitor.say(text)
    assert reply.status == 200
    assert "vide" in reply.text


def test_five_thousand_characters(visitor: Visitor) -> None:
    reply = visitor.say("mot " * 1250)
    assert reply.status == 200
    assert NUMBERS in reply.text
    for family, (said, _) in FAMILIES.items():
        assert_emergency(visitor.say("je vous raconte ma vie. " * 100 + f"{said}. " + "je vous raconte ma vie. " * 100), family)


def test_control_characters_hide_no_emergency(visitor: Visitor) -> None:
    assert_emergency(visitor.say("je\x00 veux\x1b mou\u202erir"), "suicide")


def test_a_body_above_64_kib(visitor: Visitor) -> None:
    reply = visitor.say("x" * 70_000)
    assert reply.status == 413
    assert NUMBERS in reply.text


def test_no_fault_put_what_visitors_said_into_a_log(stack: Stack) -> None:
    for path in (stack.folder / "log").iterdir():
        text = path.read_text(errors="replace")
        for word in ("Zébulon", "Kerpassant", "06 12 34 56 78", "poitrine"):
            assert word not in text, path.name
