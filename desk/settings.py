"""All settings, read once from the environment and passed in. README lists them; a test compares the two."""

from __future__ import annotations

import re
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AliasChoices, Field, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from desk.crypto import BadKeys, Cipher, KeyFile, Keys, kept_keys

ROOT = Path(__file__).resolve().parent.parent
Port = Annotated[int, Field(ge=1, le=65535)]
WEBHOOK_SECRET = re.compile(r"whsec_([A-Za-z0-9+/]{4}){8,21}([A-Za-z0-9+/]{2}(==)?|[A-Za-z0-9+/]{3}=?)?")  # Standard Webhooks: 24 to 64 bytes


class SettingsError(Exception):
    """A setting has a value that cannot work; the text is one sentence for the person who set it."""


class Settings(BaseSettings):
    """Environment variables with their defaults: ``PORT`` and ``PASSERELLE_…``."""

    model_config = SettingsConfigDict(env_prefix="PASSERELLE_", env_ignore_empty=True, populate_by_name=True)

    port: Port = Field(default=8080, validation_alias=AliasChoices("PORT", "port"))
    host: str = "127.0.0.1"
    rasa_port: Port | None = None
    actions_port: Port | None = None
    data: Path = ROOT / "var"
    database_url: str | None = None
    secret: str | None = Field(default=None, min_length=20)
    public_url: str | None = Field(default=None, pattern=r"^https?://[^/\s]+$")
    rate_limits: Literal["on", "off"] = "on"
    turn_timeout: float = Field(default=20.0, gt=0, le=120)
    conversation_hours: float = Field(default=24.0, gt=0)
    request_days: float = Field(default=30.0, gt=0)
    staff_session_hours: float = Field(default=10.0, gt=0)

    keys: str | None = Field(default=None, repr=False)
    two_factor: Literal["on", "off"] = "on"
    confirm_minutes: float = Field(default=10.0, gt=0)
    oidc_issuer: str | None = Field(default=None, pattern=r"^https?://\S+$")
    oidc_client_id: str | None = None
    oidc_client_secret: str | None = Field(default=None, repr=False)

    clinic_name: str = "la clinique"
    clinic_zone: str = "Europe/Belgrade"
    clinic_country: str = Field(default="RS", pattern=r"^[A-Z]{2}$")
    clinic_phone: str | None = None
    clinic_address: str | None = None

    answer_hours: float = Field(default=8.0, gt=0)
    booking_hours: float = Field(default=40.0, gt=0)
    expire_hours: float = Field(default=24.0, gt=0)
    release_hours: float = Field(default=8.0, gt=0)
    reopen_days: float = Field(default=14.0, gt=0)
    undo_seconds: float = Field(default=15.0, ge=0, le=120)

    smtp_url: str | None = Field(default=None, repr=False, pattern=r"^smtps?(\+starttls)?://\S+$")
    mail_from: str = "passerelle@localhost"
    team_emails: str = ""
    webhook_url: str | None = Field(default=None, pattern=r"^https?://\S+$")
    webhook_secrets: str = Field(default="", repr=False)
    quiet_from: int = Field(default=20, ge=0, le=23)
    quiet_until: int = Field(default=8, ge=0, le=23)

    metrics_port: Port | None = None
    keep_not_understood: Literal["on", "off"] = "on"
    not_understood_days: float = Field(default=30.0, gt=0)
    retention: Literal["on", "off"] = "on"
    backup_days: float = Field(default=30.0, gt=0)

    @model_validator(mode="after")
    def _complete(self) -> Settings:
        if self.port > 65533 and not (self.rasa_port and self.actions_port):
            raise ValueError("PORT must leave room for the two ports after it, or PASSERELLE_RASA_PORT and PASSERELLE_ACTIONS_PORT be set")
        self.rasa_port = self.rasa_port or self.port + 1
        self.actions_port = self.actions_port or self.port + 2
        if len({self.port, self.rasa_port, self.actions_port}) < 3:
            raise ValueError("PORT, PASSERELLE_RASA_PORT and PASSERELLE_ACTIONS_PORT must be three different ports")
        self.data = self.data.resolve()
        self.database_url = self.database_url or f"sqlite:///{self.data / 'desk.db'}"
        if not self.database_url.startswith(("sqlite:///", "postgresql")):
            raise ValueError("PASSERELLE_DATABASE_URL must start with sqlite:/// or postgresql")
        try:
            url = make_url(self.database_url)
        except ArgumentError:
            raise ValueError("PASSERELLE_DATABASE_URL is not an address of a database") from None
        if url.drivername == "postgresql":
            self.database_url = url.set(drivername="postgresql+psycopg").render_as_string(hide_password=False)
        try:
            ZoneInfo(self.clinic_zone)
        except (ZoneInfoNotFoundError, ValueError):
            raise ValueError(f"PASSERELLE_CLINIC_ZONE={self.clinic_zone!r} is no time zone (Europe/Belgrade is one)") from None
        if self.keys:
            try:
                Keys.parse(self.keys)
            except BadKeys as error:
                raise ValueError(f"PASSERELLE_KEYS: {error}") from None
        if bool(self.webhook_url) != bool(self.webhook_secrets.strip()):
            raise ValueError("PASSERELLE_WEBHOOK_URL and PASSERELLE_WEBHOOK_SECRETS are set together or not at all")
        if self.webhook_url and not self.webhook_url.startswith("https://"):
            raise ValueError("PASSERELLE_WEBHOOK_URL must start with https://")
        if not all(WEBHOOK_SECRET.fullmatch(secret) for secret in self.webhook_secrets.split()):
            raise ValueError("PASSERELLE_WEBHOOK_SECRETS: each is whsec_ and 24 to 64 bytes in base64, separated by spaces")
        if self.oidc_issuer and not (self.oidc_client_id and self.oidc_client_secret):
            raise ValueError("PASSERELLE_OIDC_ISSUER needs PASSERELLE_OIDC_CLIENT_ID and PASSERELLE_OIDC_CLIENT_SECRET")
        self.public_url = self.public_url or f"http://127.0.0.1:{self.port}"
        return self

    @cached_property
    def cipher(self) -> Cipher:
        """What encrypts the database's fields; the keys are made in ``data/keys`` the first time, and followed when that file changes."""
        if self.keys:
            return Cipher(Keys.parse(self.keys))
        path = self.data / "keys"
        kept_keys(path)
        file = KeyFile(path)  # before it is read: a change from now on is news
        return Cipher(Keys.parse(kept_keys(path)), file.news)

    @property
    def zone(self) -> ZoneInfo:
        """The clinic's time zone."""
        return ZoneInfo(self.clinic_zone)

    @property
    def rasa_url(self) -> str:
        """Where the desk reaches Rasa."""
        return f"http://127.0.0.1:{self.rasa_port}"

    @property
    def actions_url(self) -> str:
        """Where Rasa reaches the actions."""
        return f"http://127.0.0.1:{self.actions_port}"

    @property
    def is_https(self) -> bool:
        """Whether browsers reach the desk over HTTPS, which its cookies then require."""
        return str(self.public_url).startswith("https://")


def load_settings(**overrides: Any) -> Settings:
    """Reads the environment.

    Args:
        **overrides: values that win over the environment (tests).

    Raises:
        SettingsError: with one clear sentence about the first bad value.
    """
    try:
        return Settings(**overrides)
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0]) if first["loc"] else ""
        is_secret = name in Settings.model_fields and not Settings.model_fields[name].repr
        shown = f"{name if name.isupper() else 'PASSERELLE_' + name.upper()}={'…' if is_secret else repr(first['input'])}: " if name else ""
        message = first["msg"].removeprefix("Value error, ")
        raise SettingsError(f"{shown}{message}.") from None
