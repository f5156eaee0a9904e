"""What a staff member has on the telephone, and how they sign in with it, through the pages."""

from __future__ import annotations

import html
import re
import time
from typing import Any

import httpx2
import pyotp

STEP = 30


class Authenticator:
    """An authenticator application: it was given a secret once and shows codes. It never shows one twice."""

    def __init__(self, secret: str) -> None:
        """Takes the secret as a page shows it."""
        self._totp = pyotp.TOTP(secret.replace(" ", ""))
        self._last = 0

    @classmethod
    def from_page(cls, source: str) -> Authenticator:
        """Reads the secret from the page on which the second factor is set up."""
        found = re.search(r'class="secret"[^>]*>([A-Z2-7 ]+)<', source)
        assert found, "no secret on this page"
        return cls(found[1])

    def code(self, now: float | None = None) -> str:
        """The next code that was not shown yet; the desk takes one from a step ahead, otherwise this waits."""
        if now is None:
            while self._last > time.time() // STEP:
                time.sleep(0.5)
        present = int((time.time() if now is None else now) // STEP)
        self._last = max(present, self._last + 1)
        return self._totp.generate_otp(self._last)


def hidden_fields(source: str) -> dict[str, str]:
    """The hidden fields of the first form in a page's main part."""
    form = re.findall(r"(?s)<form.*?</form>", source.split("<main")[-1])[0]
    return {name: html.unescape(value) for name, value in re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)"', form)}


def sign_in(browser: httpx2.Client, name: str, password: str, telephone: Authenticator | None = None, path: str = "/desk/") -> Authenticator:
    """Signs in as a person does, and sets the second factor up the first time.

    Args:
        browser: follows redirects and keeps cookies.
        name: of the account.
        password: of the account.
        telephone: None the first time.
        path: page that is wanted.

    Returns:
        The telephone, for the next time.
    """
    page = browser.get(path)
    page = browser.post("/desk/login", data={**hidden_fields(page.text), "name": name, "password": password})
    if page.url.path != "/desk/second-factor":
        assert telephone is None, f"no code was asked: {page.url.path}"
        return Authenticator("A" * 32)
    telephone = telephone or Authenticator.from_page(page.text)
    page = browser.post("/desk/second-factor", data={**hidden_fields(page.text), "code": telephone.code()})
    assert page.status_code == 200, page.text
    return telephone


def sign_in_with_chromium(page: Any, url: str, name: str, password: str, telephone: Authenticator | None = None) -> Authenticator:
    """The same on a Playwright page that shows the login form, or is led to it."""
    page.goto(f"{url}/desk/")
    page.locator('input[name="name"]').fill(name)
    page.locator('input[name="password"]').fill(password)
    page.locator('input[name="password"]').press("Enter")
    page.wait_for_url("**/desk/second-factor*")
    is_new = telephone is None
    telephone = telephone or Authenticator(page.locator(".secret").inner_text())
    page.locator("#code").fill(telephone.code())
    page.locator("#code").press("Enter")
    if is_new:
        page.get_by_role("link", name="J'ai noté mes codes").click()
    page.wait_for_url("**/desk/")
    return telephone
