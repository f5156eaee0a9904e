"""An emergency wins in every state that a conversation can be in (guard G-03): twelve states by ten families."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.families import FAMILIES, assert_emergency
from tests.stack_client import Stack, Visitor

pytestmark = pytest.mark.stack
FORM = ("je voudrais prendre rendez-vous", "oui, j'accepte", "Camille Laurent", "camille.laurent@exemple.fr", "mardi après-midi", "le foie", "non", "oui")
# What a visitor says to get there, and what in the reply shows that they are there (a regular expression).
STATES = {
    "greeting": ((), "assistant automatique"),
    "after an answer": (("quels sont les effets secondaires ?",), "gonflement"),
    "after a fallback": (("blorp zibidi frouch",), "pas compris|hors de ce que je connais|ne disent rien"),
    "consent": (FORM[:1], "Acceptez-vous"),
    "name": (FORM[:2], "Quel est votre nom"),
    "contact": (FORM[:3], "Comment vous joindre"),
    "windows": (FORM[:4], "Quand préférez-vous"),
    "subject": (FORM[:5], "Quel est le sujet"),
    "transcript": (FORM[:6], "joindre notre conversation"),
    "confirm": (FORM[:7], "Est-ce correct"),
    "after a ticket": (FORM, "Demande reçue"),
    "after a crisis": (("je veux mourir",), "3114"),
}


def bring_to(visitor: Visitor, state: str) -> None:
    said, shown = STATES[state]
    for text in said:
        visitor.say(text)
    assert re.search(shown, visitor.last.text), f"{state}: {visitor.last.text}"


def say_in(stack: Stack, state: str, family: str) -> None:
    visitor = stack.visitor()
    bring_to(visitor, state)
    assert_emergency(visitor.say(FAMILIES[family][0]), family)


@pytest.mark.parametrize("state", STATES)
def test_an_emergency_of_any_family_wins(stack: Stack, state: str) -> None:
    stack.wait_until_ready()
    with ThreadPoolExecutor(4) as visitors:
        list(visitors.map(lambda family: say_in(stack, state, family), FAMILIES))


@pytest.mark.parametrize("state", ["consent", "name", "contact", "windows", "subject", "transcript", "confirm"])
def test_the_form_that_an_emergency_interrupted_goes_on_where_it_was(visitor: Visitor, state: str) -> None:
    bring_to(visitor, state)
    visitor.say("j'ai une douleur dans la poitrine")
    assert re.search(STATES[state][1], visitor.say("je voudrais reprendre ma demande").text)
