"""A visitor and a staff member in real headless Chromium, by mouse and by keyboard, on a phone and on a wide screen."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.authenticator import sign_in_with_chromium
from tests.stack_client import ROOT, Stack, reference_in

pytestmark = [pytest.mark.stack, pytest.mark.browser]
SHOTS = ROOT / "test-results"
FLAGS = ["--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"]
PHONE = {"width": 390, "height": 844}
WIDE = {"width": 1280, "height": 800}
PASSWORD = "un mot de passe assez long"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=os.environ.get("PASSERELLE_CHROMIUM", "/usr/bin/chromium"), args=[*FLAGS, *(["--no-sandbox"] if os.geteuid() == 0 else [])]
        )
        yield chromium
        chromium.close()


@pytest.fixture
def phone(browser: Browser, stack: Stack) -> Iterator[Page]:
    stack.wait_until_ready()
    page = browser.new_page(viewport=PHONE, locale="fr-FR")
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    page.goto(stack.url)
    yield page
    assert errors == []
    page.close()


def say(page: Page, text: str) -> None:
    before = page.locator('.message[data-from="bot"]').count()
    page.locator("#input").fill(text)
    page.locator("#input").press("Enter")
    expect(page.locator('.message[data-from="bot"]')).not_to_have_count(before, timeout=20_000)
    expect(page.locator("#status.busy")).to_have_count(0, timeout=20_000)


def screenshot(page: Page, name: str) -> None:
    SHOTS.mkdir(exist_ok=True)
    page.screenshot(path=Path(SHOTS, f"{name}.png"))


def test_nothing_is_asked_of_the_server_before_the_first_click(browser: Browser, stack: Stack) -> None:
    page = browser.new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(stack.url)
    page.wait_for_timeout(500)
    assert not [url for url in asked if "/api/" in url]
    assert page.context.cookies() == []
    page.close()


def test_a_visitor_asks_and_reads_an_answer_with_its_source(phone: Page) -> None:
    phone.locator("#launcher").click()
    expect(phone.locator('.message[data-kind="notice"]').first).to_contain_text("assistant automatique")
    say(phone, "c koi les effets secondaires ?")
    answer = phone.locator('.message[data-kind="answer"]').last
    expect(answer).to_contain_text("gonflement")
    expect(answer.locator(".disclaimer")).to_contain_text("ne remplace pas")
    expect(answer.locator(".source")).to_be_visible()
    screenshot(phone, "visitor-answer-phone")


def test_an_emergency_shows_numbers_that_can_be_dialled(phone: Page) -> None:
    phone.locator("#launcher").click()
    say(phone, "j'ai très mal à la poitrine et au bras gauche")
    emergency = phone.locator('.message[data-kind="emergency"]').last
    expect(emergency.locator('a[href="tel:15"]').first).to_be_visible()
    expect(emergency.locator('a[href="tel:112"]').first).to_be_visible()
    screenshot(phone, "visitor-emergency-phone")


def test_a_visitor_books_and_a_staff_member_finds_the_request(phone: Page, browser: Browser, stack: Stack) -> None:
    phone.locator("#launcher").click()
    say(phone, "je voudrais prendre rendez-vous")
    phone.get_by_role("button", name="J'accepte").click()
    expect(phone.locator("#log")).to_contain_text("Quel est votre nom", timeout=20_000)
    for text in ("Fatou Diop", "06 12 34 56 78", "jeudi matin"):
        say(phone, text)
    phone.get_by_role("button", name="Le foie", exact=True).click()
    expect(phone.locator("#log")).to_contain_text("joindre notre conversation", timeout=20_000)
    phone.get_by_role("button", name="Non, sans la conversation").click()
    expect(phone.locator("#log")).to_contain_text("Est-ce correct", timeout=20_000)
    screenshot(phone, "visitor-recap-phone")
    phone.get_by_role("button", name="Oui, envoyer").click()
    expect(phone.locator("#log")).to_contain_text("Demande reçue", timeout=20_000)
    reference = reference_in(phone.locator("#log").inner_text())
    screenshot(phone, "visitor-received-phone")

    stack.add_staff("Bruno", PASSWORD)
    desk = browser.new_page(viewport=WIDE, locale="fr-FR")
    sign_in_with_chromium(desk, stack.url, "Bruno", PASSWORD)
    expect(desk.get_by_role("link", name=reference)).to_be_visible()
    screenshot(desk, "desk-list-wide")
    desk.get_by_role("link", name=reference).click()
    expect(desk.locator("main")).to_contain_text("jeudi matin")
    screenshot(desk, "desk-request-wide")
    desk.close()


def test_the_chat_can_be_used_by_keyboard_alone(phone: Page) -> None:
    phone.locator("#launcher").focus()
    phone.keyboard.press("Enter")
    expect(phone.locator("#input")).to_be_focused()
    phone.keyboard.type("combien ca coute")
    phone.keyboard.press("Enter")
    expect(phone.locator('.message[data-kind="answer"]').last).to_contain_text("31", timeout=20_000)
    phone.keyboard.press("Escape")
    expect(phone.locator("#launcher")).to_be_focused()


def test_messages_written_before_the_first_answer_are_sent_in_order(phone: Page) -> None:
    phone.route("**/api/conversations", lambda route: (time.sleep(1.5), route.continue_()))
    phone.locator("#launcher").click()
    for text in ("combien ca coute", "est-ce que ça fait mal ?"):
        phone.locator("#input").fill(text)
        phone.locator("#input").press("Enter")
    expect(phone.locator('.message[data-kind="answer"]')).to_have_count(2, timeout=30_000)
    said = phone.locator(".message").evaluate_all("nodes => nodes.map((node) => node.dataset.text ?? node.dataset.kind)")
    assert said == ["notice", "combien ca coute", "answer", "est-ce que ça fait mal ?", "answer"]


def test_the_conversation_is_still_there_after_a_reload(phone: Page) -> None:
    phone.locator("#launcher").click()
    say(phone, "est-ce que ça fait mal ?")
    phone.reload()
    if phone.locator("#launcher").is_visible():
        phone.locator("#launcher").click()
    expect(phone.locator("#log")).to_contain_text("est-ce que ça fait mal ?", timeout=20_000)
    expect(phone.locator("#log")).to_contain_text("gêne minime")


def test_a_visitor_erases_the_conversation(phone: Page) -> None:
    phone.locator("#launcher").click()
    say(phone, "bonjour")
    phone.locator("#erase").click()
    phone.locator("#confirm .danger").click()
    expect(phone.locator("#log")).to_contain_text("effac", timeout=20_000)
    expect(phone.locator('.message[data-from="visitor"]')).to_have_count(0)


def test_the_pages_look_right_on_a_wide_screen(browser: Browser, stack: Stack) -> None:
    page = browser.new_page(viewport=WIDE, locale="fr-FR")
    page.goto(stack.url)
    screenshot(page, "demo-page-wide")
    page.locator("#launcher").click()
    say(page, "combien de temps avant de voir un effet sur le foie ?")
    screenshot(page, "visitor-answer-wide")
    page.close()
