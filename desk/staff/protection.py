"""What keeps other sites out of the staff pages: headers, origins, cookies, forms."""

from __future__ import annotations

import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlsplit

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from desk.settings import Settings

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; connect-src 'self'; style-src 'self'; img-src 'self' data:; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Opener-Policy": "same-origin",
}
LARGEST_FORM = 64 * 1024  # the longest answer, every sign of it escaped
HOME = "/desk/"


class BadForm(Exception):
    """The body is no form of ours."""


class SecurityHeaders:
    """Puts headers, ``HEADERS`` unless told others, on every answer of what it wraps, refusals and redirects included."""

    def __init__(self, app: ASGIApp, headers: Mapping[str, str] = HEADERS) -> None:
        """Takes the wrapped application."""
        self.app, self._headers = app, headers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes everything on."""

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(self._headers)
            await send(message)

        await self.app(scope, receive, send_with_headers)


@dataclass(frozen=True)
class Cookie:
    """A cookie of the staff pages. Over HTTPS the ``__Host-`` prefix makes browsers refuse one set by a sibling domain."""

    https_name: str
    http_name: str

    def read(self, request: Request) -> str:
        """Its value, empty when it was not sent."""
        return request.cookies.get(self._name(request), "")

    def write(self, request: Request, response: Response, value: str) -> None:
        """Sets it until the browser closes; how long a session lasts is decided on the server."""
        response.set_cookie(self._name(request), value, path="/", secure=_is_https(request), httponly=True, samesite="lax")

    def delete(self, request: Request, response: Response) -> None:
        """Has the browser drop it."""
        response.delete_cookie(self._name(request), path="/", secure=_is_https(request), httponly=True, samesite="lax")

    def _name(self, request: Request) -> str:
        return self.https_name if _is_https(request) else self.http_name


SESSION = Cookie("__Host-passerelle", "passerelle_staff")
LOGIN_FORM = Cookie("__Host-passerelle-login", "passerelle_login")  # the login form's own CSRF value, sent twice


def is_foreign(request: Request) -> bool:
    """Whether a browser says that another site sent this request. A client that sends neither header is no browser."""
    if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        return True
    origin = request.headers.get("origin")
    if origin is None:
        return False
    settings: Settings = request.app.state.settings
    return origin != settings.public_url and urlsplit(origin).netloc != request.headers.get("host", "")


async def read_form(request: Request) -> dict[str, str]:
    """The fields of a posted form.

    Raises:
        BadForm: another content type, too large, not UTF-8, or with a NUL, which PostgreSQL cannot keep.
    """
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/x-www-form-urlencoded":
        raise BadForm
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > LARGEST_FORM:
            raise BadForm
    try:
        fields = dict(parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=20, errors="strict"))
    except ValueError:
        raise BadForm from None
    if any("\0" in part for field in fields.items() for part in field):
        raise BadForm
    return fields


def are_equal(expected: str, given: str) -> bool:
    """Compares two secrets in constant time; an empty one equals nothing."""
    return bool(expected) and hmac.compare_digest(expected.encode("utf-8", "replace"), given.encode("utf-8", "replace"))


def safe_return(target: str) -> str:
    """Where to go after signing in: a page of the desk, never another site."""
    is_ours = re.fullmatch(r"/desk/[A-Za-z0-9/_.?=&%+-]*", target) and not re.match(r"/desk/log(?:in|out)\b", target)
    leads_up = re.search(r"/(?:\.|%2e){2}(?:[/?]|$)", target, re.IGNORECASE)  # « /desk/../… » is another page of this site
    return target if is_ours and not leads_up else HOME


def _is_https(request: Request) -> bool:
    settings: Settings = request.app.state.settings
    return settings.is_https
