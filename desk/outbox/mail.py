"""Mails: the bytes of one, and two ways for them to go, to an SMTP server or into a folder."""

from __future__ import annotations

import os
import ssl
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, parseaddr
from pathlib import Path
from typing import Protocol
from urllib.parse import unquote, urlsplit

import aiosmtplib
from anyio import to_thread
from email_validator import EmailNotValidError, validate_email

from desk.outbox import SendingFailed
from desk.outbox.letters import Letter
from desk.settings import Settings

SECONDS = 20.0  # for each answer of the server
GOODBYE_SECONDS = 2.0
PORTS = {"smtp": 25, "smtp+starttls": 587, "smtps": 465}
_POLICY = SMTP.clone(cte_type="7bit")  # no server need know 8BITMIME


@dataclass(frozen=True)
class Mail:
    """A letter ready to go: who sends it, to whom, under which name, and its bytes."""

    sender: str
    recipient: str
    message_id: str
    content: bytes


class Mailer(Protocol):
    """A way for mails to go."""

    async def send(self, mail: Mail) -> None:
        """Hands one over.

        Raises:
            SendingFailed: it was not accepted, or nobody knows whether it was.
        """


def compose(letter: Letter, settings: Settings, recipient: str, message_id: str, at: datetime) -> Mail:
    """Puts a letter into an envelope.

    Args:
        letter: what it says.
        settings: the sender's address and the clinic's name.
        recipient: one address.
        message_id: of the notification; the same on every try, so that a mail sent twice can be told.
        at: its date.

    Raises:
        SendingFailed: an address or a header could not be sent without becoming something else; for good where it is the recipient's.
    """
    name, address = parseaddr(settings.mail_from)
    to = _plain_address(recipient)
    try:
        sender = _plain_address(address if settings.mail_from.isprintable() else "")
    except SendingFailed:  # a setting, which can be mended
        raise SendingFailed("L'adresse de l'expéditeur (PASSERELLE_MAIL_FROM) n'en est pas une.") from None
    message = EmailMessage(policy=_POLICY)
    try:
        message["From"] = Address(name or settings.clinic_name, addr_spec=sender)
        message["To"] = Address(addr_spec=to)
        message["Subject"] = letter.subject
        message["Date"] = format_datetime(at)
        message["Message-ID"] = f"<{message_id}@{sender.rpartition('@')[2]}>"
        message["Auto-Submitted"] = "auto-generated"
        message.set_content(letter.text)
        message.add_alternative(letter.html, subtype="html")
        for file in letter.attachments:
            message.add_attachment(file.text, subtype=file.subtype, params=dict(file.parameters), filename=file.name)
        message["Content-Language"] = "fr"  # last: the parts would take it along
        return Mail(sender, to, message_id, message.as_bytes())
    except ValueError:  # a line break in a header, a sign that no encoding has
        raise SendingFailed("Ce message ne peut pas être mis sous forme d'e-mail.") from None


def mailer_of(settings: Settings) -> Mailer:
    """The way that the settings name."""
    return SmtpMailer(settings.smtp_url) if settings.smtp_url else FileSink(sink_of(settings))


def sink_of(settings: Settings) -> Path:
    """The folder of mails that go nowhere else."""
    return settings.data / "mail"


