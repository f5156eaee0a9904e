#!/usr/bin/env python3
"""PostgreSQL for tests and measurements: throw-away servers. Run by itself, sees that its programs are there and installs Debian's package where it can."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

FOLDERS = ("/usr/lib/postgresql/*/bin", "/opt/homebrew/opt/postgresql@*/bin", "/usr/local/opt/postgresql@*/bin", "/usr/pgsql-*/bin")
OLDEST = 15  # the first one whose whole cluster can sort by ICU
USER = "passerelle"
PREFIX = "passerelle-pg-"
STALE_SECONDS = 3600
SECONDS_TO_START = 60


class MissingPostgresql(Exception):
    """Its programs are not on this machine; the text is one sentence for the person who wants them."""


class Server:
    """A server of one's own, reached by a socket in its folder and by no port, sorting as French is sorted."""

    def __init__(self, parent: Path = Path("/tmp"), **options: str) -> None:
        """Makes and starts it.

        Args:
            parent: folder that its own is made in; a short path, for the socket's may not exceed 107 bytes.
            **options: settings of PostgreSQL that differ from its defaults.

        Raises:
            MissingPostgresql: its programs are not on this machine.
        """
        programs = binaries()
        _sweep(parent)
        self.folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=parent))
        as_somebody = []
        if os.geteuid() == 0:  # initdb refuses root
            shutil.chown(self.folder, "nobody")
            as_somebody = ["setpriv", "--reuid=nobody", "--clear-groups"]
        data = self.folder / "data"
        kind = ["-U", USER, "-A", "trust", "-E", "UTF8", "--locale=C", "--locale-provider=icu", "--icu-locale=fr", "--no-sync"]
        subprocess.run([*as_somebody, programs / "initdb", "-D", data, *kind], check=True, capture_output=True, cwd="/")
        if shutil.which("setpriv"):
            as_somebody = [*(as_somebody or ["setpriv"]), "--pdeathsig=INT"]  # a run that is killed takes its server with it
        wanted = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
        command = [*as_somebody, programs / "postgres", "-D", data, "-k", self.folder, "-h", "", *wanted]
        self._process = subprocess.Popen(command, stderr=subprocess.DEVNULL, cwd="/")
        self._wait(programs)

    def url(self, database: str) -> str:
        """The address of one of its databases."""
        return f"postgresql+psycopg://{USER}@/{database}?host={self.folder}"

    def close(self) -> None:
        """Ends it, whoever is connected, and removes its files."""
        self._process.send_signal(signal.SIGINT)  # PostgreSQL's fast shutdown; on SIGTERM it waits for its last client
        self._process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _wait(self, programs: Path) -> None:
        until = time.monotonic() + SECONDS_TO_START
        while subprocess.run([programs / "pg_isready", "-q", "-h", self.folder], check=False).returncode:
            if time.monotonic() > until or self._process.poll() is not None:
                self.close()
                raise TimeoutError("PostgreSQL did not start")
            time.sleep(0.05)


def _sweep(parent: Path) -> None:
    """Removes the folders that killed runs have left: no server is in them any more."""
    for folder in parent.glob(f"{PREFIX}*"):
        try:
            if time.time() - folder.stat().st_mtime > STALE_SECONDS and not (folder / "data" / "postmaster.pid").exists():
                shutil.rmtree(folder, ignore_errors=True)
        except OSError:
            continue  # somebody else's


def binaries() -> Path:
    """The folder with ``initdb`` and ``postgres``: ``PASSERELLE_POSTGRESQL``, or that of the newest version there is.

    Raises:
        MissingPostgresql: none was found.
    """
    given = os.environ.get("PASSERELLE_POSTGRESQL")
    found = [Path(given)] if given else [folder for pattern in FOLDERS for folder in Path("/").glob(pattern[1:]) if _version(folder) >= OLDEST]
    usable = [folder for folder in found if (folder / "initdb").exists() and (folder / "postgres").exists()]
    if not usable:
        raise MissingPostgresql(
            f"the tests on PostgreSQL need the programs of its server, version {OLDEST} or newer; install them (Debian: apt-get install postgresql), "
            "or set PASSERELLE_POSTGRESQL= to the folder with initdb and postgres."
        )
    return max(usable, key=_version)


def _version(folder: Path) -> int:
    return int("0" + "".join(sign for sign in folder.parent.name if sign.isdigit()))


def main() -> int:
    try:
        binaries()
        return 0
    except MissingPostgresql as missing:
        if not shutil.which("apt-get") or os.environ.get("PASSERELLE_POSTGRESQL"):
            sys.exit(f"passerelle: {missing}")
    sudo = [] if os.geteuid() == 0 else ["sudo", "-n"]
    print("installing PostgreSQL for the tests …", flush=True)
    environment = dict(os.environ, DEBIAN_FRONTEND="noninteractive")
    for command in (["apt-get", "update", "-qq"], ["apt-get", "install", "-y", "-qq", "--no-install-recommends", "postgresql"]):
        if subprocess.run([*sudo, *command], env=environment, stdout=subprocess.DEVNULL).returncode:
            sys.exit("passerelle: PostgreSQL could not be installed; install it by hand (Debian: apt-get install postgresql) and try again.")
    try:
        binaries()
    except MissingPostgresql as missing:
        sys.exit(f"passerelle: {missing}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
