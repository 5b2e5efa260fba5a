"""Sees to what the tests need beyond Python packages: git, Java, and the servers that Debian packages.

Missing Debian packages are installed when this runs as root on a machine with apt-get; otherwise an error names them.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

DEBIAN: dict[str, Callable[[], bool]] = {
    "postgresql": lambda: any(Path("/usr/lib/postgresql").glob("*/bin/initdb")),
    "ceph-mon": lambda: on_path("ceph-mon") and on_path("monmaptool"),
    "ceph-osd": lambda: on_path("ceph-osd"),
    "ceph-common": lambda: on_path("ceph") and on_path("ceph-authtool"),
    "chromium": lambda: on_path("chromium"),
    "fonts-liberation": lambda: Path("/usr/share/fonts/truetype/liberation").is_dir(),
    "radosgw": lambda: on_path("radosgw") and on_path("radosgw-admin"),
}
JAVA = 17


def on_path(program: str) -> bool:
    return shutil.which(program) is not None


def fail(message: str, hint: str) -> NoReturn:
    print(f"error: {message}\nhint: {hint}", file=sys.stderr)
    raise SystemExit(1)


def java_version() -> int | None:
    """The major version of the Java on the PATH, None without one."""
    try:
        said = subprocess.run(["java", "-version"], capture_output=True, text=True, check=True).stderr
    except (OSError, subprocess.CalledProcessError):
        return None
    found = re.search(r'version "(?:1\.)?(\d+)', said)
    return int(found[1]) if found else None


def install(packages: list[str]) -> None:
    """Installs Debian packages, quietly unless that fails."""
    print(f"installing {' '.join(packages)}", file=sys.stderr)
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (
        ["apt-get", "update", "-qq"],
        ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *packages],
    ):
        with tempfile.TemporaryFile("w+") as log:
            done = subprocess.run(
                command, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log, check=False
            )
            if done.returncode != 0:
                log.seek(0)
                print(log.read()[-4000:], file=sys.stderr)
                fail(f"'{' '.join(command)}' ended with status {done.returncode}", "the lines above say why")


def main() -> None:
    if not on_path("git"):
        fail("git is not on the PATH", "install it (Debian: apt-get install git)")
    java = java_version()
    if java is None or java < JAVA:
        fail(
            f"the Spark tests need Java {JAVA} or newer, and this machine has {f'Java {java}' if java else 'none'}",
            f"install it (Debian: apt-get install openjdk-{JAVA}-jre-headless)",
        )
    missing = [package for package, there in DEBIAN.items() if not there()]
    if missing and os.geteuid() == 0 and on_path("apt-get"):
        install(missing)
        missing = [package for package, there in DEBIAN.items() if not there()]
    if missing:
        fail(
            f"the tests start real servers, and these Debian packages are missing: {' '.join(missing)}",
            f"sudo apt-get install --no-install-recommends {' '.join(missing)}",
        )


if __name__ == "__main__":
    main()
