"""Every page of the desk, light and dark, on a phone and on a wide screen: axe finds nothing serious, nothing is cut off or scrolls sideways.

Pages are found as people find them, by following links from the front page, so that a new page is looked at without being named here.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import unescape
from typing import Any, Literal
from urllib.parse import urlsplit

import httpx2
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, ViewportSize, expect

from desk.tickets import work
from tests.authenticator import Authenticator
from tests.desk_browser.clinic import ADMIN, AGENT, LEAD, OFFICER, PASSWORD, Clinic, coming_tuesday
from tests.desk_browser.conftest import PHONE, TABLETS, WIDE, Opens

Corners = Sequence[tuple[ViewportSize, Literal["light", "dark"]]]
AXE = Axe()
CORNERS = ((WIDE, "light"), (WIDE, "dark"), (PHONE, "light"), (PHONE, "dark"))
OPPOSITE = ((WIDE, "light"), (PHONE, "dark"))  # where the same kind of page is looked at in all four elsewhere
# What one page of each role must be among those found: were the walk to stop early, the test would pass on nothing.
LANDMARKS = {
    LEAD: {"/desk/", "/desk/appointments", "/desk/insight", "/desk/content", "/desk/hours", "/desk/clinicians", "/desk/canned", "/desk/outbox", "/desk/me"},
    OFFICER: {"/desk/", "/desk/privacy", "/desk/audit", "/desk/me"},
    ADMIN: {"/desk/people", "/desk/people/new", "/desk/signins", "/desk/audit", "/desk/hours", "/desk/outbox"},
}


def kind_of(address: str) -> str:
    """Pages of one kind differ by a reference, a number, the name of a text or what is filtered only; of each kind one is looked at."""
    return re.sub(r"RDV-[0-9A-Z-]+|(?<=/)\d+\b|(?<=/content/)\w+", "…", urlsplit(address).path)


def pages_of(clinic: Clinic, name: str) -> list[str]:
    """One page of every kind that somebody reaches by links, beginning at the front door."""
    found: dict[str, str] = {}
    ahead = ["/desk/"]
    with httpx2.Client(base_url=clinic.url, follow_redirects=True) as browser:
        browser.cookies.update({cookie["name"]: cookie["value"] for cookie in clinic.cookies(name)})
        while ahead:
            address = ahead.pop(0)
            if kind_of(address) in found:
                continue
            answer = browser.get(address)
            if not answer.headers["content-type"].startswith("text/html"):
                continue  # a download
            assert answer.status_code == 200, f"{name} finds a link to {address}, which answers {answer.status_code}"
            found[kind_of(address)] = str(answer.url.raw_path.decode())
            hrefs = [unescape(href) for href in re.findall(r'<a [^>]*href="([^"]+)"', answer.text)]
            here = urlsplit(str(answer.url)).path
            links = [here + href if href.startswith("?") else href for href in hrefs]
            ahead += [link.partition("#")[0] for link in links if link.startswith("/desk/")]
    return list(dict.fromkeys(found.values()))


def too_wide(page: Page, size: ViewportSize) -> list[str]:
    """Whether the page that stands open would have to be moved sideways to be read."""
    width = page.evaluate("document.documentElement.scrollWidth")
    return [f"{urlsplit(page.url).path}: {width} px wide on {size['width']} px"] if width > size["width"] else []


def look(page: Page, corners: Corners = CORNERS) -> list[str]:
    """What is wrong with the page that stands open; everything folded is unfolded before."""
    page.evaluate("document.querySelectorAll('details').forEach((folded) => (folded.open = true))")
    where, faults = urlsplit(page.url).path, []
    for size in TABLETS:
        page.set_viewport_size(size)
        faults += too_wide(page, size)
    for size, scheme in corners:
        page.set_viewport_size(size)
        page.emulate_media(color_scheme=scheme)
        faults += too_wide(page, size)
        # What is dark as well as light differs in its colours only.
        only: dict[str, Any] = {"runOnly": ["color-contrast"]} if (size, "light") in corners and scheme == "dark" else {}
        found = AXE.run(page, options={"resultTypes": ["violations"], **only}).response["violations"]
        grave = [fault for fault in found if fault["impact"] in ("serious", "critical")]
        faults += [f"{where} {scheme} {size['width']} px: {fault['id']}: {[node['html'][:140] for node in fault['nodes'][:3]]}" for fault in grave]
    page.set_viewport_size(WIDE)
    page.emulate_media(color_scheme="light")
    return faults


def test_a_fault_would_be_seen(clinic: Clinic, opens: Opens) -> None:
    page = opens(AGENT)
    page.goto("/desk/shortcuts")
    spoil = "document.querySelector('main').insertAdjacentHTML('beforeend', '<p>Pâle</p><img alt-is-missing>'); const p = document.querySelector('main > p:last-of-type');"
    page.evaluate(f"() => {{ {spoil} p.style.color = 'light-dark(#ddd, #333)'; p.style.width = '900px'; }}")
    faults = "\n".join(look(page))
    for said in (
        "900 px wide on 390 px",
        "light 1280 px: color-contrast",
        "dark 1280 px: color-contrast",
        "light 390 px: image-alt",
        "dark 390 px: color-contrast",
    ):
        assert re.sub(r"\d+ px wide", "900 px wide", faults).count(said), said


@pytest.mark.parametrize("name", [LEAD, OFFICER, ADMIN])
def test_no_page_that_links_lead_to_has_a_fault(clinic: Clinic, opens: Opens, name: str) -> None:
    page, faults = opens(name), []
    addresses = pages_of(clinic, name)
    assert {urlsplit(address).path for address in addresses} >= LANDMARKS[name]
    known = set() if name == LEAD else {kind_of(address) for address in pages_of(clinic, LEAD)}
    for address in addresses:
        page.goto(address)
        faults += look(page, OPPOSITE if kind_of(address) in known else CORNERS)
    assert faults == []


def test_no_request_has_a_fault_whatever_its_state(clinic: Clinic, opens: Opens) -> None:
    page, faults = opens(AGENT), []
    page.goto("/desk/?view=all")
    faults += look(page)
    for reference in clinic.references.values():
        page.goto(f"/desk/requests/{reference}")
        expect(page.locator("h1")).to_contain_text(reference)
        faults += look(page, OPPOSITE)
    assert faults == []


def test_no_page_on_the_way_in_has_a_fault(clinic: Clinic, opens: Opens) -> None:
    name = "Vera Nikolić"
    initial = clinic.invite(name)
    page, faults = opens(), []

    def enter(password: str) -> None:
        page.goto("/desk/")
        page.get_by_label("Nom").fill(name)
        page.get_by_label("Mot de passe").fill(password)
        page.get_by_role("button", name="Se connecter").click()

    page.goto("/desk/")
    faults += look(page)
    enter("ce n'est pas lui")
    expect(page.get_by_role("alert")).to_be_visible()
    faults += look(page)
    enter(initial)
    faults += look(page)
    page.get_by_label("Nouveau mot de passe").fill(PASSWORD)
    page.get_by_label("Le même, encore une fois").fill(PASSWORD)
    page.get_by_role("button", name="Enregistrer ce mot de passe").click()
    faults += look(page)
    telephone = Authenticator(page.locator(".secret").inner_text())
    page.locator("#code").fill(telephone.code())
    page.get_by_role("button", name="Confirmer").click()
    expect(page.locator(".codes li")).to_have_count(10)
    faults += look(page)
    page.get_by_role("link", name="J'ai noté mes codes").click()
    page.get_by_role("button", name="Se déconnecter").click()
    enter(PASSWORD)
    expect(page.locator("h1")).to_have_text("Votre code")
    faults += look(page)
    page.locator("#code").fill("000000")
    page.get_by_role("button", name="Se connecter").click()
    expect(page.get_by_role("alert")).to_be_visible()
    faults += look(page)
    assert faults == []


def test_no_page_that_answers_a_form_has_a_fault(clinic: Clinic, opens: Opens) -> None:
    """Found and not found, refused, confirmed, taken by somebody else, undone, passed in review."""
    faults: list[str] = []
    page = opens(LEAD)
    page.goto("/desk/")
    for text in ("Fatou", "RDV-0000-00"):
        page.locator("#q").fill(text)
        page.get_by_role("button", name="Chercher").click()
        page.wait_for_load_state()
        faults += look(page)

    reference = clinic.request("Formulaire Rempli", email="formulaire@exemple.fr")
    page.goto(f"/desk/requests/{reference}")
    page.get_by_label("Votre réponse").fill("Bonjour {prénom}, rendez-vous le {date}.")
    page.get_by_role("button", name="Envoyer par e-mail").click()
    expect(page.get_by_role("alert")).to_be_visible()
    faults += look(page)
    page.get_by_label("Votre réponse").fill("Bonjour, nous vous appelons demain.")
    page.get_by_role("button", name="Envoyer par e-mail").click()
    expect(page.get_by_role("button", name=re.compile("^Annuler"))).to_be_visible()
    faults += look(page)
    stale = clinic.request("Page Périmée")
    page.goto(f"/desk/requests/{stale}")
    clinic.does(AGENT, work.claim, stale)
    page.locator('form[action$="/claim"] button').click()
    expect(page.locator("h1")).to_have_text("Cette demande a changé entre-temps")
    faults += look(page)
    page.goto("/desk/nulle-part")
    faults += look(page)

    officer = opens(OFFICER)
    clinic.last_proof_grows_old(OFFICER)
    officer.goto("/desk/privacy")
    officer.get_by_label("Trouver une personne").fill("Nadia Benali")
    officer.get_by_role("button", name="Chercher").click()
    expect(officer.locator("main")).to_contain_text(clinic.references["booked"])
    faults += look(officer)
    officer.get_by_role("checkbox", name=re.compile(clinic.references["booked"])).check()
    officer.get_by_role("button", name="Passer en revue ce qui est coché").click()
    expect(officer.locator("h1")).to_have_text("Est-ce bien vous ?")
    faults += look(officer)
    officer.get_by_label("Votre mot de passe").fill(PASSWORD)
    officer.get_by_role("button", name="Continuer").click()
    expect(officer.get_by_role("button", name="Effacer toutes ces données")).to_be_visible()
    faults += look(officer)
    assert faults == []


def test_no_page_of_a_visitor_has_a_fault(clinic: Clinic, opens: Opens) -> None:
    clinic.book(AGENT, clinic.request("Lina Visiteuse", email="lina@exemple.fr"), coming_tuesday(6))
    page, faults = opens(), []
    link = clinic.link_in_mail("lina@exemple.fr")
    page.goto(link)
    faults += look(page)
    page.get_by_role("button", name="Oui, demander un autre moment").click()
    faults += look(page)
    page.get_by_role("button", name="Oui, annuler le rendez-vous").click()
    expect(page.locator("h1")).to_have_text("Rendez-vous annulé")
    faults += look(page)
    page.goto("/rendez-vous/inconnu")
    faults += look(page)
    assert faults == []
