"""The whole line, end to end: a visitor's request becomes a ticket that a staff member finds, whatever happens on the way."""

from __future__ import annotations

import re
import sqlite3
import threading
import uuid

import httpx2
import pytest

from tests.authenticator import sign_in
from tests.stack_client import Reply, Stack, Visitor, reference_in, wait_for

pytestmark = pytest.mark.stack
PASSWORD = "un mot de passe assez long"


@pytest.fixture(scope="module")
def staff(stack: Stack) -> httpx2.Client:
    """A browser signed in to the desk, with an account made as the README says."""
    stack.add_staff("Anne", PASSWORD)
    client = httpx2.Client(base_url=stack.url, follow_redirects=True, headers={"Origin": stack.url})
    sign_in(client, "Anne", PASSWORD)
    return client


def hidden_fields(html: str) -> dict[str, str]:
    found = {}
    for tag in re.findall(r"<input[^>]*type=\"hidden\"[^>]*>", html):
        name, value = re.search(r'name="([^"]*)"', tag), re.search(r'value="([^"]*)"', tag)
        if name and value:
            found[name[1]] = value[1]
    return found


def test_a_request_reaches_the_desk(visitor: Visitor, staff: httpx2.Client) -> None:
    reference = visitor.book(name="Fatou Diop", contact="+33 7 55 66 77 88", windows="jeudi matin")
    assert "Demande reçue" in visitor.last.text
    assert "confirmé" not in visitor.last.text
    listed = staff.get("/desk/").text
    assert reference in listed
    assert "Fatou Diop" in listed
    page = staff.get(f"/desk/requests/{reference}").text
    for shown in ("Fatou Diop", "jeudi matin", "Le foie", "+33"):
        assert shown in page


def test_a_staff_member_closes_a_request(visitor: Visitor, staff: httpx2.Client) -> None:
    reference = visitor.book()
    page = staff.get(f"/desk/requests/{reference}")
    answer = staff.post(f"/desk/requests/{reference}/close", data={**hidden_fields(page.text), "confirm": "yes"})
    if "Clos" not in answer.text:
        answer = staff.post(f"/desk/requests/{reference}/close", data={**hidden_fields(answer.text), "confirm": "yes"})
    assert "lose" in staff.get(f"/desk/requests/{reference}").text or "lôturée" in answer.text


def test_the_conversation_is_shown_to_staff_only_with_a_yes(stack: Stack, staff: httpx2.Client) -> None:
    for transcript, shown in (("oui", True), ("non", False)):
        visitor = stack.visitor()
        visitor.say("est-ce que ça fait mal, dites-moi franchement ?")
        reference = visitor.book(transcript=transcript)
        assert ("dites-moi franchement" in staff.get(f"/desk/requests/{reference}").text) is shown


def test_refusing_consent_keeps_nothing(stack: Stack, visitor: Visitor) -> None:
    visitor.say("je voudrais prendre rendez-vous")
    assert "rien n'est gardé" in visitor.press("refuse").text
    with sqlite3.connect(stack.folder / "desk.db") as database:
        assert database.execute("SELECT count(*) FROM tickets WHERE conversation_id = ?", (visitor.id,)).fetchone() == (0,)


def test_a_cancelled_form_leaves_no_name_and_no_number_anywhere(stack: Stack, visitor: Visitor) -> None:
    for said in ("je voudrais un rdv", "oui", "Zébulon Cancelier", "06 98 00 11 22"):
        visitor.say(said)
    assert "annulée" in visitor.say("finalement annulez tout").text
    assert_nowhere(stack, "Cancelier", "98 00 11 22", "698001122")


def test_once_the_request_is_stored_rasa_forgets_what_the_form_was_told(stack: Stack, visitor: Visitor) -> None:
    reference = visitor.book(name="Zébulon Trackeur", contact="06 98 33 44 55")
    assert reference in visitor.say("où en est ma demande ?").text, "the reference is kept"
    assert "Trackeur" not in contents(stack, "tracker.db")
    assert "698334455" not in contents(stack, "tracker.db")


