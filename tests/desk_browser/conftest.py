"""One clinic, one Chromium, and pages that belong to somebody."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any, Protocol

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, ViewportSize, expect, sync_playwright

from tests.desk_browser.clinic import Clinic, open_clinic

FLAGS = ["--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"]
PHONE: ViewportSize = {"width": 390, "height": 844}
SECONDS = 20  # of patience, with a machine that does much else
WIDE: ViewportSize = {"width": 1280, "height": 860}
TABLETS: tuple[ViewportSize, ...] = ({"width": 820, "height": 1180}, {"width": 1040, "height": 780}, {"width": 1180, "height": 820})


class Opens(Protocol):
    """Opens a browser of its own for somebody."""

    def __call__(self, name: str | None = None, *, phone: bool = False, scripts: bool = True, **options: Any) -> Page:
        """With ``name`` signed in; without, nobody is."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything here drives Chromium."""
    for item in items:
        if "desk_browser" in item.path.parts:
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="session")
def clinic(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clinic]:
    """A desk that runs."""
    with open_clinic(tmp_path_factory.mktemp("clinic")) as running:
        yield running


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """Headless Chromium."""
    with sync_playwright() as playwright:
        path = os.environ.get("PASSERELLE_CHROMIUM", "/usr/bin/chromium")
        browser = playwright.chromium.launch(executable_path=path, args=[*FLAGS, *(["--no-sandbox"] if os.geteuid() == 0 else [])])
        expect.set_options(timeout=SECONDS * 1000)
        yield browser
        browser.close()


@pytest.fixture
def opens(chromium: Browser, clinic: Clinic) -> Iterator[Opens]:
    """Opens pages; a script error, a blocked resource or a broken rule of the content policy fails the test at its end."""
    contexts: list[BrowserContext] = []
    faults: list[str] = []

    def open_page(name: str | None = None, *, phone: bool = False, scripts: bool = True, **options: Any) -> Page:
        context = chromium.new_context(
            viewport=PHONE if phone else WIDE, locale="fr-FR", timezone_id="Europe/Belgrade", base_url=clinic.url, java_script_enabled=scripts, **options
        )
        context.set_default_timeout(SECONDS * 1000)
        contexts.append(context)
        if name:
            context.add_cookies(clinic.cookies(name))  # type: ignore[arg-type]
        page = context.new_page()
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("console", lambda message: faults.append(message.text) if message.type == "error" and "the server responded with" not in message.text else None)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert faults == []