class FileSink:
    """Writes mails into a folder that its owner alone may read: ``<message id>.eml``, so that a second try replaces the first."""

    def __init__(self, folder: Path) -> None:
        """Takes the folder; it is made with the first mail."""
        self._folder = folder

    async def send(self, mail: Mail) -> None:
        """Writes one, whole or not at all."""
        try:
            await to_thread.run_sync(self._write, mail)
        except OSError:
            raise SendingFailed("Le dossier des e-mails n'est pas accessible en écriture.") from None

    def _write(self, mail: Mail) -> None:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft = self._folder / f".{mail.message_id}"
        with os.fdopen(os.open(draft, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "wb") as file:
            file.write(mail.content)
        draft.rename(self._folder / f"{mail.message_id}.eml")


def forget_files(folder: Path, message_ids: list[str]) -> int:
    """Deletes what ``FileSink`` wrote of these notifications; returns how many files that were.

    A file that cannot be deleted is left to ``desk.privacy.mail_copies``, which comes by again: its row is gone already.
    """
    deleted = 0
    for path in (folder / f"{message_id}.eml" for message_id in message_ids):
        with suppress(OSError):
            path.unlink()
            deleted += 1
    return deleted


class SmtpMailer:
    """Hands mails to one server, each over a connection of its own. Certificates are always verified."""

    def __init__(self, url: str, *, tls: ssl.SSLContext | None = None, seconds: float = SECONDS) -> None:
        """Takes the server.

        Args:
            url: ``smtp://`` (STARTTLS only if there is a password and the server offers it), ``smtp+starttls://`` (or not at all) or
                ``smtps://``, with ``user:password@`` percent-encoded.
            tls: whom to trust; the system's authorities unless given.
            seconds: how long each answer of the server may take.
        """
        parts = urlsplit(url)
        self._host = parts.hostname or ""
        self._port = parts.port or PORTS[parts.scheme]
        self._user = unquote(parts.username) if parts.username else None
        self._password = unquote(parts.password or "")
        self._is_tls = parts.scheme == "smtps"
        # A password should not travel in clear where it need not; a relay on this machine often has a certificate that nobody can verify.
        self._starttls = {"smtp": None if self._user else False, "smtp+starttls": True, "smtps": False}[parts.scheme]
        self._tls = tls or ssl.create_default_context()
        self._seconds = seconds

    async def send(self, mail: Mail) -> None:
        """Hands one over; what the server says is never repeated, because it may repeat the mail."""
        client = aiosmtplib.SMTP(
            hostname=self._host,
            port=self._port,
            username=self._user,
            password=self._password if self._user else None,
            use_tls=self._is_tls,
            start_tls=self._starttls,
            tls_context=self._tls,
            timeout=self._seconds,
        )
        try:
            await client.connect()
            await client.sendmail(mail.sender, [mail.recipient], mail.content)
        except aiosmtplib.SMTPRecipientsRefused as error:
            raise _refused("ce destinataire", error.recipients[0].code, can_be_permanent=True) from None
        except aiosmtplib.SMTPDataError as error:
            raise _refused("ce message", error.code, can_be_permanent=True) from None
        except aiosmtplib.SMTPSenderRefused as error:
            raise _refused("l'adresse de l'expéditeur", error.code) from None
        except aiosmtplib.SMTPAuthenticationError as error:
            raise _refused("l'identifiant ou le mot de passe", error.code) from None
        except aiosmtplib.SMTPResponseException as error:
            raise _refused("la connexion", error.code) from None
        except (aiosmtplib.SMTPException, OSError, ValueError) as error:
            raise SendingFailed(_reason(error)) from None
        else:
            with suppress(aiosmtplib.SMTPException, OSError):  # it was accepted: how the server says goodbye is its affair
                await client.quit(timeout=GOODBYE_SECONDS)
        finally:
            client.close()


def _refused(what: str, code: int, can_be_permanent: bool = False) -> SendingFailed:
    is_final = code >= 500
    until = "" if is_final else " pour l'instant"
    return SendingFailed(f"Le serveur de courrier refuse {what}{until} (code\u00a0{code}).", is_permanent=is_final and can_be_permanent)


def _reason(error: BaseException) -> str:
    causes: list[BaseException] = []
    cause: BaseException | None = error
    while cause is not None and cause not in causes:
        causes.append(cause)
        cause = cause.__cause__ or cause.__context__
    if any(isinstance(c, ssl.SSLError) for c in causes):
        return "Le certificat du serveur de courrier n'a pas pu être vérifié."
    if any(isinstance(c, TimeoutError) for c in causes):
        return "Le serveur de courrier n'a pas répondu à temps."
    if isinstance(error, aiosmtplib.SMTPConnectError) or not isinstance(error, aiosmtplib.SMTPException):
        return "Le serveur de courrier est injoignable."
    if isinstance(error, aiosmtplib.SMTPServerDisconnected):
        return "Le serveur de courrier a coupé la connexion."
    return "Le serveur de courrier ne permet pas cet envoi (chiffrement ou authentification non proposés)."


def _plain_address(address: str) -> str:
    """An address as every server understands it; a domain with accents is spelt in ASCII.

    Raises:
        SendingFailed: for good, where it holds what could begin another header or another address.
    """
    is_one = address.count("@") == 1 and address.isprintable() and not any(sign in address for sign in ' ,;:<>()[]"\\')
    if is_one and address.isascii() and not address.startswith("@") and not address.endswith("@"):
        return address
    try:
        plain = validate_email(address, check_deliverability=False).ascii_email if is_one else None
    except EmailNotValidError:
        plain = None
    if plain is None:
        raise SendingFailed("Cette adresse ne peut pas recevoir d'e-mail.", is_permanent=True)
    return plain
