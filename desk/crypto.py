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
from collections.abc import Callable, Mapping
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
    number = 1 + max((int(name[1:]) for name in taken if re.fullmatch(r"k[0-9]+", name)), default=0)  # no name twice: a backup may hold values of a dropped key
    return f"{text.rstrip()}\nk{number}:{_random_key()}\n"


def without_old_keys(text: str) -> str:
    """The text of the keys with the newest encryption key alone."""
    newest = list(Keys.parse(text).encryption)[-1]
    kept = [part for part in re.split(r"[\s,]+", text.strip()) if part.partition(":")[0] in ("index", newest)]
    return "\n".join(kept) + "\n"


def write_keys(path: Path, text: str) -> None:
    """Puts a new text of keys in place of the kept one, wholly or not at all; on the disk before this returns.

    Raises:
        BadKeys: the text is none; the file stays as it was.
    """
    Keys.parse(text)
    new = path.with_name(path.name + ".new")
    with os.fdopen(os.open(new, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    os.fsync(folder)  # the new name of the file too
    os.close(folder)


class KeyFile:
    """Tells a running desk that its file of keys has changed, so that a rotation needs no restart."""

    def __init__(self, path: Path) -> None:
        """Takes the file, which is there."""
        self._path = path
        self._seen = self._stamp()

    def news(self) -> Keys | None:
        """The keys, if the file is another one than last time; None otherwise, and while it cannot be read."""
        stamp = self._stamp()
        if stamp is None or stamp == self._seen:
            return None
        try:
            keys = Keys.parse(self._path.read_text())
        except (OSError, BadKeys):
            return None
        self._seen = stamp
        return keys

    def _stamp(self) -> tuple[int, int] | None:
        try:
            found = self._path.stat()
        except OSError:
            return None
        return found.st_ino, found.st_mtime_ns


def kept_keys(path: Path) -> str:
    """The text of the keys in a file that its owner alone may read; made the first time."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        with os.fdopen(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_EXCL, 0o600), "w") as file:
            file.write(Keys.generate())
    return path.read_text()


class Cipher:
    """Encrypts, decrypts and indexes with one installation's keys."""

    def __init__(self, keys: Keys, news: Callable[[], Keys | None] = lambda: None) -> None:
        """Takes the keys; the last encryption key is the one that writes.

        Args:
            keys: to begin with.
            news: other keys to go on with, if there are any; asked before each encryption, and when a value names an unknown key.
        """
        self._news = news
        self._use(keys)

    def _use(self, keys: Keys) -> None:
        # In one assignment: other threads encrypt meanwhile.
        self._now = list(keys.encryption)[-1], {name: AESGCM(key) for name, key in keys.encryption.items()}, keys.index

    @property
    def current_key(self) -> str:
        """Id of the key that encrypts."""
        self._refresh()
        return self._now[0]

    def encrypt(self, text: str, purpose: str) -> str:
        """Encrypts a text for one column.

        Args:
            text: any length.
            purpose: table and column; bound to the value, so that it cannot be moved into another one.
        """
        self._refresh()
        writer, readers, _ = self._now
        nonce = os.urandom(NONCE_BYTES)
        sealed = readers[writer].encrypt(nonce, text.encode(), purpose.encode())
        return f"{VERSION}.{writer}.{base64.urlsafe_b64encode(nonce + sealed).decode().rstrip('=')}"

    def decrypt(self, stored: str, purpose: str) -> str:
        """Reads what ``encrypt`` made.

        Raises:
            CryptoError: unknown key, changed value, or a value of another column.
        """
        version, _, rest = stored.partition(".")
        key_id, _, value = rest.partition(".")
        if key_id not in self._now[1]:
            self._refresh()
        reader = self._now[1].get(key_id)
        if version != VERSION or reader is None:
            raise CryptoError(f"no key {key_id!r} for {purpose}")
        try:
            raw = base64.urlsafe_b64decode(value + "=" * (-len(value) % 4))
            return reader.decrypt(raw[:NONCE_BYTES], raw[NONCE_BYTES:], purpose.encode()).decode()
        except (InvalidTag, ValueError):
            raise CryptoError(f"a value of {purpose} was changed") from None

    def _refresh(self) -> None:
        keys = self._news()
        if keys:
            self._use(keys)

    def digest(self, text: str, purpose: str) -> str:
        """Blind index of a normalised text, 64 hexadecimal digits."""
        return hmac.new(self._now[2], f"{purpose}\x1f{text}".encode(), hashlib.sha256).hexdigest()


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
