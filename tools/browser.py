#!/usr/bin/env python3
"""Sees that Chromium is there for the browser tests, and installs Debian's where it can."""

import os
import shutil
import subprocess
import sys


def main() -> int:
    if os.environ.get("PASSERELLE_CHROMIUM") or os.path.exists("/usr/bin/chromium"):
        return 0
    if not shutil.which("apt-get"):
        sys.exit("passerelle: the browser tests need Chromium; install it and set PASSERELLE_CHROMIUM= to its path.")
    sudo = [] if os.geteuid() == 0 else ["sudo", "-n"]
    print("installing Chromium for the browser tests …", flush=True)
    environment = dict(os.environ, DEBIAN_FRONTEND="noninteractive")
    for command in (["apt-get", "update", "-qq"], ["apt-get", "install", "-y", "-qq", "--no-install-recommends", "chromium"]):
        if subprocess.run([*sudo, *command], env=environment, stdout=subprocess.DEVNULL).returncode:
            sys.exit("passerelle: Chromium could not be installed; install it by hand (Debian: apt-get install chromium) and try again.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
