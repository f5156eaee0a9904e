"""Settings: defaults, and one clear sentence for each bad value."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from desk.__main__ import main
from desk.settings import Settings, SettingsError, load_settings

ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [n for n in os.environ if n == "PORT" or n.startswith("PASSERELLE_")]:
        monkeypatch.delenv(name)


def test_the_ports_follow_the_first_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORT", "9000")
    settings = load_settings()
    assert (settings.port, settings.rasa_port, settings.actions_port) == (9000, 9001, 9002)
    assert settings.public_url == "http://127.0.0.1:9000"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "abc"),
        ("PORT", "70000"),
        ("PASSERELLE_RASA_PORT", "8080"),
        ("PASSERELLE_RATE_LIMITS", "maybe"),
        ("PASSERELLE_TURN_TIMEOUT", "-1"),
        ("PASSERELLE_DATABASE_URL", "mysql://x"),
        ("PASSERELLE_SECRET", "short"),
        ("PASSERELLE_PUBLIC_URL", "clinic.example"),
    ],
)
def test_a_bad_value_is_one_sentence_that_names_it(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as error:
        load_settings()
    assert name in str(error.value)
    assert "\n" not in str(error.value)


def test_a_bad_value_ends_the_command_with_2() -> None:
    done = subprocess.run([sys.executable, "-m", "desk", "serve"], cwd=ROOT, env={**os.environ, "PORT": "abc"}, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "PORT" in done.stderr


def test_readme_lists_every_setting() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for name in Settings.model_fields:
        assert f"`{'PORT' if name == 'port' else 'PASSERELLE_' + name.upper()}`" in readme, name


def test_readme_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8").partition("## Commands of the desk")[2].partition("\n## ")[0]
    for several in ((), ("staff",), ("keys",), ("audit",)):
        with pytest.raises(SystemExit):
            main([*several, "--help"])
        offered = re.search(r"\{([a-z,-]+)\}", capsys.readouterr().out.replace("\n", ""))
        assert offered
        for name in offered[1].split(","):
            assert f"`{' '.join((*several, name))}" in readme, name