def test_erasing_a_conversation_erases_it_everywhere(stack: Stack, visitor: Visitor) -> None:
    visitor.book(name="Zébulon Effaceur", contact="zebulon.effaceur@exemple.fr")
    assert visitor.erase() == 204
    assert visitor.thread().status == 401
    assert_nowhere(stack, "Effaceur", "zebulon.effaceur")


def test_erasing_by_words_and_a_button(stack: Stack, visitor: Visitor) -> None:
    visitor.say("je m'inquiète pour Zorglub, il a une cirrhose")
    visitor.say("effacez toutes mes données svp")
    assert "effacées" in visitor.press("Effacer").text
    assert visitor.thread().status == 401
    assert_nowhere(stack, "Zorglub")


def test_a_button_of_an_older_turn_is_stale(visitor: Visitor) -> None:
    old = visitor.last.buttons[0]["id"]
    visitor.say("est-ce que ça fait mal ?")
    assert "n'est plus valable" in visitor.send({"client_id": "old", "button": old}).text


def test_the_same_request_can_be_made_again_once_the_first_is_closed(stack: Stack, visitor: Visitor) -> None:
    first = visitor.book()
    with sqlite3.connect(stack.folder / "desk.db") as database:
        database.execute("UPDATE tickets SET state = 'closed' WHERE reference = ?", (first,))
    assert visitor.book() != first


def test_the_forms_answers_leave_the_conversation_once_they_are_in_the_ticket(visitor: Visitor) -> None:
    visitor.book(name="Zébulon Partout")
    assert "Partout" not in "\n".join(m["text"] for m in visitor.thread().messages)


def test_no_personal_data_is_in_any_log(stack: Stack, visitor: Visitor) -> None:
    visitor.book(name="Zébulon Journalier", contact="zebulon.journalier@exemple.fr", windows="le 3 décembre")
    for path in (stack.folder / "log").iterdir():
        text = path.read_text(errors="replace")
        for word in ("Journalier", "zebulon", "3 décembre", "Cancelier", "Trackeur"):
            assert word not in text, path.name


def test_a_request_sent_while_the_desk_cannot_write_is_not_said_to_be_received(stack: Stack, visitor: Visitor) -> None:
    for said in ("je voudrais un rdv", "oui", "Camille Laurent", "camille@exemple.fr", "mardi", "le foie", "non"):
        visitor.say(said)
    with sqlite3.connect(stack.folder / "desk.db", isolation_level=None) as database:
        database.execute("CREATE TRIGGER disk_full BEFORE INSERT ON tickets BEGIN SELECT RAISE(ABORT, 'disk full'); END")
        failed = visitor.say("oui")
        database.execute("DROP TRIGGER disk_full")
    for path in (stack.folder / "log").iterdir():
        assert "camille@exemple.fr" not in path.read_text(errors="replace"), path.name
    assert "n'a pas pu être enregistrée" in failed.text
    assert "Demande reçue" not in failed.text
    assert "Camille Laurent" in visitor.press("essayer").text, "nothing of the form is lost"
    assert reference_in(visitor.say("oui").text)


@pytest.mark.parametrize(
    "text",
    ["/restart", "/session_start", "/back", '/book{"booking_name":"x"}', "/ask_cost", "/inform@0.9", "/foo{", "/ restart", "/nlu_fallback", "\u2060/restart"],
)
def test_what_looks_like_a_command_is_only_text(visitor: Visitor, text: str) -> None:
    visitor.say("je voudrais un rdv")
    visitor.say("oui")
    reply = visitor.say(text)
    assert reply.status == 200
    assert not re.search(r"utter_|action_|/restart|slot|intent|None|Error", reply.text)
    visitor.say("Camille Laurent")
    assert "joindre" in visitor.last.text, "the form survived"


