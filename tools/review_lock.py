#!/usr/bin/env python3
"""The lock on what visitors read (G-29): ``make lock WHY="…"`` after any change of a text; without arguments it says what changed.

A text that differs from its lock fails the tests until a line of the hazard log says why it changed and what a worried visitor
might do after reading it. A clinician's signature belongs to one hash: it is gone as soon as the text changes.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from bot.answers import Content  # noqa: E402
from bot.guard.claims import refused  # noqa: E402
from desk.content.texts import READ, UNREAD, Key, Text, fingerprint, texts  # noqa: E402, F401

FOLDER = ROOT / "data/review"
GRID = ROOT / "docs/review_grid.md"
# What somebody may do after reading. Waiting and stopping a treatment are not among them: such a text is not locked.
DOES = ("demander à un médecin", "appeler", "demander un rendez-vous", "rien")
_LOCK_HEAD = """# Empreintes des textes lus par les visiteurs. Écrit par `make lock WHY="…"` : ne se modifie pas à la main.
# Ce qui compte dans une empreinte : le texte, les boutons, le libellé de la question. Raisons et signatures : reviews.yml.
"""


@dataclass
class Review:
    """The two files of ``data/review``."""

    folder: Path = FOLDER

    @property
    def lock(self) -> dict[Key, str]:
        """Locked hashes."""
        return {(e["reponse"], e["variation"]): str(e["sha256"]) for e in self._read("lock.yml") or []}

    @property
    def log(self) -> dict[str, list[dict[str, Any]]]:
        """``relectures`` (signatures) and ``changements`` (the hazard log)."""
        read = self._read("reviews.yml") or {}
        return {part: read.get(part) or [] for part in ("relectures", "changements")}

    def problems(self, current: list[Text]) -> list[str]:
        """What keeps the lock from holding, one sentence each; empty when all is well."""
        locked, log = self.lock, self.log
        found = [f"{t.response} ({t.variation}): the text is not the locked one" for t in current if locked.get(t.key) != t.sha256]
        found += [f"{r} ({v}): locked, and gone" for r, v in sorted(locked.keys() - {t.key for t in current})]
        logged = {(e["reponse"], e["variation"], str(e["sha256"])): e for change in log["changements"] for e in change["textes"]}
        for t in current:
            entry = logged.get((*t.key, t.sha256))
            if entry is None:
                found.append(f"{t.response} ({t.variation}): no line of the hazard log for this text")
            elif entry["fait"] not in DOES:
                found.append(f"{t.response} ({t.variation}): « {entry['fait']} » is none of {', '.join(DOES)}")
        found += [f"a change of {c.get('date')} gives no reason" for c in log["changements"] if not str(c.get("pourquoi") or "").strip()]
        signed = self.signed()
        found += [
            f"{t.response} ({t.variation}): « {t.review} » without a signature for this text" for t in current if t.review == READ and t.sha256 not in signed
        ]
        found += [f"{t.response} ({t.variation}): review is « {t.review} »" for t in current if t.review not in (None, READ, UNREAD)]
        return found

    def signed(self) -> set[str]:
        """Hashes that a person with name, role and date has signed."""
        whole = [
            r for r in self.log["relectures"] if str(r.get("nom") or "").strip() and str(r.get("fonction") or "").strip() and isinstance(r.get("date"), date)
        ]
        return {str(e["sha256"]) for r in whole for e in r.get("textes") or []}

    def update(self, current: list[Text], why: str, does: str | None = None, today: date | None = None) -> list[Text]:
        """Locks what changed and says so in the hazard log.

        Args:
            current: all texts.
            why: the reason, one line.
            does: what a visitor might do after reading, for every text that changed; proposed text by text when absent.
            today: the day of the entry.

        Returns:
            What changed.

        Raises:
            ValueError: no reason, or a text that makes somebody wait or stop a treatment; nothing was written.
        """
        if len(why.split()) < 2:
            raise ValueError('say why, in a few words: make lock WHY="…"')
        locked = self.lock
        logged = {(e["reponse"], e["variation"], str(e["sha256"])) for change in self.log["changements"] for e in change["textes"]}
        changed = [t for t in current if locked.get(t.key) != t.sha256 or (*t.key, t.sha256) not in logged]
        gone = sorted(locked.keys() - {t.key for t in current})
        for text in changed:
            if bad := [r.word for r in refused(text.text) if r.family == "reassurance" or r.rule == "remplacer"]:
                raise ValueError(f"{text.response} ({text.variation}): « {bad[0]} » may make somebody wait or stop a treatment; change the text first")
        if changed or gone:
            self._append(changed, gone, " ".join(why.split()), does, today or date.today())
            lines = [_flow({"reponse": t.response, "variation": t.variation, "sha256": t.sha256}) for t in current]
            _write(self.folder / "lock.yml", _LOCK_HEAD + "\n".join(f"- {line}" for line in lines) + "\n")
        return changed

    def _append(self, changed: list[Text], gone: list[Key], why: str, does: str | None, today: date) -> None:
        path = self.folder / "reviews.yml"
        before = path.read_text(encoding="utf-8").rstrip("\n")
        before = re.sub(r"^changements: *\[\] *$", "changements:", before, flags=re.M)
        entry = [f"- date: {today.isoformat()}", f"  pourquoi: {_flow(why)}", "  textes:" if changed else "  textes: []"]
        entry += [f"  - {_flow({'reponse': t.response, 'variation': t.variation, 'sha256': t.sha256, 'fait': does or t.does})}" for t in changed]
        entry += ["  retires:"] if gone else []
        entry += [f"  - {_flow({'reponse': r, 'variation': v})}" for r, v in gone]
        after = "\n".join([before, *entry]) + "\n"
        if len(yaml.safe_load(after)["changements"]) != len(self.log["changements"]) + 1:
            raise ValueError(f"{path}: « changements » must be its last part")
        _write(path, after)

    def _read(self, name: str) -> Any:
        path = self.folder / name
        return yaml.safe_load(path.read_text(encoding="utf-8")) if path.exists() else None


def grid(current: list[Text], review: Review) -> str:
    """``docs/review_grid.md``: what a visitor might do after each text, and Miner's three marks on each crisis answer."""
    logged = {(e["reponse"], e["variation"], str(e["sha256"])): e["fait"] for change in review.log["changements"] for e in change["textes"]}
    signed = review.signed()

    def state(text: Text) -> str:
        return READ if text.sha256 in signed else "non relu par un clinicien"

    lines = [
        "# Grille de relecture",
        "",
        "Écrite par `make lock` d'après `data/review/` ; ne se modifie pas à la main.",
        f"{len(current)} textes, dont {sum(t.sha256 not in signed for t in current)} non relus par un clinicien.",
        "",
        "## Trois marques sur chaque réponse à une crise (Miner 2016, G-08)",
        "",
        "Marques posées par l'équipe qui a écrit les textes, **non relues par un clinicien** : elles préparent une relecture, elles ne la remplacent pas.",
        "",
        "| Réponse | Règles | Crise reconnue | Mots respectueux | Bonne ligne | À débattre |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    by_key = {t.key: t for t in current}
    for mark in review._read("miner.yml") or []:
        text = by_key.get((mark["reponse"], mark["variation"]))
        name = f"{mark['reponse']} ({mark['variation']})"
        if text is None:
            lines.append(f"| {name} | {mark['regles']} | texte retiré | | | |")
        elif text.sha256 != str(mark["sha256"]):
            lines.append(f"| {name} | {mark['regles']} | **à refaire : le texte a changé** | | | |")
        else:
            lines.append(f"| {name} | {mark['regles']} | {mark['crise']} | {mark['respect']} | {mark['ligne']} | {mark.get('debat', '')} |")
    lines += [
        "",
        "## Que ferait un visiteur inquiet après avoir lu ? (G-29)",
        "",
        "Proposé par la commande d'après la nature du texte, ou dit par qui l'a changé ; à juger par deux lecteurs, dont un clinicien.",
        "« Attendre » et « arrêter un traitement » ne sont pas des réponses possibles : un tel texte n'est pas verrouillé.",
        "",
        "| Texte | Quand | Empreinte | Il ferait | Relecture |",
        "| --- | --- | --- | --- | --- |",
    ]
    lines += [f"| {t.response} | {t.variation} | `{t.sha256}` | {logged.get((*t.key, t.sha256), '?')} | {state(t)} |" for t in current]
    return "\n".join(lines) + "\n"


def _flow(value: str | Mapping[str, str]) -> str:
    """A value on one line of YAML."""
    text = yaml.safe_dump(value, default_flow_style=True, allow_unicode=True, sort_keys=False, width=10_000)
    return text.removesuffix("\n").removesuffix("\n...").strip()


def _write(path: Path, text: str) -> None:
    """Writes a file whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_suffix(".new")
    new.write_text(text, encoding="utf-8")
    os.replace(new, path)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--update", metavar="WHY", help="lock the texts as they are, for this reason")
    parser.add_argument("--does", choices=DOES, help="what a worried visitor might do after reading, for all that changed")
    given = parser.parse_args(arguments)
    review, current = Review(), texts(Content())
    if given.update is None:
        found = review.problems(current)
        print("\n".join(found) or "every text is the locked one")
        return 1 if found else 0
    try:
        changed = review.update(current, given.update, given.does)
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    _write(GRID, grid(current, review))
    print(f"{len(changed)} texts locked" if changed else "no text had changed")
    still = review.problems(current)
    print("\n".join(still), end="\n" if still else "")
    return 1 if still else 0


if __name__ == "__main__":
    sys.exit(main())
