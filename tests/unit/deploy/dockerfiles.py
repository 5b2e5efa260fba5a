"""A reader of Dockerfiles that follows their steps in a folder, where there is no engine.

The parts of the format that ours use: https://docs.docker.com/reference/dockerfile/. What only an image can have
(packages of the system, users) is left out, and told.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

_OF_THE_SYSTEM = ("apt-get ", "rm -rf /var/lib/apt", "useradd ")


@dataclass
class Image:
    """What the steps made: files below ``root``, variables, the program to start, and what was left out."""

    root: Path
    variables: dict[str, str] = field(default_factory=dict)
    entry: list[str] = field(default_factory=list)
    health: list[str] = field(default_factory=list)
    user: str = "root"
    left_out: list[str] = field(default_factory=list)

    def place(self, text: str) -> str:
        """``text`` with the absolute paths of the image where they are here."""
        return re.sub(r"(?<![\w./])/(?=(?:opt|home|usr)/)", f"{self.root}/", text)

    def environment(self) -> dict[str, str]:
        path = f"{self.root / 'usr' / 'bin'}{os.pathsep}{os.environ['PATH']}"
        kept = {name: text for name, text in os.environ.items() if not name.startswith(("MLFLOW_", "MILLST", "PYTHON"))}
        return kept | {"PATH": path} | {
            name: self.place(text).replace("$PATH", path) for name, text in self.variables.items()
        }


def instructions(text: str) -> list[tuple[str, str]]:
    """The instructions with their arguments; comments are gone, continued lines are joined."""
    lines = "\n".join(line for line in text.splitlines() if line.strip() and not line.startswith("#"))
    joined = re.sub(r"\s*\\\n\s*", " ", lines)
    return [(word, rest) for word, _, rest in (line.partition(" ") for line in joined.splitlines())]


def follow(context: Path, root: Path) -> Image:
    """Follow the Dockerfile in ``context``, with the Python of the tests as that of its base image."""
    image = Image(root)
    work = root
    subprocess.run([sys.executable, "-m", "uv", "venv", "--quiet", "--seed", str(root / "usr")], check=True)
    for word, rest in instructions((context / "Dockerfile").read_text()):
        if word == "RUN" and rest.startswith("["):
            _run([image.place(one) for one in json.loads(rest)], work, image)
        elif word == "RUN":
            for step in rest.split(" && "):
                if step.strip().startswith(_OF_THE_SYSTEM):
                    image.left_out.append(step.strip())
                else:
                    _run(image.place(step).split(), work, image)
        elif word == "COPY":
            source, target = rest.split()
            place = Path(image.place(target)) if target.startswith("/") else work / target
            shutil.copytree(context / source, place, dirs_exist_ok=True)
        elif word == "WORKDIR":
            work = Path(image.place(rest))
            work.mkdir(parents=True, exist_ok=True)
        elif word == "ENV":
            image.variables |= dict(pair.split("=", 1) for pair in rest.split())
        elif word == "USER":
            image.user = rest
        elif word == "ENTRYPOINT":
            image.entry = [image.place(one) for one in json.loads(rest)]
        elif word == "HEALTHCHECK":
            image.health = [image.place(one) for one in json.loads(rest.partition("CMD ")[2])]
        else:
            assert word in ("FROM", "ARG", "EXPOSE", "VOLUME"), word
    return image


def _run(command: list[str], work: Path, image: Image) -> None:
    # A test need not fetch again what is in the caches of this machine.
    command = [one for one in command if one not in ("--no-cache", "--no-cache-dir")]
    command[0] = shutil.which(command[0], path=image.environment()["PATH"]) or command[0]
    done = subprocess.run(command, cwd=work, env=image.environment(), check=False, capture_output=True, text=True)
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
