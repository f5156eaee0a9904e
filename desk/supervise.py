"""Starts and stops the whole stack in the foreground: desk, Rasa and actions under supervisord.

supervisord restarts what dies. Every process asks the kernel for SIGTERM at its parent's death, so that nothing stays
behind even when the launcher or the supervisor is killed outright.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from types import FrameType

from desk.settings import ROOT, Settings

START_SECONDS = 180
STOP_SECONDS = 25
PROGRAMS = ("actions", "rasa", "desk")


class _Stop(Exception):
    """Somebody asked the stack to stop."""


def run_stack(settings: Settings, model: str, bot_python: str) -> int:
    """Runs until Ctrl-C or SIGTERM.

    Args:
        settings: ports, folders, database.
        model: path of the trained model.
        bot_python: interpreter of the environment with Rasa.

    Returns:
        0 after an orderly stop, 1 when the stack failed, 2 when a port is taken.
    """
    taken = [port for port in (settings.port, settings.rasa_port, settings.actions_port) if port and not _is_free(port)]
    if taken:
        print(f"passerelle: port {taken[0]} is already in use; set PORT= to another one.", file=sys.stderr)
        return 2
    for folder in (settings.data, settings.data / "log"):
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    environment = _environment(settings)
    subprocess.run([sys.executable, "-m", "desk", "migrate"], cwd=ROOT, env=environment, check=True)
    configuration = settings.data / "supervisord.conf"
    configuration.write_text(_configuration(settings, model, bot_python), encoding="utf-8")

    def stop(_signal: int, _frame: FrameType | None) -> None:
        raise _Stop

    for wanted in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(wanted, stop)
    supervisor = subprocess.Popen(
        [*_dies_with_parent(), sys.executable, "-W", "ignore", "-m", "supervisor.supervisord", "-n", "-c", str(configuration)],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.STDOUT,
        start_new_session=True,  # Ctrl-C reaches the launcher alone, which stops the rest in order
    )
    try:
        if not _wait_until_ready(settings, supervisor):
            return 1
        _print_banner(settings)
        return 0 if supervisor.wait() == 0 else 1
    except _Stop:
        print("\nstopping …", flush=True)
        return 0
    finally:
        _stop(supervisor)


def _environment(settings: Settings) -> dict[str, str]:
    """What every process of the stack is told. The secret goes by environment, never into a file that is not its own."""
    return {
        **os.environ,
        "PORT": str(settings.port),
        "PASSERELLE_RASA_PORT": str(settings.rasa_port),
        "PASSERELLE_ACTIONS_PORT": str(settings.actions_port),
        "PASSERELLE_DATA": str(settings.data),
        "PASSERELLE_SECRET": settings.secret or _kept_secret(settings.data / "secret"),
        "PASSERELLE_DESK_URL": f"http://127.0.0.1:{settings.port}",
        "PASSERELLE_ACTIONS_URL": f"{settings.actions_url}/webhook",
        "PASSERELLE_TRACKER_DIALECT": "sqlite",
        "PASSERELLE_TRACKER_DB": str(settings.data / "tracker.db"),
        "PYTHONPATH": str(ROOT),
        "PYTHONWARNINGS": "ignore",
        "PYTHONUNBUFFERED": "1",
        "RASA_TELEMETRY_ENABLED": "false",
        "LOG_LEVEL": "WARNING",
        "LOG_LEVEL_LIBRARIES": "ERROR",
        # One message at a time has nothing to share out among threads, which would only wait for one another; and memory per thread adds up.
        "OPENBLAS_NUM_THREADS": "1",
        "OMP_NUM_THREADS": "1",
        "MALLOC_ARENA_MAX": "2",
        "TF_CPP_MIN_LOG_LEVEL": "3",
    }


def _kept_secret(path: Path) -> str:
    """The secret that the processes share; made on the first run, readable by its owner alone."""
    if not path.exists():
        with os.fdopen(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_EXCL, 0o600), "w") as file:
            file.write(secrets.token_urlsafe(32))
    return path.read_text().strip()


def _configuration(settings: Settings, model: str, bot_python: str) -> str:
    commands = {
        "desk": f"{sys.executable} -m desk serve",
        "rasa": f"{bot_python} -m rasa run -i 127.0.0.1 -p {settings.rasa_port} --model {model} --endpoints endpoints.yml --credentials credentials.yml",
        "actions": f"{bot_python} -m actions {settings.actions_port}",
    }
    log = settings.data / "log"
    lines = [
        "[supervisord]",
        f"logfile={log}/supervisord.log",
        "logfile_maxbytes=1MB",
        f"pidfile={settings.data}/supervisord.pid",
        f"childlogdir={log}",
    ]
    for priority, name in enumerate(PROGRAMS, 1):
        lines += [
            f"[program:{name}]",
            f"command={' '.join([*_dies_with_parent(), commands[name]])}".replace("%", "%%"),
            f"directory={ROOT}",
            f"priority={priority}",
            "autorestart=true",
            "startretries=1000",
            "startsecs=1",
            "stopwaitsecs=10",
            "stopasgroup=true",
            "killasgroup=true",
            "redirect_stderr=true",
            f"stdout_logfile={log}/{name}.log",
            "stdout_logfile_maxbytes=2MB",
            "stdout_logfile_backups=2",
        ]
    return "\n".join(lines) + "\n"


def _dies_with_parent() -> list[str]:
    """Prefix of a command that gets SIGTERM when its parent dies; nothing where util-linux is missing (macOS)."""
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig", "TERM"] if setpriv else []


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _wait_until_ready(settings: Settings, supervisor: subprocess.Popen[bytes]) -> bool:
    started, shown = time.monotonic(), ""
    while time.monotonic() - started < START_SECONDS:
        if supervisor.poll() is not None:
            print(f"passerelle: the supervisor ended; see {settings.data / 'log'}", file=sys.stderr)
            return False
        missing = _missing(settings.port)
        if not missing:
            print(f"ready after {time.monotonic() - started:.0f} s", flush=True)
            return True
        waiting = ", ".join(missing)
        if waiting != shown:
            print(f"waiting for {waiting} …", flush=True)
            shown = waiting
        time.sleep(0.5)
    print(f"passerelle: not ready after {START_SECONDS} s ({shown}); see {settings.data / 'log'}", file=sys.stderr)
    # A desk that answers stays up: without the assistant it still tells visitors the truth, and the supervisor keeps trying.
    return "desk" not in shown


def _missing(port: int) -> list[str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=10) as answer:
            return [] if answer.status == 200 else ["desk"]
    except urllib.error.HTTPError as error:
        with error:
            return list(json.loads(error.read()).get("missing", ["desk"]))
    except (OSError, ValueError):
        return ["desk"]


def _print_banner(settings: Settings) -> None:
    print(
        f"""
Passerelle is running.
  Demo page      {settings.public_url}/
  Staff desk     {settings.public_url}/desk/
  Staff account  make staff NAME=your-name
  Logs           {settings.data / "log"}
Ctrl-C stops everything.
""",
        flush=True,
    )


def _stop(supervisor: subprocess.Popen[bytes]) -> None:
    for wanted in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(wanted, signal.SIG_IGN)
    if supervisor.poll() is None:
        supervisor.terminate()
        try:
            supervisor.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            supervisor.kill()
            supervisor.wait()
