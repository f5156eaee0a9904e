"""Mails as a real SMTP server receives them, and as the file sink writes them."""

from __future__ import annotations

import asyncio
import stat
import time
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path

import pytest

from desk.outbox import SendingFailed
from desk.outbox.letters import Attachment, Letter
from desk.outbox.mail import FileSink, Mail, SmtpMailer, compose, forget_files, mailer_of
from desk.settings import Settings, SettingsError, load_settings
from tests.outbox_kit import NOON, MailServer, mail_server, self_made_certificate, silent_server

pytestmark = pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS")
ID = "msg_0123456789abcdef0123456789abcdef"
ICS = "BEGIN:VCALENDAR\r\nMETHOD:REQUEST\r\nSUMMARY:Rendez-vous à la clinique\r\nEND:VCALENDAR\r\n"
LETTER = Letter("Réponse à votre demande RDV-7K4M-2Q", "Bonjour,\n\n.un point en tête de ligne, et « 15 h ».\n", "<p>Bonjour</p>\n")
INVITATION = Letter(LETTER.subject, LETTER.text, LETTER.html, (Attachment("rendez-vous.ics", ICS, "calendar", {"method": "REQUEST"}),))


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings(data=tmp_path, clinic_name="Clinique Vita", mail_from="bureau@clinique.exemple")


def _mail(settings: Settings, letter: Letter = LETTER, recipient: str = "camille@exemple.fr") -> Mail:
    return compose(letter, settings, recipient, ID, NOON)


def _send(url: str, mail: Mail, **options: object) -> None:
    asyncio.run(SmtpMailer(url, **options).send(mail))  # type: ignore[arg-type]


def _failure(url: str, mail: Mail, **options: object) -> SendingFailed:
    with pytest.raises(SendingFailed) as failed:
        _send(url, mail, **options)
    assert "exemple" not in str(failed.value)
    return failed.value


# ---------------------------------------------------------------- what is sent


def test_a_mail_arrives_with_its_headers_and_both_alternatives(settings: Settings) -> None:
    with mail_server() as server:
        _send(server.url(), _mail(settings))
    (mail,) = server.received
    assert mail["From"] == "Clinique Vita <bureau@clinique.exemple>"
    assert mail["To"] == "camille@exemple.fr"
    assert mail["Subject"] == LETTER.subject
    assert mail["Date"].datetime == NOON
    assert mail["Message-ID"] == f"<{ID}@clinique.exemple>"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["Content-Language"] == "fr"
    assert mail.get_content_type() == "multipart/alternative"
    assert [part.get_content_type() for part in mail.iter_parts()] == ["text/plain", "text/html"]
    text = mail.get_body(("plain",))
    assert text is not None
    assert text.get_content().replace("\r\n", "\n") == LETTER.text
    assert server.commands == ["MAIL", "RCPT camille@exemple.fr"]


def test_what_travels_needs_no_eight_bit_server(settings: Settings) -> None:
    with mail_server() as server:
        _send(server.url(), _mail(settings, INVITATION))
    assert server.raw[0].isascii()


def test_an_invitation_goes_along_as_a_calendar_file_with_its_method(settings: Settings) -> None:
    with mail_server() as server:
        _send(server.url(), _mail(settings, INVITATION))
    (mail,) = server.received
    (file,) = mail.iter_attachments()
    assert file.get_content_type() == "text/calendar"
    assert file["Content-Type"].params["method"] == "REQUEST"
    assert file.get_filename() == "rendez-vous.ics"
    assert file.get_payload(decode=True) == ICS.encode()
    assert mail["Content-Language"] == "fr"


def test_the_sender_s_own_name_wins_over_the_clinic_s(settings: Settings) -> None:
    named = settings.model_copy(update={"mail_from": "Secrétariat <bureau@clinique.exemple>"})
    assert message_from_bytes(_mail(named).content, policy=default)["From"] == "Secrétariat <bureau@clinique.exemple>"


def test_a_domain_with_accents_is_spelt_in_ascii(settings: Settings) -> None:
    assert _mail(settings, recipient="camille@hôpital.fr").recipient == "camille@xn--hpital-ixa.fr"


@pytest.mark.parametrize(
    "recipient",
    [
        "camille@exemple.fr\r\nBcc: autre@exemple.fr",
        "camille@exemple.fr\nSubject: autre",
        "camille@exemple.fr, autre@exemple.fr",
        "camille@exemple.fr> BODY=8BITMIME",
        "Camille <camille@exemple.fr>",
        "camille@autre@exemple.fr",
        "éric@exemple.fr",
        "camille\x00@exemple.fr",
        "camille@\u2028exemple.fr",
        "@exemple.fr",
        "camille",
        "",
    ],
)
def test_an_address_that_is_more_or_less_than_one_is_refused_for_good(settings: Settings, recipient: str) -> None:
    with pytest.raises(SendingFailed, match="Cette adresse ne peut pas recevoir d'e-mail") as failed:
        _mail(settings, recipient=recipient)
    assert failed.value.is_permanent


