"""A running stack and a visitor who talks to it through the public API: what conversation tests are written with."""

from __future__ import annotations

import os
import random
import re
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2

ROOT = Path(__file__).resolve().parent.parent
BOT_PYTHON = ROOT / ".venvs/bot/bin/python"


@dataclass
class Stack:
    """``python -m desk run`` on ports and a folder of its own."""

    folder: Path
    port: int
    process: subprocess.Popen[str] | None

    @property
    def url(self) -> str:
        """Where the desk is."""
        return f"http://127.0.0.1:{self.port}"

    def visitor(self) -> Visitor:
        """A new conversation."""
        return Visitor(self.url)

    def add_staff(self, name: str, password: str) -> None:
        """Makes a staff account as the README says."""
        done = subprocess.run(
            [sys.executable, "-m", "desk", "staff", "add", name],
            cwd=ROOT,
            env={**os.environ, "PORT": str(self.port), "PASSERELLE_DATA": str(self.folder)},
            input=password + "\n",
            text=True,
            capture_output=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr

    def pid_of(self, program: str) -> int:
        """Process id of ``desk``, ``rasa`` or ``actions`` as the supervisor started it."""
        log = (self.folder / "log/supervisord.log").read_text()
        return int(re.findall(rf"spawned: '{program}' with pid (\d+)", log)[-1])

    def kill(self, program: str) -> None:
        """Kills a program outright; the supervisor will start it again."""
        os.kill(self.pid_of(program), signal.SIGKILL)

    @contextmanager
    def down(self, program: str) -> Iterator[None]:
        """Keeps a program dead: the supervisor is held still meanwhile, and starts it again afterwards."""
        supervisor = int((self.folder / "supervisord.pid").read_text())
        os.kill(supervisor, signal.SIGSTOP)
        try:
            self.kill(program)
            yield
        finally:
            os.kill(supervisor, signal.SIGCONT)

    @contextmanager
    def hung(self, program: str) -> Iterator[None]:
        """Keeps a program still: it takes connections and answers nothing."""
        pid = self.pid_of(program)
        os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(pid, signal.SIGCONT)

    def missing(self) -> list[str]:
        """What /healthz says is missing."""
        try:
            answer = httpx2.get(f"{self.url}/healthz", timeout=10)
        except httpx2.HTTPError:
            return ["desk"]
        return list(answer.json().get("missing", []))

    def wait_until_ready(self, seconds: float = 120) -> None:
        """Waits for /healthz to say ok."""
        wait_for(lambda: not self.missing(), seconds, "the stack to be ready")

    def stop(self) -> int:
        """Ctrl-C; returns the exit code."""
        assert self.process
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(40)


def start_stack(folder: Path, **environment: str) -> Stack:
    """Starts the whole stack with the trained model and waits until it answers."""
    port = free_ports(3)
    model = subprocess.run([BOT_PYTHON, "-m", "bot.train", "--path"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()
    assert Path(model).exists(), "train the model first: make train"
    process = subprocess.Popen(
        [sys.executable, "-m", "desk", "run", "--model", model, "--bot-python", str(BOT_PYTHON)],
        cwd=ROOT,
        env={**os.environ, "PORT": str(port), "PASSERELLE_DATA": str(folder), "PASSERELLE_RATE_LIMITS": "off", **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    said = []
    assert process.stdout is not None
    for line in process.stdout:
        said.append(line)
        if "Ctrl-C stops everything" in line:
            return Stack(folder, port, process)
    raise AssertionError("the stack did not start:\n" + "".join(said))


def free_ports(count: int) -> int:
    """The first of ``count`` free ports in a row, below those that outgoing connections get. By chance, as two test runs may look at the same time."""
    for first in random.sample(range(21000, 32000, 7), 1500):
        if all(_is_free(first + i) for i in range(count)):
            return first
    raise AssertionError("no free ports")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def wait_for(condition: Any, seconds: float, what: str) -> None:
    """Polls a condition."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"waited {seconds} s for {what}"
        time.sleep(0.3)


@dataclass
class Reply:
    """What came back to one message."""

    status: int
    body: dict[str, Any]

    @property
    def messages(self) -> list[dict[str, Any]]:
        """The messages of the reply."""
        return list(self.body.get("messages", []))

    @property
    def text(self) -> str:
        """All texts, joined by newlines, with plain spaces and apostrophes."""
        joined = "\n".join(m["text"] for m in self.messages) or str(self.body.get("detail", ""))
        return re.sub(r"[\u00a0\u202f]", " ", joined.replace("’", "'"))

    def lacks(self, patterns: Iterable[str]) -> list[str]:
        """Those of some regular expressions (any case, across lines) that the text does not hold."""
        return [p for p in patterns if not re.search(p, self.text, re.IGNORECASE | re.DOTALL)]

    def holds(self, patterns: Iterable[str]) -> list[str]:
        """Those that it holds."""
        patterns = list(patterns)
        absent = self.lacks(patterns)
        return [p for p in patterns if p not in absent]

    @property
    def kinds(self) -> list[str]:
        """The kinds, in order."""
        return [m["kind"] for m in self.messages]

    @property
    def buttons(self) -> list[dict[str, str]]:
        """All buttons offered."""
        return [b for m in self.messages for b in m["buttons"]]


@dataclass
class Visitor:
    """One conversation, as the page holds it."""

    url: str
    http: httpx2.Client | None = None
    last: Reply = field(init=False)

    def __post_init__(self) -> None:
        """Opens the conversation."""
        self._http = self.http or httpx2.Client(base_url=self.url, timeout=60)
        answer = self._http.post("/api/conversations")
        body = answer.json()
        self.id, self.token = body["id"], body["token"]
        self.last = Reply(answer.status_code, body)

    @property
    def headers(self) -> dict[str, str]:
        """The bearer token."""
        return {"Authorization": f"Bearer {self.token}"}

    def say(self, text: str, client_id: str | None = None) -> Reply:
        """Writes something."""
        return self.send({"client_id": client_id or str(uuid.uuid4()), "text": text})

    def press(self, label: str) -> Reply:
        """Presses the first button of the last reply whose label matches (regular expression, any case)."""
        button = next((b for b in self.last.buttons if re.search(label, b["label"], re.I)), None)
        assert button, f"no button {label!r} among {[b['label'] for b in self.last.buttons]}"
        return self.send({"client_id": str(uuid.uuid4()), "button": button["id"]})

    def send(self, body: Any) -> Reply:
        """Posts any body."""
        answer = self._http.post(f"/api/conversations/{self.id}/messages", json=body, headers=self.headers)
        self.last = Reply(answer.status_code, answer.json())
        return self.last

    def thread(self, after: int = 0) -> Reply:
        """The whole conversation from a sequence number on."""
        answer = self._http.get(f"/api/conversations/{self.id}/messages", params={"after": after}, headers=self.headers)
        return Reply(answer.status_code, answer.json())

    def erase(self) -> int:
        """DELETE; returns the status."""
        return self._http.delete(f"/api/conversations/{self.id}", headers=self.headers).status_code

    def book(
        self, name: str = "Camille Laurent", contact: str = "camille.laurent@exemple.fr", windows: str = "mardi après-midi", transcript: str = "non"
    ) -> str:
        """Fills the whole form; returns the reference."""
        for said in ("je voudrais prendre rendez-vous", "oui, j'accepte", name, contact, windows, "le foie", transcript, "oui"):
            self.say(said)
        return reference_in(self.last.text)


def reference_in(text: str) -> str:
    """The reference a reply gives."""
    found = re.search(r"RDV-[A-Z0-9]{4}-[A-Z0-9]{2}", text)
    assert found, f"no reference in: {text}"
    return found[0]
