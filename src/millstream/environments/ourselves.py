"""The running Millstream, as something to install into another environment."""

from __future__ import annotations

import functools
import hashlib
import json
import shutil
from dataclasses import dataclass
from pathlib import Path

from millstream._version import VERSION

__all__ = ["Ourselves", "ourselves"]


_OLDEST = (3, 10)


@dataclass(frozen=True)
class Ourselves:
    """How to install the running Millstream, which needs at least the version ``python``.

    ``requirements`` are installed. A checkout is then put on the import path by its folder ``source``, anything else
    that no package index has is copied from there; ``content`` tells one copy from another.
    """

    requirements: tuple[str, ...]
    source: str | None = None
    content: str | None = None
    python: tuple[int, int] = _OLDEST

    def put(self, packages: Path) -> None:
        """Make what is not a requirement importable from the folder ``packages``."""
        if self.source is None:
            return
        if self.content is None:
            (packages / "millstream-source.pth").write_text(f"{self.source}\n")
        else:
            shutil.copytree(Path(self.source, "millstream"), packages / "millstream",
                            ignore=shutil.ignore_patterns("__pycache__"))


@functools.cache
def ourselves() -> Ourselves:
    """What this process runs."""
    from importlib import metadata

    source = Path(__file__).parents[2]
    try:
        distribution = metadata.distribution("millstream")
    except metadata.PackageNotFoundError:  # only on the import path
        return Ourselves((), str(source))
    needed = tuple(sorted(line for line in distribution.requires or () if "extra ==" not in line))
    origin = json.loads(distribution.read_text("direct_url.json") or "{}")
    if origin.get("dir_info", {}).get("editable"):
        return Ourselves(needed, str(source))
    if origin.get("url", "").startswith("file:"):
        content = hashlib.sha256((distribution.read_text("RECORD") or "").encode()).hexdigest()
        return Ourselves(needed, str(source), content)
    return Ourselves((f"millstream=={VERSION}",))
