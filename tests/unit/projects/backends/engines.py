"""A container engine that writes down how it is called: what runs no container shows the words of a real one."""

from __future__ import annotations

import json
import os
import stat
import sys
from pathlib import Path
from typing import Any

import pytest

_PROGRAM = """\
#!{python}
import json, os, pathlib, sys, time
words = sys.argv[1:]
here = pathlib.Path(".")
files = {{}}
if words[0] == "build":
    files = {{str(path): path.read_text() for path in here.rglob("*") if path.is_file()}}
given = sys.stdin.read() if words[0] == "login" else ""
call = {{"words": words, "files": files, "given": given, "variables": dict(os.environ), "folder": os.getcwd()}}
log = pathlib.Path({log!r})
with log.open("a") as file:
    file.write(json.dumps(call) + "\\n")
if words[:2] == ["image", "inspect"]:
    name = words[-1].rpartition(":")[0]
    print("sha256:" + "1" * 64 if "Id" in words[3] else name + "@sha256:" + "2" * 64)
if words[0] == os.environ.get("ENGINE_FAILS"):
    sys.exit("the engine is out of order")
if words[0] == "run":
    print("in the container", flush=True)
    until = pathlib.Path(os.environ.get("ENGINE_RUNS_UNTIL", "/"))
    while not until.exists():
        time.sleep(0.02)
if words[0] == "stop" and "ENGINE_RUNS_UNTIL" in os.environ:
    pathlib.Path(os.environ["ENGINE_RUNS_UNTIL"]).touch()
"""


class Call:
    """One call: its words, the files of the folder it was in, what it was given, its variables."""

    def __init__(self, told: dict[str, Any]) -> None:
        self.words: list[str] = told["words"]
        self.files: dict[str, str] = told["files"]
        self.given: str = told["given"]
        self.variables: dict[str, str] = told["variables"]


class Engine:
    """The engine's program and its log."""

    def __init__(self, path: Path, log: Path) -> None:
        self.path = path
        self._log = log

    @property
    def calls(self) -> list[Call]:
        """All calls so far."""
        if not self._log.exists():
            return []
        return [Call(json.loads(line)) for line in self._log.read_text().splitlines()]


def engine_program(folder: Path, monkeypatch: pytest.MonkeyPatch, name: str = "docker") -> Engine:
    """Put an engine of this name first on the path."""
    programs = folder / "programs"
    programs.mkdir()
    path, log = programs / name, folder / "engine.jsonl"
    path.write_text(_PROGRAM.format(python=sys.executable, log=str(log)))
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
    return Engine(path, log)
