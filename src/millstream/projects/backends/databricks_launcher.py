"""Starts a project's command on a cluster of Databricks. Sent there as it is: Python's own library only, from 3.8 on.

Its argument is a JSON object with ``archive`` (the project as a tar.gz, a path there), ``sha256`` of it, ``variables``,
``command``, and ``in_process``: whether the script runs in this process, which has the cluster's Spark session.
"""

from __future__ import annotations

import hashlib
import json
import os
import runpy
import subprocess
import sys
import tarfile
import tempfile


def main(arguments: list[str]) -> None:
    """Unpack the project and run its command; raises when that does not end well."""
    told = json.loads(arguments[0])
    with open(told["archive"], "rb") as file:
        if hashlib.sha256(file.read()).hexdigest() != told["sha256"]:
            raise RuntimeError(f"the project's archive {told['archive']} is not what was sent")
    folder = tempfile.mkdtemp(prefix="millstream-project-")
    with tarfile.open(told["archive"]) as archive:
        if hasattr(tarfile, "data_filter"):
            archive.extractall(folder, filter="data")
        else:
            archive.extractall(folder)  # its digest says that we made it ourselves
    os.environ.update(told["variables"])
    if told["in_process"]:
        _run_here(folder, told["command"])
    else:
        _run(folder, told["command"])


def _run_here(folder: str, command: list[str]) -> None:
    os.chdir(folder)
    sys.path.insert(0, folder)
    sys.argv = command
    try:
        runpy.run_path(command[0], run_name="__main__")
    except SystemExit as ended:
        if ended.code not in (None, 0):
            raise RuntimeError(f"{command[0]} ended with {ended.code}") from None


def _run(folder: str, command: list[str]) -> None:
    path = os.path.dirname(sys.executable) + os.pathsep + os.environ.get("PATH", "")
    with subprocess.Popen(
        command, cwd=folder, env=dict(os.environ, PATH=path), stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as started:
        # Read here: what a child writes to the driver's descriptors is in no log of the job.
        for line in started.stdout or ():
            print(line.decode("utf-8", "replace"), end="", flush=True)
    if started.returncode:
        raise RuntimeError(f"the command ended with status {started.returncode}")


if __name__ == "__main__":
    main(sys.argv[1:])
