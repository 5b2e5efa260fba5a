"""What it takes to run a project: with its environment there, and when that is made first."""

from __future__ import annotations

import os
import platform
import resource
import shutil
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from peers import OURS, Peer

MLPROJECT = """\
name: bench
python_env: python_env.yaml
entry_points:
  main:
    parameters: {alpha: {type: float, default: 1}}
    command: "python -c pass"
"""


@dataclass(frozen=True)
class Taken:
    """Seconds that a command took, and seconds of a processor that it and its children used."""

    wall: float
    processor: float


def middle(all_taken: list[Taken]) -> Taken:
    """The medians."""
    return Taken(*(statistics.median(getattr(one, name) for one in all_taken) for name in ("wall", "processor")))


class Project:
    """A project in ``place``, run by the command line of ``peer``: its environment built by uv, its store on SQLite."""

    def __init__(self, peer: Peer, place: Path, requirements: list[str]) -> None:
        self._peer = peer
        self._place = place
        self._environments = place / "envs"
        project = place / "project"
        project.mkdir()
        (project / "MLproject").write_text(MLPROJECT)
        # MLflow asks for uv, and uv for the interpreter, by the path; some version manager may stand there first.
        path = [peer.python.parent, OURS.python.parent, Path(sys.base_prefix, "bin")]
        self._variables = {
            **peer.environment(), "PATH": os.pathsep.join([*map(str, path), os.environ["PATH"]]),
            "MLFLOW_TRACKING_URI": f"sqlite:///{place}/store.db", "MLFLOW_ENV_ROOT": str(self._environments),
            "MILLSTREAM_OUTBOX_DIR": str(place / "outbox"), "UV_PYTHON_DOWNLOADS": "never",
        }
        self._command = [*peer.command, "run", str(project), "--env-manager", "uv", "--experiment-name", "bench",
                         "-P", "alpha=2"]
        version = f"python: {platform.python_version()}\n"
        (project / "python_env.yaml").write_text(version)
        self.again()  # makes the tables of the store
        lines = "".join(f"  - {line}\n" for line in requirements)
        (project / "python_env.yaml").write_text(
            f"{version}build_dependencies: [pip, setuptools, wheel]\ndependencies:\n{lines}"
        )
        self.first()  # fills the cache of wheels

    def first(self) -> Taken:
        """A start that makes the environment."""
        shutil.rmtree(self._environments, ignore_errors=True)
        return self._taken(self._command)

    def again(self) -> Taken:
        """A start with the environment there."""
        return self._taken(self._command)

    def bare(self) -> Taken:
        """The command itself in that environment."""
        (python,) = [one for one in self._environments.glob("**/bin/python") if "site-packages" not in one.parts]
        return self._taken([str(python), "-c", "pass"])

    def _taken(self, words: list[str]) -> Taken:
        before, began = processor(), time.perf_counter()
        done = subprocess.run(words, cwd=self._place, env=self._variables, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"{self._peer.name}: {(done.stdout + done.stderr)[-3000:]}")
        return Taken(time.perf_counter() - began, processor() - before)


def processor() -> float:
    """Seconds of a processor that the children of this process, and theirs, have used."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
