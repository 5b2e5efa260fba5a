"""The environment of a run: Python, operating system, hardware, container image and installed packages.

Read once for each process. Packages come from the names and metadata of ``*.dist-info`` folders on ``sys.path``
(https://packaging.python.org/en/latest/specifications/recording-installed-packages/), which takes a millisecond or two
where ``importlib.metadata`` takes fifty.
"""

from __future__ import annotations

import functools
import json
import os
import platform
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from millstream.tracking.context.container import Container, image
from millstream.tracking.context.git import without_credentials

__all__ = ["Environment", "Package", "capture", "installed_packages"]


@dataclass(frozen=True)
class Package:
    """An installed distribution; ``url`` says where from, when it was not a package index."""

    name: str
    version: str
    url: str | None = None

    def requirement(self) -> str:
        """Its line in a requirements file; a folder of this machine is no address elsewhere, so only a comment."""
        if self.url is None:
            return f"{self.name}=={self.version}"
        if self.url.startswith("file:"):
            return f"{self.name}=={self.version}  # installed from a local folder"
        return f"{self.name} @ {self.url}"


@dataclass(frozen=True)
class Environment:
    """What a run ran on. Sizes are bytes; ``image`` and ``cpu`` are None where the machine does not tell."""

    python: str
    implementation: str
    system: str
    machine: str
    hostname: str
    cpu: str | None
    cpu_count: int
    memory: int | None
    gpus: tuple[dict[str, Any], ...]
    image: str | None
    container: str | None
    packages: tuple[Package, ...]

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready dict; ``packages`` maps name to version."""
        return {
            "python": self.python,
            "implementation": self.implementation,
            "system": self.system,
            "machine": self.machine,
            "hostname": self.hostname,
            "cpu": self.cpu,
            "cpu_count": self.cpu_count,
            "memory_bytes": self.memory,
            "gpus": [dict(gpu) for gpu in self.gpus],
            "image": self.image,
            "container": self.container,
            "packages": {package.name: package.version for package in self.packages},
        }

    def requirements(self) -> str:
        """The text of a ``requirements.txt``: every installed package at its version, sorted by name."""
        return "".join(f"{package.requirement()}\n" for package in self.packages)

    def to_text(self) -> str:
        """A page for people: the machine first, then the requirements."""
        memory = f"{self.memory / 2**30:.1f} GiB" if self.memory else "unknown"
        lines = [
            f"Python     {self.python} ({self.implementation})",
            f"System     {self.system} ({self.machine})",
            f"Host       {self.hostname}",
            f"Processor  {self.cpu or 'unknown'}, {self.cpu_count} logical",
            f"Memory     {memory}",
            *(f"GPU        {gpu['name']}, {gpu['memory_bytes'] / 2**30:.1f} GiB" for gpu in self.gpus),
            f"Container  {self.container or 'none'}" + (f", image {self.image}" if self.image else ""),
            f"Packages   {len(self.packages)}",
        ]
        return "\n".join(lines) + "\n\n" + self.requirements()


@functools.cache
def capture() -> Environment:
    """The environment of this process, read at the first call and then remembered."""
    return Environment(
        python=platform.python_version(),
        implementation=platform.python_implementation(),
        system=_system(),
        machine=platform.machine(),
        hostname=platform.node(),
        cpu=_cpu(),
        cpu_count=os.cpu_count() or 1,
        memory=_memory(),
        gpus=tuple(_gpus()),
        image=image(),
        container=Container().runtime(),
        packages=tuple(installed_packages(sys.path)),
    )


def installed_packages(path: list[str]) -> list[Package]:
    """The distributions importable from the folders of ``path``, sorted by name, each name once."""
    found: dict[str, Package] = {}
    for folder in path:
        try:
            entries = os.listdir(folder or ".")
        except OSError:
            continue
        for entry in entries:
            package = _package(Path(folder or "."), entry)
            if package:
                found.setdefault(_normal(package.name), package)
    return [found[name] for name in sorted(found)]


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _package(folder: Path, entry: str) -> Package | None:
    stem, _, kind = entry.rpartition(".")
    if kind == "dist-info":
        name, dash, version = stem.partition("-")
        if dash:
            return Package(_normal(name), version, _origin(folder / entry / "direct_url.json"))
        metadata = folder / entry / "METADATA"
    elif kind == "egg-info":
        metadata = folder / entry / "PKG-INFO" if (folder / entry).is_dir() else folder / entry
    else:
        return None
    fields = dict(_headers(metadata))
    return Package(_normal(fields["Name"]), fields["Version"]) if {"Name", "Version"} <= fields.keys() else None


def _headers(metadata: Path) -> Iterator[tuple[str, str]]:
    try:
        with metadata.open(encoding="utf-8", errors="replace") as file:
            for line in file:
                if not line.strip():  # the description begins
                    return
                key, _, value = line.partition(":")
                yield key, value.strip()
    except OSError:
        return


def _origin(file: Path) -> str | None:
    """The address in ``direct_url.json`` (PEP 610), pinned to its commit; None for a package from an index."""
    try:
        origin = json.loads(file.read_bytes())
        url = without_credentials(str(origin["url"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None
    vcs = origin.get("vcs_info")
    if not isinstance(vcs, dict):
        return url
    commit = vcs.get("commit_id")
    return f"{vcs.get('vcs', 'git')}+{url}" + (f"@{commit}" if commit else "")


def _system() -> str:
    release = {}
    try:
        release = platform.freedesktop_os_release() if sys.platform == "linux" else {}
    except OSError:  # a minimal image has no os-release
        pass
    kernel = f"{platform.system()} {platform.release()}"
    return f"{release['PRETTY_NAME']}, {kernel}" if "PRETTY_NAME" in release else kernel


def _cpu() -> str | None:
    try:
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as file:
            for line in file:
                key, _, value = line.partition(":")
                if key.strip() in ("model name", "Model", "cpu model"):
                    return value.strip()
    except OSError:
        pass
    return platform.processor() or None


def _memory() -> int | None:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return None


def _gpus() -> Iterator[dict[str, Any]]:
    from millstream.tracking.system_metrics.gpu import open_gpus

    for gpus in open_gpus():
        try:
            yield from gpus.describe()
        finally:
            gpus.close()
