"""What staff and visitors do with the desk, in real headless Chromium; each also without JavaScript where it can be."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, Route, expect

from desk.tickets import work
from tests.authenticator import Authenticator
from tests.desk_browser.clinic import AGENT, DOCTOR, LEAD, OFFICER, OTHER_AGENT, PASSWORD, Clinic, coming_tuesday, day_in_form, wait
from tests.desk_browser.conftest import Opens
from tests.privacy_kit import rasa

both = pytest.mark.parametrize("scripts", [True, False], ids=["with JavaScript", "without JavaScript"])


def give_name_and_password(page: Page, name: str, password: str) -> None:
    page.goto("/desk/")
    page.get_by_label("Nom").fill(name)
    page.get_by_label("Mot de passe").fill(password)
    page.get_by_role("button", name="Se connecter").click()


def claim(page: Page, reference: str) -> None:
    page.goto(f"/desk/requests/{reference}")
    page.get_by_role("button", name="Prendre en charge").click()


def book(page: Page, hour: str, weeks: int) -> None:
    page.get_by_text("Fixer un rendez-vous…").click()
    page.get_by_label("Date", exact=True).fill(day_in_form(coming_tuesday(weeks)))
    page.get_by_label(re.compile("^Heure")).fill(hour)
    page.get_by_label("Praticien").select_option(label=DOCTOR)
    page.get_by_role("button", name="Fixer le rendez-vous").click()


# ---------------------------------------------------------------- signing in


@both
def test_a_newcomer_chooses_a_password_sets_the_second_factor_up_and_signs_in_with_a_code_the_next_time(clinic: Clinic, opens: Opens, scripts: bool) -> None:
    name = f"Sofia Marković {'A' if scripts else 'B'}"
    initial = clinic.invite(name)
    page = opens(scripts=scripts)

    give_name_and_password(page, name, initial)
    expect(page.get_by_role("heading", level=1)).to_have_text("Choisissez votre mot de passe")
    page.get_by_label("Nouveau mot de passe").fill(PASSWORD)
    page.get_by_label("Le même, encore une fois").fill(PASSWORD)
    page.get_by_role("button", name="Enregistrer ce mot de passe").click()

    expect(page.get_by_role("img", name=re.compile("Code QR"))).to_be_visible()
    telephone = Authenticator(page.locator(".secret").inner_text())
    page.get_by_label("Les six chiffres que l'application affiche").fill(telephone.code())
    page.get_by_role("button", name="Confirmer").click()
    expect(page.locator(".codes li")).to_have_count(10)
    recovery = page.locator(".codes li").first.inner_text()
    page.get_by_role("link", name="J'ai noté mes codes").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Demandes de consultation")

    page.get_by_role("button", name="Se déconnecter").click()
    give_name_and_password(page, name, PASSWORD)
    expect(page.get_by_role("heading", level=1)).to_have_text("Votre code")
    page.goto("/desk/")  # the password alone opens nothing
    expect(page.get_by_role("heading", level=1)).to_have_text("Votre code")
    page.get_by_label("Code à six chiffres").fill(telephone.code())
    page.get_by_role("button", name="Se connecter").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Demandes de consultation")

    page.get_by_role("button", name="Se déconnecter").click()
    for expected in ("Demandes de consultation", "Votre code"):  # a recovery code opens the desk once
        give_name_and_password(page, name, PASSWORD)
        page.get_by_text("Je n'ai pas mon téléphone").click()
        page.get_by_label("Un de vos codes de secours").fill(recovery)
        page.get_by_role("button", name="Utiliser ce code").click()
        expect(page.get_by_role("heading", level=1)).to_have_text(expected)
        if expected != "Votre code":
            page.get_by_role("button", name="Se déconnecter").click()


# ---------------------------------------------------------------- the list, live


def test_a_request_arrives_in_an_open_list_without_reloading(clinic: Clinic, opens: Opens) -> None:
    page = opens(AGENT)
    page.goto("/desk/")
    page.evaluate("document.documentElement.dataset.neverReloaded = 'yes'")
    page.locator("#q").fill("à moitié écrit")
    page.wait_for_timeout(500)  # the line is open
    reference = clinic.request_arrives("Arrivée Endirect")
    expect(page.get_by_role("row", name=reference)).to_be_visible()
    expect(page.locator("#annonce")).to_have_text("Une demande de plus dans la liste.")
    assert page.evaluate("document.documentElement.dataset.neverReloaded") == "yes"
    expect(page.locator("#q")).to_have_value("à moitié écrit")


def test_who_reads_and_who_writes_is_seen_by_the_others_while_it_happens(clinic: Clinic, opens: Opens) -> None:
    reference = clinic.request("Vue Pardeux", email="vue@exemple.fr")
    list_page, request_page = opens(OTHER_AGENT), opens(AGENT)
    list_page.goto("/desk/")
    row = list_page.locator(f'tr[data-reference="{reference}"]')
    expect(row.locator(".present")).to_have_count(0)
    request_page.goto(f"/desk/requests/{reference}")
    expect(row.locator(".present")).to_contain_text(AGENT)
    request_page.get_by_label("Nouvelle note").press_sequentially("J'appelle")
    expect(row.locator(".present.writing")).to_contain_text(f"{AGENT} écrit")
    request_page.on("dialog", lambda dialog: dialog.accept())
    request_page.close(run_before_unload=True)
    expect(row.locator(".present")).to_have_count(0)


def test_what_happens_while_the_list_is_still_connecting_is_seen_all_the_same(clinic: Clinic, opens: Opens) -> None:
    reference = clinic.request("Vue Tropvite", email="vite@exemple.fr")
    list_page, request_page = opens(OTHER_AGENT), opens(AGENT)
    held: list[Route] = []
    list_page.route("**/desk/events", lambda route: held.append(route))
    with list_page.expect_request("**/desk/events"):
        list_page.goto("/desk/")
    with request_page.expect_response("**/presence"):
        request_page.goto(f"/desk/requests/{reference}")
    held.pop().continue_()
    expect(list_page.locator(f'tr[data-reference="{reference}"] .present')).to_contain_text(AGENT)


# ---------------------------------------------------------------- claiming


@both
def test_of_two_agents_who_claim_at_once_one_has_the_request_and_the_other_is_told_who(clinic: Clinic, opens: Opens, scripts: bool) -> None:
    reference = clinic.request("Voulue Pardeux", email="voulue@exemple.fr")
    first, second = opens(AGENT, scripts=scripts), opens(OTHER_AGENT, scripts=scripts)
    for page in (first, second):
        page.goto(f"/desk/requests/{reference}")
        expect(page.get_by_role("button", name="Prendre en charge")).to_be_visible()
    # Both forms are sent before either answer is looked at.
    for page in (first, second):
        page.get_by_role("button", name="Prendre en charge").click(no_wait_after=True)
    for page in (first, second):
        expect(page.get_by_text("vous suivez cette demande").or_(page.get_by_text("Cette demande a changé entre-temps"))).to_be_visible()
    told = [page for page in (first, second) if page.locator("h1").inner_text().startswith("Cette demande a changé")]
    owner = clinic.owner(reference)
    assert len(told) == 1, "exactly one of the two is told that somebody was faster"
    assert owner == (OTHER_AGENT if told[0] is first else AGENT)
    expect(told[0].locator("main")).to_contain_text(f"prise en charge, par {owner}")
    told[0].get_by_role("link", name="Revoir la demande").click()
    expect(told[0].locator("main")).to_contain_text(f"{owner} suit cette demande")


def test_an_open_page_says_that_somebody_else_has_taken_the_request_and_keeps_what_was_typed(clinic: Clinic, opens: Opens) -> None:
    reference = clinic.request("Prise Ailleurs", email="ailleurs@exemple.fr")
    mine, theirs = opens(AGENT), opens(OTHER_AGENT)
    mine.goto(f"/desk/requests/{reference}")
    mine.get_by_label("Votre réponse").fill("Bonjour, un texte déjà long")
    mine.wait_for_timeout(300)
    claim(theirs, reference)
    expect(mine.locator("#change")).to_contain_text(f"prise en charge, par {OTHER_AGENT}")
    mine.get_by_role("button", name="Afficher la demande à jour").click()
    expect(mine.get_by_label("Ce que vous aviez écrit")).to_have_value("Bonjour, un texte déjà long")
    expect(mine.locator("main")).to_contain_text(f"Suivie par {OTHER_AGENT}")


# ---------------------------------------------------------------- answering


@both
def test_an_answer_from_a_template_is_taken_back_in_time_corrected_and_sent(clinic: Clinic, opens: Opens, scripts: bool) -> None:
    address = f"reponse-{'a' if scripts else 'b'}@exemple.fr"
    page = opens(AGENT, scripts=scripts)
    claim(page, clinic.request("Driss Alami", email=address))
    page.get_by_label("Modèle").select_option(label="Proposer deux moments")
    page.get_by_role("button", name="Insérer").click()
    expect(page.get_by_label("Votre réponse")).to_have_value(re.compile("Bonjour Driss"))
    expect(page.locator("#manquants")).to_contain_text("premier moment")

    page.get_by_role("button", name="Envoyer par e-mail").click()
    expect(page.get_by_role("alert")).to_contain_text("La réponse n'est pas partie : il reste à compléter {premier moment}, {second moment}")
    text = page.get_by_label("Votre réponse").input_value()
    page.get_by_label("Votre réponse").fill(text.replace("{premier moment}", "lundi à 10 h").replace("{second moment}", "mardi à 11 h"))
    page.get_by_role("button", name="Envoyer par e-mail").click()
    expect(page.get_by_role("status").first).to_contain_text("Votre réponse va partir.")

    page.get_by_role("button", name=re.compile("^Annuler")).click()
    expect(page.locator(".undo, .notice.good").first).to_contain_text("C'est annulé")
    clinic.time_to_undo_is_over()
    wait(2)  # the outbox looks every second
    assert clinic.mails(address) == [], "an answer that was taken back has left"

    expect(page.get_by_label("Votre réponse")).to_have_value(re.compile("mardi à 11 h"))
    page.get_by_label("Votre réponse").fill("Bonjour Driss,\n\nNous vous proposons lundi à 10 h ou jeudi à 11 h.")
    page.get_by_role("button", name="Envoyer par e-mail").click()
    expect(page.get_by_role("status").first).to_contain_text("Votre réponse va partir.")
    clinic.time_to_undo_is_over()
    body = clinic.mail(address, "Réponse à votre demande").get_body(("plain",))
    assert body and "jeudi à 11 h" in body.get_content() and "mardi à 11 h" not in body.get_content()


@both
def test_a_request_is_handed_to_a_colleague_with_a_note(clinic: Clinic, opens: Opens, scripts: bool) -> None:
    reference = clinic.request("Confiée Autrui")
    page = opens(AGENT, scripts=scripts)
    claim(page, reference)
    page.get_by_text("Confier à quelqu'un…").click()
    page.get_by_label("À qui").select_option(label=OTHER_AGENT)
    page.get_by_label("Note pour cette personne").fill("Parle serbe, comme vous.")
    page.get_by_role("button", name="Confier", exact=True).click()
    expect(page.get_by_role("status").first).to_contain_text(f"confiée à {OTHER_AGENT}")
    assert clinic.owner(reference) == OTHER_AGENT
    colleague = opens(OTHER_AGENT, scripts=scripts)
    colleague.goto(f"/desk/requests/{reference}")
    expect(colleague.locator("main")).to_contain_text("Parle serbe, comme vous.")
    expect(colleague.locator("main")).to_contain_text("Suivie par vous")


# ---------------------------------------------------------------- the visitor's page


def open_chat(page: Page) -> str:
    """Opens the site and its chat; returns the conversation."""
    page.goto("/")
    page.locator("#launcher").click()
    expect(page.locator('.message[data-from="bot"]')).to_have_count(1)
    return str(page.evaluate("JSON.parse(sessionStorage.getItem('passerelle')).id"))


def say(page: Page, text: str) -> None:
    page.locator("#input").fill(text)
    page.locator("#input").press("Enter")


def answer(page: Page, text: str) -> None:
    page.get_by_label("Votre réponse").fill(text)
    page.get_by_role("button", name="Envoyer dans la conversation").click()
    expect(page.get_by_role("status").first).to_contain_text("Votre réponse va partir.")


def test_a_visitor_whose_page_is_open_sees_the_answer_of_the_team_arrive(clinic: Clinic, opens: Opens) -> None:
    visitor, staff = opens(phone=True), opens(AGENT)
    reference = clinic.request("Rosa Vidal", conversation_id=open_chat(visitor))
    visitor.evaluate("document.documentElement.dataset.neverReloaded = 'yes'")
    claim(staff, reference)
    answer(staff, "Bonjour Rosa, mardi à 10 h vous irait-il ?")
    told = visitor.locator('.message[data-from="human"]')
    expect(told).to_have_count(0)  # it may still be taken back
    clinic.time_to_undo_is_over()
    expect(told).to_contain_text("mardi à 10 h vous irait-il")
    expect(told.locator(".sender")).to_have_text("Équipe de la clinique")
    expect(visitor.get_by_role("log")).to_contain_text("L’équipe de la clinique dit : Bonjour Rosa")
    expect(visitor.locator(".buttons button").first).to_be_enabled()  # what the assistant offered can still be chosen

    visitor.locator("#close").click()
    answer(staff, "Ou jeudi à 11 h ?")
    clinic.time_to_undo_is_over()
    expect(visitor.locator("#launcher")).to_contain_text("Nouveau message")
    expect(visitor.locator("#outside")).to_have_text("Nouveau message")
    assert visitor.evaluate("document.documentElement.dataset.neverReloaded") == "yes"

    visitor.reload()
    expect(visitor.locator("#launcher")).to_contain_text("Nouveau message")  # still unread
    visitor.locator("#launcher").click()
    expect(told).to_have_count(2)
    expect(told.last).to_contain_text("jeudi à 11 h")
    visitor.locator("#close").click()
    visitor.reload()
    visitor.wait_for_timeout(500)
    expect(visitor.locator("#launcher")).not_to_contain_text("Nouveau message")


def same_conversation(page: Page) -> Page:
    """A second tab in which the visitor reads the same conversation."""
    second = page.context.new_page()
    second.goto("/")
    second.evaluate("saved => sessionStorage.setItem('passerelle', saved)", page.evaluate("sessionStorage.getItem('passerelle')"))
    return second


def test_two_tabs_show_each_message_once_and_a_refused_stream_is_asked_for_again(clinic: Clinic, opens: Opens) -> None:
    first = opens()
    conversation = open_chat(first)
    second = same_conversation(first)
    second.route("**/events", lambda route: route.fulfill(status=503), times=1)
    second.reload()
    second.locator("#launcher").click()
    say(first, "bonjour")
    expect(second.locator('.message[data-from="visitor"]')).to_have_count(1)
    say(second, "combien ça coûte ?")
    reference = clinic.request("Deux Onglets", conversation_id=conversation)
    clinic.does(AGENT, work.claim, reference)
    clinic.does(AGENT, work.answer, reference, "Bonjour, nous vous rappelons.")
    clinic.time_to_undo_is_over()
    for page in (first, second):
        expect(page.locator('.message[data-from="human"]')).to_have_count(1)
        expect(page.locator(".message[data-seq]")).to_have_count(6)  # greeting, two turns, the team
        expect(page.locator(".message")).to_have_count(6)
        numbers = page.locator(".message").evaluate_all("nodes => nodes.map((node) => Number(node.dataset.seq))")
        assert numbers == sorted(set(numbers))


def test_a_conversation_that_is_erased_in_one_tab_is_over_in_the_other(clinic: Clinic, opens: Opens) -> None:
    first = opens()
    open_chat(first)
    second = same_conversation(first)
    second.locator("#launcher").click()
    expect(second.locator('.message[data-from="bot"]')).to_have_count(1)
    with rasa(clinic.settings.rasa_port):
        first.locator("#erase").click()
        first.locator("#confirm .danger").click()
        expect(first.locator("#log")).to_contain_text("La conversation est effacée")
    expect(second.locator("#log")).to_contain_text("Cette conversation n’est plus disponible")
    wait(2)  # who erased it is not told that it is lost
    expect(first.locator("#log")).not_to_contain_text("plus disponible")


def test_where_no_stream_comes_through_the_page_asks_now_and_then(clinic: Clinic, opens: Opens) -> None:
    visitor = opens()
    visitor.clock.install()
    visitor.route("**/events", lambda route: route.fulfill(status=200, content_type="text/html", body="<p>Une page du mandataire</p>"))
    reference = clinic.request("Sans Flux", conversation_id=open_chat(visitor))
    clinic.does(AGENT, work.claim, reference)
    clinic.does(AGENT, work.answer, reference, "Bonjour, nous vous rappelons.")
    clinic.time_to_undo_is_over()
    wait(3)  # the desk looks every two seconds
    expect(visitor.locator('.message[data-from="human"]')).to_have_count(0)
    visitor.clock.fast_forward(40_000)
    expect(visitor.locator('.message[data-from="human"]')).to_have_text(re.compile("nous vous rappelons"))


# ---------------------------------------------------------------- appointments


@both
def test_staff_book_and_the_visitor_cancels_by_the_link_of_the_mail(clinic: Clinic, opens: Opens, scripts: bool) -> None:
    address = f"rendez-vous-{'a' if scripts else 'b'}@exemple.fr"
    reference = clinic.request("Nadia Cherif", email=address)
    staff = opens(AGENT, scripts=scripts)
    claim(staff, reference)
    book(staff, "10:00" if scripts else "11:00", weeks=3)
    expect(staff.get_by_role("status").first).to_contain_text("le rendez-vous est fixé")
    expect(staff.locator("main")).to_contain_text("Rendez-vous fixé")

    mail = clinic.mail(address, "confirmé")
    assert "liver" not in mail.as_string() and "foie" not in str(mail.get_body(("plain",)))
    assert [part.get_content_type() for part in mail.iter_attachments()] == ["text/calendar"]
    link = clinic.link_in_mail(address)

    visitor = opens(scripts=scripts)  # signed in nowhere
    visitor.goto(link)
    expect(visitor.locator("h1")).to_have_text("Votre rendez-vous")
    expect(visitor.locator("main")).to_contain_text(reference)
    visitor.reload()  # looking changes nothing
    visitor.get_by_text("Annuler le rendez-vous…").click()
    visitor.get_by_role("button", name="Oui, annuler le rendez-vous").click()
    expect(visitor.locator("h1")).to_have_text("Rendez-vous annulé")

    if scripts:  # the open page says so by itself
        expect(staff.locator("#change")).to_contain_text("rendez-vous annulé, par le visiteur")
    staff.goto(f"/desk/requests/{reference}")
    expect(staff.locator(".meeting")).to_contain_text("Annulé")
    expect(staff.locator(".history")).to_contain_text("Rendez-vous annulé")
    expect(staff.locator(".lead").first).to_contain_text("Prise en charge")
    visitor.goto(link)
    expect(visitor.locator("main")).to_contain_text("Ce rendez-vous a été annulé")


def test_a_visitor_asks_for_another_time_and_staff_move_the_appointment(clinic: Clinic, opens: Opens) -> None:
    address = "autre-moment@exemple.fr"
    reference = clinic.request("Omar Seck", email=address)
    clinic.book(AGENT, reference, coming_tuesday(4), "14:00")
    visitor = opens(phone=True)
    link = clinic.link_in_mail(address)
    visitor.goto(link)
    visitor.get_by_text("Demander un autre moment…").click()
    visitor.get_by_role("button", name="Oui, demander un autre moment").click()
    expect(visitor.get_by_role("status")).to_contain_text("ce rendez-vous reste fixé")
    staff = opens(AGENT)
    staff.goto(f"/desk/requests/{reference}")
    expect(staff.locator(".meeting")).to_contain_text("Le visiteur demande un autre moment")
    staff.get_by_text("Déplacer ou changer").click()
    staff.locator(".meeting").get_by_label(re.compile("^Heure")).fill("15:00")
    staff.get_by_role("button", name="Déplacer le rendez-vous").click()
    expect(staff.get_by_role("status").first).to_contain_text("le rendez-vous est déplacé")
    clinic.mail(address, "déplacé")
    visitor.goto(link)  # of the first mail
    expect(visitor.locator("h1")).to_have_text("Lien périmé")


def test_a_moment_that_is_taken_is_refused_and_nothing_typed_is_lost(clinic: Clinic, opens: Opens) -> None:
    clinic.book(AGENT, clinic.request("Première Servie"), coming_tuesday(5), "09:00")
    page = opens(AGENT)
    claim(page, clinic.request("Seconde Servie"))
    book(page, "09:15", weeks=5)
    expect(page.get_by_role("alert").first).to_be_visible()
    expect(page.get_by_label(re.compile("^Heure"))).to_have_value("09:15")


# ---------------------------------------------------------------- erasing


@both
def test_the_privacy_officer_erases_a_person_after_giving_the_password_again(clinic: Clinic, opens: Opens, scripts: bool) -> None:
    name = f"Zénobie Effacée{'a' if scripts else 'b'}"
    reference = clinic.request(name, email=f"{'a' if scripts else 'b'}-zenobie@exemple.fr")
    page = opens(OFFICER, scripts=scripts)
    clinic.last_proof_grows_old(OFFICER)
    page.goto("/desk/privacy")
    page.get_by_label("Trouver une personne").fill(name)
    page.get_by_role("button", name="Chercher").click()
    expect(page.locator("main")).to_contain_text(reference)
    box = page.get_by_role("checkbox", name=re.compile(reference))
    box.check()
    page.get_by_role("button", name="Passer en revue ce qui est coché").click()

    expect(page.locator("h1")).to_have_text("Est-ce bien vous ?")
    page.get_by_label("Votre mot de passe").fill("ce n'est pas lui du tout")
    page.get_by_role("button", name="Continuer").click()
    expect(page.get_by_role("alert")).to_contain_text("Ce n'est pas votre mot de passe")
    page.get_by_label("Votre mot de passe").fill(PASSWORD)
    page.get_by_role("button", name="Continuer").click()

    expect(page.locator("main")).to_contain_text(name)
    page.get_by_label(re.compile("Pour confirmer, tapez")).fill("RDV-0000-00")
    page.get_by_role("button", name="Effacer toutes ces données").click()
    expect(page.get_by_role("alert")).to_be_visible()
    page.get_by_label(re.compile("Pour confirmer, tapez")).fill(reference)
    page.get_by_role("button", name="Effacer toutes ces données").click()
    expect(page.locator("h1")).to_contain_text("Effacement")
    expect(page.locator("main")).not_to_contain_text(name)

    page.goto(f"/desk/requests/{reference}")
    expect(page.locator("main")).to_contain_text("Données effacées")
    expect(page.locator("main")).not_to_contain_text(name)
    agent = opens(LEAD, scripts=scripts)
    agent.goto("/desk/")
    agent.locator("#q").fill(name)
    agent.get_by_role("button", name="Chercher").click()
    expect(agent.locator("main")).to_contain_text("Aucune demande")
