"""What tests of the outbox are written with: requests, appointments, a clock, and real servers that behave badly."""

from __future__ import annotations

import asyncio
import contextlib
import http.server
import ipaddress
import secrets
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from sqlalchemy.orm import Session as DbSession

from desk.models import Appointment, Clinician, Ticket
from tests.stack_client import free_ports

NOON = datetime(2026, 11, 23, 11, 0, tzinfo=UTC)


class Clock:
    """An instant that tests move."""

    def __init__(self, at: datetime = NOON) -> None:
        self.at = at

    def __call__(self) -> datetime:
        return self.at

    def forward(self, **length: float) -> None:
        """Moves it on."""
        self.at += timedelta(**length)


def a_request(session: DbSession, reference: str = "RDV-7K4M-2Q", **fields: Any) -> Ticket:
    """A request as a visitor leaves it."""
    values = {
        "idempotency_key": secrets.token_hex(8),
        "body_hash": "",
        "name": "Camille Martin",
        "email": "camille@exemple.fr",
        "windows": "mardi vers midi",
        "subject": "liver",
        "transcript_allowed": False,
        "consent_version": "7",
        "consent_at": NOON,
    }
    ticket = Ticket(reference=reference, **(values | fields))
    session.add(ticket)
    session.flush()
    return ticket


def an_appointment(session: DbSession, ticket: Ticket, starts_at: datetime = NOON + timedelta(days=3), zone: str = "Europe/Paris") -> Appointment:
    """An appointment of half an hour."""
    clinician = Clinician(name=f"Dr Jovanović {secrets.token_hex(2)}")
    appointment = Appointment(
        ticket=ticket, clinician=clinician, starts_at=starts_at, minutes=30, visitor_zone=zone, uid=secrets.token_hex(8), created_by="Milica Petrović"
    )
    session.add(appointment)
    session.flush()
    return appointment


# ---------------------------------------------------------------- certificates


@dataclass
class Certificate:
    """A self-made certificate for some names, its server side and who trusts it."""

    path: Path

    @property
    def server(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.path)
        return context

    @property
    def trusting(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self.path))


def self_made_certificate(folder: Path, *names: str) -> Certificate:
    """A certificate that nobody has signed but itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])])
    alternatives = [x509.IPAddress(ipaddress.ip_address(n)) if n[0].isdigit() else x509.DNSName(n) for n in names]
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(datetime.now(UTC) - timedelta(days=1))
        .not_valid_after(datetime.now(UTC) + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = folder / f"{names[0]}.pem"
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path.write_bytes(private + certificate.public_bytes(serialization.Encoding.PEM))
    return Certificate(path)


# ---------------------------------------------------------------- a mail server


@dataclass
class MailServer:
    """A real SMTP server. ``rcpt`` and ``data`` are answers still to be given, one a command; then it accepts."""

    rcpt: list[str] = field(default_factory=list)
    mail: list[str] = field(default_factory=list)
    data: list[str] = field(default_factory=list)
    delay: float = 0.0
    received: list[EmailMessage] = field(default_factory=list)
    raw: list[bytes] = field(default_factory=list)
    commands: list[str] = field(default_factory=list)
    sessions: list[Session] = field(default_factory=list)
    port: int = 0

    async def handle_MAIL(self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]) -> str:
        self.commands.append("MAIL")
        self.sessions.append(session)
        if self.mail:
            return self.mail.pop(0)
        envelope.mail_from = address
        return "250 OK"

    async def handle_RCPT(self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]) -> str:
        self.commands.append(f"RCPT {address}")
        if self.rcpt:
            return self.rcpt.pop(0)
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        await asyncio.sleep(self.delay)
        answer = self.data.pop(0) if self.data else "250 OK"
        if answer == "drop":
            server.transport.abort()
            return "250 OK"
        if answer.startswith("250"):
            assert isinstance(envelope.content, bytes)
            self.raw.append(envelope.content)
            message = message_from_bytes(envelope.content, policy=default)
            assert isinstance(message, EmailMessage)
            self.received.append(message)
        return answer

    def url(self, scheme: str = "smtp", user: str = "") -> str:
        """Its address, with « user:password@ »."""
        return f"{scheme}://{user}127.0.0.1:{self.port}"


@contextlib.contextmanager
def mail_server(
    server: MailServer | None = None, *, tls: ssl.SSLContext | None = None, wraps: ssl.SSLContext | None = None, login: tuple[str, str] | None = None
) -> Iterator[MailServer]:
    """Runs one: with STARTTLS (``tls``), inside TLS (``wraps``), or letting in only who knows a password (``login``)."""
    server = server or MailServer()
    server.port = free_ports(1)

    def authenticate(_server: SMTP, _session: Session, _envelope: Envelope, _mechanism: str, given: Any) -> AuthResult:
        is_known = isinstance(given, LoginPassword) and login is not None and (given.login, given.password) == tuple(part.encode() for part in login)
        return AuthResult(success=is_known, handled=is_known)

    options: dict[str, Any] = {"tls_context": tls, "require_starttls": True} if tls else {}
    if login:
        options |= {"authenticator": authenticate, "auth_required": True, "auth_require_tls": False}
    controller = Controller(server, hostname="127.0.0.1", port=server.port, ssl_context=wraps, **options)
    controller.start()
    try:
        yield server
    finally:
        controller.stop()


@contextlib.contextmanager
def silent_server() -> Iterator[int]:
    """Takes connections and never says a word; gives its port."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening.getsockname()[1]


# ---------------------------------------------------------------- a receiver of webhooks


@dataclass
class Call:
    """One request that arrived."""

    path: str
    headers: dict[str, str]
    body: bytes


Behaviour = Callable[[http.server.BaseHTTPRequestHandler], None]


@dataclass
class Receiver:
    """A real HTTP server. ``behaviours`` are played one a request; then it answers 204."""

    port: int = 0
    scheme: str = "http"
    calls: list[Call] = field(default_factory=list)
    behaviours: list[Behaviour] = field(default_factory=list)

    def url(self, host: str = "127.0.0.1", path: str = "/crochet?x=1") -> str:
        """Its address under a host's name."""
        return f"{self.scheme}://{host}:{self.port}{path}"


def answers(status: int, **headers: str) -> Behaviour:
    """Answers with a status at once."""

    def play(handler: http.server.BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    return play


def says(raw: bytes, *, pause: float = 0.0, every: int = 1) -> Behaviour:
    """Writes these bytes, ``every`` so many after a pause, whatever they are."""

    def play(handler: http.server.BaseHTTPRequestHandler) -> None:
        handler.close_connection = True
        with contextlib.suppress(OSError):
            for start in range(0, len(raw), every):
                time.sleep(pause)
                handler.wfile.write(raw[start : start + every])

    return play


def hangs(seconds: float) -> Behaviour:
    """Says nothing for so long."""

    def play(handler: http.server.BaseHTTPRequestHandler) -> None:
        time.sleep(seconds)
        handler.close_connection = True

    return play


@contextlib.contextmanager
def receiver(tls: ssl.SSLContext | None = None) -> Iterator[Receiver]:
    """Runs one."""
    state = Receiver()

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
            state.calls.append(Call(self.path, {name.lower(): value for name, value in self.headers.items()}, body))
            (state.behaviours.pop(0) if state.behaviours else answers(204))(self)

        def log_message(self, *_: Any) -> None:
            pass

    class Server(http.server.ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: Any) -> None:
            pass  # clients that hang up are what is tested

    server = Server(("127.0.0.1", 0), Handler)
    if tls:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
        state.scheme = "https"
    state.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
