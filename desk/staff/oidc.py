"""Signing in through an identity provider: OpenID Connect, authorisation code with PKCE (RFC 7636), state and nonce.

The provider's description and keys are fetched anew at each sign-in: a few a day, and nothing to go stale.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
from authlib.common.errors import AuthlibBaseError
from authlib.integrations.httpx_client import AsyncOAuth2Client
from authlib.oidc.core import CodeIDToken
from authlib.oidc.discovery import get_well_known_url
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from sqlalchemy import select
from sqlalchemy.orm import Session

from desk import audit
from desk.crypto import Cipher, CryptoError
from desk.db import now
from desk.models import Staff, StaffSession
from desk.staff import accounts, sessions, sign_ins
from desk.staff.sign_ins import Outcome

SECONDS = 10  # that the provider has for each answer
LEEWAY = 60  # seconds between its clock and ours
STARTED_MINUTES = 10  # within which a sign-in must come back
ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]  # never « none », never a shared secret
LONGEST_SUBJECT = 255
PURPOSE = "oidc.started"


class OidcError(Exception):
    """The provider did not answer, or not as it must; the text says what, without anything it sent."""


@dataclass(frozen=True)
class Provider:
    """How this desk is known to the identity provider."""

    issuer: str
    client_id: str
    client_secret: str
    redirect_uri: str


@dataclass(frozen=True)
class Started:
    """A sign-in that was begun in a browser; kept encrypted in its cookie, so that only the same browser can end it.

    Attributes:
        state: comes back with the answer.
        nonce: comes back inside the signed token.
        verifier: what the code can be redeemed with (PKCE).
        target: page of the desk to go to afterwards.
        at: when it began, ISO 8601.
    """

    state: str
    nonce: str
    verifier: str
    target: str
    at: str

    @classmethod
    def begin(cls, target: str, at: datetime) -> Started:
        """A new one."""
        return cls(secrets.token_urlsafe(32), secrets.token_urlsafe(32), secrets.token_urlsafe(48), target, at.isoformat())

    def sealed(self, cipher: Cipher) -> str:
        """For the cookie."""
        return cipher.encrypt(json.dumps(asdict(self)), PURPOSE)

    @classmethod
    def opened(cls, cipher: Cipher, sealed: str, at: datetime) -> Started | None:
        """Out of the cookie; None when there is none, it is not ours, or too old."""
        try:
            started = cls(**json.loads(cipher.decrypt(sealed, PURPOSE)))
        except CryptoError:
            return None
        return started if at - datetime.fromisoformat(started.at) < timedelta(minutes=STARTED_MINUTES) else None


@dataclass(frozen=True)
class Identity:
    """Who the provider says signed in.

    Attributes:
        subject: issuer and its name for the account, stable for ever.
        email: only if the provider verified it.
        has_second_factor: whether it says that several factors were used (RFC 8176, ``mfa``).
        authenticated_at: when the person proved who they are; None if it does not say.
    """

    subject: str
    email: str | None
    has_second_factor: bool
    authenticated_at: datetime | None


async def address_to_sign_in(provider: Provider, started: Started, again: bool = False) -> str:
    """Where the browser goes to sign in.

    Args:
        provider: as configured.
        started: what this browser begins.
        again: whether the provider must ask for the password even of somebody it knows already.

    Raises:
        OidcError: the provider cannot be reached or describes itself wrongly.
    """
    async with _client(provider) as client:
        described = await _described(client, provider)
        more = {"prompt": "login"} if again else {}
        address, _ = client.create_authorization_url(
            described["authorization_endpoint"], state=started.state, nonce=started.nonce, code_verifier=started.verifier, **more
        )
        return str(address)


async def identity_of(provider: Provider, started: Started, answer: Mapping[str, str]) -> Identity:
    """Redeems the code that the browser came back with.

    Args:
        provider: as configured.
        started: what this browser began.
        answer: the parameters it came back with.

    Raises:
        OidcError: the answer belongs to another sign-in, was refused, or the token is not for us.
    """
    if not secrets.compare_digest(answer.get("state", "").encode(), started.state.encode()):
        raise OidcError("another state")
    if "code" not in answer:
        raise OidcError("refused by the provider")
    if answer.get("iss", provider.issuer) != provider.issuer:  # RFC 9207
        raise OidcError("another issuer answered")
    async with _client(provider) as client:
        described = await _described(client, provider)
        try:
            token = await client.fetch_token(
                described["token_endpoint"],
                grant_type="authorization_code",
                code=answer["code"],
                code_verifier=started.verifier,
                redirect_uri=provider.redirect_uri,
            )
            claims = _claims(provider, started, token, await _json(client, described["jwks_uri"]))
            if "email" not in claims and "userinfo_endpoint" in described:
                said = await _json(client, described["userinfo_endpoint"], bearer=token["access_token"])
                if said.get("sub") == claims["sub"]:
                    claims = {**claims, **{name: said[name] for name in ("email", "email_verified") if name in said}}
        except (AuthlibBaseError, JoseError, httpx2.HTTPError, KeyError, ValueError) as error:
            raise OidcError(f"the code could not be redeemed: {type(error).__name__}") from None
    return _identity(provider, claims)


def _claims(provider: Provider, started: Started, token: Mapping[str, Any], keys: Any) -> dict[str, Any]:
    decoded = jwt.decode(token["id_token"], KeySet.import_key_set(keys), algorithms=ALGORITHMS)
    claims = CodeIDToken(
        decoded.claims,
        decoded.header,
        options={"iss": {"essential": True, "value": provider.issuer}, "aud": {"essential": True, "value": provider.client_id}},
        params={"nonce": started.nonce, "client_id": provider.client_id, "access_token": token.get("access_token")},
    )
    claims.validate(leeway=LEEWAY)
    return dict(claims)


def _identity(provider: Provider, claims: dict[str, Any]) -> Identity:
    subject = f"{provider.issuer} {claims['sub']}"
    if not isinstance(claims["sub"], str) or not claims["sub"] or len(subject) > LONGEST_SUBJECT:
        raise OidcError("no usable subject")
    email = claims.get("email") if claims.get("email_verified") is True else None
    since = claims.get("auth_time")
    return Identity(
        subject,
        email if isinstance(email, str) else None,
        "mfa" in (claims.get("amr") or ()),
        datetime.fromtimestamp(since, UTC) if isinstance(since, (int, float)) else None,
    )


def _client(provider: Provider) -> AsyncOAuth2Client:
    return AsyncOAuth2Client(
        provider.client_id,
        provider.client_secret,
        scope="openid email",
        redirect_uri=provider.redirect_uri,
        code_challenge_method="S256",
        timeout=SECONDS,
        follow_redirects=False,
    )


async def _described(client: AsyncOAuth2Client, provider: Provider) -> dict[str, Any]:
    try:
        described = await _json(client, get_well_known_url(provider.issuer, external=True))
    except (httpx2.HTTPError, ValueError) as error:
        raise OidcError(f"the provider did not answer: {type(error).__name__}") from None
    if described.get("issuer") != provider.issuer or not {"authorization_endpoint", "token_endpoint", "jwks_uri"} <= described.keys():
        raise OidcError("the provider describes itself as somebody else")
    return described


async def _json(client: AsyncOAuth2Client, address: str, bearer: str | None = None) -> dict[str, Any]:
    answer = await client.get(address, auth=None, headers={"Authorization": f"Bearer {bearer}"} if bearer else None)
    answer.raise_for_status()
    found = answer.json()
    if not isinstance(found, dict):
        raise ValueError("no JSON object")
    return found


# ---------------------------------------------------------------- the desk's side


def sign_in(session: Session, identity: Identity, hours: float, address: str, two_factor: bool) -> tuple[StaffSession, str] | None:
    """Opens a session of the account that an identity belongs to; the second factor is asked next unless the provider asked for it.

    The first time, the account is found by the verified e-mail address; from then on by the provider's subject alone.

    Args:
        session: commits after this returns.
        identity: as the provider proved it.
        hours: how long the session lasts.
        address: the client's, for the sign-in log.
        two_factor: whether everybody needs a second factor.

    Returns:
        The session and the token for its cookie; None where no active account, or more than one, fits.
    """
    staff = _account_of(session, identity)
    if staff is None:
        audit.record(session, audit.SYSTEM, "staff.sign_in_failed", accounts.UNKNOWN)
        return None
    if not staff.active:
        sign_ins.note(session, staff.id, address, Outcome.INACTIVE)
        audit.record(session, audit.SYSTEM, "staff.sign_in_failed", staff.name)
        return None
    if staff.oidc_subject is None:
        staff.oidc_subject = identity.subject
        audit.record(session, staff.name, "staff.oidc_link", staff.name)
    accounts.drop_initial_password(staff)
    opened, token = sessions.open_session(session, staff, hours)
    if identity.authenticated_at:
        opened.authenticated_at = min(identity.authenticated_at, now())
    if identity.has_second_factor:
        opened.second_factor_at = now()
    if identity.has_second_factor or not (two_factor or staff.totp_confirmed_at):
        accounts.note_signed_in(session, staff, address)
    else:
        sign_ins.note(session, staff.id, address, Outcome.HALF)
    return opened, token


def _account_of(session: Session, identity: Identity) -> Staff | None:
    known = session.scalars(select(Staff).where(Staff.oidc_subject == identity.subject)).first()
    if known or identity.email is None:
        return known
    wanted = identity.email.casefold()
    fitting = [
        staff
        for staff in session.scalars(select(Staff).where(Staff.active, Staff.oidc_subject.is_(None), Staff.email.is_not(None)))
        if staff.email and staff.email.casefold() == wanted
    ]
    return fitting[0] if len(fitting) == 1 else None
