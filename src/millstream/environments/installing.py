"""Programs that install, run for one environment: as lists of words, in a folder of their own, and told when they fail.

They hold the lock of the environment as long as they run: when the process that started them is killed, nobody touches
what they still write to.
"""

from __future__ import annotations

import logging
import os
import re
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from millstream.environments import interpreters
from millstream.environments.pip_settings import uv_variables
from millstream.errors import EnvironmentFailed

__all__ = ["AS_ARGUMENTS", "Workplace"]

logger = logging.getLogger("millstream")

# Options of pip's files that uv takes on its command line only. The last is uv's own: a lock has said what comes from
# where, so that every index is as good as another.
AS_ARGUMENTS = {"--pre": ("--prerelease", "allow"), "--prefer-binary": (), "--require-hashes": ("--require-hashes",),
                "--trusted-host": ("--allow-insecure-host",),
                "--no-sources": ("--no-sources", "--index-strategy", "unsafe-best-match")}
_LEFT_OUT = ("VIRTUAL_ENV", "PYTHONHOME", "PYTHONPATH", "UV_PYTHON", "UV_SYSTEM_PYTHON", "UV_PROJECT_ENVIRONMENT",
             "UV_PROJECT", "CONDA_PREFIX", "CONDA_DEFAULT_ENV", "CONDA_SHLVL")


@dataclass(frozen=True)
class Workplace:
    """The folder in which an environment is made, and the descriptor of the lock that covers it."""

    folder: Path
    lock: int

    def uv(self, *arguments: str) -> None:
        """Run uv. Raises EnvironmentFailed with what it said."""
        own = {**uv_variables(os.environ), "UV_PYTHON_DOWNLOADS": "never", "UV_NO_PROGRESS": "1"}
        said = self.run([interpreters.uv(), *arguments], own)
        for line in said.splitlines():
            if line.startswith("warning:") and "hardlink" not in line:
                logger.warning("uv: %s", line.removeprefix("warning:").strip())

    def install(self, python: Path, name: str, lines: Sequence[str], limits: Sequence[str] = ()) -> None:
        """Install requirements for the interpreter ``python`` of an environment, bounded by ``limits``."""
        options = [line for line in lines if line.startswith("--") and re.split("[ =]", line)[0] in AS_ARGUMENTS]
        file = self.folder / f"{name}.txt"
        file.write_text("".join(f"{line}\n" for line in lines if line not in options))
        arguments = ["pip", "install", "--quiet", "--python", str(python), "-r", str(file)]
        for option in options:
            option, _, value = option.replace("=", " ").partition(" ")
            arguments += [*AS_ARGUMENTS[option], *([value.strip()] if value else [])]
        if limits:
            constraints = self.folder / f"{name}-constraints.txt"
            constraints.write_text("".join(f"{line}\n" for line in limits))
            arguments += ["-c", str(constraints)]
        self.uv(*arguments)

    def run(self, command: Sequence[str], own: Mapping[str, str]) -> str:
        """Run a program with the variables ``own`` beside ours, and return what it said. Raises EnvironmentFailed."""
        variables = {name: value for name, value in os.environ.items() if name not in _LEFT_OUT}
        # In a folder of its own, so that the settings of a project that we happen to stand in do not count.
        with subprocess.Popen(
            command, cwd=self.folder, env={**variables, **own, "NO_COLOR": "1"}, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", pass_fds=(self.lock,),
        ) as process:
            try:
                said, _ = process.communicate()
            except BaseException:
                process.kill()
                raise
        if process.returncode:
            message, hint = _told(said, str(self.folder))
            program = os.path.basename(command[0])
            raise EnvironmentFailed(
                f"the environment cannot be built: {message or f'{program} ended with {process.returncode}'}",
                hint=hint or "correct the requirement that it names",
            )
        return said


def _told(said: str, work: str) -> tuple[str, str | None]:
    """uv's error and its hints, without the frame it draws around them."""
    text = re.sub(r"^[ \t]*(?:[×├╰│]─?[▶─]*|error:)[ \t]*", "", said, flags=re.MULTILINE)
    text = text.replace(work + os.sep, "")
    parts = re.split(r"^\s*hint:\s*", text, flags=re.MULTILINE)
    flat = [" ".join(line.strip() for line in part.splitlines() if line.strip() and not line.startswith("warning:"))
            for part in parts]
    flat[0] = re.sub(r"\s+cause:", ":", flat[0])
    return flat[0], "; ".join(flat[1:]) or None
