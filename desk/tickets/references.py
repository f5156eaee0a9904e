"""References that can be said on the phone: ``RDV-7K4M-2Q``."""

from __future__ import annotations

import re
import secrets

# Without letters and digits that are mistaken for one another in print or by ear in French (0 O, 1 I L, 2 Z, 5 S, 8 B, D T, M N, U V W).
ALPHABET = "23479ACEFGHJKMPQRTXY"


def new_reference() -> str:
    """A random reference with at least one digit, so that it never spells a word; the caller retries on the rare collision."""
    letters = ""
    while not any(c.isdigit() for c in letters):
        letters = "".join(secrets.choice(ALPHABET) for _ in range(6))
    return f"RDV-{letters[:4]}-{letters[4:]}"


def as_reference(said: str) -> str | None:
    """A reference out of what somebody typed (« rdv 7k4m 2q »); None where it is none."""
    letters = re.sub(r"[^A-Z0-9]", "", said.upper()).removeprefix("RDV")
    return f"RDV-{letters[:4]}-{letters[4:]}" if len(letters) == 6 and set(letters) <= set(ALPHABET) else None
