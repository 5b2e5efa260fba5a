"""What running a project costs beyond its command: with its environment there, and when that is made first."""

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


@dataclass(frozen=True)
class Started:
    """A project's first start, later ones, and the bare command in the same environment: medians."""

    first: Taken
    again: Taken
    bare: Taken

    @property
    def making(self) -> float:
        """Seconds that making the environment takes."""
        return self.first.wall - self.again.wall

    @property
    def overhead(self) -> Taken:
        """What a start costs beyond the command, the environment being there."""
        return Taken(self.again.wall - self.bare.wall, self.again.processor - self.bare.processor)


def started(peer: Peer, place: Path, requirements: list[str], firsts: int, times: int) -> Started:
    """Run a project by the command line of ``peer``, its environment built by uv, its store on SQLite."""
    project = place / "project"
    project.mkdir()
    (project / "MLproject").write_text(MLPROJECT)
    lines = "".join(f"  - {line}\n" for line in requirements)
    (project / "python_env.yaml").write_text(
        f"python: {platform.python_version()}\nbuild_dependencies: [pip, setuptools, wheel]\ndependencies:\n{lines}"
    )
    environments = place / "envs"
    # MLflow asks for uv, and uv for the interpreter, by the path; some version manager may stand there first.
    path = [peer.python.parent, OURS.python.parent, Path(sys.base_prefix, "bin")]
    variables = {
        **peer.environment(), "PATH": os.pathsep.join([*map(str, path), os.environ["PATH"]]),
        "MLFLOW_TRACKING_URI": f"sqlite:///{place}/store.db", "MLFLOW_ENV_ROOT": str(environments),
        "MILLSTREAM_OUTBOX_DIR": str(place / "outbox"), "UV_PYTHON_DOWNLOADS": "never",
    }
    command = [*peer.command, "run", str(project), "--env-manager", "uv", "--experiment-name", "bench", "-P", "alpha=2"]

    def taken(words: list[str]) -> Taken:
        before, began = processor(), time.perf_counter()
        done = subprocess.run(words, cwd=place, env=variables, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"{peer.name}: {(done.stdout + done.stderr)[-3000:]}")
        return Taken(time.perf_counter() - began, processor() - before)

    (project / "python_env.yaml").rename(project / "kept.yaml")
    (project / "python_env.yaml").write_text(f"python: {platform.python_version()}\n")
    taken(command)  # makes the tables of the store
    (project / "kept.yaml").replace(project / "python_env.yaml")
    first, again = [], []
    for _ in range(firsts):
        shutil.rmtree(environments, ignore_errors=True)
        first.append(taken(command))
    for _ in range(times):
        again.append(taken(command))
    (python,) = [one for one in environments.glob("**/bin/python") if "site-packages" not in one.parts]
    bare = [taken([str(python), "-c", "pass"]) for _ in range(times)]
    return Started(middle(first), middle(again), middle(bare))


def processor() -> float:
    """Seconds of a processor that the children of this process, and theirs, have used."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
