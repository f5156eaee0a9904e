#!/usr/bin/env python3
"""Writes the hashes of the articles' eight-word runs: ``article_hashes.py ARTICLE… > tests/content/article_hashes.txt``.

The articles are not part of the repository; the hashes let a test see that no sentence of theirs was copied (G-16).
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from tests.content.runs import hashes

if __name__ == "__main__":
    found = sorted({h for name in sys.argv[1:] for h in hashes(Path(name).read_text(encoding="utf-8"))})
    print("\n".join(found))
