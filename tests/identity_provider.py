"""A small OpenID Connect provider that runs for real, and lies when a test asks it to."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import socket
import threading
import time
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

import uvicorn
from joserfc import jwt
from joserfc.jwk import KeySet, OctKey, RSAKey
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from tests.stack_client import wait_for

CLIENT_ID, CLIENT_SECRET = "passerelle", "un-secret-que-le-fournisseur-connait"


@dataclass
class Person:
    """Who is signed in at the provider, and what it says about them."""

    sub: str = "u-1"
    claims: dict[str, Any] = field(default_factory=lambda: {"email": "ana@exemple.fr", "email_verified": True})


class IdentityProvider:
    """Discovery, authorisation, token, userinfo and keys over HTTP on a port of its own."""

    def __init__(self) -> None:
        """Starts it."""
        listening = socket.socket()
        listening.bind(("127.0.0.1", 0))
        self.issuer = f"http://127.0.0.1:{listening.getsockname()[1]}"
        self.person = Person()
        self.userinfo: dict[str, Any] = {}
        self.changes: dict[str, Any] = {}  # claims that a test wants otherwise; None takes one away
        self.described: dict[str, Any] = {}
        self.key: Any = RSAKey.generate_key(2048, {"kid": "one"})
        self.algorithm, self.signer = "RS256", self.key
        self.asked: list[dict[str, str]] = []
        self.redeemed = 0  # times that somebody came with a code, right or wrong
        self._codes: dict[str, dict[str, str]] = {}
        app = Starlette(
            routes=[
                Route("/.well-known/openid-configuration", self._configuration),
                Route("/authorize", self._authorize),
                Route("/token", self._token, methods=["POST"]),
                Route("/userinfo", self._userinfo),
                Route("/keys", self._keys),
            ]
        )
        self._server = uvicorn.Server(uvicorn.Config(app, log_level="error"))
        self._thread = threading.Thread(target=self._server.run, args=([listening],), daemon=True)
        self._thread.start()
        wait_for(lambda: self._server.started, 10, "the identity provider")

    def stop(self) -> None:
        """Stops it."""
        self._server.should_exit = True
        self._thread.join(10)

    async def _configuration(self, request: Request) -> Response:
        here = self.issuer
        names = {"authorization_endpoint": "authorize", "token_endpoint": "token", "userinfo_endpoint": "userinfo", "jwks_uri": "keys"}
        return JSONResponse({"issuer": here} | {name: f"{here}/{path}" for name, path in names.items()} | self.described)

    async def _authorize(self, request: Request) -> Response:
        asked = dict(request.query_params)
        self.asked.append(asked)
        if asked.get("client_id") != CLIENT_ID or asked.get("code_challenge_method") != "S256" or "openid" not in asked.get("scope", ""):
            return Response("bad request", 400)
        code = secrets.token_urlsafe(16)
        self._codes[code] = asked
        return RedirectResponse(f"{asked['redirect_uri']}?code={code}&state={asked['state']}", 302)

    async def _token(self, request: Request) -> Response:
        self.redeemed += 1
        form = dict(parse_qsl((await request.body()).decode()))
        expected = base64.b64encode(f"{CLIENT_ID}:{CLIENT_SECRET}".encode()).decode()
        asked = self._codes.pop(str(form.get("code")), None)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(str(form.get("code_verifier")).encode()).digest()).decode().rstrip("=")
        if request.headers.get("authorization") != f"Basic {expected}" or asked is None or asked["code_challenge"] != challenge:
            return JSONResponse({"error": "invalid_grant"}, 400)
        if form.get("redirect_uri") != asked["redirect_uri"]:
            return JSONResponse({"error": "invalid_grant"}, 400)
        present = int(time.time())
        claims = {"iss": self.issuer, "aud": CLIENT_ID, "sub": self.person.sub, "iat": present, "exp": present + 300, "nonce": asked["nonce"]}
        claims |= self.person.claims | self.changes
        header = {"alg": self.algorithm} | ({"kid": "one"} if self.algorithm != "none" else {})
        token = (
            _unsigned(header, claims)
            if self.algorithm == "none"
            else jwt.encode(header, {k: v for k, v in claims.items() if v is not None}, self.signer, [self.algorithm])
        )
        return JSONResponse({"access_token": "access", "token_type": "Bearer", "expires_in": 300, "id_token": token})

    async def _userinfo(self, request: Request) -> Response:
        if request.headers.get("authorization") != "Bearer access":
            return Response(status_code=401)
        return JSONResponse(self.userinfo)

    async def _keys(self, request: Request) -> Response:
        return JSONResponse(KeySet([self.key]).as_dict(private=False))


def _unsigned(header: dict[str, Any], claims: dict[str, Any]) -> str:
    parts = (base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in (header, claims))
    return ".".join(parts) + "."


def shared_secret_key() -> OctKey:
    """The client's secret as a signing key: what an attacker who knows the public key would try in its place."""
    return OctKey.import_key(CLIENT_SECRET.encode().ljust(32, b"x"))
