"""The desk by keyboard alone: every step's focus is seen, and nothing needs a mouse."""

from __future__ import annotations

from playwright.sync_api import Locator, Page, expect

from tests.authenticator import Authenticator
from tests.desk_browser.clinic import AGENT, PASSWORD, Clinic
from tests.desk_browser.conftest import Opens

# The focused element shows it by an outline; where it has none, something drawn over it does (a card in the list of a phone).
IS_SEEN = """() => {
  const shows = (style) => style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2 && style.outlineColor !== 'rgba(0, 0, 0, 0)';
  const element = document.activeElement;
  const box = element.getBoundingClientRect();
  const inside = box.bottom > 0 && box.top < innerHeight && box.right > 0 && box.left < innerWidth && box.width > 0;
  return inside && (shows(getComputedStyle(element)) || shows(getComputedStyle(element, '::after')));
}"""


def tab_to(page: Page, target: Locator, key: str = "Tab", most: int = 80) -> None:
    """Presses Tab until the target has the focus; on the way, and there, the focus can be seen."""
    passed: list[str] = []
    for _ in range(most):
        page.keyboard.press(key)
        shown = page.evaluate("document.activeElement.outerHTML.slice(0, 120)")
        passed.append(shown)
        assert page.evaluate(IS_SEEN), f"the focus cannot be seen on {shown}"
        if target.evaluate("(element) => element === document.activeElement"):
            return
    raise AssertionError(f"not reached by {key}: {passed}")


def test_from_signing_in_to_an_answer_by_tab_enter_and_typing(clinic: Clinic, opens: Opens) -> None:
    name = "Tania Clavier"
    initial = clinic.invite(name)
    reference = clinic.request("Yasmine Touche", email="yasmine@exemple.fr")
    page = opens()
    keys = page.keyboard
    page.goto("/desk/")
    expect(page.get_by_label("Nom")).to_be_focused()
    keys.type(name)
    tab_to(page, page.get_by_label("Mot de passe"))
    keys.type(initial)
    keys.press("Enter")
    expect(page.get_by_label("Nouveau mot de passe")).to_be_focused()
    keys.type(PASSWORD)
    tab_to(page, page.get_by_label("Le même, encore une fois"))
    keys.type(PASSWORD)
    keys.press("Enter")
    telephone = Authenticator(page.locator(".secret").inner_text())
    tab_to(page, page.locator("#code"))
    keys.type(telephone.code())
    keys.press("Enter")
    expect(page.locator(".codes li")).to_have_count(10)
    tab_to(page, page.get_by_role("link", name="J'ai noté mes codes"))
    keys.press("Enter")

    expect(page.locator("h1")).to_have_text("Demandes de consultation")
    tab_to(page, page.get_by_role("link", name="Aller au contenu"), most=1)
    keys.press("Enter")
    tab_to(page, page.locator("#q"))
    keys.type("yasmine touche")
    keys.press("Enter")
    expect(page.get_by_role("heading", name="1 demande pour")).to_be_visible()
    tab_to(page, page.get_by_role("link", name=reference))
    keys.press("Enter")
    expect(page.locator("h1")).to_contain_text(reference)
    tab_to(page, page.get_by_role("button", name="Prendre en charge"))
    keys.press("Enter")
    expect(page.get_by_role("status").first).to_contain_text("vous suivez cette demande")

    tab_to(page, page.get_by_label("Modèle"))
    keys.type("Accusé")
    tab_to(page, page.get_by_role("button", name="Insérer"))
    keys.press("Enter")
    expect(page.get_by_label("Votre réponse")).to_be_focused()
    keys.press("Control+End")
    keys.type("\n\nÀ demain.")
    tab_to(page, page.get_by_role("button", name="Envoyer par e-mail"))
    keys.press("Enter")
    expect(page.get_by_role("status").first).to_contain_text("Votre réponse va partir.")
    tab_to(page, page.get_by_role("button", name="Annuler"))  # the time to think better of it is in reach too
    clinic.time_to_undo_is_over()
    body = clinic.mail("yasmine@exemple.fr", "Réponse").get_body(("plain",))
    assert body and "Bonjour Yasmine" in body.get_content() and "À demain." in body.get_content()


def test_from_the_list_to_an_answer_by_shortcuts(clinic: Clinic, opens: Opens) -> None:
    reference = clinic.request("Zoé Raccourci", email="zoe@exemple.fr")
    page = opens(AGENT)
    page.goto("/desk/")
    keys = page.keyboard
    keys.press("j")
    assert page.evaluate(IS_SEEN)
    first = page.evaluate("document.activeElement.textContent")
    keys.press("j")
    assert page.evaluate("document.activeElement.textContent") != first
    keys.press("k")
    assert page.evaluate("document.activeElement.textContent") == first
    keys.press("/")
    expect(page.locator("#q")).to_be_focused()
    keys.type(reference.lower())
    keys.press("Enter")
    expect(page.locator("h1")).to_contain_text(reference)
    keys.press("c")
    expect(page.get_by_role("status").first).to_contain_text("vous suivez cette demande")
    keys.press("n")
    keys.type("Rappelée, c'est noté : jncr/?")  # letters typed into a field are letters
    expect(page.get_by_label("Nouvelle note")).to_have_value("Rappelée, c'est noté : jncr/?")
    tab_to(page, page.get_by_role("button", name="Ajouter la note"))
    keys.press("Enter")
    expect(page.get_by_role("status").first).to_contain_text("la note est ajoutée")
    keys.press("r")
    keys.type("Bonjour Zoé, nous vous appelons demain.")
    tab_to(page, page.get_by_role("button", name="Envoyer par e-mail"))
    keys.press("Enter")
    expect(page.get_by_role("status").first).to_contain_text("Votre réponse va partir.")
    keys.press("?")
    expect(page.locator("h1")).to_have_text("Raccourcis clavier")
    keys.press("g")
    keys.press("l")
    expect(page.locator("h1")).to_have_text("Demandes de consultation")
