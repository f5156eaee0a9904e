"""The pictures of docs/guide-equipe.md: today's pages, of a clinic on an ordinary day.

They go to test-results/guide; `make guide` has them written to docs/guide (``PASSERELLE_SHOTS``).
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect

from tests.desk_browser.clinic import AGENT, DOCTOR, OFFICER, PASSWORD, Clinic, coming_tuesday, day_in_form, open_clinic
from tests.desk_browser.conftest import SECONDS
from tests.stack_client import ROOT

GUIDE = ROOT / "docs/guide-equipe.md"
WIDTH = 1280
LARGEST = 150_000  # bytes


@pytest.fixture(scope="module")
def ordinary(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clinic]:
    with open_clinic(tmp_path_factory.mktemp("guide"), is_ordinary=True) as running:
        yield running


@pytest.fixture(scope="module")
def folder() -> Path:
    made = ROOT / os.environ.get("PASSERELLE_SHOTS", "test-results/guide")
    made.mkdir(parents=True, exist_ok=True)
    return made


@pytest.fixture
def browser_of(chromium: Browser, ordinary: Clinic) -> Iterator[BrowserContext]:
    context = chromium.new_context(
        viewport={"width": WIDTH, "height": 800}, locale="fr-FR", timezone_id="Europe/Belgrade", color_scheme="light", base_url=ordinary.url
    )
    context.set_default_timeout(SECONDS * 1000)
    yield context
    context.close()


def open_as(context: BrowserContext, clinic: Clinic, name: str) -> Page:
    context.add_cookies(clinic.cookies(name))  # type: ignore[arg-type]
    return context.new_page()


def shoot(page: Page, folder: Path, name: str, *, until: str = "main > :last-child", most: int = 1100) -> None:
    """Takes the page's upper part, down to the end of ``until`` and at most so many pixels."""
    page.evaluate("scrollTo(0, 0); document.activeElement.blur()")
    page.set_viewport_size({"width": WIDTH, "height": most})
    box = page.locator(until).last.bounding_box()
    assert box, f"nothing to show for {name}"
    height = min(int(box["y"] + box["height"]) + 32, most)
    path = folder / f"{name}.png"
    page.screenshot(path=path, clip={"x": 0, "y": 0, "width": WIDTH, "height": height}, animations="disabled")
    assert path.stat().st_size <= LARGEST, f"{name} is too large"


def shoot_part(page: Page, folder: Path, name: str, part: Locator) -> None:
    """Takes one card."""
    page.evaluate("document.activeElement.blur()")
    path = folder / f"{name}.png"
    part.screenshot(path=path, animations="disabled")
    assert path.stat().st_size <= LARGEST, f"{name} is too large"


def test_signing_in_for_the_first_time(ordinary: Clinic, browser_of: BrowserContext, folder: Path) -> None:
    initial = ordinary.invite("Sofia Marković")
    page = browser_of.new_page()
    page.goto("/desk/")
    page.get_by_label("Nom").fill("Sofia Marković")
    page.get_by_label("Mot de passe").fill(initial)
    page.get_by_role("button", name="Se connecter").click()
    page.get_by_label("Nouveau mot de passe").fill(PASSWORD)
    page.get_by_label("Le même, encore une fois").fill(PASSWORD)
    page.get_by_role("button", name="Enregistrer ce mot de passe").click()
    expect(page.locator(".secret")).to_be_visible()
    shoot(page, folder, "second-facteur")


def test_the_list_and_a_request(ordinary: Clinic, browser_of: BrowserContext, folder: Path) -> None:
    page = open_as(browser_of, ordinary, AGENT)
    page.goto("/desk/")
    shoot(page, folder, "liste", most=920)
    page.goto(f"/desk/requests/{ordinary.references['waiting']}")
    shoot(page, folder, "demande", most=900)
    page.goto("/desk/shortcuts")
    shoot(page, folder, "raccourcis")


def test_answering_and_booking(ordinary: Clinic, browser_of: BrowserContext, folder: Path) -> None:
    reference = ordinary.request("Nadia Cherif", email="nadia.cherif@exemple.fr", windows="mardi matin")
    page = open_as(browser_of, ordinary, AGENT)
    page.goto(f"/desk/requests/{reference}")
    page.get_by_role("button", name="Prendre en charge").click()
    page.get_by_label("Modèle").select_option(label="Proposer deux moments")
    page.get_by_role("button", name="Insérer").click()
    expect(page.locator("#manquants")).to_contain_text("premier moment")
    shoot_part(page, folder, "reponse", page.locator("section:has(> #reponses)"))
    page.get_by_label("Votre réponse").fill(
        "Bonjour Nadia,\n\nNous pouvons vous recevoir mardi à 10 h ou jeudi à 14 h. Lequel vous convient ?\n\nLa Clinique du Parc"
    )
    page.get_by_role("button", name="Envoyer par e-mail").click()
    expect(page.get_by_role("button", name=re.compile("^Annuler"))).to_be_visible()
    shoot(page, folder, "annuler", until=".heading")

    page.get_by_text("Fixer un rendez-vous…").click()
    page.get_by_label("Date", exact=True).fill(day_in_form(coming_tuesday(1)))
    page.get_by_label(re.compile("^Heure")).fill("11:00")
    page.get_by_label("Praticien").select_option(label=DOCTOR)
    shoot_part(page, folder, "rendez-vous", page.locator("#rendez-vous"))
    page.get_by_role("button", name="Fixer le rendez-vous").click()
    expect(page.get_by_role("status").first).to_contain_text("le rendez-vous est fixé")
    page.goto(ordinary.link_in_mail("nadia.cherif@exemple.fr"))
    shoot(page, folder, "page-du-visiteur")


def test_a_privacy_request(ordinary: Clinic, browser_of: BrowserContext, folder: Path) -> None:
    page = open_as(browser_of, ordinary, OFFICER)
    page.goto("/desk/privacy")
    page.get_by_label("Trouver une personne").fill("eva@exemple.fr")
    page.get_by_role("button", name="Chercher").click()
    page.get_by_role("button", name="Passer en revue ce qui est coché").click()
    expect(page.get_by_role("button", name="Effacer toutes ces données")).to_be_visible()
    shoot(page, folder, "confidentialite", most=1100)


def test_every_picture_of_the_guide_is_one_of_these_and_each_has_words_for_those_who_do_not_see_it(folder: Path) -> None:
    shown = re.findall(r"!\[([^\]]*)\]\(guide/([\w-]+)\.png\)", GUIDE.read_text())
    kept = {picture.stem for picture in (ROOT / "docs/guide").glob("*.png")}
    assert kept == {name for _, name in shown}, "docs/guide holds other pictures than the guide shows: make guide"
    for words, name in shown:
        assert len(words) > 20, f"{name} needs a description"
        assert (folder / f"{name}.png").exists(), f"{name} is taken by no test"
