"""Metrics for Prometheus, read over HTTP as Prometheus does."""

from __future__ import annotations

import asyncio
import socket
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from desk.chat.arrival import Said
from desk.db import Base, Database
from desk.insight.metrics import Metrics, served
from tests.desk_client import Desk
from tests.desk_pages import leave_request
from tests.stack_client import free_ports


def _read(port: int) -> dict[str, float]:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
        lines = answer.read().decode().splitlines()
    return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines if not line.startswith("#"))}


def test_a_running_desk_tells_its_numbers_on_loopback_alone(tmp_path: Path) -> None:
    port = free_ports(4) + 3
    desk = Desk(tmp_path, metrics_port=port)
    try:
        visitor = desk.visitor()
        asyncio.run(desk.turns.take(visitor.id, visitor.token, Said("1", "je veux mourir")))
        leave_request(desk.database)
        found = _read(port)
        assert found['passerelle_replies_total{kind="emergency"}'] == 1
        assert found['passerelle_guard_hits_total{family="suicide"}'] == 1
        assert found["passerelle_turn_seconds_count"] == 1
        assert 0 < found["passerelle_turn_seconds_sum"] < 60
        assert found['passerelle_tickets{state="waiting"}'] == 1
        assert found['passerelle_tickets{state="closed"}'] == 0
        assert found['passerelle_outbox{state="dead"}'] == 0
        assert found["passerelle_event_listeners"] == 0
        others = [ip for *_, (ip, *_) in socket.getaddrinfo(socket.gethostname(), port, socket.AF_INET) if not ip.startswith("127.")]
        for ip in others:
            with pytest.raises(OSError):
                socket.create_connection((ip, port), timeout=1)
    finally:
        desk.stop()
    with pytest.raises(urllib.error.URLError):
        _read(port)


def test_without_the_setting_nothing_listens(database: Database) -> None:
    metrics = Metrics()
    with served(metrics, database, None):
        assert not list(metrics.registry.collect()) or "passerelle_tickets" not in {m.name for m in metrics.registry.collect()}


def test_a_database_that_fails_takes_only_its_own_numbers_away(database: Database) -> None:
    Base.metadata.drop_all(database.engine)
    port = free_ports(1)
    with served(Metrics(), database, port):
        found = _read(port)
    assert "passerelle_event_listeners" in found
    assert not any(name.startswith("passerelle_tickets") for name in found)


def test_a_port_that_is_taken_does_not_keep_the_desk_from_serving(database: Database, caplog: pytest.LogCaptureFixture) -> None:
    port = free_ports(1)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", port))
        taken.listen()
        with served(Metrics(), database, port):
            pass
    assert "no metrics" in caplog.text
