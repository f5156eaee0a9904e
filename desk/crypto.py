"""Encryption of what visitors leave: AES-256-GCM per field, keys named by an id so that they can be rotated, and a blind index to find by.

A stored value is ``v1.<key id>.<base64url of nonce and ciphertext>``. The blind index is an HMAC under a key of its own: equal words give equal
digests, and nothing else can be read from them.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import re
import secrets
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

VERSION = "v1"
NONCE_BYTES = 12  # NIST SP 800-38D, 8.2.2: random, 96 bits
KEY_BYTES = 32
SHORTEST_PREFIX = 3  # letters of a name from which it can be searched by its beginning
_KEY_ID = re.compile(r"[A-Za-z0-9_-]{1,16}")


class CryptoError(Exception):
    """A value cannot be read: its key is missing, or it was changed."""


class BadKeys(Exception):
    """The configured keys cannot work; the text is one sentence for the person who set them."""


@dataclass(frozen=True)
class Keys:
    """The keys of one installation.

    Attributes:
        encryption: id and 32 bytes of each; the last one encrypts, all of them decrypt.
        index: 32 bytes for the blind index; changing it means indexing everything again.
    """

    encryption: Mapping[str, bytes]
    index: bytes

    @classmethod
    def parse(cls, text: str) -> Keys:
        """Reads ``index:<base64>`` and ``<id>:<base64>`` separated by white space or commas, the newest encryption key last.

        Raises:
            BadKeys: with one sentence.
        """
        found: dict[str, bytes] = {}
        for part in re.split(r"[\s,]+", text.strip()):
            name, _, value = part.partition(":")
            try:
                key = base64.urlsafe_b64decode(value + "=" * (-len(value) % 4))
            except ValueError:
                raise BadKeys(f"the key {name!r} is not base64") from None
            if not _KEY_ID.fullmatch(name) or len(key) != KEY_BYTES:
                raise BadKeys(f"the key {name!r} must be named by letters and digits and hold {KEY_BYTES} bytes")
            found[name] = key
        index = found.pop("index", None)
        if index is None or not found:
            raise BadKeys("an « index » key and at least one encryption key are needed")
        return cls(found, index)

    @classmethod
    def generate(cls) -> str:
        """The text of a new set of keys, for ``parse``."""
        return f"index:{_random_key()}\nk1:{_random_key()}\n"


def with_new_key(text: str) -> str:
    """The text of the keys with one more encryption key, which from now on encrypts."""
    taken = Keys.parse(text).encryption
    number = next(n for n in range(1, 10_000) if f"k{n}" not in taken)
    return f"{text.rstrip()}\nk{number}:{_random_key()}\n"


def kept_keys(path: Path) -> str:
    """The text of the keys in a file that its owner alone may read; made the first time."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        with os.fdopen(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_EXCL, 0o600), "w") as file:
            file.write(Keys.generate())
    return path.read_text()


class Cipher:
    """Encrypts, decrypts and indexes with one installation's keys."""

    def __init__(self, keys: Keys) -> None:
        """Takes the keys; the last encryption key is the one that writes."""
        self._readers = {name: AESGCM(key) for name, key in keys.encryption.items()}
        self._writer = list(keys.encryption)[-1]
        self._index = keys.index

    @property
    def current_key(self) -> str:
        """Id of the key that encrypts."""
        return self._writer

    def encrypt(self, text: str, purpose: str) -> str:
        """Encrypts a text for one column.

        Args:
            text: any length.
            purpose: table and column; bound to the value, so that it cannot be moved into another one.
        """
        nonce = os.urandom(NONCE_BYTES)
        sealed = self._readers[self._writer].encrypt(nonce, text.encode(), purpose.encode())
        return f"{VERSION}.{self._writer}.{base64.urlsafe_b64encode(nonce + sealed).decode().rstrip('=')}"

    def decrypt(self, stored: str, purpose: str) -> str:
        """Reads what ``encrypt`` made.

        Raises:
            CryptoError: unknown key, changed value, or a value of another column.
        """
        version, _, rest = stored.partition(".")
        key_id, _, value = rest.partition(".")
        reader = self._readers.get(key_id)
        if version != VERSION or reader is None:
            raise CryptoError(f"no key {key_id!r} for {purpose}")
        try:
            raw = base64.urlsafe_b64decode(value + "=" * (-len(value) % 4))
            return reader.decrypt(raw[:NONCE_BYTES], raw[NONCE_BYTES:], purpose.encode()).decode()
        except (InvalidTag, ValueError):
            raise CryptoError(f"a value of {purpose} was changed") from None

    def digest(self, text: str, purpose: str) -> str:
        """Blind index of a normalised text, 64 hexadecimal digits."""
        return hmac.new(self._index, f"{purpose}\x1f{text}".encode(), hashlib.sha256).hexdigest()


def key_of(stored: str) -> str:
    """Id of the key a stored value was encrypted with."""
    return stored.split(".", 2)[1]


def searchable(text: str) -> str:
    """A text as it is compared: without accents, capitals and doubled spaces."""
    plain = unicodedata.normalize("NFKD", text.casefold())
    return " ".join("".join(c if c.isalnum() else " " for c in plain if not unicodedata.combining(c)).split())


def beginnings(name: str) -> set[str]:
    """What a name can be found by: each of its words, and each beginning of one from three letters on.

    >>> sorted(beginnings("Éva Dupré"))
    ['dup', 'dupr', 'dupre', 'eva']
    """
    words = searchable(name).split()
    return {word[:n] for word in words for n in range(min(SHORTEST_PREFIX, len(word)), len(word) + 1)}


def _random_key() -> str:
    return base64.urlsafe_b64encode(secrets.token_bytes(KEY_BYTES)).decode().rstrip("=")