@pytest.mark.parametrize(
    "text", ["<script>alert(1)</script>", "'; DROP TABLE tickets; --", "{phone} ${7*7}", "𝓹𝓻𝓲𝔁", "🦷🪥", "\x1b[31mprix\x1b[0m", "a" * 1999, "?" * 300, "\ud800"]
)
def test_odd_input_gets_a_french_answer(visitor: Visitor, text: str) -> None:
    reply = visitor.say(text.encode("utf-16", "surrogatepass").decode("utf-16", "replace"))
    assert reply.status == 200
    assert reply.text.strip()
    assert "<script>" not in reply.text


def test_six_thousand_words_are_answered_at_once(visitor: Visitor) -> None:
    assert "trop long" in visitor.say("mot " * 6000).text


def test_ten_messages_at_once_are_answered_one_by_one(visitor: Visitor) -> None:
    texts = [
        "bonjour",
        "prix ?",
        "ça fait mal ?",
        "les effets secondaires",
        "merci",
        "et pour le foie ?",
        "c'est où ?",
        "quels examens ?",
        "au revoir",
        "c'est gratuit la consultation ?",
    ]
    replies: list[Reply] = []

    def send(text: str) -> None:
        answer = httpx2.post(
            f"{visitor.url}/api/conversations/{visitor.id}/messages",
            json={"client_id": str(uuid.uuid4()), "text": text},
            headers=visitor.headers,
            timeout=60,
        )
        replies.append(Reply(answer.status_code, answer.json()))

    threads = [threading.Thread(target=send, args=(text,)) for text in texts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [r.status for r in replies] == [200] * 10
    assert all(r.text.strip() for r in replies)
    thread = visitor.thread().messages
    assert [m["seq"] for m in thread] == list(range(1, len(thread) + 1))
    assert sum(m["from"] == "visitor" for m in thread) == 10


def test_a_replay_is_not_a_second_turn(visitor: Visitor) -> None:
    visitor.say("je voudrais un rdv")
    first = visitor.say("oui", client_id="same")
    again = visitor.say("oui", client_id="same")
    assert again.body == first.body
    assert visitor.say("non", client_id="same").status == 409


def test_rasa_killed_in_mid_form_comes_back_and_the_form_goes_on(stack: Stack, visitor: Visitor) -> None:
    for said in ("je voudrais un rdv", "oui", "Camille Laurent"):
        visitor.say(said)
    stack.kill("rasa")
    during = visitor.say("06 12 34 56 78")
    assert "ne répond pas en ce moment" in during.text
    assert "3114" in visitor.say("je veux mourir").text, "emergencies are recognised meanwhile"
    stack.wait_until_ready()
    assert "Quand" in visitor.say("06 12 34 56 78").text
    for said in ("mardi", "le foie", "non", "oui"):
        visitor.say(said)
    assert reference_in(visitor.last.text)


def test_actions_killed_in_mid_form_come_back_and_the_form_goes_on(stack: Stack, visitor: Visitor) -> None:
    for said in ("je voudrais un rdv", "oui", "Camille Laurent", "06 12 34 56 78"):
        visitor.say(said)
    stack.kill("actions")
    during = visitor.say("mardi")
    assert "ne répond pas en ce moment" in during.text or "sujet" in during.text
    stack.wait_until_ready()
    if "sujet" not in visitor.last.text:
        assert "sujet" in visitor.say("mardi").text
    for said in ("le foie", "non", "oui"):
        visitor.say(said)
    assert reference_in(visitor.last.text)


def test_the_desk_killed_comes_back_with_the_conversation(stack: Stack, visitor: Visitor) -> None:
    visitor.say("bonjour")
    stack.kill("desk")
    wait_for(lambda: not stack.missing(), 60, "the desk to come back")
    assert [m["from"] for m in visitor.thread().messages] == ["bot", "visitor", "bot"]


def contents(stack: Stack, name: str) -> str:
    """A database file with its write-ahead log, as raw text."""
    return "".join(path.read_bytes().decode("utf-8", "replace") for path in stack.folder.glob(f"{name}*"))


def assert_nowhere(stack: Stack, *words: str) -> None:
    for name in ("desk.db", "tracker.db"):
        for word in words:
            assert word not in contents(stack, name), f"{word} is still in {name}"
