"""Environments made from their descriptions, for projects and for whoever else runs the code of a folder."""

from __future__ import annotations

from collections.abc import Iterable

from packaging.requirements import Requirement

from millstream._version import VERSION
from millstream.environments import building
from millstream.environments.building import SEEDS, Built, Environment
from millstream.environments.conda import program
from millstream.environments.conda_files import name_of
from millstream.environments.descriptions import Description
from millstream.environments.lines import distribution_in
from millstream.environments.ourselves import ourselves
from millstream.errors import InvalidValue

__all__ = ["MANAGERS", "environment_of", "managed", "prepare"]

# virtualenv and uv mean the same: an environment of Python's own, built by uv.
MANAGERS = ("uv", "virtualenv", "conda", "local")


def managed(manager: str | None, default: str = "uv") -> str:
    """The environment manager of that name, ``default`` for None. Raises InvalidValue for a name that is none."""
    if manager not in (*MANAGERS, None):
        raise InvalidValue.of("env_manager", manager, f"it is none of {', '.join(MANAGERS)}")
    return manager or default


def prepare(description: Description, *, manager: str = "uv", seeded: bool = True) -> Built:
    """The environment that is described, built now unless it is there.

    Packages that only conda has are installed by conda, mamba or micromamba, whatever the manager; with the manager
    "conda" those make all environments that a ``conda.yaml`` describes, if they are there. With ``seeded`` it holds
    what virtualenv seeds: pip, setuptools with pkg_resources, and wheel. Raises PythonNotFound, EnvironmentFailed with
    what the installer said, and InvalidValue for the manager "local", which has no environment.

    Who requires ``millstream`` in a version that the running one meets gets that, also where it is a checkout.
    """
    return building.build(environment_of(description, manager=manager, seeded=seeded))


def environment_of(description: Description, *, manager: str = "uv", seeded: bool = True) -> Environment:
    """What :func:`prepare` builds, for :func:`millstream.environments.building.key_of`. Raises InvalidValue."""
    if managed(manager) == "local":
        raise InvalidValue("env_manager='local' has no environment to build", hint="use env_manager='uv'")
    rest = tuple(line for line in description.requirements if not _is_this_one(line))
    conda = description.conda
    if conda is None or not (conda.own or (manager == "conda" and program())):
        python, conda = description.python, None
        build = _with_seeds(description.build) if seeded else description.build
    else:  # pip and the others are told to conda, where it is told of them
        names = {name_of(package) for package in conda.packages}
        python = None
        build = tuple(name for name in SEEDS if name not in names) if seeded and "python" in names else ()
    return Environment(python, rest, description.constraints, build, conda=conda, variables=description.variables,
                       millstream=len(rest) < len(description.requirements))


def _is_this_one(line: str) -> bool:
    """Whether a requirement asks for the Millstream that runs, where no package index has that: of a checkout, say."""
    if distribution_in(line) != "millstream" or "--hash" in line or ourselves().source is None:
        return False
    asked = Requirement(line)
    return not asked.url and not asked.extras and asked.specifier.contains(VERSION, prereleases=True)


def _with_seeds(build: Iterable[str]) -> tuple[str, ...]:
    asked = tuple(build)
    named = {distribution_in(line) for line in asked}
    return (*(name for name in SEEDS if name not in named), *asked)
