"""Eight-word runs of a text, as short hashes."""

from __future__ import annotations

import hashlib
import re
import unicodedata

WORDS = 8


def hashes(text: str) -> list[str]:
    """A hash for each run of eight words, folded."""
    plain = unicodedata.normalize("NFKD", text.lower()).encode("ascii", "ignore").decode()
    words = re.findall(r"[a-z0-9]+", plain)
    return [hashlib.sha256(" ".join(words[i : i + WORDS]).encode()).hexdigest()[:12] for i in range(len(words) - WORDS + 1)]
