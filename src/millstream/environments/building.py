"""Virtual environments, built by uv and kept by what they hold.

An environment lies in the folder of ENV_ROOT under a key made of its interpreter and its requirements: who asks for the
same again, in any process, gets the same one at once. It is built beside, and moved into place when it is whole, while
a lock keeps others from building it too. Files are links into uv's cache, where the file system has links. One with
packages that only conda has is made in its place by conda, as it cannot be moved, and counts once it has its stamp.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import logging
import os
import platform
import re
import shutil
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from millstream import settings
from millstream.environments import conda, conda_files, folders, interpreters
from millstream.environments.conda_files import Conda
from millstream.environments.installing import Workplace
from millstream.environments.lines import ARCHIVE, checked
from millstream.environments.ourselves import Ourselves, ourselves
from millstream.environments.places import EXPORTS, environments_folder
from millstream.errors import EnvironmentFailed, InvalidValue

__all__ = [
    "SEEDS", "Built", "Environment", "build", "built", "environments_folder", "key_of", "remove", "size_of", "sweep",
]

logger = logging.getLogger("millstream")

STAMP = "millstream-environment.json"
_USED = ".last-used"
_UNFINISHED = ".building-"
_KEY = re.compile(r"(?:py\d+\.\d+|conda)-[0-9a-f]{32}")
_FORGOTTEN = 90 * 86_400
_LAYOUT = 1  # goes into every key; another number when what is built changes
# What virtualenv seeds an environment with. setuptools 81 left pkg_resources out, which older libraries import.
SEEDS = {"pip": "pip", "setuptools": "setuptools<81", "wheel": "wheel"}


@dataclass(frozen=True)
class Environment:
    """What an environment is to hold.

    ``python`` is a version or specifiers (None: this process's), ``requirements`` are PEP 508 requirements and options
    of pip, ``constraints`` bound them, ``build`` is installed before them. With ``millstream``, the running Millstream
    is installed too, with what it needs itself. ``conda`` comes first of all, and Python with it, whatever ``python``
    says. ``variables`` are set where it is used.
    """

    python: str | None = None
    requirements: tuple[str, ...] = ()
    constraints: tuple[str, ...] = ()
    build: tuple[str, ...] = ("pip", "setuptools", "wheel")
    millstream: bool = False
    conda: Conda | None = None
    variables: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Built:
    """An environment that is there: its folder, its version of Python, what it holds, and when it was made and used.

    Times are seconds since 1970; ``reused`` says that nothing had to be built. The version is "" where conda was asked
    for no Python. ``activation`` are the variables that its description or packages of conda set.
    """

    path: Path
    python_version: str
    requirements: tuple[str, ...]
    created: float
    last_used: float = field(compare=False)
    reused: bool = field(default=True, compare=False)
    activation: dict[str, str] = field(default_factory=dict, compare=False)

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
                    "CONDA_PREFIX", "CONDA_DEFAULT_ENV", "VIRTUAL_ENV")
        kept = {name: value for name, value in os.environ.items() if name not in left_out}
        path = os.pathsep.join([str(self.path / "bin"), *filter(None, [kept.get("PATH")])])
        named = "CONDA_PREFIX" if self.key.startswith("conda-") else "VIRTUAL_ENV"
        return {**kept, **self.activation, "PATH": path, named: str(self.path)}


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
            with _locked(root, plan.key, fcntl.LOCK_EX) as lock:
                found = _read(root / plan.key) or _make(plan, root, lock)
        except OSError as error:
            raise EnvironmentFailed(f"the environment cannot be written to {root}: {error}",
                                    hint=f"set {settings.ENV_ROOT.variables[0]} to a folder with room") from error
    with contextlib.suppress(OSError):
        (found.path / _USED).touch()
    return found


@dataclass(frozen=True)
class _Plan:
    interpreter: interpreters.Interpreter | None  # None: conda brings one
    requirements: tuple[str, ...]
    constraints: tuple[str, ...]
    seeds: tuple[str, ...]
    ours: Ourselves | None
    conda: Conda | None
    variables: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, environment: Environment) -> _Plan:
        interpreter = None if environment.conda else interpreters.find(environment.python)
        ours = ourselves() if environment.millstream else None
        if interpreter and ours:
            _suits(interpreter, ours)
        where = "the requirements of an environment"
        return cls(
            interpreter,
            tuple(_placed(checked(line, where)) for line in environment.requirements),
            tuple(checked(line, "the constraints of an environment") for line in environment.constraints),
            tuple(SEEDS.get(line.strip(), checked(line, where)) for line in environment.build),
            ours,
            environment.conda,
            environment.variables,
        )

    @property
    def key(self) -> str:
        python = self.interpreter
        told = [_LAYOUT, *([python.text, python.machine, os.path.realpath(python.path)] if python else []),
                *map(_ordered, (self.requirements, self.constraints, self.seeds)), self.ours and asdict(self.ours)]
        if self.conda:
            told += [platform.machine(), asdict(self.conda)]
        if self.variables:
            told.append(dict(self.variables))
        digest = hashlib.sha256(json.dumps(told).encode()).hexdigest()
        kind = f"py{python.version[0]}.{python.version[1]}" if python else "conda"
        return f"{kind}-{digest[:32]}"


def _suits(interpreter: interpreters.Interpreter, ours: Ourselves) -> None:
    if interpreter.version < ours.python:
        oldest = ".".join(map(str, ours.python))
        raise InvalidValue(
            f"Millstream runs on Python {oldest} and later, and the environment is of Python {interpreter.text}",
            hint="name a newer Python, or use env_manager='local'",
        )


def _placed(line: str) -> str:
    """A requirement that is a file, with its place: uv works in another folder."""
    return Path(os.path.expanduser(line)).absolute().as_uri() if ARCHIVE.fullmatch(line) else line


def _ordered(lines: tuple[str, ...]) -> list[list[str]]:
    """Lines as they count for the key: options in their order, requirements in any."""
    options = [line for line in lines if line.startswith("-")]
    return [options, sorted({_by_content(line) for line in lines if not line.startswith("-")})]


def _by_content(line: str) -> str:
    """A requirement as it counts for the key: what lies on this machine by its name and content, not by its folder."""
    place = folders.place_of(line)
    if place:
        path, extras = place
        with contextlib.suppress(OSError, ValueError):
            if path.is_dir():
                return f"{folders.digest_of(path)}{extras}"
            return f"{path.name}{extras} {hashlib.sha256(path.read_bytes()).hexdigest()}"
    return line


def _make(plan: _Plan, root: Path, lock: int) -> Built:
    started = time.time()
    said = f"Python {plan.interpreter.text}" if plan.interpreter else "packages of conda"
    logger.info("Building an environment of %s with %d requirements", said, len(plan.requirements))
    target = root / plan.key
    shutil.rmtree(target, ignore_errors=True)  # one without a stamp is half built or half removed
    work = Workplace(Path(tempfile.mkdtemp(prefix=f"{_UNFINISHED}{plan.key}.", dir=root)), lock)
    whole = False
    try:
        folder, interpreter = _base(plan, work, target)
        listed = [*(_copied(line, work.folder) for line in plan.requirements),
                  *(plan.ours.requirements if plan.ours else ())]
        python = folder / "bin" / "python"
        if plan.seeds:
            work.install(python, "build", plan.seeds)
        if listed:
            work.install(python, "requirements", listed, plan.constraints)
        if plan.ours:
            plan.ours.put(next(folder.glob("lib/python*/site-packages")))
        activation = {**(conda.activation(folder) if plan.conda else {}), **dict(plan.variables)}
        made = Built(target, interpreter.text if interpreter else "", plan.requirements, started, time.time(),
                     reused=False, activation=activation)
        told = {"python": made.python_version, "requirements": plan.requirements, "constraints": plan.constraints,
                "build": plan.seeds, "millstream": plan.ours and asdict(plan.ours),
                "conda": plan.conda and asdict(plan.conda), "created": started, "activation": activation}
        (work.folder / STAMP).write_text(json.dumps(told, indent=1))
        (work.folder / STAMP).rename(folder / STAMP)
        if folder != target:
            folder.rename(target)
        whole = True
    finally:
        shutil.rmtree(work.folder, ignore_errors=True)
        if not whole:
            shutil.rmtree(target, ignore_errors=True)
    logger.info("Built in %.1f seconds", time.time() - started)
    return made


def _base(plan: _Plan, work: Workplace, target: Path) -> tuple[Path, interpreters.Interpreter | None]:
    """An environment with Python and what conda has, where it is to be filled; Python is None where conda has none."""
    if plan.conda is None:
        assert plan.interpreter is not None
        folder = work.folder / plan.key
        work.uv("venv", "--quiet", "--relocatable", "--no-project", "--python", plan.interpreter.path, str(folder))
        return folder, plan.interpreter
    needs_python = plan.requirements or plan.seeds or plan.ours
    names = {conda_files.name_of(package) for package in plan.conda.packages}
    extra = () if "python" in names or not needs_python else ("python",)
    conda.create(work, target, replace(plan.conda, packages=(*plan.conda.packages, *extra)))
    if not (target / "bin" / "python").exists():
        return target, None
    interpreter = interpreters.ask(str(target / "bin" / "python"))
    if interpreter is None:
        raise EnvironmentFailed("the environment cannot be built: the Python that conda installed does not run")
    if plan.ours:
        _suits(interpreter, plan.ours)
    return target, interpreter


def _copied(line: str, work: Path) -> str:
    """A requirement that is a folder, as a copy of what counts in it."""
    place = folders.place_of(line)
    if place is None or not place[0].is_dir():
        return line
    path, extras = place
    copy = Path(tempfile.mkdtemp(prefix="folder-", dir=work)) / path.name
    folders.copied(path, copy)
    return f"{copy.as_uri()}{extras}"


@contextlib.contextmanager
def _locked(root: Path, key: str, kind: int) -> Iterator[int]:
    """Holds the lock of a key, and gives its descriptor; -1 where nothing can be locked."""
    folder = root / ".locks"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = open(folder / key, "a")
    except OSError:
        if kind != fcntl.LOCK_SH:
            raise
        yield -1  # a folder that we may only read: who may remove from it is not us
        return
    with lock:
        fcntl.flock(lock, kind)
        yield lock.fileno()


def _read(folder: Path) -> Built | None:
    try:
        told = json.loads((folder / STAMP).read_bytes())
        used = (folder / _USED).stat().st_mtime if (folder / _USED).exists() else float(told["created"])
        built = Built(folder, str(told["python"]), tuple(told["requirements"]), float(told["created"]), used,
                      activation=dict(told.get("activation") or {}))
    except (OSError, ValueError, KeyError, TypeError):
        return None
    # The interpreter that it was made from may be gone.
    return built if not built.python_version or os.access(built.python, os.X_OK) else None


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
    """Remove what builds and removals that were killed have left, and return how many folders that were.

    Locks of uv that were read long ago are forgotten as well.
    """
    root = root or environments_folder()
    swept = 0
    for entry in list(root.iterdir()) if root.is_dir() else []:
        key = _KEY.search(entry.name)
        if key is None or (entry.name == key[0] and _read(entry)):
            continue
        with contextlib.suppress(BlockingIOError), _locked(root, key[0], fcntl.LOCK_EX | fcntl.LOCK_NB):
            shutil.rmtree(entry, ignore_errors=True)
            swept += 1
    before = time.time() - _FORGOTTEN
    with contextlib.suppress(OSError):
        for entry in list((root / EXPORTS).iterdir()):
            if entry.stat().st_mtime < before:
                entry.unlink()
    return swept


def size_of(environment: Built) -> int:
    """The bytes of its files; those that are links into uv's cache count as well."""
    total = 0
    for folder, _, names in os.walk(environment.path):
        for name in names:
            with contextlib.suppress(OSError):
                total += os.lstat(os.path.join(folder, name)).st_size
    return total
