"""Webhooks after Standard Webhooks 1.0: signed anew on every try, sent to an address that was looked at, never redirected."""

from __future__ import annotations

import asyncio
import ipaddress
import json
import socket
import ssl
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import httpx2
from standardwebhooks import Webhook

from desk.outbox import SendingFailed
from desk.settings import WEBHOOK_SECRET

CONNECT_SECONDS, SECONDS = 5.0, 10.0
MOST_ADDRESSES = 3  # tried in turn
DATA = ("reference", "state", "link")  # all that leaves

_NOT_HOSTS = (ipaddress.IPv4Network("192.0.0.0/24"), ipaddress.IPv4Network("192.88.99.0/24"))  # protocols' own (RFC 6890), relays of 6to4
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")  # RFC 6052: an IPv4 address in its last 32 bits
_UNICAST = ipaddress.IPv6Network("2000::/3")
_TRANSLATED = (ipaddress.IPv6Network("2001::/32"), ipaddress.IPv6Network("2002::/16"))  # Teredo, 6to4: relays to an IPv4 address
_DOCUMENTATION = ipaddress.IPv6Network("3fff::/20")  # RFC 9637

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]


class BadWebhook(ValueError):
    """The configured address or secrets cannot work; one sentence."""


def payload(event: str, at: datetime, values: Mapping[str, Any]) -> str:
    """The body: the kind of event, when it was, and of its request only what ``DATA`` names.

    >>> payload("request.received", datetime(2026, 11, 22, 9, 0, tzinfo=UTC), {"reference": "RDV-7K4M-2Q", "state": "waiting", "link": "x", "name": "y"})
    '{"type":"request.received","timestamp":"2026-11-22T09:00:00Z","data":{"reference":"RDV-7K4M-2Q","state":"waiting","link":"x"}}'
    """
    moment = at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    return json.dumps({"type": event, "timestamp": moment, "data": {name: values[name] for name in DATA}}, ensure_ascii=False, separators=(",", ":"))


def is_public(address: str) -> bool:
    """Whether an IP address belongs to the public internet: not this machine, not a network behind it, nothing that leads there by another way.

    >>> [is_public(a) for a in ("8.8.8.8", "127.0.0.1", "100.64.0.1", "::ffff:10.0.0.1", "64:ff9b::a00:1", "2002:a00:1::")]
    [True, False, False, False, False, False]
    """
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return False
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped or (ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF) if ip in _NAT64 else None)
        if inner is None:
            is_other = any(ip in network for network in (*_TRANSLATED, _DOCUMENTATION))
            return ip in _UNICAST and ip.is_global and not is_other
        ip = inner
    return ip.is_global and not ip.is_multicast and not ip.is_reserved and not any(ip in network for network in _NOT_HOSTS)


