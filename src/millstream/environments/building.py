"""Virtual environments, built by uv and kept by what they hold.

An environment lies in the folder of ENV_ROOT under a key made of its interpreter and its requirements: who asks for the
same again, in any process, gets the same one at once. It is built beside, and moved into place when it is whole, while
a lock keeps others from building it too. Files are links into uv's cache, where the file system has links.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import logging
import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from urllib.parse import unquote

from millstream import settings
from millstream.environments import interpreters
from millstream.environments.lines import ARCHIVE, checked
from millstream.environments.ourselves import Ourselves, ourselves
from millstream.environments.pip_settings import uv_variables
from millstream.errors import EnvironmentFailed, InvalidValue

__all__ = [
    "AS_ARGUMENTS", "SEEDS", "Built", "Environment", "build", "built", "environments_folder", "key_of", "remove",
    "size_of", "sweep",
]

logger = logging.getLogger("millstream")

STAMP = "millstream-environment.json"
_USED = ".last-used"
_UNFINISHED = ".building-"
_KEY = re.compile(r"py\d+\.\d+-[0-9a-f]{32}")
_LAYOUT = 1  # goes into every key; another number when what is built changes
# What virtualenv seeds an environment with. setuptools 81 left pkg_resources out, which older libraries import.
SEEDS = {"pip": "pip", "setuptools": "setuptools<81", "wheel": "wheel"}
# Options of pip's files that uv takes on its command line only.
AS_ARGUMENTS = {"--pre": ("--prerelease", "allow"), "--prefer-binary": (), "--require-hashes": ("--require-hashes",),
                "--trusted-host": ("--allow-insecure-host",)}


@dataclass(frozen=True)
class Environment:
    """What an environment is to hold.

    ``python`` is a version or specifiers (None: this process's), ``requirements`` are PEP 508 requirements and options
    of pip, ``constraints`` bound them, ``build`` is installed before them. With ``millstream``, the running Millstream
    is installed too, with what it needs itself.
    """

    python: str | None = None
    requirements: tuple[str, ...] = ()
    constraints: tuple[str, ...] = ()
    build: tuple[str, ...] = ("pip", "setuptools", "wheel")
    millstream: bool = False


@dataclass(frozen=True)
class Built:
    """An environment that is there: its folder, its version of Python, what it holds, and when it was made and used.

    Times are seconds since 1970; ``reused`` says that nothing had to be built.
    """

    path: Path
    python_version: str
    requirements: tuple[str, ...]
    created: float
    last_used: float = field(compare=False)
    reused: bool = field(default=True, compare=False)

    @property
    def key(self) -> str:
        """The name of its folder, which follows from its content."""
        return self.path.name

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return self.path / "bin" / "python"

    @contextlib.contextmanager
    def in_use(self) -> Iterator[None]:
        """Keeps it from being removed meanwhile. Raises EnvironmentFailed when it was removed before."""
        with _locked(self.path.parent, self.key, fcntl.LOCK_SH):
            if not (self.path / STAMP).is_file():
                raise EnvironmentFailed(f"the environment {self.path} was removed", hint="build it again")
            with contextlib.suppress(OSError):  # on a disk that only others may write
                (self.path / _USED).touch()
            yield

    def variables(self) -> dict[str, str]:
        """The environment variables of a process that runs in it: ours, with its programs first on ``PATH``.

        Byte code is written, whatever we do ourselves: the first process compiles what all others use.
        """
        left_out = ("PYTHONHOME", "PYTHONPATH", "PYTHONSTARTUP", "PYTHONDONTWRITEBYTECODE", "PYENV_VERSION",
                    "CONDA_PREFIX", "CONDA_DEFAULT_ENV")
        kept = {name: value for name, value in os.environ.items() if name not in left_out}
        path = os.pathsep.join([str(self.path / "bin"), *filter(None, [kept.get("PATH")])])
        return {**kept, "PATH": path, "VIRTUAL_ENV": str(self.path)}


def environments_folder() -> Path:
    """The folder of all environments: ENV_ROOT, else ``millstream/envs`` in the user's cache folder."""
    named = settings.ENV_ROOT.get()
    if named:
        return Path(named).expanduser().absolute()
    cache = os.environ.get("XDG_CACHE_HOME") or ""
    return Path(cache if os.path.isabs(cache) else Path.home() / ".cache") / "millstream" / "envs"


def key_of(environment: Environment) -> str:
    """The name of an environment's folder. Raises PythonNotFound and InvalidValue, as :func:`build` does."""
    return _Plan.of(environment).key


def build(environment: Environment, *, root: Path | None = None) -> Built:
    """The environment, built now if it is not there.

    Raises PythonNotFound, InvalidValue for a line that is no requirement, and EnvironmentFailed with what uv said.
    """
    plan = _Plan.of(environment)
    root = root or environments_folder()
    found = _read(root / plan.key)
    if found is None:
        try:
            root.mkdir(parents=True, exist_ok=True)
            with _locked(root, plan.key, fcntl.LOCK_EX):
                found = _read(root / plan.key) or _make(plan, root)
        except OSError as error:
            raise EnvironmentFailed(f"the environment cannot be written to {root}: {error}",
                                    hint=f"set {settings.ENV_ROOT.variables[0]} to a folder with room") from error
    with contextlib.suppress(OSError):
        (found.path / _USED).touch()
    return found


@dataclass(frozen=True)
class _Plan:
    interpreter: interpreters.Interpreter
    requirements: tuple[str, ...]
    constraints: tuple[str, ...]
    seeds: tuple[str, ...]
    ours: Ourselves | None

    @classmethod
    def of(cls, environment: Environment) -> _Plan:
        interpreter = interpreters.find(environment.python)
        ours = ourselves() if environment.millstream else None
        if ours and interpreter.version < ours.python:
            oldest = ".".join(map(str, ours.python))
            raise InvalidValue(
                f"Millstream runs on Python {oldest} and later, and the environment is of Python {interpreter.text}",
                hint="run the model with env_manager='local', or save it again with a newer Python",
            )
        where = "the requirements of an environment"
        return cls(
            interpreter,
            tuple(_placed(checked(line, where)) for line in environment.requirements),
            tuple(checked(line, "the constraints of an environment") for line in environment.constraints),
            tuple(SEEDS.get(line.strip(), checked(line, where)) for line in environment.build),
            ours,
        )

    @property
    def key(self) -> str:
        told = [_LAYOUT, self.interpreter.text, self.interpreter.machine, os.path.realpath(self.interpreter.path),
                [_by_content(line) for line in self.requirements], self.constraints, self.seeds,
                self.ours and asdict(self.ours)]
        digest = hashlib.sha256(json.dumps(told).encode()).hexdigest()
        return f"py{self.interpreter.version[0]}.{self.interpreter.version[1]}-{digest[:32]}"


def _placed(line: str) -> str:
    """A requirement that is a file, with its place: uv works in another folder."""
    return Path(line).expanduser().absolute().as_uri() if ARCHIVE.fullmatch(line) else line


def _by_content(line: str) -> str:
    """A requirement as it counts for the key: a file of this machine by its name and content, not by its folder."""
    address = re.match(r"(?:[^/]*@\s*)?file://(?:localhost)?", line)
    if address:
        path = Path(unquote(line[address.end():]))
        with contextlib.suppress(OSError, ValueError):
            return f"{path.name} {hashlib.sha256(path.read_bytes()).hexdigest()}"
    return line


def _make(plan: _Plan, root: Path) -> Built:
    started = time.time()
    logger.info("Building an environment of Python %s with %d requirements", plan.interpreter.text,
                len(plan.requirements))
    work = Path(tempfile.mkdtemp(prefix=f"{_UNFINISHED}{plan.key}.", dir=root))
    try:
        folder = work / plan.key
        _uv(work, "venv", "--quiet", "--relocatable", "--no-project", "--python", plan.interpreter.path, str(folder))
        listed = [*plan.requirements, *(plan.ours.requirements if plan.ours else ())]
        if plan.seeds:
            _install(work, folder, "build", plan.seeds, ())
        if listed:
            _install(work, folder, "requirements", listed, plan.constraints)
        if plan.ours:
            plan.ours.put(next(folder.glob("lib/python*/site-packages")))
        told = {"python": plan.interpreter.text, "requirements": plan.requirements, "constraints": plan.constraints,
                "build": plan.seeds, "millstream": plan.ours and asdict(plan.ours), "created": started}
        (folder / STAMP).write_text(json.dumps(told, indent=1))
        target = root / plan.key
        shutil.rmtree(target, ignore_errors=True)  # one without a stamp is half removed
        folder.rename(target)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    logger.info("Built in %.1f seconds", time.time() - started)
    return Built(target, plan.interpreter.text, plan.requirements, started, time.time(), reused=False)


def _install(work: Path, folder: Path, name: str, lines: tuple[str, ...] | list[str], limits: tuple[str, ...]) -> None:
    file = work / f"{name}.txt"
    options = [line for line in lines if line.startswith("--") and re.split("[ =]", line)[0] in AS_ARGUMENTS]
    file.write_text("".join(f"{line}\n" for line in lines if line not in options))
    arguments = ["pip", "install", "--quiet", "--python", str(folder / "bin" / "python"), "-r", str(file)]
    for option in options:
        option, _, value = option.replace("=", " ").partition(" ")
        arguments += [*AS_ARGUMENTS[option], *([value.strip()] if value else [])]
    if limits:
        constraints = work / f"{name}-constraints.txt"
        constraints.write_text("".join(f"{line}\n" for line in limits))
        arguments += ["-c", str(constraints)]
    _uv(work, *arguments)


def _uv(work: Path, *arguments: str) -> None:
    left_out = ("VIRTUAL_ENV", "PYTHONHOME", "UV_PYTHON", "UV_SYSTEM_PYTHON", "UV_PROJECT_ENVIRONMENT")
    variables = {name: value for name, value in os.environ.items() if name not in left_out}
    variables |= {**uv_variables(os.environ), "UV_PYTHON_DOWNLOADS": "never", "UV_NO_PROGRESS": "1", "NO_COLOR": "1"}
    # In a folder of its own, so that the settings of a project that we happen to stand in do not count.
    with subprocess.Popen(
        [interpreters.uv(), *arguments], cwd=work, env=variables, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True, errors="replace",
    ) as process:
        try:
            said, _ = process.communicate()
        except BaseException:
            process.kill()
            raise
    if process.returncode:
        message, hint = _told(said, str(work))
        raise EnvironmentFailed(f"the environment cannot be built: {message or f'uv ended with {process.returncode}'}",
                                hint=hint or "correct the requirement that it names")
    for line in said.splitlines():
        if line.startswith("warning:") and "hardlink" not in line:
            logger.warning("uv: %s", line.removeprefix("warning:").strip())


def _told(said: str, work: str) -> tuple[str, str | None]:
    """uv's error and its hints, without the frame it draws around them."""
    text = re.sub(r"^[ \t]*(?:[×├╰│]─?[▶─]*|error:)[ \t]*", "", said, flags=re.MULTILINE)
    text = text.replace(work + os.sep, "")
    parts = re.split(r"^\s*hint:\s*", text, flags=re.MULTILINE)
    flat = [" ".join(line.strip() for line in part.splitlines() if line.strip() and not line.startswith("warning:"))
            for part in parts]
    flat[0] = re.sub(r"\s+cause:", ":", flat[0])
    return flat[0], "; ".join(flat[1:]) or None


@contextlib.contextmanager
def _locked(root: Path, key: str, kind: int) -> Iterator[None]:
    folder = root / ".locks"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = open(folder / key, "a")
    except OSError:
        if kind != fcntl.LOCK_SH:
            raise
        yield  # a folder that we may only read: who may remove from it is not us
        return
    with lock:
        fcntl.flock(lock, kind)
        yield


def _read(folder: Path) -> Built | None:
    try:
        told = json.loads((folder / STAMP).read_bytes())
        used = (folder / _USED).stat().st_mtime if (folder / _USED).exists() else float(told["created"])
        built = Built(folder, str(told["python"]), tuple(told["requirements"]), float(told["created"]), used)
    except (OSError, ValueError, KeyError, TypeError):
        return None
    # The interpreter that it was made from may be gone.
    return built if os.access(built.python, os.X_OK) else None


def built(root: Path | None = None) -> list[Built]:
    """Every environment that is there, the one used last first."""
    root = root or environments_folder()
    if not root.is_dir():
        return []
    found = (_read(entry) for entry in root.iterdir() if not entry.name.startswith("."))
    return sorted((one for one in found if one), key=lambda one: (-one.last_used, one.key))


def remove(environment: Built) -> bool:
    """Remove an environment; False when a process uses it. Raises EnvironmentFailed where that is not allowed."""
    try:
        with _locked(environment.path.parent, environment.key, fcntl.LOCK_EX | fcntl.LOCK_NB):
            (environment.path / STAMP).unlink(missing_ok=True)
            shutil.rmtree(environment.path)
    except BlockingIOError:
        return False
    except OSError as error:
        raise EnvironmentFailed(f"the environment {environment.path} cannot be removed: {error}",
                                hint="ask whoever owns its folder") from error
    return True


def sweep(root: Path | None = None) -> int:
    """Remove what builds and removals that were killed have left, and return how many folders that were."""
    root = root or environments_folder()
    swept = 0
    for entry in list(root.iterdir()) if root.is_dir() else []:
        key = _KEY.search(entry.name)
        if key is None or (entry.name == key[0] and _read(entry)):
            continue
        with contextlib.suppress(BlockingIOError), _locked(root, key[0], fcntl.LOCK_EX | fcntl.LOCK_NB):
            shutil.rmtree(entry, ignore_errors=True)
            swept += 1
    return swept


def size_of(environment: Built) -> int:
    """The bytes of its files; those that are links into uv's cache count as well."""
    total = 0
    for folder, _, names in os.walk(environment.path):
        for name in names:
            with contextlib.suppress(OSError):
                total += os.lstat(os.path.join(folder, name)).st_size
    return total
