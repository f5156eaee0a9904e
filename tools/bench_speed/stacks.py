"""Starts and stops what is timed: each stack with ports, a folder and databases of its own, by the very commands of `make run`."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from configparser import RawConfigParser
from dataclasses import dataclass, field
from pathlib import Path

from desk import supervise
from desk.settings import Settings, load_settings
from tools.bench_speed.models import BOT, ROOT, BenchError, Project

START_SECONDS = 300  # on a machine that is busy with other work
POLL_SECONDS = 0.05


@dataclass
class Stack:
    """Desk, Rasa and actions.

    Attributes:
        project: its model and Rasa's endpoints.
        folder: its data, emptied by whoever made it.
        port: of the desk; Rasa and the actions have the two after it.
    """

    project: Project
    folder: Path
    port: int
    _running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def rasa_port(self) -> int:
        """Where Rasa is asked directly."""
        return self.port + 1

    @property
    def secret(self) -> str:
        """What Rasa's channel wants to be told."""
        return self._environment["PASSERELLE_SECRET"]

    def start(self) -> float:
        """Starts everything at once, as the supervisor does.

        Returns:
            Seconds until the whole line says that it answers.

        Raises:
            BenchError: when a port is taken, a process dies, or it takes too long.
        """
        for port in (self.port, self.rasa_port, self.port + 2):
            if not supervise._is_free(port):
                raise BenchError(f"port {port} is already in use; --port names the first of twelve")
        (self.folder / "log").mkdir(parents=True, exist_ok=True, mode=0o700)
        begun = time.monotonic()
        subprocess.run([sys.executable, "-m", "desk", "migrate"], cwd=ROOT, env=self._environment, check=True)
        for program in supervise.PROGRAMS:
            with (self.folder / f"log/{program}.log").open("ab") as log:
                self._running[program] = subprocess.Popen(
                    self._command(program), cwd=ROOT, env=self._environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
                )
        while not _says_ok(f"http://127.0.0.1:{self.port}/healthz"):
            self._fail_when(lambda: time.monotonic() - begun > START_SECONDS, f"not ready after {START_SECONDS} s")
            time.sleep(POLL_SECONDS)
        return time.monotonic() - begun

    def stop(self) -> None:
        """Stops the processes that ``start`` started, and waits for their end."""
        for process in self._running.values():
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGTERM)
        for process in self._running.values():
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        self._running.clear()

    def memory(self) -> dict[str, tuple[float, float]]:
        """Megabytes of each process, with its children: what it holds now (RSS), and the most that it held."""
        return {name: tuple(sum(_status(pid, what) for pid in _family(p.pid)) for what in ("VmRSS", "VmHWM")) for name, p in self._running.items()}  # type: ignore[misc]

    def _command(self, program: str) -> list[str]:
        parser = RawConfigParser()
        parser.read_string(supervise._configuration(self._settings, str(self.project.model), str(BOT)))
        words = shlex.split(parser[f"program:{program}"]["command"].replace("%%", "%"))
        own = {"endpoints.yml": self.project.endpoints, "credentials.yml": self.project.credentials}
        return [str(own.get(word, word)) for word in words]

    @property
    def _settings(self) -> Settings:
        return load_settings(port=self.port, data=self.folder)

    @property
    def _environment(self) -> dict[str, str]:
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        return {**supervise._environment(self._settings), "PASSERELLE_RATE_LIMITS": "off"}

    def _fail_when(self, is_over: Callable[[], bool], why: str) -> None:
        dead = next((name for name, process in self._running.items() if process.poll() is not None), None)
        if dead or is_over():
            log = self.folder / f"log/{dead or 'rasa'}.log"
            raise BenchError(f"{self.project.model.parent.name}: {f'{dead} ended' if dead else why}\n{log.read_text(errors='replace')[-2000:]}")


def _says_ok(address: str) -> bool:
    try:
        with urllib.request.urlopen(address, timeout=10) as answer:
            json.loads(answer.read())
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError, ValueError):
        return False


def _family(pid: int) -> list[int]:
    """A process and everything below it (Linux)."""
    children = [int(child) for task in Path(f"/proc/{pid}/task").iterdir() for child in (task / "children").read_text().split()]
    return [pid, *(one for child in children for one in _family(child))]


def _status(pid: int, what: str) -> float:
    line = next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith(what))
    return int(line.split()[1]) * 1024 / 1e6