@pytest.mark.parametrize("sneaked", ["\r\nBcc: autre@exemple.fr", "\nBcc: autre@exemple.fr", "\rBcc: autre@exemple.fr"])
def test_no_value_begins_another_header(settings: Settings, sneaked: str) -> None:
    with pytest.raises(SendingFailed):
        _mail(settings, Letter(f"Sujet{sneaked}", "x", "x"))
    with pytest.raises(SendingFailed):
        _mail(settings.model_copy(update={"clinic_name": f"Clinique{sneaked}"}))
    with pytest.raises(SendingFailed, match="PASSERELLE_MAIL_FROM") as failed:
        _mail(settings.model_copy(update={"mail_from": f"bureau@clinique.exemple{sneaked}"}))
    assert not failed.value.is_permanent


# ---------------------------------------------------------------- servers that do not take it


@pytest.mark.parametrize(("code", "is_permanent"), [("450 Try later", False), ("550 No such user camille@exemple.fr", True)])
def test_a_refused_recipient_is_final_only_with_a_five(settings: Settings, code: str, is_permanent: bool) -> None:
    with mail_server(MailServer(rcpt=[code])) as server:
        failure = _failure(server.url(), _mail(settings))
        assert failure.is_permanent is is_permanent
        assert f"code\u00a0{code[:3]}" in str(failure)
        assert "ce destinataire" in str(failure)
        _send(server.url(), _mail(settings))  # the next try is accepted
    assert len(server.received) == 1


@pytest.mark.parametrize(("code", "is_permanent"), [("451 Later", False), ("554 Looks like spam", True)])
def test_a_refused_message_is_final_only_with_a_five(settings: Settings, code: str, is_permanent: bool) -> None:
    with mail_server(MailServer(data=[code])) as server:
        failure = _failure(server.url(), _mail(settings))
    assert failure.is_permanent is is_permanent
    assert "ce message" in str(failure)


def test_a_refused_sender_may_be_mended_by_a_setting_and_is_tried_again(settings: Settings) -> None:
    with mail_server(MailServer(mail=["550 Not from here"])) as server:
        failure = _failure(server.url(), _mail(settings))
    assert not failure.is_permanent
    assert "l'adresse de l'expéditeur" in str(failure)


def test_a_server_that_says_nothing_is_given_up_in_time(settings: Settings) -> None:
    with silent_server() as port:
        began = time.monotonic()
        failure = _failure(f"smtp://127.0.0.1:{port}", _mail(settings), seconds=0.3)
    assert time.monotonic() - began < 3
    assert str(failure) == "Le serveur de courrier n'a pas répondu à temps."
    assert not failure.is_permanent


def test_a_server_that_hangs_over_the_message_is_given_up_in_time(settings: Settings) -> None:
    with mail_server(MailServer(delay=1.0)) as server:
        failure = _failure(server.url(), _mail(settings), seconds=0.3)
    assert str(failure) == "Le serveur de courrier n'a pas répondu à temps."


def test_a_connection_dropped_over_the_message_counts_as_failed(settings: Settings) -> None:
    with mail_server(MailServer(data=["drop"])) as server:
        failure = _failure(server.url(), _mail(settings))
        assert str(failure) == "Le serveur de courrier a coupé la connexion."
        assert not failure.is_permanent
        _send(server.url(), _mail(settings))
    assert [mail["Message-ID"] for mail in server.received] == [f"<{ID}@clinique.exemple>"]


def test_nobody_listening_is_told_as_such(settings: Settings) -> None:
    with silent_server() as port:
        pass
    assert str(_failure(f"smtp://127.0.0.1:{port}", _mail(settings))) == "Le serveur de courrier est injoignable."
    assert str(_failure("smtp://nulle-part.invalid", _mail(settings))) == "Le serveur de courrier est injoignable."


# ---------------------------------------------------------------- encryption and passwords


def test_starttls_with_a_certificate_that_nobody_vouches_for_is_refused(settings: Settings, tmp_path: Path) -> None:
    certificate = self_made_certificate(tmp_path, "127.0.0.1")
    with mail_server(tls=certificate.server) as server:
        failure = _failure(server.url("smtp+starttls"), _mail(settings))
    assert str(failure) == "Le certificat du serveur de courrier n'a pas pu être vérifié."
    assert server.commands == []


