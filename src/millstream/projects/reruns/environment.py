"""The interpreter that a run is repeated with: this one if it has the same packages, else one built from the record."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from millstream.environments import building
from millstream.environments.building import Environment
from millstream.errors import CannotRerun, EnvironmentFailed, InvalidValue
from millstream.operations import GetExperiment
from millstream.tracking.environment import capture
from millstream.tracking.late import ENVIRONMENT
from millstream.tracking.stores import store

if TYPE_CHECKING:
    from millstream.entities import Run

__all__ = ["Interpreter", "differences", "interpreter_for", "recorded"]

_HERE = "run it in this environment as it is: --env-manager local"


@dataclass(frozen=True)
class Interpreter:
    """A Python, the variables of a process that runs in it, and what is worth saying of it."""

    python: Path
    variables: Mapping[str, str]
    notes: tuple[str, ...] = ()


def recorded(run: Run, uri: str) -> dict[str, Any] | None:
    """What a run has recorded of its environment; None when it has not."""
    digest = run.data.tags.get(ENVIRONMENT)
    if digest is None:
        return None
    experiment = store(uri).execute(GetExperiment(run.info.experiment_id)).experiment
    text = {tag.key: tag.value for tag in experiment.tag_list}.get(f"{ENVIRONMENT}.{digest}")
    facts = json.loads(text) if text else None
    return facts if isinstance(facts, dict) else None


def interpreter_for(run: Run, uri: str, env_manager: str | None) -> Interpreter:
    """Where to run the program of a run again.

    ``env_manager`` "local" is this process's environment; None and "uv" mean the recorded packages, in this environment
    when it holds just those. Raises CannotRerun, EnvironmentFailed and PythonNotFound.
    """
    if env_manager not in (None, "uv", "virtualenv", "local"):
        raise InvalidValue.of("env_manager", env_manager, "packages that were recorded are installed by uv",
                              hint="name uv or local")
    here = Path(sys.executable)
    facts = recorded(run, uri)
    if facts is None:
        return Interpreter(here, dict(os.environ), ("its environment was not recorded: it runs in this one",))
    told = differences(facts, capture().to_dict())
    if not told:
        return Interpreter(here, dict(os.environ))
    if env_manager == "local":
        return Interpreter(here, dict(os.environ), told)
    built = _built(facts)
    # A patch version that is not here is replaced by its neighbour.
    notes = () if built.python_version == facts["python"] else (f"Python {facts['python']} → {built.python_version}",)
    return Interpreter(built.python, built.variables(), notes)


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[str, ...]:
    """What two recorded environments have not in common, a line each: the version of Python, and packages."""
    lines = []
    if before["python"] != after["python"]:
        lines.append(f"Python {before['python']} → {after['python']}")
    old, new = before["packages"], after["packages"]
    for name in sorted({*old, *new}):
        if old.get(name) != new.get(name):
            lines.append(f"{name} {old.get(name, 'absent')} → {new.get(name, 'absent')}")
    return tuple(lines)


def _built(facts: Mapping[str, Any]) -> building.Built:
    packages: dict[str, str] = dict(facts["packages"])
    if isinstance(packages.get("count"), int):
        raise CannotRerun(f"the environment of the run had {packages['count']} packages, too many to be recorded",
                          hint=_HERE)
    packages.pop("millstream", None)
    environment = Environment(
        python=facts["python"], requirements=tuple(f"{name}=={version}" for name, version in sorted(packages.items())),
        build=(), millstream=True,  # who recorded them
    )
    try:
        return building.build(environment)
    except EnvironmentFailed as error:
        raise EnvironmentFailed(f"the packages of the run cannot be installed again: {error.message}",
                                hint=_HERE) from error