class Webhooks:
    """Sends events to one address."""

    def __init__(
        self,
        url: str,
        secrets: str,
        *,
        allowed_hosts: Collection[str] = (),
        tls: ssl.SSLContext | None = None,
        resolve: Resolve | None = None,
        connect_seconds: float = CONNECT_SECONDS,
        seconds: float = SECONDS,
    ) -> None:
        """Takes where events go.

        Args:
            url: ``https://…``.
            secrets: ``whsec_…``, one or, while they are changed, two separated by spaces; each signs.
            allowed_hosts: hosts that may be private and spoken to in clear. For tests; no setting leads here.
            tls: whom to trust; the usual authorities unless given.
            resolve: finds the addresses of a host; the system's resolver unless given.
            connect_seconds: how long a connection may take.
            seconds: how long everything may take.

        Raises:
            BadWebhook: an address without TLS, a secret that is none.
        """
        self._url = httpx2.URL(url)
        self._is_allowed = self._url.host in allowed_hosts
        if self._url.scheme != "https" and not self._is_allowed:
            raise BadWebhook("the address of the webhook must begin with https://")
        known = secrets.split()
        if not known or not all(WEBHOOK_SECRET.fullmatch(secret) for secret in known):
            raise BadWebhook("a webhook secret is « whsec_ » and 24 to 64 bytes in base64")
        self._signers = [Webhook(secret) for secret in known]
        self._tls = tls or ssl.create_default_context()
        self._resolve = resolve or _resolve
        self._timeout = httpx2.Timeout(seconds, connect=connect_seconds)
        self._seconds = seconds

    async def send(self, message_id: str, body: str, at: datetime) -> None:
        """Sends one event.

        Args:
            message_id: the same on every try, so that the receiver can drop a twin.
            body: as of ``payload``.
            at: the present, which is signed along.

        Raises:
            SendingFailed: no answer of the kind 2xx in time; for good when the receiver says 410.
        """
        try:
            async with asyncio.timeout(self._seconds):
                status = await self._post(body, self._headers(message_id, body, at))
        except TimeoutError:
            raise SendingFailed("Le récepteur n'a pas répondu à temps.") from None
        if status == 410:
            raise SendingFailed("Le récepteur ne veut plus de ces messages (code\u00a0410).", is_permanent=True)
        if 300 <= status < 400:
            raise SendingFailed(f"Le récepteur renvoie vers une autre adresse (code\u00a0{status})\u00a0; les redirections ne sont pas suivies.")
        if not 200 <= status < 300:
            raise SendingFailed(f"Le récepteur a répondu par une erreur (code\u00a0{status}).")

    def _headers(self, message_id: str, body: str, at: datetime) -> dict[str, str]:
        return {
            "Host": self._url.netloc.decode("ascii"),  # the connection is made to an address, the request to a name
            "Content-Type": "application/json",
            "User-Agent": "passerelle",
            "webhook-id": message_id,
            "webhook-timestamp": str(int(at.timestamp())),
            "webhook-signature": " ".join(signer.sign(message_id, at, body) for signer in self._signers),
        }

    async def _post(self, body: str, headers: dict[str, str]) -> int:
        """Posts to the first address that takes a connection; returns the status."""
        last = SendingFailed("Le récepteur est injoignable.")
        for address in await self._addresses():
            try:
                return await self._post_to(address, body, headers)
            except (httpx2.ConnectError, httpx2.ConnectTimeout) as error:
                last = SendingFailed(_reason(error))
            except httpx2.HTTPError as error:
                raise SendingFailed(_reason(error)) from None
        raise last

    async def _post_to(self, address: str, body: str, headers: dict[str, str]) -> int:
        url = self._url.copy_with(host=address)
        host = self._url.raw_host.decode("ascii")
        # A client each time: no connection is kept for an address looked at long ago, no cookie comes back, and no proxy of the environment steps between.
        client = httpx2.AsyncClient(verify=self._tls, timeout=self._timeout, follow_redirects=False, trust_env=False)
        async with client, client.stream("POST", url, content=body, headers=headers, extensions={"sni_hostname": host}) as answer:
            return answer.status_code  # the body is left unread: endless, slow or false, it changes nothing

    async def _addresses(self) -> Sequence[str]:
        """Addresses of the host, every one of them looked at: the connection goes to one of these, whatever the name says a moment later."""
        port = self._url.port or (443 if self._url.scheme == "https" else 80)
        try:
            found = await self._resolve(self._url.raw_host.decode("ascii"), port)
        except (OSError, UnicodeError):
            raise SendingFailed("Le nom du récepteur est introuvable.") from None
        if not self._is_allowed and not all(is_public(address) for address in found):
            raise SendingFailed("Le nom du récepteur mène à une adresse privée\u00a0; rien n'y est envoyé.")
        return found[:MOST_ADDRESSES]


async def _resolve(host: str, port: int) -> list[str]:
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def _reason(error: BaseException) -> str:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLError):
            return "Le certificat du récepteur n'a pas pu être vérifié."
        cause = cause.__cause__ or cause.__context__
    if isinstance(error, httpx2.TimeoutException):
        return "Le récepteur n'a pas répondu à temps."
    if isinstance(error, httpx2.ConnectError):
        return "Le récepteur est injoignable."
    return "Le récepteur n'a pas donné de réponse valable."
