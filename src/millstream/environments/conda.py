"""Environments with packages that only conda has, made by conda, mamba or micromamba, whichever is installed.

The programs are asked by their command line: https://docs.conda.io/projects/conda/en/stable/commands/env/create.html
and https://mamba.readthedocs.io/en/latest/user_guide/micromamba.html. What they make stays where it was made, since its
files hold the name of the folder. They do not install pip's part, which uv does as everywhere.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from millstream import settings
from millstream.environments import interpreters
from millstream.environments.conda_files import Conda
from millstream.environments.installing import Workplace
from millstream.errors import EnvironmentFailed, InvalidValue

__all__ = ["PROGRAMS", "activation", "create", "program", "required"]

PROGRAMS = ("conda", "mamba", "micromamba")
# They ask before they install, unless told; newer ones have an option for it, older ones do not know it.
_YES = {"CONDA_ALWAYS_YES": "true", "MAMBA_ALWAYS_YES": "true", "MAMBA_NO_BANNER": "1"}
# Packages may come with scripts that set variables, such as JAVA_HOME.
_ACTIVATE = 'for script in "$1"/etc/conda/activate.d/*.sh; do . "$script"; done >/dev/null 2>&1; env -0'


def program() -> str | None:
    """The path of the program that makes environments of conda; None without one.

    CONDA_CREATE_ENV_CMD names it; else it is the first of :data:`PROGRAMS` that is installed. Looked for in CONDA_HOME,
    where conda's own variables point to, on ``PATH``, and where its installers put it.
    """
    asked, home = settings.CONDA_CREATE_ENV_CMD.get(), settings.CONDA_HOME.get()
    if asked and os.path.basename(asked) not in PROGRAMS:
        raise InvalidValue.of(settings.CONDA_CREATE_ENV_CMD.variables[0], asked, f"it is none of {', '.join(PROGRAMS)}")
    if asked and os.path.isabs(asked):
        return _runs(asked)
    folders = [os.path.join(os.path.expanduser(home), name) for name in ("bin", "condabin")] if home else []
    for name in (asked,) if asked else PROGRAMS:
        told = os.environ.get({"conda": "CONDA_EXE"}.get(name, "MAMBA_EXE"), "")
        places = [os.path.join(folder, name) for folder in folders]
        places += [told] if os.path.basename(told) == name else []
        places += filter(None, [shutil.which(name)])
        places += [str(root / "bin" / name) for root in interpreters.conda_roots()]
        found = next(filter(None, map(_runs, places)), None)
        if found:
            return found
    return None


def _runs(path: str) -> str | None:
    return path if os.path.isfile(path) and os.access(path, os.X_OK) else None


def required(packages: Iterable[str]) -> str:
    """The same program. Raises EnvironmentFailed, naming the packages that ask for it, when there is none."""
    found = program()
    if found is None:
        raise EnvironmentFailed(
            f"the environment needs packages of conda ({', '.join(packages)}), and none of {', '.join(PROGRAMS)} is "
            "installed",
            hint="install micromamba or conda (where it lies can be told with "
                 f"{settings.CONDA_HOME.variables[0]}), or ask pip for what a package index has",
        )
    return found


def create(work: Workplace, prefix: Path, conda: Conda) -> None:
    """Make an environment in the folder ``prefix``. Raises EnvironmentFailed with what the program said."""
    import yaml

    command = required(conda.own or conda.packages)
    content: dict[str, Any] = {"channels": list(conda.channels)} if conda.channels else {}
    file = work.folder / "environment.yml"
    file.write_text(yaml.safe_dump({**content, "dependencies": list(conda.packages)}, sort_keys=False))
    start = ["create", "--yes"] if os.path.basename(command) == "micromamba" else ["env", "create"]
    work.run([command, *start, "--quiet", "--prefix", str(prefix), "--file", str(file)], _YES)


def activation(prefix: Path) -> dict[str, str]:
    """The variables that the packages of an environment set when it is activated, beside ``PATH``."""
    if not (prefix / "etc" / "conda" / "activate.d").is_dir():
        return {}
    before = {"PATH": f"{prefix / 'bin'}{os.pathsep}{os.environ.get('PATH', '')}", "CONDA_PREFIX": str(prefix),
              "HOME": os.environ.get("HOME", str(prefix))}
    done = subprocess.run(["bash", "-c", _ACTIVATE, "bash", str(prefix)], env=before, cwd=prefix, capture_output=True,
                          stdin=subprocess.DEVNULL, check=False)
    pairs = (item.partition("=") for item in done.stdout.decode(errors="surrogateescape").split("\0") if item)
    ignored = {"PATH", "PWD", "OLDPWD", "SHLVL", "_", *before}
    return {name: value for name, _, value in pairs if name not in ignored}
