"""The key of a step: the same for the same code, command, parameters, data and environment, and else another."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from millstream.errors import BadPipeline
from millstream.projects.pipelines.code import digest_of

if TYPE_CHECKING:
    from millstream.projects.pipelines.graph import Step

__all__ = ["data_digests", "environment_key", "file_parameters", "key_of"]

_FORMAT = 1  # goes into every key; another number when a key comes to mean something else


def key_of(
    step: Step, *, code: str, parameters: Mapping[str, str], inputs: Mapping[str, str], data: Mapping[str, str],
    environment: str,
) -> str:
    """The key of a step: 64 hexadecimal digits.

    ``code`` is the digest of its files, ``inputs`` maps what it needs (``prepare.clean``; a step without outputs by its
    name) to digests, ``data`` maps places of other data to digests, ``environment`` is the key of its environment.
    """
    told = [
        _FORMAT, step.name, step.entry_point.command, sorted(parameters.items()), sorted(step.makes.items()), code,
        sorted(inputs.items()), sorted(data.items()), environment,
    ]
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()


def data_digests(places: tuple[str, ...], folder: Path, step: str) -> dict[str, str]:
    """Each of the ``places`` (paths relative to ``folder``, or addresses) with the digest of what lies there.

    Raises BadPipeline for a path where nothing is, and what the artifact store of an address raises.
    """
    from millstream.data.file_dataset import from_file

    found: dict[str, str] = {}
    for place in places:
        if "://" in place:
            found[place] = from_file(place).digest
            continue
        path = folder / place
        if not path.exists():
            raise BadPipeline(f"the data {place!r} of the entry point {step!r} is not there",
                              hint=f"put it at {place} in the project's folder, or let another entry point make it")
        found[place] = digest_of(path)
    return found


def file_parameters(step: Step, parameters: Mapping[str, str], folder: Path) -> dict[str, str]:
    """The parameters of type ``path`` that name files of this machine, with the digests of those files."""
    found: dict[str, str] = {}
    for name, declared in step.entry_point.parameters.items():
        value = parameters.get(name)
        if declared.type != "path" or not value or "://" in value or value in step.inputs.values():
            continue
        path = folder / os.path.expanduser(value)
        if path.exists():
            found[f"parameter {name}"] = digest_of(path)
    return found


def environment_key() -> str:
    """What stands for the environment of a step that runs in this process's own: its Python and its packages."""
    from millstream.tracking.environment import installed_packages

    packages = "".join(f"{package.requirement()}\n" for package in installed_packages(sys.path))
    digest = hashlib.sha256(packages.encode()).hexdigest()
    return f"local {platform.python_implementation()} {platform.python_version()} {platform.machine()} {digest}"
