"""Databases for tests: real SQLite files and a real, throw-away PostgreSQL."""

from __future__ import annotations

from desk.crypto import Cipher, Keys

CIPHER = Cipher(Keys.parse(Keys.generate()))
