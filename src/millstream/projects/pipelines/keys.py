"""The key of a step: the same for the same code, command, parameters, data and environment, and else another."""

from __future__ import annotations

import hashlib
import json
import platform
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from millstream.projects.pipelines.code import digest_of

if TYPE_CHECKING:
    from millstream.projects.pipelines.graph import Step

__all__ = ["by_content", "data_digests", "environment_key", "key_of"]

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


def data_digests(places: Iterable[str], folder: Path) -> dict[str, str]:
    """Each of the ``places`` (addresses, and paths, which count from ``folder``) with the digest of what lies there."""
    from millstream.data.file_dataset import from_file

    return {place: from_file(place).digest if "://" in place else digest_of(folder / place) for place in places}


def by_content(step: Step, values: Mapping[str, str], folder: Path) -> dict[str, str]:
    """The values of a step as they count for its key: files of this machine, in parameters of type ``path``, by what
    they hold, and by their path only where that is the output of a step."""
    found = dict(values)
    for name, declared in step.entry_point.parameters.items():
        value = values[name]
        if declared.type == "path" and value not in step.inputs.values() and (folder / value).exists():
            found[name] = f"sha256:{digest_of(folder / value)}"
    return found


def environment_key() -> str:
    """What stands for the environment of a step that runs in this process's own: its Python and its packages."""
    from millstream.tracking.environment import installed_packages

    packages = "".join(f"{package.requirement()}\n" for package in installed_packages(sys.path))
    digest = hashlib.sha256(packages.encode()).hexdigest()
    return f"local {platform.python_implementation()} {platform.python_version()} {platform.machine()} {digest}"
