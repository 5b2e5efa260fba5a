"""What conda's environment files say, in the format of
https://docs.conda.io/projects/conda/en/stable/user-guide/tasks/manage-environments.html.

Many of them hold nothing that only conda could install: Python, pip and a list for pip. Those are told apart here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from millstream.environments.lines import Requirements, read_requirements
from millstream.errors import InvalidValue

__all__ = [
    "Conda", "build_tools", "dependencies", "name_of", "pip_section", "python_version", "variables_in",
]

# Packages of conda that every environment of Python's own has, or gets from a package index in the same form.
_EVERYWHERE = frozenset({"python", "pip", "setuptools", "wheel"})
# name, version and build of a match specification, with the channel that it may start with.
_PACKAGE = re.compile(
    r"(?:(?P<channel>[\w./:-]+?)::)?(?P<name>[A-Za-z0-9_][A-Za-z0-9_.-]*)"
    r"(?P<rest>(?:\s*[=<>!~]|\s+[\d*]|\[)[\w.*+!=<>|,~ \[\]'\"^$()/:-]*)?"
)
_CHANNEL = re.compile(r"[A-Za-z0-9_.][\w./:@%+~-]*")
_VARIABLE = re.compile(r"[A-Za-z_]\w*", re.ASCII)
_EXACT = re.compile(r"(?:\s*={1,2}\s*|\s+)(?P<version>\d[\w.]*?)(?P<any>\.\*|\*)?(?:[= ]\s*[\w*]+)?")
_BOUNDS = re.compile(r"(?:[<>!]=?|==|~=)\s*[\w.*]+(?:\s*,\s*(?:[<>!]=?|==|~=)\s*[\w.*]+)*")


@dataclass(frozen=True)
class Conda:
    """What conda itself is asked for: packages in its notation, Python and pip among them, and where to look first."""

    packages: tuple[str, ...]
    channels: tuple[str, ...] = ()

    @property
    def own(self) -> tuple[str, ...]:
        """The packages that no virtual environment would have: those beside Python, pip, setuptools and wheel."""
        return tuple(one for one in self.packages if name_of(one) not in _EVERYWHERE)

    @classmethod
    def of(cls, content: Mapping[str, Any], where: str) -> Conda:
        """What a file asks for. Raises InvalidValue for what conda would not understand."""
        packages = [item for item in dependencies(content) if isinstance(item, str)]
        channels = content.get("channels") or []
        if not isinstance(channels, list):
            raise InvalidValue(f"the `channels` of {where} are a list")
        for item in packages:
            if not _PACKAGE.fullmatch(item.strip()):
                raise InvalidValue(f"{item!r} in {where} is no package of conda",
                                   hint="write name, name=1.2 or name>=1,<2, and pip's requirements in a `pip:` list")
        for channel in channels:
            if not isinstance(channel, str) or not _CHANNEL.fullmatch(channel):
                raise InvalidValue(f"{channel!r} in {where} is no channel of conda",
                                   hint="write a name such as conda-forge, or an address")
        return cls(tuple(item.strip() for item in packages), tuple(channels))


def dependencies(content: Mapping[str, Any]) -> list[Any]:
    """The list of that name. Raises InvalidValue for another shape."""
    found = content.get("dependencies") or []
    if not isinstance(found, list):
        raise InvalidValue("the `dependencies` of a conda environment are a list")
    return found


def pip_section(
    content: Mapping[str, Any], folder: Path, *, inside: Path | None = None, local: Path | None = None
) -> Requirements:
    """What the lists named ``pip`` hold; files that they name lie in ``folder``. See :func:`read_requirements`."""
    found = Requirements()
    for item in dependencies(content):
        if isinstance(item, Mapping) and isinstance(item.get("pip"), list):
            part = read_requirements([str(line) for line in item["pip"]], inside=inside, beside=folder, local=local)
            found.lines += part.lines
            found.constraints += part.constraints
    return found


def variables_in(content: Mapping[str, Any], where: str) -> tuple[tuple[str, str], ...]:
    """The environment variables that a file sets. Raises InvalidValue for what is none."""
    found = content.get("variables") or {}
    pairs = tuple((str(name), str(value)) for name, value in found.items()) if isinstance(found, Mapping) else None
    if pairs is None or not all(_VARIABLE.fullmatch(name) and "\0" not in value for name, value in pairs):
        raise InvalidValue(f"the `variables` of {where} are names with values",
                           hint="write them as a mapping, such as OMP_NUM_THREADS: 1")
    return pairs


def python_version(content: Mapping[str, Any]) -> str | None:
    """The version of Python that is asked for, ``3.9``, ``3.9.18`` or bounds of it; None when any will do."""
    for item in dependencies(content):
        if isinstance(item, str) and name_of(item) == "python":
            rest = _rest(item)
            exact, bounds = _EXACT.fullmatch(rest), _BOUNDS.fullmatch(rest.strip())
            if exact:
                return exact["version"]
            if bounds:
                return bounds[0]
    return None


def build_tools(content: Mapping[str, Any]) -> list[str]:
    """pip, setuptools and wheel as far as the file names them, as requirements with the versions that it asks for."""
    found = []
    for item in dependencies(content):
        name = name_of(item) if isinstance(item, str) else ""
        if name in _EVERYWHERE - {"python"}:
            rest = _rest(item)
            exact, bounds = _EXACT.fullmatch(rest), _BOUNDS.fullmatch(rest.strip())
            if exact:  # one equals sign asks for any version that starts so
                whole = rest.lstrip().startswith("==") and not exact["any"]
                found.append(f"{name}=={exact['version']}" + ("" if whole else ".*"))
            else:
                found.append(name + (bounds[0].replace(" ", "") if bounds else ""))
    return found


def name_of(package: str) -> str:
    """The name in a package of conda's notation."""
    match = _PACKAGE.match(package.strip())
    return match["name"].lower() if match else package


def _rest(package: str) -> str:
    match = _PACKAGE.fullmatch(package.strip())
    return (match["rest"] or "").rstrip() if match else ""
