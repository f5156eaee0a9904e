#!/usr/bin/env python3
"""Makes the project's Python environments: ``environments.py bot desk [--test]``. Standard library only, Python ≥ 3.8.

Rasa needs Python 3.10; the desk, which faces the internet, runs on a maintained one. uv resolves and installs both from
``uv.lock``; it is fetched with pip where it is missing.
"""

import argparse
import os
import pathlib
import shutil
import subprocess
import sys
import venv

ROOT = pathlib.Path(__file__).resolve().parent.parent
VENVS = ROOT / ".venvs"
PYTHONS = {"bot": ("3.10", ">=3.10,<3.11"), "desk": ("3.12", ">=3.11")}  # what uv may install, what will do
TEST_GROUPS = {"bot": ["test"], "desk": ["test", "browser", "lint"]}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("environments", nargs="+", choices=sorted(PYTHONS))
    parser.add_argument("--test", action="store_true", help="with what tests and linters need")
    args = parser.parse_args()
    uv = find_uv()
    for name in args.environments:
        groups = [name] + (TEST_GROUPS[name] if args.test else [])
        command = [*uv, "sync", "--quiet", "--frozen", "--inexact", "--python", find_python(uv, name)]
        command += [word for group in groups for word in ("--group", group)]
        environment = dict(os.environ, UV_PROJECT_ENVIRONMENT=str(VENVS / name))
        environment.pop("VIRTUAL_ENV", None)
        if not (VENVS / name).exists():
            print(f"installing the environment {name} …", flush=True)
        done = subprocess.run(command, cwd=ROOT, env=environment)
        if done.returncode:
            print(f"passerelle: uv could not install the environment {name}; its message is above.", file=sys.stderr)
            return done.returncode
    return 0


def find_uv() -> "list[str]":
    """uv from the path, from this Python, or fetched with pip into an environment of its own."""
    if shutil.which("uv"):
        return ["uv"]
    if subprocess.run([sys.executable, "-m", "uv", "--version"], capture_output=True).returncode == 0:
        return [sys.executable, "-m", "uv"]
    own = VENVS / "uv"
    python = own / "bin" / "python"
    if not (own / "bin" / "uv").exists():
        print("fetching uv …", flush=True)
        venv.create(own, with_pip=True)
        if subprocess.run([str(python), "-m", "pip", "install", "--quiet", "uv"]).returncode:
            sys.exit("passerelle: uv could not be fetched with pip. Install it by hand, then try again.")
    return [str(own / "bin" / "uv")]


def find_python(uv: "list[str]", name: str) -> str:
    """A suitable interpreter: one that uv sees, one of pyenv's, or one that uv can install."""
    version, wanted = PYTHONS[name]
    found = subprocess.run([*uv, "python", "find", wanted], cwd=ROOT, capture_output=True, text=True)
    if found.returncode == 0:
        return found.stdout.strip()
    minors = [version] if name == "bot" else ["3.13", "3.12", "3.11"]
    for minor in minors:
        for python in sorted(pathlib.Path.home().glob(f".pyenv/versions/{minor}.*/bin/python"), reverse=True):
            return str(python)
    if subprocess.run([*uv, "python", "install", "--quiet", version], cwd=ROOT).returncode == 0:
        return version
    sys.exit(
        f"passerelle: Python {version} is needed for the environment {name} and could not be found or installed. Install it (for example with pyenv) and try again."
    )


if __name__ == "__main__":
    sys.exit(main())
