"""Webhooks as a real receiver gets them, and the addresses that get none."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks import Webhook
from standardwebhooks.webhooks import WebhookVerificationError

from desk.db import now
from desk.outbox import SendingFailed
from desk.outbox.webhooks import BadWebhook, Webhooks, is_public, payload
from desk.settings import SettingsError, load_settings
from tests.outbox_kit import NOON, Receiver, answers, hangs, receiver, says, self_made_certificate, silent_server

OLD = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
NEW = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
ID = "msg_0123456789abcdef0123456789abcdef"
BODY = payload("request.received", NOON, {"reference": "RDV-7K4M-2Q", "state": "waiting", "link": "https://bureau.exemple/desk/requests/RDV-7K4M-2Q"})
HERE = frozenset({"127.0.0.1"})
OK = b"HTTP/1.1 200 OK\r\nContent-Length: "


@pytest.fixture
def hook() -> Iterator[Receiver]:
    with receiver() as running:
        yield running


def _send(hook: Receiver, secrets: str = NEW, **options: Any) -> None:
    asyncio.run(Webhooks(hook.url(), secrets, allowed_hosts=HERE, **options).send(ID, BODY, now()))


def _failure(hook: Receiver, **options: Any) -> SendingFailed:
    with pytest.raises(SendingFailed) as failed:
        _send(hook, **options)
    return failed.value


# ---------------------------------------------------------------- what is sent


def test_the_receiver_can_verify_what_it_gets(hook: Receiver) -> None:
    _send(hook)
    (call,) = hook.calls
    said = Webhook(NEW).verify(call.body, call.headers)
    assert said == {
        "type": "request.received",
        "timestamp": "2026-11-23T11:00:00Z",
        "data": {"reference": "RDV-7K4M-2Q", "state": "waiting", "link": "https://bureau.exemple/desk/requests/RDV-7K4M-2Q"},
    }
    assert call.headers["webhook-id"] == ID
    assert call.headers["content-type"] == "application/json"
    assert call.headers["host"] == f"127.0.0.1:{hook.port}"
    assert call.path == "/crochet?x=1"


def test_a_changed_body_or_another_secret_does_not_verify(hook: Receiver) -> None:
    _send(hook)
    (call,) = hook.calls
    with pytest.raises(WebhookVerificationError):
        Webhook(NEW).verify(call.body.replace(b"waiting", b"closed"), call.headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(OLD).verify(call.body, call.headers)


def test_while_secrets_are_changed_both_sign(hook: Receiver) -> None:
    _send(hook, secrets=f"{NEW} {OLD}")
    (call,) = hook.calls
    assert len(call.headers["webhook-signature"].split(" ")) == 2
    for secret in (NEW, OLD):
        assert Webhook(secret).verify(call.body, call.headers)


def test_every_try_is_signed_anew_under_the_same_id(hook: Receiver) -> None:
    sender = Webhooks(hook.url(), NEW, allowed_hosts=HERE)

    async def twice() -> None:
        await sender.send(ID, BODY, now() - timedelta(hours=1))
        await sender.send(ID, BODY, now())

    asyncio.run(twice())
    first, second = hook.calls
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert first.body == second.body
    assert int(second.headers["webhook-timestamp"]) - int(first.headers["webhook-timestamp"]) in (3600, 3601)
    Webhook(NEW).verify(second.body, second.headers)
    with pytest.raises(WebhookVerificationError, match="too old"):
        Webhook(NEW).verify(first.body, first.headers)


def test_nothing_but_reference_state_and_link_can_leave() -> None:
    said = json.loads(payload("request.closed", NOON, {"reference": "R", "state": "closed", "link": "L", "name": "Camille", "email": "c@exemple.fr"}))
    assert said["data"] == {"reference": "R", "state": "closed", "link": "L"}
    assert said.keys() == {"type", "timestamp", "data"}


def test_no_cookie_of_the_receiver_comes_back(hook: Receiver) -> None:
    hook.behaviours = [answers(204, **{"Set-Cookie": "a=b; Path=/"})]
    sender = Webhooks(hook.url(), NEW, allowed_hosts=HERE)

    async def twice() -> None:
        await sender.send(ID, BODY, now())
        await sender.send(ID, BODY, now())

    asyncio.run(twice())
    assert "cookie" not in hook.calls[1].headers


# ---------------------------------------------------------------- receivers that behave badly


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_two_hundred_and_something_is_sent(hook: Receiver, status: int) -> None:
    hook.behaviours = [answers(status)]
    _send(hook)
    assert len(hook.calls) == 1


@pytest.mark.parametrize("status", [400, 401, 404, 429, 500, 503])
def test_an_error_is_tried_again(hook: Receiver, status: int) -> None:
    hook.behaviours = [answers(status)]
    failure = _failure(hook)
    assert f"code\u00a0{status}" in str(failure)
    assert not failure.is_permanent


def test_a_receiver_that_is_gone_is_dead_at_once(hook: Receiver) -> None:
    hook.behaviours = [answers(410)]
    assert _failure(hook).is_permanent


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(hook: Receiver, status: int) -> None:
    with receiver() as elsewhere:
        hook.behaviours = [answers(status, Location=elsewhere.url())]
        failure = _failure(hook)
        assert elsewhere.calls == []
    assert "redirections ne sont pas suivies" in str(failure)
    assert not failure.is_permanent


def test_a_receiver_that_hangs_is_given_up_in_time(hook: Receiver) -> None:
    hook.behaviours = [hangs(1.5)]
    began = time.monotonic()
    assert str(_failure(hook, seconds=0.3)) == "Le récepteur n'a pas répondu à temps."
    assert time.monotonic() - began < 1.2


def test_a_receiver_that_drips_its_headers_is_given_up_in_time(hook: Receiver) -> None:
    hook.behaviours = [says(b"HTTP/1.1 200 OK\r\nX-A: " + b"a" * 40, pause=0.1)]  # each byte comes in time, the whole does not
    began = time.monotonic()
    assert str(_failure(hook, seconds=0.5)) == "Le récepteur n'a pas répondu à temps."
    assert time.monotonic() - began < 2


def test_an_answer_of_success_counts_though_its_body_drips_on(hook: Receiver) -> None:
    hook.behaviours = [says(OK + b"100\r\n\r\n" + b"a" * 30, pause=0.1, every=len(OK) + 8)]
    began = time.monotonic()
    _send(hook, seconds=1.0)
    assert time.monotonic() - began < 1.0


@pytest.mark.parametrize("raw", [OK + b"1000000\r\n\r\nshort", OK + b"2\r\n\r\nfar longer than said", OK + b"1000000000\r\n\r\n" + b"a" * 200_000])
def test_an_answer_of_success_counts_though_its_length_is_a_lie(hook: Receiver, raw: bytes) -> None:
    hook.behaviours = [says(raw, every=len(raw))]
    _send(hook)
    assert len(hook.calls) == 1


@pytest.mark.parametrize("raw", [b"", b"SSH-2.0-OpenSSH\r\n", b"HTTP/1.1 abc\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", b"\x00" * 50])
def test_what_is_no_answer_is_tried_again(hook: Receiver, raw: bytes) -> None:
    hook.behaviours = [says(raw, every=len(raw) or 1)]
    failure = _failure(hook, seconds=3.0)
    assert not failure.is_permanent
    assert str(failure) in ("Le récepteur n'a pas donné de réponse valable.", "Le récepteur n'a pas répondu à temps.")


def test_nobody_listening_is_told_as_such() -> None:
    with silent_server() as port:
        pass
    assert str(_failure(Receiver(port=port))) == "Le récepteur est injoignable."


# ---------------------------------------------------------------- addresses


@pytest.mark.parametrize(
    "address",
    """0.0.0.0 10.1.2.3 100.64.0.1 127.0.0.1 127.1.2.3 169.254.169.254 172.16.0.1 192.0.0.8 192.0.2.1 192.168.1.1 198.18.0.1 203.0.113.9 224.0.0.1
    239.255.255.250 240.0.0.1 255.255.255.255 :: ::1 ::7f00:1 ::ffff:127.0.0.1 ::ffff:169.254.169.254 64:ff9b::7f00:1 64:ff9b:1::1 100::1 2001::1
    2001:db8::1 2002:7f00:1:: 2002:808:808:: 3fff::1 fc00::1 fd12:3456::1 fe80::1 fe80::1%eth0 fec0::1 ff02::1 ff0e::1 localhost 2130706433""".split(),
)
def test_addresses_that_are_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", ["8.8.8.8", "1.1.1.1", "2606:4700:4700::1111", "2a00:1450:4007:80e::200e", "::ffff:8.8.8.8", "64:ff9b::808:808"])
def test_addresses_that_are_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "127.1", "2130706433", "0x7f000001", "[::1]", "[::ffff:127.0.0.1]", "0"])
def test_every_spelling_of_this_machine_is_refused_before_a_connection(tmp_path: Path, host: str) -> None:
    certificate = self_made_certificate(tmp_path, "127.0.0.1", "localhost")
    with receiver(certificate.server) as hook:
        sender = Webhooks(hook.url(host), NEW, tls=certificate.trusting)
        with pytest.raises(SendingFailed) as failed:
            asyncio.run(sender.send(ID, BODY, now()))
        assert hook.calls == []
    assert str(failed.value) in ("Le nom du récepteur mène à une adresse privée\u00a0; rien n'y est envoyé.", "Le nom du récepteur est introuvable.")


def _resolver(*answers_in_turn: Sequence[str]) -> tuple[Any, list[str]]:
    """A name server that says something else each time, as one does that wants to be let in; and what it was asked."""
    asked: list[str] = []

    async def resolve(host: str, port: int) -> Sequence[str]:
        asked.append(f"{host}:{port}")
        return answers_in_turn[min(len(asked), len(answers_in_turn)) - 1]

    return resolve, asked


def test_a_public_name_with_a_private_address_among_its_own_is_refused(tmp_path: Path) -> None:
    certificate = self_made_certificate(tmp_path, "recepteur.exemple")
    with receiver(certificate.server) as hook:
        resolve, _ = _resolver(["8.8.8.8", "127.0.0.1"])
        with pytest.raises(SendingFailed, match="adresse privée"):
            asyncio.run(Webhooks(hook.url("recepteur.exemple"), NEW, tls=certificate.trusting, resolve=resolve).send(ID, BODY, now()))
        assert hook.calls == []


def test_a_name_is_asked_once_a_try_so_that_no_second_answer_can_lead_elsewhere(tmp_path: Path) -> None:
    certificate = self_made_certificate(tmp_path, "recepteur.exemple")
    with receiver(certificate.server) as hook:
        # 198.51.100.1 is taken for public by the allow-list alone; whoever asked again would be led to the receiver on this machine.
        resolve, asked = _resolver(["198.51.100.1"], ["127.0.0.1"])
        sender = Webhooks(
            hook.url("recepteur.exemple"), NEW, tls=certificate.trusting, resolve=resolve, allowed_hosts={"recepteur.exemple"}, connect_seconds=0.3, seconds=1
        )
        with pytest.raises(SendingFailed):
            asyncio.run(sender.send(ID, BODY, now()))
        assert hook.calls == []
    assert asked == [f"recepteur.exemple:{hook.port}"]


def test_the_connection_goes_to_the_address_that_was_looked_at_under_the_name_s_certificate(tmp_path: Path) -> None:
    certificate = self_made_certificate(tmp_path, "recepteur.exemple")
    with receiver(certificate.server) as hook:
        resolve, _ = _resolver(["127.0.0.1"])  # no name server of this world knows recepteur.exemple
        sender = Webhooks(hook.url("recepteur.exemple"), NEW, tls=certificate.trusting, resolve=resolve, allowed_hosts={"recepteur.exemple"})
        asyncio.run(sender.send(ID, BODY, now()))
    (call,) = hook.calls
    assert call.headers["host"] == f"recepteur.exemple:{hook.port}"


def test_a_certificate_of_another_name_is_refused(tmp_path: Path) -> None:
    certificate = self_made_certificate(tmp_path, "ailleurs.exemple", "127.0.0.1")
    with receiver(certificate.server) as hook:
        resolve, _ = _resolver(["127.0.0.1"])
        sender = Webhooks(hook.url("recepteur.exemple"), NEW, tls=certificate.trusting, resolve=resolve, allowed_hosts={"recepteur.exemple"})
        with pytest.raises(SendingFailed, match="certificat"):
            asyncio.run(sender.send(ID, BODY, now()))
        assert hook.calls == []


def test_the_next_address_is_tried_when_the_first_takes_no_connection(hook: Receiver) -> None:
    resolve, _ = _resolver(["127.0.0.99", "127.0.0.1"])
    asyncio.run(Webhooks(hook.url("recepteur.exemple"), NEW, resolve=resolve, allowed_hosts={"recepteur.exemple"}).send(ID, BODY, now()))
    assert len(hook.calls) == 1


def test_a_name_that_nobody_knows_is_tried_again() -> None:
    with pytest.raises(SendingFailed, match="Le nom du récepteur est introuvable") as failed:
        asyncio.run(Webhooks("https://nulle-part.invalid/", NEW).send(ID, BODY, now()))
    assert not failed.value.is_permanent


def test_a_proxy_of_the_environment_does_not_step_between(hook: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    with receiver() as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url(path=""))
        monkeypatch.setenv("ALL_PROXY", proxy.url(path=""))
        _send(hook)
        assert proxy.calls == []
    assert len(hook.calls) == 1


# ---------------------------------------------------------------- settings


@pytest.mark.parametrize(
    ("url", "secrets"),
    [
        ("http://recepteur.exemple/", NEW),
        ("https://recepteur.exemple/", "secret"),
        ("https://recepteur.exemple/", "whsec_short"),
        ("https://recepteur.exemple/", f"{NEW}a"),  # no length that base64 can have
        ("https://recepteur.exemple/", f"{NEW} not-a-secret"),
        ("https://recepteur.exemple/", "   "),
    ],
)
def test_an_address_in_clear_or_a_bad_secret_stops_the_start(tmp_path: Path, url: str, secrets: str) -> None:
    with pytest.raises(BadWebhook):
        Webhooks(url, secrets)
    with pytest.raises(SettingsError) as refused:
        load_settings(data=tmp_path, webhook_url=url, webhook_secrets=secrets)
    assert "whsec_short" not in str(refused.value)
    assert "not-a-secret" not in str(refused.value)
    assert "\n" not in str(refused.value)


def test_good_settings_start(tmp_path: Path) -> None:
    assert load_settings(data=tmp_path, webhook_url="https://recepteur.exemple/a", webhook_secrets=f"{NEW} {OLD}")