def test_starttls_with_a_certificate_of_another_name_is_refused(settings: Settings, tmp_path: Path) -> None:
    certificate = self_made_certificate(tmp_path, "ailleurs.exemple")
    with mail_server(tls=certificate.server) as server:
        failure = _failure(server.url("smtp+starttls"), _mail(settings), tls=certificate.trusting)
    assert str(failure) == "Le certificat du serveur de courrier n'a pas pu être vérifié."


def test_starttls_with_a_trusted_certificate_encrypts(settings: Settings, tmp_path: Path) -> None:
    certificate = self_made_certificate(tmp_path, "127.0.0.1")
    with mail_server(tls=certificate.server) as server:
        _send(server.url("smtp+starttls"), _mail(settings), tls=certificate.trusting)
    assert server.sessions[0].ssl is not None
    assert len(server.received) == 1


def test_starttls_that_is_not_offered_sends_nothing(settings: Settings) -> None:
    with mail_server() as server:
        failure = _failure(server.url("smtp+starttls"), _mail(settings))
    assert "chiffrement" in str(failure)
    assert server.commands == []


def test_smtps_encrypts_from_the_first_byte_and_verifies_too(settings: Settings, tmp_path: Path) -> None:
    certificate = self_made_certificate(tmp_path, "127.0.0.1")
    with mail_server(wraps=certificate.server) as server:
        assert "certificat" in str(_failure(server.url("smtps"), _mail(settings)))
        assert server.received == []
        _send(server.url("smtps"), _mail(settings), tls=certificate.trusting)
    assert len(server.received) == 1


def test_user_and_password_are_percent_decoded(settings: Settings) -> None:
    with mail_server(login=("bureau@clinique.exemple", "p@ss:wörd/é")) as server:
        _send(server.url(user="bureau%40clinique.exemple:p%40ss%3Aw%C3%B6rd%2F%C3%A9@"), _mail(settings))
    assert len(server.received) == 1


def test_a_wrong_password_may_be_mended_by_a_setting_and_is_tried_again(settings: Settings) -> None:
    with mail_server(login=("bureau", "juste")) as server:
        failure = _failure(server.url(user="bureau:faux@"), _mail(settings))
    assert "l'identifiant ou le mot de passe" in str(failure)
    assert not failure.is_permanent
    assert server.commands == []


def test_a_password_never_travels_in_clear_where_the_server_offers_encryption(settings: Settings, tmp_path: Path) -> None:
    certificate = self_made_certificate(tmp_path, "127.0.0.1")
    with mail_server(tls=certificate.server, login=("bureau", "juste")) as server:
        assert "certificat" in str(_failure(server.url(user="bureau:juste@"), _mail(settings)))
        _send(server.url(user="bureau:juste@"), _mail(settings), tls=certificate.trusting)
    assert server.sessions[0].ssl is not None


def test_a_bad_address_of_the_server_is_refused_at_the_start_without_its_password(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="PASSERELLE_SMTP_URL") as refused:
        load_settings(data=tmp_path, smtp_url="http://bureau:motdepasse@exemple.fr")
    assert "motdepasse" not in str(refused.value)


# ---------------------------------------------------------------- the file sink


def test_without_a_server_mails_are_files_that_only_their_owner_reads(settings: Settings) -> None:
    mail = _mail(settings, INVITATION)
    asyncio.run(mailer_of(settings).send(mail))
    asyncio.run(mailer_of(settings).send(mail))  # a second try replaces the first
    (file,) = (settings.data / "mail").iterdir()
    assert file.name == f"{ID}.eml"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    message = message_from_bytes(file.read_bytes(), policy=default)
    assert isinstance(message, EmailMessage)
    assert message["To"] == "camille@exemple.fr"


def test_file_and_server_get_the_same_bytes(settings: Settings) -> None:
    mail = _mail(settings, INVITATION)
    asyncio.run(mailer_of(settings).send(mail))
    with mail_server() as server:
        _send(server.url(), mail)
    written = (settings.data / "mail" / f"{ID}.eml").read_bytes()
    assert server.raw[0].rstrip() == written.rstrip()


def test_a_folder_that_cannot_be_written_is_tried_again(settings: Settings) -> None:
    (settings.data / "mail").write_text("a file where the folder should be")
    with pytest.raises(SendingFailed, match="Le dossier des e-mails") as failed:
        asyncio.run(mailer_of(settings).send(_mail(settings)))
    assert not failed.value.is_permanent


def test_files_of_an_erased_request_are_deleted_and_no_other(settings: Settings) -> None:
    folder = settings.data / "mail"
    other = compose(LETTER, settings, "autre@exemple.fr", "msg_other", NOON)
    for mail in (_mail(settings), other):
        asyncio.run(FileSink(folder).send(mail))
    assert forget_files(folder, [ID, "msg_unknown"]) == 1
    assert [file.name for file in folder.iterdir()] == ["msg_other.eml"]
